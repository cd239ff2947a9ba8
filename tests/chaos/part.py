"""A part of the demo under chaos, as a process of its own: `python -m tests.chaos.part pager|conductor …`.

It runs the same node and conductor as `hikeshi up`, on a clock that lies in a file: the demo moves it, and
each part that is started again goes on with it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import datetime
from pathlib import Path

from console.leash import stop_on_signals
from console.node import Node
from console.opening import open_house
from flows.conductor import Conductor
from flows.server import client_environment
from models.clock import ExerciseClock, from_micros, micros
from models.supervised import wait
from notifiers.file import FileNotifier
from notifiers.message import Notifier
from notifiers.pacing import Pace
from notifiers.script import ScriptNotifier

LOOK_SECONDS = 0.01


class FileClock(ExerciseClock):
    """The instant in a file, for several processes; one of them moves it."""

    def __init__(self, path: Path, at: datetime | None = None) -> None:
        self._path = path
        if at is not None:
            self.set(at)
        super().__init__(self.now())

    def now(self) -> datetime:
        return from_micros(int(self._path.read_text(encoding="ascii")))

    def set(self, at: datetime) -> None:
        part = self._path.with_suffix(".part")
        part.write_text(str(micros(at)), encoding="ascii")
        part.replace(self._path)


async def pager(bank: Path, clock: FileClock, port: int) -> None:
    """The node, with messages into a file; it looks as soon as the clock has moved."""
    house = open_house(bank, clock, drill=True)
    notifiers: dict[str, Notifier] = {
        name: FileNotifier(house.data / "messages.jsonl") for name in ("console", "file")
    }
    notifiers["script"] = ScriptNotifier()
    node = Node(house, notifiers, Pace(idle=0.05), port=port)
    stop_on_signals(node.stop.set)
    looking = asyncio.create_task(_look(node, clock))
    try:
        await node.run()
    finally:
        looking.cancel()


async def _look(node: Node, clock: FileClock) -> None:
    known = clock.now()
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if (now := clock.now()) != known:
            known = now
            node.watch.wake()
            node.outbox.wake()


async def conductor(bank: Path, clock: FileClock, prefect: str) -> None:
    """The conductor, with the children that it starts."""
    stop = asyncio.Event()
    stop_on_signals(stop.set)
    environ = os.environ | client_environment(bank / "var" / "prefect", prefect)
    house = open_house(bank, clock, drill=True)
    running = asyncio.create_task(Conductor(house, clock, prefect, children=1, environ=environ).run(stop))
    leaving = asyncio.create_task(_with_parent(stop))
    await running
    leaving.cancel()


async def _with_parent(stop: asyncio.Event) -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        await wait(stop, 0.5)
    stop.set()


def main() -> None:
    """Entry of the process."""
    part, bank, clock, last = sys.argv[1:]
    told = FileClock(Path(clock))
    if part == "pager":
        asyncio.run(pager(Path(bank), told, int(last)))
    else:
        asyncio.run(conductor(Path(bank), told, last))


if __name__ == "__main__":
    main()
