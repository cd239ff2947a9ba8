"""The kill matrix: ten steps that each tell the receiver, SIGKILL at a named instant, and a new start.

The same for all of them: the process that runs the steps is killed with everything it has started, at an
instant that the receiver sees, and started again as a supervisor would. Then nobody touches it. What is
counted is what came to the receiver, and how long nothing came.

"Finished" are the steps before the one in hand: a step whose answer had just left may not be on record yet.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.bank import Bank, declare, found
from benchmarks.bare_prefect import BarePrefect, bare_prefect, kill_tree, process, served, serving_argv
from benchmarks.figure import Figure
from benchmarks.ground import Ground
from benchmarks.prefect_names import STEPS
from benchmarks.receiver import Instant, Receiver
from console.opening import DIRECTORY_VARIABLE
from flows.server import client_environment
from models.clock import monotonic
from models.errors import HikeshiError

POINTS: Sequence[tuple[str, Instant]] = (
    ("step-05", "answered"),
    ("step-01", "arrived"),
    ("step-05", "arrived"),
    ("step-09", "answered"),
)
"""Where it is killed: the request is there and not answered, or its answer has just left."""
QUICK_POINTS = 1
REACHED_SECONDS, DONE_SECONDS = 90.0, 60.0
PATIENCE_SECONDS, QUIET_SECONDS = 25.0, 1.5
"""How long somebody may take to go on by itself; and how long nothing may come until it counts as over."""
LIMIT_SECONDS = 10
ALL = [f"step-{number:02d}" for number in range(1, STEPS + 1)]


class Engine(Protocol):
    """One that runs the steps: how its process is started, and the steps asked for, once and again."""

    name: str

    def argv(self, *, again: bool) -> tuple[str, ...]:
        """The process that runs the steps."""
        ...

    def environment(self) -> dict[str, str]:
        """Of that process."""
        ...

    async def ask(self) -> None:
        """Have the ten steps run; nothing to do where the process itself begins them."""
        ...


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one kill: counts of steps, and seconds until it went on (None: it did not)."""

    repeated: int
    in_hand_twice: int
    lost: int
    on_after: float | None
    keyed: bool
    """Whether what came twice carried the same key."""


def killing(ground: Ground) -> Iterator[Figure]:
    """Ours, DBOS and bare Prefect at each point."""
    points = POINTS[: ground.some(len(POINTS), QUICK_POINTS)]
    for name, engine in ENGINES.items():
        outcomes = [asyncio.run(_killed(ground, engine, point)) for point in points]
        yield from _figures(name, outcomes)


def _figures(name: str, outcomes: Sequence[Outcome]) -> Iterator[Figure]:
    ours, n = name == "Hikeshi", len(outcomes)
    went_on = [one.on_after for one in outcomes if one.on_after is not None]
    what = f"kill -9, {name}:"
    yield Figure(name=f"{what} finished steps repeated", value=sum(one.repeated for one in outcomes),
                 unit="steps", n=n, target=0 if ours else None)  # fmt: skip
    yield Figure(name=f"{what} steps lost", value=sum(one.lost for one in outcomes), unit="steps", n=n,
                 target=0 if ours else None)  # fmt: skip
    twice = sum(one.in_hand_twice for one in outcomes)
    yield Figure(name=f"{what} the step in hand told twice", value=twice, unit="times", n=n,
                 note=_said(twice, outcomes))  # fmt: skip
    yield Figure(name=f"{what} went on by itself", value=len(went_on), unit=f"of {n}", n=n,
                 target=n if ours else None, at_least=True)  # fmt: skip
    if went_on:
        yield Figure(name=f"{what} new start → goes on, max", value=max(went_on), unit="s", n=len(went_on),
                     target=LIMIT_SECONDS if ours else None)  # fmt: skip


def _said(twice: int, outcomes: Sequence[Outcome]) -> str:
    if not twice:
        return ""
    return "with the same key" if all(one.keyed for one in outcomes) else "with nothing to tell them by"


MakeEngine = Callable[[Ground, Receiver], AbstractAsyncContextManager[Engine]]


async def _killed(ground: Ground, make: MakeEngine, point: tuple[str, Instant]) -> Outcome:
    async with Receiver() as receiver, make(ground, receiver) as engine:
        log = ground.place("killed.log")
        async with process(engine.argv(again=False), engine.environment(), log) as first:
            receiver.trap(*point, lambda: kill_tree(first.pid))
            await engine.ask()
            if not await receiver.until(lambda: receiver.sprung, REACHED_SECONDS):
                raise HikeshiError(f"{engine.name} has not come to {point}; {_tail(log)}")
        return await _started_again(receiver, engine, point[0], log)


async def _started_again(receiver: Receiver, engine: Engine, in_hand: str, log: Path) -> Outcome:
    before, start = len(receiver.posts), monotonic()
    async with process(engine.argv(again=True), engine.environment(), log):
        went_on = await receiver.until(lambda: len(receiver.posts) > before, PATIENCE_SECONDS)
        if went_on:
            await receiver.until(lambda: set(receiver.count()) >= set(ALL), DONE_SECONDS)
        await asyncio.sleep(QUIET_SECONDS)
        lost = len(set(ALL) - set(receiver.count()))
        if not went_on:
            # Somebody has noticed, and has it run again.
            await engine.ask()
            if not await receiver.until(lambda: ALL[-1] in receiver.count(), REACHED_SECONDS):
                raise HikeshiError(f"{engine.name} did not run again either; {_tail(log)}")
    came = receiver.posts[before:]
    finished = ALL[: ALL.index(in_hand)]
    keys = {post.key for post in receiver.posts if post.what == in_hand}
    return Outcome(
        repeated=sum(post.what in finished for post in came),
        in_hand_twice=max(0, receiver.count()[in_hand] - 1),
        lost=lost,
        on_after=came[0].at - start if went_on else None,
        keyed=len(keys) == 1 and "" not in keys,
    )


def _tail(log: Path) -> str:
    return log.read_text("utf-8", "replace")[-800:] if log.exists() else "it said nothing"


# -- who runs the steps -------------------------------------------------------------------------------------

_PLAYBOOK = """\
playbook: bench
version: 1.0.0
title: {ja: 計測用, en: For measuring}
reviewed: 2026-11-01
priority: 9
steps:
"""
_STEP = """\
  - id: {what}
    phase: triage
    kind: action
    use: http.request
    target: {what}
    on_crash: idempotent
    timeout: 30s
    title: {{ja: 送る {what}, en: Tell {what}}}
"""


class Ours:
    """The conductor with its children, on a Prefect server that stays up."""

    name = "Hikeshi"

    def __init__(self, bank: Bank, server: BarePrefect) -> None:
        self._bank, self._server = bank, server

    def argv(self, *, again: bool) -> tuple[str, ...]:
        """The same both times."""
        return sys.executable, "-m", "flows.conductor"

    def environment(self) -> dict[str, str]:
        """As `hikeshi up` starts it."""
        home = Path(self._server.environment["PREFECT_HOME"])
        ours = {name: value for name, value in os.environ.items() if name != "HIKESHI_ENGINE"}
        ours |= client_environment(home, self._server.api)
        return ours | {DIRECTORY_VARIABLE: str(self._bank.directory)}

    async def ask(self) -> None:
        """Declare the incident whose playbook has the steps."""
        desk = self._bank.desk()
        declare(desk, "bench")
        desk.record.close()


@asynccontextmanager
async def _ours(ground: Ground, receiver: Receiver) -> AsyncIterator[Engine]:
    bank = found(ground.place("kill-ours"))
    text, targets = _PLAYBOOK, ""
    for what, before in zip(ALL, [None, *ALL[:-1]], strict=True):
        text += _STEP.format(what=what) + (f"    after: [{before}]\n" if before else "")
        targets += f"  {what}:\n    kind: http\n    url: {receiver.url}/{what}\n"
    (bank.directory / "playbooks" / "bench.yaml").write_text(text, encoding="utf-8")
    with (bank.directory / "targets.yaml").open("a", encoding="utf-8") as file:
        file.write("\n" + targets)
    async with bare_prefect(ground.place("kill-prefect")) as server:
        yield Ours(bank, server)


class Dbos:
    """One process with its SQLite database."""

    name = "DBOS"

    def __init__(self, database: Path, url: str) -> None:
        self._given = (sys.executable, "-m", "benchmarks.dbos_child", f"sqlite:///{database}", "tell", url)

    def argv(self, *, again: bool) -> tuple[str, ...]:
        """The second start only starts DBOS."""
        return (*self._given, "again") if again else self._given

    def environment(self) -> dict[str, str]:
        """Nothing of its own."""
        return dict(os.environ)

    async def ask(self) -> None:
        """The process begins by itself."""


@asynccontextmanager
async def _dbos(ground: Ground, receiver: Receiver) -> AsyncIterator[Engine]:
    yield Dbos(ground.place("kill-dbos.db"), receiver.url)


class Bare:
    """Prefect's `serve`, whose server stays up."""

    name = "bare Prefect"

    def __init__(self, server: BarePrefect, url: str) -> None:
        self._server, self._url = server, url

    def argv(self, *, again: bool) -> tuple[str, ...]:
        """The same both times."""
        return serving_argv()

    def environment(self) -> dict[str, str]:
        """Its server's address, and nothing else of ours."""
        return self._server.environment

    async def ask(self) -> None:
        """Have the deployment run."""
        await served(self._server, "steps")
        await self._server.create_run("steps", {"url": self._url})


@asynccontextmanager
async def _bare(ground: Ground, receiver: Receiver) -> AsyncIterator[Engine]:
    async with bare_prefect(ground.place("kill-bare")) as server:
        yield Bare(server, receiver.url)


ENGINES: dict[str, MakeEngine] = {"Hikeshi": _ours, "DBOS": _dbos, "bare Prefect": _bare}
