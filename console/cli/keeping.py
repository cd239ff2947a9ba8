"""A file given on the command line becomes an object of the evidence folder, or is read where it lies.

It is opened once, without following a link, and only if it is a regular file: a device or a pipe is not even
read, since that can set something off or never end. A file that changes meanwhile is kept and marked.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from flows.actions.store import PIECE_BYTES, Writer, digest_of
from models.errors import ActionFailed

T = TypeVar("T")
AT_LEAST = 1 << 26
"""Bytes taken of a file that says that it has none, such as those of /proc."""
_NO_FILE = "{path} is no regular file and was not read; make an image of a device with a tool of your own"
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What was read. `stored` is empty for what was only referenced; `problem` says what is wrong with it."""

    digest: str
    size: int
    stored: str = ""
    stored_digest: str = ""
    stored_size: int = 0
    sealed_to: tuple[str, ...] = ()
    was_there: bool = False
    problem: str = ""
    recorded: Callable[[], None] = lambda: None
    """To be called once the item is on record."""


class FolderFull(ActionFailed):
    """The evidence folder cannot be written: nothing was recorded, and nothing is left behind."""


def size_of(path: Path) -> int:
    """Bytes of a file; 0 if nobody knows."""
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def keep(path: Path, folder: Path, seal_to: tuple[str, ...], told: Callable[[int], None]) -> Kept:
    """Copy a file into the evidence folder.

    Raises OSError if it cannot be read, ActionFailed if it is no regular file, FolderFull.
    """
    number = _open(path)
    try:
        before = os.fstat(number)
        with _writing(folder), _writer(folder, seal_to) as writer:
            cut = _pump(number, before.st_size, writer.write, told)
            problem = _changed(number, before, writer.digest, cut=cut)
            stored = _unless_full(writer.keep)
    finally:
        os.close(number)
    return Kept(
        digest=writer.digest,
        size=writer.size,
        stored=stored,
        stored_digest=writer.stored_digest,
        stored_size=writer.stored_size,
        sealed_to=writer.sealed_to,
        was_there=writer.was_there,
        problem=problem,
        recorded=writer.recorded,
    )


def reference(path: Path, told: Callable[[int], None]) -> Kept:
    """Read a file where it lies, and leave it there. Raises OSError, and ActionFailed for what is no file."""
    number = _open(path)
    summed = hashlib.sha256()
    try:
        before = os.fstat(number)
        size = 0
        for piece in _pieces(number, before.st_size):
            summed.update(piece)
            size += len(piece)
            told(size)
        digest = f"sha256:{summed.hexdigest()}"
        problem = _changed(number, before, digest, cut=bool(os.read(number, 1)))
    finally:
        os.close(number)
    return Kept(digest=digest, size=size, problem=problem)


def _open(path: Path) -> int:
    if not stat.S_ISREG(mode := path.lstat().st_mode) and not stat.S_ISLNK(mode):
        # Not even opened: opening a device or a pipe can set something off.
        raise ActionFailed(_NO_FILE.format(path=path))
    try:
        number = os.open(path, _FLAGS | os.O_NOATIME)
    except PermissionError:
        number = os.open(path, _FLAGS)
    except OSError as wrong:
        if wrong.errno == errno.ELOOP:
            raise ActionFailed(f"{path} is a symbolic link; name the file that is meant") from wrong
        if wrong.errno == errno.ENXIO:
            raise ActionFailed(_NO_FILE.format(path=path)) from wrong
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise ActionFailed(_NO_FILE.format(path=path))
    return number


def _pieces(number: int, size: int) -> Iterator[bytes]:
    """The bytes that there were when it was opened: a file that grows faster than we read has no end."""
    left = size or AT_LEAST
    while left and (piece := os.read(number, min(PIECE_BYTES, left))):
        left -= len(piece)
        yield piece


def _pump(number: int, size: int, write: Callable[[bytes], None], told: Callable[[int], None]) -> bool:
    """Whether there is more now than there was."""
    done = 0
    for piece in _pieces(number, size):
        _unless_full(partial(write, piece))
        done += len(piece)
        told(done)
    return bool(os.read(number, 1))


def _changed(number: int, before: os.stat_result, digest: str, *, cut: bool) -> str:
    """Both digests, if it changed while it was read: of what was kept, and of the file as it is now."""
    after = os.fstat(number)
    same = ("st_size", "st_mtime_ns", "st_ctime_ns")
    if not cut and all(getattr(before, name) == getattr(after, name) for name in same):
        return ""
    os.lseek(number, 0, os.SEEK_SET)
    now, size = digest_of(lambda count: os.read(number, count), max(after.st_size, AT_LEAST))
    return f"changed while it was read: kept {digest}, afterwards {now} ({size} bytes)"


class _Unwritable(Exception):
    """Writing failed, and not reading."""

    def __init__(self, reason: OSError) -> None:
        self.reason = reason


def _unless_full(write: Callable[[], T]) -> T:
    try:
        return write()
    except OSError as wrong:
        raise _Unwritable(wrong) from wrong


def _writer(folder: Path, seal_to: tuple[str, ...]) -> Writer:
    return _unless_full(partial(Writer, folder, seal_to))


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Say of the evidence folder what is wrong with it, and not of the file that was read."""
    try:
        yield
    except _Unwritable as wrong:
        raise FolderFull(_full(folder, wrong.reason)) from wrong.reason


def _full(folder: Path, wrong: OSError) -> str:
    try:
        free = f"{shutil.disk_usage(folder).free / 1e6:,.0f} MB are free there"
    except OSError:
        free = "its disk cannot be looked at"
    why = wrong.strerror or type(wrong).__name__
    return (
        f"the evidence folder {folder} cannot be written: {why}; {free}. Nothing was recorded and nothing is "
        "left behind. Make room, or record the file where it lies with --reference"
    )
