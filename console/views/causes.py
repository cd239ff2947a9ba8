"""Why a gate is closed, and what is missing, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from console.views.naming import Naming
from console.views.sheet import Line, harmless
from models.gate import PRIORITY
from models.state import Incident

_SERVICE = frozenset(
    {
        "no-checked-backup",
        "backup-after-compromise",
        "not-working",
        "not-confirmed-by-csirt",
        "not-confirmed-by-owner",
    }
)
KINDS = (
    *sorted(_SERVICE), "not-preserved", "nobody-holds", "not-decided", "not-chosen", "no-fix", "no-fix-many",
    "no-service", "no-instant", "not-resolved", "watch-period", "no-review", "phase-open", "no-improvement",
    "proposal-open", "unconfirmed", "scope-grew", "not-weighed", "not-allowed", "preserved-later",
)  # fmt: skip
"""Every cause that a rule names before the colon."""


_COMMAND = re.compile(r"\s*[（(]hikeshi [^（(]*?[）)](?=$|[。. 、,])")


def without_command(text: str) -> str:
    """The sentence without what one would type in a terminal: on a page the form stands beside it."""
    return _COMMAND.sub("", text)


def cause(naming: Naming, text: str) -> str:
    """A cause `kind:what` as a sentence that says what is missing and how to supply it."""
    kind, _, what = text.partition(":")
    key = f"words.cause.{kind}"
    if not naming.texts.has(key):
        return harmless(text, 200)
    return naming.texts(
        key, what=_named(naming, kind, what), id=_id(naming, kind, what), incident=naming.state.stream
    )


def mends(naming: Naming, text: str, **about: str) -> str:
    """What has to be done about a cause, as a sentence with its command."""
    kind, _, what = text.partition(":")
    key = f"gates.mend.{kind}"
    if not naming.texts.has(key):
        return cause(naming, text)
    values = {"what": _named(naming, kind, what), "id": _id(naming, kind, what)}
    return naming.texts(key, incident=naming.state.stream, **values, **about)


def _id(naming: Naming, kind: str, what: str) -> str:
    """What is typed for it."""
    if kind == "not-chosen":
        return _priority(naming)
    return what.partition("/")[0] if kind == "no-fix-many" else what


def _priority(naming: Naming) -> str:
    """The decision that is missing, by its key; the one that can be made now if there are several."""
    if not isinstance(naming.state, Incident):
        return "STEP"
    steps = naming.state.steps
    found = [key for key, one in naming.world.steps(naming.state).items() if one.step.decides == PRIORITY]
    ready = [key for key in found if key in steps and steps[key].status == "ready"]
    return next(iter([*ready, *found]), "STEP")


def _named(naming: Naming, kind: str, what: str) -> str:
    if kind in _SERVICE:
        return naming.service(what)
    if kind in {"nobody-holds", "unconfirmed"}:
        return naming.who(what)
    if kind in {"not-decided", "proposal-open", "not-weighed", "not-allowed"}:
        return naming.step(what)
    if kind == "phase-open":
        return naming.phase(what)
    return _in_words(naming, kind, what)


def _in_words(naming: Naming, kind: str, what: str) -> str:
    if kind == "no-fix-many":
        scope, _, number = what.partition("/")
        return naming.texts("scope.cause", kind=naming.texts.word("words.scope", scope), n=number)
    if kind == "no-review":
        return naming.texts.word("words.review", what)
    if kind == "no-instant":
        return naming.texts.word("words.instant", what)
    return harmless(what, 120)


def reopenings(state: Incident, naming: Naming) -> Iterator[Line]:
    """Phases that somebody has to decide about: whether they are taken up again."""
    for name, proposed in state.reopenings.items():
        causes = naming.texts("words.comma").join(cause(naming, one) for one in proposed.causes)
        command = f"hikeshi reopen {state.stream} --phase {name} [--decline] --reason …"
        said = naming.texts("gates.reopening", phase=naming.phase(name), causes=causes, command=command)
        yield Line(text=said, style="bad")


def gate(naming: Naming, name: str) -> str:
    """A gate in words."""
    return naming.texts.word("words.gate", name)
