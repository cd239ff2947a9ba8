"""How facts about clocks, reports and vendors change an incident. Due times are read from the facts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from models.fact import Fact
from models.state import (
    ClockStage,
    ClockState,
    Incident,
    ObligationState,
    ReportState,
    Submission,
    VendorAsk,
)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _set(state: Incident, fact: Fact) -> None:
    """A clock starts, or its time moves: what it had said of the old time does not count for the new one."""
    data = fact.data
    before = state.clocks.get(data["clock"])
    clock = ClockState(
        id=data["clock"],
        kind=data["kind"],
        owner=data.get("owner", ""),
        started_at=datetime.fromisoformat(data["started_at"]),
        due_at=datetime.fromisoformat(data["due_at"]),
        stages=[
            ClockStage(at=datetime.fromisoformat(one["at"]), what=one["what"], share=one["share"])
            for one in data["stages"]
        ],
        internal=data.get("internal", False),
        basis=data.get("basis", {}),
    )
    if before is not None:
        clock.forecast, clock.path = before.forecast, before.path
    state.clocks[clock.id] = clock


def _fired(state: Incident, fact: Fact) -> None:
    clock = state.clocks[fact.data["clock"]]
    clock.fired = fact.data["stage"] + 1
    clock.breached = clock.breached or fact.kind == "clock.breached"


def _stopped(status: Any) -> Callable[[Incident, Fact], None]:
    def apply(state: Incident, fact: Fact) -> None:
        clock = state.clocks[fact.data["clock"]]
        clock.status = status
        clock.stopped_at = _instant(fact.data.get("stopped_at"))
        clock.breached = status == "missed"
        clock.breaks = False

    return apply


def _forecast(state: Incident, fact: Fact) -> None:
    clock = state.clocks[fact.data["clock"]]
    clock.forecast = _instant(fact.data.get("forecast"))
    clock.breaks = fact.data["breaks"]
    clock.path = list(fact.data.get("path", []))


# -- reports ------------------------------------------------------------------------------------------------


def _obligation(state: Incident, fact: Fact) -> ObligationState:
    name = fact.data["obligation"]
    if name not in state.obligations:
        state.obligations[name] = ObligationState(id=name, edition=fact.data["edition"])
    return state.obligations[name]


def _proposed(state: Incident, fact: Fact) -> None:
    _obligation(state, fact).proposed = fact.data["applies"]


def _judged(state: Incident, fact: Fact) -> None:
    one = _obligation(state, fact)
    one.judged = "applicable" if fact.data["applicable"] else "not-applicable"
    one.judged_by = fact.for_ or fact.actor
    one.judged_at = fact.at
    one.reason = fact.data["reason"]


def _report(state: Incident, fact: Fact) -> ReportState:
    reports = _obligation(state, fact).reports
    return reports.setdefault(fact.data["stage"], ReportState())


def _drafted(state: Incident, fact: Fact) -> None:
    report = _report(state, fact)
    report.drafted, report.drafted_at = fact.data["document"], fact.at


def _submitted(state: Incident, fact: Fact) -> None:
    _report(state, fact).submitted.append(
        Submission(
            at=datetime.fromisoformat(fact.data["instant"]),
            by=fact.for_ or fact.actor,
            receipt=fact.data.get("receipt", ""),
            update=fact.kind == "report.updated",
        )
    )


def _vendor_asked(state: Incident, fact: Fact) -> None:
    data = fact.data
    state.vendors[f"{data['party']}/{data['what']}"] = VendorAsk(
        party=data["party"],
        what=data["what"],
        asked_at=datetime.fromisoformat(data["instant"]),
        within=int(data.get("within", 0)),
    )


def _vendor_answered(state: Incident, fact: Fact) -> None:
    name = f"{fact.data['party']}/{fact.data['what']}"
    state.vendors[name].answered_at = datetime.fromisoformat(fact.data["instant"])


def _severity_proposed(state: Incident, fact: Fact) -> None:
    state.proposed_severity = fact.data["severity"]
    state.proposed_rank = fact.data["rank"]


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "clock.set": _set,
    "clock.warned": _fired,
    "clock.breached": _fired,
    "clock.over": _fired,
    "clock.met": _stopped("met"),
    "clock.missed": _stopped("missed"),
    "clock.ended": _stopped("ended"),
    "clock.forecast": _forecast,
    "obligation.proposed": _proposed,
    "obligation.judged": _judged,
    "report.drafted": _drafted,
    "report.submitted": _submitted,
    "report.updated": _submitted,
    "vendor.asked": _vendor_asked,
    "vendor.answered": _vendor_answered,
    "severity.proposed": _severity_proposed,
}
