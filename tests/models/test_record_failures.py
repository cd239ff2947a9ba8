"""A record that cannot be used says so in words that tell what to do; nothing is half done."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

import models.database
from models import migrations
from models.commands import Acknowledge, Declare, Note
from models.errors import RecordBusy, RecordDamaged, RecordTooNew, RecordUnwritable
from models.fact import Fact
from models.fold import empty, fold
from models.record import OUTBOX, Record
from models.state import House
from models.tables import METADATA
from tests.models.small import AMY, NIGHT, Scene, by, open_desk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hikeshi.db"


@pytest.fixture
def made(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """An incident in a file; a locked database is waited for 50 ms."""
    monkeypatch.setattr(models.database, "BUSY_MILLISECONDS", 50)
    record = Record.at(path)
    record.migrate()
    desk = open_desk(record=record)
    stream = desk.handle(None, Declare(actor=by(AMY), text="odd")).stream
    yield Scene(desk=desk, clock=desk.clock, stream=stream)  # type: ignore[arg-type]
    record.close()


def kept(made: Scene) -> list[str]:
    return [fact.kind for fact in made.facts("note.added")]


NOTE = Note(actor=by(AMY), text="x")


def test_a_record_locked_by_another_process_is_busy_and_works_again_after(made: Scene, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    with pytest.raises(RecordBusy, match="another process"):
        made.desk.handle(made.stream, NOTE)
    assert kept(made) == []
    other.execute("rollback")
    other.close()
    assert made.do(NOTE) == ("note.added",)


def test_reading_goes_on_while_another_process_writes(made: Scene, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")
    assert made.incident.status == "open"
    other.execute("rollback")
    other.close()


def test_a_full_disk_is_said_and_nothing_is_half_done(made: Scene) -> None:
    with made.desk.record.read() as tx:
        pages = tx.connection.execute(text("pragma page_count")).scalar_one()
        tx.connection.execute(text(f"pragma max_page_count={pages}"))
    before = made.incident.seq
    with pytest.raises(RecordUnwritable, match="free space"):
        for number in range(500):
            made.desk.handle(made.stream, Note(actor=by(AMY), text=f"{number}" * 2000))
    made.desk.forget()
    with made.desk.record.read() as tx:
        facts = tx.facts(made.stream)
        tx.connection.execute(text("pragma max_page_count=1000000"))
        assert len(tx.texts(made.stream)) == 1 + sum(fact.kind == "note.added" for fact in facts)
    assert [fact.seq for fact in facts] == list(range(1, len(facts) + 1))
    assert len(facts) >= before
    made.desk.record.close()
    assert made.do(NOTE) == ("note.added",)


def test_a_record_that_may_only_be_read_is_said_so(made: Scene) -> None:
    with made.desk.record.read() as tx:
        tx.connection.execute(text("pragma query_only=1"))
    with pytest.raises(RecordUnwritable, match="mend the disk"):
        made.desk.handle(made.stream, NOTE)
    assert kept(made) == []


def test_a_record_that_is_gone_is_said_so(tmp_path: Path) -> None:
    record = Record(f"sqlite:///{tmp_path}/nowhere/hikeshi.db")
    with pytest.raises(RecordUnwritable, match="unable to open"):
        record.migrate()
    record.close()


def test_a_file_that_is_no_database_is_said_so(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to look like one" * 100)
    record = Record.at(path)
    with pytest.raises(RecordDamaged, match="restore a backup"):
        record.migrate()
    record.close()


# -- newer than we are --------------------------------------------------------------------------------------


def test_a_schema_of_a_newer_hikeshi_is_left_alone(made: Scene, path: Path) -> None:
    made.desk.record.close()
    database = sqlite3.connect(path)
    database.execute("update alembic_version set version_num='9999'")
    database.commit()
    record = Record.at(path)
    with pytest.raises(RecordTooNew, match="9999"):
        record.migrate()
    record.close()
    assert database.execute("select count(*) from fact").fetchone()[0] > 0
    database.close()


@pytest.mark.parametrize("change", [{"kind": "garden.opened"}, {"v": 2}], ids=["a kind", "a version"])
@pytest.mark.parametrize("stream", ["INC-2026-0001", "intake", "programme"])
def test_a_fact_of_a_newer_hikeshi_is_refused(stream: str, change: dict[str, object]) -> None:
    kinds = {"INC-2026-0001": "note.added", "intake": "alert.kept"}
    known = Fact(
        stream=stream,
        seq=7,
        at=NIGHT,
        recorded_at=NIGHT,
        actor=AMY,
        kind=str(change.get("kind", kinds.get(stream, "improvement.done"))),
        data={"id": "x"},
        v=int(str(change.get("v", 1))),
    )
    with pytest.raises(RecordTooNew, match=r"#7 is of kind .* \(0\.1\.0\) cannot read"):
        fold(empty(stream), [known])


def test_a_newer_fact_of_the_house_is_said_and_keeps_nobody_from_paging() -> None:
    newer = Fact(
        stream="house", seq=7, at=NIGHT, recorded_at=NIGHT, actor=AMY, kind="garden.opened", data={}, v=1
    )
    state = fold(empty("house"), [newer])
    assert isinstance(state, House)
    assert (state.seq, state.impaired) == (
        7,
        {"newer": "house #7 is of kind garden.opened, which this version (0.1.0) cannot read"},
    )


# -- migrations ---------------------------------------------------------------------------------------------


def test_the_schema_laid_down_is_the_one_that_the_tables_say(path: Path) -> None:
    record = Record.at(path)
    record.migrate()
    record.close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        # Types aside: SQLite knows no difference between TEXT and VARCHAR.
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, METADATA) == []
        assert migrations.version(connection) == migrations.HEAD
    engine.dispose()


def test_what_is_laid_down_at_once_is_what_each_migration_in_turn_makes() -> None:
    made = []
    for stops in ((migrations.HEAD,), migrations.KNOWN):
        engine = create_engine("sqlite://")
        with engine.connect() as connection:
            for stop in stops:
                migrations.upgrade(connection, stop)
            driver = connection.connection.dbapi_connection
            assert driver is not None
            made.append(list(driver.iterdump()))
        engine.dispose()
    assert made[0] == made[1]


def test_checks_that_no_comparison_sees_are_there_too(path: Path, tmp_path: Path) -> None:
    record = Record.at(path)
    record.migrate()
    record.close()
    plain = create_engine(f"sqlite:///{tmp_path}/plain.db")
    METADATA.create_all(plain)
    plain.dispose()

    def checks(file: Path) -> dict[str, int]:
        database = sqlite3.connect(file)
        rows = database.execute("select name, sql from sqlite_master where type='table'").fetchall()
        database.close()
        return {name: sql.upper().count("CHECK") for name, sql in rows if name != "alembic_version"}

    assert checks(path) == checks(tmp_path / "plain.db")


@pytest.mark.parametrize("field", ["kind", "state"])
def test_the_database_takes_no_message_of_an_unknown_kind_or_state(made: Scene, field: str) -> None:
    row = made.outbox()[0]
    with made.desk.record.read() as tx, pytest.raises(IntegrityError):
        tx.connection.execute(OUTBOX.update().where(OUTBOX.c.id == row["id"]).values({field: "garden"}))


def test_a_migration_that_is_up_to_date_does_nothing_and_loses_nothing(made: Scene, path: Path) -> None:
    made.do(Acknowledge(actor=by(AMY)))
    before = made.incident
    made.desk.record.migrate()
    made.desk.record.close()
    record = Record.at(path)
    record.migrate()
    assert open_desk(record=record).state(made.stream) == before
    record.close()


def test_down_and_up_again_leaves_an_empty_record_that_works(made: Scene, path: Path) -> None:
    made.desk.record.close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        migrations.downgrade(connection, "base")
        connection.commit()
        tables = connection.execute(text("select name from sqlite_master where type='table'")).scalars().all()
        assert set(tables) <= {"alembic_version"}
        assert migrations.version(connection) is None
    engine.dispose()
    record = Record.at(path)
    record.migrate()
    desk = open_desk(record=record)
    assert desk.handle(None, Declare(actor=by(AMY), text="x")).stream == "INC-2026-0001"
    record.close()
