"""What an exercise exercised: calls, gates, decisions, deadlines, recovery targets, people and guideline."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from models.commands import Acknowledge, Decide, Done, OverrideGate, SetInstant, SetRecoveryPoint
from models.drillresult import MeasureResult
from models.exercise import Observation
from models.scoring.findings import proposals
from models.scoring.measured import (
    NO_LEVEL,
    NO_POINT,
    NO_TARGET,
    NO_USABLE,
    NOT_AFFECTED,
    NOT_BACK,
    NOT_CHECKED,
    NOT_STARTED,
)
from models.scoring.score import Score, score
from tests.models.clockhouse import after, at_level, clock_scene, confirm, impact, run_until, service
from tests.models.drillhouse import PLAYERS, expected, inject, minutes, played, scenario, script
from tests.models.small import AMY, BEN, CHO, EVE, NIGHT, Scene, by, decision, scene, scene_of, step


def targets(*measures: dict[str, Any]) -> Any:
    return scenario(inject(expected()), objective={"measures": list(measures)})


def measured(made: Scene, kind: str = "rto", ends: float = 60, **fields: Any) -> MeasureResult:
    """The measure of one kind for payments (RTO two hours, RPO one hour), as the record has it."""
    script_ = targets({"kind": kind, "service": "payments"} | fields)
    return score(played(made, script_, ends=ends)).objectives[0].measures[0]


def back_after(hours: float, actor: Any = None) -> Scene:
    """Payments are down at STARTEX, at their level after so long, and confirmed by both sides."""
    made = clock_scene()
    impact(made)
    run_until(made, hours)
    at_level(made)
    confirm(made)
    return made


@pytest.mark.parametrize(
    ("hours", "target", "outcome", "source"),
    [
        (2, {}, "met", "service"),
        (2.5, {}, "missed", "service"),
        (2.5, {"target": "3h"}, "met", "objective"),
        (2, {"target": "1h"}, "missed", "objective"),
    ],
)
def test_the_recovery_time_is_measured_against_the_objectives_target_or_the_services(
    hours: float, target: dict[str, Any], outcome: str, source: str
) -> None:
    found = measured(back_after(hours), **target)

    assert (found.measured_seconds, found.outcome, found.target_from) == (hours * 3600, outcome, source)
    assert (found.why, found.scripted) == ("", False)


def test_a_service_that_is_not_back_is_unknown_until_its_target_has_passed() -> None:
    made = clock_scene()
    impact(made)

    early, late = measured(made, ends=60), measured(made, ends=121)
    assert (early.outcome, early.measured_seconds, early.why) == ("unknown", None, NOT_BACK)
    assert (late.outcome, late.measured_seconds, late.why) == ("missed", None, NOT_BACK)


def test_a_service_that_was_never_affected_has_no_measure() -> None:
    found = measured(scene())
    assert (found.outcome, found.why, found.target_seconds, found.target_from) == (
        "unknown",
        NOT_AFFECTED,
        None,
        "none",
    )
    own = measured(scene(), target="3h")
    assert (own.target_seconds, own.target_from) == (3 * 3600, "objective")


def test_recovery_that_counts_from_its_decision_is_unknown_without_one() -> None:
    made = clock_scene(services=[service("payments", rto_from="decision")])
    impact(made)
    run_until(made, 1)
    assert measured(made).why == NOT_STARTED
    made.do(SetInstant(actor=by(BEN), name="determined", instant=after(0.5), source="-"))
    run_until(made, 2)
    at_level(made)
    confirm(made)
    assert measured(made).measured_seconds == 1.5 * 3600


def test_a_service_that_the_script_brought_back_is_nobodys_success() -> None:
    made = back_after(1)
    players = {AMY: PLAYERS[AMY]}
    script_ = targets({"kind": "rto", "service": "payments"}, {"kind": "rlo", "service": "payments"})
    found = score(played(made, script_, players=players)).objectives[0]

    assert [(one.outcome, one.scripted) for one in found.measures] == [("met", True), ("met", True)]


def test_a_service_is_not_held_against_people_where_nobody_plays() -> None:
    made = clock_scene()
    impact(made)
    script_ = targets({"kind": "rto", "service": "payments"})
    found = score(played(made, script_, players={}, ends=121)).objectives[0]

    assert [(one.outcome, one.scripted) for one in found.measures] == [("missed", True)]
    assert (found.proposed, found.reasons) == (None, ("only-scripted",))


def point(made: Scene, hours: float, tamper: str = "clean", malware: str = "clean", name: str = "b1") -> None:
    """A backup of payments from before STARTEX."""
    made.do(
        SetRecoveryPoint(
            actor=by(EVE),
            id=name,
            service="payments",
            instant=after(-hours),
            tamper=tamper,  # type: ignore[arg-type]
            malware=malware,  # type: ignore[arg-type]
        )
    )


@pytest.mark.parametrize(
    ("what", "points", "measured_", "outcome", "why"),
    [
        ("none is known", [], None, "unknown", NO_POINT),
        ("not checked", [(0.5, "unknown", "clean")], None, "unknown", NOT_CHECKED),
        ("sound and young", [(0.5, "clean", "clean")], 1800, "met", ""),
        ("sound and old", [(13 * 24, "clean", "clean")], 13 * 24 * 3600, "missed", ""),
        ("all tampered with", [(0.5, "tampered", "clean")], None, "unknown", NO_USABLE),
    ],
)
def test_what_restoring_loses_is_measured_from_the_sound_point(
    what: str, points: list[Any], measured_: int | None, outcome: str, why: str
) -> None:
    made = clock_scene()
    impact(made)
    for number, (hours, tamper, malware) in enumerate(points):
        point(made, hours, tamper, malware, f"b{number}")
    found = measured(made, "rpo")

    assert (found.measured_seconds, found.outcome, found.why) == (measured_, outcome, why)


def test_points_that_the_script_named_are_nobodys_success() -> None:
    made = clock_scene()
    impact(made)
    point(made, 0.5)
    found = score(played(made, targets({"kind": "rpo", "service": "payments"}), players={AMY: []}))

    assert found.objectives[0].measures[0].scripted


LEVELS = [
    service(
        "payments",
        levels=[{"id": one, "title": one} for one in ("stopped", "half", "full")],
        rlo_level="half",
    )
]


@pytest.mark.parametrize(
    ("level", "target", "outcome"),
    [("half", None, "met"), ("stopped", None, "missed"), ("half", "full", "missed"), ("full", "full", "met")],
)
def test_the_level_that_was_reached_is_compared(level: str, target: str | None, outcome: str) -> None:
    made = clock_scene(services=LEVELS)
    impact(made, level="stopped")
    run_until(made, 1)
    if level != "stopped":
        at_level(made, level)
    found = measured(made, "rlo", 60, **({"level": target} if target else {}))

    assert (found.measured_level, found.target_level, found.outcome) == (level, target or "half", outcome)


def test_a_lower_level_that_the_script_reached_is_met_by_nobody() -> None:
    levels = [{"id": one, "title": one} for one in ("stopped", "half", "full")]
    made = clock_scene(services=[service("payments", levels=levels, rlo_level="full")])
    impact(made, level="stopped")
    run_until(made, 1)
    at_level(made, "half")
    script_ = targets({"kind": "rlo", "service": "payments", "level": "half"})
    found = score(played(made, script_, players={AMY: PLAYERS[AMY]})).objectives[0]

    assert [(one.outcome, one.scripted) for one in found.measures] == [("met", True)]


def test_a_level_that_the_register_does_not_know_is_unknown() -> None:
    made = clock_scene(services=LEVELS)
    impact(made, level="stopped")
    found = measured(made, "rlo", level="sideways")
    assert (found.outcome, found.why) == ("unknown", NO_TARGET)
    one = played(made, targets({"kind": "rlo", "service": "payments"}))
    one.cases[0].state.services["payments"].level = ""
    assert score(one).objectives[0].measures[0].why == NO_LEVEL


# -- calls --------------------------------------------------------------------------------------------------


def test_calls_are_counted_by_role_with_the_median_of_what_people_took() -> None:
    made = scene()
    made.wait(3)
    made.do(Acknowledge(actor=by(AMY)))
    found = score(played(made))

    assert (found.pages.asked, found.pages.answered, found.pages.scripted) == (1, 1, 0)
    assert (found.pages.climbed, found.pages.exhausted, found.pages.median_seconds) == (0, 0, 180)
    assert [(one.role, one.asked, one.answered, one.median_seconds) for one in found.pages.by_role] == [
        ("csirt-duty", 1, 1, 180)
    ]
    assert [(one.id, one.pages, one.highest_level, one.exhausted) for one in found.routes] == [
        ("main", 1, 1, 0)
    ]


def test_a_call_that_climbs_is_timed_for_each_role_from_when_it_was_asked() -> None:
    made = scene()
    made.wait(5)
    made.wait(2)
    made.do(Acknowledge(actor=by(BEN)))
    found = score(played(made)).pages

    assert (found.climbed, found.median_seconds) == (1, 7 * 60)
    by_role = {one.role: (one.asked, one.answered, one.median_seconds) for one in found.by_role}
    assert by_role == {"csirt-duty": (1, 0, None), "csirt-lead": (1, 1, 120)}


def test_a_call_that_nobody_answers_goes_to_the_last_resort() -> None:
    made = scene()
    made.wait(60)
    found = score(played(made))

    assert (found.pages.answered, found.pages.climbed, found.pages.exhausted) == (0, 1, 1)
    assert (found.routes[0].highest_level, found.routes[0].exhausted) == (3, 1)
    assert [one.source for one in proposed(found)] == ["objective:look", "route:main"]


def test_a_call_that_the_script_answered_is_answered_by_nobody() -> None:
    made = scene()
    made.wait(1)
    made.do(Acknowledge(actor=script(AMY)))
    found = score(played(made)).pages

    assert (found.answered, found.scripted, found.median_seconds) == (0, 1, None)
    assert [(one.answered, one.scripted) for one in found.by_role] == [(0, 1)]


def test_a_call_that_never_came_is_told_apart_from_one_that_nobody_answered() -> None:
    made = scene()
    sent, lost = (played(made) for _ in range(2))
    page = next(one for one in lost.cases[0].facts if one.kind == "page.asked")
    for one, became in ((sent, ("given_up", "sent")), (lost, ("given_up",))):
        news = [
            structs.replace(page, kind=f"message.{what}", data={"page": page.seq, "person": AMY})
            for what in became
        ]
        case = replace(one.cases[0], facts=(*one.cases[0].facts, *news))
        counted = score(replace(one, cases=(case,))).pages.by_role
        assert [(one.role, one.asked, one.answered, one.undelivered) for one in counted] == [
            ("csirt-duty", 1, 0, int("sent" not in became))
        ]


# -- gates, decisions, deadlines ----------------------------------------------------------------------------


def proposed(found: Score, **fields: Any) -> list[Any]:
    one = played(None, **fields)
    return list(proposals(found, one.exercise, one.scenario))


def test_a_decision_says_who_took_it_how_long_it_took_and_whether_in_time() -> None:
    made = scene_of(decision("cut", within="10m"), decision("stay"))
    made.wait(4)
    made.do(Decide(actor=by(CHO), step="cut", choice="yes", reason="-"))
    made.wait(2)
    made.do(Decide(actor=script(CHO), step="stay", choice="no", reason="-"))
    cut, stay = score(played(made)).decisions

    assert (cut.step, cut.choice, cut.by, cut.took_seconds, cut.in_time) == (
        "unknown/cut",
        "yes",
        CHO,
        240,
        True,
    )
    assert (cut.scripted, stay.scripted, stay.in_time, stay.took_seconds) == (False, True, None, 360)


def test_a_gate_that_held_passed_or_was_overridden_is_counted_once_each_time() -> None:
    found = score(played(gated()))

    assert {one.gate: (one.held, one.passed, one.overridden) for one in found.gates} == {
        "preserved-before-analysed": (1, 1, 1)
    }
    assert "gate:preserved-before-analysed" in {one.source for one in proposed(found)}


def gated() -> Scene:
    """An analysis whose source is not preserved; its authority lets it pass."""
    made = scene_of(step("dig", phase="analysis", sources=["disk"]))
    made.do(OverrideGate(actor=by(CHO), gate="preserved-before-analysed", step="dig", reason="-"))
    return made


def test_deadlines_are_met_missed_or_open() -> None:
    late = back_after(2.5)
    assert {one.clock: one.outcome for one in score(played(late)).deadlines}["rto:payments"] == "missed"
    assert {one.clock: one.outcome for one in score(played(back_after(1))).deadlines}["rto:payments"] == "met"
    still = clock_scene()
    impact(still)
    assert {one.clock: one.outcome for one in score(played(still)).deadlines}["rto:payments"] == "open"
    run_until(still, 3)
    found = score(played(still))
    assert {one.clock: one.outcome for one in found.deadlines}["rto:payments"] == "missed"
    assert f"deadline:{still.stream}/rto:payments" in {one.source for one in proposed(found)}


# -- what was exercised -------------------------------------------------------------------------------------


def test_items_of_the_guideline_are_exercised_by_what_people_did() -> None:
    made = scene_of(step("look", guideline=["FSA-2.5.2.1-B2"]))
    made.do(Done(actor=by(AMY), step="look"))
    one = played(made)
    plans = {use.digest: made.desk.library["unknown"].plan for use in made.incident.playbooks.values()}
    found = score(type(one)(scenario=one.scenario, exercise=one.exercise, cases=one.cases, ends=one.ends,
                            plans=plans))  # fmt: skip

    assert [(one.item, one.by) for one in found.guideline] == [
        ("FSA-2.2.5-B1", ("scenario",)),
        ("FSA-2.5.2.1-B1", ("objective:look",)),
        ("FSA-2.5.2.1-B2", ("step:unknown/look",)),
    ]
    assert [(one.id, one.version) for one in found.playbooks] == [("unknown", "1.0.0")]
    assert found.people == (AMY,)


def test_an_exercise_that_was_broken_off_exercises_no_item_as_a_whole() -> None:
    made = scene()
    made.do(Done(actor=by(AMY), step="look"))

    assert "scenario" not in {by for one in score(played(made, status="aborted")).guideline for by in one.by}


def test_each_role_says_who_took_it() -> None:
    cards = [{"role": "csirt-duty", "task": "-"}, {"role": "ciso", "task": "-"},
             {"role": "fsa", "task": "-", "played_by": "control"}]  # fmt: skip
    script_ = scenario(roles=cards)
    made = scene()
    quiet = score(played(made, script_, players={AMY: ["csirt-duty", "scribe"]}, absent={}))
    made.do(Acknowledge(actor=script(AMY)))
    loud = score(played(made, script_, players={AMY: ["csirt-duty"]}, absent={AMY: "ill"}))

    assert [(one.role, one.how, one.by, one.needed) for one in quiet.roles] == [
        ("csirt-duty", "played", (AMY,), True),
        ("ciso", "nobody", (), True),
        ("fsa", "control", (), True),
        ("scribe", "played", (AMY,), False),
    ]
    assert [(one.role, one.how) for one in loud.roles] == [
        ("csirt-duty", "scripted"),
        ("ciso", "scripted"),
        ("fsa", "control"),
    ]


# -- proposals ----------------------------------------------------------------------------------------------


def test_what_went_badly_and_what_was_seen_are_proposed_as_findings() -> None:
    made = back_after(3)
    script_ = targets({"kind": "rto", "service": "payments"})
    seen = {
        "OB-1": Observation(id="OB-1", seq=3, at=NIGHT, by="gus", objective="look", kind="improvement"),
        "OB-2": Observation(id="OB-2", seq=4, at=NIGHT, by="gus", kind="improvement"),
        "OB-3": Observation(id="OB-3", seq=5, at=NIGHT, by="gus", kind="strength"),
    }
    one = played(made, script_, observations=seen)
    found = score(one)

    listed = proposals(found, one.exercise, script_)
    assert {each.source for each in listed} >= {
        "objective:look",
        "measure:rto:payments",
        "observation:OB-1",
        "observation:OB-2",
    }
    assert not {"observation:OB-3", f"deadline:{made.stream}/rto:payments"} & {one.source for one in listed}
    rated = next(each for each in listed if each.source == "objective:look")
    assert (rated.rating, rated.because[0]) == ("U", "nothing-done")


def test_an_objective_rated_p_by_an_evaluator_is_no_finding() -> None:
    found = score(played(scene()))
    better = found.objectives[0].model_copy(update={"rating": "P"})

    assert proposed(Score(**{**vars(found), "objectives": (better,)})) == []
    assert found.objective("look") is not None
    assert found.objective("other") is None


def test_gates_and_routes_that_did_well_are_no_findings() -> None:
    made = scene_of(step("dig", phase="analysis", sources=["disk"]))
    found = score(played(made))

    assert {one.gate: one.overridden for one in found.gates} == {"preserved-before-analysed": 0}
    assert [one.source for one in proposed(found)] == ["objective:look"]
    in_time = score(played(back_after(1), targets({"kind": "rto", "service": "payments"})))
    assert "measure:rto:payments" not in {one.source for one in proposed(in_time)}


def test_the_length_of_an_exercise_is_what_was_played() -> None:
    assert minutes(60) - NIGHT == timedelta(hours=1)
