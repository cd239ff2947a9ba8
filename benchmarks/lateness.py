"""How late clocks speak while 1,000, 10,000 and 100,000 of them run, and after an outage of ten minutes.

A real pager in a process of its own. Nothing waits for ten minutes: the record says that the last sign of
life was so long ago, and what fell due meanwhile lies in it. Lateness is read from the record.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from benchmarks.bank import Bank, found
from benchmarks.clocks import EACH, plant_clocks
from benchmarks.figure import Figure, quantile, spread
from benchmarks.ground import Ground
from benchmarks.pager import running
from models.clock import SystemClock
from models.errors import HikeshiError
from models.fact import read_fact
from models.node import register
from models.record import FACT, OUTBOX

CLOCKS = (1_000, 10_000, 100_000)
OUTAGE = timedelta(minutes=10)
MISSED = 50
"""What fell due during the outage, evenly."""
PER_SECOND, SECONDS, QUICK_SECONDS = 20, 10, 3
LEAD_SECONDS, REST_SECONDS, LIMIT_SECONDS = 10.0, 1.0, 30
"""Until the first one falls due on time: to plant it, and to start the pager; longer on a busy machine."""
TARGET_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class _Run:
    """Seconds: from the start of the pager until each missed one was said, and how late the others were."""

    caught_up: Sequence[float]
    late: Sequence[float]


def lateness(ground: Ground) -> Iterator[Figure]:
    """Each with a record and a pager of its own."""
    for count in CLOCKS:
        yield from late_clocks(ground, count, found(ground.place(f"lateness-{count}")))


def late_clocks(ground: Ground, count: int, bank: Bank, what: str = "") -> Iterator[Figure]:
    """`count` open clocks in this bank; `what` comes before the names of the figures."""
    run = asyncio.run(_measured(ground, count, bank))
    yield Figure(
        name=f"{what}{count:,} open clocks, {PER_SECOND} due a second: lateness p99",
        value=quantile(run.late, 0.99),
        unit="s",
        n=len(run.late),
        target=TARGET_SECONDS,
        detail=spread(run.late),
    )
    yield Figure(
        name=f"{what}{count:,} open clocks, after an outage of ten minutes: node up → last of {MISSED} said",
        value=max(run.caught_up),
        unit="s",
        n=len(run.caught_up),
        target=TARGET_SECONDS,
        detail=spread(run.caught_up),
    )


async def _measured(ground: Ground, count: int, bank: Bank) -> _Run:
    incidents = -(-count // EACH)
    on_time = min(incidents - MISSED, PER_SECOND * ground.some(SECONDS, QUICK_SECONDS))
    plant_clocks(bank, incidents - MISSED - on_time, SystemClock().now(), [])
    now = SystemClock().now()
    first = now + timedelta(seconds=LEAD_SECONDS + 3 * os.getloadavg()[0])
    missed = [now - OUTAGE * (number / MISSED) for number in range(MISSED)]
    steady = [first + timedelta(seconds=number / PER_SECOND) for number in range(on_time)]
    names = plant_clocks(bank, MISSED + on_time, now, missed + steady, 50_000)
    _nobody_watched(bank, now - OUTAGE)
    async with running(bank.directory):
        up = SystemClock().now()
        if up > first:
            raise HikeshiError("the pager was not up before the first one fell due; the machine is too busy")
        await asyncio.sleep((steady[-1] - up).total_seconds() + REST_SECONDS)
        said = await _all_said(bank, names)
    caught_up = [max(0.0, (said[name] - up).total_seconds()) for name in names[:MISSED]]
    late = [(said[name] - at).total_seconds() for name, at in zip(names[MISSED:], steady, strict=True)]
    return _Run(caught_up=caught_up, late=late)


def _nobody_watched(bank: Bank, since: datetime) -> None:
    """As a pager leaves it that was killed then."""
    record = bank.record()
    with record.begin() as tx:
        register(tx, "pager", since, "pid 0")
        tx.connection.execute(sa.update(OUTBOX).values(state="withdrawn"))
    record.close()


async def _all_said(bank: Bank, names: Sequence[str]) -> dict[str, datetime]:
    """When the first word of each one's clocks was written. Raises HikeshiError if one stays silent."""
    silent: list[str] = []
    for _ in range(LIMIT_SECONDS):
        said = _said(bank)
        silent = [name for name in names if name not in said]
        if not silent:
            return said
        await asyncio.sleep(1)
    raise HikeshiError(f"{len(silent)} of {len(names)} clocks have said nothing, the first is {silent[0]}")


def _said(bank: Bank) -> dict[str, datetime]:
    record = bank.record()
    found_: dict[str, datetime] = {}
    with record.read() as tx:
        kinds = FACT.c.kind.in_(("clock.warned", "clock.breached", "clock.over"))
        for stream, body in tx.connection.execute(
            sa.select(FACT.c.stream, FACT.c.body).where(kinds).order_by(FACT.c.seq)
        ):
            found_.setdefault(stream, read_fact(body).recorded_at)
    record.close()
    return found_
