"""`file.collect`: copy files as evidence, each with its digest, without touching them.

Only regular files below the target's root are taken. Every directory and file is opened relative to the one
above it and without following links, so that nobody can lead the copy out of the root while it runs. A file
that changes meanwhile is kept all the same, and marked: what was lost by waiting would be worse.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from socket import gethostname

from flows.actions.store import PIECE_BYTES, Writer, digest_of
from flows.actions.taking import Span, readable
from flows.actions.values import ActionContext, ActionResult, CollectedItem, LeftOut, Params, stored_as
from models.clock import iso, monotonic
from models.crashpoint import crash_point
from models.errors import ActionFailed
from models.targets import FileTarget

MAX_DEPTH = 40
TOOL = "file.collect: read only, without the time of access where the system allows it"
MAX_ENTRIES = 1_000_000
MAX_LEFT_OUT = 200
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC


async def collect(target: FileTarget, params: Params, context: ActionContext) -> ActionResult:
    """Copy what matches into the evidence folder, until a cap or the time is reached: what was taken is kept.

    A collection that is broken off from outside leaves what it took in `context.kept`, too.
    A pattern with a slash is held against the path below the root, one without against the file's name.
    Outputs: `files`, `bytes`, `partial` (yes or no), `left_out`. Raises ActionFailed if nothing was taken.
    """
    if params:
        raise ActionFailed(f"nothing was collected: file.collect takes no parameters, got {sorted(params)}")
    until = monotonic() + context.timeout_seconds
    run = _Run(target=target, context=context, until=until, span=Span(context))
    copying = asyncio.create_task(asyncio.to_thread(run.copy_all))
    try:
        await asyncio.shield(copying)
    except asyncio.CancelledError:
        run.stop.set()
        await asyncio.gather(copying, return_exceptions=True)
        raise
    return run.result()


@dataclass
class _Run:
    """One collection under way; lives in one worker thread, only `stop` is set from outside."""

    target: FileTarget
    context: ActionContext
    until: float
    span: Span
    stop: threading.Event = field(default_factory=threading.Event)
    items: list[CollectedItem] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    left_out_count: int = 0
    partial: str | None = None
    entries: int = 0
    taken_bytes: int = 0

    @property
    def root(self) -> Path:
        """The root without links; the administrator named it, what lies below is not trusted."""
        return Path(os.path.realpath(self.context.base / self.target.root))

    def copy_all(self) -> None:
        root = self.root
        try:
            folder = os.open(root, _FOLDER_FLAGS)
        except OSError as wrong:
            raise ActionFailed(f"nothing was collected, {root} cannot be opened: {wrong.strerror}") from wrong
        self._folder(folder, "", root, 0)

    def _folder(self, folder: int, below: str, root: Path, depth: int) -> None:
        """Go through an open folder, and close it."""
        try:
            for name, mode in self._entries(folder, root / below):
                if self._is_over():
                    return
                path = f"{below}{name}"
                if stat.S_ISDIR(mode):
                    self._enter(folder, name, path, root, depth)
                elif self._matches(path, name) and not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                    # Not even opened: opening a device or a pipe can set something off.
                    self._leave(root / path, "no regular file")
                elif self._matches(path, name):
                    self._file(folder, name, path, root / path)
        finally:
            os.close(folder)

    def _entries(self, folder: int, path: Path) -> Iterator[tuple[str, int]]:
        """Names and modes in a folder, sorted, links not followed."""
        try:
            names = sorted(os.listdir(folder))
        except OSError as wrong:
            self._leave(path, _why(wrong))
            return
        for name in names:
            try:
                mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            except OSError as wrong:
                self._leave(path / name, _why(wrong))
                continue
            yield name, mode

    def _is_over(self) -> bool:
        """Whether a cap, the time or a cancellation ends the collection here; says which."""
        self.entries += 1
        if self.partial is None:
            if self.stop.is_set():
                self.partial = "stopped"
            elif monotonic() >= self.until:
                self.partial = f"the time of {self.context.timeout_seconds:g} s is over"
            elif self.entries > MAX_ENTRIES:
                self.partial = f"more than {MAX_ENTRIES} entries"
        return self.partial is not None

    def _enter(self, folder: int, name: str, path: str, root: Path, depth: int) -> None:
        if depth >= MAX_DEPTH:
            self._leave(root / path, f"deeper than {MAX_DEPTH} folders")
            return
        try:
            inner = os.open(name, _FOLDER_FLAGS, dir_fd=folder)
        except OSError as wrong:
            self._leave(root / path, _why(wrong))
            return
        if self._is_evidence_folder(inner):
            os.close(inner)
            self._leave(root / path, "the evidence folder itself")
            return
        self._folder(inner, f"{path}/", root, depth + 1)

    def _is_evidence_folder(self, folder: int) -> bool:
        try:
            return os.path.samestat(os.fstat(folder), self.context.evidence_dir.stat())
        except FileNotFoundError:
            return False

    def _matches(self, path: str, name: str) -> bool:
        return any(fnmatchcase(path if "/" in each else name, each) for each in self.target.patterns)

    def _file(self, folder: int, name: str, path: str, source: Path) -> None:
        if len(self.items) >= self.target.max_files:
            self.partial = f"more than {self.target.max_files} files"
            return
        try:
            number = _open(name, folder)
        except OSError as wrong:
            self._leave(source, _why(wrong))
            return
        try:
            if not stat.S_ISREG(os.fstat(number).st_mode):
                self._leave(source, "no regular file")
                return
            self._copy(number, path, source)
        except ActionFailed as wrong:
            self._leave(source, str(wrong))
        except OSError as wrong:
            self._leave(source, _why(wrong))
            if wrong.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                self.partial = f"the evidence folder cannot be written: {wrong.strerror}"
        finally:
            os.close(number)

    def _copy(self, number: int, path: str, source: Path) -> None:
        before = os.fstat(number)
        room = self.target.max_bytes - self.taken_bytes
        with self.context.writer() as writer:
            cut = self._pump(number, writer, room, readable(path))
            if cut is not None and writer.size == 0:
                self.partial = cut
                return
            problems = [f"{cut}, the rest is missing"] if cut is not None else []
            if _has_changed(before, os.fstat(number)):
                problems.append(self._changed(number, writer))
            writer.keep()
            self.partial = cut or self.partial
            self.taken_bytes += writer.size
            item = CollectedItem(
                name=readable(path),
                source=readable(str(source)),
                problem="; ".join(problems) or None,
                tool=TOOL,
                host=gethostname(),
                collected_at=iso(self.span.now()),
                offset_ms=0,
                **stored_as(writer),
            )
            self.items.append(item)
            self.context.kept.append(item)
            crash_point("kept")

    def _pump(self, number: int, writer: Writer, room: int, name: str) -> str | None:
        """Copy piece by piece; what ended it before the file's end, or None."""
        while piece := os.read(number, PIECE_BYTES):
            if len(piece) > room - writer.size:
                writer.write(piece[: room - writer.size])
                return f"more than {self.target.max_bytes} bytes"
            writer.write(piece)
            crash_point("taken")
            self.context.progress(name, writer.size)
            if self.stop.is_set() or monotonic() >= self.until:
                return f"the time of {self.context.timeout_seconds:g} s is over"
        return None

    def _changed(self, number: int, writer: Writer) -> str:
        """Both digests: of what is kept, and of the file as it is now (as far as the cap reaches)."""
        os.lseek(number, 0, os.SEEK_SET)
        over = False

        def read(count: int) -> bytes:
            nonlocal over
            over = over or self.stop.is_set() or monotonic() >= self.until
            return b"" if over else os.read(number, count)

        now, size = digest_of(read, self.target.max_bytes)
        kept = f"changed while it was read: kept {writer.digest}"
        if over:
            return f"{kept}, not read again, the time is over"
        return f"{kept}, afterwards {now} ({size} bytes)"

    def _leave(self, source: Path, reason: str) -> None:
        self.left_out_count += 1
        if len(self.left_out) < MAX_LEFT_OUT:
            self.left_out.append(LeftOut(source=readable(str(source)), reason=reason))

    def result(self) -> ActionResult:
        """What was taken. Raises ActionFailed if that is nothing: an empty collection preserves nothing."""
        if not self.items:
            reasons = [f"{each.source}: {each.reason}" for each in self.left_out[:5]]
            why = "; ".join([*([self.partial] if self.partial else []), *reasons]) or "no file matches"
            raise ActionFailed(f"nothing was collected from {self.target.root}: {why}")
        outputs = {
            "files": str(len(self.items)),
            "bytes": str(self.taken_bytes),
            "partial": "yes" if self.partial else "no",
            "left_out": str(self.left_out_count),
        }
        counts = "{files} files, {bytes} bytes, {left_out} left out".format_map(outputs)
        return ActionResult(
            outputs=outputs,
            summary=f"{counts}; partial: {self.partial}" if self.partial else counts,
            evidence=tuple(self.items),
            left_out=tuple(self.left_out),
        )


def _open(name: str, folder: int) -> int:
    """Open a file for reading without marking it as read, where the system lets us. Raises OSError."""
    try:
        return os.open(name, _FILE_FLAGS | os.O_NOATIME, dir_fd=folder)
    except PermissionError:
        return os.open(name, _FILE_FLAGS, dir_fd=folder)


def _has_changed(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns) != (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
    )


def _why(wrong: OSError) -> str:
    if wrong.errno == errno.ELOOP:
        return "a symbolic link, not followed"
    if wrong.errno == errno.ENXIO:
        return "no regular file"
    return wrong.strerror or type(wrong).__name__
