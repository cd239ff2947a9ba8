"""What a rule may know besides the state: the instant, the people as they are now, the frozen documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from models.bysource import BySource
from models.calendars import Calendar, calendar
from models.directory import Directory, Holder
from models.enrolled import confirmed
from models.evidence import Evidence
from models.frozen import FrozenPlaybook
from models.layout import Layout, Layouts, by_hand_of
from models.marks import Marks
from models.organisation import Organisation
from models.plan import Plan, PlannedStep
from models.policy import Policy
from models.restriction import GLASS_ROLES
from models.state import Incident

if TYPE_CHECKING:
    from models.exercise import Exercise
    from models.scenario import Scenario

ADDED = "added"


@dataclass(frozen=True, kw_only=True)
class World:
    """`now` is aware, UTC. `plans` are the incident's own, frozen; `library` is what could be added today.

    `channels` are those set up and trusted, `distrusted` those set up and out of band.
    `beside` reads the texts beside this stream's facts, as they are in this transaction, by digest;
    `restricted` the incidents that only some may know of, by id: other records speak of them too.
    In a drill `scenario` is what is played, `exercise` how far it has come (None: nothing has been prepared
    here), `marks` those of the addresses of today (None: no address has to be confirmed), and `cases` all
    incidents of this record by id, in their order: conditions of the script ask them.

    One world serves one transaction on one stream.
    """

    now: datetime
    organisation: Organisation
    directory: Directory
    policy: Policy
    policy_digest: str
    plans: Mapping[str, Plan] = field(default_factory=dict)
    library: Mapping[str, FrozenPlaybook] = field(default_factory=dict)
    outages: tuple[tuple[datetime, datetime], ...] = ()
    channels: frozenset[str] = frozenset({"console", "file"})
    distrusted: frozenset[str] = frozenset()
    drill: bool = False
    next_incident: str = ""
    beside: Callable[[], Mapping[str, str | None]] = field(default=dict, compare=False, repr=False)
    restricted: Callable[[], Mapping[str, Incident]] = field(default=dict, compare=False, repr=False)
    scenario: Scenario | None = None
    marks: Marks | None = None
    exercise: Callable[[], Exercise | None] = field(default=lambda: None, compare=False, repr=False)
    cases: Callable[[], Mapping[str, Incident]] = field(default=dict, compare=False, repr=False)
    by_source: BySource = field(default_factory=BySource, compare=False, repr=False)
    layouts: Layouts = field(default_factory=Layouts, compare=False, repr=False)
    limit: tuple[str, frozenset[str]] | None = None
    """Somebody who came by a token, and all of their roles that it lets them use."""
    kept: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    """What a rule has found out for others in the same transaction, under a name that says of when."""

    def calendar(self, name: str) -> Calendar:
        """The calendar of this name as it is now: `own` is the institution's. Raises BadConfiguration."""
        return calendar(name, self.organisation.calendar, self.organisation.zone)

    def steps(self, state: Incident) -> dict[str, PlannedStep]:
        """Every step of the incident by key, in the order of its playbooks, then those added by hand."""
        return self.layout(state).steps

    def layout(self, state: Incident) -> Layout:
        """The same, with what is kept beside it."""
        key = ("layout", state.stream, state.seq)
        found: Layout | None = self.kept.get(key)
        if found is None:
            found = self.kept[key] = self.layouts.of(state, self.plans)
        return found

    def evidence_of(self, state: Incident, source: str) -> Sequence[Evidence]:
        """What was taken from a source, in its order."""
        return self.by_source.of(state, source)

    def step(self, state: Incident, key: str) -> PlannedStep | None:
        """The step with this whole key, or None."""
        plan = self.plans.get(key.split("/", 1)[0])
        if plan is not None and key in plan.steps and plan.playbook.playbook in state.playbooks:
            return plan.steps[key]
        known = state.steps.get(key)
        if known is None or known.added is None:
            return None
        return by_hand_of(key, known.added)

    def children(self, key: str) -> tuple[str, ...]:
        """Keys of the steps that a calling step brings in."""
        plan = self.plans.get(key.split("/", 1)[0])
        return plan.children.get(key, ()) if plan is not None else ()

    def holders(self, state: Incident | None, who: str) -> tuple[Holder, ...]:
        """Who answers for a role or person now; a role assigned in the incident goes to that person.

        Whoever is barred from the incident is nobody here, and their deputy is asked instead.
        """
        barred = frozenset(state.restriction.barred) if state is not None else frozenset()
        if state is not None and who in state.assigned:
            assigned = self.directory.holders(state.assigned[who], self.now, barred)
            if assigned:
                return tuple(
                    Holder(person=one.person, role=who, deputy_for=one.deputy_for) for one in assigned
                )
        return self._playing(who, barred) or self.directory.holders(who, self.now, barred)

    def within(self, person: str | None, roles: frozenset[str] | None) -> World:
        """The same, where this person can use no roles but these; None: all that they hold."""
        return self if roles is None or person is None else replace(self, limit=(person, roles))

    def _usable(self, person: str, roles: frozenset[str]) -> frozenset[str]:
        return roles & self.limit[1] if self.limit is not None and self.limit[0] == person else roles

    def holder(self, state: Incident | None, who: str, person: str) -> Holder | None:
        """As what the person may use a role, or stands in for somebody; None if not at all."""
        if who != person and not self._usable(person, frozenset({who})):
            return None
        return next((one for one in self.holders(state, who) if one.person.id == person), None)

    def _playing(self, role: str, barred: frozenset[str]) -> tuple[Holder, ...]:
        """In an exercise a role is theirs who were enrolled for it, whatever the rota says of that hour."""
        people = (self.directory.person(one) for one in self._players() if one not in barred)
        return tuple(Holder(person=one, role=role) for one in people if one and role in self._played(one.id))

    def _players(self) -> tuple[str, ...]:
        """Those who play, are there and can be reached."""
        exercise = self.exercise() if self.drill else None
        if exercise is None:
            return ()
        there = (name for name, one in exercise.participants.items() if one.absent is None)
        return tuple(name for name in there if confirmed(exercise, name, self.marks))

    def _played(self, person: str) -> frozenset[str]:
        """The roles that somebody plays in an exercise."""
        exercise = self.exercise() if self.drill else None
        known = exercise.participants.get(person) if exercise is not None else None
        return frozenset(known.roles) if known is not None else frozenset()

    def roles_of(self, state: Incident | None, person: str, *, glass: bool = True) -> frozenset[str]:
        """Roles that the person holds now, here; none if barred, and with `glass` those that it gives."""
        played = self._played(person)
        own = self.directory.roles_of(person, self.now) | played
        if state is None:
            return self._usable(person, own)
        if person in state.restriction.barred:
            return frozenset()
        barred = frozenset(state.restriction.barred)
        if barred:
            # Whoever stands in for somebody barred has their rights here, as if they were away.
            own = self.directory.roles_of(person, self.now, barred) | played
        broken = glass and state.restriction.broken(person, self.now)
        own |= self.assigned_to(state, person) | (GLASS_ROLES if broken else frozenset())
        return self._usable(person, own)

    def assigned_to(self, state: Incident, person: str) -> frozenset[str]:
        """The roles of this incident that are the person's, or of somebody they stand in for now."""
        found = frozenset(role for role, has in state.assigned.items() if self._acts_for(state, has, person))
        return self._usable(person, found)

    def _acts_for(self, state: Incident, has: str, person: str) -> bool:
        """Whether the person is whoever has a role of the incident, or stands in for them now."""
        if has == person:
            return True
        barred = frozenset(state.restriction.barred)
        return any(one.person.id == person for one in self.directory.holders(has, self.now, barred))
