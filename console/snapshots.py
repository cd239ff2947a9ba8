"""Snapshots are a short way to a state, and outside the chain: whether they say what the facts say."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from sqlalchemy import select

from models.errors import HikeshiError
from models.fact import Fact, read_fact
from models.fold import RULES_VERSION, empty, fold
from models.record import FACT, STREAM, Record, Tx

AT_ONCE = 1_000


def altered(record: Record) -> Iterator[tuple[str, int]]:
    """The records whose snapshot is not what their facts come to, and up to which fact it goes."""
    with record.read() as tx:
        having = select(STREAM.c.id).where(STREAM.c.snapshot.is_not(None)).order_by(STREAM.c.id)
        for stream in list(tx.connection.execute(having).scalars()):
            body, seq, _ = tx.snapshot(stream, RULES_VERSION)
            if body is not None and not _same(tx, stream, seq, body):
                yield stream, seq


def _same(tx: Tx, stream: str, seq: int, body: bytes) -> bool:
    """Whether it is so. One that cannot be read is never used, and neither is one of other rules."""
    try:
        stored = msgspec.json.decode(body, type=type(empty(stream)))
    except msgspec.DecodeError:
        return True
    try:
        return bool(fold(empty(stream), _facts(tx, stream, seq)) == stored)
    except (msgspec.DecodeError, HikeshiError):
        return True  # facts that cannot be read are said by the verifier


def _facts(tx: Tx, stream: str, seq: int) -> Iterator[Fact]:
    query = select(FACT.c.body).where(FACT.c.stream == stream, FACT.c.seq <= seq).order_by(FACT.c.seq)
    for (body,) in tx.connection.execute(query.execution_options(yield_per=AT_ONCE)):
        yield read_fact(bytes(body))
