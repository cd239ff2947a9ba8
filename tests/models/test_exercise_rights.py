"""What must not be had in an exercise by a detour: control's acts, management's word, another's absence."""

from __future__ import annotations

from typing import Any

import pytest

from models.casework import INTAKE
from models.commands import Actor, Command, ReceiveAlert
from models.exercise import (
    AbortExercise,
    AnswerQuestions,
    EndExercise,
    Enrol,
    FireInject,
    HotWash,
    MarkAbsent,
    SetTiming,
    SignOff,
    SkipInject,
    Staff,
    StartExercise,
)
from models.reason import Reason
from tests.models.exercises import AMY, BEN, CHO, LEAD, WALL, inject, prepared, scenario, started


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (EndExercise, {"wall": WALL}),
        (SetTiming, {"wall": WALL, "what": "pause"}),
        (FireInject, {"inject": "second"}),
        (SkipInject, {"inject": "second", "reason": "x"}),
        (Enrol, {"person": CHO, "roles": ("ciso",)}),
        (Staff, {"person": CHO, "role": "controller"}),
    ],
)
def test_who_writes_for_others_does_not_lead_the_exercise_in_their_name(
    kind: type[Command], given: dict[str, Any]
) -> None:
    made = started(scenario(inject("first"), inject("second", at="9m")))
    made.do(Staff, person=CHO, role="scribe")
    assert made.try_(kind, CHO, for_=LEAD, **given).refused is Reason.NOT_STAFF
    made.do(Staff, person=CHO, role="controller")
    allowed = made.try_(kind, CHO, for_=LEAD, **given).accepted
    assert allowed is (kind is not Staff), "a controller leads the exercise too, and names no staff"


def test_what_was_said_in_the_room_is_still_typed_by_the_scribe() -> None:
    made = started()
    made.do(Staff, person=CHO, role="scribe")
    made.do(EndExercise, wall=WALL)
    made.do(HotWash, CHO, text="it went well", for_=AMY)
    assert made.facts("hotwash.said")[-1].for_ == AMY


def test_whoever_only_plays_the_ciso_signs_nothing_off() -> None:
    made = prepared()
    made.do(Enrol, person=AMY, roles=("ciso",))
    made.do(StartExercise, wall=WALL)
    made.do(EndExercise, wall=WALL)
    assert made.try_(SignOff, AMY).refused is Reason.ROLE_MISSING
    made.do(SignOff, CHO)


def test_what_management_has_signed_off_is_not_broken_off_any_more() -> None:
    made = started()
    made.do(EndExercise, wall=WALL)
    made.do(SignOff, CHO)
    assert made.try_(AbortExercise, AMY, wall=WALL).refused is Reason.ALREADY
    assert made.state.status == "ended"


def test_whoever_is_away_and_gets_another_role_is_still_away() -> None:
    made = started()
    made.do(MarkAbsent, person=AMY, why="on duty")
    made.do(Enrol, person=AMY, roles=("csirt-lead",))
    assert made.state.participants[AMY].absent is not None
    made.do(MarkAbsent, person=AMY, why=None)
    assert made.state.participants[AMY].absent is None


@pytest.mark.parametrize("question", ["a.b", "", "x" * 65, "two words"])
def test_answers_are_to_questions_that_can_be_named(question: str) -> None:
    made = started()
    made.do(EndExercise, wall=WALL)
    assert made.try_(AnswerQuestions, BEN, answers={question: "x"}).refused is Reason.FIELD_WRONG


def test_an_incident_that_an_alert_has_opened_brings_in_what_waited_for_it() -> None:
    made = started(scenario(inject("first", at="9m"), inject("press", when="declared()")))
    alert = ReceiveAlert(
        actor=Actor.machine("alert"), id="A-1", source="edr", key="k", title="encryption", do="declare"
    )
    assert made.desk.handle(INTAKE, alert).opened is not None
    assert [name for name, _, _ in made.came()] == ["press"]
