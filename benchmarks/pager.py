"""A pager in a process of its own, as `hikeshi up` starts it: `python -m benchmarks.pager DIR INTERVAL`.

The only difference is Slack's pace: 200 incidents in a row page the same person on duty, and with the shipped
pace of a message a second to each person the figure would be that second.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from console.node import Node
from console.opening import DIRECTORY_VARIABLE, open_house
from models.errors import HikeshiError
from models.node import MACHINE_VARIABLE
from notifiers.pacing import Pace

READY = "ready"
START_WITHIN_SECONDS = 90
STOP_WITHIN_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Pager:
    """A running pager."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def resident_mib(self) -> float:
        """Memory that it holds now, in MiB."""
        return resident_mib(self.pid)

    def terminate(self) -> None:
        """Ask it to stop."""
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """As a machine dies."""
        os.kill(self.pid, signal.SIGKILL)

    def cpu_seconds(self) -> float:
        """CPU that it has used so far."""
        return cpu_seconds(self.pid)


def resident_mib(pid: int) -> float:
    """Memory that a process holds now, in MiB. Raises HikeshiError, or OSError if there is none."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1_024
    raise HikeshiError(f"no VmRSS for process {pid}")


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used so far, all its threads together, in steps of a clock tick (10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def running(directory: Path, slack_interval: float = 0.0, *, node: str = "") -> AsyncIterator[Pager]:
    """A pager on `directory` while entered; it has answered when this is entered. Raises HikeshiError.

    `node` is its name among several on one record.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.pager",
        str(directory),
        str(slack_interval),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, DIRECTORY_VARIABLE: str(directory)} | ({MACHINE_VARIABLE: node} if node else {}),
    )
    try:
        yield Pager(pid=process.pid, port=await _port(process))
    finally:
        await _stop(process)


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None
    async with asyncio.timeout(START_WITHIN_SECONDS):
        async for line in process.stdout:
            word, _, port = line.decode().partition(" ")
            if word == READY:
                return int(port)
    raise HikeshiError(f"the pager ended with {await process.wait()} before it listened")


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        # Reads to the end, so that a full pipe keeps nobody from ending.
        await asyncio.wait_for(process.communicate(), STOP_WITHIN_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()


async def _serve(directory: Path, slack_interval: float) -> None:
    pace = Pace(interval={"slack": slack_interval} if slack_interval else {})
    node = Node(open_house(directory), pace=pace, port=0)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, node.stop.set)
    said = asyncio.create_task(_say(node))
    await node.run()
    said.cancel()


async def _say(node: Node) -> None:
    await node.ready.wait()
    print(READY, node.port, flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), float(sys.argv[2])))
