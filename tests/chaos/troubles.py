"""Troubles of the machine itself: disk, lock, clock, database, and the telephones beside it."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.chaos.play import Scene
from tests.chaos.receiver import FAULTY, GOOD
from tests.postgres import Postgres

DISK_MEGABYTES = 48
STEPS = (20.0, -20.0, 45.0, -90.0, 0.0)
"""Where the wall clock is put, in seconds beside the real time."""
WIDEST = 135.0
"""The widest single step of these."""
DRIFT = "0 1.03"


# -- the disk -----------------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A disk of a few megabytes at `folder`, if this account may mount one; else it is a plain folder."""
    folder.mkdir(parents=True, exist_ok=True)
    size = f"size={DISK_MEGABYTES}m,mode=700"
    try:
        made = subprocess.run(  # noqa: S603
            ["mount", "-t", "tmpfs", "-o", size, "hikeshi-chaos", str(folder)],  # noqa: S607
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        yield False
        return
    try:
        yield made.returncode == 0
    finally:
        if made.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], check=True)  # noqa: S603, S607


def filling(disk: Path) -> Callable[[Scene], Iterator[float]]:
    """The disk is full, again and again, for longer than a message may wait for its next try."""

    def trouble(scene: Scene) -> Iterator[float]:
        ballast = disk / "ballast"
        scene.rest.append(lambda: ballast.unlink(missing_ok=True))
        while True:
            yield scene.dice.uniform(2.0, 5.0)
            _fill(ballast)
            scene.kills += 1
            yield scene.dice.uniform(1.0, 6.0)
            ballast.unlink(missing_ok=True)

    return trouble


def _fill(ballast: Path) -> None:
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError as full:
                if full.errno != errno.ENOSPC:
                    raise


# -- the lock -----------------------------------------------------------------------------------------------


def locking(database: Path) -> Callable[[Scene], Iterator[float]]:
    """Somebody's tool holds the database, for longer than anybody waits for it."""

    def trouble(scene: Scene) -> Iterator[float]:
        other = sqlite3.connect(database, isolation_level=None, timeout=10)
        scene.rest.append(other.close)
        while True:
            yield scene.dice.uniform(1.0, 3.0)
            with suppress(sqlite3.OperationalError):
                other.execute("begin immediate")
                scene.kills += 1
            yield scene.dice.uniform(1.0, 8.0)
            if other.in_transaction:
                other.execute("rollback")

    return trouble


# -- the clock ----------------------------------------------------------------------------------------------


def stepping(file: Path) -> Callable[[Scene], Iterator[float]]:
    """The wall clock is put forward and back, and drifts."""

    def trouble(scene: Scene) -> Iterator[float]:
        scene.rest.append(lambda: _put(file, "0"))
        while True:
            for seconds in STEPS:
                yield scene.dice.uniform(2.0, 5.0)
                _put(file, str(seconds))
                scene.kills += 1
            yield scene.dice.uniform(2.0, 5.0)
            _put(file, DRIFT)

    return trouble


def _put(file: Path, text: str) -> None:
    part = file.with_suffix(".part")
    part.write_text(text, encoding="ascii")
    part.replace(file)


# -- the telephones -----------------------------------------------------------------------------------------


def misbehaving(scene: Scene) -> Iterator[float]:
    """The gateway drops, refuses, is slow, is busy and talks nonsense."""
    scene.rest.append(lambda: setattr(scene.receiver, "mood", GOOD))
    scene.receiver.mood = FAULTY
    while True:
        yield 1.0
        scene.kills = sum(scene.receiver.moods.values())


# -- the database server ------------------------------------------------------------------------------------


def restarting(server: Postgres) -> Callable[[Scene], Iterator[float]]:
    """The database is killed or stopped every few seconds, and comes back."""

    def trouble(scene: Scene) -> Iterator[float]:
        while True:
            yield scene.dice.uniform(2.0, 6.0)
            (server.kill if scene.dice.random() < 0.5 else server.stop)()
            scene.kills += 1
            yield scene.dice.uniform(0.2, 3.0)
            server.start()

    return trouble


def up_again(server: Postgres) -> Callable[[], None]:
    """What makes the server run, whatever it did."""

    def start() -> None:
        if server._process is None:
            server.start()

    return start
