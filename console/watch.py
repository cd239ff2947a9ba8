"""The watch: writes what time alone makes true, stream by stream, and lives through a sick one."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import select, update

from models.clock import monotonic
from models.commands import Actor, Quarantined
from models.desk import HOUSE, Desk
from models.record import STREAM, micros
from models.state import House
from models.supervised import attempt, attempt_async, wait

log = logging.getLogger("hikeshi.watch")
BATCH = 100
IDLE_SECONDS = 0.5
SLICE_SECONDS = 0.02
SLICE = 20
FAILURES_UNTIL_QUARANTINE = 3
BACKOFF_MINUTES = (1, 2, 5, 10, 30, 60)
REMEMBERED = 200


class Watch:
    """Ticks every stream that is due. A tick costs what is due, not what is open."""

    def __init__(self, desk: Desk, run: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self.desk = desk
        self.run_in_writer = run
        self.changed = asyncio.Event()
        self.ticks = 0
        self._late: deque[float] = deque(maxlen=REMEMBERED)

    @property
    def lateness_seconds(self) -> float:
        """The worst lateness of the last ticks, in seconds."""
        return round(max(self._late, default=0.0), 3)

    def wake(self) -> None:
        """Something was written; what is due next may have changed."""
        self.changed.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`."""
        while not stop.is_set():
            self.changed.clear()
            tried = await attempt_async("watch", self.turn)
            pause = tried.value if tried.value is not None else IDLE_SECONDS
            await wait(self.changed, min(pause, IDLE_SECONDS))

    async def turn(self) -> float:
        """Tick what is due and return the seconds until something is due again."""
        due = await self.run_in_writer(self._due)
        self._late.extend(late for _, late in due)
        names = [stream for stream, _ in due]
        while names:
            names = names[await self.run_in_writer(partial(self._slice, names)) :]
        if len(due) == BATCH:
            return 0.0
        pause: float = await self.run_in_writer(self._pause)
        return pause

    def _due(self) -> list[tuple[str, float]]:
        now = self.desk.clock.now()
        with self.desk.record.read() as tx:
            names = tx.due_streams(now, BATCH)
            rows = tx.connection.execute(
                select(STREAM.c.id, STREAM.c.next_due_at).where(STREAM.c.id.in_(names))
            ).all()
        due_at = {row[0]: row[1] for row in rows}
        return [(name, (micros(now) - due_at[name]) / 1e6) for name in names]

    def _slice(self, streams: list[str]) -> int:
        """Tick some, and return how many: no page waits long behind them.

        In one transaction if all are well; a sick one among them is found by ticking one by one.
        """
        some = streams[:SLICE]
        well = len(some) > 1 and not any(self._was_sick(stream) for stream in some)
        if well and attempt("ticks", partial(self.desk.tick_all, some)).error is None:
            self.ticks += len(some)
            return len(some)
        until = monotonic() + SLICE_SECONDS
        for done, stream in enumerate(some, start=1):
            self._tick(stream)
            if monotonic() > until:
                return done
        return len(some)

    def _tick(self, stream: str) -> None:
        tried = attempt(f"tick {stream}", partial(self.desk.tick, stream))
        self.ticks += 1
        if tried.error is not None:
            attempt(f"quarantine {stream}", partial(self._failed, stream, tried.error))
        elif self._was_sick(stream):
            attempt(f"release {stream}", partial(self._mended, stream))

    def _was_sick(self, stream: str) -> bool:
        with self.desk.record.read() as tx:
            found = tx.connection.execute(select(STREAM.c.failures).where(STREAM.c.id == stream)).scalar()
        return bool(found)

    def _failed(self, stream: str, error: Exception) -> None:
        """After three failures the stream's timers stop, backed off, and somebody is paged (design, 15)."""
        now = self.desk.clock.now()
        with self.desk.record.begin() as tx:
            failures = 1 + int(
                tx.connection.execute(select(STREAM.c.failures).where(STREAM.c.id == stream)).scalar() or 0
            )
            step = min(max(0, failures - FAILURES_UNTIL_QUARANTINE), len(BACKOFF_MINUTES) - 1)
            pause = timedelta(seconds=failures)
            if failures >= FAILURES_UNTIL_QUARANTINE:
                pause = timedelta(minutes=BACKOFF_MINUTES[step])
            tx.connection.execute(
                update(STREAM)
                .where(STREAM.c.id == stream)
                .values(failures=failures, retry_at=micros(now + pause))
            )
        if failures >= FAILURES_UNTIL_QUARANTINE and stream != HOUSE:
            detail = f"{type(error).__name__}: {error}"
            command = Quarantined(
                actor=Actor.machine("watch"), stream=stream, failures=failures, detail=detail
            )
            self.desk.handle(HOUSE, command)

    def _mended(self, stream: str) -> None:
        with self.desk.record.begin() as tx:
            tx.connection.execute(
                update(STREAM).where(STREAM.c.id == stream).values(failures=0, retry_at=None)
            )
        house = self.desk.state(HOUSE)
        if isinstance(house, House) and stream in house.quarantined:
            command = Quarantined(actor=Actor.machine("watch"), stream=stream, failures=0, released=True)
            self.desk.handle(HOUSE, command)

    def _pause(self) -> float:
        with self.desk.record.read() as tx:
            earliest = tx.earliest_due()
        if earliest is None:
            return IDLE_SECONDS
        return max(0.0, (earliest - micros(self.desk.clock.now())) / 1e6)
