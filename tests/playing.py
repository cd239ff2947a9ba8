"""A whole drill on the real desk and the real outbox, without Prefect and without waiting.

The story's clock is wound from one thing that happens to the next: what is due, what an understudy does, when
a machine step is over (after the time that the scenario gives it). Messages of everybody are taken by one
channel in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from console.drill.understudies.driver import Understudies
from models.clock import ExerciseClock
from models.commands import Actor, ClaimStep, Command, FinishStep
from models.desk import Desk
from models.exercise import (
    EXERCISE,
    ConfirmAddress,
    EndExercise,
    Enrol,
    Exercise,
    PrepareDrill,
    StartExercise,
)
from models.exercise_conditions import holds, names_of
from models.fact import Fact
from models.organisation import Organisation
from models.premises import Outcome, Premises
from models.record import OUTBOX
from models.scenario import Scenario
from models.state import Incident
from notifiers.outbox import Outbox
from playbooks.institution import Institution, load
from tests.records import fresh
from tests.scripts import Got, Postbox, here

BANK = Path(__file__).parents[1] / "examples" / "mihon-bank"
DAY = datetime(2026, 11, 25, tzinfo=ZoneInfo("Asia/Tokyo"))
WALL = datetime(2026, 11, 20, 5, tzinfo=UTC)
FACILITATOR = "okada-shinji"
MACHINE_TAKES = timedelta(minutes=2)
MAX_TURNS = 5_000


class Stage:
    """A desk, its outbox and a clock that is wound by hand."""

    def __init__(self, at: datetime, clock: ExerciseClock | None = None, **shape: Any) -> None:
        self.clock = clock or ExerciseClock(at)
        self.desk = Desk(fresh(), Premises(**shape), self.clock)
        self.postboxes = {name: Postbox(name, self.clock) for name in shape["channels"]}
        self.outbox = Outbox(self.desk, dict(self.postboxes), here)
        self.log: list[tuple[datetime, str | None, Command]] = []
        self._runner = asyncio.Runner()

    def close(self) -> None:
        """Let go of the record."""
        self._runner.close()
        self.desk.record.close()

    @property
    def got(self) -> list[Got]:
        """Every message that anybody got."""
        return [one for box in self.postboxes.values() for one in box.got]

    def facts(self) -> list[Fact]:
        """All facts of all streams."""
        with self.desk.record.read() as tx:
            streams = [EXERCISE, *tx.incidents(), "house", "intake", "programme"]
            return [fact for stream in streams for fact in tx.facts(stream)]

    def act(self, command: Command, stream: str | None = EXERCISE) -> Outcome:
        """Have it done. Fails if it is refused."""
        outcome = self.desk.handle(stream, command)
        assert outcome.accepted, f"{command} was refused: {outcome.refused} {dict(outcome.detail)}"
        self.log.append((self.clock.now(), stream, command))
        self.settle()
        return outcome

    def settle(self) -> None:
        """Whatever is due by now is written, and its messages are delivered."""
        for _ in range(MAX_TURNS):
            self._runner.run(self.outbox.drain())
            with self.desk.record.read() as tx:
                due = tx.due_streams(self.clock.now(), 1_000)
            if not due:
                return
            for stream in due:
                self.desk.tick(stream)
        raise AssertionError(f"a timer does not rest at {self.clock.now()}")

    def next_due(self) -> datetime | None:
        """When something is due, or a message is to be tried again."""
        with self.desk.record.read() as tx:
            waiting = select(func.min(OUTBOX.c.next_try_at)).where(OUTBOX.c.state == "queued")
            stamps = [tx.earliest_due(), tx.connection.execute(waiting).scalar()]
        return min(
            (datetime.fromtimestamp(one / 1e6, UTC) for one in stamps if one is not None), default=None
        )


class Play(Stage):
    """One drill. `players` are people with the roles that they play; everybody else is played by script."""

    def __init__(
        self,
        name: str,
        *,
        seed: int = 7,
        players: dict[str, tuple[str, ...]] | None = None,
        clock: ExerciseClock | None = None,
    ) -> None:
        self.scenario = found = scenario_of(name)
        self.startex = startex_of(name)
        shape = premises("script", players or ()) | {"drill": True, "scenario": found}
        super().__init__(self.startex, clock, **shape)
        self.understudies = Understudies(self.desk, found, "en")
        self.refused: list[Outcome] = []
        self.machine: dict[tuple[str, str], datetime] = {}
        self._prepare(seed, players or {})

    def _prepare(self, seed: int, players: dict[str, tuple[str, ...]]) -> None:
        self.act(
            PrepareDrill(
                actor=by(FACILITATOR),
                drill="DRL-2026-0001",
                scenario=self.scenario.scenario,
                version=self.scenario.version,
                digest="sha256:" + "0" * 64,
                startex=self.startex,
                seed=seed,
            )
        )
        for person, roles in players.items():
            self.act(Enrol(actor=by(FACILITATOR), person=person, roles=roles))
            self.act(ConfirmAddress(actor=by(person), person=person, channel="console"))
        self.act(StartExercise(actor=by(FACILITATOR), wall=WALL))

    # -- what there is --------------------------------------------------------------------------------------

    @property
    def exercise(self) -> Exercise:
        state = self.desk.state(EXERCISE)
        assert isinstance(state, Exercise)
        return state

    @property
    def cases(self) -> dict[str, Incident]:
        with self.desk.record.read() as tx:
            names = tx.incidents()
        return {name: self.desk.incident(name) for name in names}

    @property
    def incident(self) -> Incident:
        """The one incident that has been declared."""
        (found,) = self.cases.values()
        return found

    def holds(self, condition: str) -> bool:
        """Whether a condition of the scenario holds now."""
        return holds(condition, names_of(self.cases, self.exercise.injects))

    # -- playing --------------------------------------------------------------------------------------------

    def whole(self) -> Play:
        """Until ENDEX, which the facilitator gives when the time that the scenario has is up."""
        self.until(self.startex + self.scenario.story(self.scenario.duration))
        self.act(EndExercise(actor=by(FACILITATOR), wall=WALL + self.scenario.duration))
        return self

    def until(self, end: datetime) -> None:
        """Play on until an hour of the story."""
        for _ in range(MAX_TURNS):
            self.settle()
            if self._machine() or self._understudy():
                continue
            if self.clock.now() >= end:
                return
            self.wind(min(self._next_stop(), end))
        raise AssertionError(f"no end after {MAX_TURNS} turns, at {self.clock.now()}")

    def wind(self, at: datetime) -> None:
        """Let the time pass until then."""
        self.clock.set(at)

    def _understudy(self) -> bool:
        done = self.understudies.act()
        if done is None:
            return False
        act, outcome = done
        if outcome.accepted:
            self.log.append((self.clock.now(), act.stream, act.command))
        else:
            self.refused.append(outcome)
        return True

    def _machine(self) -> bool:
        return any(self._machines(case) for case in self.cases.values())

    def _machines(self, case: Incident) -> bool:
        world = self.desk.world(case)
        for key, known in list(case.steps.items()):
            planned = world.step(case, key) if known.status in {"ready", "started"} else None
            if planned is None or planned.step.kind != "action":
                continue
            if known.status == "ready" and (case.stream, key) not in self.machine:
                claim = ClaimStep(actor=MACHINE, step=key, node="conductor", epoch=1, lease=7 * 24 * 3600)
                self.act(claim, case.stream)
                self.machine[case.stream, key] = self.clock.now() + self._takes(key)
                return True
            elif known.status == "started" and self.machine[case.stream, key] <= self.clock.now():
                del self.machine[case.stream, key]
                kept = [{"digest": "sha256:" + "a" * 64, "size": 7, "stored": "aa", "name": "log.json"}]
                done = FinishStep(
                    actor=MACHINE,
                    step=key,
                    node="conductor",
                    epoch=1,
                    attempt=known.attempt,
                    outcome="done",
                    evidence=tuple(kept if planned.step.preserves else []),
                )
                self.act(done, case.stream)
                return True
        return False

    def _takes(self, key: str) -> timedelta:
        mine = (one for one in self.scenario.outcomes if one.step == key)
        found = next((one for one in mine if one.when is None or self.holds(one.when)), None)
        return found.takes if found is not None and found.takes is not None else MACHINE_TAKES

    def _next_stop(self) -> datetime:
        stops = [*self.machine.values(), self.next_due(), self.understudies.next_at()]
        return max(min(one for one in stops if one is not None), self.clock.now())


@cache
def bank() -> Institution:
    """The example bank, read once."""
    return load(BANK)


def scenario_of(name: str) -> Scenario:
    """The scenario of this id."""
    found = bank().scenarios[name]
    assert isinstance(found, Scenario)
    return found


def startex_of(name: str) -> datetime:
    """The hour of its story at STARTEX, on the day of these tests."""
    hour, minute = (int(part) for part in scenario_of(name).start.time.split(":"))
    return DAY.replace(hour=hour, minute=minute).astimezone(UTC)


@contextmanager
def playing(name: str, **how: Any) -> Iterator[Play]:
    """A drill that lets go of its record in the end."""
    play = Play(name, **how)
    try:
        yield play
    finally:
        play.close()


def premises(channel: str, at_the_console: Collection[str] = ()) -> dict[str, Any]:
    """The example bank, everybody reached on one channel alone but those who are at the console."""
    return {
        "organisation": _reached(bank().organisation, channel, at_the_console),
        "policy": bank().policy,
        "playbooks": bank().playbooks,
        "channels": frozenset({"console", channel}),
    }


def _reached(organisation: Organisation, channel: str, at_the_console: Collection[str]) -> Organisation:
    own = {one: ("console",) for one in at_the_console}
    people = tuple(
        one.model_copy(update={"channels": own.get(one.id, (channel,)), "reach": ()})
        for one in organisation.people
    )
    return organisation.model_copy(update={"people": people})


def by(person: str) -> Actor:
    """Somebody of the directory, at the command line."""
    return Actor(person=person, name=person)


MACHINE = Actor.machine("conductor")
