"""A storm: a thousand alerts a second for ten seconds, each another matter, from another process by HTTP.

Counted in the record afterwards: nothing that was answered with 202 may be missing. The clock of the first
page starts before the first request leaves. Besides: what the mapping of one alert costs.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from time import monotonic, perf_counter

from benchmarks.bank import SECRETS, Bank, alert_body, found
from benchmarks.figure import Figure, quantile, spread
from benchmarks.ground import Ground
from benchmarks.pager import Pager, running
from models.alerts import read_alerts
from models.clock import SystemClock
from models.errors import HikeshiError
from notifiers.slack.fake import FakeSlack

PER_SECOND, SECONDS = 1_000, 10
CONNECTIONS = 40
FIRST_PAGE_TARGET, MAPPING_TARGET = 250, 1
MAPPED = 2_000
STORM_FROM = 20
LIMIT_SECONDS = 60


def intake(ground: Ground) -> Iterator[Figure]:
    """The storm, and the mapping."""
    yield _mapping(ground)
    yield from asyncio.run(_storm(ground))


def _mapping(ground: Ground) -> Figure:
    house = found(ground.place("mapping")).institution()
    source = house.intake.sources[0]
    now = SystemClock().now()
    bodies = [alert_body(number, now) for number in range(MAPPED)]
    values = []
    # The playbooks are read when they are first asked for.
    read_alerts(source, bodies[0], house.organisation, house.playbooks, now, house.policy.severity)
    for body in bodies:
        start = perf_counter()
        read_alerts(source, body, house.organisation, house.playbooks, now, house.policy.severity)
        values.append((perf_counter() - start) * 1_000)
    return Figure(
        name="mapping of an alert, p95",
        value=quantile(values, 0.95),
        unit="ms",
        n=len(values),
        target=MAPPING_TARGET,
        detail=spread(values),
    )


async def _storm(ground: Ground) -> list[Figure]:
    async with FakeSlack() as slack:
        bank = _calm(found(ground.place("storm"), slack.base_url))
        async with running(bank.directory) as pager:
            load = _Load(pager)
            before = pager.cpu_seconds()
            async with asyncio.timeout(LIMIT_SECONDS):
                await load.run()
            start, took = load.start, monotonic() - load.start
            cpu = pager.cpu_seconds() - before
            await asyncio.sleep(1)
            pages = [post.at for post in slack.posts if post.address.startswith("U")]
    if not pages:
        raise HikeshiError("the storm paged nobody")
    stored, incidents = _stored(bank)
    lost = len(load.milliseconds) - stored
    return [
        Figure(name="storm: alerts taken in, a second", value=stored / took, unit="/s", n=stored,
               target=PER_SECOND * 0.99, at_least=True,
               detail={"incidents": incidents, "refused": load.refused, "cpu_seconds": round(cpu, 2)}),
        Figure(name="storm: answered 202 and not in the record", value=lost, unit="", n=stored, target=0),
        Figure(name="storm: alerts refused", value=load.refused, unit="", n=PER_SECOND * SECONDS, target=0),
        Figure(name="storm: first page at the receiver", value=(pages[0] - start) * 1_000, unit="ms", n=1,
               target=FIRST_PAGE_TARGET, detail={"messages": len(pages)}),
        Figure(name="storm: answer to the sender, p95", value=quantile(load.milliseconds, 0.95), unit="ms",
               n=len(load.milliseconds), detail=spread(load.milliseconds)),
    ]  # fmt: skip


def _calm(bank: Bank) -> Bank:
    """With the shipped limit for storms, whatever the limit for a minute was raised to."""
    path = bank.directory / "intake.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("per_minute: 100000", f"per_minute: 100000\n    storm_from: {STORM_FROM}", 1),
        encoding="utf-8",
    )
    return bank


def _stored(bank: Bank) -> tuple[int, int]:
    """Alerts in the record, each with its bytes; and incidents."""
    connection = sqlite3.connect(bank.database)
    try:
        [kept] = connection.execute(
            "select count(distinct document) from alert join document on digest = document"
        ).fetchone()
        [incidents] = connection.execute("select count(*) from stream where kind = 'incident'").fetchone()
    finally:
        connection.close()
    return int(kept), int(incidents)


class _Load:
    """Posts on a fixed schedule over kept connections, as small in this process as can be."""

    def __init__(self, pager: Pager) -> None:
        self._pager = pager
        now = SystemClock().now()
        self._bodies = [alert_body(number, now) for number in range(PER_SECOND * SECONDS)]
        self.start = 0.0
        self.milliseconds: list[float] = []
        self.refused = 0
        self._next = iter(range(PER_SECOND * SECONDS))

    async def run(self) -> None:
        """All of them."""
        self.start = monotonic()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(CONNECTIONS):
                tasks.create_task(self._connection())

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._pager.port)
        for number in self._next:
            due = self.start + number / PER_SECOND
            if (wait := due - monotonic()) > 0:
                await asyncio.sleep(wait)
            sent = monotonic()
            writer.write(_request(self._bodies[number]))
            status = await _answer(reader)
            if status == b"202":
                self.milliseconds.append((monotonic() - sent) * 1_000)
            else:
                self.refused += 1
        writer.close()
        await writer.wait_closed()


def _request(body: bytes) -> bytes:
    head = (
        "POST /api/alerts/wazuh HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {SECRETS['HIKESHI_WAZUH_SECRET']}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """The status; the body is read to its end. Raises HikeshiError if the pager hangs up."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as gone:
        raise HikeshiError("the pager hung up in the middle of the storm") from gone
    length = next(
        int(line.split(b":", 1)[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    await reader.readexactly(length)
    return head.split(b" ", 2)[1]
