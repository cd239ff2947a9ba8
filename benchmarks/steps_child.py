"""The process in which steps run: `python -m benchmarks.steps_child bare N` or `… ours INCIDENT`.

Prints one line of JSON. What is imported is imported before the clock starts.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter, process_time
from typing import Any

import orjson

from flows.actions import ActionContext, ActionResult, Params
from flows.engine import Ended, completed, engine_state, flow, publish_table, task
from flows.phase import AT_ONCE
from flows.place import here
from flows.respond import respond
from models.targets import CommandTarget

NODE, EPOCH = "bench", 1


async def nothing(target: CommandTarget, params: Params, context: ActionContext) -> ActionResult:
    """An action that returns at once."""
    return ActionResult(outputs={}, summary="nothing")


async def ours(incident: str) -> dict[str, Any]:
    """The incident's flow, as the runner runs it."""
    place = here()
    object.__setattr__(place, "actions", {"command.run": (CommandTarget, nothing)})
    place.desk.incident(incident)
    measured = await _measured(lambda: respond(incident, NODE, EPOCH))
    done = [one for one in place.desk.incident(incident).steps.values() if one.status == "done"]
    return measured | {"done": len(done)}


async def bare(count: int) -> dict[str, Any]:
    """`count` tasks that do nothing, as many at once as ours and with the same options, in as many flows and
    with as many artifacts: respond, triage and communication.
    """
    room = asyncio.Semaphore(AT_ONCE)

    async def step(key: str) -> str:
        return key

    async def one(number: int) -> None:
        async with room:
            await task(name=f"step-{number}", timeout_seconds=60)(step)(f"step-{number}")

    @flow(name="inner")
    async def inner(tasks: int) -> Ended:
        await asyncio.gather(*(one(number) for number in range(tasks)))
        await publish_table("bench", [{"step": str(number)} for number in range(tasks)])
        return completed("Done", "")

    @flow(name="outer")
    async def outer() -> Ended:
        await inner(count)
        await inner(0)
        return completed("Done", "")

    return await _measured(outer)


async def _measured(run: Callable[[], Awaitable[Ended]]) -> dict[str, Any]:
    wall, cpu = perf_counter(), process_time()
    await run()
    return {
        "wall_seconds": round(perf_counter() - wall, 4),
        "cpu_seconds": round(process_time() - cpu, 4),
        "engine": engine_state(),
    }


if __name__ == "__main__":
    what, argument = sys.argv[1:3]
    found = asyncio.run(ours(argument) if what == "ours" else bare(int(argument)))
    sys.stdout.buffer.write(orjson.dumps(found) + b"\n")
