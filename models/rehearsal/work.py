"""Steps in a rehearsal: who takes which up, how long it takes, what a machine does, and what is decided."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from models.answers import ApproveDecision
from models.clock import iso
from models.commands import Actor, ClaimStep, Decide, Done, FinishStep, RetryStep
from models.fact import Fact
from models.gate import services_of
from models.plan import PlannedStep
from models.playbook import SUBMITTED, RecordField
from models.rehearsal.crew import Crew, acting
from models.rehearsal.plan import Trace
from models.rules.steps import may_do
from models.state import StepState

NODE, LEASE_SECONDS, EPOCH = "rehearsal", 3_600, 1
CONDUCTOR = Actor.machine("conductor")
HANDS_OFF = timedelta(hours=4)
"""A step that takes longer is waited for rather than worked at: it keeps nobody from other things."""
MAX_ROUNDS = 3
TRY_AGAIN = timedelta(minutes=30)
LOOK_AGAIN = timedelta(minutes=10)
MAX_LOOKS = 40
MAX_TRIES = 2
LEADERS = ("csirt-lead", "csirt-deputy", "csirt-duty")
FACTORS = {"window": "unknown", "duration": "unknown", "alternative": "unknown", "customers": "unknown"}


class Work:
    """All steps of one run."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.traces: dict[str, Trace] = {}
        self.taken: dict[str, str] = {}
        self._loops = _looped(crew)
        crew.hear(self._hear)
        crew.readers += (self._read,)

    # -- what the record says -------------------------------------------------------------------------------

    def _hear(self, fact: Fact) -> None:
        follow = {
            "step.ready": self._ready,
            "step.reset": self._dropped,
            "step.done": self._done,
            "step.not_applicable": self._dropped,
            "step.skipped": self._dropped,
            "step.failed": self._failed,
            "decision.made": self._done,
            "decision.proposed": self._proposed,
            "gate.held": self._held,
            "page.acknowledged": self._acknowledged,
        }.get(fact.kind)
        if follow is not None:
            follow(fact)
        elif fact.kind == "step.repeated":
            for key in fact.data["steps"]:
                self.taken.pop(key, None)

    def _seconds(self) -> int:
        return int((self.crew.now - self.crew.began).total_seconds())

    def _ready(self, fact: Fact) -> None:
        key, kind = fact.data["step"], fact.data["kind"]
        self.taken.pop(key, None)
        trace = self.traces.get(key)
        if trace is None or trace.done is not None:
            self.traces[key] = Trace(key=key, ready=self._seconds())
        if kind == "action":
            self.crew.later(self.crew.now + timedelta(seconds=1), lambda: self._claim(key))
        elif kind in {"manual", "notice"}:
            self._look(key, MAX_LOOKS)

    def _dropped(self, fact: Fact) -> None:
        self.taken.pop(fact.data["step"], None)

    def _held(self, fact: Fact) -> None:
        trace = self.traces.setdefault(fact.data["step"], Trace(key=fact.data["step"], ready=self._seconds()))
        trace.held = trace.held or self._seconds() or 1

    def _done(self, fact: Fact) -> None:
        trace = self.traces.get(fact.data["step"])
        if trace is not None:
            trace.done = self._seconds()
            trace.by = fact.actor
            trace.begun = trace.begun if trace.begun is not None else trace.done

    def _planned(self, key: str) -> tuple[PlannedStep | None, StepState | None]:
        state = self.crew.state
        return self.crew.world.step(state, key), state.steps.get(key)

    # -- by hand --------------------------------------------------------------------------------------------

    def _read(self, row: dict[str, Any]) -> None:
        """Somebody has read that a step is theirs."""
        if row["template"] == "notice.step_ready":
            self._take(row["subject"].partition(":")[2], row["person"])

    def _look(self, key: str, looks: int) -> None:
        """Whoever is at work and may do it sees it on the board, now or when they look again."""
        planned, known = self._planned(key)
        if planned is None or known is None or known.status != "ready" or key in self.taken:
            return
        able = self.crew.at_work(known.owner or planned.step.owner or "")
        if able:
            after = self.crew.answers_after(able[0], "board", key, known.round)
            self.crew.later(self.crew.now + (after or LOOK_AGAIN), lambda: self._take(key, able[0]))
        elif looks:
            self.crew.later(self.crew.now + LOOK_AGAIN, lambda: self._look(key, looks - 1))

    def _take(self, key: str, person: str) -> None:
        planned, known = self._planned(key)
        if planned is None or known is None or known.status != "ready" or key in self.taken:
            return
        crew = self.crew
        able = [one for one in crew.at_work(planned.step.owner or "") if one != person]
        others = [one for one in able if crew.free.get(one, crew.now) < crew.free.get(person, crew.now)]
        who = others[0] if others else person
        if not may_do(crew.state, planned, who, crew.world):
            return
        begin = max(crew.free.get(who, crew.now), crew.now)
        takes = self._duration(planned, known)
        if takes < HANDS_OFF:
            crew.free[who] = begin + takes
        self.taken[key] = who
        trace = self.traces.setdefault(key, Trace(key=key, ready=self._seconds()))
        trace.begun = int((begin - crew.began).total_seconds())
        trace.role = planned.step.owner or ""
        round_ = known.round
        crew.later(begin + takes, lambda: self._finish(key, who, round_))

    def _duration(self, planned: PlannedStep, known: StepState) -> timedelta:
        work, about = self.crew.suppose.work, ("work", planned.key, known.round)
        share = self.crew.draws.share(*about)
        if planned.step.within is None:
            return work.without_limit.at(share)
        return work.of_limit.of(planned.step.within, share)

    def _finish(self, key: str, who: str, round_: int) -> None:
        planned, known = self._planned(key)
        if planned is None or known is None or known.status != "ready" or known.round != round_:
            return
        values = {field.id: self._value(planned, field, round_) for field in planned.step.record}
        if not self.crew.says(Done(actor=acting(who), step=key, values=values)):
            self.taken.pop(key, None)

    def _value(self, planned: PlannedStep, field: RecordField, round_: int) -> str:
        if field.type == "instant":
            late = field.instant in {SUBMITTED, "restored", "contained", "cause-addressed"}
            return iso(self.crew.now if late or field.instant is None else self.crew.began)
        if field.type == "number":
            return self._left(planned, field, round_)
        return {"yes-no": "yes", "duration": "1h"}.get(field.type, "rehearsed")

    def _left(self, planned: PlannedStep, field: RecordField, round_: int) -> str:
        """How many are left, where a loop asks for it: none in the end."""
        more = self.crew.suppose.growth.more.percent
        if field.id not in self._loops or round_ >= MAX_ROUNDS:
            return "0"
        return "1" if self.crew.draws.happens(more, "left", planned.key, field.id, round_) else "0"

    # -- by machine -----------------------------------------------------------------------------------------

    def _claim(self, key: str) -> None:
        claim = ClaimStep(actor=CONDUCTOR, step=key, node=NODE, epoch=EPOCH, lease=LEASE_SECONDS)
        known = self.crew.state.steps.get(key)
        if known is None or known.status != "ready" or not self.crew.says(claim):
            return
        self.traces[key].begun = self._seconds()
        attempt = self.crew.state.steps[key].attempt
        takes = self.crew.suppose.machine.takes.at(self.crew.draws.share("machine", key, attempt))
        self.crew.later(self.crew.now + takes, lambda: self._came_to(key, attempt))

    def _came_to(self, key: str, attempt: int) -> None:
        planned, known = self._planned(key)
        if planned is None or known is None or known.status != "started" or known.attempt != attempt:
            return
        fails = self.crew.draws.happens(self.crew.suppose.machine.fails.percent, "fails", key, attempt)
        self.crew.says(
            FinishStep(
                actor=CONDUCTOR,
                step=key,
                node=NODE,
                epoch=EPOCH,
                attempt=attempt,
                outcome="failed" if fails else "done",
                evidence=() if fails else _collected(planned, attempt),
            )
        )

    def _failed(self, fact: Fact) -> None:
        key = fact.data["step"]
        self.crew.later(self.crew.now + TRY_AGAIN, lambda: self._retry(key, MAX_LOOKS))

    def _retry(self, key: str, looks: int) -> None:
        """Whoever took the call has it run again; after that it is done by hand and said so."""
        known = self.crew.state.steps.get(key)
        if known is None or known.status not in {"failed", "unknown"}:
            return
        able = self.crew.at_work(*LEADERS)
        if able:
            how = "again" if known.attempt < MAX_TRIES else "done"
            command = RetryStep(actor=acting(able[0]), step=key, how=how, reason="rehearsed")  # type: ignore[arg-type]
            self.crew.says(command)
        elif looks:
            self.crew.later(self.crew.now + LOOK_AGAIN, lambda: self._retry(key, looks - 1))

    # -- decisions ------------------------------------------------------------------------------------------

    def _acknowledged(self, fact: Fact) -> None:
        page = self.crew.state.pages[fact.data["page"]]
        kind, _, key = page.subject.partition(":")
        if kind not in {"step", "approval"}:
            return
        planned, known = self._planned(key)
        if planned is None or known is None:
            return
        if planned.step.kind == "decision":
            self._ask(planned, known, fact.data["by"])
        elif planned.step.kind in {"manual", "notice"}:
            self._take(key, fact.data["by"])
        else:
            self._retry(key, 0)

    def _ask(self, planned: PlannedStep, known: StepState, who: str) -> None:
        """Whoever answered decides, if it is theirs; else they fetch whoever may."""
        roles = self.crew.world.roles_of(self.crew.state, who)
        for role in planned.step.deciders:
            entitled = self.crew.holders(role)
            if who in entitled or role in roles:
                self._decides(planned.key, who, self.crew.now, role)
            else:
                self._fetch(planned.key, role, 0)

    def _fetch(self, key: str, role: str, tries: int) -> None:
        """The person entitled is telephoned until they answer."""
        _, known = self._planned(key)
        if known is None or known.status not in {"ready", "started"} or tries > MAX_LOOKS:
            return
        for person in self.crew.holders(role):
            after = self.crew.answers_after(person, "fetched", key, tries)
            if after is not None and after < TRY_AGAIN:
                self.crew.engage(person)
                self._decides(key, person, self.crew.now + after, role)
                return
        self.crew.later(self.crew.now + TRY_AGAIN, lambda: self._fetch(key, role, tries + 1))

    def _decides(self, key: str, who: str, since: datetime, role: str) -> None:
        crew = self.crew
        trace = self.traces.setdefault(key, Trace(key=key, ready=self._seconds()))
        trace.begun, trace.role = int((since - crew.began).total_seconds()), role
        takes = crew.suppose.work.decide.at(crew.draws.share("decide", key, role))
        crew.later(since + takes, lambda: self._decide(key, who))

    def _decide(self, key: str, who: str) -> None:
        planned, known = self._planned(key)
        if planned is None or known is None or known.status not in {"ready", "started"}:
            return
        if known.proposed is not None:
            approve = ApproveDecision(actor=acting(who), step=key, proposal=known.proposed.seq)
            self.crew.says(approve)
            return
        affected = ", ".join(services_of(self.crew.state, planned.step.stops)) or "unknown"
        factors = {name: affected if name == "services" else "unknown" for name in planned.step.weighed}
        options = planned.step.options
        choice = planned.step.recommend or options[0].id
        self.crew.says(
            Decide(actor=acting(who), step=key, choice=choice, reason="rehearsed", factors=factors)
        )

    def _proposed(self, fact: Fact) -> None:
        """A second pair of eyes is wanted; the page that asks for it does the rest, if there is one."""
        planned, known = self._planned(fact.data["step"])
        if planned is None or known is None or known.proposed is None:
            return
        taken = {known.proposed.by, known.proposed.recorded_by}
        able = [one for one in self.crew.holders(planned.step.approver or "") if one not in taken]
        for person in able:
            after = self.crew.answers_after(person, "approve", planned.key)
            if after is not None:
                self._decides(planned.key, person, self.crew.now + after, planned.step.approver or "")
                return


def _collected(planned: PlannedStep, attempt: int) -> tuple[dict[str, Any], ...]:
    """What a collecting step brings: one whole item."""
    if not planned.step.preserves:
        return ()
    digest = f"sha256:{attempt:064x}"
    return ({"name": planned.step.id, "digest": digest, "size": 1, "stored": "rehearsal"},)


def _looped(crew: Crew) -> frozenset[str]:
    """Fields that the end of a loop asks for."""
    untils = [
        one.step.repeat.until for one in crew.world.steps(crew.state).values() if one.step.repeat is not None
    ]
    said = " ".join(untils)
    fields = (field.id for one in crew.world.steps(crew.state).values() for field in one.step.record)
    return frozenset(name for name in fields if f'"{name}"' in said)
