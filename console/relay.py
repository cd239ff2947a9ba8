"""The second path in a node: each sink at its own pace, beside the pager and never in its way.

Reading and sending happen in a thread of the sink's own; only the cursor is written by the node's writer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import make_url, select

from console.opening import House, secrets_of
from console.web.running import Run
from models.commands import Actor, Impair
from models.errors import BadConfiguration, HikeshiError
from models.lease import take
from models.record import RELAY
from models.relaying import PREFIX, RelaySink, pause_seconds
from models.state import House as HouseState
from models.supervised import attempt, attempt_async, forever, wait
from notifiers.hold import Hold
from notifiers.leases import Leases
from notifiers.relay.building import build
from notifiers.relay.carrier import Carrier
from notifiers.relay.sink import Batch
from notifiers.relay.source import SINK, backlog, mark

LOCK = "relay.lock"
RELAYING = "relay"
"""The lease of whoever sends, where several machines share the record."""
BY_HAND_SECONDS = 300.0
MAX_BATCHES = 10_000
HOUSE = "house"


class RelayBusy(HikeshiError):
    """Another process sends already; it goes on by itself."""


def hold_of(url: str, data: Path | None = None) -> Hold:
    """The right to send on this machine: two processes would write two segments of the same facts."""
    beside = Hold.beside(url, data)
    return Hold(None if beside.path is None else beside.path.with_name(LOCK))


def carrier_of(house: House, settings: RelaySink) -> Carrier:
    """One sink of this house. Raises BadConfiguration."""
    directory = house.institution.directory
    sink = build(settings, directory, secrets_of(directory), house.desk.clock)
    return Carrier(settings.name, sink, house.record.another(), house.desk.clock)


class Relays:
    """All sinks of a node."""

    def __init__(self, house: House, run: Run) -> None:
        self._house, self._run = house, run
        self._settings = house.institution.settings.relay
        self._problems: dict[str, str] = {}
        self._hold = hold_of(house.record.url, house.data)
        self.standings: dict[str, Carrier] = {}

    def problems(self) -> dict[str, str]:
        """What is not in order, for health; what lasts is a fact of the house besides."""
        failing = {
            f"{PREFIX}{name}": f"{one.standing.error} ({one.standing.pending} facts wait)"
            for name, one in self.standings.items()
            if one.standing.error
        }
        return self._problems | failing

    def waiting(self) -> dict[str, int]:
        """How many facts each sink has not had, as it last knew."""
        return {name: one.standing.pending for name, one in self.standings.items()}

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`."""
        if self._settings and not make_url(self._house.record.url).database:
            self._problems["relay"] = "a record in memory has no second path"
        elif self._settings:
            await forever("relay", stop, partial(self._all, stop))
        await stop.wait()

    async def _all(self, stop: asyncio.Event) -> None:
        while not await asyncio.to_thread(self._hold.take):
            # Somebody sends by hand at this moment.
            if await wait(stop, 1.0):
                return
        try:
            await asyncio.gather(*(self._keep(one, stop) for one in self._settings))
        finally:
            self._hold.release()

    async def _keep(self, settings: RelaySink, stop: asyncio.Event) -> None:
        try:
            carrier = carrier_of(self._house, settings)
        except BadConfiguration as missing:
            self._problems[f"{PREFIX}{settings.name}"] = str(missing)
            await self._tell(settings, str(missing), mended=False)
            return
        self.standings[settings.name] = carrier
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"relay-{settings.name}")
        try:
            while not stop.is_set():
                await self._turn(settings, carrier, thread)
                await wait(stop, pause_seconds(carrier.standing, settings.every))
        finally:
            thread.submit(carrier.close)
            thread.shutdown(wait=False)

    async def _turn(self, settings: RelaySink, carrier: Carrier, thread: ThreadPoolExecutor) -> None:
        """Everything that waits, batch by batch, and what has to be said about it."""
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(thread, carrier.something_new):
            for _ in range(MAX_BATCHES):
                tried = await attempt_async(
                    f"{PREFIX}{carrier.name}", partial(loop.run_in_executor, thread, carrier.carry)
                )
                if tried.value is None:
                    failed = partial(carrier.failed, tried.error or HikeshiError("-"), self._now())
                    await attempt_async(PREFIX, partial(loop.run_in_executor, thread, failed))
                    await self._first_failure(carrier)
                    break
                if not await self._mark(carrier, tried.value) or not tried.value.more:
                    break
        await self._judge(settings, carrier)

    async def _first_failure(self, carrier: Carrier) -> None:
        """Where `hikeshi relay status` finds it; the next mark takes it away."""
        if carrier.standing.tries == 1:
            note = partial(_note, self._house, carrier.name, carrier.standing.error)
            await attempt_async(PREFIX, partial(self._run, note))

    async def _mark(self, carrier: Carrier, batch: Batch) -> bool:
        """Whether the cursors are stored; if not, the batch goes again."""
        if batch.lines:
            write = partial(_mark, self._house, carrier, batch)
            tried = await attempt_async(PREFIX, partial(self._run, write))
            if tried.error is not None:
                return False
        carrier.marked(batch)
        return True

    async def _judge(self, settings: RelaySink, carrier: Carrier) -> None:
        standing = carrier.standing
        if standing.is_late(self._now(), settings.late_after):
            why = standing.error or "takes facts more slowly than they are written"
            await self._tell(settings, f"{why} ({standing.pending} facts wait)", mended=False)
        elif standing.behind_since is None:
            await self._tell(settings, "", mended=True)

    async def _tell(self, settings: RelaySink, detail: str, *, mended: bool) -> None:
        tell = partial(_impair, self._house, f"{PREFIX}{settings.name}", detail, mended)
        await attempt_async(PREFIX, partial(self._run, tell))

    def _now(self) -> datetime:
        return self._house.desk.clock.now()


def _mark(house: House, carrier: Carrier, batch: Batch) -> None:
    with house.record.begin() as tx:
        mark(tx, carrier.name, batch.cursors, house.desk.clock.now())


def _impair(house: House, what: str, detail: str, mended: bool) -> None:
    """Said once: a command that changes nothing costs a transaction, so the state is asked first."""
    state = house.desk.state(HOUSE)
    known = isinstance(state, HouseState) and what in state.impaired
    if known is mended:
        command = Impair(actor=Actor.machine("relay"), what=what, detail=detail, mended=mended)
        house.desk.handle(HOUSE, command)


# -- by hand ------------------------------------------------------------------------------------------------


@contextmanager
def sending(house: House) -> Iterator[None]:
    """The right to send, for as long as the block lasts. Raises RelayBusy if a node has it."""
    busy = RelayBusy("a node sends already; `hikeshi relay status` says how far it has come")
    hold, leases = hold_of(house.record.url, house.data), Leases.for_once(house.record)
    if not hold.take():
        raise busy
    try:
        with house.record.begin() as tx:
            now = house.desk.clock.now()
            if leases.shared and not take(tx, RELAYING, leases.life, now, BY_HAND_SECONDS):
                raise busy
        yield
    finally:
        if leases.shared:
            with house.record.begin() as tx:
                leases.give_back(tx)
        hold.release()


def flush(house: House, settings: RelaySink) -> tuple[int, str]:
    """Send everything that waits, now; how many facts went, and what kept the rest here."""
    sent = 0
    carrier = carrier_of(house, settings)
    try:
        for _ in range(MAX_BATCHES):
            tried = attempt(f"{PREFIX}{settings.name}", carrier.carry)
            if tried.value is None:
                carrier.failed(tried.error or HikeshiError("-"), house.desk.clock.now())
                _note(house, settings.name, carrier.standing.error)
                return sent, carrier.standing.error
            batch = tried.value
            if batch.lines:
                _mark(house, carrier, batch)
            carrier.marked(batch)
            sent += sum(line.t == "fact" for line in batch.lines)
            if not batch.more:
                break
        _impair(house, f"{PREFIX}{settings.name}", "", True)
    finally:
        carrier.close()
    return sent, ""


def _note(house: House, name: str, error: str) -> None:
    with house.record.begin() as tx:
        mark(tx, name, {}, house.desk.clock.now(), error)


def status(house: House) -> list[dict[str, Any]]:
    """How far each sink has come."""
    found: list[dict[str, Any]] = []
    with house.record.read() as tx:
        for one in house.institution.settings.relay:
            row = tx.connection.execute(
                select(RELAY.c.at, RELAY.c.error).where(RELAY.c.sink == one.name, RELAY.c.stream == SINK)
            ).first()
            found.append(
                {
                    "name": one.name,
                    "kind": one.kind,
                    "texts": one.texts,
                    "sealed": bool(getattr(one, "seal_to", ())),
                    "pending": backlog(tx, one.name),
                    "marked_at": row[0] if row else None,
                    "error": row[1] if row else "",
                }
            )
    return found


def place_of(settings: RelaySink, directory: Path) -> str:
    """Where a sink lies, for people; never a secret."""
    if settings.kind == "folder":
        return str(directory / settings.path)
    if settings.kind == "syslog":
        return f"{settings.host}:{settings.port}{'' if settings.tls else ' (no TLS)'}"
    return f"{settings.endpoint.rstrip('/')}/{settings.bucket}/{settings.prefix}"


def instant(stamp: int | None) -> datetime | None:
    """An instant of the table, which counts microseconds."""
    return datetime.fromtimestamp(stamp / 1_000_000, UTC) if stamp else None
