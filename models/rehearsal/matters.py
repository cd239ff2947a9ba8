"""What is said beside the steps of a rehearsal: gates, severity, services, reports, what is found later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from models.commands import (
    AddEvidence,
    AddImprovement,
    Close,
    Command,
    Reopen,
    Resolve,
    ScopeFact,
    ServiceFact,
    SetInstant,
    SetRecoveryPoint,
    SetSeverity,
)
from models.fact import Fact
from models.fold.matter import at_target
from models.policy import PHASES
from models.rehearsal.crew import Crew, acting
from models.rehearsal.work import LEADERS, LOOK_AGAIN
from models.reports import JudgeObligation, ReportSituation, SubmitReport

BEFORE_DUE = timedelta(minutes=10)
COMPROMISED_BEFORE = timedelta(hours=36)
BACKUP_BEFORE = timedelta(hours=60)
MAX_GROWN = 3
MAX_TRIES = 60
IMPROVE_WITHIN = timedelta(days=60)
Make = Callable[[str], Command | None]


class Matters:
    """All of it for one run."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.grown = 0
        self._judged = False
        self._causes: set[str] = set()
        crew.hear(self._hear)
        self._grow(0)

    def _hear(self, fact: Fact) -> None:
        follow = {
            "page.acknowledged": self._acknowledged,
            "gate.held": self._held,
            "service.resumed": self._resumed,
            "obligation.proposed": self._owed,
            "clock.set": self._clock,
            "phase.ended": self._phase_ended,
            "incident.resolved": self._phase_ended,
        }.get(fact.kind)
        if follow is not None:
            follow(fact)

    def _soon(self, roles: tuple[str, ...], after: timedelta, make: Make, tries: int = MAX_TRIES) -> None:
        """Somebody at work does it after a time; while nobody is, it waits."""

        def act() -> None:
            able = self.crew.at_work(*roles)
            if not able:
                if tries:
                    self._soon(roles, LOOK_AGAIN, make, tries - 1)
                return
            command = make(able[0])
            if command is not None:
                self.crew.says(command)

        self.crew.later(self.crew.now + after, act)

    def _takes(self, what: str, *about: object) -> timedelta:
        spread = getattr(self.crew.suppose.work, what)
        found: timedelta = spread.at(self.crew.draws.share(what, *about))
        return found

    # -- severity and what a page asks ----------------------------------------------------------------------

    def _acknowledged(self, fact: Fact) -> None:
        page = self.crew.state.pages[fact.data["page"]]
        if page.event == "declared" and not self._judged:
            self._judged = True
            self._soon(LEADERS, self._takes("judge", "severity"), self._severity)
        elif page.event == "reopening":
            phase, by = page.subject.partition(":")[2], fact.data["by"]
            self._soon(
                (by, *LEADERS), self._takes("settle", phase, page.id), lambda who: self._again(who, phase)
            )

    def _again(self, who: str, phase: str) -> Command | None:
        if phase not in self.crew.state.reopenings:
            return None
        return Reopen(actor=acting(who), phase=phase, reason="rehearsed")

    def _severity(self, who: str) -> Command | None:
        state, scale = self.crew.state, self.crew.world.policy.severity.severities
        wanted = self.crew.plan.severity or state.proposed_severity or scale[max(0, len(scale) - 2)].id
        return (
            None
            if state.severity == wanted
            else SetSeverity(actor=acting(who), severity=wanted, reason="rehearsed")
        )

    # -- gates ----------------------------------------------------------------------------------------------

    def _held(self, fact: Fact) -> None:
        for cause in fact.data["why"]:
            if cause in self._causes:
                continue
            self._causes.add(cause)
            name, _, what = cause.partition(":")
            if name in _WANTED:
                roles, make = _WANTED[name]
                whose = (self._owner(what), *LEADERS) if roles == ("owner",) else roles
                after = self._takes("settle", cause)
                self._soon(whose, after, lambda who, m=make, w=what, c=cause: self._settle(m, w, c, who))  # type: ignore[misc]

    def _settle(
        self, make: Callable[[Matters, str, str], Command], what: str, cause: str, who: str
    ) -> Command:
        self._causes.discard(cause)
        return make(self, what, who)

    def _owner(self, service: str) -> str:
        known = self.crew.world.directory.service(service)
        return known.owner if known is not None else LEADERS[0]

    def preserve(self, source: str, who: str) -> Command:
        """A copy of the source is registered."""
        return AddEvidence(
            actor=acting(who), source=source, description="rehearsed", digest=f"sha256:{1:064x}", size=1
        )

    def instant(self, name: str, who: str) -> Command:
        """When something was."""
        at = self.crew.began - COMPROMISED_BEFORE if name == "compromised" else self.crew.now
        return SetInstant(actor=acting(who), name=name, instant=at, source="rehearsed")

    def backup(self, service: str, who: str) -> Command:
        """A backup is checked and found clean."""
        return SetRecoveryPoint(
            actor=acting(who),
            id=f"{service}-rehearsed",
            service=service,
            instant=self.crew.began - BACKUP_BEFORE,
            tamper="clean",
            malware="clean",
        )

    def works(self, service: str, who: str) -> Command:
        """The service works."""
        return ServiceFact(actor=acting(who), service=service, what="works")

    def csirt(self, service: str, who: str) -> Command:
        """CSIRT confirms that the cause is dealt with."""
        return ServiceFact(actor=acting(who), service=service, what="confirmed-by-csirt")

    def owner(self, service: str, who: str) -> Command:
        """So does the owner."""
        return ServiceFact(actor=acting(who), service=service, what="confirmed-by-owner")

    def fix(self, item: str, who: str) -> Command:
        """An item of the scope is dealt with."""
        return ScopeFact(actor=acting(who), what="fix", id=item, text="rehearsed")

    # -- services, reports ----------------------------------------------------------------------------------

    def _resumed(self, fact: Fact) -> None:
        name = fact.data["service"]
        self._soon(
            (self._owner(name),), self._takes("settle", "resumed", name), lambda who: self._back(who, name)
        )

    def _back(self, who: str, name: str) -> Command | None:
        known = self.crew.state.services.get(name)
        if known is None or known.targets is None or at_target(known):
            return None
        return ServiceFact(actor=acting(who), service=name, what="restored")

    def _owed(self, fact: Fact) -> None:
        name = fact.data["obligation"]

        def judge(who: str) -> Command | None:
            known = self.crew.state.obligations.get(name)
            if known is None or known.judged is not None:
                return None
            return JudgeObligation(actor=acting(who), obligation=name, applicable=True, reason="rehearsed")

        self._soon(("legal", *LEADERS), self._takes("judge", "owed", name), judge)

    def _clock(self, fact: Fact) -> None:
        clock = self.crew.state.clocks.get(fact.data["clock"])
        if clock is None or clock.status != "running":
            return
        if clock.kind == "situation":
            wait = max(clock.due_at - self.crew.now - BEFORE_DUE, timedelta(minutes=1))
            late = self._takes("settle", clock.id, fact.seq) - timedelta(minutes=10)
            self._soon(
                ("scribe", *LEADERS),
                max(wait + late, timedelta(minutes=1)),
                lambda who: ReportSituation(actor=acting(who), text="rehearsed"),
            )
        elif clock.kind == "report":
            wait = clock.due_at - self.crew.now - BEFORE_DUE * 3
            late = self._takes("settle", clock.id, fact.seq)
            report = clock.id.partition(":")[2]
            self._soon(("legal", *LEADERS), max(wait + late, late), lambda who: self._submit(who, report))

    def _submit(self, who: str, report: str) -> Command | None:
        name, _, stage = report.partition("/")
        owed = self.crew.state.obligations.get(name)
        known = owed.reports.get(stage) if owed is not None else None
        if owed is None or (known is not None and known.submitted):
            return None
        return SubmitReport(actor=acting(who), obligation=name, stage=stage)

    # -- what is found later, and the end -------------------------------------------------------------------

    def _grow(self, number: int) -> None:
        growth, draws = self.crew.suppose.growth, self.crew.draws
        if number >= MAX_GROWN or not draws.happens(growth.more.percent, "growth", number):
            return

        def add(who: str) -> Command:
            self.grown += 1
            self._grow(number + 1)
            return ScopeFact(actor=acting(who), what="add", kind="host", name=f"host-{number + 1}")

        self._soon(LEADERS, growth.after.at(draws.share("grows", number)), add)

    def _phase_ended(self, fact: Fact) -> None:
        after = self._takes("settle", "end", fact.kind, fact.data.get("phase", ""))
        self._soon(("commander", *LEADERS), after, self._end)

    def _end(self, who: str) -> Command | None:
        state = self.crew.state
        ended = {name for name, phase in state.phases.items() if phase.status == "ended"}
        if state.status == "open" and set(PHASES[:-1]) <= ended:
            return Resolve(actor=acting(who), cause="rehearsed", entry_route="rehearsed")
        if state.status == "resolved" and not state.improvements:
            due = self.crew.now + IMPROVE_WITHIN
            return AddImprovement(actor=acting(who), title="rehearsed", owner=who, due=due)
        if state.status == "resolved" and set(PHASES) <= ended:
            return Close(actor=acting(who), assessment="rehearsed")
        return None


_CSIRT = LEADERS
_WANTED: dict[str, tuple[tuple[str, ...], Callable[[Matters, str, str], Command]]] = {
    "not-preserved": (("it-ops", *_CSIRT), Matters.preserve),
    "no-instant": (_CSIRT, Matters.instant),
    "no-checked-backup": (("it-ops", *_CSIRT), Matters.backup),
    "backup-after-compromise": (("it-ops", *_CSIRT), Matters.backup),
    "not-working": (("owner",), Matters.works),
    "not-confirmed-by-csirt": (_CSIRT, Matters.csirt),
    "not-confirmed-by-owner": (("owner",), Matters.owner),
    "no-fix": (("it-ops", *_CSIRT), Matters.fix),
}
