"""A Prefect server as it comes, with processes beside it that call or serve flows. It is the peer."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.prefect_names import CHILD, DEPLOYMENT, READY
from flows.prepare import prepare_from_template
from flows.server import free_port
from models.errors import HikeshiError

HEALTHY_SECONDS, START_SECONDS = 60.0, 60.0
BUSY, AGAIN_SECONDS, TRIES = 503, 2.0, 6
"""On SQLite the server is busy now and then; Prefect's own client also waits two seconds then."""
_QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}
"""Nothing is sent anywhere; everything else is Prefect's default."""


@dataclass(kw_only=True)
class BarePrefect:
    """A running server."""

    api: str
    environment: dict[str, str]
    session: aiohttp.ClientSession
    _deployments: dict[str, str] = field(default_factory=dict)

    async def create_run(self, flow: str, parameters: dict[str, Any]) -> str:
        """Have a deployment run, as a webhook would; the run's id. Raises HikeshiError."""
        path = f"deployments/{await self.deployment(flow)}/create_flow_run"
        run = await self._call("post", path, {"parameters": parameters})
        return str(run["id"])

    async def deployment(self, flow: str) -> str:
        """The id of a flow's deployment. Raises HikeshiError until it is there."""
        if flow not in self._deployments:
            found = await self._call("get", f"deployments/name/{flow}/{DEPLOYMENT}")
            self._deployments[flow] = found["id"]
        return self._deployments[flow]

    async def state_of(self, run: str) -> str:
        """What the server says of a run."""
        found = await self._call("get", f"flow_runs/{run}")
        return str(found["state_type"])

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        for _ in range(TRIES):
            async with self.session.request(method, f"{self.api}/{path}", json=body) as answer:
                content: dict[str, Any] = await answer.json()
            if answer.status in {200, 201}:
                return content
            if answer.status != BUSY:
                break
            await asyncio.sleep(AGAIN_SECONDS)
        raise HikeshiError(f"Prefect answered {answer.status} to {path}: {content}")


@asynccontextmanager
async def bare_prefect(home: Path) -> AsyncIterator[BarePrefect]:
    """`prefect server start` on a port of its own while entered."""
    prepare_from_template(home)
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "HIKESHI_"))
    }
    environment |= _QUIET | {"PREFECT_HOME": str(home), "PREFECT_API_URL": api}
    argv = (sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port))
    async with process(argv, environment, home / "server.log"), aiohttp.ClientSession() as session:
        server = BarePrefect(api=api, environment=environment, session=session)
        await _healthy(server, home / "server.log")
        yield server


async def _healthy(server: BarePrefect, log: Path) -> None:
    try:
        async with asyncio.timeout(HEALTHY_SECONDS):
            while True:
                with suppress(aiohttp.ClientError):
                    async with server.session.get(f"{server.api}/health") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise HikeshiError(f"bare Prefect is not healthy: {log.read_text('utf-8')[-1000:]}") from None


@asynccontextmanager
async def process(
    argv: tuple[str, ...], environment: dict[str, str], log: Path, *, talking: bool = False
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that is killed with all that it has started when this is left."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as said:
        pipe = asyncio.subprocess.PIPE if talking else None
        begun = await asyncio.create_subprocess_exec(
            *argv,
            env=environment,
            stdin=pipe or asyncio.subprocess.DEVNULL,
            stdout=pipe or said,
            stderr=said,
            cwd=Path.cwd(),
        )
    try:
        yield begun
    finally:
        kill_tree(begun.pid)
        await begun.communicate()


@asynccontextmanager
async def caller(server: BarePrefect, url: str, log: Path) -> AsyncIterator[asyncio.StreamWriter]:
    """A process that has imported Prefect and calls the flow for each line that is written to it."""
    argv = (sys.executable, "-m", CHILD, "called", url)
    async with process(argv, server.environment, log, talking=True) as begun:
        assert begun.stdin is not None
        assert begun.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            async for line in begun.stdout:
                if line.decode().strip() == READY:
                    break
        yield begun.stdin


def serving_argv() -> tuple[str, ...]:
    """Serves the deployments."""
    return sys.executable, "-m", CHILD, "served"


async def served(server: BarePrefect, flow: str) -> None:
    """Until the deployment is there. Raises TimeoutError."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            with suppress(HikeshiError):
                await server.deployment(flow)
                return
            await asyncio.sleep(0.1)


def kill_tree(pid: int) -> None:
    """SIGKILL for a process that we started and all that it has started; gone already is as well."""
    for one in [*reversed(descendants(pid)), pid]:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Children, their children and so on, as /proc tells them now."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(stat.read_text("ascii", "replace").rsplit(")", 1)[1].split()[1])
            parents.setdefault(parent, []).append(int(stat.parent.name))
    found, look = [], [pid]
    while look:
        children = parents.get(look.pop(), [])
        found += children
        look += children
    return found
