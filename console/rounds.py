"""The node looks after stored evidence: every item is compared with its digest, round after round.

Gently: in a thread of its own with the lowest priority, never faster than the settings say, and without
pushing anything out of the system's memory. What has changed becomes a fact of its incident, and damage pages
somebody; a whole round is one line in the house's record.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select

from console.evidence_check import SLICE_BYTES, Object, object_of, slices
from console.opening import House
from models.clock import monotonic
from models.commands import Actor
from models.custody import Found, RecordRound, VerifyEvidence
from models.desk import HOUSE
from models.errors import ActionFailed, HikeshiError
from models.evidence import BROKEN
from models.record import FACT, STREAM
from models.state import House as HouseState
from models.supervised import attempt, attempt_async, forever, wait

LOOK_SECONDS = 60.0
BATCH = 50
LOWEST = 19
ACTOR = Actor.machine("evidence")
RunInWriter = Callable[[Callable[[], Any]], Awaitable[Any]]


@dataclass(kw_only=True)
class Tally:
    """What a round has come to."""

    since: datetime
    items: int = 0
    size: int = 0
    damaged: int = 0
    unrecorded: int = 0
    """Compared, and refused or not written by its incident's record."""


class Rounds:
    """Compares all that is stored, one round after the other."""

    def __init__(self, house: House, run_in_writer: RunInWriter) -> None:
        self.house = house
        self.run_in_writer = run_in_writer
        self._settings = house.institution.settings.evidence
        self._last: datetime | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until `stop`."""
        with ThreadPoolExecutor(1, thread_name_prefix="evidence", initializer=_gently) as thread:
            await forever("evidence", stop, partial(self._turn, thread, stop), LOOK_SECONDS)

    async def _turn(self, thread: ThreadPoolExecutor, stop: asyncio.Event) -> None:
        left = await self.run_in_writer(self._seconds_left)
        if left > 0:
            await wait(stop, min(left, LOOK_SECONDS))
            return
        await self.round(thread, stop)

    def _seconds_left(self) -> float:
        """Until the next round is due; a round that found nothing stored is not on record."""
        state = self.house.desk.state(HOUSE)
        recorded = state.evidence_round_at if isinstance(state, HouseState) else None
        last = max((one for one in (recorded, self._last) if one is not None), default=None)
        if last is None:
            return 0.0
        return (last + self._settings.verify_every - self.house.desk.clock.now()).total_seconds()

    async def round(self, thread: ThreadPoolExecutor, stop: asyncio.Event) -> Tally:
        """Compare everything once."""
        tally = Tally(since=self.house.desk.clock.now())
        for stream in await self.run_in_writer(self._streams):
            if stop.is_set():
                return tally
            await self._stream(stream, tally, thread, stop)
        self._last = self.house.desk.clock.now()
        if tally.items and not stop.is_set():
            command = RecordRound(
                actor=ACTOR,
                since=tally.since,
                items=tally.items,
                size=tally.size,
                damaged=tally.damaged,
                unrecorded=tally.unrecorded,
            )
            await self.run_in_writer(partial(self.house.desk.handle, HOUSE, command))
        return tally

    def _streams(self) -> list[str]:
        with self.house.record.read() as tx:
            known = select(STREAM.c.id).where(STREAM.c.kind == "incident").order_by(STREAM.c.id)
            return list(tx.connection.execute(known).scalars())

    async def _stream(
        self, stream: str, tally: Tally, thread: ThreadPoolExecutor, stop: asyncio.Event
    ) -> None:
        """One incident; one that cannot be read keeps no other from being looked after."""
        look = partial(attempt, f"evidence {stream}", partial(self._objects, stream))
        tried = await self.run_in_writer(look)
        found: list[Found] = []
        for one in tried.value or ():
            result = await self._compare(one, tally, thread, stop)
            if result is None:
                break
            tally.damaged += result.result in BROKEN
            found.append(result)
            if len(found) >= BATCH or result.result in BROKEN:
                await self._tell(stream, found, tally)
                found = []
        if found:
            await self._tell(stream, found, tally)

    def _objects(self, stream: str) -> list[Object]:
        """What is stored of an incident; nothing is loaded of those that have no evidence."""
        with self.house.record.read() as tx:
            any_ = select(FACT.c.seq).where(FACT.c.stream == stream, FACT.c.kind == "evidence.added").limit(1)
            if tx.connection.execute(any_).first() is None:
                return []
        items = self.house.desk.incident(stream).evidence.values()
        texts = self.house.desk.texts(stream) if any(one.referenced for one in items) else {}
        found = []
        for item in items:
            with suppress(ActionFailed):
                one = object_of(item, self.house.evidence, texts.get(item.words.get("storage", "")))
                found.append(one)
        return [one for one in found if one is not None]

    async def _compare(
        self, one: Object, tally: Tally, thread: ThreadPoolExecutor, stop: asyncio.Event
    ) -> Found | None:
        """Compare one item, slice by slice at the pace of the settings; None if it is to stop."""
        loop = asyncio.get_running_loop()
        going = slices(one, keep_cache=False)
        try:
            while True:
                begun = monotonic()
                step = await loop.run_in_executor(thread, _step, going)
                if isinstance(step, Found):
                    tally.items += 1
                    tally.size += one.item.stored_size or one.item.size
                    return step
                rest = SLICE_BYTES / self._settings.verify_bytes_per_second - (monotonic() - begun)
                if await wait(stop, rest):
                    return None
        finally:
            await loop.run_in_executor(thread, going.close)

    async def _tell(self, stream: str, found: list[Found], tally: Tally) -> None:
        """On record; an incident that does not take it keeps no other from being looked after."""
        tried = await attempt_async(f"evidence {stream}", partial(self._record, stream, found))
        if tried.error is not None:
            tally.unrecorded += len(found)

    async def _record(self, stream: str, found: list[Found]) -> None:
        command = VerifyEvidence(actor=ACTOR, found=tuple(found))
        outcome = await self.run_in_writer(partial(self.house.desk.handle, stream, command))
        if outcome.refused is not None:
            raise HikeshiError(f"{stream}: {outcome.refused}; the check of its evidence is not on record")


def _step(going: Generator[int, None, Found]) -> int | Found:
    """One slice. A generator's end cannot pass through a thread's future as an exception."""
    try:
        return next(going)
    except StopIteration as ended:
        found: Found = ended.value
        return found


def _gently() -> None:
    """This thread comes last, where the system lets threads differ."""
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)
