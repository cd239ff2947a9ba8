"""`hikeshi move`: the record goes from SQLite to PostgreSQL with incidents open, verified, all or nothing.

The order keeps two databases from going on with one record. While it is copied nobody writes in the old one;
what was copied is verified where it lies now, before it counts; then this directory is closed to its old
database, the new one is committed, and the old one takes no fact any more from whoever still had it open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, select, text

from console.opening import MOVED, House, record_of, secrets_of
from console.verify import verify, verify_path
from models import migrations
from models.checkpoint import root_of
from models.commands import Actor
from models.crashpoint import crash_point
from models.database import is_sqlite, shown
from models.desk import HOUSE, Desk
from models.errors import BadConfiguration, HikeshiError
from models.node import alive
from models.record import Record, Tx
from models.restoring import MoveRecord
from models.tables import METADATA
from notifiers.hold import Hold

PORTION = 2_000
LEFT = frozenset({"node", "lease"})
"""Tables that speak of running parts: there are none while it is moved."""
PARTS = ("pager", "conductor")
LATELY = timedelta(seconds=15)


_CLOSED = (
    "create trigger moved before insert on fact begin"
    " select raise(abort, 'the record was moved; see settings.toml'); end"
)


class CannotMove(HikeshiError):
    """The record or the target is not as it must be; `defects` are all of them, and nothing was moved."""

    def __init__(self, defects: Sequence[str]) -> None:
        self.defects = list(defects)
        super().__init__("; ".join(self.defects))


@dataclass(frozen=True, kw_only=True)
class Target:
    """An empty database; `password` names a secret (`env:NAME`, `file:PATH`), if it needs one."""

    url: str
    password: str | None = None


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What lies there now, and what settings.toml has to say; `source` is the database that was left."""

    to: str
    source: Path
    streams: int
    facts: int
    settings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The figures for programs."""
        return {
            "to": self.to,
            "source": str(self.source),
            "streams": self.streams,
            "facts": self.facts,
            "settings": list(self.settings),
        }


def move(house: House, target: Target, actor: Actor, reason: str) -> Moved:
    """Copy, verify, close the old one, commit. Raises CannotMove with every defect, Refused, RecordError."""
    source = house.data / "hikeshi.db"
    if house.institution.settings.database is not None or house.drill is not None:
        raise CannotMove(
            ["only a record that lies in SQLite in its own directory can be moved, and no drill's"]
        )
    new = _opened(house, target)
    hold = Hold.beside(house.record.url)
    try:
        if not hold.take():
            raise CannotMove([f"a pager runs on {house.data} (process {hold.holder()}); stop it first"])
        defects = [*_running(house), *verify_path(source).problems, *_unfit(house), *_not_empty(new)]
        if defects:
            raise CannotMove(defects)
        return _moved(house, new, target, actor, reason)
    finally:
        hold.release()
        new.close()


def _opened(house: House, target: Target) -> Record:
    """The target with its schema laid down."""
    settings = house.institution.settings.model_copy(
        update={"database": target.url, "database_password": target.password}
    )
    try:
        # By the same rules as what settings.toml will say.
        type(settings).model_validate(settings.model_dump(by_alias=True))
        if is_sqlite(target.url):
            raise CannotMove([f"--to {target.url}: expected postgresql+psycopg://USER@HOST/NAME"])
        new = record_of(settings, house.data, secrets_of(house.institution.directory))
        new.migrate()
    except (ValueError, BadConfiguration) as wrong:
        raise CannotMove([f"--to: {one}" for one in str(wrong).splitlines()[:3]]) from None
    return new


def _running(house: House) -> Iterator[str]:
    with house.record.read() as tx:
        for part in PARTS:
            if alive(tx, part, house.wall.now(), LATELY):
                yield f"the {part} was alive a moment ago; stop `hikeshi up`, wait 15 s, and try again"
    with house.record.read() as tx:
        if migrations.version(tx.connection) != migrations.HEAD:
            yield "the record is not up to date; run `hikeshi health` once with this version"


def _unfit(house: House) -> Iterator[str]:
    """Texts from before this was looked at, which PostgreSQL cannot hold as their digests cover them."""
    table = METADATA.tables["text"]
    with house.record.read() as tx:
        found = tx.connection.execute(
            select(table.c.stream, table.c.seq).where(func.instr(table.c.body, func.char(0)) > 0)
        ).all()
    for stream, seq in found:
        yield f"{stream} #{seq}: a text holds U+0000, which PostgreSQL cannot keep; dispose of that text"


def _not_empty(new: Record) -> Iterator[str]:
    with new.read() as tx:
        for name in ("fact", "stream", "document"):
            table = METADATA.tables[name]
            if tx.connection.execute(select(func.count()).select_from(table)).scalar_one():
                yield f"{shown(new.url)}: is not empty (table {name}); give it a database of its own"
                return


def _moved(house: House, new: Record, target: Target, actor: Actor, reason: str) -> Moved:
    closed = house.data / MOVED
    settings = [f'database = "{target.url}"']
    settings += [f'database_password = "{target.password}"'] if target.password else []
    desk = Desk(new, house.desk.premises, house.desk.clock)
    try:
        with house.record.begin() as out:
            with new.begin() as into:
                heads = _copied(out, into, new)
                command = MoveRecord(
                    actor=actor,
                    to=shown(target.url),
                    reason=reason,
                    facts=sum(seq for seq, _ in heads.values()),
                    heads=heads,
                    root=root_of(heads),
                )
                desk.handle_in(into, HOUSE, command)
                closed.write_text("\n".join(settings) + "\n", encoding="utf-8")
                crash_point("moved-not-committed")
            out.connection.execute(text(_CLOSED))
    except BaseException:
        # Not stored there, so it goes on here. After an unclear end nobody may tell: this one stays closed.
        if not _is_there(new):
            closed.unlink(missing_ok=True)
        raise
    return Moved(
        to=shown(target.url),
        source=house.data / "hikeshi.db",
        streams=len(heads),
        facts=command.facts,
        settings=tuple(settings),
    )


def _copied(out: Tx, into: Tx, new: Record) -> dict[str, tuple[int, str]]:
    """All of it, verified from the bytes that lie there now; the heads. Raises CannotMove."""
    for table in METADATA.sorted_tables:
        if table.name not in LEFT:
            _copy(out, into, table)
    _number_on(into)
    found = verify(lambda sql, given={}: iter(into.connection.execute(text(sql), given)))
    if found.problems:
        raise CannotMove([f"in {shown(new.url)}: {one}" for one in found.problems])
    return _heads(into)


def _is_there(new: Record) -> bool:
    """Whether what was moved counts there, or may: asked after it broke off."""
    try:
        return any(_not_empty(new))
    except HikeshiError:
        return True


def _copy(out: Tx, into: Tx, table: Table) -> None:
    """All rows of a table, as they are; a message in hand is in nobody's hand there, and looked up."""
    rows = out.connection.execution_options(yield_per=PORTION).execute(table.select())
    for portion in rows.mappings().partitions(PORTION):
        copied = [dict(row) for row in portion]
        if table.name == "outbox":
            copied = [row | {"node": None, "epoch": 0, "lease_until": None} for row in copied]
        into.connection.execute(table.insert(), copied)


def _number_on(into: Tx) -> None:
    """Numbers that the database gives out go on after those that came over."""
    for table in METADATA.sorted_tables:
        column = table.autoincrement_column
        if column is None:
            continue
        last = into.connection.execute(select(func.max(column))).scalar()
        if last is not None:
            given = {"table": table.name, "column": column.name, "last": last}
            statement = "select setval(pg_get_serial_sequence(:table, :column), :last)"
            into.connection.execute(text(statement), given)


def _heads(into: Tx) -> dict[str, tuple[int, str]]:
    table = METADATA.tables["stream"]
    rows = into.connection.execute(select(table.c.id, table.c.seq, table.c.hash).where(table.c.seq > 0))
    return {row[0]: (row[1], bytes(row[2]).hex()) for row in rows}
