"""Every step that was done and every decision that was made, in the order in which they happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from models.fact import SYSTEM, Fact
from models.scoring.played import Case, Played, decided_via, who


@dataclass(frozen=True, kw_only=True)
class Act:
    """Somebody did a step, or decided one (`choice`)."""

    incident: str
    step: str
    at: datetime
    by: str
    choice: str | None = None
    scripted: bool = False

    @property
    def by_people(self) -> bool:
        """Whether a participant did it themselves."""
        return not self.scripted and self.by != SYSTEM


def acts_of(played: Played) -> dict[str, list[Act]]:
    """The acts by step, earliest first. A decision that was withdrawn is none."""
    found: dict[str, list[Act]] = {}
    for case in played.cases:
        for act in _of(played, case):
            found.setdefault(act.step, []).append(act)
    for acts in found.values():
        acts.sort(key=lambda one: one.at)
    return found


def _of(played: Played, case: Case) -> Iterator[Act]:
    standing: dict[str, list[Act]] = {}
    for fact in case.facts:
        if fact.kind in {"step.done", "decision.made"}:
            standing.setdefault(fact.data["step"], []).append(_act(played, case, fact))
        elif fact.kind == "decision.withdrawn":
            standing.pop(fact.data["step"], None)
    for acts in standing.values():
        yield from acts


def _act(played: Played, case: Case, fact: Fact) -> Act:
    # With four eyes the fact is the second person's act, and the decision the first one's.
    by = fact.data.get("decided_by", who(fact))
    return Act(
        incident=fact.stream,
        step=fact.data["step"],
        at=fact.at,
        by=by,
        choice=fact.data.get("choice"),
        scripted=played.scripted(by, decided_via(case, fact)),
    )
