"""The door: twice is once, a Slack that hangs loses nothing, and copies are true in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
from slack_bolt.request.async_request import AsyncBoltRequest

from console.opening import House
from console.slack.desk import FrontDesk
from console.slack.door import Door
from models.clock import ExerciseClock
from models.commands import Acknowledge, Actor, Declare
from models.desk import Desk
from models.fact import Fact
from models.installation import Settings
from models.premises import Premises
from models.record import Record
from notifiers.outbox import Outbox
from notifiers.slack.api import Budget, SlackApi
from notifiers.slack.copies import Copies
from notifiers.slack.deliver import SlackNotifier
from notifiers.slack.fake import FakeSlack, Fault
from playbooks.institution import Institution
from tests.console.slackhouse import QUICK

T = TypeVar("T")
INC = "INC-2026-0001"
SATO = Actor(person="sato-kenji", via="cli")
SUZUKI = "U0SUZUKI1"


@dataclass(kw_only=True)
class Bank:
    """A desk, a door and a Slack that runs here."""

    desk: Desk
    door: Door
    slack: FakeSlack
    outbox: Outbox
    copies: Copies

    async def send(self, **payload: Any) -> tuple[int, str]:
        """What Slack hands on by its socket; the status and text of our answer."""
        body = {"user": {"id": SUZUKI}, "team": {"id": "T0"}, "trigger_id": "1.2", **payload}
        request = AsyncBoltRequest(mode="socket_mode", body=body)
        answer = await self.door.app.async_dispatch(request)
        return answer.status, answer.body

    async def press(self, action: str, value: str, at: str = "1", **more: Any) -> tuple[int, str]:
        actions = [{"type": "button", "action_id": action, "block_id": "b", "value": value, "action_ts": at}]
        return await self.send(type="block_actions", actions=actions, channel={"id": "C1"}, **more)

    async def submit(self, name: str, values: dict[str, str], **view: Any) -> tuple[int, str]:
        state = {"values": {key: {key: {"type": "x", "value": text}} for key, text in values.items()}}
        shown = {
            "type": "modal",
            "id": "V1",
            "hash": "h1",
            "callback_id": f"hikeshi:{name}",
            "private_metadata": orjson.dumps({"on": f"{INC} 0 -", "in": "", "x": {}}).decode(),
            "blocks": [{"type": "input", "block_id": key} for key in ("text", "at", "reason")],
            "state": state,
        }
        return await self.send(type="view_submission", view=shown | view)

    def facts(self, kind: str, stream: str = INC) -> list[Fact]:
        with self.desk.record.read() as tx:
            return [fact for fact in tx.facts(stream) if fact.kind == kind]

    def declare(self) -> int:
        command = Declare(actor=SATO, text="勘定系が停止", severity="high")
        assert self.desk.handle(None, command).accepted
        return next(iter(self.desk.incident(INC).pages))

    async def settled(self) -> None:
        await self.door.close()


@pytest.fixture
async def made(bank: Institution, clock: ExerciseClock, tmp_path: Path) -> AsyncIterator[Bank]:
    people = tuple(
        one.model_copy(update={"channels": ("slack",) if one.slack else ("console",)})
        for one in bank.organisation.people
    )
    organisation = bank.organisation.model_copy(update={"people": people})
    premises = Premises(
        organisation=organisation,
        policy=bank.policy,
        playbooks=bank.playbooks,
        channels=frozenset({"console", "slack"}),
    )
    desk = Desk(Record.in_memory(), premises, clock)
    settings = Settings.model_validate(bank.settings.model_dump() | {"slack": {"token": "env:X"}})
    house = House(institution=replace(bank, settings=settings), desk=desk, data=tmp_path)

    async def here(call: Callable[[], T]) -> T:
        return call()

    async with FakeSlack() as slack:
        api = SlackApi(token=slack.token, base_url=slack.base_url, timeout_seconds=0.5)
        api.budget = Budget({"chat.update": 1_000_000}, posts_every=0.0)
        copies = Copies(desk, api, here, lambda stream, page, person, channel: "")
        door = Door(house, FrontDesk(house, here, lambda: None), api, copies, token=slack.token)
        notifier = SlackNotifier(token=slack.token, base_url=slack.base_url, timeout_seconds=1.0)
        outbox = Outbox(desk, {"slack": notifier}, here, pace=QUICK)
        yield Bank(desk=desk, door=door, slack=slack, outbox=outbox, copies=copies)
        await door.close()
        await api.close()
        await notifier.close()
    desk.record.close()


async def test_a_press_is_on_record_when_slack_is_answered(
    made: Bank, caplog: pytest.LogCaptureFixture
) -> None:
    page = made.declare()
    status, _ = await made.press("hikeshi:ack", f"{INC} {page} incident")
    assert status == 200
    assert [fact.actor for fact in made.facts("page.acknowledged")] == ["suzuki-daichi"] or made.facts(
        "page.seen"
    )
    warned = [*caplog.get_records("setup"), *caplog.records]
    assert not warned, "neither opening the door nor an ordinary press is a reason for a warning"


async def test_a_dialog_that_comes_twice_acts_once_and_is_answered_alike(made: Bank) -> None:
    made.declare()
    answers = await asyncio.gather(*(made.submit("note", {"text": "ATM は動く"}) for _ in range(3)))
    assert {status for status, _ in answers} == {200}
    assert len(made.facts("note.added")) == 1
    # The same dialog after an error is another try.
    first = await made.submit("note", {"text": "x", "at": "さっき"}, id="V2")
    assert "errors" in first[1]
    second = await made.submit("note", {"text": "x"}, id="V2")
    assert "errors" not in second[1]
    assert len(made.facts("note.added")) == 2


@pytest.mark.parametrize(
    "fault",
    [Fault.rate_limited(), Fault.http(503), Fault.reset(), Fault.hang(), Fault.refuse("token_expired")],
    ids=["429", "503", "reset", "hang", "token"],
)
async def test_a_press_counts_while_slack_answers_nothing(made: Bank, fault: Fault) -> None:
    page = made.declare()
    for method in ("auth.test", "chat.postEphemeral", "chat.postMessage", "views.open"):
        made.slack.plan(fault, method=method, times=None)
    async with asyncio.timeout(3):
        status, _ = await made.press("hikeshi:ack", f"{INC} {page} incident")
    assert status == 200
    assert made.facts("page.acknowledged") or made.facts("page.seen")


async def test_a_slack_that_hangs_while_people_are_told_holds_up_no_press(made: Bank) -> None:
    made.declare()
    made.slack.plan(Fault.hang(), method="chat.postEphemeral", times=None)
    made.slack.plan(Fault.hang(), method="chat.postMessage", times=None)
    async with asyncio.timeout(5):
        for number in range(80):
            await made.press("hikeshi:ack", f"{INC} 999 incident", at=str(number))
    assert len(made.door._tasks) <= 81


async def test_copies_are_true_after_a_token_was_mended(made: Bank) -> None:
    page = made.declare()
    await made.outbox.drain()
    assert made.desk.handle(INC, Acknowledge(actor=SATO, page=page)).accepted
    made.slack.plan(Fault.refuse("token_expired"), method="chat.update", times=None)
    assert not await made.copies.refresh(INC)
    assert made.copies.error
    made.slack.mend()
    assert await made.copies.refresh(INC)
    assert made.copies.error == ""
    assert any("受領しました" in post.shown for post in made.slack.posts)
    before = len(made.slack.edits)
    assert await made.copies.refresh(INC)
    assert len(made.slack.edits) == before


async def test_a_message_that_somebody_deleted_is_let_be(made: Bank) -> None:
    page = made.declare()
    await made.outbox.drain()
    made.desk.handle(INC, Acknowledge(actor=SATO, page=page))
    made.slack.plan(Fault.refuse("message_not_found"), method="chat.update", times=None)
    assert await made.copies.refresh(INC)
    assert made.copies.error == ""
    asked = made.slack.requests.count("chat.update")
    assert await made.copies.refresh(INC)
    assert made.slack.requests.count("chat.update") == asked
