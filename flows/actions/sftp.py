"""Files of another host, read by SFTP: regular files only, links not followed, names in any encoding."""

from __future__ import annotations

import stat
from collections import deque
from collections.abc import Iterator
from fnmatch import fnmatchcase
from hashlib import sha256

import paramiko
from paramiko.message import Message
from paramiko.sftp import (
    CMD_CLOSE,
    CMD_DATA,
    CMD_HANDLE,
    CMD_NAME,
    CMD_OPENDIR,
    CMD_READ,
    CMD_READDIR,
    CMD_STATUS,
    int64,
)  # fmt: skip

from flows.actions.taking import PIECE_BYTES, Haul, Span, Taking, about, unreachable
from flows.actions.values import ActionContext, ActionResult
from models.targets import SshTarget, place_of

MAX_ENTRIES = 100_000
REQUEST_BYTES = 32_768
AHEAD = 32
"""Requests that are under way at once: a megabyte, so that a distant host is read at full speed."""
_TROUBLE = (paramiko.SSHException, EOFError, OSError)


def take_files(
    transport: paramiko.Transport,
    target: SshTarget,
    context: ActionContext,
    span: Span,
    offset: int | None,
) -> ActionResult:
    """Copy what matches. Raises SourceUnreachable if the line breaks, ActionFailed if nothing matches."""
    try:
        client = paramiko.SFTPClient.from_transport(transport)
    except _TROUBLE as wrong:
        raise unreachable(place_of(target), f"it offers no SFTP: {wrong}") from wrong
    if client is None:
        raise unreachable(place_of(target), "it offers no SFTP")
    return _Copy(client, target, context, span, offset).run()


class _Copy:
    """One collection of files."""

    def __init__(
        self,
        client: paramiko.SFTPClient,
        target: SshTarget,
        context: ActionContext,
        span: Span,
        offset: int | None,
    ) -> None:
        self._client, self._target, self._context, self._span = client, target, context, span
        self._offset = offset
        self._where = place_of(target)
        self._haul = Haul()

    def run(self) -> ActionResult:
        """All patterns, until a cap or the time is reached."""
        try:
            for pattern in self._target.paths:
                folder, _, name = pattern.rpartition("/")
                self._folder(folder.encode() or b"/", name)
        except (_LineBroke, *_TROUBLE) as wrong:
            why = f"the connection broke: {wrong or type(wrong).__name__}"
            raise unreachable(self._where, why, self._haul.items) from wrong
        return self._haul.result(self._where)

    def _folder(self, folder: bytes, pattern: str) -> None:
        try:
            names = sorted(_names(self._client, folder, self._span))
        except OSError as wrong:
            self._refused(_text(folder), wrong)
            return
        if self._haul.partial is None:
            self._haul.partial = self._span.over()
        for name in names:
            if self._haul.partial is None:
                self._haul.partial = self._span.over()
            if self._haul.partial is not None:
                return
            if fnmatchcase(_text(name), pattern):
                self._file(folder.rstrip(b"/") + b"/" + name)

    def _file(self, path: bytes) -> None:
        if len(self._haul.items) >= self._target.max_files:
            self._haul.partial = f"more than {self._target.max_files} files"
            return
        shown = _text(path)
        try:
            before = self._client.lstat(path)
            if not stat.S_ISREG(before.st_mode or 0):
                # Not even opened: opening a device or a pipe can set something off, or never come back.
                link = stat.S_ISLNK(before.st_mode or 0)
                self._haul.leave(shown, "a symbolic link, not followed" if link else "no regular file")
                return
            with self._client.open(path, "rb") as file:
                self._copy(file, shown, before)
        except OSError as wrong:
            self._refused(shown, wrong)

    def _refused(self, source: str, wrong: OSError) -> None:
        """One that the host does not give is left out. Raises _LineBroke if it gives nothing any more."""
        channel = self._client.get_channel()
        if channel is None or channel.closed:
            raise _LineBroke(str(wrong)) from wrong
        self._haul.leave(source, wrong.strerror or str(wrong) or type(wrong).__name__)

    def _copy(self, file: paramiko.SFTPFile, path: str, before: paramiko.SFTPAttributes) -> None:
        file.settimeout(30.0)
        what = about(
            path.lstrip("/"),
            f"sftp://{self._target.user}@{self._where}{path}",
            self._span,
            tool="ssh.collect (SFTP)",
            host=self._where,
            offset_ms=self._offset,
        )
        room = self._target.max_bytes - self._haul.size
        with Taking(self._context, what, room) as taking:
            try:
                ended = self._pump(file, taking, before.st_size or 0)
                changed = None if ended else self._changed(file, path, before, taking)
            except _TROUBLE as wrong:
                if taking.size:
                    self._haul.items.append(taking.keep("the connection broke, the rest is missing"))
                raise _LineBroke(str(wrong) or type(wrong).__name__) from wrong
            if ended and not taking.size:
                self._haul.partial = ended
                return
            self._haul.items.append(taking.keep(f"{ended}, the rest is missing" if ended else None, changed))
            self._haul.partial = ended

    def _pump(self, file: paramiko.SFTPFile, taking: Taking, size: int) -> str | None:
        """Copy piece by piece; what ended it before the file's end, or None."""
        reader = _Reader(self._client, file.handle, size)
        while piece := reader.read():
            if not taking.add(piece):
                taking.cut = False
                return f"more than {self._target.max_bytes} bytes"
            if (over := self._span.over()) is not None:
                return over
        return None

    def _changed(
        self, file: paramiko.SFTPFile, path: str, before: paramiko.SFTPAttributes, taking: Taking
    ) -> str | None:
        """Both digests if it changed meanwhile: of what is kept, and of the file as it is now."""
        after = file.stat()
        if (before.st_size, before.st_mtime) == (
            after.st_size,
            after.st_mtime,
        ) and taking.size == after.st_size:
            return None
        summed, size = sha256(), 0
        with self._client.open(path.encode("utf-8", "surrogateescape"), "rb") as again:
            while size < self._target.max_bytes and (piece := again.read(PIECE_BYTES)):
                summed.update(piece)
                size += len(piece)
                if (over := self._span.over()) is not None:
                    return f"changed while it was read: kept {taking.digest}, not read again: {over}"
        now = f"sha256:{summed.hexdigest()}"
        return f"changed while it was read: kept {taking.digest}, afterwards {now} ({size} bytes)"


class _Reader:
    """Reads a file in order, with many requests under way at once.

    The library's own read-ahead runs in a thread of its own, which dies aloud when the line breaks.
    """

    def __init__(self, client: paramiko.SFTPClient, handle: paramiko.SFTPHandle | bytes, size: int) -> None:
        self._client, self._handle, self._size = client, handle, size
        self._offset = 0
        self._asked: deque[tuple[int, int, int]] = deque()
        self._came: dict[int, tuple[int, Message]] = {}

    def _async_response(self, kind: int, message: Message, number: int) -> None:
        """An answer that came before one that we wait for: the library calls this."""
        self._came[number] = (kind, message)

    def _ask(self, offset: int, count: int) -> tuple[int, int, int]:
        number = self._client._async_request(self, CMD_READ, self._handle, int64(offset), count)  # type: ignore[attr-defined]
        return number, offset, count

    def read(self) -> bytes:
        """The next piece; empty at the end. Raises OSError, SSHException if the line broke."""
        while len(self._asked) < AHEAD and (self._offset < self._size or not self._asked):
            self._asked.append(self._ask(self._offset, REQUEST_BYTES))
            self._offset += REQUEST_BYTES
        number, offset, count = self._asked.popleft()
        piece = self._answer(number)
        if not piece:
            self._drain()
        elif len(piece) < count:
            # A short answer in the middle: what is missing is asked for next.
            self._asked.appendleft(self._ask(offset + len(piece), count - len(piece)))
        return piece

    def _answer(self, number: int) -> bytes:
        try:
            if number in self._came:
                kind, message = self._came.pop(number)
                if kind == CMD_STATUS:
                    self._client._convert_status(message)  # type: ignore[attr-defined]
            else:
                kind, message = self._client._read_response(number)  # type: ignore[attr-defined]
        except EOFError:
            return b""
        if kind != CMD_DATA:
            raise paramiko.SSHException("no data where data was asked for")
        return bytes(message.get_binary())

    def _drain(self) -> None:
        """After the end the answers to what was asked beyond it are still to come."""
        while self._asked:
            self._answer(self._asked.popleft()[0])


class _LineBroke(Exception):
    """The connection is gone, and with it the rest of the collection."""


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _names(client: paramiko.SFTPClient, folder: bytes, span: Span) -> Iterator[bytes]:
    """Names in a folder as bytes. The library's own listing fails at the first that is no UTF-8.

    Raises OSError if an answer brings no name: such a server could go on so for ever.
    """
    kind, message = client._request(CMD_OPENDIR, folder)  # type: ignore[attr-defined]
    if kind != CMD_HANDLE:
        raise paramiko.SSHException("no handle for a folder")
    handle, count = message.get_binary(), 0
    try:
        while count < MAX_ENTRIES and span.over() is None:
            kind, message = client._request(CMD_READDIR, handle)  # type: ignore[attr-defined]
            if kind != CMD_NAME:
                return
            if not (many := message.get_int()):
                raise OSError("an answer without a name where names were asked for")
            for _ in range(many):
                name = message.get_binary()
                message.get_binary()
                paramiko.SFTPAttributes._from_msg(message)  # type: ignore[attr-defined]
                count += 1
                if name not in {b".", b".."}:
                    yield name
    except EOFError:
        return
    finally:
        client._request(CMD_CLOSE, handle)  # type: ignore[attr-defined]
