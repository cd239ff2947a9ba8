"""Chains of facts, recomputed from the stored bytes; texts and documents by their digests."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from console.verifying.database import (
    AT,
    BETWEEN,
    COUNT,
    DISPOSALS,
    DOCUMENTS,
    EDGE,
    FACTS,
    HEADS,
    ORDER,
    TEXTS,
    Query,
    open_sqlite,
)
from console.verifying.found import Verification, as_bytes, sha256_of
from console.verifying.kept import Source

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
