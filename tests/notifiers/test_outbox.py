"""The outbox: at least once, in order within a destination, given up by a fact that pages the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeVar

import pytest
from sqlalchemy import select, update

from models.clock import ExerciseClock
from models.commands import Acknowledge, Actor, Declare
from models.desk import Desk
from models.errors import RecordBusy
from models.premises import Premises
from models.record import OUTBOX, Record
from notifiers.message import Delivery, Failed, Message, Sent
from notifiers.outbox import Outbox
from notifiers.pacing import Pace
from playbooks.institution import Institution

T = TypeVar("T")


class Peer:
    """A channel that answers as it is told, and keeps what arrived."""

    def __init__(self, name: str, *, can_read_back: bool = False) -> None:
        self.name = name
        self.can_read_back = can_read_back
        self.answers: list[Delivery] = []
        self.got: list[Message] = []
        self.asked = 0
        self.arrives_anyway = False

    async def deliver(self, message: Message) -> Delivery:
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if self.answers else Sent(receipt="1")
        if isinstance(answer, Sent) or self.arrives_anyway:
            self.got.append(message)
        return answer

    async def arrived(self, message: Message) -> Sent | None:
        self.asked += 1
        return Sent(receipt="found") if any(one.key == message.key for one in self.got) else None

    async def close(self) -> None:
        """Nothing to let go."""


class World:
    """A desk with an outbox over peers."""

    def __init__(
        self, bank: Institution, clock: ExerciseClock, people: tuple[str, ...] = (), channel: str = "console"
    ) -> None:
        """`people` are reached by these channels; `channel` is what the console is called."""
        self.console = Peer(channel)
        named = tuple(
            one.model_copy(
                update={
                    "channels": people or (channel,),
                    "phone": f"+8180555501{number:02d}",
                    "teams": one.id,
                }
            )
            for number, one in enumerate(bank.organisation.people)
        )
        organisation = bank.organisation.model_copy(update={"people": named, "duty_channel": None})
        self.clock = clock
        self.desk = Desk(
            Record.in_memory(),
            Premises(
                organisation=organisation,
                policy=bank.policy,
                playbooks=bank.playbooks,
                channels=frozenset({channel, "file"}),
            ),
            clock,
        )
        self.file = Peer("file", can_read_back=True)

        async def here(call: Callable[[], T]) -> T:
            return call()

        notifiers = {channel: self.console, "file": self.file}
        self.outbox = Outbox(self.desk, notifiers, here, pace=Pace(interval={}))

    def declare(self, text: str = "x") -> str:
        outcome = self.desk.handle(
            None, Declare(actor=Actor(person="suzuki-daichi"), text=text, playbooks=("unknown",))
        )
        assert outcome.accepted
        return outcome.stream

    @property
    def duty(self) -> str:
        """Who is on duty now."""
        return self.desk.directory.holders("csirt-duty", self.clock.now())[0].person.id

    def rows(self, state: str | None = None) -> list[str]:
        with self.desk.record.read() as tx:
            rows = tx.connection.execute(select(OUTBOX.c.key, OUTBOX.c.state).order_by(OUTBOX.c.id)).all()
        return [key for key, found in rows if state is None or found == state]

    def pages(self) -> list[Message]:
        """Pages that the console got."""
        return [one for one in self.console.got if one.kind == "page"]

    def kinds(self, stream: str) -> list[str]:
        with self.desk.record.read() as tx:
            return [fact.kind for fact in tx.facts(stream)]


@pytest.fixture
def make(bank: Institution, clock: ExerciseClock) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def build(people: tuple[str, ...] = ()) -> World:
        made.append(World(bank, clock, people))
        return made[-1]

    yield build
    for world in made:
        world.desk.record.close()


LATER = Failed(error="503", retry="later")
NEVER = Failed(error="channel_not_found", retry="never")
UNCLEAR = Failed(error="reset", retry="unclear")


async def test_what_was_asked_for_leaves_once_and_is_marked(make: Callable[..., World]) -> None:
    world = make()
    stream = world.declare()
    delivered = await world.outbox.drain()
    assert delivered.sent == len(world.console.got) == len(world.rows("sent")) > 0
    assert world.kinds(stream).count("message.sent") == delivered.sent
    again = await world.outbox.drain()
    assert again.sent == 0


async def test_a_failure_is_tried_again_later_marked_as_a_repeat_and_holds_what_is_behind_it(
    make: Callable[..., World], clock: ExerciseClock
) -> None:
    world = make()
    stream = world.declare()
    world.console.answers = [LATER]
    await world.outbox.drain()
    assert world.pages() == []
    assert world.kinds(stream).count("message.failed") == 1
    world.declare()
    await world.outbox.drain()
    assert world.pages() == [], "the pause is not over, and the second page waits behind the first"
    clock.advance(timedelta(seconds=2))
    await world.outbox.drain()
    assert [one.attempt for one in world.pages()] == [2, 1]
    keys = [one.key for one in world.pages()]
    assert keys == [key for key in world.rows("sent") if key in keys], "in the order in which they were asked"


async def test_a_page_that_can_never_arrive_goes_to_the_next_channel_at_once(
    make: Callable[..., World],
) -> None:
    world = make(people=("console", "file"))
    stream = world.declare()
    world.console.answers = [NEVER]
    await world.outbox.drain()
    assert [one.template for one in world.file.got] == ["page.declared"]
    assert world.file.got[0].key.endswith(f"/file:{world.duty}")
    assert "message.given_up" in world.kinds(stream)
    assert "page.hurried" not in world.kinds(stream), "the file channel reached this level"


async def test_a_page_that_no_channel_delivers_pages_the_next_level_at_once(
    make: Callable[..., World], clock: ExerciseClock
) -> None:
    world = make()
    stream = world.declare()
    world.console.answers = [NEVER]
    await world.outbox.drain()
    assert "page.hurried" in world.kinds(stream)
    world.desk.tick(stream)
    await world.outbox.drain()
    paged = {one.person for one in world.console.got if one.template == "page.declared"}
    assert paged == {"sato-kenji", "tanaka-misaki"}


async def test_trying_on_ends_when_it_would_keep_the_page_from_its_next_channel(
    make: Callable[..., World], clock: ExerciseClock
) -> None:
    world = make(people=("console", "file"))
    world.declare()
    world.console.answers = [Failed(error="429", retry="later", retry_after=120)]
    await world.outbox.drain()
    assert world.file.got[0].template == "page.declared", "120 s is too long for a page"


async def test_an_unclear_failure_is_looked_up_where_the_channel_can_be_asked(
    make: Callable[..., World],
) -> None:
    world = make(people=("file",))
    world.declare()
    world.file.answers, world.file.arrives_anyway = [UNCLEAR], True
    await world.outbox.drain()
    keys = [one.key for one in world.file.got]
    assert world.file.asked == 1
    assert len(keys) == len(set(keys)), "it had arrived, so it is not sent again"


async def test_an_unclear_failure_is_repeated_and_marked_where_it_cannot(
    make: Callable[..., World], clock: ExerciseClock
) -> None:
    world = make()
    world.declare()
    world.console.answers, world.console.arrives_anyway = [UNCLEAR], True
    await world.outbox.drain()
    clock.advance(timedelta(seconds=2))
    await world.outbox.drain()
    first, second = [one for one in world.console.got if one.template == "page.declared"]
    assert first.key == second.key
    assert (first.attempt, second.attempt) == (1, 2)
    assert second.context["repeat"] is True


@pytest.mark.parametrize("channel", ["console", "file"])
async def test_what_was_under_way_when_the_node_died_is_looked_up_or_repeated(
    make: Callable[..., World], channel: str
) -> None:
    world = make(people=(channel,))
    world.declare()
    await world.outbox.drain()
    peer = world.console if channel == "console" else world.file
    before = len(peer.got)
    with world.desk.record.begin() as tx:
        tx.connection.execute(update(OUTBOX).where(OUTBOX.c.id == 1).values(state="sending"))
    await world.outbox.drain()
    assert world.rows("sending") == []
    assert len(peer.got) == before + (1 if channel == "console" else 0)


async def test_an_answered_page_is_not_sent_any_more(make: Callable[..., World]) -> None:
    world = make()
    stream = world.declare()
    world.desk.handle(stream, Acknowledge(actor=Actor(person=world.duty)))
    await world.outbox.drain()
    assert [one.template for one in world.console.got if one.kind == "page"] == []
    assert len(world.rows("withdrawn")) == 1


async def test_one_sick_destination_delays_no_other(make: Callable[..., World]) -> None:
    world = make()
    for _ in range(3):
        world.declare()
    with world.desk.record.begin() as tx:
        others = select(OUTBOX.c.id).where(OUTBOX.c.template == "page.declared").limit(2)
        tx.connection.execute(update(OUTBOX).where(OUTBOX.c.id.in_(others)).values(person="sato-kenji"))
    world.console.answers = [Failed(error="429", retry="later", retry_after=60)]
    await world.outbox.drain()
    reached = {one.person for one in world.console.got}
    assert len(reached) == 1, "one destination waits for 60 s, the other has everything"
    assert world.outbox.figures()["oldest_unsent_page_seconds"] == 0.0


async def test_a_backlog_for_one_destination_hides_no_other(make: Callable[..., World]) -> None:
    world = make()
    stream = world.declare()
    with world.desk.record.begin() as tx:
        row = dict(tx.connection.execute(select(OUTBOX).limit(1)).mappings().one())
        row.pop("id")
        tx.enqueue([row | {"key": f"{stream}/1/0/{n}/console:x", "person": "sato-kenji"} for n in range(300)])
        tx.enqueue([row | {"key": f"{stream}/1/0/1/console:last", "person": "kato-hiroshi"}])
    world.console.answers = [LATER] * 2
    await world.outbox.drain()
    assert "kato-hiroshi" in {one.person for one in world.console.got}


async def test_an_idle_outbox_costs_nothing(make: Callable[..., World]) -> None:
    world = make()
    claims = 0
    claim = world.outbox._claim

    def counted() -> object:
        nonlocal claims
        claims += 1
        return claim()

    world.outbox._claim = counted  # type: ignore[method-assign, assignment]
    stop = asyncio.Event()
    running = asyncio.create_task(world.outbox.run(stop))
    await asyncio.sleep(1.1)
    stop.set()
    await running
    assert claims <= 1.1 / world.outbox.pace.idle + 2


async def test_a_rendering_that_fails_loses_no_page(make: Callable[..., World]) -> None:
    world = make()
    world.declare()
    with world.desk.record.begin() as tx:
        tx.connection.execute(update(OUTBOX).values(template="page.nowhere"))
    await world.outbox.drain()
    assert world.rows("sent") == world.rows()


async def test_a_row_whose_outcome_could_not_be_written_is_taken_up_again(
    make: Callable[..., World], clock: ExerciseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make(people=("file",))
    world.declare()

    def busy(*_: object) -> None:
        raise RecordBusy("held by another process")

    with monkeypatch.context() as held:
        held.setattr(world.outbox, "_mark_sent", busy)
        held.setattr(world.outbox, "_again", busy)
        await world.outbox.drain(1)
    assert world.rows("sending") != []
    await world.outbox.drain()
    assert world.rows("sending") == []
    keys = [one.key for one in world.file.got]
    assert len(keys) == len(set(keys)), "the file channel was asked, and had it"


async def test_more_orphans_than_one_batch_are_all_taken_up(make: Callable[..., World]) -> None:
    world = make()
    stream = world.declare()
    with world.desk.record.begin() as tx:
        row = dict(tx.connection.execute(select(OUTBOX).limit(1)).mappings().one())
        row.pop("id")
        rows = [
            row | {"key": f"{stream}/1/0/{n}/console:x", "state": "sending", "tries": 1} for n in range(450)
        ]
        tx.enqueue(rows)
    await world.outbox.drain(200)
    assert world.rows("sending") == []
