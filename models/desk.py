"""The desk: where a command meets the record. One transaction: facts, outbox rows, next due time.

The same desk serves the running node, the command line, drills and tests; they differ in clock, directory,
channels and database, and in nothing else (design, 10).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import msgspec

from models.advance import MAX_PASSES, advance
from models.canonical import new_salt, text_digest
from models.clock import Clock
from models.commands import Actor, Command, Declare, RecordRefusal
from models.decide import decide, due
from models.deriving import derived
from models.directory import Directory
from models.errors import HikeshiError, NotFound, RecordConflict, Refused
from models.exercise import EXERCISE, Exercise
from models.fact import SYSTEM, Draft, Fact, place
from models.fold import RULES_VERSION, empty, fold
from models.frozen import Document, freeze_policy, thaw_plan, thaw_policy
from models.messages import messages
from models.outofband import refuse_distrusted
from models.plan import Plan
from models.policy import Policy
from models.premises import Library, Outcome, Premises
from models.record import Record, StoredText, Tx, dated
from models.rules.common import Then
from models.rules.pages import unheard
from models.state import House, Incident, StreamState
from models.withdrawing import withdraw
from models.world import World

MAX_FOLLOWING = 5
SNAPSHOT_EVERY = 50
CACHED_STREAMS = 2_000
CACHED_TEXTS = 200
RECENT_FACTS = 5_000
TRIES = 5
HOUSE, INTAKE = "house", "intake"
REFUSALS_KEPT = 1_000
SOMEBODY = "unknown"
Seen = TypeVar("Seen")
_FREEZING = frozenset({"playbook.added", "playbook.moved", "playbook.announced", "playbook.read"})


@dataclass(kw_only=True)
class _Case:
    """A stream at hand: its folded state, and what this transaction adds."""

    state: StreamState
    facts: list[Fact] = field(default_factory=list)
    texts: dict[int, list[StoredText]] = field(default_factory=dict)
    snapshot_seq: int = 0


class Desk:
    """Takes commands and time, and writes what the rules say. One writer: not for several threads at once."""

    def __init__(self, record: Record, premises: Premises, clock: Clock) -> None:
        self.record = record
        self.premises = premises
        self.clock = clock
        self.directory = Directory(premises.organisation)
        self.library = Library(premises.playbooks)
        self._policy_now = freeze_policy(premises.policy)
        self._policies: dict[str, Policy] = {self._policy_now.digest: premises.policy}
        self._plans: dict[str, Plan] = {}
        self._states: dict[str, StreamState] = {}
        self._house = House(stream=HOUSE)
        self._snapshots: dict[str, int] = {}
        self._versions: dict[str, int] = {}
        self._stored: set[str] = set()
        self._texts: dict[str, tuple[int, dict[str, str | None]]] = {}
        self._refusals: dict[tuple[str, str, str], tuple[datetime, int]] = {}
        self._decoders: dict[type[StreamState], msgspec.json.Decoder[StreamState]] = {}
        self.after_commit: list[Callable[[Outcome], None]] = []
        self.from_facts = False
        """Whether states are folded from the facts alone: a snapshot is outside the chain."""

    # -- commands -------------------------------------------------------------------------------------------

    def handle(
        self, stream: str | None, command: Command, *, beside: Sequence[tuple[Document, str]] = ()
    ) -> Outcome:
        """Decide and store. `stream` None opens an incident. A refusal is an outcome, and is recorded.

        `beside` are documents with their media types, which are stored with the facts or not at all.
        Raises RecordError if the record cannot be read or written; nothing is half done then.
        """
        for attempt in range(TRIES):
            try:
                outcome = self._once(stream, command, beside)
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
    def writing(self) -> Iterator[Tx]:
        """A transaction for `handle_in`: if it fails, what was cached is forgotten."""
        try:
            with self.record.begin() as tx:
                yield tx
        except BaseException:
            self.forget()
            raise

    def settled(self, outcome: Outcome) -> None:
        """Tell those who listen what has been stored; in a drill the script looks at what was done."""
        if self.premises.drill and outcome.facts and outcome.stream.startswith("INC-"):
            # If somebody else is writing there, it is they who look.
            with suppress(RecordConflict):
                self.tick(EXERCISE)
        for listener in self.after_commit:
            listener(outcome)

    def _once(
        self, stream: str | None, command: Command, beside: Sequence[tuple[Document, str]] = ()
    ) -> Outcome:
        touched: list[str] = []
        try:
            with self.record.begin() as tx:
                outcome = self._run(tx, stream, command, touched)
                for document, media in beside:
                    tx.keep(document, media)
        except BaseException:
            # The cached states may hold facts that were not stored.
            for name in touched:
                self._states.pop(name, None)
                self._texts.pop(name, None)
            self._stored.clear()
            raise
        return outcome

    def _run(self, tx: Tx, stream: str | None, command: Command, touched: list[str]) -> Outcome:
        if len(touched) > MAX_FOLLOWING:
            raise HikeshiError(f"{command}: commands follow from each other without end")
        now = self.clock.now()
        if stream is None:
            stream = self._next_incident(tx, now)
        touched.append(stream)
        refuse_distrusted(self._hear(tx), command)
        case = self._load(tx, stream)
        following: list[Then] = []
        upcoming = self._upcoming(tx, now) if stream == INTAKE else ""
        for item in decide(case.state, command, self._world(tx, case.state, now, upcoming)):
            if isinstance(item, Then):
                following.append(item)
            else:
                # What a scribe wrote is confirmed once, however many facts it came to.
                self._apply(case, item, command.actor, None if case.facts else command.for_, now)
        self._advance(tx, case, now)
        queued = self._store(tx, case, now)
        outcome = Outcome(
            stream=stream,
            facts=tuple(case.facts),
            queued=queued,
            opened=stream if isinstance(command, Declare) else None,
        )
        return self._and_then(tx, outcome, following, touched)

    def _and_then(self, tx: Tx, outcome: Outcome, following: list[Then], touched: list[str]) -> Outcome:
        for then in following:
            further = self._run(tx, then.stream, then.command, touched)
            outcome = replace(
                outcome,
                facts=outcome.facts + further.facts,
                queued=outcome.queued + further.queued,
                opened=outcome.opened or further.opened,
            )
        return outcome

    def _refuse(self, stream: str | None, command: Command, no: Refused) -> Outcome:
        """Every refusal is recorded; the same one again within a minute is counted, not written."""
        name = type(command).__name__
        # Names that nobody here has are chosen by whoever knocks: they share one place.
        who = command.who if self.directory.person(command.who) else SOMEBODY
        now = self.clock.now()
        key = (who, name, no.reason.value)
        last, held = self._refusals.pop(key, (None, 0))
        if len(self._refusals) >= REFUSALS_KEPT:
            del self._refusals[next(iter(self._refusals))]
        if last is not None and abs(now - last) < timedelta(minutes=1):
            self._refusals[key] = (last, held + 1)
        else:
            self._refusals[key] = (now, 0)
            self._once(
                HOUSE,
                RecordRefusal(
                    actor=Actor.machine(command.actor.via),
                    refused=who,
                    command=name,
                    reason=no.reason.value,
                    detail=f"{stream or ''} {command.actor.name[:80]} {no.detail}",
                    count=held + 1,
                ),
            )
        return Outcome(stream=stream or "", refused=no.reason, detail=no.detail)

    # -- time -----------------------------------------------------------------------------------------------

    def tick(self, stream: str) -> Outcome:
        """Write what time alone has made true in this stream."""
        return self.tick_all([stream])[0]

    def tick_all(self, streams: Sequence[str]) -> list[Outcome]:
        """As `tick`, for several streams in one transaction: a commit costs more than a tick.

        One that fails undoes all of them; the caller then ticks them one by one.
        """
        try:
            with self.record.begin() as tx:
                self._hear(tx)
                outcomes = [self._tick(tx, stream) for stream in streams]
        except BaseException:
            for stream in (*streams, HOUSE):
                self._states.pop(stream, None)
            raise
        for outcome in outcomes:
            self.settled(outcome)
        return outcomes

    def _tick(self, tx: Tx, stream: str) -> Outcome:
        now = self.clock.now()
        case = self._load(tx, stream)
        for _ in range(MAX_PASSES):
            drafts = due(case.state, self._world(tx, case.state, now))
            if not drafts:
                break
            for draft in drafts:
                self._apply(case, draft, Actor.machine("watch"), None, now)
            self._advance(tx, case, now)
        queued = self._store(tx, case, now)
        outcome = Outcome(stream=stream, facts=tuple(case.facts), queued=queued)
        return self._and_then(tx, outcome, unheard(case.facts), [stream])

    # -- reading --------------------------------------------------------------------------------------------

    def state(self, stream: str) -> StreamState:
        """The folded state of a stream, as stored now. Read only."""
        with self.record.read() as tx:
            return self._load(tx, stream).state

    def incident(self, stream: str) -> Incident:
        """The incident. Raises NotFound."""
        state = self.state(stream)
        if not isinstance(state, Incident) or state.seq == 0:
            raise NotFound(f"there is no incident {stream}; `hikeshi list` shows those there are")
        return state

    def world(self, state: StreamState) -> World:
        """The world as a rule would see it now, for this stream."""
        with self.record.read() as tx:
            self._hear(tx)
            world = self._world(tx, state, self.clock.now())
        return replace(
            world,
            beside=lambda: self.texts(state.stream),
            restricted=lambda: self._now(self._restricted),
            exercise=lambda: self._now(self._exercise),
            cases=lambda: self._now(self._cases),
        )

    def distrusted(self) -> frozenset[str]:
        """The channels that are out of band now. Cheap; from the thread of the record, like all else here."""
        with self.record.read() as tx:
            return frozenset(self._hear(tx).distrusted)

    def texts(self, stream: str) -> dict[str, str | None]:
        """All texts beside a stream's facts. Read only."""
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

    def _load(self, tx: Tx, stream: str) -> _Case:
        state = self._states.get(stream)
        if state is not None and tx.version and self._versions.get(stream) == tx.version:
            return _Case(state=state)  # nobody else has written since
        if state is None:
            body, seq, _ = (None, 0, 0) if self.from_facts else tx.snapshot(stream, RULES_VERSION)
            state = self._decode(stream, body) if body is not None else None
            self._snapshots[stream] = seq if state is not None else 0
            state = state or empty(stream)
        fold(state, tx.facts(stream, state.seq))
        self._remember(stream, state)
        self._versions[stream] = tx.version
        return _Case(state=state)

    def _hear(self, tx: Tx) -> House:
        """The house as it stands in this transaction: its outages and channels concern every stream."""
        house = self._load(tx, HOUSE).state
        self._house = house if isinstance(house, House) else self._house
        return self._house

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
            self._versions.pop(oldest, None)

    def _apply(self, case: _Case, draft: Draft, actor: Actor, for_: str | None, now: datetime) -> None:
        state = case.state
        seq = state.seq + 1
        data = dict(draft.data)
        for name, body in draft.texts.items():
            salt = new_salt()
            digest = text_digest(salt, body)
            case.texts.setdefault(seq, []).append(StoredText(digest=digest, salt=salt, body=body))
            place(data, name, digest)
        fact = Fact(
            stream=state.stream,
            seq=seq,
            at=draft.at or now,
            recorded_at=now,
            actor=actor.person or SYSTEM,
            for_=for_,
            via=actor.via,
            kind=draft.kind,
            data=data,
        )
        fold(state, (fact,))
        case.facts.append(fact)

    def _advance(self, tx: Tx, case: _Case, now: datetime) -> None:
        world = self._world(tx, case.state, now)
        for _ in range(MAX_PASSES):
            drafts = advance(case.state, world)
            if not drafts:
                return
            for draft in drafts:
                self._apply(case, draft, Actor.machine("rules"), None, now)
        raise HikeshiError(
            f"{case.state.stream}: the rules go in a circle; please report the playbooks in use"
        )

    def _store(self, tx: Tx, case: _Case, now: datetime) -> int:
        state = case.state
        if not case.facts:
            return 0
        head = tx.append(case.facts, case.texts)
        world = self._world(tx, state, now)
        rows = [dated(row, now) for fact in case.facts for row in messages(fact, state, world)]
        tx.enqueue(rows)
        self._freeze(tx, case)
        withdraw(tx, state.stream, case.facts)
        for fact in case.facts:
            if fact.kind == "trust.withdrawn":
                tx.hasten(fact.data["channels"], now)
        snapshot = None
        if state.seq - self._snapshots.get(state.stream, 0) >= SNAPSHOT_EVERY:
            snapshot = msgspec.json.encode(state)
            self._snapshots[state.stream] = state.seq
        tx.derive(state.stream, state.seq, head, now, derived(state, snapshot))
        return len(rows)

    def _freeze(self, tx: Tx, case: _Case) -> None:
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

    def _world(self, tx: Tx, state: StreamState, now: datetime, upcoming: str = "") -> World:
        incident = state if isinstance(state, Incident) and state.seq else None
        digest = incident.policy if incident else self._policy_now.digest
        house, distrusted = self._house, frozenset(self._house.distrusted)
        return World(
            now=now,
            organisation=self.premises.organisation,
            directory=self.directory,
            policy=self._policy(tx, digest),
            policy_digest=digest,
            plans={name: self._plan(tx, use.digest) for name, use in incident.playbooks.items()}
            if incident
            else {},
            library=self.library,
            outages=tuple((span[0], span[1]) for span in house.outages),
            channels=self.premises.channels - distrusted,
            distrusted=self.premises.channels & distrusted,
            drill=self.premises.drill,
            next_incident=upcoming,
            beside=lambda: self._beside(tx, state.stream),
            restricted=lambda: self._restricted(tx),
            scenario=self.premises.scenario,
            exercise=lambda: self._exercise(tx),
            cases=lambda: self._cases(tx),
        )

    def _restricted(self, tx: Tx) -> dict[str, Incident]:
        return self._incidents(tx, tx.restricted())

    def _cases(self, tx: Tx) -> dict[str, Incident]:
        return self._incidents(tx, tx.incidents())

    def _incidents(self, tx: Tx, names: Sequence[str]) -> dict[str, Incident]:
        states = (self._load(tx, name).state for name in names)
        return {one.stream: one for one in states if isinstance(one, Incident)}

    def _exercise(self, tx: Tx) -> Exercise | None:
        """How far the exercise of this drill has come; None where none has been prepared."""
        state = self._load(tx, EXERCISE).state if self.premises.drill else None
        return state if isinstance(state, Exercise) and state.seq else None

    def _now(self, look: Callable[[Tx], Seen]) -> Seen:
        with self.record.read() as tx:
            return look(tx)

    def _policy(self, tx: Tx, digest: str) -> Policy:
        if digest not in self._policies:
            self._policies[digest] = thaw_policy(self._document(tx, digest))
        return self._policies[digest]

    def _plan(self, tx: Tx, digest: str) -> Plan:
        if digest not in self._plans:
            self._plans[digest] = self._plan_today(digest) or thaw_plan(self._document(tx, digest))
        return self._plans[digest]

    def _plan_today(self, digest: str) -> Plan | None:
        """A playbook that has just been frozen need not be read back."""
        frozen = (one for one in self.library.frozen() if one.document.digest == digest)
        return next((one.plan for one in frozen), None)

    def _document(self, tx: Tx, digest: str) -> bytes:
        body = tx.document(digest)
        if body is None:
            raise NotFound(f"document {digest} is not in the record; restore a backup")
        return body

    def _next_incident(self, tx: Tx, now: datetime) -> str:
        year = now.astimezone(ZoneInfo(self.premises.organisation.zone)).year
        return f"INC-{year}-{tx.number(f'incident-{year}'):04d}"

    def _upcoming(self, tx: Tx, now: datetime) -> str:
        year = now.astimezone(ZoneInfo(self.premises.organisation.zone)).year
        return f"INC-{year}-{tx.peek(f'incident-{year}') + 1:04d}"
