"""A desk in memory, on a time that its caller sets: rehearsal and replay.

The same rules, the same folds and the same messages as the desk on a database; no hashing, no salts, no SQL
and no I/O, so that whole incidents run in milliseconds and the same commands always give the same facts. Two
desks agree but for the names of texts: `t:` and a number in order here, a salted digest there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from models.casework import HOUSE, Case, Casework, Setting, known_incident
from models.clock import ExerciseClock, micros
from models.commands import Command
from models.decide import next_due
from models.errors import NotFound, Refused
from models.fact import DISPOSED, Fact, StoredText
from models.fold import empty, fold
from models.frozen import Document
from models.premises import Outcome
from models.state import Incident, StreamState
from models.withdrawing import withdrawals
from models.world import World


@dataclass(kw_only=True)
class _Pending:
    """What one command, with those that follow from it, adds to the desk when it has succeeded."""

    facts: list[Fact] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)


class VirtualDesk(Casework[_Pending]):
    """Takes commands and time as `models.desk.Desk` does, and keeps everything in plain lists.

    Give several desks of one institution the same `Setting`: it is most of what a desk costs. The caller
    moves `clock`, calls `tick` for what is due, and says what became of the messages by `MarkDelivery`.
    """

    def __init__(
        self,
        setting: Setting,
        now: datetime,
        *,
        documents: Mapping[str, bytes] | None = None,
        numbers: Mapping[str, int] | None = None,
    ) -> None:
        """`documents` by digest are policies and playbooks frozen before; `numbers` the counters so far."""
        self.clock: ExerciseClock
        super().__init__(setting, ExerciseClock(now))
        self.facts: dict[str, list[Fact]] = {}
        """Every stream's record, in order."""
        self.outbox: dict[str, dict[str, Any]] = {}
        """The messages asked for, by key: rows as the outbox table has them."""
        self._rows: dict[tuple[str, int], list[dict[str, Any]]] = {}
        self._states: dict[str, StreamState] = {}
        self._texts: dict[str, dict[str, str | None]] = {}
        self._due: dict[str, datetime | None] = {}
        self._moved: set[str] = set()
        """Streams of which nobody has asked since they changed when they are due."""
        self._documents = dict(documents or {})
        self._numbers = dict(numbers or {})
        self._named = 0

    def given(self, stream: str, facts: Sequence[Fact], texts: Mapping[str, str | None]) -> None:
        """A record that was there before: all facts of a stream from its first, and the texts beside them."""
        self.facts[stream] = list(facts)
        self._texts[stream] = dict(texts)
        self._states.pop(stream, None)
        self._moved.add(stream)

    # -- commands and time ----------------------------------------------------------------------------------

    def handle(self, stream: str | None, command: Command) -> Outcome:
        """Decide and keep. `stream` None opens an incident. A refusal is an outcome, and is recorded."""
        try:
            outcome = self._once(stream, command)
        except Refused as no:
            return self._refuse(stream, command, no)
        self.settled(outcome)
        return outcome

    def tick(self, stream: str) -> Outcome:
        """Keep what time alone has made true in this stream."""
        tx, touched = _Pending(), [stream, HOUSE]
        try:
            self._hear(tx)
            outcome = self._tick(tx, stream)
        except BaseException:
            self._undo(touched)
            raise
        self._keep(tx)
        self.settled(outcome)
        return outcome

    def next_due(self, stream: str | None = None) -> datetime | None:
        """When a tick will next have something to say, of one stream or of all; None if never."""
        due = self._all_due()
        if stream is not None:
            return due.get(stream)
        return min((at for at in due.values() if at is not None), default=None)

    def due_streams(self, now: datetime) -> list[str]:
        """Streams whose next due time has come, oldest first."""
        found = [(at, name) for name, at in self._all_due().items() if at is not None and at <= now]
        return [name for _, name in sorted(found)]

    def _all_due(self) -> dict[str, datetime | None]:
        for name in self._moved:
            self._due[name] = next_due(self._load(_Pending(), name).state)
        self._moved.clear()
        return self._due

    # -- reading --------------------------------------------------------------------------------------------

    def state(self, stream: str) -> StreamState:
        """The folded state of a stream. Read only."""
        return self._load(_Pending(), stream).state

    def incident(self, stream: str) -> Incident:
        """The incident. Raises NotFound."""
        return known_incident(self.state(stream))

    def world(self, state: StreamState) -> World:
        """The world as a rule would see it now, for this stream."""
        tx = _Pending()
        self._hear(tx)
        return self._world(tx, state, self.clock.now())

    def texts(self, stream: str) -> Mapping[str, str | None]:
        """All texts beside a stream's facts, by the name that stands in the fact. Read only."""
        return self._texts.get(stream, {})

    def waiting(self) -> list[dict[str, Any]]:
        """The messages that have not left, in the order they were asked for."""
        return [row for row in self.outbox.values() if row["state"] == "queued"]

    def forget(self) -> None:
        """Drop the folded states; they are folded again from the facts when asked for."""
        self._states.clear()

    # -- where things lie -----------------------------------------------------------------------------------

    def _once(
        self, stream: str | None, command: Command, beside: Sequence[tuple[Document, str]] = ()
    ) -> Outcome:
        tx, touched = _Pending(), list[str]()
        try:
            outcome = self._run(tx, stream, command, touched)
        except BaseException:
            self._undo(touched)
            raise
        self._documents.update((document.digest, document.body) for document, _ in beside)
        self._keep(tx)
        return outcome

    def _undo(self, touched: Sequence[str]) -> None:
        """The states may hold facts that are not kept."""
        for name in touched:
            state = self._states.get(name)
            if state is not None and state.seq != len(self.facts.get(name, ())):
                del self._states[name]

    def _keep(self, tx: _Pending) -> None:
        self._numbers.update(tx.numbers)
        by_stream: dict[str, list[Fact]] = {}
        for row in tx.rows:
            if self.outbox.setdefault(row["key"], row) is row:
                self._rows.setdefault((row["stream"], row["page"]), []).append(row)
        for fact in tx.facts:
            by_stream.setdefault(fact.stream, []).append(fact)
        for stream, facts in by_stream.items():
            self.facts.setdefault(stream, []).extend(facts)
            self._withdraw(stream, facts)
            self._moved.add(stream)

    def _withdraw(self, stream: str, facts: Sequence[Fact]) -> None:
        for which in withdrawals(facts):
            for row in self._about(stream, which.pages):
                if row["stream"] == stream and which.takes(row):
                    row["state"] = "withdrawn"
        for fact in facts:
            if fact.kind == DISPOSED:
                self._texts[stream][fact.data["digest"]] = None
            elif fact.kind == "trust.withdrawn":
                self._hasten(fact.data["channels"])

    def _about(self, stream: str, pages: Sequence[int] | None) -> Iterable[dict[str, Any]]:
        """The messages about these pages, or all there are."""
        if pages is None:
            return self.outbox.values()
        return [row for page in pages for row in self._rows.get((stream, page), ())]

    def _hasten(self, channels: Sequence[str]) -> None:
        for row in self.outbox.values():
            if row["state"] == "queued" and row["channel"] in channels:
                row["next_try_at"] = micros(self.clock.now())

    def _hold(self, tx: _Pending, stream: str) -> None:
        """There is nobody else."""

    def _load(self, tx: _Pending, stream: str) -> Case:
        state = self._states.get(stream)
        if state is None:
            state = self._states[stream] = fold(empty(stream), self.facts.get(stream, ()))
        return Case(state=state)

    def _store(self, tx: _Pending, case: Case, now: datetime) -> int:
        if not case.facts:
            return 0
        rows = self._asked(tx, case, now)
        tx.facts += case.facts
        tx.rows += rows
        if case.texts:
            beside = self._texts.setdefault(case.state.stream, {})
            beside.update((text.digest, text.body) for many in case.texts.values() for text in many)
        return len(rows)

    def _beside(self, tx: _Pending, stream: str) -> dict[str, str | None]:
        return self._texts.get(stream, {})

    def _restricted_ids(self, tx: _Pending) -> list[str]:
        return [name for name, one in self._cases(tx).items() if one.restriction.on]

    def _incident_ids(self, tx: _Pending) -> list[str]:
        begun = {*self.facts, *(fact.stream for fact in tx.facts)}
        return sorted(name for name in begun if name.startswith("INC-"))

    def _document(self, tx: _Pending, digest: str) -> bytes:
        if digest not in self._documents:
            # No desk here has written it: it may still be one of today's, which are frozen when asked for.
            for name in self.library:
                self._documents[self.library[name].document.digest] = self.library[name].document.body
        if digest not in self._documents:
            raise NotFound(f"document {digest} was not given to this desk; give it with `documents`")
        return self._documents[digest]

    def _number(self, tx: _Pending, counter: str) -> int:
        number = tx.numbers[counter] = self._peek(tx, counter) + 1
        return number

    def _peek(self, tx: _Pending, counter: str) -> int:
        return tx.numbers.get(counter, self._numbers.get(counter, 0))

    def _text(self, body: str) -> StoredText:
        self._named += 1
        return StoredText(digest=f"t:{self._named:064x}", salt=b"", body=body)
