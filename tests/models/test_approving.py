"""Four eyes on a decision: proposed by one, approved in person by another, never by time; opinions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from models.answers import ApproveDecision, AskOpinion, GiveOpinion, RejectDecision
from models.commands import (
    Acknowledge,
    Close,
    Confirm,
    Decide,
    EndIncident,
    OverrideGate,
    Resolve,
    SettleStep,
    UsePlaybook,
    WithdrawDecision,
)
from models.decide import decide
from models.errors import Refused
from models.fold import empty, fold
from models.layout import Layouts
from models.playbook import Step
from models.policy import Policy
from models.premises import Library
from models.reason import Reason
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVE,
    FAY,
    GUS,
    ROUTES,
    SEVERITY,
    Scene,
    by,
    decision,
    organisation,
    playbook,
    policy,
    route,
    scene,
    step,
)

pytestmark = pytest.mark.usefixtures("runs_again")

SECOND = route(
    "second",
    "approval",
    levels=[{"to": ["authority"], "within": "5m"}, {"to": ["csirt-lead"], "within": "5m"}],
)
WITH_ROUTE: Policy = policy(routes=[*ROUTES, SECOND])


def four_eyes(role: Any = "cio", *more: dict[str, Any], **fields: Any) -> Scene:
    """A decision of the CISO that a second person approves, and what comes after it."""
    after = step("shut", after=["choose"], when='decided("choose") == "yes"')
    return scene(playbook("unknown", decision("choose", four_eyes=role, **fields), after, *more))


def two_chiefs() -> Scene:
    """Two people hold the CISO's role, so that `four_eyes: true` has somebody to ask."""
    people = organisation().model_dump(mode="json")["people"]
    for one in people:
        if one["id"] == DAN:
            one["roles"] = ["ciso", "cio"]
    book = playbook("unknown", decision("choose", four_eyes=True))
    return scene(book, organisation=organisation(fields={"people": people}))


def propose(made: Scene, person: str = CHO, choice: str = "yes", **fields: Any) -> tuple[str, ...]:
    return made.do(Decide(actor=by(person), step="choose", choice=choice, reason="it spreads", **fields))


def approve(made: Scene, person: str = DAN, **fields: Any) -> tuple[str, ...]:
    return made.do(ApproveDecision(actor=by(person), step="choose", **fields))


def refusal(made: Scene, person: str, **fields: Any) -> Refused:
    return made.says(ApproveDecision(actor=by(person), step="choose", **fields))


def approval(made: Scene) -> Any:
    return made.page("approval:unknown/choose")


def test_the_first_person_proposes_and_nothing_follows_yet() -> None:
    made = four_eyes()
    asked = made.page("step:unknown/choose")
    kinds = propose(made)
    assert kinds[:1] == ("decision.proposed",)
    assert {"page.stopped", "approval.asked", "page.asked"} <= set(kinds)
    assert "decision.made" not in kinds
    assert made.incident.pages[asked.id].state == "stopped", "the first person has answered"
    known = made.step("choose")
    assert (known.status, known.choice, known.proposed and known.proposed.choice) == ("ready", None, "yes")
    assert "unknown/shut" not in made.incident.steps


def test_the_second_person_approves_and_it_is_decided_as_the_first_said() -> None:
    made = four_eyes(factors=["window"])
    propose(made, factors={"window": "unknown"})
    made.clock.advance(timedelta(minutes=3))
    kinds = approve(made, reason="agreed")
    assert kinds[:2] == ("decision.approved", "decision.made")
    known = made.step("choose")
    assert (known.status, known.choice, known.done_by) == ("done", "yes", CHO)
    assert known.proposed is None
    assert made.step("shut").status == "ready"
    assert approval(made).state == "stopped"
    [proposed], [fact] = made.facts("decision.proposed"), made.facts("decision.made")
    assert (fact.actor, fact.data["decided_by"], fact.data["approved_by"]) == (DAN, CHO, DAN)
    for name in ("reason", "factors", "choice", "authority"):
        assert fact.data[name] == proposed.data[name]
    assert made.desk.texts(made.stream)[fact.data["reason"]] == "it spreads"
    assert made.facts("decision.approved")[0].data["authority"]["role"] == "cio"


def test_the_page_for_approval_reaches_the_second_role_and_goes_up_its_route() -> None:
    book = playbook("unknown", decision("choose", four_eyes="cio"))
    made = scene(book, policy=WITH_ROUTE)
    propose(made)
    page = approval(made)
    assert (page.event, page.route) == ("approval", "second")
    assert [one.person for one in page.reached["0"]] == [DAN]
    assert "page.escalated" in made.wait(5)
    assert [one.person for one in approval(made).reached["1"]] == [BEN]
    assert made.outbox(template="page.approval", person=DAN) != []


def test_without_a_route_of_its_own_it_takes_the_one_for_decisions() -> None:
    made = four_eyes()
    propose(made)
    assert (approval(made).event, approval(made).route) == ("approval", "decision")
    assert [one.person for one in approval(made).reached["0"]] == [DAN]


def test_another_holder_of_the_same_role_approves_and_the_first_is_not_asked() -> None:
    made = two_chiefs()
    propose(made)
    assert [one.person for one in approval(made).reached["0"]] == [DAN]
    assert refusal(made, CHO).reason is Reason.SAME_PERSON
    assert made.do(Acknowledge(actor=by(CHO), page=approval(made).id)) == ("page.seen",)
    approve(made)
    assert made.step("choose").choice == "yes"


def test_where_nobody_else_holds_the_role_the_next_level_is_called_at_once_and_it_stays_open() -> None:
    made = four_eyes(True)
    assert "page.hurried" in propose(made)
    assert "page.escalated" in made.wait(0)
    assert refusal(made, DAN).reason is Reason.AUTHORITY_MISSING
    assert made.step("choose").choice is None


def test_nothing_is_ever_approved_by_time() -> None:
    made = four_eyes(within="10m")
    propose(made)
    kinds = [kind for _ in range(80) for kind in made.wait(30)]
    assert {"page.exhausted", "step.overdue"} <= set(kinds)
    assert not {kind for kind in kinds if kind.startswith("decision.")}
    assert made.step("choose").proposed is not None


@pytest.mark.parametrize(
    ("person", "fields", "why"),
    [
        (CHO, {}, Reason.SAME_PERSON),
        (BEN, {}, Reason.AUTHORITY_MISSING),
        (GUS, {"for_": DAN}, Reason.IN_PERSON),
        (BEN, {"for_": DAN}, Reason.IN_PERSON),
        (None, {}, Reason.UNKNOWN_PERSON),
    ],
    ids=[
        "Whoever proposed it",
        "Somebody without the role",
        "A scribe for the second person",
        "The lead for the second person",
        "Somebody nobody knows",
    ],
)
def test_who_cannot_be_the_second_pair_of_eyes(person: str, fields: dict[str, Any], why: Reason) -> None:
    made = four_eyes()
    propose(made)
    assert refusal(made, person, **fields).reason is why
    assert made.step("choose").choice is None


def test_whoever_wrote_the_proposal_down_is_one_of_its_eyes() -> None:
    made = four_eyes("csirt-lead")
    kinds = propose(made, BEN, for_=CHO)
    assert "confirm.asked" in kinds
    proposed = made.step("choose").proposed
    assert proposed is not None and (proposed.by, proposed.recorded_by) == (CHO, BEN)
    assert refusal(made, BEN).reason is Reason.SAME_PERSON
    assert BEN not in [one.person for one in approval(made).reached["0"]]
    made.do(Confirm(actor=by(CHO), fact=proposed.seq))


def test_what_is_not_approved_is_asked_for_again() -> None:
    made = four_eyes()
    propose(made)
    page = approval(made).id
    kinds = made.do(RejectDecision(actor=by(DAN), step="choose", reason="wait for the clearing"))
    assert kinds[0] == "decision.rejected"
    assert made.incident.pages[page].state == "stopped"
    known = made.step("choose")
    assert (known.status, known.choice, known.proposed) == ("ready", None, None)
    assert known.sent_back is not None and (known.sent_back.by, known.sent_back.choice) == (DAN, "yes")
    assert made.page("step:unknown/choose").state == "open"
    assert refusal(made, DAN).reason is Reason.NOTHING_PROPOSED
    propose(made, choice="no")
    assert made.step("choose").sent_back is None
    approve(made)
    assert made.step("choose").choice == "no"


def test_the_limit_does_not_move_for_a_rejection() -> None:
    made = four_eyes(within="20m")
    limit = made.step("choose").limit_at
    propose(made)
    made.clock.advance(timedelta(minutes=9))
    made.do(RejectDecision(actor=by(DAN), step="choose", reason="-"))
    assert made.step("choose").limit_at == limit


def test_a_rejection_by_telephone_stands_and_is_confirmed() -> None:
    made = four_eyes()
    propose(made)
    assert made.says(RejectDecision(actor=by(CHO), step="choose", reason="x")).reason is Reason.SAME_PERSON
    assert made.says(RejectDecision(actor=by(DAN), step="choose", reason=" ")).reason is Reason.REASON_MISSING
    assert "confirm.asked" in made.do(RejectDecision(actor=by(GUS), for_=DAN, step="choose", reason="x"))


def test_a_changed_mind_replaces_the_proposal_and_is_approved_anew() -> None:
    made = four_eyes()
    propose(made)
    first = approval(made).id
    propose(made, choice="no")
    assert made.incident.pages[first].state == "stopped"
    assert (approval(made).id, approval(made).state) != (first, "stopped")
    approve(made)
    assert (made.step("choose").choice, len(made.facts("decision.made"))) == ("no", 1)


def test_a_proposal_can_be_withdrawn_and_what_is_decided_is_not_approved_again() -> None:
    made = four_eyes()
    propose(made)
    made.do(WithdrawDecision(actor=by(BEN), step="choose", reason="too early"))
    assert made.step("choose").proposed is None
    assert refusal(made, DAN).reason is Reason.NOTHING_PROPOSED
    propose(made)
    approve(made)
    assert refusal(made, DAN).reason is Reason.ALREADY


def test_what_it_waited_for_is_withdrawn_so_the_proposal_falls_and_opinions_stay() -> None:
    """What was weighed has changed: it has to be proposed again."""
    made = four_eyes("cio", decision("before"), after=["before"])
    made.do(Decide(actor=by(CHO), step="before", choice="yes", reason="-"))
    propose(made)
    made.do(AskOpinion(actor=by(CHO), step="choose", person=EVE, question="?"))
    assert "step.reset" in made.do(WithdrawDecision(actor=by(BEN), step="before", reason="-"))
    assert approval(made).state == "stopped"
    assert made.step("choose").proposed is None
    assert len(made.step("choose").opinions) == 1


def test_an_incident_that_ended_asks_for_no_approval() -> None:
    made = four_eyes()
    propose(made)
    made.do(EndIncident(actor=by(AMY), how="dismissed", reason="-"))
    assert approval(made).state == "stopped"
    assert refusal(made, DAN).reason is Reason.NOT_OPEN


def test_a_skipped_decision_needs_no_approval_any_more() -> None:
    made = four_eyes()
    propose(made)
    made.do(SettleStep(actor=by(BEN), step="choose", how="skipped", reason="-"))
    assert approval(made).state == "stopped"
    assert made.step("choose").proposed is None
    assert refusal(made, DAN).reason is Reason.NOTHING_PROPOSED


def test_an_option_that_judges_a_report_judges_it_with_the_approval() -> None:
    obligation = {
        "id": "XX-OWED",
        "edition": "2026-01-01",
        "effective_from": "2026-01-01",
        "title": "Owed",
        "applies_if": 'impact("people") >= 1',
        "recipient": "Authority",
        "owner": "pr",
        "law": "-",
        "source": "-",
        "confidence": "G",
        "stages": [
            {"id": "first", "title": "First", "deadline": {"at_once": "recognised", "internal": "60m"}}
        ],
    }
    options = [{"id": "yes", "title": "-", "judges": {"XX-OWED": True}}, {"id": "no", "title": "-"}]
    book = playbook("unknown", decision("choose", four_eyes="cio", options=options))
    made = scene(book, policy=policy(routes=ROUTES, obligations=[obligation], severity=SEVERITY))
    assert "obligation.judged" not in propose(made)
    assert "obligation.judged" in approve(made)
    [judged], [proposed] = made.facts("obligation.judged"), made.facts("decision.proposed")
    assert judged.data["reason"] == proposed.data["reason"]


def test_the_course_folds_to_what_is_kept() -> None:
    made = four_eyes()
    propose(made)
    made.do(RejectDecision(actor=by(DAN), step="choose", reason="-"))
    propose(made)
    made.do(AskOpinion(actor=by(CHO), step="choose", person=EVE, question="?"))
    made.do(GiveOpinion(actor=by(EVE), step="choose", text="!"))
    approve(made)
    with made.desk.record.read() as tx:
        facts = tx.facts(made.stream)
    assert fold(empty(made.stream), facts) == made.incident


@pytest.mark.parametrize(
    ("field", "role"), [(None, None), (True, "ciso"), ("cio", "cio")], ids=["none", "true", "a role"]
)
def test_whose_the_second_pair_of_eyes_is(field: Any, role: str | None) -> None:
    assert Step.model_validate(decision("choose", four_eyes=field)).approver == role


@pytest.mark.parametrize("wrong", [False, "Not An Id", 3])
def test_four_eyes_is_a_role_or_true(wrong: Any) -> None:
    with pytest.raises(ValueError, match="four_eyes"):
        Step.model_validate(decision("choose", four_eyes=wrong))


def test_only_decisions_have_four_eyes() -> None:
    with pytest.raises(ValueError, match="belongs to a decision step"):
        Step.model_validate(step("look", four_eyes="cio"))


# -- second opinions ----------------------------------------------------------------------------------------


def test_an_opinion_is_asked_and_given_and_delays_nothing() -> None:
    made = four_eyes()
    asked = made.do(AskOpinion(actor=by(CHO), step="choose", person=EVE, question="can cards wait?"))
    assert asked == ("opinion.asked", "message.requested")
    [row] = made.outbox(template="notice.opinion")
    assert (row["person"], row["subject"]) == (EVE, "opinion:unknown/choose#1")
    propose(made)
    approve(made)
    assert made.step("choose").choice == "yes", "it waited for nobody's opinion"
    assert made.do(GiveOpinion(actor=by(EVE), step="choose", text="until five")) == (
        "opinion.given",
        "message.requested",
    )
    [back] = made.outbox(template="notice.opinion_given")
    assert back["person"] == CHO
    [one] = made.step("choose").opinions
    texts = made.desk.texts(made.stream)
    assert (texts[one.question], texts[one.text or ""]) == ("can cards wait?", "until five")


def test_one_answer_goes_to_everybody_who_asked() -> None:
    made = four_eyes()
    for person in (CHO, BEN, CHO):
        made.do(AskOpinion(actor=by(person), step="choose", person=EVE, question="?"))
    made.do(AskOpinion(actor=by(CHO), step="choose", person=FAY, question="?"))
    made.do(GiveOpinion(actor=by(EVE), step="choose", text="!"))
    assert sorted(row["person"] for row in made.outbox(template="notice.opinion_given")) == [BEN, CHO]
    assert [one.given_at is not None for one in made.step("choose").opinions] == [True, True, True, False]
    again = made.says(GiveOpinion(actor=by(EVE), step="choose", text="!"))
    assert again.reason is Reason.NOT_ASKED_FOR_OPINION


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (AskOpinion(actor=by(CHO), step="choose", person="mallory", question="?"), Reason.UNKNOWN_PERSON),
        (AskOpinion(actor=by(CHO), step="choose", person=EVE, question=" "), Reason.EMPTY),
        (AskOpinion(actor=by(CHO), step="none", person=EVE, question="?"), Reason.NO_SUCH_STEP),
        (GiveOpinion(actor=by(EVE), step="choose", text="!"), Reason.NOT_ASKED_FOR_OPINION),
    ],
)
def test_opinions_that_are_refused(command: Any, why: Reason) -> None:
    assert four_eyes().says(command).reason is why


def test_opinions_of_a_step_have_a_bound() -> None:
    made = four_eyes()
    for _ in range(50):
        made.do(AskOpinion(actor=by(CHO), step="choose", person=EVE, question="?"))
    more = AskOpinion(actor=by(CHO), step="choose", person=EVE, question="?")
    assert made.says(more).reason is Reason.FIELD_WRONG
    assert len(made.step("choose").opinions) == 50


# -- playbooks that move, incidents that close --------------------------------------------------------------


def moved(made: Scene, **fields: Any) -> tuple[str, ...]:
    """The playbook in its next version, with another decision of the same name."""
    book = playbook("unknown", decision("choose", **fields), step("shut", after=["choose"]), version="1.1.0")
    made.desk.library = Library({"unknown": book})
    return made.do(UsePlaybook(actor=by(BEN), how="move", playbook="unknown", reason="newer"))


OTHERS = [{"id": "wait", "title": "wait"}, {"id": "no", "title": "no"}]


@pytest.mark.parametrize(
    "fields", [{"four_eyes": "cio", "options": OTHERS}, {}, {"four_eyes": "csirt-lead"}], ids=str
)
def test_a_proposal_that_nobody_can_approve_any_more_is_asked_for_again(fields: dict[str, Any]) -> None:
    made = four_eyes()
    propose(made)
    asked = approval(made)
    assert "step.reset" in moved(made, **fields)
    assert made.incident.pages[asked.id].state == "stopped"
    known = made.step("choose")
    assert (known.status, known.proposed) == ("ready", None)
    assert made.page("step:unknown/choose").state == "open"
    assert refusal(made, DAN).reason is Reason.NOTHING_PROPOSED


def test_a_proposal_that_the_next_version_knows_still_waits() -> None:
    made = four_eyes()
    propose(made)
    assert "step.reset" not in moved(made, four_eyes="cio")
    approve(made)
    assert made.step("choose").choice == "yes"


def test_an_option_that_is_gone_from_the_playbook_is_not_approved() -> None:
    """Records in which a playbook was moved under a proposal, before such a proposal was made void."""
    made = four_eyes()
    propose(made)
    state = made.incident
    world = made.desk.world(state)
    plans = {
        "unknown": Library(
            {"unknown": playbook("unknown", decision("choose", four_eyes="cio", options=OTHERS))}
        )["unknown"].plan
    }
    with pytest.raises(Refused) as refused:
        decide(
            state,
            ApproveDecision(actor=by(DAN), step="choose"),
            replace(world, plans=plans, layouts=Layouts(), kept={}),
        )
    assert refused.value.reason is Reason.NO_SUCH_OPTION
    assert refused.value.detail["known"] == ["wait", "no"]


def test_closing_waits_for_what_was_proposed_and_if_it_is_passed_the_page_ends() -> None:
    made = four_eyes(phase="communication")
    propose(made)
    made.do(SettleStep(actor=by(BEN), step="shut", how="not-applicable", reason="-"))
    made.do(Resolve(actor=by(BEN), cause="c", entry_route="e"))
    made.clock.advance(timedelta(days=4))
    made.desk.tick(made.stream)
    refused = made.says(Close(actor=by(BEN), assessment="-", spread="-"))
    assert "proposal-open:unknown/choose" in str(refused.detail["causes"])
    made.do(OverrideGate(actor=by(DAN), gate="closing", step=made.stream, reason="-"))
    assert approval(made).state == "open"
    made.do(Close(actor=by(BEN), assessment="-", spread="-"))
    assert made.incident.status == "closed"
    assert approval(made).state == "stopped"
    assert made.wait(600) == ()


def test_nobody_is_asked_for_an_opinion_whom_no_channel_reaches() -> None:
    made = scene(organisation=organisation(channels={CHO: ["sms"]}))
    refused = made.says(AskOpinion(actor=by(AMY), step="look", person=CHO, question="?"))
    assert refused.reason is Reason.FIELD_WRONG
