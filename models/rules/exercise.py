"""The course of an exercise: prepared, started, its time set, ended or aborted, signed off."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from models.clock import iso, utc
from models.enrolled import notified
from models.errors import Refused
from models.exercise import (
    CONTROL_DESK,
    FASTEST,
    SLOWEST,
    AbortExercise,
    EndExercise,
    Exercise,
    PrepareDrill,
    SetTiming,
    SignOff,
    StartExercise,
    Timing,
)
from models.exercise_script import Script, milliseconds
from models.fact import Draft
from models.reason import Reason
from models.rules.common import Decided, text, word
from models.rules.exercise_common import (
    ANYBODY,
    CONTROL,
    must_be,
    must_may,
    notice,
    to_people,
    wrong,
)
from models.rules.exercise_lines import line_of
from models.world import World

MAX_STEP = timedelta(hours=10)
T = TypeVar("T", bool, int)
FOREVER = 2**53 - 1
"""The largest seed: what a fact can hold as a number."""


def prepare(state: Exercise, command: PrepareDrill, world: World) -> Decided:
    """The first fact: what is played, with its whole script of times, so that no file can move them later."""
    must_may(state, command, world, ANYBODY)
    if not world.drill:
        raise Refused(Reason.NOT_A_DRILL, {})
    if state.seq:
        raise Refused(Reason.ALREADY, {"what": state.drill})
    scenario = world.scenario
    if scenario is None or (scenario.scenario, scenario.version) != (command.scenario, command.version):
        known = [f"{scenario.scenario} {scenario.version}"] if scenario is not None else []
        asked = f"{command.scenario} {command.version}"
        raise Refused(Reason.NO_SUCH_SCENARIO, {"scenario": asked, "known": known})
    if not 0 <= command.seed <= FOREVER:
        raise wrong("seed", f"0 to {FOREVER}", command.seed)
    data = {
        "drill": word(command.drill, "drill", 64),
        "scenario": scenario.scenario,
        "version": scenario.version,
        "digest": word(command.digest, "digest", 100),
        "startex": iso(command.startex),
        "seed": command.seed,
        "lines": [line_of(one) for one in scenario.injects],
        "leaps": [[milliseconds(one.at), milliseconds(one.by)] for one in scenario.leaps],
        "duration_ms": milliseconds(scenario.duration),
        "endings": [one.when for one in scenario.endings],
    }
    return [Draft(kind="exercise.prepared", data=data)]


def start(state: Exercise, command: StartExercise, world: World) -> Decided:
    """STARTEX: the time of play begins to run, and everybody is told the state of things."""
    must_may(state, command, world, CONTROL)
    must_be(state, "prepared")
    data = _timing(0, command.wall, _speed(command.speed), running=True)
    people = to_people(state, notified(state), world)
    control = [one for one, role in state.staff.items() if role in CONTROL]
    return [
        Draft(kind="exercise.started", data=data, at=state.startex),
        notice("notice.exercise_started", "exercise:started", people),
        # One message that is kept true: from it control leads the drill where a channel has buttons.
        notice("notice.exercise_control", CONTROL_DESK, to_people(state, control, world)),
    ]


def set_timing(state: Exercise, command: SetTiming, world: World) -> Decided:
    """Pause, resume, speed or step. What has been played stays played: the time of play never goes back."""
    must_may(state, command, world, CONTROL)
    must_be(state, "running")
    assert state.timing is not None  # noqa: S101 - what runs has been started
    timing = state.timing
    played, speed, running = _played(state, world), timing.speed, timing.running
    if command.what == "step":
        played += _step(command.step)
    elif command.what == "speed":
        speed = _changed(timing.speed, _speed(command.speed or 0), "speed")
    else:
        running = _changed(timing.running, command.what == "resume", command.what)
    wall = max(utc(command.wall), timing.wall)
    data = _timing(milliseconds(played), wall, speed, running=running) | {"what": command.what}
    texts = {"reason": text(command.reason, "reason")} if command.reason.strip() else {}
    return [Draft(kind="timing.set", data=data, texts=texts)]


def _timing(played_ms: int, wall: datetime, speed: int, *, running: bool) -> dict[str, Any]:
    return {"played_ms": played_ms, "wall": iso(wall), "speed": speed, "running": running}


def _speed(speed: int) -> int:
    if not SLOWEST <= speed <= FASTEST:
        raise wrong("speed", f"{SLOWEST} to {FASTEST}", speed)
    return speed


def _step(step: timedelta | None) -> timedelta:
    if step is None or not timedelta(0) < step <= MAX_STEP:
        raise wrong("step", "a time of play up to 10h, never back", step)
    return step


def _changed(old: T, new: T, what: str) -> T:
    if old == new:
        raise Refused(Reason.ALREADY, {"what": what})
    return new


# -- the end ------------------------------------------------------------------------------------------------


def end(state: Exercise, command: EndExercise, world: World) -> Decided:
    """ENDEX: nothing more comes in, and everybody is told."""
    must_may(state, command, world, CONTROL)
    must_be(state, "running")
    people = to_people(state, notified(state), world)
    return [
        _over("exercise.ended", state, command, world),
        notice("notice.exercise_ended", "exercise:ended", people),
    ]


def abort(state: Exercise, command: AbortExercise, world: World) -> Decided:
    """Something real has happened. Anybody may, nobody is asked twice, and whoever is away hears it too."""
    must_may(state, command, world, ANYBODY)
    must_be(state, "prepared", "running", "ended")
    if state.signed_off_by is not None:
        raise Refused(Reason.ALREADY, {"what": state.signed_off_by})
    people = to_people(state, notified(state), world, even_away=True)
    return [
        _over("exercise.aborted", state, command, world),
        notice("notice.exercise_aborted", "exercise:aborted", people),
    ]


def _played(state: Exercise, world: World) -> timedelta:
    """What has been played, by the hour of the story: the machine's time knows nothing of what held it up."""
    timing = state.timing
    if timing is None:
        return timedelta(0)
    return max(Script(world.scenario, state).played_of(world.now), timedelta(milliseconds=timing.played_ms))


def _over(kind: str, state: Exercise, command: EndExercise | AbortExercise, world: World) -> Draft:
    timing = state.timing or Timing(wall=utc(command.wall))
    played = milliseconds(_played(state, world))
    data = _timing(played, max(utc(command.wall), timing.wall), timing.speed, running=False)
    texts = {"reason": text(command.reason, "reason")} if command.reason.strip() else {}
    return Draft(kind=kind, data=data, texts=texts)


def sign_off(state: Exercise, command: SignOff, world: World) -> Decided:
    """Management has seen the report and takes note of it: in person (FSA-2.2.5-B2).

    Management is who it is outside of the exercise: whoever plays the CISO is not the CISO.
    """
    if command.for_ is not None:
        # The staff writes for others; that somebody knows the results, nobody knows for them.
        raise Refused(Reason.IN_PERSON, {"who": command.for_, "step": state.drill or "-"})
    outside = replace(world, exercise=lambda: None)
    must_may(state, command, outside, ANYBODY, row="drill-sign-off")
    must_be(state, "ended")
    if state.signed_off_by is not None:
        raise Refused(Reason.ALREADY, {"what": state.signed_off_by})
    texts = {"text": text(command.text, "text")} if command.text.strip() else {}
    wall = {"wall": iso(command.wall)} if command.wall is not None else {}
    return [Draft(kind="exercise.signed_off", data={"by": command.who} | wall, texts=texts)]
