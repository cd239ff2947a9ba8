"""What lies outside and shows the record: remembered so that it can be edited in place. Never the truth.

Losing these rows loses nothing but the places: what is shown can be found again, or made anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import ColumnElement, delete, select

from models.record import MIRROR, Tx, micros

MAX_ERROR = 200


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """One thing outside. `shown` is `face` of what it showed last, `mark` the last fact it was told."""

    id: str
    stream: str
    place: str = ""
    shown: str = ""
    mark: str = ""
    error: str = ""


def face(content: object) -> str:
    """A short digest of what something shows, to tell whether it has to be changed."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()[:16]


def mirrors(tx: Tx, stream: str) -> dict[str, Mirror]:
    """All that is known of a stream's mirrors, by id."""
    return _read(tx, MIRROR.c.stream == stream)


def mirrors_named(tx: Tx, names: Collection[str]) -> dict[str, Mirror]:
    """Those of these ids that are known, whichever stream they were noted under."""
    return _read(tx, MIRROR.c.id.in_(names))


def _read(tx: Tx, condition: ColumnElement[bool]) -> dict[str, Mirror]:
    rows = tx.connection.execute(select(MIRROR).where(condition)).mappings()
    return {
        row["id"]: Mirror(
            id=row["id"],
            stream=row["stream"],
            place=row["place"],
            shown=row["shown"],
            mark=row["mark"],
            error=row["error"],
        )
        for row in rows
    }


def keep(tx: Tx, mirror: Mirror, now: datetime) -> None:
    """Remember how a mirror is now."""
    tx.connection.execute(delete(MIRROR).where(MIRROR.c.id == mirror.id))
    tx.connection.execute(
        MIRROR.insert().values(
            id=mirror.id,
            stream=mirror.stream,
            place=mirror.place,
            shown=mirror.shown,
            mark=mirror.mark,
            error=mirror.error[:MAX_ERROR],
            at=micros(now),
        )
    )
