"""Whom a drill may reach: those enrolled for it, at addresses they have confirmed, and nobody else (P8)."""

from __future__ import annotations

from models.exercise import Exercise

SCRIPT = "script"
"""The channel of people whose role the script plays: it ends inside the drill."""
SCRIPTED_VIA = "script"
"""How an act says that the script did it for whoever holds the role."""


def confirmed(exercise: Exercise, person: str) -> tuple[str, ...]:
    """Channels on which somebody enrolled, or of the staff, has confirmed their address."""
    known = exercise.participants.get(person)
    found = list(known.confirmed) if known is not None else []
    if person in exercise.staff:
        found += exercise.staff_confirmed.get(person, [])
    return tuple(dict.fromkeys(found))


def enrolled(exercise: Exercise, person: str) -> bool:
    """Whether somebody takes part at all, playing or as staff."""
    return person in exercise.participants or person in exercise.staff


def away(exercise: Exercise, person: str) -> bool:
    """Whether somebody plays and is not there."""
    known = exercise.participants.get(person)
    return known is not None and known.absent is not None


def reachable(exercise: Exercise, person: str, channel: str) -> bool:
    """Whether the drill may send something to this person on this channel.

    Nothing to somebody who has not come: they are at work, or asleep. Nothing at all after an abort: what
    happens now is real.
    """
    if channel == SCRIPT:
        return True
    if exercise.status == "aborted" or away(exercise, person):
        return False
    return channel in confirmed(exercise, person)


def notified(exercise: Exercise, *, players: bool = True, staff: bool = True) -> tuple[str, ...]:
    """Everybody who takes part, each once, players first; also those who are away."""
    people = [*(exercise.participants if players else ()), *(exercise.staff if staff else ())]
    return tuple(dict.fromkeys(people))
