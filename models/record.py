"""The record's own storage: facts with their chain, texts beside them, and what is derived from them.

SQLAlchemy Core on one kept connection; SQLite in WAL with synchronous=FULL by default, PostgreSQL for several
machines (models.database says what differs). Not safe for several threads: each process has one writer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, not_, select, update
from sqlalchemy.exc import DatabaseError, IntegrityError, InterfaceError, OperationalError

from models import clock, database, migrations
from models.canonical import GENESIS, chain_hash
from models.crashpoint import crash_point
from models.errors import HikeshiError, RecordConflict, RecordUncertain
from models.fact import DISPOSED, Fact, StoredText, read_fact
from models.frozen import Document
from models.hearing import Hearing
from models.tables import METADATA
from models.withdrawing import Withdrawal

SETTLE_SECONDS = 5.0
"""How long a commit that broke off is asked after."""
_t = METADATA.tables
micros = clock.micros
STREAM, FACT, TEXT, DOCUMENT = _t["stream"], _t["fact"], _t["text"], _t["document"]
OUTBOX, ALERT, NODE, COUNTER = _t["outbox"], _t["alert"], _t["node"], _t["counter"]
MIRROR, CHECKPOINT, ANCHOR, RELAY = _t["mirror"], _t["checkpoint"], _t["anchor"], _t["relay"]
SESSION, ONCE, REQUEST, HOOK = _t["session"], _t["once"], _t["request"], _t["hook"]
LEASE, RELEASE = _t["lease"], _t["release"]
AUDIT = _t["audit"]


@dataclass(frozen=True, kw_only=True)
class Derived:
    """What is kept of a stream's state beside its facts."""

    status: str
    severity: str
    drill: bool
    next_due_at: datetime | None
    wanted: int
    snapshot: bytes | None
    rules: int
    clocks: tuple[int, int, int] = (0, 0, 0)
    """Running, of those forecast to break, and running past their target."""
    restricted: bool = False
    """Whether only some may know of it: lists leave it out without folding it."""


class Record:
    """A database that holds records."""

    def __init__(self, url: str, password: str = "") -> None:
        """`password` is that of a server, if the address has none; it is kept out of whatever is shown."""
        self.url = url
        self._password = password
        self._engine = database.engine_of(url, password)
        self._connection: Connection | None = None
        self._owner = 0
        self._hearing: Hearing | None = None
        self.took: Callable[[float], None] = lambda seconds: None
        """Told of each transaction that was stored, how long it took from its beginning."""

    def another(self) -> Record:
        """The same database on a connection of its own, for another thread."""
        return Record(self.url, self._password)

    @property
    def is_shared(self) -> bool:
        """Whether nodes on several machines may have it: it lies on a database server."""
        return not database.is_sqlite(self.url)

    @classmethod
    def at(cls, path: Path) -> Record:
        """The SQLite record at `path`; its folder is made if need be, readable by its owner only."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(f"sqlite:///{path}")

    @classmethod
    def in_memory(cls) -> Record:
        """A record that is gone with the process: rehearsals and tests."""
        record = cls("sqlite://")
        record.migrate()
        return record

    def migrate(self) -> None:
        """Lay the schema down or bring it up to date. Of several nodes that start, one does it."""
        with database.translated():
            connection = self._open()
            if self.is_shared:
                connection.execute(database.HOLD, {"name": "schema"})
            try:
                migrations.upgrade(connection)
                connection.commit()
            finally:
                connection.rollback()  # refused or failed: the lock of what was begun goes with it

    def _open(self) -> Connection:
        if self._connection is None or self._connection.invalidated:
            self._connection = self._engine.connect()
        return self._connection

    def _enter(self, connection: Connection) -> None:
        """Transactions do not nest, and one thread has the record: another's would end ours half way."""
        if connection.in_transaction():
            raise HikeshiError("a transaction is open on this record; use that one (a defect of Hikeshi)")
        self._owner = self._owner or threading.get_ident()
        if self._owner != threading.get_ident():
            raise HikeshiError("the record belongs to another thread; hand it the work (a defect of Hikeshi)")

    def hand_over(self) -> None:
        """Whoever uses the record next has it from then on: a node opens it here and writes over there."""
        self._owner = 0

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """A consistent look that keeps nobody from writing."""
        with database.translated():
            connection = self._open()
            self._enter(connection)
            connection.info["reading"] = True
            try:
                yield Tx(connection)
            except (OperationalError, InterfaceError, DatabaseError):
                if self.is_shared:
                    self._give_up(connection)
                raise
            finally:
                if not connection.invalidated and not connection.closed:
                    connection.rollback()
                    connection.info["reading"] = False

    @contextmanager
    def begin(self) -> Iterator[Tx]:
        """One transaction: everything in it is stored durably when it ends, or nothing is.

        Raises RecordUncertain if a server's connection broke at the commit and it does not tell any more.
        """
        with database.translated():
            begun = clock.monotonic()
            connection = self._open()
            self._enter(connection)
            tx: Tx | None = None
            committing = False
            try:
                with connection.begin():
                    tx = Tx(connection)
                    yield tx
                    crash_point("before-commit")
                    committing = True
            except IntegrityError:
                raise  # rolled back and sound
            except (OperationalError, InterfaceError, DatabaseError) as failed:
                # A connection that failed may be in any state; the next transaction opens its own.
                self._give_up(connection)
                doubtful = committing and database.is_of_a_server(failed) and not database.is_definite(failed)
                if not doubtful or tx is None or not self._was_stored(tx):
                    raise
        self.took(clock.monotonic() - begun)
        crash_point("after-commit")

    def _give_up(self, connection: Connection) -> None:
        connection.invalidate()
        connection.close()
        self._connection = None

    def _was_stored(self, tx: Tx) -> bool:
        """Whether a transaction whose commit broke off came about: the server knows it by its number.

        A standby that took the lost one's place may have given the number to another by now, so what was
        written must be there as well. Whatever has a fact in it has a number; what has none can be done
        again. Raises RecordUncertain.
        """
        if not tx.number_of_it:
            return False
        until = clock.monotonic() + SETTLE_SECONDS
        while clock.monotonic() < until:
            try:
                with self._engine.connect() as other:
                    found = other.execute(database.STATUS, {"xid": tx.number_of_it}).scalar()
                    if found in {"committed", "aborted"}:
                        return found == "committed" and other.execute(_HAS, tx.wrote).first() is not None
            except (OperationalError, InterfaceError):
                pass  # not up again yet
            except DatabaseError:
                return False  # a server that never heard of it, in the lost one's place
            clock.pause(0.1)
        raise RecordUncertain(
            "the database broke off while this was being stored, and does not say whether it was; "
            "look with `hikeshi log` before you repeat it"
        )

    def data_version(self) -> int:
        """A number that changes when somebody has written; on SQLite only when another process has."""
        if not self.is_shared:
            with database.translated():
                return database.sqlite_version(self._open())
        if self._hearing is None:
            self._hearing = Hearing(self.url, self._password)
        return self._hearing.version

    def heard(self) -> frozenset[str] | None:
        """The streams that somebody has written in since this was last asked; None if nobody can tell."""
        return self._hearing.streams() if self._hearing is not None else None

    @property
    def told(self) -> int:
        """As `data_version`, without beginning to listen; 0 while nobody tells when others write."""
        listening = self._hearing is not None and self._hearing.connected
        return self._hearing.version if listening and self._hearing is not None else 0

    def close(self) -> None:
        """Let the database go."""
        if self._hearing is not None:
            self._hearing.close()
            self._hearing = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()


_ADD_FACT = FACT.insert()
_ADD_TEXT = TEXT.insert()


_DOCUMENT = select(DOCUMENT.c.body).where(DOCUMENT.c.digest == bindparam("digest"))
# Not `is true`: only so does SQLite find the few by their index.
_RESTRICTED = select(STREAM.c.id).where(STREAM.c.restricted).order_by(STREAM.c.id)
_INCIDENTS = select(STREAM.c.id).where(STREAM.c.kind == "incident").order_by(STREAM.c.opened_at, STREAM.c.id)
_HEAD = select(STREAM.c.seq, STREAM.c.hash).where(STREAM.c.id == bindparam("stream"))
_HAS = select(FACT.c.seq).where(
    FACT.c.stream == bindparam("stream"), FACT.c.seq == bindparam("seq"), FACT.c.hash == bindparam("hash")
)
_FACTS = (
    select(FACT.c.body)
    .where(FACT.c.stream == bindparam("stream"), FACT.c.seq > bindparam("after"))
    .order_by(FACT.c.seq)
)
_TEXTS = select(TEXT.c.digest, TEXT.c.body).where(
    TEXT.c.stream == bindparam("stream"), TEXT.c.seq > bindparam("after")
)
_DERIVE = update(STREAM).where(STREAM.c.id == bindparam("stream"))
_PEEK = select(COUNTER.c.value).where(COUNTER.c.name == bindparam("counter"))
_SNAPSHOT = select(STREAM.c.snapshot, STREAM.c.snapshot_seq, STREAM.c.rules, STREAM.c.seq).where(
    STREAM.c.id == bindparam("stream")
)


class Tx:
    """What can be done inside one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.shared = connection.dialect.name == database.POSTGRESQL
        """Whether others may write at the same time; on SQLite a writer is alone."""
        self.number_of_it = ""
        """By which the server knows this transaction, once it has written a fact."""
        self.wrote: dict[str, Any] = {}
        """The last fact that it has written, then: its stream, its seq and its hash."""

    @cached_property
    def version(self) -> int:
        """A number that is the same as long as only this connection has written; 0 if nobody can tell."""
        return 0 if self.shared else database.sqlite_version(self.connection)

    # -- who may write --------------------------------------------------------------------------------------

    @property
    def reading(self) -> bool:
        """Whether this only looks."""
        return bool(self.connection.info.get("reading", False))

    def share(self, stream: str) -> None:
        """Nobody writes in this stream until we are through: what is decided rests on it."""
        if self.shared and not self.reading:
            self.connection.execute(database.SHARE, {"name": stream})

    def hold(self, stream: str, *, told: bool) -> None:
        """This stream is ours to write in until we are through; `told`: others rest on it by `share`.

        Without it a loser is found out when it writes, and decides again.
        """
        if self.shared and told:
            self.connection.execute(database.HOLD, {"name": stream})
        elif self.shared:
            self.connection.execute(database.ROW, {"stream": stream})

    def free(self, streams: Sequence[str]) -> list[str]:
        """Those of these streams that nobody else is writing in; they are ours until we are through."""
        if not self.shared:
            return list(streams)
        return list(self.connection.execute(database.ROWS, {"streams": list(streams)}).scalars())

    def instant(self, now: datetime) -> int:
        """Now in microseconds, for leases: by the database's clock where nodes share it, else `now`."""
        return int(self.connection.execute(database.NOW).scalar_one()) if self.shared else micros(now)

    # -- facts ----------------------------------------------------------------------------------------------

    def head(self, stream: str) -> tuple[int, bytes]:
        """Seq and hash of the last fact; (0, zeros) if there is none."""
        row = self.connection.execute(_HEAD, {"stream": stream}).first()
        return (row[0], bytes(row[1])) if row else (0, GENESIS)

    def snapshot(self, stream: str, rules: int) -> tuple[bytes | None, int, int]:
        """The last snapshot by these rules with its seq, and the seq of the head."""
        row = self.connection.execute(_SNAPSHOT, {"stream": stream}).first()
        if row is None:
            return None, 0, 0
        return (bytes(row[0]), row[1], row[3]) if row[0] and row[2] == rules else (None, 0, row[3])

    def restricted(self) -> list[str]:
        """Ids of the incidents that only some may know of."""
        return list(self.connection.execute(_RESTRICTED).scalars())

    def incidents(self) -> list[str]:
        """Ids of all incidents of this record, in their order."""
        return list(self.connection.execute(_INCIDENTS).scalars())

    def facts(self, stream: str, after: int = 0) -> list[Fact]:
        """The facts of a stream after `after`, in order."""
        rows = self.connection.execute(_FACTS, {"stream": stream, "after": after})
        return [read_fact(row[0]) for row in rows]

    def texts(self, stream: str, after: int = 0) -> dict[str, str | None]:
        """Texts beside the facts after this one, by digest; None for what has been disposed of since."""
        rows = self.connection.execute(_TEXTS, {"stream": stream, "after": after})
        found: dict[str, str | None] = {row[0]: row[1] for row in rows}
        since = (FACT.c.stream == stream) & (FACT.c.seq > after) & (FACT.c.kind == DISPOSED)
        for body in self.connection.execute(select(FACT.c.body).where(since)).scalars():
            found[read_fact(body).data["digest"]] = None
        return found

    def append(self, facts: Sequence[Fact], texts: Mapping[int, Sequence[StoredText]]) -> bytes:
        """Write facts after the head of their stream and return the new head's hash.

        Raises RecordConflict if somebody else wrote first.
        """
        stream = facts[0].stream
        seq, before = self.head(stream)
        rows = []
        for fact in facts:
            if fact.seq != seq + 1:
                raise RecordConflict(f"{stream}: expected #{seq + 1}, got #{fact.seq}; load it again")
            body = fact.body()
            before = chain_hash(before, body)
            rows.append({"stream": stream, "seq": fact.seq, "kind": fact.kind, "body": body, "hash": before})
            seq = fact.seq
        self.connection.execute(_ADD_FACT, rows)
        self._dispose(facts)
        beside = [
            {"stream": stream, "digest": one.digest, "seq": number, "salt": one.salt, "body": one.body}
            for number, many in texts.items()
            for one in many
        ]
        if beside:
            self.connection.execute(_ADD_TEXT, beside)
        if self.shared:
            # The others are woken when this is committed, and only then.
            self.number_of_it = str(self.connection.execute(database.TELL, {"stream": stream}).one()[1])
            self.wrote = {"stream": stream, "seq": seq, "hash": before}
        crash_point("facts-written")
        return before

    def _dispose(self, facts: Sequence[Fact]) -> None:
        """A text goes with the fact that says so, or neither does; only its digest stays.

        Its salt goes with it: who has both can try out what a short text, as a telephone number, was.
        """
        for fact in facts:
            if fact.kind == DISPOSED:
                one = (TEXT.c.stream == fact.stream) & (TEXT.c.digest == fact.data["digest"])
                self.connection.execute(update(TEXT).where(one).values(body=None, salt=b""))

    def hasten(self, channels: Sequence[str], now: datetime) -> None:
        """What waits for these channels is looked at at once: it goes to the next channel of its person."""
        waiting = (OUTBOX.c.channel.in_(channels), OUTBOX.c.state == "queued")
        self.connection.execute(update(OUTBOX).where(*waiting).values(next_try_at=micros(now)))

    def withdraw(self, stream: str, which: Withdrawal) -> None:
        """Queued messages of a stream that must not leave any more."""
        columns = OUTBOX.c
        wheres = [columns.state == "queued"]
        if which.but is not None:
            wheres.append(not_(and_(columns.stream == stream, columns.cause.in_(which.but))))
        else:
            wheres.append(columns.stream == stream)
        wheres += [columns.kind == which.kind] if which.kind is not None else []
        wheres += [columns.page.in_(which.pages)] if which.pages is not None else []
        wheres += [columns.person.in_(which.people)] if which.people is not None else []
        wheres += [columns.person.is_(None)] if which.shared else []
        self.connection.execute(update(OUTBOX).where(*wheres).values(state="withdrawn"))

    def derive(self, stream: str, seq: int, head: bytes, at: datetime, derived: Derived) -> None:
        """Keep what follows from the state, so that nothing is folded to find what is due."""
        values: dict[str, Any] = {
            "seq": seq,
            "hash": head,
            "status": derived.status,
            "severity": derived.severity,
            "next_due_at": micros(derived.next_due_at) if derived.next_due_at else None,
            "wanted": derived.wanted,
            "clocks_running": derived.clocks[0],
            "clocks_breaking": derived.clocks[1],
            "clocks_breached": derived.clocks[2],
            "restricted": derived.restricted,
            "due_rules": derived.rules,
        }
        if derived.snapshot is not None:
            values |= {"snapshot": derived.snapshot, "snapshot_seq": seq, "rules": derived.rules}
        found = self.connection.execute(_DERIVE, values | {"stream": stream})
        if found.rowcount == 0:
            kind = "incident" if stream.startswith("INC-") else "other"
            first = {"id": stream, "kind": kind, "drill": derived.drill, "opened_at": micros(at)}
            self.connection.execute(STREAM.insert().values(first | values))

    # -- documents and numbers ------------------------------------------------------------------------------

    def keep(self, document: Document, media: str = "application/json") -> None:
        """Store a document once."""
        row = {"digest": document.digest, "media": media, "body": document.body}
        self.connection.execute(database.conflicts(self.connection.dialect.name).keep, row)

    def document(self, digest: str) -> bytes | None:
        """The document's bytes, or None."""
        found = self.connection.execute(_DOCUMENT, {"digest": digest}).scalar()
        return bytes(found) if found is not None else None

    def number(self, name: str) -> int:
        """The next number of a counter, from 1."""
        statement = database.conflicts(self.connection.dialect.name).count
        return int(self.connection.execute(statement, {"name": name, "value": 1}).scalar_one())

    def peek(self, name: str) -> int:
        """The last number that a counter gave out; 0 if none."""
        return int(self.connection.execute(_PEEK, {"counter": name}).scalar() or 0)

    # -- what is due ----------------------------------------------------------------------------------------

    def due_streams(self, now: datetime, limit: int) -> list[str]:
        """Streams whose next due time has come, oldest first, leaving out those in quarantine."""
        stamp = micros(now)
        rows = self.connection.execute(
            select(STREAM.c.id)
            .where(STREAM.c.next_due_at <= stamp, func.coalesce(STREAM.c.retry_at, 0) <= stamp)
            .order_by(STREAM.c.next_due_at)
            .limit(limit)
        )
        return [row[0] for row in rows]

    def earliest_due(self) -> int | None:
        """The earliest due time of all streams, in microseconds, leaving out quarantine."""
        healthy = select(STREAM.c.next_due_at).where(
            STREAM.c.next_due_at.is_not(None), STREAM.c.retry_at.is_(None)
        )
        first = self.connection.execute(healthy.order_by(STREAM.c.next_due_at).limit(1)).scalar()
        # Few are ever sick, so these are looked through one by one.
        sick = select(STREAM.c.next_due_at, STREAM.c.retry_at).where(
            STREAM.c.next_due_at.is_not(None), STREAM.c.retry_at.is_not(None)
        )
        instants = [max(row[0], row[1]) for row in self.connection.execute(sick)]
        return min(instants if first is None else [first, *instants], default=None)

    def enqueue(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put messages into the outbox; one that is there already stays as it is."""
        if not rows:
            return
        self.connection.execute(database.conflicts(self.connection.dialect.name).enqueue, list(rows))
        crash_point("outbox-written")
