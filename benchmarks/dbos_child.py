"""DBOS, as its manual has it: `python -m benchmarks.dbos_child DATABASE steps N` or `… tell URL [again]`.

`steps` runs N steps that do nothing in one workflow, one after the other and then as many at once as ours,
and prints the seconds. `tell` runs ten steps that each tell the receiver; `again` only starts the process
anew and leaves it to DBOS to go on.
"""

from __future__ import annotations

import asyncio
import sys
import time
from time import perf_counter

import orjson
from dbos import DBOS, DBOSConfig, SetWorkflowID

from benchmarks.prefect_names import STEPS
from benchmarks.telling import post
from flows.phase import AT_ONCE

WORKFLOW = "bench"
LIFE_SECONDS = 120


@DBOS.step()
def nothing(number: int) -> int:
    """A step that returns at once."""
    return number


@DBOS.workflow()
def in_turn(count: int) -> None:
    """One after the other."""
    for number in range(count):
        nothing(number)


@DBOS.step()
async def nothing_async(number: int) -> int:
    """The same, for a workflow that waits for several."""
    return number


@DBOS.workflow()
async def at_once(count: int) -> None:
    """Several at a time, begun in a fixed order, as DBOS asks."""
    for first in range(0, count, AT_ONCE):
        await asyncio.gather(*(nothing_async(number) for number in range(first, first + AT_ONCE)))


@DBOS.step()
def tell(url: str, what: str) -> None:
    """One step that the receiver sees."""
    post(url, what)


@DBOS.workflow()
def telling(url: str) -> None:
    """Ten steps, one after the other."""
    for number in range(1, STEPS + 1):
        tell(url, f"step-{number:02d}")


async def measured(count: int) -> dict[str, float]:
    """Seconds of each way, after one to warm up."""
    await asyncio.to_thread(in_turn, AT_ONCE)
    start = perf_counter()
    await asyncio.to_thread(in_turn, count)
    turn = perf_counter() - start
    await at_once(AT_ONCE)
    start = perf_counter()
    await at_once(count)
    return {"in_turn": turn, "at_once": perf_counter() - start}


def main(database: str, what: str, argument: str, *more: str) -> None:
    """Launch DBOS, which takes up what an earlier process left, and do what is asked."""
    config: DBOSConfig = {
        "name": "bench",
        "system_database_url": database,
        "log_level": "ERROR",
        # The sources are the same at both starts; without it each start would have to prove that.
        "application_version": "1",
    }
    DBOS(config=config)
    DBOS.launch()
    if what == "steps":
        sys.stdout.buffer.write(orjson.dumps(asyncio.run(measured(int(argument)))) + b"\n")
        DBOS.destroy()
        return
    if not more:
        with SetWorkflowID(WORKFLOW):
            DBOS.start_workflow(telling, argument)
    time.sleep(LIFE_SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
