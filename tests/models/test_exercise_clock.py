"""The exercise clock: only forward, whatever is done to it, and alike for its node and for its readers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.exercise import Timing
from models.exercise_clock import GRANT_US, LEAD, MICROSECOND, Mark, Play, Story, StoryClock, prepared

START = datetime(2026, 11, 25, 0, 40, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STORY = Story(startex=START, leaps=((45 * MINUTE, 120 * MINUTE), (60 * MINUTE, 30 * MINUTE)))
SECOND_US = 1_000_000


class Machine:
    """A machine whose monotonic time the test moves."""

    def __init__(self) -> None:
        self.us = 10_000_000
        self.boot = "first"

    def __call__(self) -> int:
        return self.us

    def pass_(self, seconds: float) -> None:
        self.us += int(seconds * SECOND_US)


def started(machine: Machine, speed: int = 1, *, running: bool = True) -> Play:
    play = Play(STORY, prepared(machine(), machine.boot), machine, machine.boot)
    play.follow(Timing(wall=START, speed=speed, running=running))
    return play


@pytest.mark.parametrize(
    ("played", "hour"),
    [
        (timedelta(0), START),
        (44 * MINUTE, START + 44 * MINUTE),
        (45 * MINUTE, START + 165 * MINUTE),
        (59 * MINUTE, START + 179 * MINUTE),
        (60 * MINUTE, START + 210 * MINUTE),
        (-5 * MINUTE, START - 5 * MINUTE),
    ],
)
def test_the_story_is_what_was_played_and_the_leaps_until_then(played: timedelta, hour: datetime) -> None:
    assert STORY.at(played) == hour
    assert STORY.played(hour) == played


def test_what_lies_within_a_leap_is_reached_at_the_leap() -> None:
    assert STORY.played(START + 46 * MINUTE) == 45 * MINUTE
    assert STORY.played(START + 165 * MINUTE) == 45 * MINUTE
    assert STORY.played(START + 500 * MINUTE) == 350 * MINUTE


@given(st.integers(min_value=-10_000, max_value=100_000))
def test_the_hour_of_what_was_played_is_never_before_what_was_asked_for(seconds: int) -> None:
    asked = START + timedelta(seconds=seconds)
    assert STORY.at(STORY.played(asked)) >= asked
    assert STORY.at(STORY.played(asked) - MICROSECOND) < asked


def test_before_startex_it_goes_as_fast_as_the_machine_and_stands_at_startex() -> None:
    machine = Machine()
    play = Play(STORY, prepared(machine(), machine.boot), machine, machine.boot)
    assert play.now() == START - LEAD
    play.prepare()
    machine.pass_(3_600)
    assert play.now() == START - LEAD + timedelta(hours=1)
    machine.pass_(3_600 * 24 * 8)
    assert play.now() == START


def test_at_startex_it_begins_with_the_hour_of_the_story() -> None:
    machine = Machine()
    play = started(machine)
    assert play.now() == START
    machine.pass_(90)
    assert play.now() == START + timedelta(seconds=90)


@pytest.mark.parametrize("speed", [1, 60, 600])
def test_it_goes_so_many_times_as_fast(speed: int) -> None:
    machine = Machine()
    play = started(machine, speed)
    machine.pass_(3)
    assert play.played() == timedelta(seconds=3 * speed)


def test_a_speed_out_of_bounds_is_taken_as_the_nearest_that_is_allowed() -> None:
    assert started(Machine(), 5_000).speed == 600
    assert started(Machine(), 0).speed == 1


def test_paused_it_stands_and_resumed_it_goes_on_from_there() -> None:
    machine = Machine()
    play = started(machine)
    machine.pass_(60)
    play.follow(Timing(wall=START, played_ms=60_000, running=False))
    machine.pass_(1_000)
    assert play.played() == MINUTE
    play.follow(Timing(wall=START, played_ms=60_000, running=True))
    machine.pass_(30)
    assert play.played() == timedelta(seconds=90)


def test_it_does_not_pass_what_is_due_until_that_is_done() -> None:
    machine = Machine()
    play = started(machine, 600)
    play.until(START + MINUTE)
    machine.pass_(30)
    assert play.now() == START + MINUTE
    play.until(START + 2 * MINUTE)
    machine.pass_(0.05)
    assert play.now() == START + MINUTE + timedelta(seconds=30)
    play.until(None)
    machine.pass_(1)
    assert play.played() == MINUTE + timedelta(seconds=630)


def test_what_is_due_in_the_past_lets_it_stand_and_never_go_back() -> None:
    machine = Machine()
    play = started(machine)
    machine.pass_(100)
    play.until(START + MINUTE)
    machine.pass_(100)
    assert play.played() == timedelta(seconds=100)


def test_held_it_stands_though_nobody_paused_it() -> None:
    machine = Machine()
    play = started(machine, 60)
    play.hold("outbox")
    machine.pass_(10)
    assert play.played() == timedelta(0)
    assert not play.mark().goes
    play.hold("")
    machine.pass_(1)
    assert play.played() == MINUTE


def test_a_step_is_caught_up_with_from_one_due_thing_to_the_next() -> None:
    machine = Machine()
    play = started(machine, running=False)
    play.until(START + 3 * MINUTE)
    play.follow(Timing(wall=START, played_ms=10 * 60_000, running=False))
    assert (play.played(), play.catching_up) == (3 * MINUTE, True)
    assert play.waits_seconds() == 0.0
    play.until(START + 20 * MINUTE)
    assert (play.played(), play.catching_up) == (10 * MINUTE, False)
    machine.pass_(100)
    assert play.played() == 10 * MINUTE
    assert play.waits_seconds() is None


def test_it_says_how_long_until_what_is_due() -> None:
    machine = Machine()
    play = started(machine, 60)
    assert play.waits_seconds() is None
    play.until(START + 2 * MINUTE)
    assert play.waits_seconds() == pytest.approx(2.0)
    machine.pass_(5)
    assert play.waits_seconds() == 0.0


def test_at_the_end_it_stands_for_good() -> None:
    machine = Machine()
    play = started(machine, running=False)
    play.until(START + MINUTE)
    play.follow(Timing(wall=START, played_ms=5 * 60_000, running=True))
    play.end()
    play.until(None)
    machine.pass_(500)
    assert play.played() == MINUTE


def test_what_is_on_record_is_a_floor_for_the_node_and_for_readers() -> None:
    machine = Machine()
    play = started(machine)
    play.not_before(START + 7 * MINUTE)
    assert play.now() == START + 7 * MINUTE
    play.not_before(START + 3 * MINUTE)
    assert play.now() == START + 7 * MINUTE
    clock = StoryClock(STORY, started(machine).mark, machine, machine.boot)
    clock.not_before(START + 9 * MINUTE)
    assert clock.now() == START + 9 * MINUTE


def test_without_a_node_it_stands_after_what_the_last_mark_grants() -> None:
    machine = Machine()
    mark = started(machine, 60).mark()
    clock = StoryClock(STORY, lambda: mark, machine, machine.boot)
    machine.pass_(3_600)
    assert clock.played() == GRANT_US * 60 * MICROSECOND
    assert clock.mark() == mark


def test_another_run_of_the_machine_takes_nothing_from_an_old_mark() -> None:
    machine = Machine()
    mark = started(machine, 600).mark()
    machine.pass_(3_600)
    assert StoryClock(STORY, lambda: mark, machine, "second").now() == START


def test_a_node_that_starts_again_goes_on_from_where_readers_saw_it() -> None:
    machine = Machine()
    play = started(machine, 60)
    machine.pass_(1)
    mark = play.mark()
    clock = StoryClock(STORY, lambda: mark, machine, machine.boot)
    machine.pass_(30)
    seen = clock.now()
    again = Play(STORY, mark, machine, machine.boot)
    again.follow(Timing(wall=START, speed=60, running=True))
    assert again.now() == seen
    machine.pass_(1)
    assert again.now() == seen + MINUTE


def test_a_clock_that_was_shown_a_time_never_shows_an_earlier_one() -> None:
    machine = Machine()
    marks = [Mark(played_us=90 * SECOND_US, ticks=0), Mark(played_us=10 * SECOND_US, ticks=0)]
    clock = StoryClock(STORY, lambda: marks.pop(0), machine, machine.boot)
    assert clock.now() == START + timedelta(seconds=90)
    assert clock.now() == START + timedelta(seconds=90)


ACTS = st.one_of(
    st.tuples(st.just("pass"), st.floats(min_value=0, max_value=400)),
    st.tuples(st.just("back"), st.floats(min_value=0, max_value=400)),
    st.tuples(st.just("speed"), st.integers(min_value=1, max_value=600)),
    st.tuples(st.just("pause"), st.none()),
    st.tuples(st.just("resume"), st.none()),
    st.tuples(st.just("step"), st.integers(min_value=1, max_value=1_800)),
    st.tuples(st.just("hold"), st.booleans()),
    st.tuples(st.just("due"), st.one_of(st.none(), st.integers(min_value=0, max_value=20_000))),
    st.tuples(st.just("killed"), st.booleans()),
    st.tuples(st.just("reboot"), st.none()),
)


class Course:
    """A node and a reader through whatever happens to them."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.play = started(self.machine)
        self.mark = self.play.mark()
        self.timing = Timing(wall=START, running=True)

    def do(self, what: str, value: Any) -> None:
        if what in ("pass", "back"):
            # The wall's clock may be set back; monotonic time goes on all the same.
            self.machine.pass_(value)
        elif what == "hold":
            self.play.hold("outbox" if value else "")
        elif what == "due":
            self.play.until(None if value is None else START + timedelta(seconds=value))
        elif what in ("killed", "reboot"):
            self._again(told=what == "killed" and value, boot=what == "reboot")
        else:
            self._set(what, value)
        self.mark = self.play.mark()

    def _again(self, *, told: bool, boot: bool) -> None:
        if told:
            self.mark = self.play.mark()
        if boot:
            self.machine.us, self.machine.boot = 5_000_000, self.machine.boot + "+"
        self.play = Play(STORY, self.mark, self.machine, self.machine.boot)
        self.play.follow(self.timing)

    def _set(self, what: str, value: Any) -> None:
        played = -(-self.play.played() // timedelta(milliseconds=1))
        running = {"pause": False, "resume": True}.get(what, self.timing.running)
        speed = value if what == "speed" else self.timing.speed
        played += value * 1_000 if what == "step" else 0
        self.timing = Timing(wall=START, played_ms=played, speed=speed, running=running)
        self.play.follow(self.timing)

    def seen(self) -> datetime:
        """What somebody sees who has just come and reads the file."""
        return StoryClock(STORY, lambda: self.mark, self.machine, self.machine.boot).now()


@settings(max_examples=300, deadline=None)
@given(st.lists(ACTS, max_size=40))
def test_it_never_goes_back_under_pauses_speeds_steps_holds_restarts_and_set_clocks(
    acts: list[tuple[str, Any]],
) -> None:
    course = Course()
    before, reader = course.play.now(), course.seen()
    for what, value in acts:
        course.do(what, value)
        now, seen = course.play.now(), course.seen()
        assert now >= before or what == "reboot", what
        assert seen >= reader or what == "reboot", what
        assert seen <= now
        before, reader = now, seen


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([1, 7, 60, 600]), st.integers(1, 900)), min_size=1, max_size=20))
def test_no_due_thing_is_passed_whatever_the_speeds(turns: list[tuple[int, int]]) -> None:
    machine = Machine()
    play = started(machine, 1)
    dues = [START + timedelta(seconds=gap * number) for number, (_, gap) in enumerate(turns, start=1)]
    for (speed, _), due in zip(turns, dues, strict=True):
        play.follow(Timing(wall=START, speed=speed, running=True))
        before = play.now()
        play.until(due)
        machine.pass_(20_000)
        assert play.now() == max(due, before), "a leap is walked too"
