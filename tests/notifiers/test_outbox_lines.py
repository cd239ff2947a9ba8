"""The outbox: what waits for what, what follows from giving up, and who has the right to deliver."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from models.clock import ExerciseClock
from models.errors import RecordBusy
from models.record import OUTBOX, Tx
from notifiers.hold import Hold
from notifiers.message import Failed
from playbooks.institution import Institution
from tests.notifiers.test_outbox import LATER, NEVER, UNCLEAR, Peer, World

Make = Callable[..., World]
THROTTLED = Failed(error="429", retry="later", retry_after=1_800)


@pytest.fixture
def make(bank: Institution, clock: ExerciseClock) -> Iterator[Make]:
    made: list[World] = []

    def build(people: tuple[str, ...] = ()) -> World:
        made.append(World(bank, clock, people))
        return made[-1]

    yield build
    for world in made:
        world.desk.record.close()


def change(world: World, *where: Any, **values: Any) -> None:
    with world.desk.record.begin() as tx:
        tx.connection.execute(update(OUTBOX).where(*where).values(values))


async def test_a_page_does_not_wait_behind_a_notice_of_the_same_person(make: Make) -> None:
    world = make()
    world.declare()
    change(world, OUTBOX.c.kind == "page", kind="notice", template="notice.acknowledged")
    world.console.answers = [THROTTLED] * 3
    await world.outbox.drain()
    world.console.answers = []
    assert world.console.got == []
    world.declare()
    await world.outbox.drain()
    assert [one.template for one in world.pages()] == ["page.declared"]


async def test_a_paced_channel_gets_the_page_before_older_notices(make: Make) -> None:
    world = make()
    world.declare()
    change(world, OUTBOX.c.kind == "page", kind="notice", template="notice.acknowledged", person=world.duty)
    world.declare()
    world.outbox._claims._paced = {"console"}
    first = world.outbox._claim()
    mine = [queue for line, queue in first.items() if f":{world.duty}/" in line]
    assert [[item.envelope.kind for item in queue] for queue in mine] == [["page"]]


async def test_a_page_behind_one_that_fails_goes_to_its_next_channel_untried(
    make: Make, clock: ExerciseClock
) -> None:
    world = make(people=("console", "file"))
    world.declare()
    world.console.answers = [LATER] * 100
    await world.outbox.drain()
    second = world.declare()
    for seconds in (2, 3, 6, 11, 21, 31, 20):
        clock.advance(timedelta(seconds=seconds))
        await world.outbox.drain()
    assert {one.key.split("/")[0] for one in world.file.got if one.kind == "page"} >= {second}
    with world.desk.record.read() as tx:
        tries = tx.connection.execute(
            select(OUTBOX.c.tries, OUTBOX.c.state).where(
                OUTBOX.c.stream == second, OUTBOX.c.kind == "page", OUTBOX.c.channel == "console"
            )
        ).one()
    assert tries[1] == "given_up"


async def test_only_time_behind_a_failing_line_counts(make: Make, clock: ExerciseClock) -> None:
    world = make(people=("console", "file"))
    for _ in range(3):
        world.declare()
    clock.advance(timedelta(minutes=10))
    world.console.answers = [LATER]
    await world.outbox.drain()
    assert [one for one in world.file.got if one.kind == "page"] == [], "the node was down, not the channel"
    clock.advance(timedelta(seconds=2))
    await world.outbox.drain()
    assert len(world.pages()) == 3


async def test_two_dead_fallbacks_are_not_tried_in_a_circle_and_the_level_is_hurried(make: Make) -> None:
    world = make(people=("console", "file"))
    world.outbox.fallback = ("file", "console")
    world.outbox.notifiers = {"console": world.console, "file": world.file}
    stream = world.declare()
    world.console.answers, world.file.answers = [NEVER] * 9, [NEVER] * 9
    await world.outbox.drain()
    assert "page.hurried" in world.kinds(stream)


async def test_the_console_as_a_mere_fallback_shows_the_page_and_hurries_all_the_same(make: Make) -> None:
    world = make(people=("file",))
    world.outbox.fallback = ("console",)
    stream = world.declare()
    world.file.answers = [NEVER] * 9
    await world.outbox.drain()
    assert [one.template for one in world.pages()] == ["page.declared"]
    assert "page.hurried" in world.kinds(stream), "nobody may be looking at it"


async def test_somebody_who_watches_the_console_is_reached_by_it(make: Make) -> None:
    world = make(people=("file", "console"))
    world.outbox.fallback = ("console",)
    stream = world.declare()
    world.file.answers = [NEVER] * 9
    await world.outbox.drain()
    assert "page.hurried" not in world.kinds(stream)


async def test_what_arrived_and_could_not_be_marked_is_marked_and_not_sent_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make()
    world.declare()

    def busy(*_: object) -> None:
        raise RecordBusy("held by another process")

    with monkeypatch.context() as held:
        held.setattr(world.outbox, "_mark_sent", busy)
        await world.outbox.drain()
    before = [one.key for one in world.console.got]
    assert len(before) == len(set(before)) > 0, "it is not sent again and again meanwhile"
    await world.outbox.drain()
    assert [one.key for one in world.console.got] == before
    assert world.rows("sending") == []


async def test_a_sick_incident_holds_up_no_other_message_to_the_same_person(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make()
    sick, well = world.declare(), world.declare()
    state = world.desk.state

    def fails(stream: str) -> Any:
        if stream == sick:
            raise ArithmeticError("a fact that cannot be folded")
        return state(stream)

    def refuses(*_: object) -> None:
        raise ArithmeticError("a fact that cannot be folded")

    monkeypatch.setattr(world.desk, "state", fails)
    monkeypatch.setattr(world.outbox, "_again", refuses)
    await world.outbox.drain()
    assert {one.key.split("/")[0] for one in world.pages()} == {well}
    assert world.rows("sending") != [], "the sick one is not lost"


class Deaf(Peer):
    """A channel that never answers when it is asked what arrived."""

    async def arrived(self, message: object) -> None:
        await asyncio.sleep(3_600)


async def test_looking_up_ends_and_delays_nobody_else(make: Make) -> None:
    world = make(people=("file",))
    world.declare()
    change(world, OUTBOX.c.kind == "page", state="sending", tries=1)
    deaf = Deaf("file", can_read_back=True)
    world.outbox.notifiers = {"file": deaf}
    world.outbox.pace = type(world.outbox.pace)(interval={}, patience=0.05)
    async with asyncio.timeout(5):
        await world.outbox.drain()
    assert [one.attempt for one in deaf.got if one.kind == "page"] == [2], "sent again, as a repeat"


async def test_a_second_deliverer_of_the_same_record_takes_nothing(make: Make, tmp_path: Path) -> None:
    world = make()
    world.declare()
    first, second = Hold(tmp_path / "pager.lock"), Hold(tmp_path / "pager.lock")
    assert first.take()
    world.outbox.hold = second
    delivered = await world.outbox.drain()
    assert world.console.got == []
    assert (delivered.sent, delivered.failed) == (0, len(world.rows("queued")))
    assert delivered.held_by == first.holder() != ""
    first.release()
    assert (await world.outbox.drain()).sent > 0
    assert first.take(), "given back after the pass"
    first.release()


async def test_a_row_that_somebody_else_took_meanwhile_is_not_served(make: Make) -> None:
    world = make()
    world.declare()
    claims = world.outbox._claims
    mark = claims._mark

    def late(tx: Tx, ids: list[int]) -> set[int]:
        tx.connection.execute(update(OUTBOX).where(OUTBOX.c.id == ids[0]).values(state="sent"))
        return mark(tx, ids)

    claims._mark = late  # type: ignore[method-assign]
    taken = [item.id for queue in world.outbox._claim().values() for item in queue]
    claims._mark = mark  # type: ignore[method-assign]
    assert len(taken) == len(world.rows()) - 1


@pytest.mark.parametrize(
    ("url", "locked"),
    [
        ("sqlite:////data/var/hikeshi.db", "/data/var/pager.lock"),
        ("sqlite://", None),
        ("sqlite:///:memory:", None),
        ("postgresql+psycopg://h@db/hikeshi", None),
    ],
)
def test_the_lock_lies_beside_the_database(url: str, locked: str | None) -> None:
    assert Hold.beside(url).path == (Path(locked) if locked else None)


def test_of_a_database_on_a_server_it_is_the_nodes_own_folder_that_is_locked() -> None:
    assert Hold.beside("postgresql+psycopg://h@db/hikeshi", Path("/data")).path == Path("/data/pager.lock")


# -- how long a notice is tried -----------------------------------------------------------------------------


def noticed(world: World) -> None:
    """Only a notice waits, for whoever is on duty."""
    world.declare()
    change(world, OUTBOX.c.kind == "notice", state="withdrawn")
    change(world, OUTBOX.c.kind == "page", kind="notice", template="notice.acknowledged")


async def minutes(world: World, clock: ExerciseClock, count: int) -> None:
    for _ in range(2 * count):
        clock.advance(timedelta(seconds=30))
        await world.outbox.drain()


async def test_a_notice_is_tried_for_its_hour_and_then_given_up(make: Make, clock: ExerciseClock) -> None:
    world = make()
    noticed(world)
    world.console.answers = [LATER] * 1_000
    await world.outbox.drain()
    await minutes(world, clock, 59)
    assert len(world.rows("queued")) == 1
    await minutes(world, clock, 2)
    assert world.rows("queued") == [] and len(world.rows("given_up")) == 1


async def test_a_notice_outlives_a_channel_that_is_away_for_minutes(make: Make, clock: ExerciseClock) -> None:
    world = make()
    noticed(world)
    world.console.answers = [LATER] * 20
    await minutes(world, clock, 15)
    assert [one.kind for one in world.console.got] == ["notice"]


async def test_a_notice_that_may_have_arrived_is_not_sent_for_an_hour(
    make: Make, clock: ExerciseClock
) -> None:
    world = make()
    noticed(world)
    world.console.answers, world.console.arrives_anyway = [UNCLEAR] * 1_000, True
    await minutes(world, clock, 15)
    assert len(world.console.got) == len(world.outbox.pace.backoff)
    assert len(world.rows("given_up")) == 1
