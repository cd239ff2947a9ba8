"""The desk: where a command meets the record. One transaction: facts, outbox rows, next due time.

The same desk serves the running node, the command line, drills and tests; they differ in clock, directory,
channels and database, and in nothing else (design, 10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

import msgspec

from models import casework
from models.canonical import new_salt, text_digest
from models.casework import Case, Casework, Setting, known_incident
from models.clock import Clock, monotonic
from models.commands import Command
from models.database import IN_ITS_PLACE, NUL
from models.deriving import derived
from models.errors import NotFound, RecordConflict, RecordMoved, RecordTooNew, Refused
from models.fact import StoredText
from models.fold import RULES_VERSION, empty, fold
from models.frozen import Document
from models.hookqueue import enqueue
from models.hooks import calls
from models.premises import Outcome, Premises
from models.reckoning_desk import at_once
from models.record import Record, Tx
from models.state import House, Incident, StreamState
from models.succession import must_be_ours
from models.unreckoned import other_rules
from models.withdrawing import withdrawals
from models.world import World

SNAPSHOT_EVERY = 50
CACHED_STREAMS = 2_000
CACHED_TEXTS = 200
RECENT_FACTS = 5_000
TRIES = 5
LOOK_AGAIN_SECONDS = 1.0
"""How long a record on a server is taken for ours before it is looked at again."""
TOLD_SECONDS = 1.0
"""How long it is believed that nobody has written because nobody said so: a connection may be deaf."""
HOUSE, INTAKE, SOMEBODY = casework.HOUSE, casework.INTAKE, casework.SOMEBODY
Seen = TypeVar("Seen")
_FREEZING = frozenset({"playbook.added", "playbook.moved", "playbook.announced", "playbook.read"})


def _nothing(_: Tx) -> None:
    """Nothing stands in the way."""


class Desk(Casework[Tx]):
    """Takes commands and time, and writes what the rules say. One writer: not for several threads at once."""

    def __init__(self, record: Record, premises: Premises, clock: Clock) -> None:
        super().__init__(Setting(premises), clock)
        self.record = record
        self._states: dict[str, StreamState] = {}
        self._snapshots: dict[str, int] = {}
        self._versions: dict[str, int] = {}
        self._heard: dict[str, tuple[int, float]] = {}
        self._stored: set[str] = set()
        self._texts: dict[str, tuple[int, dict[str, str | None]]] = {}
        self._decoders: dict[type[StreamState], msgspec.json.Decoder[StreamState]] = {}
        self._expected: tuple[str, int] | None = None
        self._looked_at = 0
        self._look_again = 0.0
        self._foreign = False
        """Whether there are streams whose due time other rules reckoned."""
        self.from_facts = False
        """Whether states are folded from the facts alone: a snapshot is outside the chain."""

    # -- commands -------------------------------------------------------------------------------------------

    def handle(
        self,
        stream: str | None,
        command: Command,
        *,
        beside: Sequence[tuple[Document, str]] = (),
        guard: Callable[[Tx], None] = _nothing,
    ) -> Outcome:
        """Decide and store. `stream` None opens an incident. A refusal is an outcome, and is recorded.

        `beside` are documents with their media types, which are stored with the facts or not at all. `guard`
        is asked first, in the same transaction: what it raises goes up, and nothing is stored.
        Raises RecordError if the record cannot be read or written; nothing is half done then.
        """
        for attempt in range(TRIES):
            try:
                outcome = self._once(stream, command, beside, guard)
                break
            except Refused as no:
                return self._refuse(stream, command, no)
            except RecordConflict:
                self.forget()
                if attempt == TRIES - 1:
                    raise
        self.settled(outcome)
        return outcome

    def handle_in(self, tx: Tx, stream: str | None, command: Command) -> Outcome:
        """As `handle`, inside a transaction of the caller's, which calls `settled` after its commit.

        Raises Refused; if the transaction does not come about, the caller calls `forget`.
        """
        return self._run(tx, stream, command, [])

    @contextmanager
    def expecting(self, stream: str, seq: int) -> Iterator[None]:
        """Within this, commands are stored in this stream only if nobody else has written there since `seq`.

        It is looked at in the transaction that stores them, which raises RecordMoved. For `handle` alone.
        """
        self._expected = (stream, seq)
        try:
            yield
        finally:
            self._expected = None

    @contextmanager
    def writing(self) -> Iterator[Tx]:
        """A transaction for `handle_in`: if it fails, what was cached is forgotten."""
        try:
            with self.record.begin() as tx:
                yield tx
        except BaseException:
            self.forget()
            raise

    def _once(
        self,
        stream: str | None,
        command: Command,
        beside: Sequence[tuple[Document, str]] = (),
        guard: Callable[[Tx], None] = _nothing,
    ) -> Outcome:
        touched: list[str] = []
        try:
            with self.record.begin() as tx:
                guard(tx)
                self._must_stand(tx, stream)
                outcome = self._run(tx, stream, command, touched)
                left = self._left(tx)
                for document, media in beside:
                    tx.keep(document, media)
        except BaseException:
            # The cached states may hold facts that were not stored.
            for name in touched:
                self._states.pop(name, None)
                self._texts.pop(name, None)
            self._stored.clear()
            raise
        self._expected = left
        return outcome

    def _must_stand(self, tx: Tx, stream: str | None) -> None:
        if self._expected is not None and self._expected[0] == stream:
            head, _ = tx.head(self._expected[0])
            if head != self._expected[1]:
                raise RecordMoved(f"{stream} is at #{head}, and was expected at #{self._expected[1]}")

    def _left(self, tx: Tx) -> tuple[str, int] | None:
        """What is expected next: the record as this command leaves it."""
        return None if self._expected is None else (self._expected[0], tx.head(self._expected[0])[0])

    # -- time -----------------------------------------------------------------------------------------------

    def tick(self, stream: str) -> Outcome:
        """Write what time alone has made true in this stream."""
        return self.tick_all([stream])[0]

    def tick_all(self, streams: Sequence[str]) -> list[Outcome]:
        """As `tick`, for several streams in one transaction: a commit costs more than a tick.

        One that another node is writing in is left to it; it is still due afterwards, or not any more.
        One that fails undoes all of them; the caller then ticks them one by one.
        """
        try:
            with self.record.begin() as tx:
                if HOUSE in streams:
                    self._hold(tx, HOUSE)
                self._hear(tx)
                free = frozenset(tx.free(streams))
                outcomes = [
                    self._tick(tx, stream) if stream in free else Outcome(stream=stream) for stream in streams
                ]
        except BaseException:
            for stream in (*streams, HOUSE):
                self._states.pop(stream, None)
            raise
        for outcome in outcomes:
            self.settled(outcome)
        return outcomes

    # -- reading --------------------------------------------------------------------------------------------

    def state(self, stream: str) -> StreamState:
        """The folded state of a stream, as stored now. Read only.

        Where others tell when they write, it is as they told last: milliseconds behind them, and should
        their word not come through, never more than TOLD_SECONDS.
        """
        known = self._at_hand(stream)
        if known is not None:
            return known
        heard, now = self.record.told, monotonic()
        with self.record.read() as tx:
            state = self._load(tx, stream).state
        self._heard[stream] = (heard, now)
        return state

    def _at_hand(self, stream: str) -> StreamState | None:
        """The cached state, if nobody has said since it was read that they have written. Not to decide on."""
        heard, (then, at) = self.record.told, self._heard.get(stream, (0, 0.0))
        trusted = heard and then == heard and monotonic() < at + TOLD_SECONDS
        return self._states.get(stream) if trusted else None

    def readable(self, streams: Iterable[str]) -> Iterator[StreamState]:
        """The folded states, without those that a newer Hikeshi has written to: one hides no other."""
        for stream in streams:
            with suppress(RecordTooNew):
                yield self.state(stream)

    def incident(self, stream: str) -> Incident:
        """The incident. Raises NotFound."""
        return known_incident(self.state(stream))

    def world(self, state: StreamState) -> World:
        """The world as a rule would see it now, for this stream."""
        with self.record.read() as tx:
            self._hear(tx)
            world = self._world(tx, state, self.clock.now())
            # Whoever draws a channel asks whom the drill reaches, and is not in the thread of the record.
            exercise = self._exercise(tx)
        return replace(
            world,
            beside=lambda: self.texts(state.stream),
            restricted=lambda: self._now(self._restricted),
            exercise=lambda: exercise,
            cases=lambda: self._now(self._cases),
        )

    def distrusted(self) -> frozenset[str]:
        """The channels that are out of band now. Cheap; from the thread of the record, like all else here."""
        house = self.state(HOUSE)
        return frozenset(house.distrusted) if isinstance(house, House) else frozenset()

    def texts(self, stream: str) -> dict[str, str | None]:
        """All texts beside a stream's facts. Read only."""
        known = self._at_hand(stream)
        if known is not None and stream in self._texts and self._texts[stream][0] == known.seq:
            return self._texts[stream][1]
        with self.record.read() as tx:
            return self._beside(tx, stream)

    def _beside(self, tx: Tx, stream: str) -> dict[str, str | None]:
        after, found = self._texts.pop(stream, (0, {}))
        head, _ = tx.head(stream)
        if not stream.startswith("INC-"):
            # Records that never end: what is talked about is recent.
            return tx.texts(stream, max(0, head - RECENT_FACTS))
        if head > after:
            found.update(tx.texts(stream, after))
        self._texts[stream] = (head, found)
        if len(self._texts) > CACHED_TEXTS:
            del self._texts[next(iter(self._texts))]
        return found

    def forget(self) -> None:
        """Drop what was cached; the next command reads the record."""
        self._states.clear()
        self._snapshots.clear()
        self._texts.clear()
        self._stored.clear()

    # -- inside a transaction -------------------------------------------------------------------------------

    def _hold(self, tx: Tx, stream: str) -> None:
        tx.hold(stream, told=stream == HOUSE)

    def _hear(self, tx: Tx) -> House:
        # What every stream is decided on does not change before it is stored.
        tx.share(HOUSE)
        self._must_be_ours(tx)
        return super()._hear(tx)

    def _must_be_ours(self, tx: Tx) -> None:
        """Raises Outdated if another version has taken the record over since we looked."""
        if tx.reading or (tx.version and tx.version == self._looked_at):
            return  # on SQLite nobody else has written since
        if not tx.version and monotonic() < self._look_again:
            return
        must_be_ours(tx)
        self._foreign = other_rules(tx, RULES_VERSION) is not None
        self._looked_at, self._look_again = tx.version, monotonic() + LOOK_AGAIN_SECONDS

    def _by_our_rules(self, tx: Tx, stream: str, touched: list[str]) -> Outcome | None:
        note = at_once(self, tx, stream) if self._foreign else None
        if note is None:
            return None
        return self._run(tx, HOUSE, note, touched)

    def _load(self, tx: Tx, stream: str) -> Case:
        state = self._states.get(stream)
        if state is not None and tx.version and self._versions.get(stream) == tx.version:
            return Case(state=state)  # nobody else has written since
        if state is None:
            body, seq, _ = (None, 0, 0) if self.from_facts else tx.snapshot(stream, RULES_VERSION)
            state = self._decode(stream, body) if body is not None else None
            self._snapshots[stream] = seq if state is not None else 0
            state = state or empty(stream)
        fold(state, tx.facts(stream, state.seq))
        self._remember(stream, state)
        self._versions[stream] = tx.version
        return Case(state=state)

    def _decode(self, stream: str, body: bytes) -> StreamState | None:
        """The state in a snapshot; None if another version wrote it: the facts are whole."""
        kind = type(empty(stream))
        if kind not in self._decoders:
            self._decoders[kind] = msgspec.json.Decoder(kind)
        try:
            return self._decoders[kind].decode(body)
        except msgspec.DecodeError:
            return None

    def _remember(self, stream: str, state: StreamState) -> None:
        self._states.pop(stream, None)
        self._states[stream] = state
        if len(self._states) > CACHED_STREAMS:
            oldest = next(iter(self._states))
            del self._states[oldest]
            self._heard.pop(oldest, None)
            self._versions.pop(oldest, None)

    def _store(self, tx: Tx, case: Case, now: datetime) -> int:
        state = case.state
        if not case.facts:
            return 0
        head = tx.append(case.facts, case.texts)
        rows = self._asked(tx, case, now)
        tx.enqueue(rows)
        self._call(tx, case)
        self._freeze(tx, case)
        for which in withdrawals(case.facts):
            tx.withdraw(state.stream, which)
        for fact in case.facts:
            if fact.kind == "trust.withdrawn":
                tx.hasten(fact.data["channels"], now)
        snapshot = None
        if state.seq - self._snapshots.get(state.stream, 0) >= SNAPSHOT_EVERY:
            snapshot = msgspec.json.encode(state)
            self._snapshots[state.stream] = state.seq
        tx.derive(state.stream, state.seq, head, now, derived(state, snapshot))
        return len(rows)

    def _call(self, tx: Tx, case: Case) -> None:
        """Let the institution's other systems be told, in the same transaction."""
        state, hooks = case.state, self.premises.hooks
        if hooks and isinstance(state, Incident) and state.seq:
            enqueue(tx, calls(case.facts, state, self._policy(tx, state.policy).severity, hooks))

    def _freeze(self, tx: Tx, case: Case) -> None:
        """Store the documents that the new facts name by digest."""
        for fact in case.facts:
            if fact.kind == "incident.declared":
                self._keep_once(tx, self._policy_now)
            elif fact.kind in _FREEZING:
                self._keep_once(tx, self.library[fact.data["playbook"]].document)

    def _keep_once(self, tx: Tx, document: Document) -> None:
        if document.digest not in self._stored:
            tx.keep(document)
            self._stored.add(document.digest)

    def _restricted_ids(self, tx: Tx) -> list[str]:
        return tx.restricted()

    def _incident_ids(self, tx: Tx) -> list[str]:
        return tx.incidents()

    def _now(self, look: Callable[[Tx], Seen]) -> Seen:
        with self.record.read() as tx:
            return look(tx)

    def _document(self, tx: Tx, digest: str) -> bytes:
        body = tx.document(digest)
        if body is None:
            raise NotFound(f"document {digest} is not in the record; restore a backup")
        return body

    def _number(self, tx: Tx, counter: str) -> int:
        return tx.number(counter)

    def _peek(self, tx: Tx, counter: str) -> int:
        return tx.peek(counter)

    def _text(self, body: str) -> StoredText:
        # Before the digest, and everywhere alike: not every database can hold it (models.database).
        body = body.replace(NUL, IN_ITS_PLACE)
        salt = new_salt()
        return StoredText(digest=text_digest(salt, body), salt=salt, body=body)
