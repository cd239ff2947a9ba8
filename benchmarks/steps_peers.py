"""Steps that do nothing, a second: DBOS beside ours without an engine and bare Prefect (see `steps`)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson

from benchmarks.figure import Figure, quantile
from benchmarks.ground import Ground
from benchmarks.machine import STEPS
from models.errors import HikeshiError

ROUNDS = 3
CHILD_SECONDS = 90
WAYS = {"in_turn": "one after the other", "at_once": "several at once"}


def steps_peers(ground: Ground) -> Iterator[Figure]:
    """As many steps as ours have, in one workflow, each in a process of its own that is warm."""
    rounds = ground.some(ROUNDS, 1)
    runs = [dbos_steps(f"sqlite:///{ground.place('dbos')}.db") for _ in range(rounds)]
    for way, said in WAYS.items():
        values = [STEPS / run[way] for run in runs]
        yield Figure(
            name=f"DBOS on SQLite, steps that do nothing, {said}",
            value=quantile(values, 0.5),
            unit="/s",
            n=STEPS * rounds,
            detail={"each": [round(value) for value in values]},
        )


def dbos_steps(database: str) -> dict[str, float]:
    """Seconds that DBOS takes for them, by way."""
    argv = (sys.executable, "-m", "benchmarks.dbos_child", database, "steps", str(STEPS))
    ended = subprocess.run(  # noqa: S603 - our own module
        argv, capture_output=True, timeout=CHILD_SECONDS, cwd=Path.cwd(), env=dict(os.environ), check=False
    )
    if ended.returncode != 0:
        raise HikeshiError(f"DBOS ended with {ended.returncode}: {ended.stderr.decode()[-1000:]}")
    found: dict[str, float] = orjson.loads(ended.stdout.splitlines()[-1])
    return found
