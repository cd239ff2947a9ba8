"""Phases, situation reports, the watch period and vendors: clocks of the same kind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from models.commands import AddImprovement, Close, Done, Note, Reopen, Resolve, SetSeverity
from models.impact import RecordImpact
from models.reason import Reason
from models.reports import ReportSituation, VendorFact
from tests.models.clockhouse import CLOCK_ROUTES, after, clock, run_until
from tests.models.small import AMY, BEN, SEVERITY, Scene, by, organisation, playbook, policy, scene, step

LIMITS = {
    "time_to": {"triage": "1h", "containment": {"high": "2h", "default": "8h"}},
    "situation_every": {"low": "4h", "high": "1h"},
}
VENDOR = {
    "id": "core-vendor",
    "name": "Core",
    "kind": "vendor",
    "provides": "-",
    "hours": "-",
    "contract": {"number": "1", "hours": "-", "call_out": "1h", "notification_within": "2h"},
}


def limited(*steps: dict[str, object]) -> Scene:
    plan = playbook("unknown", *(steps or (step("look"),)))
    return scene(plan, policy=policy(routes=CLOCK_ROUTES, limits=LIMITS))


def test_the_time_to_end_a_phase_runs_from_the_declaration() -> None:
    made = limited()
    assert clock(made, "phase:triage").due_at == after(1)
    made.wait(30)
    made.do(Done(actor=by(AMY), step="look"))

    assert clock(made, "phase:triage").status == "met"
    assert made.incident.phases["triage"].status == "ended"


def test_the_target_of_a_phase_follows_the_severity() -> None:
    made = limited(step("look"), step("hold", phase="containment"))
    assert clock(made, "phase:containment").due_at == after(8)
    made.do(SetSeverity(actor=by(BEN), severity="high"))

    assert clock(made, "phase:containment").due_at == after(2)


def test_a_phase_that_is_reopened_runs_against_the_same_target() -> None:
    made = limited()
    made.do(Done(actor=by(AMY), step="look"))
    assert clock(made, "phase:triage").status == "met"
    made.do(Reopen(actor=by(BEN), phase="triage", reason="another host"))
    assert clock(made, "phase:triage").status == "running"
    run_until(made, 1)
    made.do(Done(actor=by(AMY), step="look"))

    assert clock(made, "phase:triage").status == "met"
    run_until(made, 1.5)
    made.do(Reopen(actor=by(BEN), phase="triage", reason="yet another host"))
    made.wait(1)
    assert clock(made, "phase:triage").breached


def test_situation_reports_are_due_at_the_interval_of_the_severity() -> None:
    made = limited()
    assert clock(made, "situation").due_at == after(4)
    run_until(made, 2)
    made.do(ReportSituation(actor=by(BEN), text="known: nothing yet"))
    assert clock(made, "situation").due_at == after(6)
    made.do(SetSeverity(actor=by(BEN), severity="high"))
    assert clock(made, "situation").due_at == after(3)
    made.do(SetSeverity(actor=by(BEN), severity="medium"))

    assert clock(made, "situation").status == "ended"
    made.do(SetSeverity(actor=by(BEN), severity="high"))
    assert clock(made, "situation").status == "running"


def test_the_watch_period_ends_with_a_notice_and_no_breach() -> None:
    made = limited()
    made.do(Done(actor=by(AMY), step="look"))
    run_until(made, 0.5)
    made.do(Resolve(actor=by(BEN), cause="-", entry_route="-", watch=3600))
    assert clock(made, "watch").due_at == after(1.5)
    assert clock(made, "situation").status == "ended"
    kinds = run_until(made, 1.5)

    assert "clock.over" in kinds
    assert "clock.breached" not in kinds
    assert [row["person"] for row in made.outbox(template="notice.clock", subject="clock:watch")] == [BEN]
    due = after(2_000)
    made.do(AddImprovement(actor=by(BEN), title="-", owner=BEN, due=due))
    made.do(Close(actor=by(BEN), assessment="-"))
    assert clock(made, "watch").status == "met"


def vendor_scene(**contract: object) -> Scene:
    party = VENDOR | {"contract": VENDOR["contract"] | contract}  # type: ignore[operator]
    return scene(
        policy=policy(routes=CLOCK_ROUTES), organisation=organisation(fields={"third_parties": [party]})
    )


def test_what_a_vendor_owes_us_is_a_clock_from_when_we_asked() -> None:
    made = vendor_scene()
    made.do(VendorFact(actor=by(BEN), party="core-vendor", what="notice", instant=after(-0.5)))
    assert clock(made, "vendor:core-vendor/notice").due_at == after(1.5)
    run_until(made, 1)
    made.do(VendorFact(actor=by(BEN), party="core-vendor", what="notice", answered=True))

    assert clock(made, "vendor:core-vendor/notice").status == "met"


def test_what_no_contract_promises_has_no_clock() -> None:
    made = vendor_scene()
    made.do(VendorFact(actor=by(BEN), party="core-vendor", what="logs"))
    assert "vendor:core-vendor/logs" not in made.incident.clocks
    made.do(VendorFact(actor=by(BEN), party="core-vendor", what="logs", answered=True))

    promised = vendor_scene(logs_within="1d")
    promised.do(VendorFact(actor=by(BEN), party="core-vendor", what="logs"))
    assert clock(promised, "vendor:core-vendor/logs").due_at == after(24)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"party": "nobody"}, Reason.NO_SUCH_ITEM),
        ({"answered": True}, Reason.NO_SUCH_ITEM),
        ({"instant": after(3)}, Reason.IN_FUTURE),
    ],
)
def test_what_cannot_be_of_a_vendor_is_refused(fields: dict[str, object], reason: Reason) -> None:
    made = vendor_scene()
    shape = {"party": "core-vendor", "what": "notice"} | fields
    assert made.says(VendorFact(actor=by(BEN), **shape)).reason is reason  # type: ignore[arg-type]


def test_a_second_answer_changes_nothing() -> None:
    made = vendor_scene()
    made.do(VendorFact(actor=by(BEN), party="core-vendor", what="notice"))
    run_until(made, 1)
    answer = VendorFact(actor=by(BEN), party="core-vendor", what="notice", answered=True)
    made.do(answer)
    assert made.says(answer).reason is Reason.ALREADY


def test_an_answer_before_the_question_is_refused() -> None:
    made = vendor_scene()
    made.do(VendorFact(actor=by(BEN), party="core-vendor", what="notice"))
    early = VendorFact(actor=by(BEN), party="core-vendor", what="notice", answered=True, instant=after(-1))

    assert made.says(early).reason is Reason.BEFORE_START


def test_a_vendor_that_is_asked_again_owes_it_no_later() -> None:
    made = vendor_scene()
    ask = VendorFact(actor=by(BEN), party="core-vendor", what="notice")
    name = "vendor:core-vendor/notice"
    made.do(ask)
    run_until(made, 1)
    assert made.says(ask).reason is Reason.ALREADY
    assert clock(made, name).due_at == after(2)
    made.do(replace(ask, instant=after(0.5)))
    assert clock(made, name).due_at == after(2.5), "a correction of when they were asked"
    made.do(replace(ask, at=after(0.25)))
    assert clock(made, name).due_at == after(2.25)
    made.do(replace(ask, answered=True))
    made.do(ask)
    assert (clock(made, name).status, clock(made, name).due_at) == ("running", after(3)), "another question"


# -- impact and what it suggests ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("people", "1,200", "1200"),
        ("people", "unknown", "unknown"),
        ("customers-share", "100", "100"),
        ("purpose", "Improper", "improper"),
        ("data", "financial, sensitive", ["sensitive", "financial"]),
        ("data", "不明", "unknown"),
    ],
)
def test_impact_is_stored_typed(kind: str, value: str, stored: object) -> None:
    made = limited()
    made.do(RecordImpact(actor=by(BEN), kind=kind, value=value, source="SOC", confidence="suspected"))

    found = made.incident.impacts[kind]
    assert (found.value, found.confidence, found.by) == (stored, "suspected", BEN)


def test_assets_are_words_beside_the_record() -> None:
    made = limited()
    made.do(RecordImpact(actor=by(BEN), kind="assets", value="cb-db01, cb-db02", source="EDR"))

    assert str(made.incident.impacts["assets"].value).startswith("t:")
    assert "cb-db01, cb-db02" in made.desk.texts(made.stream).values()


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"kind": "people", "value": "many"}, "whole number"),
        ({"kind": "people", "value": "-3"}, "whole number"),
        ({"kind": "customers-share", "value": "101"}, "100 per cent"),
        ({"kind": "purpose", "value": "evil"}, "improper"),
        ({"kind": "data", "value": "secret"}, "my-number"),
        ({"kind": "mood", "value": "bad"}, "media"),
        ({"kind": "people", "value": "1", "confidence": "sure"}, "suspected"),
    ],
)
def test_impact_that_cannot_be_read_is_refused_with_what_is_expected(
    fields: dict[str, str], word: str
) -> None:
    made = limited()
    refused = made.says(RecordImpact(actor=by(BEN), source="-", **fields))  # type: ignore[arg-type]

    assert word in str(refused.detail)


def test_what_is_known_of_the_harm_suggests_a_graver_severity_and_sets_none() -> None:
    rules = [
        {"when": 'impact("people") >= 1000', "severity": "medium", "because": "many"},
        {"when": 'impact("media") == "national"', "severity": "high", "because": "news"},
    ]
    made = scene(policy=policy(routes=CLOCK_ROUTES, severity=SEVERITY | {"proposals": rules}))
    made.do(Note(actor=by(AMY), text="nothing is known yet"))
    assert made.facts("severity.proposed") == []
    made.do(RecordImpact(actor=by(BEN), kind="people", value="5000", source="core"))
    assert [fact.data["severity"] for fact in made.facts("severity.proposed")] == ["medium"]
    assert made.incident.severity == "low"
    assert {row["person"] for row in made.outbox(template="notice.severity")} == {AMY, BEN}
    made.do(RecordImpact(actor=by(BEN), kind="people", value="6000", source="core"))
    assert len(made.facts("severity.proposed")) == 1
    made.do(RecordImpact(actor=by(BEN), kind="media", value="national", source="press"))

    assert made.incident.proposed_severity == "high"
