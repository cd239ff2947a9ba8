"""The war room: the board with 1,000 open incidents, an incident of 10,000 facts, and 200 pages kept open."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from time import perf_counter
from urllib.parse import urlsplit

from benchmarks.bank import ANALYST, Bank, accepted, declare, found
from benchmarks.crowd import plant
from benchmarks.figure import Figure, quantile, spread
from benchmarks.ground import Ground
from benchmarks.long import FACTS, long_incident
from benchmarks.pager import Pager, running
from console.opening import House, open_house
from console.web.sessions import Sessions, cookie_name
from models.clock import ExerciseClock, SystemClock
from models.commands import Note
from models.errors import HikeshiError

OPEN = 1_000
REQUESTS = 60
STREAMS = 200
OF_A_SESSION = 4
FACTS_A_SECOND = 5
SECONDS = 40
FIRST_BYTE_MILLISECONDS = 150
PAGE_KIB = 200
CPU_PERCENT = 20
FACT_SECONDS = 1.0
STOP_SECONDS = 2.0
WARM = 3
_MARK = re.compile(rb"mark (\d+)\.")


def room(ground: Ground) -> Iterator[Figure]:
    """Each on a node in a process of its own, by sessions of the example bank's people."""
    bank = _crowd(ground)
    yield from asyncio.run(_page(bank, "/", f"board, {OPEN:,} open incidents"))
    long, stream = long_incident(ground)
    yield from asyncio.run(_page(long, f"/incidents/{stream}", f"incident page, {FACTS:,} facts"))
    yield from asyncio.run(_live(found(ground.place("live"))))


def _crowd(ground: Ground) -> Bank:
    bank = found(ground.place("board"))
    now = SystemClock().now()
    desk = bank.desk(ExerciseClock(now))
    # Nothing falls due while it is measured: half an hour is left to all of them.
    plant(desk, [now + timedelta(minutes=30)] * (OPEN // 2), OPEN - OPEN // 2, now)
    desk.record.close()
    return bank


# -- pages --------------------------------------------------------------------------------------------------


async def _page(bank: Bank, path: str, what: str) -> list[Figure]:
    house = open_house(bank.directory)
    cookie = f"{cookie_name(house)}={session_of(house, 0)}"
    async with running(bank.directory) as pager:
        cold, size = await first_byte(pager, path, cookie)
        for _ in range(WARM):
            await first_byte(pager, path, cookie)
        took = [(await first_byte(pager, path, cookie))[0] for _ in range(REQUESTS)]
    house.record.close()
    return [
        Figure(
            name=f"{what}: first byte, p95",
            value=quantile(took, 0.95),
            unit="ms",
            n=len(took),
            target=FIRST_BYTE_MILLISECONDS,
            detail=spread(took) | {"first_request": round(cold, 1)},
        ),
        Figure(name=f"{what}: size", value=size / 1_024, unit="KiB", n=1, target=PAGE_KIB),
    ]


def session_of(house: House, number: int) -> str:
    people = [one.id for one in house.institution.organisation.people if one.third_party is None]
    return Sessions(house).open("benchmark", person=people[number % len(people)])


async def first_byte(pager: Pager, path: str, cookie: str) -> tuple[float, int]:
    """Milliseconds until the first byte of the answer, and the bytes of the page."""
    reader, writer = await asyncio.open_connection("127.0.0.1", pager.port)
    start = perf_counter()
    await _ask(writer, pager, path, cookie)
    first = await reader.readexactly(1)
    took = (perf_counter() - start) * 1_000
    whole = first + await reader.read()
    writer.close()
    head, _, body = whole.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise HikeshiError(f"{path}: {head[:100]!r}")
    return took, len(body)


async def _ask(writer: asyncio.StreamWriter, pager: Pager, path: str, cookie: str) -> None:
    host = urlsplit(pager.url).netloc
    lines = (f"GET {path} HTTP/1.1", f"Host: {host}", f"Cookie: {cookie}", "Connection: close", "", "")
    writer.write("\r\n".join(lines).encode())
    await writer.drain()


# -- open pages ---------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class _Watch:
    """When each fact was written, and how long each page waited for it."""

    written: dict[int, float] = field(default_factory=dict)
    waited: list[float] = field(default_factory=list)
    updates: int = 0
    ended: int = 0


async def _live(bank: Bank) -> list[Figure]:
    house = open_house(bank.directory)
    incident = declare(house.desk, "ransomware")
    watch = _Watch()
    async with running(bank.directory) as pager, _looking(pager, house, incident, watch):
        await _write(house, incident, watch, 0, 3.0)  # until all have been given what there is
        watch.waited.clear()
        watch.updates = 0
        before, start = pager.cpu_seconds(), perf_counter()
        await _write(house, incident, watch, 1_000, SECONDS)
        used = 100 * (pager.cpu_seconds() - before) / (perf_counter() - start)
        await asyncio.sleep(1.5)
        stopped = await _stop(pager, watch)
    house.record.close()
    return _figures(watch, used, stopped)


@asynccontextmanager
async def _looking(pager: Pager, house: House, incident: str, watch: _Watch) -> AsyncIterator[None]:
    """Half of the pages are boards, half the incident; each session has a few open."""
    name, tasks = cookie_name(house), []
    for number in range(STREAMS // OF_A_SESSION):
        cookie = f"{name}={session_of(house, number)}"
        for path in ("/live/board", f"/live/incident/{incident}") * (OF_A_SESSION // 2):
            tasks.append(asyncio.create_task(_follow(pager, path, cookie, watch)))
        await asyncio.sleep(0.02)
    await asyncio.sleep(1)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(pager: Pager, path: str, cookie: str, watch: _Watch) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", pager.port, limit=2**20)
    seen = -1
    await _ask(writer, pager, path, cookie)
    while chunk := await reader.read(2**20):
        now = perf_counter()
        watch.updates += b"\nid: " in chunk
        for mark in sorted({int(one) for one in _MARK.findall(chunk)}):
            # A page that is drawn once for several facts shows all of them: each has waited its own time.
            if mark > seen and mark in watch.written:
                watch.waited.append(now - watch.written[mark])
                seen = mark
    watch.ended += 1
    writer.close()


async def _write(house: House, incident: str, watch: _Watch, first: int, seconds: float) -> None:
    """Facts at an even pace, from another process than the node's, as the command line writes them."""
    start = perf_counter()
    for number in range(int(seconds * FACTS_A_SECOND)):
        await asyncio.sleep(max(0.0, start + number / FACTS_A_SECOND - perf_counter()))
        accepted(house.desk.handle(incident, Note(actor=ANALYST, text=f"mark {first + number}.")))
        watch.written[first + number] = perf_counter()


async def _stop(pager: Pager, watch: _Watch) -> float:
    """Seconds until the last page has been let go, from the signal on."""
    start = perf_counter()
    pager.terminate()
    async with asyncio.timeout(20):
        while watch.ended < STREAMS:
            await asyncio.sleep(0.01)
    return perf_counter() - start


def _figures(watch: _Watch, used: float, stopped: float) -> list[Figure]:
    what = f"{STREAMS} open pages, {FACTS_A_SECOND} facts/s for {SECONDS} s"
    waited = watch.waited or [float("inf")]
    return [
        Figure(
            name=f"{what}: CPU of the node, of a core", value=used, unit="%", n=SECONDS, target=CPU_PERCENT
        ),
        Figure(
            name=f"{what}: fact → page, p95",
            value=quantile(waited, 0.95),
            unit="s",
            n=len(waited),
            target=FACT_SECONDS,
            detail=spread(waited)
            | {"updates_a_second_and_page": round(watch.updates / STREAMS / SECONDS, 2)},
        ),
        Figure(
            name=f"{what}: all let go after SIGTERM", value=stopped, unit="s", n=STREAMS, target=STOP_SECONDS
        ),
    ]
