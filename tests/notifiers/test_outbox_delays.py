"""Rows that wait for their delay hold up nothing, come early when one before fails, end with an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from models.clock import ExerciseClock
from models.commands import Acknowledge, Declare
from models.desk import Desk
from models.organisation import Reach
from models.premises import Premises
from models.record import Record
from notifiers.message import Delivery, Failed, Message
from notifiers.outbox import Outbox
from notifiers.pacing import Pace
from tests.models.small import AMY, FAY, PLAIN, ROUTES, by, organisation, policy, route
from tests.notifiers.test_outbox import LATER, NEVER, Peer

T = TypeVar("T")
LATER_ON = [{"channel": "file", "after": "2m"}, {"channel": "email", "after": "4m"}]
ORDER = {"channels": [{"channel": "console"}, *LATER_ON]}


class House:
    """Amy is reached by the console, two minutes later by the file, four minutes later by mail."""

    def __init__(self, clock: ExerciseClock, record: Record, **changes: Any) -> None:
        made = organisation()
        people = [
            one.model_copy(update={"reach": (Reach.model_validate(ORDER),), "email": "amy@bank.example"})
            if one.id == AMY
            else one
            for one in made.people
        ]
        premises = Premises(
            organisation=made.model_copy(update={"people": tuple(people)}),
            policy=policy(**changes),
            playbooks={"unknown": PLAIN},
            channels=frozenset({"console", "file", "email"}),
        )
        self.clock = clock
        self.desk = Desk(record, premises, clock)
        self.peers = {name: Peer(name) for name in ("console", "file", "email")}
        self.outbox = self.pager()

    def pager(self) -> Outbox:
        async def here(call: Callable[[], T]) -> T:
            return call()

        return Outbox(self.desk, dict(self.peers), here, pace=Pace(interval={}, bundle_more_than=0))

    def declare(self) -> str:
        return self.desk.handle(None, Declare(actor=by(AMY), text="odd")).stream

    async def after(self, minutes: float) -> list[int]:
        """Pages that each channel has got when so much time has passed."""
        self.clock.advance(timedelta(minutes=minutes))
        await self.outbox.drain()
        return [sum(one.kind == "page" for one in peer.got) for peer in self.peers.values()]

    def kinds(self, stream: str) -> list[str]:
        with self.desk.record.read() as tx:
            return [fact.kind for fact in tx.facts(stream)]


@pytest.fixture
def house(clock: ExerciseClock) -> Iterator[House]:
    made = House(clock, Record.in_memory())
    yield made
    made.desk.record.close()


async def test_each_channel_has_its_turn_while_nobody_answers(house: House) -> None:
    house.declare()
    assert await house.after(0) == [1, 0, 0]
    assert await house.after(1.9) == [1, 0, 0]
    assert house.outbox.figures()["waiting"] == 0, "what waits for its delay is not late"
    house.outbox = house.pager()  # a restart
    assert await house.after(0.1) == [1, 1, 0]
    assert await house.after(2) == [1, 1, 1]
    assert house.peers["email"].got[0].attempt == 1, "later is not again"


async def test_an_answer_ends_it(house: House) -> None:
    stream = house.declare()
    await house.after(0)
    assert house.desk.handle(stream, Acknowledge(actor=by(AMY))).accepted
    assert await house.after(10) == [1, 0, 0]


async def test_what_waits_for_its_delay_holds_up_nothing(house: House) -> None:
    house.declare()
    await house.after(1.5)
    second = house.declare()
    house.peers["console"].answers = [NEVER]
    assert await house.after(0) == [1, 1, 0]
    assert house.peers["file"].got[0].key.startswith(second), "past the one that waits"
    assert await house.after(0.5) == [1, 2, 0]


async def test_a_failure_brings_the_next_forward_and_no_channel_gets_it_twice(house: House) -> None:
    stream = house.declare()
    house.peers["console"].answers = [NEVER]
    assert await house.after(0) == [0, 1, 0]
    assert await house.after(4) == [0, 1, 1]
    assert await house.after(10) == [0, 1, 1]
    assert "page.hurried" not in house.kinds(stream)


async def test_when_all_fail_the_next_level_is_paged_at_once(house: House) -> None:
    stream = house.declare()
    for peer in house.peers.values():
        peer.answers = [NEVER] * 2
    await house.after(0)
    assert "page.hurried" in house.kinds(stream)


async def test_a_later_channel_that_fails_hurries_nobody_who_has_it_already(house: House) -> None:
    """The file has it; that mail does not work then is no reason to wake the next level."""
    stream = house.declare()
    house.peers["console"].answers = [NEVER]
    await house.after(0)
    house.peers["email"].answers = [NEVER]
    await house.after(4)
    with house.desk.record.read() as tx:
        given_up = [one.data for one in tx.facts(stream) if one.kind == "message.given_up"]
    (told,) = [data for data in given_up if data["channel"] == "email"]
    assert told["reached"] is True
    assert "page.hurried" not in house.kinds(stream)


async def test_a_page_that_was_delayed_has_its_own_time_to_be_delivered(house: House) -> None:
    house.declare()
    await house.after(0)
    house.peers["file"].answers = [LATER, Failed(error="503", retry="later")]
    await house.after(2)
    await house.after(0.05)
    assert await house.after(0.1) == [1, 1, 0], "two minutes of waiting are not held against it"


# -- where all of a level have to answer ---------------------------------------------------------------------

ALL = {"to": ["csirt-duty", "pr"], "within": "30m", "answer": "all"}


class Interrupted(Peer):
    """While it is asked to deliver to Amy something else happens, and then it fails."""

    def __init__(self, name: str, meanwhile: Callable[[], object]) -> None:
        super().__init__(name)
        self.meanwhile = meanwhile

    async def deliver(self, message: Message) -> Delivery:
        if message.person == AMY and message.kind == "page":
            self.meanwhile()
            return LATER
        return await super().deliver(message)


@pytest.fixture
def both(clock: ExerciseClock) -> Iterator[House]:
    """Amy and Fay must answer, Amy at the next level too; the last resort is Amy again."""
    levels = [ALL, {"to": ["csirt-duty"], "within": "30m"}]
    main = route("main", "declared", levels=levels, exhausted={"to": ["csirt-duty"], "every": "5m"})
    made = House(clock, Record.in_memory(), routes=[main, *ROUTES[1:]])
    yield made
    made.desk.record.close()


def amy(house: House) -> list[tuple[str, str]]:
    """Channel and level of each page that Amy has got."""
    return [
        (name, one.key.split("/")[2])
        for name, peer in house.peers.items()
        for one in peer.got
        if one.kind == "page" and one.person == AMY
    ]


async def test_whoever_has_answered_is_left_alone_while_the_others_are_waited_for(both: House) -> None:
    stream = both.declare()
    await both.after(0)
    assert both.desk.handle(stream, Acknowledge(actor=by(AMY))).accepted
    await both.after(5)
    assert amy(both) == [("console", "0")]
    (page,) = both.desk.state(stream).pages.values()
    assert page.state == "open", "Fay has said nothing"


async def test_an_answer_during_a_delivery_counts_for_what_would_be_tried_again(both: House) -> None:
    stream = both.declare()
    peer = Interrupted("console", lambda: both.desk.handle(stream, Acknowledge(actor=by(AMY))))
    both.peers["console"] = both.outbox.notifiers["console"] = peer  # type: ignore[index]
    await both.after(0)
    await both.after(5)
    assert amy(both) == []
    assert [one.person for one in peer.got if one.kind == "page"] == [FAY]


async def test_a_later_level_and_the_last_resort_ask_anew(both: House) -> None:
    stream = both.declare()
    await both.after(0)
    assert both.desk.handle(stream, Acknowledge(actor=by(AMY))).accepted
    for minutes in (30, 0, 30, 0):
        both.clock.advance(timedelta(minutes=minutes))
        both.desk.tick(stream)
        await both.after(0)
    assert [level for channel, level in amy(both) if channel == "console"] == ["0", "1", "last"]
