"""Whose turn it is: no channel hides another behind its backlog, and a test comes after what is meant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models.clock import ExerciseClock
from models.comcheck import MAX_ASKS, TEMPLATE, StartComcheck
from models.commands import Acknowledge
from models.fold import pages
from models.record import OUTBOX, Record
from notifiers.claims import BATCH, Claims, Item, items
from notifiers.gateway import render
from notifiers.gateway.code import code_of_key
from notifiers.leases import Leases
from notifiers.message import Delivery, Message
from notifiers.outbox import Outbox
from notifiers.pacing import Pace, Pacing
from notifiers.teams import render as teams
from playbooks.institution import Institution
from tests.models.small import AMY, BEN, by, scene
from tests.notifiers.test_outbox import LATER as LATER_ON
from tests.notifiers.test_outbox import Peer, World
from tests.notifiers.test_outbox_lines import change

CHANNELS = ("console", "file", "slack", "email", "teams", "sms", "voice")
NOW, LATER = 10**12, 10**15
LINES = BATCH + 10


class Queue:
    """An outbox of rows that a test writes, and what is claimed of them."""

    def __init__(self) -> None:
        self.record = Record.in_memory()
        self.claims = Claims(self.record, Leases.for_once(self.record), {"slack"}, {"slack": 100})
        self.number = 0

    def wait(self, channel: str, *people: str, **fields: Any) -> None:
        rows = []
        for person in people:
            self.number += 1
            rows.append(
                {
                    "key": f"INC-2026-0001/4/0/1/{channel}:{person}/{self.number}",
                    "stream": "INC-2026-0001",
                    "page": 4,
                    "cause": 4,
                    "level": "0",
                    "attempt": 1,
                    "kind": "page",
                    "template": "page.declared",
                    "subject": "incident",
                    "person": person,
                    "role": "",
                    "deputy_for": None,
                    "channel": channel,
                    "address": None,
                    "further": "[]",
                    "state": "queued",
                    "tries": 0,
                    "created_at": 0,
                    "next_try_at": 0,
                    **fields,
                }
            )
        with self.record.begin() as tx:
            tx.enqueue(rows)

    def claimed(self, busy: Any = (), resting: Any = (), rooms: Any = None) -> list[str]:
        def first(queue: list[Item]) -> list[Item]:
            return queue[:1]

        return list(self.claims.take(NOW, busy, resting, rooms or {}, first))


@pytest.fixture
def queue() -> Iterator[Queue]:
    made = Queue()
    yield made
    made.record.close()


def crowd(least: int = 0, most: int = LINES) -> list[str]:
    return [f"p{number}" for number in range(least, most)]


def test_lines_that_wait_to_be_tried_again_hide_no_other_channel(queue: Queue) -> None:
    queue.wait("slack", *crowd(), tries=1, next_try_at=LATER)
    queue.wait("email", AMY)
    assert queue.claimed() == ["email:amy/page"]


def test_a_channel_that_rests_hides_no_other(queue: Queue) -> None:
    queue.wait("slack", *crowd())
    queue.wait("email", AMY)
    assert queue.claimed(resting={"slack"}) == ["email:amy/page"]


def test_destinations_that_rest_hide_no_other_of_their_channel(queue: Queue) -> None:
    queue.wait("slack", *crowd(), AMY)
    assert queue.claimed(resting={f"slack:{person}" for person in crowd()}) == ["slack:amy/page"]


def test_lines_that_are_served_hide_no_other(queue: Queue) -> None:
    queue.wait("slack", *crowd())
    queue.wait("email", AMY)
    assert queue.claimed(busy={f"slack:{person}/page" for person in crowd()}) == ["email:amy/page"]


def test_a_backlog_is_taken_in_pieces_and_each_channel_has_its_share(queue: Queue) -> None:
    queue.wait("slack", *crowd())
    queue.wait("email", AMY, "ben")
    queue.wait("sms", AMY, kind="notice", template="notice.acknowledged")
    first = queue.claimed()
    assert len(first) == BATCH
    assert first[:4] == ["slack:p0/page", "email:amy/page", "slack:p1/page", "email:ben/page"]
    assert queue.claimed()[-1] == "sms:amy/notice", "a notice comes after every page"


def test_a_test_comes_last_and_leaves_the_reserve_of_a_minute(queue: Queue) -> None:
    queue.wait("slack", *crowd(0, 8), template=TEMPLATE)
    queue.wait("email", AMY, template=TEMPLATE)
    queue.wait("slack", "p0")
    queue.wait("slack", "p1", kind="notice", template="notice.acknowledged")
    assert queue.claimed(rooms={"slack": 105}) == [
        "slack:p0/page",
        "slack:p1/notice",
        "email:amy/check",
        "slack:p2/check",
        "slack:p3/check",
        "slack:p4/check",
    ], "p0 and p1 have their second's message already; a channel without a limit keeps nothing"
    assert queue.claimed(rooms={"slack": 100}) == [], "p5 to p7 wait"
    queue.wait("slack", AMY)
    assert queue.claimed(rooms={"slack": 100}) == ["slack:amy/page"], "and nobody waits for them"


def test_a_whole_test_leaves_slack_a_third_of_its_minute() -> None:
    pace = Pace()
    pacing = Pacing(pace.interval, pace.per_minute)
    assert pacing.reserve() == {"slack": 100}
    assert pace.per_minute["slack"] - pacing.reserve()["slack"] < MAX_ASKS


# -- the same through the outbox ----------------------------------------------------------------------------


@pytest.fixture
def world(bank: Institution, clock: ExerciseClock) -> Iterator[World]:
    made = World(bank, clock, people=("console", "file"))
    yield made
    made.desk.record.close()


def check(world: World) -> None:
    route = world.desk.premises.policy.routes[0].id
    command = StartComcheck(actor=by("suzuki-daichi"), route=route)
    assert world.desk.handle("programme", command).accepted


async def test_an_incident_declared_during_a_test_is_paged_at_once(world: World) -> None:
    per_minute = {"console": 3}
    pace = Pace(interval={}, per_minute=per_minute)
    world.outbox = Outbox(world.desk, world.outbox.notifiers, world.outbox.run_in_writer, pace=pace)
    world.outbox.pacing = Pacing({}, per_minute, now=lambda: world.clock.now().timestamp())
    check(world)
    await world.outbox.drain()
    assert [one.template for one in world.console.got] == [TEMPLATE] * 2
    assert len(world.rows("queued")) > 0, "there was more of it"
    world.declare()
    await world.outbox.drain()
    assert world.pages()[-1].template == "page.declared"
    world.clock.advance(timedelta(minutes=1))
    await world.outbox.drain()
    assert [one.template for one in world.pages()].count(TEMPLATE) > 2, "the test goes on in the next minute"


async def test_many_who_wait_elsewhere_hide_no_page_behind_a_line_that_fails(
    world: World, clock: ExerciseClock
) -> None:
    """After 90 s behind one that cannot be delivered it goes to its next channel, untried."""
    world.outbox = Outbox(world.desk, world.outbox.notifiers, world.outbox.run_in_writer)
    world.outbox.pace = Pace(interval={}, give_up_page=90, backoff=(1_000,))
    stream = world.declare()
    change(world, OUTBOX.c.stream == stream, next_try_at=0, state="withdrawn")
    queue = Queue.__new__(Queue)
    queue.record, queue.number = world.desk.record, 0
    queue.wait("console", *crowd(), stream=stream, next_try_at=LATER * 10)
    second = world.declare()
    line = f"console:{world.duty}/page"
    world.outbox._failing = {line: 0}
    clock.advance(timedelta(seconds=91))
    kept = world.outbox._kept_waiting()
    assert {item.envelope.stream for item in kept} == {second}
    assert {item.line for item in kept} == {line}


async def test_a_message_of_a_test_that_is_over_is_not_sent_though_its_page_is_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records that never end keep few pages that are over; the message was under way when it ended."""
    monkeypatch.setattr(pages, "PAGES_KEPT", 1)
    check(world)
    console = world.console
    over: list[str] = []

    async def ends(message: Message) -> Delivery:
        if not over:
            world.clock.advance(timedelta(minutes=11))
            assert "comcheck.ended" in world.desk.tick("programme").kinds()
        over.append(message.key)
        return LATER_ON

    monkeypatch.setattr(console, "deliver", ends)
    world.outbox.notifiers = {"console": console}
    await world.outbox.drain()
    assert int(over[0].split("/")[1]) not in world.desk.state("programme").pages
    world.clock.advance(timedelta(seconds=5))
    await world.outbox.drain()
    assert len(over) == len(set(over)), "none a second time"
    assert world.rows("queued") == world.rows("sending") == []


def test_while_a_destination_is_spoken_to_a_page_may_pass_and_nothing_else(queue: Queue) -> None:
    queue.wait("slack", AMY, kind="notice", template="notice.acknowledged")
    queue.wait("slack", AMY, template=TEMPLATE)
    assert queue.claimed(busy=[f"slack:{AMY}/page"]) == []
    queue.wait("slack", AMY)
    assert queue.claimed(busy=[f"slack:{AMY}/notice"]) == [f"slack:{AMY}/page"]


@pytest.mark.parametrize(("level", "who"), [(0, AMY), (1, BEN)])
async def test_a_level_that_is_asked_again_and_not_reached_goes_on_at_once(level: int, who: str) -> None:
    made = scene()
    made.wait(5.1 * level)
    made.do(Acknowledge(actor=by(who), page=made.page().id))
    made.wait(31)
    assert (made.page().state, made.page().level) == ("open", level), "no work has begun: it has lapsed"
    with made.desk.record.read() as tx:
        mine = items(tx, OUTBOX.c.person == who)
    again = next(item for item in mine if "-again" in item.envelope.level)
    outbox = Outbox(made.desk, {}, here)
    outbox._give_up(again, "x")
    assert made.facts("page.hurried"), "the next level is asked at once"


async def here(call: Callable[[], Any]) -> Any:
    return call()


@pytest.mark.parametrize("channel", ["sms", "voice"])
async def test_each_page_by_telephone_has_its_own_message_since_it_has_its_own_code(
    channel: str, bank: Institution, clock: ExerciseClock
) -> None:
    world = World(bank, clock, channel=channel)
    streams = {world.declare() for _ in range(5)}
    await world.outbox.drain()
    pages = [one for one in world.console.got if one.kind == "page" and one.person == world.duty]
    assert {one.key.split("/")[0] for one in pages} == streams
    for page in pages:
        said = render.sms(page, code_of_key(b"k" * 32, page.key)).text
        assert page.key.split("/")[0] in said
    world.desk.record.close()


async def test_a_card_holds_every_page_that_it_stands_for(bank: Institution, clock: ExerciseClock) -> None:
    world = World(bank, clock, channel="teams")
    world.outbox.link = lambda stream, page, person, channel: f"https://mihon.example/p/{stream}{'a' * 300}"
    streams = {world.declare("営業店の端末が次々に暗号化されている" * 10) for _ in range(20)}
    await world.outbox.drain()
    cards = [one for one in world.console.got if one.kind == "page" and one.person == world.duty]
    assert len(cards) < len(streams)
    shown = "".join(teams.render(one).body + teams.render(one).title for one in cards)
    assert [stream for stream in streams if stream not in shown] == []
    assert shown.count("https://mihon.example/p/") >= len(streams)
    assert len(world.rows("sent")) == len(world.rows())
    world.desk.record.close()


async def test_a_channel_that_hangs_is_asked_once_for_all_that_was_under_way(
    bank: Institution, clock: ExerciseClock
) -> None:
    class Hung(Peer):
        async def deliver(self, message: Message) -> Delivery:
            await asyncio.sleep(60)
            raise AssertionError

        async def arrived(self, message: Message) -> None:
            self.asked += 1
            await asyncio.sleep(60)

    world = World(bank, clock)
    world.outbox.pace = replace(world.outbox.pace, patience=0.2)
    peer = Hung("console", can_read_back=True)
    world.outbox.notifiers = {"console": peer}
    for _ in range(20):
        world.declare()
    change(world, OUTBOX.c.person != world.duty, state="withdrawn")
    change(world, OUTBOX.c.person == world.duty, OUTBOX.c.kind == "page", state="sending", tries=1)
    change(world, OUTBOX.c.kind == "notice", state="withdrawn")
    await world.outbox._dispatch()
    await asyncio.wait(list(world.outbox._busy.values()))
    # Once before it is sent again, and once more because that had no answer either.
    assert peer.asked == 2


async def test_the_first_page_leaves_before_the_others_are_written(
    bank: Institution, clock: ExerciseClock
) -> None:
    world = World(bank, clock)
    for _ in range(2):
        world.declare()
    told: list[str] = []
    real, delivered = world.outbox._message, world.console.deliver

    def written(item: Item) -> Message | str | None:
        told.append(f"written {item.line}")
        return real(item)

    async def leaves(message: Message) -> Delivery:
        told.append("left")
        return await delivered(message)

    world.outbox._message = written  # type: ignore[method-assign]
    world.console.deliver = leaves  # type: ignore[method-assign]
    await world.outbox.drain()
    assert len({one for one in told if one != "left"}) > 1, "there are several lines"
    first = told[0]
    assert told[: told.index("left")] == [first] * told.index("left")
    world.desk.record.close()


def test_the_page_on_notifications_says_what_leaves_by_itself_and_how_much_a_card_holds() -> None:
    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
    bundles = page[page.index("- **Bundles.**") : page.index("- **Calling many.**")]
    pace = Pace()
    assert {name for name in CHANNELS if f"`{name}`" in bundles} == pace.unbundled | set(pace.bundle_at_most)
    assert f"a `teams` card holds at most {pace.bundle_at_most['teams']}." in bundles
