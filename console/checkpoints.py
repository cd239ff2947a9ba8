"""Making checkpoints: reading what is new, signing, storing; and giving them to somebody who keeps them.

Three short parts, so that a page never waits for a checkpoint: `look` and `store` run in the record's thread
and touch as many rows as there are new facts, `make` runs beside it.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import bindparam, select

from console.signing import Signer
from models.checkpoint import (
    FULL_EVERY,
    MAX_TRAIL,
    Checkpoint,
    Maker,
    Owed,
    digest,
    make,
    owed,
    read_checkpoint,
)
from models.clock import Clock, iso
from models.errors import NotFound, RecordConflict
from models.integrity import QUIET
from models.record import ANCHOR, CHECKPOINT, FACT, STREAM, Record, Tx, micros

MOMENTS = frozenset({"incident.declared", "incident.resolved", "incident.closed", "incident.reopened"})
"""What ought to be found in a checkpoint elsewhere at once, not within the hour."""
AT_A_LOOK = 5_000
OPEN_KNOWN_FOR = timedelta(seconds=30)
_LAST = select(CHECKPOINT.c.number, CHECKPOINT.c.at).order_by(CHECKPOINT.c.number.desc()).limit(1)
_BODY = select(CHECKPOINT.c.body).where(CHECKPOINT.c.number == bindparam("number"))
_OPEN = (
    select(STREAM.c.id).where(STREAM.c.kind == "incident", STREAM.c.status.in_(["open", "resolved"])).limit(1)
)
_HEADS = select(STREAM.c.id, STREAM.c.seq, STREAM.c.hash)
_AFTER = (
    select(FACT.c.seq, FACT.c.hash, FACT.c.kind)
    .where(FACT.c.stream == bindparam("stream"), FACT.c.seq > bindparam("after"))
    .order_by(FACT.c.seq)
)
# Facts are only ever appended, so SQLite's own row numbers tell what is new, however many records there are.
_NEW = "select rowid, stream, seq, hash, kind from fact where rowid > ? order by rowid limit ?"
_Heads = dict[str, tuple[int, str]]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a checkpoint is made of, as of one instant."""

    owed: Owed
    at: datetime
    before: tuple[int, str] | None
    heads: _Heads
    known: _Heads | None
    trail: dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A checkpoint with its signature."""

    number: int
    at: datetime
    body: bytes
    key: str
    signature: bytes

    def line(self, heads: _Heads | None = None) -> dict[str, Any]:
        """As somebody keeps it elsewhere; `heads` beside the body if it does not list all of them."""
        line = {"t": "checkpoint", "number": self.number, "body": self.body.decode(), "key": self.key}
        beside = {"heads": {name: list(one) for name, one in heads.items()}} if heads is not None else {}
        return line | {"signature": self.signature.hex()} | beside


@dataclass(kw_only=True)
class Checkpoints:
    """The checkpoints of one record, as one process makes them. `look` and `store` in the record's thread."""

    record: Record
    clock: Clock
    node: str
    last: tuple[int, str] | None = None
    last_at: datetime | None = None
    _heads: _Heads | None = None
    _known: _Heads | None = None
    _trail: dict[str, list[str]] = field(default_factory=dict)
    _mark: int = 0
    _fresh: int = 0
    _moment: bool = False
    _open: tuple[datetime, bool] | None = None

    def look(self, *, force: bool = False) -> Taken | None:
        """What the next checkpoint is made of, if one is owed (`force`: if anything is new at all)."""
        now = self.clock.now()
        with self.record.read() as tx:
            self._catch_up_with_others(tx)
            grown = self._read(tx)
            why = owed(
                new_facts=self._fresh,
                last=self.last_at,
                incident_open=self._is_open(tx, now),
                moment=self._moment or force,
                now=now,
            )
        # The page of a declaration leaves first: what has come just now is taken at the next look.
        if not why.yes or (why is Owed.MOMENT and grown and not force):
            return None
        trail = {name: list(hashes) for name, hashes in self._trail.items()}
        heads = dict(self._heads or {})
        return Taken(owed=why, at=now, before=self.last, heads=heads, known=self._known, trail=trail)

    def make(self, taken: Taken, signer: Signer) -> Made:
        """Write it and sign it. In any thread."""
        by = Maker(taken.at, self.node, signer.id)
        one = make(by, before=taken.before, heads=taken.heads, known=taken.known, trail=taken.trail)
        body = one.body()
        signature = signer.sign(body)
        return Made(number=one.number, at=taken.at, body=body, key=signer.id, signature=signature)

    def store(self, made: Made, taken: Taken) -> None:
        """Store it. Raises RecordConflict if somebody else has made one meanwhile: look again."""
        row = {"number": made.number, "at": micros(made.at), "key": made.key}
        with self.record.begin() as tx:
            last = tx.connection.execute(_LAST).first()
            if (last.number if last else 0) != made.number - 1:
                raise RecordConflict(f"checkpoint #{made.number} was made by another process; look again")
            tx.connection.execute(CHECKPOINT.insert(), row | {"body": made.body, "signature": made.signature})
        self.last, self.last_at = (made.number, digest(made.body)), made.at
        self._known, self._trail = taken.heads, {}
        self._fresh, self._moment = 0, False

    def now(self, signer: Signer) -> Made | None:
        """All three at once, for a command that has the record to itself; None if nothing is new."""
        for _ in range(3):
            taken = self.look(force=True)
            if taken is None:
                return None
            made = self.make(taken, signer)
            try:
                self.store(made, taken)
            except RecordConflict:
                continue
            return made
        raise RecordConflict("another process makes checkpoints all the time; try again")

    # -- reading --------------------------------------------------------------------------------------------

    def _catch_up_with_others(self, tx: Tx) -> None:
        """Another process may have made checkpoints: ours is chained to the last one, whoever made it."""
        row = tx.connection.execute(_LAST).first()
        if row is None:
            self.last = self.last_at = None
        elif self.last is None or self.last[0] != row.number:
            body = tx.connection.execute(_BODY, {"number": row.number}).scalar_one()
            self.last = (row.number, digest(bytes(body)))
            self.last_at = datetime.fromtimestamp(row.at / 1_000_000, UTC)
            self._known = None
            if self._heads is not None:
                self._fresh = 0

    def _read(self, tx: Tx) -> bool:
        """Take in what is new; whether anything was."""
        if self._heads is None:
            self._begin(tx)
            return True
        rows = list(self._rows(tx, self._heads))
        for stream, seq, hashed, kind in rows:
            if seq != self._heads.get(stream, (0, ""))[0] + 1:
                # The database was packed or restored under us: all of it is read again.
                self._heads = self._known = None
                self._trail = {}
                return True
            self._heads[stream] = (seq, hashed)
            self._trail.setdefault(stream, []).append(hashed)
            self._fresh += kind not in QUIET
            self._moment = self._moment or kind in MOMENTS
        if sum(map(len, self._trail.values())) > MAX_TRAIL + AT_A_LOOK:
            self._trail = {}
        return any(kind not in QUIET for *_, kind in rows)

    def _begin(self, tx: Tx) -> None:
        """The first look: all heads as they are; what is new since the last checkpoint is counted."""
        rows = tx.connection.execute(_HEADS)
        self._heads = {row[0]: (row[1], bytes(row[2]).hex()) for row in rows if row[1]}
        self._fresh = sum(seq for seq, _ in self._heads.values())
        if self.last is not None:
            body = tx.connection.execute(_BODY, {"number": self.last[0]}).scalar_one()
            self._fresh -= int(read_checkpoint(bytes(body)).facts)
        elif self._fresh <= MAX_TRAIL:
            self._trail = {name: self._hashes(tx, name) for name in self._heads}
        if tx.connection.dialect.name == "sqlite":
            marked = tx.connection.exec_driver_sql("select coalesce(max(rowid), 0) from fact")
            self._mark = int(marked.scalar_one())

    def _hashes(self, tx: Tx, stream: str) -> list[str]:
        return [bytes(row[1]).hex() for row in tx.connection.execute(_AFTER, {"stream": stream, "after": 0})]

    def _rows(self, tx: Tx, heads: _Heads) -> Iterator[tuple[str, int, str, str]]:
        """Stream, number, hash and kind of the facts since the last look, in order within each stream."""
        if tx.connection.dialect.name == "sqlite":
            for row in tx.connection.exec_driver_sql(_NEW, (self._mark, AT_A_LOOK)):
                self._mark = row[0]
                yield row[1], row[2], bytes(row[3]).hex(), row[4]
            return
        for name, seq, _ in tx.connection.execute(_HEADS).all():
            after = heads.get(name, (0, ""))[0]
            if seq > after:
                for row in tx.connection.execute(_AFTER, {"stream": name, "after": after}):
                    yield name, row[0], bytes(row[1]).hex(), row[2]

    def _is_open(self, tx: Tx, now: datetime) -> bool:
        """Whether an incident is open or under review; asked only if it matters, and not each second."""
        if not self._fresh:
            return False
        if self._open is None or abs(now - self._open[0]) > OPEN_KNOWN_FOR:
            self._open = (now, tx.connection.execute(_OPEN).first() is not None)
        return self._open[1]


# -- giving them away ---------------------------------------------------------------------------------------


def all_made(tx: Tx, after: int = 0) -> Iterator[Made]:
    """The checkpoints of a record after one number, in order."""
    rows = tx.connection.execute(
        CHECKPOINT.select().where(CHECKPOINT.c.number > after).order_by(CHECKPOINT.c.number)
    )
    yield from map(_made, rows)


def _made(row: Any) -> Made:
    at = datetime.fromtimestamp(row.at / 1_000_000, UTC)
    return Made(number=row.number, at=at, body=bytes(row.body), key=row.key, signature=bytes(row.signature))


def find_made(tx: Tx, number: int | None = None) -> Made:
    """The checkpoint with this number, or the last one. Raises NotFound."""
    wanted = CHECKPOINT.select().order_by(CHECKPOINT.c.number.desc()).limit(1)
    row = tx.connection.execute(
        wanted if number is None else wanted.where(CHECKPOINT.c.number == number)
    ).first()
    if row is None:
        what = "no checkpoint yet" if number is None else f"no checkpoint #{number}"
        raise NotFound(
            f"there is {what}; `hikeshi checkpoint list` shows them, `hikeshi checkpoint now` makes one"
        )
    return _made(row)


def find_last(tx: Tx, count: int) -> list[Made]:
    """The last checkpoints, the newest first."""
    return [
        _made(row)
        for row in tx.connection.execute(
            CHECKPOINT.select().order_by(CHECKPOINT.c.number.desc()).limit(count)
        )
    ]


def heads_at(tx: Tx, made: Made) -> _Heads | None:
    """All heads at a checkpoint that does not list them all; None if it does, or if they cannot be found."""
    one = read_checkpoint(made.body)
    if one.full:
        return None
    listed: list[Checkpoint] = [one]
    rows = tx.connection.execute(
        CHECKPOINT.select()
        .where(CHECKPOINT.c.number < made.number, CHECKPOINT.c.number >= made.number - FULL_EVERY)
        .order_by(CHECKPOINT.c.number.desc())
    )
    for row in rows:
        listed.append(read_checkpoint(bytes(row.body)))
        if listed[-1].full:
            return {name: head for before in reversed(listed) for name, head in before.heads.items()}
    return None


def kept_form(tx: Tx, made: Made) -> bytes:
    """What somebody keeps elsewhere: the keys there were, and the checkpoint with all heads, a line each."""
    lines = [*key_lines(tx), made.line(heads_at(tx, made))]
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def key_lines(tx: Tx) -> list[dict[str, Any]]:
    """The keys that the house knows, in the order in which they were used."""
    rows = tx.connection.execute(
        select(FACT.c.body)
        .where(FACT.c.stream == "house", FACT.c.kind.startswith("key."))
        .order_by(FACT.c.seq)
    )
    lines = []
    for row in rows:
        data = msgspec.json.decode(bytes(row[0]))["data"]
        rest = {name: data[name] for name in ("public", "at", "before", "signature") if name in data}
        lines.append({"t": "key", "id": data["key"], **rest})
    return lines


def lines(tx: Tx, after: int = 0) -> Iterator[dict[str, Any]]:
    """Everything about checkpoints for an export: keys, checkpoints after one number, anchors."""
    yield from key_lines(tx)
    for made in all_made(tx, after):
        yield made.line()
    for row in tx.connection.execute(
        ANCHOR.select().where(ANCHOR.c.checkpoint > after).order_by(ANCHOR.c.id)
    ):
        at = iso(datetime.fromtimestamp(row.at / 1_000_000, UTC))
        line = {"t": "anchor", "checkpoint": row.checkpoint, "kind": row.kind, "at": at, "where": row.place}
        token = {"token": base64.b64encode(bytes(row.token)).decode()} if row.token is not None else {}
        yield line | {"receipt": row.receipt} | token
