"""A record in which a newer Hikeshi wrote: that stream is refused by name, and no other is delayed by it."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models.commands import Actor, Declare
from models.desk import Desk
from models.errors import RecordTooNew
from models.fact import Fact
from models.record import STREAM
from models.state import House
from playbooks.institution import Institution
from tests.console.clihouse import Cli, cli
from tests.console.webhouse import SECRETS, Web, make_house

__all__ = ["cli"]
FIRST, SECOND = "INC-2026-0001", "INC-2026-0002"


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Web:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    return Web(make_house(bank, desk, tmp_path))


def newer(desk: Desk, stream: str = FIRST, **changes: Any) -> int:
    """A fact as a newer version would leave it, in the chain like any other."""
    record, now = desk.record, desk.clock.now()
    with record.begin() as tx:
        seq, _ = tx.head(stream)
        known: dict[str, Any] = {
            "stream": stream,
            "seq": seq + 1,
            "at": now,
            "recorded_at": now,
            "actor": "hikeshi",
        }
        fact = Fact(**(known | {"kind": "garden.opened", "data": {"rake": "on the left"}} | changes))
        head = tx.append([fact], {})
        row = {"seq": fact.seq, "hash": head}
        tx.connection.execute(STREAM.update().where(STREAM.c.id == stream).values(**row))
    desk.forget()
    return fact.seq


@pytest.mark.parametrize("changes", [{}, {"kind": "note.added", "v": 2}], ids=["a kind", "a version of data"])
def test_one_incident_that_cannot_be_read_hides_and_delays_no_other(
    cli: Cli, changes: dict[str, Any]
) -> None:
    for title in ("one", "two"):
        cli.done("declare", title)
    seq = newer(cli.house.desk, **changes)
    listed = cli.run("list", "--json")
    assert [one["incident"] for one in listed.json] == [SECOND]
    said = f"{FIRST} #{seq} is of kind"
    assert said in listed.err
    shown = cli.run("show", FIRST)
    assert (shown.code, said in shown.err, "log --raw" in shown.err) == (1, True, True)
    assert cli.run("note", FIRST, "-").code == 1
    cli.done("note", SECOND, "goes on")
    # Its timers stop for it alone, and somebody is paged that they do.
    cli.clock.advance(timedelta(hours=2))
    desk: Desk = cli.house.desk
    with pytest.raises(RecordTooNew, match=said):
        desk.tick(FIRST)
    assert desk.tick(SECOND).facts
    with desk.record.read() as tx:
        assert tx.head(FIRST)[0] == seq


async def test_the_pages_show_the_others(web: Web) -> None:
    actor = Actor(person="mori-chie", name="mori", via="test")
    for title in ("one", "two"):
        web.house.desk.handle(None, Declare(actor=actor, text=title))
    newer(web.house.desk)
    for path in ("/", "/services", "/figures", "/system", f"/incidents/{SECOND}"):
        assert (await web.look("nakamura-yui", path, "en")).status_code == 200, path
    board = (await web.look("nakamura-yui", "/", "en")).text
    assert (FIRST in board, SECOND in board) == (False, True)


def test_what_is_stored_can_still_be_read_raw_verified_and_taken_along(cli: Cli) -> None:
    for title in ("one", "two"):
        cli.done("declare", title)
    seq = newer(cli.house.desk)
    raw = cli.run("log", FIRST, "--raw")
    lines = [json.loads(line) for line in raw.out.splitlines()]
    assert (raw.code, [one["seq"] for one in lines]) == (0, list(range(1, seq + 1)))
    assert lines[-1]["data"] == {"rake": "on the left"}
    assert cli.run("--json", "log", FIRST, "--raw").json == lines
    assert cli.run("log", FIRST).code == 1
    assert cli.run("log", SECOND, "--raw").code == 0
    assert cli.run("verify").code == 0
    path = cli.directory / "all.zip"
    cli.done("export", "--all", "--archive", str(path))
    with zipfile.ZipFile(path) as archive:
        assert archive.read("facts.jsonl").count(b"garden.opened") >= 1
        assert f"{FIRST} \\#{seq} is of kind" in archive.read(f"{FIRST}.md").decode()
        assert "# " in archive.read(f"{SECOND}.md").decode()
    assert cli.run("verify", str(path)).code == 0


def test_a_restricted_one_that_cannot_be_read_stays_hidden(cli: Cli) -> None:
    cli.done("declare", "one")
    cli.done("restrict", FIRST, "--to", "sato", "--reason", "-")
    newer(cli.house.desk)
    assert cli.run("log", FIRST, "--raw").code == 1
    assert cli.run("list", "--json").json == []


def test_in_the_house_it_is_said_and_keeps_nobody_from_paging(cli: Cli) -> None:
    cli.done("declare", "one")
    seq = newer(cli.house.desk, "house")
    state = cli.house.desk.state("house")
    assert isinstance(state, House)
    assert state.impaired["newer"].startswith(f"house #{seq} is of kind garden.opened")
    cli.done("note", FIRST, "goes on")
    assert "garden.opened" in cli.run("health").out
