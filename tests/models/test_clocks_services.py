"""Recovery clocks: they warn, are forecast to break, break, are met, and tell the truth when it changes."""

from __future__ import annotations

import pytest

from models.clocks.services import downtime
from models.commands import Acknowledge, Decide, Done, ServiceFact, SetInstant
from models.impact import ForecastService
from models.playbook import FACTORS
from models.reason import Reason
from tests.models.clockhouse import (
    CLOCK_ROUTES,
    HOUR,
    after,
    at_level,
    clock,
    clock_scene,
    confirm,
    expect_back,
    impact,
    run_until,
    service,
    state,
)
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    EVE,
    ROUTES,
    Scene,
    by,
    decision,
    open_desk,
    organisation,
    playbook,
    policy,
    route,
    step,
)


def events(made: Scene, subject: str = "clock:rto:payments") -> list[str]:
    return [page.event for page in made.incident.pages.values() if page.subject == subject]


def test_a_service_that_is_affected_starts_its_clocks_from_the_outage() -> None:
    made = clock_scene()
    impact(made, instant=after(-0.5))

    assert clock(made).due_at == after(1.5)
    assert clock(made, "mtpd:payments").due_at == after(8.5)
    assert clock(made).owner == "pay-owner"
    assert clock(made).basis == {"limit": "7200", "from": "outage", "rlo": "target"}


def test_it_warns_at_shares_of_the_target_and_breaks_at_its_end() -> None:
    made = clock_scene()
    impact(made)

    run_until(made, 0.9)
    assert events(made) == []
    run_until(made, 1)
    assert events(made) == ["clock-warning"]
    made.do(Acknowledge(actor=by(EVE), page=made.page("clock:rto:payments").id))
    run_until(made, 1.5)
    assert events(made) == ["clock-warning"] * 2
    run_until(made, 2)

    assert events(made)[-1] == "clock-breached"
    assert clock(made).breached
    assert made.page("clock:rto:payments").reached["0"][0].person == EVE
    warned = [page for page in made.incident.pages.values() if page.event == "clock-warning"]
    assert {page.state for page in warned} == {"stopped"}


def test_an_open_page_goes_on_climbing_and_is_not_asked_anew() -> None:
    made = clock_scene()
    impact(made)
    run_until(made, 1.8)

    assert events(made) == ["clock-warning"]
    assert [fact.data["share"] for fact in made.facts("clock.warned")] == [50, 75, 90]


def test_stages_that_nobody_could_watch_are_passed_over() -> None:
    made = clock_scene()
    impact(made)
    made.wait(115)

    assert [fact.data["share"] for fact in made.facts("clock.warned")] == [90]


def test_each_share_goes_along_its_own_route() -> None:
    early = route("early", "clock-warning", levels=[{"to": ["owner"], "within": "15m"}], warn_at=[40])
    late = route("late", "clock-warning", levels=[{"to": ["ciso"], "within": "15m"}], warn_at=[80])
    made = clock_scene(routes=[*ROUTES, early, late])
    impact(made)
    run_until(made, 2)

    warned = [page for page in made.incident.pages.values() if page.event == "clock-warning"]
    assert [page.route for page in warned] == ["early"]
    assert [fact.data["share"] for fact in made.facts("clock.warned")] == [40, 80]


def test_each_kind_of_clock_goes_along_its_own_route() -> None:
    rto = route("rto", "clock-breached", levels=[{"to": ["owner"], "within": "15m"}])
    rto["applies"]["clocks"] = ["rto"]
    mtpd = route("mtpd", "clock-breached", levels=[{"to": ["ciso"], "within": "15m"}])
    mtpd["applies"]["clocks"] = ["mtpd"]
    made = clock_scene(routes=[*ROUTES, rto, mtpd])
    impact(made)
    run_until(made, 9)

    breached = {page.subject: page.route for page in made.incident.pages.values() if "breached" in page.event}
    assert breached == {"clock:rto:payments": "rto", "clock:mtpd:payments": "mtpd"}


def test_a_policy_without_clock_routes_warns_by_notice_and_breaks_along_the_route_for_overdue_steps() -> None:
    made = clock_scene(routes=ROUTES)
    impact(made)
    run_until(made, 2)

    assert made.page("clock:rto:payments").route == "house"
    notices = [row for row in made.outbox(template="notice.clock") if row["subject"] == "clock:rto:payments"]
    assert [row["person"] for row in notices] == [EVE] * 3


def test_a_forecast_past_the_target_escalates_now() -> None:
    made = clock_scene()
    impact(made)
    expect_back(made, after(3))

    assert events(made) == ["clock-forecast"]
    assert clock(made).breaks
    assert state(made).forecast.by == EVE  # type: ignore[union-attr]
    expect_back(made, after(1.5))
    assert not clock(made).breaks
    assert made.page("clock:rto:payments").state == "stopped"
    expect_back(made, after(2.5))
    assert events(made) == ["clock-forecast"] * 2


def test_a_forecast_within_the_target_is_recorded_and_wakes_nobody() -> None:
    made = clock_scene()
    impact(made)
    kinds = expect_back(made, after(1))

    assert "clock.forecast" in kinds
    assert events(made) == []


def test_a_service_cannot_be_back_before_those_that_it_needs() -> None:
    made = clock_scene(services=[service("identity"), service("payments", 2, needs=["identity"])])
    impact(made, "identity")
    impact(made, "payments")
    expect_back(made, after(1))
    assert not clock(made).breaks
    assert clock(made).path == ["payments"]
    expect_back(made, after(4), "identity")

    assert clock(made).breaks
    assert clock(made).forecast == after(4)
    assert clock(made).path == ["identity", "payments"]
    at_level(made, "target", "identity")
    assert clock(made).path == ["payments"]
    assert not clock(made).breaks


def test_services_that_need_each_other_do_not_wait_for_ever() -> None:
    made = clock_scene(services=[service("a", needs=["b"]), service("b", 2, needs=["a"])])
    impact(made, "a")
    impact(made, "b")
    expect_back(made, after(1), "a")
    expect_back(made, after(1.5), "b")

    assert clock(made, "rto:a").forecast == after(1.5)


def test_the_clock_stops_only_when_the_level_is_reached_and_both_confirm() -> None:
    made = clock_scene()
    impact(made)
    run_until(made, 0.5)
    at_level(made, "partial")
    assert clock(made).status == "running"
    at_level(made, "target")
    assert clock(made).status == "running"
    confirm(made, "csirt")
    assert clock(made).status == "running"
    run_until(made, 0.75)
    confirm(made, "owner")

    assert clock(made).status == "met"
    assert clock(made).stopped_at == after(0.75)
    assert state(made).restored_at == after(0.5)
    assert downtime(state(made), after(5)) == HOUR / 2


def test_confirmed_too_late_is_missed_and_not_met() -> None:
    made = clock_scene()
    impact(made)
    run_until(made, 1.9)
    at_level(made)
    run_until(made, 2.5)
    confirm(made)

    assert clock(made).status == "missed"
    assert clock(made).breached
    assert made.page("clock:rto:payments", "clock-breached").state == "stopped"


def test_it_runs_again_when_the_service_falls_and_downtime_adds_up() -> None:
    made = clock_scene()
    impact(made)
    run_until(made, 1)
    at_level(made)
    confirm(made)
    run_until(made, 5)
    at_level(made, "partial")

    assert clock(made).status == "running"
    assert clock(made).due_at == after(6)
    assert state(made).confirmed == {}
    assert downtime(state(made), after(5.5)) == HOUR * 1.5
    run_until(made, 6)
    assert clock(made).breached


def test_affected_again_after_it_was_back_is_a_new_disruption() -> None:
    made = clock_scene()
    impact(made)
    run_until(made, 1)
    at_level(made)
    made.wait(60)
    impact(made)

    assert made.facts("service.impacted")[-1].data["how"] == "again"
    assert clock(made).due_at == after(3)


def test_a_correction_that_turns_met_into_missed_is_accepted_shown_and_escalated() -> None:
    made = clock_scene()
    impact(made)
    run_until(made, 1.5)
    at_level(made)
    confirm(made)
    assert clock(made).status == "met"
    impact(made, instant=after(-2))

    assert made.facts("service.impacted")[-1].data["how"] == "corrected"
    assert clock(made).status == "missed"
    page = made.page("clock:rto:payments", "clock-breached")
    assert (page.state, page.detail) == ("open", {"late": True})
    made.do(Acknowledge(actor=by(EVE), page=page.id))
    assert made.page("clock:rto:payments", "clock-breached").state == "acknowledged"
    impact(made, instant=after(0))
    assert clock(made).status == "met"
    assert made.page("clock:rto:payments", "clock-breached").state == "stopped"


def test_a_recovery_time_from_the_decision_waits_for_it_and_infers_nothing() -> None:
    made = clock_scene(services=[service("payments", rto_from="decision")])
    impact(made)
    assert "rto:payments" not in made.incident.clocks
    assert "mtpd:payments" in made.incident.clocks
    made.do(SetInstant(actor=by(BEN), name="determined", instant=after(-0.25), source="meeting"))

    assert clock(made).due_at == after(1.75)


def test_a_service_that_we_stop_ourselves_is_down_from_then_on() -> None:
    first = decision("first", decides="containment-or-preservation", phase="containment")
    cut = decision("cut", phase="containment", stops=["cards"], after=["first"])
    stops = {"stops": ["cards"], "decided_by": "cut", "when": 'decided("cut") == "yes"'}
    block = step("block", phase="containment", after=["cut"], **stops)
    made = clock_scene(plan=playbook("unknown", first, cut, block))
    made.do(Decide(actor=by(CHO), step="first", choice="yes", reason="-"))
    factors = dict.fromkeys(FACTORS, "unknown")
    made.do(Decide(actor=by(CHO), step="cut", choice="yes", reason="-", factors=factors))
    assert "rto:cards" not in made.incident.clocks
    made.wait(30)
    made.do(Done(actor=by(AMY), step="block"))

    assert clock(made, "rto:cards").due_at == after(2.5)
    assert state(made, "cards").since is None
    at_level(made, "target", "cards")
    confirm(made, name="cards")
    assert clock(made, "rto:cards").status == "met"


def test_a_service_affected_above_its_recovery_level_runs_no_clock_until_it_falls() -> None:
    made = clock_scene()
    impact(made, level="target")
    assert "rto:payments" not in made.incident.clocks
    made.wait(60)
    at_level(made, "stopped")

    assert clock(made).due_at == after(3)


LONG = [service("payments", rto="10d", mtpd="30d")]


def test_a_long_target_is_mentioned_in_business_hours_and_paged_on_its_last_morning() -> None:
    """The night is Monday 2026-11-23 03:00 in Tokyo, a holiday; it is due on Thursday 2026-12-03 03:00."""
    made = clock_scene(services=LONG)
    impact(made)

    said = [(stage.at.isoformat(), stage.what) for stage in clock(made).stages]
    assert said == [
        ("2026-11-25T00:00:00+00:00", "notice"),
        ("2026-12-01T00:00:00+00:00", "notice"),
        ("2026-12-02T00:00:00+00:00", "warning"),
        ("2026-12-02T18:00:00+00:00", "breach"),
    ]
    run_until(made, 24 * 10, 60)
    assert events(made) == ["clock-warning", "clock-breached"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"what": "level", "level": "great"}, Reason.NO_SUCH_LEVEL),
        ({"what": "level", "instant": after(-3)}, Reason.BEFORE_START),
        ({"what": "restored", "instant": after(5)}, Reason.IN_FUTURE),
        ({"what": "impacted", "instant": after(5)}, Reason.IN_FUTURE),
        ({"what": "level", "service": "cards"}, Reason.NO_SUCH_SERVICE),
        ({"what": "impacted", "service": "tea"}, Reason.NO_SUCH_SERVICE),
    ],
)
def test_what_cannot_be_is_refused_by_name(fields: dict[str, object], reason: Reason) -> None:
    made = clock_scene()
    impact(made)
    command = ServiceFact(actor=by(BEN), **({"service": "payments"} | fields))  # type: ignore[arg-type]

    assert made.says(command).reason is reason


def test_a_forecast_lies_ahead_and_is_about_a_service_that_is_down() -> None:
    made = clock_scene()
    impact(made)

    past = ForecastService(actor=by(EVE), service="payments", eta=after(-1))
    up = ForecastService(actor=by(EVE), service="cards", eta=after(1))
    assert made.says(past).reason is Reason.IN_PAST
    assert made.says(up).reason is Reason.NO_SUCH_SERVICE


def test_the_targets_of_the_day_stay_with_the_incident() -> None:
    made = clock_scene()
    impact(made)
    harder = organisation(fields={"services": [service("payments", rto="1h")]})
    made.desk = open_desk(
        record=made.desk.record, clock=made.clock, organisation=harder, policy=policy(routes=CLOCK_ROUTES)
    )
    impact(made, instant=after(-0.25))

    assert "targets" not in made.facts("service.impacted")[-1].data
    assert clock(made).due_at == after(1.75)
