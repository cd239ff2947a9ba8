"""The pager: one process that takes alerts and acknowledgements, watches the time and delivers the outbox.

It never imports Prefect: a page never waits for it (design, 4).
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import uvicorn
from sqlalchemy import select

from console import logs
from console.beside import Beside
from console.heartbeat import Heartbeat
from console.leash import stop_on_signals
from console.living import KIND, Living
from console.lookout import note_conductor, note_pagers, standing
from console.opening import House, find_directory, open_house, secrets_of
from console.reach import Reach
from console.reading import redacted, restricted
from console.reckoner import Reckoner
from console.serving import Quiet
from console.standing_down import LINGER_SECONDS, ended_by, said_of
from console.watch import Watch
from console.web.changes import Changes
from models.clock import Clock, from_micros, monotonic
from models.commands import Actor, NodeFact
from models.desk import HOUSE
from models.errors import BadConfiguration, HikeshiError, RecordError, RecordTooNew, Superseded
from models.node import last_beat
from models.premises import Outcome
from models.record import STREAM, micros
from models.release import VERSION
from models.state import House as HouseState
from models.succession import must_be_ours
from models.supervised import attempt, attempt_async, forever, wait
from notifiers import build
from notifiers.message import Notifier
from notifiers.outbox import Outbox
from notifiers.pacing import Pace
from notifiers.trust import guarded

if TYPE_CHECKING:
    from console.drill.pilot import Pilot
    from console.slack.wing import Wing
    from console.web.front import Front

T = TypeVar("T")
log = logging.getLogger("hikeshi.node")
BEAT_SECONDS = 2.0
LOOK_SECONDS = 0.05
OUTAGE_AFTER = timedelta(seconds=30)
LATE_SECONDS = 5.0
STUCK_PAGE_SECONDS = 60.0
STALLED_SECONDS = 15.0
"""A watch or an outbox that has looked through nothing for so long stands still."""


def _signing_key(house: House) -> bytes:
    """As `signing_key`, whose module is loaded when it is needed."""
    from console.web.links import signing_key  # noqa: PLC0415

    return signing_key(house)


class Node:
    """Pager, watch, outbox and pages of one installation, on one writer thread."""

    def __init__(
        self,
        house: House,
        notifiers: dict[str, Notifier] | None = None,
        pace: Pace | None = None,
        port: int | None = None,
        *,
        conductor_apart: bool = True,
    ) -> None:
        """`conductor_apart` False: whoever runs this node runs the conductor's work by hand (the demo)."""
        settings = house.institution.settings
        self.house = house
        self.port = settings.port if port is None else port
        secrets = secrets_of(house.institution.directory)
        self.notifiers = notifiers or build(
            settings, secrets, house.data, partial(_signing_key, house), drill=house.drill is not None
        )
        self.writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self.watch = Watch(house.desk, self.run_in_writer)
        self.outbox = Outbox(
            house.desk,
            guarded(self.notifiers, partial(self.run_in_writer, house.desk.distrusted)),
            self.run_in_writer,
            link=self.link,
            fallback=settings.fallback,
            pace=pace,
        )
        self.reach = Reach(house.desk)
        self.living = Living(house, self.outbox.holding, self.outbox.pace.lease)
        self.outbox.hold = self.living.hold
        self.beside = Beside(house, self.run_in_writer, self.living.leases, self.outbox.wake)
        self.wing: Wing | None = None
        self.front: Front | None = None
        self.changes = Changes()
        self.stop = asyncio.Event()
        self.ready = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._impaired: dict[str, str] = {}
        self._ousted: HikeshiError | None = None
        self._standing: dict[str, Any] = {}
        if house.institution.playbooks.left_out:
            files = sorted({Path(one.file).name for one in house.institution.playbooks.left_out})
            self._impaired["playbooks"] = (
                f"left out because of defects: {', '.join(files)}; run `hikeshi check`"
            )
        if house.defects:
            self._impaired["configuration"] = f"the last sound files are used: {house.defects[0]}"
        self._base_url = (settings.public_url or "").rstrip("/")
        self._key = b""
        self._resting = asyncio.Event()
        # In a drill the machine's seconds say nothing about the story's: the time waits for the conductor.
        self._conductor_apart = conductor_apart and house.drill is None
        self._started_at = house.wall.now()
        self.pilot = self._pilot()

    def _pilot(self) -> Pilot | None:
        """What moves the time of a drill; None in production."""
        if self.house.drill is None:
            return None
        from console.drill.acting import pilot_of  # noqa: PLC0415 - only where something is played

        return pilot_of(self.house, self.run_in_writer, self._wake)

    def _wake(self) -> None:
        """Something is due, or was written; from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.watch.wake)
            self._loop.call_soon_threadsafe(self.outbox.wake)

    async def run_in_writer(self, call: Callable[[], T]) -> T:
        """Run `call` in the one thread that touches the record."""
        return await asyncio.get_running_loop().run_in_executor(self.writer, copy_context().run, call)

    def link(self, stream: str, page: int, person: str, channel: str) -> str:
        """The signed page of a matter for one person, sent over this channel."""
        from console.web.links import sign  # noqa: PLC0415 - the web is imported with the server

        if not self._base_url:
            return ""
        now = self.house.desk.clock.now()
        return f"{self._base_url}/p/{sign(self._key, stream, page, person, now, channel=channel)}"

    # -- running --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until `stop` is set.

        Raises HikeshiError if another pager delivers for this record, the port is taken, or the record
        cannot be used.
        """
        if not self.outbox.hold.take():
            holder = self.outbox.hold.holder() or "unknown"
            raise HikeshiError(
                f"a pager runs already for this record (process {holder}); stop that one first"
            )
        try:
            await self._run()
        finally:
            self.outbox.hold.release()

    async def _run(self) -> None:
        from notifiers.rendering import warm  # noqa: PLC0415

        self._loop = asyncio.get_running_loop()
        self.changes.begin()
        self.house.record.hand_over()
        self._key = _signing_key(self.house)
        self._open_wing()
        server = self._server()
        await self.run_in_writer(self._start)
        self.house.desk.after_commit.append(self._stored)
        warm()
        serving = asyncio.create_task(self._serve(server))
        tasks = [
            serving,
            asyncio.create_task(self.watch.run(self._resting)),
            asyncio.create_task(Reckoner(self.house.desk, self.run_in_writer).run(self._resting)),
            asyncio.create_task(self.outbox.run(self._resting)),
            asyncio.create_task(forever("beat", self.stop, self._beat)),
            asyncio.create_task(forever("look", self.stop, self._look, LOOK_SECONDS)),
            asyncio.create_task(
                Heartbeat(self.house.institution.settings, self.run_in_writer, self.status).run(self.stop)
            ),
            *self._of_its_kind(),
            *self._in_slack(),
            *self.beside.tasks(self.stop),
        ]
        stopped = asyncio.create_task(self.stop.wait())
        try:
            # None of them ends by itself: a pager without its outbox or its watch had better be started anew.
            await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
            if isinstance(self._ousted, RecordTooNew):
                await wait(self.stop, LINGER_SECONDS)
            if self._ousted is not None:
                raise self._ousted
            for task in tasks:
                if task.done() and not self.stop.is_set():
                    raise HikeshiError(f"a part of the pager has ended: {task.exception()}")
        finally:
            await self._end(server, tasks)

    def _of_its_kind(self) -> list[asyncio.Task[None]]:
        """What only production does, or only a drill."""
        if self.pilot is not None:
            return [asyncio.create_task(self.pilot.run(self.stop))]
        return self.beside.of_production(self.stop, self.notifiers)

    def _in_slack(self) -> list[asyncio.Task[None]]:
        if self.wing is None:
            return []
        return [asyncio.create_task(self.living.leases.while_ours("slack", self.stop, self.wing.run))]

    async def _end(self, server: uvicorn.Server, tasks: list[asyncio.Task[None]]) -> None:
        self.stop.set()
        self._resting.set()
        self.watch.wake()
        # Open pages first: a server waits for them before it ends.
        self.changes.close()
        server.should_exit = True
        await asyncio.wait(tasks, timeout=3)
        for task in tasks:
            task.cancel()
        if self.wing is not None:
            await self.wing.close()
        for notifier in self.notifiers.values():
            await attempt_async("close", notifier.close)
        note = NodeFact(actor=Actor.machine("node"), what="stopped", node=self.living.name)
        await attempt_async("stop", partial(self.run_in_writer, partial(self.house.desk.handle, HOUSE, note)))
        await attempt_async("stop", partial(self.run_in_writer, self.living.end))
        if self.front is not None:
            self.front.close()
        self.writer.shutdown(wait=True)
        self.house.record.close()

    def _start(self) -> None:
        """Register, and say if nobody watched for a while: what is late then says why."""
        desk = self.house.desk
        silence = self.living.begin()
        # Without its node the time of a drill stands still: nothing came late.
        if silence is not None and silence[1] - silence[0] > OUTAGE_AFTER and self.pilot is None:
            self._note("outage", since=silence[0], until=silence[1])
        self._note("started")
        desk.state(HOUSE)

    def _note(self, what: Any, **more: Any) -> None:
        note = NodeFact(actor=Actor.machine("node"), what=what, node=self.living.name, **more)
        self.house.desk.handle(HOUSE, note)

    def _stored(self, outcome: Outcome) -> None:
        self.changes.stored(outcome)
        if self._loop is None or self._loop.is_closed():
            return
        if outcome.queued:
            self._loop.call_soon_threadsafe(self.outbox.wake)
        if self.wing is not None:
            streams = [outcome.stream, *(fact.stream for fact in outcome.facts)]
            self._loop.call_soon_threadsafe(self.wing.stored, streams, outcome.kinds())
        # A due time is never closer than seconds: the page leaves first.
        self._loop.call_soon_threadsafe(self._loop.call_later, 0.05, self.watch.wake)

    # -- the server -----------------------------------------------------------------------------------------

    def _server(self) -> uvicorn.Server:
        from console.web.app import create_app  # noqa: PLC0415 - fastapi is needed by this process alone
        from console.web.front import Front  # noqa: PLC0415

        self.front = Front(self.house, self._stored)
        app = create_app(
            self.house,
            self.outbox.wake,
            self.run_in_writer,
            self.status,
            station=replace(self.front.station(self.changes), status=lambda: self._standing),
        )
        if self.wing is not None and self.wing.http is not None:
            app.router.add_route(self.wing.path, self.wing.http.post, methods=["POST"])
        host = self.house.institution.settings.host
        config = uvicorn.Config(
            app,
            host=host,
            port=self.port,
            log_level="warning",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        return Quiet(config)

    async def _serve(self, server: uvicorn.Server) -> None:
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():
            await asyncio.sleep(0.005)
        if serving.done():
            failed = serving.exception()
            raise HikeshiError(f"cannot listen on port {self.port}: {failed}; choose another with --port")
        sockets = [sock for one in server.servers for sock in one.sockets]
        self.port = sockets[0].getsockname()[1]
        if not self._base_url:
            self._base_url = f"http://{self.house.institution.settings.host}:{self.port}"
        self.ready.set()
        self.outbox.wake()
        await serving

    # -- keeping an eye on itself ---------------------------------------------------------------------------

    async def _beat(self) -> None:
        if self._ousted is None:
            try:
                await self.run_in_writer(self._beat_once)
            except RecordTooNew as newer:
                self._stand_down(newer)
        await wait(self.stop, BEAT_SECONDS)

    def _stand_down(self, newer: RecordTooNew) -> None:
        """Another version has taken the record over: watch and deliver no more, and say so."""
        self._ousted = newer
        self._standing |= {"status": "impaired", "impaired": said_of(newer)}
        self._resting.set()
        self._wake()
        self.changes.look()

    def _beat_once(self) -> None:
        until = self.living.leases.until()
        try:
            with self.house.record.begin() as tx:
                must_be_ours(tx)
                self.living.beat(tx)
                now = from_micros(tx.instant(self.house.wall.now()))
                names, rows = self.outbox.holding.renew_in(tx)
                conductor = last_beat(tx, "conductor")
                waiting = tx.connection.execute(
                    select(STREAM.c.id)
                    .where(STREAM.c.kind == "incident", STREAM.c.wanted > STREAM.c.served)
                    .limit(1)
                ).first()
        except Superseded:
            self._begin_anew()
            return
        except RecordError as failed:
            self._impaired["record"] = str(failed)
            raise
        self.outbox.holding.renewed(names, rows, until)
        self._impaired.pop("record", None)
        running = self.house.wall.now() - self._started_at
        conductor_is = standing(conductor, now, running) if self._conductor_apart else "alive"
        note_conductor(self.house.desk, conductor_is, waiting=waiting is not None)
        note_pagers(self.house.desk)
        attempt("reach", self.reach.look)
        self._standing = attempt("status", self.status).value or {}

    def _begin_anew(self) -> None:
        """The others gave us up, and took over what we had: nothing of it is ours, and we start again."""
        log.warning("silent too long: the others took over; starting anew")
        try:
            self.living.anew()
        except Superseded as taken:
            self._ousted = taken
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self.stop.set)
            return
        self._note("started")
        self._wake()

    async def _look(self) -> None:
        """Notice what another process wrote: the command line, the conductor."""
        before = await self.run_in_writer(self.house.record.data_version)
        while not self.stop.is_set():
            await wait(self.stop, LOOK_SECONDS)
            now = await self.run_in_writer(self.house.record.data_version)
            if now != before:
                before = now
                self.changes.look(self.house.record.heard())
                if self.wing is not None:
                    self.wing.look()
                if self.pilot is not None:
                    self.pilot.changed.set()
                self.outbox.wake()
                self.watch.wake()

    def _open_wing(self) -> None:
        """What lives in Slack, if it is set up. Without a secret that it names, pages go on."""
        settings = self.house.institution.settings.slack
        if settings is None or "slack" not in self.notifiers:
            return
        from console.slack.wing import Wing  # noqa: PLC0415 - only where Slack is set up

        secrets = secrets_of(self.house.institution.directory)
        try:
            self.wing = Wing(
                self.house, settings, secrets, self.run_in_writer, wake=self.outbox.wake, link=self.link
            )
        except BadConfiguration as missing:
            self._impaired["slack"] = str(missing)

    def status(self) -> dict[str, Any]:
        """How things are, for /health and the board; runs in the writer thread."""
        if isinstance(self._ousted, RecordTooNew):
            return self._standing
        desk = self.house.desk
        figures = self.outbox.figures()
        state = desk.state(HOUSE)
        impaired = self._impaired | self.reach.problems() | self._stalled() | self.beside.problems()
        impaired |= self.living.problems() | (self.wing.problems() if self.wing is not None else {})
        quarantined: list[str] = []
        out_of_band = sorted(desk.distrusted())
        if isinstance(state, HouseState):
            impaired |= state.impaired
            quarantined = sorted(state.quarantined)
        for name, error in figures["channels_failing"].items():
            if name not in out_of_band:
                impaired[f"channel {name}"] = error
        lateness = self.watch.late_now()
        bad = impaired or quarantined or lateness > LATE_SECONDS
        bad = bad or figures["oldest_unsent_page_seconds"] > STUCK_PAGE_SECONDS
        with self.house.record.read() as tx:
            conductor, nodes = last_beat(tx, "conductor"), self.living.others(tx)
        hidden = restricted(self.house.record)
        age = (micros(self.house.wall.now()) - micros(conductor)) / 1e6 if conductor else None
        return {
            "status": "impaired" if bad else "ok",
            "version": VERSION,
            "lateness_seconds": lateness,
            "outbox_age_seconds": figures["outbox_age_seconds"],
            "oldest_unsent_page_seconds": figures["oldest_unsent_page_seconds"],
            "waiting_messages": figures["waiting"],
            # Whoever reaches the port reads it: that something is wrong, not with which restricted incident.
            "impaired": {redacted(name, hidden): redacted(one, hidden) for name, one in impaired.items()},
            "quarantined": [redacted(one, hidden) for one in quarantined],
            "out_of_band": out_of_band,
            "nodes": nodes,
            "conductor_age_seconds": round(age, 1) if age is not None else None,
            "prefect": "unknown" if age is None else "down" if "prefect" in impaired else "ok",
            "drill": desk.premises.drill,
            "relay_waiting": self.beside.relays.waiting(),
        }

    def _stalled(self) -> dict[str, str]:
        """The parts of this process that have not come to the end of a turn lately."""
        turned = {"watch": self.watch.turned_at, "outbox": self.outbox.turned_at}
        ages = {name: monotonic() - at for name, at in turned.items()}
        return {
            name: f"has done nothing for {age:.0f} s" for name, age in ages.items() if age > STALLED_SECONDS
        }


async def serve(directory: Path, port: int | None, clock: Clock | None = None) -> None:
    """Run a node until SIGINT, SIGTERM or SIGHUP."""
    node = Node(logs.follow(open_house(directory, clock), KIND), port=port)
    stop_on_signals(node.stop.set)
    announce = asyncio.create_task(_announce(node))
    try:
        await node.run()
    finally:
        announce.cancel()


async def _announce(node: Node) -> None:
    """Tell the process that started us where we listen."""
    since = monotonic()
    await node.ready.wait()
    log.info("listening on port %s after %.2f s", node.port, monotonic() - since)
    print(f"hikeshi-node-ready {node.port}", flush=True)


def main() -> int:
    """Entry of the process: `python -m console.node [PORT]`."""
    logs.begin(KIND)
    port = int(sys.argv[1]) if len(sys.argv) > 1 else None
    try:
        asyncio.run(serve(find_directory(None), port))
    except (HikeshiError, OSError) as failed:
        return ended_by(failed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
