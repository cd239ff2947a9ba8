"""Conductors of several machines on one database: one freezes, one dies, and nothing is lost or repeated."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from models.clock import monotonic
from models.desk import HOUSE
from models.node import parts
from models.state import House
from tests.flows.bank import Scene, action, environment, make_bank, no_step_was_repeated
from tests.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]
UNTIL_TOLD = """
  append-until-told:
    kind: command
    argv: [sh, -c, 'echo "$0" >> runs.txt; while [ ! -e go ]; do sleep 0.2; done', "{name}"]
    parameters: {name: {type: text}}
"""
STEPS = (
    action("again")
    + action("slow", "append-until-told", more="timeout: 50s")
    + action("looked", "append-until-told", on_crash="probe", more="timeout: 50s")
    + action("asked", "append-until-told", on_crash="ask", more="timeout: 50s")
)
QUICKER = """
import sys
from datetime import timedelta
import flows.conductor, flows.turns
flows.turns.SILENT = timedelta(seconds={silent})
flows.conductor.OTHERS_SECONDS = flows.conductor.FULL_LOOK_SECONDS = 1.0
sys.exit(flows.conductor.main())
"""


class Machines:
    """Several machines with a conductor each; `silent` is how long one may be so, in seconds."""

    def __init__(self, scene: Scene, silent: float) -> None:
        self.scene = scene
        self.silent = silent
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        more = {"HIKESHI_DIR": str(self.scene.directory), "HIKESHI_NODE": name, "PYTHONPATH": str(ROOT)}
        self.running[name] = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", QUICKER.format(silent=self.silent)],
            env=environment(**more),
            start_new_session=True,
        )

    def signal(self, name: str, number: signal.Signals) -> None:
        """To the conductor and its children, as if the whole machine were frozen or gone."""
        pid = self.running[name].pid
        below = [
            int(one)
            for file in Path(f"/proc/{pid}/task").glob("*/children")
            for one in file.read_text().split()
        ]
        for one in (pid, *below):
            os.kill(one, number)

    def epoch(self, name: str) -> int:
        with self.scene.house.record.read() as tx:
            return next((part.epoch for part in parts(tx, f"conductor@{name}")), 0)

    def close(self) -> None:
        for process in self.running.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


@pytest.fixture
def open_machines(tmp_path: Path, postgres: Postgres) -> Iterator[Callable[[float], Machines]]:
    made: list[Machines] = []

    def make(silent: float) -> Machines:
        bank = make_bank(tmp_path / "bank", STEPS, UNTIL_TOLD)
        with (bank / "settings.toml").open("a") as file:
            file.write(f'\ndatabase = "{postgres.database()}"\n')
        made.append(Machines(Scene(bank), silent))
        return made[-1]

    yield make
    for machines in made:
        machines.close()
        machines.scene.house.record.close()


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> float:
    """Wait until it is so; how long that took."""
    begun = monotonic()
    while not condition():
        assert monotonic() < begun + seconds, "waited in vain"
        await asyncio.sleep(0.05)
    return monotonic() - begun


def impaired(scene: Scene) -> dict[str, str]:
    state = scene.house.desk.state(HOUSE)
    assert isinstance(state, House)
    return state.impaired


def said(scene: Scene, incident: str) -> list[tuple[str, str]]:
    """What the incident's record says of the machines."""
    return [(fact.kind, fact.data["what"]) for fact in scene.facts(incident, "machine.")]


async def test_a_frozen_conductor_is_refused_and_a_dead_one_followed(
    open_machines: Callable[[float], Machines],
) -> None:
    machines = open_machines(6)
    scene = machines.scene
    incident = scene.declare()
    scene.begin(incident)
    machines.start("a")
    await until(lambda: all(scene.runs()[one] == 1 for one in ("again", "slow", "looked", "asked")))
    machines.start("b")
    await until(lambda: machines.epoch("b") == 1)
    # Frozen in the middle of a step of each class; its programs end meanwhile, and nobody hears of it.
    machines.signal("a", signal.SIGSTOP)
    await until(lambda: scene.runs()["slow"] == 2)
    (scene.directory / "go").touch()
    await until(lambda: scene.statuses(incident)["slow"] == "done")
    await until(lambda: not scene.wanted(incident))
    assert scene.step(incident, "slow").node == "conductor@b"
    assert scene.step(incident, "looked").status == "done"
    # Never taken over by another machine: whether it took effect is for a person to say.
    assert scene.step(incident, "asked").status == "unknown"
    assert scene.runs() == {"again": 1, "slow": 2, "looked": 1, "asked": 1}
    await until(lambda: "conductor@b has taken over" in impaired(scene).get("conductor@a", ""))
    await until(lambda: said(scene, incident)[-1:] == [("machine.recovered", "conductor@a")])
    before = len(scene.facts(incident))
    given_up = machines.epoch("a")
    assert given_up == 2
    # It wakes, with results in its hands: refused, and it starts anew.
    machines.signal("a", signal.SIGCONT)
    await until(lambda: machines.epoch("a") == given_up + 1)
    await until(lambda: "conductor@a" not in impaired(scene))
    assert scene.facts(incident)[before:] == []
    # And now b dies in the middle of another incident.
    (scene.directory / "go").unlink()
    machines.signal("a", signal.SIGSTOP)
    second = scene.declare()
    scene.begin(second)
    await until(lambda: scene.runs()["slow"] == 3 and scene.runs()["asked"] == 2)
    machines.signal("a", signal.SIGCONT)
    machines.signal("b", signal.SIGKILL)
    await until(lambda: scene.runs()["slow"] == 4)
    (scene.directory / "go").touch()
    await until(lambda: scene.statuses(second)["slow"] == "done")
    assert scene.step(second, "slow").node == "conductor@a"
    assert scene.step(second, "asked").status == "unknown"
    await until(lambda: "conductor@a has taken over" in impaired(scene).get("conductor@b", ""))
    for one in (incident, second):
        no_step_was_repeated(scene.facts(one))


@pytest.mark.slow
async def test_what_a_dead_conductor_had_in_hand_goes_on_within_45_seconds(
    open_machines: Callable[[float], Machines],
) -> None:
    machines = open_machines(30)
    scene = machines.scene
    incident = scene.declare()
    scene.begin(incident)
    machines.start("a")
    await until(lambda: scene.runs()["slow"] == 1 and scene.step(incident, "again").status == "done")
    machines.start("b")
    await until(lambda: machines.epoch("b") == 1)
    machines.signal("a", signal.SIGKILL)
    assert await until(lambda: scene.runs()["slow"] == 2, 90) <= 45
    assert scene.step(incident, "slow").node == "conductor@b"
    # And a restarted one has its own back at once.
    machines.signal("b", signal.SIGKILL)
    machines.running.pop("b").wait()
    machines.start("b")
    assert await until(lambda: scene.runs()["slow"] == 3) <= 10
    no_step_was_repeated(scene.facts(incident))


@pytest.mark.slow
async def test_a_clean_stop_leaves_what_is_in_hand_to_the_others_at_once(
    open_machines: Callable[[float], Machines],
) -> None:
    machines = open_machines(30)
    scene = machines.scene
    incident = scene.declare()
    scene.begin(incident)
    machines.start("a")
    await until(lambda: scene.runs()["slow"] == 1 and scene.step(incident, "again").status == "done")
    machines.start("b")
    await until(lambda: machines.epoch("b") == 1)
    machines.running["a"].send_signal(signal.SIGTERM)
    assert machines.running.pop("a").wait(10) == 0
    assert await until(lambda: scene.runs()["slow"] == 2) <= 15
    assert impaired(scene) == {}
    no_step_was_repeated(scene.facts(incident))
