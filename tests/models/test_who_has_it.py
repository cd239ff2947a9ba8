"""Who has a page: delegates, levels that must answer whole, who gives it back, a last resort of nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from models.answers import Decline
from models.commands import Acknowledge, Actor, AssignRole, Declare, Delegate, MarkDelivery
from models.organisation import Organisation
from models.policy import Policy
from models.reason import Reason
from models.state import House
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVE,
    FAY,
    GUS,
    NIGHT,
    ROUTES,
    Scene,
    by,
    organisation,
    policy,
    route,
    scene,
)

OUTBOX = Actor.machine("outbox")
GONE = {"absences": [{"since": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}]}


def bank(**people: dict[str, Any]) -> Organisation:
    """The small bank, with changes to some of its people."""
    own = organisation().model_dump(mode="json")["people"]
    return organisation(fields={"people": [one | people.get(one["id"], {}) for one in own]})


def both() -> Policy:
    """The duty officer and the press office must both answer; then the lead alone."""
    levels = [
        {"to": ["csirt-duty", "pr"], "within": "5m", "answer": "all"},
        {"to": ["csirt-lead"], "within": "50m"},
    ]
    return policy(routes=[route("main", "declared", "severity-raised", levels=levels), *ROUTES[1:]])


def delegate(made: Scene, to: str, hours: float = 10) -> tuple[str, ...]:
    until = NIGHT + timedelta(hours=hours)
    return made.do(Delegate(actor=by(AMY), page=made.page().id, to=to, until=until))


def ack(made: Scene, who: str) -> tuple[str, ...]:
    return made.do(Acknowledge(actor=by(who), page=made.page().id))


def decline(who: str, made: Scene) -> Decline:
    return Decline(actor=by(who), page=made.page().id, reason="no")


# -- delegates ---------------------------------------------------------------------------------------------


def test_a_delegation_to_somebody_absent_is_with_the_deputy_whom_it_reaches() -> None:
    made = scene(organisation=bank(eve=GONE | {"deputies": [FAY]}))
    delegate(made, EVE)
    assert made.page().delegated_to == FAY
    assert made.facts("page.delegated")[0].data["absent"] == EVE
    assert [row["person"] for row in made.outbox(level="delegate")] == [FAY]
    ack(made, FAY)
    assert (made.page().state, made.page().acked_by) == ("acknowledged", FAY)


def test_the_deputy_of_an_absent_delegate_may_say_no_and_the_route_goes_on() -> None:
    made = scene(organisation=bank(eve=GONE | {"deputies": [FAY]}))
    delegate(made, EVE)
    assert "page.hurried" in made.do(decline(FAY, made))
    assert "page.escalated" in made.wait(0.1)


def undelivered(made: Scene, key: str, person: str) -> tuple[str, ...]:
    shape: dict[str, Any] = {"outcome": "given_up", "page": made.page().id, "level": 0, "tries": 3}
    return made.do(MarkDelivery(actor=OUTBOX, key=key, channel="file", person=person, detail="x", **shape))


def test_a_message_of_a_delegation_that_is_over_moves_the_page_no_further() -> None:
    made = scene()
    delegate(made, EVE)
    [key] = [row["key"] for row in made.outbox(level="delegate")]
    made.do(decline(EVE, made))
    made.wait(0.1)
    assert made.page().level == 1
    assert undelivered(made, key, EVE) == ("message.given_up",)
    assert (made.wait(0.1), made.page().level) == ((), 1)


def test_a_delegate_whom_nothing_reaches_is_passed_over_but_not_by_an_earlier_message() -> None:
    made = scene()
    delegate(made, EVE)
    [first] = [row["key"] for row in made.outbox(level="delegate")]
    made.do(decline(EVE, made))
    made.wait(0.1)
    until = NIGHT + timedelta(hours=5)
    made.do(Delegate(actor=by(BEN), page=made.page().id, to=EVE, until=until))
    assert undelivered(made, first, EVE) == ("message.given_up",)
    second = made.outbox(level="delegate")[-1]["key"]
    assert undelivered(made, second, EVE) == ("message.given_up", "page.hurried")


# -- levels of which all must answer -----------------------------------------------------------------------


def test_the_answer_of_a_delegate_is_that_of_whoever_named_them() -> None:
    made = scene(policy=both())
    delegate(made, EVE)
    ack(made, EVE)
    assert made.page().state == "open", "the press office has not answered"
    ack(made, FAY)
    assert made.page().state == "acknowledged"
    assert made.wait(599) == ()


def test_a_level_does_not_wait_for_the_answer_of_somebody_asleep() -> None:
    hours = {"from": "22:00", "until": "08:00", "zone": "Asia/Tokyo", "except_at_least": "high"}
    asleep = {"reach": [{"channels": [{"channel": "console"}], "quiet": hours}]}
    made = scene(policy=both(), organisation=bank(fay=asleep))
    assert [(one.person, one.channels) for one in made.page().reached["0"]][1] == (FAY, [])
    ack(made, AMY)
    assert made.page().state == "acknowledged"


def test_whoever_refused_is_still_wanted_by_a_level_that_must_answer_whole() -> None:
    made = scene(policy=both())
    made.do(decline(FAY, made))
    assert "page.hurried" in ack(made, AMY)
    assert made.page().state == "open"


# -- giving it back ----------------------------------------------------------------------------------------


def test_an_earlier_acknowledgement_takes_the_page_from_nobody_who_has_it_now() -> None:
    made = scene(policy=both())
    ack(made, AMY)
    made.wait(6)
    ack(made, BEN)
    assert (made.page().state, made.page().acked_by) == ("acknowledged", BEN)
    assert made.says(decline(AMY, made)).reason is Reason.ALREADY
    assert "page.hurried" in made.do(decline(BEN, made))


def test_a_take_over_from_a_level_that_must_answer_whole_is_of_one_person_alone() -> None:
    made = scene(policy=both())
    ack(made, AMY)
    ack(made, BEN)
    assert made.page().acked_by == BEN
    assert made.says(decline(AMY, made)).reason is Reason.ALREADY


def test_each_of_a_whole_level_that_has_it_may_give_it_back() -> None:
    made = scene(policy=both())
    ack(made, AMY)
    ack(made, FAY)
    assert "page.hurried" in made.do(decline(AMY, made))
    assert made.page().state == "open"


# -- the last resort ---------------------------------------------------------------------------------------


def house(made: Scene) -> House:
    state = made.desk.state("house")
    assert isinstance(state, House)
    return state


def test_a_last_resort_of_people_who_are_all_away_reaches_them_all_the_same() -> None:
    made = scene(organisation=organisation(absent=(CHO, DAN)))
    made.wait(30)
    [fact] = made.facts("page.exhausted")
    assert (fact.data["away"], [one["person"] for one in fact.data["recipients"]]) == (True, [CHO])
    assert made.outbox(level="last", person=CHO) != []
    assert house(made).impaired == {}


def test_a_last_resort_named_by_the_incident_is_called_away_or_not() -> None:
    levels = [{"to": ["csirt-duty"], "within": "5m"}]
    last = {"to": ["commander"], "every": "5m"}
    routes = [route("main", "declared", "severity-raised", levels=levels, exhausted=last), *ROUTES[1:]]
    made = scene(policy=policy(routes=routes), organisation=organisation(absent=(EVE,)))
    made.do(AssignRole(actor=by(BEN), role="commander", person=EVE))
    made.wait(10)
    assert [one["person"] for one in made.facts("page.exhausted")[0].data["recipients"]] == [EVE]


def test_a_last_resort_that_no_channel_reaches_is_told_to_whoever_looks_after_the_house() -> None:
    made = scene(organisation=organisation(channels={CHO: ["sms"]}))
    made.wait(30)
    assert list(house(made).impaired) == ["delivery"]
    [fact] = made.facts("machine.impaired", "house")
    assert fact.data["detail"] == f"{made.stream}/{made.page().id}"
    assert [one.data["event"] for one in made.facts("page.unanswerable", "house")] == ["delivery-failed"]
    assert made.wait(5) == ("page.exhausted",), "it is said once"


def test_whoever_refused_is_called_again_if_the_others_of_the_last_resort_are_not_reached() -> None:
    levels = [{"to": ["csirt-duty"], "within": "5m"}]
    last = {"to": ["ciso", "csirt-lead"], "every": "5m"}
    routes = [route("main", "declared", "severity-raised", levels=levels, exhausted=last), *ROUTES[1:]]
    made = scene(policy=policy(routes=routes), organisation=organisation(channels={CHO: ["sms"]}))
    made.wait(5)
    made.do(decline(BEN, made))
    made.wait(5)
    assert BEN in [one["person"] for one in made.facts("page.exhausted")[-1].data["recipients"]]


def test_only_what_reached_a_person_mends_the_delivery() -> None:
    made = scene()
    made.wait(30)
    page = made.page().id
    key = f"{made.stream}/{page}/last/1"
    shape: dict[str, Any] = {"actor": OUTBOX, "page": page, "level": 0, "tries": 1, "detail": ""}
    failed = MarkDelivery(
        key=f"{key}/console:cho", outcome="given_up", channel="console", person=CHO, **shape
    )
    copy = MarkDelivery(key=f"{key}/slack:C0", outcome="sent", channel="slack", person=None, **shape)
    late = MarkDelivery(
        key=f"{made.stream}/{page}/0/1/console:amy", outcome="sent", channel="console", person=AMY, **shape
    )
    sent = MarkDelivery(key=f"{key}/file:cho", outcome="sent", channel="file", person=CHO, **shape)
    for command, impaired in (
        (failed, ["delivery"]),
        (copy, ["delivery"]),
        (late, ["delivery"]),
        (sent, []),
    ):
        made.do(command)
        assert list(house(made).impaired) == impaired


def test_an_answer_ends_the_alarm_about_a_last_resort_that_was_not_reached() -> None:
    made = scene(organisation=organisation(channels={CHO: ["sms"]}))
    made.wait(30)
    assert list(house(made).impaired) == ["delivery"]
    ack(made, BEN)
    assert house(made).impaired == {}


def test_whoever_was_called_before_the_end_of_their_shift_may_answer_after_it() -> None:
    shape: dict[str, Any] = {"lasts": "12h", "since": "2026-11-01", "rule": "FREQ=DAILY"}
    shifts = [{"starts": "09:00", "people": [AMY], **shape}, {"starts": "21:00", "people": [GUS], **shape}]
    own = organisation().model_dump(mode="json", by_alias=True)
    own["rotas"] = [{"id": "duty", "zone": "Asia/Tokyo", "shifts": shifts}]
    own["roles"] = [one | ({"rota": "duty"} if one["id"] == "csirt-duty" else {}) for one in own["roles"]]
    made = scene(organisation=Organisation.model_validate(own), declare=False)
    made.clock.advance(timedelta(hours=5, minutes=58))
    made.stream = made.desk.handle(None, Declare(actor=by(BEN), text="odd")).stream
    assert [one.person for one in made.page().reached["0"]] == [GUS]
    made.clock.advance(timedelta(minutes=3))
    assert "page.acknowledged" in ack(made, GUS)
    assert (made.page().acked_by, made.page().level) == (GUS, 0)
