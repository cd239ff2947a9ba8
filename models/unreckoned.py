"""The streams whose due time other rules have reckoned: found by an index, the soonest due first."""

from __future__ import annotations

from sqlalchemy import and_, or_, select, update

from models.record import STREAM, Tx

Cursor = tuple[int | None, str]
"""How far a pass has come: due time in microseconds, and stream; those that are never due come last."""


def other_rules(tx: Tx, rules: int) -> int | None:
    """Rules that are not these, and by which something here was reckoned; None if there are none."""
    column = STREAM.c.due_rules
    below = select(column).where(column < rules).order_by(column.desc()).limit(1)
    above = select(column).where(column > rules).order_by(column).limit(1)
    found = tx.connection.execute(below).scalar()
    return found if found is not None else tx.connection.execute(above).scalar()


def some(tx: Tx, before: int, after: Cursor | None, limit: int) -> list[Cursor]:
    """The next streams that those rules reckoned, after a place."""
    due, name, of_them = STREAM.c.next_due_at, STREAM.c.id, STREAM.c.due_rules == before
    found: list[Cursor] = []
    if after is None or after[0] is not None:
        rest = (
            due.is_not(None) if after is None else or_(due > after[0], and_(due == after[0], name > after[1]))
        )
        rows = select(due, name).where(of_them, rest).order_by(due, name).limit(limit)
        found = [(row[0], row[1]) for row in tx.connection.execute(rows)]
        after = (None, "")
    if len(found) < limit:
        never = select(name).where(of_them, due.is_(None), name > after[1]).order_by(name)
        found += [(None, row) for row in tx.connection.execute(never.limit(limit - len(found))).scalars()]
    return found


def reckoned_by(tx: Tx, stream: str) -> tuple[int, int | None] | None:
    """By whose rules a stream's due time is, and what it is; None if there is no such stream yet."""
    row = tx.connection.execute(
        select(STREAM.c.due_rules, STREAM.c.next_due_at).where(STREAM.c.id == stream)
    ).first()
    return (row[0], row[1]) if row else None


def leave(tx: Tx, stream: str, rules: int, due_at: int | None, of: int) -> bool:
    """Put down when it is due and by whose rules, if it is still `of` those; whether it was."""
    one = (STREAM.c.id == stream, STREAM.c.due_rules == of)
    found = tx.connection.execute(update(STREAM).where(*one).values(due_rules=rules, next_due_at=due_at))
    return found.rowcount == 1
