"""How a command, and time, become facts: what every desk does alike, whatever it keeps its record in.

The desk on a database (`models.desk`) and the one in memory (`models.virtual`: rehearsal, replay) differ in
where facts lie and in what a transaction is; what is decided, what follows and who is asked stands here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from models.advance import MAX_PASSES, advance
from models.bysource import BySource
from models.clock import Clock, micros
from models.commands import Actor, Command, Declare, RecordRefusal
from models.decide import decide, due
from models.directory import Directory
from models.errors import HikeshiError, NotFound, RecordConflict, Refused
from models.exercise import EXERCISE, Exercise
from models.fact import SYSTEM, Draft, Fact, StoredText, place
from models.fold import fold
from models.frozen import Document, freeze_policy, thaw_plan, thaw_policy
from models.kinds import must_be_writable
from models.layout import Layouts
from models.messages import ASKING, messages
from models.outofband import refuse_distrusted
from models.plan import Plan
from models.policy import Policy
from models.premises import Library, Outcome, Premises
from models.rules.common import Then
from models.rules.pages import unheard
from models.state import House, Incident, StreamState
from models.supervised import attempt
from models.world import World

MAX_FOLLOWING = 5
REFUSALS_KEPT = 1_000
SOMEBODY = "unknown"
HOUSE, INTAKE = "house", "intake"
Transaction = TypeVar("Transaction")
WATCH_VIA = "watch"
"""How facts came about that time alone made true."""
_WATCH, _RULES = Actor.machine(WATCH_VIA), Actor.machine("rules")


@dataclass(kw_only=True)
class Case:
    """A stream at hand: its folded state, and what this transaction adds."""

    state: StreamState
    facts: list[Fact] = field(default_factory=list)
    texts: dict[int, list[StoredText]] = field(default_factory=dict)


class Setting:
    """What all desks of one institution have in common; made once, and dear to make."""

    def __init__(self, premises: Premises, library: Library | None = None) -> None:
        """`library` are the playbooks that can be added, if not those of the premises."""
        self.premises = premises
        self.directory = Directory(premises.organisation)
        self.library = library or Library(premises.playbooks)
        self.policy = freeze_policy(premises.policy)


class Casework(ABC, Generic[Transaction]):
    """Takes commands and time, and lets what the rules say be written. One writer."""

    def __init__(self, setting: Setting, clock: Clock) -> None:
        self.premises = setting.premises
        self.clock = clock
        self.directory = setting.directory
        self.library = setting.library
        self._policy_now = setting.policy
        self._policies: dict[str, Policy] = {setting.policy.digest: setting.premises.policy}
        self._plans: dict[str, Plan] = {}
        self._by_source = BySource()
        self._layouts = Layouts()
        self._settled: set[str] = set()
        self._house = House(stream=HOUSE)
        self._refusals: dict[tuple[str, str, str], tuple[datetime, int]] = {}
        self.after_commit: list[Callable[[Outcome], None]] = []
        self.refused: Counter[str] = Counter()
        """Commands that were refused here, by reason."""

    # -- what a transaction is, and where things lie --------------------------------------------------------

    @abstractmethod
    def _once(
        self, stream: str | None, command: Command, beside: Sequence[tuple[Document, str]] = ()
    ) -> Outcome:
        """Run the command in a transaction of its own, whole or not at all. Raises Refused."""

    @abstractmethod
    def _hold(self, tx: Transaction, stream: str) -> None:
        """Nobody else writes in this stream until the transaction is over, if others can write at all."""

    @abstractmethod
    def _load(self, tx: Transaction, stream: str) -> Case: ...

    @abstractmethod
    def _store(self, tx: Transaction, case: Case, now: datetime) -> int:
        """Let what the case has become be kept; how many messages that asks for."""

    @abstractmethod
    def _beside(self, tx: Transaction, stream: str) -> dict[str, str | None]: ...

    @abstractmethod
    def _restricted_ids(self, tx: Transaction) -> list[str]:
        """Ids of the incidents that only some may know of."""

    @abstractmethod
    def _incident_ids(self, tx: Transaction) -> list[str]:
        """Ids of all incidents, in their order."""

    @abstractmethod
    def _document(self, tx: Transaction, digest: str) -> bytes:
        """The document's bytes. Raises NotFound."""

    @abstractmethod
    def _number(self, tx: Transaction, counter: str) -> int:
        """The next number, which is now given out."""

    @abstractmethod
    def _peek(self, tx: Transaction, counter: str) -> int:
        """The last number that was given out."""

    @abstractmethod
    def _text(self, body: str) -> StoredText: ...

    # -- commands -------------------------------------------------------------------------------------------

    def settled(self, outcome: Outcome) -> None:
        """Tell those who listen what has been stored; in a drill the script looks at what was done."""
        self._settled.add(outcome.stream)
        if self.premises.drill and any(fact.stream.startswith("INC-") for fact in outcome.facts):
            # What was done stands, whatever becomes of the script.
            attempt("exercise", self._look_at_script)
        for listener in self.after_commit:
            listener(outcome)

    def _look_at_script(self) -> None:
        # If somebody else is writing there, it is they who look.
        with suppress(RecordConflict):
            self.tick(EXERCISE)

    def _run(self, tx: Transaction, stream: str | None, command: Command, touched: list[str]) -> Outcome:
        if len(touched) > MAX_FOLLOWING:
            raise HikeshiError(f"{command}: commands follow from each other without end")
        now = self.clock.now()
        if stream is None:
            stream = self._next_incident(tx, now)
        touched.append(stream)
        self._hold(tx, stream)
        refuse_distrusted(self._hear(tx), command)
        reckoned = self._by_our_rules(tx, stream, touched)
        case = self._load(tx, stream)
        following: list[Then] = []
        upcoming = self._upcoming(tx, now) if stream == INTAKE else ""
        world = self._world(tx, case.state, now, upcoming).within(command.actor.person, command.actor.roles)
        for item in decide(case.state, command, world):
            if isinstance(item, Then):
                following.append(item)
            else:
                # What a scribe wrote is confirmed once, however many facts it came to.
                self._apply(case, item, command.actor, None if case.facts else command.for_, now)
        self._advance(tx, case, now, after_command=True)
        queued = self._store(tx, case, now)
        outcome = Outcome(
            stream=stream,
            facts=tuple(case.facts),
            queued=queued,
            opened=stream if isinstance(command, Declare) else None,
        )
        return self._and_then(tx, _with(outcome, reckoned), following, touched)

    def _and_then(
        self, tx: Transaction, outcome: Outcome, following: list[Then], touched: list[str]
    ) -> Outcome:
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
        self.refused[no.reason.value] += 1
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

    @abstractmethod
    def tick(self, stream: str) -> Outcome:
        """Write what time alone has made true in this stream."""

    def _tick(self, tx: Transaction, stream: str) -> Outcome:
        now = self.clock.now()
        reckoned = self._by_our_rules(tx, stream, [])
        case = self._load(tx, stream)
        for _ in range(MAX_PASSES):
            drafts = due(case.state, self._world(tx, case.state, now))
            if not drafts:
                break
            for draft in drafts:
                self._apply(case, draft, _WATCH, None, now)
            self._advance(tx, case, now)
        queued = self._store(tx, case, now)
        outcome = _with(Outcome(stream=stream, facts=tuple(case.facts), queued=queued), reckoned)
        return self._and_then(tx, outcome, unheard(case.facts), [stream])

    def _by_our_rules(self, tx: Transaction, stream: str, touched: list[str]) -> Outcome | None:
        """Before anything is decided: what other rules reckoned goes by ours, and what changes is listed."""
        return None

    # -- inside a transaction -------------------------------------------------------------------------------

    def _hear(self, tx: Transaction) -> House:
        """The house as it stands in this transaction: its outages and channels concern every stream."""
        house = self._load(tx, HOUSE).state
        self._house = house if isinstance(house, House) else self._house
        return self._house

    def _apply(self, case: Case, draft: Draft, actor: Actor, for_: str | None, now: datetime) -> None:
        must_be_writable(draft.kind, draft.v)
        state = case.state
        seq = state.seq + 1
        data = dict(draft.data)
        for name, body in draft.texts.items():
            text = self._text(body)
            case.texts.setdefault(seq, []).append(text)
            place(data, name, text.digest)
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
            v=draft.v,
        )
        fold(state, (fact,))
        case.facts.append(fact)

    def _advance(self, tx: Transaction, case: Case, now: datetime, *, after_command: bool = False) -> None:
        world = self._world(tx, case.state, now)
        # Nothing more followed from what there was before a command: only what is new may change that. The
        # first time it is all looked at, since the directory may be another than the one it was settled with.
        known = after_command and case.state.stream in self._settled
        for _ in range(MAX_PASSES):
            drafts = advance(case.state, world, {fact.kind for fact in case.facts} if known else None)
            if not drafts:
                return
            for draft in drafts:
                self._apply(case, draft, _RULES, None, now)
        raise HikeshiError(
            f"{case.state.stream}: the rules go in a circle; please report the playbooks in use"
        )

    def _asked(self, tx: Transaction, case: Case, now: datetime) -> list[dict[str, Any]]:
        """The outbox rows that the new facts ask for."""
        if not any(fact.kind in ASKING for fact in case.facts):
            return []
        world = self._world(tx, case.state, now)
        return [_dated(row, now) for fact in case.facts for row in messages(fact, case.state, world)]

    def _world(self, tx: Transaction, state: StreamState, now: datetime, upcoming: str = "") -> World:
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
            marks=self.premises.marks,
            exercise=lambda: self._exercise(tx),
            cases=lambda: self._cases(tx),
            by_source=self._by_source,
            layouts=self._layouts,
        )

    def _restricted(self, tx: Transaction) -> dict[str, Incident]:
        return self._incidents(tx, self._restricted_ids(tx))

    def _cases(self, tx: Transaction) -> dict[str, Incident]:
        return self._incidents(tx, self._incident_ids(tx))

    def _incidents(self, tx: Transaction, names: Sequence[str]) -> dict[str, Incident]:
        states = (self._load(tx, name).state for name in names)
        return {one.stream: one for one in states if isinstance(one, Incident)}

    def _exercise(self, tx: Transaction) -> Exercise | None:
        """How far the exercise of this drill has come; None where none has been prepared."""
        state = self._load(tx, EXERCISE).state if self.premises.drill else None
        return state if isinstance(state, Exercise) and state.seq else None

    def _policy(self, tx: Transaction, digest: str) -> Policy:
        if digest not in self._policies:
            self._policies[digest] = thaw_policy(self._document(tx, digest))
        return self._policies[digest]

    def _plan(self, tx: Transaction, digest: str) -> Plan:
        if digest not in self._plans:
            self._plans[digest] = self._plan_today(digest) or thaw_plan(self._document(tx, digest))
        return self._plans[digest]

    def _plan_today(self, digest: str) -> Plan | None:
        """A playbook that has just been frozen need not be read back."""
        frozen = (one for one in self.library.frozen() if one.document.digest == digest)
        return next((one.plan for one in frozen), None)

    def _next_incident(self, tx: Transaction, now: datetime) -> str:
        year = now.astimezone(ZoneInfo(self.premises.organisation.zone)).year
        return f"INC-{year}-{self._number(tx, f'incident-{year}'):04d}"

    def _upcoming(self, tx: Transaction, now: datetime) -> str:
        year = now.astimezone(ZoneInfo(self.premises.organisation.zone)).year
        return f"INC-{year}-{self._peek(tx, f'incident-{year}') + 1:04d}"


def _with(outcome: Outcome, reckoned: Outcome | None) -> Outcome:
    if reckoned is None:
        return outcome
    return replace(outcome, facts=reckoned.facts + outcome.facts, queued=reckoned.queued + outcome.queued)


def known_incident(state: StreamState) -> Incident:
    """The state of an incident that there is. Raises NotFound."""
    if not isinstance(state, Incident) or state.seq == 0:
        raise NotFound(f"there is no incident {state.stream}; `hikeshi list` shows those there are")
    return state


def _dated(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    """An outbox row with its instants; its age counts from when it may leave, not from the asking."""
    due_at = row.pop("not_before", now)
    stamp = micros(max(due_at, now))
    return row | {"created_at": stamp, "next_try_at": stamp}
