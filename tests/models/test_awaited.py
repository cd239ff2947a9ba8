"""What an incident waits for, and from whom: proposals, reports owed, and machines that did not do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from console.views.naming import Naming
from console.views.waiting import waiting
from console.web.summaries import summary
from models.awaited import Awaited, awaited, proposed_severity
from models.commands import ClaimStep, Decide, EndIncident, FinishStep, RetryStep, SetSeverity
from models.impact import RecordImpact
from models.reports import JudgeObligation, SubmitReport
from tests.console.test_waiting import naming, of, one
from tests.models.clockhouse import CLOCK_ROUTES
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    FAY,
    MACHINE,
    SEVERITY,
    Scene,
    action,
    by,
    decision,
    policy,
    scene,
    scene_of,
)
from tests.models.test_clocks_reports import ALWAYS, owing, recognised

WHY = "because"
OTHERS = frozenset({"ack", "page", "work", "confirm", "opinion", "message"})


def found(made: Scene, kind: str) -> list[Awaited]:
    world = made.desk.world(made.incident)
    return [each for each in awaited(made.incident, world) if each.kind == kind]


def people(made: Scene, kind: str) -> set[str]:
    world = made.desk.world(made.incident)
    return {name for each in found(made, kind) for name in each.people(made.incident, world)}


def test_a_report_waits_for_its_owner_and_those_who_judge_until_it_is_judged_and_then_submitted() -> None:
    made = owing(ALWAYS)
    [report] = found(made, "judge")
    assert report.subject == "XX-FSA"
    assert {FAY, BEN, CHO} <= people(made, "judge")
    assert ("judge", "XX-FSA") in of(made, FAY)
    assert one(made, FAY, "judge").what == "Always (Authority)"
    made.do(JudgeObligation(actor=by(BEN), obligation="XX-FSA", applicable=True, reason=WHY))
    assert "judge" not in [kind for kind, _ in of(made, FAY)]
    [owed] = found(made, "submit")
    assert (owed.stage, owed.at) == ("", None), "owed also before anybody has said when it was recognised"
    recognised(made)
    [owed] = found(made, "submit")
    assert (owed.stage, owed.at is not None) == ("first", True)
    assert ("submit", "XX-FSA") in of(made, FAY)
    made.do(SubmitReport(actor=by(BEN), obligation="XX-FSA", stage="first"))
    assert "submit" not in [kind for kind, _ in of(made, FAY)]


def test_a_report_that_is_judged_not_owed_waits_for_nobody() -> None:
    made = owing(ALWAYS)
    made.do(JudgeObligation(actor=by(BEN), obligation="XX-FSA", applicable=False, reason=WHY))
    assert not found(made, "judge") and not found(made, "submit")


def test_a_graver_severity_that_is_proposed_waits_for_whoever_may_set_it_until_it_is_set() -> None:
    rules = [{"when": 'impact("people") >= 1000', "severity": "high", "because": "many"}]
    made = scene(policy=policy(routes=CLOCK_ROUTES, severity=SEVERITY | {"proposals": rules}))
    assert not found(made, "severity")
    made.do(RecordImpact(actor=by(BEN), kind="people", value="5000", source="core"))
    assert proposed_severity(made.incident) == "high"
    assert {AMY, BEN, CHO} <= people(made, "severity") and DAN not in people(made, "severity")
    assert one(made, AMY, "severity").what == "high"
    made.do(SetSeverity(actor=by(BEN), severity="high", reason=WHY))
    assert not found(made, "severity")


@pytest.mark.parametrize("outcome", ["failed", "unknown"])
def test_a_machines_step_that_failed_waits_for_the_commander_with_its_target(outcome: Any) -> None:
    made = scene_of(action("block", on_crash="ask"))
    made.do(ClaimStep(actor=MACHINE, step="block", node="n1", epoch=1, lease=60))
    assert not found(made, "stuck")
    error = "nothing was done, the target was not reached: ConnectError"
    made.do(
        FinishStep(actor=MACHINE, step="block", node="n1", epoch=1, attempt=1, outcome=outcome, error=error)
    )
    waits = one(made, BEN, "stuck")
    assert waits.late and "the target firewall was not reached (ConnectError)" in waits.text
    assert "stuck" not in [kind for kind, _ in of(made, DAN)]
    made.do(RetryStep(actor=by(AMY), step="block", how="again", reason=WHY))
    assert not found(made, "stuck")


def test_whoever_approves_is_told_what_is_proposed_by_whom_and_why() -> None:
    made = scene_of(decision("isolate", four_eyes="cio"))
    made.do(Decide(actor=by(CHO), step="isolate", choice="yes", reason="it spreads"))
    waits = one(made, DAN, "approval")
    assert waits.by == CHO and "it spreads" in waits.text


SCENES: dict[str, Callable[[], Scene]] = {
    "reports": lambda: owing(ALWAYS),
    "decision": lambda: scene_of(decision("isolate", within="15m")),
    "plain": scene,
}


@pytest.mark.parametrize("name", SCENES)
def test_the_board_and_the_page_of_the_incident_ask_the_same_of_everybody(name: str) -> None:
    made = SCENES[name]()
    said: Naming = naming(made)
    board = summary(said).waits
    for person in (AMY, BEN, CHO, DAN, FAY):
        mine = {each.what for each in board if person in each.people and each.kind not in OTHERS}
        page = {each.what for each in waiting(person, said) if each.kind not in OTHERS}
        assert mine == page, person


def test_nothing_is_asked_of_an_incident_that_is_over() -> None:
    made = scene_of(decision("isolate", within="15m"))
    made.do(EndIncident(actor=by(BEN), how="cancelled", reason=WHY))
    assert not list(awaited(made.incident, made.desk.world(made.incident)))
