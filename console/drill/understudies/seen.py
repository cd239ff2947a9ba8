"""What understudies see when they look: the incident, the exercise, the scenario, and who plays what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from console.drill.understudies.noticed import Noticed
from console.drill.understudies.times import Span, Times, drawn, shipped_times
from console.drill.understudies.words import Words
from models.access import Viewer, may_read
from models.commands import Actor, Command
from models.exercise import Exercise
from models.scenario import Inject, Outcome, Scenario
from models.state import Incident, StreamState
from models.world import World

VIA = "script"
"""By what means an understudy acts, as its facts say."""


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something that an understudy does, at an instant of the story. `stream` None opens an incident."""

    at: datetime
    person: str
    command: Command
    stream: str | None
    about: str

    @property
    def order(self) -> tuple[datetime, str, str]:
        """One act comes before another always in the same way."""
        return (self.at, self.about, self.person)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One look at one stream. `holds` judges a condition of the scenario as it is now."""

    state: StreamState
    world: World
    scenario: Scenario
    exercise: Exercise
    noticed: Noticed
    holds: Callable[[str], bool]
    words: Words
    times: Times = field(default_factory=shipped_times)

    # -- who acts -------------------------------------------------------------------------------------------

    @property
    def incident(self) -> Incident:
        """The incident that is looked at. Only asked for of one."""
        assert isinstance(self.state, Incident)  # noqa: S101 - the callers look at incidents alone
        return self.state

    @property
    def players(self) -> frozenset[str]:
        """People who are enrolled, have confirmed an address, and are there."""
        taking_part = self.exercise.participants.values()
        return frozenset(one.person for one in taking_part if one.confirmed and one.absent is None)

    @property
    def played(self) -> frozenset[str]:
        """Roles that a player has, or that the scenario leaves to the controller."""
        own = {role for name in self.players for role in self.exercise.participants[name].roles}
        return frozenset(own | {card.role for card in self.scenario.roles if card.played_by == "control"})

    def understudies(self, *whose: str) -> tuple[str, ...]:
        """Who acts for these roles or people, the first asked first: nobody whose role is played."""
        case = self.state if isinstance(self.state, Incident) else None
        found: dict[str, None] = {}
        for who in whose:
            if who in self.played or who in self.players:
                continue
            for holder in self.world.holders(case, who):
                if self._may_act(case, holder.person.id):
                    found[holder.person.id] = None
        return tuple(found)

    def _may_act(self, case: Incident | None, person: str) -> bool:
        if person in self.players:
            return False
        return case is None or may_read(case, Viewer(person=person), self.world).whole

    # -- when -----------------------------------------------------------------------------------------------

    def after(self, span: Span, person: str, about: str) -> timedelta:
        """How long the person takes for this; always the same for the same drill."""
        return span.at(drawn(self.exercise.seed, person, about))

    def act(self, at: datetime, command: Command, about: str) -> Act:
        """The act of whoever the command names."""
        who = command.actor.person or ""
        stream = self.state.stream
        return Act(at=at, person=who, command=command, stream=stream, about=about)

    # -- what the scenario says -----------------------------------------------------------------------------

    def before(self, span: timedelta) -> datetime:
        """The instant so long before STARTEX."""
        return (self.exercise.startex or self.world.now) - span

    def delivered(self, inject: str) -> datetime | None:
        """When the inject came in; None if it has not, or was left out."""
        known = self.exercise.injects.get(inject)
        return known.at if known is not None and known.how in {"planned", "fired"} else None

    def expecting(self, step: str) -> tuple[Inject, ...]:
        """The injects that ask for this step, those that came in last first, then those still to come."""
        asking = [one for one in self.scenario.in_order() if any(e.step == step for e in one.expect)]
        came = [one for one in asking if self.delivered(one.id) is not None]
        came.sort(key=lambda one: self.delivered(one.id) or self.world.now, reverse=True)
        coming = [one for one in asking if one.id not in self.exercise.injects and one.kind != "contingency"]
        return (*came, *coming)

    def outcome(self, step: str) -> Outcome | None:
        """The first outcome of this step whose condition holds now."""
        mine = (one for one in self.scenario.outcomes if one.step == step)
        return next((one for one in mine if one.when is None or self.holds(one.when)), None)


def actor(person: str) -> Actor:
    """Somebody of the directory, played by the script."""
    return Actor(person=person, name=person, via=VIA)


def first(people: Iterable[str]) -> str | None:
    """The first of them, if there is any."""
    return next(iter(people), None)
