"""What moves the time of play: one part of the drill's node, in the thread of its record.

It follows what was set (STARTEX, pause, speed, step), never passes what is due before that is done, and holds
while something is under way: messages that are being delivered, flows that run or are wanted. It also lets
those act whom no person plays, and the machine steps end. So nothing depends on how fast the time goes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import func, select, update

from console.drill import clockfile
from console.drill.directory import last_recorded
from console.opening import House
from models.clock import monotonic
from models.desk import Desk
from models.errors import RecordConflict
from models.exercise import EXERCISE, Exercise, Timing
from models.exercise_clock import Mark, Play, Story
from models.premises import Outcome
from models.record import OUTBOX, STREAM, Tx, micros
from models.supervised import attempt_async, wait

log = logging.getLogger("hikeshi.drill")
BEAT_SECONDS = 1.0
LOOK_SECONDS = 0.05
RUN_IN = ("open", "resolved", "closed")
MOST_ACTS = 50
"""So many acts at one look; the rest follow at the next, so that the node stays answerable."""
PATIENCE_SECONDS = {"outbox": 60.0, "flows": 120.0, "due": 20.0}
"""How long the time is held for the same reason; what takes longer goes on, and the time too."""


class Acting(Protocol):
    """Whoever acts by themselves when their time has come: understudies, machine steps."""

    def next_at(self) -> datetime | None:
        """The hour of the story of the next act; None if there is none."""
        ...

    def act(self) -> object | None:
        """Carry out one act whose time has come; None if there is none."""
        ...


@dataclass
class _Patience:
    """How long the time has been held for one reason."""

    why: str = ""
    since: float = 0.0

    def allows(self, why: str) -> bool:
        """Whether to go on holding for this."""
        if why != self.why:
            self.why, self.since = why, monotonic()
        return monotonic() - self.since < PATIENCE_SECONDS.get(why, 0.0)


@dataclass
class _Retries:
    """Messages that failed are tried again after the machine's time, not the story's, which is held."""

    due: dict[int, float] = field(default_factory=dict)

    def hasten(self, tx: Tx, now_us: int) -> list[int]:
        """The rows whose pause is over by the machine's clock."""
        later = select(OUTBOX.c.id, OUTBOX.c.next_try_at).where(
            OUTBOX.c.state == "queued", OUTBOX.c.tries > 0, OUTBOX.c.next_try_at > now_us
        )
        rows = {row[0]: row[1] for row in tx.connection.execute(later)}
        self.due = {name: self.due.get(name, monotonic() + (at - now_us) / 1e6) for name, at in rows.items()}
        return [name for name, at in self.due.items() if at <= monotonic()]


class Pilot:
    """Moves the time of play of one drill. `acting` are asked in their order, after each commit."""

    def __init__(
        self,
        house: House,
        run: Callable[[Callable[[], Any]], Awaitable[Any]],
        wake: Callable[[], None],
        acting: Sequence[Acting] = (),
    ) -> None:
        """`run` runs something in the thread of the record; `wake` wakes watch and outbox."""
        scenario = house.desk.premises.scenario
        assert house.drill is not None and scenario is not None  # noqa: S101 - a drill has both
        self.house = house
        self.desk: Desk = house.desk
        self.run_in_writer = run
        self.wake = wake
        self.acting = list(acting)
        story = Story.of(scenario, house.drill.startex)
        self.play = Play(story, clockfile.read(house.data), clockfile.ticks, clockfile.boot())
        newest = last_recorded(house.record)
        if newest is not None:
            self.play.not_before(newest)
        self.desk.clock = self.play
        self.changed = asyncio.Event()
        self._followed: tuple[str, Timing | None] | None = None
        self._patience = _Patience()
        self._retries = _Retries()
        self._written: Mark | None = None
        self._written_at = 0.0
        self._stuck: datetime | None = None
        self._stuck_since = 0.0
        self._turning = False
        self._heard: int | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Move it until `stop`; then it stands."""
        loop = asyncio.get_running_loop()

        def stored(_: Outcome) -> None:
            self.look()
            loop.call_soon_threadsafe(self.changed.set)

        self.desk.after_commit.append(stored)
        try:
            while not stop.is_set():
                self.changed.clear()
                tried = await attempt_async("drill", self._turn)
                await wait(self.changed, LOOK_SECONDS if tried.value is None else tried.value)
        finally:
            self.desk.after_commit.remove(stored)
            await attempt_async("drill", lambda: self.run_in_writer(self._stand))

    async def _turn(self) -> float:
        return float(await self.run_in_writer(self.turn))

    def _stand(self) -> None:
        """Nobody moves it any more."""
        self.play.end()
        clockfile.write(self.house.data, self.play.mark())

    # -- in the thread of the record ------------------------------------------------------------------------

    def turn(self) -> float:
        """Look, let those act whose time has come, and return the seconds until the next look."""
        self._hear()
        self.look()
        for _ in range(MOST_ACTS):
            if self.play.held or not any(one.act() is not None for one in self._able()):
                break
            self.look()
        waits = self.play.waits_seconds()
        if waits is not None and waits <= 0:
            self.wake()
        self._tell()
        return LOOK_SECONDS if waits is None else min(max(waits, 0.002), LOOK_SECONDS)

    def _hear(self) -> None:
        """What another process has written: we are not behind it in the story, nor is the script.

        It went by our last mark, which may have let it run a little further than we did. And whoever is
        killed after a commit on an incident has not looked at what that brings in.
        """
        version = self.house.record.data_version()
        if version == self._heard:
            return
        self._heard = version
        newest = last_recorded(self.house.record)
        if newest is not None:
            self.play.not_before(newest)
        with suppress(RecordConflict):
            self.desk.tick(EXERCISE)

    def look(self) -> None:
        """Bring the time of play in line with the record. No time passes meanwhile."""
        if self._turning:
            return
        self._turning = True
        try:
            self.play.hold("looking")
            held = self._look()
            self.play.hold(held)
        finally:
            self._turning = False

    def _look(self) -> str:
        state = self.desk.state(EXERCISE)
        if isinstance(state, Exercise):
            self._follow(state)
        now = self.play.now()
        with self.house.record.read() as tx:
            dues = [_instant(tx.earliest_due()), _later(tx, micros(now))]
            why = _under_way(tx, micros(now))
            late = self._retries.hasten(tx, micros(now))
        if late:
            self._hasten(late, now)
        dues += [one.next_at() for one in self._able()]
        due = min((one for one in dues if one is not None), default=None)
        self.play.until(self._not_stuck(due, now))
        return why if self._patience.allows(why) else ""

    def _able(self) -> list[Acting]:
        """Those who act by themselves, while it is played."""
        return self.acting if self._followed is not None and self._followed[0] == "running" else []

    def _follow(self, state: Exercise) -> None:
        told = (state.status, state.timing)
        if told == self._followed:
            return
        self._followed = told
        if state.status in ("ended", "aborted"):
            self.play.end()
        elif state.timing is not None:
            self.play.follow(state.timing)
        else:
            self.play.prepare()

    def _not_stuck(self, due: datetime | None, now: datetime) -> datetime | None:
        """What is due and is not done for long must not stop the exercise: it is passed then."""
        if due is None or due > now:
            self._stuck = None
            return due
        if self._stuck != due:
            self._stuck, self._stuck_since = due, monotonic()
        return due if monotonic() - self._stuck_since < PATIENCE_SECONDS["due"] else None

    def _hasten(self, rows: list[int], now: datetime) -> None:
        with self.house.record.begin() as tx:
            tx.connection.execute(update(OUTBOX).where(OUTBOX.c.id.in_(rows)).values(next_try_at=micros(now)))
        self.wake()

    def _tell(self) -> None:
        """Write the mark when something about it has changed, and about every second."""
        mark = self.play.mark()
        before = self._written
        same = before is not None and (
            (before.goes, before.speed, before.until_us, before.held)
            == (mark.goes, mark.speed, mark.until_us, mark.held)
        )
        if not same or monotonic() - self._written_at >= BEAT_SECONDS:
            clockfile.write(self.house.data, mark)
            self._written, self._written_at = mark, monotonic()


def _instant(us: int | None) -> datetime | None:
    return None if us is None else datetime.fromtimestamp(0, UTC) + timedelta(microseconds=us)


def _later(tx: Tx, now_us: int) -> datetime | None:
    """When the next message leaves that was asked for a later time."""
    first = select(func.min(OUTBOX.c.next_try_at)).where(
        OUTBOX.c.state == "queued", OUTBOX.c.tries == 0, OUTBOX.c.next_try_at > now_us
    )
    return _instant(tx.connection.execute(first).scalar())


def _under_way(tx: Tx, now_us: int) -> str:
    """For what the time is held: `outbox`, `flows`, or nothing."""
    leaving = (OUTBOX.c.state == "queued") & ((OUTBOX.c.tries > 0) | (OUTBOX.c.next_try_at <= now_us))
    rows = select(OUTBOX.c.id).where((OUTBOX.c.state == "sending") | leaving).limit(1)
    if tx.connection.execute(rows).first() is not None:
        return "outbox"
    wanted = select(STREAM.c.id).where(
        STREAM.c.kind == "incident", STREAM.c.wanted > STREAM.c.served, STREAM.c.status.in_(RUN_IN)
    )
    return "" if tx.connection.execute(wanted.limit(1)).first() is None else "flows"
