"""Slips that clocks bear: rules that cannot be evaluated, words said twice, times in the wrong year."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from models.calendars import calendar
from models.clocks.services import downtime
from models.commands import Acknowledge, Done, ServiceFact, SetInstant, SetRecoveryPoint
from models.deadline import deadline
from models.obligation import Obligation, Profile
from models.reason import Reason
from models.reports import SubmitReport
from tests.models.clockhouse import (
    BREACH,
    HOUR,
    OWED,
    WARNING,
    after,
    at_level,
    clock,
    clock_scene,
    confirm,
    impact,
    run_until,
    state,
)
from tests.models.small import (
    AMY,
    BEN,
    EVE,
    ROUTES,
    SEVERITY,
    Scene,
    by,
    playbook,
    policy,
    scene,
    scene_of,
    step,
)

FIRST: dict[str, Any] = OWED["stages"][0]


def owing(*owed: dict[str, Any], **rules: Any) -> Scene:
    return scene(policy=policy(obligations=list(owed), **rules))


# -- rules that cannot be evaluated -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "condition",
    ['known("declared") > "a"', 'profile("colour")', "important(), important()", "", "(" * 400, "gar den"],
)
def test_a_rule_that_cannot_be_evaluated_proposes_nothing_and_keeps_nobody_from_declaring(
    condition: str,
) -> None:
    severity = SEVERITY | {"proposals": [{"when": condition, "severity": "high", "because": "-"}]}
    stages = [FIRST | {"applies_if": condition}]
    made = owing(
        OWED | {"applies_if": condition}, OWED | {"id": "XX-STAGE", "stages": stages}, severity=severity
    )

    assert made.incident.status == "open"
    assert made.incident.obligations == {}
    assert made.incident.severity == "low"
    made.do(Done(actor=by(AMY), step="look"))


def test_an_exemption_that_cannot_be_evaluated_exempts_nobody() -> None:
    term: dict[str, Any] = {
        "from": "recognised",
        "limit": "1d",
        "calendar": "government",
        "roll": "next-working-day",
    }

    def due(**more: str) -> datetime | None:
        stages = [FIRST | {"deadline": {"earliest": [term | more]}}]
        one = Obligation.model_validate(OWED | {"stages": stages, "zone": "UTC"})
        friday = {"recognised": datetime(2026, 11, 20, 9, tzinfo=UTC)}
        return deadline(one, one.stages[0], friday, Profile(), calendar).due_at

    assert due(roll_unless='profile("sector") > 1') == due()
    assert due(roll_unless='profile("sector") == "bank"') != due()


@pytest.mark.parametrize("condition", ['done("a"), done("b")', "", 'done("a"),'])
def test_a_step_with_two_conditions_or_none_is_held_and_its_neighbours_go_on(condition: str) -> None:
    made = scene_of(step("a"), step("odd", when=condition))
    assert made.incident.gates_held == {"unknown/odd": ["cannot-evaluate:unknown/odd"]}
    made.do(Done(actor=by(AMY), step="a"))


# -- said again ---------------------------------------------------------------------------------------------


def test_that_a_service_is_down_may_be_said_again_and_starts_no_clock_anew() -> None:
    made = clock_scene()
    impact(made)
    run_until(made, 1.5)
    impact(made, note="still down")

    assert made.facts("service.impacted")[-1].data["how"] == "corrected"
    assert (state(made).down_since, clock(made).due_at) == (after(0), after(2))
    run_until(made, 2)
    assert clock(made).breached
    assert made.page("clock:rto:payments", "clock-breached").state == "open"
    impact(made)
    assert clock(made).breached, "what broke is not unbroken by saying it again"
    assert made.page("clock:rto:payments", "clock-breached").state == "open"


@pytest.mark.parametrize("field", ["instant", "at"])
def test_a_time_that_is_given_corrects_when_it_went_down(field: str) -> None:
    made = clock_scene()
    impact(made)
    run_until(made, 1)
    impact(made, **{field: after(0.5)})  # type: ignore[arg-type]
    assert (state(made).down_since, clock(made).due_at) == (after(0.5), after(2.5))


def test_a_service_that_was_back_and_is_down_again_is_down_from_now_on() -> None:
    made = clock_scene()
    impact(made)
    run_until(made, 1)
    at_level(made)
    run_until(made, 1.5)
    impact(made)
    assert made.facts("service.impacted")[-1].data["how"] == "again"
    assert state(made).down_since == after(1.5)


def test_a_service_falls_no_earlier_than_it_was_back() -> None:
    made = clock_scene()
    impact(made)
    run_until(made, 1)
    at_level(made)
    run_until(made, 2)
    fell = ServiceFact(actor=by(EVE), service="payments", what="level", level="stopped", instant=after(0.5))
    assert made.says(fell).reason is Reason.BEFORE_START
    at_level(made, "stopped", instant=after(1))
    assert downtime(state(made), made.clock.now()) == 2 * HOUR


# -- what cannot be mended any more -------------------------------------------------------------------------

RENEWED = [*ROUTES, BREACH | {"renew": "30m"}, WARNING]


def test_a_page_about_what_broke_unseen_is_had_once_it_is_taken_and_lapses_no_more() -> None:
    made = clock_scene(routes=RENEWED)
    impact(made)
    run_until(made, 1.5)
    at_level(made)
    confirm(made)
    impact(made, instant=after(-2))
    late = made.page("clock:rto:payments", "clock-breached")
    assert (late.detail, late.renew) == ({"late": True}, 0)
    made.do(Acknowledge(actor=by(EVE), page=late.id))
    run_until(made, 3.5, step_minutes=10)
    assert made.facts("page.lapsed") == []


def test_so_is_one_about_data_that_is_lost() -> None:
    made = clock_scene(routes=RENEWED)
    impact(made)
    made.do(
        SetRecoveryPoint(
            actor=by(EVE), id="tape", service="payments", instant=after(-9), tamper="clean", malware="clean"
        )
    )
    lost = made.page("clock:rpo:payments", "clock-breached")
    assert lost.renew == 0
    made.do(Acknowledge(actor=by(EVE), page=lost.id))
    run_until(made, 1.5, step_minutes=10)
    assert [fact for fact in made.facts("page.lapsed") if fact.data["page"] == lost.id] == []


def test_a_breach_that_goes_on_is_had_only_while_somebody_works_on_it() -> None:
    made = clock_scene(routes=RENEWED)
    impact(made)
    run_until(made, 2)
    broken = made.page("clock:rto:payments", "clock-breached")
    assert broken.renew == 1800
    made.do(Acknowledge(actor=by(EVE), page=broken.id))
    run_until(made, 2.75)
    assert broken.id in [fact.data["page"] for fact in made.facts("page.lapsed")]


def test_without_a_route_nobody_is_asked_about_what_broke_unseen() -> None:
    made = clock_scene(routes=[ROUTES[0]])
    impact(made, instant=after(-3))
    at_level(made, instant=after(-0.5))
    confirm(made)
    assert [fact.data["event"] for fact in made.facts("page.unanswerable")][-1] == "clock-breached"


# -- times in the wrong year --------------------------------------------------------------------------------

WHEN = {"id": "seen", "title": "-", "type": "instant", "instant": "detected"}


@pytest.mark.parametrize(
    "value", ["1900-11-23T03:00:00+09:00", "1999-12-31T23:59:59Z", "2126-11-23T03:00:00Z"]
)
def test_a_time_beyond_reach_in_a_step_is_refused_with_what_is_expected(value: str) -> None:
    made = scene_of(step("a", record=[WHEN]))
    no = made.says(Done(actor=by(AMY), step="a", values={"seen": value}))
    assert no.reason is Reason.FIELD_WRONG
    assert no.detail["fields"] == [
        f"seen: expected a time of this century such as 2026-11-23T03:00:00+09:00, or unknown, got {value!r}"
    ]
    made.do(Done(actor=by(AMY), step="a", values={"seen": "2026-11-22T17:00:00Z"}))
    assert made.incident.instants["detected"] == after(-1)


def reported(made: Scene, at: datetime) -> SubmitReport:
    return SubmitReport(actor=by(BEN), obligation="XX-OWED", stage="first", instant=at)


def test_a_report_lies_no_earlier_than_the_incident() -> None:
    made = owing(OWED)
    assert made.says(reported(made, after(-24 * 366))).reason is Reason.BEFORE_START
    made.do(SetInstant(actor=by(BEN), name="detected", instant=after(-5), source="-"))
    assert made.says(reported(made, after(-6))).reason is Reason.BEFORE_START
    made.do(SetInstant(actor=by(BEN), name="occurred", instant=after(-8), source="-"))
    assert made.says(reported(made, after(-9))).reason is Reason.BEFORE_START
    made.do(reported(made, after(-8)))
    assert made.incident.obligations["XX-OWED"].reports["first"].submitted[0].at == after(-8)


def test_a_report_that_a_step_says_was_sent_years_before_is_none() -> None:
    sent = {"id": "sent", "title": "-", "type": "instant", "instant": "report-submitted"}
    plan = playbook(
        "unknown", step("tell", kind="notice", to=["pr"], record=[sent], reports=["XX-OWED/first"])
    )
    made = scene(plan, policy=policy(obligations=[OWED]))
    made.do(Done(actor=by(AMY), step="tell", values={"sent": "2016-11-22T18:00:00Z"}))
    assert made.facts("report.submitted") == []
    assert made.step("tell").outputs["sent"].startswith("2016-")
