"""The archive: all that belongs to an incident, verified by the file in it alone; nothing half written."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console import archive
from console.checkpoints import Checkpoints
from console.opening import House, open_house
from models.lines import read_line
from tests.console.clihouse import Cli, bank_in, cli
from tests.notifiers.relayhouse import facts, stored

__all__ = ["cli"]
INC = "INC-2026-0001"
FORMULA = '=HYPERLINK("http://203.0.113.5") | <script>alert(1)</script>'


@pytest.fixture
def kept(cli: Cli) -> Cli:
    """Two incidents, an alert, a preserved file, a text that would be a formula."""
    alert = Path(__file__).parents[2] / "examples" / "alerts" / "wazuh-ransomware.json"
    assert cli.run("declare", "--from", str(alert), "--source", "wazuh").code == 3
    cli.done("note", INC, FORMULA)
    memory = cli.directory / "memory.raw"
    memory.write_bytes(b"\x00\x01volatile" * 1_000)
    cli.done("evidence", "add", INC, "memory", "--description", "Memory of fs01", "--file", str(memory))
    cli.done("declare", "another matter")
    return cli


def exported(cli: Cli, *arguments: str, name: str = "out.zip") -> tuple[Path, Any]:
    path = cli.directory / name
    done = cli.run("export", *arguments, "--archive", str(path), "--json")
    assert done.code == 0, done
    return path, done.json


def alone(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Unpack the verifier and run it with nothing but the standard library, far from our sources."""
    with zipfile.ZipFile(path) as packed:
        verifier = path.with_suffix(".verify.py")
        verifier.write_bytes(packed.read("verify.py"))
    return subprocess.run(  # noqa: S603
        [sys.executable, "-I", "-S", str(verifier), str(path), *arguments],
        cwd=path.parent, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def member(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as packed:
        return packed.read(name)


def lines(path: Path, name: str) -> list[dict[str, Any]]:
    return [read_line(raw) for raw in member(path, name).splitlines()]


def test_its_decisions_can_be_read_without_hikeshi(kept: Cli) -> None:
    kept.done("declare", "a third", "--playbook", "short", "--service", "atm")
    third = "INC-2026-0003"
    kept.done("done", third, "look", "--set", "seen=note", "--set", "count=3")
    reason = ("--reason", FORMULA, "--factor", "window=unknown")
    kept.done("decide", third, "first", "contain", *reason, who="kato")
    path, _ = exported(kept, third, "--lang", "ja")
    told = json.loads(member(path, "decisions.json"))
    assert told["incident"] == third
    (one,) = told["decisions"]
    assert (one["decision"]["by"], one["decision"]["choice"]) == ("kato-hiroshi", "contain")
    assert one["entitled"][0]["person"] == "kato-hiroshi"
    read = member(path, "decisions.md").decode()
    assert "加藤 博" in read and "<script>" not in read
    path, _ = exported(kept, third, "--without-texts", name="bare.zip")
    with zipfile.ZipFile(path) as packed:
        assert not [name for name in packed.namelist() if "decisions" in name]
    path, _ = exported(kept, INC, third, name="both.zip")
    assert json.loads(member(path, f"{third}.decisions.json"))["incident"] == third


def test_one_incident_with_all_that_belongs_to_it(kept: Cli) -> None:
    path, said = exported(kept, INC)
    manifest = json.loads(member(path, "manifest.json"))
    assert (manifest["format"], manifest["complete"], manifest["texts"]) == ("hikeshi-export/1", False, True)
    assert set(manifest["streams"]) == {INC, "house"}
    assert said["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    for one in manifest["files"]:
        body = member(path, one["path"])
        assert (len(body), hashlib.sha256(body).hexdigest()) == (one["size"], one["sha256"])
    assert {line["stream"] for line in lines(path, "facts.jsonl") if line["t"] == "text"} == {INC}
    assert manifest["texts_left_out"] == ["house"]
    assert facts(lines(path, "facts.jsonl")) == [
        one for one in stored(kept.house.desk) if one[0] in {INC, "house"}
    ]
    assert FORMULA in [line["body"] for line in lines(path, "facts.jsonl") if line["t"] == "text"]
    state = kept.house.desk.incident(INC)
    documents = {line["digest"] for line in lines(path, "documents.jsonl")}
    assert {state.policy, *(use.digest for use in state.playbooks.values())} <= documents
    [listed] = json.loads(member(path, "evidence.json"))["incidents"]
    assert listed["items"][0]["description"] == "Memory of fs01"
    report = member(path, "incident.md").decode()
    assert "# " in report and "<script>" not in report
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_verifies_alone_with_a_checkpoint_and_any_change_is_found(kept: Cli) -> None:
    assert kept.run("checkpoint", "now").code == 0
    path, _ = exported(kept, "--all")
    checked = alone(path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    body = member(path, "facts.jsonl")
    forged = path.with_name("forged.zip")
    with zipfile.ZipFile(path) as packed, zipfile.ZipFile(forged, "w") as changed:
        for name in packed.namelist():
            content = packed.read(name)
            changed.writestr(
                name, content.replace(b"sato-kenji", b"kato-kenji") if content == body else content
            )
    found = alone(forged)
    assert found.returncode == 1, found.stdout


def test_the_archive_holds_the_fact_that_says_who_took_it(kept: Cli) -> None:
    path, _ = exported(kept, INC)
    [said] = [line for line in lines(path, "facts.jsonl") if line.get("kind") == "record.exported"]
    fact = json.loads(said["body"])
    assert (fact["actor"], fact["data"]["streams"]) == ("sato-kenji", [INC, "house"])
    refused = kept.run("export", INC, "--archive", str(kept.directory / "no.zip"), who="ishii")
    assert refused.code == 1
    assert not (kept.directory / "no.zip").exists()


def test_an_archive_of_what_one_may_not_know_is_refused(kept: Cli) -> None:
    kept.done("declare", "CANARY about somebody", "--restricted")
    before = {one.name for one in kept.directory.iterdir()}
    for arguments in (("--all",), ("INC-2026-0003",)):
        answer = kept.run("export", *arguments, "--archive", str(kept.directory / "x.zip"), who="inoue")
        assert answer.code == 1 and "CANARY" not in answer.out + answer.err
    assert {one.name for one in kept.directory.iterdir()} == before
    path, _ = exported(kept, "--all")
    assert b"CANARY about somebody" in member(path, "facts.jsonl")
    other, _ = exported(kept, INC, name="other.zip")
    with zipfile.ZipFile(other) as packed:
        assert not any(b"CANARY" in packed.read(name) for name in packed.namelist())


def test_what_was_said_in_the_house_of_other_incidents_goes_with_all_of_them_only(kept: Cli) -> None:
    reason = "CANARY of a matter of its own"
    kept.done("key", "rotate", "--reason", reason, who="kato")
    path, _ = exported(kept, INC)
    with zipfile.ZipFile(path) as packed:
        assert not any(reason.encode() in packed.read(name) for name in packed.namelist())
    checked = alone(path)
    assert checked.returncode == 0, checked.stdout
    assert "house: its texts were left out" in checked.stdout
    path, _ = exported(kept, "--all", name="all.zip")
    assert reason.encode() in member(path, "facts.jsonl")
    # Left out of a record of which the manifest does not say so, they are missed.
    forged = path.with_name("forged.zip")
    with zipfile.ZipFile(path) as packed, zipfile.ZipFile(forged, "w") as changed:
        for name in packed.namelist():
            body = packed.read(name)
            if name == "facts.jsonl":
                some = body.splitlines(keepends=True)
                body = b"".join(one for one in some if reason.encode() not in one)
            changed.writestr(name, body)
    assert "house: the text" in alone(forged).stdout


def test_an_altered_snapshot_is_found_and_goes_into_no_archive(kept: Cli) -> None:
    for number in range(60):
        kept.done("note", INC, f"seen {number}")
    assert kept.run("verify").code == 0
    path = kept.house.data / "hikeshi.db"
    with sqlite3.connect(path) as database:
        [(body,)] = database.execute("select snapshot from stream where id = ?", (INC,))
        changed = json.dumps(json.loads(body) | {"severity": "forged"}).encode()
        database.execute("update stream set snapshot = ? where id = ?", (changed, INC))
    kept.house.desk.forget()
    assert kept.house.desk.incident(INC).severity == "forged"
    found = kept.run("verify")
    assert found.code == 1 and f"{INC}: its snapshot at #" in found.out + found.err
    exported(kept, INC)
    assert kept.house.desk.incident(INC).severity != "forged"


def test_for_outsiders_no_text_leaves(kept: Cli) -> None:
    path, _ = exported(kept, INC, "--without-texts")
    with zipfile.ZipFile(path) as packed:
        names = set(packed.namelist())
        everything = b"".join(packed.read(name) for name in names)
    assert names == {
        "manifest.json",
        "manifest.sig",
        "facts.jsonl",
        "documents.jsonl",
        "checkpoints.jsonl",
        "verify.py",
        "README.txt",
    }
    assert b"Memory of fs01" not in everything and b"HYPERLINK" not in everything
    assert {line["t"] for line in lines(path, "facts.jsonl")} == {"fact"}
    media = {line["digest"] for line in lines(path, "documents.jsonl")}
    assert kept.house.desk.incident(INC).policy in media
    checked = alone(path)
    assert checked.returncode == 0, checked.stdout


def test_preserved_objects_go_in_if_asked_for_and_one_that_is_gone_is_named(kept: Cli) -> None:
    path, _ = exported(kept, INC, "--with-evidence")
    with zipfile.ZipFile(path) as packed:
        [name] = [one for one in packed.namelist() if one.startswith("evidence/")]
        assert packed.read(name) == b"\x00\x01volatile" * 1_000
    (kept.house.evidence / name.removeprefix("evidence/")).chmod(0o600)
    (kept.house.evidence / name.removeprefix("evidence/")).unlink()
    again, said = exported(kept, INC, "--with-evidence", name="again.zip")
    assert said["missing"] == [name.removeprefix("evidence/")]
    assert json.loads(member(again, "manifest.json"))["missing_objects"] == said["missing"]


def test_wrong_usage_is_said_and_nothing_is_written(kept: Cli) -> None:
    here = kept.directory / "there.zip"
    here.write_bytes(b"of somebody else")
    before = stored(kept.house.desk)
    for arguments in (
        ("--archive", str(kept.directory / "x.zip")),
        (INC, "--all", "--archive", str(kept.directory / "x.zip")),
        (INC, "--archive", str(here)),
        (INC, "--archive", str(kept.directory / "none" / "x.zip")),
        (INC, "--without-texts", "--with-evidence", "--archive", str(kept.directory / "x.zip")),
        (INC, "INC-2026-0002"),
        ("--all",),
        (INC, "--without-texts"),
        (),
    ):
        assert kept.run("export", *arguments).code == 2, arguments
    assert here.read_bytes() == b"of somebody else"
    assert stored(kept.house.desk) == before
    assert kept.run("export", "INC-2026-0009", "--archive", str(kept.directory / "x.zip")).code == 1


def test_a_disk_that_fills_leaves_nothing_behind(kept: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    real = archive._Writing._documents

    def full(self: Any, tx: Any) -> None:
        real(self, tx)
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(archive._Writing, "_documents", full)
    said = kept.run("export", INC, "--archive", str(kept.directory / "x.zip"))
    assert said.code == 2 and "No space left" in said.err
    assert not [one for one in kept.directory.iterdir() if "x.zip" in one.name]


@pytest.fixture
def there(cli: Cli, tmp_path: Path) -> Iterator[House]:
    folder = tmp_path / "second"
    folder.mkdir()
    house = open_house(bank_in(folder), cli.clock)
    yield house
    house.record.close()


def test_another_machine_goes_on_from_an_archive_of_everything(kept: Cli, there: House) -> None:
    assert kept.run("checkpoint", "now").code == 0
    path, _ = exported(kept, "--all")
    into = ("--into", str(there.institution.directory), "--take-over", "Drill", "--json")
    done = kept.run("restore", str(path), *into)
    assert done.code == 0, done
    assert (done.json["checkpoints"] > 0, done.json["unsigned"], done.json["texts_missing"]) == (True, 0, 0)
    assert set(stored(kept.house.desk)) <= set(stored(there.desk))
    made = Checkpoints(record=there.record, clock=kept.clock, node="second")
    taken = made.look(force=True)
    assert taken is not None and taken.before is not None and taken.before[0] == done.json["checkpoints"]


def test_an_archive_of_one_incident_is_not_restored(kept: Cli, there: House) -> None:
    """The next declaration would take a number that another incident has."""
    assert kept.run("checkpoint", "now").code == 0
    path, _ = exported(kept, INC)
    into = ("--into", str(there.institution.directory), "--take-over", "Drill", "--json")
    done = kept.run("restore", str(path), *into)
    assert done.code == 1, done
    assert "does not hold all records" in done.json["defects"][0]
    assert stored(there.desk) == []
