"""The front desk: strangers, private incidents, out of band, what was shown is what is approved."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from console.opening import House
from console.slack.desk import FrontDesk, Pressed, _kept_before
from console.slack.files import Fetched
from console.slack.slash import Asked, parse
from console.web.alerts import MOST_REFUSED
from models.clock import ExerciseClock
from models.commands import Actor, Decide, Declare
from models.desk import Desk
from models.evidence import Check, Evidence
from models.fact import Fact
from models.installation import Settings
from models.outofband import ConfirmTrust, ProposeTrust
from models.playbook import Playbook
from models.premises import Premises
from models.record import Record
from models.restriction import Restrict
from models.state import Incident
from notifiers.acts import Target
from playbooks.institution import Institution

T = TypeVar("T")
INC = "INC-2026-0001"
SUZUKI, KATO, YOSHIDA, MATSUMOTO, STRANGER = "U0SUZUKI1", "U0KATO001", "U0YOSHIDA", "U0MATSUMO", "U0NOBODY1"
SATO = Actor(person="sato-kenji", via="cli")
TWO = Playbook.model_validate(
    {
        "playbook": "two-people",
        "version": "1.0.0",
        "title": "-",
        "reviewed": "2026-11-01",
        "priority": 1,
        "steps": [
            {
                "id": "cut",
                "phase": "triage",
                "kind": "decision",
                "title": "-",
                "authority": "ciso",
                "four_eyes": "cio",
                "otherwise": "-",
                "after": [],
                "options": [{"id": "yes", "title": "切る"}, {"id": "no", "title": "切らない"}],
            }
        ],
    }
)


@pytest.fixture
async def front(bank: Institution, clock: ExerciseClock, tmp_path: Path) -> AsyncIterator[FrontDesk]:
    premises = Premises(
        organisation=bank.organisation,
        policy=bank.policy,
        playbooks={**bank.playbooks, "two-people": TWO},
        channels=frozenset({"console", "slack"}),
    )
    desk = Desk(Record.in_memory(), premises, clock)
    slack = {"token": "env:X", "room": {"from": "low", "private_for": ["insider"]}}
    settings = Settings.model_validate(bank.settings.model_dump() | {"slack": slack})
    house = House(institution=replace(bank, settings=settings), desk=desk, data=tmp_path)

    async def here(call: Callable[[], T]) -> T:
        return call()

    yield FrontDesk(house, here, lambda: None)
    desk.record.close()


def declare(front: FrontDesk, playbook: str = "unknown", text: str = "件名の秘密") -> None:
    command = Declare(actor=SATO, text=text, playbooks=(playbook,), severity="high")
    assert front.house.desk.handle(None, command).accepted


def refusals(front: FrontDesk) -> list[Fact]:
    with front.house.record.read() as tx:
        return [fact for fact in tx.facts("house") if fact.kind == "refused"]


def out_of_band(front: FrontDesk) -> None:
    desk = front.house.desk
    asked = desk.handle("house", ProposeTrust(actor=SATO, way="out-of-band", channels=("slack",), reason="x"))
    assert asked.accepted, asked.detail
    second = Actor(person="kato-hiroshi", via="cli")
    assert desk.handle("house", ConfirmTrust(actor=second, proposal=asked.facts[0].seq)).accepted
    assert "slack" in desk.distrusted()


async def test_who_knocks_often_writes_little(front: FrontDesk) -> None:
    declare(front)
    target = Target(stream=INC, page=4, subject="incident")
    for _ in range(50):
        answer = await front.act("ack", target, Pressed(user=STRANGER))
        assert answer.refused
        assert "件名の秘密" not in str(answer)
        assert (await front.open("decline", target, Pressed(user=STRANGER), {})).view is None
    # Once a minute for each person and act.
    assert [fact.data["command"] for fact in refusals(front)] == ["press", "decline"]


async def test_each_stranger_is_on_record_and_a_crowd_of_them_fills_no_disk(front: FrontDesk) -> None:
    declare(front)
    target = Target(stream=INC, page=4, subject="incident")
    for number in range(3):
        await front.act("ack", target, Pressed(user=f"U0NOBODY{number}"))
    with front.house.record.read() as tx:
        texts = tx.texts("house")
    assert {f"slack:U0NOBODY{number}" for number in range(3)} <= set(texts.values())
    for number in range(1_000):
        await front.act("ack", target, Pressed(user=f"U1NOBODY{number}"))
    assert len(refusals(front)) <= MOST_REFUSED + 1


async def test_out_of_band_not_a_word_goes_there_and_nothing_from_there_counts(front: FrontDesk) -> None:
    declare(front)
    page = next(iter(front.house.desk.incident(INC).pages))
    target = Target(stream=INC, page=page, subject="incident")
    out_of_band(front)
    for answer in (
        await front.act("ack", target, Pressed(user=SUZUKI)),
        await front.open("decline", target, Pressed(user=SUZUKI), {}),
        await front.typed(parse("status"), Pressed(user=SUZUKI)),
        await front.submit("note", {"private_metadata": "{}"}, SUZUKI),
        await front.unreadable("press", Pressed(user=SUZUKI)),
        await front.open("nosuch", target, Pressed(user=STRANGER), {}),
        await front.submit("nosuch", {}, STRANGER),
    ):
        assert answer.silent
        assert not answer.lines
        assert not answer.blocks
        assert answer.view is None
    assert front.house.desk.incident(INC).pages[page].state == "open"
    assert refusals(front)[0].data["reason"] == "channel is out of band"


async def test_a_private_type_is_seen_by_its_own_people_only(front: FrontDesk) -> None:
    declare(front, playbook="insider")
    named = Restrict(actor=SATO, people=("kato-hiroshi",), reason="x")
    assert front.house.desk.handle(INC, named).accepted
    for words in ("status", f"status {INC}", f"clocks {INC}"):
        outsider = await front.typed(parse(words), Pressed(user=MATSUMOTO))
        assert "件名の秘密" not in str(outsider)
        insider = await front.typed(parse(words), Pressed(user="U0SATO001"))
        assert not insider.refused
        assert insider.blocks
    opened = await front.open("note", Target(stream=INC), Pressed(user=MATSUMOTO), {})
    assert opened.view is None
    listed = await front.open("timeline", Target(stream=""), Pressed(user=MATSUMOTO), {"text": "x"})
    assert INC not in str(listed.view)


async def test_the_gravest_comes_first_and_ones_own_channel_before_all(front: FrontDesk) -> None:
    declare(front, text="重い件")
    for number in range(35):
        command = Declare(actor=SATO, text=f"軽い件 {number}", severity="low")
        front.house.desk.handle(None, command)
    shown = await front.typed(parse("status"), Pressed(user=SUZUKI))
    assert "重い件" in str(shown.blocks[0])
    dialog = await front.open("timeline", Target(stream="INC-2026-0003"), Pressed(user=SUZUKI), {"text": "x"})
    listed = [
        one["element"]["options"]
        for one in (dialog.view or {})["blocks"]
        if one.get("block_id") == "incident"
    ]
    assert [one["value"] for one in listed[0][:2]] == ["INC-2026-0003", INC]


async def test_what_was_shown_is_approved_and_nothing_that_came_in_its_place(front: FrontDesk) -> None:
    declare(front, playbook="two-people")
    desk = front.house.desk
    kato = Actor(person="kato-hiroshi", via="cli")
    target = Target(stream=INC, subject="step:two-people/cut")
    assert desk.handle(INC, Decide(actor=kato, step="cut", choice="yes", reason="x")).accepted
    shown = await front.open("approve", target, Pressed(user=YOSHIDA), {})
    assert "切る" in str(shown.view)
    assert desk.handle(INC, Decide(actor=kato, step="cut", choice="no", reason="y")).accepted
    answer = await front.submit("approve", shown.view or {}, YOSHIDA)
    assert answer.refused
    assert desk.incident(INC).steps["two-people/cut"].choice is None
    again = await front.open("approve", target, Pressed(user=YOSHIDA), {})
    answer = await front.submit("approve", again.view or {}, YOSHIDA)
    assert not answer.refused, answer
    assert desk.incident(INC).steps["two-people/cut"].choice == "no"


async def test_a_number_stands_for_the_incident_wherever_one_is_named(front: FrontDesk) -> None:
    declare(front)
    assert (await front.whole(Asked(word="note", stream="1"))).stream == INC
    answer = await front.typed(await front.whole(parse("ack 1")), Pressed(user=KATO))
    assert INC in str(answer.stream)
    assert (await front.whole(Asked(word="note", stream="7"))).stream != INC


async def test_nothing_is_fetched_for_somebody_who_may_not_keep_it(front: FrontDesk) -> None:
    declare(front)
    opened = await front.open(
        "evidence", Target(stream=INC), Pressed(user=MATSUMOTO), {"files": "F1", "names": "x"}
    )
    filled: dict[str, Any] = dict(opened.view or {})
    filled["state"] = {"values": {"incident": {"incident": {"selected_option": {"value": INC}}}}}
    answer = await front.files(filled, MATSUMOTO)
    assert not isinstance(answer, list)
    assert answer.refused
    assert await front.files(filled, SUZUKI) == ["F1"]


def test_words_are_read_in_both_languages() -> None:
    assert parse("宣言 端末が暗号化された").word == "declare"
    assert parse("declare").form == "declare"
    assert parse("状況 inc-2026-0003") == Asked(word="status", stream="INC-2026-0003", typed="INC-2026-0003")
    # A full-width space is what a Japanese keyboard types; a line's end is what a phone does.
    assert parse("宣言　勘定系が停止") == Asked(word="declare", rest="勘定系が停止")
    assert parse("declare\nATM") == Asked(word="declare", rest="ATM")
    assert parse("ack　INC-2026-0001").stream == INC
    assert parse("note 3").form == "note"
    assert parse("note").form == ""
    assert parse("<!channel> rm -rf").word == "help"
    assert parse("").word == "help"


async def test_a_typed_ack_tells_an_outsider_nothing_of_a_private_incident(front: FrontDesk) -> None:
    declare(front, playbook="insider")
    outsider = Pressed(user=MATSUMOTO)
    assert not front.may_see(INC, front.actor(MATSUMOTO))
    before = front.house.desk.incident(INC).seq
    private = await front.typed(await front.whole(parse("ack 1")), outsider)
    none = await front.typed(await front.whole(parse("ack 9")), outsider)
    assert private.refused
    assert [line.replace("1", "9") for line in private.lines] == list(none.lines)
    asked = await front.typed(await front.whole(parse("status 1")), outsider)
    assert INC not in str(asked)
    assert front.house.desk.incident(INC).seq == before


async def test_nothing_is_fetched_that_belongs_to_no_incident(front: FrontDesk) -> None:
    answer = await front.files(
        {"private_metadata": '{"x": {"files": "F1"}}', "state": {"values": {}}}, SUZUKI
    )
    assert not isinstance(answer, list)
    assert answer.refused


async def test_a_file_that_is_evidence_already_is_not_recorded_again(front: FrontDesk) -> None:
    declare(front)
    opened = await front.open(
        "evidence", Target(stream=INC), Pressed(user=SUZUKI), {"files": "F1", "names": "x"}
    )
    values = {
        "incident": {"incident": {"selected_option": {"value": INC}}},
        "source": {"source": {"value": "pc-0142"}},
        "description": {"description": {"value": "脅迫文"}},
    }
    filled: dict[str, Any] = {**(opened.view or {}), "state": {"values": values}}
    kept = Fetched(name="note.txt", digest="sha256:" + "a" * 64, size=1, stored="aa")
    first = await front.submit("evidence", filled, SUZUKI, kept)
    assert not first.refused, first
    again = await front.submit("evidence", filled, SUZUKI, kept)
    assert not again.refused
    assert "EV-0001" in " ".join(again.lines)
    assert list(front.house.desk.incident(INC).evidence) == ["EV-0001"]


@pytest.mark.parametrize("gone", [False, True])
def test_a_file_is_known_only_while_its_item_still_has_it(gone: bool) -> None:
    digest = "sha256:" + "a" * 64
    check = Check(at=datetime.now(UTC), by="hikeshi", result="different" if gone else "same")
    item = Evidence(id="EV-0001", source="x", digest=digest, at=check.at, by="sato-kenji", check=check)
    state = Incident(stream=INC, evidence={item.id: item})
    kept = Fetched(name="x", digest=digest, size=1, stored="sha256/aa/x")
    assert _kept_before(state, kept) == ("" if gone else "EV-0001")
