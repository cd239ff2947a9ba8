"""Running parts of Hikeshi: their epoch, which grows at each start, and their last sign of life."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from models.record import NODE, Tx, micros


def register(tx: Tx, name: str, now: datetime, detail: str = "") -> int:
    """A part starts: its epoch grows, so what an earlier life of it comes back with is refused."""
    found = tx.connection.execute(select(NODE.c.epoch).where(NODE.c.id == name)).scalar()
    stamp = micros(now)
    values = {"epoch": (found or 0) + 1, "started_at": stamp, "beat_at": stamp, "detail": detail}
    if found is None:
        tx.connection.execute(NODE.insert().values(id=name, **values))
    else:
        tx.connection.execute(update(NODE).where(NODE.c.id == name).values(**values))
    return values["epoch"] if isinstance(values["epoch"], int) else 1


def beat(tx: Tx, name: str, now: datetime) -> None:
    """The part is alive at `now`."""
    tx.connection.execute(update(NODE).where(NODE.c.id == name).values(beat_at=micros(now)))


RETIRED = "stopped"


def retire(tx: Tx, name: str) -> None:
    """The part has stopped in good order: it is not alive, however recent its last sign of life."""
    tx.connection.execute(update(NODE).where(NODE.c.id == name).values(detail=RETIRED))


def alive(tx: Tx, name: str, now: datetime, within: timedelta) -> bool:
    """Whether the part runs: a sign of life within `within`, and no stop since."""
    row = tx.connection.execute(select(NODE.c.beat_at, NODE.c.detail).where(NODE.c.id == name)).first()
    return row is not None and row[1] != RETIRED and row[0] >= micros(now - within)


def last_beat(tx: Tx, name: str) -> datetime | None:
    """When the part was last alive (UTC); None if it never ran here."""
    found = tx.connection.execute(select(NODE.c.beat_at).where(NODE.c.id == name)).scalar()
    return datetime.fromtimestamp(found / 1_000_000, UTC) if found is not None else None
