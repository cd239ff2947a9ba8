"""A drill's node as a real process: killed in the middle, and beside a real incident."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from console.drill import clockfile, guard
from console.drill.preparing import addresses
from console.drill.running import _library
from console.opening import House, open_house
from console.web.sessions import Sessions, cookie_name
from models.clock import SystemClock
from models.commands import Actor, Declare
from models.exercise import EXERCISE, Exercise, SetTiming, StartExercise
from models.exercise_clock import GRANT_US, MICROSECOND, StoryClock
from models.record import OUTBOX
from playbooks.institution import load
from tests.console.drillhouse import Beside, prepare

PATIENCE = 60.0
SATO = Actor(person="sato-kenji", name="sato", via="cli")
SPEED = 60


class Node:
    """One process of `console.node`: of the drill behind its guard, or of production; or a conductor."""

    def __init__(self, directory: Path, *, drill: bool, module: str = "console.node") -> None:
        library = _library(directory) if drill else Path(__file__).parents[2]
        environment = guard.environment(directory, os.environ) if drill else dict(os.environ)
        environment |= {"HIKESHI_DIR": str(directory), "PYTHONPATH": str(library)}
        behind = ["console.drill.behind", module] if drill else [module]
        self.process = subprocess.Popen(  # noqa: S603 - our own modules
            [sys.executable, "-P", "-m", *behind, "0"],
            env=environment,
            cwd=directory,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.port = 0
        if module != "console.node":
            return
        for line in self.process.stdout:
            if line.startswith("hikeshi-node-ready"):
                self.port = int(line.split()[-1])
                break
        assert self.port, f"the node of {directory} did not come up"

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self._gone()

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self._gone()

    def _gone(self) -> None:
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Beside:
    return prepare(tmp_path, monkeypatch)


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    started: list[Node] = []
    yield started
    for one in started:
        one.stop()


def until(what: str, holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"{what} did not come about"
        time.sleep(0.05)


def clock_of(house: House) -> StoryClock:
    clock = house.desk.clock
    assert isinstance(clock, StoryClock)
    return clock


def exercise(house: House) -> Exercise:
    state = house.desk.state(EXERCISE)
    assert isinstance(state, Exercise)
    return state


def startex(house: House, speed: int = SPEED) -> None:
    command = StartExercise(actor=SATO, wall=SystemClock().now(), speed=speed)
    assert house.desk.handle(EXERCISE, command).accepted
    until(
        "STARTEX", lambda: clock_of(house).played() >= timedelta(0) and clock_of(house).mark().speed == speed
    )


def sent(house: House) -> list[tuple[str, str]]:
    """Every message of the drill by its key, with its state."""
    with house.record.read() as tx:
        return [(row[0], row[1]) for row in tx.connection.execute(select(OUTBOX.c.key, OUTBOX.c.state))]


def test_a_node_that_is_killed_goes_on_from_where_the_time_stood(beside: Beside, nodes: list[Node]) -> None:
    nodes.append(Node(beside.drill, drill=True, module="flows.conductor"))
    nodes.append(Node(beside.drill, drill=True))
    house = beside.house()
    startex(house)
    until("ten minutes of play", lambda: clock_of(house).played() > timedelta(minutes=10))
    nodes[-1].kill()
    killed = clock_of(house).played()
    time.sleep(2.5)
    stood = clock_of(house).played()
    assert stood - killed <= GRANT_US * SPEED * MICROSECOND
    time.sleep(0.5)
    assert clock_of(house).played() == stood
    delivered = dict(exercise(house).injects)
    nodes.append(Node(beside.drill, drill=True))
    until("the time goes on", lambda: clock_of(house).played() > stood)
    # Two seconds of the machine's time at most are lost, and none is played twice.
    assert clock_of(house).mark().played_us * MICROSECOND >= killed - timedelta(seconds=2 * SPEED)
    until("more comes in", lambda: len(exercise(house).injects) > len(delivered))
    pause = SetTiming(actor=SATO, wall=SystemClock().now(), what="pause")
    assert house.desk.handle(EXERCISE, pause).accepted
    with house.record.read() as tx:
        facts = [fact for fact in tx.facts(EXERCISE) if fact.kind.startswith("inject.")]
    names = [fact.data["inject"] for fact in facts if fact.kind == "inject.delivered"]
    assert len(names) == len(set(names))
    instants = [fact.recorded_at for fact in facts]
    assert instants == sorted(instants)
    until("all is delivered", lambda: {state for _, state in sent(house)} <= {"sent", "withdrawn"})
    keys = [key for key, _ in sent(house)]
    assert keys and len(keys) == len(set(keys))
    house.record.close()


def test_paused_it_stands_for_every_process_and_a_step_comes_to_its_end(
    beside: Beside, nodes: list[Node]
) -> None:
    nodes.append(Node(beside.drill, drill=True, module="flows.conductor"))
    nodes.append(Node(beside.drill, drill=True))
    house = beside.house()
    startex(house)
    until("two minutes of play", lambda: clock_of(house).played() > timedelta(minutes=2))
    wall = SystemClock()
    assert house.desk.handle(EXERCISE, SetTiming(actor=SATO, wall=wall.now(), what="pause")).accepted
    until("it stands", lambda: not clockfile.read(house.data).goes)
    stood = clock_of(house).played()
    time.sleep(0.6)
    assert clock_of(house).played() == stood
    step = SetTiming(actor=SATO, wall=wall.now(), what="step", step=timedelta(minutes=10))
    assert house.desk.handle(EXERCISE, step).accepted
    until("the step", lambda: clock_of(house).played() >= stood + timedelta(minutes=10))
    assert clock_of(house).played() <= stood + timedelta(minutes=10, seconds=1)
    house.record.close()


def test_a_drill_and_a_real_incident_beside_it_do_not_reach_each_other(
    beside: Beside, nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIKESHI_WAZUH_SECRET", "the secret of production")
    bank = open_house(beside.bank)
    nodes += [Node(beside.bank, drill=False), Node(beside.drill, drill=True)]
    drill = beside.house()
    startex(drill)
    real = Declare(actor=SATO, text="REAL-MATTER on cb-db01", playbooks=("ransomware",), severity="high")
    assert bank.desk.handle(None, real).accepted
    practised = Declare(actor=SATO, text="PRACTISED-MATTER", playbooks=("ransomware",), severity="high")
    assert drill.desk.handle(None, practised).accepted
    until("the real page is sent", lambda: any(state == "sent" for _, state in sent(bank)))
    until("the drill's messages are sent", lambda: any(state == "sent" for _, state in sent(drill)))
    assert nodes[0].port != nodes[1].port
    for node, own, other in ((nodes[0], "REAL", "PRACTISED"), (nodes[1], "PRACTISED", "REAL")):
        house = bank if own == "REAL" else drill
        value = Sessions(house).open("test", person="sato-kenji")
        cookies = {cookie_name(house): value}
        board = httpx.get(f"http://127.0.0.1:{node.port}/", cookies=cookies, trust_env=False).text
        assert own in board and other not in board
        assert ("訓練" in board) is (own == "PRACTISED")
    for one in nodes:
        one.stop()
    assert holding(beside.drill, b"REAL-MATTER") == []
    assert holding(beside.bank, b"PRACTISED-MATTER") == []
    assert holding(beside.drill, b"the secret of production") == []
    assert holding(beside.drill, str(beside.bank).encode()) == []
    for address in addresses(load(beside.bank).organisation):
        assert holding(beside.drill, address.encode()) == [], address
    assert EXERCISE not in streams(bank)
    for house in (bank, drill):
        house.record.close()


def holding(folder: Path, bytes_: bytes) -> list[str]:
    """The files below that hold these bytes."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [str(path) for path in files if "lib" not in path.parts and bytes_ in path.read_bytes()]


def streams(house: House) -> list[str]:
    with house.record.read() as tx:
        return [row[0] for row in tx.connection.exec_driver_sql("select id from stream")]
