"""Escalation as people live through it: nobody answers, deputies, outsiders, delegation, an outage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from models.commands import Acknowledge, Decide
from models.policy import Limits
from models.reason import Reason
from playbooks.institution import Institution
from tests.conftest import THREE_AT_NIGHT
from tests.models.small import decision, playbook, step
from tests.scripts import Script, by

QUIET = playbook("unknown", step("look", optional=True))
"""Nothing but a call-out: one step without a limit."""
MainRoute = Callable[..., Script]
DUTY, LEAD, DEPUTY, CISO, CIO = "nakamura-yui", "sato-kenji", "tanaka-misaki", "kato-hiroshi", "yoshida-emi"
PRESIDENT, PR = "watanabe-osamu", "matsumoto-aya"
EVERYBODY = (PRESIDENT, CISO, CIO, LEAD, DEPUTY)


@pytest.fixture
def script(bank: Institution) -> Iterator[Script]:
    """A declared incident; the duty officer has been paged and told of the one step there is."""
    with opened(bank) as made:
        yield made


def opened(bank: Institution, **changes: Any) -> Script:
    made = Script(bank, THREE_AT_NIGHT, **({"playbooks": {"unknown": QUIET}} | changes))
    made.declare(DUTY, "行内端末で見慣れない画面")
    made.expect_page(DUTY, "page.declared", after=None)
    made.expect_notice(DUTY, "notice.step_ready")
    made.expect_nothing()
    return made


def climb(script: Script) -> None:
    """Twenty minutes in which nobody answers."""
    script.forward("20m")
    script.expect_pages(LEAD, DEPUTY, template="page.declared", after="5m")
    script.expect_page(CISO, after="10m")
    script.expect_page(CISO, after="15m")
    script.expect_pages(PRESIDENT, CIO, after="20m")
    script.expect_nothing()


def test_nobody_answers_and_it_climbs_every_level_until_the_cio_takes_it(script: Script) -> None:
    climb(script)
    script.forward("14m59s")
    script.expect_pages(PRESIDENT, CIO, after="25m")
    script.expect_pages(PRESIDENT, CIO, after="30m")
    script.expect_nothing()
    for minutes in range(35, 60, 5):
        script.forward("5m")
        script.expect_pages(*EVERYBODY, template="page.exhausted", after=f"{minutes}m")
    script.ack(CIO)
    for person in (DUTY, LEAD, DEPUTY, CISO, PRESIDENT):
        script.expect_notice(person, "notice.acknowledged")
    script.done(DUTY, "look")
    script.forward("24h")


def test_the_deputy_of_somebody_absent_is_paged_and_may_answer(bank: Institution) -> None:
    people = [
        person.model_copy(update={"absences": _away()}) if person.id == DUTY else person
        for person in bank.organisation.people
    ]
    organisation = bank.organisation.model_copy(update={"people": tuple(people)})
    with Script(bank, THREE_AT_NIGHT, organisation=organisation, playbooks={"unknown": QUIET}) as script:
        script.declare(LEAD, "行内端末で見慣れない画面")
        page = script.expect_page("suzuki-daichi", "page.declared")
        assert page.context["deputy_for"] == "Yui Nakamura" or "中村" in page.context["deputy_for"]
        script.expect_notice("suzuki-daichi", "notice.step_ready")
        script.ack("suzuki-daichi")
        assert script.page().acked_by == "suzuki-daichi"
        script.done("suzuki-daichi", "look")
        script.forward("2h")


def _away() -> tuple[Any, ...]:
    from models.organisation import Absence  # noqa: PLC0415 - used by one test

    return (
        Absence.model_validate({"since": "2026-11-22T00:00:00+09:00", "until": "2026-11-25T00:00:00+09:00"}),
    )


def test_an_outsider_is_recorded_as_having_seen_it_and_stops_nothing(script: Script) -> None:
    seen = script.ack(PR)
    assert seen.kinds() == ("page.seen",)
    assert seen.facts[0].data["reason"] == Reason.NOT_ENTITLED_ON_ROUTE.value
    script.forward("5m")
    script.expect_pages(LEAD, DEPUTY, after="5m")
    assert script.page().state == "open"


def test_somebody_on_a_higher_level_takes_it_over_before_being_paged(script: Script) -> None:
    taken = script.ack(CISO).facts[0]
    assert (taken.data["level"], taken.data["takeover"]) == (2, True)
    script.expect_notice(DUTY, "notice.acknowledged")
    script.refused(Acknowledge(actor=by(LEAD), page=script.page().id), Reason.ALREADY)
    script.done(LEAD, "look")
    script.forward("6h")


def test_an_acknowledgement_lapses_if_no_work_starts(script: Script) -> None:
    script.forward("1m")
    script.ack(DUTY)
    script.forward("29m59s")
    script.expect_nothing()
    script.forward("1s")
    script.expect_page(DUTY, after="31m")
    script.forward("5m")
    script.expect_pages(LEAD, DEPUTY, after="36m")
    script.ack(LEAD)
    script.expect_notice(DUTY, "notice.acknowledged")
    script.expect_notice(DEPUTY, "notice.acknowledged")
    script.done(LEAD, "look")
    script.forward("6h")


def test_work_that_has_started_keeps_the_acknowledgement(script: Script) -> None:
    script.ack(DUTY)
    script.forward("10m")
    script.severity(DUTY, "internal", "unclear")
    script.forward("6h")


def test_a_delegation_runs_out_and_the_route_goes_on(script: Script) -> None:
    script.delegate(DUTY, PR, "40m", script.page())
    script.expect_page(PR, "page.declared")
    script.forward("39m59s")
    script.expect_nothing()
    script.forward("1s")
    script.expect_pages(LEAD, DEPUTY, after="40m")
    script.forward("5m")
    script.expect_page(CISO, after="45m")
    assert script.ack(PR).kinds() == ("page.seen",)
    script.ack(LEAD)
    for person in (DUTY, DEPUTY, CISO):
        script.expect_notice(person, "notice.acknowledged")
    script.done(DUTY, "look")


def test_the_one_it_was_delegated_to_may_answer(script: Script) -> None:
    script.delegate(DUTY, PR, "40m", script.page())
    script.expect_page(PR, "page.declared")
    assert script.ack(PR).kinds()[0] == "page.acknowledged"
    script.expect_notice(DUTY, "notice.acknowledged")
    script.done(DUTY, "look")
    script.forward("6h")


def test_a_rise_of_the_severity_calls_people_again(script: Script) -> None:
    script.ack(DUTY)
    script.severity(LEAD, "serious", "spreading")
    script.set_aside("notice.reports")
    script.expect_page(DUTY, "page.severity")
    script.forward("5m")
    script.expect_pages(LEAD, DEPUTY, template="page.severity", after="5m")
    script.ack(DEPUTY)
    script.expect_notice(DUTY, "notice.acknowledged")
    script.expect_notice(LEAD, "notice.acknowledged")
    script.severity(LEAD, "internal", "unclear")
    script.done(DUTY, "look")
    script.forward("6h")


def test_a_short_outage_pages_the_latest_level_and_each_skipped_person_once(script: Script) -> None:
    script.node_down("12m")
    for person in (CISO, LEAD, DEPUTY):
        assert script.expect_page(person, after="12m").context["delayed_by"] == "03:00-03:12"
    script.expect_nothing()
    script.ack(LEAD)
    for person in (DUTY, DEPUTY, CISO):
        script.expect_notice(person, "notice.acknowledged")
    script.done(DUTY, "look")


def test_after_forty_five_minutes_of_outage_each_person_is_paged_once_and_told_why(script: Script) -> None:
    script.node_down("45m")
    for person in EVERYBODY:
        assert script.expect_page(person, after="45m").context["delayed_by"] == "03:00-03:45"
    script.expect_nothing()


def test_a_decision_with_nobody_climbs_and_is_never_taken_by_itself(bank: Institution) -> None:
    choosing = playbook("unknown", decision("cut-off", authority="pr"), decision("later", after=["cut-off"]))
    quiet = bank.policy.model_copy(update={"limits": Limits()})
    with Script(bank, THREE_AT_NIGHT, playbooks={"unknown": choosing}, policy=quiet) as script:
        script.declare(DUTY, "通信の急増")
        script.expect_page(DUTY, "page.declared")
        script.expect_page(PR, "page.decision")
        script.ack(DUTY)
        script.forward("1m")
        script.severity(DUTY, "internal", "unclear")
        script.forward("29m")
        script.expect_page(PR, "page.decision", after="5m")
        script.expect_pages(CISO, LEAD, template="page.decision", after="10m")
        script.expect_pages(CISO, LEAD, template="page.decision", after="15m")
        script.expect_pages(PRESIDENT, CIO, template="page.decision", after="20m")
        script.expect_pages(PRESIDENT, CIO, template="page.decision", after="25m")
        script.expect_pages(PRESIDENT, CISO, CIO, LEAD, template="page.exhausted", after="30m")
        script.forward("6h")
        assert script.set_aside("page.exhausted") == 4 * 6 * 12
        assert script.incident.steps["unknown/cut-off"].choice is None
        assert script.incident.steps.get("unknown/later") is None
        refused = Decide(actor=by(CISO), step="cut-off", choice="yes", reason="急ぐ")
        script.refused(refused, Reason.AUTHORITY_MISSING)
        script.decide(PR, "cut-off", "yes")
        script.expect_page(CISO, "page.decision")
        script.decide(CISO, "later", "no")
        script.forward("24h")


def test_a_route_exhausted_a_second_time_is_as_loud_as_the_first(script: Script) -> None:
    climb(script)
    script.forward("15m")
    script.set_aside("page.declared")
    script.expect_pages(*EVERYBODY, template="page.exhausted", after="35m")
    script.ack(LEAD)
    script.set_aside("notice.acknowledged")
    script.forward("30m")
    script.expect_pages(PRESIDENT, CIO, after="65m")
    script.forward("15m")
    script.expect_pages(*EVERYBODY, template="page.exhausted", after="80m")
