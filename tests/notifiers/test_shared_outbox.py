"""The outbox of several nodes on one PostgreSQL: whose a row is, until when, and what comes back too late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from models.clock import ExerciseClock
from models.desk import Desk
from models.errors import RecordUnwritable
from models.lease import held_by
from models.node import give_up_silent, register
from models.record import OUTBOX, Record
from notifiers.hold import Hold
from notifiers.leases import DELIVER, Leases
from notifiers.outbox import Outbox
from notifiers.pacing import Pace
from playbooks.institution import Institution
from tests.notifiers.test_outbox import Peer, World
from tests.postgres import Postgres

LINES, ROWS = 8, 80


class Nodes:
    """Nodes by name, over one record; each has channels of its own, which keep what they got."""

    def __init__(self, record: Record, bank: Institution, clock: ExerciseClock) -> None:
        self.record, self.clock = record, clock
        self.world = World(bank, clock)
        self.desks: dict[str, Desk] = {}
        self.peers: dict[str, dict[str, Peer]] = {}

    def start(self, name: str, seconds: float = 30, **pace: Any) -> Outbox:
        """Its next life."""
        desk = Desk(self.record.another(), self.world.desk.premises, self.clock)
        self.desks[f"{name} {len(self.desks)}"] = desk
        peers = self.peers.setdefault(name, {one: Peer(one) for one in ("console", "slack")})

        async def here(call: Callable[[], Any]) -> Any:
            return call()

        made = Outbox(desk, dict(peers), here, pace=Pace(**({"interval": {}, "per_minute": {}} | pace)))
        leases = Leases(desk.record, f"pager@{name}", seconds)
        with desk.record.begin() as tx:
            leases.begin(register(tx, f"pager@{name}", self.clock.now()))
        made.holding.join(leases)
        made.hold = Hold(None)
        made.holding.renew()
        return made

    @property
    def desk(self) -> Desk:
        return next(iter(self.desks.values()))

    def rows(self, **where: Any) -> list[dict[str, Any]]:
        with self.record.read() as tx:
            found = tx.connection.execute(select(OUTBOX).order_by(OUTBOX.c.id)).mappings().all()
        return [dict(row) for row in found if all(row[name] == value for name, value in where.items())]

    def queue(self, lines: int, rows: int, channel: str = "console") -> None:
        """An incident of which so many notices wait for so many addresses, and nothing else does."""
        self.world.desk, local = self.desk, self.world.desk
        self.world.declare()
        self.world.desk = local
        row = self.rows()[0]
        with self.record.begin() as tx:
            tx.connection.execute(update(OUTBOX).values(state="withdrawn"))
            shape = {name: value for name, value in row.items() if name != "id"}
            shape |= {"kind": "notice", "template": "notice.acknowledged", "person": None, "channel": channel}
            more = [
                shape | {"key": f"{row['stream']}/{n}/0/1/x:{n % lines}", "address": f"address-{n % lines}"}
                for n in range(rows)
            ]
            tx.enqueue(more)

    def end_leases(self) -> None:
        """As if so much time had passed on the database's clock."""
        with self.record.begin() as tx:
            tx.connection.execute(update(OUTBOX).values(lease_until=1))

    def close(self) -> None:
        for desk in self.desks.values():
            desk.record.close()
        self.world.desk.record.close()


@pytest.fixture
def nodes(postgres: Postgres, bank: Institution, clock: ExerciseClock) -> Iterator[Nodes]:
    record = Record(postgres.database())
    record.migrate()
    made = Nodes(record, bank, clock)
    yield made
    made.close()
    record.close()


def claimed(outbox: Outbox) -> list[int]:
    return [item.id for queue in outbox._claim().values() for item in queue]


async def test_two_nodes_share_a_backlog_and_each_row_leaves_once_in_the_order_of_its_line(
    nodes: Nodes,
) -> None:
    first, second = nodes.start("a"), nodes.start("b")
    nodes.queue(LINES, ROWS)
    while nodes.rows(state="queued"):
        await asyncio.gather(first.drain(1), second.drain(1))
        await asyncio.gather(second.drain(1), first.drain(1))
    got = [message.key for peers in nodes.peers.values() for message in peers["console"].got]
    assert len(got) == len(set(got)) == ROWS
    assert all(peers["console"].got for peers in nodes.peers.values()), "both had their part"
    rows = nodes.rows(state="sent")
    assert len(rows) == ROWS
    assert {row["tries"] for row in rows} == {1}
    for line in range(LINES):
        keys = [row["key"] for row in rows if row["address"] == f"address-{line}"]
        for peers in nodes.peers.values():
            mine = [one.key for one in peers["console"].got if one.address == f"address-{line}"]
            assert mine == [key for key in keys if key in mine]
    with nodes.record.read() as tx:
        facts = tx.facts(rows[0]["stream"])
    assert sum(fact.kind == "message.sent" for fact in facts) == ROWS


async def test_a_line_of_which_one_has_a_row_in_hand_is_no_others(nodes: Nodes) -> None:
    first, second = nodes.start("a"), nodes.start("b")
    nodes.queue(1, 40)
    in_hand = claimed(first)
    assert 0 < len(in_hand) < 40
    assert claimed(second) == [], "what is behind waits for its outcome"
    first._claims.put_back([])
    again = nodes.start("a")
    assert claimed(again) == in_hand, "its next life has them at once, and in doubt"
    assert claimed(second) == []
    nodes.end_leases()
    assert claimed(second) == in_hand, "a dead one's rows, once their lease has ended"
    assert {row["node"] for row in nodes.rows(state="sending")} == {"pager@b"}


async def test_what_comes_back_after_its_lease_is_refused_and_left(nodes: Nodes) -> None:
    first, second = nodes.start("a"), nodes.start("b")
    nodes.queue(1, 3)
    queues = first._claim()
    nodes.end_leases()
    assert (await second.drain()).sent == 3
    before = nodes.rows()
    for queue in queues.values():
        await first._serve(queue)  # the lease is ours as far as this process knows: it was frozen in between
    assert nodes.rows() == before, "nothing of an old hand is written as current"
    keys = [one.key for one in nodes.peers["b"]["console"].got]
    assert [one.attempt for one in nodes.peers["b"]["console"].got] == [2, 2, 2], "marked as repeats"
    assert keys == [row["key"] for row in before if row["state"] == "sent"]


async def test_a_process_that_wakes_knows_by_its_own_clock_that_it_has_nothing(nodes: Nodes) -> None:
    first = nodes.start("a", seconds=-1)
    nodes.queue(1, 1)
    await first.drain(1)
    assert nodes.peers["a"]["console"].got == [], "never handed over: its lease had ended"
    assert [row["state"] for row in nodes.rows() if row["state"] != "withdrawn"] == ["queued"]


async def test_a_channel_with_a_pace_is_one_nodes_and_passes_on_with_what_it_took(nodes: Nodes) -> None:
    pace: dict[str, Any] = {"interval": {"slack": 0.0}, "per_minute": {"slack": 4}}
    first, second = nodes.start("a", **pace), nodes.start("b", **pace)
    with nodes.record.read() as tx:
        assert held_by(tx, DELIVER + "slack", nodes.clock.now()) == first.holding.leases.life
    nodes.queue(6, 6, channel="slack")
    assert claimed(second) == []
    assert (await first.drain()).sent == 4, "its minute"
    with nodes.record.begin() as tx:
        first.holding.leases.give_back(tx)
    second.holding.renew()
    assert claimed(second) == [], "what the other sent in this minute counts"
    assert len(nodes.rows(state="queued")) == 2


def test_a_life_that_was_silent_is_given_up_by_the_others(nodes: Nodes) -> None:
    nodes.start("a")
    with nodes.record.begin() as tx:
        assert give_up_silent(tx, "pager", nodes.clock.now(), timedelta(seconds=30)) == []
        assert give_up_silent(tx, "pager", nodes.clock.now(), timedelta(seconds=-1)) == ["pager@a"]
        assert give_up_silent(tx, "pager", nodes.clock.now(), timedelta(seconds=-1)) == [], "once"
        assert register(tx, "pager@a", nodes.clock.now()) == 3


async def test_a_process_that_delivers_once_takes_its_turn_as_well(nodes: Nodes) -> None:
    first = nodes.start("a", interval={"slack": 1.0})
    nodes.queue(2, 4)
    in_hand = claimed(first)
    desk = Desk(nodes.record.another(), nodes.world.desk.premises, nodes.clock)
    nodes.desks["once"] = desk

    async def here(call: Callable[[], Any]) -> Any:
        return call()

    once = Outbox(desk, {"console": Peer("console"), "slack": Peer("slack")}, here)
    assert (await once.drain()).sent == 4 - len(in_hand)
    with nodes.record.read() as tx:
        assert held_by(tx, DELIVER + "slack", nodes.clock.now()) == first.holding.leases.life


async def test_what_the_only_node_does_beside_is_begun_anew_after_a_fault() -> None:
    stop, begun = asyncio.Event(), 0

    async def work(over: asyncio.Event) -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise RecordUnwritable("disk full")
        stop.set()
        await over.wait()

    record = Record.in_memory()
    async with asyncio.timeout(30):
        await Leases(record, "pager").while_ours("keeping", stop, work)
    assert begun == 2
    record.close()
