"""What we cost on top of bare Prefect: a run of 200 ready steps that do nothing, and 200 bare tasks beside it.

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
from benchmarks.machine import PLAYBOOK, STEPS, equip, prefect
from console.opening import DIRECTORY_VARIABLE
from models.errors import HikeshiError

ROUNDS = 2
ON_TOP_MILLISECONDS, ON_TOP_CPU_PERCENT, WITHOUT_PER_SECOND = 5, 10, 200
CHILD_SECONDS = 120
Measured = dict[str, Any]


def steps(ground: Ground) -> Iterator[Figure]:
    """Bare and ours in turn, so that both see the same machine; then ours without an engine."""
    ours, bare, without = asyncio.run(_measured(ground))
    extra = quantile([_wall(mine) - _wall(theirs) for mine, theirs in zip(ours, bare, strict=True)], 0.5)
    own = [value for run in ours for value in run["own_milliseconds"]]
    cpu = quantile([100 * sum(run["own_milliseconds"]) / 1_000 / run["cpu_seconds"] for run in ours], 0.5)
    detail = {
        "ours_ms_per_step": [round(_wall(run), 2) for run in ours],
        "bare_prefect_ms_per_step": [round(_wall(run), 2) for run in bare],
        "ours_cpu_seconds": [run["cpu_seconds"] for run in ours],
        "bare_cpu_seconds": [run["cpu_seconds"] for run in bare],
    }
    yield Figure(
        name="our work in an automated step: claim, record, rules, p50",
        value=quantile(own, 0.5),
        unit="ms",
        n=len(own),
        target=ON_TOP_MILLISECONDS,
        detail=detail,
    )
    yield Figure(
        name="our work in automated steps, of all CPU of the run",
        value=cpu,
        unit="%",
        n=len(ours),
        target=ON_TOP_CPU_PERCENT,
    )
    yield Figure(
        name="an automated step through Prefect, on top of a bare Prefect task",
        value=extra,
        unit="ms",
        n=STEPS * len(ours),
        target=ON_TOP_MILLISECONDS,
        note="the whole run, its phase flows and artifacts included, divided by its steps",
    )
    yield Figure(
        name="automated steps a second without an engine",
        value=quantile([1_000 / _wall(run) for run in without], 0.5),
        unit="/s",
        n=STEPS * len(without),
        target=WITHOUT_PER_SECOND,
        at_least=True,
    )


def _wall(run: Measured) -> float:
    """Milliseconds a step."""
    return 1_000 * float(run["wall_seconds"]) / STEPS


async def _measured(ground: Ground) -> tuple[list[Measured], list[Measured], list[Measured]]:
    bank = found(ground.place("steps"))
    equip(bank)
    incidents = _incidents(bank, 2 * ROUNDS)
    async with prefect(ground.place("prefect")) as environment:
        bare, ours = [], []
        for number in range(ROUNDS):
            bare.append(await _child(["bare", str(STEPS)], environment))
            ours.append(await _child(["ours", incidents[number]], _at(environment, bank)))
    off = {**_at(os.environ, bank), "HIKESHI_ENGINE": "none"}
    without = [await _child(["ours", incident], off) for incident in incidents[ROUNDS:]]
    for run, engine in [(one, "prefect") for one in ours] + [(one, "off") for one in without]:
        if run["engine"] != engine or run["done"] != STEPS:
            raise HikeshiError(f"{run['done']} of {STEPS} steps done with {run['engine']!r}: nothing measured")
    return ours, bare, without


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
