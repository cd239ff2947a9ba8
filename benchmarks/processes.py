"""Memory: what each process of `hikeshi up` holds at rest, and what an open incident costs a pager."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

from benchmarks.bank import Bank, found
from benchmarks.bare_prefect import descendants, process
from benchmarks.crowd import plant
from benchmarks.figure import Figure
from benchmarks.ground import Ground
from benchmarks.pager import resident_mib
from console.opening import DIRECTORY_VARIABLE
from flows.server import free_port
from models.clock import ExerciseClock, SystemClock
from models.errors import HikeshiError

UP_SECONDS, SETTLE_SECONDS = 90.0, 8.0
OPEN = 1_000
PARTS = {
    "console.node": "pager",
    "flows.conductor": "conductor",
    "flows.runner": "runner of flows",
    "flows.server": "Prefect server",
}


def processes(ground: Ground) -> Iterator[Figure]:
    """All of them on one machine; then a process that holds many incidents at hand."""
    for name, mib in sorted(asyncio.run(_at_rest(ground)).items()):
        yield Figure(name=f"hikeshi up at rest: {name}, memory", value=mib, unit="MiB", n=1)
    yield _each(found(ground.place("each")))


async def _at_rest(ground: Ground) -> dict[str, float]:
    bank = found(ground.place("up"))
    environment = {name: value for name, value in os.environ.items() if name != "HIKESHI_ENGINE"}
    environment[DIRECTORY_VARIABLE] = str(bank.directory)
    argv = (str(Path(sys.executable).parent / "hikeshi"), "up", "--port", str(free_port()))
    log = ground.place("up.log")
    async with process(argv, environment, log) as up:
        try:
            async with asyncio.timeout(UP_SECONDS):
                while not {"pager", "conductor"} <= set(_parts(up.pid)):
                    await asyncio.sleep(0.5)
        except TimeoutError:
            raise HikeshiError(f"`hikeshi up` has not come up: {log.read_text('utf-8')[-500:]}") from None
        await asyncio.sleep(SETTLE_SECONDS)
        return _parts(up.pid)


def _parts(up: int) -> dict[str, float]:
    """MiB of each part that runs below `up`, which itself is the keeper."""
    found_ = {"keeper": resident_mib(up)}
    for pid in descendants(up):
        try:
            said = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
            mib = resident_mib(pid)
        except (OSError, HikeshiError):
            continue
        for module, name in PARTS.items():
            if module in said:
                found_[name] = found_.get(name, 0.0) + mib
    return found_


def _each(bank: Bank) -> Figure:
    """By the growth of a fresh process while it folds them one after the other from the record."""
    now = SystemClock().now()
    desk = bank.desk(ExerciseClock(now))
    names = plant(desk, [now + timedelta(hours=1)] * OPEN, 0, now)
    desk.record.close()
    with get_context("spawn").Pool(1) as fresh:
        mib = fresh.apply(grown, (bank, names))
    return Figure(name="memory for each open incident at hand", value=1_024 * mib / OPEN, unit="KiB", n=OPEN)


def grown(bank: Bank, names: list[str]) -> float:
    """MiB by which this process grows while it folds them all; the first one is not counted."""
    desk = bank.desk()
    desk.state(names[0])
    before = resident_mib(os.getpid())
    for name in names:
        desk.state(name)
    mib = resident_mib(os.getpid()) - before
    desk.record.close()
    return mib
