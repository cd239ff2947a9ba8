"""The tables of the record. Facts and texts are the truth; the rest can be rebuilt from them.

These classes only say what the tables are (SQLModel does not validate `table=True` classes); rows are written
with SQLAlchemy Core. Instants that are compared are microseconds since 1970 UTC: exact, and alike in SQLite
and PostgreSQL.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel


class StreamRow(SQLModel, table=True):
    """One record: its head, and what was derived from it so that nothing is folded to find what is due."""

    __tablename__ = "stream"
    id: str = Field(primary_key=True)
    kind: str = Field(sa_column=Column(Text, CheckConstraint("kind in ('incident','other')"), nullable=False))
    status: str
    severity: str
    drill: bool = False
    opened_at: int = Field(sa_type=BigInteger)
    seq: int
    hash: bytes = Field(sa_type=LargeBinary)
    next_due_at: int | None = Field(default=None, sa_type=BigInteger)
    wanted: int = 0
    served: int = 0
    clocks_running: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    clocks_breaking: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    clocks_breached: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    restricted: bool = Field(default=False, sa_column_kwargs={"server_default": "0"})
    snapshot: bytes | None = Field(default=None, sa_type=LargeBinary)
    snapshot_seq: int = 0
    rules: int = 0
    due_rules: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    failures: int = 0
    retry_at: int | None = Field(default=None, sa_type=BigInteger)

    __table_args__ = (
        # The watch loop reads only what is due, however much is open.
        Index("stream_due", "next_due_at"),
        # Of a million incidents few want anything, are sick, or are restricted.
        Index(
            "stream_wanted",
            "kind",
            sqlite_where=text("wanted > served"),
            postgresql_where=text("wanted > served"),
        ),
        Index(
            "stream_sick",
            "retry_at",
            sqlite_where=text("retry_at IS NOT NULL"),
            postgresql_where=text("retry_at IS NOT NULL"),
        ),
        Index(
            "stream_restricted",
            "id",
            sqlite_where=text("restricted = 1"),
            postgresql_where=text("restricted"),
        ),
        # Figures are asked for every few seconds, and must not read what is over.
        Index("stream_live", "kind", "status", "severity"),
        Index(
            "stream_clocks",
            "clocks_running",
            sqlite_where=text("clocks_running > 0"),
            postgresql_where=text("clocks_running > 0"),
        ),
        # After a change of the rules what they have not reckoned yet is found at once, the soonest first.
        Index("stream_due_rules", "due_rules", "next_due_at", "id"),
    )


class FactRow(SQLModel, table=True):
    """A fact as the exact bytes that its hash covers. (stream, seq) is the lock of the record."""

    __tablename__ = "fact"
    stream: str = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    kind: str
    body: bytes = Field(sa_type=LargeBinary)
    hash: bytes = Field(sa_type=LargeBinary)


class TextRow(SQLModel, table=True):
    """Free text or personal data beside a fact, under its salted digest. `body` is NULL once disposed of."""

    __tablename__ = "text"
    stream: str = Field(primary_key=True)
    digest: str = Field(primary_key=True)
    seq: int
    salt: bytes = Field(sa_type=LargeBinary)
    body: str | None = Field(default=None, sa_type=Text)


class DocumentRow(SQLModel, table=True):
    """A frozen policy, playbook, raw alert or draft, stored once under the digest of its content."""

    __tablename__ = "document"
    digest: str = Field(primary_key=True)
    media: str
    body: bytes = Field(sa_type=LargeBinary)


class OutboxRow(SQLModel, table=True):
    """A message to deliver, at least once. The key says which; no time is in it.

    While it is being sent, `node` in its `epoch` has it in hand until `lease_until`, by the database's clock.
    """

    __tablename__ = "outbox"
    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=True))
    # The same message is never queued twice, whoever asks for it.
    key: str = Field(unique=True)
    stream: str
    page: int
    cause: int
    level: str
    attempt: int
    kind: str = Field(sa_column=Column(Text, CheckConstraint("kind in ('page','notice')"), nullable=False))
    template: str
    subject: str
    person: str | None = None
    role: str = ""
    deputy_for: str | None = None
    channel: str
    address: str | None = None
    further: str = "[]"
    state: str = Field(
        sa_column=Column(
            Text,
            CheckConstraint("state in ('queued','sending','sent','given_up','withdrawn')"),
            nullable=False,
        )
    )
    tries: int = 0
    next_try_at: int = Field(sa_type=BigInteger)
    created_at: int = Field(sa_type=BigInteger)
    sent_at: int | None = Field(default=None, sa_type=BigInteger)
    receipt: str | None = None
    error: str | None = None
    node: str | None = None
    epoch: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    lease_until: int | None = Field(default=None, sa_type=BigInteger)

    __table_args__ = (
        Index("outbox_due", "state", "next_try_at"),
        Index("outbox_page", "stream", "page"),
        # Copies are looked for among what was sent in the last days.
        Index("outbox_sent", "channel", "sent_at"),
    )


class HookRow(SQLModel, table=True):
    """An event for another system, at least once and in order for each hook. `answer` is a short excerpt."""

    __tablename__ = "hook"
    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=True))
    # The same fact is told a hook once, whoever queues it.
    key: str = Field(unique=True)
    hook: str
    stream: str
    seq: int
    body: str = Field(sa_type=Text)
    state: str = Field(
        sa_column=Column(
            Text, CheckConstraint("state in ('queued','sent','given_up','withdrawn')"), nullable=False
        )
    )
    tries: int = 0
    next_try_at: int = Field(sa_type=BigInteger)
    created_at: int = Field(sa_type=BigInteger)
    tried_at: int | None = Field(default=None, sa_type=BigInteger)
    sent_at: int | None = Field(default=None, sa_type=BigInteger)
    answer: str | None = None
    error: str | None = None

    __table_args__ = (Index("hook_waits", "hook", "state", "id"),)


class AlertRow(SQLModel, table=True):
    """An alert by source and key, so that the same matter coming again is counted, not repeated."""

    __tablename__ = "alert"
    id: str = Field(primary_key=True)
    source: str
    key: str
    status: str
    incident: str | None = None
    count: int = 1
    first_at: int = Field(sa_type=BigInteger)
    last_at: int = Field(sa_type=BigInteger)
    document: str

    __table_args__ = (Index("alert_matter", "source", "key"),)


class NodeRow(SQLModel, table=True):
    """A running part of Hikeshi, and when it was last alive."""

    __tablename__ = "node"
    id: str = Field(primary_key=True)
    epoch: int
    started_at: int = Field(sa_type=BigInteger)
    beat_at: int = Field(sa_type=BigInteger)
    detail: str = ""


class LeaseRow(SQLModel, table=True):
    """Something that one node does for all of them: which, in which life of it, and until when."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True)
    node: str
    epoch: int
    until: int = Field(sa_type=BigInteger)


class ReleaseRow(SQLModel, table=True):
    """A release that has worked this record. By the rules of the one with the highest turn it goes now."""

    __tablename__ = "release"
    version: str = Field(primary_key=True)
    schema_: str = Field(sa_column=Column("schema", String, nullable=False))
    rules: int
    turn: int
    at: int = Field(sa_type=BigInteger)


class MirrorRow(SQLModel, table=True):
    """Something outside that shows the record: a copy of a message, a board, a topic. Can be made anew.

    `place` is where it lies there, `shown` a digest of what it showed last, `mark` how far it was told.
    """

    __tablename__ = "mirror"
    id: str = Field(primary_key=True)
    stream: str = Field(index=True)
    place: str = ""
    shown: str = ""
    mark: str = ""
    error: str = ""
    at: int = Field(sa_type=BigInteger)


class CheckpointRow(SQLModel, table=True):
    """A checkpoint as the exact bytes that its signature covers; `key` is the id of the key that made it."""

    __tablename__ = "checkpoint"
    number: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    at: int = Field(sa_type=BigInteger)
    body: bytes = Field(sa_type=LargeBinary)
    key: str
    signature: bytes = Field(sa_type=LargeBinary)


class AnchorRow(SQLModel, table=True):
    """A checkpoint that lies where this host's owner cannot rewrite it: who has it, since when, the proof.

    `token` is a time-stamp authority's answer as it came (RFC 3161, DER).
    """

    __tablename__ = "anchor"
    id: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True, autoincrement=True))
    checkpoint: int
    kind: str
    place: str
    at: int = Field(sa_type=BigInteger)
    receipt: str
    token: bytes | None = Field(default=None, sa_type=LargeBinary)

    # The same checkpoint lies once in each place.
    __table_args__ = (UniqueConstraint("checkpoint", "kind", "place", name="anchor_once"),)


class RelayRow(SQLModel, table=True):
    """How far a sink of the second path has come in a stream; `@sink` holds how the sink itself fares."""

    __tablename__ = "relay"
    sink: str = Field(primary_key=True)
    stream: str = Field(primary_key=True)
    seq: int
    at: int = Field(sa_type=BigInteger)
    error: str = ""


class SessionRow(SQLModel, table=True):
    """A browser that somebody has logged in with; the digest of its cookie, never the cookie."""

    __tablename__ = "session"
    digest: str = Field(primary_key=True)
    person: str | None = Field(default=None, index=True)
    inspector: str = ""
    way: str
    lang: str
    csrf: str
    made_at: int = Field(sa_type=BigInteger)
    seen_at: int = Field(sa_type=BigInteger)
    ends_at: int = Field(sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)


class OnceRow(SQLModel, table=True):
    """Something that opens once and for a short time: a login link, a code, what a login was begun with.

    `digest` is of the value that its holder has; `data` holds no secret.
    """

    __tablename__ = "once"
    digest: str = Field(primary_key=True)
    kind: str
    person: str | None = None
    data: str = "{}"
    tries: int = 0
    made_at: int = Field(sa_type=BigInteger)
    ends_at: int = Field(sa_type=BigInteger, index=True)
    used_at: int | None = Field(default=None, sa_type=BigInteger)


class RequestRow(SQLModel, table=True):
    """A request with a key of its sender's, and how it was answered: sent again, it is answered the same.

    `asked` is a digest of what was asked for: another request under the same key is refused. No answer yet
    (`code` 0) means that it is being worked on, or was when the node died.
    """

    __tablename__ = "request"
    id: str = Field(primary_key=True)
    asked: str
    code: int = 0
    headers: str = "{}"
    body: bytes = Field(default=b"", sa_type=LargeBinary)
    at: int = Field(sa_type=BigInteger, index=True)


class CounterRow(SQLModel, table=True):
    """Numbers that are given out once."""

    __tablename__ = "counter"
    name: str = Field(primary_key=True)
    value: int


class AuditRow(SQLModel, table=True):
    """What the auditor has counted, and how far it has read. Made anew by reading all facts."""

    __tablename__ = "audit"
    name: str = Field(primary_key=True)
    value: int = Field(sa_type=BigInteger)


METADATA = SQLModel.metadata
