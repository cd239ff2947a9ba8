"""The stored past: closed incidents, bulk-loaded as whole chains of valid facts.

Two patterns are made by commands at a desk; each copy says its own number and its own day, and has a chain of
its own. A full one has 200 facts and more with their texts and messages; a skeleton keeps of its facts only
those that say that it was declared, on which playbook, how severe, and that it ended.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from benchmarks.bank import LEAD, Bank, accepted, declare
from benchmarks.work import mixed
from models.canonical import GENESIS
from models.clock import ExerciseClock, micros
from models.commands import EndIncident
from models.desk import Desk
from models.fact import read_fact
from models.record import FACT, OUTBOX, STREAM, TEXT

FACTS = 200
_SKELETON = ("incident.declared", "playbook.added", "severity.set", "incident.dismissed")
_PER_WRITE = 2_000
_DAY = re.compile(rb"\d{4}-\d\d-\d\d(?=T\d\d:\d\d:\d\d\.\d{6}Z)")
_ID = b"%(id)b"
YEARS_OF_DAYS = 3_650
_Row = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A closed incident to copy. Bodies are templates for its number and its days; rows lie beside them."""

    days: Sequence[bytes]
    facts: Sequence[tuple[str, bytes]]
    texts: Sequence[dict[str, Any]]
    outbox: Sequence[dict[str, Any]]
    stream: dict[str, Any]

    def bodies(self, number: str, by: int) -> Iterator[tuple[str, bytes]]:
        """Kind and bytes of each fact of the copy that happened `by` days earlier."""
        moved = {
            b"d%d" % place: (date.fromisoformat(day.decode()) - timedelta(days=by)).isoformat().encode()
            for place, day in enumerate(self.days)
        }
        values = moved | {b"id": number.encode()}
        for kind, body in self.facts:
            yield kind, body % values


def pattern(desk: Desk, *, skeleton: bool) -> Pattern:
    """Declared, worked on, dismissed. The instants are those of the desk's clock."""
    stream = declare(desk)
    if not skeleton:
        work = mixed(10 * FACTS, "past")
        while desk.state(stream).seq < FACTS:
            accepted(desk.handle(stream, next(work)))
    accepted(desk.handle(stream, EndIncident(actor=LEAD, how="dismissed", reason="ベンチマーク")))
    with desk.record.read() as tx:
        tables = ((STREAM, STREAM.c.id), (FACT, FACT.c.stream), (TEXT, TEXT.c.stream))
        rows = {
            table.name: [
                dict(row) for row in tx.connection.execute(sa.select(table).where(key == stream)).mappings()
            ]
            for table, key in (*tables, (OUTBOX, OUTBOX.c.stream))
        }
    bodies = [(row["kind"], bytes(row["body"])) for row in rows["fact"]]
    texts = rows["text"]
    if skeleton:
        bodies, texts = _bared(bodies), []
    days = sorted({day for _, body in bodies for day in _DAY.findall(body)})
    templates = [(kind, _template(body, stream, days)) for kind, body in bodies]
    head = rows["stream"][0] | {"next_due_at": None, "seq": len(bodies)}
    if skeleton:
        head |= {"snapshot": None, "snapshot_seq": 0}
    outbox = [] if skeleton else rows["outbox"]
    return Pattern(days=days, facts=templates, texts=texts, outbox=outbox, stream=head)


def _bared(bodies: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Only what a skeleton keeps, numbered anew; the texts that it names are not there."""
    kept = [read_fact(body) for kind, body in bodies if kind in _SKELETON]
    return [
        (fact.kind, msgspec.structs.replace(fact, seq=seq).body()) for seq, fact in enumerate(kept, start=1)
    ]


def _template(body: bytes, stream: str, days: Sequence[bytes]) -> bytes:
    body = body.replace(b"%", b"%%").replace(stream.encode(), _ID)
    return _DAY.sub(lambda found: b"%%(d%d)b" % days.index(found[0]), body)


class Loader:
    """Writes copies with the bare driver, the disk not waited for; nothing of it is measured."""

    def __init__(self, database: Path, now: datetime) -> None:
        self._connection = sqlite3.connect(database, isolation_level=None)
        for pragma in ("synchronous=OFF", "cache_size=-200000", "wal_autocheckpoint=20000"):
            self._connection.execute(f"pragma {pragma}")
        self._now = now

    def load(self, one: Pattern, count: int, series: str) -> None:
        """`count` copies, numbered by year and `series`, spread over ten years."""
        copies = (self._copy(one, number, series) for number in range(count))
        while batch := list(islice(copies, max(1, _PER_WRITE // len(one.facts)))):
            self._connection.execute("begin")
            for table in ("stream", "fact", "text", "outbox"):
                rows = [row for each in batch for row in each[table]]
                if rows:
                    self._insert(table, rows)
            self._connection.execute("commit")

    def _insert(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        names = tuple(rows[0])
        places = ", ".join("?" for _ in names)
        statement = f"insert into {table} ({', '.join(names)}) values ({places})"  # noqa: S608 - names of ours
        self._connection.executemany(statement, [tuple(row.values()) for row in rows])

    def _copy(self, one: Pattern, number: int, series: str) -> dict[str, list[dict[str, Any]]]:
        by = 1 + number % YEARS_OF_DAYS
        at = self._now.astimezone(UTC) - timedelta(days=by)
        name = f"INC-{at.year}-{series}{number:07d}"
        head, facts = GENESIS, []
        for seq, (kind, body) in enumerate(one.bodies(name, by), start=1):
            head = hashlib.sha256(head + body).digest()
            facts.append({"stream": name, "seq": seq, "kind": kind, "body": body, "hash": head})
        stream = one.stream | {"id": name, "hash": head, "opened_at": micros(at)}
        old = str(one.stream["id"])
        if stream["snapshot"] is not None:
            stream["snapshot"] = bytes(stream["snapshot"]).replace(old.encode(), name.encode())
        return {
            "stream": [stream],
            "fact": facts,
            "text": [text | {"stream": name} for text in one.texts],
            "outbox": [_sent(row, old, name, at) for row in one.outbox],
        }

    def close(self) -> None:
        """Let the planner see what there is now, as a node does, and the database go."""
        self._connection.execute("pragma wal_checkpoint(truncate)")
        self._connection.close()


def _sent(row: dict[str, Any], old: str, name: str, at: datetime) -> dict[str, Any]:
    """A message of the past: it has been sent."""
    kept = {column: value for column, value in row.items() if column != "id"}
    instants = {"created_at": micros(at), "next_try_at": micros(at), "sent_at": micros(at)}
    return kept | instants | {"key": row["key"].replace(old, name), "stream": name, "state": "sent"}


def load_past(bank: Bank, now: datetime, full: int, skeletons: int) -> None:
    """Full incidents and skeletons into the bank's record, which is there already."""
    desk = bank.desk(ExerciseClock(now))
    whole, bare = pattern(desk, skeleton=False), pattern(desk, skeleton=True)
    desk.record.close()
    loader = Loader(bank.database, now)
    loader.load(whole, full, "8")
    loader.load(bare, skeletons, "9")
    loader.close()
