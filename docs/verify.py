#!/usr/bin/env python3
"""Verify a Hikeshi record without Hikeshi: Python 3.11 or later and its standard library are enough.

    python verify.py hikeshi.db                        a copy of the database (SQLite)
    python verify.py export.zip                        an archive made by `hikeshi export --archive`
    python verify.py FOLDER                            the segments of the second path
    python verify.py hikeshi.db --checkpoint kept.json --key HEX --tsa authority.pem

What is recomputed: each chain of facts from the stored bytes; heads, texts and documents by their digests;
the chain and the signatures (Ed25519) of the checkpoints; time-stamps if `openssl` is there. A chain alone
does not show that its end was cut off, that it was computed anew, or that an incident is gone: for that give
a checkpoint that you kept elsewhere. Exit code: 0 sound, 1 altered, 2 cannot be read.
"""

from __future__ import annotations


import argparse
import email
import email.policy
import hashlib
import itertools
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
import zlib
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any


# -- signing: Ed25519, verifying only (RFC 8032, 5.1.7), in plain integers.

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_Point = tuple[int, int, int, int]
_ZERO: _Point = (0, 1, 1, 0)


def _add(one: _Point, two: _Point) -> _Point:
    """Extended homogeneous coordinates (RFC 8032, 5.1.4)."""
    a = (one[1] - one[0]) * (two[1] - two[0]) % _P
    b = (one[1] + one[0]) * (two[1] + two[0]) % _P
    c = 2 * one[3] * two[3] * _D % _P
    d = 2 * one[2] * two[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _times(scalar: int, point: _Point) -> _Point:
    result = _ZERO
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _same(one: _Point, two: _Point) -> bool:
    return (one[0] * two[2] - two[0] * one[2]) % _P == 0 and (one[1] * two[2] - two[1] * one[2]) % _P == 0


def _point(encoded: bytes) -> _Point | None:
    """The point that these 32 bytes encode; None if none, or if it is not encoded in the one way (5.1.3)."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return (x, y, 1, x * y % _P)


_BASE = _point((4 * pow(5, -1, _P) % _P).to_bytes(32, "little")) or _ZERO


def signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) over `message` was made with the private key of `public` (32 bytes).

    Refused are also: S not below the group's order, encodings that are not the one possible, and keys of
    small order, with which anybody could sign anything.
    """
    if (len(public), len(signature)) != (32, 64):
        return False
    key, r = _point(public), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= _L or _same(_times(8, key), _ZERO):
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    return _same(_times(s, _BASE), _add(r, _times(h, key)))


# -- found: What is found: counts, problems, and of each record where its first bad fact is.

MAX_PROBLEMS = 50


@dataclass(kw_only=True)
class Verification:
    """What was looked at, and every problem found (the first fifty of them)."""

    facts: int = 0
    texts: int = 0
    disposed: int = 0
    documents: int = 0
    checkpoints: int = 0
    signatures: int = 0
    stamps: int = 0
    held: int = 0
    stamped: dict[int, str] = field(default_factory=dict)
    """The time in each time-stamp, as its authority wrote it."""
    heads: dict[str, str] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    bad: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of each record that was altered, between which numbers its first bad fact is; mostly one number."""

    @property
    def ok(self) -> bool:
        """Whether nothing was altered."""
        return not self.problems

    @property
    def streams(self) -> int:
        """How many records there are."""
        return len(self.heads)

    @property
    def first_bad(self) -> dict[str, Any] | None:
        """The first bad fact, of the first record that has one."""
        if not self.bad:
            return None
        stream = min(self.bad)
        return {"stream": stream, "seq": self.bad[stream][0], "to": self.bad[stream][1]}

    def counts(self) -> dict[str, int]:
        """The figures by name."""
        names = "streams facts texts disposed documents checkpoints signatures stamps held"
        return {name: getattr(self, name) for name in names.split()}

    def as_json(self) -> dict[str, Any]:
        """All of it for programs."""
        bad = {"first_bad": self.first_bad, "bad": {name: list(one) for name, one in self.bad.items()}}
        lists: dict[str, Any] = {"heads": self.heads, "problems": self.problems, "notes": self.notes}
        lists |= {"stamped": {str(number): at for number, at in self.stamped.items()}}
        return {"ok": self.ok, **self.counts(), **bad, **lists}

    def problem(self, text: str, stream: str = "", low: int = 0, high: int = 0) -> None:
        """Note a problem; a damaged database may have more than anybody reads."""
        if stream:
            known = self.bad.get(stream)
            if known is None or low < known[0] or (low == known[0] and high < known[1]):
                self.bad[stream] = (low, max(low, high))
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(text)

    def note(self, text: str) -> None:
        """Say what was not checked, or what to look at."""
        if len(self.notes) < MAX_PROBLEMS:
            self.notes.append(text)


def as_bytes(value: Any) -> bytes:
    """A column as bytes, whatever somebody who meddled has made of it."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    return bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else repr(value).encode()


def sha256_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


# -- database: The record as a SQLite database, and the statements that read it.

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


# -- kept: What is compared: checkpoints, what an inspector brings, and the source that is verified.

@dataclass(kw_only=True)
class Checkpoint:
    """A checkpoint as stored, or as kept elsewhere with all heads `beside` its body."""

    number: int
    body: bytes
    key: str
    signature: bytes
    content: dict[str, Any]
    held: bool = False
    beside: dict[str, Any] | None = None

    @property
    def heads(self) -> dict[str, Any]:
        """The heads that it lists: all of them if it can."""
        heads: dict[str, Any] = self.beside if self.beside is not None else self.content["heads"]
        return heads

    @property
    def full(self) -> bool:
        """Whether these are all heads there were."""
        return self.beside is not None or bool(self.content["full"])


def read_checkpoint(
    number: Any, body: bytes, key: Any, signature: bytes, beside: Any = None
) -> Checkpoint | None:
    """The checkpoint with this body; None if it is none, or not the one it is said to be."""
    try:
        content = json.loads(body)
        heads = {**content["heads"], **(beside or {})}
        well = all(
            isinstance(one, list) and [type(part) for part in one] == [int, str] for one in heads.values()
        )
        said = (content["type"], content["v"], content["number"], content["key"])
        well = well and isinstance(number, int) and said == ("checkpoint", 1, number, key)
        parts = (content["previous"], content["root"], content["streams"], content["full"], content["trail"])
    except (ValueError, KeyError, TypeError):
        return None
    if not well or not isinstance(parts[4], dict):
        return None
    return Checkpoint(number=number, body=body, key=key, signature=signature, content=content, beside=beside)


def root_of(heads: Mapping[str, Any]) -> str:
    """What a checkpoint's `root` is: SHA-256 over the sorted lines `stream seq hash`."""
    return sha256_of(b"".join(sorted(f"{name} {one[0]} {one[1]}\n".encode() for name, one in heads.items())))


@dataclass(kw_only=True)
class Kept:
    """What the inspector brings: checkpoints and keys from elsewhere, and how much is asked for."""

    checkpoints: list[Checkpoint] = field(default_factory=list)
    keys: dict[str, bytes] = field(default_factory=dict)
    material: list[dict[str, Any]] = field(default_factory=list)
    tsa: str | None = None
    every: bool = False


@dataclass(kw_only=True)
class Manifest:
    """An archive's manifest as its key signed it."""

    body: bytes
    key: str
    signature: bytes


@dataclass(kw_only=True)
class Source:
    """What is verified. `scope` are the records that are meant to be in it, `path` a database for workers."""

    query: Query
    path: str | None = None
    scope: set[str] | None = None
    whole: bool = True
    keys: list[dict[str, Any]] = field(default_factory=list)
    manifest: Manifest | None = None
    bare: set[str] = field(default_factory=set)
    """Records whose texts the manifest says were left out."""
    close: Callable[[], None] = lambda: None


# -- chains: Chains of facts, recomputed from the stored bytes; texts and documents by their digests.

GENESIS = bytes(32)
AT_ONCE = 50_000
"""Facts that one worker takes at a time; a smaller record is verified without workers."""
SALT_BYTES = 16
_TEXT = re.compile(rb'"(t:[0-9a-f]{64})"')
_NAMED = re.compile(rb'"document":"(sha256:[0-9a-f]{64})"')
_POLICY = re.compile(rb'"policy":"(sha256:[0-9a-f]{64})"')
_PLAYBOOK = re.compile(rb'"digest":"(sha256:[0-9a-f]{64})"')
# A fact's bytes have their keys in order, so these are its last ones; what looks different is parsed.
_TAIL = re.compile(
    rb'"kind":"([a-z0-9_.-]+)","recorded_at":"[0-9TZ:.+-]+","seq":([0-9]+),"stream":"([A-Za-z0-9_-]+)"'
    rb',"v":[0-9]+,"via":"[^"\\]*"}\Z'
)


@dataclass(kw_only=True)
class _Part:
    """What one worker saw."""

    facts: int = 0
    heads: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    named: dict[str, set[bytes]] = field(default_factory=dict)
    documents: dict[bytes, tuple[str, int]] = field(default_factory=dict)
    bad: list[tuple[str, int, str]] = field(default_factory=list)


def _walk(rows: Iterable[Any], before: tuple[str, int, bytes] = ("", 0, GENESIS)) -> _Part:
    """Recompute the chains, from the fact `before` on. An altered fact is reported as one: it goes on."""
    part = _Part()
    stream, seq, head = before
    named: set[bytes] = set()
    sha256, texts, tail = hashlib.sha256, _TEXT.findall, _TAIL.search
    for row_stream, row_seq, raw, stored, kind in rows:
        body = raw if type(raw) is bytes else as_bytes(raw)
        if row_stream != stream:
            if part.facts:
                part.heads[stream] = (seq, head)
            stream, seq, head = row_stream, 0, GENESIS
            named = part.named.setdefault(stream, set())
        elif not part.facts:
            named = part.named.setdefault(stream, set())
        part.facts += 1
        if row_seq != seq + 1:
            part.bad.append((stream, seq + 1, "is missing" if isinstance(row_seq, int) else "has no number"))
        seq = row_seq if isinstance(row_seq, int) else seq + 1
        head = sha256(head + body).digest()
        if head != stored:
            part.bad.append((stream, seq, "the stored bytes and their hash do not agree"))
            head = as_bytes(stored)
        end = tail(body, max(0, len(body) - 400))
        if end is None or (end[3].decode(), int(end[2]), end[1].decode()) != (stream, seq, kind):
            _labelled(part, body, (stream, seq, kind))
        if b'"t:' in body or b'"sha256:' in body:
            named.update(texts(body))
            part.documents |= {one: (stream, seq) for one in _documents(body, kind)}
    if part.facts:
        part.heads[stream] = (seq, head)
    return part


def _documents(body: bytes, kind: str) -> Iterator[bytes]:
    """Digests that are a document's; preserved objects and time-stamps have digests too, and are none."""
    yield from _NAMED.findall(body)
    if kind == "incident.declared":
        yield from _POLICY.findall(body)
    elif str(kind).startswith("playbook."):
        yield from _PLAYBOOK.findall(body)


def _labelled(part: _Part, body: bytes, label: tuple[str, int, str]) -> None:
    """The columns beside a fact say what its bytes say."""
    try:
        content = json.loads(body)
        inside = (content["stream"], content["seq"], content["kind"])
    except (ValueError, KeyError, TypeError, RecursionError):
        part.bad.append((*label[:2], "the stored bytes are no fact"))
        return
    if inside != label:
        part.bad.append((*label[:2], f"the bytes are of {inside[0]} #{inside[1]} {inside[2]}"))


def _parts(query: Query, path: str | None) -> Iterator[_Part]:
    """The whole record: by this process, or in ranges by one worker for each processor."""
    [(count, last, newest)] = query(COUNT) if path else [(0, "", 0)]
    if path is None or count <= AT_ONCE:
        yield _walk(query(FACTS + ORDER))
        return
    edges = [("", 0), *(next(iter(query(EDGE, {"offset": at - 1}))) for at in range(AT_ONCE, count, AT_ONCE))]
    ends = [*edges[1:], (last, 1 << 62)]
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 8, len(edges))) as workers:
        yield from workers.map(_range, [(path, newest)] * len(edges), edges, ends)


def _range(place: tuple[str, int], edge: tuple[str, int], end: tuple[str, int]) -> _Part:
    """What one worker does: the facts after `edge` up to `end`, going on from the hash stored at the edge.

    None that was written since the whole began: a node may be running.
    """
    path, newest = place
    given = {"stream": edge[0], "seq": edge[1], "to_stream": end[0], "to_seq": end[1], "newest": newest}
    with closing(open_sqlite(path)) as database:
        head = database.execute(AT, given).fetchone()
        before = (*edge, as_bytes(head[0]) if head else GENESIS)
        return _walk(database.execute(FACTS + BETWEEN + ORDER, given), before)


def check_chains(source: Source, found: Verification) -> None:
    """Chains, the heads beside them, and the texts and documents that the facts name."""
    query, path = source.query, source.path
    heads: dict[str, tuple[int, bytes]] = {}
    named: dict[str, set[bytes]] = {}
    documents: dict[bytes, tuple[str, int]] = {}
    for part in _parts(query, path):
        found.facts += part.facts
        heads |= part.heads
        for stream, digests in part.named.items():
            named.setdefault(stream, set()).update(digests)
        documents = part.documents | documents
        for stream, seq, what in part.bad:
            found.problem(f"{stream} #{seq}: {what}", stream, seq)
    found.heads = {stream: head.hex() for stream, (_, head) in heads.items()}
    rows = {row[0]: (row[1], as_bytes(row[2])) for row in query(HEADS)}
    for stream, (seq, head) in rows.items():
        if heads.get(stream) != (seq, head):
            last = heads.get(stream, (0, b""))[0]
            text = f"{stream}: the record ends before its head #{seq}, or its head was altered"
            found.problem(text, stream, max(1, min(last + 1, seq)))
    for stream in heads:
        if rows and stream not in rows:
            found.problem(f"{stream}: its facts are there, its head is not", stream, 1)
    found.lengths = {stream: seq for stream, (seq, _) in heads.items()}
    _texts(query, found, named, source)
    check_documents(query, found, documents if source.whole or found.texts else {})


def _texts(query: Query, found: Verification, named: Mapping[str, set[bytes]], source: Source) -> None:
    """Texts beside the facts are what their digests say, or were disposed of by a decision on record."""
    left = {stream: set(digests) for stream, digests in named.items()}
    gone: list[tuple[str, str]] = []
    for stream, digest, salt, body in query(TEXTS):
        left.get(stream, set()).discard(as_bytes(digest))
        found.texts += 1
        if body is None:
            gone.append((stream, digest))
        elif len(as_bytes(salt)) != SALT_BYTES:
            # Where the salt ends and the text begins is not in the digest: its length has to be known.
            found.problem(
                f"{stream}: the text {digest[:14]}… was altered: its salt is not {SALT_BYTES} bytes"
            )
        elif "t:" + hashlib.sha256(as_bytes(salt) + as_bytes(body)).hexdigest() != digest:
            found.problem(f"{stream}: the text {digest[:14]}… was altered")
    decided = _disposals(query) if gone else set()
    for stream, digest in gone:
        if (stream, digest) in decided:
            found.disposed += 1
        else:
            found.problem(
                f"{stream}: the text {digest[:14]}… is gone, and no decision to dispose of it is there"
            )
    if not source.whole and not found.texts:
        found.note("the texts and documents beside the facts are not in it, so they were not looked at")
        return
    _missing(found, left, source.bare)


def _missing(found: Verification, left: dict[str, set[bytes]], bare: set[str]) -> None:
    """Texts that a fact names and that are not there, unless the manifest says that they were left out."""
    for stream in sorted(bare & set(left), key=str):
        if left.pop(stream):
            found.note(f"{stream}: its texts were left out, as the manifest says, so they were not looked at")
    for stream in sorted(left, key=str):
        for missing in sorted(left[stream]):
            found.problem(f"{stream}: the text {missing.decode()[:14]}… is missing")


def _disposals(query: Query) -> set[tuple[str, str]]:
    """Texts that a fact of their own record disposes of."""
    found = set()
    for stream, body in query(DISPOSALS):
        try:
            found.add((stream, str(json.loads(as_bytes(body))["data"]["digest"])))
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # reported as no fact before
    return found


def check_documents(query: Query, found: Verification, named: Mapping[bytes, tuple[str, int]]) -> None:
    """Documents are what their digests say, and none that a fact names is missing."""
    there = set()
    for digest, body in query(DOCUMENTS):
        found.documents += 1
        there.add(as_bytes(digest))
        if "sha256:" + sha256_of(as_bytes(body)) != digest:
            found.problem(f"document {str(digest)[:19]}… was altered")
    for one, (stream, seq) in named.items():
        if one not in there:
            found.problem(f"{stream} #{seq}: the document {one.decode()[:19]}… that it names is missing")


# -- keys: Keys, signatures and time-stamps.

_GENERALIZED = re.compile(rb"\x18[\x0f-\x19]([0-9]{14})(?:\.[0-9]+)?Z")
IMPRINT_TO_TIME = 64
"""Of a time-stamp's bytes (RFC 3161, 2.4.2) after the digest: the serial number, then the time."""
CLOCKS_DIFFER = timedelta(minutes=5)
LATE = timedelta(days=1)
MAX_STAMPS = 10
"""Time-stamps that are checked if not all are asked for: the latest ones, and those of what was kept."""


def _statement(public: str, before: str, at: str) -> bytes:
    """What the key before signs when another takes its place."""
    content = {"at": at, "before": before, "public": public, "type": "key", "v": 1}
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def recorded(query: Query) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, body in query(HOUSE):
        try:
            yield kind, dict(json.loads(as_bytes(body))["data"])
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # reported as no fact before


def _keys(query: Query, found: Verification, kept: Kept) -> tuple[dict[str, bytes], set[str]]:
    """All keys there are by id, and the ids of those that are given or signed for by one that is."""
    said = [*kept.material, *(data for kind, data in recorded(query) if kind != "anchor.placed")]
    keys, trusted = dict(kept.keys), set(kept.keys)
    for data in said:
        try:
            name, public = str(data["key"]), bytes.fromhex(data["public"])
        except (ValueError, KeyError, TypeError):
            found.problem("a key in the record cannot be read")
            continue
        if sha256_of(public)[:32] != name:
            found.problem(f"key {name}: its name is not the digest of it")
            continue
        keys.setdefault(name, public)
        if not trusted and not kept.keys:
            trusted.add(name)
            found.note(f"the key {name} is taken from what is verified: compare it with what you were told")
        before, signature = str(data.get("before", "")), str(data.get("signature", ""))
        if before in trusted and re.fullmatch("[0-9a-f]{128}", signature):
            statement = _statement(public.hex(), before, str(data.get("at")))
            trusted |= {name} if signed(keys[before], statement, bytes.fromhex(signature)) else set()
    return keys, trusted


def check_signatures(
    source: Source, found: Verification, kept: Kept, lines: list[Checkpoint], roots: set[int]
) -> None:
    """A signature covers all before it by the chain: the last of each key's run is checked, and the roots."""
    if not lines and source.manifest is None:
        return
    keys, trusted = _keys(source.query, found, kept)
    if source.manifest is not None:
        _manifest(source, source.manifest, found, kept, (keys, trusted))
    if not lines:
        return
    _retired(source.query, found, kept, lines)
    ends = {one.number for one, after in itertools.pairwise(lines) if one.key != after.key} | {
        lines[-1].number
    }
    strange: set[str] = set()
    for one in lines:
        if not (kept.every or one.number in ends or one.number in roots):
            continue
        found.signatures += 1
        if one.key not in keys:
            found.problem(f"checkpoint #{one.number}: its key {one.key} is not known; give it with --key")
        elif not signed(keys[one.key], one.body, one.signature):
            found.problem(f"checkpoint #{one.number}: its signature is not that of key {one.key}")
        elif one.key not in trusted and one.key not in strange:
            strange.add(one.key)
            text = f"checkpoint #{one.number} is signed with key {one.key}, for which no key before it stands"
            (found.problem if kept.keys else found.note)(text)


def _retired(query: Query, found: Verification, kept: Kept, lines: list[Checkpoint]) -> None:
    """A key that another took over from signs no more: whoever kept a copy of it must not go on with it."""
    stated = [(str(data.get("before") or ""), str(data.get("key"))) for data in kept.material]
    back: set[str] = set()
    for kind, data in recorded(query):
        if kind == "key.rotated":
            stated.append((str(data.get("before")), str(data.get("key"))))
            back.discard(str(data.get("before")))
        elif kind == "key.replaced":
            back.add(str(data.get("key")))  # put back by hand; that is a fact, and somebody was paged
    used: set[str] = set()
    for one in lines:
        after = next((key for before, key in stated if before == one.key and key in used), None)
        used.add(one.key)
        if after is not None:
            text = f"checkpoint #{one.number} is signed with key {one.key}, from which {after} had taken over"
            (found.note if one.key in back else found.problem)(text)


def _manifest(
    source: Source,
    signature: Manifest,
    found: Verification,
    kept: Kept,
    known: tuple[dict[str, bytes], set[str]],
) -> None:
    """The manifest, and with it every file that it names, is signed with the key that was in use."""
    keys, trusted = known
    name = signature.key
    used = [str(data.get("key")) for kind, data in recorded(source.query) if kind != "anchor.placed"]
    found.signatures += 1
    if name not in keys:
        found.problem(f"manifest.json: its key {name} is not known; give it with --key")
    elif not signed(keys[name], signature.body, signature.signature):
        found.problem(f"manifest.json: its signature is not that of key {name}")
    elif used and used[-1] != name:
        found.problem(f"manifest.json is signed with key {name}, but {used[-1]} was in use")
    elif name not in trusted:
        text = f"manifest.json is signed with key {name}, for which no key before it stands"
        (found.problem if kept.keys else found.note)(text)


def check_stamps(query: Query, found: Verification, lines: Mapping[int, Checkpoint], kept: Kept) -> None:
    """Time-stamps are of these checkpoints, and none that was recorded is gone."""
    rows = [(row[0], str(row[1]), str(row[2]), row[3]) for row in query(ANCHORS)]
    there = {row[:3] for row in rows}
    for kind, data in recorded(query):
        if (
            kind == "anchor.placed"
            and (data.get("checkpoint"), data.get("kind"), data.get("place")) not in there
        ):
            what = f"checkpoint #{data.get('checkpoint')} was put elsewhere ({data.get('kind')})"
            found.problem(f"{what}, and the proof of it is gone")
    stamps = [
        (number, as_bytes(token)) for number, kind, _, token in rows if kind == "rfc3161" and number in lines
    ]
    for number, token in stamps:
        where = token.find(hashlib.sha256(lines[number].body).digest())
        if where < 0:
            found.problem(f"the time-stamp of checkpoint #{number} is not of it")
        else:
            _timed(found, lines[number], token[where + 32 : where + 32 + IMPRINT_TO_TIME])
    held = {one.number for one in kept.checkpoints}
    asked = [one for one in stamps if kept.every or one[0] in held or one in stamps[-MAX_STAMPS:]]
    tool = shutil.which("openssl")
    why = (
        "" if kept.tsa and tool else "openssl is not there" if kept.tsa else "give the authority's with --tsa"
    )
    if stamps and why:
        found.note(f"time-stamp not checked ({len(stamps)}): {why}")
    for number, token in asked if kept.tsa and tool else ():
        found.stamps += 1
        if said := _openssl(str(tool), lines[number].body, token, str(kept.tsa)):
            found.problem(f"the time-stamp of checkpoint #{number} does not hold: {said}")


def _timed(found: Verification, one: Checkpoint, after: bytes) -> None:
    """The authority's time: not before the checkpoint says that it was made."""
    said = _GENERALIZED.search(after)
    try:
        stamped = datetime.strptime(said[1].decode() if said else "", "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        made = datetime.fromisoformat(one.content["at"])
        apart = stamped - made
    except (ValueError, KeyError, TypeError):
        found.note(f"the time in the time-stamp of checkpoint #{one.number} cannot be read")
        return
    found.stamped[one.number] = stamped.strftime("%Y-%m-%dT%H:%M:%SZ")
    what = (
        f"checkpoint #{one.number} says {one.content['at']}, and its time-stamp {found.stamped[one.number]}"
    )
    if apart < -CLOCKS_DIFFER:
        found.problem(f"{what}: it was stamped before it is said to have been made")
    elif apart > LATE:
        found.note(f"{what}: until then nothing but the host's clock says when it was made")


def _openssl(tool: str, body: bytes, token: bytes, tsa: str) -> str:
    """What `openssl ts -verify` says against a time-stamp; empty if nothing."""
    with tempfile.TemporaryDirectory() as folder:
        data, answer = Path(folder, "body"), Path(folder, "answer")
        data.write_bytes(body)
        answer.write_bytes(token)
        command = [tool, "ts", "-verify", "-data", str(data), "-in", str(answer), "-CAfile", tsa]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)  # noqa: S603 - no shell
    return "" if done.returncode == 0 else (done.stderr.decode(errors="replace").strip()[-200:] or "refused")


# -- checkpoints: Checkpoints: their chain, and that the record still says what they say.

TRAIL_DIGITS = 16
OVERLAP = timedelta(minutes=1)


def check_checkpoints(query: Query, found: Verification, kept: Kept, source: Source) -> None:
    """Their chain, their signatures, and that the record still says what they say."""
    lines: dict[int, Checkpoint] = {}
    for number, body, key, signature in query(CHECKPOINTS):
        one = read_checkpoint(number, as_bytes(body), key, as_bytes(signature))
        if one is None:
            found.problem(f"checkpoint #{number}: its bytes are not those of a checkpoint with this number")
        else:
            lines[number] = one
    found.checkpoints = len(lines)
    stored = max(lines, default=0)
    for one in kept.checkpoints:
        there = lines.get(one.number)
        if there is None and source.whole:
            what = "it was rolled back" if one.number > stored else "they were deleted"
            found.problem(f"checkpoint #{one.number}, kept elsewhere, is not in this record: {what}, or lost")
        elif there is not None and there.body != one.body:
            found.problem(f"checkpoint #{one.number} is not the one kept elsewhere: it was made anew")
        lines[one.number] = one
        found.held += 1
    _linked(found, lines, source)
    roots = {one.number for one in kept.checkpoints} or set(sorted(lines)[-1:])
    check_signatures(source, found, kept, [lines[number] for number in sorted(lines)], roots)
    trusted = [lines[number] for number in _vouched(lines, roots)]
    _roots(found, trusted, roots)
    _compare(query, found, trusted, source.scope)
    _beyond(query, found, kept, source.scope)
    check_stamps(query, found, lines, kept)


def _linked(found: Verification, lines: Mapping[int, Checkpoint], source: Source) -> None:
    """Each follows the one before, from the first on."""
    numbers = sorted(lines)
    if numbers and numbers[0] != 1 and (source.whole or not lines[numbers[0]].full):
        found.problem(f"the checkpoints before #{numbers[0]} are missing")
    for before, number in itertools.pairwise(numbers):
        if number != before + 1:
            found.problem(f"the checkpoints from #{before + 1} to #{number - 1} are missing")
        elif lines[number].content["previous"] != sha256_of(lines[before].body):
            found.problem(f"checkpoint #{number} does not follow from #{before}: one of them was altered")


def _vouched(lines: Mapping[int, Checkpoint], roots: set[int]) -> list[int]:
    """Numbers of those that a root stands for by the chain, and of those made after the last root."""
    good: list[int] = []
    last, expected = max(roots, default=0), ""
    for number in sorted(lines, reverse=True):
        one = lines[number]
        if number > last or number in roots or (number + 1 in lines and sha256_of(one.body) == expected):
            good.append(number)
            expected = one.content["previous"]
        else:
            expected = ""
    return good[::-1]


def _roots(found: Verification, trusted: list[Checkpoint], roots: set[int]) -> None:
    """The root of each checkpoint that matters covers the heads that it and those before it list."""
    heads: dict[str, Any] = {}
    number = 0
    for one in trusted:
        if not one.full and (one.number != number + 1 or not number):
            number = 0
            if one.held:
                found.note(f"checkpoint #{one.number}: only the heads that it lists itself were compared")
            continue
        heads = dict(one.heads) if one.full else {**heads, **one.heads}
        number = one.number
        asked = one.full or one.number in roots or one is trusted[-1]
        if asked and (len(heads), root_of(heads)) != (one.content["streams"], one.content["root"]):
            found.problem(f"checkpoint #{one.number}: its root does not cover its heads")


def _compare(query: Query, found: Verification, trusted: list[Checkpoint], scope: set[str] | None) -> None:
    """Each head that a checkpoint lists is still in the record. The first that is not is looked into."""
    seen: dict[str, Any] = {}
    agreed: dict[str, int] = {}
    wrong: dict[str, tuple[int, int]] = {}
    for one in trusted:
        for stream, (seq, head) in one.heads.items():
            if (
                stream in wrong
                or seen.get(stream) == (seq, head)
                or (scope is not None and stream not in scope)
            ):
                continue
            seen[stream] = (seq, head)
            if stored_hash(query, stream, seq) == head:
                agreed[stream] = seq
            else:
                wrong[stream] = (one.number, seq)
    for stream, (number, seq) in sorted(wrong.items()):
        if next(iter(query(LAST, {"stream": stream})))[0] is None:
            text = f"{stream}: the whole record is gone; checkpoint #{number} has it with {seq} facts"
            found.problem(text, stream, 1, 1)
        else:
            _locate(query, found, trusted, (stream, agreed.get(stream, 0), seq, number))


def _beyond(query: Query, found: Verification, kept: Kept, scope: set[str] | None) -> None:
    """What the last one that was kept does not say: records left out, and facts that it ought to know."""
    one = next((one for one in reversed(kept.checkpoints) if one.full), None)
    if one is None:
        return
    absent = len(set(one.heads) - scope) if scope is not None else 0
    if absent:
        found.note(f"of the records that checkpoint #{one.number} names {absent} are not in this archive")
    late = []
    for stream, length in found.lengths.items():
        seq = int(one.heads.get(stream, (0, ""))[0]) + 1
        if seq <= length and _before(query, (stream, seq), str(one.content.get("at"))):
            late.append(f"{stream} #{seq}")
    if late:
        text = f"dated before checkpoint #{one.number} was made, which does not know them: "
        found.note(text + ", ".join(late[:5]) + (f" and {len(late) - 5} more" if late[5:] else ""))


def _before(query: Query, where: tuple[str, int], at: str) -> bool:
    """Whether a fact says that it was recorded before an instant, by more than two writers may overlap."""
    row = next(iter(query(FACT, {"stream": where[0], "seq": where[1]})), None)
    try:
        recorded = datetime.fromisoformat(json.loads(as_bytes(row[0]))["recorded_at"]) if row else None
        return recorded is not None and recorded + OVERLAP < datetime.fromisoformat(at)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False  # reported as no fact before


def _locate(
    query: Query, found: Verification, trusted: list[Checkpoint], where: tuple[str, int, int, int]
) -> None:
    """Name the first fact that is not what it was, by the hashes that the checkpoints list."""
    stream, low, high, number = where
    known: dict[int, str] = {}
    for one in trusted:
        trail, head = one.content["trail"].get(stream, ""), one.content["heads"].get(stream)
        cut = [trail[at : at + TRAIL_DIGITS] for at in range(0, len(trail), TRAIL_DIGITS)]
        known |= {head[0] - len(cut) + 1 + at: part for at, part in enumerate(cut)} if head else {}
    for seq in range(low + 1, high + 1):
        stored = stored_hash(query, stream, seq)
        if stored is None or (seq in known and not stored.startswith(known[seq])):
            high = seq
            break
        low = seq if seq in known else low
    if low + 1 >= high:
        gone = stored_hash(query, stream, high) is None
        what = "is gone" if gone else "is not what it was"
        found.problem(f"{stream} #{high}: {what} when checkpoint #{number} was made", stream, high, high)
    else:
        text = f"{stream}: somewhere from #{low + 1} to #{high} it is not what it was at checkpoint #{number}"
        found.problem(text, stream, low + 1, high)


# -- sources: Where the record lies: a database, an archive, or a folder of segments.

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


# -- together: The parts put together, and the command line.

def keep(
    files: Iterable[str] = (), keys: Iterable[str] = (), *, tsa: str | None = None, every: bool = False
) -> Kept:
    """What somebody brings: files of checkpoints, keys in hex or as files. Raises Unreadable."""
    kept = Kept(tsa=tsa, every=every)
    for name in files:
        for one in _objects(name):
            if one.get("t") == "key":
                kept.material.append({**one, "key": one.get("id")})
            elif (read := _held(one)) is not None:
                kept.checkpoints.append(read)
            else:
                raise Unreadable(f"{name}: expected checkpoints as `hikeshi checkpoint export` writes them")
    for given in keys:
        text = Path(given).read_text().strip() if Path(given).is_file() else given.strip()
        if not re.fullmatch("[0-9A-Fa-f]{64}", text):
            raise Unreadable(f"--key {given}: expected 64 hexadecimal digits, or a file with them")
        kept.keys[sha256_of(bytes.fromhex(text))[:32]] = bytes.fromhex(text)
    kept.checkpoints.sort(key=lambda one: one.number)
    return kept


def _attached(raw: bytes) -> str:
    """What is attached to a mail that was saved whole; else the file itself."""
    if raw.lstrip()[:1] in {b"{", b"["}:
        return raw.decode("utf-8")
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    parts = [part.get_payload(decode=True) for part in mail.walk() if part.get_filename()]
    return b"\n".join(part for part in parts if isinstance(part, bytes)).decode("utf-8")


def _objects(name: str) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file or a mail: one, a list of them, or one a line."""
    try:
        text = _attached(Path(name).read_bytes())
        try:
            content = json.loads(text)
        except ValueError:
            content = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (OSError, ValueError, RecursionError) as wrong:
        raise Unreadable(f"{name}: expected checkpoints as JSON: {wrong}") from wrong
    for one in content if isinstance(content, list) else [content]:
        if not isinstance(one, dict):
            raise Unreadable(f"{name}: expected JSON objects")
        yield one


def _held(one: dict[str, Any]) -> Checkpoint | None:
    try:
        body, signature = one["body"].encode(), bytes.fromhex(one["signature"])
    except (KeyError, ValueError, AttributeError, TypeError):
        return None
    read = read_checkpoint(one.get("number"), body, one.get("key"), signature, one.get("heads"))
    if read is not None:
        read.held = True
    return read


def verify(query: Query, kept: Kept | None = None, *, whole: bool = True) -> Verification:
    """Verify everything that `query` gives for the statements above. Raises nothing for bad data."""
    found = Verification()
    _verify(Source(query=query, whole=whole), found, kept or Kept())
    return found


def verify_path(path: Path, kept: Kept | None = None) -> Verification:
    """Verify a database, an archive or a folder. Raises Unreadable if it is none of them."""
    found = Verification()
    try:
        source = open_source(path, found)
        try:
            _verify(source, found, kept or Kept())
        finally:
            source.close()
    except (
        OSError, sqlite3.Error, zipfile.BadZipFile, ValueError, KeyError, TypeError, RecursionError,
        AttributeError, NotImplementedError, RuntimeError, zlib.error,
    ) as wrong:  # fmt: skip
        raise Unreadable(f"{path}: cannot be read: {type(wrong).__name__}: {wrong}") from wrong
    return found


def _verify(source: Source, found: Verification, kept: Kept) -> None:
    # What lay elsewhere comes first: on first use the key is taken from there, not from what is suspected.
    kept.material = [*kept.material, *source.keys]
    check_chains(source, found)
    check_checkpoints(source.query, found, kept, source)


def _said(found: Verification) -> Iterator[str]:
    """What was found, to be read by a person."""
    yield "  ".join(f"{name} {count:,}" for name, count in found.counts().items())
    if found.stamped:
        number = max(found.stamped)
        more = f" ({len(found.stamped)} in all: --json)"
        yield f"last time-stamp: checkpoint #{number} at {found.stamped[number]}{more}"
    yield from (f"note: {one}" for one in found.notes)
    yield from (f"ALTERED: {one}" for one in found.problems)
    first = found.first_bad
    if first is not None:
        to = f" to #{first['to']}" if first["to"] != first["seq"] else ""
        yield f"first bad fact: {first['stream']} #{first['seq']}{to}"
    if found.ok and not found.held:
        yield "No checkpoint kept elsewhere was given: an end cut off or an incident deleted might not show."
    yield "Nothing was altered." if found.ok else "THE RECORD WAS ALTERED OR IS DAMAGED."


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("record", type=Path)
    parser.add_argument("--checkpoint", action="append", default=[], metavar="FILE", help="kept elsewhere")
    parser.add_argument("--key", action="append", default=[], metavar="HEX|FILE", help="known from elsewhere")
    parser.add_argument("--tsa", metavar="PEM", help="certificate of the time-stamp authority")
    parser.add_argument("--all", action="store_true", help="check every signature and time-stamp (slow)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    try:
        kept = keep(given.checkpoint, given.key, tsa=given.tsa, every=given.all)
        found = verify_path(given.record, kept)
    except (Unreadable, OSError) as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    lines = [json.dumps(found.as_json(), ensure_ascii=False, indent=1)] if given.json else _said(found)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if found.ok else 1


if __name__ == "__main__":
    sys.exit(main())
