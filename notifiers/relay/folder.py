"""Segments in a folder on another mount, appended to and never rewritten; on the disk before they count.

Each start begins a new segment: what an earlier life left torn stays as it is, and comes again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from models.crashpoint import crash_point
from models.lines import Line
from notifiers.relay.sealing import Seal
from notifiers.relay.sink import SinkError, SinkTaken, last_of, name_of, number_of

FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC


class FolderSink:
    """Append-only segments `facts-<number>.jsonl`; a sealed one is written whole."""

    def __init__(
        self,
        path: Path,
        *,
        texts: bool = True,
        mount: bool = False,
        segment_bytes: int = 8_388_608,
        seal: Seal | None = None,
    ) -> None:
        self.path = path
        self.texts = texts
        self._mount = mount
        self._limit = segment_bytes
        self._seal = seal
        self._number = 0
        self._descriptor: int | None = None
        self._size = 0

    def send(self, lines: Sequence[Line]) -> None:
        """Write and sync. Raises SinkError."""
        try:
            self._ready()
            body = b"".join(line.raw for line in lines)
            if self._seal is not None:
                self._whole(self._seal(body))
            else:
                self._append(body)
        except OSError as failed:
            self.close()
            raise SinkError(f"{self.path}: {failed.strerror or type(failed).__name__}") from failed

    def close(self) -> None:
        """End the present segment."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.close(descriptor)

    def last(self) -> dict[str, tuple[int, str]]:
        """What the last segment ends with. Raises SinkError."""
        try:
            self._ready()
            path = self.path / name_of(self._number, False)
            return last_of(path.read_bytes()) if path.is_file() else {}
        except OSError as failed:
            raise SinkError(f"{self.path}: {failed.strerror or type(failed).__name__}") from failed

    def _ready(self) -> None:
        if not self.path.is_dir():
            raise SinkError(f"{self.path}: no such folder; is it mounted? Hikeshi never makes it")
        if self._mount and not os.path.ismount(self.path):
            raise SinkError(f"{self.path}: nothing is mounted there; facts would stay on this host")
        if not self._number:
            self._number = max((number_of(one.name) for one in self.path.iterdir()), default=0)
        for sealed in (False, True):
            if (self.path / name_of(self._number + 1, sealed)).exists():
                self.close()
                raise self._taken(name_of(self._number + 1, sealed))

    def _taken(self, name: str) -> SinkTaken:
        return SinkTaken(
            f"{self.path}: {name} or one after it is somebody else's; does another node go on with "
            "this record? Stop one of them, then start this one anew"
        )

    def _begin(self) -> int:
        name = name_of(self._number + 1, False)
        if max((number_of(one.name) for one in self.path.iterdir()), default=0) > self._number:
            raise self._taken(name)
        try:
            descriptor = os.open(self.path / name, FLAGS, 0o600)
        except FileExistsError:
            raise self._taken(name) from None
        # Not before: a number that a full disk refused is still the next one, and a stranger in it is seen.
        self._number += 1
        self._descriptor, self._size = descriptor, 0
        self._sync_folder()
        return descriptor

    def _append(self, body: bytes) -> None:
        if self._descriptor is not None and self._size >= self._limit:
            self.close()
        descriptor = self._descriptor if self._descriptor is not None else self._begin()
        view = memoryview(body)
        while view:
            view = view[os.write(descriptor, view) :]
        crash_point("segment-written")
        os.fsync(descriptor)
        self._size += len(body)

    def _whole(self, body: bytes) -> None:
        """A sealed segment is there at once or not at all."""
        name = name_of(self._number + 1, True)
        part = self.path / f".{name}.part"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            view = memoryview(body)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        crash_point("segment-written")
        try:
            os.link(part, self.path / name)
        except FileExistsError:
            raise self._taken(name) from None
        finally:
            part.unlink()
        self._number += 1
        self._sync_folder()

    def _sync_folder(self) -> None:
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
