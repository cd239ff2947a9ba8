"""May somebody read this incident, and how much of it? One rule, which every view asks.

Pure. Whoever may not read is told what they would be told if the incident did not exist. The operating
system's owner of the data folder can read the database itself: that is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from msgspec import structs

from models.answers import Decline, HandOver, RefuseHandOver
from models.commands import (
    Acknowledge,
    AssignRole,
    Close,
    Command,
    Confirm,
    Declare,
    Done,
    EndIncident,
    StartStep,
    UsePlaybook,
)
from models.entering import NoteLogin, NoteLogout
from models.errors import Refused
from models.exercise import AbortExercise, AnswerQuestions, ConfirmAddress, HotWash, Observe
from models.fact import SYSTEM, Fact
from models.permission import TABLE
from models.readers import ReadPlaybook
from models.reason import Reason
from models.restriction import READER_ROLES, BreakGlass, Inspector, Restrict
from models.shifts import SetShifts
from models.state import House, Improvement, Incident, Page, Programme, StreamState
from models.world import World

ANYONE = "anyone"
"""Of a permission to look: whoever the operating system lets open the data folder."""
INSPECTING = "inspector:"
"""How the `via` of an act says that an inspector's account or token is behind it."""
_LASTING = (Restrict, AssignRole, SetShifts, HandOver, UsePlaybook, Close, EndIncident)
"""What nobody does who is in by broken glass alone."""
_PLAYING = (ConfirmAddress, Observe, HotWash, AnswerQuestions, AbortExercise)
"""What anybody who takes part in an exercise may do there; the exercise's own rules say the rest."""
_OF_A_VENDOR = (StartStep, Done, Acknowledge, Decline, Confirm, RefuseHandOver)


@dataclass(frozen=True, kw_only=True)
class Viewer:
    """Who looks: somebody of the directory, an inspector, Hikeshi itself, or nobody in particular."""

    person: str | None = None
    inspector: Inspector | None = None
    roles: frozenset[str] | None = None
    """If not None, all that they may use of the person's roles."""

    @property
    def name(self) -> str:
        """How a recorded reading names them."""
        if self.inspector is not None:
            return INSPECTING + self.inspector.id
        return self.person or ""


NOBODY = Viewer()
MACHINE = Viewer(person=SYSTEM)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How much of an incident somebody may read, and why."""

    extent: Literal["all", "own", "nothing"]
    reason: Reason

    @property
    def whole(self) -> bool:
        """Whether they may read all of it."""
        return self.extent == "all"

    @property
    def some(self) -> bool:
        """Whether they may know that it exists."""
        return self.extent != "nothing"


def may_read(state: Incident, viewer: Viewer, world: World) -> Reading:
    """How much of this incident the viewer may read, with the reason for it."""
    if viewer.person == SYSTEM:
        return Reading(extent="all", reason=Reason.READS_AS_MACHINE)
    if viewer.inspector is not None:
        return _inspects(state, viewer.inspector, world.now)
    person = viewer.person or ""
    world = world.within(viewer.person, viewer.roles)
    if person in state.restriction.barred:
        return Reading(extent="nothing", reason=Reason.BARRED)
    if is_vendor(person, world):
        return _vendor_reads(state, person, world)
    if not state.restriction.on:
        return Reading(extent="all", reason=Reason.NOT_RESTRICTED)
    why = _entitled(state, person, world) if person else None
    return Reading(extent="all" if why else "nothing", reason=why or Reason.NOT_NAMED)


def _entitled(state: Incident, person: str, world: World) -> Reason | None:
    """Why somebody who is not barred may read a restricted incident; None if they may not."""
    known = state.restriction
    if world.directory.person(person) is None:
        return None
    if person in known.people:
        return Reason.NAMED
    assigned = world.assigned_to(state, person)
    if (assigned | world.roles_of(None, person)) & set(known.roles):
        return Reason.NAMED_ROLE
    if assigned & set(READER_ROLES):
        return Reason.LEADS
    if person in known.told:
        return Reason.CALLED
    return Reason.GLASS_BROKEN if known.broken(person, world.now) else None


def _inspects(state: Incident, inspector: Inspector, now: datetime) -> Reading:
    """What an inspector may read is said when the account is made; a restricted incident has to be named."""
    if inspector.until <= now:
        return Reading(extent="nothing", reason=Reason.INSPECTION_OVER)
    in_scope = not inspector.incidents or state.stream in inspector.incidents
    if not in_scope or (state.restriction.on and state.stream not in inspector.incidents):
        return Reading(extent="nothing", reason=Reason.NOT_NAMED)
    return Reading(extent="all", reason=Reason.INSPECTS)


# -- third parties ------------------------------------------------------------------------------------------


def is_vendor(person: str | None, world: World) -> bool:
    """Whether somebody of the directory belongs to a third party (FSA-2.6-B5)."""
    known = world.directory.person(person) if person else None
    return known is not None and known.third_party is not None


def _vendor_reads(state: Incident, person: str, world: World) -> Reading:
    if own_steps(state, person, world) or any(reached(page, person) for page in state.pages.values()):
        return Reading(extent="own", reason=Reason.THIRD_PARTY)
    return Reading(extent="nothing", reason=Reason.NOT_NAMED)


def own_steps(state: Incident, person: str, world: World) -> tuple[str, ...]:
    """Keys of the steps that have come up and are the person's, by name or by a role that they hold."""
    roles = world.roles_of(state, person)
    found = []
    for key, known in state.steps.items():
        planned = world.step(state, key)
        if planned is None or known.status == "waiting":
            continue
        wanted = known.owner or planned.step.owner or planned.step.authority
        if wanted == person or wanted in roles or person in {known.started_by, known.done_by}:
            found.append(key)
    return tuple(found)


def reached(page: Page, person: str) -> bool:
    """Whether the page has been sent to this person."""
    return page.delegated_to == person or any(
        one.person == person for people in page.reached.values() for one in people
    )


def own_facts(facts: Iterable[Fact], state: Incident, person: str, world: World) -> list[Fact]:
    """The facts about the person's own steps, and their own acts: all that a third party sees of a log."""
    mine = set(own_steps(state, person, world))
    return [fact for fact in facts if fact.actor == person or fact.data.get("step") in mine]


# -- acting -------------------------------------------------------------------------------------------------


def must_act(state: StreamState, command: Command, world: World) -> None:
    """Raises Refused if whoever asks may not even know of this incident, or may only look.

    What is allowed within what one may know stands in `models.permission` and in each rule.
    """
    if command.actor.person == SYSTEM:
        return
    if command.actor.looks or command.actor.via.startswith(INSPECTING):
        raise Refused(Reason.READ_ONLY, {"who": command.actor.name})
    people = [one for one in dict.fromkeys((command.actor.person, command.for_)) if one is not None]
    for person in people:
        if isinstance(state, Incident) and state.seq:
            _must_know(state, person, command, world)
        if is_vendor(person, world):
            _must_be_own(state, person, command, world)
    if isinstance(state, Incident) and state.restriction.barred:
        _hands_to_nobody_barred(state, command)


def _hands_to_nobody_barred(state: Incident, command: Command) -> None:
    """Nothing of the incident is given to somebody who must not know of it."""
    named = {one.person for one in getattr(command, "shifts", ())}
    for name in ("person", "to", "owner"):
        value = getattr(command, name, None)
        named |= set(value) if isinstance(value, tuple) else {value}
    barred = sorted(named & set(state.restriction.barred))
    if barred:
        raise Refused(Reason.BARRED, {"who": ", ".join(barred)})


def _must_know(state: Incident, person: str, command: Command, world: World) -> None:
    known = state.restriction
    breaks_in = (
        isinstance(command, BreakGlass) and person not in known.barred and not is_vendor(person, world)
    )
    reading = may_read(state, Viewer(person=person), world)
    if reading.reason is Reason.GLASS_BROKEN and isinstance(command, _LASTING):
        # Else four hours would become for good, and could shut out whoever watches over them.
        raise Refused(Reason.NOT_NAMED, {"who": person})
    if breaks_in or reading.some:
        return
    raise Refused(Reason.NO_SUCH_INCIDENT, {"incident": state.stream})


def _must_be_own(state: StreamState, person: str, command: Command, world: World) -> None:
    """A third party takes up and does its own steps, answers what called it, and logs in for that."""
    if isinstance(state, Incident) and not isinstance(command, Declare):
        page = getattr(command, "page", None)
        if isinstance(command, _OF_A_VENDOR) and _is_own(state, person, command, page, world):
            return
    elif isinstance(command, (Acknowledge, Decline, ReadPlaybook, NoteLogin, NoteLogout, *_PLAYING)):
        return
    raise Refused(Reason.THIRD_PARTY_LIMIT, {"who": person})


def _is_own(state: Incident, person: str, command: Command, page: int | None, world: World) -> bool:
    if page is not None:
        return page in state.pages and reached(state.pages[page], person)
    step = getattr(command, "step", None)
    if step is None:
        return True  # confirming, or answering the page that asks them: the rule looks for their own
    return any(key == step or key.endswith(f"/{step}") for key in own_steps(state, person, world))


def as_known(state: StreamState, command: Command, world: World) -> StreamState:
    """The programme as whoever acts may know it: improvements of an incident that is kept from them, and the
    pages about those, are not there. Whoever owns one, or was called for it, knows of it, unless barred.
    """
    if not isinstance(state, Programme) or command.actor.person == SYSTEM:
        return state
    people = [one for one in dict.fromkeys((command.actor.person, command.for_)) if one is not None]
    restricted = world.restricted() if state.improvements else {}
    hidden = {
        one.id
        for one in state.improvements.values()
        if (of := restricted.get(one.incident)) is not None
        and not all(_knows_improvement(state, one, of, person, world) for person in people)
    }
    if not hidden:
        return state
    return structs.replace(
        state,
        improvements={name: one for name, one in state.improvements.items() if name not in hidden},
        pages={
            number: page
            for number, page in state.pages.items()
            if page.subject.removeprefix("improvement:") not in hidden
        },
    )


def _knows_improvement(state: Programme, one: Improvement, of: Incident, person: str, world: World) -> bool:
    if person in of.restriction.barred:
        return False
    if may_read(of, Viewer(person=person), world).whole or one.owner == person:
        return True
    about = [page for page in state.pages.values() if page.subject == f"improvement:{one.id}"]
    return one.owner in world.roles_of(None, person) or any(reached(page, person) for page in about)


# -- looking ------------------------------------------------------------------------------------------------


def may_look(name: str, viewer: Viewer, world: World) -> Reading:
    """Whether somebody may use a way of looking at all: a row of the table of permissions."""
    if viewer.person == SYSTEM:
        return Reading(extent="all", reason=Reason.READS_AS_MACHINE)
    if over(viewer, world.now):
        return Reading(extent="nothing", reason=Reason.INSPECTION_OVER)
    world = world.within(viewer.person, viewer.roles)
    allowed = world.policy.permissions.get(name, TABLE[name])
    known = viewer.person is not None and world.directory.person(viewer.person) is not None
    if viewer.inspector is not None:
        return Reading(extent="all", reason=Reason.INSPECTS)
    if ANYONE in allowed or (known and "*" in allowed):
        return Reading(extent="all", reason=Reason.NOT_RESTRICTED)
    if known and world.roles_of(None, viewer.person or "") & set(allowed):
        return Reading(extent="all", reason=Reason.NAMED_ROLE)
    return Reading(extent="nothing", reason=Reason.ROLE_MISSING)


def over(viewer: Viewer, now: datetime) -> bool:
    """Whether somebody looks who was let in from outside for a time that is over: less than a stranger."""
    return viewer.inspector is not None and viewer.inspector.until <= now


def inspector_by(house: House, *, account: str = "", digest: str = "") -> Inspector | None:
    """The inspector behind an account or a token: of several the one that lasts longest."""
    found = [
        one
        for one in house.inspectors.values()
        if (digest and one.digest == digest) or (account and one.account == account)
    ]
    return max(found, key=lambda one: one.until, default=None)
