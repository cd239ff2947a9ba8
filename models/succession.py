"""Which release works a record: one at a time decides, and the one before notices and stands down.

Two versions that decide by other rules, or write into another schema, would undo each other's due times. So a
version that opens a record takes it over, and a process of another version writes no more from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select, text, update

from models.clock import Clock
from models.errors import Outdated, WouldSilence
from models.fold import RULES_VERSION
from models.migrations import HEAD, KNOWN, version
from models.node import alive
from models.record import RELEASE, Record, Tx
from models.release import VERSION

HOUSE = "house"
WORKING_WITHIN = timedelta(seconds=45)
"""A part of another version that was silent for longer is gone."""
PARTS = ("pager", "conductor")
_SCHEMA = text("select version_num from alembic_version")
_LAST = select(RELEASE.c.version, RELEASE.c.schema, RELEASE.c.rules, RELEASE.c.turn).order_by(
    RELEASE.c.turn.desc()
)


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release that has worked this record; that of the highest turn works it now."""

    version: str
    schema: str
    rules: int
    turn: int


def last(tx: Tx) -> Release | None:
    """The release by whose rules the record goes now; None in a record that nobody has taken over yet."""
    found = tx.connection.execute(_LAST.limit(1)).first()
    return Release(version=found[0], schema=found[1], rules=found[2], turn=found[3]) if found else None


def newest(tx: Tx) -> str:
    """The version that took the record over last: it certainly reads whatever is in it. Empty if none did."""
    found = last(tx)
    return found.version if found is not None else ""


def is_ours(tx: Tx) -> bool:
    """Whether it goes by our rules already."""
    present = last(tx)
    return present is not None and (present.version, present.rules) == (VERSION, RULES_VERSION)


def take_over(tx: Tx, now: datetime) -> bool:
    """From here on the record goes by our rules. False if they are older and a newer version is at work.

    An older version may take it back, as after an upgrade that went wrong, once the newer one has stopped.
    """
    tx.hold(
        HOUSE, told=True
    )  # whoever decides rests on the house: from here on nobody decides by other rules
    present = last(tx)
    ours = tx.connection.execute(select(RELEASE.c.turn).where(RELEASE.c.version == VERSION)).scalar()
    if present is not None and present.rules == RULES_VERSION and ours is not None:
        return True
    if present is not None and present.rules > RULES_VERSION and _at_work(tx, now):
        return False
    turn = int(tx.connection.execute(select(func.coalesce(func.max(RELEASE.c.turn), 0))).scalar_one()) + 1
    row = {"schema": HEAD, "rules": RULES_VERSION, "turn": turn, "at": tx.instant(now)}
    if ours is None:
        tx.connection.execute(insert(RELEASE).values(version=VERSION, **row))
    else:
        tx.connection.execute(update(RELEASE).where(RELEASE.c.version == VERSION).values(**row))
    return True


def _at_work(tx: Tx, now: datetime) -> bool:
    return any(alive(tx, part, now, WORKING_WITHIN) for part in PARTS)


def must_silence_nobody(record: Record, clock: Clock) -> None:
    """Raises WouldSilence if a pager of an older version lives: it stands down once another takes over.

    In the middle of an upgrade somebody types a command before the new node has been started.
    """
    with record.read() as tx:
        present = version(tx.connection)
        older = present in KNOWN and present != HEAD
        if older and alive(tx, "pager", clock.now(), WORKING_WITHIN):
            raise WouldSilence(
                f"a pager of an older version works this record (schema {present}); a command of this one "
                f"({VERSION}, {HEAD}) would end it, and nobody would be paged"
            )


def must_be_ours(tx: Tx) -> None:
    """Raises Outdated if another version has taken the record over: we must not write any more."""
    schema = tx.connection.execute(_SCHEMA).scalar()
    if schema != HEAD:
        raise Outdated(
            f"another version of Hikeshi has brought the record to schema {schema}; this one ({VERSION}) "
            f"works with {HEAD} and writes no more; start that version"
        )
    present = last(tx)
    if present is not None and present.rules != RULES_VERSION:
        raise Outdated(
            f"Hikeshi {present.version} has taken the record over (rules {present.rules}); this one "
            f"({VERSION}, rules {RULES_VERSION}) writes no more; start that version"
        )
