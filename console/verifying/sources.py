"""Where the record lies: a database, an archive, or a folder of segments."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zipfile
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from console.verifying.database import LAST, STREAMS, TABLES, Query, Unreadable, open_sqlite, stored_hash
from console.verifying.found import Verification
from console.verifying.kept import Manifest, Source

START = b'{"t":'
MAX_LINE = 256 * 1024 * 1024
MAX_MANIFEST = 32 * 1024 * 1024
SHOWN = 12
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"

_INTO = {
    "fact": (
        "insert or ignore into fact values (?, ?, ?, ?, ?)",
        "select * from fact where stream = ? and seq = ?",
        2,
    ),
    "text": (
        "insert or ignore into text values (?, ?, ?, ?)",
        "select * from text where stream = ? and digest = ?",
        2,
    ),
    "checkpoint": (
        "insert or ignore into checkpoint values (?, ?, ?, ?)",
        "select * from checkpoint where number = ?",
        1,
    ),
    "document": ("insert or ignore into document values (?, ?)", "", 0),
    "anchor": ("insert or ignore into anchor values (?, ?, ?, ?)", "", 0),
}
"""How a line goes in, and how the one that is there already is found: by so many of its columns."""


class Loader:
    """Takes the lines of an archive or of segments into a database of its own, which is gone afterwards."""

    def __init__(self, found: Verification) -> None:
        self.found = found
        self.keys: list[dict[str, Any]] = []
        self.database = sqlite3.connect("")
        for name, columns in TABLES.items():
            self.database.execute(f"create table {name} ({columns})")

    def lines(self, name: str, lines: Iterable[bytes]) -> None:
        """Take them all in. The very last one may be torn: a process was killed while it wrote."""
        for number, line in enumerate(lines, 1):
            try:
                # A syslog server writes words of its own before a line.
                self._take(json.loads(line[max(0, line.find(START)) :]))
            except (
                ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, sqlite3.Error,
            ):  # fmt: skip
                if line.endswith(b"\n"):
                    self.found.problem(f"{name} line {number}: is no line of a record")
                else:
                    self.found.note(f"{name} line {number}: is torn, as when a process was killed; left out")

    def _take(self, one: dict[str, Any]) -> None:
        kind = one["t"]
        if kind == "fact":
            body, hashed = one["body"].encode(), bytes.fromhex(one["hash"])
            self._put("fact", (one["stream"], one["seq"], body, hashed, one["kind"]))
        elif kind == "text":
            self._put("text", (one["stream"], one["digest"], bytes.fromhex(one["salt"]), one["body"]))
        elif kind == "document":
            self._put("document", (one["digest"], b64decode(one["body"])))
        elif kind == "checkpoint":
            signature = bytes.fromhex(one["signature"])
            self._put("checkpoint", (one["number"], one["body"].encode(), one["key"], signature))
        elif kind == "anchor":
            token = b64decode(one["token"]) if one.get("token") else None
            self._put("anchor", (one["checkpoint"], one["kind"], one.get("where", ""), token))
        elif kind == "key":
            self.keys.append({**one, "key": one["id"]})

    def _put(self, table: str, row: tuple[Any, ...]) -> None:
        """The same line twice is one; another one in its place is an alteration."""
        into, look, keys = _INTO[table]
        if self.database.execute(into, row).rowcount or keys == 0:
            return
        known = self.database.execute(look, row[:keys]).fetchone()
        if table == "text" and None in (known[3], row[3]):
            self.database.execute("update text set body = null where stream = ? and digest = ?", row[:2])
        elif known != row:
            place, seq = (row[0], row[1]) if table == "fact" else ("", 0)
            name = " #".join(str(one) for one in row[:keys])
            self.found.problem(f"{table} {name}: is there twice, and not alike", place, seq)


def _archive(path: Path, found: Verification) -> Source:
    """An export: its files by the manifest's digests, its lines as a record of the streams it names."""
    loader = Loader(found)
    with zipfile.ZipFile(path) as archive:
        raw = _bounded(archive, MANIFEST)
        manifest = json.loads(raw)
        signature = _signature(archive, raw, manifest)
        names = _names(archive, found)
        listed = {one["path"]: one["sha256"] for one in manifest["files"]}
        if signature is None:
            _not_verified(names, found)
        for name in sorted(names ^ set(listed)):
            found.problem(f"{name}: is {'missing' if name in listed else 'not in the manifest'}")
        for name in sorted(names & set(listed)):
            with archive.open(name) as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != listed[name]:  # type: ignore[arg-type]
                    found.problem(f"{name}: is not what the manifest says")
            if name.endswith(".jsonl"):
                with archive.open(name) as file:
                    loader.lines(name, iter(lambda file=file: file.readline(MAX_LINE), b""))  # type: ignore[misc]
    query = loader.database.execute
    named = _named(query, manifest["streams"], found)
    scope = None if manifest.get("complete") is True else named
    bare = set(manifest.get("texts_left_out") or ())
    return Source(query=query, scope=scope, whole=False, keys=loader.keys, manifest=signature, bare=bare)


def _names(archive: zipfile.ZipFile, found: Verification) -> set[str]:
    """The files that a manifest has to name. Of two with one name a reader sees either."""
    counted = Counter(archive.namelist())
    for name in sorted(name for name, count in counted.items() if count > 1):
        found.problem(f"{name}: is in the archive more than once")
    return set(counted) - {MANIFEST, SIGNATURE}


def _not_verified(names: set[str], found: Verification) -> None:
    """Nothing but the manifest vouches for files that are not lines of a record."""
    loose = sorted(name for name in names if not name.endswith(".jsonl"))
    more = f" and {len(loose) - SHOWN} more" if loose[SHOWN:] else ""
    if loose:
        found.note(f"not verified, since the manifest is not signed: {', '.join(loose[:SHOWN])}{more}")


def _bounded(archive: zipfile.ZipFile, name: str) -> bytes:
    """A small file of an archive; one that unpacks without end is not read. Raises Unreadable, KeyError."""
    with archive.open(name) as file:
        raw = file.read(MAX_MANIFEST + 1)
    if len(raw) > MAX_MANIFEST:
        raise Unreadable(f"{name}: is larger than {MAX_MANIFEST} bytes; Hikeshi writes no such file")
    return raw


def _signature(archive: zipfile.ZipFile, raw: bytes, manifest: dict[str, Any]) -> Manifest | None:
    """What signs the manifest; None if nothing claims to. One that cannot be read does not hold."""
    if SIGNATURE not in archive.namelist() and "key" not in manifest:
        return None
    try:
        signature = bytes.fromhex(_bounded(archive, SIGNATURE).decode().strip())
    except (KeyError, ValueError):
        signature = b""
    return Manifest(body=raw, key=str(manifest.get("key")), signature=signature)


def _named(query: Query, streams: Any, found: Verification) -> set[str]:
    """The records that the manifest names and those that are there: the same, up to the same head."""
    there = {row[0] for row in query(STREAMS)}
    for stream in sorted(set(streams) - there):
        found.problem(f"{stream}: the whole record is gone; the manifest names it", stream, 1)
    for stream in sorted(there - set(streams), key=str):
        found.problem(f"{stream}: is not in the manifest, and its facts are there", str(stream), 1)
    for stream, (seq, head) in sorted(streams.items()) if isinstance(streams, dict) else ():
        last = next(iter(query(LAST, {"stream": stream})))[0]
        if last is not None and (last != seq or stored_hash(query, stream, seq) != head):
            text = f"{stream}: does not end as the manifest says, with #{seq}"
            found.problem(text, stream, max(1, min(seq, int(last) + 1)))
    return there | set(streams)


def _segments(path: Path, found: Verification) -> Source:
    """A second path: its segments in the order of their names."""
    loader = Loader(found)
    files = sorted(path.glob("*.jsonl"))
    sealed = sorted(path.glob("*.jsonl.age"))
    if not files:
        what = f"{len(sealed)} are sealed: open them with age first" if sealed else "there is none"
        raise Unreadable(f"{path}: expected segments (*.jsonl) in this folder; {what}")
    if sealed:
        found.note(
            f"{len(sealed)} sealed segments were not read ({sealed[0].name} and on): open them with age first"
        )
    for one in files:
        with one.open("rb") as file:
            loader.lines(one.name, iter(lambda file=file: file.readline(MAX_LINE), b""))  # type: ignore[misc]
    return Source(query=loader.database.execute, whole=False, keys=loader.keys)


def open_source(path: Path, found: Verification) -> Source:
    """What lies at `path`. Raises Unreadable, OSError."""
    if path.is_dir():
        return _segments(path, found)
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(b"SQLite format 3\0"):
        database = open_sqlite(str(path))
        # All that is asked is of one instant, though a node may be writing.
        database.execute("begin")
        return Source(query=database.execute, path=str(path), close=database.close)
    if zipfile.is_zipfile(path):
        return _archive(path, found)
    raise Unreadable(f"{path}: expected a SQLite database, an archive (.zip) or a folder of segments")
