"""What opens once and for a short time. Stored is a digest; whoever reads the database cannot use it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update

from console.opening import House
from console.web.sessions import digest
from models.record import ONCE, micros

FORGOTTEN_AFTER = timedelta(hours=1)
"""What is forgotten opens nothing. Whoever reaches the port has a row made at each try to log in."""
MAX_VALUE = 200


@dataclass(frozen=True, kw_only=True)
class Held:
    """What is behind a value that still opens."""

    person: str | None
    data: Mapping[str, Any]
    digest: str
    tries: int


class Once:
    """In the thread that has the house."""

    def __init__(self, house: House) -> None:
        self._record, self._clock = house.record, house.wall

    def put(
        self, kind: str, lasts: timedelta, *, person: str | None = None, value: str = "", **data: Any
    ) -> str:
        """Something new; the value that opens it, drawn unless given, which is known to nobody else.

        What is long over is forgotten with it.
        """
        value, now = value or secrets.token_urlsafe(32), self._clock.now()
        row = {
            "digest": digest(f"{kind}:{value}"),
            "kind": kind,
            "person": person,
            "data": json.dumps(data),
            "tries": 0,
            "made_at": micros(now),
            "ends_at": micros(now + lasts),
        }
        with self._record.begin() as tx:
            tx.connection.execute(delete(ONCE).where(ONCE.c.ends_at < micros(now - FORGOTTEN_AFTER)))
            tx.connection.execute(delete(ONCE).where(ONCE.c.digest == row["digest"]))
            tx.connection.execute(ONCE.insert().values(row))
        return value

    def look(self, kind: str, value: str) -> Held | None:
        """What it would open, without opening it."""
        if not value or len(value) > MAX_VALUE:
            return None
        wanted = select(ONCE).where(
            ONCE.c.digest == digest(f"{kind}:{value}"),
            ONCE.c.kind == kind,
            ONCE.c.used_at.is_(None),
            ONCE.c.ends_at > micros(self._clock.now()),
        )
        with self._record.read() as tx:
            row = tx.connection.execute(wanted).first()
        if row is None:
            return None
        return Held(person=row.person, data=json.loads(row.data), digest=row.digest, tries=row.tries)

    def take(self, kind: str, value: str) -> Held | None:
        """Open it; None if it opens nothing, or somebody else was first."""
        held = self.look(kind, value)
        if held is None:
            return None
        now = micros(self._clock.now())
        mine = (ONCE.c.digest == held.digest) & ONCE.c.used_at.is_(None)
        with self._record.begin() as tx:
            taken = tx.connection.execute(update(ONCE).where(mine).values(used_at=now)).rowcount
        return held if taken == 1 else None

    def miss(self, kind: str, value: str) -> int:
        """Count a wrong guess at what this opens; how many there have been."""
        mine = ONCE.c.digest == digest(f"{kind}:{value}")
        with self._record.begin() as tx:
            tx.connection.execute(update(ONCE).where(mine).values(tries=ONCE.c.tries + 1))
            return int(tx.connection.execute(select(ONCE.c.tries).where(mine)).scalar() or 0)
