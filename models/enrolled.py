"""Whom a drill may reach: those enrolled for it, at addresses they have confirmed, and nobody else (P8)."""

from __future__ import annotations

from models.exercise import Exercise
from models.marks import SCRIPT as SCRIPT  # noqa: PLC0414 - whoever asks whom a drill reaches names it
from models.marks import Marks

SCRIPTED_VIA = "script"
"""How an act says that the script did it for whoever holds the role."""
ABORTED = "notice.exercise_aborted"
"""The one message that leaves once something real has happened."""
_CONTROL = frozenset({"controller", "facilitator"})


def confirmed(exercise: Exercise, person: str, marks: Marks | None = None) -> tuple[str, ...]:
    """Channels on which somebody enrolled, or of the staff, has confirmed their address.

    With the `marks` of today's addresses: only those of which it is still the very address.
    """
    known = exercise.participants.get(person)
    found = list(known.confirmed) if known is not None else []
    if person in exercise.staff:
        found += exercise.staff_confirmed.get(person, [])
    if marks is not None:
        own, then = marks.get(person, {}), exercise.marks.get(person, {})
        found = [one for one in found if one in own and then.get(one) == own[one]]
    return tuple(dict.fromkeys(found))


def unconfirmed(exercise: Exercise, marks: Marks) -> tuple[str, ...]:
    """Those who take part and have an address that they have not confirmed."""
    people = [
        one for one in notified(exercise) if set(marks.get(one, {})) - {*confirmed(exercise, one, marks)}
    ]
    return tuple(people)


def may_address(exercise: Exercise, person: str) -> bool:
    """Whether somebody may say where others are reached."""
    return exercise.staff.get(person) in _CONTROL


def enrolled(exercise: Exercise, person: str) -> bool:
    """Whether somebody takes part at all, playing or as staff."""
    return person in exercise.participants or person in exercise.staff


def away(exercise: Exercise, person: str) -> bool:
    """Whether somebody plays and is not there."""
    known = exercise.participants.get(person)
    return known is not None and known.absent is not None


def reachable(exercise: Exercise, person: str, channel: str, marks: Marks | None = None) -> bool:
    """Whether the drill may send something to this person on this channel.

    Nothing to somebody who has not come: they are at work, or asleep. Nothing at all after an abort: what
    happens now is real.
    """
    if channel == SCRIPT:
        return True
    if exercise.status == "aborted" or away(exercise, person):
        return False
    return channel in confirmed(exercise, person, marks)


def notified(exercise: Exercise, *, players: bool = True, staff: bool = True) -> tuple[str, ...]:
    """Everybody who takes part, each once, players first; also those who are away."""
    people = [*(exercise.participants if players else ()), *(exercise.staff if staff else ())]
    return tuple(dict.fromkeys(people))
