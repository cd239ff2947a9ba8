"""What a bar reaches beyond its incident: a shift plan, the programme of improvements, a merge."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models import commands as c
from models.communication import SendSituation
from models.reason import Reason
from models.restriction import BreakGlass, Restrict
from models.shifts import PlannedShift, SetShifts
from tests.models.small import AMY, BEN, CHO, DAN, EVE, FAY, NIGHT, ROUTES, Scene, by, policy, scene, step
from tests.models.small import playbook as written
from tests.models.test_access import GLASS_ROUTE, WHY, restricted

IMP = "IMP-2026-0001-1"
PROGRAMME = "programme"


def planned(made: Scene, role: str, person: str) -> None:
    shift = PlannedShift(
        role=role, person=person, since=NIGHT + timedelta(hours=1), until=NIGHT + timedelta(hours=9)
    )
    made.do(SetShifts(actor=by(CHO), shifts=(shift,), roles=(role,), rest=0))


def test_a_shift_hands_nothing_to_whoever_was_barred_since() -> None:
    made = restricted()
    made.do(c.AssignRole(actor=by(CHO), role="commander", person=CHO))
    planned(made, "commander", DAN)
    made.do(Restrict(actor=by(CHO), bar=(DAN,), **WHY))
    told = made.wait(61)
    assert "role.handed_over" not in told
    assert made.facts("shift.missed")[0].data["person"] == DAN
    assert made.incident.assigned["commander"] == CHO
    assert not made.outbox(person=DAN, state="queued")


def test_the_deputy_of_whoever_was_barred_gets_a_free_role_and_no_authority() -> None:
    made = restricted()
    planned(made, "commander", AMY)
    made.do(Restrict(actor=by(CHO), bar=(AMY,), **WHY))
    made.wait(61)
    assert made.incident.assigned["commander"] == BEN
    made = restricted()
    planned(made, "csirt-duty", AMY)
    made.do(Restrict(actor=by(CHO), bar=(AMY,), **WHY))
    made.wait(61)
    assert "csirt-duty" not in made.incident.assigned
    assert made.facts("shift.missed")


def test_a_report_is_sent_to_nobody_who_is_barred() -> None:
    made = restricted(bar=(BEN,))
    assert made.says(SendSituation(actor=by(CHO), text="x", to=("ciso", BEN))).detail == {"who": BEN}


def with_improvement(owner: str = EVE, **fields: object) -> Scene:
    made = restricted(**fields)
    due = NIGHT + timedelta(days=3)
    made.do(c.AddImprovement(actor=by(CHO), title="canary", owner=owner, due=due))
    return made


def ends(person: str, number: str = IMP, how: str = "done") -> c.EndImprovement:
    return c.EndImprovement(actor=by(person), id=number, how=how, reason="x")  # type: ignore[arg-type]


@pytest.mark.parametrize("person", [BEN, EVE])
def test_an_improvement_of_it_does_not_exist_for_whoever_is_barred(person: str) -> None:
    made = with_improvement()
    made.do(Restrict(actor=by(CHO), bar=(BEN, EVE), **WHY))
    there = made.says(ends(person), PROGRAMME)
    nowhere = made.says(ends(person, "IMP-9"), PROGRAMME)
    assert there.reason is nowhere.reason is Reason.NO_SUCH_ITEM
    assert there.detail == {"item": IMP, "known": []}
    assert nowhere.detail == {"item": "IMP-9", "known": []}


def test_an_improvement_of_it_does_not_exist_for_whoever_is_not_named_but_for_its_owner() -> None:
    made = with_improvement()
    assert made.says(ends(BEN, how="accepted"), PROGRAMME).reason is Reason.NO_SUCH_ITEM
    assert made.says(ends(CHO, "IMP-9"), PROGRAMME).detail["known"] == [IMP]
    made.do(ends(EVE), PROGRAMME)


def test_a_page_about_it_cannot_be_answered_by_whoever_was_barred_after_it() -> None:
    made = with_improvement(owner=EVE)
    made.wait(60 * 24 * 4, PROGRAMME)
    number, page = next(iter(made.desk.state(PROGRAMME).pages.items()))
    called = next(one.person for people in page.reached.values() for one in people)
    seen = made.says(c.Acknowledge(actor=by(FAY), page=number), PROGRAMME)
    assert seen.reason is Reason.NO_SUCH_PAGE
    made.do(Restrict(actor=by(CHO), bar=(called,), **WHY))
    gone = made.says(c.Acknowledge(actor=by(called), page=number), PROGRAMME)
    assert gone.detail == {"page": number, "known": []}
    assert not made.desk.state(PROGRAMME).pages[number].acks


def test_whoever_was_called_for_it_may_answer() -> None:
    made = with_improvement(owner=EVE)
    made.wait(60 * 24 * 4, PROGRAMME)
    number, page = next(iter(made.desk.state(PROGRAMME).pages.items()))
    called = next(one.person for people in page.reached.values() for one in people)
    made.do(c.Acknowledge(actor=by(called), page=number), PROGRAMME)


def test_a_review_of_broken_glass_is_not_the_barred_reviewers() -> None:
    made = restricted()
    made.do(Restrict(actor=by(CHO), people=(BEN,), **WHY))
    made.do(Restrict(actor=by(BEN), bar=(CHO,), **WHY))
    made.do(BreakGlass(actor=by(FAY), reason="x"))
    made.wait(60 * 24 * 8, PROGRAMME)
    for _ in range(6):
        made.wait(120, PROGRAMME)
    assert CHO not in {row["person"] for row in made.outbox(stream=PROGRAMME)}


def two(first: bool, second: bool) -> tuple[Scene, str]:
    book = written("one", step("look"))
    made = scene(book, declare=False, policy=policy(routes=[GLASS_ROUTE, *ROUTES]))
    names = [
        made.desk.handle(None, c.Declare(actor=by(BEN), text="x", playbooks=("one",), restricted=on)).stream
        for on in (first, second)
    ]
    made.stream = names[0]
    return made, names[1]


@pytest.mark.parametrize(("first", "second"), [(True, False), (False, True)])
def test_a_restricted_one_and_an_open_one_are_not_merged(*, first: bool, second: bool) -> None:
    made, into = two(first, second)
    said = made.desk.handle(made.stream, c.Merge(actor=by(BEN), into=into, reason="x"))
    assert said.refused is Reason.NOT_RESTRICTED
    assert said.detail == {"incident": into if first else made.stream}
    assert not made.facts("incident.merged")
    assert not made.facts("incident.absorbed", into)
    hidden = made.desk.handle(made.stream, c.Merge(actor=by(AMY), into=into, reason="x"))
    assert not hidden.accepted


def test_two_restricted_ones_are_merged() -> None:
    made, into = two(first=True, second=True)
    made.do(c.Merge(actor=by(BEN), into=into, reason="x"))
    assert made.facts("incident.absorbed", into)
