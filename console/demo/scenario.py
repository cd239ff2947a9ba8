"""`make demo SCENARIO=…`: a whole drill, from its directory to its report, with nobody but understudies."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from console import archive
from console.demo.board import keep
from console.demo.incident import HIKESHI, ROOT, Demo
from console.demo.stage import copy_bank, flow_runs
from console.drill.making import prepare
from console.opening import DIRECTORY_VARIABLE, House, open_house
from console.texts import texts
from models.clock import SystemClock, monotonic
from models.commands import Actor
from models.errors import HikeshiError
from models.exercise import EXERCISE, FASTEST, EndExercise, Exercise, StartExercise
from models.exercise_script import Script
from models.premises import Outcome
from models.rules.exercise_due import TIME_UP
from models.scenario import Scenario
from models.state import Incident

DAY = "2026-11-25"
"""Of the story; a Wednesday."""
SEED = 7
FACILITATOR = "okada-shinji"
ACCOUNT = "okada"
REPORT_SECONDS = 120
PLAYED_SECONDS = 600
LOOK_SECONDS = 0.05
STAMP = "%m/%d %H:%M"


class ScenarioDemo(Demo):
    """One drill. The clock goes from one thing that happens to the next, as fast as machines work."""

    def __init__(self, folder: Path, lang: str, name: str) -> None:
        super().__init__(folder, lang)
        self.name = name
        self._told = 0
        self._ran = 0

    async def run(self) -> int:
        """Prepare, play to ENDEX, and say where to look."""
        async with AsyncExitStack() as stack:
            bank = self._speaking(copy_bank(ROOT / "examples" / "mihon-bank", self.folder))
            self.picture.note("preparing", folder=bank)
            drill = self._prepared(bank)
            os.environ[DIRECTORY_VARIABLE] = str(drill)
            prefect = await self._prefect(drill, stack)
            await self._node(drill, stack)
            await self._conductor(drill, prefect, stack)
            await self._play()
            await self._closing(drill, await flow_runs(prefect.url))
            await keep(self, FACILITATOR, "drill/report")
        return 0

    def _speaking(self, bank: Path) -> Path:
        """Let understudies write, and what addresses nobody be, in the language of whoever looks on."""
        for name, said in (("settings.toml", 'lang = "{}"'), ("organisation.yaml", "\nlang: {}")):
            text = (bank / name).read_text(encoding="utf-8")
            (bank / name).write_text(
                text.replace(said.format("ja"), said.format(self.lang)), encoding="utf-8"
            )
        return bank

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
        self.picture.note("drill_prepared", drill=made.drill, scenario=self.name, folder=made.directory)
        return made.directory

    def _open(self, bank: Path) -> House:
        """On the hour of the story, which the node moves; with the secrets by which it would take alerts."""
        house = open_house(bank)
        for one in house.institution.intake.sources:
            if one.secret is not None:
                os.environ.setdefault(one.secret.removeprefix("env:"), secrets.token_urlsafe(24))
        return house

    # -- the play -------------------------------------------------------------------------------------------

    async def _play(self) -> None:
        started = StartExercise(actor=_facilitator(), wall=SystemClock().now(), speed=FASTEST)
        await self._accepted(started)
        self.picture.note("startex", title=self.scenario.title.lang(self.lang))
        if self.picture.moving:
            self.picture.live.start()
        try:
            await self._turns()
        finally:
            self.picture.live.stop()
        await self._accepted(EndExercise(actor=_facilitator(), wall=SystemClock().now()))
        self.picture.note("endex")

    async def _accepted(self, command: StartExercise | EndExercise) -> None:
        outcome: Outcome = await self.write(partial(self.house.desk.handle, EXERCISE, command))
        if not outcome.accepted:
            raise HikeshiError(f"{command}: {outcome.refused} {dict(outcome.detail)}")

    async def _turns(self) -> None:
        """Look on, and let the flows run, until the time that the scenario has is up."""
        until = monotonic() + PLAYED_SECONDS
        while monotonic() < until:
            state = await self._incident()
            over = await self._injects()
            if state is not None:
                await self._draw(state)
                await self._machine(state)
            if over:
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise HikeshiError(f"no end after {PLAYED_SECONDS} s")

    async def _machine(self, state: Incident) -> bool:
        """The flows run, with Prefect, whenever something has changed for them; the story holds meanwhile."""
        wanted = state.wanted > self._ran
        if wanted:
            self._ran = state.wanted
            await self.conductor.settle()
        return wanted

    async def _incident(self) -> Incident | None:
        def first() -> str:
            with self.house.record.read() as tx:
                return next(iter(tx.incidents()), "")

        self.incident = self.incident or await self.write(first)
        return await self._state() if self.incident else None

    async def _injects(self) -> bool:
        """Tell what has come in since the last look; whether the time is up."""
        state = await self.write(partial(self.house.desk.state, EXERCISE))
        if not isinstance(state, Exercise):
            return False
        script = Script(self.scenario, state)
        zone = ZoneInfo(self.house.institution.organisation.zone)
        for one in list(state.injects.values())[self._told :]:
            inject = script.inject(one.id)
            if inject is not None:
                title, at = inject.title.lang(self.lang), one.at.astimezone(zone).strftime(STAMP)
                key = "inject" if one.how == "planned" else "inject_not_needed"
                self.picture.note(key, at=at, title=title, to=", ".join(inject.to))
        self._told = len(state.injects)
        return TIME_UP in state.told

    # -- where to look --------------------------------------------------------------------------------------

    async def _closing(self, drill: Path, runs: int) -> None:
        say, show = texts(self.lang), self.picture.console
        report = self.folder / "after-action.md"
        await asyncio.to_thread(self._report, drill, report)
        path = self.folder / "drill.zip"
        path.unlink(missing_ok=True)
        wanted = archive.Wanted(incidents=(self.incident,), objects=True, lang=self.lang)
        exported = await self.write(partial(archive.write, self.house, wanted, path))
        seconds = round(monotonic() - self.begun)
        played = self.house.desk.clock.now() - self.startex
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
