"""A record run again: the acts of the past, at their instants or as long after what asked for them.

Pure: everything happens on a desk in memory, on the replay's own time. Nothing is delivered and no machine
works: what came of both then is said again, as long after it was asked for as then.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from models.casework import HOUSE, Setting
from models.commands import Command, MarkDelivery
from models.errors import HikeshiError
from models.fact import Fact
from models.fold import fold
from models.frozen import Document, FrozenPlaybook, thaw_plan, thaw_policy
from models.premises import Library, Outcome, Premises
from models.replay.anchors import Anchor, Anchors
from models.replay.past import Act, Look
from models.replay.recorded import Recorded
from models.rules.common import Then
from models.state import Incident
from models.virtual import VirtualDesk

Manner = Literal["as-recorded", "shifted"]
LATE = timedelta(seconds=5)
"""How long after its due time the watch may have looked and still be said to have looked in time."""
MAX_TICKS = 200_000
HEARD = frozenset({"node.outage", "trust.withdrawn", "trust.restored"})
"""What the house heard then and the replay hears again: outages, and channels out of band."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An act of the past that the replay refused, with the named reason."""

    act: Act
    at: datetime
    reason: str
    detail: Mapping[str, object]


@dataclass(kw_only=True)
class Replayed:
    """What came of it. `numbers` are the replay's numbers of the record's facts, as far as they met."""

    desk: VirtualDesk
    stream: str
    manner: Manner
    refused: list[Refusal] = field(default_factory=list)
    unasked: list[Act] = field(default_factory=list)
    adapted: list[str] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)
    absolute: set[int] = field(default_factory=set)
    heard: list[Fact] = field(default_factory=list)

    @property
    def facts(self) -> Sequence[Fact]:
        """The replayed record."""
        return self.desk.facts.get(self.stream, ())


class Editions(Library):
    """Playbooks as they were frozen then; where the record names none, those of today."""

    def __init__(self, today: Library, frozen: Mapping[str, FrozenPlaybook]) -> None:
        super().__init__({})
        self.today = today
        self.then = dict(frozen)
        self.now: dict[str, FrozenPlaybook] = {}

    def __getitem__(self, name: str) -> FrozenPlaybook:
        return self.now.get(name) or self.today[name]

    def __contains__(self, name: object) -> bool:
        return name in self.now or name in self.today

    def __iter__(self) -> Any:
        return iter({**dict.fromkeys(self.today), **dict.fromkeys(self.now)})

    def __len__(self) -> int:
        return len({*self.today, *self.now})

    def frozen(self) -> tuple[FrozenPlaybook, ...]:
        return (*self.today.frozen(), *self.then.values())

    def take(self, freezes: Mapping[str, str]) -> None:
        """From now on these are the editions of their playbooks, as far as they are known."""
        self.now |= {name: self.then[digest] for name, digest in freezes.items() if digest in self.then}


def documents_of(recorded: Recorded) -> frozenset[str]:
    """The documents that the record froze, by digest: its policy and its playbooks."""
    policies = {fact.data["policy"] for fact in recorded.facts if fact.kind == "incident.declared"}
    return frozenset(policies | {digest for act in recorded.acts for digest in act.freezes.values()})


def frozen_setting(recorded: Recorded, premises: Premises, documents: Mapping[str, bytes]) -> Setting:
    """The institution with people as they are now, and policy and playbooks as the record froze them.

    What is not among `documents` is as it is today.
    """
    policies = (fact.data["policy"] for fact in recorded.facts if fact.kind == "incident.declared")
    policy = next((one for one in policies if one in documents), None)
    if policy is not None:
        premises = replace(premises, policy=thaw_policy(documents[policy]))
    then = {
        digest: _thawed(name, digest, documents[digest])
        for act in recorded.acts
        for name, digest in act.freezes.items()
        if digest in documents
    }
    setting = Setting(premises, Editions(Library(premises.playbooks), then))
    if policy is not None:
        # Under its own name: a newer version may write the same policy in other bytes.
        setting.policy = Document(digest=policy, body=documents[policy])
    return setting


def _thawed(name: str, digest: str, body: bytes) -> FrozenPlaybook:
    plan = thaw_plan(body)
    version = plan.playbook.version
    return FrozenPlaybook(name=name, version=version, document=Document(digest=digest, body=body), plan=plan)


class _Desk(VirtualDesk):
    """The desk of a replay: what belongs to other incidents is not followed."""

    only: str = ""

    def _and_then(self, tx: Any, outcome: Outcome, following: list[Then], touched: list[str]) -> Outcome:
        own = [one for one in following if one.stream is not None and not self._elsewhere(one.stream)]
        return super()._and_then(tx, outcome, own, touched)

    def _elsewhere(self, stream: str) -> bool:
        return stream.startswith("INC-") and stream != self.only

    def hear(self, fact: Fact) -> None:
        """The house hears again what it heard then."""
        heard = self.facts.setdefault(HOUSE, [])
        again = msgspec.structs.replace(fact, stream=HOUSE, seq=len(heard) + 1)
        fold(self.state(HOUSE), (again,))
        heard.append(again)


class Replay:
    """One run. `late` is how long after a due time a recorded look of the watch still counts as that one.

    With None the watch looks when it looked and never else: the same rules give the same facts.
    """

    def __init__(
        self,
        recorded: Recorded,
        setting: Setting,
        *,
        manner: Manner = "shifted",
        house: Sequence[Fact] = (),
        documents: Mapping[str, bytes] | None = None,
        late: timedelta | None = LATE,
    ) -> None:
        if not recorded.acts:
            raise HikeshiError(f"{recorded.stream}: the record holds no act that could be run again")
        self.recorded = recorded
        self.manner = manner
        self.late = late
        self._exact = late is None and manner == "as-recorded"
        self.library = setting.library
        start = recorded.acts[0].at
        self.desk = _Desk(setting, start, documents=documents)
        self.desk.only = recorded.stream
        self.house = [fact for fact in house if fact.kind in HEARD]
        self.result = Replayed(desk=self.desk, stream=recorded.stream, manner=manner)
        self.anchors = Anchors(recorded.facts)
        self._queue: list[tuple[datetime, int, Act | Look | Fact]] = []
        self._waiting: dict[Anchor, list[Act]] = {}
        self._looks = [look.at for look in recorded.looks] if manner == "as-recorded" else []
        self._again: set[int] = set()

    def run(self) -> Replayed:
        """Run to the end of the record, or to the last act if that comes later. Raises HikeshiError."""
        if self._exact:
            self._exactly()
            return self.result
        self._fill()
        end = max(fact.recorded_at for fact in self.recorded.facts)
        for _ in range(MAX_TICKS):
            if not self._queue:
                if not self._time(end):
                    break
                continue
            at, _seq, what = self._queue[0]
            # What the house hears comes before what is looked at in the same instant.
            before = timedelta(microseconds=1) if isinstance(what, Fact) else timedelta(0)
            if self._time(at - before):
                continue
            heapq.heappop(self._queue)
            self.desk.clock.set(max(at, self.desk.clock.now()))
            self._do(what)
        else:
            raise HikeshiError(
                f"{self.recorded.stream}: the replay does not come to rest; please report this"
            )
        for many in self._waiting.values():
            self.result.unasked += many
        self.result.unasked.sort(key=lambda act: act.seq)
        return self.result

    def _fill(self) -> None:
        for fact in self.house:
            heapq.heappush(self._queue, (fact.recorded_at, 0 - len(self.house) + len(self._queue), fact))
        for look in self.recorded.looks if self._looks else ():
            heapq.heappush(self._queue, (look.at, look.seq, look))
        for act in self.recorded.acts:
            anchor = self.anchors.of(act) if self.manner == "shifted" else None
            if anchor is None:
                self.result.absolute.add(act.seq)
                heapq.heappush(self._queue, (act.at, act.seq, act))
            else:
                self._waiting.setdefault(anchor, []).append(act)

    def _exactly(self) -> None:
        """In the record's own order: a wall clock that was put back is put back again."""
        heard = list(self.house)
        course: list[Act | Look] = [*self.recorded.acts, *self.recorded.looks]
        for what in sorted(course, key=lambda one: one.seq):
            while heard and heard[0].recorded_at <= what.at:
                self._hear(heard.pop(0))
            self.desk.clock.set(what.at)
            self._do(what)

    # -- time -----------------------------------------------------------------------------------------------

    def _time(self, until: datetime) -> bool:
        """Let what falls due before `until` happen; whether something did."""
        due = self.desk.next_due(self.recorded.stream)
        if due is None or due > until or self._is_looked_at(due):
            return False
        at = self._watched(max(due, self.desk.clock.now()))
        if at > until:
            return False
        self.desk.clock.set(at)
        self._met(self.desk.tick(self.recorded.stream))
        return True

    def _is_looked_at(self, due: datetime) -> bool:
        """Whether a look of the record is the one that finds it."""
        place = bisect_left(self._looks, due)
        if place >= len(self._looks):
            return False
        look = self._looks[place]
        if look < self.desk.clock.now():
            return False
        return look <= self._watched(due) + (self.late or LATE)

    def _watched(self, at: datetime) -> datetime:
        """When somebody next watches: nobody does during an outage."""
        for fact in self.house:
            if fact.kind == "node.outage":
                since, until = (datetime.fromisoformat(fact.data[name]) for name in ("since", "until"))
                if since <= at < until:
                    return until
        return at

    def _hear(self, fact: Fact) -> None:
        self.result.heard.append(fact)
        self.desk.hear(fact)

    # -- acts -----------------------------------------------------------------------------------------------

    def _do(self, what: Act | Look | Fact) -> None:
        if isinstance(what, Fact):
            self._hear(what)
        elif isinstance(what, Look):
            if (due := self.desk.next_due(self.recorded.stream)) is not None and due <= self.desk.clock.now():
                self._met(self.desk.tick(self.recorded.stream))
        else:
            self._act(what)

    def _act(self, act: Act) -> None:
        now = self.desk.clock.now()
        command = self._referring(act, now)
        if command is None:
            self.result.unasked.append(act)
            return
        if isinstance(self.library, Editions):
            self.library.take(act.freezes)
        outcome = self.desk.handle(self.recorded.stream, command)
        if outcome.refused is not None:
            if now < act.at and act.seq not in self._again:
                # What it needs is not there yet: it keeps its own instant.
                self._again.add(act.seq)
                heapq.heappush(self._queue, (act.at, act.seq, act))
                return
            self.result.refused.append(
                Refusal(act=act, at=now, reason=outcome.refused.value, detail=outcome.detail)
            )
            return
        self._match(act, outcome)
        self._met(outcome)

    def _referring(self, act: Act, now: datetime) -> Command | None:
        """The command with the replay's own numbers and times; None if it answers what was never asked."""
        command, changes = act.command, dict[str, Any]()
        for name, number in act.refs.items():
            known = self.result.numbers.get(number)
            if known is None and number in self.anchors.facts:
                return None
            known = number if known is None else known
            changes[name] = known
        if isinstance(command, MarkDelivery):
            changes["key"] = self._key(command.key, changes["key"])
        changes |= self._times(act, now)
        return replace(command, **changes) if changes else command

    def _key(self, key: str, cause: int) -> str:
        """A message's key with the replay's numbers: that of a delegation names its fact too."""
        stream, _, level, attempt, address = key.split("/", 4)
        if level == "delegate":
            attempt = str(self.result.numbers.get(int(attempt), attempt))
        return f"{stream}/{cause}/{level}/{attempt}/{address}"

    def _times(self, act: Act, now: datetime) -> dict[str, Any]:
        """Times that would lie ahead of an earlier act, and those that lie ahead of it, move with it."""
        by = now - act.at
        if not by:
            return {}
        found: dict[str, Any] = {}
        for one in fields(act.command):
            value = getattr(act.command, one.name)
            if isinstance(value, datetime) and (one.name == "at" or value > min(now, act.at)):
                found[one.name] = value + by
        return found

    # -- what meets what ------------------------------------------------------------------------------------

    def _match(self, act: Act, outcome: Outcome) -> None:
        """The facts of an act meet those of the same kind that it comes to now."""
        left: dict[str, list[int]] = {}
        for fact in outcome.facts:
            if fact.stream == self.recorded.stream:
                left.setdefault(fact.kind, []).append(fact.seq)
        for fact in act.facts:
            if left.get(fact.kind):
                self.result.numbers[fact.seq] = left[fact.kind].pop(0)

    def _met(self, outcome: Outcome) -> None:
        """What asks for something has happened: whoever answered it then answers it as long after."""
        for fact in outcome.facts:
            if fact.stream != self.recorded.stream:
                continue
            anchor = self.anchors.meet(fact)
            if (seq := self.anchors.seqs.get(anchor)) is not None:
                self.result.numbers.setdefault(seq, fact.seq)
            for act in self._waiting.pop(anchor, ()):
                at = fact.recorded_at + self.anchors.delay(act)
                heapq.heappush(self._queue, (at, act.seq, act))

    @property
    def state(self) -> Incident:
        """The incident of the replay."""
        return self.desk.incident(self.recorded.stream)
