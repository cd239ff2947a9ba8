"""How facts about its findings change an exercise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from models.drillfinding import DrillFinding
from models.exercise import Exercise
from models.fact import Fact

_FIELDS = (
    "title", "title_en", "capability", "objective", "cause", "recommendation", "owner", "playbook",
    "revision",
)  # fmt: skip


def _added(state: Exercise, fact: Fact) -> None:
    data = fact.data
    found = DrillFinding(
        id=data["id"],
        title=data["title"],
        source=data.get("source", ""),
        by=fact.for_ or fact.actor,
        at=fact.at,
    )
    state.findings[found.id] = found
    _say(found, data)


def _changed(state: Exercise, fact: Fact) -> None:
    _say(state.findings[fact.data["id"]], fact.data)


def _say(found: DrillFinding, data: dict[str, Any]) -> None:
    for name in _FIELDS:
        if name in data:
            setattr(found, name, data[name])
    if "due" in data:
        found.due = datetime.fromisoformat(data["due"])


def _dropped(state: Exercise, fact: Fact) -> None:
    state.findings[fact.data["id"]].dropped = True


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "drill_finding.added": _added,
    "drill_finding.changed": _changed,
    "drill_finding.dropped": _dropped,
}
