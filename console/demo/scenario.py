"""`make demo SCENARIO=…`: a whole drill, from its directory to its report, with nobody but understudies."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from console import archive
from console.demo.incident import HIKESHI, MAX_TURNS, ROOT, Demo
from console.demo.stage import copy_bank, flow_runs
from console.drill.making import prepare
from console.drill.understudies.driver import Understudies
from console.opening import DIRECTORY_VARIABLE, open_house
from console.texts import texts
from models.clock import ExerciseClock, SystemClock, monotonic
from models.commands import Actor
from models.errors import HikeshiError
from models.exercise import EXERCISE, EndExercise, Exercise, StartExercise
from models.exercise_script import Script
from models.premises import Outcome
from models.scenario import Scenario
from models.state import Incident

DAY = "2026-11-25"
"""Of the story; a Wednesday."""
SEED = 7
FACILITATOR = "okada-shinji"
ACCOUNT = "okada"
REPORT_SECONDS = 120
STAMP = "%m/%d %H:%M"


class ScenarioDemo(Demo):
    """One drill. The clock goes from one thing that happens to the next, as fast as machines work."""

    def __init__(self, folder: Path, lang: str, name: str) -> None:
        super().__init__(folder, lang)
        self.name = name
        self._told = 0

    async def run(self) -> int:
        """Prepare, play to ENDEX, and say where to look."""
        async with AsyncExitStack() as stack:
            bank = copy_bank(ROOT / "examples" / "mihon-bank", self.folder)
            self.picture.note("preparing", folder=bank)
            drill = self._prepared(bank)
            os.environ[DIRECTORY_VARIABLE] = str(drill)
            prefect = await self._prefect(drill, stack)
            await self._node(drill, stack)
            await self._conductor(drill, prefect, stack)
            await self._play()
            await self._closing(drill, await flow_runs(prefect.url))
        return 0

    def _prepared(self, bank: Path) -> Path:
        house = open_house(bank)
        try:
            scenario = house.institution.scenarios.get(self.name)
            if scenario is None:
                known = ", ".join(sorted(house.institution.scenarios))
                raise HikeshiError(f"there is no scenario {self.name}; there are {known}")
            hour = datetime.fromisoformat(f"{DAY}T{scenario.start.time}")
            zone = ZoneInfo(house.institution.organisation.zone)
            made = prepare(
                house,
                self.name,
                _facilitator(),
                to=_empty(self.folder / "drill"),
                hour=hour.replace(tzinfo=zone).isoformat(timespec="minutes"),
                seed=SEED,
            )
        finally:
            house.record.close()
        self.scenario: Scenario = scenario
        self.startex = hour.replace(tzinfo=zone).astimezone(UTC)
        self.clock = ExerciseClock(self.startex)
        self.picture.note("drill_prepared", drill=made.drill, scenario=self.name, folder=made.directory)
        return made.directory

    # -- the play -------------------------------------------------------------------------------------------

    async def _play(self) -> None:
        self.understudies = Understudies(self.house.desk, self.scenario, self.lang)
        started = StartExercise(actor=_facilitator(), wall=SystemClock().now())
        await self._accepted(started)
        self.picture.note("startex", title=self.scenario.title.lang(self.lang))
        if self.picture.moving:
            self.picture.live.start()
        try:
            await self._turns()
        finally:
            self.picture.live.stop()
        wall = SystemClock().now() + self.scenario.duration
        await self._accepted(EndExercise(actor=_facilitator(), wall=wall))
        self.picture.note("endex")

    async def _accepted(self, command: StartExercise | EndExercise) -> None:
        outcome: Outcome = await self._write(partial(self.house.desk.handle, EXERCISE, command))
        if not outcome.accepted:
            raise HikeshiError(f"{command}: {outcome.refused} {dict(outcome.detail)}")

    async def _turns(self) -> None:
        end = self.startex + self.scenario.story(self.scenario.duration)
        for _ in range(MAX_TURNS):
            await self._quiet()
            state = await self._incident()
            await self._injects()
            if state is not None:
                await self._draw(state)
                if await self._machine(state):
                    continue
            if await self._acted():
                continue
            if self.clock.now() >= end:
                return
            await self._wind(end)
        raise HikeshiError(f"no end after {MAX_TURNS} turns")

    async def _incident(self) -> Incident | None:
        def first() -> str:
            with self.house.record.read() as tx:
                return next(iter(tx.incidents()), "")

        self.incident = self.incident or await self._write(first)
        return await self._state() if self.incident else None

    async def _acted(self) -> bool:
        done = await self._write(self.understudies.act)
        if done is not None and not done[1].accepted:
            raise HikeshiError(f"{done[0].command}: {done[1].refused} {dict(done[1].detail)}")
        return done is not None

    async def _wind(self, end: datetime) -> None:
        act = await self._write(self.understudies.next_at)
        stops = [one for one in (act, await self._next_due(), self._machine_at, end) if one is not None]
        self.clock.set(max(self.clock.now(), min(stops)))
        self.node.watch.wake()

    async def _injects(self) -> None:
        """Tell what has come in since the last look."""
        state = await self._write(partial(self.house.desk.state, EXERCISE))
        if not isinstance(state, Exercise):
            return
        script = Script(self.scenario, state)
        zone = ZoneInfo(self.house.institution.organisation.zone)
        for one in list(state.injects.values())[self._told :]:
            inject = script.inject(one.id)
            if inject is not None:
                title, at = inject.title.lang(self.lang), one.at.astimezone(zone).strftime(STAMP)
                key = "inject" if one.how == "planned" else "inject_not_needed"
                self.picture.note(key, at=at, title=title, to=", ".join(inject.to))
        self._told = len(state.injects)

    # -- where to look --------------------------------------------------------------------------------------

    async def _closing(self, drill: Path, runs: int) -> None:
        say, show = texts(self.lang), self.picture.console
        report = self.folder / "after-action.md"
        await asyncio.to_thread(self._report, drill, report)
        path = self.folder / "drill.zip"
        path.unlink(missing_ok=True)
        wanted = archive.Wanted(incidents=(self.incident,), objects=True, lang=self.lang)
        exported = await self._write(partial(archive.write, self.house, wanted, path))
        seconds = round(monotonic() - self.begun)
        played = self.clock.now() - self.startex
        naming = await self._naming(await self._state())
        show.print(
            say("demo.drill_ended", seconds=seconds, span=naming.times.span(played), facts=exported.facts),
            style="bold green",
        )
        show.print(say("demo.look"), style="bold")
        for key, where in (
            ("after_action", report),
            ("record", f"{HIKESHI} --dir {drill} log {self.incident}"),
            ("archive", path),
        ):
            show.print(f"  {say(f'demo.{key}')}: {where}", soft_wrap=True)
        show.print(f"  {say('demo.flow_runs', runs=runs)}", soft_wrap=True)

    def _report(self, drill: Path, to: Path) -> None:
        """The after-action report, as its command writes it for whoever runs the drill."""
        to.unlink(missing_ok=True)
        environment = os.environ | {"HIKESHI_ACCOUNT": ACCOUNT, "HIKESHI_LANG": self.lang}
        asked = [str(HIKESHI), "--dir", str(drill), "drill", "report", "--format", "md", "--out", str(to)]
        done = subprocess.run(  # noqa: S603 - our own command
            asked, env=environment, capture_output=True, text=True, timeout=REPORT_SECONDS, check=False
        )
        if done.returncode != 0:
            raise HikeshiError(done.stdout + done.stderr)


def _facilitator() -> Actor:
    return Actor(person=FACILITATOR, name=FACILITATOR, via="cli")


def _empty(folder: Path) -> Path:
    """What an earlier demo left there is removed."""
    if folder.exists():
        shutil.rmtree(folder)
    return folder
