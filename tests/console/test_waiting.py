"""What an incident waits for from whom, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from console.courses import sendings
from console.texts import texts
from console.views.ladder import Ladder, ladder, shown
from console.views.naming import Naming
from console.views.waiting import Waiting, waiting
from models.answers import AskOpinion, Decline, GiveOpinion, HandOver, RefuseHandOver
from models.commands import Acknowledge, Confirm, Decide, Done, Note, StartStep
from tests.models.small import AMY, BEN, CHO, DAN, EVE, GUS, Scene, by, decision, scene, scene_of, step
from tests.models.test_access import with_vendor

WHY = "because"


def naming(made: Scene) -> Naming:
    state = made.incident
    beside = made.desk.texts(made.stream)
    return Naming(texts=texts("en"), world=made.desk.world(state), state=state, beside=beside)


def of(made: Scene, person: str) -> list[tuple[str, str]]:
    return [(one.kind, one.subject) for one in waiting(person, naming(made))]


def one(made: Scene, person: str, kind: str) -> Waiting:
    return next(found for found in waiting(person, naming(made)) if found.kind == kind)


def test_whoever_was_paged_is_asked_first_and_then_to_begin() -> None:
    made = scene()
    page = str(made.page().id)
    assert of(made, AMY) == [("page", page), ("step", "unknown/look")]
    assert one(made, AMY, "page").at is not None
    assert of(made, CHO) == []
    made.do(Acknowledge(actor=by(AMY), page=made.page().id))
    assert of(made, AMY) == [("work", page), ("step", "unknown/look")]
    made.do(StartStep(actor=by(AMY), step="look"))
    assert of(made, AMY) == [("step", "unknown/look")]
    made.do(Done(actor=by(AMY), step="look"))
    assert of(made, AMY) == []


def test_a_page_climbs_to_those_who_are_reached_then() -> None:
    made = scene()
    made.do(Decline(actor=by(AMY), page=made.page().id, reason=WHY))
    assert ("page", str(made.page().id)) not in of(made, AMY)
    made.wait(6)
    assert ("page", str(made.page().id)) in of(made, BEN)
    made.wait(40)
    assert one(made, CHO, "page").late, "the last resort is called"


def test_a_decision_waits_for_its_authority_alone() -> None:
    made = scene_of(decision("isolate", within="15m"))
    assert ("decision", "unknown/isolate") in of(made, CHO)
    assert ("decision", "unknown/isolate") not in of(made, AMY)
    assert not one(made, CHO, "decision").late
    made.wait(16)
    assert one(made, CHO, "decision").late


def test_of_four_eyes_the_second_pair_is_asked_to_approve_and_the_first_no_more() -> None:
    made = scene_of(decision("isolate", four_eyes="cio"))
    made.do(Decide(actor=by(CHO), step="isolate", choice="yes", reason=WHY))
    assert "decision" not in [kind for kind, _ in of(made, CHO)]
    assert ("approval", "unknown/isolate") in of(made, DAN)
    assert one(made, DAN, "approval").by == CHO


def test_of_a_quorum_whose_seat_is_empty_is_asked() -> None:
    made = scene_of(decision("pay", authority=None, quorum={"of": ["ciso", "cio", "pr"], "need": 2}))
    made.do(Decide(actor=by(CHO), step="pay", choice="yes", reason=WHY))
    assert "decision" not in [kind for kind, _ in of(made, CHO)]
    assert ("decision", "unknown/pay") in of(made, DAN)


def test_what_is_handed_over_waits_for_the_receiver() -> None:
    made = scene_of(step("copy"))
    made.do(HandOver(actor=by(AMY), step="copy", person=BEN, reason="I am <b>off</b>"))
    found = one(made, BEN, "hand-over")
    assert (found.by, found.text) == (AMY, "I am <b>off</b>")
    assert "step" not in [kind for kind, _ in of(made, AMY)]
    made.do(RefuseHandOver(actor=by(BEN), step="copy", reason=WHY))
    assert "hand-over" not in [kind for kind, _ in of(made, BEN)]


def test_an_opinion_is_asked_until_it_is_given() -> None:
    made = scene_of(step("copy"))
    made.do(AskOpinion(actor=by(AMY), step="copy", person=EVE, question="is it safe?"))
    assert one(made, EVE, "opinion").text == "is it safe?"
    made.do(GiveOpinion(actor=by(EVE), step="copy", text="yes"))
    assert of(made, EVE) == []


def test_what_a_scribe_wrote_waits_for_whom_it_was_written_for() -> None:
    made = scene()
    made.do(Note(actor=by(GUS), for_=CHO, text="by telephone"))
    seq = made.facts("note.added")[-1].seq
    assert ("confirm", str(seq)) in of(made, CHO)
    made.do(Confirm(actor=by(CHO), fact=seq))
    assert "confirm" not in [kind for kind, _ in of(made, CHO)]


def test_a_step_that_somebody_else_has_begun_waits_for_them_only() -> None:
    made = scene_of(step("copy", owner="csirt-lead"), step("look"))
    assert ("step", "unknown/copy") in of(made, BEN)
    made.do(StartStep(actor=by(CHO), step="copy"))
    assert ("step", "unknown/copy") not in of(made, BEN)
    assert ("step", "unknown/copy") in of(made, CHO) or made.step("copy").started_by == CHO


def test_a_third_party_is_told_of_its_own_steps_only() -> None:
    made = with_vendor(step("theirs", owner="vendor-desk"), decision("choose"))
    assert of(made, "vic") == [("step", "unknown/theirs")]


# -- the ladder ---------------------------------------------------------------------------------------------


def climbed(made: Scene) -> Ladder:
    page = made.page()
    sent = sendings(made.desk.record, made.stream, [page.id], 400)
    return ladder(page, sent, naming(made))


RUNGS: list[tuple[str, float, list[tuple[int, bool, bool]]]] = [
    ("asked", 0, [(1, True, False), (2, False, True), (3, False, False), (0, False, False)]),
    ("a level on", 6, [(1, True, False), (2, True, False), (3, False, True), (0, False, False)]),
    ("all levels", 11, [(1, True, False), (2, True, False), (3, True, False), (0, False, True)]),
    ("the last resort", 21, [(1, True, False), (2, True, False), (3, True, False), (0, True, False)]),
]


@pytest.mark.parametrize(("name", "minutes", "rungs"), RUNGS, ids=[row[0] for row in RUNGS])
def test_the_ladder_says_who_was_reached_and_who_is_next(name: str, minutes: float, rungs: list[Any]) -> None:
    made = scene()
    for _ in range(int(minutes)):
        made.wait(1)
    found = climbed(made)
    assert [(one.number, one.reached, one.next) for one in found.rungs] == rungs
    assert [one.at for one in found.rungs] == sorted(one.at for one in found.rungs)
    assert found.exhausted is (minutes > 20)
    assert [person.name for person in found.rungs[0].people] == [AMY]
    assert found.rungs[0].people[0].messages[0].state == "queued"
    assert found.next_at is not None and found.next_at > made.clock.now()


def test_the_ladder_says_what_people_answered() -> None:
    made = scene()
    made.do(Decline(actor=by(AMY), page=made.page().id, reason="<script>no</script>"))
    made.wait(6)
    made.do(Acknowledge(actor=by(BEN), page=made.page().id))
    found = climbed(made)
    assert (found.state, found.acked_by, found.next_at) == ("acknowledged", BEN, None)
    said = {one.name: (one.answer, one.why) for rung in found.rungs for one in rung.people}
    assert said[AMY] == ("declined", "<script>no</script>")
    assert said[BEN] == ("acknowledged", "")
    assert all(rung.reached for rung in found.rungs)


def test_of_many_open_pages_the_ones_that_climbed_furthest_are_shown() -> None:
    made = scene_of(step("late", within="1m"))
    for n in range(9):
        made.do(Note(actor=by(GUS), for_=CHO, text=f"note {n}"))
    made.wait(6)
    pages, more = shown(made.incident)
    assert pages[0].id == made.page().id, "the one that is a level further"
    assert len(pages) == 5
    assert more == len(made.incident.open_pages()) - 5
