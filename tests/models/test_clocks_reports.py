"""Reports owed: proposed by rule, judged by a person, drafted, submitted, corrected; their clocks run
meanwhile.
"""

from __future__ import annotations

from typing import Any

import pytest

from models.commands import (
    AddImprovement,
    Close,
    Decide,
    Done,
    EndIncident,
    Resolve,
    SetInstant,
    WithdrawDecision,
)
from models.impact import RecordImpact
from models.reason import Reason
from models.reports import DraftReport, JudgeObligation, SubmitReport
from tests.models.clockhouse import CLOCK_ROUTES, after, clock, run_until
from tests.models.small import AMY, BEN, FAY, Scene, by, decision, playbook, policy, scene, step

SHAPE = {
    "edition": "2026-01-01",
    "effective_from": "2026-01-01",
    "recipient": "Authority",
    "owner": "pr",
    "law": "-",
    "source": "-",
    "confidence": "G",
}
LEAK = SHAPE | {
    "id": "XX-LEAK",
    "title": "Leak",
    "applies_if": 'impact("personal-data") != "none" and impact("people") > 1000',
    "stages": [
        {
            "id": "first",
            "title": "First",
            "deadline": {"earliest": [{"from": "recognised", "limit": "72h"}]},
        },
        {
            "id": "second",
            "title": "Second",
            "deadline": {"earliest": [{"from": "submitted:first", "limit": "1mo"}]},
        },
        {
            "id": "status",
            "title": "Status",
            "applies_if": 'not known("cause-identified")',
            "deadline": {"earliest": [{"from": "recognised", "limit": "30d"}]},
        },
    ],
}
ALWAYS = SHAPE | {
    "id": "XX-FSA",
    "title": "Always",
    "applies_if": 'severity_at_least("low")',
    "stages": [
        {"id": "first", "title": "First", "deadline": {"at_once": "recognised", "internal": "60m"}},
        {"id": "restored", "title": "Restored", "deadline": {"on": "restored", "internal": "4h"}},
    ],
}
VOLUNTARY = SHAPE | {
    "id": "XX-POLICE",
    "title": "Police",
    "applies_if": 'playbook("unknown")',
    "stages": [{"id": "consult", "title": "Consult", "deadline": {"none": True}}],
}


def owing(*owed: dict[str, Any], plan: Any = None) -> Scene:
    books = (plan,) if plan is not None else ()
    return scene(*books, policy=policy(routes=CLOCK_ROUTES, obligations=list(owed)))


def know(made: Scene, kind: str, value: str) -> tuple[str, ...]:
    return made.do(RecordImpact(actor=by(BEN), kind=kind, value=value, source="SOC"))


def recognised(made: Scene, hours: float = 0, name: str = "recognised") -> tuple[str, ...]:
    return made.do(SetInstant(actor=by(BEN), name=name, instant=after(hours), source="meeting"))


def submit(made: Scene, stage: str = "first", name: str = "XX-LEAK", **fields: Any) -> tuple[str, ...]:
    return made.do(SubmitReport(actor=by(BEN), obligation=name, stage=stage, **fields))


def judging(who: str, name: str, reason: str) -> JudgeObligation:
    return JudgeObligation(actor=by(who), obligation=name, applicable=True, reason=reason)


def sending(stage: str, **fields: Any) -> SubmitReport:
    return SubmitReport(actor=by(BEN), obligation="XX-LEAK", stage=stage, **fields)


def leak() -> Scene:
    made = owing(LEAK)
    know(made, "personal-data", "leaked")
    know(made, "people", "5000")
    return made


def test_what_hangs_on_something_unknown_is_not_proposed_yet() -> None:
    made = owing(LEAK)
    know(made, "personal-data", "leaked")
    assert made.incident.obligations == {}
    kinds = know(made, "people", "5000")

    assert "obligation.proposed" in kinds
    assert made.incident.obligations["XX-LEAK"].proposed
    told = made.outbox(template="notice.reports")
    assert [(row["person"], row["subject"]) for row in told] == [(FAY, "reports:XX-LEAK")]


def test_a_proposal_is_withdrawn_when_what_is_known_changes() -> None:
    made = leak()
    recognised(made)
    assert clock(made, "report:XX-LEAK/first").status == "running"
    know(made, "people", "12")

    assert not made.incident.obligations["XX-LEAK"].proposed
    assert clock(made, "report:XX-LEAK/first").status == "ended"


def test_its_clock_runs_from_the_proposal_on_since_time_does_not_wait_for_a_judgement() -> None:
    made = leak()
    assert made.incident.clocks == {}
    recognised(made, -2)

    found = clock(made, "report:XX-LEAK/first")
    assert (found.due_at, found.owner, found.internal) == (after(70), "pr", False)
    assert found.basis["rule"] == "XX-LEAK"


def test_a_person_judges_with_a_reason_and_may_judge_again() -> None:
    made = leak()
    recognised(made)
    no = JudgeObligation(actor=by(BEN), obligation="XX-LEAK", applicable=False, reason="encrypted")
    made.do(no)
    assert clock(made, "report:XX-LEAK/first").status == "ended"
    assert made.incident.obligations["XX-LEAK"].judged_by == BEN
    know(made, "people", "9000")
    assert clock(made, "report:XX-LEAK/first").status == "ended"
    made.do(JudgeObligation(actor=by(BEN), obligation="XX-LEAK", applicable=True, reason="the key was taken"))

    assert clock(made, "report:XX-LEAK/first").status == "running"


def test_what_the_rule_does_not_propose_may_be_judged_applicable() -> None:
    made = owing(LEAK)
    recognised(made)
    made.do(JudgeObligation(actor=by(BEN), obligation="XX-LEAK", applicable=True, reason="to be safe"))

    assert clock(made, "report:XX-LEAK/first").status == "running"


def test_judged_drafted_submitted_and_corrected_are_facts_of_their_own() -> None:
    made = leak()
    recognised(made)
    made.do(DraftReport(actor=by(BEN), obligation="XX-LEAK", stage="first", document="sha256:00"))
    assert clock(made, "report:XX-LEAK/first").status == "running"
    run_until(made, 2)
    submit(made, receipt="R-1")
    assert made.incident.obligations["XX-LEAK"].reports["first"].drafted == "sha256:00"
    assert clock(made, "report:XX-LEAK/first").status == "met"
    run_until(made, 4)
    submit(made, update=True)

    sent = made.incident.obligations["XX-LEAK"].reports["first"].submitted
    assert [one.update for one in sent] == [False, True]
    assert clock(made, "report:XX-LEAK/first").stopped_at == after(2)


def test_a_later_stage_counts_from_the_submission_or_its_latest_update_and_never_from_a_missing_one() -> None:
    made = leak()
    recognised(made)
    assert "report:XX-LEAK/second" not in made.incident.clocks
    run_until(made, 1)
    submit(made)
    first = clock(made, "report:XX-LEAK/second").due_at
    run_until(made, 25, 60)
    submit(made, update=True)

    assert clock(made, "report:XX-LEAK/second").due_at > first


def test_a_stage_that_is_no_longer_owed_ends() -> None:
    made = leak()
    recognised(made)
    assert clock(made, "report:XX-LEAK/status").status == "running"
    recognised(made, 0, "cause-identified")

    assert clock(made, "report:XX-LEAK/status").status == "ended"


def test_at_once_has_a_target_of_the_institutions_own_that_is_labelled_so() -> None:
    made = owing(ALWAYS)
    recognised(made, -0.25)

    found = clock(made, "report:XX-FSA/first")
    assert (found.due_at, found.internal) == (after(0.75), True)
    assert "report:XX-FSA/restored" not in made.incident.clocks
    run_until(made, 0.75)
    assert clock(made, "report:XX-FSA/first").breached
    assert made.page("clock:report:XX-FSA/first").reached["0"][0].person == FAY
    recognised(made, 0.5, "restored")
    assert clock(made, "report:XX-FSA/restored").due_at == after(4.5)


def test_a_voluntary_report_is_proposed_and_has_no_clock() -> None:
    made = owing(VOLUNTARY)

    assert made.incident.obligations["XX-POLICE"].proposed
    assert made.incident.clocks == {}


def test_a_correction_of_the_anchor_moves_the_deadline_and_may_break_a_met_one() -> None:
    made = leak()
    recognised(made)
    run_until(made, 1)
    submit(made)
    assert clock(made, "report:XX-LEAK/first").status == "met"
    recognised(made, -24 * 4)

    found = clock(made, "report:XX-LEAK/first")
    assert (found.status, found.due_at) == ("missed", after(-24))
    assert made.page("clock:report:XX-LEAK/first").detail == {"late": True}


def test_an_edition_is_picked_by_the_day_of_the_declaration() -> None:
    old = LEAK | {"edition": "2025-01-01", "effective_from": "2025-01-01", "effective_to": "2025-12-31"}
    gone = ALWAYS | {"id": "XX-GONE", "effective_to": "2026-10-31"}
    made = owing(old, LEAK, gone)
    know(made, "personal-data", "leaked")
    know(made, "people", "5000")

    assert made.incident.obligations["XX-LEAK"].edition == "2026-01-01"
    assert "XX-GONE" not in made.incident.obligations


def test_obligations_go_on_after_closing() -> None:
    made = leak()
    recognised(made)
    made.do(Done(actor=by(AMY), step="look"))
    made.do(Resolve(actor=by(BEN), cause="-", entry_route="-", watch=60))
    made.wait(5)
    made.do(AddImprovement(actor=by(BEN), title="-", owner=BEN, due=after(9_000)))
    made.do(Close(actor=by(BEN), assessment="-"))
    run_until(made, 72, 60)

    assert made.incident.status == "closed"
    assert clock(made, "report:XX-LEAK/first").breached
    submit(made)
    assert clock(made, "report:XX-LEAK/first").status == "missed"


def test_a_dismissed_incident_owes_nothing_any_more() -> None:
    made = leak()
    recognised(made)
    made.do(EndIncident(actor=by(BEN), how="dismissed", reason="a test of the SOC"))

    assert "clock.breached" not in run_until(made, 80, 60)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (judging(BEN, "XX-NO", "-"), Reason.NO_SUCH_OBLIGATION),
        (judging(BEN, "XX-LEAK", " "), Reason.REASON_MISSING),
        (judging(AMY, "XX-LEAK", "-"), Reason.ROLE_MISSING),
        (sending("third"), Reason.NO_SUCH_ITEM),
        (sending("first", update=True), Reason.NOTHING_TO_CORRECT),
        (sending("first", instant=after(2)), Reason.IN_FUTURE),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(command: Any, reason: Reason) -> None:
    assert leak().says(command).reason is reason


def test_the_same_report_is_submitted_once_and_then_corrected() -> None:
    made = leak()
    submit(made)

    assert (
        made.says(SubmitReport(actor=by(BEN), obligation="XX-LEAK", stage="first")).reason is Reason.ALREADY
    )
    early = SubmitReport(actor=by(BEN), obligation="XX-LEAK", stage="first", update=True, instant=after(-1))
    assert made.says(early).reason is Reason.BEFORE_START


# -- written down once: what a playbook's fields and options tell -------------------------------------------

FACTS = step(
    "facts",
    record=[
        {"id": "knew", "title": "-", "type": "instant", "instant": "recognised"},
        {"id": "began", "title": "-", "type": "instant", "instant": "occurred", "required": False},
    ],
)
SEND = step(
    "send",
    kind="notice",
    to=["pr"],
    phase="communication",
    reports=["XX-LEAK/first", "XX-NONE/first", "XX-LEAK/tenth"],
    record=[
        {"id": "sent", "title": "-", "type": "instant", "instant": "report-submitted"},
        {"id": "receipt", "title": "-"},
    ],
)
JUDGE = decision(
    "judge",
    options=[
        {"id": "owed", "title": "-", "judges": {"XX-LEAK": True}},
        {"id": "not-owed", "title": "-", "judges": {"XX-LEAK": False, "XX-NONE": False}},
    ],
)


def told(*steps: dict[str, Any]) -> Scene:
    made = owing(LEAK, plan=playbook("unknown", *steps))
    know(made, "personal-data", "leaked")
    know(made, "people", "5000")
    return made


def test_an_answer_that_says_when_sets_the_instant_with_the_step_as_its_source() -> None:
    made = told(FACTS)
    made.do(Done(actor=by(AMY), step="facts", values={"knew": "2026-11-22T17:00:00Z", "began": "unknown"}))

    assert made.incident.instants["recognised"] == after(-1)
    assert made.facts("instant.set")[-1].data["source"] == "step:unknown/facts"
    assert "occurred" not in made.incident.instants
    assert clock(made, "report:XX-LEAK/first").due_at == after(71)


def test_a_typing_error_in_an_answer_starts_no_clock() -> None:
    made = told(FACTS)
    made.do(Done(actor=by(AMY), step="facts", values={"knew": "2027-11-22T17:00:00Z"}))

    assert "recognised" not in made.incident.instants


def test_sending_a_report_as_a_step_submits_it_and_sending_it_again_updates_it() -> None:
    made = told(FACTS, SEND)
    made.do(Done(actor=by(AMY), step="facts", values={"knew": "2026-11-22T18:00:00Z"}))
    run_until(made, 1)
    values = {"sent": "2026-11-22T18:30:00Z", "receipt": "R-7"}
    made.do(Done(actor=by(AMY), step="send", values=values))

    assert clock(made, "report:XX-LEAK/first").status == "met"
    assert clock(made, "report:XX-LEAK/first").stopped_at == after(0.5)
    assert made.facts("report.submitted")[0].data["step"] == "unknown/send"


def test_a_decision_judges_what_its_option_says() -> None:
    made = told(JUDGE)
    made.do(Decide(actor=by("cho"), step="judge", choice="not-owed", reason="strongly encrypted"))
    assert str(made.incident.obligations["XX-LEAK"].judged) == "not-applicable"
    made.do(WithdrawDecision(actor=by(BEN), step="judge", reason="the key was taken"))
    made.do(Decide(actor=by("cho"), step="judge", choice="owed", reason="the key was taken"))

    assert made.incident.obligations["XX-LEAK"].judged == "applicable"
