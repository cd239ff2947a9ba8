"""What conditions of a scenario ask, over all incidents of the drill; and the times of the script."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from models.evidence import Evidence
from models.exercise import Delivered, Exercise, Line
from models.exercise_conditions import FUNCTIONS, holds, names_of
from models.exercise_script import Script
from models.scenario import FUNCTIONS as OF_SCENARIOS
from models.state import Incident, PhaseState, ServiceState, StepState
from tests.models.exercises import MINUTE, STARTEX, inject, scenario, started

CASES = {
    "INC-1": Incident(
        stream="INC-1",
        seq=9,
        severity_rank=1,
        steps={
            "a/choose": StepState(key="a/choose", status="done", choice="isolate"),
            "a/left": StepState(key="a/left", status="skipped"),
            "a/count": StepState(key="a/count", status="done", outputs={"hosts": 3}),
        },
        phases={"triage": PhaseState(status="ended")},
    ),
    "INC-2": Incident(stream="INC-2", seq=3, severity_rank=2, steps={"a/choose": StepState(key="a/choose")}),
    "INC-3": Incident(stream="INC-3", seq=3, status="cancelled", severity_rank=9),
}
CAME = {
    name: Delivered(id=name, how=how, at=STARTEX, played_ms=0)  # type: ignore[arg-type]
    for name, how in (("came", "planned"), ("given", "fired"), ("left", "skipped"), ("not", "not-needed"))
}


@pytest.mark.parametrize(
    ("sentence", "condition", "answer"),
    [
        ("an incident has been declared", "declared()", True),
        ("a decision was taken in one of them", 'decided("a/choose") == "isolate"', True),
        ("a decision that nobody took is none", 'decided("a/left") == none', True),
        ("a step is done in one of them", 'done("a/choose")', True),
        ("a step that no incident has is not done", 'done("b/choose")', False),
        ("a step was skipped", 'skipped("a/left")', True),
        ("a step gave a value", 'output("a/count", "hosts") > 2', True),
        ("comparing with what is not known is no", 'output("a/left", "hosts") > 2', False),
        ("the gravest of them counts, a cancelled one does not", "severity() == 2", True),
        ("nothing is affected", 'affected("payments")', False),
        ("a phase has ended", 'phase_ended("triage")', True),
        ("another has not", 'phase_ended("recovery")', False),
        ("nothing was preserved", 'evidence("memory")', False),
        ("no playbook is carried", 'carries("ransomware")', False),
        ("what came as planned has come in", 'delivered("came")', True),
        ("what control gave has come in", 'delivered("given")', True),
        ("what was skipped has not", 'delivered("left")', False),
        ("what was not needed has not", 'delivered("not")', False),
        ("what is still to come has not", 'delivered("later")', False),
        ("what cannot be evaluated does not hold", 'var("x")', False),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_a_condition_asks(sentence: str, condition: str, answer: bool) -> None:
    assert holds(condition, names_of(CASES, CAME)) is answer, sentence


def test_without_an_incident_nothing_has_been_done() -> None:
    names = names_of({"INC-3": CASES["INC-3"]}, {})
    assert not holds("declared()", names)
    assert holds("severity() == 0", names)


def test_services_evidence_and_playbooks_are_asked_as_well() -> None:
    case = msgspec.structs.replace(CASES["INC-1"])
    case.services = {"payments": ServiceState(since=STARTEX)}
    case.evidence = {"EV-1": Evidence(id="EV-1", source="memory", sources=["memory"], at=STARTEX, by="amy")}
    names = names_of({"INC-1": case}, {})
    assert holds('affected("payments") and evidence("memory")', names)


def test_the_functions_are_those_of_the_grammar() -> None:
    assert set(OF_SCENARIOS) == FUNCTIONS == set(names_of({}, {}))


# -- the script ---------------------------------------------------------------------------------------------


def exercise(*lines: Line, **fields: object) -> Exercise:
    shape = {"startex": STARTEX, "duration_ms": 7_200_000, "lines": {one.id: one for one in lines}}
    return msgspec.structs.replace(Exercise(stream="exercise"), **(shape | fields))


def test_before_it_is_prepared_there_is_no_time() -> None:
    script = Script(None, Exercise(stream="exercise"))
    assert script.endex is None
    assert script.now(STARTEX) is None
    assert script.upcoming() is None
    assert script.leaps() == ()
    assert script.played_of(STARTEX) == timedelta(0)
    assert script.inject("x") is None


@pytest.mark.parametrize(
    ("sentence", "minutes", "played"),
    [
        ("before the leap the story goes as it is played", 20, 20),
        ("within the leap nothing is played", 60, 30),
        ("right after it, it goes on", 91, 31),
        ("after both, both are taken off", 230, 50),
        ("before STARTEX nothing was played", -5, 0),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_how_much_was_played_at_an_hour_of_the_story(sentence: str, minutes: int, played: int) -> None:
    made = Script(None, exercise(leaps=[(2_400_000, 7_200_000), (1_800_000, 3_600_000)]))
    assert made.played_of(STARTEX + minutes * MINUTE) == played * MINUTE, sentence


def test_a_chain_that_goes_in_a_circle_or_to_nowhere_has_no_time() -> None:
    circle = [Line(id="a", kind="call", after="b"), Line(id="b", kind="call", after="a")]
    lost = Line(id="c", kind="call", after="gone", later_ms=1)
    made = Script(None, exercise(*circle, lost))
    assert [made.due_at(name) for name in ("a", "b", "c", "nowhere")] == [None] * 4
    assert [one.id for one in made.waiting()] == ["a", "b", "c"]


def test_what_follows_an_inject_without_a_time_counts_from_when_that_came() -> None:
    made = started(
        scenario(
            inject("asked", when='delivered("first")'),
            inject("then", after="asked", later="5m"),
            inject("first", at="10m"),
        )
    )
    assert [one.id for one in Script(None, made.state).waiting()] == ["first", "asked", "then"]
    made.pass_(11 * MINUTE)
    assert Script(None, made.state).planned("then") == 15 * MINUTE
    made.pass_(10 * MINUTE)
    assert made.came() == [
        ("first", "planned", 10 * MINUTE),
        ("asked", "planned", 10 * MINUTE),
        ("then", "planned", 15 * MINUTE),
    ]


def test_an_inject_is_known_by_its_document_or_its_id() -> None:
    script = scenario(inject("first", at="10m"))
    made = started(script)
    looked = Script(script, made.state)
    assert looked.due_at(script.injects[0]) == looked.due_at("first") == STARTEX + 10 * MINUTE
    assert looked.inject("first") == script.injects[0]
