"""What a command costs in CPU, all of its process: interpreter, imports, work."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.bank import declare, found
from benchmarks.figure import Figure, quantile
from benchmarks.ground import Ground
from console.opening import DIRECTORY_VARIABLE
from models.errors import HikeshiError

TIMES = 5
INCIDENTS = 20
LIMITS: Mapping[tuple[str, ...], float] = {("--help",): 0.3, ("list",): 1.2}
PROGRAM = Path(sys.executable).parent / "hikeshi"


def cli(ground: Ground) -> Iterator[Figure]:
    """The installed program, in a directory with a few open incidents, its bytecode already compiled."""
    bank = found(ground.place("cli"))
    desk = bank.desk()
    for _ in range(INCIDENTS):
        declare(desk)
    desk.record.close()
    environment = {**os.environ, DIRECTORY_VARIABLE: str(bank.directory)}
    for arguments, limit in LIMITS.items():
        cpu_seconds(arguments, environment)
        values = [cpu_seconds(arguments, environment) for _ in range(TIMES)]
        yield Figure(
            name=f"hikeshi {' '.join(arguments)}, CPU",
            value=quantile(values, 0.5),
            unit="s",
            n=TIMES,
            target=limit,
            detail={"each": [round(value, 3) for value in values]},
        )


def cpu_seconds(arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    """User and system time of one run. Raises HikeshiError if it did not end with 0."""
    process = subprocess.Popen(  # noqa: S603 - our own program with arguments of ours
        [PROGRAM, *arguments], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    said = process.stderr.read().decode()
    process.stderr.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise HikeshiError(f"hikeshi {' '.join(arguments)} ended with {process.returncode}: {said[-500:]}")
    return used.ru_utime + used.ru_stime
