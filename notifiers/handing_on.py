"""A message that one channel does not take goes to the person's next one: at once, and to each but once."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import and_, select, update

from models.record import OUTBOX, Tx
from notifiers.claims import Item

CONSOLE = "console"


def untried(tx: Tx, item: Item, channels: list[str]) -> list[str]:
    """Those that this message has not been given to before: a dead channel is not tried in a circle.

    A row that only waits for its own delay has not been given to its channel.
    """
    keys = {_key_on(item, one): one for one in channels}
    rows = tx.connection.execute(
        select(OUTBOX.c.key, OUTBOX.c.state, OUTBOX.c.tries).where(OUTBOX.c.key.in_(keys))
    )
    used = {keys[key] for key, state, tries in rows if state != "queued" or tries}
    return [one for one in channels if one not in used]


def hand_on(tx: Tx, item: Item, channel: str, now: int) -> None:
    """Ask `channel` to deliver it now (microseconds): the row that waits for its delay, or a new one."""
    key = _key_on(item, channel)
    waits = and_(OUTBOX.c.key == key, OUTBOX.c.state == "queued", OUTBOX.c.tries == 0)
    brought = tx.connection.execute(update(OUTBOX).where(waits).values(next_try_at=now, created_at=now))
    if brought.rowcount == 0:
        tx.enqueue([_copy(tx, item, channel, key, now)])


def reached_elsewhere(tx: Tx, item: Item) -> bool:
    """Whether the person has this call on another channel. The console does not count: who looks at it?"""
    same = and_(
        *(
            OUTBOX.c[name] == getattr(item.envelope, name)
            for name in ("stream", "cause", "level", "attempt", "kind", "person")
        )
    )
    sent = and_(OUTBOX.c.id != item.id, OUTBOX.c.state == "sent", OUTBOX.c.channel != CONSOLE)
    return tx.connection.execute(select(OUTBOX.c.id).where(same, sent).limit(1)).first() is not None


def _copy(tx: Tx, item: Item, channel: str, key: str, now: int) -> dict[str, Any]:
    row = tx.connection.execute(select(OUTBOX).where(OUTBOX.c.id == item.id)).mappings().one()
    return {name: row[name] for name in row if name != "id"} | {
        "key": key,
        "channel": channel,
        "further": orjson.dumps([one for one in item.further if one != channel]).decode(),
        "state": "queued",
        "tries": 0,
        "next_try_at": now,
        "created_at": now,
        "error": None,
        "receipt": None,
    }


def _key_on(item: Item, channel: str) -> str:
    """The key of the same message to the same person on another channel."""
    return f"{item.envelope.key.rsplit('/', 1)[0]}/{channel}:{item.envelope.person}"
