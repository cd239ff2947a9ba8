"""Messages as lines of JSON in a file: for tests, for other tools, and to see later what was said.

A line holds `key`, `channel`, `address`, `person`, `lang`, `kind`, `template`, `attempt`, `drill`, `text` and
`context`. It stands whole or not at all: a torn line, left by a crash, is no valid JSON and counts as absent.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import orjson

from models.crashpoint import crash_point
from notifiers import rendering
from notifiers.message import Delivery, Failed, Message, Sent
from notifiers.probing import Addressee, Finding, finding

READ_BACK_BYTES = 16 * 1024 * 1024
"""How far back `arrived` looks; an unclear message is asked for soon after it was written."""


class FileNotifier:
    """Appends to `path`, readable by its owner only, and calls a message sent when the disk has it."""

    name = "file"
    can_read_back = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._one_at_a_time = threading.Lock()

    async def deliver(self, message: Message) -> Delivery:
        rendered = rendering.render(message)
        line = orjson.dumps(_fields(message) | {"text": rendered.text})
        try:
            offset = await asyncio.to_thread(self._append, line)
        except _NotOnDisk as error:
            return Failed(error=f"{self._path.name}: written, but not surely kept: {error}", retry="unclear")
        except OSError as error:
            return Failed(error=f"{self._path.name} cannot be written: {error.strerror}", retry="later")
        return Sent(receipt=f"offset {offset}", rendering_failed=rendered.failed)

    async def arrived(self, message: Message) -> Sent | None:
        return await asyncio.to_thread(_find, self._path, message.key)

    async def probe(self, people: Sequence[Addressee]) -> list[Finding]:
        """Whether a line could be added now; none is."""
        wrong = await asyncio.to_thread(_closed_to_us, self._path)
        return [finding(self.name, "file-not-writable", self._path.name, wrong)] if wrong else []

    async def close(self) -> None:
        """Nothing is held open between messages."""

    def _append(self, line: bytes) -> int:
        # A line of another thread that is half written would look torn, and be answered with an empty line.
        with self._one_at_a_time:
            return _append(self._path, line)


class _NotOnDisk(OSError):
    """The line was written, and the disk did not confirm it."""


def _fields(message: Message) -> dict[str, Any]:
    """The message as JSON can hold it; a context that it cannot hold must not lose the page."""
    fields: dict[str, Any] = msgspec.structs.asdict(message)
    fields["acts"] = [act.name for act in message.acts]
    if fields.pop("bundle"):
        fields["keys"] = list(message.keys)
    try:
        orjson.dumps(fields)
    except TypeError:
        fields["context"] = {}
    return {
        name: rendering.clean(value) if isinstance(value, str) else value for name, value in fields.items()
    } | {"key": message.key}


def _append(path: Path, line: bytes) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        end = os.lseek(descriptor, 0, os.SEEK_END)
        # After a torn line this one must not become part of it.
        torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
        _write_all(descriptor, (b"\n" if torn else b"") + line + b"\n")
        crash_point("line-written")
        _confirm(descriptor)
    finally:
        os.close(descriptor)
    return end + int(torn)


def _closed_to_us(path: Path) -> str:
    """Why the file cannot be written to, or empty. One that is not there yet is left so."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
        elif not os.access(path.parent, os.W_OK | os.X_OK):
            return "its folder cannot be written to"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _write_all(descriptor: int, rest: bytes) -> None:
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _confirm(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise _NotOnDisk(error.errno, error.strerror) from error


def _find(path: Path, key: str) -> Sent | None:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = file.seek(max(0, size - READ_BACK_BYTES))
            tail = file.read(READ_BACK_BYTES)
    except OSError:
        return None
    needle = orjson.dumps(key)
    for line in tail.splitlines(keepends=True):
        if needle in line and _key(line) == key:
            return Sent(receipt=f"offset {start}")
        start += len(line)
    return None


def _key(line: bytes) -> object:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return found.get("key") if isinstance(found, dict) else None
