"""What somebody sees who runs a drill: that it is up, behind which guard, where to look and what to type."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING

from console.cli.session import REFUSED, Session
from console.drill import guard, running
from console.leash import stopping
from models.clock import SystemClock
from models.errors import HikeshiError
from models.exercise import EXERCISE, Exercise, StartExercise

if TYPE_CHECKING:
    from console.opening import House


def run(session: Session, directory: Path, port: int | None, speed: int, *, start: bool) -> int:
    """Run the drill's processes until they end or we are asked to. Raises HikeshiError if none come."""
    here = Session(replace(session.given, directory=str(directory)), session.surface)
    here.known_actor()
    house = here.house
    before = running.epoch_of(house)
    process = running.launch(directory, port, here.texts.lang, os.environ)
    ending = running.Ending(process)
    for number in stopping():
        signal.signal(number, ending.leave)
    try:
        running.wait_until_ready(house, process, before)
    except HikeshiError:
        if not ending.asked:
            raise
        return REFUSED if ending.wait() else 0
    _say_where(here, house, directory)
    if start and _exercise(house).status == "prepared":
        _startex(here, house, speed, process)
    _say_next(here, house, directory, speed)
    house.record.close()
    code = ending.wait()
    return REFUSED if code else 0


def _startex(session: Session, house: House, speed: int, process: Popen[bytes]) -> None:
    """STARTEX now; a refusal is told, and ends it all."""
    from console.cli import report  # noqa: PLC0415

    command = StartExercise(actor=session.actor, wall=SystemClock().now(), speed=speed)
    outcome = house.desk.handle(EXERCISE, command)
    if outcome.refused is not None:
        running.end(process)
        report.refused(session, EXERCISE, outcome.refused, outcome.detail)


def _exercise(house: House) -> Exercise:
    state = house.desk.state(EXERCISE)
    return state if isinstance(state, Exercise) else Exercise(stream=EXERCISE)


def _say_where(session: Session, house: House, directory: Path) -> None:
    say, version = session.texts, guard.landlock_version()
    assert house.drill is not None  # noqa: S101 - it was opened as a drill
    session.say(say("drillnode.running", drill=house.drill.drill, directory=directory), "good")
    if version:
        session.say(say("drillnode.guard_landlock", version=version), "good")
    else:
        session.say(say("drillnode.guard_audit"), "warn")


def _say_next(session: Session, house: House, directory: Path, speed: int) -> None:
    status = _exercise(house).status
    key = {"prepared": "next_start", "running": "next_playing"}.get(status, "next_over")
    session.say(session.texts(f"drillnode.{key}", directory=directory, speed=speed))
    session.say(session.texts("drillnode.stop"))
