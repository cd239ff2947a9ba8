"""Hearing that another node has written: PostgreSQL's LISTEN, on a connection and in a thread of its own.

What is heard is which streams there is something to look at in; what it is, the record says. While the
connection is gone nobody can tell, so the number grows by itself once a second, and whoever waits looks.
"""

from __future__ import annotations

import threading
from typing import Any

from models.database import listener

PAUSE_SECONDS = 1.0
REMEMBERED = 1_000


class Hearing:
    """Counts what is heard. `version` may be read in any thread."""

    def __init__(self, url: str, password: str) -> None:
        self._url = url
        self._password = password
        self._stop = threading.Event()
        self.version = 1
        self.connected = False
        self._names: set[str] | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._listen, name="hearing", daemon=True)
        self._thread.start()

    def streams(self) -> frozenset[str] | None:
        """Those that were written in since this was last asked; None if it may be any of them."""
        with self._lock:
            found, self._names = self._names, set() if self.connected else None
        return None if found is None else frozenset(found)

    def _heard(self, stream: str | None) -> None:
        with self._lock:
            if stream is None or self._names is None or len(self._names) >= REMEMBERED:
                self._names = None
            else:
                self._names.add(stream)
        self.version += 1

    def close(self) -> None:
        """Hear no more; returns when the thread has ended."""
        self._stop.set()
        self._thread.join(timeout=10)

    def _listen(self) -> None:
        import psycopg  # noqa: PLC0415 - where the record lies on a server only

        while not self._stop.is_set():
            try:
                with listener(self._url, self._password) as connection:
                    self._hear(connection)
            except psycopg.Error:
                self.connected = False  # said by whoever writes; here it is only waited for
            self._heard(None)
            self._stop.wait(PAUSE_SECONDS)

    def _hear(self, connection: Any) -> None:
        self.connected = True
        self._heard(None)  # something may have been said before we listened
        while not self._stop.is_set():
            for told in connection.notifies(timeout=PAUSE_SECONDS / 2):
                self._heard(told.payload)
                if self._stop.is_set():
                    return
