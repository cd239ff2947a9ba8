"""The same core figures on PostgreSQL, beside SQLite in the same run; and one node beside two.

A real PostgreSQL 18 of its own on the loopback address, with fsync as it comes. It runs on the same cores, so
what it takes is taken from the nodes that are measured.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from time import perf_counter

import aiohttp
import sqlalchemy as sa

from benchmarks.alert import WARM_UP, AlertSource, figures
from benchmarks.bank import ANALYST, Bank, accepted, declare, found
from benchmarks.crowd import plant
from benchmarks.figure import Figure, quantile, spread
from benchmarks.ground import Ground, settle
from benchmarks.lateness import late_clocks
from benchmarks.pager import Pager, running
from benchmarks.work import mixed
from models.clock import ExerciseClock, SystemClock
from models.commands import Acknowledge
from models.errors import HikeshiError
from models.fact import read_fact
from models.record import FACT, LEASE, OUTBOX
from notifiers.slack.fake import FakeSlack
from tests.postgres import Postgres

ALERTS, QUICK_ALERTS = 25, 8
ROUNDS, PER_ROUND, INCIDENTS, ACKS = 3, 200, 20, 60
CLOCKS = 10_000
DUE, QUICK_DUE = 400, 100
LEAD_SECONDS = 12.0
LIMIT_SECONDS = 90
LOCK_TARGET, TAKE_OVER_TARGET, TWO_NODES_TARGET = 5, 45, 1.6
CORES_FOR_TWO = 8
SAMPLE_SECONDS = 0.02


def shared(ground: Ground) -> Iterator[Figure]:
    """Core figures, then one node, two nodes, and one of two killed."""
    with Postgres() as server:
        yield from _commands(ground, server)
        yield from asyncio.run(_alerts(ground, server))
        bank = _bank(ground, server)
        yield from late_clocks(ground, CLOCKS, bank, "PostgreSQL: ")
        yield from _nodes(ground, server)


def _bank(ground: Ground, server: Postgres, slack_url: str | None = None) -> Bank:
    """A directory of its own on a database of its own."""
    return on(found(ground.place("shared"), slack_url), server.database())


def on(bank: Bank, url: str) -> Bank:
    """The bank with its record on a server."""
    settings = bank.directory / "settings.toml"
    settings.write_text(f'database = "{url}"\n' + settings.read_text("utf-8"), encoding="utf-8")
    return Bank(directory=bank.directory, url=url)


# -- core figures -------------------------------------------------------------------------------------------


def _commands(ground: Ground, server: Postgres) -> Iterator[Figure]:
    """In turn on both, so that both see the same machine; then acknowledgements on the server's."""
    desks = {"PostgreSQL": _bank(ground, server).desk(), "SQLite": found(ground.place("beside")).desk()}
    streams = {name: [declare(desk) for _ in range(INCIDENTS)] for name, desk in desks.items()}
    rates: dict[str, list[float]] = {name: [] for name in desks}
    for number in range(ROUNDS):
        for name, desk in desks.items():
            settle()
            work, start = list(mixed(PER_ROUND, str(number))), perf_counter()
            for place, command in enumerate(work):
                accepted(desk.handle(streams[name][place // 10 % INCIDENTS], command))
            rates[name].append(PER_ROUND / (perf_counter() - start))
    n = ROUNDS * PER_ROUND
    rate = quantile(rates["PostgreSQL"], 0.5)
    yield Figure(name="PostgreSQL: commands, mixed: stored durably, one writer", value=rate, unit="/s", n=n,
                 target=500, at_least=True, detail=dict(rates))  # fmt: skip
    yield Figure(name="PostgreSQL: commands, mixed: of SQLite's in the same run",
                 value=100 * rate / quantile(rates["SQLite"], 0.5), unit="%", n=n)  # fmt: skip
    desk = desks["PostgreSQL"]
    took = []
    for stream in [declare(desk) for _ in range(ACKS)]:
        start = perf_counter()
        accepted(desk.handle(stream, Acknowledge(actor=ANALYST)))
        took.append(1_000 * (perf_counter() - start))
    yield Figure(name="PostgreSQL: ack → escalation stopped in the record, p95", value=quantile(took, 0.95),
                 unit="ms", n=ACKS, target=100, detail=spread(took))  # fmt: skip
    for one in desks.values():
        one.record.close()


async def _alerts(ground: Ground, server: Postgres) -> list[Figure]:
    async with FakeSlack() as slack:
        bank = _bank(ground, server, slack.base_url)
        async with running(bank.directory) as pager, aiohttp.ClientSession() as session:
            source = AlertSource(session, pager, slack)
            count = WARM_UP + ground.some(ALERTS, QUICK_ALERTS)
            values = [await source.milliseconds(number) for number in range(count)]
    return list(figures("PostgreSQL: alert → first page at the receiver", values[WARM_UP:], 15, 40))


# -- one node, two nodes ------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class _Looks:
    """What samples of the server's sessions saw: of those at work, how many waited for a lock."""

    at_work: int = 0
    waiting: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def percent(self) -> float:
        """Share of the time."""
        return 100 * self.waiting / max(1, self.at_work)


@contextmanager
def _looking(server: Postgres, url: str) -> Iterator[_Looks]:
    looks = _Looks()
    name = url.rpartition("/")[2]
    query = (
        "select count(*), count(*) filter (where wait_event_type = 'Lock') from pg_stat_activity "
        "where datname = %s and state <> 'idle' and pid <> pg_backend_pid()"
    )

    def look() -> None:
        with server.connect(name) as connection:
            while not looks.stop.wait(SAMPLE_SECONDS):
                row = connection.execute(query, (name,)).fetchone() or (0, 0)
                looks.at_work += row[0]
                looks.waiting += row[1]

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield looks
    finally:
        looks.stop.set()
        thread.join()


def _nodes(ground: Ground, server: Postgres) -> Iterator[Figure]:
    """How many pages that fall due at one instant are escalated and delivered a second, by one and by two."""
    due = ground.some(DUE, QUICK_DUE)
    rates, waits, twice = {}, {}, 0
    for nodes in (1, 2):
        rates[nodes], waits[nodes], doubled = asyncio.run(_burst(ground, server, nodes, due))
        twice += doubled
        yield Figure(name=f"PostgreSQL, {nodes} node{'s' * (nodes > 1)}: pages escalated and delivered",
                     value=rates[nodes], unit="/s", n=due)  # fmt: skip
    yield Figure(
        name="PostgreSQL, two nodes: throughput, of one node's",
        value=rates[2] / rates[1],
        unit="times",
        n=due,
        target=TWO_NODES_TARGET if (os.cpu_count() or 1) >= CORES_FOR_TWO else None,
        at_least=True,
        note=f"promised from {CORES_FOR_TWO} cores on; nodes and server share the cores of this machine",
    )
    yield Figure(name="PostgreSQL, two nodes: rows claimed twice", value=twice, unit="rows", n=due, target=0)
    yield Figure(name="PostgreSQL, two nodes: time spent waiting for locks", value=waits[2], unit="%", n=due,
                 target=LOCK_TARGET)  # fmt: skip
    yield asyncio.run(_taken_over(ground, server))


async def _burst(ground: Ground, server: Postgres, nodes: int, due: int) -> tuple[float, float, int]:
    """Pages a second, percent of the time in locks, and rows that left twice."""
    banks = _together(ground, server, nodes)
    now = SystemClock().now()
    desk = banks[0].desk(ExerciseClock(now))
    at = now + timedelta(seconds=LEAD_SECONDS + nodes * _busy())
    names = plant(desk, [at] * due, 0, now)
    desk.record.close()
    async with AsyncExitStack() as stack:
        for number, bank in enumerate(banks):
            await stack.enter_async_context(running(bank.directory, node=f"n{number}"))
        await asyncio.sleep(max(0.0, (at - SystemClock().now()).total_seconds()))
        with _looking(server, str(banks[0].url)) as looks:
            took = await _until_sent(banks[0], names, at.timestamp())
    return due / took, looks.percent, _sent_twice(banks[0])


def _busy() -> float:
    return 2 * os.getloadavg()[0]


def _together(ground: Ground, server: Postgres, nodes: int, slack_url: str | None = None) -> list[Bank]:
    """As many directories as there are nodes, on one database."""
    url = server.database()
    return [on(found(ground.place(f"node-{number}"), slack_url), url) for number in range(nodes)]


async def _until_sent(bank: Bank, names: list[str], start: float) -> float:
    """Seconds from `start` until all have escalated and nothing waits to be sent. Raises TimeoutError."""
    record = bank.record()
    escalated = sa.select(sa.func.count(sa.distinct(FACT.c.stream))).where(
        FACT.c.kind == "page.escalated", FACT.c.stream.in_(names)
    )
    waiting = sa.select(sa.func.count()).where(OUTBOX.c.state.in_(("queued", "sending")))
    try:
        async with asyncio.timeout(LIMIT_SECONDS):
            while True:
                with record.read() as tx:
                    done = tx.connection.execute(escalated).scalar() == len(names)
                    left = tx.connection.execute(waiting).scalar()
                if done and not left:
                    return SystemClock().now().timestamp() - start
                await asyncio.sleep(0.1)
    finally:
        record.close()


def _sent_twice(bank: Bank) -> int:
    """Rows that more than one fact says were sent: somebody had taken what another had."""
    record = bank.record()
    with record.read() as tx:
        bodies = tx.connection.execute(sa.select(FACT.c.body).where(FACT.c.kind == "message.sent")).scalars()
        keys = [read_fact(body).data.get("key") for body in bodies]
    record.close()
    return len(keys) - len(set(keys))


async def _taken_over(ground: Ground, server: Postgres) -> Figure:
    """The node that delivers to Slack is killed; a page is asked for of the other at that moment."""
    async with FakeSlack() as slack, AsyncExitStack() as stack:
        banks = _together(ground, server, 2, slack.base_url)
        nodes: dict[str, Pager] = {}
        for number, bank in enumerate(banks):
            nodes[f"n{number}"] = await stack.enter_async_context(running(bank.directory, node=f"n{number}"))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        await AlertSource(session, nodes["n0"], slack).milliseconds(1)
        holder = _holder(banks[0])
        left = next(name for name in nodes if name != holder)
        nodes[holder].kill()
        source = AlertSource(session, nodes[left], slack, within=LIMIT_SECONDS)
        took = await source.milliseconds(2)
    return Figure(
        name="PostgreSQL, two nodes: one killed → its pages delivered by the other",
        value=took / 1_000,
        unit="s",
        n=1,
        target=TAKE_OVER_TARGET,
    )


def _holder(bank: Bank) -> str:
    """Which node delivers to Slack. Raises HikeshiError if none does."""
    record = bank.record()
    with record.read() as tx:
        rows = tx.connection.execute(sa.select(LEASE.c.name, LEASE.c.node)).all()
    record.close()
    found_ = [
        node.partition("@")[2] for name, node in rows if name.startswith("deliver ") and "slack" in name
    ]
    if not found_:
        raise HikeshiError(f"nobody has the lease of Slack: {rows}")
    return str(found_[0])
