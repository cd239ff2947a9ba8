"""Who may do what in an exercise, and its notices: what its rules share.

Rights come from the exercise's own staff, not from the directory: whoever leads the real response may be a
player here. The script never acts as staff, whatever role it plays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from models.commands import Command
from models.enrolled import SCRIPTED_VIA, confirmed
from models.errors import Refused
from models.exercise import Exercise, Status
from models.fact import SYSTEM, Draft
from models.permission import require
from models.reach import loud, recipient
from models.reason import Reason
from models.routing import level_recipients
from models.world import World

ROW = "drill"
CONTROL = ("controller", "facilitator")
WATCHING = ("controller", "evaluator", "facilitator")
RECORDING = ("controller", "facilitator", "scribe")
"""Staff who may write for somebody else: what is said in the room is typed by one of them."""
ANYBODY = ()


def must_may(state: Exercise, command: Command, world: World, allowed: Iterable[str], row: str = ROW) -> None:
    """Raises Refused unless the person whose act it is may do this; `allowed` empty: everybody."""
    if command.actor.via == SCRIPTED_VIA:
        raise Refused(Reason.SCRIPTED, {"who": command.actor.name})
    needs = tuple(allowed)
    own = state.staff.get(command.actor.person or "")
    if command.for_ is not None and own in RECORDING:
        if needs and own not in needs and set(needs) <= set(CONTROL):
            # Whoever may write down what others say does not lead the exercise in their name.
            raise Refused(Reason.NOT_STAFF, {"who": command.actor.person, "needs": sorted(needs)})
        if world.directory.person(command.for_) is None:
            raise Refused(Reason.UNKNOWN_PERSON, {"who": command.for_})
        command = replace(command, actor=replace(command.actor, person=command.for_), for_=None)
    require(command, row, state, world)
    if needs and command.actor.person != SYSTEM and state.staff.get(command.who) not in needs:
        raise Refused(Reason.NOT_STAFF, {"who": command.who, "needs": sorted(needs)})


def must_be(state: Exercise, *statuses: Status) -> None:
    """Raises Refused unless the exercise is at one of these points."""
    if state.seq == 0 or state.status not in statuses:
        status = state.status if state.seq else "none"
        raise Refused(Reason.EXERCISE_STATUS, {"status": status, "needs": list(statuses)})


def wrong(field: str, expected: str, got: object) -> Refused:
    """A field that cannot be read as it is."""
    return Refused(Reason.FIELD_WRONG, {"fields": [f"{field}: expected {expected}, got {got}"]})


def notice(template: str, subject: str, people: list[dict[str, Any]]) -> Draft:
    """A message to these people, through the ordinary outbox."""
    data = {"template": template, "subject": subject, "recipients": people}
    return Draft(kind="message.requested", data=data)


def to_people(state: Exercise, names: Iterable[str], world: World, *, even_away: bool = False) -> list[Any]:
    """These people as a notice reaches them at once: an exercise is held at an hour that was agreed.

    `even_away`: also those who have not come, at the addresses that they confirmed.
    """
    found = []
    for name in dict.fromkeys(names):
        person = world.directory.person(name)
        if person is None:
            continue
        one = {"person": name, "role": state.staff.get(name, "")} | recipient(world, state, person, ())
        if even_away:
            one["channels"] = [each for each in confirmed(state, name, world.marks) if person.address(each)]
        found.append(one)
    return loud(found)


def control_of(state: Exercise) -> list[str]:
    """Who leads it now."""
    return [one for one, role in state.staff.items() if role in CONTROL]


def to_roles(state: Exercise, roles: Iterable[str], world: World) -> list[Any]:
    """Whoever plays these roles, each once; a role nobody is enrolled for is that of its holders."""
    found: dict[str, Any] = {}
    for role in roles:
        playing = [one.person for one in state.participants.values() if role in one.roles]
        people = to_people(state, playing, world) if playing else _holders(state, role, world)
        for one in people:
            found.setdefault(one["person"], one | {"role": role})
    return list(found.values())


def _holders(state: Exercise, role: str, world: World) -> list[Any]:
    return loud(level_recipients(world, state, (role,), (), ""))
