"""Names for facts that hold in two runs of the same record: numbers differ, what a fact is about does not.

A name is the kind, what it is about, and which of those it is. Pages are named by event and subject, messages
by what asked for them; whatever speaks of another fact by number is named by that fact's name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from models.fact import Fact

Name = tuple[Any, ...]
_ABOUT = (
    "clock", "step", "phase", "obligation", "stage", "service", "message", "version", "party", "what", "id",
    "name", "reader", "role", "person", "playbook", "gate", "template", "event", "choice", "by", "reason",
    "target", "shift", "number", "kind", "to", "source",
)  # fmt: skip
"""Fields that say what a fact is about."""
_DIGESTED = ("reason", "name", "to", "source")
"""Fields that may hold the digest of a text instead, which no other run has."""


class Names:
    """Gives each fact of one run its name; facts are given in their order."""

    def __init__(self) -> None:
        self.by_seq: dict[int, Name] = {}
        self._count: Counter[Name] = Counter()

    def name(self, fact: Fact) -> Name:
        """The fact's name, the same each time."""
        known = self.by_seq.get(fact.seq)
        if known is not None:
            return known
        about = (fact.kind, *self._about(fact))
        self._count[about] += 1
        self.by_seq[fact.seq] = name = (*about, self._count[about])
        return name

    def _about(self, fact: Fact) -> Name:
        data = fact.data
        if fact.kind in {"message.sent", "message.failed", "message.given_up"}:
            return self._message(data["key"])
        if fact.kind == "page.asked":
            return (data["event"], self.subject(data["subject"]))
        if "page" in data:
            over = fact.kind in {"page.stopped", "page.acknowledged"}
            return (self._of(data["page"]), *(() if over else (data.get("level"), data.get("by"))))
        if fact.kind in {"confirm.asked", "confirmed"}:
            return (self._of(data["fact"]),)
        if "subject" in data:
            return (data.get("template"), self.subject(data["subject"]))
        return tuple(f"{name}={data[name]}" for name in _ABOUT if name in data and _plain(name, data))

    def subject(self, subject: str) -> Any:
        """What a page or notice is about; of a confirmation the fact that is to be confirmed."""
        kind, _, rest = subject.partition(":")
        if kind in {"confirm", "page"} and rest.isdigit():
            return (kind, self._of(int(rest)))
        return subject

    def _of(self, seq: int) -> Any:
        return self.by_seq.get(seq, seq)

    def _message(self, key: str) -> Name:
        _, cause, level, attempt, address = key.split("/", 4)
        if level == "delegate":
            attempt = "1"
        return (self._of(int(cause)), level, attempt, address)


def _plain(name: str, data: Mapping[str, Any]) -> bool:
    value = data[name]
    if isinstance(value, (dict, list)):
        return False
    return not (name in _DIGESTED and str(value).startswith("t:"))
