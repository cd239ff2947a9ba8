"""Where a run takes place: its scratch folder on the disk, its length, what measurements share."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.bank import SECRETS
from benchmarks.figure import Figure

BUILD = Path("build")
Benchmark = Callable[["Ground"], Iterable[Figure]]


class Ground:
    """`full` asks for the long forms, `quick` for the short ones; `kept` is made once and measured often."""

    def __init__(self, folder: Path, *, full: bool = False, quick: bool = False) -> None:
        self.folder = folder
        self.full = full
        self.quick = quick
        self.kept: dict[str, Any] = {}
        self._made = 0

    @property
    def form(self) -> str:
        """Which length was measured, for the book."""
        return "quick" if self.quick else "full" if self.full else "usual"

    def some(self, usual: int, quick: int) -> int:
        """How many of something: `usual`, or `quick` in the short form."""
        return quick if self.quick else usual

    def place(self, name: str) -> Path:
        """A new folder's path; nothing is there yet."""
        self._made += 1
        return self.folder / f"{self._made:02d}-{name}"


@contextmanager
def ground(*, full: bool = False, quick: bool = False) -> Iterator[Ground]:
    """A ground in `build/`, on the disk that the sources lie on; it is swept when the run ends."""
    BUILD.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=BUILD)).resolve()
    os.environ.update(SECRETS)
    # Prefect must not be imported here: it would weigh on every figure of this process.
    os.environ["HIKESHI_ENGINE"] = "none"
    logging.getLogger("hikeshi").setLevel(logging.ERROR)
    try:
        yield Ground(folder, full=full, quick=quick)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def settle() -> None:
    """Collect what an earlier measurement left behind; during one the collector runs as it always does."""
    gc.collect()
