"""`hikeshi up` for real: processes are started, started again when they die, and stopped in time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0


class Up:
    """A running `hikeshi up`, and the lines it says."""

    def __init__(self, bank: Path) -> None:
        environment = os.environ | {
            "HIKESHI_WAZUH_SECRET": "x" * 20,
            "HIKESHI_EDR_SECRET": "x" * 20,
            "PYTHONPATH": str(ROOT),
            # Nobody answers there: the embedded server is tested with the demo, and pages need neither.
            "PREFECT_API_URL": "http://127.0.0.1:9/api",
        }
        environment.pop("HIKESHI_ENGINE", None)
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "console.main", "--dir", str(bank), "--lang", "en", "up", "--port", "0"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.lines: Queue[str] = Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def wait_for(self, words: str) -> str:
        until = time.monotonic() + PATIENCE
        seen = []
        while time.monotonic() < until:
            try:
                seen.append(self.lines.get(timeout=0.2))
            except Empty:
                continue
            if words in seen[-1]:
                return seen[-1]
        raise AssertionError(f"{words!r} was not said: {seen}")

    def children(self) -> dict[str, int]:
        """Processes below this one, by what they run."""
        found = {}
        listed = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True)  # noqa: S607
        for line in listed.stdout.splitlines()[1:]:
            pid, parent, args = line.split(None, 2)
            if int(parent) == self.process.pid:
                found[args] = int(pid)
        return found


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    bank = tmp_path / "bank"
    shutil.copytree(ROOT / "examples" / "mihon-bank", bank, ignore=shutil.ignore_patterns("var"))
    running = Up(bank)
    yield running
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(PATIENCE)
    running.reader.join(PATIENCE)
    assert running.process.stdout is not None
    running.process.stdout.close()


def health(port: int) -> dict[str, object]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
        found: dict[str, object] = json.load(answer)
        return found


def port_of(line: str) -> int:
    return int(line.rsplit(":", 1)[1].strip().rstrip("/"))


def test_the_pager_is_there_without_prefect_is_started_again_and_all_stops_in_five_seconds(up: Up) -> None:
    port = port_of(up.wait_for("alerts, pages and board"))
    assert health(port)["status"] == "ok"
    pager = next(pid for args, pid in up.children().items() if "console.node" in args)
    os.kill(pager, signal.SIGKILL)
    up.wait_for("pager ended (-9)")
    again = port_of(up.wait_for("alerts, pages and board"))
    assert health(again)["status"] == "ok"
    family = up.children()
    assert {"console.node", "flows.conductor"} <= {args.split(" -m ")[-1].split()[0] for args in family}

    begun = time.monotonic()
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(PATIENCE) == 0
    assert time.monotonic() - begun < 5
    for pid in family.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
