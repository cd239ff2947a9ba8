"""What a pager costs when nothing happens: its memory, and its CPU with few and with many open incidents."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from benchmarks.bank import Bank, found
from benchmarks.crowd import plant
from benchmarks.figure import Figure
from benchmarks.ground import Ground
from benchmarks.pager import running
from models.clock import ExerciseClock, SystemClock

OPEN = 10_000
SETTLE_SECONDS = 1.0
LOOK_SECONDS = 3.0


def idle(ground: Ground) -> Iterator[Figure]:
    """An empty record, then one with 10,000 open incidents that are all acknowledged."""
    for count in (0, OPEN):
        bank = found(ground.place(f"idle-{count}"))
        if count:
            now = SystemClock().now()
            desk = bank.desk(ExerciseClock(now))
            plant(desk, [], count, now)
            desk.record.close()
        memory, share = asyncio.run(_looked(bank))
        what = f"with {count:,} open incidents"
        yield Figure(name=f"pager at rest {what}, memory", value=memory, unit="MiB", n=1)
        yield Figure(name=f"pager at rest {what}, CPU of a core", value=100 * share, unit="%", n=1)


async def _looked(bank: Bank) -> tuple[float, float]:
    """MiB, and the share of a core."""
    async with running(bank.directory) as pager:
        await asyncio.sleep(SETTLE_SECONDS)
        used = pager.cpu_seconds()
        await asyncio.sleep(LOOK_SECONDS)
        return pager.resident_mib(), (pager.cpu_seconds() - used) / LOOK_SECONDS
