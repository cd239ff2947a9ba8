"""What a form's sender typed, while it was refused, and which forms have been sent already.

In memory, of this node, and bounded: losing it costs somebody a sentence, never the record.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from markupsafe import Markup

MAX_SESSIONS = 512
MAX_CHARACTERS = 65_536
"""Of one form; of a longer one nothing is kept."""
KEPT_SECONDS = 900.0
"""Whoever comes back to a page later begins anew."""
MAX_SENT = 8_192
SECRET = frozenset({"identity", "key", "named_key", "password", "code", "token"})
"""Fields that are never kept."""
Fields = Mapping[str, list[str]]


def once() -> str:
    """The number of one rendering of a form."""
    return secrets.token_urlsafe(9)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The form of a session that was refused last. Templates ask it: `ask.typed.of("done", step=key)`."""

    operation: str = ""
    fields: Fields = field(default_factory=dict)
    said: Sequence[Markup] = ()
    since: float = field(default=0.0, compare=False)
    shown_on: str = ""
    """The address of the page that showed it first, without what is asked of it."""
    found: list[str] = field(default_factory=list, compare=False)
    """That a form of the page which is drawn has taken it up."""

    def of(self, operation: str, **where: str) -> Kept:
        """Itself, if it is the form of this operation that has these values; else an empty one."""
        same = all(self.fields.get(name, [""])[0] == value for name, value in where.items())
        if self.operation != operation or not same:
            return NOTHING
        self.found.append(operation)
        return self

    def without_a_place(self) -> Fields:
        """What no form of the page shows; of that what is more than an id, a number or a time."""
        if self.found:
            return {}
        texts = {
            name: [one for one in values if not _MERE.fullmatch(one)] for name, values in self.fields.items()
        }
        return {name: values for name, values in texts.items() if values}

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.operation)

    def __call__(self, name: str, default: str = "") -> str:
        """What stood in this field."""
        values = self.fields.get(name)
        return values[-1] if values else default

    def has(self, name: str, value: str) -> bool:
        """Whether this was one of the values of the field."""
        return value in self.fields.get(name, ())


_MERE = re.compile(r"[A-Za-z0-9_.:/+-]*")
NOTHING = Kept()


class Typed:
    """The last refused form of each session: until its page was shown and left, or for some minutes."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._forms: OrderedDict[str, Kept] = OrderedDict()
        self._now = now

    def keep(self, session: str, operation: str, fields: Fields, said: Sequence[Markup]) -> None:
        """Remember what was typed; what is secret, and the form's own fields, are left out."""
        shown = typed_in(fields)
        if sum(len(one) for values in shown.values() for one in values) > MAX_CHARACTERS:
            shown = {}
        self._forms[session] = Kept(operation=operation, fields=shown, said=tuple(said), since=self._now())
        self._forms.move_to_end(session)
        while len(self._forms) > MAX_SESSIONS:
            self._forms.popitem(last=False)

    def of(self, session: str) -> Kept:
        """What is kept for a session."""
        kept = self._forms.get(session)
        if kept is not None and self._now() - kept.since > KEPT_SECONDS:
            del self._forms[session]
            return NOTHING
        return replace(kept, found=[]) if kept is not None else NOTHING

    def visit(self, session: str, path: str) -> None:
        """A page is shown. The first one after a refusal shows the form; another one has left it."""
        kept = self._forms.get(session)
        if kept is None:
            return
        if kept.shown_on in {"", path}:
            self._forms[session] = replace(kept, shown_on=path)
        else:
            del self._forms[session]

    def done(self, session: str, operation: str) -> None:
        """It was sent again and recorded: nothing is left to keep."""
        if self.of(session).operation == operation:
            del self._forms[session]


_OWN = frozenset({"csrf", "next", "once", "back"})


def typed_in(fields: Fields) -> dict[str, list[str]]:
    """What may be shown again of a form."""
    return {name: list(values) for name, values in fields.items() if name not in SECRET | _OWN}


class Sent:
    """Forms that were sent: the same again does nothing.

    A form is known by its session, the number of its rendering, and what is in it: whoever goes back and
    writes something else has sent another form.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, Literal["running", "done"]] = OrderedDict()

    def begin(self, session: str, operation: str, fields: Fields) -> str | None:
        """The key of a form that is new; None if it was sent before. One without a number is always new."""
        number = fields.get("once", [""])[0]
        if not number:
            return ""
        content = repr((session, operation, sorted((name, *values) for name, values in fields.items())))
        key = hashlib.sha256(content.encode("utf-8", "replace")).hexdigest()
        if key in self._known:
            return None
        self._known[key] = "running"
        while len(self._known) > MAX_SENT:
            self._known.popitem(last=False)
        return key

    def end(self, key: str, *, done: bool) -> None:
        """It has been answered; what was refused may be sent again as it is."""
        if key and done:
            self._known[key] = "done"
        elif key:
            self._known.pop(key, None)
