"""Timers with 10,000 open incidents: a burst right after the start, then twenty due a second.

Lateness is taken from the record: when the escalation was written, less the instant it was due at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from benchmarks.bank import Bank, found
from benchmarks.crowd import WITHIN, plant
from benchmarks.figure import Figure, quantile, spread
from benchmarks.ground import Ground
from benchmarks.pager import running
from models.clock import ExerciseClock, SystemClock
from models.errors import HikeshiError
from models.fact import read_fact
from models.record import FACT, Record

OPEN = 10_000
BURST = 200
PER_SECOND = 20
SECONDS, FULL_SECONDS, QUICK_SECONDS = 60, 600, 15
LEAD_SECONDS = 11.0
"""Until the burst: time to plant what falls due; the many that do not are there before."""
START_SECONDS = 5.0
"""How long before the burst the pager starts, with nothing cached."""
REST_SECONDS = 5.0
TARGET_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What a run left, in seconds and MiB."""

    burst: Sequence[float]
    steady: Sequence[float]
    cpu_share: float
    before_mib: float
    after_mib: float


def timers(ground: Ground) -> Iterator[Figure]:
    """Both in one run of one pager, which also delivers what the escalations ask for."""
    seconds = FULL_SECONDS if ground.full else ground.some(SECONDS, QUICK_SECONDS)
    run = asyncio.run(_measured(ground, seconds))
    yield Figure(
        name=f"timers: {BURST} due at once, nothing cached, last of the burst",
        value=max(run.burst),
        unit="s",
        n=len(run.burst),
        target=TARGET_SECONDS,
        detail=spread(run.burst) | {"first": round(min(run.burst), 3)},
    )
    yield Figure(
        name=f"timers: {PER_SECOND}/s for {seconds} s with {OPEN:,} open, lateness p99",
        value=quantile(run.steady, 0.99),
        unit="s",
        n=len(run.steady),
        target=TARGET_SECONDS,
        detail=spread(run.steady) | {"cpu_of_a_core_percent": round(100 * run.cpu_share, 1)},
    )
    yield Figure(
        name=f"memory of the pager with {OPEN:,} open incidents, after its start",
        value=run.before_mib,
        unit="MiB",
        n=1,
    )
    yield Figure(
        name="memory for each 1,000 open incidents whose timers have run",
        value=1_000 * (run.after_mib - run.before_mib) / (BURST + len(run.steady)),
        unit="MiB",
        n=BURST + len(run.steady),
    )


async def _measured(ground: Ground, seconds: int) -> _Run:
    bank = found(ground.place("timers"))
    count = seconds * PER_SECOND
    now = SystemClock().now()
    _planted(bank, [], max(0, OPEN - BURST - count), now, 20_000)
    now = SystemClock().now()
    at = now + timedelta(seconds=LEAD_SECONDS)
    steady = [at + timedelta(seconds=REST_SECONDS + number / PER_SECOND) for number in range(count)]
    names = _planted(bank, [at] * BURST + steady, 0, now, 40_000)
    await asyncio.sleep(max(0.0, (at - SystemClock().now()).total_seconds() - START_SECONDS))
    async with running(bank.directory) as pager:
        before, used = pager.resident_mib(), pager.cpu_seconds()
        if SystemClock().now() >= at:
            raise HikeshiError("the pager was not up before the burst; the machine is too busy")
        await asyncio.sleep((steady[-1] - SystemClock().now()).total_seconds() + 2 * TARGET_SECONDS)
        share = (pager.cpu_seconds() - used) / (START_SECONDS + REST_SECONDS + seconds)
        after = pager.resident_mib()
    late = _lateness(bank, names)
    return _Run(burst=late[:BURST], steady=late[BURST:], cpu_share=share, before_mib=before, after_mib=after)


def _planted(bank: Bank, due: Sequence[datetime], quiet: int, now: datetime, first: int) -> list[str]:
    desk = bank.desk(ExerciseClock(now))
    names = plant(desk, due, quiet, now, first)
    desk.record.close()
    return names


def _lateness(bank: Bank, names: Sequence[str]) -> list[float]:
    """Seconds from due to written, in the order of `names`. Raises HikeshiError if one did not escalate."""
    record = Record.at(bank.database)
    wanted = {"page.asked", "page.escalated"}
    facts: dict[str, dict[str, datetime]] = {}
    with record.read() as tx:
        rows = tx.connection.execute(
            sa.select(FACT.c.stream, FACT.c.body).where(FACT.c.kind.in_(wanted)).order_by(FACT.c.seq)
        )
        for stream, body in rows:
            fact = read_fact(body)
            facts.setdefault(stream, {}).setdefault(fact.kind, fact.recorded_at)
    record.close()
    missing = [name for name in names if "page.escalated" not in facts[name]]
    if missing:
        raise HikeshiError(f"{len(missing)} of {len(names)} timers have not run, the first is {missing[0]}")
    return [
        (facts[name]["page.escalated"] - facts[name]["page.asked"] - WITHIN).total_seconds() for name in names
    ]
