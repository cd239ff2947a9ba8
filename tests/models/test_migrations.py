"""Every migration down and up again with incidents open, on SQLite and on PostgreSQL 15 and 18."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import String, Text, select
from sqlmodel import AutoString

from models import migrations
from models.commands import Acknowledge, Declare, Note
from models.errors import NotFound, RollbackRefused
from models.kinds import LEDGER, Kind
from models.node import register
from models.record import DOCUMENT, FACT, OUTBOX, RELEASE, STREAM, TEXT, Record
from models.rollback import Past, main, roll_back
from models.succession import last, take_over
from models.tables import METADATA
from tests.models.small import AMY, NIGHT, Scene, by, open_desk
from tests.postgres import Postgres, debian

TRUTH = (FACT, TEXT, DOCUMENT, OUTBOX)
Open = Callable[[str], Record]
OLDER = Past(version="0.0.9", schema="0011")
PLACES = [
    "sqlite",
    pytest.param("18", marks=pytest.mark.slow),
    pytest.param(
        "15",
        marks=[pytest.mark.slow, pytest.mark.skipif(debian() is None, reason="PostgreSQL 15 is not here")],
    ),
]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """A record in the place that is named."""
    with ExitStack() as stack:

        def open_in(place: str) -> Record:
            if place == "sqlite":
                record = Record.at(tmp_path / "hikeshi.db")
            else:
                server = stack.enter_context(Postgres(debian() if place == "15" else None))
                record = Record(server.database())
            record.migrate()
            stack.callback(record.close)
            return record

        yield open_in


def scene_in(record: Record, incidents: int = 1) -> Scene:
    desk = open_desk(record=record)
    streams = [desk.handle(None, Declare(actor=by(AMY), text="odd")).stream for _ in range(incidents)]
    return Scene(desk=desk, clock=desk.clock, stream=streams[0])  # type: ignore[arg-type]


def differs(_: object, __: object, ___: object, found: Any, told: Any) -> bool | None:
    """Whether two types are not the same; text without a length is text. None: let alembic say."""
    if isinstance(found, Text | String) and isinstance(told, Text | String | AutoString):
        return bool(getattr(found, "length", None))
    return None


def truth(record: Record) -> dict[str, list[tuple[Any, ...]]]:
    """Whatever must not change, row by row."""
    with record.read() as tx:
        return {
            table.name: sorted(map(tuple, tx.connection.execute(select(table))), key=repr) for table in TRUTH
        }


@pytest.mark.parametrize("place", PLACES)
def test_each_migration_goes_down_and_up_with_incidents_open(opened: Open, place: str) -> None:
    record = opened(place)
    made = scene_in(record, incidents=3)
    before, states = truth(record), [made.desk.state(f"INC-2026-000{number}") for number in (1, 2, 3)]
    for target in reversed(migrations.KNOWN[:-1]):
        with record.begin() as tx:
            migrations.downgrade(tx.connection, target)
            assert migrations.version(tx.connection) == target
        with record.read() as tx:
            stored = tx.connection.execute(select(FACT.c.body).order_by(FACT.c.stream, FACT.c.seq)).all()
        assert [tuple(one) for one in stored] == [
            (row[3],) for row in sorted(before["fact"], key=lambda row: (row[0], row[1]))
        ]
    record.migrate()
    assert truth(record) == before
    made.desk.forget()
    assert [made.desk.state(one.stream) for one in states] == states
    # Everything goes on: what nobody has acknowledged climbs, what somebody acknowledges stops.
    made.do(Acknowledge(actor=by(AMY), page=made.page().id))
    assert "page.escalated" in made.wait(6, "INC-2026-0002")
    assert made.outbox(stream="INC-2026-0002", level="1")
    with record.read() as tx:
        context = MigrationContext.configure(tx.connection, opts={"compare_type": differs})
        assert compare_metadata(context, METADATA) == []


# -- taking an upgrade back ---------------------------------------------------------------------------------


def test_an_upgrade_is_taken_back_with_incidents_open_until_the_first_new_fact(opened: Open) -> None:
    record = opened("sqlite")
    made = scene_in(record)
    ledger = tuple(
        Kind(
            name=one.name, read_since="0.1.0" if one.name == "note.added" else "0.0.9", written_since="0.1.0"
        )
        for one in LEDGER
    )
    with record.begin() as tx:
        assert take_over(tx, NIGHT)
    before, state = truth(record), made.incident
    roll_back(record, "0.0.9", made.clock.now(), (OLDER,), ledger)
    with record.read() as tx:
        assert migrations.version(tx.connection) == "0011"
    assert truth(record) == before
    record.migrate()
    made.desk.forget()
    assert made.incident == state
    # The first fact that the older one cannot read shuts the door, and is named.
    made.do(Note(actor=by(AMY), text="new"))
    seq = made.facts("note.added")[0].seq
    with pytest.raises(
        RollbackRefused, match=rf"INC-2026-0001 #{seq} is of kind note\.added v1, which 0\.0\.9"
    ):
        roll_back(record, "0.0.9", made.clock.now(), (OLDER,), ledger)
    with record.read() as tx:
        assert migrations.version(tx.connection) == migrations.HEAD


def test_nothing_is_taken_back_under_what_still_runs_nor_to_what_never_was(opened: Open) -> None:
    record = opened("sqlite")
    made = scene_in(record)
    with record.begin() as tx:
        register(tx, "pager", made.clock.now())
    with pytest.raises(RollbackRefused, match=r"pager of 0\.1\.0 still run"):
        roll_back(record, "0.0.9", made.clock.now(), (OLDER,))
    with pytest.raises(NotFound, match="to be had are: none"):
        roll_back(record, "0.0.9", made.clock.now())
    with record.begin() as tx:
        assert take_over(tx, made.clock.now())
        assert last(tx) is not None
        assert tx.connection.execute(select(RELEASE.c.version)).scalars().all() == ["0.1.0"]
        assert tx.connection.execute(select(STREAM.c.due_rules)).scalars().all()


def test_the_program_says_what_it_cannot_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path}/hikeshi.db"
    assert main(["--to", "0.0.1", url]) == 1
    assert "cannot be taken back to 0.0.1" in capsys.readouterr().err
