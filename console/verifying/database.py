"""The record as a SQLite database, and the statements that read it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from console.verifying.found import as_bytes

FACTS = "select stream, seq, body, hash, kind from fact"
ORDER = " order by stream, seq"
COUNT = "select count(*), max(stream), max(rowid) from fact"
EDGE = "select stream, seq from fact order by stream, seq limit 1 offset :offset"
BETWEEN = (
    " where (stream, seq) > (:stream, :seq) and (stream, seq) <= (:to_stream, :to_seq) and rowid <= :newest"
)
HEADS = "select id, seq, hash from stream"
TEXTS = "select stream, digest, salt, body from text"
DISPOSALS = "select stream, body from fact where kind = 'text.disposed'"
DOCUMENTS = "select digest, body from document"
AT = "select hash from fact where stream = :stream and seq = :seq"
FACT = "select body from fact where stream = :stream and seq = :seq"
STREAMS = "select distinct stream from fact"
LAST = "select max(seq) from fact where stream = :stream"
HOUSE = (
    "select kind, body from fact where stream = 'house'"
    " and kind in ('key.made', 'key.rotated', 'key.replaced', 'anchor.placed') order by seq"
)
CHECKPOINTS = "select number, body, key, signature from checkpoint order by number"
ANCHORS = "select checkpoint, kind, place, token from anchor order by checkpoint, kind, place"
Query = Callable[..., Iterable[Any]]
"""Runs one of the statements above, with named parameters if it has any."""

TABLES = {
    "stream": "id, seq, hash",
    "fact": "stream, seq, body, hash, kind, primary key (stream, seq)",
    "text": "stream, digest, salt, body, primary key (stream, digest)",
    "document": "digest primary key, body",
    "checkpoint": "number primary key, body, key, signature",
    "anchor": "checkpoint, kind, place, token, unique (checkpoint, kind, place)",
}


class Unreadable(Exception):
    """What was given cannot be read at all; the message says what was expected."""


def open_sqlite(path: str) -> sqlite3.Connection:
    """The database, for reading only; also on a medium that cannot be written to."""
    quoted = Path(path).resolve().as_uri()
    for mode in ("mode=ro", "immutable=1") if not Path(f"{path}-wal").exists() else ("mode=ro",):
        database = sqlite3.connect(f"{quoted}?{mode}", uri=True)
        try:
            there = {row[0] for row in database.execute("select name from sqlite_master")}
        except sqlite3.OperationalError:
            database.close()
            continue
        for name in {"checkpoint", "anchor"} - there:  # a record from before there were checkpoints
            database.execute(f"create temp table {name} ({TABLES[name]})")
        return database
    raise Unreadable(f"{path}: expected a SQLite database that can be opened")


def stored_hash(query: Query, stream: str, seq: int) -> str | None:
    """The hash stored with a fact in hex. That it is the chain's has been looked at before."""
    row = next(iter(query(AT, {"stream": stream, "seq": seq})), None)
    return as_bytes(row[0]).hex() if row else None
