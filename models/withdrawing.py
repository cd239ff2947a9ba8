"""Messages that wait and must not leave any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.fact import Fact

ABORTED = "exercise.aborted"
_MATTERS = frozenset(
    {"page.stopped", "page.acknowledged", "page.declined", "incident.restricted", "reader.removed", ABORTED}
)


@dataclass(frozen=True, kw_only=True)
class Withdrawal:
    """Which queued messages of a stream go: all that is named must fit. `shared`: those with no person.

    With `but` it is those of every stream, except what these facts of this one have just asked for.
    """

    kind: str | None = None
    pages: tuple[int, ...] | None = None
    people: tuple[str, ...] | None = None
    shared: bool = False
    but: tuple[int, ...] | None = None

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of the outbox, of the same stream, is withdrawn."""
        return (
            row["state"] == "queued"
            and (self.kind is None or row["kind"] == self.kind)
            and (self.pages is None or row["page"] in self.pages)
            and (self.people is None or row["person"] in self.people)
            and (not self.shared or row["person"] is None)
            and (self.but is None or row["cause"] not in self.but)
        )


def withdrawals(facts: Sequence[Fact]) -> Iterator[Withdrawal]:
    """A page that is answered or over needs no further message, nor does whoever has answered.

    Whoever is barred from an incident, or no longer a reader, gets nothing that was written for them before.
    """
    if not any(fact.kind in _MATTERS for fact in facts):
        return  # most commands: what follows costs a tenth of one
    if any(fact.kind == ABORTED for fact in facts):
        # Nothing of the exercise leaves any more but that it is broken off.
        yield Withdrawal(but=tuple(fact.seq for fact in facts))
    ended = tuple(
        fact.data["page"]
        for fact in facts
        if fact.kind == "page.stopped" or (fact.kind == "page.acknowledged" and fact.data["complete"])
    )
    if ended:
        yield Withdrawal(kind="page", pages=ended)
    for said in (one.data for one in facts if one.kind in {"page.declined", "page.acknowledged"}):
        yield Withdrawal(kind="page", pages=(said["page"],), people=(said["by"],))
    if barred := tuple(_barred(facts)):
        yield Withdrawal(people=barred)
    if any(fact.kind == "incident.restricted" for fact in facts):
        # What others read as well: a channel and no person.
        yield Withdrawal(shared=True)


def _barred(facts: Sequence[Fact]) -> list[str]:
    found: list[str] = []
    for fact in facts:
        if fact.kind == "incident.restricted":
            found += fact.data["barred"]
        elif fact.kind == "reader.removed" and (fact.data.get("barred") or fact.data.get("called_off")):
            found.append(fact.data["reader"])
    return found
