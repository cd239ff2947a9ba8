"""Going on with a record on PostgreSQL: only while nobody lives there, and then everything is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from console.opening import House, open_house
from console.restore.restoring import CannotRestore, restore
from models.commands import Actor
from models.node import register, retire
from models.record import NODE, OUTBOX, TEXT
from notifiers.hold import Hold
from tests.console.clihouse import Cli, bank_in, cli
from tests.console.test_restore import INC, restored, rows, vault, verified
from tests.notifiers.relayhouse import stored
from tests.postgres import Postgres

__all__ = ["cli", "vault"]
SATO = Actor(person="sato-kenji", via="cli")


@pytest.fixture
def there(cli: Cli, tmp_path: Path, postgres: Postgres) -> Iterator[House]:
    """The other machine: the same files, and a new database on a server."""
    folder = tmp_path / "second"
    folder.mkdir()
    directory = bank_in(folder)
    settings = directory / "settings.toml"
    own = settings.read_text(encoding="utf-8")
    settings.write_text(f'database = "{postgres.database()}"\n{own}', encoding="utf-8")
    house = open_house(directory, cli.clock)
    yield house
    house.record.close()


def test_a_record_goes_on_on_postgresql_once_nobody_lives_there(cli: Cli, vault: Path, there: House) -> None:
    now = there.wall.now()
    with there.record.begin() as tx:
        register(tx, "pager@elsewhere", now)
        register(tx, "conductor@elsewhere", now)
        retire(tx, "conductor@elsewhere")
    with pytest.raises(CannotRestore, match="a pager that shares this record was alive") as refused:
        restore(there, vault, SATO, "x")
    assert len(refused.value.defects) == 1, "the conductor has stopped"
    with there.record.begin() as tx:
        tx.connection.execute(update(NODE).values(beat_at=1))
    hold = Hold.beside(there.record.url, there.data)
    assert hold.take()
    with pytest.raises(CannotRestore, match="a pager runs on"):
        restore(there, vault, SATO, "x")
    hold.release()
    assert stored(there.desk) == [], "refused before anything was written"
    before = stored(cli.house.desk)
    other = restored(cli, there, vault)
    after = stored(there.desk)
    assert set(before) <= set(after)
    assert verified(there)["problems"] == []
    assert other.run("show", INC).out == cli.run("show", INC).out
    keys = {row["key"] for row in rows(cli.house, OUTBOX, "id") if row["state"] == "queued"}
    waiting = rows(there, OUTBOX, "id")
    assert keys and {row["key"] for row in waiting} == keys
    assert {row["node"] for row in waiting} == {None}, "in nobody's hand: whoever starts takes them up"
    assert "INC-2026-0002" in other.run("declare", "another matter").out


def test_texts_that_lie_there_already_are_those_of_the_source_afterwards(
    cli: Cli, vault: Path, there: House
) -> None:
    ours = rows(cli.house, TEXT, "stream", "digest")
    assert ours
    with there.record.begin() as tx:
        tx.connection.execute(TEXT.insert(), [row | {"body": None} for row in ours])
    restored(cli, there, vault)
    theirs = rows(there, TEXT, "stream", "digest")
    assert [row for row in theirs if row["stream"] != "house"] == ours
