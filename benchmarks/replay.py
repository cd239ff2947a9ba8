"""A record of 10,000 facts run again as it was, counted in CPU time: read back, run, compared."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import process_time
from typing import Any

from benchmarks.bank import ANALYST, CISO, LEAD, SCRIBE, accepted, found
from benchmarks.figure import Figure, quantile
from benchmarks.ground import Ground, settle
from benchmarks.work import TEXT
from console.rehearsing import premises_for
from models.casework import HOUSE, Setting
from models.commands import (
    Acknowledge,
    Actor,
    AddEvidence,
    AddStep,
    ClaimStep,
    Command,
    Confirm,
    Decide,
    Declare,
    Done,
    FinishStep,
    MarkDelivery,
    Note,
    ScopeFact,
    SetRecoveryPoint,
)
from models.errors import HikeshiError
from models.plan import PlannedStep
from models.replay.compare import compare
from models.replay.recorded import read_back
from models.replay.run import Replay, documents_of, frozen_setting
from models.state import Incident, Page
from models.virtual import VirtualDesk

LENGTHS = (1_000, 2_500, 5_000, 10_000)
AT_MOST_SECONDS = 2
TIMES = 2
PLAYBOOK = "ransomware"
BEGAN = datetime(2026, 11, 25, 3, tzinfo=UTC)
PACE = timedelta(seconds=40)
"""Between one act of the team and the next."""
HEARD_AFTER = timedelta(minutes=3)
_OUTBOX = Actor.machine("outbox")
_CONDUCTOR = Actor.machine("conductor")
_ANSWERS = {
    "text": "x",
    "instant": BEGAN.isoformat(),
    "number": "0",
    "yes-no": "yes",
    "duration": "1h",
    "list": "x",
}


def replay(ground: Ground) -> Iterator[Figure]:
    """As recorded, by the rules that it froze; every length is the same incident, later."""
    bank = found(ground.place("replay"))
    week = Week(Setting(premises_for(bank.institution(), PLAYBOOK)))
    for length in LENGTHS:
        week.until(length)
        yield _figure(week, length)


def _figure(week: Week, length: int) -> Figure:
    took, facts = [], 0
    for _ in range(TIMES):
        settle()
        gc.freeze()
        start = process_time()
        facts = week.again()
        took.append(process_time() - start)
        gc.unfreeze()
    return Figure(
        name=f"a record of {length:,} facts replayed as recorded, CPU",
        value=quantile(took, 0.5),
        unit="s",
        n=TIMES,
        target=AT_MOST_SECONDS if length == LENGTHS[-1] else None,
        detail={"facts": facts, **week.mix()},
    )


class Week:
    """A long incident on a desk in memory: people write and work, pages are answered, messages arrive."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.desk = VirtualDesk(setting, BEGAN)
        declare = Declare(actor=ANALYST, text=TEXT, playbooks=(PLAYBOOK,), services=("core-banking",))
        self.stream = accepted(self.desk.handle(None, declare)).stream
        self.number = self._sent = 0
        self._tried: set[str] = set()

    @property
    def state(self) -> Incident:
        """The incident."""
        return self.desk.incident(self.stream)

    def until(self, facts: int) -> None:
        """Go on until the record holds so many facts, or a few more."""
        while self.state.seq < facts:
            self.number += 1
            accepted(self._say(self._next()))
            self._deliver()
            self._answer()
            if self.number % 10 == 0:
                self._work()
            self._pass(self.desk.clock.now() + PACE)

    def again(self) -> int:
        """Read the record back, run it and compare; the number of facts. Raises HikeshiError for another."""
        facts = self.desk.facts[self.stream]
        recorded = read_back(facts, self.desk.texts(self.stream))
        kept = {one.document.digest: one.document.body for one in self.setting.library.frozen()}
        kept[self.setting.policy.digest] = self.setting.policy.body
        bodies = {digest: kept[digest] for digest in documents_of(recorded)}
        setting = frozen_setting(recorded, self.setting.premises, bodies)
        house = self.desk.facts.get(HOUSE, ())
        run = Replay(recorded, setting, manner="as-recorded", house=house, documents=bodies, late=None)
        told = compare(recorded, run.run(), setting.directory)
        if told.changed() or told.facts[0] != told.facts[1]:
            raise HikeshiError(f"{told.facts}: the record did not come again as it was: {told.changed()[:3]}")
        return len(facts)

    def mix(self) -> dict[str, Any]:
        """How many facts there are of the commonest kinds."""
        counted = Counter(fact.kind for fact in self.desk.facts[self.stream])
        return dict(counted.most_common(12))

    # -- what happens in a step of time ---------------------------------------------------------------------

    def _say(self, command: Command) -> Any:
        return self.desk.handle(self.stream, command)

    def _next(self) -> Command:
        number = self.number
        place = number % 20
        if place in {2, 9, 15}:
            return ScopeFact(actor=ANALYST, what="add", kind="host", name=f"pc-{number}", text=TEXT)
        if place in {4, 13}:
            digest = f"sha256:{number:064x}"
            return AddEvidence(actor=ANALYST, source=f"pc-{number}", description=TEXT, digest=digest, size=9)
        if place == 6:
            instant = self.desk.clock.now() - timedelta(days=1)
            return SetRecoveryPoint(
                actor=ANALYST, id=f"backup-{number % 200}", service="core-banking", instant=instant
            )
        if place == 11:
            return AddStep(
                actor=LEAD, step=f"look-{number}", phase="triage", title=TEXT, owner="csirt-duty", reason=TEXT
            )
        if place == 17:
            return Note(actor=SCRIBE, for_=CISO.person, text=TEXT)
        return Note(actor=ANALYST, text=f"{TEXT} {number}")

    def _deliver(self) -> None:
        rows = list(islice(self.desk.outbox.values(), self._sent, None))
        self._sent += len(rows)
        for row in rows:
            if row["state"] != "queued" or row["stream"] != self.stream or row["person"] is None:
                continue
            row["state"] = "sent"
            page = row["page"] if row["kind"] == "page" else 0
            level = int(row["level"]) if str(row["level"]).isdigit() else 0
            accepted(
                self._say(
                    MarkDelivery(
                        actor=_OUTBOX,
                        key=row["key"],
                        outcome="sent",
                        page=page,
                        level=level,
                        channel=row["channel"],
                        person=row["person"],
                    )
                )
            )

    def _answer(self) -> None:
        """Whoever a page reached first has it after a few minutes; the CISO confirms what was written."""
        late = self.desk.clock.now() - HEARD_AFTER
        for page in self.state.open_pages():
            if page.asked_at > late:
                continue
            who = _first(page)
            if page.subject.startswith("confirm:"):
                fact = int(page.subject.partition(":")[2])
                self._say(Confirm(actor=CISO, fact=fact))
            elif who is not None:
                self._say(Acknowledge(actor=Actor(person=who, via="cli"), page=page.id))

    def _work(self) -> None:
        """The oldest step that is ready is done; each is tried once, since a gate may hold it again."""
        world, state = self.desk.world(self.state), self.state
        ready = (known.key for known in state.steps.values() if known.status == "ready")
        key = next((one for one in ready if one not in self._tried), None)
        planned = world.step(state, key) if key is not None else None
        if planned is None:
            return
        self._tried.add(planned.key)
        if planned.step.kind == "action":
            self._run(planned.key)
        else:
            who = world.holders(state, planned.step.acts or planned.step.owner or "")
            actor = Actor(person=who[0].person.id, via="cli") if who else LEAD
            self._say(_settles(planned, actor))

    def _run(self, key: str) -> None:
        self._say(ClaimStep(actor=_CONDUCTOR, step=key, node="n", epoch=1, lease=300))
        attempt = self.state.steps[key].attempt
        self._say(FinishStep(actor=_CONDUCTOR, step=key, node="n", epoch=1, attempt=attempt, outcome="done"))

    def _pass(self, until: datetime) -> None:
        while (due := self.desk.next_due(self.stream)) is not None and due <= until:
            self.desk.clock.set(max(due, self.desk.clock.now()))
            self.desk.tick(self.stream)
            self._deliver()
        self.desk.clock.set(until)


def _settles(planned: PlannedStep, actor: Actor) -> Command:
    """What a person says to a step: that it is done, or what is decided."""
    step = planned.step
    if step.kind != "decision":
        values = {field.id: _ANSWERS[field.type] for field in step.record}
        return Done(actor=actor, step=planned.key, note=TEXT, values=values)
    return Decide(
        actor=actor,
        step=planned.key,
        choice=step.recommend or step.options[0].id,
        reason=TEXT,
        factors=dict.fromkeys(step.factors, "unknown"),
    )


def _first(page: Page) -> str | None:
    reached = page.reached.get(str(page.level), [])
    return reached[0].person if reached else None
