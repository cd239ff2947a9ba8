"""When a step begins: what it waits for, whether it applies, loops, calls and variables."""

from __future__ import annotations

from typing import Any

import pytest

from models.commands import AddStep, Decide, Done, Reopen, SetSeverity, SettleStep, UsePlaybook
from models.errors import BadExpression, BadInput
from models.expression import FUNCTIONS, MAX_NODES, calls_in, evaluate
from models.plan import MAX_DEPTH, MAX_PLAN, lay_out
from models.playbook import Playbook
from models.reason import Reason
from models.state import PhaseState
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    NIGHT,
    PLAIN,
    Scene,
    action,
    by,
    decision,
    playbook,
    scene,
    scene_of,
    step,
)

NUMBER = [{"id": "left", "title": "-", "type": "number"}]


def done(made: Scene, name: str, **values: str) -> None:
    made.do(Done(actor=by(AMY), step=name, values=values))


def skip(made: Scene, name: str, how: Any = "skipped") -> None:
    made.do(SettleStep(actor=by(BEN), step=name, how=how, reason="-"))


def phase(made: Scene, name: str = "triage") -> PhaseState:
    return made.incident.phases[name]


def statuses(made: Scene) -> dict[str, str]:
    return {key.removeprefix("unknown/"): one.status for key, one in made.incident.steps.items()}


ORDER: list[tuple[str, list[dict[str, Any]], list[str], dict[str, str]]] = [
    ("A step that waits for nothing is ready at once", [step("a")], [], {"a": "ready"}),
    ("A step waits for the one before", [step("a"), step("b", after=["a"])], [], {"a": "ready"}),
    (
        "A step follows the one it waits for",
        [step("a"), step("b", after=["a"])],
        ["a"],
        {"a": "done", "b": "ready"},
    ),
    (
        "A step waits for all of several",
        [step("a"), step("b"), step("c", after=["a", "b"])],
        ["a"],
        {"a": "done", "b": "ready"},
    ),
    (
        "A step that waits for any one follows the first",
        [step("a"), step("b"), step("c", after_any=["a", "b"])],
        ["a"],
        {"a": "done", "b": "ready", "c": "ready"},
    ),
    (
        "A step that waits for any waits for one at least",
        [step("a"), step("b"), step("c", after_any=["a", "b"])],
        [],
        {"a": "ready", "b": "ready"},
    ),
    (
        "Steps that do not wait for each other run beside each other",
        [step("a"), step("b", after=["a"]), step("c", after=["a"])],
        ["a"],
        {"a": "done", "b": "ready", "c": "ready"},
    ),
    (
        "A step without `after` waits for the phases before its own",
        [step("a"), step("b", phase="analysis", after=None)],
        [],
        {"a": "ready"},
    ),
    (
        "It begins when these phases have ended",
        [step("a"), step("b", phase="analysis", after=None)],
        ["a"],
        {"a": "done", "b": "ready"},
    ),
    (
        "An optional step does not hold up its phase",
        [step("a"), step("x", optional=True), step("b", phase="analysis", after=None)],
        ["a"],
        {"a": "done", "x": "ready", "b": "ready"},
    ),
    (
        "Communication waits for no phase",
        [step("a"), step("c", phase="communication", after=None)],
        [],
        {"a": "ready", "c": "ready"},
    ),
    (
        "Containment may begin while triage is open",
        [step("a"), step("c", phase="containment")],
        [],
        {"a": "ready", "c": "ready"},
    ),
]


@pytest.mark.parametrize(
    ("steps", "finished", "expected"), [row[1:] for row in ORDER], ids=[row[0] for row in ORDER]
)
def test_the_order_of_steps(
    steps: list[dict[str, Any]], finished: list[str], expected: dict[str, str]
) -> None:
    made = scene_of(*steps)
    for name in finished:
        done(made, name)
    assert statuses(made) == expected


def test_a_skipped_step_lets_the_next_begin_but_not_the_one_that_needs_it_done() -> None:
    made = scene_of(step("a"), step("b", after=["a"]), step("c", after_any=["a"]))
    skip(made, "a")
    assert statuses(made) == {"a": "skipped", "b": "ready"}


def test_an_optional_step_under_way_holds_up_its_phase() -> None:
    from models.commands import StartStep  # noqa: PLC0415

    made = scene_of(step("a"), step("x", optional=True), step("b", phase="analysis", after=None))
    made.do(StartStep(actor=by(AMY), step="x"))
    done(made, "a")
    assert phase(made).status == "open"
    done(made, "x")
    assert phase(made).status == "ended"


def test_a_phase_that_has_ended_opens_again_for_a_step_that_comes_later() -> None:
    made = scene_of(step("a"), step("b", when="severity() > 1"))
    done(made, "a")
    assert phase(made).status == "ended"
    kinds = made.do(SetSeverity(actor=by(AMY), severity="high"))
    assert "phase.reopened" in kinds
    assert statuses(made)["b"] == "ready"
    assert made.incident.phases["triage"].times == 2


WHEN: list[tuple[str, str, bool]] = [
    ("A decision taken that way", 'decided("choose") == "yes"', True),
    ("A decision taken another way", 'decided("choose") == "no"', False),
    ("A step that is done", 'done("a")', True),
    ("A step that is not done", 'done("skipped-one")', False),
    ("A step that was skipped", 'skipped("skipped-one")', True),
    ("A step that was not skipped", 'skipped("a")', False),
    ("A recorded field", 'output("a", "left") == 3', True),
    ("A field of a step that is not there", 'output("later", "left") == 3', False),
    ("A comparison with what nobody has recorded", 'output("later", "left") > 3', False),
    ("A variable that a step has set", 'var("count") == 3', True),
    ("A variable with its default", 'var("mode") == "calm"', True),
    ("The severity", "severity() >= 1", False),
    ("A service that is affected", 'affected("payments")', False),
    ("A phase that has ended", 'phase_ended("triage")', False),
    ("Something preserved", 'evidence("memory")', False),
    ("The first round", "round() == 1", True),
    ("Parts joined", 'done("a") and not skipped("a") or severity() > 5', True),
    ("One of several", 'decided("choose") in ["yes", "perhaps"]', True),
]


@pytest.mark.parametrize(("condition", "holds"), [row[1:] for row in WHEN], ids=[row[0] for row in WHEN])
def test_a_condition_decides_whether_a_step_applies(condition: str, holds: bool) -> None:
    made = scene_of(
        step("a", record=NUMBER, sets={"count": "left"}),
        step("skipped-one"),
        decision("choose"),
        step("asked", after=["a", "skipped-one", "choose"], when=condition),
        step("later", after=["asked"], record=NUMBER),
        variables={"mode": {"default": "calm"}, "count": {"type": "number"}},
    )
    skip(made, "skipped-one")
    made.do(Decide(actor=by(CHO), step="choose", choice="yes", reason="-"))
    done(made, "a", left="3")
    assert made.step("asked").status == ("ready" if holds else "not-applicable")


def test_every_function_of_a_condition_is_tried_above() -> None:
    tried = {name for _, condition, _ in WHEN for name, _ in calls_in(condition)}
    assert tried == set(FUNCTIONS)


def test_a_step_that_did_not_apply_comes_back_when_its_condition_holds() -> None:
    made = scene_of(step("a"), step("b", when="severity() > 1"))
    assert statuses(made) == {"a": "ready", "b": "not-applicable"}
    made.do(SetSeverity(actor=by(AMY), severity="high"))
    assert statuses(made) == {"a": "ready", "b": "ready"}


def test_a_person_who_says_not_applicable_is_not_contradicted() -> None:
    made = scene_of(step("a"), step("b", when="severity() >= 0"))
    skip(made, "b", "not-applicable")
    made.do(SetSeverity(actor=by(AMY), severity="high"))
    assert made.step("b").status == "not-applicable"


def test_a_step_is_repeated_until_its_condition_holds() -> None:
    until = {"until": 'output("hunt", "left") == 0', "at_most": 3}
    made = scene_of(step("hunt", record=NUMBER, repeat=until), step("b", after=["hunt"]))
    done(made, "hunt", left="2")
    assert (made.step("hunt").status, made.step("hunt").round) == ("ready", 2)
    assert "unknown/b" not in made.incident.steps
    done(made, "hunt", left="0")
    assert statuses(made) == {"hunt": "done", "b": "ready"}


def test_a_loop_ends_at_its_bound() -> None:
    until = {"until": 'output("hunt", "left") == 0', "at_most": 2}
    made = scene_of(step("hunt", record=NUMBER, repeat=until))
    done(made, "hunt", left="2")
    done(made, "hunt", left="2")
    assert (made.step("hunt").status, made.step("hunt").round) == ("done", 2)


CALLED = playbook(
    "host",
    step("image", record=[{"id": "which", "title": "-"}], sets={"host": "which"}),
    step("seal", after=["image"], when='var("host") != "none"'),
    step("count", after=["seal"], record=NUMBER),
    variables={"host": {"default": "any"}, "depth": {"default": 1}},
)


def calling(**fields: Any) -> Playbook:
    call = {"kind": "call", "call": "host"} | fields
    return playbook(
        "unknown", step("a"), step("evidence", **(call | {"after": ["a"]})), step("z", after=["evidence"])
    )


def test_a_call_begins_with_the_called_playbook_and_is_done_with_it() -> None:
    made = scene(calling(), CALLED)
    assert statuses(made) == {"a": "ready"}
    done(made, "a")
    assert statuses(made) == {"a": "done", "evidence": "started", "evidence/image": "ready"}
    done(made, "evidence/image", which="srv1")
    done(made, "evidence/seal")
    assert made.incident.variables["unknown/evidence.host"] == "srv1"
    done(made, "evidence/count", left="0")
    assert made.step("evidence").status == "done"
    assert made.step("z").status == "ready"


def test_a_call_hands_over_values() -> None:
    made = scene(calling(**{"with": {"host": "none"}}), CALLED)
    done(made, "a")
    done(made, "evidence/image", which="none")
    assert made.step("unknown/evidence/seal").status == "not-applicable"


def test_a_call_is_repeated_with_all_its_steps() -> None:
    until = {"until": 'output("evidence/count", "left") == 0', "at_most": 3}
    made = scene(calling(repeat=until), CALLED)
    done(made, "a")
    for left in ("1", "0"):
        done(made, "evidence/image", which="srv1")
        done(made, "evidence/seal")
        done(made, "evidence/count", left=left)
    assert (made.step("evidence").round, made.step("unknown/evidence/count").round) == (2, 2)
    assert made.step("evidence").status == "done"


LEFT_OUT = playbook("host", step("image"), step("seal", after=["image"], when="round() == 1"))


@pytest.mark.parametrize("how", ["skipped", "not-applicable"])
def test_a_call_that_is_left_out_leaves_out_what_it_calls(how: Any) -> None:
    made = scene(calling(), LEFT_OUT)
    skip(made, "evidence", how)
    assert made.step("unknown/evidence/image").status == "not-applicable"
    assert made.step("unknown/evidence/seal").status == "not-applicable"
    done(made, "a")
    assert made.step("z").status == "ready"


def test_a_call_left_out_when_it_has_begun_leaves_out_what_nobody_has_taken_up() -> None:
    made = scene(calling(), LEFT_OUT)
    done(made, "a")
    skip(made, "evidence")
    assert made.step("unknown/evidence/image").status == "not-applicable"


def test_a_called_step_waits_for_what_its_call_waits_for() -> None:
    plan = lay_out(calling(), {"host": CALLED}.__getitem__)
    assert plan.steps["unknown/evidence/image"].after == ("unknown/a",)
    assert plan.steps["unknown/evidence/seal"].after == ("unknown/a", "unknown/evidence/image")
    assert plan.children["unknown/evidence"] == tuple(
        f"unknown/evidence/{name}" for name in ("image", "seal", "count")
    )


def nested(depth: int) -> dict[str, Playbook]:
    """Playbooks that call each other, so many deep."""
    return {
        f"p{n}": playbook(f"p{n}", step("in", kind="call", call=f"p{n + 1}") if n < depth else step("in"))
        for n in range(1, depth + 1)
    }


def test_calls_are_bounded() -> None:
    known = nested(MAX_DEPTH)
    inner = lay_out(known["p1"], known.__getitem__)
    assert inner.children["p1/in"] == ("p1/in/in", "p1/in/in/in")
    known = nested(MAX_DEPTH + 1)
    with pytest.raises(BadInput, match="deeper"):
        lay_out(known["p1"], known.__getitem__)
    circle = playbook("p1", step("in", kind="call", call="p1"))
    with pytest.raises(BadInput, match="circle"):
        lay_out(circle, {"p1": circle}.__getitem__)
    wide = playbook("wide", *(step(f"s{n}") for n in range(199)))
    many = playbook("many", *(step(f"c{n}", kind="call", call="wide") for n in range(3)))
    with pytest.raises(BadInput, match=str(MAX_PLAN)):
        lay_out(many, {"wide": wide}.__getitem__)


def test_two_playbooks_run_beside_each_other() -> None:
    made = scene(playbook("second", step("other", phase="containment")))
    made.do(UsePlaybook(actor=by(BEN), how="add", playbook="second", reason="-"))
    assert made.step("second/other").status == "ready"
    assert made.step("look").status == "ready"


def test_a_step_added_by_hand_holds_up_its_phase() -> None:
    made = scene_of(step("a"))
    add = AddStep(
        actor=by(AMY), step="call-isp", phase="triage", title="-", owner="cio", reason="-", within=60
    )
    made.do(add)
    assert made.says(add).reason is Reason.DUPLICATE
    done(made, "a")
    assert phase(made).status == "open"
    made.do(Done(actor=by(BEN), step="call-isp"))
    assert phase(made).status == "ended"


def test_a_reopened_phase_asks_for_its_steps_again() -> None:
    made = scene_of(step("a", within="1h"), step("b", phase="analysis", after=None))
    done(made, "a")
    made.do(Reopen(actor=by(BEN), phase="triage", reason="-"))
    assert (made.step("a").status, made.step("a").round) == ("ready", 2)
    assert made.incident.phases["triage"].times == 2
    assert made.says(Reopen(actor=by(BEN), phase="triage", reason="-")).reason is Reason.ALREADY
    assert made.says(Reopen(actor=by(BEN), phase="recovery", reason="-")).reason is Reason.ALREADY


# -- expressions --------------------------------------------------------------------------------------------

REFUSED = [
    ("A template is no condition", "1) }}{% set a = 1 %}{{ (2", "no template"),
    ("Arithmetic is not allowed", "1 + 1", "not allowed"),
    ("Attributes are not allowed", "done.__class__", "not allowed"),
    ("A name that is not known", "danger", "unknown name"),
    ("A call of something else", 'done("a")("b")', "plain arguments"),
    ("Named arguments", 'done(ref="a")', "plain arguments"),
    ("A loop", "[x for x in y]", "x for x"),
    ("Nonsense", "==", "=="),
    ("Nothing at all", "", "write one condition"),
    ("Nothing but blanks", " \n", "write one condition"),
    ("Nothing in brackets", "()", "not several"),
    ("Two conditions", 'done("a"), done("b")', "not several"),
    ("A condition and a comma", 'done("a"),', "not several"),
    ("Brackets without end", "(" * 21 + "1" + ")" * 21, "more than 20 brackets"),
    ("Brackets that the parser would not bear", "[" * 9_000 + "]" * 9_000, "more than 20 brackets"),
    ("Denials that the parser would not bear", "not " * 9_000 + "round()", "recursion"),
    ("More digits than a number may have", "1" * 5_000 + " == 1", "digits"),
    ("A condition that is too long", " or ".join(["round() == 1"] * MAX_NODES), "too long"),
]


@pytest.mark.parametrize(("source", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_no_condition_is_refused(source: str, said: str) -> None:
    with pytest.raises(BadExpression, match=said):
        calls_in(source)
    with pytest.raises(BadExpression):
        evaluate(source, {})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('done("a") or (done("b"), done("c"))', True),  # a list of two is not empty
        ('done("a")) or (done("b")', True),  # brackets that close each other's are those around it
        ('"((((((((((((((((((((((" == "["', False),  # brackets in quotes are text
        ("round() in (1, 2)", True),
        ("(" * 19 + "round() == 1" + ")" * 19, True),
    ],
)
def test_what_is_let_through_is_what_is_run(source: str, expected: bool) -> None:
    calls_in(source)
    found = evaluate(source, {"done": lambda name: name == "b", "round": lambda: 1})
    assert found is expected


def test_the_arguments_that_are_constants_are_named() -> None:
    assert calls_in('done("a") and severity() > 1 and output(decided("b"), "c")') == (
        ("done", "a"),
        ("severity", None),
        ("output", None),
        ("decided", "b"),
    )


def test_a_condition_that_cannot_be_evaluated_holds_its_step_and_stops_nobody() -> None:
    def broken(name: str) -> None:
        raise KeyError(name)

    with pytest.raises(BadExpression, match="nowhere"):
        evaluate('done("nowhere")', {"done": broken})
    assert evaluate("severity() > 1", {"severity": lambda: None}, unknown_is_false=True) is False


def test_a_plan_knows_when_it_was_asked() -> None:
    assert scene_of(action("block")).step("block").ready_at == NIGHT
    assert PLAIN.steps[0].id == "look"
