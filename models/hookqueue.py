"""The outbox of the webhooks: rows of their own, so that no system that is told delays a person's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, insert, not_, or_, select, update

from models.clock import micros
from models.hooks import MAX_WAIT_SECONDS, WAITING_MOST, Webhook
from models.record import HOOK, STREAM, Tx

KEPT = timedelta(days=30)
"""How long what has left, or was given up, can be looked up."""
SWEEP_MOST = 1_000
EXCERPT = 200


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a hook fares: events that wait, and those given up in the last days."""

    waiting: int
    given_up: int
    error: str


def enqueue(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """With the facts that the rows tell of, or not at all."""
    if rows:
        tx.connection.execute(insert(HOOK), [dict(row) for row in rows])


def withdraw_restricted(tx: Tx, hook: Webhook) -> int:
    """What waits of incidents that have become restricted since stays here."""
    if hook.restricted:
        return 0
    hidden = select(STREAM.c.id).where(STREAM.c.restricted)
    which = and_(_waits(hook), HOOK.c.stream.in_(hidden))
    return tx.connection.execute(update(HOOK).where(which).values(state="withdrawn")).rowcount


def heads(tx: Tx, hook: Webhook, now: datetime, limit: int) -> list[dict[str, Any]]:
    """The events to send next, in the order of the record; none while the first of them has to wait."""
    found = tx.connection.execute(select(HOOK).where(_waits(hook)).order_by(HOOK.c.id).limit(limit))
    rows = [dict(row) for row in found.mappings()]
    return rows if rows and _is_due(rows[0]["next_try_at"], now) else []


def _is_due(at: int, now: datetime) -> bool:
    """Nothing waits for longer than the longest pause: an instant beyond it is of a clock that was wrong."""
    return at <= micros(now) or at > micros(now + timedelta(seconds=MAX_WAIT_SECONDS))


def sent(tx: Tx, ids: Sequence[int], now: datetime, answer: str) -> None:
    """The receiver has them."""
    values = {"state": "sent", "sent_at": micros(now), "answer": answer[:EXCERPT], "error": None}
    tx.connection.execute(update(HOOK).where(HOOK.c.id.in_(ids)).values(values))


def failed(tx: Tx, row: Mapping[str, Any], error: str, again_at: datetime | None) -> None:
    """It has not; without `again_at` it is given up."""
    values: dict[str, Any] = {"tries": row["tries"], "tried_at": row["tried_at"], "error": error[:EXCERPT]}
    values |= {"state": "given_up"} if again_at is None else {"next_try_at": micros(again_at)}
    tx.connection.execute(update(HOOK).where(HOOK.c.id == row["id"]).values(values))


def give_up_surplus(tx: Tx, hook: Webhook, most: int = WAITING_MOST) -> int:
    """Beyond `most` the oldest are given up, so that a dead receiver fills no disk."""
    newest = select(HOOK.c.id).where(_waits(hook)).order_by(HOOK.c.id.desc()).limit(most)
    which = and_(_waits(hook), not_(HOOK.c.id.in_(newest.scalar_subquery())))
    values = {"state": "given_up", "error": f"more than {most} events waited"}
    return tx.connection.execute(update(HOOK).where(which).values(values)).rowcount


def sweep(tx: Tx, now: datetime, names: Sequence[str]) -> int:
    """Forget what left long ago, a bounded number at a time; also what waits for a hook that is no more."""
    over = or_(HOOK.c.state != "queued", not_(HOOK.c.hook.in_(names)))
    old = and_(over, HOOK.c.created_at < micros(now - KEPT))
    which = select(HOOK.c.id).where(old).limit(SWEEP_MOST)
    return tx.connection.execute(delete(HOOK).where(HOOK.c.id.in_(which.scalar_subquery()))).rowcount


def standing(tx: Tx, hook: Webhook) -> Standing:
    """How it fares."""
    counted = select(func.count(), func.max(HOOK.c.error)).where(_waits(hook))
    waiting, error = tx.connection.execute(counted).one()
    lost = select(func.count()).where(HOOK.c.hook == hook.name, HOOK.c.state == "given_up")
    given_up = int(tx.connection.execute(lost).scalar_one())
    return Standing(waiting=waiting, given_up=given_up, error=error or "")


def _waits(hook: Webhook) -> Any:
    return and_(HOOK.c.hook == hook.name, HOOK.c.state == "queued")
