"""An incident's own channel: each part by itself, kept true, told once, whatever fails in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from console.slack.room import channel_name, fitting
from console.slack.rooms import incident_of
from models.clock import ExerciseClock
from models.commands import Acknowledge, Declare, Note, SetSeverity
from models.desk import Desk
from models.premises import Premises
from models.record import Record
from notifiers.slack.fake import Fault
from playbooks.institution import Institution
from tests.console.roomhouse import INC, SATO, SUZUKI, Bank, facts, opened


@pytest.fixture
async def made(bank: Institution, clock: ExerciseClock) -> AsyncIterator[Bank]:
    async with opened(bank, clock) as found:
        yield found


async def test_a_grave_incident_gets_its_channel_with_everything_in_it(made: Bank) -> None:
    made.declare()
    assert await made.rooms.refresh(INC)
    channel = made.slack.rooms.named("inc-2026-0001")
    assert not channel.private
    assert {"U0SATO001", "U0KATO001"} <= set(channel.members)
    assert INC in channel.topic
    assert "勘定系が停止" in channel.topic
    board, *_ = made.posts()
    assert channel.pins == [board.ts]
    assert "進行中の手順" in board.shown
    assert [one["link"] for one in channel.bookmarks] == ["https://hikeshi.example.jp"]
    assert incident_of(made.desk.record, channel.id) == INC
    assert len(facts(made, "room.opened")) == 1


async def test_nothing_is_said_or_made_twice(made: Bank) -> None:
    made.declare()
    await made.rooms.refresh(INC)
    before = (len(made.slack.posts), len(made.slack.edits), len(made.slack.rooms.channels))
    for _ in range(3):
        assert await made.rooms.refresh(INC)
    assert (len(made.slack.posts), len(made.slack.edits), len(made.slack.rooms.channels)) == before


async def test_a_light_incident_gets_none_until_it_becomes_grave(made: Bank) -> None:
    made.declare(severity="low")
    assert await made.rooms.refresh(INC)
    assert not made.slack.rooms.channels
    made.desk.handle(INC, SetSeverity(actor=SATO, severity="high", reason="顧客に影響"))
    assert await made.rooms.refresh(INC)
    assert made.slack.rooms.named("inc-2026-0001")


async def test_a_named_type_is_private(made: Bank) -> None:
    made.declare(playbook="insider")
    assert await made.rooms.refresh(INC)
    assert made.slack.rooms.named("inc-2026-0001").private


async def test_pages_and_steps_have_threads_and_roots_that_stay_true(made: Bank) -> None:
    made.declare()
    await made.rooms.refresh(INC)
    root = next(one for one in made.posts() if one.shown.startswith("📟"))
    assert "hikeshi:ack" in str(root.blocks)
    assert "までに受領がなければ" in root.shown
    page = next(iter(made.desk.incident(INC).pages))
    made.desk.handle(INC, Acknowledge(actor=SATO, page=page))
    await made.rooms.refresh(INC)
    answers = made.posts(thread=root.ts)
    assert any("受領" in one.shown for one in answers)
    now = next(one for one in made.posts() if one.ts == root.ts)
    assert "受領しました" in now.shown
    assert "までに受領がなければ" not in now.shown
    assert "hikeshi:ack" not in str(now.blocks)


async def test_a_missing_scope_holds_up_its_own_part_only(made: Bank) -> None:
    made.slack.plan(Fault.refuse("missing_scope"), method="pins.add", times=None)
    made.slack.plan(Fault.refuse("missing_scope"), method="conversations.setTopic", times=None)
    made.declare()
    assert not await made.rooms.refresh(INC)
    channel = made.slack.rooms.named("inc-2026-0001")
    assert channel.members
    assert channel.bookmarks
    assert not channel.pins
    assert "トリアージ" in made.shown()
    assert sorted(made.rooms.problems) == [f"{INC} pin", f"{INC} topic"]
    made.slack.mend()
    assert await made.rooms.refresh(INC)
    assert made.rooms.problems == {}
    assert channel.pins
    assert channel.topic


async def test_one_dead_account_keeps_nobody_out(made: Bank) -> None:
    made.slack.rooms.unknown.add("U0KATO001")
    made.declare()
    assert not await made.rooms.refresh(INC)
    channel = made.slack.rooms.named("inc-2026-0001")
    assert "U0SATO001" in channel.members
    assert "user_not_found" in made.rooms.problems[f"{INC} members"]


async def test_a_channel_that_an_earlier_life_made_is_found_again(made: Bank) -> None:
    """Killed between making it and writing it down."""
    made.declare()
    made.slack.plan(Fault.reset(accepted=True), method="conversations.create")
    assert not await made.rooms.refresh(INC)
    assert made.slack.rooms.named("inc-2026-0001")
    assert await made.keeper().refresh(INC)
    assert len(made.slack.rooms.channels) == 1
    assert made.desk.incident(INC).rooms["slack"].address == made.slack.rooms.named("inc-2026-0001").id


async def test_what_was_told_before_a_crash_is_not_told_again(made: Bank) -> None:
    made.declare()
    await made.rooms.refresh(INC)
    made.desk.handle(INC, Note(actor=SATO, text="ATM は動いている"))
    made.slack.plan(Fault.reset(accepted=True))
    assert not await made.rooms.refresh(INC)
    assert await made.keeper().refresh(INC)
    told = [one for one in made.slack.posts if "ATM は動いている" in one.shown]
    assert len(told) == 1


async def test_text_from_outside_mentions_nobody_in_any_part(made: Bank) -> None:
    made.declare(text="<!channel> @here <https://evil.example|x> *bold* #general")
    await made.rooms.refresh(INC)
    made.desk.handle(INC, Note(actor=SATO, text="<@U0KATO001> <!everyone> see http://evil.example"))
    await made.rooms.refresh(INC)
    assert [one.mentions for one in made.slack.posts if one.mentions] == []
    topic = made.slack.rooms.named("inc-2026-0001").topic
    assert "<!" not in topic
    assert "@here" not in topic


def test_names_hold_nothing_of_the_title_and_a_drill_says_so(bank: Institution, clock: ExerciseClock) -> None:
    premises = Premises(organisation=bank.organisation, policy=bank.policy, playbooks=bank.playbooks)
    desk = Desk(Record.in_memory(), premises, clock)
    desk.handle(None, Declare(actor=SUZUKI, text="極秘の件", playbooks=("ransomware",), severity="high"))
    state = desk.incident(INC)
    assert channel_name("{incident}", state, drill=False) == "inc-2026-0001"
    assert channel_name("ir_{year}_{number}-{playbook}-{severity}", state, drill=True) == (
        "drill-ir_2026_0001-ransomware-high"
    )
    desk.record.close()


def test_a_board_is_cut_to_what_slack_takes_but_keeps_its_buttons() -> None:
    section: dict[str, Any] = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2_900}}
    actions: dict[str, Any] = {"type": "actions", "elements": []}
    kept = fitting([*([section] * 8), actions])
    assert sum(len(one["text"]["text"]) for one in kept if one["type"] == "section") <= 13_000
    assert kept[-1] is actions
