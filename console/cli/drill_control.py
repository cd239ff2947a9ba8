"""drill: start, pause, resume, speed, step, end, abort and where it stands."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.cli.drilling import STREAM, exercise, told, wall
from console.cli.given import reads, writes
from console.cli.session import NOBODY_PAGED, REFUSED, Session

if TYPE_CHECKING:
    from models.premises import Outcome

Opt = typer.Option
Why = Annotated[str, Opt("--reason", metavar="TEXT", show_default=False)]
LOOK_SECONDS = 0.05
NODE_BEGINS_SECONDS = 1.5
"""A node that runs has begun to send by then; if none has, the messages leave from here."""
NODE_ENDS_SECONDS = 30.0


def add(drill: typer.Typer) -> None:
    """Add the commands of this module."""
    writes(drill, "start")(start)
    writes(drill, "pause")(pause)
    writes(drill, "resume")(resume)
    writes(drill, "speed")(speed)
    writes(drill, "step")(step)
    writes(drill, "end")(end)
    writes(drill, "abort")(abort)
    reads(drill, "status")(status)


# -- time -------------------------------------------------------------------------------------------------


def start(session: Session, speed: Annotated[int, Opt("--speed", metavar="N")] = 1) -> None:
    """STARTEX."""
    from console.cli import report  # noqa: PLC0415
    from models.enrolled import away, unconfirmed  # noqa: PLC0415
    from models.exercise import StartExercise  # noqa: PLC0415

    state = exercise(session)
    waiting = [one for one in unconfirmed(state, session.desk.premises.marks or {}) if not away(state, one)]
    if waiting:
        names = ", ".join(waiting)
        session.say(session.texts("playing.not_confirmed", who=names), "bad", stderr=True)
    if not report.pager_is_running(session):
        session.say(session.texts("playing.no_node"), "bad", stderr=True)
    session.write(STREAM, StartExercise, wall=wall(), speed=speed)


def pause(session: Session, reason: Why = "") -> None:
    """The time of the story stands still."""
    _set(session, what="pause", reason=reason)


def resume(session: Session, reason: Why = "") -> None:
    """It goes on."""
    _set(session, what="resume", reason=reason)


def speed(session: Session, number: Annotated[int, typer.Argument(metavar="N")]) -> None:
    """How many times as fast as the clock on the wall."""
    _set(session, what="speed", speed=number)


def step(
    session: Session,
    by: Annotated[str | None, Opt("--by", metavar="SPAN", show_default=False)] = None,
    to_next: Annotated[bool, Opt("--to-next")] = False,
    reason: Why = "",
) -> None:
    """Forward by a time of play, or to the next inject."""
    if (by is None) == (not to_next):
        session.wrong(session.texts("playing.step_how"))
    span = _to_next(session) if to_next else timedelta(seconds=session.seconds(by, "--by") or 0)
    _set(session, what="step", step=span, reason=reason)


def _set(session: Session, **fields: Any) -> None:
    from models.exercise import SetTiming  # noqa: PLC0415

    exercise(session)
    session.write(STREAM, SetTiming, wall=wall(), **fields)


def _to_next(session: Session) -> timedelta:
    """How much is still to be played until the next inject that has a time; exit 1 if there is none."""
    from models.exercise_script import Script  # noqa: PLC0415

    state = exercise(session)
    script = Script(session.desk.premises.scenario, state)
    upcoming = script.upcoming()
    if upcoming is None:
        session.say(session.texts("playing.nothing_to_come"), "bad", stderr=True)
        raise typer.Exit(REFUSED)
    planned = script.planned(upcoming[0].id) or timedelta(0)
    return max(planned - script.played_of(session.now), timedelta(milliseconds=1))


# -- the end ----------------------------------------------------------------------------------------------


def end(session: Session, reason: Why = "") -> None:
    """ENDEX."""
    from models.exercise import EndExercise  # noqa: PLC0415

    exercise(session)
    session.write(STREAM, EndExercise, wall=wall(), reason=reason)


def abort(
    session: Session,
    reason: Annotated[str, typer.Argument(metavar="REASON", show_default=False)] = "",
) -> None:
    """Something real has happened: everybody is told at once, and it is never resumed.

    Nothing is asked: whoever has to break off has no time for a question.
    """
    from console.cli import output  # noqa: PLC0415
    from models.enrolled import away, confirmed, notified  # noqa: PLC0415
    from models.exercise import AbortExercise  # noqa: PLC0415

    state = exercise(session)
    marks = session.desk.premises.marks
    silent = [one for one in notified(state) if not away(state, one) and not confirmed(state, one, marks)]
    outcome = session.ask(STREAM, AbortExercise, wall=wall(), reason=reason)
    # Over the network a node runs, and whoever asks must not keep its thread waiting for every message.
    here = session.given.visitor is not None
    count, asked = _people(session, outcome) if here else _tell(session, outcome)
    if session.given.json:
        output.json(
            {"accepted": True, "stream": STREAM, "told": count, "to_tell": asked, "without_address": silent}
        )
    else:
        session.say(session.texts("playing.aborted"), "bad")
        session.say(
            session.texts("playing.told", told=count, asked=asked), "good" if count == asked else "bad"
        )
        if count < asked:
            session.say(session.texts("playing.tell_yourself"), "bad")
        if silent:
            session.say(session.texts("playing.no_address", who=", ".join(silent)), "bad")
    if count < asked:
        raise typer.Exit(NOBODY_PAGED)


def _tell(session: Session, outcome: Outcome) -> tuple[int, int]:
    """How many have been told, of how many: by the node if one runs, else from here, at once."""
    from console.cli import report  # noqa: PLC0415

    cause = [fact.seq for fact in outcome.facts if fact.kind == "message.requested"]
    count, waiting, asked = _told(session, cause)
    if not asked:
        return 0, 0
    limit = time.monotonic() + NODE_BEGINS_SECONDS
    while waiting == asked and time.monotonic() < limit and report.pager_is_running(session):
        time.sleep(LOOK_SECONDS)
        count, waiting, asked = _told(session, cause)
    if waiting == asked and session.given.visitor is None:
        report.deliver(session)
    limit = time.monotonic() + NODE_ENDS_SECONDS
    count, waiting, asked = _told(session, cause)
    while waiting and time.monotonic() < limit and report.pager_is_running(session):
        time.sleep(LOOK_SECONDS)
        count, waiting, asked = _told(session, cause)
    return count, asked


def _people(session: Session, outcome: Outcome) -> tuple[int, int]:
    """How many are being told by the node that runs here, twice: none of them is left to somebody else."""
    cause = [fact.seq for fact in outcome.facts if fact.kind == "message.requested"]
    _, _, asked = _told(session, cause)
    return asked, asked


def _told(session: Session, cause: list[int]) -> tuple[int, int, int]:
    """Of the people in these messages: told, still to be told, all. One person may have several rows."""
    from sqlalchemy import select  # noqa: PLC0415

    from models.record import OUTBOX  # noqa: PLC0415

    rows = select(OUTBOX.c.person, OUTBOX.c.state).where(
        OUTBOX.c.stream == STREAM, OUTBOX.c.cause.in_(cause), OUTBOX.c.channel != "script"
    )
    with session.house.record.read() as tx:
        found = tx.connection.execute(rows).all()
    people = {person for person, _ in found}
    told = {person for person, state in found if state == "sent"}
    waiting = {person for person, state in found if state in {"queued", "sending"}} - told
    return len(told), len(waiting), len(people)


# -- where it stands --------------------------------------------------------------------------------------


def status(session: Session) -> None:
    """Where the exercise stands; for its staff with what is still to come."""
    from console.cli import output  # noqa: PLC0415
    from console.views import drill as view  # noqa: PLC0415

    sheet = told(session)
    if session.given.json:
        output.json(view.status_json(sheet))
    else:
        output.show(view.status(sheet))
