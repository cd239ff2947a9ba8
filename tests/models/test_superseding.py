"""A decision in the place of another: both stay, linked; steps come and go by rule; nothing is undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from models.commands import Decide, Done, Reopen, StartStep, WithdrawDecision
from models.reason import Reason
from tests.models.small import AMY, BEN, CHO, DAN, FAY, Scene, action, by, decision, scene_of, step

pytestmark = pytest.mark.usefixtures("runs_again")

STEPS = (
    decision("cut", recommend="yes"),
    step("pull", after=["cut"], when='decided("cut") == "yes"'),
    step("look", after=["cut"], when='decided("cut") == "no"'),
    step("label", after=["pull"]),
    step("other"),
)


def choose(choice: str, person: str = CHO, *, supersede: bool = False) -> Decide:
    why = f"because {choice}"
    return Decide(actor=by(person), step="cut", choice=choice, reason=why, supersede=supersede)


def decided() -> Scene:
    made = scene_of(*STEPS)
    made.do(choose("yes"))
    return made


def test_both_decisions_stay_and_are_linked() -> None:
    made = decided()
    kinds = made.do(choose("no", supersede=True))
    assert kinds[:2] == ("decision.superseded", "decision.made")
    first, second = made.facts("decision.made")
    told = made.facts("decision.superseded")[0]
    assert told.data["old"] == {"fact": first.seq, "choice": "yes", "by": CHO}
    assert second.data["supersedes"] == first.seq
    assert made.step("cut").choice == "no"
    assert made.step("cut").decided_seq == second.seq


def test_steps_that_the_new_choice_calls_for_come_and_the_others_go() -> None:
    made = decided()
    assert (made.step("pull").status, made.step("look").status) == ("ready", "not-applicable")
    made.do(choose("no", supersede=True))
    assert (made.step("pull").status, made.step("look").status) == ("not-applicable", "ready")
    made.do(choose("yes", supersede=True))
    assert (made.step("pull").status, made.step("look").status) == ("ready", "not-applicable")


def test_what_had_followed_is_told_and_not_undone() -> None:
    made = decided()
    made.do(Done(actor=by(AMY), step="pull"))
    made.do(StartStep(actor=by(AMY), step="label"))
    made.do(Done(actor=by(AMY), step="other"))
    made.do(choose("no", supersede=True))
    assert made.facts("decision.superseded")[0].data["followed"] == ["unknown/pull", "unknown/label"]
    assert made.step("pull").status == "done"
    assert made.step("label").status == "started"


REFUSED: list[tuple[str, Decide, Reason]] = [
    ("by who is not entitled", choose("no", FAY, supersede=True), Reason.AUTHORITY_MISSING),
    ("by the same choice", choose("yes", supersede=True), Reason.ALREADY),
    ("without saying so", choose("no"), Reason.ALREADY),
]


@pytest.mark.parametrize(("command", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_decision_is_not_superseded(command: Decide, reason: Reason) -> None:
    assert decided().says(command).reason is reason


def test_what_is_not_decided_is_not_superseded() -> None:
    assert scene_of(*STEPS).says(choose("no", supersede=True)).reason is Reason.STEP_NOT_READY


def test_with_four_eyes_it_is_withdrawn_and_decided_anew() -> None:
    made = scene_of(decision("cut", four_eyes="cio"))
    assert made.says(choose("no", supersede=True)).reason is Reason.SEVERAL_DECIDE


CUTS = decision("cut", sets={"go": "choice"})
"""A choice that conditions read by the variable that it sets."""


@pytest.mark.parametrize("made_of", [step, action], ids=["a person", "a machine"])
def test_what_a_decision_set_goes_with_it(made_of: Callable[..., dict[str, Any]]) -> None:
    made = scene_of(CUTS, made_of("pull", when='var("go") == "yes"'), variables={"go": {"default": "no"}})
    made.do(choose("yes"))
    assert made.step("pull").status == "ready"
    made.do(WithdrawDecision(actor=by(CHO), step="cut", reason="-"))
    assert made.step("pull").status == "not-applicable"
    assert made.incident.variables["unknown.go"] == "no", "what the playbook begins with counts again"
    made.do(choose("yes"))
    assert made.step("pull").status == "ready"


def test_what_another_decision_set_counts_again() -> None:
    made = scene_of(CUTS, decision("sure", sets={"go": "choice"}), step("look"))
    made.do(Decide(actor=by(CHO), step="sure", choice="no", reason="-"))
    made.do(choose("yes"))
    assert made.incident.variables == {"unknown.go": "yes"}
    made.do(WithdrawDecision(actor=by(CHO), step="cut", reason="-"))
    assert made.incident.variables == {"unknown.go": "no"}
    made.do(WithdrawDecision(actor=by(CHO), step="sure", reason="-"))
    assert made.incident.variables == {}


def test_reopening_takes_back_what_was_set_by_the_choices_it_asks_anew() -> None:
    first = CUTS | {"phase": "containment"}
    made = scene_of(first, step("pull", phase="eradication", when='var("go") == "yes"'))
    made.do(choose("yes"))
    assert made.step("pull").status == "ready"
    made.do(Reopen(actor=by(BEN), phase="containment", reason="-"))
    assert made.incident.variables == {}
    assert made.step("pull").status == "not-applicable"


def test_what_followed_by_a_variable_is_told_when_the_choice_is_superseded() -> None:
    made = scene_of(CUTS, step("pull", when='var("go") == "yes"'))
    made.do(choose("yes"))
    made.do(Done(actor=by(AMY), step="pull"))
    made.do(choose("no", supersede=True))
    assert made.facts("decision.superseded")[0].data["followed"] == ["unknown/pull"]


WITHDRAW: list[tuple[str, str, Reason | None]] = [
    ("its own authority", CHO, None),
    ("who leads", BEN, None),
    ("the deputy of somebody present", DAN, Reason.ROLE_MISSING),
    ("somebody else", FAY, Reason.ROLE_MISSING),
]


@pytest.mark.parametrize(
    ("person", "reason"), [row[1:] for row in WITHDRAW], ids=[row[0] for row in WITHDRAW]
)
def test_who_may_take_a_decision_back(person: str, reason: Reason | None) -> None:
    made = decided()
    command = WithdrawDecision(actor=by(person), step="cut", reason="-")
    if reason is None:
        made.do(command)
        assert made.step("cut").choice is None
        assert made.step("pull").status != "ready", "what hung on it goes with it"
    else:
        assert made.says(command).reason is reason
