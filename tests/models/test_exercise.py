"""An exercise from its preparation to its end: what comes in, who is told, and that nothing else is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.json import decode, encode

from models.commands import Declare, Done
from models.exercise import (
    EXERCISE,
    AbortExercise,
    AnswerQuestions,
    EndExercise,
    Exercise,
    FireInject,
    HotWash,
    MarkAbsent,
    Observe,
    PutInject,
    Rate,
    SetTiming,
    SignOff,
    SkipInject,
    SpeakFor,
    StartExercise,
)
from models.fold import empty, fold
from models.fold.exercise import FOLDS
from models.reason import Reason
from tests.models.exercises import (
    AMY,
    BEN,
    CHO,
    EVALUATOR,
    LEAD,
    MINUTE,
    STARTEX,
    Played,
    inject,
    prepared,
    recipients,
    scenario,
    started,
)
from tests.models.small import by

TWO = scenario(inject("first"), inject("second", at="10m", to=["csirt-lead"]))


def test_injects_come_in_at_their_time_to_whoever_plays_the_role() -> None:
    made = started(TWO)
    made.catch_up()
    made.pass_(5 * MINUTE)
    assert [name for name, *_ in made.came()] == ["first"]
    made.pass_(6 * MINUTE)
    first, second = made.facts("inject.delivered")
    assert (first.at, second.at) == (STARTEX, STARTEX + 10 * MINUTE)
    told = [one for one in made.facts("message.requested") if one.data["template"] == "notice.inject"]
    assert [list(recipients(one)) for one in told] == [[(AMY, ("console",))], [(BEN, ("console",))]]


def test_an_inject_after_a_pause_comes_at_its_time_of_play_once() -> None:
    made = started(TWO)
    made.pass_(4 * MINUTE)
    made.do(SetTiming, wall=made.wall, what="pause")
    made.pass_(60 * MINUTE)
    assert len(made.came()) == 1
    made.do(SetTiming, wall=made.wall, what="resume")
    made.pass_(5 * MINUTE)
    assert len(made.came()) == 1
    made.pass_(timedelta(hours=1))
    assert made.came()[1:] == [("second", "planned", 10 * MINUTE)]


def test_a_condition_that_comes_true_on_an_incident_brings_its_inject_in_with_that_commit() -> None:
    made = started(scenario(inject("first"), inject("asks", when="declared()")))
    made.catch_up()
    assert [name for name, *_ in made.came()] == ["first"]
    assert made.desk.handle(None, Declare(actor=by(AMY), text="it burns")).accepted
    assert [name for name, *_ in made.came()] == ["first", "asks"]


def test_a_contingency_is_looked_at_once() -> None:
    made = started(
        scenario(inject("first"), inject("late", kind="contingency", at="10m", when="not declared()"))
    )
    assert made.desk.handle(None, Declare(actor=by(AMY), text="it burns")).accepted
    made.pass_(11 * MINUTE)
    assert made.came()[-1] == ("late", "not-needed", 10 * MINUTE)
    assert made.facts("inject.skipped")[0].data["reason"] == Reason.CONDITION_FALSE.value


def test_nothing_comes_in_after_the_end() -> None:
    for kind in (EndExercise, AbortExercise):
        made = started(TWO)
        made.catch_up()
        made.do(kind, wall=made.wall)
        made.pass_(timedelta(hours=3))
        assert len(made.came()) == 1
        assert made.try_(FireInject, inject="second").refused is Reason.EXERCISE_STATUS


def test_only_staff_gives_injects_and_only_management_signs_off() -> None:
    made = started(TWO)
    assert made.try_(FireInject, AMY, inject="second").refused is Reason.NOT_STAFF
    assert made.try_(FireInject, LEAD, via="script", inject="second").refused is Reason.SCRIPTED
    made.do(FireInject, inject="second")
    made.do(EndExercise, wall=made.wall)
    assert made.try_(SignOff, LEAD).refused is Reason.ROLE_MISSING
    made.do(SignOff, CHO, text="seen")
    assert made.state.signed_off_by == CHO


def whole_course() -> Played:
    """An exercise in which everything happens that can."""
    made = prepared(
        scenario(
            inject("first"),
            inject("again", after="first", later="5m"),
            inject("never", at="1h"),
            inject("late", kind="contingency", at="10m", when="not declared()"),
            leaps=[{"at": "30m", "by": "6h", "text": "-"}],
            outcomes=[{"step": "unknown/look", "text": "it was nothing"}],
            endings=[{"when": 'done("unknown/look")', "text": "-"}],
        )
    )
    made.do(MarkAbsent, person=BEN, why="ill")
    made.do(MarkAbsent, person=BEN, why=None)
    made.do(StartExercise, wall=made.wall)
    made.catch_up()
    made.do(SetTiming, wall=made.wall, what="step", step=12 * MINUTE, reason="nothing happens")
    made.catch_up()
    made.do(SkipInject, inject="never", reason="no time")
    made.do(PutInject, inject=inject("extra", at="20m"))
    made.do(SpeakFor, party="police", to=("csirt-duty",), text="hello")
    declared = made.desk.handle(None, Declare(actor=by(AMY), text="it burns"))
    assert made.desk.handle(declared.stream, Done(actor=by(AMY), step="unknown/look")).accepted
    made.pass_(timedelta(hours=2))
    made.do(Observe, EVALUATOR, text="seen", objective="call-out")
    made.do(Rate, EVALUATOR, objective="call-out", rating="P", observation="OBS-001", proposed="S")
    made.do(EndExercise, wall=made.wall)
    made.do(HotWash, BEN, text="it went well", question="what went well")
    made.do(AnswerQuestions, AMY, answers={"useful": "5", "more": "more of it"})
    made.do(SignOff, CHO)
    return made


def test_a_whole_course_says_everything_there_is_and_folds_to_the_same() -> None:
    made = whole_course()
    aborted = started()
    aborted.do(AbortExercise, BEN, wall=aborted.wall, reason="a real one")
    kinds = {one.kind for one in (*made.facts(), *aborted.facts())}
    assert kinds & set(FOLDS) == set(FOLDS)
    for one in (made, aborted):
        assert fold(empty(EXERCISE), one.facts()) == one.state
    assert decode(encode(made.state), type=Exercise) == made.state


def test_a_step_without_a_text_of_its_outcome_tells_nobody_anything() -> None:
    made = started(scenario(inject("first"), outcomes=[{"step": "unknown/look", "takes": "5m"}]))
    declared = made.desk.handle(None, Declare(actor=by(AMY), text="it burns"))
    assert made.desk.handle(declared.stream, Done(actor=by(AMY), step="unknown/look")).accepted
    assert list(made.state.told) == ["outcome:unknown/look"]
    assert "notice.outcome" not in {one.data["template"] for one in made.facts("message.requested")}


@pytest.mark.parametrize("speed", [1, 60, 600])
def test_when_the_time_is_up_the_story_stands_until_control_lets_it_go_on(speed: int) -> None:
    made = started(scenario(inject("first"), inject("late", at="2h"), duration="2h"), speed=speed)
    wall = made.wall
    for _ in range(30):
        made.pass_(timedelta(minutes=10) / speed)
    timing = made.state.timing
    assert timing is not None and not timing.running
    assert timing.played_ms == 7_200_000
    assert timing.wall - wall <= timedelta(hours=2) / speed
    assert made.clock.now() == STARTEX + timedelta(hours=2), "nothing more is due, however long nobody looks"
    (stands,) = made.facts("timing.set")
    assert (stands.actor, stands.at, stands.data["what"]) == ("hikeshi", made.clock.now(), "time-up")
    assert made.came()[-1] == ("late", "planned", timedelta(hours=2)), "what is due at the end still comes in"
    assert made.state.status == "running"
    made.do(SetTiming, wall=made.wall, what="resume")
    made.pass_(timedelta(hours=1) / speed)
    assert made.clock.now() == STARTEX + timedelta(hours=3), "it is stopped once, and goes on when told to"
    made.do(EndExercise, wall=made.wall)
    assert made.facts("exercise.ended")[0].data["played_ms"] == 10_800_000


def test_paused_or_stepped_beyond_its_end_it_is_not_taken_back() -> None:
    made = started(scenario(inject("first"), duration="2h"))
    made.pass_(timedelta(hours=1))
    made.do(SetTiming, wall=made.wall, what="pause")
    made.do(SetTiming, wall=made.wall, what="step", step=timedelta(hours=2))
    made.catch_up()
    assert [one.data["what"] for one in made.facts("timing.set")] == ["pause", "step"]
    assert made.state.timing is not None and made.state.timing.played_ms == 10_800_000
    assert len(made.facts("ending.reached")) == 1
    made = started(scenario(inject("first"), duration="2h"))
    made.do(SetTiming, wall=made.wall, what="step", step=timedelta(hours=3))
    made.catch_up()
    assert made.state.timing is not None
    assert (made.state.timing.played_ms, made.state.timing.running) == (10_800_000, False)
