"""The watch: writes what time alone makes true, stream by stream, and lives through a sick one."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import func, select, update

from models.clock import monotonic
from models.commands import Actor, Quarantined
from models.desk import HOUSE, Desk
from models.record import STREAM, micros
from models.state import House
from models.supervised import attempt, attempt_async, wait

log = logging.getLogger("hikeshi.watch")
BATCH = 100
IDLE_SECONDS = 0.5
LEFT_SECONDS = 0.1
"""When what was due is looked at again that another node is writing in: it may hold it for seconds."""
SLICE_SECONDS = 0.02
SLICE = 20
FAILURES_UNTIL_QUARANTINE = 3
BACKOFF_MINUTES = (1, 2, 5, 10, 30, 60)
HELD_SECONDS = (0.5, 1, 2, 5, 10, 30)
"""How long a stream is left alone here when not even its failure can be written, by how often in a row."""
REMEMBERED_SECONDS = 60.0
REMEMBERED = 10_000


class Watch:
    """Ticks every stream that is due. A tick costs what is due, not what is open."""

    def __init__(self, desk: Desk, run: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self.desk = desk
        self.run_in_writer = run
        self.changed = asyncio.Event()
        self.ticks = 0
        self.turned_at = monotonic()
        """When a turn last came to its end, on the monotonic clock."""
        self._late: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)
        self._held: dict[str, tuple[int, float]] = {}

    @property
    def lateness_seconds(self) -> float:
        """The worst lateness of what was ticked in the last minute, in seconds."""
        since = monotonic() - REMEMBERED_SECONDS
        return round(max((late for at, late in self._late if at >= since), default=0.0), 3)

    def late_now(self) -> float:
        """Seconds by which the earliest stream out of quarantine is late now, or was in the last minute.

        Reads the record: call it in the writer's thread. It grows by itself when nothing ticks any more.
        """
        healthy = select(func.min(STREAM.c.next_due_at)).where(STREAM.c.retry_at.is_(None))
        with self.desk.record.read() as tx:
            earliest = tx.connection.execute(healthy).scalar()
        now = micros(self.desk.clock.now())
        return max(self.lateness_seconds, 0.0 if earliest is None else round((now - earliest) / 1e6, 3))

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
        self._late.extend((monotonic(), late) for _, late in due)
        names = [stream for stream, _ in due]
        while names:
            names = names[await self.run_in_writer(partial(self._slice, names)) :]
        ticked = frozenset(name for name, _ in due)
        pause: float = 0.0
        if len(due) < BATCH:
            pause = await self.run_in_writer(partial(self._pause, ticked))
        self.turned_at = monotonic()
        return pause

    def _due(self) -> list[tuple[str, float]]:
        now = self.desk.clock.now()
        with self.desk.record.read() as tx:
            found = tx.due_streams(now, BATCH + len(self._held))
            names = [name for name in found if not self._is_held(name)][:BATCH]
            rows = tx.connection.execute(
                select(STREAM.c.id, STREAM.c.next_due_at).where(STREAM.c.id.in_(names))
            ).all()
        due_at = {row[0]: row[1] for row in rows}
        return [(name, (micros(now) - due_at[name]) / 1e6) for name in names]

    def _is_held(self, stream: str) -> bool:
        return stream in self._held and self._held[stream][1] > monotonic()

    def _hold(self, stream: str) -> None:
        """Its failure could not be written (a full disk): without a pause here it would be tried at once."""
        times, _ = self._held.get(stream, (0, 0.0))
        pause = HELD_SECONDS[min(times, len(HELD_SECONDS) - 1)]
        self._held[stream] = (times + 1, monotonic() + pause)

    def _slice(self, streams: list[str]) -> int:
        """Tick some, and return how many: no page waits long behind them.

        In one transaction if all are well; a sick one among them is found by ticking one by one.
        """
        some = streams[:SLICE]
        well = len(some) > 1 and not any(self._was_sick(stream) for stream in some)
        if well and attempt("ticks", partial(self.desk.tick_all, some)).error is None:
            self.ticks += len(some)
            for stream in some:
                self._held.pop(stream, None)
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
            written = attempt(f"quarantine {stream}", partial(self._failed, stream, tried.error))
            if written.error is not None:
                self._hold(stream)
                return
        elif self._was_sick(stream):
            attempt(f"release {stream}", partial(self._mended, stream))
        self._held.pop(stream, None)

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

    def _pause(self, ticked: frozenset[str]) -> float:
        now = self.desk.clock.now()
        with self.desk.record.read() as tx:
            earliest = tx.earliest_due()
            if earliest is None or self._held:
                return IDLE_SECONDS
            pause = max(0.0, (earliest - micros(now)) / 1e6)
            left = not pause and not ticked.isdisjoint(tx.due_streams(now, 1))
        return LEFT_SECONDS if left else pause
