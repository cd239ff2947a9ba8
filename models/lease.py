"""What one node does for all of them, for as long as it shows that it lives.

A lease ends by itself, on the database's clock. The epoch is that of the node's life: what an earlier life
held is its own again at once, and what comes back from a life that others have given up is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from models.errors import Superseded
from models.record import LEASE, Tx

LEASE_SECONDS = 30
"""How long a node may be silent before another takes over what it had."""


@dataclass(frozen=True, kw_only=True)
class Life:
    """One life of a node: its name, and the epoch that it got when it started."""

    node: str
    epoch: int


def take(tx: Tx, name: str, life: Life, now: datetime, seconds: float = LEASE_SECONDS) -> bool:
    """Whether this is ours for `seconds` from now: it was ours, was an earlier life's, or was free.

    Called again it is renewed. `now` counts only where no server has a clock for all.
    """
    stamp = tx.instant(now)
    until = stamp + int(seconds * 1_000_000)
    row = {"node": life.node, "epoch": life.epoch, "until": until}
    found = tx.connection.execute(
        select(LEASE.c.node, LEASE.c.epoch, LEASE.c.until).where(LEASE.c.name == name).with_for_update()
    ).first()
    if found is None:
        try:
            with tx.connection.begin_nested():
                tx.connection.execute(insert(LEASE).values(name=name, **row))
        except IntegrityError:
            return False  # somebody was quicker
        return True
    ours = found[0] == life.node and found[1] <= life.epoch
    if not ours and found[2] > stamp:
        return False
    tx.connection.execute(update(LEASE).where(LEASE.c.name == name).values(row))
    return True


def give_back(tx: Tx, life: Life) -> None:
    """A clean stop: whatever this life holds is free at once."""
    tx.connection.execute(delete(LEASE).where(_ours(life)))


def held_by(tx: Tx, name: str, now: datetime) -> Life | None:
    """Who has it now; None if nobody does."""
    found = tx.connection.execute(
        select(LEASE.c.node, LEASE.c.epoch).where(LEASE.c.name == name, LEASE.c.until > tx.instant(now))
    ).first()
    return Life(node=found[0], epoch=found[1]) if found else None


def let_go(tx: Tx, name: str, life: Life) -> None:
    """This one is free for others at once; that we had it last stays known, for `must_be_last`."""
    tx.connection.execute(update(LEASE).where(LEASE.c.name == name, _ours(life)).values(until=0))


def renew(tx: Tx, name: str, life: Life, now: datetime, seconds: float = LEASE_SECONDS) -> bool:
    """Whether it is ours for `seconds` more: also when it had run out, unless somebody has had it since."""
    until = tx.instant(now) + int(seconds * 1_000_000)
    exactly = (LEASE.c.node == life.node) & (LEASE.c.epoch == life.epoch)
    found = tx.connection.execute(update(LEASE).where(LEASE.c.name == name, exactly).values(until=until))
    return found.rowcount == 1


def put(tx: Tx, name: str, life: Life, now: datetime, seconds: float) -> None:
    """This is `life`'s for so long from now, whoever had it."""
    tx.connection.execute(delete(LEASE).where(LEASE.c.name == name))
    until = tx.instant(now) + int(seconds * 1_000_000)
    row = {"name": name, "node": life.node, "epoch": life.epoch, "until": until}
    tx.connection.execute(insert(LEASE).values(row))


def had_last(tx: Tx, name: str) -> tuple[Life, bool] | None:
    """Who has it, or had it last, and whether they let it go themselves; None if nobody ever had it."""
    row = select(LEASE.c.node, LEASE.c.epoch, LEASE.c.until).where(LEASE.c.name == name)
    found = tx.connection.execute(row).first()
    return (Life(node=found[0], epoch=found[1]), found[2] == 0) if found else None


def must_be_last(tx: Tx, name: str, life: Life) -> None:
    """Raises Superseded if another node, or a later life of ours, has taken it since.

    Until the transaction ends nobody can.
    """
    row = select(LEASE.c.node, LEASE.c.epoch).where(LEASE.c.name == name).with_for_update(read=True)
    found = tx.connection.execute(row).first()
    if found is not None and (found[0] != life.node or found[1] > life.epoch):
        raise Superseded(f"{name} was taken over by {found[0]} (epoch {found[1]}, ours {life.epoch})")


def _ours(life: Life) -> ColumnElement[bool]:
    return and_(LEASE.c.node == life.node, LEASE.c.epoch <= life.epoch)
