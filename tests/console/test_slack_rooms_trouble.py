"""An incident's own channel in trouble: unclear answers, forgeries, names taken, lost, archived, too open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from console.slack.pauses import Pauses
from console.slack.room import candidates
from console.slack.rooms import Rooms, incident_of
from models.clock import ExerciseClock
from models.commands import Acknowledge, Actor, EndIncident, Note, UsePlaybook
from models.rooms import MAX_ROOMS, OpenRoom
from notifiers.slack.fake import Fault
from playbooks.institution import Institution
from tests.console.roomhouse import INC, SATO, SETTINGS, SUZUKI, Bank, facts, opened

SECOND = "INC-2026-0002"


@pytest.fixture
async def made(bank: Institution, clock: ExerciseClock) -> AsyncIterator[Bank]:
    async with opened(bank, clock) as found:
        yield found


def note(made: Bank, text: str, stream: str = INC, by: Actor = SUZUKI) -> None:
    assert made.desk.handle(stream, Note(actor=by, text=text)).accepted


# -- unclear answers -----------


async def test_a_note_is_told_once_whatever_becomes_of_the_answers(made: Bank) -> None:
    made.declare()
    assert await made.rooms.refresh(INC)
    note(made, "ATM は動いている")
    for _ in range(5):
        made.slack.plan(Fault.reset(accepted=True))
        await made.rooms.refresh(INC)
        made.slack.mend()
    assert await made.rooms.refresh(INC)
    assert len([one for one in made.slack.posts if "ATM は動いている" in one.shown]) == 1


async def test_board_and_roots_are_posted_once_whatever_becomes_of_the_answers(made: Bank) -> None:
    made.declare()
    made.slack.plan(Fault.reset(accepted=True), times=None)
    for _ in range(4):
        await made.rooms.refresh(INC)
    made.slack.mend()
    assert await made.rooms.refresh(INC)
    keys = [one.key for one in made.slack.posts]
    assert f"{INC}/room/board" in keys
    assert sorted(keys) == sorted(set(keys))
    before = len(keys)
    assert await made.keeper().refresh(INC)
    assert len(made.slack.posts) == before


async def test_a_board_that_a_killed_node_posted_is_found_by_the_next_one(made: Bank) -> None:
    made.declare()
    made.slack.plan(Fault.reset(accepted=True))
    await made.rooms.refresh(INC)
    assert await made.keeper().refresh(INC)
    boards = [one for one in made.posts() if one.key == f"{INC}/room/board"]
    assert len(boards) == 1
    assert made.slack.rooms.named("inc-2026-0001").pins == [boards[0].ts]


async def test_a_thread_of_more_than_one_page_is_read_to_its_end(made: Bank) -> None:
    made.declare()
    assert await made.rooms.refresh(INC)
    page = next(iter(made.desk.incident(INC).pages.values()))
    root = next(one for one in made.posts() if one.key == f"{INC}/room/page:{page.id}")
    for number in range(250):
        made.slack.forge(root.channel, f"chatter-{number}", thread=root.ts)
    made.desk.handle(INC, Acknowledge(actor=SATO, page=page.id))
    made.slack.plan(Fault.reset(accepted=True))
    assert not await made.rooms.refresh(INC)
    assert await made.keeper().refresh(INC)
    assert len([one for one in made.posts(thread=root.ts) if "受領" in one.shown]) == 1


async def test_a_root_that_somebody_deleted_is_posted_anew(made: Bank) -> None:
    made.declare()
    assert await made.rooms.refresh(INC)
    page = next(iter(made.desk.incident(INC).pages.values()))
    made.desk.handle(INC, Acknowledge(actor=SATO, page=page.id))
    made.slack.plan(Fault.refuse("thread_not_found"))
    made.slack.plan(Fault.refuse("message_not_found"), method="chat.update")
    assert not await made.rooms.refresh(INC)
    assert await made.rooms.refresh(INC)
    assert any("受領" in one.shown for one in made.slack.posts if one.thread)


# -- forgeries -----------


async def test_somebody_elses_post_with_our_key_silences_nothing(made: Bank) -> None:
    made.declare()
    assert await made.rooms.refresh(INC)
    channel = made.slack.rooms.named("inc-2026-0001").id
    seq = made.desk.incident(INC).seq
    for end in (seq + 1, 999_999):
        made.slack.forge(channel, f"{INC}/room/main/{end}")
    note(made, "送金を止めた")
    assert await made.keeper().refresh(INC)
    assert "送金を止めた" in made.shown()


async def test_a_number_beyond_the_record_silences_nothing(made: Bank) -> None:
    """Another record, restored from a backup, may have told more than this one knows."""
    made.declare()
    assert await made.rooms.refresh(INC)
    channel = made.slack.rooms.named("inc-2026-0001").id
    key = {"event_type": "hikeshi_message", "event_payload": {"key": f"{INC}/room/main/999999"}}
    await made.api.call("chat.postMessage", channel=channel, text="ours", metadata=key)
    note(made, "送金を止めた")
    assert await made.keeper().refresh(INC)
    assert "送金を止めた" in made.shown()


async def test_a_name_that_somebody_took_beforehand_keeps_nothing_from_opening(made: Bank) -> None:
    made.slack.rooms.take("inc-2026-0001", "U0ATTACKER")
    made.slack.rooms.take("inc-2026-0001-2", "U0ATTACKER")
    made.declare()
    assert await made.rooms.refresh(INC)
    room = made.desk.incident(INC).rooms["slack"]
    assert room.name == "inc-2026-0001-3"
    assert "トリアージ" in made.shown(room.name)
    assert made.posts() == []


async def test_when_all_names_are_taken_it_is_said(made: Bank) -> None:
    for name in candidates("inc-2026-0001"):
        made.slack.rooms.take(name, "U0ATTACKER")
    made.declare()
    assert not await made.rooms.refresh(INC)
    assert made.rooms.problems == {f"{INC} channel": "Slack: name_taken"}


# -- faults of ours -----------


async def test_a_fault_of_ours_in_one_part_is_shown_and_stops_no_other(made: Bank) -> None:
    class Faulty(Rooms):
        async def _board(self, room: Any) -> None:
            raise ZeroDivisionError

    async def here(call: Callable[[], Any]) -> Any:
        return call()

    rooms = Faulty(made.desk, made.api, here, SETTINGS)
    made.declare()
    assert not await rooms.refresh(INC)
    assert rooms.problems == {f"{INC} board": "ZeroDivisionError"}
    channel = made.slack.rooms.named("inc-2026-0001")
    assert channel.topic
    assert channel.members
    assert "トリアージ" in made.shown()


async def test_a_record_that_cannot_be_read_does_not_end_the_keeping(made: Bank) -> None:
    made.declare()
    calls = 0

    async def run(call: Callable[[], Any]) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("disk I/O error")
        return call()

    rooms = Rooms(made.desk, made.api, run, SETTINGS)
    stop = asyncio.Event()
    keeping = asyncio.create_task(rooms.keep_true(stop))
    await asyncio.sleep(0.1)
    rooms.touch(INC)
    await until(lambda: bool(made.slack.posts) and "トリアージ" in made.shown())
    stop.set()
    await keeping


# -- channels that people shut, lose or open too far -----------


async def test_an_archived_channel_rests_longer_each_time(made: Bank) -> None:
    made.declare()
    assert await made.rooms.refresh(INC)
    made.slack.rooms.named("inc-2026-0001").archived = True
    note(made, "続報")
    assert not await made.rooms.refresh(INC)
    assert "is_archived" in made.rooms.problems[f"{INC} threads"]
    stop = asyncio.Event()
    keeping = asyncio.create_task(made.rooms.keep_true(stop))
    before = len(made.slack.requests)
    made.rooms.touch(INC)
    await asyncio.sleep(0.3)
    assert len(made.slack.requests) == before
    stop.set()
    await keeping
    made.slack.rooms.named("inc-2026-0001").archived = False
    assert await made.rooms.refresh(INC)
    assert made.rooms.problems == {}
    assert "続報" in made.shown()


async def test_an_archived_channel_of_an_incident_that_is_over_is_let_be(made: Bank) -> None:
    made.declare()
    assert await made.rooms.refresh(INC)
    made.desk.handle(INC, EndIncident(actor=SATO, how="cancelled", reason="誤報"))
    made.slack.rooms.named("inc-2026-0001").archived = True
    assert await made.rooms.refresh(INC)
    assert made.rooms.problems == {}
    assert len(made.slack.rooms.channels) == 1


def test_pauses_double_up_to_a_quarter_of_an_hour() -> None:
    pauses, now, found = Pauses(), 0.0, []
    for _ in range(7):
        pauses.failed(INC, now, longer=True, shut=True)
        assert pauses.shut(INC, now)
        assert pauses.waits(INC, now)
        assert pauses.due(now) == []
        start = now
        while not pauses.due(now):
            now += 1
        found.append(now - start)
    assert found == [30, 60, 120, 240, 480, 900, 900]
    pauses.over(INC)
    assert pauses.due(now) == []


def test_a_pause_that_is_on_is_not_begun_anew_by_news() -> None:
    pauses = Pauses()
    pauses.failed(INC, 0.0, longer=False, shut=False)
    pauses.failed(INC, 20.0, longer=True, shut=False)
    assert not pauses.shut(INC, 25.0)
    assert pauses.due(30.0) == [INC]


async def test_a_deleted_channel_is_replaced_and_the_new_one_told_everything(made: Bank) -> None:
    made.declare()
    assert await made.rooms.refresh(INC)
    old = made.desk.incident(INC).rooms["slack"].address
    made.slack.rooms.delete("inc-2026-0001")
    note(made, "続報")
    assert not await made.rooms.refresh(INC)
    assert await made.rooms.refresh(INC)
    room = made.desk.incident(INC).rooms["slack"]
    assert room.address != old
    assert (room.replaces, room.number) == (old, 2)
    assert "続報" in made.shown(room.name)
    assert made.slack.rooms.named(room.name).pins
    assert incident_of(made.desk.record, room.address) == INC
    assert incident_of(made.desk.record, old) == ""
    assert await made.keeper().refresh(INC)
    assert len(facts(made, "room.opened")) == 2


async def test_only_who_names_the_channel_that_is_replaced_opens_another(made: Bank) -> None:
    made.declare()
    assert await made.rooms.refresh(INC)
    first = made.desk.incident(INC).rooms["slack"].address

    def put(address: str, replaces: str, actor: Actor | None = None) -> bool:
        who = actor or Actor.machine("slack")
        command = OpenRoom(
            actor=who, via="slack", address=address, name="n", private=False, replaces=replaces
        )
        return bool(made.desk.handle(INC, command).facts)

    assert not put("C2", "")
    assert not put("C2", "C0OTHER")
    assert not put(first, first)
    assert not put("C2", first, SATO)
    last = first
    for number in range(2, MAX_ROOMS + 1):
        assert put(f"C{number}", last)
        last = f"C{number}"
    assert not put("C99", last)
    assert len(facts(made, "room.opened")) == MAX_ROOMS


async def test_an_incident_that_becomes_a_private_matter_goes_on_in_private(made: Bank) -> None:
    made.declare()
    assert await made.rooms.refresh(INC)
    before = len(made.posts())
    used = UsePlaybook(actor=SATO, how="add", playbook="insider", reason="内部者の疑い")
    assert made.desk.handle(INC, used).accepted
    note(made, "疑いは山田", by=SATO)
    assert await made.rooms.refresh(INC)
    room = made.desk.incident(INC).rooms["slack"]
    assert room.private
    assert room.name == "inc-2026-0001-2"
    assert made.slack.rooms.named(room.name).private
    assert "疑いは山田" in made.shown(room.name)
    told = made.posts()[before:]
    assert len(told) == 1
    assert "別のチャンネル" in told[0].shown
    note(made, "山田の端末を保全", by=SATO)
    assert await made.rooms.refresh(INC)
    assert await made.keeper().refresh(INC)
    assert len(made.posts()) == before + 1
    assert not any("山田" in one.shown for one in made.slack.edits if one.channel == told[0].channel)


async def test_what_is_private_is_told_to_nobody_while_no_private_channel_can_be_made(made: Bank) -> None:
    made.declare()
    assert await made.rooms.refresh(INC)
    made.desk.handle(INC, UsePlaybook(actor=SATO, how="add", playbook="insider", reason="内部者の疑い"))
    note(made, "疑いは山田", by=SATO)
    made.slack.plan(Fault.refuse("missing_scope"), method="conversations.create", times=None)
    assert not await made.rooms.refresh(INC)
    assert not any("山田" in one.shown for one in made.slack.posts)
    assert "missing_scope" in made.rooms.problems[f"{INC} channel"]


async def test_a_private_channel_that_is_lost_is_replaced_by_a_private_one(made: Bank) -> None:
    made.declare(playbook="insider")
    assert await made.rooms.refresh(INC)
    made.slack.rooms.delete("inc-2026-0001")
    note(made, "続報")
    assert not await made.rooms.refresh(INC)
    assert await made.rooms.refresh(INC)
    assert made.slack.rooms.named(made.desk.incident(INC).rooms["slack"].name).private


# -- one does not hold up another -----------


async def test_a_limit_on_making_channels_holds_up_no_channel_that_exists(made: Bank) -> None:
    made.declare()
    assert await made.rooms.refresh(INC)
    made.declare(text="二件目")
    made.slack.plan(Fault.rate_limited("60"), method="conversations.create")
    made.slack.plan(Fault.hang(), method="conversations.list", times=None)
    stop = asyncio.Event()
    keeping = asyncio.create_task(made.rooms.keep_true(stop))
    await until(lambda: f"{SECOND} channel" in made.rooms.problems)
    note(made, "至急")
    made.rooms.touch(INC)
    await until(lambda: "至急" in made.shown(), seconds=2)
    stop.set()
    await keeping
    assert not await made.rooms.refresh(SECOND)
    assert "conversations.create has to rest, again at" in made.rooms.problems[f"{SECOND} channel"]


async def test_many_channels_are_worked_on_at_once_and_each_by_one_task(made: Bank) -> None:
    streams = [made.declare(text=f"{number} 件目") for number in range(5)]
    for stream in streams:
        assert await made.rooms.refresh(stream)
    channels = [made.desk.incident(one).rooms["slack"].address for one in streams]
    for stream in streams:
        note(made, "続報", stream)
    made.slack.plan(Fault.hang(), address=channels[0], times=None)
    made.rooms.touch(streams[0])  # the one that hangs comes first
    stop = asyncio.Event()
    keeping = asyncio.create_task(made.rooms.keep_true(stop))
    for _ in range(3):
        for stream in streams:
            made.rooms.touch(stream)
        await asyncio.sleep(0.05)

    def told() -> int:
        return len({one.channel for one in made.slack.posts if "続報" in one.shown})

    await until(lambda: told() >= 4, seconds=0.9)
    stop.set()
    await keeping
    news = [one.channel for one in made.slack.posts if "続報" in one.shown]
    assert sorted(news) == sorted(set(news))


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until it is so. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)
