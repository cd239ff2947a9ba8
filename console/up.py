"""`hikeshi up`: pager, conductor and an embedded Prefect server on one machine, kept running together.

Each is a process of its own; one that dies is started again. Ctrl-C stops all within five seconds.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from console import logs
from console.leash import stop_on_signals
from console.opening import DIRECTORY_VARIABLE, data_directory, load_or_last_good, secrets_of
from console.standing_down import OUTDATED
from console.texts import Texts, texts
from flows.conductor import EXCUSE_VARIABLE
from flows.prepare import prepare_from_template
from flows.server import PrefectServer, client_environment, free_port, is_free
from models.clock import monotonic
from models.drillfile import PARTICIPANTS_FILE
from models.errors import HikeshiError
from models.supervised import forever, wait
from notifiers.console.screen import Screen
from notifiers.hold import Hold
from playbooks.drillfiles import is_drill

RESTART_SECONDS = (0.2, 1, 2, 5, 10)
CALM_SECONDS = 30
STOP_SECONDS = 4.0
USUAL_PREFECT_PORT = 4200
PREFECT_START_SECONDS = 90
FOLLOW_SECONDS = 0.2
READY = "hikeshi-node-ready"
LEASHED = (sys.executable, "-m", "console.leash")
CHUNK = 65_536
LONGEST_LINE = 65_536
WORD_SECONDS = 1.0
LOCK_SECONDS = 6.0
"""How long parts of an earlier `up` that was killed are given to leave: a second more than they take."""
_screen = Screen()


def _print(text: str) -> None:
    # The terminal may have gone; what we look after goes on.
    with suppress(OSError, ValueError):
        print(text, flush=True)


async def tell(text: str) -> None:
    """Say something of our own. A terminal that takes nothing keeps us from nothing."""
    with suppress(TimeoutError):
        await _screen.write(partial(_print, text), WORD_SECONDS)


@dataclass(kw_only=True)
class Part:
    """One process that is kept running."""

    name: str
    argv: list[str]
    environment: Mapping[str, str]
    process: asyncio.subprocess.Process | None = None
    say: Texts
    deaths: int = 0
    renewing: bool = False
    outdated: bool = False
    """Whether it ended because another version has taken the record over: it is not started again."""
    heard: Callable[[str], str] = field(default=lambda line: line)
    """What to say when it is ready, from the line in which it says so."""

    async def keep(self, stop: asyncio.Event) -> None:
        """Start it, and again whenever it dies, until `stop`. Whatever goes wrong is tried again."""
        await forever(f"keep {self.name}", stop, partial(self._live, stop))

    async def _live(self, stop: asyncio.Event) -> None:
        """One life of the process, and the pause after it. Raises OSError if it cannot be started."""
        begun = monotonic()
        process = self.process = await asyncio.create_subprocess_exec(
            *self.argv,
            env=dict(self.environment),
            # Nothing is written into it: its end tells the part that we are gone.
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        # Apart: what it says may find no reader, and its death has to be noticed all the same.
        following = asyncio.create_task(self._follow(process))
        try:
            code = await process.wait()
            await asyncio.wait([following], timeout=WORD_SECONDS)
        finally:
            following.cancel()
        if stop.is_set():
            return
        if code == OUTDATED:
            self.outdated = True
            await tell(self.say("up.outdated", name=self.name))
            stop.set()
            return
        if self.renewing:
            self.renewing = False
            await tell(self.say("up.renewed", name=self.name))
            return
        if monotonic() - begun > CALM_SECONDS:
            self.deaths = 0
        pause = RESTART_SECONDS[min(self.deaths, len(RESTART_SECONDS) - 1)]
        self.deaths += 1
        await tell(self.say("up.died", name=self.name, code=code, pause=pause))
        await wait(stop, pause)

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        """Show what it says. If nobody reads that, its pipe fills, and it pages by another channel."""
        assert process.stdout is not None  # noqa: S101 - it is a pipe, see above
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        rest = ""
        while chunk := await process.stdout.read(CHUNK):
            *lines, rest = (rest + decoder.decode(chunk)).split("\n")
            if len(rest) > LONGEST_LINE:
                lines, rest = [*lines, rest], ""
            await self._pass_on(lines)
        await self._pass_on([rest] if rest else [])

    async def _pass_on(self, lines: list[str]) -> None:
        shown = [line for line in lines if not line.startswith(READY)]
        if shown:
            await _screen.write(partial(_print, "\n".join(shown)))
        for line in lines:
            if line.startswith(READY):
                await tell(self.heard(line))

    async def renew(self) -> None:
        """End it, to be started again at once with what its files say now."""
        if self.process is not None and self.process.returncode is None:
            self.renewing = True
            await self.end()

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

    78 if another version has taken the record over: the parts have stood down, and so do we.

    Raises BadConfiguration before anything is started.
    """
    institution, defects = load_or_last_good(directory)
    if defects:
        print(texts(lang)("words.last_good", n=len(defects), first=defects[0]), flush=True)
    for one in institution.playbooks.left_out:
        print(texts(lang)("up.left_out", why=one), flush=True)
    secret = secrets_of(directory)
    for reference in _secrets_needed(institution.settings):
        secret(reference)
    return asyncio.run(_up(directory, port, lang))


def _secrets_needed(settings: object) -> list[str]:
    slack, email = getattr(settings, "slack", None), getattr(settings, "email", None)
    found = [slack.token] if slack else []
    teams, gateway = getattr(settings, "teams", None), getattr(settings, "gateway", None)
    found += [*teams.urls.values()] if teams else []
    found += [gateway.secret] if gateway else []
    return found + ([email.password] if email and email.password else [])


async def _up(directory: Path, port: int | None, lang: str) -> int:
    institution, _ = load_or_last_good(directory)
    logs.begin("up", institution.settings.logs)
    say = texts(lang)
    data = data_directory(institution)
    stop = asyncio.Event()
    stop_on_signals(stop.set)
    database = institution.settings.database or f"sqlite:///{data / 'hikeshi.db'}"
    await _alone(Hold.beside(database, data), stop)
    own = os.environ | {DIRECTORY_VARIABLE: str(directory), "HIKESHI_LANG": lang}
    external = os.environ.get("PREFECT_API_URL")
    # One port for as long as we run: the conductor was told it.
    usual = not is_drill(directory)
    server = None if external else PrefectServer(data / "prefect", _prefect_port(usual=usual))
    api = external or (server.url if server else "")
    node = Part(
        name="pager",
        argv=[*LEASHED, "console.node", *([str(port)] if port is not None else [])],
        environment=own,
        say=say,
        heard=lambda line: say("up.ready", port=line.split()[-1]),
    )
    # A server that starts together with us is given its time before anybody is told that it is silent.
    starting = {EXCUSE_VARIABLE: str(PREFECT_START_SECONDS)} if server else {}
    conductor = Part(
        name="conductor",
        argv=[*LEASHED, "flows.conductor"],
        environment=own | client_environment(data / "prefect", api) | starting,
        say=say,
    )
    await tell(say("up.starting", directory=directory))
    # The pager first: it must be there at once, whatever Prefect does.
    kept = [asyncio.create_task(node.keep(stop)), asyncio.create_task(conductor.keep(stop))]
    if server is not None:
        keep = partial(_keep_prefect, server, data / "prefect", say, stop)
        kept.append(asyncio.create_task(forever("keep prefect", stop, keep)))
    if not usual:
        addresses = partial(_follow_addresses, directory / PARTICIPANTS_FILE, node, stop)
        kept.append(asyncio.create_task(forever("follow addresses", stop, addresses)))
    await stop.wait()
    await tell(say("up.stopping"))
    await asyncio.gather(node.end(), conductor.end(), *([server.stop(2.0)] if server else []))
    for task in kept:
        task.cancel()
    await asyncio.gather(*kept, return_exceptions=True)
    await tell(say("up.stopped"))
    return OUTDATED if node.outdated or conductor.outdated else 0


async def _follow_addresses(file: Path, node: Part, stop: asyncio.Event) -> None:
    """Start a drill's node anew when somebody is enrolled or moved: it reads addresses at its start alone."""
    known = _stamp(file)
    while not await wait(stop, FOLLOW_SECONDS):
        if (now := _stamp(file)) != known:
            known = now
            await node.renew()


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


async def _alone(hold: Hold, stop: asyncio.Event) -> None:
    """Wait a moment for the pager of an `up` that was killed. Raises HikeshiError if another one goes on."""
    if hold.path is None or not hold.path.parent.is_dir():
        return
    until = monotonic() + LOCK_SECONDS
    while not hold.take():
        if monotonic() > until or await wait(stop, 0.1):
            holder = hold.holder() or "?"
            raise HikeshiError(
                f"a pager runs already for this record (process {holder}); stop that one first"
            )
    hold.release()


def _prefect_port(*, usual: bool) -> int:
    """Prefect's `usual` port if nobody has it, else any other: a drill leaves it to production."""
    return USUAL_PREFECT_PORT if usual and is_free(USUAL_PREFECT_PORT) else free_port()


async def _keep_prefect(server: PrefectServer, home: Path, say: Texts, stop: asyncio.Event) -> None:
    """Start the embedded Prefect server and start it again when it dies; nothing waits for it."""
    await asyncio.to_thread(prepare_from_template, home)
    deaths = 0
    while not stop.is_set():
        server.start()
        if await server.healthy(60):
            await tell(say("up.prefect", url=server.ui_url))
            deaths = 0
        while not stop.is_set() and server.pid is not None:
            await wait(stop, 1.0)
        if stop.is_set():
            return
        pause = RESTART_SECONDS[min(deaths, len(RESTART_SECONDS) - 1)]
        deaths += 1
        await tell(say("up.died", name="prefect", code="-", pause=pause))
        await wait(stop, pause)
