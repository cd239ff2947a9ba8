"""Channels out of band: two people, never the last one, and nothing goes to or comes from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from models.commands import Acknowledge, Actor, Declare, Note
from models.distrust import travelled
from models.organisation import Organisation, Reach
from models.outofband import ConfirmTrust, OpenLink, ProposeTrust, TakeReply
from models.reason import Reason
from models.record import Record
from models.state import House
from tests.models.small import AMY, BEN, CHO, DAN, EVE, FAY, GUS, Scene, by, open_desk, organisation, scene

CHANNELS = frozenset({"console", "file", "slack", "email"})
HOUSE = "house"


def bank(**channels: list[str]) -> Organisation:
    """The small bank, everybody with addresses; Slack comes first unless `channels` say otherwise."""
    small = organisation()
    people = [
        person.model_copy(
            update={
                "slack": f"U0{person.id.upper()}",
                "email": f"{person.id}@bank.example",
                "channels": tuple(channels.get(person.id, ["slack", "email"])),
            }
        )
        for person in small.people
    ]
    return small.model_copy(update={"people": tuple(people)})


def night(**channels: list[str]) -> Scene:
    return scene(organisation=bank(**channels), channels=CHANNELS)


def propose(person: str, *channels: str, way: Any = "out-of-band", **more: Any) -> ProposeTrust:
    return ProposeTrust(actor=by(person), way=way, channels=channels, reason="odd posts by our bot", **more)


def confirm(made: Scene, person: str, **more: Any) -> ConfirmTrust:
    """Agreement to the proposal that is open, by its number."""
    wanted = house(made).proposal
    return ConfirmTrust(actor=by(person), proposal=wanted.seq if wanted is not None else 0, **more)


def out(made: Scene, *channels: str) -> None:
    """Ben proposes, Cho agrees."""
    made.do(propose(BEN, *channels), HOUSE)
    assert made.do(confirm(made, CHO), HOUSE) == ("trust.withdrawn",)


def house(made: Scene) -> House:
    state = made.desk.state(HOUSE)
    assert isinstance(state, House)
    return state


def test_one_person_alone_changes_nothing() -> None:
    made = night()
    assert made.do(propose(BEN, "slack"), HOUSE) == ("trust.proposed", "message.requested")
    assert made.desk.distrusted() == frozenset()
    assert made.says(confirm(made, BEN), HOUSE).reason is Reason.SECOND_PERSON


def test_a_second_person_makes_it_so_and_the_way_back_takes_two_again() -> None:
    made = night()
    out(made, "slack")
    known = house(made).distrusted["slack"]
    assert (known.proposed_by, known.confirmed_by) == (BEN, CHO)
    assert made.desk.distrusted() == {"slack"} and house(made).proposal is None
    made.do(propose(CHO, "slack", way="in-band"), HOUSE)
    assert made.says(confirm(made, CHO), HOUSE).reason is Reason.SECOND_PERSON
    assert made.desk.distrusted() == {"slack"}
    assert made.do(confirm(made, DAN), HOUSE) == ("trust.restored",)
    assert made.desk.distrusted() == frozenset()


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        *((propose(one, "slack"), Reason.ROLE_MISSING) for one in (AMY, EVE, FAY, GUS)),
        (propose(BEN, "pigeon"), Reason.NO_SUCH_ITEM),
        (propose(BEN), Reason.NO_SUCH_ITEM),
        (propose(BEN, "slack", way="in-band"), Reason.ALREADY),
        (propose(BEN, "slack", "email", "console"), Reason.LAST_CHANNEL),
        (ConfirmTrust(actor=by(CHO), proposal=1), Reason.NO_SUCH_PROPOSAL),
    ],
)
def test_what_cannot_be_proposed_or_confirmed(command: Any, reason: Reason) -> None:
    assert night().says(command, HOUSE).reason is reason


def test_a_scribe_is_no_second_person_for_what_they_proposed() -> None:
    made = night()
    made.do(propose(BEN, "slack"), HOUSE)
    # In person only: else two scribes, neither of whom may do it, would be both pairs of eyes.
    for scribe in (BEN, GUS):
        assert made.says(confirm(made, scribe, for_=CHO), HOUSE).reason is Reason.IN_PERSON
    made = night()
    made.do(propose(GUS, "slack", for_=CHO), HOUSE)
    assert made.says(confirm(made, CHO), HOUSE).reason is Reason.SECOND_PERSON
    assert made.do(confirm(made, BEN), HOUSE) == ("trust.withdrawn",)


def test_a_proposal_lapses_and_another_number_is_another_proposal() -> None:
    made = night()
    made.do(propose(BEN, "slack"), HOUSE)
    first = house(made).proposal
    made.do(propose(BEN, "email"), HOUSE)
    assert first is not None
    wrong = ConfirmTrust(actor=by(CHO), proposal=first.seq)
    assert made.says(wrong, HOUSE).reason is Reason.NO_SUCH_PROPOSAL
    assert made.desk.distrusted() == frozenset()
    made.wait(24 * 60 + 1, HOUSE)
    assert made.says(confirm(made, CHO), HOUSE).reason is Reason.NO_SUCH_PROPOSAL


@pytest.mark.parametrize("other", [CHO, DAN])
def test_nobody_puts_another_proposal_in_the_place_of_one_that_is_open(other: str) -> None:
    made = night()
    made.do(propose(BEN, "slack"), HOUSE)
    first = house(made).proposal
    assert made.says(propose(other, "email"), HOUSE).reason is Reason.PROPOSAL_OPEN
    assert made.says(propose(BEN, "email", for_=other), HOUSE).reason is Reason.PROPOSAL_OPEN
    assert house(made).proposal == first
    made.wait(24 * 60 + 1, HOUSE)
    assert made.do(propose(other, "email"), HOUSE)[0] == "trust.proposed"


def test_the_last_channel_stays_though_two_proposals_would_take_it_in_turn() -> None:
    made = night()
    out(made, "slack", "email")
    assert made.says(propose(BEN, "console"), HOUSE).reason is Reason.LAST_CHANNEL
    assert made.do(propose(BEN, "email", way="in-band"), HOUSE) == ("trust.proposed",)


def test_the_last_channel_stays_though_the_settings_changed_between_the_two() -> None:
    made = night()
    made.do(propose(BEN, "slack", "email"), HOUSE)
    object.__setattr__(made.desk.premises, "channels", frozenset({"slack", "email", "file"}))
    assert made.says(confirm(made, CHO), HOUSE).reason is Reason.LAST_CHANNEL


def test_the_proposal_names_who_would_be_left_without_a_channel() -> None:
    made = night(amy=["slack"], eve=["file", "slack"], dan=["file"])
    made.do(propose(BEN, "slack"), HOUSE)
    assert made.facts("trust.proposed", HOUSE)[0].data["people"] == [AMY, EVE]


def test_whoever_has_another_channel_in_an_order_by_severity_is_not_left_without() -> None:
    organisation = bank(amy=["slack"], eve=["slack"])
    order = Reach.model_validate({"channels": [{"channel": "slack"}, {"channel": "email", "after": "2m"}]})
    people = [
        one.model_copy(update={"reach": (order,)}) if one.id == AMY else one for one in organisation.people
    ]
    changed = organisation.model_copy(update={"people": tuple(people)})
    made = scene(organisation=changed, channels=CHANNELS)
    made.do(propose(BEN, "slack"), HOUSE)
    assert made.facts("trust.proposed", HOUSE)[0].data["people"] == [EVE]


def test_pages_go_to_the_next_trusted_channel() -> None:
    made = night(ben=["slack", "email"], cho=["slack"])
    out(made, "slack")
    made.wait(5)
    made.wait(5)
    rows = {row["person"]: (row["channel"], orjson.loads(row["further"])) for row in made.outbox(kind="page")}
    assert rows[BEN] == ("email", [])
    # Nobody silently gets nothing: the outbox gives this row up, and the fallback or the next level has it.
    assert rows[CHO] == ("slack", [])


def test_what_waits_for_the_channel_is_looked_at_at_once() -> None:
    made = night()
    with made.desk.record.begin() as tx:
        tx.connection.exec_driver_sql("update outbox set next_try_at = next_try_at + 30000000")
    out(made, "slack")
    row = made.outbox(person=AMY, kind="page")[0]
    assert row["next_try_at"] == row["created_at"]


@pytest.mark.parametrize("via", ["slack", "web:slack", "web"])
def test_acts_over_the_channel_are_refused_and_recorded(via: str) -> None:
    made = night()
    out(made, "slack")
    outcome = made.desk.handle(made.stream, Acknowledge(actor=Actor(person=AMY, name=AMY, via=via)))
    assert outcome.refused is Reason.CHANNEL_DISTRUSTED
    recorded = made.facts("refused", HOUSE)[-1]
    assert (recorded.data["who"], recorded.data["command"]) == (AMY, "Acknowledge")
    assert made.page().state == "open"


@pytest.mark.parametrize("via", ["cli", "cli:as=amy;uid=1", "email", "web:email"])
def test_acts_over_other_channels_count(via: str) -> None:
    made = night()
    out(made, "slack")
    assert "page.acknowledged" in made.do(Acknowledge(actor=Actor(person=AMY, name=AMY, via=via)))


def test_nobody_declares_or_takes_it_back_over_the_channel() -> None:
    made = night()
    out(made, "slack")
    intruder = Actor(person=BEN, name=BEN, via="slack")
    assert made.desk.handle(None, Declare(actor=intruder, text="x")).refused is Reason.CHANNEL_DISTRUSTED
    back = ProposeTrust(actor=intruder, way="in-band", channels=("slack",), reason="all well")
    assert made.desk.handle(HOUSE, back).refused is Reason.CHANNEL_DISTRUSTED


def test_looking_at_a_page_is_no_fact_while_its_channel_is_trusted() -> None:
    made = night()
    assert made.do(OpenLink(actor=Actor(person=AMY, via="web:email")), HOUSE) == ()


def test_another_process_hears_of_it_with_its_next_command(tmp_path: Path) -> None:
    pager, terminal = (
        open_desk(organisation=bank(), channels=CHANNELS, record=Record.at(tmp_path / "r.db")) for _ in "ab"
    )
    pager.record.migrate()
    stream = pager.handle(None, Declare(actor=by(AMY), text="odd")).stream
    assert pager.distrusted() == terminal.distrusted() == frozenset()
    proposed = terminal.handle(HOUSE, propose(BEN, "slack"))
    assert terminal.handle(HOUSE, ConfirmTrust(actor=by(CHO), proposal=proposed.facts[0].seq)).accepted
    note = Note(actor=Actor(person=AMY, name=AMY, via="slack"), text="x")
    assert pager.handle(stream, note).refused is Reason.CHANNEL_DISTRUSTED
    assert pager.distrusted() == {"slack"}
    for desk in (pager, terminal):
        desk.record.close()


def test_a_reply_counts_once_and_needs_a_page() -> None:
    made = night()
    sms = Actor(person=AMY, name="+819000000001", via="sms")
    taken = made.do(TakeReply(actor=sms, id="r1", stream=made.stream, page=made.page().id), HOUSE)
    assert taken[:2] == ("reply.taken", "page.acknowledged")
    assert made.facts("page.acknowledged")[0].via == "sms"
    again = TakeReply(actor=sms, id="r1", stream=made.stream, page=made.page().id)
    assert made.says(again, HOUSE).reason is Reason.DUPLICATE
    assert made.says(TakeReply(actor=sms, id="r2"), HOUSE).reason is Reason.NO_SUCH_PAGE
    nobody = TakeReply(actor=Actor(person=None, name="+1555", via="sms"), id="r3")
    assert made.says(nobody, HOUSE).reason is Reason.UNKNOWN_PERSON


def test_the_way_of_an_act_names_its_channels() -> None:
    assert travelled("web:email") == {"web", "email"}
    assert travelled("slack") == {"slack"}


def told(made: Scene) -> dict[str, list[str]]:
    """Who was told of the proposal, and on which channels it would go."""
    (fact,) = made.facts("message.requested", HOUSE)
    assert fact.data["template"] == "notice.trust_proposed"
    return {one["person"]: one["channels"] for one in fact.data["recipients"]}


def test_those_who_may_agree_are_told_but_not_over_the_channel_in_question() -> None:
    made = night()
    made.do(propose(BEN, "slack"), HOUSE)
    assert told(made) == {CHO: ["email"], DAN: ["email"]}
    rows = made.outbox(template="notice.trust_proposed")
    assert [(row["person"], row["channel"], row["further"]) for row in rows] == [
        (CHO, "email", "[]"),
        (DAN, "email", "[]"),
    ]


def test_whoever_has_no_other_channel_is_not_told() -> None:
    made = night(cho=["slack"], dan=["slack"])
    assert made.do(propose(BEN, "slack"), HOUSE) == ("trust.proposed",)


def test_the_way_back_is_told_on_what_is_trusted() -> None:
    made = night()
    out(made, "slack")
    made.do(propose(CHO, "slack", way="in-band"), HOUSE)
    fact = made.facts("message.requested", HOUSE)[-1]
    assert {one["person"]: one["channels"] for one in fact.data["recipients"]} == {
        BEN: ["email"],
        DAN: ["email"],
    }


def test_nobody_is_told_of_their_own_proposal_and_quiet_hours_do_not_hold_it() -> None:
    quiet = Reach.model_validate(
        {
            "channels": [{"channel": "email"}],
            "quiet": {"from": "22:00", "until": "07:00", "except_at_least": "high"},
        }
    )
    small = bank()
    people = [one.model_copy(update={"reach": (quiet,)}) if one.id == CHO else one for one in small.people]
    made = scene(organisation=small.model_copy(update={"people": tuple(people)}), channels=CHANNELS)
    made.do(propose(DAN, "slack"), HOUSE)
    (fact,) = made.facts("message.requested", HOUSE)
    assert {one["person"] for one in fact.data["recipients"]} == {BEN, CHO}
    assert not any("held_until" in one for one in fact.data["recipients"])
