"""Files that go into a command and come out of it: in a folder of its own, which is gone afterwards."""

from __future__ import annotations

import mimetypes
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from console.operations.catalogue import Field, Operation
from console.operations.checking import Upload
from console.views.sheet import Line, Row, Section, Table

MAX_UPLOAD = 16 * 1024 * 1024
"""Bytes of a file that is handed in: as many as the command line reads of one."""


@dataclass(frozen=True, kw_only=True)
class Handed:
    """A file that a command has written. It has no name on the disk any more: reading it is all there is."""

    name: str
    media_type: str
    size: int
    stream: BinaryIO


@contextmanager
def folder_for(operation: Operation, values: Mapping[str, Any]) -> Iterator[Path | None]:
    """A folder for the files of this call, for nobody else's eyes; None if there are none."""
    needed = operation.result is not None or any(
        values.get(one.name) for one in operation.fields if one.goes_in or one.writes
    )
    if not needed:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="hikeshi-") as made:  # 0700
        yield Path(made)


def laid_down(field: Field, value: Upload | Path | str, folder: Path) -> str:
    """The path of a file that was handed in, now that it lies there.

    A Path is one that a door of ours has made for this call; a text is never a path, but what stands in one.
    """
    if isinstance(value, Path):
        return str(value)
    given = value if isinstance(value, Upload) else Upload(name="text.txt", body=value.encode())
    # Each in a folder of its own: two may be called the same.
    place = folder / field.name
    place.mkdir(mode=0o700)
    path = place / given.safe_name
    path.write_bytes(given.body)
    return str(path)


def place_for(field: Field, folder: Path) -> str:
    """Where the command is to write."""
    return str(folder / field.writes)


def handed(operation: Operation, values: Mapping[str, Any], folder: Path | None) -> Handed | None:
    """What the command has written, if it was to."""
    asked = [one for one in operation.fields if one.writes and values.get(one.name)]
    for one in [*([operation.result] if operation.result else []), *asked]:
        path = folder / one.writes if folder is not None else None
        if path is not None and path.is_file():
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            # The folder goes, the open file stays until it has been read.
            return Handed(
                name=path.name,
                media_type=f"{kind}; charset=utf-8" if kind.startswith("text/") else kind,
                size=path.stat().st_size,
                stream=path.open("rb"),
            )
    return None


def without(value: Any, folder: str) -> Any:
    """The same without the folder's name in any of its texts: it is this machine's own affair."""
    if isinstance(value, str):
        return value.replace(f"{folder}/", "").replace(folder, "")
    if isinstance(value, dict):
        return {key: without(one, folder) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(without(one, folder) for one in value)
    if isinstance(value, (Line, Section, Table, Row)):
        return replace(value, **{name: without(one, folder) for name, one in vars(value).items()})
    return value
