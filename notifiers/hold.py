"""Only one process at a time delivers what is in a record: two would page everybody twice.

The lock is on a file beside the database. It belongs to the process, so a crash gives it back at once. Where
the record lies on a server, several nodes deliver, each with a data folder of its own, and there is the lock.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sqlalchemy import make_url

NAME = "pager.lock"


class Hold:
    """The right to deliver. Without a path (a record in memory) it is everybody's."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._descriptor: int | None = None

    @classmethod
    def beside(cls, url: str, data: Path | None = None) -> Hold:
        """For the database of this SQLAlchemy address; nothing is locked if it is no file of its own.

        Of a database on a server it is a node's `data` folder that is locked.
        """
        parts = make_url(url)
        if parts.get_backend_name() != "sqlite":
            return cls(data / NAME if data is not None else None)
        name = parts.database or ""
        in_a_file = parts.get_backend_name() == "sqlite" and name not in {"", ":memory:"}
        return cls(Path(name).parent / NAME if in_a_file else None)

    @property
    def taken(self) -> bool:
        """Whether this process has it."""
        return self.path is None or self._descriptor is not None

    def take(self) -> bool:
        """Take it, if nobody else has it; whether it is ours now. Raises OSError without a file to lock."""
        if self.taken or self.path is None:
            return True
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give it back. May be called twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def holder(self) -> str:
        """The process that has it, as it wrote itself down; empty if it did not."""
        if self.path is None or not self.path.exists():
            return ""
        return self.path.read_text(encoding="ascii", errors="replace").strip()[:20]
