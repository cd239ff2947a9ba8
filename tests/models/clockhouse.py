"""The small bank with routes for its clocks: recovery goes to the owner and the CISO."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from models.commands import Done, Resolve, ServiceFact, SetInstant
from models.impact import ForecastService, RecordImpact
from models.reports import DraftReport, JudgeObligation, ReportSituation, SubmitReport, VendorFact
from models.state import ClockState, ServiceState
from tests.models.small import (
    AMY,
    BEN,
    EVE,
    NIGHT,
    ROUTES,
    SEVERITY,
    Scene,
    by,
    organisation,
    policy,
    route,
    scene,
)

BREACH = route(
    "breach",
    "clock-breached",
    "clock-forecast",
    levels=[{"to": ["owner", "csirt-lead"], "within": "10m"}, {"to": ["ciso"], "within": "10m"}],
)
WARNING = route("warning", "clock-warning", levels=[{"to": ["owner"], "within": "15m"}])
CLOCK_ROUTES = [*ROUTES, BREACH, WARNING]
HOUR = timedelta(hours=1)


def after(hours: float) -> datetime:
    """An instant counted from the night of the tests."""
    return NIGHT + timedelta(hours=hours)


def clock_scene(*, routes: list[dict[str, Any]] | None = None, **changes: Any) -> Scene:
    """An incident at the small bank with clock routes; `services` change the register."""
    fields = {"fields": {"services": changes.pop("services")}} if "services" in changes else {}
    shape = {"routes": routes or CLOCK_ROUTES} | changes.pop("policy", {})
    plans = [changes.pop("plan")] if "plan" in changes else []
    return scene(*plans, policy=policy(**shape), organisation=organisation(**fields), **changes)


def service(name: str, order: int = 1, **fields: Any) -> dict[str, Any]:
    """A service as the register has it."""
    shape = {"owner": "pay-owner", "tier": 1, "rto": "2h", "rpo": "1h", "rlo": "-", "mtpd": "9h"}
    return {"id": name, "name": name, "recovery_order": order} | shape | fields


def impact(made: Scene, name: str = "payments", **fields: Any) -> tuple[str, ...]:
    """The duty desk says that a service is affected."""
    return made.do(ServiceFact(actor=by(BEN), service=name, what="impacted", **fields))


def at_level(made: Scene, level: str = "", name: str = "payments", **fields: Any) -> tuple[str, ...]:
    """A level that the service has reached, the recovery level if none is named."""
    return made.do(ServiceFact(actor=by(EVE), service=name, what="level", level=level, **fields))


def confirm(made: Scene, *sides: str, name: str = "payments") -> None:
    """CSIRT, the owner, or both say that it is back."""
    for side in sides or ("csirt", "owner"):
        who = BEN if side == "csirt" else EVE
        made.do(ServiceFact(actor=by(who), service=name, what=f"confirmed-by-{side}"))  # type: ignore[arg-type]


def expect_back(made: Scene, eta: datetime, name: str = "payments") -> tuple[str, ...]:
    """The owner says when it will be back."""
    return made.do(ForecastService(actor=by(EVE), service=name, eta=eta))


def clock(made: Scene, name: str = "rto:payments") -> ClockState:
    """A clock as the record has it."""
    return made.incident.clocks[name]


def state(made: Scene, name: str = "payments") -> ServiceState:
    """What is known of a service."""
    return made.incident.services[name]


def run_until(made: Scene, hours: float, step_minutes: int = 5) -> list[str]:
    """Let time pass in steps until this many hours after the night; every kind of fact it brought."""
    kinds: list[str] = []
    while made.clock.now() < after(hours):
        kinds += made.wait(step_minutes)
    return kinds


OWED: dict[str, Any] = {
    "id": "XX-OWED",
    "edition": "2026-01-01",
    "effective_from": "2026-01-01",
    "title": "Owed",
    "applies_if": 'impact("people") >= 1',
    "recipient": "Authority",
    "owner": "pr",
    "law": "-",
    "source": "-",
    "confidence": "G",
    "stages": [{"id": "first", "title": "First", "deadline": {"at_once": "recognised", "internal": "60m"}}],
}


def course() -> Scene:
    """A recovery in which every clock, report and vendor has its say."""
    people = {"when": 'impact("people") >= 9', "severity": "high", "because": "-"}
    party = {"id": "core", "name": "Core", "kind": "vendor", "provides": "-", "hours": "-"}
    limits = {"situation_every": {"low": "1h"}}
    rules = policy(
        routes=CLOCK_ROUTES, limits=limits, obligations=[OWED], severity=SEVERITY | {"proposals": [people]}
    )
    made = scene(policy=rules, organisation=organisation(fields={"third_parties": [party]}))
    desk = by(BEN)
    impact(made)
    at_level(made, "partial")
    expect_back(made, after(3))
    made.do(RecordImpact(actor=desk, kind="people", value="12", source="-"))
    made.do(SetInstant(actor=desk, name="recognised", instant=after(0), source="-"))
    made.do(JudgeObligation(actor=desk, obligation="XX-OWED", applicable=True, reason="-"))
    made.do(DraftReport(actor=desk, obligation="XX-OWED", stage="first", document="sha256:0"))
    made.do(VendorFact(actor=desk, party="core", what="notice"))
    made.do(VendorFact(actor=desk, party="core", what="notice", answered=True))
    run_until(made, 2.5)
    for update in (False, True):
        made.do(SubmitReport(actor=desk, obligation="XX-OWED", stage="first", update=update))
    made.do(ReportSituation(actor=desk, text="-"))
    at_level(made)
    confirm(made)
    made.do(Done(actor=by(AMY), step="look"))
    made.do(Resolve(actor=desk, cause="-", entry_route="-", watch=600))
    run_until(made, 3)
    return made
