"""A real `hikeshi up` with its real processes, which are killed and frozen by their numbers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.bank import GATEWAY_SECRET, ROOT, SIEM_SECRET

PARTS: Mapping[str, str] = {
    "pager": "console.node",
    "conductor": "flows.conductor",
    "worker": "flows.runner",
    "prefect": "flows.server",
}
NOBODY = "http://127.0.0.1:9/api"
"""An address at which no Prefect answers."""
STOP_SECONDS = 20.0
SKEWED = ROOT / "tests" / "chaos" / "skewed"


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass(kw_only=True)
class Town:
    """One installation on this machine. `prefect`: with an embedded Prefect server."""

    bank: Path
    prefect: bool = False
    clock: Path | None = None
    crash_at: str = ""
    within: list[str] = field(default_factory=list)
    """Words that start a command elsewhere: in a network namespace."""
    name: str = "one"
    pager_alone: bool = False
    """A second node beside a whole installation."""
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    known: set[int] = field(default_factory=set)
    frozen: set[int] = field(default_factory=set)

    def environment(self) -> dict[str, str]:
        """Nothing of whoever runs us but what every process needs."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "HIKESHI_"))}
        kept |= {
            "PYTHONPATH": str(ROOT),
            "HIKESHI_GATEWAY_SECRET": GATEWAY_SECRET,
            "HIKESHI_SIEM_SECRET": SIEM_SECRET,
            "HIKESHI_WAZUH_SECRET": "x" * 20,
            "HIKESHI_EDR_SECRET": "x" * 20,
            "HIKESHI_DIR": str(self.bank),
            "HIKESHI_NODE": self.name,
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        }
        if not self.prefect:
            kept |= {"PREFECT_API_URL": NOBODY, "HIKESHI_ENGINE": "none"}
        if self.clock is not None:
            kept |= {"PYTHONPATH": f"{SKEWED}{os.pathsep}{ROOT}", "CHAOS_CLOCK": str(self.clock)}
        return kept | ({"HIKESHI_CRASH_AT": self.crash_at} if self.crash_at else {})

    def start(self) -> None:
        """Start all of it; it is not waited for."""
        log = (self.bank / "up.log").open("ab")
        with log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [*self.within, sys.executable, *self._words()],
                env=self.environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip

    def _words(self) -> list[str]:
        if self.pager_alone:
            return ["-m", "console.node", str(self.port)]
        up = ["--dir", str(self.bank), "--lang", "en", "up", "--port", str(self.port)]
        return ["-m", "console.main", *up]

    def answers(self, seconds: float) -> bool:
        """Whether the pager answers within that time."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=2).close()
            except urllib.error.HTTPError as unwell:
                unwell.close()
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
                continue
            return True
        return False

    def family(self) -> dict[int, str]:
        """Our processes by number, with their parts; "" for what belongs to none."""
        if self.process is None:
            return {}
        parents = dict(_parents())
        found = {}
        for pid in parents:
            above, steps = pid, 0
            while above not in {0, 1, self.process.pid} and steps < 20:
                above, steps = parents.get(above, 0), steps + 1
            if above == self.process.pid and pid != self.process.pid:
                found[pid] = _part(pid)
        self.known |= found.keys()
        return found

    def of(self, part: str) -> list[int]:
        """The processes of a part, the outermost first."""
        return sorted(pid for pid, name in self.family().items() if name == part)

    def send(self, part: str, number: signal.Signals) -> list[int]:
        """A signal to all processes of a part; which they were."""
        sent = []
        for pid in self.of(part):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
                sent.append(pid)
        if number is signal.SIGSTOP:
            self.frozen.update(sent)
        return sent

    def thaw(self) -> None:
        """Let go on what was frozen."""
        for pid in self.frozen & set(self.family()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.frozen.clear()

    def die(self) -> None:
        """The power goes: `up` is killed, its parts leave by themselves, and it is started again."""
        if self.process is not None:
            self.family()
            self.thaw()
            self.process.kill()
            self.process.wait()
            self.start()

    def stop(self) -> list[int]:
        """Stop all of it; what was still there afterwards and had to be killed."""
        if self.process is None:
            return []
        self.family()
        self.thaw()
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        until = time.monotonic() + STOP_SECONDS
        while (left := [pid for pid in self.known if _is_ours(pid)]) and time.monotonic() < until:
            time.sleep(0.1)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process = None
        return left


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError, ValueError, IndexError):
                rest = (entry / "stat").read_text().rpartition(")")[2].split()
                if rest[0] != "Z":
                    yield int(entry.name), int(rest[1])


def _words(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    return []


def _part(pid: int) -> str:
    words = _words(pid)
    return next((name for name, module in PARTS.items() if module in words), "")


def _is_ours(pid: int) -> bool:
    """Whether a process that we knew still lives, and its number was not given to another."""
    return bool(_part(pid)) and any(one == pid for one, _ in _parents())
