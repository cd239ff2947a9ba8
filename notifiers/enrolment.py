"""What of a drill may leave it: the last look before a message goes, whatever asked for it (P8)."""

from __future__ import annotations

from models.comcheck import TEMPLATE as COMCHECK
from models.desk import Desk
from models.enrolled import ABORTED, away, confirmed, enrolled
from models.exercise import EXERCISE, Exercise
from models.marks import SCRIPT, Marks
from notifiers.briefing import Envelope

NOT_PREPARED = "no exercise has been prepared here, so nobody is enrolled"
NOT_ENROLLED = "not enrolled for this exercise"
NOT_CONFIRMED = "this address has not been confirmed by the person"
NOT_THERE = "marked as absent from this exercise"
NOT_OURS = "no address of this exercise"


def _exercise(desk: Desk) -> Exercise | None:
    state = desk.state(EXERCISE) if desk.premises.drill else None
    return state if isinstance(state, Exercise) and state.seq else None


def broken_off(desk: Desk, envelope: Envelope) -> bool:
    """Whether the exercise was broken off, so that nothing is said any more but that."""
    exercise = _exercise(desk)
    over = exercise is not None and exercise.status == "aborted"
    return over and envelope.template != ABORTED


def kept_in(desk: Desk, envelope: Envelope, address: str | None) -> str:
    """Why a message may not leave; empty if it may, as always where no drill is.

    Rules and directory know it already. What they asked for before an address was changed is held here.
    """
    marks = desk.premises.marks
    if marks is None or envelope.channel == SCRIPT:
        return ""
    if envelope.person is None:
        return "" if address and address == desk.premises.organisation.duty_channel else NOT_OURS
    exercise = _exercise(desk)
    if exercise is None:
        return NOT_PREPARED
    return _unreached(exercise, marks, envelope.person, envelope)


def _unreached(exercise: Exercise, marks: Marks, person: str, envelope: Envelope) -> str:
    if not enrolled(exercise, person):
        return NOT_ENROLLED
    if envelope.template == COMCHECK:
        # It is what asks for the confirmation.
        return "" if envelope.channel in marks.get(person, {}) else NOT_OURS
    if away(exercise, person) and envelope.template != ABORTED:
        return NOT_THERE
    return "" if envelope.channel in confirmed(exercise, person, marks) else NOT_CONFIRMED
