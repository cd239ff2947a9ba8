"""The grammar of a scenario: what it refuses, and what it says about its own times and objectives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from models.expression import FUNCTIONS as OF_PLAYBOOKS
from models.rules.incident import INSTANTS
from models.scenario import (
    FUNCTIONS,
    ExerciseKit,
    Inject,
    Instant,
    Measure,
    Scenario,
    parse_offset,
)

MINUTE = timedelta(minutes=1)


def inject(name: str = "one", **fields: Any) -> dict[str, Any]:
    """An inject as a file says it, delivered at STARTEX unless something else is said."""
    timed = {"at", "after", "when"} & set(fields)
    rest = {} if timed else {"at": "0m"}
    return {
        "id": name, "kind": "call", "channel": "telephone", "from": "control", "to": ["ciso"],
        "title": "T", "text": "X", **rest, **fields,
    }  # fmt: skip


def scenario(*injects: dict[str, Any], **fields: Any) -> Scenario:
    """A scenario with these injects."""
    said = {
        "scenario": "small", "version": "1.0.0", "title": "Secret", "summary": "S", "reviewed": "2026-11-01",
        "playbooks": ["short"], "plausibility": "P", "customer_impact": "C",
        "threats": [{"text": "T", "confidence": "G"}], "duration": "60m",
        "start": {"day": "D", "time": "23:50"}, "briefing": "B", "truth": "T",
        "roles": [{"role": "ciso", "task": "T"}], "objectives": [{"id": "aim", "text": "A"}],
        "injects": list(injects) or [inject()], **fields,
    }  # fmt: skip
    return Scenario.model_validate(said)


# -- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "fields", "says"),
    [
        ("Two times at once", {"at": "5m", "after": "x", "later": "5m"}, "`at` or `after`, not both"),
        ("No time at all", {"at": None}, "needs one of `at`, `after` and `when`"),
        ("After what, but not how long", {"after": "x"}, "both or neither"),
        ("How long, but not after what", {"at": "5m", "later": "5m"}, "both or neither"),
        ("A contingency that is always fired", {"kind": "contingency", "at": "5m"}, "what has not happened"),
        ("A contingency without a time", {"kind": "contingency", "when": 'done("a/b")'}, "needs a time"),
        ("A time without its unit", {"at": "5"}, "a time with its unit"),
        ("A time before STARTEX", {"at": "-5m"}, "a time with its unit"),
        ("Nobody to deliver it to", {"to": []}, "at least 1 item"),
        ("A kind that is none", {"kind": "fax"}, "Input should be"),
        (
            "An option of no decision",
            {"expect": [{"text": "E", "option": "cut"}]},
            "option: belongs to a decision",
        ),
    ],
)
def test_an_inject_is_refused(sentence: str, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Inject.model_validate(inject(**fields))
    assert says in str(refused.value), sentence


@pytest.mark.parametrize(
    ("sentence", "fields", "says"),
    [
        ("It is too short", {"duration": "10m"}, "10m is not between 15m and 10h"),
        ("It is too long", {"duration": "11h"}, "11h is not between"),
        ("An hour that is none", {"start": {"day": "D", "time": "24:00"}}, "String should match pattern"),
        ("No objective", {"objectives": []}, "at least 1 item"),
        ("Nothing that it rests on", {"threats": []}, "at least 1 item"),
        ("A key that is unknown", {"injcts": []}, "Extra inputs"),
        ("No plausibility (FSA-2.2.5-B3)", {"plausibility": None}, "plausibility"),
        ("No customer impact (FSA-2.2.5-B3)", {"customer_impact": None}, "customer_impact"),
    ],
)
def test_a_scenario_is_refused(sentence: str, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        scenario(**fields)
    assert says in str(refused.value), sentence


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": "rlo", "target": "4h"}, "rlo is a level"),
        ({"kind": "rto", "level": "normal"}, "rto is a time"),
    ],
)
def test_a_measure_has_a_target_of_its_kind(fields: dict[str, str], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Measure.model_validate({"service": "atm", **fields})
    assert Measure.model_validate({"service": "atm", "kind": "rto", "target": "4h"}).target == 4 * 60 * MINUTE
    assert Measure.model_validate({"service": "atm", "kind": "rlo", "level": "normal"}).level == "normal"


def test_startex_itself_is_a_time() -> None:
    for said in ("0", "0m", 0, timedelta(0)):
        assert parse_offset(said) == timedelta(0)
    assert parse_offset("1h5m") == 65 * MINUTE
    for wrong in (False, "", "5", 5):
        with pytest.raises(ValueError, match="a time with its unit"):
            parse_offset(wrong)
    assert Inject.model_validate(inject(at="0m")).model_dump(mode="json")["at"] == "0s"
    assert parse_offset("0s") == timedelta(0)


# -- the times of the script --------------------------------------------------------------------------------


def test_a_chain_of_injects_is_planned_from_its_first() -> None:
    one = scenario(
        inject("last", after="middle", later="3m"),
        inject("first", at="5m"),
        inject("middle", after="first", later="10m"),
        inject("waiting", when='done("short/look")'),
        inject("behind", after="waiting", later="1m"),
    )
    planned = {each.id: one.planned_at(each) for each in one.injects}
    assert planned == {
        "first": 5 * MINUTE, "middle": 15 * MINUTE, "last": 18 * MINUTE, "waiting": None, "behind": None,
    }  # fmt: skip
    assert [each.id for each in one.in_order()] == ["first", "middle", "last", "waiting", "behind"]


def test_a_chain_that_goes_in_a_circle_or_begins_nowhere_has_no_time() -> None:
    one = scenario(
        inject("a", after="b", later="1m"),
        inject("b", after="a", later="1m"),
        inject("c", after="nothing", later="1m"),
    )
    assert [one.planned_at(each) for each in one.injects] == [None, None, None]


def test_the_story_runs_ahead_by_each_leap_once_it_is_reached() -> None:
    one = scenario(
        leaps=[{"at": "20m", "by": "5h", "text": "L"}, {"at": "40m", "by": "1d", "text": "L"}],
    )
    hours = [one.story(timedelta(minutes=at)) for at in (0, 19, 20, 39, 40)]
    assert hours == [
        timedelta(0),
        19 * MINUTE,
        20 * MINUTE + timedelta(hours=5),
        39 * MINUTE + timedelta(hours=5),
        40 * MINUTE + timedelta(hours=5, days=1),
    ]


# -- objectives ---------------------------------------------------------------------------------------------


def test_what_is_expected_belongs_to_its_own_objective_or_to_those_of_its_inject() -> None:
    one = scenario(
        inject("second", at="9m", expect=[{"text": "own", "objective": "other"}]),
        inject(
            "first",
            objectives=["aim"],
            expect=[{"text": "of the inject"}, {"text": "o", "objective": "other"}],
        ),
        objectives=[{"id": name, "text": "A"} for name in ("aim", "other", "untested")],
    )
    assert [(at.id, it.text.en) for at, it in one.expected("aim")] == [("first", "of the inject")]
    assert [(at.id, it.text.en) for at, it in one.expected("other")] == [("first", "o"), ("second", "own")]
    assert [name.id for name in one.objectives if one.tests(name.id)] == ["aim", "other"]


def test_players_read_the_cover_if_there_is_one() -> None:
    assert scenario().called.en == "Secret"
    assert scenario(cover="Harmless").called.en == "Harmless"


def test_what_was_written_is_read_back() -> None:
    one = scenario(inject("a", after="b", later="1m", when='done("x/y")'), inject("b"))
    assert Scenario.model_validate(one.model_dump(mode="json", by_alias=True)) == one
    assert one.inject("a") == one.injects[0]
    assert one.inject("nothing") is None


# -- words shared with the rest -----------------------------------------------------------------------------


def test_instants_are_those_of_an_incident() -> None:
    assert get_args(Instant) == INSTANTS


def test_conditions_ask_as_in_a_playbook_and_a_few_things_of_the_exercise_besides() -> None:
    assert set(FUNCTIONS) - set(OF_PLAYBOOKS) == {"declared", "carries", "delivered"}
    assert set(OF_PLAYBOOKS) - set(FUNCTIONS) == {"var", "round"}, "these belong to one step alone"


def test_every_exercise_has_rules_and_questions() -> None:
    with pytest.raises(ValidationError):
        ExerciseKit.model_validate({"rules": [], "hot_wash": ["H"], "questions": []})
