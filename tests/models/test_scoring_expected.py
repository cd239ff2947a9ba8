"""What was expected upon an inject against what the record says was done: by whom, when, and what counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.answers import ApproveDecision
from models.commands import Decide, Done, WithdrawDecision
from models.drillresult import Expectation, ObjectiveResult
from models.exercise import Delivered, Observation, Rated
from models.fact import Fact
from models.scoring.played import Case, Played, as_played
from models.scoring.score import score
from models.state import Incident
from tests.models.drillhouse import exercise, expected, inject, minutes, played, scenario, script
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    MACHINE,
    NIGHT,
    Scene,
    by,
    decision,
    playbook,
    scene,
    scene_of,
    step,
)

CHOICE = expected("unknown/cut", role="ciso", option="yes", within="20m")


def first(found: Played) -> Expectation:
    return score(found).objectives[0].expectations[0]


def looked(after: float, actor: Any = None, **fields: Any) -> Scene:
    """Somebody did the step so many minutes after STARTEX."""
    made = scene()
    made.wait(after)
    made.do(Done(actor=actor or by(AMY), step="look", **fields))
    return made


def decided(after: float, choice: str = "yes", actor: Any = None) -> Scene:
    made = scene_of(decision("cut"))
    made.wait(after)
    made.do(Decide(actor=actor or by(CHO), step="cut", choice=choice, reason="-"))
    return made


@pytest.mark.parametrize(
    ("what", "after", "outcome"),
    [("at the limit", 10, "done"), ("a second too late", 10 + 1 / 60, "late"), ("at once", 0, "done")],
)
def test_a_step_is_timed_from_its_inject(what: str, after: float, outcome: str) -> None:
    one = first(played(looked(after)))

    assert (one.outcome, one.done_by, one.scripted) == (outcome, AMY, False)
    assert (one.took_seconds, one.done_at) == (round(after * 60), minutes(after))


def test_what_was_done_before_anybody_asked_is_done() -> None:
    one = first(played(looked(5), came={"call": 20}))

    assert (one.outcome, one.took_seconds) == ("done", -15 * 60)


def test_what_a_scribe_wrote_counts_for_whom_it_was_written() -> None:
    assert first(played(looked(5, by("gus"), for_=AMY))).done_by == AMY


def test_what_the_script_did_is_marked_and_is_nobodys_success() -> None:
    found = score(played(looked(5, script(AMY))))

    assert (found.objectives[0].expectations[0].outcome, found.objectives[0].proposed) == ("scripted", None)
    assert found.objectives[0].reasons == ("only-scripted",)
    assert "objective:look" not in {by for one in found.guideline for by in one.by}


def test_what_somebody_did_who_was_not_enrolled_is_no_participants_act() -> None:
    assert first(played(looked(5), players={BEN: ["csirt-lead"]})).outcome == "scripted"


@pytest.mark.parametrize(
    ("what", "fields", "outcome", "scripted"),
    [
        ("their role was played", {}, "not-done", False),
        ("nobody played the role", {"players": {CHO: ["ciso"]}}, "not-done", True),
        ("who plays it was absent", {"absent": {AMY: "ill"}}, "not-done", True),
        ("it ended before the limit", {"ends": 9}, "open", False),
        ("the inject never came in", {"came": {"call": None}}, "not-delivered", False),
    ],
)
def test_a_step_that_was_not_done_is_a_failure_only_of_whom_it_was_expected(
    what: str, fields: dict[str, Any], outcome: str, scripted: bool
) -> None:
    one = first(played(scene(), **fields))

    assert (one.outcome, one.scripted) == (outcome, scripted)


def test_an_inject_that_control_left_out_asks_nothing() -> None:
    skipped = Delivered(id="call", how="skipped", at=NIGHT, played_ms=0)
    found = played(scene(), injects={"call": skipped})

    assert first(found).outcome == "not-delivered"


def test_without_any_limit_it_is_open_after_an_abort_and_not_done_at_the_end() -> None:
    unlimited = scenario(inject(expected(within=None, role=None)))

    assert first(played(scene(), unlimited)).outcome == "not-done"
    assert first(played(scene(), unlimited, status="aborted")).outcome == "open"
    assert first(played(looked(50), unlimited)).outcome == "done"


def test_what_names_no_step_is_for_peoples_eyes() -> None:
    found = score(played(scene(), scenario(inject(expected(None)))))

    assert found.objectives[0].expectations[0].outcome == "not-observable"
    assert (found.objectives[0].proposed, found.objectives[0].reasons) == (None, ("not-observable",))


@pytest.mark.parametrize(
    ("choice", "outcome"), [("yes", "done"), ("no", "other")], ids=["as expected", "otherwise"]
)
def test_a_decision_is_matched_by_its_option(choice: str, outcome: str) -> None:
    one = first(played(decided(5, choice), scenario(inject(CHOICE))))

    assert (one.outcome, one.choice, one.option) == (outcome, choice, "yes")


def test_a_decision_that_was_withdrawn_is_none_and_the_one_made_instead_counts() -> None:
    made = decided(5)
    made.do(WithdrawDecision(actor=by(BEN), step="cut", reason="-"))
    assert first(played(made, scenario(inject(CHOICE)))).outcome == "not-done"
    made.do(Decide(actor=by(CHO), step="cut", choice="no", reason="-"))
    assert first(played(made, scenario(inject(CHOICE)))).outcome == "other"


def test_a_participants_act_counts_before_that_of_the_script() -> None:
    made = decided(5, actor=script(CHO))
    made.do(WithdrawDecision(actor=by(BEN), step="cut", reason="-"))
    made.wait(5)
    made.do(Decide(actor=by(CHO), step="cut", choice="yes", reason="-"))

    assert (first(played(made, scenario(inject(CHOICE)))).outcome) == "done"


def test_the_objectives_limit_holds_where_an_expectation_has_none() -> None:
    limited = scenario(inject(expected(within=None)), objective={"within": "15m", "since": "call"})
    one = first(played(looked(20), limited))

    assert (one.outcome, one.within_seconds) == ("late", 15 * 60)


def test_an_objective_without_its_own_start_counts_from_startex() -> None:
    limited = scenario(inject(expected(within="20m")), objective={"within": "30m"})
    found = score(played(looked(25), limited, came={"call": 10})).objectives[0]

    assert (found.limit_seconds, found.took_seconds, found.proposed) == (30 * 60, 25 * 60, "P")


def test_an_objective_whose_start_never_came_in_has_no_time() -> None:
    limited = scenario(
        inject(expected()),
        inject(name="other", after="call", later="10m"),
        objective={"within": "30m", "since": "other"},
    )
    found = score(played(looked(5), limited, came={"other": None})).objectives[0]

    assert (found.took_seconds, found.proposed) == (None, "P")


def test_the_objectives_limit_says_nothing_of_what_was_asked_for_after_it() -> None:
    limited = scenario(inject(expected(within=None)), objective={"within": "15m"})
    one = first(played(looked(40), limited, came={"call": 30}))

    assert (one.outcome, one.within_seconds, one.took_seconds) == ("done", None, 600)


@pytest.mark.parametrize(
    ("what", "second", "came", "took"),
    [
        ("asked for while it runs", {"within": "10m"}, 20, 25),
        ("with a longer limit of its own", {"within": "40m"}, 20, 5),
        ("asked for after it", {"within": "10m"}, 40, 5),
    ],
)
def test_the_objectives_time_is_that_of_what_its_limit_is_about(
    what: str, second: dict[str, Any], came: float, took: float
) -> None:
    limited = scenario(
        inject(expected()),
        inject(expected("unknown/cut", role="ciso", **second), name="other", after="call", later="10m"),
        objective={"within": "30m", "since": "call"},
    )
    made = scene_of(step("look"), decision("cut"))
    made.wait(5)
    made.do(Done(actor=by(AMY), step="look"))
    made.wait(20)
    made.do(Decide(actor=by(CHO), step="cut", choice="yes", reason="-"))
    found = score(played(made, limited, came={"other": came})).objectives[0]

    assert found.took_seconds == took * 60


def test_if_nothing_is_asked_for_while_the_limit_runs_what_comes_later_counts() -> None:
    limited = scenario(inject(expected(within="20m")), objective={"within": "20m"})
    found = score(played(looked(70), limited, came={"call": 60}, ends=90)).objectives[0]

    assert (found.took_seconds, found.proposed) == (70 * 60, "M")
    assert found.reasons == ("limit-missed-by-far",)


def test_what_only_people_can_see_is_no_part_of_the_objectives_time() -> None:
    limited = scenario(inject(expected(), expected(None)), objective={"within": "30m", "since": "call"})
    found = score(played(looked(5), limited)).objectives[0]

    assert (found.took_seconds, found.reasons) == (300, ("all-in-time", "partly-not-observable"))


def test_an_objective_that_is_not_complete_has_no_time() -> None:
    limited = scenario(inject(expected(), CHOICE), objective={"within": "30m", "since": "call"})
    made = scene_of(step("look"), decision("cut"))
    made.wait(5)
    made.do(Done(actor=by(AMY), step="look"))
    found = score(played(made, limited)).objectives[0]

    assert (found.took_seconds, found.proposed) == (None, "U")
    assert found.reasons == ("key-step-not-done",)


def test_with_four_eyes_it_counts_how_the_first_of_them_acted() -> None:
    for proposes, approves, scripted in ((script(CHO), by(DAN), True), (by(CHO), script(DAN), False)):
        made = scene(playbook("unknown", decision("cut", four_eyes="cio")))
        made.wait(2)
        made.do(Decide(actor=proposes, step="cut", choice="yes", reason="-"))
        made.do(ApproveDecision(actor=approves, step="cut"))
        found = score(played(made, scenario(inject(CHOICE)), players={CHO: ["ciso"], DAN: ["cio"]}))

        assert found.objectives[0].expectations[0].scripted is scripted
        assert found.decisions[0].scripted is scripted


def test_the_round_that_was_asked_for_counts_before_an_earlier_one() -> None:
    again = step("look", repeat={"until": "round > 1", "at_most": 3})
    made = scene(playbook("unknown", again))
    made.wait(2)
    made.do(Done(actor=by(AMY), step="look"))
    made.wait(38)
    made.do(Done(actor=by(AMY), step="look"))
    one = first(played(made, came={"call": 20}))

    assert (one.outcome, one.took_seconds) == ("late", 20 * 60)


def test_what_is_late_only_because_control_stepped_on_is_no_lateness_of_anybody() -> None:
    stepping = replace(played(looked(15)), stepped=((timedelta(minutes=5), timedelta(minutes=12)),))
    assert (first(stepping).outcome, first(stepping).leapt) == ("late", True)
    elsewhere = replace(stepping, stepped=((timedelta(minutes=20), timedelta(minutes=30)),))
    assert (first(elsewhere).outcome, first(elsewhere).leapt) == ("late", False)


def test_a_playbook_is_exercised_by_what_people_did_of_it() -> None:
    assert [one.id for one in score(played(looked(5))).playbooks] == ["unknown"]
    assert score(played(looked(5, script(AMY)))).playbooks == ()


def test_what_is_late_only_because_the_story_leapt_is_said_so() -> None:
    leaping = scenario(leaps=[{"at": "8m", "by": "5h", "text": "-"}])
    leaps = [(8 * 60_000, 5 * 3_600_000)]
    one = first(played(looked(5 * 60 + 9), leaping, leaps=leaps, ends=6 * 60))
    assert (one.outcome, one.leapt) == ("late", True)
    late = first(played(looked(5 * 60 + 12), leaping, leaps=leaps, ends=6 * 60))
    assert (late.outcome, late.leapt) == ("late", False)


def test_an_inject_that_control_added_is_expected_like_the_others() -> None:
    script_ = scenario()
    put = scenario(inject(expected(within="30m")), inject(expected(CHOICE["step"]), name="added")).injects
    changed = as_played(script_, put)

    assert [one.id for one in changed.injects] == ["call", "added"]
    assert first(played(looked(20), changed)).outcome == "done"


def test_ratings_and_observations_of_evaluators_stand_beside_the_proposal() -> None:
    seen = {
        name: Observation(id=name, seq=number, at=NIGHT, by="gus", objective=objective)
        for number, (name, objective) in enumerate(
            (("OB-1", "look"), ("OB-2", None), ("OB-3", "look")), start=1
        )
    }
    rated = Rated(objective="look", rating="S", proposed="P", by="gus", observation="OB-3", at=NIGHT)
    found: ObjectiveResult = score(played(looked(5), observations=seen, ratings={"look": rated})).objectives[
        0
    ]

    assert (found.proposed, found.rating, found.rated_by) == ("P", "S", "gus")
    assert found.observations == ("OB-3", "OB-1")
    assert score(played(looked(5), observations=seen)).objectives[0].observations == ("OB-1", "OB-3")


def test_what_a_machine_did_is_done_and_shows_nothing_of_people() -> None:
    fact = Fact(
        stream="INC-2026-0001",
        seq=1,
        at=minutes(5),
        recorded_at=minutes(5),
        actor=MACHINE.person or "",
        via="conductor",
        kind="step.done",
        data={"step": "unknown/look"},
    )
    script_ = scenario()
    case = Case(state=Incident(stream="INC-2026-0001"), facts=[fact])
    found = score(Played(scenario=script_, exercise=exercise(script_), cases=[case], ends=minutes(60)))

    assert found.objectives[0].expectations[0].outcome == "done"
    assert (found.objectives[0].proposed, found.objectives[0].reasons) == (None, ("only-machine",))
    assert (found.people, found.guideline) == ((), ())
