"""`hikeshi drill run` for real, with its Prefect: whichever way it ends, nothing of it stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.drillhouse import prepare
from tests.console.test_up import is_alive

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
PARTS = ("console.drill.running", "console.node", "flows.conductor", "flows.server")


class Running:
    """A drill that somebody runs, and every process of it."""

    def __init__(self, drill: Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(ROOT), "HIKESHI_LANG": "en"}
        for name in ("HIKESHI_ENGINE", "PREFECT_API_URL"):
            environment.pop(name, None)
        self.said = drill.parent / "said.log"
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "console.main", "--dir", str(drill), "drill", "run", "--port", "0"],
                env=environment,
                stdout=said,
                stderr=said,
            )
        self.family: dict[int, str] = {}
        self._until_whole()

    def _until_whole(self) -> None:
        """Until it has said what to type next and each of its parts runs."""
        until = time.monotonic() + PATIENCE * 2
        while "goes on with the next" not in self.text() or not all(
            any(one in said for said in self.family.values()) for one in PARTS
        ):
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < until, (self.text(), self.family)
            time.sleep(0.2)
            self.family = self._below()

    def text(self) -> str:
        return self.said.read_text(encoding="utf-8")

    def _below(self) -> dict[int, str]:
        """Every process below this one, by its number, with what it runs."""
        listed = subprocess.run(["ps", "-ewwo", "pid,ppid,args"], capture_output=True, text=True, check=True)  # noqa: S607
        found = {self.process.pid: ""}
        rows = [line.split(None, 2) for line in listed.stdout.splitlines()[1:]]
        for _ in range(6):
            found |= {int(pid): args for pid, parent, args in rows if int(parent) in found}
        del found[self.process.pid]
        return found

    def until_gone(self) -> None:
        until = time.monotonic() + PATIENCE
        while left := [args for pid, args in self.family.items() if is_alive(pid)]:
            assert time.monotonic() < until, f"goes on without anybody who looks after it: {left}"
            time.sleep(0.1)


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    made = Running(prepare(tmp_path, monkeypatch).drill)
    yield made
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait(PATIENCE)
        made.until_gone()


@pytest.mark.prefect
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, id="Ctrl-C"),
        pytest.param(signal.SIGHUP, id="a closed terminal", marks=pytest.mark.slow),
    ],
)
def test_asked_to_stop_it_ends_in_order_with_all_its_processes(
    running: Running, number: signal.Signals
) -> None:
    running.process.send_signal(number)
    assert running.process.wait(PATIENCE) == 0
    running.until_gone()


@pytest.mark.prefect
@pytest.mark.timeout(300)
def test_killed_it_takes_node_conductor_and_prefect_with_it(running: Running) -> None:
    running.process.kill()
    running.process.wait(PATIENCE)
    running.until_gone()
