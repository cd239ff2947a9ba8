"""Messages about clocks: what breaks when, what it hangs on, what stops it, and what follows otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from models.commands import SetInstant, SetRecoveryPoint
from models.impact import RecordImpact
from models.reports import VendorFact
from notifiers.briefing import Envelope, brief
from notifiers.briefing_names import Matter
from notifiers.clockwords import clock_title, span, what_stops
from notifiers.message import Message
from notifiers.rendering import render
from notifiers.slack.render import render as render_slack
from tests.models.clockhouse import (
    CLOCK_ROUTES,
    HOUR,
    after,
    at_level,
    clock_scene,
    confirm,
    expect_back,
    impact,
    run_until,
    service,
)
from tests.models.small import BEN, EVE, SEVERITY, Scene, by, policy, scene
from tests.models.test_clocks_others import LIMITS, vendor_scene
from tests.models.test_clocks_reports import ALWAYS, LEAK, leak, recognised

EVIL = "<!channel> *x* [a](http://evil.example)"


def message(made: Scene, row: dict[str, Any], lang: str) -> Message:
    state = made.desk.state(made.stream)
    named = {name: row[name] for name in ("key", "stream", "page", "cause", "level", "kind", "template")}
    envelope = Envelope(
        **named,
        subject=row["subject"],
        person=row["person"],
        attempt=1,
        deputy_for=None,
        channel="console",
        tries=1,
    )
    matter = Matter(state=state, texts=made.desk.texts(made.stream), world=made.desk.world(state))
    return Message(
        key=row["key"],
        channel="console",
        address="x",
        person=row["person"],
        lang=lang,
        kind=row["kind"],
        template=row["template"],
        context=brief(envelope, matter, lang),
        attempt=1,
        drill=False,
    )


def said(made: Scene, lang: str, **where: Any) -> str:
    rendered = render(message(made, made.outbox(**where)[-1], lang))
    assert rendered.failed == ""
    return rendered.text


def falling(**changes: Any) -> Scene:
    made = clock_scene(
        services=[service("identity", rlo="-"), service("payments", 2, needs=["identity"], rlo=EVIL)],
        **changes,
    )
    impact(made, "identity")
    impact(made)
    return made


RTO = {"subject": "clock:rto:payments"}


@pytest.mark.parametrize(
    ("lang", "wanted"),
    [
        (
            "en",
            (
                "will not be met, decide what to do: RTO of payments",
                "Due: 11/23 05:00 (+09:00) (2 h left)",
                "expected back: 11/23 07:00 (+09:00) (said by eve)",
                "the way that takes longest: identity > payments",
                "level now: stopped, to reach: recovery level reached",
                "Responsible: pay-owner (eve)",
                "hikeshi service restored INC-2026-0001 payments",
            ),
        ),
        (
            "ja",
            (
                "このままでは間に合いません。手を打ってください: 目標復旧時間（RTO） payments",
                "期限: 11/23 05:00 (+09:00)（残り 2時間）",
                "復旧見込み: 11/23 07:00 (+09:00)（eve による）",
                "最も遅い経路: identity > payments",
                "今の水準: 停止",
                "担当: pay-owner (eve)",
            ),
        ),
    ],
)
def test_a_forecast_says_what_it_hangs_on(lang: str, wanted: tuple[str, ...]) -> None:
    made = falling()
    expect_back(made, after(1))
    expect_back(made, after(4), "identity")

    text = said(made, lang, template="page.clock_forecast", **RTO)
    for part in wanted:
        assert part in text


def test_a_service_without_a_forecast_is_named() -> None:
    made = falling()
    expect_back(made, after(4))

    assert "no forecast from: identity" in said(made, "en", template="page.clock_forecast", **RTO)


def test_a_warning_says_the_share_and_a_breach_how_long_it_is_over() -> None:
    made = falling()
    run_until(made, 1)
    assert "50 % of its time is over." in said(made, "en", template="page.clock_warning", **RTO)
    run_until(made, 2.5)

    text = said(made, "en", template="page.clock_breached", **RTO)
    assert "Its target is broken." in text
    assert "(30 min over)" in text
    assert "expected back: nobody has said yet" in text


def test_a_breach_that_a_correction_shows_says_when_it_was_reached() -> None:
    made = falling()
    run_until(made, 1)
    at_level(made)
    confirm(made)
    impact(made, instant=after(-5))

    text = said(made, "en", template="page.clock_breached", **RTO)
    assert "was reached at 11/23 04:00 (+09:00), after its limit (11/22 24:00 (+09:00))" in text
    assert "Its target is broken." not in text
    assert "に達していたことが分かりました" in said(made, "ja", template="page.clock_breached", **RTO)


def test_data_loss_says_point_loss_target_and_compromise_and_what_is_unknown() -> None:
    made = falling()
    point = SetRecoveryPoint(
        actor=by(EVE), id="tape", service="payments", instant=after(-30), tamper="clean", malware="clean"
    )
    made.do(point)
    text = said(made, "en", template="page.clock_breached", subject="clock:rpo:payments")
    for part in (
        "broken, decide what to do: RPO of payments",
        "data lost: 1 d 6 h, target (RPO): 1 h",
        "usable recovery point: tape (11/21 21:00 (+09:00))",
        "earliest compromise: unknown",
        "hikeshi backup set INC-2026-0001 ID payments TIME",
    ):
        assert part in text
    made.do(SetInstant(actor=by(BEN), name="compromised", instant=after(-40), source="log"))
    text = said(made, "en", template="page.clock_breached", subject="clock:rpo:payments")
    assert "usable recovery point: none" in text
    assert "data lost: unknown" in text


def test_a_report_says_to_whom_whether_it_is_the_rules_limit_and_that_it_is_to_be_checked() -> None:
    made = scene(policy=policy(routes=CLOCK_ROUTES, obligations=[ALWAYS]))
    recognised(made)
    run_until(made, 1)

    text = said(made, "en", template="page.clock_breached")
    for part in (
        "broken, decide what to do: First, to Authority (XX-FSA/first)",
        "a target of our own, no legal limit",
        "proposed by rule; nobody has judged yet",
        "check it against the primary text",
        "hikeshi report submit INC-2026-0001 XX-FSA first --receipt",
    ):
        assert part in text
    assert "行内の目標です（法令の期限ではありません）" in said(made, "ja", template="page.clock_breached")


def test_a_rules_own_limit_is_not_called_internal() -> None:
    made = leak()
    recognised(made, -71)
    run_until(made, 1)

    assert "no legal limit" not in said(made, "en", template="page.clock_breached")


def test_reports_that_may_be_owed_come_with_their_first_deadline_or_what_it_waits_for() -> None:
    made = scene(policy=policy(routes=CLOCK_ROUTES, obligations=[LEAK, ALWAYS]))
    text = said(made, "en", template="notice.reports")
    assert "Always [XX-FSA] clock not started: needs the time of recognition, restoration" in text
    assert "hikeshi report judge INC-2026-0001 XX-FSA --applicable yes --reason" in text
    recognised(made)
    assert "first due 11/23 04:00 (+09:00)" in said(made, "en", template="notice.reports")
    assert "最初の期限 11/23 04:00" in said(made, "ja", template="notice.reports")


def test_a_severity_that_is_proposed_says_why_and_how_to_set_it() -> None:
    rule = {"when": 'impact("people") >= 1000', "severity": "high", "because": {"ja": "多数", "en": "many"}}
    made = scene(policy=policy(routes=CLOCK_ROUTES, severity=SEVERITY | {"proposals": [rule]}))
    made.do(RecordImpact(actor=by(BEN), kind="people", value="5000", source="core"))

    text = said(made, "en", template="notice.severity")
    assert "Proposed: high." in text
    assert "- many" in text
    assert "hikeshi severity INC-2026-0001 high --reason" in text
    assert "・多数" in said(made, "ja", template="notice.severity")


def test_what_a_vendor_owes_and_the_watch_and_the_situation_have_names() -> None:
    made = vendor_scene()
    made.do(VendorFact(actor=by(BEN), party="core-vendor", what="notice"))
    state, world = made.incident, made.desk.world(made.incident)
    names = {
        "vendor:core-vendor/notice": (
            "word owed by Core",
            "vendor answered INC-2026-0001 core-vendor notice",
        ),
        "vendor:nobody/logs": ("logs owed by nobody", "vendor answered"),
        "watch": ("watch period after restoration", "hikeshi close"),
        "situation": ("situation report no. 1", "hikeshi report situation"),
        "phase:triage": ("time to the end of triage", "hikeshi step list"),
        "report:XX-OLD/first": ("XX-OLD/first", "hikeshi report submit"),
        "rto:gone": ("RTO of gone", "hikeshi service restored INC-2026-0001 gone"),
    }
    for clock, (title, stops) in names.items():
        assert clock_title(clock, state, world, "en") == title
        assert stops in what_stops(clock, state)
        assert clock_title(clock, state, world, "ja")


def test_what_stops_a_service_is_first_its_level_and_then_who_has_not_confirmed() -> None:
    made = falling()
    run_until(made, 0.5)
    at_level(made)
    assert "--side csirt" in what_stops("rto:payments", made.incident)
    confirm(made, "csirt")
    assert "--side owner" in what_stops("rto:payments", made.incident)


def test_a_notice_of_a_phase_reaches_the_lead_with_its_time() -> None:
    made = scene(policy=policy(limits=LIMITS))
    run_until(made, 0.5)

    text = said(made, "en", template="notice.clock", subject="clock:phase:triage")
    assert "a clock you answer for: time to the end of triage" in text
    assert "(30 min left); a target of our own, no legal limit" in text


def test_outside_text_stays_text_in_slack_and_its_limits_are_kept() -> None:
    made = falling()
    expect_back(made, after(4))
    text = str(render_slack(message(made, made.outbox(template="page.clock_forecast")[-1], "en")))

    assert "<!channel>" not in text
    assert "http://evil" not in text
    assert len(text) < 13_200


@pytest.mark.parametrize(
    ("hours", "ja", "en"),
    [
        (0, "0秒", "0 s"),
        (0.5, "30分", "30 min"),
        (25.5, "1日1時間", "1 d 1 h"),
        (-1.25, "1時間15分", "1 h 15 min"),
    ],
)
def test_spans_are_said_in_two_units(hours: float, ja: str, en: str) -> None:
    assert (span(hours * HOUR, "ja"), span(hours * HOUR, "en")) == (ja, en)
