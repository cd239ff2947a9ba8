"""Going on with a record on another machine: everything is there, or nothing was written and all is said."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest

from console.opening import House, open_house
from console.restore.restoring import CannotRestore, restore
from console.verify import verify, verify_path
from models.commands import Actor
from models.fold import empty, fold
from models.lines import read_line
from models.record import OUTBOX, STREAM, TEXT
from models.state import House as HouseState
from notifiers.hold import Hold
from tests.console.clihouse import Cli, bank_in, cli
from tests.console.test_relay_node import FOLDER, ROOT, RUN, with_relay
from tests.notifiers.relayhouse import stored

__all__ = ["cli"]
INC = "INC-2026-0001"
SATO = Actor(person="sato-kenji", via="cli")


@pytest.fixture
def vault(cli: Cli) -> Path:
    """The second path of a bank with an incident, an alert and a note on record."""
    path = with_relay(cli)
    alert = Path(__file__).parents[2] / "examples" / "alerts" / "wazuh-ransomware.json"
    assert cli.run("declare", "--from", str(alert), "--source", "wazuh").code == 3
    cli.done("note", INC, "what we saw, with 日本語")
    assert cli.run("relay", "now").code == 0
    return path


@pytest.fixture
def there(cli: Cli, tmp_path: Path) -> Iterator[House]:
    """The other machine: the same files, no record."""
    folder = tmp_path / "second"
    folder.mkdir()
    house = open_house(bank_in(folder), cli.clock)
    yield house
    house.record.close()


def restored(cli: Cli, house: House, source: Path) -> Cli:
    """The command line on the other machine, after a restore."""
    other = Cli(directory=house.institution.directory, clock=cli.clock, house=house,
                monkeypatch=cli.monkeypatch, capsys=cli.capsys)  # fmt: skip
    done = other.run("restore", str(source), "--take-over", "The data centre burns")
    assert done.code == 0, done
    return other


def verified(house: House) -> dict[str, Any]:
    with house.record.read() as tx:
        return verify(lambda sql: iter(tx.connection.exec_driver_sql(sql))).as_json()


def rows(house: House, table: Any, *order: str) -> list[dict[str, Any]]:
    with house.record.read() as tx:
        found = tx.connection.execute(table.select().order_by(*(table.c[one] for one in order))).mappings()
        return [dict(row) for row in found]


def test_everything_is_there_and_verifies(cli: Cli, vault: Path, there: House) -> None:
    before = stored(cli.house.desk)
    assert verify_path(vault).ok  # the second path by itself, too
    other = restored(cli, there, vault)
    assert [one for one in stored(there.desk) if one[0] != "house"] == [
        one for one in before if one[0] != "house"
    ]
    assert set(before) <= set(stored(there.desk))
    found = verified(there)
    assert found["ok"], found["problems"]
    assert "what we saw, with 日本語" in other.run("log", INC).out
    assert other.run("show", INC).out == cli.run("show", INC).out
    [fact] = [fact for fact in _facts(there, "house") if fact.kind == "record.restored"]
    assert fact.data["heads"][INC] == [cli.house.desk.incident(INC).seq, verified(cli.house)["heads"][INC]]
    said = other.run("log", "house").out
    assert "taken over because: The data centre burns" in said


def _facts(house: House, stream: str) -> list[Any]:
    with house.record.read() as tx:
        return tx.facts(stream)


def test_what_is_derived_is_as_the_other_machine_had_it(cli: Cli, vault: Path, there: House) -> None:
    restored(cli, there, vault)
    derived = ("id", "kind", "status", "severity", "drill", "opened_at", "seq", "hash", "next_due_at",
               "wanted", "clocks_running", "clocks_breaking", "clocks_breached")  # fmt: skip
    ours, theirs = (
        {row["id"]: {name: row[name] for name in derived} for row in rows(house, STREAM, "id")}
        for house in (cli.house, there)
    )
    theirs.pop("house")
    ours.pop("house", None)
    assert ours == theirs
    state = there.desk.incident(INC)
    assert state == fold(empty(INC), _facts(there, INC))


def test_messages_not_marked_as_sent_are_queued_with_the_same_keys_and_no_others(
    cli: Cli, vault: Path, there: House
) -> None:
    keys = {row["key"] for row in rows(cli.house, OUTBOX, "id") if row["state"] == "queued"}
    restored(cli, there, vault)
    assert {row["key"] for row in rows(there, OUTBOX, "id")} == keys
    assert keys


def test_messages_that_were_sent_or_answered_are_not(cli: Cli, vault: Path, there: House) -> None:
    assert cli.run("page-now").code == 0
    cli.done("relay", "now")
    waiting = {row["key"] for row in rows(cli.house, OUTBOX, "id") if row["state"] == "queued"}
    restored(cli, there, vault)
    assert {row["key"] for row in rows(there, OUTBOX, "id")} == waiting


def test_numbers_go_on_and_the_same_alert_opens_no_second_incident(
    cli: Cli, vault: Path, there: House
) -> None:
    other = restored(cli, there, vault)
    alert = Path(__file__).parents[2] / "examples" / "alerts" / "wazuh-ransomware.json"
    again = other.run("declare", "--from", str(alert), "--source", "wazuh")
    assert "was counted" in again.out
    assert "INC-2026-0002" in other.run("declare", "another matter").out


def test_a_killed_nodes_duplicates_and_torn_lines_are_no_harm(cli: Cli, vault: Path, there: House) -> None:
    [segment] = vault.iterdir()
    body = segment.read_bytes()
    first = body[: body.index(b"\n") + 1]
    (vault / "facts-00000002.jsonl").write_bytes(first * 3 + body[:200])
    other = Cli(directory=there.institution.directory, clock=cli.clock, house=there,
                monkeypatch=cli.monkeypatch, capsys=cli.capsys)  # fmt: skip
    done = other.run("restore", str(vault), "--take-over", "Drill", "--json")
    assert (done.code, done.json["repeated"], done.json["torn"]) == (0, 3, 1)
    assert verified(there)["ok"]


def test_killed_before_the_end_it_has_written_nothing(cli: Cli, vault: Path, there: House) -> None:
    environment = os.environ | {"HIKESHI_CRASH_AT": "restored-not-committed", "HIKESHI_ACCOUNT": "sato"}
    killed = subprocess.run(  # noqa: S603
        [sys.executable, "-c", RUN, "restore", str(vault), "--take-over", "x", "--dir",
         str(there.institution.directory)],
        env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert stored(there.desk) == []
    restored(cli, there, vault)
    assert verified(there)["ok"]


def refused(house: House, source: Path) -> str:
    """The defects, after making sure that nothing was written."""
    before = stored(house.desk)
    with pytest.raises(CannotRestore) as wrong:
        restore(house, source, SATO, "x")
    assert stored(house.desk) == before
    assert rows(house, TEXT, "digest") == [] or before
    return "\n".join(wrong.value.defects)


def edited(vault: Path, change: Any) -> None:
    """Change lines of the segment: `change` gets each as data and returns data, or None to leave it out."""
    [segment] = vault.iterdir()
    kept = [change(read_line(raw)) for raw in segment.read_bytes().splitlines()]
    segment.write_bytes(b"".join(json.dumps(one).encode() + b"\n" for one in kept if one is not None))


def test_all_defects_at_once_and_nothing_is_written(cli: Cli, vault: Path, there: House) -> None:
    def change(line: dict[str, Any]) -> dict[str, Any] | None:
        if line["t"] == "fact" and (line["stream"], line["seq"]) == (INC, 2):
            return line | {"body": line["body"].replace('"seq":2', '"seq": 2')}
        if line["t"] == "fact" and (line["stream"], line["seq"]) == (INC, 4):
            return None
        if line["t"] == "text" and line["body"] == "what we saw, with 日本語":
            return line | {"body": "what nobody saw"}
        return line

    edited(vault, change)
    said = refused(there, vault)
    assert f"{INC} #2: the stored bytes and their hash do not agree" in said
    assert f"{INC}: #4 is missing before #5" in said
    assert "was altered" in said
    answer = cli.run("restore", str(vault), "--into", str(there.institution.directory), "--take-over", "x")
    assert answer.code == 1
    assert "Nothing was written" in answer.err


def test_other_bytes_under_one_number_are_an_alarm(cli: Cli, vault: Path, there: House) -> None:
    [segment] = vault.iterdir()
    line = read_line(segment.read_bytes().splitlines()[0])
    line["body"] = line["body"].replace("alert", "other")
    (vault / "facts-00000002.jsonl").write_bytes(json.dumps(line).encode() + b"\n")
    assert "is another fact than at facts-00000001.jsonl:1: two nodes" in refused(there, vault)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"not json at all\n", 'expected a JSON object that begins with {"t":'),
        (b'{"t":"fact","stream":"X"}\n', "a field is missing"),
        (b'{"t":"future"}\n', "which this version does not know"),
        (b'{"t":"document","digest":"sha256:00","media":"x","body":"QQ=="}\n', "was altered"),
        (b'{"t":"key","id":"00","public":"00"}\n', "is not named by its own digest"),
        (b'{"t":"checkpoint","number":1,"body":"{}","key":"","signature":""}\n', "this is no checkpoint"),
    ],
)
def test_bad_lines_are_named_by_their_place(vault: Path, there: House, line: bytes, said: str) -> None:
    (vault / "facts-00000002.jsonl").write_bytes(line)
    assert said in refused(there, vault)


def test_a_target_that_holds_something_else_is_refused_and_an_older_state_is_gone_on_with(
    cli: Cli, vault: Path, there: House, tmp_path: Path
) -> None:
    backup = tmp_path / "third"
    backup.mkdir()
    third = bank_in(backup)
    shutil.copytree(cli.directory / "var", third / "var")
    cli.done("note", INC, "after the backup was made")
    cli.done("relay", "now")
    old = open_house(third, cli.clock)
    restored(cli, old, vault)
    assert verified(old)["ok"]
    assert "after the backup was made" in (old.desk.texts(INC)).values()
    old.record.close()
    stranger = Cli(directory=there.institution.directory, clock=cli.clock, house=there,
                   monkeypatch=cli.monkeypatch, capsys=cli.capsys)  # fmt: skip
    stranger.run("declare", "a matter of its own")
    assert "restore into an empty directory" in refused(there, vault)


def test_a_target_whose_pager_runs_is_left_alone(vault: Path, there: House) -> None:
    hold = Hold.beside(there.record.url)
    assert hold.take()
    assert "a pager runs on" in refused(there, vault)
    hold.release()


def test_checkpoints_that_do_not_follow_on_each_other_are_refused(cli: Cli, there: House) -> None:
    vault = with_relay(cli)
    for number in range(3):
        cli.run("declare", f"matter {number}")
        assert cli.run("checkpoint", "now").code == 0
    cli.done("relay", "now")
    edited(vault, lambda line: None if (line["t"], line.get("number")) == ("checkpoint", 2) else line)
    assert "checkpoint 3 does not follow on 1" in refused(there, vault)
    edited(vault, lambda line: line | {"signature": "00" * 64} if line["t"] == "checkpoint" else line)
    assert "checkpoint 1: its signature does not hold" in refused(there, vault)


def test_a_record_that_a_checkpoint_names_and_that_is_gone_is_found(cli: Cli, there: House) -> None:
    vault = with_relay(cli)
    cli.run("declare", "one")
    cli.run("declare", "two")
    assert cli.run("checkpoint", "now").code == 0
    cli.done("relay", "now")
    edited(vault, lambda line: None if line.get("stream") == "INC-2026-0002" else line)
    assert "names INC-2026-0002 #" in refused(there, vault)


def test_sealed_segments_need_their_identity(cli: Cli, there: House) -> None:
    identity = pyrage.x25519.Identity.generate()
    vault = with_relay(cli, FOLDER + f'seal_to = ["{identity.to_public()}"]\n')
    cli.run("declare", "x")
    cli.done("relay", "now")
    target = ("--into", str(there.institution.directory), "--take-over", "x")
    closed = cli.run("restore", str(vault), *target)
    assert closed.code == 1 and "give the age identity with --identity" in closed.err
    key = cli.directory / "identity.txt"
    key.write_text(f"# created today\n{identity}\n", encoding="utf-8")
    there.record.close()
    assert cli.run("restore", str(vault), *target, "--identity", str(key)).code == 0
    key.write_text("AGE-SECRET-KEY-1OTHER\n", encoding="utf-8")
    wrong = cli.run("restore", str(vault), *target, "--identity", str(key))
    assert wrong.code == 2 and "OTHER" not in wrong.err + wrong.out


def test_facts_without_texts_are_restored_and_the_texts_show_as_missing(cli: Cli, there: House) -> None:
    vault = with_relay(cli, FOLDER + "texts = false\n")
    cli.run("declare", "Files encrypted")
    cli.done("relay", "now")
    done = restore(there, vault, SATO, "x")
    assert done.texts_missing > 0
    bodies = [row["body"] for row in rows(there, TEXT, "digest")]
    assert "Files encrypted" not in bodies
    assert None not in bodies  # missing is not disposed of
    assert there.desk.incident(INC).status == "open"


def test_an_incident_whose_documents_nobody_has_is_refused(cli: Cli, there: House) -> None:
    vault = with_relay(cli, FOLDER + "texts = false\n")
    cli.run("declare", "x", "--playbook", "short")
    cli.done("relay", "now")
    (there.institution.directory / "playbooks" / "short.yaml").unlink()
    there.record.close()
    house = open_house(there.institution.directory, cli.clock)
    assert f"{INC} needs the document sha256:" in refused(house, vault)
    house.record.close()


def test_who_may_not_take_over_or_gives_no_reason_is_refused_and_nothing_is_written(
    cli: Cli, vault: Path, there: House
) -> None:
    into = ("--into", str(there.institution.directory))
    assert cli.run("restore", str(vault), *into).code == 2
    nobody = cli.run("restore", str(vault), *into, "--take-over", "x", who="nobody-at-all")
    assert nobody.code == 1 and "not in the directory" in nobody.err
    empty_reason = cli.run("restore", str(vault), *into, "--take-over", "  ")
    assert empty_reason.code == 1
    other = cli.run("restore", str(vault), *into, "--take-over", "x", who="ito")
    assert other.code == 1, other
    assert stored(there.desk) == []
    assert cli.run("restore", str(vault / "none"), *into, "--take-over", "x").code == 1


def test_the_old_folder_goes_on_as_the_second_path_of_the_new_machine(
    cli: Cli, vault: Path, there: House
) -> None:
    settings = there.institution.directory / "settings.toml"
    text = settings.read_text(encoding="utf-8") + FOLDER.replace('"vault"\nevery', f'"{vault}"\nevery')
    settings.write_text(text, encoding="utf-8")
    there.record.close()
    house = open_house(there.institution.directory, cli.clock)
    other = restored(cli, house, vault)
    [status] = other.run("relay", "status", "--json").json
    assert status["pending"] == 1  # the fact that says so
    cli.clock.advance(timedelta(minutes=1))
    assert other.run("relay", "now").code == 0
    assert len(list(vault.iterdir())) == 2
    state = house.desk.state("house")
    assert isinstance(state, HouseState)
    cli.run("note", INC, "the old node was not stopped")
    assert (
        "does another node go on" in cli.run("relay", "now").out
        or "is not what" in cli.run("relay", "now").out
    )
    house.record.close()
