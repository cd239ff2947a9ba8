"""Saying no to a page: the others are waited for, else the next is called; nobody is asked twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.answers import Decline
from models.commands import Acknowledge, Confirm, Delegate, EndIncident, MarkDelivery
from models.page import nobody_left
from models.reason import Reason
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVE,
    FAY,
    GUS,
    MACHINE,
    ROUTES,
    Scene,
    by,
    organisation,
    policy,
    route,
    scene,
)

pytestmark = pytest.mark.usefixtures("runs_again")

BOTH = [
    route(
        "both",
        "declared",
        levels=[
            {"to": ["csirt-duty", "pr"], "within": "5m", "repeat": "2m"},
            {"to": ["csirt-lead"], "within": "5m"},
            {"to": ["ciso", "cio"], "within": "5m", "repeat": "2m"},
        ],
        exhausted={"to": ["ciso", "cio"], "every": "5m"},
    ),
    *ROUTES[1:],
]


def two() -> Scene:
    """The first level holds two people, and so do the last and the last resort."""
    return scene(policy=policy(routes=BOTH))


def no(made: Scene, person: str, reason: str = "in hospital", **fields: Any) -> tuple[str, ...]:
    return made.do(Decline(actor=by(person), page=made.page().id, reason=reason, **fields))


def asked(made: Scene, level: int | str) -> list[str]:
    return [one.person for one in made.page().reached.get(str(level), [])]


def test_the_only_one_of_a_level_says_no_and_the_next_is_called_at_once() -> None:
    made = scene()
    assert no(made, AMY) == ("page.declined", "page.hurried")
    assert made.wait(0) == ("page.escalated",)
    assert (made.page().level, asked(made, 1)) == (1, [BEN])
    [hurried] = made.facts("page.hurried")
    assert hurried.data["reason"] == Reason.DECLINED.value
    [fact] = made.facts("page.declined")
    assert {name: fact.data[name] for name in ("by", "level")} == {"by": AMY, "level": 0}
    assert made.desk.texts(made.stream)[fact.data["reason"]] == "in hospital"


def test_the_time_of_the_levels_after_counts_from_the_no() -> None:
    made = scene()
    made.wait(2)
    no(made, AMY)
    made.wait(0)
    assert made.wait(4.9) == ()
    assert made.wait(0.1) == ("page.escalated",)


def test_while_another_of_the_level_may_answer_it_waits_for_them() -> None:
    made = two()
    assert no(made, AMY) == ("page.declined",)
    assert made.wait(1) == ()
    assert made.page().level == 0
    assert no(made, FAY) == ("page.declined", "page.hurried")
    assert made.wait(0) == ("page.escalated",)


def test_who_said_no_is_not_called_again_by_repeats_of_that_level() -> None:
    made = two()
    no(made, AMY)
    assert made.wait(2) == ("page.repeated",)
    assert asked(made, 0) == [FAY]
    made.do(Acknowledge(actor=by(AMY), page=made.page().id))
    assert made.page().declined == {}
    assert made.page().acked_by == AMY


def test_a_no_and_a_message_that_reached_nobody_leave_nobody() -> None:
    for order in ("no first", "failure first"):
        made = two()
        page = made.page()
        lost = MarkDelivery(
            actor=MACHINE,
            key=f"{made.stream}/{page.id}/0/1/console:{FAY}",
            outcome="given_up",
            page=page.id,
            person=FAY,
        )
        if order == "no first":
            no(made, AMY)
            assert "page.hurried" in made.do(lost)
        else:
            assert "page.hurried" not in made.do(lost)
            assert "page.hurried" in no(made, AMY)
        assert made.wait(0) == ("page.escalated",)


def test_where_all_must_answer_one_no_sends_it_on_once_the_others_have_answered() -> None:
    levels = [{"to": ["csirt-duty", "pr"], "within": "5m", "answer": "all"}, {"to": ["cio"], "within": "5m"}]
    for first_no in (True, False):
        made = scene(policy=policy(routes=[route("all", "declared", levels=levels), *ROUTES[1:]]))
        yes = Acknowledge(actor=by(FAY), page=made.page().id)
        if first_no:
            assert no(made, AMY) == ("page.declined",)
            assert made.do(yes) == ("page.acknowledged", "page.hurried")
        else:
            made.do(yes)
            assert no(made, AMY) == ("page.declined", "page.hurried")
        assert made.page().state == "open"
        assert made.wait(0) == ("page.escalated",)


def test_on_the_last_level_the_last_resort_is_called_at_once_and_goes_on_with_the_others() -> None:
    made = two()
    made.wait(10)
    assert made.page().level == 2
    assert no(made, CHO) == ("page.declined",)
    assert made.wait(2) == ("page.repeated",)
    assert asked(made, 2) == [DAN]
    no(made, DAN)
    assert made.wait(0) == ("page.exhausted",)
    assert asked(made, "last") == [CHO, DAN]
    assert no(made, CHO) == ("page.declined",)
    assert made.page().declined[CHO].level == 3
    assert made.wait(5) == ("page.exhausted",)
    assert asked(made, "last") == [DAN]
    no(made, DAN)
    assert made.wait(5) == ("page.exhausted",)
    assert asked(made, "last") == [CHO, DAN], "a page does not end because nobody is left"


def test_who_has_it_gives_it_back_and_everybody_who_was_told_hears_of_it() -> None:
    made = scene()
    page = made.page().id
    made.wait(5)
    for row in made.outbox(state="queued", kind="page"):
        sent = {"key": row["key"], "channel": row["channel"], "person": row["person"]}
        made.do(MarkDelivery(actor=MACHINE, outcome="sent", page=page, **sent))
    made.do(Acknowledge(actor=by(AMY), page=page))
    assert [row["person"] for row in made.outbox(template="notice.acknowledged")] == [BEN]
    made.wait(3)
    assert no(made, AMY, "the line is too bad") == ("page.declined", "page.hurried")
    assert (made.page().state, made.page().acked_by, made.page().acks) == ("open", None, {})
    assert made.page().declined[AMY].gave_back
    assert [row["person"] for row in made.outbox(template="notice.declined")] == [BEN]
    assert made.wait(0) == ("page.escalated",)
    assert asked(made, 2) == [CHO]
    assert made.says(Decline(actor=by(AMY), page=page, reason="again")).reason is Reason.ALREADY


def test_a_lapse_after_a_no_calls_only_the_others() -> None:
    made = scene(policy=policy(routes=[BOTH[0] | {"renew": "3m"}, *ROUTES[1:]]))
    no(made, AMY)
    made.do(Acknowledge(actor=by(FAY), page=made.page().id))
    assert made.wait(3) == ("page.lapsed",)
    assert asked(made, 0) == [FAY]


def test_a_delegate_who_says_no_ends_the_wait() -> None:
    made = scene()
    page = made.page().id
    for row in made.outbox(kind="page"):
        made.do(MarkDelivery(actor=MACHINE, key=row["key"], outcome="sent", page=page, person=AMY))
    until = made.clock.now() + timedelta(hours=2)
    made.do(Delegate(actor=by(AMY), page=page, to=EVE, until=until))
    assert made.page().delegated_by == AMY
    assert no(made, EVE) == ("page.declined", "page.hurried")
    assert made.page().delegated_to is None
    assert [row["person"] for row in made.outbox(template="notice.declined")] == [AMY]
    assert made.wait(0) == ("page.escalated",)
    assert asked(made, 1) == [BEN]


def test_who_delegated_may_still_say_no_and_the_delegate_is_waited_for() -> None:
    made = scene()
    until = made.clock.now() + timedelta(hours=2)
    made.do(Delegate(actor=by(AMY), page=made.page().id, to=EVE, until=until))
    assert no(made, AMY) == ("page.declined",)
    assert nobody_left(made.page()) is None
    assert made.wait(60) == ()


def test_what_still_waits_for_who_said_no_is_not_sent() -> None:
    made = two()
    no(made, AMY)
    states = {row["person"]: row["state"] for row in made.outbox(kind="page")}
    assert states == {AMY: "withdrawn", FAY: "queued"}


def test_an_absent_ones_deputy_says_no_for_themselves() -> None:
    made = scene(organisation=organisation(absent=(AMY,)))
    assert asked(made, 0) == [BEN]
    assert no(made, BEN) == ("page.declined", "page.hurried")
    assert made.wait(0) == ("page.escalated",)
    assert made.page().declined[BEN].level == 0
    assert asked(made, 1) == [BEN], "the next level asks in another role"
    assert no(made, BEN) == ("page.declined", "page.hurried")


def test_a_no_by_telephone_is_written_down_and_confirmed() -> None:
    made = scene()
    assert "confirm.asked" in no(made, GUS, for_=AMY)
    [fact] = made.facts("page.declined")
    assert (fact.data["by"], fact.actor, fact.for_) == (AMY, GUS, AMY)
    made.do(Confirm(actor=by(AMY), fact=fact.seq))


@pytest.mark.parametrize(
    ("person", "reason", "why"),
    [
        (BEN, "x", Reason.NOT_PAGED),
        (AMY, " ", Reason.REASON_MISSING),
        ("mallory", "x", Reason.UNKNOWN_PERSON),
    ],
    ids=["Somebody whom it has not reached", "Without a reason", "Somebody nobody knows"],
)
def test_who_cannot_say_no(person: str, reason: str, why: Reason) -> None:
    made = scene()
    assert made.says(Decline(actor=by(person), page=made.page().id, reason=reason)).reason is why


def test_a_second_no_and_one_to_what_is_over_are_refused_by_name() -> None:
    made = two()
    no(made, AMY)
    command = Decline(actor=by(AMY), page=made.page().id, reason="x")
    assert made.says(command).reason is Reason.ALREADY
    made.wait(2)
    assert made.says(command).reason is Reason.ALREADY, "the repeat did not ask them"
    made.do(Acknowledge(actor=by(FAY), page=made.page().id))
    other = Decline(actor=by(BEN), page=made.page().id, reason="x")
    assert made.says(other).reason is Reason.ALREADY
    made.do(EndIncident(actor=by(AMY), how="dismissed", reason="-"))
    assert made.says(command).reason is Reason.ALREADY
    assert made.says(Decline(actor=by(AMY), page=999, reason="x")).reason is Reason.NO_SUCH_PAGE
