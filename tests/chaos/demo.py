"""`make demo CHAOS=1`: the demo's incident twice, once in peace and once while its parts are killed.

Both are played on a real PostgreSQL and a real Prefect server, with a pager and a conductor in processes of
their own. What the record says happened must be the same; only the time it takes may differ. What the
machinery itself went through (a step that was taken back, a repeat that was marked) is counted beside it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import aiohttp
from rich.table import Table

from console.demo.incident import NIGHT, ROOT, Demo
from console.demo.people import Act
from console.demo.proof import prove
from console.demo.stage import copy_bank, firewall, point_targets
from console.node import Node
from console.opening import DIRECTORY_VARIABLE, open_house
from flows.conductor import Conductor
from flows.server import PrefectServer
from models.clock import monotonic
from models.commands import Acknowledge, Actor
from models.desk import HOUSE
from models.errors import HikeshiError, RecordConflict, RecordLost
from models.fact import Fact
from models.record import STREAM
from models.state import Incident
from tests.chaos.part import FileClock
from tests.chaos.reaper import BLOWS, Blow, Parts, Reaper, log_of
from tests.chaos.town import free_port
from tests.postgres import Postgres

T = TypeVar("T")
PATIENCE_SECONDS = 120.0
DONE = (
    "step.done", "decision.made", "gate.overridden", "clock.met", "clock.breached", "clock.missed",
    "phase.ended", "evidence.added", "report.submitted", "service.", "scope.added", "scope.fixed",
    "instant.set", "impact.", "severity.set", "improvement.added", "incident.",
)  # fmt: skip
"""Kinds that tell what was done. The others tell of asking, and of how the machinery fared."""
SAID = (
    "step",
    "clock",
    "service",
    "obligation",
    "phase",
    "level",
    "event",
    "choice",
    "gate",
    "name",
    "digest",
)
"""What of a fact is compared: no instants, attempts or numbers, no texts with a salt of their own."""


@dataclass(kw_only=True)
class Told:
    """What one play came to."""

    facts: list[Fact]
    messages: Counter[str]
    repeats: int
    seconds: float
    verified: int
    killed: list[str] = field(default_factory=list)


class _Remote:
    """What the demo asks of a node, when the node is another process."""

    def __init__(self, demo: ChaosDemo) -> None:
        self._demo = demo
        self.watch = self.outbox = self
        self.in_flight = 0

    def wake(self) -> None:
        """It looks by itself as soon as the clock has moved."""

    def link(self, stream: str, page: int, person: str, channel: str) -> str:
        """The signed page, as the message has it."""
        from console.web.links import sign, signing_key  # noqa: PLC0415

        house = self._demo.house
        name = sign(signing_key(house), stream, page, person, house.desk.clock.now(), channel=channel)
        return f"{self._demo.base_url}/p/{name}"


class _Elsewhere:
    """What the demo asks of a conductor, when that is another process."""

    def __init__(self, demo: ChaosDemo) -> None:
        self._demo = demo

    async def settle(self) -> None:
        """Wait until no flow is wanted and no machine step is ready or in hand."""
        await self._demo.until(self._at_rest, "the flows do not come to rest")

    def _at_rest(self) -> bool:
        demo = self._demo
        with demo.house.record.read() as tx:
            row = tx.connection.execute(
                STREAM.select().where(STREAM.c.id == demo.incident)
            ).mappings().one()  # fmt: skip
        state = demo.house.desk.incident(demo.incident)
        world = demo.house.desk.world(state)
        machines = [key for key, one in world.steps(state).items() if one.step.kind == "action"]
        known = [state.steps[key].status for key in machines if key in state.steps]
        busy = any(status in {"ready", "started"} for status in known)
        return not busy and row["wanted"] <= row["served"]


class ChaosDemo(Demo):
    """One play of the demo's incident with all parts apart. With `blows` they are killed on the way."""

    def __init__(self, folder: Path, lang: str, blows: tuple[Blow, ...]) -> None:
        super().__init__(folder, lang)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.blows = blows
        self.clock = FileClock(folder / "clock", NIGHT)
        self.told: Told | None = None
        self._writer = ThreadPoolExecutor(max_workers=1)

    async def run(self) -> int:
        """Set the stage, play, and keep what came of it in `told`."""
        async with AsyncExitStack() as stack:
            bank = copy_bank(ROOT / "examples" / "mihon-bank", self.folder)
            self.picture.note("preparing", folder=bank)
            os.environ[DIRECTORY_VARIABLE] = str(bank)
            wall = await stack.enter_async_context(firewall())
            point_targets(bank, wall.url)
            database = stack.enter_context(Postgres())
            settings = bank / "settings.toml"
            address = f'database = "{database.database()}"\n'
            settings.write_text(address + settings.read_text("utf-8"), "utf-8")
            prefect = await self._prefect(bank, stack)
            await prefect.healthy(90)
            self.house = open_house(bank, self.clock, drill=True)
            self.house.record.hand_over()
            reaper = await self._parts(bank, prefect, database, stack)
            self.node, self.conductor = cast(Node, _Remote(self)), cast(Conductor, _Elsewhere(self))
            begun = monotonic()
            await self._play()
            await self.conductor.settle()
            reaper.close()
            self.told = await self._tell(monotonic() - begun, reaper)
            await self.write(self.house.record.close)
            self._writer.shutdown()
        return 0

    async def _parts(
        self, bank: Path, prefect: PrefectServer, database: Postgres, stack: AsyncExitStack
    ) -> Reaper:
        port = free_port()
        self.base_url = f"http://127.0.0.1:{port}"

        clock = str(self.folder / "clock")

        def starter(name: str, last: str) -> Callable[[], subprocess.Popen[bytes]]:
            def start() -> subprocess.Popen[bytes]:
                with log_of(self.folder, name).open("ab") as log:
                    return subprocess.Popen(  # noqa: S603 - our own parts
                        [sys.executable, "-m", "tests.chaos.part", name, str(bank), clock, last],
                        stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT,
                    )  # fmt: skip

            return start

        lasts = {"pager": str(port), "conductor": prefect.url}
        parts = Parts(start={name: starter(name, last) for name, last in lasts.items()})
        parts.begin()
        stack.callback(parts.end)
        reaper = Reaper(self.house.record.another(), parts, database, self.blows)
        reaper.prefect_pid = lambda: prefect.pid
        stack.callback(reaper.close)
        self._reaper = reaper
        await self.until(self._answers, "the pager does not answer")
        self.picture.note("node", url=self.base_url)
        return reaper

    def _answers(self) -> bool:
        return "listening" in log_of(self.folder, "pager").read_text("utf-8") or _reached(self.base_url)

    # -- as everybody else at the bank: what does not answer is tried again ---------------------------------

    async def write(self, call: Callable[[], T]) -> T:
        """In the thread that has the record; while the database is away it is waited for."""
        until = monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._writer, call)
            except (RecordLost, RecordConflict):
                if monotonic() > until:
                    raise
                await asyncio.sleep(0.1)

    async def until(self, look: Callable[[], bool], otherwise: str) -> None:
        """Wait for something that is to be seen in the record. Raises HikeshiError."""
        end = monotonic() + PATIENCE_SECONDS
        while not await self.write(look):
            if monotonic() > end:
                raise HikeshiError(f"{otherwise}; see {self.folder}/*.log")
            await asyncio.sleep(0.02)

    async def _quiet(self) -> None:
        await self.until(self._still, "messages or due times do not come to rest")

    async def _play(self) -> None:
        end = monotonic() + PATIENCE_SECONDS
        while True:
            try:
                await super()._play()
            except aiohttp.ClientError:
                if self.incident or monotonic() > end:
                    raise
                await asyncio.sleep(0.2)
            else:
                return

    async def _turns(self) -> None:
        self._reaper.incident = self.incident
        await super()._turns()

    async def _one_act(self, state: Incident) -> None:
        """What the machinery asks for is answered first: that something was away, somebody has seen."""
        for who, page in await self.write(self._asked_by_the_house):
            command = Acknowledge(actor=Actor(person=who, name=who, via="cli"), page=page)
            await self.write(partial(self.house.desk.handle, HOUSE, command))
        await super()._one_act(state)

    def _asked_by_the_house(self) -> list[tuple[str, int]]:
        """Open pages of the house that have reached somebody, with who that is."""
        pages = self.house.desk.state(HOUSE).open_pages()
        reached = [(page, people) for page in pages for people in page.reached.values() if people]
        return [(people[0].person, page.id) for page, people in reached if not page.acks]

    async def _do(self, act: Act) -> None:
        end = monotonic() + PATIENCE_SECONDS
        while True:
            try:
                await super()._do(act)
            except aiohttp.ClientError:
                # The page does not load: whoever was paged tries again.
                if monotonic() > end:
                    raise
                await asyncio.sleep(0.2)
            else:
                return

    async def _machine(self, state: Incident) -> bool:
        """Whatever a machine can do is done before anybody does anything else, by the conductor itself."""
        world = await self._world(state)
        steps = [key for key, planned in world.steps(state).items() if planned.step.kind == "action"]
        if not any(key in state.steps and state.steps[key].status in {"ready", "started"} for key in steps):
            return False
        await self.conductor.settle()
        return True

    # -- what came of it ------------------------------------------------------------------------------------

    async def _tell(self, seconds: float, reaper: Reaper) -> Told:
        def read() -> list[Fact]:
            with self.house.record.read() as tx:
                return tx.facts(self.incident)

        state = await self._state()
        proof = await self.write(lambda: prove(self.house, state, self.folder, self.lang))
        lines = list(_messages(self.house.data / "messages.jsonl"))
        return Told(
            facts=await self.write(read),
            messages=Counter(line["key"] for line in lines),
            repeats=sum(line["attempt"] > 1 for line in lines),
            seconds=seconds,
            verified=proof.facts,
            killed=reaper.done,
        )


def _reached(url: str) -> bool:
    import urllib.error  # noqa: PLC0415
    import urllib.request  # noqa: PLC0415

    try:
        urllib.request.urlopen(f"{url}/health", timeout=2).close()  # noqa: S310 - our own loopback address
    except urllib.error.HTTPError as unwell:
        unwell.close()
    except OSError:
        return False
    return True


def _messages(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text("utf-8").splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue  # torn by a kill; it was sent again


def essence(facts: list[Fact]) -> list[tuple[str, str]]:
    """What was done: each such fact with what it says of it. The minute may differ."""
    return sorted((fact.kind, _said(fact)) for fact in facts if fact.kind.startswith(DONE))


def _said(fact: Fact) -> str:
    said = {name: fact.data[name] for name in SAID if name in fact.data}
    said = {name: value for name, value in said.items() if not str(value).startswith("t:")}
    return json.dumps(said, sort_keys=True, default=str)


def compare(quiet: Told, struck: Told) -> list[str]:
    """What differs that must not, and which page was asked for and never reached anybody."""
    first, second = Counter(essence(quiet.facts)), Counter(essence(struck.facts))
    faults = [f"only in peace: {kind} {said}" for kind, said in (first - second)]
    faults += [f"only under the blows: {kind} {said}" for kind, said in (second - first)]
    twice = Counter(fact.data["step"] for fact in struck.facts if fact.kind == "step.done")
    faults += [f"done {times} times: {step}" for step, times in twice.items() if times > _times(quiet, step)]
    for told in (quiet, struck):
        sent = {key.split("/")[1] for key in told.messages}
        asked = {str(fact.seq) for fact in told.facts if fact.kind == "page.asked"}
        faults += [f"page #{number} never left" for number in sorted(asked - sent, key=int)]
    return faults


def _times(told: Told, step: str) -> int:
    return sum(fact.kind == "step.done" and fact.data["step"] == step for fact in told.facts)


def table(quiet: Told, struck: Told) -> Table:
    """Both plays beside each other."""
    shown = Table("", "in peace", "with its parts killed")
    rows: dict[str, Callable[[Told], str]] = {
        "parts killed": lambda told: str(len(told.killed)),
        "facts of the incident": lambda told: str(len(told.facts)),
        "of these: what was done": lambda told: str(len(essence(told.facts))),
        "steps done": lambda told: str(sum(fact.kind == "step.done" for fact in told.facts)),
        "messages": lambda told: str(len(told.messages)),
        "sent again, marked as repeats": lambda told: str(sum(told.messages.values()) - len(told.messages)),
        "facts that verify without Hikeshi": lambda told: str(told.verified),
        "seconds": lambda told: f"{told.seconds:.0f}",
    }
    for name, value in rows.items():
        shown.add_row(name, value(quiet), value(struck))
    return shown


async def play(folder: Path, lang: str) -> int:
    """Both plays, the table, and what differs. 0 if nothing does."""
    told = []
    for name, blows in (("in-peace", ()), ("under-blows", BLOWS)):
        demo = ChaosDemo(folder / name, lang, blows)
        await demo.run()
        assert demo.told is not None
        told.append(demo.told)
    console = demo.picture.console
    console.print(table(*told))
    console.print(f"killed: {', '.join(told[1].killed)}")
    faults = compare(*told)
    for fault in faults:
        console.print(fault, style="bold red")
    if not faults:
        console.print("Nothing differs in what happened, only the time it took.", style="bold green")
    return 1 if faults else 0


def main() -> int:
    """Entry of `make demo CHAOS=1`."""
    logging.basicConfig(level=logging.ERROR, format="%(name)s %(message)s")
    lang = os.environ.get("HIKESHI_LANG") or ("ja" if os.environ.get("LANG", "").startswith("ja") else "en")
    try:
        return asyncio.run(play(Path.cwd() / "demo-out" / "chaos", lang))
    except HikeshiError as failed:
        print(f"hikeshi: {failed}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
