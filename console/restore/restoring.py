"""`hikeshi restore`: all of it is verified, then all of it is written, in one transaction or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from console.intake import set_counters
from console.opening import House
from console.restore import rebuilding
from console.restore.reading import Unseal, is_complete, lines_of
from console.restore.staging import Found, Staging
from console.verify import Kept, verify
from models.checkpoint import read_checkpoint, root_of
from models.clock import parse_instant
from models.commands import Actor
from models.crashpoint import crash_point
from models.database import conflicts
from models.desk import HOUSE, INTAKE
from models.errors import BadInput, HikeshiError
from models.fact import read_fact
from models.fold import empty, fold
from models.frozen import Document, freeze_policy
from models.node import RETIRED, alive
from models.record import ANCHOR, CHECKPOINT, FACT, TEXT, Tx, micros
from models.restoring import RestoreRecord
from models.state import ENDED, Incident, StreamState
from models.world import World
from notifiers.hold import Hold
from notifiers.relay.source import mark

PORTION = 1_000
PAGER = "pager"
PARTS = (PAGER, "conductor")
LATELY = timedelta(seconds=15)


class CannotRestore(HikeshiError):
    """The source or the target is not as it must be; `defects` are all of them, and nothing was written."""

    def __init__(self, defects: Sequence[str]) -> None:
        self.defects = list(defects)
        super().__init__("; ".join(self.defects))


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What came over."""

    found: Found
    streams: int
    facts: int
    written: int
    queued: int
    texts_missing: int
    documents_missing: int
    last_at: datetime

    def as_json(self) -> dict[str, Any]:
        """The figures for programs."""
        counts = {name: getattr(self.found, name) for name in ("lines", "repeated", "torn", "checkpoints")}
        counts |= {name: getattr(self.found, name) for name in ("behind", "signed_by")}
        own = ("streams", "facts", "written", "queued", "texts_missing", "documents_missing")
        return {name: getattr(self, name) for name in own} | counts | {"unsigned": self.found.unsigned}


@dataclass(frozen=True, kw_only=True)
class Brought:
    """What comes with the source: how sealed segments open, and checkpoints and keys that lay elsewhere.

    `told` hears what was read before anything is written.
    """

    unseal: Unseal | None = None
    kept: Kept | None = None
    told: Callable[[Found], None] = lambda _: None


def restore(
    house: House, source: Path, actor: Actor, reason: str, brought: Brought | None = None
) -> Restored:
    """Read, verify, write. Raises CannotRestore with every defect, Refused, NotFound, RecordError."""
    brought = brought or Brought()
    hold = Hold.beside(house.record.url, house.data)
    if not hold.take():
        raise CannotRestore([f"a pager runs on {house.data} (process {hold.holder()}); stop it first"])
    staging = Staging()
    try:
        if house.record.is_shared:
            _must_be_still(house)
        if not is_complete(source):
            raise CannotRestore([
                f"{source}: does not hold all records, and the numbers of those that are left out would be "
                "given anew; restore from the second path or from `hikeshi export --all --archive`"
            ])  # fmt: skip
        for raw in lines_of(source, brought.unseal):
            staging.take(raw)
        found = staging.verify()
        defects = list(found.defects)
        if found.heads:
            defects += _target(house, staging)
            # By the statements that the verifier asks of any record: of what lay elsewhere all of it counts.
            kept = brought.kept
            defects += verify(staging.database.execute, kept, whole=False).problems if kept else []
        if defects:
            raise CannotRestore(list(dict.fromkeys(defects)))
        brought.told(found)
        return _Restore(house, staging, found).run(source, actor, reason)
    finally:
        staging.close()
        hold.release()


def _must_be_still(house: House) -> None:
    """The lock is this machine's alone: parts on others are told by their signs of life."""
    with house.record.read() as tx:
        living = [one for one in PARTS if alive(tx, one, house.wall.now(), LATELY)]
    if living:
        raise CannotRestore([
            f"a {one} that shares this record was alive a moment ago; stop `hikeshi up` on every machine, "
            f"wait {LATELY.seconds} s, and try again"
            for one in living
        ])  # fmt: skip


def _target(house: House, staging: Staging) -> list[str]:
    """The target is empty, or an older state of the very same record."""
    wrong = []
    with house.record.read() as tx:
        heads = tx.connection.execute(
            select(FACT.c.stream, FACT.c.seq, FACT.c.hash).order_by(FACT.c.stream, FACT.c.seq)
        )
        for stream, seq, digest in heads:
            query = "select hash from fact where stream = ? and seq = ?"
            row = staging.database.execute(query, (stream, seq)).fetchone()
            if row is None or row[0] != bytes(digest):
                held = "holds another fact there" if row else "does not hold it"
                wrong.append(
                    f"the record in {house.data} has {stream} #{seq} and the source {held}; restore into an "
                    "empty directory, or move this record aside"
                )
                break
    return wrong


class _Restore:
    """One transaction."""

    def __init__(self, house: House, staging: Staging, found: Found) -> None:
        self._house, self._staging, self._found = house, staging, found
        self._now = house.desk.clock.now()
        self._world: World = house.desk.world(empty(HOUSE))
        self._written = 0

    def run(self, source: Path, actor: Actor, reason: str) -> Restored:
        """Write it, with the fact that says so."""
        found, desk = self._found, self._house.desk
        states = {stream: self._fold(stream) for stream in sorted(found.heads)}
        last_at = max(state.at for state in states.values() if state.at is not None)
        missing = self._documents(states)
        with desk.writing() as tx:
            self._facts(tx)
            self._beside(tx)
            queued = self._derive(tx, states)
            self._numbers(tx)
            self._parts(tx, last_at)
            heads = {stream: (seq, head.hex()) for stream, (seq, head) in found.heads.items()}
            counts = {
                "texts_missing": found.texts_missing,
                "documents_missing": missing,
                "queued": queued,
                "checkpoints": found.checkpoints,
            }
            command = RestoreRecord(
                actor=actor,
                source=str(source),
                reason=reason,
                heads=heads,
                root=root_of(heads),
                counts=counts,
            )
            desk.forget()
            outcome = desk.handle_in(tx, HOUSE, command)
            crash_point("restored-not-committed")
            self._keep_cursors(tx, source)
        desk.forget()
        desk.settled(outcome)
        return Restored(
            found=found,
            streams=len(heads),
            facts=sum(seq for seq, _ in heads.values()),
            written=self._written,
            queued=queued,
            texts_missing=found.texts_missing,
            documents_missing=missing,
            last_at=last_at,
        )

    def _fold(self, stream: str) -> StreamState:
        """Raises RecordTooNew if a newer Hikeshi has written it."""
        return fold(empty(stream), (read_fact(body) for body in self._staging.bodies(stream)))

    # -- documents ------------------------------------------------------------------------------------------

    def _documents(self, states: dict[str, StreamState]) -> int:
        """How many named documents are missing. Raises CannotRestore if an incident cannot go on without.

        What this directory freezes to the same digest is the same document, and is taken from here.
        """
        needed: dict[str, str] = {}
        for stream, state in states.items():
            if isinstance(state, Incident) and state.status not in ENDED:
                digests = (state.policy, *(use.digest for use in state.playbooks.values()))
                needed |= dict.fromkeys(digests, stream)
        missing = set(needed) - self._staging.documents()
        for one in _frozen_here(self._house) if missing else ():
            if one.digest in missing:
                self._staging.keep(one)
        lost = sorted(missing - self._staging.documents())
        if lost:
            said = "needs the document {0}…, which neither the source nor this directory holds"
            raise CannotRestore([f"{needed[one]} {said.format(one[:19])}" for one in lost])
        return len(self._staging.documents_named() - self._staging.documents())

    # -- writing --------------------------------------------------------------------------------------------

    def _facts(self, tx: Tx) -> None:
        for stream in self._found.heads:
            after, _ = tx.head(stream)
            query = "select stream, seq, kind, hash, body from fact where stream = ? and seq > ? order by seq"
            self._written += self._copy(tx, FACT, query, stream, after)

    def _beside(self, tx: Tx) -> None:
        """Texts, documents, checkpoints; what the target has already stays."""
        self._copy(tx, TEXT, "select stream, digest, seq, salt, body from text")
        for row in self._staging.rows("select digest, media, body from document"):
            tx.keep(Document(digest=row["digest"], body=row["body"]), row["media"])
        for row in self._staging.rows("select number, body, key, signature from checkpoint"):
            if self._has(tx, CHECKPOINT.c.number, row["number"]):
                continue
            made = micros(checkpoint_at(row["body"]))
            tx.connection.execute(CHECKPOINT.insert().values(row | {"at": made}))
        self._anchors(tx)

    def _anchors(self, tx: Tx) -> None:
        wanted = "select checkpoint, kind, place, at, receipt, token from anchor"
        for row in self._staging.rows(wanted):
            same = [ANCHOR.c[name] == row[name] for name in ("checkpoint", "kind", "place")]
            if tx.connection.execute(select(ANCHOR.c.id).where(*same)).first() is None:
                tx.connection.execute(ANCHOR.insert().values(row | {"at": micros(parse_instant(row["at"]))}))

    def _has(self, tx: Tx, column: Any, value: Any) -> bool:
        return tx.connection.execute(select(column).where(column == value)).first() is not None

    def _copy(self, tx: Tx, table: Any, query: str, *values: Any) -> int:
        count, portion = 0, []
        dialect = tx.connection.dialect.name
        statement = conflicts(dialect).replace if table is TEXT else insert(table)
        for row in self._staging.rows(query, *values):
            portion.append(row)
            count += 1
            if len(portion) == PORTION:
                tx.connection.execute(statement, portion)
                portion = []
        if portion:
            tx.connection.execute(statement, portion)
        return count

    def _derive(self, tx: Tx, states: dict[str, StreamState]) -> int:
        queued = 0
        rebuilding.clear_outbox(tx)
        kinds = (*rebuilding.ASKING, *rebuilding.OUTCOMES)
        for stream, state in states.items():
            first = read_fact(next(self._staging.bodies(stream)))
            rebuilding.write_stream(tx, state, self._found.heads[stream][1], first.recorded_at)
            facts = [read_fact(body) for body in self._staging.bodies(stream, kinds)]
            queued += rebuilding.enqueue(tx, rebuilding.unsent(state, facts, self._world), self._now)
        return queued

    def _numbers(self, tx: Tx) -> None:
        facts = (read_fact(body) for body in self._staging.bodies(INTAKE))
        rows = rebuilding.alerts(facts)
        rebuilding.write_alerts(tx, rows)
        numbers = rebuilding.numbers(self._found.heads, (row["id"] for row in rows))
        set_counters(tx, {name: max(value, tx.peek(name)) for name, value in numbers.items()})

    def _parts(self, tx: Tx, last_at: datetime) -> None:
        """The pager and the conductor of the other machine, as far as the facts tell."""
        rebuilding.write_node(tx, PAGER, 1, last_at, RETIRED)
        claims = "select body from fact where kind = 'step.started'"
        bodies = (row["body"] for row in self._staging.rows(claims))
        for name, epoch in rebuilding.epochs(bodies).items():
            rebuilding.write_node(tx, name, epoch, last_at, RETIRED)

    def _keep_cursors(self, tx: Tx, source: Path) -> None:
        """A folder that was restored from has had all this: only what is new goes there."""
        for one in self._house.institution.settings.relay:
            if one.kind != "folder" or not source.is_dir():
                continue
            if (self._house.institution.directory / one.path).resolve() == source.resolve():
                mark(tx, one.name, {name: seq for name, (seq, _) in self._found.heads.items()}, self._now)


def checkpoint_at(body: bytes) -> datetime:
    """When a checkpoint was made. Raises BadInput."""
    try:
        return parse_instant(read_checkpoint(body).at)
    except ValueError as wrong:
        raise BadInput(f"a checkpoint without a time: {wrong}") from wrong


def _frozen_here(house: House) -> Iterator[Document]:
    """The policy and the playbooks of today, as they would be frozen."""
    yield freeze_policy(house.desk.premises.policy)
    library = house.desk.library
    yield from (library[name].document for name in library)
