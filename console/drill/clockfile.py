"""The small file in a drill's data by which every process knows the hour of the story.

Only the drill's node writes it, whole or not at all. Whoever reads it takes no lock and waits for nobody.
"""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

import msgspec

from models.errors import RecordDamaged
from models.exercise_clock import Mark, Story, StoryClock, prepared

NAME = "exercise-clock.json"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_DECODER = msgspec.json.Decoder(Mark)


def ticks() -> int:
    """The machine's monotonic time in microseconds: alike in all its processes, never set, never back."""
    return time.monotonic_ns() // 1_000


@cache
def boot() -> str:
    """Which run of the machine this is; empty where the system does not tell (a mark's grant bounds it)."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def read(data: Path) -> Mark:
    """Where the time of play stands. Raises RecordDamaged if the file is no mark."""
    file = data / NAME
    try:
        return _DECODER.decode(file.read_bytes())
    except FileNotFoundError:
        return prepared(ticks(), boot())
    except msgspec.DecodeError as wrong:
        raise RecordDamaged(
            f"{file} cannot be read ({wrong}); remove it and start the drill's node, "
            "which makes it anew from the record"
        ) from wrong


def write(data: Path, mark: Mark) -> None:
    """Say where it stands: the file is replaced as a whole. Raises OSError."""
    part = data / f".{NAME}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, msgspec.json.encode(mark))
    finally:
        os.close(descriptor)
    part.replace(data / NAME)


def reader(data: Path, story: Story) -> StoryClock:
    """The hour of the story for a process that does not move it."""
    return StoryClock(story, lambda: read(data), ticks, boot())
