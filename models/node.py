"""Running parts of Hikeshi: their epoch, which grows at each start, and their last sign of life.

A part is `pager` or `conductor`. Where several machines share a database its name is `pager@MACHINE`, and
signs of life are by the database's clock.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, update

from models.clock import from_micros
from models.errors import Superseded
from models.record import NODE, Record, Tx

MACHINE_VARIABLE = "HIKESHI_NODE"
RETIRED = "stopped"
GIVEN_UP = "given up"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A running part as it wrote itself down; `beat_at` is its last sign of life (UTC)."""

    name: str
    epoch: int
    beat_at: datetime
    detail: str

    @property
    def retired(self) -> bool:
        """Whether it stopped in good order."""
        return self.detail == RETIRED


def name_here(kind: str, record: Record) -> str:
    """The name of this machine's part: with the machine's name where others may have the same part."""
    if not record.is_shared:
        return kind
    return f"{kind}@{os.environ.get(MACHINE_VARIABLE) or socket.gethostname()}"


def _of(kind: str) -> ColumnElement[bool]:
    """A part by its name, or all of a kind."""
    return or_(NODE.c.id == kind, NODE.c.id.startswith(f"{kind}@", autoescape=True))


def register(tx: Tx, name: str, now: datetime, detail: str = "") -> int:
    """A part starts: its epoch grows, so what an earlier life of it comes back with is refused."""
    tx.hold(f"node {name}", told=True)
    found = tx.connection.execute(select(NODE.c.epoch).where(NODE.c.id == name)).scalar()
    stamp = tx.instant(now)
    epoch = int(found or 0) + 1
    values = {"epoch": epoch, "started_at": stamp, "beat_at": stamp, "detail": detail}
    if found is None:
        tx.connection.execute(NODE.insert().values(id=name, **values))
    else:
        tx.connection.execute(update(NODE).where(NODE.c.id == name).values(**values))
    return epoch


def beat(tx: Tx, name: str, now: datetime) -> None:
    """The part is alive at `now`."""
    tx.connection.execute(update(NODE).where(NODE.c.id == name).values(beat_at=tx.instant(now)))


def give_up(tx: Tx, name: str) -> int:
    """The others give this life of a part up: it was silent too long. Its epoch is over; the new one."""
    tx.hold(f"node {name}", told=True)
    values = {"epoch": NODE.c.epoch + 1, "detail": RETIRED}
    tx.connection.execute(update(NODE).where(NODE.c.id == name).values(**values))
    found = tx.connection.execute(select(NODE.c.epoch).where(NODE.c.id == name)).scalar()
    return int(found or 0)


def must_be_current(tx: Tx, name: str, epoch: int) -> None:
    """Raises Superseded if this life of the part has been given up by the others: it was silent too long."""
    found = tx.connection.execute(select(NODE.c.epoch).where(NODE.c.id == name)).scalar()
    if found != epoch:
        raise Superseded(f"{name} was silent too long, and others took over (epoch {found}, ours {epoch})")


def give_up_silent(tx: Tx, kind: str, now: datetime, silent: timedelta) -> list[str]:
    """End the lives of those parts of a kind that have been silent for so long; their names.

    What such a life comes back with is refused: `must_be_current` tells it.
    """
    least = tx.instant(now) - int(silent.total_seconds() * 1_000_000)
    rows = tx.connection.execute(
        update(NODE)
        .where(_of(kind), NODE.c.beat_at < least, NODE.c.detail.not_in([RETIRED, GIVEN_UP]))
        .values(epoch=NODE.c.epoch + 1, detail=GIVEN_UP)
        .returning(NODE.c.id)
    )
    return [row[0] for row in rows]


def retire(tx: Tx, name: str, epoch: int | None = None) -> None:
    """The part has stopped in good order: it is not alive, however recent its last sign of life.

    With its `epoch`, only if that life is still the present one: another may have begun under this name.
    """
    which = NODE.c.id == name if epoch is None else (NODE.c.id == name) & (NODE.c.epoch == epoch)
    tx.connection.execute(update(NODE).where(which).values(detail=RETIRED))


def parts(tx: Tx, kind: str) -> list[Part]:
    """All parts of a kind (`pager`), or the one of this name, by name."""
    rows = tx.connection.execute(
        select(NODE.c.id, NODE.c.epoch, NODE.c.beat_at, NODE.c.detail).where(_of(kind)).order_by(NODE.c.id)
    )
    return [Part(name=row[0], epoch=row[1], beat_at=from_micros(row[2]), detail=row[3]) for row in rows]


def alive(tx: Tx, kind: str, now: datetime, within: timedelta) -> bool:
    """Whether a part of this kind runs: a sign of life within `within`, and no stop since."""
    least = from_micros(tx.instant(now)) - within
    return any(part.beat_at >= least and not part.retired for part in parts(tx, kind))


def last_beat(tx: Tx, kind: str) -> datetime | None:
    """When a part of this kind was last alive (UTC); None if there never was one."""
    return max((part.beat_at for part in parts(tx, kind)), default=None)
