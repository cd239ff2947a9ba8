"""What is scored: the scenario as it was played, the exercise and the incidents that came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from models.enrolled import SCRIPTED_VIA
from models.exercise import Delivered, Exercise
from models.exercise_script import Script
from models.fact import SYSTEM, Fact
from models.plan import Plan
from models.scenario import Inject, Scenario
from models.state import Incident

CAME = frozenset({"planned", "fired"})


@dataclass(frozen=True, kw_only=True)
class Case:
    """An incident of the exercise with its facts, in their order."""

    state: Incident
    facts: Sequence[Fact]


@dataclass(frozen=True, kw_only=True)
class Played:
    """All that scoring reads. Instants are of the story, aware and in UTC.

    `scenario` holds the injects that control put on the day (`as_played`); `ends` is ENDEX, or the present
    while it is still played; `plans` are the playbooks of the incidents by digest, as they were frozen;
    `others` the facts of what belongs to no incident and calls people all the same, of the intake.
    """

    scenario: Scenario
    exercise: Exercise
    cases: Sequence[Case]
    ends: datetime
    plans: Mapping[str, Plan] = field(default_factory=dict)
    others: Sequence[Fact] = ()
    stepped: Sequence[tuple[timedelta, timedelta]] = ()
    """Steps of control's, as times of play: from, until. Nobody could act meanwhile."""

    @cached_property
    def script(self) -> Script:
        """Its times."""
        return Script(self.scenario, self.exercise)

    @cached_property
    def played_roles(self) -> frozenset[str]:
        """Roles that somebody enrolled, and there, has played."""
        there = (one for one in self.exercise.participants.values() if one.absent is None)
        return frozenset(role for one in there for role in one.roles)

    def plays(self, role: str | None) -> bool:
        """Whether a participant could have done what is expected of `role`; None: of anybody."""
        return bool(self.played_roles) if role is None else role in self.played_roles

    def scripted(self, person: str, via: str) -> bool:
        """Whether an act is no participant's: of the script, or of somebody who was not enrolled.

        What Hikeshi does itself is neither: it follows from what people did before.
        """
        if person == SYSTEM:
            return False
        return via.partition(":")[0] == SCRIPTED_VIA or person not in self.exercise.participants

    def came(self, inject: str) -> Delivered | None:
        """How an inject came in; None if it did not."""
        known = self.exercise.injects.get(inject)
        return known if known is not None and known.how in CAME else None

    def leapt(self, since: datetime, until: datetime) -> timedelta:
        """How far the story leapt, or control stepped on, between two instants, while nobody could act."""
        first, last = self.script.played_of(since), self.script.played_of(until)
        steps = (max(min(last, end) - max(first, begin), timedelta(0)) for begin, end in self.stepped)
        return max(until - since - (last - first), timedelta(0)) + sum(steps, timedelta(0))


def as_played(scenario: Scenario, put: Sequence[Inject]) -> Scenario:
    """The scenario with the injects that control added or changed, each in the place of its namesake."""
    changed = {one.id: one for one in put}
    kept = tuple(changed.pop(one.id, one) for one in scenario.injects)
    return scenario.model_copy(update={"injects": (*kept, *changed.values())})


def decided_via(case: Case, fact: Fact) -> str:
    """How whoever made a decision acted: with four eyes in their proposal, in a vote in their own vote."""
    data = fact.data
    votes = (one["fact"] for one in data.get("votes", ()) if one["person"] == data.get("decided_by"))
    seq = data["proposal"] if "proposal" in data else next(votes, None)
    return next((one.via for one in case.facts if one.seq == seq), fact.via)


def who(fact: Fact) -> str:
    """The person whose act a fact is."""
    return fact.for_ or fact.actor
