"""The watch: what is due is written in time, and one sick incident delays no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from console.watch import FAILURES_UNTIL_QUARANTINE, Watch
from models.clock import ExerciseClock, monotonic
from models.commands import Actor, Declare
from models.desk import HOUSE, Desk
from models.errors import RecordUnwritable
from models.premises import Outcome
from models.record import STREAM, Tx
from models.state import House


def declare(desk: Desk) -> str:
    outcome = desk.handle(
        None, Declare(actor=Actor(person="suzuki-daichi"), text="x", playbooks=("unknown",))
    )
    assert outcome.accepted
    return outcome.stream


async def here(call: Callable[[], Any]) -> Any:
    return call()


def kinds(desk: Desk, stream: str) -> list[str]:
    with desk.record.read() as tx:
        return [fact.kind for fact in tx.facts(stream)]


async def test_what_is_due_is_written_and_nothing_before(desk: Desk, clock: ExerciseClock) -> None:
    stream = declare(desk)
    watch = Watch(desk, here)
    pause = await watch.turn()
    assert "page.escalated" not in kinds(desk, stream)
    assert 0 < pause <= 300
    clock.advance(timedelta(minutes=5))
    await watch.turn()
    assert kinds(desk, stream).count("page.escalated") == 1
    assert watch.lateness_seconds == 0.0


async def test_a_sick_incident_is_quarantined_paged_about_and_delays_no_other(
    desk: Desk, clock: ExerciseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sick, healthy = declare(desk), declare(desk)
    tick = desk._tick

    def fails(tx: Tx, stream: str) -> Outcome:
        if stream == sick:
            raise ArithmeticError("a rule divides by zero")
        return tick(tx, stream)

    monkeypatch.setattr(desk, "_tick", fails)
    watch = Watch(desk, here)
    clock.advance(timedelta(minutes=5))
    for _ in range(FAILURES_UNTIL_QUARANTINE):
        await watch.turn()
        clock.advance(timedelta(seconds=10))
    assert "page.escalated" in kinds(desk, healthy)
    house = desk.state(HOUSE)
    assert isinstance(house, House)
    assert list(house.quarantined) == [sick]
    assert "page.asked" in kinds(desk, HOUSE), "somebody is told that its timers are not running"
    with desk.record.read() as tx:
        row = tx.connection.execute(select(STREAM.c.retry_at).where(STREAM.c.id == sick)).scalar_one()
    assert row is not None, "it is tried again, after a while"

    monkeypatch.setattr(desk, "_tick", tick)
    clock.advance(timedelta(minutes=2))
    await watch.turn()
    house = desk.state(HOUSE)
    assert isinstance(house, House)
    assert house.quarantined == {}
    assert "page.escalated" in kinds(desk, sick) or "page.exhausted" in kinds(desk, sick)


async def test_a_watch_that_is_woken_acts_before_its_pause_is_over(desk: Desk, clock: ExerciseClock) -> None:
    stream = declare(desk)
    watch = Watch(desk, here)
    stop = asyncio.Event()
    running = asyncio.create_task(watch.run(stop))
    await asyncio.sleep(0.05)
    clock.advance(timedelta(minutes=5))
    watch.wake()
    await asyncio.sleep(0.2)
    assert "page.escalated" in kinds(desk, stream)
    stop.set()
    watch.wake()
    await running


async def test_a_full_disk_makes_no_hot_loop_and_the_watch_goes_on_when_there_is_room(
    desk: Desk, clock: ExerciseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = declare(desk)
    clock.advance(timedelta(minutes=5))
    watch = Watch(desk, here)
    stop = asyncio.Event()

    def full() -> None:
        raise RecordUnwritable("database or disk is full")

    with monkeypatch.context() as disk:
        disk.setattr(desk.record, "begin", full)
        running = asyncio.create_task(watch.run(stop))
        await asyncio.sleep(0.8)
        assert 1 <= watch.ticks <= 3
    await asyncio.sleep(1.8)
    assert "page.escalated" in kinds(desk, stream)
    assert watch._held == {}
    stop.set()
    watch.wake()
    await running


async def test_lateness_grows_when_nothing_ticks_and_is_forgotten_after_a_minute(
    desk: Desk, clock: ExerciseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(desk)
    watch = Watch(desk, here)
    assert watch.late_now() == 0.0
    clock.advance(timedelta(minutes=50))
    assert watch.late_now() >= 45 * 60, "nobody has ticked, and it shows"
    await watch.turn()
    assert watch.late_now() >= 45 * 60, "what was late just now is still told"
    later = monotonic() + 61
    monkeypatch.setattr("console.watch.monotonic", lambda: later)
    assert watch.late_now() == 0.0
