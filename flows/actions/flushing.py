"""Begins to force to the disk what has been written, while more is read and hashed.

Otherwise a large object would wait at its end for all of its bytes at once, as long as hashing them takes.
"""

from __future__ import annotations

import os
import threading

EVERY_BYTES = 32 * 1_048_576


class Flushing:
    """Of one open file. An error of the disk is told by `end`: the system tells it to one flush only."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._waiting = 0
        self._thread: threading.Thread | None = None
        self._error: OSError | None = None

    def written(self, count: int) -> None:
        """So many bytes more are in the file."""
        self._waiting += count
        if self._waiting >= EVERY_BYTES and (self._thread is None or not self._thread.is_alive()):
            self._waiting = 0
            self._thread = threading.Thread(target=self._flush, name="flush", daemon=True)
            self._thread.start()

    def _flush(self) -> None:
        try:
            os.fdatasync(self._number)
        except OSError as wrong:
            self._error = self._error or wrong

    def wait(self) -> None:
        """Until nothing is under way any more: the file may be closed then."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def end(self) -> None:
        """As `wait`. Raises the OSError of a flush that failed."""
        self.wait()
        if self._error is not None:
            raise self._error
