"""Two versions at one record: the older notices, says so, writes nothing more and makes way for the newer."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from console.main import execute
from console.opening import open_house
from console.standing_down import OUTDATED
from console.texts import texts
from console.up import Part
from models import migrations
from models.clock import SystemClock
from models.commands import Actor, Declare
from models.errors import Outdated, RecordTooNew
from models.migrations import HEAD
from models.node import register, retire
from models.record import RELEASE
from tests.console.clihouse import bank_in

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0
ACTOR = Actor(person="sato-kenji", via="cli")
NEWER = """
import sys
from models import migrations
migrations.KNOWN = (*migrations.KNOWN, "9999")
migrations.HEAD = "9999"
migrations.upgrade.__defaults__ = ("9999",)
from models import release
release.VERSION = "0.2.0"
sys.argv = ["node", "0"]
from console.node import main
sys.exit(main())
"""
"""A node of the release after this one, whose migration has been applied."""


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    folder = bank_in(tmp_path)
    people = (folder / "organisation.yaml").read_text(encoding="utf-8")
    (folder / "organisation.yaml").write_text(
        people.replace("channels: [console, file]", "channels: [file]"), encoding="utf-8"
    )
    return folder


def migrated(bank: Path) -> None:
    """What the newer release's migration does to the database, under whoever uses it."""
    with sqlite3.connect(bank / "var" / "hikeshi.db", timeout=20) as database:
        database.execute("create table garden (rake text)")
        database.execute("update alembic_version set version_num = '9999'")
    database.close()


def facts(bank: Path) -> list[tuple[str, int, str]]:
    with sqlite3.connect(bank / "var" / "hikeshi.db", timeout=20) as database:
        found = database.execute("select stream, seq, kind from fact order by stream, seq").fetchall()
    database.close()
    return found


@contextmanager
def part(bank: Path, *argv: str) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"HIKESHI_DIR": str(bank), "PYTHONPATH": str(ROOT), "HIKESHI_LANG": "en"}
    with subprocess.Popen(  # noqa: S603 - Python and this test's own words
        [sys.executable, *argv], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("hikeshi-node-ready"):
            return int(line.split()[1])
    assert process.stderr is not None
    raise AssertionError(f"it did not start: {process.stderr.read()}")


def until(call: Callable[[], Any]) -> Any:
    """What `call` gives, once it gives something."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := call():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")


def health(port: int) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as unwell:
        return dict(json.load(unwell))
    except OSError:
        return {}


def declare(bank: Path, title: str) -> None:
    """As the command line of this version would."""
    house = open_house(bank)
    assert house.desk.handle(None, Declare(actor=ACTOR, text=title)).accepted
    house.record.close()


def delivered(bank: Path) -> list[str]:
    path = bank / "var" / "messages.jsonl"
    return [json.loads(line)["key"] for line in path.read_text().splitlines()] if path.exists() else []


def test_a_running_node_stands_down_when_a_newer_one_migrates_under_it(bank: Path) -> None:
    with part(bank, "-m", "console.node", "0") as old:
        port = port_of(old)
        declare(bank, "before")
        until(lambda: delivered(bank))
        migrated(bank)
        before = facts(bank)
        # For a moment it still answers, so that whoever looks is told.
        told = until(lambda: health(port).get("impaired", {}).get("version"))
        assert told.startswith("another version of Hikeshi has brought the record to schema 9999")
        assert old.wait(PATIENCE) == OUTDATED
        assert old.stderr is not None
        said = old.stderr.read()
    assert "hikeshi.version" in said
    assert f"works with {HEAD} and writes no more" in said
    assert facts(bank) == before
    # Nobody of the old version acts any more.
    with pytest.raises(RecordTooNew, match=r"schema is 9999.*use the newer version"):
        declare(bank, "with the old one")
    assert facts(bank) == before
    # The newer one finds the record free, and goes on where the older one stopped.
    with part(bank, "-c", NEWER) as new:
        assert "version" not in health(port_of(new))["impaired"]
        newer = facts(bank)
    assert newer[: len(before)] != [] and ("house", "node.started") in {(one[0], one[2]) for one in newer}
    with sqlite3.connect(bank / "var" / "hikeshi.db") as database:
        turns = database.execute("select version, schema from release order by turn").fetchall()
    database.close()
    assert turns == [("0.1.0", HEAD), ("0.2.0", "9999")]


def test_a_desk_writes_nothing_from_the_very_transaction_on_in_which_another_version_took_over(
    bank: Path,
) -> None:
    house = open_house(bank)
    desk = house.desk
    assert desk.handle(None, Declare(actor=ACTOR, text="one")).accepted
    other = open_house(bank)
    with other.record.begin() as tx:
        row = {"version": "0.2.0", "schema": HEAD, "rules": 9_999, "turn": 9, "at": 0}
        tx.connection.execute(RELEASE.insert().values(**row))
    before = facts(bank)
    with pytest.raises(Outdated, match=r"Hikeshi 0\.2\.0 has taken the record over \(rules 9999\)"):
        desk.handle(None, Declare(actor=ACTOR, text="two"))
    with pytest.raises(Outdated):
        desk.tick("INC-2026-0001")
    assert facts(bank) == before
    assert desk.state("INC-2026-0001").seq  # looking goes on
    # Once nothing of the newer one runs, the older may take it back, as after an upgrade that went wrong.
    back = open_house(bank)
    assert back.desk.handle(None, Declare(actor=ACTOR, text="three")).accepted
    for one in (house, other, back):
        one.record.close()


def test_the_schema_is_looked_at_before_anything_else_of_a_newer_database(bank: Path) -> None:
    house = open_house(bank)
    migrated(bank)
    with pytest.raises(Outdated, match="schema 9999"):
        house.desk.handle(None, Declare(actor=ACTOR, text="-"))
    house.record.close()
    with pytest.raises(RecordTooNew, match="9999"):
        open_house(bank)


async def test_up_does_not_start_again_what_has_stood_down(capsys: pytest.CaptureFixture[str]) -> None:
    stop = asyncio.Event()
    argv = [sys.executable, "-c", f"raise SystemExit({OUTDATED})"]
    old = Part(name="pager", argv=argv, environment=os.environ, say=texts("en"))
    await asyncio.wait_for(old.keep(stop), PATIENCE)
    assert (old.outdated, old.deaths, stop.is_set()) == (True, 0, True)
    assert "another version of Hikeshi works this record now" in capsys.readouterr().out


@pytest.mark.slow
def test_a_conductor_stands_down_too(bank: Path) -> None:
    open_house(bank).record.close()
    with part(bank, "-m", "flows.conductor") as conductor:

        def registered() -> bool:
            with sqlite3.connect(bank / "var" / "hikeshi.db", timeout=20) as database:
                found = database.execute("select count(*) from node").fetchone()[0]
            database.close()
            return bool(found)

        until(registered)
        migrated(bank)
        assert conductor.wait(PATIENCE) == OUTDATED


def test_no_command_of_a_newer_version_silences_the_pager_of_an_older_one(
    bank: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    house = open_house(bank)
    now = SystemClock().now()
    with house.record.begin() as tx:
        migrations.downgrade(tx.connection, migrations.KNOWN[-2])
        register(tx, "pager", now)
    monkeypatch.setenv("HIKESHI_ACCOUNT", "sato")
    command = ["--dir", str(bank), "--lang", "en", "list"]
    assert execute(command) == 1
    said = "".join(capsys.readouterr())
    assert "nobody would be paged" in said
    assert "hikeshi up" in said
    with house.record.begin() as tx:
        assert migrations.version(tx.connection) == migrations.KNOWN[-2], "nothing was migrated"
        retire(tx, "pager")
    assert execute(command) == 0, "with nobody to silence it goes on"
    house.record.close()
