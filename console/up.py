"""`hikeshi up`: pager, conductor and an embedded Prefect server on one machine, kept running together.

Each is a process of its own; one that dies is started again. Ctrl-C stops all within five seconds.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from console.opening import DIRECTORY_VARIABLE, data_directory, secrets_of
from console.texts import Texts, texts
from flows.conductor import EXCUSE_VARIABLE
from flows.prepare import prepare_from_template
from flows.server import PrefectServer, client_environment, free_port, is_free
from models.clock import monotonic
from models.supervised import wait
from playbooks.institution import load

RESTART_SECONDS = (0.2, 1, 2, 5, 10)
CALM_SECONDS = 30
STOP_SECONDS = 4.0
USUAL_PREFECT_PORT = 4200
PREFECT_START_SECONDS = 90
READY = "hikeshi-node-ready"


@dataclass(kw_only=True)
class Part:
    """One process that is kept running."""

    name: str
    argv: list[str]
    environment: Mapping[str, str]
    process: asyncio.subprocess.Process | None = None
    say: Texts
    deaths: int = 0
    heard: Callable[[str], None] = field(default=lambda line: None)

    async def keep(self, stop: asyncio.Event) -> None:
        """Start it, and again whenever it dies, until `stop`."""
        while not stop.is_set():
            begun = monotonic()
            self.process = await asyncio.create_subprocess_exec(
                *self.argv,
                env=dict(self.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            await self._follow(self.process)
            code = await self.process.wait()
            if stop.is_set():
                return
            if monotonic() - begun > CALM_SECONDS:
                self.deaths = 0
            pause = RESTART_SECONDS[min(self.deaths, len(RESTART_SECONDS) - 1)]
            self.deaths += 1
            print(self.say("up.died", name=self.name, code=code, pause=pause), flush=True)
            await wait(stop, pause)

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it is a pipe, see above
        while line := await process.stdout.readline():
            text = line.decode(errors="replace").rstrip("\n")
            if text.startswith(READY):
                self.heard(text)
            else:
                print(text, flush=True)

    async def end(self) -> None:
        """Ask it to stop, and end its whole process group if it does not."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        _signal(process.pid, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS - 1):
                await process.wait()
                return
        _signal(process.pid, signal.SIGKILL)
        await process.wait()


def _signal(pid: int, number: signal.Signals) -> None:
    """To the process group that we made for this child, and to no other."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def up(directory: Path, port: int | None, lang: str) -> int:
    """Run everything until Ctrl-C. Exit code 0, or 1 if the directory or a secret is not in order.

    Raises BadConfiguration before anything is started.
    """
    institution = load(directory)
    secret = secrets_of(directory)
    for reference in _secrets_needed(institution.settings):
        secret(reference)
    return asyncio.run(_up(directory, port, lang))


def _secrets_needed(settings: object) -> list[str]:
    slack, email = getattr(settings, "slack", None), getattr(settings, "email", None)
    found = [slack.token] if slack else []
    return found + ([email.password] if email and email.password else [])


async def _up(directory: Path, port: int | None, lang: str) -> int:
    institution = load(directory)
    say = texts(lang)
    data = data_directory(institution)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    own = os.environ | {DIRECTORY_VARIABLE: str(directory), "HIKESHI_LANG": lang}
    external = os.environ.get("PREFECT_API_URL")
    # One port for as long as we run: the conductor was told it.
    server = None if external else PrefectServer(data / "prefect", _prefect_port())
    api = external or (server.url if server else "")
    node = Part(
        name="pager",
        argv=[sys.executable, "-m", "console.node", *([str(port)] if port is not None else [])],
        environment=own,
        say=say,
        heard=lambda line: print(say("up.ready", port=line.split()[-1]), flush=True),
    )
    # A server that starts together with us is given its time before anybody is told that it is silent.
    starting = {EXCUSE_VARIABLE: str(PREFECT_START_SECONDS)} if server else {}
    conductor = Part(
        name="conductor",
        argv=[sys.executable, "-m", "flows.conductor"],
        environment=own | client_environment(data / "prefect", api) | starting,
        say=say,
    )
    print(say("up.starting", directory=directory), flush=True)
    # The pager first: it must be there at once, whatever Prefect does.
    kept = [asyncio.create_task(node.keep(stop)), asyncio.create_task(conductor.keep(stop))]
    if server is not None:
        kept.append(asyncio.create_task(_keep_prefect(server, data / "prefect", say, stop)))
    await stop.wait()
    print(say("up.stopping"), flush=True)
    await asyncio.gather(node.end(), conductor.end(), *([server.stop(2.0)] if server else []))
    for task in kept:
        task.cancel()
    await asyncio.gather(*kept, return_exceptions=True)
    print(say("up.stopped"), flush=True)
    return 0


def _prefect_port() -> int:
    """Prefect's usual port if nobody has it, any other if somebody does."""
    return USUAL_PREFECT_PORT if is_free(USUAL_PREFECT_PORT) else free_port()


async def _keep_prefect(server: PrefectServer, home: Path, say: Texts, stop: asyncio.Event) -> None:
    """Start the embedded Prefect server and start it again when it dies; nothing waits for it."""
    await asyncio.to_thread(prepare_from_template, home)
    deaths = 0
    while not stop.is_set():
        server.start()
        if await server.healthy(60):
            print(say("up.prefect", url=server.ui_url), flush=True)
            deaths = 0
        while not stop.is_set() and server.pid is not None:
            await wait(stop, 1.0)
        if stop.is_set():
            return
        pause = RESTART_SECONDS[min(deaths, len(RESTART_SECONDS) - 1)]
        deaths += 1
        print(say("up.died", name="prefect", code="-", pause=pause), flush=True)
        await wait(stop, pause)
