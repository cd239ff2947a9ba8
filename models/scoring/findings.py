"""What of an exercise went badly enough to be a line of the improvement plan: proposals, for the facilitator.

A proposal becomes a finding only once somebody of the staff has taken it over, with an owner and a day. The
words for people are the interface's: here is only what it is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from models.exercise import Exercise, Rating
from models.scenario import Scenario
from models.scoring.score import Score

Kind = Literal["objective", "measure", "route", "gate", "deadline", "observation"]
BELOW: tuple[Rating, ...] = ("S", "M", "U")


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """`source` names it; `name` is the objective, route, gate, clock or observation it is about."""

    source: str
    kind: Kind
    name: str
    capability: str = "planning"
    objective: str | None = None
    rating: Rating | None = None
    because: tuple[str, ...] = ()


def proposals(score: Score, exercise: Exercise, scenario: Scenario) -> tuple[Proposal, ...]:
    """All that nobody has taken over yet."""
    taken = {one.source for one in exercise.findings.values() if not one.dropped}
    found = {one.source: one for one in _all(score, exercise, scenario)}
    return tuple(one for source, one in found.items() if source not in taken)


def _all(score: Score, exercise: Exercise, scenario: Scenario) -> Iterator[Proposal]:
    yield from _objectives(score)
    yield from _elsewhere(score)
    yield from _observed(exercise, scenario)


def _objectives(score: Score) -> Iterator[Proposal]:
    for one in score.objectives:
        rating = one.rating or one.proposed
        if rating in BELOW:
            yield Proposal(
                source=f"objective:{one.id}",
                kind="objective",
                name=one.id,
                capability=one.capability,
                objective=one.id,
                rating=rating,
                because=one.reasons,
            )
        for measure in one.measures:
            if measure.outcome == "missed":
                name = f"{measure.kind}:{measure.service}"
                yield Proposal(source=f"measure:{name}", kind="measure", name=name, objective=one.id)


def _elsewhere(score: Score) -> Iterator[Proposal]:
    for route in score.routes:
        if route.exhausted:
            yield Proposal(source=f"route:{route.id}", kind="route", name=route.id, capability="organisation")
    for gate in score.gates:
        if gate.overridden:
            yield Proposal(source=f"gate:{gate.gate}", kind="gate", name=gate.gate)
    measured = {f"{one.kind}:{one.service}" for each in score.objectives for one in each.measures}
    for clock in score.deadlines:
        if clock.outcome == "missed" and clock.clock not in measured:
            name = f"{clock.incident}/{clock.clock}"
            yield Proposal(source=f"deadline:{name}", kind="deadline", name=name)


def _observed(exercise: Exercise, scenario: Scenario) -> Iterator[Proposal]:
    capability = {one.id: one.capability for one in scenario.objectives}
    for seen in exercise.observations.values():
        if seen.kind == "improvement":
            yield Proposal(
                source=f"observation:{seen.id}",
                kind="observation",
                name=seen.id,
                objective=seen.objective,
                capability=capability.get(seen.objective or "", "planning"),
            )
