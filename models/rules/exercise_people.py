"""Who takes part: staff, participants, their confirmed addresses, and who is not there."""

from __future__ import annotations

from models.errors import Refused
from models.exercise import (
    MAX_PARTICIPANTS,
    ConfirmAddress,
    Enrol,
    Exercise,
    MarkAbsent,
    Participant,
    Staff,
)
from models.fact import SYSTEM, Draft
from models.reason import Reason
from models.rules.common import Decided, text, word
from models.rules.exercise_common import ANYBODY, CONTROL, must_be, must_may, wrong
from models.world import World

FACILITATOR = ("facilitator",)


def staff(state: Exercise, command: Staff, world: World) -> Decided:
    """Who runs and watches it. Somebody always leads it."""
    must_may(state, command, world, FACILITATOR)
    must_be(state, "prepared", "running", "ended")
    _must_be_known(command.person, world)
    if state.staff.get(command.person) == command.role:
        raise Refused(Reason.ALREADY, {"what": f"{command.person}: {command.role or '-'}"})
    others = [one for one, role in state.staff.items() if role == "facilitator" and one != command.person]
    if command.role != "facilitator" and not others:
        raise wrong("person", "somebody left who leads the exercise", command.person)
    data = {"person": command.person} | ({"role": command.role} if command.role is not None else {})
    return [Draft(kind="exercise.staffed", data=data)]


def enrol(state: Exercise, command: Enrol, world: World) -> Decided:
    """Somebody plays. Whoever is enrolled again plays what is said now, and stays confirmed."""
    must_may(state, command, world, CONTROL)
    must_be(state, "prepared", "running")
    _must_be_known(command.person, world)
    if len(state.participants) >= MAX_PARTICIPANTS and command.person not in state.participants:
        raise wrong("person", f"at most {MAX_PARTICIPANTS} participants", len(state.participants) + 1)
    _must_be_roles(command.roles, world)
    data: dict[str, object] = {"person": command.person, "roles": list(dict.fromkeys(command.roles))}
    if command.organisation.strip():
        data["organisation"] = word(command.organisation, "organisation", 100)
    return [Draft(kind="participant.enrolled", data=data)]


def confirm(state: Exercise, command: ConfirmAddress, world: World) -> Decided:
    """Their own word, or Hikeshi's, which has heard their answer on that channel."""
    must_may(state, command, world, ANYBODY)
    must_be(state, "prepared", "running", "ended")
    if command.actor.person != SYSTEM and command.who != command.person:
        raise Refused(Reason.NOT_STAFF, {"who": command.who, "needs": [command.person]})
    known = state.participants.get(command.person)
    if known is None and command.person not in state.staff:
        raise Refused(Reason.NOT_ENROLLED, {"who": command.person})
    person = world.directory.person(command.person)
    if person is None or person.address(command.channel) is None:
        ways = ", ".join(person.ways) if person is not None else ""
        raise wrong("channel", f"one with an address of theirs ({ways})", command.channel)
    there = known.confirmed if known is not None else state.staff_confirmed.get(command.person, [])
    before = state.marks.get(command.person, {}).get(command.channel, "")
    if command.channel in there and before == command.mark:
        return []
    data = {"person": command.person, "channel": command.channel}
    data |= {"mark": command.mark} if command.mark else {}
    return [Draft(kind="participant.confirmed", data=data)]


def mark_absent(state: Exercise, command: MarkAbsent, world: World) -> Decided:
    """Not there, or there after all. Their roles are the script's meanwhile."""
    must_may(state, command, world, CONTROL)
    must_be(state, "prepared", "running")
    known = _participant(state, command.person)
    if (command.why is None) == (known.absent is None):
        raise Refused(Reason.ALREADY, {"what": command.person})
    data = {"person": command.person}
    if command.why is None:
        return [Draft(kind="participant.returned", data=data)]
    return [Draft(kind="participant.absent", data=data, texts={"why": text(command.why, "why", 500)})]


def _participant(state: Exercise, person: str) -> Participant:
    known = state.participants.get(person)
    if known is None:
        raise Refused(Reason.NOT_ENROLLED, {"who": person})
    return known


def _must_be_known(person: str, world: World) -> None:
    if world.directory.person(person) is None:
        raise Refused(Reason.UNKNOWN_PERSON, {"who": person})


def _must_be_roles(roles: tuple[str, ...], world: World) -> None:
    """Roles with a card, or of the directory: somebody plays at least one."""
    cards = [one.role for one in world.scenario.roles] if world.scenario is not None else []
    known = sorted({*cards, *(one.id for one in world.organisation.roles)})
    unknown = [one for one in roles if one not in known]
    if unknown or not roles:
        raise Refused(Reason.NO_SUCH_ROLE, {"role": ", ".join(unknown), "known": known})
