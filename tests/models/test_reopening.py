"""A phase that has ended is taken up again by a decision only; a rule may propose it and pages who leads."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.commands import (
    AddImprovement,
    AssignRole,
    Close,
    Decide,
    Done,
    EndIncident,
    Reopen,
    Resolve,
    ScopeFact,
)
from models.reason import Reason
from models.reopening import DeclineReopening
from models.rules.reopening import propose_reopening
from tests.models.small import AMY, BEN, CHO, FAY, NIGHT, Scene, by, decision, scene_of, step

pytestmark = pytest.mark.usefixtures("runs_again")

STEPS = (
    decision("first", decides="containment-or-preservation", phase="preservation", after=[]),
    step("cut", phase="containment", after=["first"]),
    step("clean", phase="eradication", after=["cut"]),
)
HOST = ScopeFact(actor=by(AMY), what="add", kind="host", name="another host")
AGAIN = Reopen(actor=by(BEN), phase="containment", reason="another host")
NO = DeclineReopening(actor=by(BEN), phase="containment", reason="a test machine without a network")


def contained() -> Scene:
    """Containment has ended; eradication is under way."""
    made = scene_of(*STEPS)
    made.do(Decide(actor=by(CHO), step="first", choice="yes", reason="-"))
    made.do(Done(actor=by(AMY), step="cut"))
    assert made.incident.phases["containment"].status == "ended"
    return made


def resolved() -> Scene:
    made = contained()
    made.do(Done(actor=by(AMY), step="clean"))
    made.do(Resolve(actor=by(BEN), cause="-", entry_route="-"))
    return made


def test_scope_that_grows_after_containment_asks_whoever_leads() -> None:
    made = contained()
    kinds = made.do(HOST)
    assert kinds[:3] == ("scope.added", "reopening.proposed", "page.asked")
    page = made.page("reopening:containment")
    assert (page.event, page.state) == ("reopening", "open")
    assert [one.person for one in page.reached["0"]] == [BEN], "nobody leads yet: the head of the CSIRT"
    assert made.incident.reopenings["containment"].causes == ["scope-grew:SC-001"]
    assert made.outbox(template="page.reopening")
    assert made.incident.phases["containment"].status == "ended", "proposed is not decided"


def test_the_commander_is_asked_once_there_is_one() -> None:
    made = contained()
    made.do(AssignRole(actor=by(BEN), role="commander", person=CHO))
    made.do(HOST)
    assert [one.person for one in made.page("reopening:containment").reached["0"]] == [CHO]


def test_a_further_cause_joins_the_proposal_and_pages_nobody_twice() -> None:
    made = contained()
    made.do(HOST)
    assert "page.asked" not in made.do(ScopeFact(actor=by(AMY), what="add", kind="host", name="a third"))
    assert made.incident.reopenings["containment"].causes == ["scope-grew:SC-001", "scope-grew:SC-002"]
    state = made.incident
    assert propose_reopening(state, "containment", "scope-grew:SC-002", made.desk.world(state)) == []


def test_nothing_is_proposed_of_a_phase_that_runs_or_has_not_begun() -> None:
    made = scene_of(*STEPS)
    assert made.do(HOST) == ("scope.added",)
    state = made.incident
    assert propose_reopening(state, "recovery", "scope-grew:SC-001", made.desk.world(state)) == []


def test_nothing_is_proposed_of_an_incident_that_was_none() -> None:
    made = contained()
    made.do(EndIncident(actor=by(BEN), how="dismissed", reason="-"))
    state = made.incident
    assert propose_reopening(state, "containment", "scope-grew:SC-001", made.desk.world(state)) == []


def test_reopening_settles_the_proposal_and_asks_for_the_choice_and_the_steps_again() -> None:
    made = contained()
    made.do(HOST)
    made.do(AGAIN)
    assert made.incident.reopenings == {}
    assert made.page("reopening:containment").state == "stopped"
    assert made.incident.phases["containment"].status == "open"
    assert made.step("first").choice is None, "what was chosen for the first hosts is chosen anew"
    assert made.step("first").status == "ready"
    assert made.step("cut").status == "waiting"
    assert made.step("clean").status == "ready", "a later phase is taken up again by a decision of its own"


def test_another_phase_keeps_the_choice() -> None:
    made = contained()
    made.do(Done(actor=by(AMY), step="clean"))
    made.do(Reopen(actor=by(BEN), phase="eradication", reason="-"))
    assert made.step("first").choice == "yes"
    assert made.step("clean").status == "ready"


def test_declining_settles_it_too_and_is_on_record_with_its_reason() -> None:
    made = contained()
    made.do(HOST)
    made.do(NO)
    assert made.incident.reopenings == {}
    assert made.page("reopening:containment").state == "stopped"
    assert made.facts("reopening.declined")[0].data["reason"].startswith("t:")
    assert made.says(NO).reason is Reason.NO_SUCH_ITEM


@pytest.mark.parametrize("command", [AGAIN, NO], ids=["reopen", "decline"])
def test_both_answers_need_who_may_reopen(command: Reopen | DeclineReopening) -> None:
    made = contained()
    made.do(HOST)
    outsider = type(command)(actor=by(FAY), phase="containment", reason="-")
    assert made.says(outsider).reason is Reason.ROLE_MISSING
    nothing = type(command)(actor=by(BEN), phase="containment", reason=" ")
    assert made.says(nothing).reason is Reason.REASON_MISSING


def test_time_alone_settles_nothing_and_the_page_climbs() -> None:
    made = contained()
    made.do(HOST)
    for _ in range(12):
        made.wait(30)
    assert "containment" in made.incident.reopenings
    assert made.incident.phases["containment"].status == "ended"
    assert made.page("reopening:containment").level > 0


def test_a_phase_reopened_after_resolving_takes_the_incident_up_again() -> None:
    made = resolved()
    made.do(HOST)
    kinds = made.do(AGAIN)
    assert kinds[:2] == ("incident.reopened", "phase.reopened")
    assert made.incident.status == "open"
    assert made.incident.watch_until is None, "what is contained anew is watched anew"


def test_the_review_is_taken_up_again_without_the_response() -> None:
    made = resolved()
    assert made.incident.phases["lessons"].status == "ended"
    made.do(Reopen(actor=by(BEN), phase="lessons", reason="-"))
    assert made.incident.status == "resolved"


def test_a_closed_incident_still_asks() -> None:
    made = resolved()
    due = NIGHT + timedelta(days=60)
    made.do(AddImprovement(actor=by(AMY), title="-", owner=AMY, due=due))
    made.wait(60 * 24 * 4)
    made.do(Close(actor=by(BEN), assessment="-", spread="-"))
    made.do(HOST)
    assert made.page("reopening:containment").state == "open"
    made.do(AGAIN)
    assert made.incident.status == "open"
