"""What differs between the databases that a record may lie in: SQLite, or PostgreSQL for many machines.

Everything else speaks SQLAlchemy Core to either. PostgreSQL needs the extra `hikeshi[postgresql]`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.pool import StaticPool
from sqlalchemy.util import LRUCache

from models.errors import (
    BadConfiguration,
    RecordBusy,
    RecordConflict,
    RecordDamaged,
    RecordLost,
    RecordUnwritable,
)
from models.tables import METADATA

SQLITE, POSTGRESQL = "sqlite", "postgresql"
BUSY_MILLISECONDS = 5_000
_COMPILED: LRUCache[Any, Any] = LRUCache(500)
"""Statements compiled for SQLite: compiling costs more than running, and a process may open many."""
CONNECT_SECONDS = 5
NUL, IN_ITS_PLACE = "\0", "\ufffd"
"""PostgreSQL's text holds every character but this one."""
NOTIFY = "hikeshi"
"""The channel on which nodes wake each other (LISTEN/NOTIFY)."""
_t = METADATA.tables
_FULL = frozenset({"53100", "53200", "25006"})
"""Disk full, out of memory, read only: the database's own codes."""
_RETRY = frozenset({"40001", "40P01", "55P03"})
"""Not serialisable, deadlock, a lock not had in time: undone whole, and may be tried again."""


def is_sqlite(url: str) -> bool:
    """Whether this SQLAlchemy address names a SQLite database."""
    return url.startswith(SQLITE)


def shown(url: str) -> str:
    """The address as it may be shown: without a password."""
    return make_url(url).render_as_string(hide_password=True)


_SETTINGS: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "hikeshi",
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    # A node that froze in the middle of a transaction must not keep its locks from the others.
    "options": f"-c lock_timeout={BUSY_MILLISECONDS} -c statement_timeout=60000"
    " -c idle_in_transaction_session_timeout=15000",
}
"""How we connect to a server: what is gone is noticed within seconds."""


def engine_of(url: str, password: str = "") -> Engine:
    """The engine for an address. Raises BadConfiguration if its driver is not installed."""
    return _sqlite(url) if is_sqlite(url) else _postgresql(url, password)


@cache
def _sqlite_dialect() -> Dialect:
    """One for all records of a process: compiled statements are kept by dialect.

    What it has to know of SQLite's version it learns at its first connection.
    """
    engine = create_engine("sqlite://", poolclass=StaticPool)
    engine.connect().close()
    engine.dispose()
    return engine.dialect


def _sqlite(url: str) -> Engine:
    memory = url == "sqlite://"
    extra: dict[str, Any] = {"poolclass": StaticPool} if memory else {}
    engine = create_engine(
        url,
        connect_args={"check_same_thread": False},
        execution_options={"compiled_cache": _COMPILED},
        **extra,
    )
    engine.dialect = _sqlite_dialect()

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _: Any) -> None:
        # pysqlite would begin transactions by itself, and deferred ones: two writers would deadlock.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=1",
            f"busy_timeout={BUSY_MILLISECONDS}",
        ):
            connection.execute(f"pragma {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.info.get("reading", False)
        connection.exec_driver_sql("begin" if reading else "begin immediate")

    return engine


def _postgresql(url: str, password: str) -> Engine:
    address = make_url(url)
    if address.get_backend_name() != POSTGRESQL:
        raise BadConfiguration(f"database: expected sqlite:///… or postgresql+psycopg://…, got {shown(url)}")
    if password:
        address = address.set(password=password)
    try:
        # One connection is kept; a second for a moment, while a broken one is given up.
        engine = create_engine(address, pool_size=1, max_overflow=1, connect_args=_SETTINGS)
    except ModuleNotFoundError as missing:
        raise BadConfiguration(
            f"database: {missing.name} is not installed; install hikeshi[postgresql]"
        ) from missing

    @event.listens_for(engine, "connect")
    def _durable(connection: Any, _: Any) -> None:
        # Never less than what the server's owner has set: only what would lose commits is put right (P4).
        with connection.cursor() as cursor:
            cursor.execute("select set_config('synchronous_commit', 'on', false)"
                           " where current_setting('synchronous_commit') = 'off'")  # fmt: skip
        connection.commit()

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def _without_nul(
        _connection: Connection, _cursor: Any, statement: str, given: Any, _context: Any, many: bool
    ) -> tuple[str, Any]:
        # What it cannot hold must not keep an alert out. Texts that a digest covers are rid of it before.
        return statement, [_plain(one) for one in given] if many else _plain(given)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Said with the BEGIN that the driver sends by itself, which spares a way there and back.
        reading = bool(connection.info.get("reading", False))
        driver = connection.connection.dbapi_connection
        if driver is not None and driver.read_only is not (reading or None):
            driver.isolation_level = _repeatable_read() if reading else None
            driver.read_only = True if reading else None

    return engine


def _repeatable_read() -> Any:
    from psycopg import IsolationLevel  # noqa: PLC0415 - where the record lies on a server only

    return IsolationLevel.REPEATABLE_READ


def _plain(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    spoilt = {name: one for name, one in given.items() if isinstance(one, str) and NUL in one}
    return given | {name: one.replace(NUL, IN_ITS_PLACE) for name, one in spoilt.items()} if spoilt else given


def listener(url: str, password: str) -> Any:
    """A connection of its own that hears what others say (LISTEN). Raises psycopg.Error."""
    import psycopg  # noqa: PLC0415 - where the record lies on a server only

    address = make_url(url)
    if password:
        address = address.set(password=password)
    named = address.translate_connect_args(username="user", database="dbname") | dict(address.query)
    connection = psycopg.connect(autocommit=True, **named, **(_SETTINGS | {"options": ""}))
    connection.execute(f"listen {NOTIFY}")
    return connection


@contextmanager
def translated() -> Iterator[None]:
    """The database's own errors in our words."""
    try:
        yield
    except IntegrityError as clash:
        raise RecordConflict(f"somebody else wrote first: {clash.orig}") from clash
    except (OperationalError, InterfaceError) as failed:
        raise _in_our_words(failed) from failed
    except DatabaseError as failed:
        if is_of_a_server(failed):
            raise _in_our_words(failed) from failed
        raise RecordDamaged(f"the database is damaged: {failed.orig}; restore a backup") from failed


def is_of_a_server(failed: DatabaseError | InterfaceError) -> bool:
    """Whether a database server said so, or its connection: SQLite's errors have no such code."""
    return hasattr(failed.orig, "sqlstate")


def is_definite(failed: DatabaseError | InterfaceError) -> bool:
    """Whether the server itself said that it undid the transaction; else it may have been stored."""
    code = getattr(failed.orig, "sqlstate", None)
    return code is not None and not code.startswith(("08", "57"))


def _in_our_words(failed: DatabaseError | InterfaceError) -> Exception:
    said = str(failed.orig).strip()
    if not is_of_a_server(failed):
        if "locked" in said or "busy" in said:
            return RecordBusy(f"the record is in use by another process: {said}")
        return RecordUnwritable(f"the record cannot be written: {said}; free space or mend the disk")
    if isinstance(failed, DataError | ProgrammingError):
        return RecordDamaged(f"the database does not fit this Hikeshi: {said}; run `hikeshi check --live`")
    return _of_a_server(getattr(failed.orig, "sqlstate", None) or "", said)


def _of_a_server(code: str, said: str) -> Exception:
    if code in _RETRY:
        return RecordConflict(f"somebody else was writing at the same time: {said}")
    if code.startswith("XX"):
        return RecordDamaged(f"the database does not fit this Hikeshi: {said}; run `hikeshi check --live`")
    if code.startswith("28"):
        return RecordUnwritable(f"the database does not let us in: {said}; see `database` in settings.toml")
    if code in _FULL or code.startswith(("53", "25")):
        return RecordUnwritable(f"the record cannot be written: {said}; free space or mend the database")
    return RecordLost(f"the database does not answer: {said}; see whether it runs")


@dataclass(frozen=True, kw_only=True)
class Conflicts:
    """Inserting where something may be already."""

    enqueue: Any
    keep: Any
    count: Any
    replace: Any


@cache
def conflicts(dialect: str) -> Conflicts:
    """Made once for a dialect: building a statement costs more than running it."""
    if dialect == POSTGRESQL:
        from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415 - costs every command else
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]  # noqa: PLC0415
    counter = _t["counter"]
    count = insert(counter).on_conflict_do_update(
        index_elements=["name"], set_={"value": counter.c.value + 1}
    )
    texts = insert(_t["text"])
    newer = {name: texts.excluded[name] for name in ("seq", "salt", "body")}
    return Conflicts(
        enqueue=insert(_t["outbox"]).on_conflict_do_nothing(index_elements=["key"]),
        keep=insert(_t["document"]).on_conflict_do_nothing(index_elements=["digest"]),
        count=count.returning(counter.c.value),
        replace=texts.on_conflict_do_update(index_elements=["stream", "digest"], set_=newer),
    )


def sqlite_version(connection: Connection) -> int:
    """On the driver's own connection: by SQLAlchemy each look would begin a transaction, or cost tenfold."""
    driver = connection.connection.dbapi_connection
    return int(driver.cursor().execute("pragma data_version").fetchone()[0]) if driver else 0


SHARE = text("select pg_advisory_xact_lock_shared(hashtextextended(:name, 0))")
HOLD = text("select pg_advisory_xact_lock(hashtextextended(:name, 0))")
ROW = text("select id from stream where id = :stream for update")
ROWS = text("select id from stream where id = any(:streams) order by id for update skip locked")
TELL = text(f"select pg_notify('{NOTIFY}', :stream), pg_current_xact_id()::text")
NOW = text("select (extract(epoch from clock_timestamp()) * 1000000)::bigint")
POSITION = text(
    "with now as materialized (select pg_current_snapshot() as seen)"
    " select pg_snapshot_xmax(seen)::text::bigint"
    " - (select count(*) from pg_snapshot_xip(seen)) from now"
)
"""How many writing transactions have ended: it grows with each, in whatever order they began."""
STATUS = text("select pg_xact_status(cast(:xid as xid8))")
