"""The improvement plan as it is drafted in the drill, and the result that it leaves in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models.commands import Actor, Command
from models.drillfinding import MAX_FINDINGS, AddFinding, DrillFinding, DropFinding, EditFinding
from models.drillresult import DrillResult
from models.errors import BadInput
from models.exercise import AbortExercise, AnswerQuestions, EndExercise, MarkAbsent, Observe, Rate, SignOff
from models.reason import Reason
from models.scenario import Question
from models.scoring.findings import proposals
from models.scoring.played import Played as Scored
from models.scoring.result import Around, result_of
from models.scoring.score import score
from tests.models.exercises import EVALUATOR, LEAD, Played, prepared, scenario, started
from tests.models.small import AMY, BEN, CHO

DUE = datetime(2027, 3, 31, 14, 59, 59, tzinfo=UTC)
WHOLE: dict[str, Any] = {
    "title": "夜間の連絡先がない",
    "title_en": "No contact at night",
    "capability": "organisation",
    "objective": "call-out",
    "cause": "当番表に代理がない",
    "recommendation": "代理を決める",
    "owner": BEN,
    "due": DUE,
    "playbook": "main",
    "revision": "1.1.0",
    "source": "route:main",
}


def found(made: Played) -> dict[str, DrillFinding]:
    return made.state.findings


def said(made: Played) -> dict[str, str | None]:
    with made.desk.record.read() as tx:
        return tx.texts("exercise")


def test_a_finding_is_written_down_with_all_that_is_known_of_it() -> None:
    made = started()
    made.do(AddFinding, EVALUATOR, **WHOLE)
    one, beside = found(made)["F-1"], said(made)

    texts = [beside[digest] for digest in (one.title, one.title_en, one.cause, one.recommendation)]
    assert texts == [WHOLE[name] for name in ("title", "title_en", "cause", "recommendation")]
    assert (one.capability, one.objective, one.owner, one.due) == ("organisation", "call-out", BEN, DUE)
    assert (one.playbook, one.revision, one.source, one.by) == ("main", "1.1.0", "route:main", EVALUATOR)


def test_what_is_said_later_takes_the_place_of_what_was_said_before_and_the_rest_stays() -> None:
    made = started()
    made.do(AddFinding, **WHOLE)
    made.do(EditFinding, finding="f-1", cause="夜勤がいない", owner=CHO)
    one = found(made)["F-1"]

    assert (said(made)[one.cause], one.owner, one.due) == ("夜勤がいない", CHO, DUE)
    assert said(made)[one.title] == WHOLE["title"]


def test_a_finding_that_was_none_stays_in_the_record_and_its_number_is_not_given_again() -> None:
    made = started()
    made.do(AddFinding, **WHOLE)
    made.do(DropFinding, finding="F-1", reason="同じ件")
    made.do(AddFinding, **WHOLE)

    assert [(one.id, one.dropped) for one in found(made).values()] == [("F-1", True), ("F-2", False)]
    assert made.try_(EditFinding, finding="F-1", owner=BEN).refused is Reason.NO_SUCH_ITEM


@pytest.mark.parametrize(
    ("what", "command", "fields", "reason", "shown"),
    [
        ("no title", AddFinding, {"title": " "}, Reason.EMPTY, "title"),
        ("a capability nobody knows", AddFinding, {"capability": "luck"}, Reason.FIELD_WRONG, "training"),
        ("an objective nobody knows", AddFinding, {"objective": "win"}, Reason.FIELD_WRONG, "call-out"),
        ("an owner nobody knows", AddFinding, {"owner": "zed"}, Reason.UNKNOWN_PERSON, "zed"),
        ("taken over already", AddFinding, {}, Reason.ALREADY, "route:main"),
        ("nothing is changed", EditFinding, {"finding": "F-1"}, Reason.FIELDS_MISSING, "owner"),
        ("no such finding", EditFinding, {"finding": "F-9", "owner": BEN}, Reason.NO_SUCH_ITEM, "F-1"),
        ("no reason", DropFinding, {"finding": "F-1", "reason": ""}, Reason.REASON_MISSING, "reason"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_could(
    what: str, command: type[Command], fields: dict[str, Any], reason: Reason, shown: str
) -> None:
    made = started()
    made.do(AddFinding, **WHOLE)
    outcome = made.try_(command, **((WHOLE | fields) if command is AddFinding else fields))

    assert outcome.refused is reason
    assert shown in str(outcome.detail)


def test_only_those_who_run_or_judge_it_write_the_plan() -> None:
    made = started()
    assert made.try_(AddFinding, AMY, **WHOLE).refused is Reason.NOT_STAFF
    assert made.try_(AddFinding, LEAD, via="script", **WHOLE).refused is Reason.SCRIPTED


def test_before_startex_there_is_nothing_to_find() -> None:
    assert prepared().try_(AddFinding, **WHOLE).refused is Reason.EXERCISE_STATUS


def test_what_management_has_signed_off_is_not_changed_behind_their_back() -> None:
    made = started()
    made.do(AddFinding, **WHOLE)
    made.do(EndExercise, wall=made.wall)
    made.do(SignOff, CHO)

    for command, fields in ((AddFinding, {"title": "x"}), (EditFinding, {"finding": "F-1", "owner": CHO})):
        outcome = made.try_(command, **fields)
        assert outcome.refused is Reason.FIELD_WRONG
        assert "signed off" in str(outcome.detail)


def test_an_exercise_has_so_many_findings_and_no_more() -> None:
    made = started()
    for number in range(MAX_FINDINGS):
        made.do(AddFinding, title=f"{number}")

    assert made.try_(AddFinding, title="one more").refused is Reason.FIELD_WRONG


# -- the result ---------------------------------------------------------------------------------------------

ASKED = (
    Question(id="clear", text="-"),  # type: ignore[arg-type]
    Question(id="again", text="-", kind="yes-no"),  # type: ignore[arg-type]
    Question(id="best", text="-", kind="text"),  # type: ignore[arg-type]
)


def result(made: Played, **fields: Any) -> DrillResult:
    script = scenario()
    scored = Scored(scenario=script, exercise=made.state, cases=(), ends=made.clock.now())
    beside = said(made)
    around = Around(
        said=lambda digest: beside.get(digest or "") or "",
        made_at=made.wall,
        made_by=LEAD,
        questions=ASKED,
        **fields,
    )
    return result_of(scored, score(scored), around)


def test_the_result_carries_who_was_there_and_who_was_not_but_not_why() -> None:
    made = started()
    made.do(MarkAbsent, person=BEN, why="出張")
    made.pass_(timedelta(minutes=5))
    made.do(EndExercise, wall=made.wall, reason="時間切れ")
    one = result(made, started_at=made.wall, vendors={AMY: "core-vendor", BEN: "police"},
                 heads={"exercise": (3, "ab")})  # fmt: skip

    assert [(who.person, who.present) for who in one.participants] == [(AMY, True), (BEN, False)]
    assert "出張" not in one.body().decode(), "why somebody could not come is nobody's business in production"
    assert (one.vendors, one.status, one.why) == (("core-vendor",), "ended", "時間切れ")
    assert {(who.person, who.role) for who in one.staff} == {(LEAD, "facilitator"), (EVALUATOR, "evaluator")}
    assert (one.held.played_seconds, one.held.startex) == (300, made.state.startex)
    assert [(head.stream, head.seq, head.hash) for head in one.heads] == [("exercise", 3, "ab")]
    assert one.signed_off is None
    assert DrillResult.model_validate_json(one.body()) == one


def test_the_result_carries_the_plan_without_what_was_dropped() -> None:
    made = started()
    made.do(AddFinding, **WHOLE)
    made.do(AddFinding, title="nothing")
    made.do(DropFinding, finding="F-2", reason="-")
    made.do(AddFinding, title="one language")
    made.do(EndExercise, wall=made.wall)
    first, second = result(made).findings

    assert (first.title.ja, first.title.en) == (WHOLE["title"], WHOLE["title_en"])
    assert (first.root_cause, first.recommendation) == (WHOLE["cause"], WHOLE["recommendation"])
    assert (first.owner, first.due, first.playbook, first.revision) == (BEN, DUE, "main", "1.1.0")
    assert (second.id, second.title.ja, second.title.en) == ("F-3", "one language", "one language")


def test_answers_are_counted_and_free_texts_stay_in_the_drill() -> None:
    made = started()
    made.do(EndExercise, wall=made.wall)
    made.do(AnswerQuestions, AMY, answers={"clear": "4", "again": "yes", "best": "秘密の感想"})
    made.do(AnswerQuestions, BEN, answers={"clear": "どちらとも", "again": "yes"})
    one = result(made)

    counts = {each.id: (each.answers, each.answered) for each in one.questionnaire}
    assert counts == {"clear": ({"4": 1}, 2), "again": ({"yes": 2}, 2), "best": ({}, 1)}
    assert "秘密" not in one.body().decode()


def test_ratings_and_the_sign_off_are_carried() -> None:
    made = started()
    made.do(Observe, EVALUATOR, text="seen", objective="call-out")
    made.do(Rate, EVALUATOR, objective="call-out", rating="S", observation="OBS-001")
    made.do(EndExercise, wall=made.wall)
    assert result(made).signed_off is None
    made.do(SignOff, CHO, wall=made.wall)
    one = result(made)

    again = made.try_(Rate, EVALUATOR, objective="call-out", rating="P", observation="OBS-001")
    assert "signed off" in str(again.detail), "what management knows is not changed behind their back"
    assert one.confirmed()
    assert (one.objectives[0].rating, one.objectives[0].rated_by) == ("S", EVALUATOR)
    assert one.signed_off is not None
    assert (one.signed_off.by, one.signed_off.wall) == (CHO, made.wall)


def test_an_exercise_has_no_result_while_it_goes_on_and_one_that_was_broken_off_has() -> None:
    made = started()
    with pytest.raises(BadInput, match="drill end"):
        result(made)
    made.do(AbortExercise, AMY, wall=made.wall)
    one = result(made)

    assert (one.status, one.objectives[0].proposed) == ("aborted", None)
    assert (one.held.started_at, one.held.startex) == (None, None)


def test_what_was_taken_over_is_proposed_no_more_until_it_is_dropped() -> None:
    made = started()
    actor = Actor(person=EVALUATOR)
    made.desk.handle("exercise", Observe(actor=actor, text="slow", kind="improvement", objective="call-out"))
    made.do(AddFinding, title="slow", source="observation:OBS-001")

    def open_() -> list[str]:
        scored = Scored(scenario=scenario(), exercise=made.state, cases=(), ends=made.clock.now())
        return [one.source for one in proposals(score(scored), made.state, scored.scenario)]

    assert open_() == []
    made.do(DropFinding, finding="F-1", reason="-")
    assert open_() == ["observation:OBS-001"]
