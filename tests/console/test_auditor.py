"""The auditor: how late what was due came about, what has not, and whether what is stored fits the facts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import insert, select, update

from console.auditor import Auditor
from console.web import figures
from models.audit import KINDS, PREFIX, ROUNDS_UNTIL_SAID
from models.clock import ExerciseClock
from models.commands import Acknowledge, Actor, Declare
from models.decide import next_due
from models.desk import HOUSE, Desk
from models.node import register
from models.punctual import dues
from models.record import AUDIT, CHECKPOINT, HOOK, NODE, OUTBOX, STREAM, Record, micros
from models.restriction import Restrict
from models.state import House as HouseState
from playbooks.institution import Institution
from tests.console.webhouse import make_house
from tests.postgres import Postgres

SATO = Actor(person="sato-kenji", via="cli")
DUTY = Actor(person="suzuki-daichi", via="cli")


@pytest.fixture
def auditor(bank: Institution, desk: Desk, tmp_path: Path) -> Iterator[Auditor]:
    return Auditor(make_house(bank, desk, tmp_path))  # type: ignore[return-value]


def declare(desk: Desk) -> str:
    return desk.handle(None, Declare(actor=DUTY, text="Files encrypted", playbooks=("ransomware",))).stream


def rounds(auditor: Auditor, count: int = ROUNDS_UNTIL_SAID) -> set[str]:
    """Go round so often; the kinds that the house then says are wrong."""
    for _ in range(count):
        auditor.keep(auditor.round())
    state = auditor.house.desk.state(HOUSE)
    assert isinstance(state, HouseState)
    return {one.removeprefix(PREFIX) for one in state.impaired if one.startswith(PREFIX)}


def counts(auditor: Auditor) -> dict[str, int]:
    with auditor.house.record.read() as tx:
        rows = tx.connection.execute(select(AUDIT).where(AUDIT.c.name.like("late/%")))
        return {name: value for name, value in rows}


def tick(desk: Desk) -> int:
    """Everything that is due, as the watch does it; how many streams."""
    for done in range(100):
        with desk.record.read() as tx:
            names = tx.due_streams(desk.clock.now(), 100)
        if not names:
            return done
        for name in names:
            desk.tick(name)
    raise AssertionError("what is due does not rest")


def deliver(desk: Desk) -> None:
    with desk.record.begin() as tx:
        tx.connection.execute(update(OUTBOX).values(state="sent"))


def change(desk: Desk, stream: str, **values: Any) -> None:
    with desk.record.begin() as tx:
        tx.connection.execute(update(STREAM).where(STREAM.c.id == stream).values(values))


def test_how_late_things_came_about_is_counted_by_kind_and_once(
    auditor: Auditor, desk: Desk, clock: ExerciseClock
) -> None:
    stream = declare(desk)
    due = next_due(desk.state(stream))
    assert due is not None
    clock.advance(due - clock.now())
    tick(desk)
    deliver(desk)
    rounds(auditor, 1)
    first = counts(auditor)
    assert first["late/page/0.1"] >= 1 and first["late/page/sum"] == 0
    for _ in range(3):
        due = next_due(desk.state(stream))
        assert due is not None
        clock.advance(due - clock.now() + timedelta(seconds=40))
        tick(desk)
    deliver(desk)
    # Another auditor, in another process: what was counted is not counted again.
    rounds(Auditor(auditor.house), 3)
    found = counts(auditor)
    rounds(auditor, 3)
    assert counts(auditor) == found
    assert sum(found[name] for name in found if name.endswith("/60.0")) >= 3
    assert sum(value for name, value in found.items() if name.endswith("/sum")) >= 3 * 40_000_000

    told = figures.of_record(auditor.house)
    infinite = [value for _, labels, value in told["due_late_seconds"] if labels.get("le") == "+Inf"]
    assert sum(infinite) >= 4 and told["audit_waiting"] == [("", {}, 0.0)]
    assert {labels["kind"] for _, labels, _ in told["audit_findings"]} == set(KINDS)


def test_the_earliest_of_what_is_due_is_what_the_watch_waits_for(desk: Desk, clock: ExerciseClock) -> None:
    streams = [declare(desk), HOUSE, "intake", "programme"]
    for hours in (0, 1, 1, 5, 20, 100):
        clock.advance(timedelta(hours=hours))
        tick(desk)
        for stream in streams:
            state = desk.state(stream)
            assert min((one.at for one in dues(state)), default=None) == next_due(state), stream


def test_what_nobody_does_is_found_said_once_and_taken_back(
    auditor: Auditor, desk: Desk, clock: ExerciseClock
) -> None:
    declare(desk)
    deliver(desk)
    assert rounds(auditor) == set()
    clock.advance(timedelta(minutes=10))
    assert rounds(auditor, 1) == set(), "one look may fall between two writes"
    assert rounds(auditor, 3) == {"watch"}
    facts = [fact for fact in facts_of(desk) if fact.data.get("what") == "audit watch"]
    assert [fact.kind for fact in facts] == ["machine.impaired"]
    tick(desk)
    deliver(desk)
    assert rounds(auditor) == set()


def facts_of(desk: Desk) -> list[Any]:
    with desk.record.read() as tx:
        return tx.facts(HOUSE)


def test_each_part_that_stands_still_is_found(auditor: Auditor, desk: Desk, clock: ExerciseClock) -> None:
    stream = declare(desk)
    now = micros(clock.now())
    hook = {"key": "k", "hook": "siem", "stream": stream, "seq": 1, "body": "{}", "state": "queued"}
    old = {"body": b"x", "key": "k", "signature": b"x"}
    with desk.record.begin() as tx:
        tx.connection.execute(insert(HOOK).values(hook | {"tries": 0, "next_try_at": now, "created_at": now}))
        tx.connection.execute(insert(CHECKPOINT).values(old | {"number": 1, "at": now}))
        register(tx, "pager", clock.now())
    assert rounds(auditor) == set()
    clock.advance(timedelta(hours=30))
    tick(desk)
    with desk.record.begin() as tx:
        tx.connection.execute(update(OUTBOX).values(state="queued"))
    assert rounds(auditor) == {"webhook", "checkpoints", "outbox", "pager"}
    state = desk.state(HOUSE)
    assert isinstance(state, HouseState) and "siem" in state.impaired["audit webhook"]
    with desk.record.begin() as tx:
        tx.connection.execute(update(NODE).values(detail="stopped"))
    assert "pager" not in rounds(auditor), "one that was stopped is not missed"


def test_a_page_that_is_over_and_still_about_to_leave_is_found(
    auditor: Auditor, desk: Desk, clock: ExerciseClock
) -> None:
    stream = declare(desk)
    desk.handle(stream, Acknowledge(actor=DUTY))
    pages = [page.id for page in desk.state(stream).pages.values() if page.state == "stopped"]
    if not pages:
        page = next(iter(desk.state(stream).pages.values()))
        pages = [page.id]
        desk.tick(stream)
    deliver(desk)
    assert "answered" not in rounds(auditor)
    over = [page.id for page in desk.state(stream).pages.values() if page.state == "stopped"]
    with desk.record.begin() as tx:
        tx.connection.execute(
            update(OUTBOX).where(OUTBOX.c.stream == stream).values(state="queued", page=(over or pages)[0])
        )
    clock.advance(timedelta(seconds=61))
    assert ("answered" in rounds(auditor)) is bool(over)


@pytest.mark.parametrize("column", ["next_due_at", "wanted", "clocks_running", "status", "snapshot"])
def test_what_is_stored_and_does_not_fit_the_facts_is_found(
    auditor: Auditor, desk: Desk, column: str
) -> None:
    stream = declare(desk)
    for number in range(60):
        desk.handle(stream, Acknowledge(actor=Actor(person="suzuki-daichi", via=f"t{number}")))
    deliver(desk)
    assert rounds(auditor, 4) == set()
    if column == "snapshot":
        with desk.record.read() as tx:
            body = tx.connection.execute(select(STREAM.c.snapshot).where(STREAM.c.id == stream)).scalar()
        assert body is not None
        change(desk, stream, snapshot=orjson.dumps(orjson.loads(body) | {"severity": "other"}))
    else:
        change(desk, stream, **{column: "closed" if column == "status" else 17})
    found = Auditor(auditor.house).round().found
    assert column in found["derived"].detail and stream in found["derived"].detail


def test_no_restricted_incident_is_named(auditor: Auditor, desk: Desk) -> None:
    stream = declare(desk)
    assert desk.handle(stream, Restrict(actor=SATO, reason="an insider")).accepted
    deliver(desk)
    change(desk, stream, wanted=99)
    detail = auditor.round().found["derived"].detail
    assert stream not in detail and "1 more" in detail


def test_a_round_is_bounded_and_the_rest_comes_later(auditor: Auditor, desk: Desk) -> None:
    streams = [declare(desk) for _ in range(30)]
    deliver(desk)
    first = auditor.round(most=10)
    assert first.streams <= 12 and 18 <= first.waiting <= 20
    for _ in range(4):
        auditor.keep(auditor.round(most=10))
    with desk.record.read() as tx:
        read = tx.connection.execute(select(AUDIT.c.name).where(AUDIT.c.name.like("read/INC%"))).scalars()
        assert len(list(read)) == len(streams)


def test_it_goes_round_a_record_on_postgresql_as_well(
    bank: Institution, desk: Desk, tmp_path: Path, clock: ExerciseClock, postgres: Postgres
) -> None:
    record = Record(postgres.database())
    record.migrate()
    shared = Desk(record, desk.premises, clock)
    auditor = Auditor(make_house(bank, shared, tmp_path))
    stream = declare(shared)
    deliver(shared)
    assert rounds(auditor) == set()
    clock.advance(timedelta(minutes=6))
    assert auditor.round().found.keys() == {"watch"}
    shared.tick(stream)
    rounds(auditor, 1)
    assert counts(auditor)["late/page/60.0"] == 1
    assert figures.of_record(auditor.house)["audit_waiting"] == [("", {}, 0)]
    record.close()


def test_what_another_auditor_has_counted_in_part_is_counted_once_and_the_rest_not_lost(
    auditor: Auditor, desk: Desk, clock: ExerciseClock
) -> None:
    first, second = declare(desk), declare(desk)
    rounds(auditor, 1)
    clock.advance(timedelta(minutes=50))
    assert tick(desk)
    slow, quick = Auditor(auditor.house), Auditor(auditor.house)
    report, theirs = slow.round(), quick.round()
    assert {first, second} <= report.read.keys()
    theirs.read = {second: theirs.read[second]}
    theirs.counts.clear()
    quick.keep(theirs)
    slow.keep(report)
    assert counts(auditor) == {}, "what it found was not stored, so nothing was passed over"
    slow.keep(slow.round())
    assert counts(auditor), "it is counted by whoever reads it next"
