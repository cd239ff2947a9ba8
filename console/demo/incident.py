"""One incident from the alert to its lessons, on the real stack. It is played when it is closed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import func, select

from console.cli.output import STYLES
from console.demo.board import keep
from console.demo.passage import Passages, table
from console.demo.people import Act, People
from console.demo.picture import Picture
from console.demo.proof import prove
from console.demo.stage import (
    acknowledge,
    copy_bank,
    firewall,
    flow_runs,
    point_targets,
    post_alert,
)
from console.export import markdown
from console.node import Node
from console.opening import DIRECTORY_VARIABLE, House, open_house
from console.texts import texts
from console.views import harm, reports
from console.views.clocks import clocks, section
from console.views.naming import Naming
from console.views.sheet import Line
from flows.conductor import Conductor
from flows.prepare import prepare_from_template
from flows.server import PrefectServer, client_environment
from models.clock import ExerciseClock, monotonic
from models.errors import HikeshiError
from models.premises import Outcome
from models.record import OUTBOX
from models.state import Incident
from notifiers.console import ConsoleNotifier
from notifiers.file import FileNotifier
from notifiers.message import Notifier
from notifiers.pacing import Pace
from notifiers.script import ScriptNotifier

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
NIGHT = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
"""Wednesday 2026-11-25 03:00 in Tokyo."""
MAX_TURNS = 1_500
MAX_REPORT_LINES = 60
COMPANY = timedelta(minutes=5, seconds=30)
LOOKS_AS = "sato-kenji"
"""Who the board can be looked at as: the head of the CSIRT, who commands."""
FRAME_SECONDS = 0.12
DECISIVE_SECONDS = 0.9
HIKESHI = Path(sys.executable).parent / "hikeshi"


DECISIVE = (
    "page.escalated",
    "page.exhausted",
    "decision.made",
    "gate.overridden",
    "service.resumed",
    "clock.forecast",
    "clock.breached",
)


class Demo:
    """One play, from the alert to the lessons."""

    def __init__(self, folder: Path, lang: str) -> None:
        self.folder = folder
        self.lang = lang
        self.clock = ExerciseClock(NIGHT)
        self.picture = Picture(lang)
        self.begun = monotonic()
        self.incident = ""
        self.passages = Passages()
        self.people = People(lang, NIGHT, folder / "copied-by-hand")
        self._seen = 0
        self._machine_at: datetime | None = None

    async def run(self) -> int:
        """Set the stage, play, and say where to look."""
        async with AsyncExitStack() as stack:
            bank = copy_bank(ROOT / "examples" / "mihon-bank", self.folder)
            self.picture.note("preparing", folder=bank)
            os.environ[DIRECTORY_VARIABLE] = str(bank)
            wall = await stack.enter_async_context(firewall())
            point_targets(bank, wall.url)
            prefect = await self._prefect(bank, stack)
            await self._node(bank, stack)
            await self._conductor(bank, prefect, stack)
            await self._play()
            await self._end(bank, prefect)
            await keep(self, LOOKS_AS, f"incidents/{self.incident}")
        return 0

    # -- the stage ------------------------------------------------------------------------------------------

    async def _prefect(self, bank: Path, stack: AsyncExitStack) -> PrefectServer:
        home = bank / "var" / "prefect"
        await asyncio.to_thread(prepare_from_template, home)
        server = PrefectServer(home)
        server.start()
        stack.push_async_callback(server.stop, 2.0)
        self.picture.note("prefect")
        return server

    async def _node(self, bank: Path, stack: AsyncExitStack) -> None:
        self.house: House = self._open(bank)
        stream = (self.folder / "console.txt").open("w", encoding="utf-8")
        stack.callback(stream.close)
        notifiers: dict[str, Notifier] = {
            "console": ConsoleNotifier(stream),
            "file": FileNotifier(self.house.data / "messages.jsonl"),
            "script": ScriptNotifier(),
        }
        self.node = Node(self.house, notifiers, Pace(idle=0.05), port=0, conductor_apart=False)
        running = asyncio.create_task(self.node.run())
        stack.push_async_callback(self._stop_node, running)
        await asyncio.wait(
            [running, asyncio.create_task(self.node.ready.wait())], return_when=asyncio.FIRST_COMPLETED
        )
        self.base_url = f"http://127.0.0.1:{self.node.port}"
        self.picture.note("node", url=self.base_url)
        self.picture.note("board", url=f"{self.base_url}/")

    def _open(self, bank: Path) -> House:
        return open_house(bank, self.clock, drill=True)

    async def _stop_node(self, running: asyncio.Task[None]) -> None:
        self.node.stop.set()
        await running

    async def _conductor(self, bank: Path, prefect: PrefectServer, stack: AsyncExitStack) -> None:
        await prefect.healthy(90)
        environ = os.environ | client_environment(bank / "var" / "prefect", prefect.url)
        second = self._open(bank)
        self.conductor = Conductor(second, second.desk.clock, prefect.url, children=1, environ=environ)
        stack.push_async_callback(self.conductor.close)

    # -- the play -------------------------------------------------------------------------------------------

    async def _play(self) -> None:
        sample = ROOT / "examples" / "alerts" / "wazuh-ransomware.json"
        alert = json.loads(sample.read_bytes())
        alert["timestamp"] = (NIGHT - timedelta(seconds=80)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        answer = await post_alert(self.base_url, json.dumps(alert).encode())
        self.incident = str(answer["incident"])
        self.picture.note("alert", answer=self.incident)
        if self.picture.moving:
            self.picture.live.start()
        try:
            await self._turns()
        finally:
            self.picture.live.stop()

    async def _turns(self) -> None:
        scoped = False
        for _ in range(MAX_TURNS):
            await self._quiet()
            state = await self._state()
            await self._draw(state)
            if state.status == "closed":
                return
            if await self._machine(state):
                continue
            if not scoped and "analysis" in state.phases:
                scoped = True
                for act in self.people.scope(state, await self._world(state)):
                    await self._do(act)
                continue
            await self._one_act(state)
        raise HikeshiError(f"not closed after {MAX_TURNS} turns")

    async def _one_act(self, state: Incident) -> None:
        act = self.people.next_act(state, await self._world(state))
        due = await self._next_due()
        moments = [one for one in (act.at if act else None, due, self._machine_at) if one is not None]
        if not moments:
            raise HikeshiError("nobody has anything to do, and nothing is due")
        moment = max(self.clock.now(), min(moments))
        self.clock.set(moment)
        self.node.watch.wake()
        await self._quiet()
        if act is not None and act.at <= moment:
            await self._do(act)

    async def _machine(self, state: Incident) -> bool:
        """Machine work holds the clock: the flows run, with Prefect, before anybody does anything else.

        What becomes ready within minutes is taken up in one run, which costs a second of CPU; containment
        waits for nothing.
        """
        world = await self._world(state)
        ready = [
            planned.step.phase
            for key, planned in world.steps(state).items()
            if planned.step.kind == "action" and key in state.steps and state.steps[key].status == "ready"
        ]
        if not ready:
            return False
        self._machine_at = self._machine_at or self.clock.now() + COMPANY
        if "containment" not in ready and self.clock.now() < self._machine_at:
            return False
        self.picture.note("machine")
        await self._draw(state)
        await self.conductor.settle()
        self._machine_at = None
        return True

    async def _do(self, act: Act) -> None:
        if act.page is not None:
            link = self.node.link(self.incident, act.page, act.person, "console")
            if await acknowledge(link, self.base_url):
                person = self.house.desk.directory.person(act.person)
                self.picture.note("acknowledged", who=person.name.lang(self.lang) if person else act.person)
            return
        assert act.command is not None  # noqa: S101 - an act has one or the other
        outcome: Outcome = await self.write(partial(self.house.desk.handle, self.incident, act.command))
        if not outcome.accepted:
            raise HikeshiError(f"{act.command}: {outcome.refused} {outcome.detail}")

    # -- the clock holds while messages are under way -------------------------------------------------------

    async def _quiet(self) -> None:
        for _ in range(2_000):
            if await self.write(self._still) and not self.node.outbox.in_flight:
                return
            self.node.watch.wake()
            self.node.outbox.wake()
            await asyncio.sleep(0.005)
        raise HikeshiError("messages or due times do not come to rest")

    def _still(self) -> bool:
        with self.house.record.read() as tx:
            waiting = tx.connection.execute(
                select(func.count()).select_from(OUTBOX).where(OUTBOX.c.state.in_(["queued", "sending"]))
            ).scalar_one()
            return not waiting and not tx.due_streams(self.clock.now(), 1)

    async def _next_due(self) -> datetime | None:
        def read() -> int | None:
            with self.house.record.read() as tx:
                return tx.earliest_due()

        found = await self.write(read)
        return datetime.fromtimestamp(found / 1e6, UTC) if found is not None else None

    async def write(self, call: Callable[[], T]) -> T:
        """Run something in the thread that writes."""
        return await self.node.run_in_writer(call)

    async def _state(self) -> Incident:
        return await self.write(partial(self.house.desk.incident, self.incident))

    async def _world(self, state: Incident) -> Any:
        return await self.write(partial(self.house.desk.world, state))

    async def _naming(self, state: Incident) -> Naming:
        beside = await self.write(partial(self.house.desk.texts, self.incident))
        return Naming(texts=texts(self.lang), world=await self._world(state), state=state, beside=beside)

    async def _draw(self, state: Incident) -> None:
        # Whoever acts meanwhile adds facts: those are read first, so that their texts are there.
        facts = await self.write(self._new_facts)
        naming = await self._naming(state)
        self.passages.look(state, naming.world)
        self.picture.tell(facts, naming)
        self.picture.show(state, naming)
        if self.picture.moving:
            decisive = any(fact.kind in DECISIVE for fact in facts)
            await asyncio.sleep(DECISIVE_SECONDS if decisive else FRAME_SECONDS)

    def _new_facts(self) -> Any:
        with self.house.record.read() as tx:
            facts = tx.facts(self.incident, self._seen)
        self._seen = facts[-1].seq if facts else self._seen
        return tuple(facts)

    def _side_by_side(self, state: Incident, naming: Naming) -> None:
        """Recovery time, data loss and every report beside each other, as `hikeshi clocks` has them."""
        many = [one for one in clocks(naming) if one.kind in {"rto", "mtpd", "report"}]
        lines = [part for part in section(many, naming).parts if isinstance(part, Line)]
        lines += [part for part in reports.whole(state, naming).parts if isinstance(part, Line)][
            :MAX_REPORT_LINES
        ]
        self.picture.console.print(texts(self.lang)("demo.side_by_side"), style="bold")
        for line in [*harm.services(state, naming), *lines]:
            if line.style != "dim":
                self.picture.console.print(f"  {'  ' * line.indent}{line.text}", style=STYLES[line.style])

    # -- where to look --------------------------------------------------------------------------------------

    async def _end(self, bank: Path, prefect: PrefectServer) -> None:
        state = await self._state()
        naming = await self._naming(state)
        # The flows show the closed incident too.
        await self.conductor.settle()
        runs = await flow_runs(prefect.url)
        review = self.folder / f"{self.incident}.md"
        review.write_text(
            await self.write(partial(markdown, self.house.desk, self.incident, self.lang)), "utf-8"
        )
        say, show = texts(self.lang), self.picture.console
        self._side_by_side(state, naming)
        show.print(table(self.passages, naming))
        proof = await self.write(partial(prove, self.house, state, self.folder, self.lang))
        show.print(
            say("demo.proof", items=proof.items, same=proof.same, facts=proof.facts, number=proof.number),
            style="bold green",
        )
        if not self.picture.moving:
            show.print(self.picture.frame(state, naming))
        seconds = round(monotonic() - self.begun)
        span = naming.times.span(self.clock.now() - NIGHT)
        status = say.word("words.status", state.status)
        show.print(say("demo.ended", status=status, seconds=seconds, span=span), style="bold green")
        show.print(say("demo.look"), style="bold")
        for key, where in (
            ("record", f"{HIKESHI} --dir {bank} log {self.incident}"),
            ("review", review),
            ("messages", self.folder / "console.txt"),
            ("archive", proof.path),
            ("verifying", f"python -I -S {proof.verifier} {proof.path} --checkpoint {proof.kept}"),
        ):
            show.print(f"  {say(f'demo.{key}')}: {where}", soft_wrap=True)
        show.print(f"  {say('demo.prefect_ui', runs=runs)}: {prefect.ui_url}", soft_wrap=True)
        show.print(f"  {say('demo.again')}: {HIKESHI} --dir {bank} show {self.incident}", soft_wrap=True)
