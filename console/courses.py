"""The facts of a record as a page shows them: a bounded look at its end, or at what only some kinds tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from console.views.ladder import Sending
from models.fact import Fact, read_fact
from models.record import FACT, OUTBOX, Record

CHUNK = 250
MAX_LOOKED_AT = 5_000
"""Facts read for one page of a filtered record at most; the search goes on from the next page's link."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Facts, the newest first. `before` is where older ones go on; 0 if there are none."""

    facts: list[Fact]
    before: int


def stretch(
    record: Record, stream: str, *, before: int, limit: int, wanted: Callable[[Fact], bool] | None = None
) -> Stretch:
    """The newest facts with a number below `before` that are wanted, `limit` of them at most."""
    found: list[Fact] = []
    at, looked_at = before, 0
    while looked_at < MAX_LOOKED_AT:
        chunk = _chunk(record, stream, at, limit + 1 if wanted is None else CHUNK)
        for fact in chunk:
            if len(found) == limit:
                return Stretch(facts=found, before=at)
            at = fact.seq
            if wanted is None or wanted(fact):
                found.append(fact)
        looked_at += len(chunk)
        if not chunk or at == 1:
            return Stretch(facts=found, before=0)
    return Stretch(facts=found, before=at)


def _chunk(record: Record, stream: str, before: int, limit: int) -> list[Fact]:
    older = select(FACT.c.body).where(FACT.c.stream == stream, FACT.c.seq < before)
    with record.read() as tx:
        rows = tx.connection.execute(older.order_by(FACT.c.seq.desc()).limit(limit)).scalars()
        return [read_fact(body) for body in rows]


def of_kinds(record: Record, stream: str, kinds: Sequence[str], limit: int) -> list[Fact]:
    """The newest facts of these kinds, in their order."""
    newest = select(FACT.c.body).where(FACT.c.stream == stream, FACT.c.kind.in_(kinds))
    with record.read() as tx:
        rows = tx.connection.execute(newest.order_by(FACT.c.seq.desc()).limit(limit)).scalars()
        return [read_fact(body) for body in rows][::-1]


def numbered(record: Record, stream: str, numbers: Iterable[int]) -> dict[int, Fact]:
    """The facts with these numbers."""
    wanted = select(FACT.c.seq, FACT.c.body).where(FACT.c.stream == stream, FACT.c.seq.in_(list(numbers)))
    with record.read() as tx:
        return {row[0]: read_fact(row[1]) for row in tx.connection.execute(wanted)}


def sendings(record: Record, stream: str, pages: Iterable[int], limit: int) -> list[Sending]:
    """What was sent for these pages, in the order in which it was asked for."""
    columns = (getattr(OUTBOX.c, name) for name in Sending.__dataclass_fields__)
    wanted = select(*columns).where(OUTBOX.c.stream == stream, OUTBOX.c.page.in_(list(pages)))
    with record.read() as tx:
        rows = tx.connection.execute(wanted.order_by(OUTBOX.c.id).limit(limit))
        return [Sending(**{**row._mapping, "person": row.person or ""}) for row in rows]


def chain_hash_of(record: Record, stream: str, number: int) -> str:
    """The hash of the chain up to and with this fact, in hexadecimal; empty if there is no such fact."""
    wanted = select(FACT.c.hash).where(FACT.c.stream == stream, FACT.c.seq == number)
    with record.read() as tx:
        found = tx.connection.execute(wanted).scalar()
    return bytes(found).hex() if found is not None else ""
