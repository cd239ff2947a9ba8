"""What a sink has not had yet: read from the record itself, which is the queue.

A row for each fact and sink would double the writing of every command; a cursor for each sink and stream says
the same, and cannot be forgotten by whoever writes a fact (docs/continuity.md).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, select

from models.clock import iso
from models.lines import Line, anchor_line, checkpoint_line, document_line, fact_line, text_line
from models.record import ANCHOR, CHECKPOINT, DOCUMENT, FACT, RELAY, STREAM, TEXT, Tx, micros
from notifiers.relay.sink import Batch

MAX_FACTS = 500
MAX_BYTES = 4 * 1024 * 1024
MAX_STREAMS = 500
ASKED_AT_ONCE = 500
SINK, CHECKPOINTS, ANCHORS = "@sink", "@checkpoints", "@anchors"
"""Names that no stream has: the sink itself, and how far it has come in what is beside the facts."""
_TEXT = re.compile(rb'"(t:[0-9a-f]{64})"')
_DOCUMENT = re.compile(rb'"(sha256:[0-9a-f]{64})"')


def next_batch(tx: Tx, sink: str, *, texts: bool, known: Collection[str] = frozenset()) -> Batch:
    """What is to leave next, in order within each stream. `known` are documents that the sink has had."""
    gathered = _Gathered(tx, texts=texts, known=known)
    waiting = pending(tx, sink, MAX_STREAMS)
    for stream, after in waiting:
        if not gathered.room:
            break
        gathered.take(stream, after)
    more = not gathered.room or len(waiting) == MAX_STREAMS
    lines, cursors = gathered.lines, gathered.cursors
    if not more:
        # After the facts that they speak of.
        for name, beside in ((CHECKPOINTS, _checkpoints), (ANCHORS, _anchors)):
            further, last = beside(tx, _cursor(tx, sink, name))
            lines += further
            cursors |= {name: last} if further else {}
    return Batch(lines=tuple(lines), cursors=cursors, more=more, documents=frozenset(gathered.documents))


def pending(tx: Tx, sink: str, limit: int) -> list[tuple[str, int]]:
    """Streams that have more than the sink has had, and how far it has come there."""
    mine = and_(RELAY.c.stream == STREAM.c.id, RELAY.c.sink == sink)
    had = func.coalesce(RELAY.c.seq, 0)
    wanted = select(STREAM.c.id, had).select_from(STREAM.outerjoin(RELAY, mine)).where(STREAM.c.seq > had)
    return [(row[0], row[1]) for row in tx.connection.execute(wanted.limit(limit))]


def backlog(tx: Tx, sink: str) -> int:
    """How many facts the sink has not had."""
    mine = and_(RELAY.c.stream == STREAM.c.id, RELAY.c.sink == sink)
    had = func.coalesce(RELAY.c.seq, 0)
    wanted = select(func.sum(STREAM.c.seq - had)).select_from(STREAM.outerjoin(RELAY, mine))
    return int(tx.connection.execute(wanted.where(STREAM.c.seq > had)).scalar() or 0)


def cursors_of(tx: Tx, sink: str) -> dict[str, int]:
    """How far the sink has come, by stream."""
    rows = tx.connection.execute(select(RELAY.c.stream, RELAY.c.seq).where(RELAY.c.sink == sink))
    return {row[0]: row[1] for row in rows if not row[0].startswith("@")}


def mark(tx: Tx, sink: str, cursors: dict[str, int], now: datetime, error: str = "") -> None:
    """Write down how far the sink has come, and what is wrong with it."""
    stamp = micros(now)
    for stream, seq in {**cursors, SINK: 0}.items():
        values = {"seq": seq, "at": stamp, "error": error if stream == SINK else ""}
        here = (RELAY.c.sink == sink, RELAY.c.stream == stream)
        if tx.connection.execute(RELAY.update().where(*here).values(values)).rowcount == 0:
            tx.connection.execute(RELAY.insert().values(sink=sink, stream=stream, **values))


def _cursor(tx: Tx, sink: str, name: str) -> int:
    wanted = select(RELAY.c.seq).where(RELAY.c.sink == sink, RELAY.c.stream == name)
    return int(tx.connection.execute(wanted).scalar() or 0)


class _Gathered:
    """Lines of facts with the texts and documents that they name."""

    def __init__(self, tx: Tx, *, texts: bool, known: Collection[str]) -> None:
        self.lines: list[Line] = []
        self.cursors: dict[str, int] = {}
        self.documents: set[str] = set()
        self._tx, self._texts, self._known = tx, texts, known
        self._facts = self._bytes = 0

    @property
    def room(self) -> bool:
        """Whether more goes in."""
        return self._facts < MAX_FACTS and self._bytes < MAX_BYTES

    def take(self, stream: str, after: int) -> None:
        """The next facts of a stream, as far as there is room."""
        rows = self._tx.connection.execute(
            select(FACT.c.seq, FACT.c.kind, FACT.c.body, FACT.c.hash)
            .where(FACT.c.stream == stream, FACT.c.seq > after)
            .order_by(FACT.c.seq)
            .limit(MAX_FACTS - self._facts)
        )
        bodies = []
        for seq, kind, body, digest in rows:
            self._add(fact_line(stream, seq, kind, bytes(digest), bytes(body)))
            bodies.append(bytes(body))
            self._facts += 1
            self.cursors[stream] = seq
            if not self.room:
                break
        if self._texts:
            self._beside(stream, b"\n".join(bodies))

    def _beside(self, stream: str, bodies: bytes) -> None:
        for line in texts_named(self._tx, stream, bodies):
            self._add(line)
        for digest, line in documents_named(self._tx, bodies, {*self._known, *self.documents}):
            self.documents.add(digest)
            self._add(line)

    def _add(self, line: Line) -> None:
        self.lines.append(line)
        self._bytes += len(line.raw)


def texts_named(tx: Tx, stream: str, bodies: bytes) -> Iterator[Line]:
    """The texts that these facts name by digest."""
    wanted = (TEXT.c.digest, TEXT.c.seq, TEXT.c.salt, TEXT.c.body)
    for names in _portions(_TEXT, bodies):
        query = select(*wanted).where(TEXT.c.stream == stream, TEXT.c.digest.in_(names))
        for digest, seq, salt, body in tx.connection.execute(query.order_by(TEXT.c.seq, TEXT.c.digest)):
            yield text_line(stream, seq, digest, bytes(salt), body)


def documents_named(tx: Tx, bodies: bytes, known: Collection[str]) -> Iterator[tuple[str, Line]]:
    """The documents that these facts name by digest; preserved objects have digests too, and are none."""
    for names in _portions(_DOCUMENT, bodies):
        for digest in names:
            if digest in known:
                continue
            query = select(DOCUMENT.c.media, DOCUMENT.c.body).where(DOCUMENT.c.digest == digest)
            row = tx.connection.execute(query).first()
            if row is not None:
                yield digest, document_line(digest, row[0], bytes(row[1]))


def _portions(pattern: re.Pattern[bytes], bodies: bytes) -> Iterator[list[str]]:
    names = sorted({found.decode() for found in pattern.findall(bodies)})
    for start in range(0, len(names), ASKED_AT_ONCE):
        yield names[start : start + ASKED_AT_ONCE]


# -- what is beside the facts -------------------------------------------------------------------------------


def _checkpoints(tx: Tx, after: int) -> tuple[list[Line], int]:
    query = select(CHECKPOINT).where(CHECKPOINT.c.number > after).order_by(CHECKPOINT.c.number)
    rows = tx.connection.execute(query.limit(MAX_FACTS)).mappings().all()
    lines = [
        checkpoint_line(row["number"], bytes(row["body"]).decode(), row["key"], bytes(row["signature"]).hex())
        for row in rows
    ]
    return lines, rows[-1]["number"] if rows else after


def _anchors(tx: Tx, after: int) -> tuple[list[Line], int]:
    query = select(ANCHOR).where(ANCHOR.c.id > after).order_by(ANCHOR.c.id).limit(MAX_FACTS)
    rows = tx.connection.execute(query).mappings().all()
    return [_anchor(dict(row)) for row in rows], rows[-1]["id"] if rows else after


def _anchor(row: Mapping[str, Any]) -> Line:
    content = {name: row[name] for name in ("checkpoint", "kind", "receipt")}
    content |= {"at": iso(_EPOCH + timedelta(microseconds=row["at"])), "where": row["place"]}
    if row["token"] is not None:
        content["token"] = b64encode(bytes(row["token"])).decode()
    return anchor_line(content)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
