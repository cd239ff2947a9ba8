"""The same while two Prefect flows run: a page does not wait for Prefect, and hardly for the processor."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import sqlalchemy as sa

from benchmarks.alert import AlertSource, figures
from benchmarks.bank import Bank, declare, found
from benchmarks.figure import Figure
from benchmarks.ground import Ground
from benchmarks.machine import PLAYBOOK, equip, prefect
from benchmarks.pager import running
from console.opening import DIRECTORY_VARIABLE
from models.errors import HikeshiError
from models.fact import read_fact
from models.record import FACT, Record
from notifiers.slack.fake import FakeSlack

INCIDENTS = 100
BUSY_INCIDENTS = 8
P95_TARGET = 100
BEGIN_WITHIN_SECONDS = 60.0
STOP_WITHIN_SECONDS = 10


def alert_busy(ground: Ground) -> Iterator[Figure]:
    """A real conductor with two children works through incidents of 200 ready steps, each starting a program.

    Each new incident wants a run of its own besides.
    """
    values, share = asyncio.run(_measured(ground))
    for figure in figures("alert → first page while two Prefect flows run", values, None, P95_TARGET):
        figure.detail["steps_done_by_prefect_meanwhile"] = share
        yield figure


async def _measured(ground: Ground) -> tuple[list[float], int]:
    async with FakeSlack() as slack:
        bank = found(ground.place("busy"), slack.base_url)
        equip(bank)
        streams = _incidents(bank)
        async with (
            prefect(ground.place("prefect-busy")) as server,
            running(bank.directory) as pager,
            aiohttp.ClientSession() as session,
            _conductor(bank, server.environment),
        ):
            source = AlertSource(session, pager, slack)
            await _begun(bank, streams)
            before = _done(bank, streams)
            values = [await source.milliseconds(number) for number in range(INCIDENTS)]
            during = _done(bank, streams) - before
    if not during:
        raise HikeshiError("no flow ran while the alerts came: nothing was measured")
    return values, during


def _incidents(bank: Bank) -> list[str]:
    """Open incidents for the conductor; their own pages were for nobody."""
    desk = bank.desk()
    names = [declare(desk, PLAYBOOK) for _ in range(BUSY_INCIDENTS)]
    with desk.record.begin() as tx:
        tx.connection.execute(sa.text("update outbox set state = 'withdrawn'"))
    desk.record.close()
    return names


@asynccontextmanager
async def _conductor(bank: Bank, environment: Mapping[str, str]) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "flows.conductor",
        env={**environment, DIRECTORY_VARIABLE: str(bank.directory)},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _begun(bank: Bank, streams: list[str]) -> None:
    """Until two flows have done something. Raises TimeoutError."""
    async with asyncio.timeout(BEGIN_WITHIN_SECONDS):
        while len(_at_work(bank, streams)) < 2:
            await asyncio.sleep(0.2)


def _at_work(bank: Bank, streams: list[str]) -> dict[str, int]:
    """Steps that ran through Prefect, by incident."""
    record = Record.at(bank.database)
    with record.read() as tx:
        rows = tx.connection.execute(
            sa.select(FACT.c.body).where(FACT.c.kind == "step.done", FACT.c.stream.in_(streams))
        )
        facts = [read_fact(row[0]) for row in rows]
    record.close()
    counts: dict[str, int] = {}
    for fact in facts:
        if fact.data.get("engine") == "prefect":
            counts[fact.stream] = counts.get(fact.stream, 0) + 1
    return counts


def _done(bank: Bank, streams: list[str]) -> int:
    return sum(_at_work(bank, streams).values())
