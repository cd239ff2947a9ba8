"""How facts about phases that may have to be reopened change an incident."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.fact import Fact
from models.reopening import Reopening
from models.state import Incident


def _proposed(state: Incident, fact: Fact) -> None:
    phase = fact.data["phase"]
    known = state.reopenings.setdefault(phase, Reopening(phase=phase, at=fact.at))
    known.causes = [*known.causes, fact.data["cause"]]


def _declined(state: Incident, fact: Fact) -> None:
    state.reopenings.pop(fact.data["phase"], None)


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "reopening.proposed": _proposed,
    "reopening.declined": _declined,
}
