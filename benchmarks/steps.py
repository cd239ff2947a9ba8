"""What we cost on top of bare Prefect: a run of 200 ready steps that do nothing, beside 200 bare tasks.

Each run is in a warm child process of its own, as the runner is. The actions are replaced by one that returns
at once; claiming, fencing, recording and the rules are the real ones, on a file of its own.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from benchmarks.bank import Bank, declare, found
from benchmarks.figure import Figure, quantile
from benchmarks.ground import Ground
from benchmarks.machine import PLAYBOOK, STEPS, Prefect, equip, prefect
from benchmarks.pager import cpu_seconds
from console.opening import DIRECTORY_VARIABLE
from models.errors import HikeshiError

ROUNDS = 2
ON_TOP_MILLISECONDS, ON_TOP_CPU_PERCENT, WITHOUT_PER_SECOND = 5, 10, 200
CHILD_SECONDS = 120
FLUSH_SECONDS = 2.2
Measured = dict[str, Any]


def steps(ground: Ground) -> Iterator[Figure]:
    """Bare and ours in turn, so that both see the same machine; then ours without an engine."""
    ours, bare, without = asyncio.run(_measured(ground))
    pairs = list(zip(ours, bare, strict=True))
    yield Figure(
        name="an automated step through Prefect, on top of bare Prefect",
        value=quantile([_wall(mine) - _wall(theirs) for mine, theirs in pairs], 0.5),
        unit="ms",
        n=STEPS * len(pairs),
        target=ON_TOP_MILLISECONDS,
        detail={"ours_ms": [_rounded(run) for run in ours], "bare_ms": [_rounded(run) for run in bare]},
    )
    yield Figure(
        name="automated steps through Prefect: our CPU, of all that the run takes",
        value=quantile([_our_share(mine, theirs) for mine, theirs in pairs], 0.5),
        unit="%",
        n=STEPS * len(pairs),
        target=ON_TOP_CPU_PERCENT,
        detail={
            name: [[run["cpu_seconds"], run["server_cpu_seconds"]] for run in runs]
            for name, runs in (("ours_flows_and_server_s", ours), ("bare_flows_and_server_s", bare))
        },
    )
    for name, runs in (("automated steps through Prefect", ours), ("bare Prefect tasks", bare)):
        yield Figure(
            name=name,
            value=quantile([1_000 / _wall(run) for run in runs], 0.5),
            unit="/s",
            n=STEPS * len(runs),
        )
    yield Figure(
        name="automated steps without an engine",
        value=quantile([1_000 / _wall(run) for run in without], 0.5),
        unit="/s",
        n=STEPS * len(without),
        target=WITHOUT_PER_SECOND,
        at_least=True,
        detail={"ms": [_rounded(run) for run in without]},
    )


def _wall(run: Measured) -> float:
    """Milliseconds a step."""
    return 1_000 * float(run["wall_seconds"]) / STEPS


def _rounded(run: Measured) -> float:
    return round(_wall(run), 2)


def _our_share(mine: Measured, theirs: Measured) -> float:
    """What our process takes more than the bare one, in percent of what ours and the server take."""
    extra = float(mine["cpu_seconds"]) - float(theirs["cpu_seconds"])
    return 100 * extra / (float(mine["cpu_seconds"]) + float(mine["server_cpu_seconds"]))


async def _measured(ground: Ground) -> tuple[list[Measured], list[Measured], list[Measured]]:
    bank, rounds = found(ground.place("steps")), ground.some(ROUNDS, 1)
    equip(bank)
    incidents = _incidents(bank, 2 * rounds)
    async with prefect(ground.place("prefect")) as server:
        bare, ours = [], []
        for number in range(rounds):
            bare.append(await _beside(server, ["bare", str(STEPS)], server.environment))
            ours.append(await _beside(server, ["ours", incidents[number]], _at(server.environment, bank)))
    off = {**_at(os.environ, bank), "HIKESHI_ENGINE": "none"}
    without = [await _child(["ours", incident], off) for incident in incidents[rounds:]]
    for run, engine in [(one, "prefect") for one in ours] + [(one, "off") for one in without]:
        if run["engine"] != engine or run["done"] != STEPS:
            raise HikeshiError(
                f"{run['done']} of {STEPS} steps done with {run['engine']!r}: nothing measured"
            )
    return ours, bare, without


async def _beside(server: Prefect, arguments: list[str], environment: Mapping[str, str]) -> Measured:
    """With what the server used until it had written everything down, which it does some seconds later."""
    before = cpu_seconds(server.pid)
    run = await _child(arguments, environment)
    await asyncio.sleep(FLUSH_SECONDS)
    return run | {"server_cpu_seconds": round(cpu_seconds(server.pid) - before, 2)}


def _incidents(bank: Bank, count: int) -> list[str]:
    desk = bank.desk()
    names = [declare(desk, PLAYBOOK) for _ in range(count)]
    desk.record.close()
    return names


def _at(environment: Mapping[str, str], bank: Bank) -> dict[str, str]:
    return {**environment, DIRECTORY_VARIABLE: str(bank.directory)}


async def _child(arguments: list[str], environment: Mapping[str, str]) -> Measured:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.steps_child",
        *arguments,
        env=dict(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, wrong = await asyncio.wait_for(process.communicate(), CHILD_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise HikeshiError(f"{arguments} ended with {process.returncode}: {wrong.decode()[-2000:]}")
    found_values: Measured = orjson.loads(said.splitlines()[-1])
    return found_values
