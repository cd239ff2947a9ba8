"""Handing a step over: it waits for the receiver, who begins or refuses; taking over says whose it was."""

from __future__ import annotations

from typing import Any

import pytest

from models.answers import HandOver, RefuseHandOver, TimelineEntry
from models.clock import iso
from models.commands import AssignStep, Done, SettleStep, StartStep
from models.reason import Reason
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVE,
    FAY,
    NIGHT,
    Scene,
    action,
    by,
    decision,
    organisation,
    scene,
    scene_of,
    step,
)

pytestmark = pytest.mark.usefixtures("runs_again")


def hand(made: Scene, person: str = AMY, to: str = DAN, **fields: Any) -> tuple[str, ...]:
    return made.do(HandOver(actor=by(person), step="look", person=to, **fields))


def test_a_step_waits_for_its_receiver_and_is_theirs_when_they_begin() -> None:
    made = scene()
    assert hand(made, reason="end of shift") == ("step.handed_over", "message.requested")
    [row] = made.outbox(template="notice.handed_over")
    assert row["person"] == DAN
    known = made.step("look")
    assert known.owner == DAN and known.handed is not None and known.handed.waits
    assert made.do(StartStep(actor=by(DAN), step="look")) == ("step.started",)
    assert (made.step("look").handed, made.step("look").started_by) == (None, DAN)
    made.do(Done(actor=by(DAN), step="look"))


def test_what_the_giver_had_begun_waits_again() -> None:
    made = scene()
    made.do(StartStep(actor=by(AMY), step="look"))
    hand(made)
    assert (made.step("look").status, made.step("look").started_by) == ("ready", None)
    made.do(StartStep(actor=by(DAN), step="look"))
    assert made.step("look").attempt == 2


def test_who_does_it_without_beginning_has_taken_it() -> None:
    made = scene()
    hand(made)
    made.do(Done(actor=by(DAN), step="look"))
    assert made.step("look").handed is None


def test_a_receiver_who_refuses_gives_it_back_and_the_giver_is_told() -> None:
    made = scene()
    hand(made)
    refuse = RefuseHandOver(actor=by(DAN), step="look", reason="no access")
    assert made.do(refuse) == ("step.refused", "message.requested")
    [row] = made.outbox(template="notice.hand_over_refused")
    assert row["person"] == AMY
    known = made.step("look")
    assert known.owner == AMY and known.handed is not None and not known.handed.waits
    assert made.says(refuse).reason is Reason.NOT_YOURS
    hand(made, to=FAY)
    assert made.step("look").owner == FAY


def test_the_receiver_may_hand_it_on_and_who_leads_may_assign_it_elsewhere() -> None:
    made = scene()
    hand(made)
    hand(made, DAN, FAY)
    assert made.step("look").owner == FAY
    made.do(AssignStep(actor=by(BEN), step="look", person=EVE))
    assert (made.step("look").owner, made.step("look").handed) == (EVE, None)


@pytest.mark.parametrize(
    ("person", "to", "why"),
    [
        (FAY, DAN, Reason.NOT_YOURS),
        (BEN, DAN, Reason.NOT_YOURS),
        (AMY, "mallory", Reason.UNKNOWN_PERSON),
        (AMY, AMY, Reason.SAME_PERSON),
    ],
    ids=["Whose it is not", "Nor who only leads: they assign", "To nobody", "To oneself"],
)
def test_hand_overs_that_are_refused(person: str, to: str, why: Reason) -> None:
    command = HandOver(actor=by(person), step="look", person=to)
    assert scene().says(command).reason is why


def test_a_started_step_is_handed_over_by_whoever_began_it_only() -> None:
    made = scene()
    made.do(StartStep(actor=by(CHO), step="look"))
    assert made.says(HandOver(actor=by(AMY), step="look", person=DAN)).reason is Reason.NOT_YOURS
    hand(made, CHO)


def test_only_what_people_do_is_handed_over() -> None:
    made = scene_of(decision("choose"), action("copy"), step("look"))
    for name, why in (("choose", Reason.STEP_NEEDS_DECISION), ("copy", Reason.STEP_NOT_MANUAL)):
        assert made.says(HandOver(actor=by(CHO), step=name, person=DAN)).reason is why
    made.do(SettleStep(actor=by(BEN), step="look", how="skipped", reason="-"))
    assert made.says(HandOver(actor=by(AMY), step="look", person=DAN)).reason is Reason.ALREADY


def test_a_begun_step_is_taken_over_only_explicitly_and_its_holder_is_told() -> None:
    made = scene()
    made.do(StartStep(actor=by(AMY), step="look"))
    plain, take = StartStep(actor=by(BEN), step="look"), StartStep(actor=by(BEN), step="look", take=True)
    assert made.says(plain).reason is Reason.STEP_ALREADY_STARTED
    assert made.do(take) == ("step.started", "message.requested")
    [fact] = made.facts("step.started")[1:]
    assert fact.data["taken_from"] == AMY
    assert (made.step("look").started_by, made.step("look").attempt) == (BEN, 2)
    assert [row["person"] for row in made.outbox(template="notice.taken_over")] == [AMY]
    assert made.says(take).reason is Reason.STEP_ALREADY_STARTED
    assert made.says(StartStep(actor=by(FAY), step="look", take=True)).reason is Reason.ROLE_MISSING


def test_taking_what_was_given_to_somebody_makes_it_ones_own() -> None:
    made = scene()
    made.do(AssignStep(actor=by(BEN), step="look", person=DAN))
    made.do(StartStep(actor=by(DAN), step="look"))
    made.do(StartStep(actor=by(BEN), step="look", take=True))
    assert made.step("look").owner == BEN


def test_taking_what_nobody_has_begun_is_beginning_it() -> None:
    made = scene()
    assert made.do(StartStep(actor=by(AMY), step="look", take=True)) == ("step.started",)


# -- the timeline -------------------------------------------------------------------------------------------


def test_what_was_said_elsewhere_stands_at_its_own_instant_with_its_source() -> None:
    made = scene()
    made.wait(4)
    said = TimelineEntry(
        actor=by(AMY), text="we pull the plug", said_by=EVE, source="https://slack.example/p1", at=NIGHT
    )
    assert made.do(said) == ("note.added",)
    [fact] = made.facts("note.added")
    assert (iso(fact.at), fact.data["said_by"]) == (iso(NIGHT), EVE)
    assert fact.recorded_at > fact.at
    texts = made.desk.texts(made.stream)
    assert texts[fact.data["source"]] == "https://slack.example/p1"
    made.do(TimelineEntry(actor=by(AMY), text="x", said_by="a caller from the CERT"))
    other = made.facts("note.added")[1]
    assert made.desk.texts(made.stream)[other.data["said_by"]] == "a caller from the CERT"
    made.do(TimelineEntry(actor=by(AMY), text="x"))
    assert set(made.facts("note.added")[2].data) == {"text"}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"text": " "}, Reason.EMPTY),
        ({"text": "x", "source": "x" * 1_001}, Reason.TOO_LONG),
        ({"text": "x", "said_by": "x" * 301}, Reason.TOO_LONG),
        ({"text": "x", "at": NIGHT.replace(year=2027)}, Reason.IN_FUTURE),
    ],
)
def test_entries_that_are_refused(fields: dict[str, Any], why: Reason) -> None:
    assert scene().says(TimelineEntry(actor=by(AMY), **fields)).reason is why


def test_nothing_is_handed_to_somebody_whom_no_channel_reaches() -> None:
    made = scene(organisation=organisation(channels={CHO: ["sms"]}))
    refused = made.says(HandOver(actor=by(AMY), step="look", person=CHO))
    assert refused.reason is Reason.FIELD_WRONG
    assert "no channel reaches cho" in str(refused.detail["fields"])
