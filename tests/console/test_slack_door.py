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
from sqlalchemy import insert, select, update

from console.opening import House
from console.slack import answers
from console.slack.desk import FrontDesk
from console.slack.door import Door
from console.texts import texts
from models.clock import ExerciseClock
from models.commands import Acknowledge, Actor, Declare
from models.desk import HOUSE, Desk
from models.fact import Fact
from models.installation import Settings
from models.outofband import ConfirmTrust, ProposeTrust
from models.premises import Premises
from models.record import OUTBOX, Record, micros
from notifiers import composing
from notifiers.briefing import Envelope
from notifiers.message import Message
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


async def test_out_of_band_not_even_a_failure_is_told(made: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    page = made.declare()
    made.door.api.distrusted = slack_only
    out_of_band(made)
    before = list(made.slack.requests)
    url = f"{made.slack.base_url}respond"

    async def broken(*_: object) -> Any:
        raise RuntimeError("disk")

    for action, value in (("hikeshi:ack", "garbage"), ("hikeshi:nosuch", f"{INC} {page} incident")):
        assert await made.press(action, value, at=value, response_url=url) == (200, "")
    assert await made.submit("nosuch", {}) == (200, "")
    monkeypatch.setattr(made.door.front, "act", broken)
    monkeypatch.setattr(made.door.front, "submit", broken)
    assert await made.press("hikeshi:ack", f"{INC} {page} incident", at="9", response_url=url) == (200, "")
    assert await made.submit("note", {"text": "x"}) == (200, "")
    await made.settled()
    assert list(made.slack.requests) == before

    def never(**_: object) -> Any:
        raise AssertionError("a word went there")

    monkeypatch.setattr("console.slack.answers.aiohttp.ClientSession", never)
    assert not await answers.respond(made.door.api, url, {"text": "x"})


async def slack_only() -> frozenset[str]:
    return frozenset({"slack"})


def out_of_band(made: Bank) -> None:
    """Two people take Slack out of band."""
    proposal = ProposeTrust(actor=SATO, way="out-of-band", channels=("slack",), reason="x")
    asked = made.desk.handle(HOUSE, proposal)
    second = Actor(person="kato-hiroshi", via="cli")
    assert made.desk.handle(HOUSE, ConfirmTrust(actor=second, proposal=asked.facts[0].seq)).accepted


async def test_what_failed_in_a_dialog_is_said_in_words(made: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    made.declare()

    async def broken(*_: object) -> Any:
        raise RuntimeError("disk")

    monkeypatch.setattr(made.door.front, "submit", broken)
    _, said = await made.submit("note", {"text": "x"})
    assert texts("ja")("slack.problem.other") in str(orjson.loads(said))


def bundled(made: Bank, incidents: int, posts: int = 1) -> str:
    """As if the pages of one person about so many incidents had left together, and again in further posts."""
    for _ in range(incidents):
        made.declare()
    with made.desk.record.begin() as tx:
        pages = select(OUTBOX).where(OUTBOX.c.channel == "slack", OUTBOX.c.kind == "page")
        rows = [dict(row) for row in tx.connection.execute(pages.order_by(OUTBOX.c.id)).mappings()]
        person = str(rows[0]["person"])
        first = {row["stream"]: row for row in rows if row["person"] == person}.values()
        sent = {"state": "sent", "sent_at": micros(made.desk.clock.now())}
        tx.connection.execute(
            update(OUTBOX)
            .where(OUTBOX.c.id.in_([row["id"] for row in first]))
            .values(**sent, receipt="D1/1.1")
        )
        for post in range(2, posts + 1):
            for row in first:
                key = row["key"].split("/")
                again = {**row, **sent, "attempt": post, "receipt": f"D1/{post}.1"}
                del again["id"]
                again["key"] = "/".join([*key[:3], str(post), *key[4:]])
                tx.connection.execute(insert(OUTBOX).values(**again))
    return person


async def test_one_change_edits_a_bundle_once_whichever_of_its_incidents_is_looked_at(made: Bank) -> None:
    person = bundled(made, incidents=6)
    streams = [f"INC-2026-{number:04d}" for number in range(1, 7)]
    page = next(iter(made.desk.incident(streams[1]).pages))
    acked = Acknowledge(actor=Actor(person=person, via="cli"), page=page)
    assert made.desk.handle(streams[1], acked).accepted
    calls: list[str] = []

    async def call(method: str, **_: object) -> dict[str, object]:
        calls.append(method)
        return {}

    made.copies._api.call = call  # type: ignore[assignment, method-assign]
    for _ in range(3):
        for stream in streams:
            assert await made.copies.refresh(stream)
    assert calls == ["chat.update"]


async def test_a_post_is_never_edited_from_a_part_of_its_pages(
    made: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifiers.slack.copies.MAX_ROWS", 10)
    person = bundled(made, incidents=4, posts=4)
    page = next(iter(made.desk.incident(INC).pages))
    assert made.desk.handle(INC, Acknowledge(actor=Actor(person=person, via="cli"), page=page)).accepted
    edits = made.copies._plan(INC)
    # The newest posts first, and whole ones only.
    assert {edit.ts: len(edit.message.bundle) for edit in edits} == {"4.1": 4, "3.1": 4}


async def test_a_sick_incident_holds_up_no_edit_of_the_others(
    made: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled(made, incidents=2)
    well = "INC-2026-0002"
    page = next(iter(made.desk.incident(well).pages))
    made.desk.handle(well, Acknowledge(actor=SATO, page=page))
    with made.desk.record.begin() as tx:
        rows = tx.connection.execute(select(OUTBOX.c.id).where(OUTBOX.c.state == "queued")).scalars()
        for number in list(rows):
            own = {"state": "sent", "sent_at": micros(made.desk.clock.now()), "receipt": f"D{number}/1.0"}
            tx.connection.execute(update(OUTBOX).where(OUTBOX.c.id == number).values(**own))
    real = composing.compose

    def broken(desk: Desk, envelope: Envelope, *rest: Any) -> Message:
        if envelope.stream == INC:
            raise ValueError("sick")
        return real(desk, envelope, *rest)

    monkeypatch.setattr("notifiers.slack.copies.compose", broken)
    edits = made.copies._plan(well)
    assert edits
    assert {edit.mirror.stream for edit in edits} == {well}


async def test_what_slack_refused_is_forgotten_once_nothing_is_to_be_edited(made: Bank) -> None:
    page = made.declare()
    await made.outbox.drain()
    made.desk.handle(INC, Acknowledge(actor=SATO, page=page))
    made.slack.plan(Fault.http(503), method="chat.update", times=None)
    assert not await made.copies.refresh(INC)
    assert made.copies.error
    out_of_band(made)
    assert await made.copies.refresh(INC)
    assert made.copies.error == ""
