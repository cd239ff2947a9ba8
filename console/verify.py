"""Verifying records: every chain is recomputed from the stored bytes, with nothing but the standard library.

So it can be run against a copy of the database by somebody who does not trust Hikeshi:
`python -m console.verify hikeshi.db`.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

GENESIS = bytes(32)
MAX_PROBLEMS = 50
_TEXT = re.compile(rb'"(t:[0-9a-f]{64})"')
FACTS = "select stream, seq, body, hash, kind from fact order by stream, seq"
HEADS = "select id, seq, hash from stream"
TEXTS = "select stream, digest, salt, body from text"
DOCUMENTS = "select digest, body from document"
Query = Callable[[str], Iterator[Any]]


@dataclass(kw_only=True)
class Verification:
    """What was looked at, and every problem found (the first fifty of them)."""

    streams: int = 0
    facts: int = 0
    texts: int = 0
    disposed: int = 0
    documents: int = 0
    heads: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was altered."""
        return not self.problems

    def counts(self) -> dict[str, int]:
        """The figures by name."""
        return {
            "streams": self.streams,
            "facts": self.facts,
            "texts": self.texts,
            "disposed": self.disposed,
            "documents": self.documents,
        }

    def as_json(self) -> dict[str, Any]:
        """All of it for programs."""
        return {"ok": self.ok, **self.counts(), "heads": self.heads, "problems": self.problems}

    def problem(self, text: str) -> None:
        """Note a problem; a damaged database may have more than anybody reads."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)


def verify(query: Query) -> Verification:
    """Verify everything that `query` gives for the four statements above. Raises nothing for bad data."""
    found = Verification()
    named = _chains(query, found)
    _heads(query, found)
    _texts(query, found, named)
    _documents(query, found)
    return found


def _chains(query: Query, found: Verification) -> set[tuple[str, str]]:
    """Walk each chain; returns the texts that the facts name."""
    named: set[tuple[str, str]] = set()
    stream, seq, before = "", 0, GENESIS
    for row_stream, row_seq, raw, stored, kind in query(FACTS):
        body = _bytes(raw)
        if row_stream != stream:
            stream, seq, before = row_stream, 0, GENESIS
            found.streams += 1
        seq += 1
        place = f"{stream} #{row_seq}"
        if row_seq != seq:
            found.problem(f"{place}: #{seq} is missing")
            seq = row_seq
        before = hashlib.sha256(before + body).digest()
        if before != _bytes(stored):
            found.problem(f"{place}: the stored bytes and their hash do not agree")
            # Go on from what is stored, so that one altered fact is reported as one.
            before = _bytes(stored)
        _labelled(found, body, (stream, row_seq, kind), place)
        named.update((stream, match.decode()) for match in _TEXT.findall(body))
        found.facts += 1
        found.heads[stream] = before.hex()
    return named


def _bytes(value: Any) -> bytes:
    """A column as bytes, whatever somebody who meddled has made of it."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else repr(value).encode()


def _labelled(found: Verification, body: bytes, label: tuple[str, int, str], place: str) -> None:
    """The columns beside a fact say what its bytes say."""
    try:
        content = json.loads(body)
        inside = (content["stream"], content["seq"], content["kind"])
    except (ValueError, KeyError, TypeError):
        found.problem(f"{place}: the stored bytes are no fact")
        return
    if inside != label:
        found.problem(f"{place}: the bytes are of {inside[0]} #{inside[1]} {inside[2]}")


def _heads(query: Query, found: Verification) -> None:
    """The last facts are there: a chain that was cut short is still a chain."""
    known = {row[0]: (row[1], _bytes(row[2]).hex()) for row in query(HEADS)}
    for stream, (seq, head) in known.items():
        if found.heads.get(stream) != head:
            found.problem(f"{stream}: the record ends before its head #{seq}, or its head was altered")
    for stream in found.heads:
        if stream not in known:
            found.problem(f"{stream}: its facts are there, its head is not")


def _texts(query: Query, found: Verification, named: set[tuple[str, str]]) -> None:
    """Texts beside the facts are what their digests say, or have been disposed of."""
    there = set()
    for stream, digest, salt, body in query(TEXTS):
        there.add((stream, digest))
        found.texts += 1
        if body is None:
            found.disposed += 1
        elif "t:" + hashlib.sha256(_bytes(salt) + _bytes(body)).hexdigest() != digest:
            found.problem(f"{stream}: the text {digest[:14]}… was altered")
    for stream, digest in sorted(named - there):
        found.problem(f"{stream}: the text {digest[:14]}… is missing")


def _documents(query: Query, found: Verification) -> None:
    for digest, body in query(DOCUMENTS):
        found.documents += 1
        if "sha256:" + hashlib.sha256(_bytes(body)).hexdigest() != digest:
            found.problem(f"document {digest[:19]}… was altered")


def main(path: str) -> int:
    """Verify the SQLite database at `path`; 0 if nothing was altered, 1 otherwise."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        found = verify(database.execute)
    sys.stdout.write(json.dumps(found.as_json(), ensure_ascii=False, indent=1) + "\n")
    return 0 if found.ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
