"""Taking an upgrade back: until the first fact that the older version cannot read; refused by name after it.

Done by the newer version, with nothing running: it knows what it wrote. `python -m models.rollback` does it
for a database whose address is given.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from models import migrations
from models.clock import SystemClock
from models.errors import HikeshiError, NotFound, RollbackRefused
from models.fact import read_fact
from models.kinds import LEDGER, Kind, readable_by
from models.node import alive
from models.record import FACT, RELEASE, Record, Tx
from models.release import VERSION, order
from models.succession import HOUSE, PARTS, WORKING_WITHIN

PASSWORD_VARIABLE = "HIKESHI_DATABASE_PASSWORD"  # noqa: S105 - where it is, not what it is


@dataclass(frozen=True, kw_only=True)
class Past:
    """A release before this one, and the schema that it works with."""

    version: str
    schema: str


PAST: tuple[Past, ...] = ()
"""Releases that this one can be taken back to, oldest first: `Past(version="0.1.0", schema="0012")`."""


def roll_back(
    record: Record, version: str, now: datetime, past: Sequence[Past] = PAST, ledger: Iterable[Kind] = LEDGER
) -> None:
    """Bring the record to where `version` can go on with it; all or nothing.

    Raises NotFound for a version that is none of the past, RollbackRefused with the first fact that it could
    not read, or with what still runs.
    """
    target = next((one for one in past if one.version == version), None)
    if target is None:
        known = ", ".join(one.version for one in past) or "none"
        raise NotFound(f"{VERSION} cannot be taken back to {version}; to be had are: {known}")
    with record.begin() as tx:
        tx.hold(HOUSE, told=True)
        running = [part for part in PARTS if alive(tx, part, now, WORKING_WITHIN)]
        if running:
            raise RollbackRefused(
                f"{' and '.join(running)} of {VERSION} still run; stop them on every machine"
            )
        _must_be_readable(tx, target, tuple(ledger))
        tx.connection.execute(delete(RELEASE).where(RELEASE.c.version.in_(_newer(tx, version))))
        migrations.downgrade(tx.connection, target.schema)


def _newer(tx: Tx, version: str) -> list[str]:
    known = tx.connection.execute(select(RELEASE.c.version)).scalars()
    return [one for one in known if order(one) > order(version)]


def _must_be_readable(tx: Tx, target: Past, ledger: tuple[Kind, ...]) -> None:
    readable = readable_by(target.version, ledger)
    doubtful = {one.name for one in ledger if (one.name, one.v) not in readable}
    rows = select(FACT.c.body).where(FACT.c.kind.in_(doubtful)).order_by(FACT.c.stream, FACT.c.seq)
    for body in tx.connection.execute(rows).scalars():
        fact = read_fact(bytes(body))
        if (fact.kind, fact.v) not in readable:
            raise RollbackRefused(
                f"{fact.stream} #{fact.seq} is of kind {fact.kind} v{fact.v}, which {target.version} cannot "
                f"read; stay with {VERSION}, or restore a backup from before"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m models.rollback --to 0.1.0 sqlite:////srv/bank/var/hikeshi.db`."""
    parser = argparse.ArgumentParser(prog="python -m models.rollback", description=__doc__)
    parser.add_argument("--to", required=True, metavar="VERSION")
    parser.add_argument("database", help="SQLAlchemy address, as in settings.toml")
    given = parser.parse_args(arguments)
    record = Record(given.database, os.environ.get(PASSWORD_VARIABLE, ""))
    try:
        roll_back(record, given.to, SystemClock().now())
    except HikeshiError as no:
        print(f"hikeshi: {no}", file=sys.stderr)
        return 1
    finally:
        record.close()
    print(f"taken back to {given.to}; install that version and start it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
