"""Ten thousand open incidents: two real ones, declared through the desk, and copies of them moved in time.

A copy is whole: its facts say its own number and its own instants, and its chain is its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from benchmarks.bank import ANALYST, accepted, declare
from models.canonical import GENESIS, chain_hash
from models.clock import ExerciseClock, iso
from models.commands import Acknowledge
from models.desk import Desk
from models.record import COUNTER, FACT, STREAM, TEXT, Tx, micros

_INSTANT = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_PER_WRITE = 500
WITHIN = timedelta(minutes=5)
"""What the first level of the example's main route has: a copy falls due so long after its declaration."""


@dataclass(frozen=True, kw_only=True)
class _Pattern:
    """An incident to copy, with everything that lies beside it."""

    stream: dict[str, Any]
    facts: Sequence[dict[str, Any]]
    texts: Sequence[dict[str, Any]]
    at: datetime

    def copy(self, number: str, at: datetime) -> _Pattern:
        """The same incident, declared `at`."""
        by = at - self.at
        head, facts = GENESIS, []
        for fact in self.facts:
            body = _moved(fact["body"].replace(self.stream["id"].encode(), number.encode()), by)
            head = chain_hash(head, body)
            facts.append(fact | {"stream": number, "body": body, "hash": head})
        stream = self.stream | {"id": number, "hash": head, "opened_at": micros(at)}
        stream["next_due_at"] += round(by.total_seconds() * 1_000_000)
        texts = [text | {"stream": number} for text in self.texts]
        return _Pattern(stream=stream, facts=facts, texts=texts, at=at)


def _moved(body: bytes, by: timedelta) -> bytes:
    def one(found: re.Match[bytes]) -> bytes:
        return iso(datetime.fromisoformat(found[0].decode()) + by).encode()

    return _INSTANT.sub(one, body)


def plant(desk: Desk, due: Sequence[datetime], quiet: int, now: datetime, first: int = 20_000) -> list[str]:
    """One open incident for each instant of `due`, at which its first page escalates; returns their names.

    Besides `quiet` ones whose pages are acknowledged and lapse only half an hour after `now`. Numbered from
    `first`.
    """
    clock = desk.clock
    assert isinstance(clock, ExerciseClock)
    waiting, answered = declare(desk), declare(desk)
    accepted(desk.handle(answered, Acknowledge(actor=ANALYST)))
    with desk.record.read() as tx:
        asks, holds = _pattern(tx, waiting, clock.now()), _pattern(tx, answered, clock.now())
    names = [f"INC-{now.year}-{number:05d}" for number in range(first, first + len(due) + quiet)]
    copies = _copies(asks, holds, names, due, now)
    with desk.record.begin() as tx:
        _write(tx, copies)
        tx.connection.execute(sa.update(COUNTER).values(value=90_000))
        # What the two originals asked for would be sent by the node that is measured.
        tx.connection.execute(sa.text("update outbox set state = 'withdrawn'"))
        for original in (waiting, answered):
            tx.connection.execute(
                sa.update(STREAM).where(STREAM.c.id == original).values(status="closed", next_due_at=None)
            )
    return names[: len(due)]


def _pattern(tx: Tx, stream: str, at: datetime) -> _Pattern:
    rows = [
        [dict(row) for row in tx.connection.execute(sa.select(table).where(key == stream)).mappings()]
        for table, key in ((STREAM, STREAM.c.id), (FACT, FACT.c.stream), (TEXT, TEXT.c.stream))
    ]
    return _Pattern(stream=rows[0][0], facts=rows[1], texts=rows[2], at=at)


def _copies(
    asks: _Pattern, holds: _Pattern, names: Sequence[str], due: Sequence[datetime], now: datetime
) -> Iterator[_Pattern]:
    for name, at in zip(names, due, strict=False):
        yield asks.copy(name, at.astimezone(UTC) - WITHIN)
    for name in names[len(due) :]:
        yield holds.copy(name, now)


def _write(tx: Tx, copies: Iterator[_Pattern]) -> None:
    batch: list[_Pattern] = []
    for copy in copies:
        batch.append(copy)
        if len(batch) == _PER_WRITE:
            _flush(tx, batch)
            batch.clear()
    _flush(tx, batch)


def _flush(tx: Tx, batch: Sequence[_Pattern]) -> None:
    if batch:
        tx.connection.execute(STREAM.insert(), [one.stream for one in batch])
        tx.connection.execute(FACT.insert(), [row for one in batch for row in one.facts])
        tx.connection.execute(TEXT.insert(), [row for one in batch for row in one.texts])
