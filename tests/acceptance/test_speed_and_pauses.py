"""The speed of an exercise, its pauses and a slow machine change nothing of what is written."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.clock import ExerciseClock
from models.exercise import Timing
from models.exercise_clock import Play as PlayClock
from models.exercise_clock import Story, prepared
from models.fact import Fact
from tests.playing import Play, scenario_of, startex_of

NAME = "settlement-loss-month-end"
BOOT = "this run"
WALL = datetime(2026, 11, 20, 5, tzinfo=UTC)
MAX_WAITS = 20_000


class Wound(ExerciseClock):
    """The exercise's clock as its node moves it, on a machine whose time we make ourselves."""

    def __init__(self) -> None:
        self.ticks = 0
        self.play: PlayClock | None = None

    def begin(self, story: Story, speed: int) -> None:
        self.play = PlayClock(story, prepared(self.ticks, BOOT), lambda: self.ticks, BOOT)
        self.play.not_before(story.startex)
        self.play.follow(Timing(wall=WALL, speed=speed, running=True))

    def now(self) -> datetime:
        assert self.play is not None
        return self.play.now()


class Timed(Play):
    """A drill whose time passes as on a machine: in jumps, with pauses, and with work that takes a while."""

    def __init__(self, speed: int, chance: int, *, pauses: bool) -> None:
        self.speed, self.chance, self.pauses = speed, random.Random(chance), pauses  # noqa: S311
        self.waits = 0
        clock = Wound()
        clock.begin(Story.of(scenario_of(NAME), startex_of(NAME)), speed)
        super().__init__(NAME, clock=clock)

    def wind(self, at: datetime) -> None:
        """The machine's time goes on, by a quarter of a second or so, until the story has come so far."""
        assert isinstance(self.clock, Wound)
        play = self.clock.play
        assert play is not None
        play.until(at)
        while play.now() < at:
            self.waits += 1
            assert self.waits < MAX_WAITS
            if self.pauses and self.chance.random() < 0.02:
                self._pause(play)
            left = play.waits_seconds() or 0.0
            self.clock.ticks += 1 + round(1e6 * max(left, 0.25) * (0.5 + self.chance.random()))
        # What follows takes its time on the machine, too.
        self.clock.ticks += self.chance.randrange(400_000)

    def _pause(self, play: PlayClock) -> None:
        assert isinstance(self.clock, Wound)
        played = play.played() // timedelta(milliseconds=1)
        speed = self.chance.choice((1, 60, 600))
        play.follow(Timing(wall=WALL, played_ms=0, speed=speed, running=False))
        self.clock.ticks += self.chance.randrange(3_600_000_000)
        play.follow(Timing(wall=WALL, played_ms=0, speed=speed, running=True))
        assert play.played() // timedelta(milliseconds=1) == played, "a pause is not played"


def facts_at(speed: int, chance: int, *, pauses: bool = False) -> list[tuple[Any, ...]]:
    play = Timed(speed, chance, pauses=pauses)
    try:
        play.whole()
        assert play.refused == []
        return [_plain(one) for one in play.facts()]
    finally:
        play.close()


def _plain(fact: Fact) -> tuple[Any, ...]:
    return (
        fact.stream,
        fact.seq,
        fact.at,
        fact.recorded_at,
        fact.kind,
        fact.actor,
        fact.via,
        _salted(fact.data),
    )


def _salted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _salted(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_salted(one) for one in value]
    return "t:" if isinstance(value, str) and value.startswith("t:") else value


@pytest.fixture(scope="module")
def at_once() -> list[tuple[Any, ...]]:
    """The facts when nothing takes any time."""
    play = Play(NAME)
    try:
        return [_plain(one) for one in play.whole().facts()]
    finally:
        play.close()


@pytest.mark.parametrize(("speed", "chance"), [(1, 1), (600, 2)])
def test_six_hundred_times_the_speed_gives_the_facts_of_one_time(
    at_once: list[tuple[Any, ...]], speed: int, chance: int
) -> None:
    for one, other in zip(at_once, found := facts_at(speed, chance), strict=False):
        assert one == other
    assert len(found) == len(at_once) > 400


def test_random_pauses_and_changes_of_speed_change_no_fact(at_once: list[tuple[Any, ...]]) -> None:
    assert facts_at(60, 3, pauses=True) == at_once


def test_within_a_leap_everything_happens_at_its_own_hour() -> None:
    leap, long = timedelta(minutes=10), timedelta(hours=5)
    story = Story(startex=WALL, leaps=((leap, long),))
    within, end = WALL + leap + timedelta(hours=2), WALL + leap + long
    assert story.walked(leap, within, None) == within
    assert story.walked(leap, within, within + leap) == within + leap, "it does not go back"
    assert story.walked(leap, None, within) == end
    assert story.walked(leap, end + leap, within) == end


def test_a_leap_that_is_over_is_not_walked_again_for_something_that_was_due_in_it() -> None:
    ticks = 0
    story = Story(startex=WALL, leaps=((timedelta(minutes=10), timedelta(hours=5)),))
    play = PlayClock(story, prepared(ticks, BOOT), lambda: ticks, BOOT)
    play.not_before(WALL)
    play.follow(Timing(wall=WALL, speed=600, running=True))
    ticks = 1_000_000
    over = WALL + timedelta(hours=5, minutes=10)
    assert play.now() == over
    play.until(WALL + timedelta(hours=2))
    assert play.now() == over
