"""The time of play under pauses, speeds, steps and restarts: the script comes in as if there were none."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.advance import advance
from models.commands import Actor, Command
from models.decide import decide, due, next_due
from models.exercise import EXERCISE, Exercise, FireInject, SetTiming, StartExercise
from models.exercise_script import Script
from models.fact import Draft, Fact
from models.fold import empty, fold
from models.scenario import Scenario
from models.world import World
from tests.models.exercises import LEAD, MINUTE, STARTEX, WALL, Played, inject, prepared, scenario, started

SECOND = timedelta(seconds=1)
ACTOR = Actor(person=LEAD, name=LEAD)
Came = list[tuple[str, str, datetime, int]]


def script_of(count: int) -> Scenario:
    """So many injects over nine hours: most at a time, some after others, some upon conditions."""
    chance = random.Random(count)  # noqa: S311 - a script is no secret
    made: list[dict[str, Any]] = []
    for number in range(count):
        name, kind = f"i{number}", chance.randrange(10)
        before = f"i{chance.randrange(number)}" if number else ""
        if kind < 6 or not before:
            made.append(inject(name, at=f"{chance.randrange(540)}m"))
        elif kind < 8:
            made.append(inject(name, after=before, later=f"{chance.randrange(1, 60)}s"))
        elif kind == 8:
            made.append(inject(name, at=f"{chance.randrange(540)}m", when=f'delivered("{before}")'))
        else:
            made.append(inject(name, when=f'delivered("{before}")'))
    leaps = [{"at": "2h", "by": "9h", "text": "-"}, {"at": "5h", "by": "2d", "text": "-"}]
    return scenario(*made, duration="10h", leaps=leaps)


class Rules:
    """The rules alone on a record in memory, as the desk applies them."""

    def __init__(self, base: Played) -> None:
        self.world: World = base.desk.world(base.state)
        self.facts = base.facts()
        self.state = base.state
        self.wall = WALL
        self.fold_again()

    def fold_again(self) -> None:
        """As after a restart: from the facts alone."""
        found = fold(empty(EXERCISE), self.facts)
        assert isinstance(found, Exercise)
        self.state = found

    def now(self) -> World:
        at = Script(None, self.state).now(self.wall)
        assert at is not None
        return replace(self.world, now=at)

    def write(self, drafts: list[Draft], world: World) -> None:
        for draft in drafts:
            fact = Fact(
                stream=EXERCISE, seq=self.state.seq + 1, at=draft.at or world.now, recorded_at=world.now,
                actor=LEAD, kind=draft.kind, data=draft.data,
            )  # fmt: skip
            fold(self.state, [fact])
            self.facts.append(fact)

    def do(self, kind: Callable[..., Command], **fields: Any) -> None:
        world = self.now()
        self.write(
            [one for one in decide(self.state, kind(actor=ACTOR, **fields), world) if isinstance(one, Draft)],
            world,
        )
        self.write(advance(self.state, world), world)

    def tick(self, at: datetime | None = None) -> None:
        world = self.now() if at is None else replace(self.world, now=at)
        while drafts := due(self.state, world):
            self.write(drafts, world)
            self.write(advance(self.state, world), world)

    def came(self) -> Came:
        kinds = {"inject.delivered", "inject.skipped"}
        return [
            (one.data["inject"], one.data["how"], one.at, one.data["played_ms"])
            for one in self.facts
            if one.kind in kinds
        ]


@cache
def few() -> Played:
    """Made by whoever asks first: each process that runs tests reads this file."""
    return prepared(script_of(60))


@cache
def expected_of_few() -> Came:
    """What comes of it when nobody touches it."""
    return undisturbed(few())


def undisturbed(base: Played, every: timedelta = MINUTE) -> Came:
    """The run that nobody touches, at the ordinary speed, looked at each minute."""
    made = Rules(base)
    made.do(StartExercise, wall=made.wall)
    for _ in range(int(timedelta(hours=10) / every) + 2):
        made.tick()
        made.wall += every
    return made.came()


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["pause", "resume", "speed", "step", "restart", "nothing"]),
        st.integers(1, 600),
        st.integers(0, 3_600),
    ),
    max_size=40,
)


def disturb(made: Rules, what: str, number: int, gap: int) -> None:
    made.wall += gap * SECOND / max(made.state.timing.speed, 1) if made.state.timing else SECOND
    timing = made.state.timing
    assert timing is not None
    allowed = {
        "pause": timing.running,
        "resume": not timing.running,
        "speed": number != timing.speed,
        "step": True,
    }
    if what == "restart":
        made.fold_again()
    elif allowed.get(what, False):
        fields: dict[str, Any] = {"speed": number} if what == "speed" else {}
        fields |= {"step": number * SECOND} if what == "step" else {}
        made.do(SetTiming, wall=made.wall, what=what, **fields)
    made.tick()


def play_out(made: Rules) -> None:
    timing = made.state.timing
    assert timing is not None
    if not timing.running:
        made.do(SetTiming, wall=made.wall, what="resume")
    made.wall += timedelta(hours=11)
    made.tick()


@given(acts=ACTS, speed=st.integers(1, 600))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_pauses_speeds_steps_and_restarts_change_no_inject_no_order_and_no_time(
    acts: list[tuple[str, int, int]], speed: int
) -> None:
    made = Rules(few())
    made.do(StartExercise, wall=made.wall, speed=speed)
    for what, number, gap in acts:
        disturb(made, what, number, gap)
        assert made.came() == expected_of_few()[: len(made.came())]
    play_out(made)
    assert made.came() == expected_of_few()


def test_500_injects_with_20_pauses_at_speeds_from_1_to_600_come_as_without_pauses() -> None:
    many = prepared(script_of(500))
    expected = undisturbed(many, 10 * MINUTE)
    assert len(expected) > 450
    for seed in range(3):
        chance = random.Random(seed)  # noqa: S311
        made = Rules(many)
        made.do(StartExercise, wall=made.wall, speed=600)
        for _ in range(20):
            made.do(SetTiming, wall=made.wall, what="pause")
            made.wall += chance.randrange(1, 10_000) * SECOND
            made.tick()
            made.do(SetTiming, wall=made.wall, what="resume")
            speed = chance.choice([one for one in (1, 2, 10, 60, 599, 600) if one != made.state.timing.speed])  # type: ignore[union-attr]
            made.do(SetTiming, wall=made.wall, what="speed", speed=speed)
            made.wall += 27 * MINUTE / speed
            made.tick()
        play_out(made)
        assert made.came() == expected


def test_600_times_the_speed_gives_the_facts_of_the_ordinary_speed() -> None:
    def told(speed: int) -> list[tuple[str, datetime, Any]]:
        made = Rules(few())
        made.do(StartExercise, wall=made.wall, speed=speed)
        for _ in range(700):
            made.tick()
            made.wall += MINUTE / speed
        # Speed and wall are what differs.
        return [(one.kind, one.at, one.data) for one in made.facts if one.data.get("wall") is None]

    assert told(600) == told(1)


def test_a_watch_that_looks_only_when_something_is_due_sees_all_of_it_and_comes_to_rest() -> None:
    made = Rules(few())
    made.do(StartExercise, wall=made.wall)
    looks: list[datetime] = []
    while (at := next_due(made.state)) is not None:
        assert len(looks) < 200, "the watch spins"
        looks.append(at)
        made.tick(at)
    assert all(one < other for one, other in pairwise(looks))
    assert made.came() == expected_of_few()


def test_nothing_is_due_before_startex_nor_after_the_end() -> None:
    assert next_due(few().state) is None
    assert due(few().state, replace(few().desk.world(few().state), now=STARTEX + timedelta(days=9))) == []


def test_what_was_played_never_goes_back_by_a_pause() -> None:
    made = Rules(few())
    made.do(StartExercise, wall=made.wall, speed=7)
    before = STARTEX
    for micros in (1, 333, 77_777, 123_456):
        made.wall += timedelta(microseconds=micros)
        reached = made.now().now
        made.do(SetTiming, wall=made.wall, what="pause")
        assert made.now().now >= reached >= before
        made.do(SetTiming, wall=made.wall, what="resume")
        before = made.now().now


@pytest.mark.parametrize(
    ("sentence", "given", "due_minutes"),
    [
        ("what follows an inject that came as planned counts from its planned time", None, 25),
        ("what follows an inject that control gave early counts from then", "fire", 17),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_follows_another(sentence: str, given: str | None, due_minutes: int) -> None:
    del sentence
    made = started(scenario(inject("first", at="20m"), inject("then", after="first", later="5m")))
    made.pass_(12 * MINUTE)
    if given == "fire":
        made.do(FireInject, inject="first")
    made.pass_(timedelta(hours=1))
    assert made.came()[-1] == ("then", "planned", due_minutes * MINUTE)
