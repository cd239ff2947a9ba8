"""What the stored past costs an open incident: the same work on a young record and on one of many years.

Two banks with the same open incidents, each with a running pager; one has 10,000 full closed incidents and a
million skeletons besides. Everything is measured in turn on both, so that both see the same machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter

import aiohttp

from benchmarks.alert import AlertSource
from benchmarks.bank import ANALYST, Bank, accepted, found
from benchmarks.crowd import plant
from benchmarks.figure import Figure, quantile
from benchmarks.ground import Ground, settle
from benchmarks.pager import Pager, running
from benchmarks.past import load_past
from benchmarks.room import first_byte, session_of
from console.opening import open_house
from console.web.sessions import cookie_name
from models.clock import ExerciseClock, SystemClock
from models.commands import Acknowledge, Note
from models.desk import Desk
from models.record import Record
from notifiers.claims import Claims
from notifiers.leases import Leases
from notifiers.slack.fake import FakeSlack

FULL, SKELETONS = 10_000, 1_000_000
QUICK_FULL, QUICK_SKELETONS = 200, 20_000
OPEN = 100
COMMANDS, LOOKS, PAGES, ALERTS, QUICK_ALERTS, WARM = 200, 200, 40, 25, 10, 4
TARGET_PERCENT = 110
_Values = dict[str, list[float]]


@dataclass(frozen=True, kw_only=True)
class _Place:
    """One of the two banks."""

    name: str
    bank: Bank
    slack: FakeSlack
    names: Sequence[str]


def growth(ground: Ground) -> Iterator[Figure]:
    """Loading, then the commands and looks at a desk, then pages and boards of running nodes."""
    yield from asyncio.run(_measured(ground))


async def _measured(ground: Ground) -> list[Figure]:
    full, skeletons = ground.some(FULL, QUICK_FULL), ground.some(SKELETONS, QUICK_SKELETONS)
    async with FakeSlack() as one, FakeSlack() as other:
        places = [_place(ground, "young", one), _place(ground, "grown", other)]
        start = perf_counter()
        load_past(places[1].bank, SystemClock().now(), full, skeletons)
        took = perf_counter() - start
        values = _in_turn({place.name: _at_desks(place) for place in places})
        for name, found_values in (await _at_nodes(ground, places)).items():
            values[name].update(found_values)
        size = places[1].bank.database.stat().st_size / 2**30
    n = full + skeletons
    return [
        Figure(name="growth: closed incidents bulk-loaded", value=n, unit="", n=n,
               detail={"full": full, "skeletons": skeletons, "seconds": round(took)}),
        Figure(name="growth: the record on the disk", value=size, unit="GiB", n=n),
        *(_figure(what, values) for what in values["young"]),
    ]  # fmt: skip


def _figure(what: str, values: dict[str, _Values]) -> Figure:
    young, grown = (quantile(values[name][what], 0.5) for name in ("young", "grown"))
    return Figure(
        name=f"growth: {what}, with the stored past, of without",
        value=100 * grown / young,
        unit="%",
        n=len(values["grown"][what]),
        target=TARGET_PERCENT,
        detail={"without_ms": round(young, 3), "with_ms": round(grown, 3)},
        note=f"{young:.2f} → {grown:.2f} ms (medians)",
    )


def _place(ground: Ground, name: str, slack: FakeSlack) -> _Place:
    bank, now = found(ground.place(name), slack.base_url), SystemClock().now()
    desk = bank.desk(ExerciseClock(now))
    names = plant(desk, [now + timedelta(minutes=30)] * OPEN, 0, now)
    desk.record.close()
    return _Place(name=name, bank=bank, slack=slack, names=names)


# -- at a desk ----------------------------------------------------------------------------------------------

_Work = dict[str, Callable[[], float]]


def _at_desks(place: _Place) -> _Work:
    """What can be done once, by name; each returns its milliseconds."""
    desk = place.bank.desk()
    # A connection of its own: the pager claims while commands are written.
    record = Record.at(place.bank.database)
    claims = Claims(record, Leases.for_once(record), {}, {})
    acks, notes = iter(place.names), iter(list(place.names) * COMMANDS)
    return {
        "a note on an open incident": lambda: _timed(
            lambda: accepted(desk.handle(next(notes), Note(actor=ANALYST, text="x")))
        ),
        "an acknowledgement": lambda: _timed(
            lambda: accepted(desk.handle(next(acks), Acknowledge(actor=ANALYST)))
        ),
        "the look for what is due": lambda: _timed(lambda: _due(desk)),
        "the look for messages to claim": lambda: _timed(
            lambda: claims.take(0, (), set(), {}, lambda queue: queue)
        ),
    }


def _due(desk: Desk) -> None:
    with desk.record.read() as tx:
        tx.due_streams(desk.clock.now(), 200)
        tx.earliest_due()


def _timed(call: Callable[[], object]) -> float:
    start = perf_counter()
    call()
    return (perf_counter() - start) * 1_000


def _in_turn(works: dict[str, _Work]) -> dict[str, _Values]:
    """Each piece of work on one, then on the other."""
    values: dict[str, _Values] = {name: {} for name in works}
    for what in works["young"]:
        settle()
        times = OPEN if what == "an acknowledgement" else COMMANDS
        for number in range(times):
            for name, work in works.items():
                took = work[what]()
                if number >= WARM:
                    values[name].setdefault(what, []).append(took)
    return values


# -- of running nodes ---------------------------------------------------------------------------------------


async def _at_nodes(ground: Ground, places: Sequence[_Place]) -> dict[str, _Values]:
    values: dict[str, _Values] = {place.name: {} for place in places}
    async with AsyncExitStack() as stack:
        pagers = {
            place.name: await stack.enter_async_context(running(place.bank.directory)) for place in places
        }
        session = await stack.enter_async_context(aiohttp.ClientSession())
        sources = {place.name: AlertSource(session, pagers[place.name], place.slack) for place in places}
        cookies = {place.name: _cookie(place) for place in places}
        for number in range(WARM + ground.some(ALERTS, QUICK_ALERTS)):
            for place in places:
                took = await sources[place.name].milliseconds(number)
                if number >= WARM:
                    values[place.name].setdefault("alert → first page", []).append(took)
        for what, path in (("the board", "/"), ("an open incident's page", "/incidents/{name}")):
            for number in range(WARM + PAGES):
                for place in places:
                    took = await _page(pagers[place.name], path, place, cookies[place.name])
                    if number >= WARM:
                        values[place.name].setdefault(what, []).append(took)
    return values


def _cookie(place: _Place) -> str:
    house = open_house(place.bank.directory)
    cookie = f"{cookie_name(house)}={session_of(house, 0)}"
    house.record.close()
    return cookie


async def _page(pager: Pager, path: str, place: _Place, cookie: str) -> float:
    return (await first_byte(pager, path.format(name=place.names[0]), cookie))[0]
