"""The record on PostgreSQL: the same schema and the same promises, with several writers at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, inspect, text

from console.watch import Watch
from console.web.changes import Growth, position
from models import migrations
from models.clock import ExerciseClock
from models.commands import Declare, Note
from models.database import shown
from models.errors import BadConfiguration, RecordLost, RecordUncertain, RecordUnwritable, Superseded
from models.fold import empty, fold
from models.lease import Life, give_back, held_by, take
from models.node import alive, beat, must_be_current, name_here, parts, register, retire
from models.record import Record
from tests.models.small import AMY, NIGHT, by, open_desk
from tests.postgres import Postgres, debian

OLDER = pytest.mark.skipif(debian(15) is None, reason="Debian's PostgreSQL 15 is not installed")
VERSIONS = [pytest.param(None, id="18"), pytest.param(debian(15), id="15", marks=OLDER)]


@pytest.fixture
def record(postgres: Postgres) -> Iterator[Record]:
    made = Record(postgres.database())
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def other(record: Record) -> Iterator[Record]:
    """The same database as another node has it."""
    made = record.another()
    yield made
    made.close()


async def here(call: Callable[[], Any]) -> Any:
    return call()


def kinds(record: Record, stream: str) -> list[str]:
    with record.read() as tx:
        return [fact.kind for fact in tx.facts(stream)]


@pytest.mark.parametrize("binaries", VERSIONS)
def test_the_schema_is_the_same_as_that_of_sqlite(
    binaries: Path | None, tmp_path: Path, request: object
) -> None:
    if binaries is None and "15" in str(getattr(request, "node", "")):
        pytest.skip("Debian's PostgreSQL 15 is not installed")
    small = Record.at(tmp_path / "small.db")
    small.migrate()
    with Postgres(binaries) as server:
        large = Record(server.database())
        large.migrate()
        large.migrate()  # nothing is left to do
        columns = []
        for url in (small.url, large.url):
            engine = create_engine(url)
            seen = inspect(engine)
            columns.append(
                {
                    table: {one["name"]: one["nullable"] for one in seen.get_columns(table)}
                    for table in sorted(seen.get_table_names())
                }
            )
            engine.dispose()
        assert columns[0] == columns[1]
        desk = open_desk(record=large)
        stream = desk.handle(None, Declare(actor=by(AMY), text="odd")).stream
        with large.begin() as tx:
            migrations.downgrade(tx.connection, "0008")
            migrations.upgrade(tx.connection)
        assert desk.handle(stream, Note(actor=by(AMY), text="still here")).accepted
        large.close()
    small.close()


def test_two_writers_at_once_lose_nothing_and_number_without_gaps(record: Record, other: Record) -> None:
    stream = open_desk(record=record).handle(None, Declare(actor=by(AMY), text="odd")).stream
    before = len(kinds(record, stream))
    record.hand_over()
    faults: list[BaseException] = []

    def write(mine: Record, name: str) -> None:
        desk = open_desk(record=mine)
        try:
            for number in range(20):
                assert desk.handle(stream, Note(actor=by(AMY), text=f"{name} {number}")).accepted
        except BaseException as wrong:  # noqa: BLE001 - told to the test's own thread
            faults.append(wrong)

    threads = [
        threading.Thread(target=write, args=(one, name)) for one, name in ((record, "a"), (other, "b"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record.hand_over()
    assert faults == []
    with record.read() as tx:
        facts = tx.facts(stream)
        stored = tx.head(stream)[0]
    assert [fact.seq for fact in facts] == list(range(1, stored + 1))
    assert sum(fact.kind == "note.added" for fact in facts) == 40
    assert len(facts) >= before + 40
    assert fold(empty(stream), facts).seq == stored


def test_a_stream_that_another_writes_in_is_left_to_it(record: Record, other: Record) -> None:
    desk = open_desk(record=record)
    first = desk.handle(None, Declare(actor=by(AMY), text="one")).stream
    second = desk.handle(None, Declare(actor=by(AMY), text="two")).stream
    with other.begin() as theirs:
        assert theirs.free([first]) == [first]
        with record.begin() as ours:
            assert ours.free([first, second]) == [second], "skip locked: nobody waits"
    with record.begin() as ours:
        assert ours.free([first, second]) == sorted([first, second])


def test_what_was_written_is_heard_elsewhere(record: Record, other: Record) -> None:
    desk = open_desk(record=record)
    other.data_version()
    until = time.monotonic() + 20
    while not (other._hearing and other._hearing.connected) and time.monotonic() < until:
        time.sleep(0.01)
    before = other.data_version()
    desk.handle(None, Declare(actor=by(AMY), text="one"))
    while other.data_version() == before and time.monotonic() < until:
        time.sleep(0.01)
    assert other.data_version() > before


def test_what_nobody_has_written_in_is_not_asked_for_again(record: Record, other: Record) -> None:
    desk = open_desk(record=record)
    stream = desk.handle(None, Declare(actor=by(AMY), text="one")).stream
    record.data_version()
    until = time.monotonic() + 20
    while not record.told and time.monotonic() < until:
        time.sleep(0.01)
    asked: list[str] = []
    event.listen(record._engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    before = desk.state(stream).seq
    desk.distrusted(), desk.texts(stream)
    quiet, version = len(asked), record.told
    desk.state(stream), desk.distrusted(), desk.texts(stream)
    if record.told == version:  # nothing was told meanwhile
        assert len(asked) == quiet
    open_desk(record=other).handle(stream, Note(actor=by(AMY), text="elsewhere"))
    while desk.state(stream).seq == before and time.monotonic() < until:
        time.sleep(0.01)
    assert desk.state(stream).seq > before, "what another node wrote is seen as soon as it is told"
    assert len(asked) > quiet


def test_a_lease_is_one_nodes_until_it_ends_and_its_earlier_life_is_its_own(record: Record) -> None:
    first, second = Life(node="pager@a", epoch=1), Life(node="pager@b", epoch=1)
    with record.begin() as tx:
        assert take(tx, "slack", first, NIGHT)
        assert not take(tx, "slack", second, NIGHT)
        assert held_by(tx, "slack", NIGHT) == first
        assert take(tx, "slack", Life(node="pager@a", epoch=2), NIGHT), "started again: its own at once"
        assert not take(tx, "slack", first, NIGHT), "what comes back from an earlier life is refused"
        assert take(tx, "mail", first, NIGHT, seconds=-1)
        assert held_by(tx, "mail", NIGHT) is None
        assert take(tx, "mail", second, NIGHT), "a dead one's"
        give_back(tx, Life(node="pager@a", epoch=2))
        assert take(tx, "slack", second, NIGHT)


def test_parts_live_by_the_databases_clock_and_a_given_up_life_is_refused(record: Record) -> None:
    assert name_here("pager", record).startswith("pager@")
    with record.begin() as tx:
        assert register(tx, "pager@a", NIGHT) == 1  # NIGHT is long ago, and does not count here
        assert register(tx, "pager@b", NIGHT) == 1
        beat(tx, "pager@a", NIGHT)
        retire(tx, "pager@b")
        assert [part.name for part in parts(tx, "pager") if not part.retired] == ["pager@a"]
        assert alive(tx, "pager", NIGHT, timedelta(seconds=30))
        must_be_current(tx, "pager@a", 1)
        register(tx, "pager@a", NIGHT)
        with pytest.raises(Superseded, match="silent too long"):
            must_be_current(tx, "pager@a", 1)


def test_a_server_that_is_gone_is_said_so_and_the_record_goes_on_when_it_is_back() -> None:
    with Postgres() as server:
        record = Record(server.database())
        record.migrate()
        desk = open_desk(record=record)
        stream = desk.handle(None, Declare(actor=by(AMY), text="odd")).stream
        server.kill()
        for _ in range(2):
            with pytest.raises(RecordLost, match="see whether it runs"):
                desk.handle(stream, Note(actor=by(AMY), text="x"))
        server.start()
        assert desk.handle(stream, Note(actor=by(AMY), text="x")).accepted
        assert kinds(record, stream).count("note.added") == 1
        record.close()


def cut_off(server: Postgres, waits: str) -> None:
    """End the one connection that waits for this, as soon as there is one."""
    with server.connect("postgres") as connection:
        for _ in range(2_000):
            if connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'hikeshi' and wait_event = %s",
                [waits],
            ).fetchone():
                return
            time.sleep(0.01)


def test_of_a_commit_that_broke_off_the_server_is_asked_whether_it_came_about() -> None:
    with Postgres() as server:
        record = Record(server.database())
        record.migrate()
        desk = open_desk(record=record)
        stream = desk.handle(None, Declare(actor=by(AMY), text="odd")).stream
        # Stored here, and waiting for a standby that never answers: the connection is cut in the middle.
        server.set(synchronous_standby_names="nobody")
        cutter = threading.Thread(target=cut_off, args=(server, "SyncRep"))
        cutter.start()
        assert desk.handle(stream, Note(actor=by(AMY), text="stored")).accepted
        cutter.join()
        server.set(synchronous_standby_names="")
        assert kinds(record, stream).count("note.added") == 1
        # Cut before the commit: not stored, and nobody is told that it was.
        with server.connect("postgres") as connection, pytest.raises(RecordLost), record.begin() as tx:
            tx.number("spoilt")
            connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'hikeshi'"
            )
        with record.read() as tx:
            assert tx.peek("spoilt") == 0
        record.close()


def test_a_number_that_a_standby_gave_to_another_vouches_for_nothing(
    postgres: Postgres, record: Record, other: Record
) -> None:
    desk, theirs = open_desk(record=record), open_desk(record=other)
    stream = desk.handle(None, Declare(actor=by(AMY), text="odd")).stream
    with theirs.writing() as tx:
        theirs.handle_in(tx, stream, Note(actor=by(AMY), text="theirs"))
        number = tx.number_of_it
    pid = "select pg_backend_pid()"
    with postgres.connect("postgres") as server, pytest.raises(RecordLost), desk.writing() as tx:
        desk.handle_in(tx, stream, Note(actor=by(AMY), text="ours"))
        ours = tx.connection.execute(text(pid)).scalar_one()
        # What was lost on the way to a standby has left its number to whoever wrote there first.
        tx.number_of_it = number
        server.execute("select pg_terminate_backend(%s, 5000)", [ours])
    assert kinds(record, stream).count("note.added") == 1


async def test_what_another_node_writes_in_is_looked_at_again_after_a_pause(
    record: Record, other: Record
) -> None:
    clock = ExerciseClock(NIGHT)
    desk, theirs = open_desk(record=record, clock=clock), open_desk(record=other, clock=clock)
    stream = desk.handle(None, Declare(actor=by(AMY), text="odd")).stream
    clock.advance(timedelta(minutes=30))
    watch = Watch(desk, here)
    with theirs.record.begin() as tx:
        tx.hold(stream, told=False)
        assert await watch.turn() > 0, "else a frozen node would have all others look without a pause"
    before = kinds(record, stream)
    await watch.turn()
    assert len(kinds(record, stream)) > len(before), "once it is free it is written"


def test_what_was_written_without_a_word_is_seen_all_the_same(record: Record, other: Record) -> None:
    desk, theirs = open_desk(record=record), open_desk(record=other)
    stream = desk.handle(None, Declare(actor=by(AMY), text="odd")).stream
    record.data_version()
    until = time.monotonic() + 20
    while not record.told and time.monotonic() < until:
        time.sleep(0.01)
    before = desk.state(stream).seq
    with theirs.writing() as tx:
        assert tx.version == 0
        tx.shared = False  # as where something between us and the server lets no word through
        theirs.handle_in(tx, stream, Note(actor=by(AMY), text="unheard"))
    while desk.state(stream).seq == before and time.monotonic() < until:
        time.sleep(0.05)
    assert desk.state(stream).seq > before


def test_an_address_shows_no_password_and_another_database_is_refused() -> None:
    assert "geheim" not in shown("postgresql+psycopg://h:geheim@db/hikeshi")
    with pytest.raises(BadConfiguration, match="expected sqlite"):
        Record("mysql://h@db/hikeshi")
    assert issubclass(RecordLost, RecordUnwritable)
    assert not issubclass(RecordUncertain, RecordUnwritable), "nobody may take it for not stored"


def test_reading_keeps_nobody_from_writing_and_sees_one_instant(record: Record, other: Record) -> None:
    desk = open_desk(record=record)
    stream = desk.handle(None, Declare(actor=by(AMY), text="odd")).stream
    with other.read() as look:
        before = look.head(stream)[0]
        desk.handle(stream, Note(actor=by(AMY), text="meanwhile"))
        assert look.head(stream)[0] == before
        assert len(look.facts(stream)) == before
        with pytest.raises(Exception, match="read-only"):
            look.connection.execute(text("delete from fact"))
    with other.read() as look:
        assert look.head(stream)[0] > before


def test_who_listens_is_told_which_streams_were_written_in(record: Record, other: Record) -> None:
    desk = open_desk(record=record)
    first = desk.handle(None, Declare(actor=by(AMY), text="one")).stream
    second = desk.handle(None, Declare(actor=by(AMY), text="two")).stream
    other.data_version()
    until = time.monotonic() + 20
    while not (other._hearing and other._hearing.connected) and time.monotonic() < until:
        time.sleep(0.01)
    growth = Growth(other)
    assert {first, second} <= growth.since(other.heard()).keys(), "at first it may be any of them"
    before = other.data_version()
    desk.handle(second, Note(actor=by(AMY), text="x"))
    while other.data_version() == before and time.monotonic() < until:
        time.sleep(0.01)
    heard = other.heard()
    assert heard == frozenset({second})
    other.hand_over()
    assert growth.since(heard) == {second: len(kinds(record, second))}
    assert growth.since(frozenset()) == {}


def test_a_position_grows_with_every_commit_in_whatever_order_they_began(
    record: Record, other: Record
) -> None:
    desk = open_desk(record=record)
    stream = desk.handle(None, Declare(actor=by(AMY), text="one")).stream
    seen = []

    def look() -> None:
        watcher = record.another()
        with watcher.read() as tx:
            seen.append(position(tx, ("*",)))
        watcher.close()

    look()
    with other.begin() as slow:
        slow.number("began first")
        desk.handle(stream, Note(actor=by(AMY), text="began later, ended first"))
        look()
    look()
    assert seen[0] < seen[1] < seen[2]
