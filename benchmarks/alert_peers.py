"""The alert path of others to the same loopback receiver: a bare Prefect flow, called and deployed.

The clock starts before the trigger leaves this process, as for `alert`, and stops at the receiver.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from benchmarks.bare_prefect import BarePrefect, bare_prefect, caller, process, served, serving_argv
from benchmarks.figure import Figure, quantile, spread
from benchmarks.ground import Ground
from benchmarks.receiver import Receiver
from models.clock import monotonic
from models.errors import HikeshiError

CALLED, CALLED_QUICK, DEPLOYED, DEPLOYED_QUICK = 10, 5, 5, 2
WARM_UP = 2
ARRIVES_WITHIN_SECONDS = 60.0


def alert_peers(ground: Ground) -> Iterator[Figure]:
    """Called in a warm process; then as a deployment that `serve` runs in a process of its own."""
    called, deployed = asyncio.run(_measured(ground))
    yield from _figures("bare Prefect, flow called in-process: trigger → receiver", called)
    yield from _figures("bare Prefect, deployment run: trigger → receiver", deployed)


def _figures(what: str, values: list[float]) -> Iterator[Figure]:
    for name, value in (("p50", quantile(values, 0.5)), ("max", max(values))):
        yield Figure(name=f"{what}, {name}", value=value, unit="ms", n=len(values), detail=spread(values))


async def _measured(ground: Ground) -> tuple[list[float], list[float]]:
    home = ground.place("bare-prefect")
    async with Receiver() as receiver, bare_prefect(home) as server:
        called = await _called(ground, server, receiver)
        deployed = await _deployed(ground, server, receiver)
    return called, deployed


async def _called(ground: Ground, server: BarePrefect, receiver: Receiver) -> list[float]:
    values = []
    async with caller(server, receiver.url, ground.place("called.log")) as tell:
        for number in range(WARM_UP + ground.some(CALLED, CALLED_QUICK)):
            start = monotonic()
            tell.write(f"called-{number}\n".encode())
            await tell.drain()
            values.append(await _arrival(receiver, f"called-{number}", start))
    return values[WARM_UP:]


async def _deployed(ground: Ground, server: BarePrefect, receiver: Receiver) -> list[float]:
    values = []
    async with process(serving_argv(), server.environment, ground.place("served.log")):
        await served(server, "alert")
        for number in range(ground.some(DEPLOYED, DEPLOYED_QUICK)):
            start = monotonic()
            await server.create_run("alert", {"url": receiver.url, "what": f"deployed-{number}"})
            values.append(await _arrival(receiver, f"deployed-{number}", start))
    return values


async def _arrival(receiver: Receiver, what: str, start: float) -> float:
    """Milliseconds from `start` until it came. Raises HikeshiError if it does not."""
    if not await receiver.until(lambda: receiver.count()[what] > 0, ARRIVES_WITHIN_SECONDS):
        raise HikeshiError(f"{what} has not come within {ARRIVES_WITHIN_SECONDS:g} s")
    return 1_000 * (next(post.at for post in receiver.posts if post.what == what) - start)
