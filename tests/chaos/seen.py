"""What a run left behind: the record, the outbox, what every receiver got, what callers were answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from models.fact import Fact, read_fact
from models.record import DOCUMENT, FACT, OUTBOX, STREAM, Record


@dataclass(frozen=True, kw_only=True)
class Received:
    """One copy of a message as a receiver took it. `at` is real time, in seconds of a monotonic clock."""

    at: float
    key: str
    channel: str
    to: str
    kind: str
    repeat: bool
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Acted:
    """One effect of an automated step: `key` is incident/playbook/step/round/attempt."""

    at: float
    key: str


@dataclass(frozen=True, kw_only=True)
class Answered:
    """A fact of which a caller was told that it is on record."""

    stream: str
    seq: int
    kind: str


@dataclass(frozen=True, kw_only=True)
class Seen:
    """All of it. `settled`: it was left alone until nothing was under way any more."""

    facts: Mapping[str, Sequence[Fact]]
    outbox: Sequence[Mapping[str, Any]] = ()
    streams: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    documents: Mapping[str, bytes] = field(default_factory=dict)
    received: Sequence[Received] = ()
    acted: Sequence[Acted] = ()
    answered: Sequence[Answered] = ()
    entitled: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Person to roles, for those who decided."""
    heard: frozenset[str] = frozenset()
    """Channels whose receivers wrote down everything they took."""
    settled: bool = True


def read(record: Record, **more: Any) -> Seen:
    """What lies in a record; `more` is what was seen from outside."""
    facts: dict[str, list[Fact]] = {}
    with record.read() as tx:
        for stream, body in tx.connection.execute(
            select(FACT.c.stream, FACT.c.body).order_by(FACT.c.stream, FACT.c.seq)
        ):
            facts.setdefault(stream, []).append(read_fact(bytes(body)))
        outbox = [dict(row) for row in tx.connection.execute(select(OUTBOX).order_by(OUTBOX.c.id)).mappings()]
        streams = {row["id"]: dict(row) for row in tx.connection.execute(select(STREAM)).mappings()}
        kept = tx.connection.execute(select(DOCUMENT.c.digest, DOCUMENT.c.body))
        documents = {digest: bytes(body) for digest, body in kept}
    return Seen(facts=facts, outbox=outbox, streams=streams, documents=documents, **more)


def read_at(path: Path, **more: Any) -> Seen:
    """As `read`, of a file that nobody writes any more."""
    record = Record.at(path)
    try:
        return read(record, **more)
    finally:
        record.close()
