"""The shift plan of an incident: set by a person, carried out by time.

At the beginning of a shift the incoming person gets the hand-over brief; at the hand-over the role goes to
them, or to their deputy while they are away. If nobody can take it, it stays where it is and somebody is
paged: a role of an incident is never empty because a plan says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count

from models.clock import iso
from models.errors import Refused
from models.fact import Draft
from models.permission import require
from models.reach import reachable
from models.reason import Reason
from models.routing import ask, level_recipients
from models.rules.common import Decided, must_be_open
from models.shiftplan import FREE_ROLES, shift_defects, takes_at
from models.shifts import PlannedShift, SetShifts, ShiftState
from models.state import Incident
from models.world import World

SUBJECT = "shift"
UNCOVERED = "shift-uncovered"
ON_DUTY = ("planned", "begun")
MOST_REST = timedelta(days=7)


def set_shifts(state: Incident, command: SetShifts, world: World) -> Decided:
    """A plan is set or changed. All of its defects are told at once."""
    require(command, "shifts", state, world)
    must_be_open(state, "resolved")
    roles = tuple(dict.fromkeys((*command.roles, *(one.role for one in command.shifts))))
    if not roles:
        raise Refused(Reason.EMPTY, {"field": "shifts"})
    others = [one for one in state.shifts.values() if one.role not in roles]
    _must_be_known(state, command, world)
    rest = timedelta(seconds=command.rest)
    found = shift_defects(command.shifts, others, world.directory, world.now, rest)
    if found:
        detail = {"count": len(found), "defects": [one.text() for one in found]}
        raise Refused(Reason.PLAN_WRONG, detail)
    planned = sorted(command.shifts, key=lambda one: (one.since, roles.index(one.role)))
    # A shift that goes on keeps its name, and with it that the role has gone over: see the fold. One that was
    # over and is made longer begins anew.
    going_on = {
        (one.role, one.person, one.since): one.id
        for one in state.shifts.values()
        if one.status in {"begun", "taken", "passed"} and not _revived(one, command.shifts, world)
    }
    numbers = count(state.shifts_numbered + 1)
    shifts = [
        {
            "id": going_on.get((one.role, one.person, one.since)) or f"SH-{next(numbers):03d}",
            "role": one.role,
            "person": one.person,
            "since": iso(one.since),
            "until": iso(one.until),
            "takes_at": iso(takes_at(one, command.shifts)),
        }
        for one in planned
    ]
    data = {"roles": list(roles), "shifts": shifts, "rest": command.rest}
    return [Draft(kind="shifts.set", data=data)]


def _revived(known: ShiftState, planned: Sequence[PlannedShift], world: World) -> bool:
    """Whether a shift that is over by now goes on in the new plan."""
    goes_on = [one for one in planned if one.until > world.now >= known.until]
    return (known.role, known.person, known.since) in [(one.role, one.person, one.since) for one in goes_on]


def _must_be_known(state: Incident, command: SetShifts, world: World) -> None:
    """Raises Refused for a rest that nobody can mean, and for roles that neither directory nor plan knows."""
    if not 0 <= command.rest <= MOST_REST.total_seconds():
        wrong = f"rest: expected 0 to {int(MOST_REST.total_seconds())} seconds, got {command.rest}"
        raise Refused(Reason.FIELD_WRONG, {"fields": [wrong]})
    planned = {one.role for one in state.shifts.values()}
    for role in command.roles:
        if world.directory.role(role) is None and role not in planned:
            known = sorted(one.id for one in world.organisation.roles)
            raise Refused(Reason.NO_SUCH_ROLE, {"role": role, "known": known})


def brief(state: Incident, role: str, person: str, world: World) -> Draft | None:
    """A notice with the hand-over brief to whoever takes a role; None if nobody can be told."""
    subject = f"handover:{role}"
    people = reachable(level_recipients(world, state, (person,), (), subject))
    if not people:
        return None
    data = {"template": "notice.handover", "subject": subject, "recipients": people}
    return Draft(kind="message.requested", data=data)


# -- what time makes true -----------------------------------------------------------------------------------


def shifts_due(state: Incident, world: World) -> Iterator[Draft]:
    """Shifts that begin, roles that go over, and shifts that went by while nobody looked."""
    if state.status not in {"open", "resolved"}:
        return
    waiting = [one for one in state.shifts.values() if one.status in ON_DUTY]
    if gone := [one.id for one in waiting if one.until <= world.now]:
        yield Draft(kind="shift.passed", data={"shifts": gone})
    for shift in waiting:
        if shift.until <= world.now or shift.since > world.now:
            continue
        told = shift.told
        if shift.status == "planned":
            notice = brief(state, shift.role, shift.person, world)
            told = [one["person"] for one in notice.data["recipients"]] if notice is not None else []
            data = {"shift": shift.id, "role": shift.role, "person": shift.person, "told": told}
            yield Draft(kind="shift.begun", data=data)
            yield from [notice] if notice is not None else []
        if shift.takes_at <= world.now:
            yield from _hand_over(state, shift, told, world)


def _hand_over(state: Incident, shift: ShiftState, told: list[str], world: World) -> Iterator[Draft]:
    """The role goes over; to nobody who is away, and never to nobody."""
    outgoing = state.assigned.get(shift.role)
    # Whoever has been barred since is nobody here, and their deputy gets no authority in their name.
    holders = world.holders(state, shift.person)
    barred = shift.person in state.restriction.barred and shift.role not in FREE_ROLES
    data = {"shift": shift.id, "role": shift.role}
    if not holders or barred:
        missed = data | {"person": shift.person} | ({"outgoing": outgoing} if outgoing else {})
        yield Draft(kind="shift.missed", data=missed)
        yield from ask(world, state, UNCOVERED, f"{SUBJECT}:{shift.id}")
        return
    incoming = holders[0]
    if outgoing is not None:
        data |= {"outgoing": outgoing}
    if incoming.deputy_for and shift.role not in FREE_ROLES:
        # A plan gives nobody an authority: the deputy stands in for as long as the person planned is away.
        data |= {"person": shift.person, "deputy": incoming.person.id}
    else:
        data |= {"person": incoming.person.id}
        data |= {"absent": incoming.deputy_for} if incoming.deputy_for else {}
    yield Draft(kind="role.handed_over", data=data)
    if incoming.person.id not in told:
        # Whoever was to come was there when the shift began, and is not now: the deputy has not read it.
        notice = brief(state, shift.role, incoming.person.id, world)
        yield from [notice] if notice is not None else []


def shift_instants(state: Incident) -> Iterator[datetime | None]:
    """When `shifts_due` has something to say."""
    if state.status in {"open", "resolved"}:
        for shift in state.shifts.values():
            if shift.status in ON_DUTY:
                yield shift.since if shift.status == "planned" else shift.takes_at
