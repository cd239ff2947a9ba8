"""Gates, decisions and deadlines of the exercise."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from models.drillresult import DeadlineResult, DecisionTaken, GateResult
from models.fact import Fact
from models.scoring.played import Case, Played, decided_via, who
from models.state import ClockState

_RESULTS: dict[str, Literal["met", "missed", "ended"]] = {"met": "met", "missed": "missed", "ended": "ended"}


def gates(played: Played) -> tuple[GateResult, ...]:
    """How often each gate held a step, let it through afterwards, or was overridden, by name."""
    counts: dict[str, dict[str, int]] = {}
    for case in played.cases:
        for name, what in _gate_events(case):
            one = counts.setdefault(name, {"held": 0, "passed": 0, "overridden": 0})
            one[what] += 1
    return tuple(GateResult(gate=name, **counts[name]) for name in sorted(counts))


def _gate_events(case: Case) -> Iterator[tuple[str, str]]:
    """Each gate with what became of it. That it goes on holding for another cause is no second time."""
    holding: dict[str, set[str]] = {}
    for fact in case.facts:
        step = fact.data.get("step", "")
        if fact.kind == "gate.held":
            now = set(fact.data["gates"])
            yield from ((name, "held") for name in sorted(now - holding.get(step, set())))
            holding[step] = now
        elif fact.kind == "gate.passed":
            yield from ((name, "passed") for name in sorted(holding.pop(step, set())))
        elif fact.kind == "gate.overridden":
            yield fact.data["gate"], "overridden"


def decisions(played: Played) -> tuple[DecisionTaken, ...]:
    """Every decision with who took it, and how long after it could be taken; in the order they were taken."""
    found = [one for case in played.cases for one in _decisions(played, case)]
    return tuple(taken for _, taken in sorted(found, key=lambda one: one[0]))


def _decisions(played: Played, case: Case) -> Iterator[tuple[datetime, DecisionTaken]]:
    ready: dict[str, Fact] = {}
    for fact in case.facts:
        if fact.kind == "step.ready":
            ready[fact.data["step"]] = fact
        elif fact.kind == "decision.made":
            yield fact.at, _taken(played, case, fact, ready.get(fact.data["step"]))


def _taken(played: Played, case: Case, fact: Fact, ready: Fact | None) -> DecisionTaken:
    by = fact.data.get("decided_by", who(fact))
    limit = ready.data.get("limit_at") if ready is not None else None
    took = max(fact.at - ready.at, timedelta(0)) if ready is not None else None
    return DecisionTaken(
        incident=fact.stream,
        step=fact.data["step"],
        choice=fact.data["choice"],
        by=by,
        scripted=played.scripted(by, decided_via(case, fact)),
        took_seconds=took // timedelta(seconds=1) if took is not None else None,
        in_time=fact.at <= datetime.fromisoformat(limit) if limit else None,
    )


def deadlines(played: Played) -> tuple[DeadlineResult, ...]:
    """Every clock of the incidents with what became of it, in the order in which they were due."""
    found = [_deadline(case.state.stream, one) for case in played.cases for one in case.state.clocks.values()]
    return tuple(sorted(found, key=lambda one: (one.due_at, one.incident, one.clock)))


def _deadline(incident: str, clock: ClockState) -> DeadlineResult:
    running: Literal["missed", "open"] = "missed" if clock.breached else "open"
    return DeadlineResult(
        incident=incident,
        clock=clock.id,
        kind=clock.kind,
        due_at=clock.due_at,
        stopped_at=clock.stopped_at,
        outcome=_RESULTS.get(clock.status, running),
    )
