"""Severities by the table, decisions with authority and factors, and what somebody writes for another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.commands import (
    Acknowledge,
    AddStep,
    AssignStep,
    Confirm,
    Decide,
    Declare,
    Done,
    Note,
    SetSeverity,
    SettleStep,
    StartStep,
    WithdrawDecision,
)
from models.playbook import FACTORS
from models.reason import Reason
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVE,
    FAY,
    GUS,
    Scene,
    by,
    decision,
    organisation,
    playbook,
    scene,
    scene_of,
    step,
)

pytestmark = pytest.mark.usefixtures("runs_again")

UNKNOWN = dict.fromkeys(FACTORS, "unknown")
MATRIX = [
    ("Little that is calm is low", "little", "calm", "low", 0),
    ("Little that spreads is medium", "little", "spreading", "medium", 1),
    ("Much that is calm is medium", "much", "calm", "medium", 1),
    ("Much that spreads is high", "much", "spreading", "high", 2),
]


@pytest.mark.parametrize(
    ("impact", "urgency", "severity", "rank"), [row[1:] for row in MATRIX], ids=[row[0] for row in MATRIX]
)
def test_impact_and_urgency_give_the_severity(impact: str, urgency: str, severity: str, rank: int) -> None:
    made = scene()
    made.do(SetSeverity(actor=by(AMY), impact=impact, urgency=urgency, reason="by the table"))
    state = made.incident
    assert (state.severity, state.severity_rank) == (severity, rank)
    assert (state.impact, state.urgency) == (impact, urgency)
    opened = scene(declare=False)
    opened.stream = opened.desk.handle(
        None, Declare(actor=by(AMY), text="x", impact=impact, urgency=urgency)
    ).stream
    assert opened.incident.severity == severity


@pytest.mark.parametrize(
    "fields",
    [
        {"impact": "garden", "urgency": "calm"},
        {"impact": "much", "urgency": "garden"},
        {"severity": "garden"},
        {},
        {"impact": "much"},
    ],
    ids=[
        "An impact that is in no row",
        "An urgency that is in no column",
        "A severity that does not exist",
        "Nothing at all",
        "Half of the two",
    ],
)
def test_a_severity_that_the_table_does_not_give_is_refused(fields: dict[str, Any]) -> None:
    assert scene().says(SetSeverity(actor=by(AMY), **fields)).reason is Reason.NO_SUCH_SEVERITY


RISES = [
    ("A rise calls people again", ["high"], 2),
    ("Each rise calls people again", ["medium", "high"], 3),
    ("A fall calls nobody", ["high", "low"], 2),
    ("The same again calls nobody", ["medium", "medium"], 2),
    ("Rising to where it had been calls nobody", ["high", "low", "high"], 2),
]


@pytest.mark.parametrize(("severities", "calls"), [row[1:] for row in RISES], ids=[row[0] for row in RISES])
def test_a_rise_of_the_severity_pages_again(severities: list[str], calls: int) -> None:
    made = scene()
    for severity in severities:
        made.do(SetSeverity(actor=by(AMY), severity=severity))
    pages = [page.event for page in made.incident.pages.values() if page.subject == "incident"]
    assert pages == ["declared", *["severity-raised"] * (calls - 1)]


# -- decisions ----------------------------------------------------------------------------------------------


def asked(**fields: Any) -> Scene:
    return scene_of(decision("choose", **fields))


def choose(person: str = CHO, choice: str = "yes", reason: str = "-", **factors: str) -> Decide:
    return Decide(actor=by(person), step="choose", choice=choice, reason=reason, factors=factors)


REFUSED: list[tuple[str, dict[str, Any], Decide, Reason]] = [
    ("Only its authority takes a decision", {}, choose(BEN), Reason.AUTHORITY_MISSING),
    ("The deputy of somebody present is no authority", {}, choose(DAN), Reason.AUTHORITY_MISSING),
    ("Only an option can be chosen", {}, choose(choice="perhaps"), Reason.NO_SUCH_OPTION),
    ("A decision has a reason", {}, choose(reason=" "), Reason.REASON_MISSING),
    ("The reason is bounded", {}, choose(reason="x" * 8001), Reason.TOO_LONG),
    ("A factor that was asked for is given", {"factors": ["window"]}, choose(), Reason.FACTORS_MISSING),
    ("An empty factor is none", {"factors": ["window"]}, choose(window=" "), Reason.FACTORS_MISSING),
    ("A factor is bounded", {"factors": ["window"]}, choose(window="x" * 1001), Reason.TOO_LONG),
    ("What was not asked for is no factor", {}, choose(weather="fine"), Reason.FIELD_WRONG),
    ("A decision that waits cannot be taken", {"after": ["other"]}, choose(), Reason.STEP_NOT_READY),
]


@pytest.mark.parametrize(
    ("fields", "command", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_decision_is_refused(fields: dict[str, Any], command: Decide, reason: Reason) -> None:
    made = scene_of(decision("choose", **fields), step("other"))
    assert made.says(command).reason is reason


def test_stopping_a_service_weighs_all_factors_and_unknown_is_an_answer() -> None:
    first = decision("first", decides="containment-or-preservation")
    made = scene_of(first, decision("choose", stops=["payments"], after=["first"]))
    made.do(Decide(actor=by(CHO), step="first", choice="yes", reason="-"))
    missing = made.says(choose(window="now"))
    assert missing.detail["factors"] == [name for name in FACTORS if name != "window"]
    made.do(choose(**UNKNOWN))
    factors = made.step("choose").factors
    assert factors == dict.fromkeys(FACTORS, "unknown"), "plain in the fact: a screen shows it in red"


def test_a_decision_says_who_took_it_as_what_and_against_what() -> None:
    made = asked(recommend="no", sets={"chosen": "choice"})
    made.do(choose())
    fact = made.facts("decision.made")[0]
    assert fact.data["authority"]["role"] == "ciso"
    assert fact.data["against_recommendation"] == "no"
    assert made.incident.variables["unknown.chosen"] == "yes"
    assert made.says(choose()).reason is Reason.ALREADY
    assert made.page("step:unknown/choose").state == "stopped"


def test_the_deputy_of_an_absent_authority_decides_and_the_record_says_so() -> None:
    made = scene(playbook("unknown", decision("choose")), organisation=organisation(absent=(CHO,)))
    made.do(choose(DAN))
    assert made.facts("decision.made")[0].data["authority"]["deputy_for"] == CHO


def test_an_authority_on_leave_may_still_decide() -> None:
    made = scene(playbook("unknown", decision("choose")), organisation=organisation(absent=(CHO,)))
    made.do(choose(CHO))
    assert "deputy_for" not in made.facts("decision.made")[0].data["authority"]


def test_time_never_decides() -> None:
    made = asked(within="10m")
    for _ in range(40):
        made.wait(5)
    assert made.step("choose").choice is None
    assert made.step("choose").overdue


def test_a_decision_that_is_withdrawn_is_asked_for_again() -> None:
    made = asked()
    withdraw = WithdrawDecision(actor=by(BEN), step="choose", reason="-")
    assert made.says(withdraw).reason is Reason.STEP_NOT_READY
    made.do(choose())
    assert "page.asked" in made.do(withdraw)
    assert (made.step("choose").status, made.step("choose").choice) == ("ready", None)
    made.do(choose(choice="no"))


def test_only_a_decision_is_decided_and_only_a_person_s_step_is_done() -> None:
    made = scene_of(decision("choose"), step("look"))
    wrong = Decide(actor=by(CHO), step="look", choice="yes", reason="-")
    assert made.says(wrong).reason is Reason.STEP_NOT_READY
    assert made.says(Done(actor=by(CHO), step="choose")).reason is Reason.STEP_NEEDS_DECISION
    assert made.says(StartStep(actor=by(CHO), step="choose")).reason is Reason.STEP_NOT_MANUAL
    nowhere = made.says(Done(actor=by(CHO), step="garden"))
    assert (nowhere.reason, nowhere.detail["steps"]) == (
        Reason.NO_SUCH_STEP,
        ["unknown/choose", "unknown/look"],
    )


def test_a_decision_that_nobody_is_left_to_take_is_not_taken() -> None:
    made = asked(authority="president")
    assert made.says(choose(DAN)).reason is Reason.AUTHORITY_MISSING
    assert made.page("step:unknown/choose").reached["0"] == []


# -- what a scribe writes -----------------------------------------------------------------------------------


def confirmed(made: Scene) -> list[tuple[str, str]]:
    return [(one.person, one.what) for one in made.incident.confirmations.values()]


def test_what_a_scribe_writes_stands_at_once_and_the_person_is_asked_to_confirm() -> None:
    made = asked()
    written = Decide(actor=by(GUS), for_=CHO, step="choose", choice="yes", reason="by telephone")
    made.do(written)
    fact = made.facts("decision.made")[0]
    assert (fact.actor, fact.for_) == (GUS, CHO)
    assert made.step("choose").unconfirmed
    assert confirmed(made) == [(CHO, "decision.made")]
    assert made.page(f"confirm:{fact.seq}").reached["0"][0].person == CHO
    for person in (GUS, DAN):
        assert made.says(Confirm(actor=by(person), fact=fact.seq)).reason is Reason.NOT_ASKED_TO_CONFIRM
    assert made.do(Confirm(actor=by(CHO), fact=fact.seq)) == ("confirmed", "page.stopped")
    assert confirmed(made) == []
    assert made.says(Confirm(actor=by(CHO), fact=fact.seq)).reason is Reason.NOT_ASKED_TO_CONFIRM


@pytest.mark.parametrize(
    "command",
    [
        Declare(actor=by(GUS), for_=CHO, text="x"),
        Note(actor=by(GUS), for_=CHO, text="x"),
        Acknowledge(actor=by(GUS), for_=CHO),
        SetSeverity(actor=by(GUS), for_=CHO, severity="low"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_one_act_is_confirmed_once(command: Any) -> None:
    made = scene()
    stream = None if isinstance(command, Declare) else made.stream
    made.stream = made.desk.handle(stream, command).stream
    assert len(confirmed(made)) == 1


def test_what_happened_earlier_is_recorded_with_its_own_time() -> None:
    made = scene()
    earlier = made.clock.now() - timedelta(minutes=9)
    made.do(Note(actor=by(GUS), for_=CHO, text="x", at=earlier))
    fact = made.facts("note.added")[0]
    assert (fact.at, fact.recorded_at) == (earlier, made.clock.now())


TIMES = [
    ("A time without a zone", timedelta(), True, Reason.FIELD_WRONG),
    ("A time in the future", timedelta(minutes=3), False, Reason.IN_FUTURE),
    ("A clock that is a little fast", timedelta(minutes=2), False, None),
]


@pytest.mark.parametrize(("ahead", "naive", "reason"), [r[1:] for r in TIMES], ids=[r[0] for r in TIMES])
def test_the_time_that_somebody_gives(ahead: timedelta, naive: bool, reason: Reason | None) -> None:
    made = scene()
    at = made.clock.now() + ahead
    command = Note(actor=by(AMY), text="x", at=at.replace(tzinfo=None) if naive else at)
    if reason is None:
        made.do(command)
    else:
        assert made.says(command).reason is reason


# -- steps that people do -----------------------------------------------------------------------------------

FIELDS = [
    {"id": "text", "title": "-"},
    {"id": "when", "title": "-", "type": "instant"},
    {"id": "count", "title": "-", "type": "number"},
    {"id": "sure", "title": "-", "type": "yes-no"},
    {"id": "span", "title": "-", "type": "duration"},
    {"id": "names", "title": "-", "type": "list", "required": False},
    {"id": "token", "title": "-", "required": False},
]
GOOD = {"text": "x", "when": "2026-11-23T03:00:00+09:00", "count": "1,200", "sure": "はい", "span": "30m"}
WRONG: list[tuple[str, dict[str, str], Reason, str]] = [
    ("What has to be recorded is missing", {"text": " "}, Reason.FIELDS_MISSING, "text"),
    ("A field that is not known", {"colour": "red"}, Reason.FIELD_WRONG, "colour"),
    ("A time without a zone", {"when": "2026-11-23T03:00:00"}, Reason.FIELD_WRONG, "when"),
    ("A time that is none", {"when": "early"}, Reason.FIELD_WRONG, "when"),
    ("A number in words", {"count": "many"}, Reason.FIELD_WRONG, "count"),
    ("A number that is not whole", {"count": "1.5"}, Reason.FIELD_WRONG, "count"),
    ("Neither yes nor no", {"sure": "perhaps"}, Reason.FIELD_WRONG, "sure"),
    ("A span without its unit", {"span": "30"}, Reason.FIELD_WRONG, "span"),
    ("A value for a machine on several lines", {"token": "a\nb"}, Reason.FIELD_WRONG, "token"),
    ("A value for a machine that is too long", {"token": "a" * 201}, Reason.FIELD_WRONG, "token"),
]


def recorded() -> Scene:
    return scene_of(step("look", record=FIELDS, sets={"name": "token"}))


@pytest.mark.parametrize(("values", "reason", "field"), [r[1:] for r in WRONG], ids=[r[0] for r in WRONG])
def test_what_cannot_be_read_is_refused_with_its_field(
    values: dict[str, str], reason: Reason, field: str
) -> None:
    refused = recorded().says(Done(actor=by(AMY), step="look", values=GOOD | values))
    assert refused.reason is reason
    assert field in str(refused.detail["fields"])


def test_what_can_be_read_is_kept_by_its_type() -> None:
    made = recorded()
    made.do(Done(actor=by(AMY), step="look", values=GOOD | {"token": "srv1", "names": " "}, note="quick"))
    outputs = made.step("look").outputs
    texts = made.desk.texts(made.stream)
    assert texts[outputs.pop("text")] == "x"
    assert outputs == {
        "when": "2026-11-22T18:00:00.000000Z",
        "count": 1200,
        "sure": True,
        "span": "30m",
        "token": "srv1",
    }
    assert made.incident.variables["unknown.name"] == "srv1"
    assert made.says(Done(actor=by(AMY), step="look", values=GOOD)).reason is Reason.ALREADY


def test_a_step_is_done_by_its_owner_or_by_who_leads() -> None:
    for person, may in ((AMY, True), (BEN, True), (CHO, True), (GUS, True), (DAN, False), (FAY, False)):
        made = scene_of(step("look"))
        command = Done(actor=by(person), step="look")
        if may:
            made.do(command)
        else:
            assert made.says(command).reason is Reason.ROLE_MISSING


def test_a_step_may_be_given_to_a_person_and_taken_up() -> None:
    made = scene_of(step("look"))
    nobody = AssignStep(actor=by(AMY), step="look", person="mallory")
    assert made.says(nobody).reason is Reason.UNKNOWN_PERSON
    made.do(AssignStep(actor=by(AMY), step="look", person=FAY, reason="on site"))
    made.do(StartStep(actor=by(FAY), step="look"))
    again = made.says(StartStep(actor=by(AMY), step="look"))
    assert (again.reason, again.detail["who"]) == (Reason.STEP_ALREADY_STARTED, FAY)
    made.do(Done(actor=by(FAY), step="look"))
    assert made.step("look").done_by == FAY
    settled = SettleStep(actor=by(BEN), step="look", how="skipped", reason="-")
    assert made.says(settled).reason is Reason.ALREADY


def test_a_step_that_waits_is_not_done() -> None:
    made = scene_of(step("a"), step("look", after=["a"]))
    assert made.says(Done(actor=by(AMY), step="look")).reason is Reason.STEP_NOT_READY


ADDED: list[tuple[str, dict[str, Any], Reason]] = [
    ("An id that is none", {"step": "Call ISP"}, Reason.FIELD_WRONG),
    ("A phase that is none", {"phase": "garden"}, Reason.NO_SUCH_ITEM),
    ("An owner that nobody is", {"owner": "garden"}, Reason.NO_SUCH_ROLE),
    ("A title that is empty", {"title": " "}, Reason.EMPTY),
    ("No reason", {"reason": ""}, Reason.REASON_MISSING),
]


@pytest.mark.parametrize(("fields", "reason"), [row[1:] for row in ADDED], ids=[row[0] for row in ADDED])
def test_a_step_added_by_hand_is_whole(fields: dict[str, Any], reason: Reason) -> None:
    shape = {"step": "more", "phase": "triage", "title": "x", "owner": "pay-owner", "reason": "x"} | fields
    assert scene().says(AddStep(actor=by(AMY), **shape)).reason is reason


def test_a_late_step_is_said_once_and_its_owner_is_paged() -> None:
    made = scene_of(step("look", within="20m", owner="pay-owner"))
    assert "step.overdue" not in made.wait(19)
    kinds = made.wait(1)
    assert kinds.count("step.overdue") == 1
    page = made.page("step:unknown/look")
    assert [one.person for one in page.reached["0"]] == [EVE, AMY]
    assert "step.overdue" not in made.wait(60)
    made.do(Done(actor=by(EVE), step="look"))
    assert made.page("step:unknown/look").state == "stopped"
