"""Moving the record to PostgreSQL with incidents open: everything is there, or nothing has happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from console.opening import MOVED, open_house
from models.commands import Actor, Note
from models.errors import RecordConflict, RecordElsewhere
from models.record import OUTBOX, Record
from models.tables import METADATA
from notifiers.hold import Hold
from tests.console.clihouse import Cli, cli
from tests.postgres import Postgres

__all__ = ["cli"]
INC = "INC-2026-0001"
REASON = ("--reason", "Second data centre")


@pytest.fixture
def busy(cli: Cli) -> Cli:
    """A bank in the middle of an incident: pages wait, a step is decided on, a text is disposed of later."""
    cli.done("declare", "Files are being encrypted", "--playbook", "short")
    cli.done("note", INC, "what we saw, with 日本語 and\x00 a stray zero")
    cli.done("step", "start", INC, "short/look")
    return cli


def rows(record: Record) -> dict[str, list[dict[str, Any]]]:
    """All that is stored, but for what speaks of running parts."""
    with record.read() as tx:
        return {
            table.name: sorted(
                (dict(row) for row in tx.connection.execute(table.select()).mappings()), key=repr
            )
            for table in METADATA.sorted_tables
            if table.name not in {"node", "lease"}
        }


def settled(cli: Cli, lines: list[str]) -> Cli:
    """The bank after its settings say where the record is."""
    path = cli.directory / "settings.toml"
    path.write_text("\n".join(lines) + "\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    house = open_house(cli.directory, cli.clock)
    return Cli(
        directory=cli.directory, clock=cli.clock, house=house, monkeypatch=cli.monkeypatch, capsys=cli.capsys
    )


def test_everything_goes_over_and_the_incident_goes_on(busy: Cli, postgres: Postgres) -> None:
    before, shown = rows(busy.house.record), busy.run("show", INC).out
    waiting = [row for row in before["outbox"] if row["state"] == "queued"]
    assert waiting, "somebody has to be paged still"
    url = postgres.database()
    done = busy.run("--json", "move", "--to", url, *REASON)
    assert done.code == 0, done
    assert done.json["settings"] == [f'database = "{url}"']
    # Nobody opens the old one unawares, and who had it open cannot write there any more.
    with pytest.raises(RecordElsewhere, match=r"was moved; put at the top of settings\.toml: database"):
        open_house(busy.directory)
    with pytest.raises(RecordConflict, match="was moved"):
        busy.house.desk.handle(INC, Note(actor=Actor(person="sato-kenji", via="cli"), text="too late"))
    there = settled(busy, done.json["settings"])
    after = rows(there.house.record)
    for name in before:
        if name in {"stream", "fact", "text"}:
            kept = [row for row in after[name] if row.get("id", row.get("stream")) != "house"]
            assert kept == [row for row in before[name] if row.get("id", row.get("stream")) != "house"], name
        else:
            assert after[name] == before[name], name
    assert there.run("show", INC).out == shown
    assert "was moved to postgresql+psycopg://" in there.run("log", "house").out
    assert there.run("verify").code == 0
    there.done("done", INC, "short/look", "--set", "seen=two notes", "--set", "count=2")
    there.done("note", INC, "with a zero\x00 here too")
    with there.house.record.read() as tx:
        added = tx.connection.execute(OUTBOX.select().order_by(OUTBOX.c.id.desc())).mappings().first()
    assert added is not None and added["id"] > max(row["id"] for row in before["outbox"]), "numbers go on"
    assert there.run("verify").code == 0
    there.house.record.close()


def test_what_stands_in_the_way_is_all_said_and_nothing_is_moved(busy: Cli, postgres: Postgres) -> None:
    before = rows(busy.house.record)
    url = postgres.database()
    with_password = url.replace("hikeshi@", "hikeshi:geheim@")
    for address, said in (
        (with_password, "no password in the address"),
        (with_password.replace("geheim", "geh/geheim"), "no password in the address"),
        (f"{url}?sslpassword=geheim", "no password in the address"),
        (f"sqlite:///{busy.directory}/x.db", "expected postgresql"),
        (url.replace("psycopg", "other"), "database"),
    ):
        no = busy.run("move", "--to", address, *REASON)
        assert (no.code, said in no.err) == (1, True), no
        assert "geheim" not in no.err + no.out
    full = Record(postgres.database())
    full.migrate()
    with full.begin() as tx:
        tx.number("x")
        tx.connection.execute(METADATA.tables["document"].insert().values(digest="d", media="m", body=b""))
    no = busy.run("move", "--to", full.url, *REASON)
    assert (no.code, "is not empty" in no.err) == (1, True), no
    full.close()
    hold = Hold.beside(busy.house.record.url)
    assert hold.take()
    no = busy.run("move", "--to", url, *REASON)
    assert (no.code, "a pager runs" in no.err) == (1, True), no
    hold.release()
    no = busy.run("move", "--to", url, *REASON, who="nobody-knows")
    assert no.code == 1
    refused = busy.run("move", "--to", url, *REASON, who="yamamoto")
    assert refused.code == 1, "a member of the CSIRT may not"
    after = rows(busy.house.record)
    assert [row for row in after["fact"] if row["stream"] == INC] == [
        row for row in before["fact"] if row["stream"] == INC
    ]
    assert not (busy.house.data / MOVED).exists()
    busy.done("note", INC, "we go on here")
    with busy.house.record.begin() as tx:  # as a record from before this was looked at
        tx.connection.exec_driver_sql("update text set body = body || char(0)")
    no = busy.run("move", "--to", url, *REASON)
    assert (no.code, "holds U+0000" in no.err) == (1, True), no
    with busy.house.record.begin() as tx:
        tx.connection.exec_driver_sql("update text set body = replace(body, char(0), '')")
    with busy.house.record.begin() as tx:
        tx.connection.exec_driver_sql("update fact set body = replace(body, 'declared', 'deklared')")
    no = busy.run("move", "--to", url, *REASON)
    assert no.code == 1, "what was altered is not carried on as if it were sound"


def test_killed_before_it_counts_it_has_not_happened(busy: Cli, postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.database()
    environment = os.environ | {
        "HIKESHI_CRASH_AT": "moved-not-committed",
        "HIKESHI_ACCOUNT": "sato",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    before = rows(busy.house.record)
    command = [sys.executable, "-m", "console.main", "--dir", str(busy.directory)]
    killed = subprocess.run(  # noqa: S603 - our own command line
        [*command, "move", "--to", url, *REASON], env=environment, capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with pytest.raises(RecordElsewhere, match=r"broke off .*remove .*moved-to instead"):
        open_house(busy.directory)
    new = Record(url)
    with new.read() as tx:
        assert tx.incidents() == []
    new.close()
    (busy.house.data / MOVED).unlink()
    assert rows(busy.house.record) == before
    assert busy.run("move", "--to", url, *REASON).code == 0
