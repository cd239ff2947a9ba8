"""What is said beside the steps: services, reports to authorities, the situation, third parties."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from console.drill.understudies.seen import Act, Seen, actor, first
from models.clocks.owed import is_owed
from models.commands import ServiceFact, SetSeverity
from models.fold.matter import at_target
from models.reports import JudgeObligation, ReportSituation, SubmitReport, VendorFact
from models.state import ClockState

BEFORE_DUE = timedelta(minutes=5)
CSIRT = ("csirt-lead", "csirt-duty", "scribe")


def matters(seen: Seen) -> Iterator[Act]:
    """All of it that is still to be said."""
    yield from _severity(seen)
    yield from _restored(seen)
    yield from _judged(seen)
    yield from _reported(seen)
    yield from _answered(seen)


def _severity(seen: Seen) -> Iterator[Act]:
    """Judged once by the lead: what the rules propose, the scenario's, or the last but one of the scale."""
    state, scale = seen.incident, seen.world.policy.severity.severities
    person = first(seen.understudies("csirt-lead"))
    since = state.declared_at or seen.world.now
    if person is None or seen.noticed.of("severity", "", since) > since:
        return
    judged = state.proposed_severity or seen.scenario.start.severity or scale[max(0, len(scale) - 2)].id
    command = SetSeverity(actor=actor(person), severity=judged, reason=seen.words("reason"))
    yield seen.act(since + seen.after(seen.times.judge, person, "severity"), command, "severity")


def _restored(seen: Seen) -> Iterator[Act]:
    """Once business is taken up again, the owner says at which level the service runs."""
    for name, known in seen.incident.services.items():
        service = seen.world.directory.service(name)
        back = known.resumed_at
        if back is None or known.targets is None or at_target(known) or service is None:
            continue
        person = first(seen.understudies(service.owner))
        if person is not None:
            about = f"restored {name}"
            command = ServiceFact(actor=actor(person), service=name, what="restored")
            yield seen.act(back + seen.after(seen.times.begin, person, about), command, about)


def _judged(seen: Seen) -> Iterator[Act]:
    """Whether a report is owed: as the rule proposes, unless a step of the playbook is there to decide it."""
    state = seen.incident
    by_steps = {
        name
        for planned in seen.world.steps(state).values()
        for option in planned.step.options
        for name in option.judges
    }
    for name, owed in state.obligations.items():
        if owed.judged is not None or not owed.proposed or name in by_steps:
            continue
        person = first(seen.understudies("legal", "csirt-lead"))
        if person is not None:
            about = f"judge {name}"
            since = seen.noticed.of("owed", name, state.declared_at or seen.world.now)
            command = JudgeObligation(
                actor=actor(person), obligation=name, applicable=True, reason=seen.words("reason")
            )
            yield seen.act(since + seen.after(seen.times.judge, person, about), command, about)


def _reported(seen: Seen) -> Iterator[Act]:
    """What is due by a clock and no step of the playbook sends: shortly before its time."""
    state = seen.incident
    sent_by_steps = {
        stage
        for planned in seen.world.steps(state).values()
        for stage in planned.step.reports
        if (known := state.steps.get(planned.key)) is None or known.status != "not-applicable"
    }
    for clock in state.clocks.values():
        if clock.status != "running":
            continue
        at = max(clock.due_at - BEFORE_DUE, clock.started_at)
        if clock.kind == "situation":
            yield from _situation(seen, at)
        elif clock.kind == "report" and clock.id.partition(":")[2] not in sent_by_steps:
            yield from _report(seen, clock, at)


def _situation(seen: Seen, at: datetime) -> Iterator[Act]:
    person = first(seen.understudies(*CSIRT))
    if person is not None:
        command = ReportSituation(actor=actor(person), text=seen.words("situation"))
        yield seen.act(at, command, f"situation {seen.incident.situations}")


def _report(seen: Seen, clock: ClockState, at: datetime) -> Iterator[Act]:
    name, _, stage = clock.id.partition(":")[2].partition("/")
    owed = seen.incident.obligations.get(name)
    report = owed.reports.get(stage) if owed is not None else None
    person = first(seen.understudies("legal", *CSIRT))
    if person is not None and is_owed(owed) and not (report is not None and report.submitted):
        command = SubmitReport(actor=actor(person), obligation=name, stage=stage)
        yield seen.act(at, command, f"report {clock.id}")


def _answered(seen: Seen) -> Iterator[Act]:
    """A third party answers after the time that the scenario gives it, and its desk writes that down."""
    for name, ask in seen.incident.vendors.items():
        person = first(seen.understudies("vendor-desk", "it-ops", *CSIRT))
        if ask.answered_at is not None or person is None:
            continue
        about = f"vendor {name}"
        party = next((one for one in seen.scenario.outside if one.party == ask.party), None)
        takes = party.answers_after if party is not None else None
        at = ask.asked_at + (takes or seen.after(seen.times.told, ask.party, about))
        what: Literal["notice", "logs"] = "logs" if ask.what == "logs" else "notice"
        command = VendorFact(actor=actor(person), party=ask.party, what=what, answered=True)
        yield seen.act(at, command, about)
