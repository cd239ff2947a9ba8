"""Communication checks: everybody of a route once, each on all their channels, and who was not reached."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.comcheck import KEPT, MAX_ASKS, Comcheck, StartComcheck
from models.commands import Acknowledge, Actor, Delegate, MarkDelivery
from models.fold import empty, fold
from models.organisation import Reach
from models.reason import Reason
from models.state import Programme
from tests.models.small import AMY, BEN, CHO, DAN, EVE, NIGHT, Scene, by, organisation, route, scene
from tests.models.small import policy as small_policy

STREAM = "programme"
LEVELS = [
    {"to": ["csirt-duty"], "within": "5m"},
    {"to": ["csirt-lead", "owner"], "within": "5m", "channels": ["file", "email"]},
]
QUIET = {"from": "22:00", "until": "07:00", "except_at_least": "high"}
MAIN = route("main", "declared", levels=LEVELS)


def bank(**premises: Any) -> Scene:
    """No incident; the route goes to Amy, to Ben by file and mail, and at last to the CISO, Cho."""
    return scene(declare=False, **({"policy": small_policy(routes=[MAIN])} | premises))


def start(**fields: Any) -> StartComcheck:
    given: dict[str, Any] = {"actor": by(BEN), "route": "main"} | fields
    return StartComcheck(**given)


def programme(made: Scene) -> Programme:
    state = made.desk.state(STREAM)
    assert isinstance(state, Programme)
    return state


def test_of(made: Scene, number: int = 1) -> Comcheck:
    return programme(made).comchecks[f"CC-{number:04d}"]


test_of.__test__ = False  # type: ignore[attr-defined]


def page_of(made: Scene, person: str, channel: str) -> int:
    return next(one.page for one in test_of(made).of(person) if one.channel == channel)


def answer(made: Scene, person: str, channel: str, via: str = "web") -> tuple[str, ...]:
    actor = Actor(person=person, via=via)
    return made.do(Acknowledge(actor=actor, page=page_of(made, person, channel)), STREAM)


def mark(made: Scene, person: str, channel: str, outcome: Any, detail: str = "") -> tuple[str, ...]:
    page = page_of(made, person, channel)
    command = MarkDelivery(
        actor=Actor.machine("outbox"),
        key=f"programme/{page}/0/1/{channel}:{person}",
        outcome=outcome,
        page=page,
        level=0,
        channel=channel,
        person=person,
        tries=1,
        detail=detail,
    )
    return made.do(command, STREAM)


def test_everybody_of_every_level_is_paged_once_on_each_of_their_channels_at_once() -> None:
    made = bank()
    kinds = made.do(start(reason="monthly"), STREAM)
    assert kinds == ("comcheck.started", *["page.asked"] * 5)
    rows = [(row["person"], row["channel"], row["template"], row["kind"]) for row in made.outbox()]
    assert rows == [
        (AMY, "console", "page.comcheck", "page"),
        (AMY, "file", "page.comcheck", "page"),
        (BEN, "file", "page.comcheck", "page"),
        (CHO, "console", "page.comcheck", "page"),
        (CHO, "file", "page.comcheck", "page"),
    ]
    assert {row["further"] for row in made.outbox()} == {"[]"}, "no channel stands in for another"
    [fact] = made.facts("comcheck.started", STREAM)
    assert fact.data["recipients"][1]["without"] == ["email"]
    assert fact.data["open"] == ["owner"], "whom only a matter can name"
    assert fact.data["reason"].startswith("t:")


def test_a_test_does_not_show_in_the_duty_channel() -> None:
    made = bank(
        organisation=organisation(fields={"duty_channel": "C0DUTY"}),
        channels=frozenset({"console", "file", "slack"}),
    )
    made.do(start(), STREAM)
    assert made.outbox(channel="slack") == []


@pytest.mark.parametrize(
    ("level", "people"), [("1", {AMY}), ("2", {BEN}), ("last", {CHO}), ("all", {AMY, BEN, CHO})]
)
def test_one_level_can_be_tested_alone(level: str, people: set[str]) -> None:
    made = bank()
    made.do(start(level=level), STREAM)
    assert set(test_of(made).people) == people


def test_an_absent_person_is_tested_by_whoever_stands_in() -> None:
    made = bank(organisation=organisation(absent=(CHO,)))
    made.do(start(level="last"), STREAM)
    assert {name: one.deputy_for for name, one in test_of(made).people.items()} == {DAN: CHO}


def test_a_test_never_climbs_and_ends_with_its_time() -> None:
    made = bank()
    made.do(start(within=timedelta(minutes=10)), STREAM)
    assert made.wait(9.9, STREAM) == ()
    kinds = made.wait(0.2, STREAM)
    assert kinds == ("comcheck.ended", *["page.stopped"] * 5)
    assert made.wait(600, STREAM) == ()
    assert not {row["level"] for row in made.outbox()} - {"0"}
    assert {row["state"] for row in made.outbox()} == {"withdrawn"}, "what waits is not sent after the end"


def test_the_programme_is_due_when_a_test_ends() -> None:
    made = bank()
    made.do(start(), STREAM)
    with made.desk.record.read() as tx:
        assert tx.due_streams(NIGHT + timedelta(minutes=9), 10) == []
        assert tx.due_streams(NIGHT + timedelta(minutes=10), 10) == [STREAM]


def test_the_result_names_who_answered_who_did_not_and_what_was_not_delivered() -> None:
    made = bank(organisation=organisation(channels={CHO: ["email"]}))
    made.do(start(), STREAM)
    mark(made, AMY, "file", "sent")
    made.clock.advance(timedelta(minutes=2))
    answer(made, AMY, "file", via="web:link")
    assert "page.hurried" not in mark(made, BEN, "file", "given_up", "disk full")
    made.wait(9, STREAM)
    [ended] = made.facts("comcheck.ended", STREAM)
    assert (ended.data["reached"], ended.data["silent"], ended.data["nowhere"]) == ([AMY], [BEN], [CHO])
    assert ended.data["failed"] == [{"person": BEN, "channel": "file"}]
    done = test_of(made)
    [ask] = [one for one in done.of(AMY) if one.channel == "file"]
    assert ask.answered_at is not None
    assert (ask.answered_at - done.started_at, ask.via) == (timedelta(minutes=2), "web")
    assert ask.sent_at is not None
    assert {name: one.why for name, one in programme(made).unreached.items()} == {
        BEN: "delivery failed",
        CHO: "no channel",
    }


def test_a_channel_that_failed_and_then_took_it_has_not_failed() -> None:
    made = bank()
    made.do(start(level="1"), STREAM)
    mark(made, AMY, "file", "given_up")
    assert test_of(made).of(AMY)[1].failed == "given up"
    mark(made, AMY, "file", "sent")
    assert test_of(made).of(AMY)[1].failed == ""


def test_it_ends_at_once_when_each_channel_of_everybody_was_answered() -> None:
    made = bank()
    made.do(start(level="1"), STREAM)
    assert answer(made, AMY, "console") == ("page.acknowledged",)
    assert answer(made, AMY, "file")[:2] == ("page.acknowledged", "comcheck.ended")
    assert programme(made).unreached == {}
    assert made.facts("comcheck.ended", STREAM)[0].data["reached"] == [AMY]


def test_nobody_answers_a_test_for_another() -> None:
    made = bank()
    made.do(start(), STREAM)
    page = page_of(made, AMY, "console")
    assert made.do(Acknowledge(actor=by(BEN), page=page), STREAM) == ("page.seen",)
    until = NIGHT + timedelta(hours=1)
    refused = made.says(Delegate(actor=by(AMY), page=page, to=DAN, until=until), STREAM)
    assert refused.reason is Reason.NOT_ENTITLED_ON_ROUTE
    assert not test_of(made).reached(AMY)


def test_an_answer_after_the_end_is_refused_and_changes_nothing() -> None:
    made = bank()
    made.do(start(level="1"), STREAM)
    page = page_of(made, AMY, "console")
    made.wait(10, STREAM)
    said = made.says(Acknowledge(actor=by(AMY), page=page), STREAM)
    assert (said.reason, said.detail["case"]) == (Reason.ALREADY, "page-over")
    mark_late = MarkDelivery(
        actor=Actor.machine("outbox"), key="k", outcome="sent", page=page, channel="file", person=AMY, tries=1
    )
    made.do(mark_late, STREAM)
    assert test_of(made).of(AMY)[0].sent_at is None


def test_an_answer_counts_by_when_it_came_and_not_by_when_the_end_was_written() -> None:
    made = bank()
    made.do(start(level="1"), STREAM)
    made.clock.advance(timedelta(minutes=11))
    assert answer(made, AMY, "console") == ("page.acknowledged",)
    early = Acknowledge(actor=by(AMY), page=page_of(made, AMY, "file"), at=NIGHT - timedelta(hours=1))
    assert made.do(early, STREAM) == ("page.acknowledged",)
    late, backdated = test_of(made).of(AMY)
    assert (late.answered_at, backdated.answered_at) == (None, NIGHT)


def test_somebody_unreached_stays_a_finding_until_a_later_test_reaches_them() -> None:
    made = bank()
    made.do(start(level="1"), STREAM)
    made.wait(10, STREAM)
    assert programme(made).unreached[AMY].comcheck == "CC-0001"
    made.do(start(level="last"), STREAM)
    made.wait(10, STREAM)
    assert set(programme(made).unreached) == {AMY, CHO}, "a test about others says nothing of Amy"
    made.do(start(level="1"), STREAM)
    actor = Actor(person=AMY)
    made.do(Acknowledge(actor=actor, page=test_of(made, 3).of(AMY)[0].page), STREAM)
    assert set(programme(made).unreached) == {CHO}, "at once, not only at the end"


REFUSED = [
    ("a route that there is not", {"route": "nope"}, Reason.NO_SUCH_ROUTE),
    ("a level that the route has not", {"level": "3"}, Reason.FIELD_WRONG),
    ("a level that is none", {"level": "0"}, Reason.FIELD_WRONG),
    ("too short to answer", {"within": timedelta(seconds=59)}, Reason.FIELD_WRONG),
    ("longer than a day", {"within": timedelta(hours=25)}, Reason.FIELD_WRONG),
    ("somebody without the right", {"actor": by(EVE)}, Reason.ROLE_MISSING),
]


@pytest.mark.parametrize(("why", "fields", "reason"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_test_is_refused(why: str, fields: dict[str, Any], reason: Reason) -> None:
    assert bank().says(start(**fields), STREAM).reason is reason, why


def test_one_test_at_a_time() -> None:
    made = bank()
    made.do(start(), STREAM)
    refused = made.says(start(level="1"), STREAM)
    assert (refused.reason, refused.detail["what"]) == (Reason.ALREADY, "CC-0001 (main)")


def test_a_crowd_is_tested_level_by_level() -> None:
    shape = organisation().model_dump()
    crowd = [shape["people"][0] | {"id": f"p{n}", "deputies": ()} for n in range(MAX_ASKS // 2)]
    shape["people"] = [*shape["people"], *crowd]
    made = bank(organisation=type(organisation()).model_validate(shape))
    refused = made.says(start(level="1"), STREAM)
    assert "at most 300" in str(refused.detail["fields"])


def test_only_the_last_tests_stay_in_the_state_and_numbers_go_on() -> None:
    made = bank()
    for _ in range(KEPT + 2):
        made.do(start(level="1"), STREAM)
        made.wait(10, STREAM)
    state = programme(made)
    assert len(state.comchecks) == KEPT
    assert state.comchecks_numbered == KEPT + 2
    assert next(reversed(state.comchecks)) == f"CC-{KEPT + 2:04d}"


def test_the_state_is_what_the_facts_say() -> None:
    made = bank()
    made.do(start(), STREAM)
    answer(made, AMY, "file")
    made.wait(10, STREAM)
    known = programme(made)
    with made.desk.record.read() as tx:
        assert fold(empty(STREAM), tx.facts(STREAM)) == known


def test_channels_that_only_an_order_by_severity_names_are_tested_too() -> None:
    """Amy has the console, for grave matters the file, and at night mail, to which she has no address."""
    orders = [
        {"at_least": "high", "channels": [{"channel": "file"}, {"channel": "console", "after": "2m"}]},
        {"channels": [{"channel": "email"}], "quiet": QUIET},
    ]
    people = [
        one.model_copy(update={"channels": ("console",), "reach": tuple(map(Reach.model_validate, orders))})
        if one.id == AMY
        else one
        for one in organisation().people
    ]
    made = bank(organisation=organisation().model_copy(update={"people": tuple(people)}))
    made.do(start(level="1"), STREAM)
    assert {one.channel for one in test_of(made).of(AMY)} == {"console", "file"}
    (known,) = made.facts("comcheck.started", STREAM)[0].data["recipients"]
    assert known == {
        "person": AMY,
        "role": "csirt-duty",
        "channels": ["console", "file"],
        "without": ["email"],
    }, "no delays and no quiet hours: a test goes out at once"


def test_a_level_that_names_channels_tests_those_alone() -> None:
    orders = (Reach.model_validate({"channels": [{"channel": "console"}]}),)
    people = [
        one.model_copy(update={"reach": orders}) if one.id == BEN else one for one in organisation().people
    ]
    made = bank(organisation=organisation().model_copy(update={"people": tuple(people)}))
    made.do(start(level="2"), STREAM)
    assert [one.channel for one in test_of(made).of(BEN)] == ["file"]
