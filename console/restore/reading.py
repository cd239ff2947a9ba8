"""What a source holds, line by line: a folder of segments, an export archive, or a file of lines."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

from models.errors import BadInput, NotFound
from models.lines import LONGEST, SEALED
from notifiers.relay.sink import number_of

ARCHIVED = ("facts.jsonl", "documents.jsonl", "checkpoints.jsonl")
MAX_SEGMENT = 1 << 30
MAX_MANIFEST = 32 << 20
Unseal = Callable[[bytes], bytes]


@dataclass(frozen=True, kw_only=True)
class Raw:
    """One line as it lies there, and where that is. `torn`: nothing ends it."""

    place: str
    body: bytes
    torn: bool = False


def lines_of(source: Path, unseal: Unseal | None) -> Iterator[Raw]:
    """Every line of a source. Raises NotFound, BadInput."""
    if source.is_dir():
        yield from _folder(source, unseal)
    elif not source.is_file():
        raise NotFound(f"{source}: no such folder or file; name a folder of segments or an export archive")
    elif zipfile.is_zipfile(source):
        yield from _archive(source)
    else:
        with source.open("rb") as stream:
            yield from _lines(source.name, stream)


def is_complete(source: Path) -> bool:
    """Whether a source is meant to hold every record; of archives only one of all records is.

    Raises BadInput if it is an archive whose manifest cannot be read.
    """
    if not source.is_file() or not zipfile.is_zipfile(source):
        return True
    with zipfile.ZipFile(source) as archive:
        try:
            with archive.open("manifest.json") as file:
                raw = file.read(MAX_MANIFEST + 1)
            manifest = orjson.loads(raw if len(raw) <= MAX_MANIFEST else b"")
        except (KeyError, orjson.JSONDecodeError, zipfile.BadZipFile, OSError) as wrong:
            raise BadInput(f"{source.name}: its manifest.json cannot be read: {wrong}") from wrong
    return isinstance(manifest, dict) and manifest.get("complete") is True


def _folder(folder: Path, unseal: Unseal | None) -> Iterator[Raw]:
    segments = sorted(
        (one for one in folder.iterdir() if number_of(one.name) and one.is_file()),
        key=lambda one: (number_of(one.name), one.name),
    )
    if not segments:
        raise NotFound(f"{folder}: holds no segment facts-00000001.jsonl or the like")
    for one in segments:
        if one.suffix != SEALED:
            with one.open("rb") as stream:
                yield from _lines(one.name, stream)
        elif unseal is None:
            raise BadInput(f"{one.name}: is sealed; give the age identity with --identity FILE")
        else:
            yield from _sealed(one, unseal)


def _sealed(path: Path, unseal: Unseal) -> Iterator[Raw]:
    if path.stat().st_size > MAX_SEGMENT:
        raise BadInput(f"{path.name}: is larger than {MAX_SEGMENT} bytes; Hikeshi writes no such segment")
    try:
        body = unseal(path.read_bytes())
    except BadInput as wrong:
        raise BadInput(f"{path.name}: {wrong}") from wrong
    for number, line in enumerate(body.splitlines(keepends=True), start=1):
        yield Raw(place=f"{path.name}:{number}", body=line, torn=not line.endswith(b"\n"))


def _archive(path: Path) -> Iterator[Raw]:
    with zipfile.ZipFile(path) as archive:
        known = set(archive.namelist())
        if ARCHIVED[0] not in known:
            raise BadInput(f"{path.name}: is no export archive: it has no {ARCHIVED[0]}")
        for name in ARCHIVED:
            if name in known:
                with archive.open(name) as stream:
                    yield from _lines(name, stream)


def _lines(name: str, stream: IO[bytes]) -> Iterator[Raw]:
    """Lines of bounded length: one without end must not fill the memory."""
    number = 0
    while body := stream.readline(LONGEST):
        number += 1
        if len(body) == LONGEST:
            raise BadInput(f"{name}:{number}: a line of more than {LONGEST} bytes; Hikeshi writes none")
        if body.strip():
            yield Raw(place=f"{name}:{number}", body=body, torn=not body.endswith(b"\n"))
