"""The node looks at itself: who has been reached, what stands still, and that it is the only one."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from console.node import STALLED_SECONDS, Node
from console.opening import House, open_house
from console.reach import Reach
from models.clock import ExerciseClock
from models.commands import Acknowledge, Actor, Declare
from models.desk import Desk
from models.errors import HikeshiError
from models.installation import MailboxSettings
from models.premises import Premises
from models.record import OUTBOX, Record
from notifiers.message import Delivery, Message, Sent
from playbooks.institution import Institution

ROOT = Path(__file__).parents[2]


class Quiet:
    """A channel that takes everything."""

    name = "console"
    can_read_back = False

    async def deliver(self, message: Message) -> Delivery:
        return Sent(receipt="1")

    async def arrived(self, message: Message) -> Sent | None:
        return None

    async def close(self) -> None:
        """Nothing to let go."""


@pytest.fixture
def house(tmp_path: Path, clock: ExerciseClock) -> House:
    bank = tmp_path / "bank"
    shutil.copytree(ROOT / "examples" / "mihon-bank", bank, ignore=shutil.ignore_patterns("var"))
    return open_house(bank, clock)


@pytest.fixture
def sparse(bank: Institution, clock: ExerciseClock) -> Iterator[Callable[..., Desk]]:
    """Makes a desk whose people have these channels, and whose policy has these routes."""
    made: list[Desk] = []

    def build(channels: tuple[str, ...] = ("console",), *, routes: bool = True) -> Desk:
        people = tuple(one.model_copy(update={"channels": channels}) for one in bank.organisation.people)
        policy = bank.policy if routes else bank.policy.model_copy(update={"routes": ()})
        premises = Premises(
            organisation=bank.organisation.model_copy(update={"people": people, "duty_channel": None}),
            policy=policy,
            playbooks=bank.playbooks,
            channels=frozenset({"console", "file"}),
        )
        made.append(Desk(Record.in_memory(), premises, clock))
        return made[-1]

    yield build
    for desk in made:
        desk.record.close()


def declare(desk: Desk) -> str:
    outcome = desk.handle(
        None, Declare(actor=Actor(person="suzuki-daichi"), text="x", playbooks=("unknown",))
    )
    return outcome.stream


def sent(desk: Desk, **values: Any) -> None:
    with desk.record.begin() as tx:
        tx.connection.execute(update(OUTBOX).values({"state": "sent"} | values))


def test_a_page_without_anybody_to_reach_is_told_after_a_minute_until_it_is_answered(
    sparse: Callable[..., Desk], clock: ExerciseClock
) -> None:
    desk = sparse(channels=("email",))
    stream = declare(desk)
    reach = Reach(desk)
    reach.look()
    assert reach.problems() == {}, "a minute is given to deliver it"
    clock.advance(timedelta(seconds=61))
    reach.look()
    [(name, text)] = reach.problems().items()
    assert name.startswith(f"page {stream}/")
    assert "reached nobody" in text
    duty = desk.directory.holders("csirt-duty", clock.now())[0].person.id
    desk.handle(stream, Acknowledge(actor=Actor(person=duty)))
    reach.look()
    assert reach.problems() == {}


def test_a_page_that_has_reached_somebody_is_no_problem(
    sparse: Callable[..., Desk], clock: ExerciseClock
) -> None:
    desk = sparse()
    declare(desk)
    sent(desk)
    clock.advance(timedelta(seconds=61))
    reach = Reach(desk)
    reach.look()
    assert reach.problems() == {}


def test_a_console_that_nobody_named_reaches_nobody(
    sparse: Callable[..., Desk], clock: ExerciseClock
) -> None:
    desk = sparse(channels=("file",))
    declare(desk)
    sent(desk, channel="console")
    clock.advance(timedelta(seconds=61))
    reach = Reach(desk)
    reach.look()
    assert len(reach.problems()) == 1


def test_many_streams_are_looked_through_a_few_at_a_time(
    sparse: Callable[..., Desk], clock: ExerciseClock
) -> None:
    desk = sparse(channels=("email",))
    streams = {declare(desk) for _ in range(50)}
    clock.advance(timedelta(seconds=61))
    reach = Reach(desk)
    for _ in range(6):
        reach.look()
    assert {name.split()[1].split("/")[0] for name in reach.problems()} == streams


def test_an_event_without_a_route_is_told(sparse: Callable[..., Desk]) -> None:
    desk = sparse(routes=False)
    stream = declare(desk)
    reach = Reach(desk)
    reach.look()
    assert f"route {stream}/declared" in reach.problems()


async def test_the_status_says_so_and_what_stands_still(house: House, clock: ExerciseClock) -> None:
    node = Node(house, {"console": Quiet()}, port=0)
    assert node.status()["status"] == "ok"
    node.watch.turned_at -= STALLED_SECONDS + 1
    status = node.status()
    assert (status["status"], list(status["impaired"])) == ("impaired", ["watch"])
    node.watch.turned_at += STALLED_SECONDS + 1
    declare(house.desk)
    clock.advance(timedelta(seconds=61))
    node.reach.look()
    assert any(name.startswith("page INC-") for name in node.status()["impaired"])
    house.record.close()


async def test_a_second_pager_of_the_same_directory_says_so(house: House, clock: ExerciseClock) -> None:
    first = Node(house, {"console": Quiet()}, port=0)
    running = asyncio.create_task(first.run())
    await asyncio.wait_for(first.ready.wait(), 10)
    other = open_house(house.institution.directory, clock)
    with pytest.raises(HikeshiError, match="a pager runs already"):
        await Node(other, {"console": Quiet()}, port=0).run()
    other.record.close()
    first.stop.set()
    await running
    third = Node(open_house(house.institution.directory, clock), {"console": Quiet()}, port=0)
    running = asyncio.create_task(third.run())
    await asyncio.wait_for(third.ready.wait(), 10)
    third.stop.set()
    await running


async def test_a_mailbox_without_its_secret_keeps_no_page_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HIKESHI_TEST_MAILBOX", raising=False)
    mailbox = MailboxSettings(host="127.0.0.1", user="csirt", password="env:HIKESHI_TEST_MAILBOX")  # noqa: S106
    object.__setattr__(house.institution.settings, "mailbox", mailbox)
    node = Node(house, {"console": Quiet()}, port=0)
    running = asyncio.create_task(node.run())
    await asyncio.wait_for(node.ready.wait(), 10)
    assert "HIKESHI_TEST_MAILBOX" in node.beside.problems()["mailbox"]
    assert not running.done()
    node.stop.set()
    await running


async def test_a_mailbox_that_is_set_up_is_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def run(self: Any, stop: asyncio.Event) -> None:
        seen.append(self._password)
        await stop.wait()

    monkeypatch.setattr("console.mailbox.Mailbox.run", run)
    monkeypatch.setenv("HIKESHI_TEST_MAILBOX", "of-this-test-only")
    mailbox = MailboxSettings(host="127.0.0.1", user="csirt", password="env:HIKESHI_TEST_MAILBOX")  # noqa: S106
    object.__setattr__(house.institution.settings, "mailbox", mailbox)
    node = Node(house, {"console": Quiet()}, port=0)
    running = asyncio.create_task(node.run())
    await asyncio.wait_for(node.ready.wait(), 10)
    assert seen == ["of-this-test-only"]
    node.stop.set()
    await running
