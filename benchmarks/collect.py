"""Collecting one large file, beside bare hashlib over the same file in the same process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from benchmarks.figure import Figure
from benchmarks.ground import Ground
from models.errors import HikeshiError

SIZE = 512 * 1_048_576
FULL_SIZE = 2 * 1_073_741_824
SHARE = 50
MEGABYTES = 64


def collect(ground: Ground) -> Iterator[Figure]:
    """From a folder into the evidence folder, forced to the disk; three rounds, the best of each."""
    place = ground.place("collect")
    size = FULL_SIZE if ground.full else SIZE
    source = place / "source"
    source.mkdir(parents=True)
    _fill(source / "large.log", size)
    done = subprocess.run(  # noqa: S603 - our own interpreter, a module of ours
        [sys.executable, "-m", "benchmarks.collect_child", str(source), str(place / "evidence")],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise HikeshiError(f"nothing was collected: {done.stderr.decode()[-500:]}")
    seen: dict[str, Any] = orjson.loads(done.stdout)
    detail = {name: round(value, 3) for name, value in seen.items()}
    yield Figure(
        name=f"collecting {size / 1_048_576:,.0f} MB, of what bare hashlib reaches in the same run",
        value=100 * seen["bare_seconds"] / seen["collect_seconds"],
        unit="%",
        n=3,
        target=SHARE,
        at_least=True,
        detail=detail,
    )
    yield Figure(
        name="memory of a collection above that of the idle process",
        value=seen["peak_mb"] - seen["idle_mb"],
        unit="MB",
        n=3,
        target=MEGABYTES,
        detail=detail,
    )


def _fill(path: Path, size: int) -> None:
    """Bytes that no disk can shorten."""
    piece = os.urandom(16 * 1_048_576)
    with path.open("wb") as file:
        for _ in range(size // len(piece)):
            file.write(piece)
