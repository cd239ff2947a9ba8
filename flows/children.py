"""The conductor's child processes: started warm, given one job at a time, killed when they go silent.

Only killing bounds a flow whose API hangs, so a child that says nothing for longer than it said it would is
killed with everything it has started. Nothing is killed but what was started here.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from console.opening import DIRECTORY_VARIABLE
from flows.server import client_environment
from models.clock import monotonic

START_SECONDS = 60.0
"""How long a child may take to import Prefect and read the directory, on a machine that is busy."""
END_SECONDS = 2.0
MAX_LOG_BYTES = 5_000_000
_ENGINE = "HIKESHI_ENGINE"
_ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of a job. `state` is the flow's final state, or `Died` or `Silent` if the child did."""

    ok: bool
    state: str
    message: str = ""
    engine: str = ""


class Child:
    """One process that runs flows. `engine` is whether it was started to use Prefect."""

    def __init__(self, process: Process, *, engine: bool) -> None:
        self._process = process
        self.engine = engine
        self._ready = False

    @property
    def pid(self) -> int:
        """Its process, which leads a group of its own."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    async def run(self, job: Mapping[str, Any], patience_seconds: float) -> Answer:
        """Give it a job and wait for the answer, `patience_seconds` beyond what its actions may take.

        A child that is silent for longer is killed.
        """
        assert self._process.stdin is not None  # noqa: S101 - made with a pipe
        try:
            self._process.stdin.write(orjson.dumps(job) + b"\n")
            await self._process.stdin.drain()
            return await self._answer(str(job["job"]), patience_seconds)
        except (BrokenPipeError, ConnectionResetError):
            await self.kill()
            return self._died()
        except TimeoutError:
            await self.kill()
            return Answer(ok=False, state="Silent", message=f"silent for {patience_seconds:g} s, ended")

    async def _answer(self, job: str, patience: float) -> Answer:
        """The answer to this job. Raises TimeoutError when the child is silent for too long."""
        assert self._process.stdout is not None  # noqa: S101 - made with a pipe
        until = monotonic() + (patience if self._ready else max(patience, START_SECONDS))
        while True:
            async with asyncio.timeout(max(0.0, until - monotonic())):
                line = await self._process.stdout.readline()
            if not line:
                await self.kill()
                return self._died()
            said = orjson.loads(line)
            if said.get("ready"):
                self._ready = True
            elif said.get("job") == job and "ok" in said:
                return Answer(
                    ok=said["ok"], state=said["state"], message=said["message"], engine=said["engine"]
                )
            until = monotonic() + patience + float(said.get("busy", 0.0))

    def _died(self) -> Answer:
        return Answer(ok=False, state="Died", message=f"ended by itself ({self._process.returncode})")

    async def kill(self) -> None:
        """Kill it and what it has started, and wait until it is gone. Nothing if it has ended."""
        if self.alive:
            for group in (*_groups_below(self.pid), self.pid):
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()


def _groups_below(pid: int) -> list[int]:
    """Processes that `pid` has started and that lead a group of their own: programs of command steps.

    Only where the system tells (Linux); elsewhere these end by their own time limit.
    """
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [int(one) for one in file.read_text().split()]
    return [one for one in found if _leads_group(one)]


def _leads_group(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


class Children:
    """At most `most` processes at a time, kept warm between jobs."""

    def __init__(
        self,
        directory: Path,
        data: Path,
        prefect_url: str | None,
        most: int,
        environ: Mapping[str, str],
    ) -> None:
        """`environ` is what children get of the environment, the institution's secrets among it."""
        self._directory = directory
        self._data = data
        self._prefect_url = prefect_url
        self._most = most
        self._environ = dict(environ)
        self._all: list[Child] = []
        self._busy: set[object] = set()

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that are alive."""
        return tuple(child.pid for child in self._all if child.alive)

    async def take(self, *, engine: bool) -> Child:
        """A child for one job, warm if there is one. Raises OSError if no process can be made."""
        self._all = [child for child in self._all if child.alive]
        idle = [child for child in self._all if child not in self._busy]
        child = next((one for one in idle if one.engine == engine), None)
        if child is None:
            if len(self._all) >= self._most and idle:
                self._all.remove(idle[0])
                await idle[0].kill()
            child = await self._start(engine=engine)
            self._all.append(child)
        self._busy.add(child)
        return child

    def give_back(self, child: object) -> None:
        """The job is over."""
        self._busy.discard(child)

    async def close(self) -> None:
        """Kill all."""
        await asyncio.gather(*(child.kill() for child in self._all))
        self._all.clear()
        self._busy.clear()

    async def _start(self, *, engine: bool) -> Child:
        with self._log() as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "flows.runner",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment(engine=engine),
                start_new_session=True,
            )
        return Child(process, engine=engine)

    def _environment(self, *, engine: bool) -> dict[str, str]:
        path = os.pathsep.join(part for part in (str(_ROOT), self._environ.get("PYTHONPATH", "")) if part)
        ours = {**self._environ, DIRECTORY_VARIABLE: str(self._directory), "PYTHONPATH": path}
        if engine and self._prefect_url:
            ours.pop(_ENGINE, None)
            return ours | client_environment(self._data / "prefect", self._prefect_url)
        return ours | {_ENGINE: "none"}

    def _log(self) -> IO[bytes]:
        """Where children write what went wrong; begun anew when it has grown large."""
        file = self._data / "flows.log"
        self._data.mkdir(parents=True, exist_ok=True)
        large = file.exists() and file.stat().st_size > MAX_LOG_BYTES
        return file.open("wb" if large else "ab")
