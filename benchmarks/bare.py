"""The peers: the rows that a command wrote, written again with nothing in between."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from models.premises import Outcome
from models.record import FACT, OUTBOX, STREAM, TEXT, Record, Tx

_DERIVED = ("seq", "hash", "status", "severity", "drill", "next_due_at", "wanted")
_SNAPSHOT = ("snapshot", "snapshot_seq", "rules")


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What one command wrote, in one transaction."""

    facts: Sequence[Mapping[str, Any]]
    texts: Sequence[Mapping[str, Any]]
    outbox: Sequence[Mapping[str, Any]]
    stream: Mapping[str, Any]


def rows_of(record: Record, outcomes: Iterable[Outcome]) -> list[Rows]:
    """The rows of each outcome, read back from the record. Each outcome is of one stream."""
    with record.read() as tx:
        return [_read(tx, outcome) for outcome in outcomes]


def _read(tx: Tx, outcome: Outcome) -> Rows:
    last = outcome.facts[-1].seq
    facts = _all(tx, FACT, *_between(FACT, "seq", outcome))
    head = _all(tx, STREAM, STREAM.c.id == outcome.stream)[0]
    names = [*_DERIVED, *(_SNAPSHOT if head["snapshot_seq"] == last else ())]
    stream = {name: head[name] for name in names} | {"seq": last, "hash": facts[-1]["hash"]}
    outbox = _all(tx, OUTBOX, *_between(OUTBOX, "cause", outcome))
    return Rows(
        facts=facts,
        texts=_all(tx, TEXT, *_between(TEXT, "seq", outcome)),
        outbox=[{name: value for name, value in row.items() if name != "id"} for row in outbox],
        stream={"id": outcome.stream, **stream},
    )


def _all(tx: Tx, table: sa.Table, *conditions: Any) -> list[dict[str, Any]]:
    found = tx.connection.execute(sa.select(table).where(*conditions))
    return [dict(row) for row in found.mappings()]


def _between(table: sa.Table, seq: str, outcome: Outcome) -> tuple[Any, Any]:
    """Rows that the outcome's facts are, or have caused."""
    first, last = outcome.facts[0].seq, outcome.facts[-1].seq
    return table.c.stream == outcome.stream, table.c[seq].between(first, last)


def _laid_down(path: Path, streams: Sequence[Mapping[str, Any]]) -> None:
    record = Record.at(path)
    record.migrate()
    with record.begin() as tx:
        tx.connection.execute(STREAM.insert(), [dict(row) for row in streams])
    record.close()


class BareSqlite:
    """The driver alone, with the same settings and the same schema."""

    def __init__(self, path: Path, streams: Sequence[Mapping[str, Any]]) -> None:
        _laid_down(path, streams)
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=1"):
            self._connection.execute(f"pragma {pragma}")

    def write(self, rows: Rows) -> None:
        """One transaction."""
        cursor = self._connection.cursor()
        cursor.execute("begin immediate")
        for table, many in (("fact", rows.facts), ("text", rows.texts), ("outbox", rows.outbox)):
            if many:
                cursor.executemany(_insert(table, tuple(many[0])), [tuple(row.values()) for row in many])
        names = [name for name in rows.stream if name != "id"]
        sets = ", ".join(f"{name} = ?" for name in names)
        values = [*(rows.stream[name] for name in names), rows.stream["id"]]
        cursor.execute(f"update stream set {sets} where id = ?", values)  # noqa: S608 - names of ours
        cursor.execute("commit")

    def close(self) -> None:
        """Let the database go."""
        self._connection.close()


def _insert(table: str, names: tuple[str, ...]) -> str:
    places = ", ".join("?" for _ in names)
    return f"insert into {table} ({', '.join(names)}) values ({places})"  # noqa: S608 - names of ours


class BareCore:
    """SQLAlchemy Core on one kept connection: the same statements, built once."""

    def __init__(self, path: Path, streams: Sequence[Mapping[str, Any]]) -> None:
        _laid_down(path, streams)
        self._record = Record.at(path)
        self._inserts = {name: table.insert() for name, table in _TABLES.items()}
        self._updates: dict[int, sa.Update] = {}

    def write(self, rows: Rows) -> None:
        """One transaction."""
        with self._record.begin() as tx:
            for name, many in (("fact", rows.facts), ("text", rows.texts), ("outbox", rows.outbox)):
                if many:
                    tx.connection.execute(self._inserts[name], [dict(row) for row in many])
            given = {f"new_{name}": value for name, value in rows.stream.items() if name != "id"}
            tx.connection.execute(self._update(rows.stream), given | {"of": rows.stream["id"]})

    def _update(self, stream: Mapping[str, Any]) -> sa.Update:
        if len(stream) not in self._updates:
            values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in stream if name != "id"}
            self._updates[len(stream)] = (
                sa.update(STREAM).where(STREAM.c.id == sa.bindparam("of")).values(values)
            )
        return self._updates[len(stream)]

    def close(self) -> None:
        """Let the database go."""
        self._record.close()


_TABLES = {"fact": FACT, "text": TEXT, "outbox": OUTBOX}
