"""A new version of the rules: what is due sooner is listed before it fires; nothing old is late or lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from console.reckoner import Reckoner
from models import deriving, desk, reckoning_desk
from models import fold as folding
from models.commands import Acknowledge, Declare, Note
from models.desk import Desk
from models.fact import Fact
from models.fold import RULES_VERSION
from models.reckoning import RULES
from models.record import OUTBOX, STREAM, Record, micros
from models.state import House, Incident
from tests.models.small import AMY, BEN, NIGHT, Scene, by, open_desk

NEWER = RULES_VERSION + 1


async def at_once(call: Any) -> Any:
    return call()


@pytest.fixture
def record() -> Iterator[Record]:
    made = Record.in_memory()
    yield made
    made.close()


def made_by_old_rules(record: Record, incidents: int) -> Scene:
    known = open_desk(record=record)
    streams = [known.handle(None, Declare(actor=by(AMY), text="odd")).stream for _ in range(incidents)]
    return Scene(desk=known, clock=known.clock, stream=streams[0])  # type: ignore[arg-type]


def under_new_rules(made: Scene, monkeypatch: pytest.MonkeyPatch, share: float = 0.5) -> Desk:
    """The next version: whoever is paged has `share` of the time to say that they have it."""
    table = folding._FOLDS[Incident]
    asked = table["page.asked"]

    def hurried(state: Incident, fact: Fact) -> None:
        asked(state, fact)
        page = state.pages[fact.seq]
        page.within = [int(seconds * share) for seconds in page.within]

    monkeypatch.setitem(table, "page.asked", hurried)
    for module in (desk, deriving, reckoning_desk):
        monkeypatch.setattr(module, "RULES_VERSION", NEWER)
    return open_desk(record=made.desk.record, clock=made.clock)


def due(record: Record) -> dict[str, tuple[int | None, int]]:
    with record.read() as tx:
        rows = tx.connection.execute(select(STREAM.c.id, STREAM.c.next_due_at, STREAM.c.due_rules)).all()
    return {row[0]: (row[1], row[2]) for row in rows}


def listed(record: Record) -> list[Fact]:
    with record.read() as tx:
        return [fact for fact in tx.facts("house") if fact.kind == "rules.changed"]


def until_done(known: Desk) -> int:
    reckoner, turns = Reckoner(known, at_once), 0
    while reckoner.turn():
        turns += 1
        assert turns < 1_000
    return turns


def test_what_is_due_sooner_is_listed_in_one_fact_before_it_fires(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = made_by_old_rules(record, 50)
    made.do(Acknowledge(actor=by(AMY), page=made.page().id), "INC-2026-0001")
    before = due(record)
    made.clock.advance(timedelta(minutes=3))
    now = micros(made.clock.now())
    known = under_new_rules(made, monkeypatch)
    reckoner = Reckoner(known, at_once)
    # A slice at a time; what is due sooner stays due as it was, and the watch finds nothing to fire.
    while reckoner.turn() and not listed(record):
        with record.read() as tx:
            assert tx.due_streams(known.clock.now(), 100) == []
    (fact,) = listed(record)
    sooner = fact.data["sooner"]
    assert sorted(sooner) == [f"INC-2026-00{number:02d}" for number in range(2, 51)]
    assert (fact.data["before"], fact.data["rules"]) == (RULES_VERSION, NEWER)
    assert sooner["INC-2026-0002"] == [
        "2026-11-22T18:02:30.000000Z", "2026-11-22T18:05:00.000000Z", "page.escalated",
    ]  # fmt: skip
    after = due(record)
    assert {rules for _, rules in after.values()} == {NEWER}
    assert after["INC-2026-0002"][0] == (before["INC-2026-0002"][0] or 0) - 150_000_000 <= now
    # Somebody is told, once; and only now it fires, each page once.
    state = known.state("house")
    assert isinstance(state, House)
    assert state.impaired[RULES].startswith(f"newly due under rules {NEWER}: INC-2026-0002 ")
    assert [page.subject for page in state.open_pages()] == ["impaired:rules"]
    outcomes = known.tick_all(sorted(sooner))
    assert all("page.escalated" in outcome.kinds() for outcome in outcomes)
    with record.read() as tx:
        rows = tx.connection.execute(select(OUTBOX.c.key).where(OUTBOX.c.level == "1")).scalars().all()
    assert len(rows) == len(set(rows)) >= 49
    assert listed(record) == [fact]
    # Whoever acknowledges it has taken note.
    page = state.open_pages()[0].id
    assert known.handle("house", Acknowledge(actor=by(AMY), page=page)).accepted
    until_done(known)
    mended = known.state("house")
    assert isinstance(mended, House) and RULES not in mended.impaired


def test_what_the_old_rules_made_due_as_well_never_waits_for_the_list(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = made_by_old_rules(record, 3)
    made.clock.advance(timedelta(minutes=6))
    known = under_new_rules(made, monkeypatch)
    with record.read() as tx:
        assert "INC-2026-0002" in tx.due_streams(known.clock.now(), 10)
    outcome = known.tick("INC-2026-0002")
    # Listed in the very transaction, and before.
    kinds = [fact.kind for fact in outcome.facts]
    assert kinds.index("rules.changed") < kinds.index("page.escalated")
    assert list(listed(record)[0].data["sooner"]) == ["INC-2026-0002"]
    # A command in a stream that is not listed yet does the same for it.
    assert "rules.changed" in known.handle("INC-2026-0003", Note(actor=by(BEN), text="-")).kinds()
    until_done(known)
    assert [list(fact.data["sooner"]) for fact in listed(record)] == [
        ["INC-2026-0002"], ["INC-2026-0003"], ["INC-2026-0001"],
    ]  # fmt: skip


def test_what_is_due_later_or_never_is_put_right_at_once_and_listed_too(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = made_by_old_rules(record, 2)
    known = under_new_rules(made, monkeypatch, share=2.0)
    until_done(known)
    (fact,) = listed(record)
    assert (fact.data["sooner"], sorted(fact.data["later"])) == ({}, ["INC-2026-0001", "INC-2026-0002"])
    state = known.state("house")
    assert isinstance(state, House)
    assert (state.impaired, state.upkeep.rules) == ({}, NEWER)
    assert until_done(known) == 0
    assert listed(record) == [fact]


def test_one_that_cannot_be_reckoned_keeps_its_time_and_stops_no_other(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = made_by_old_rules(record, 3)
    before = due(record)
    with record.begin() as tx:
        seq, _ = tx.head("INC-2026-0002")
        fact = Fact(
            stream="INC-2026-0002", seq=seq + 1, at=NIGHT, recorded_at=NIGHT, actor=AMY, kind="a.b", data={}
        )
        tx.append([fact], {})
    known = under_new_rules(made, monkeypatch)
    until_done(known)
    assert sorted(listed(record)[0].data["sooner"]) == ["INC-2026-0001", "INC-2026-0003"]
    assert due(record)["INC-2026-0002"] == (before["INC-2026-0002"][0], NEWER)


def test_what_waits_for_the_list_does_not_wait_for_ever(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = made_by_old_rules(record, 60)
    known = under_new_rules(made, monkeypatch)
    monkeypatch.setattr("console.reckoner.HELD_SECONDS", -1.0)
    until_done(known)
    assert len(listed(record)) > 1
    assert sum(len(fact.data["sooner"]) for fact in listed(record)) == 60


def test_without_a_change_of_the_rules_nothing_is_reckoned_and_nothing_said(record: Record) -> None:
    made = made_by_old_rules(record, 2)
    assert until_done(made.desk) == 0
    assert listed(record) == []
    written: list[float] = []
    record.took = written.append
    assert until_done(made.desk) == 0
    assert written == [], "whoever looks for it keeps nobody from writing"
