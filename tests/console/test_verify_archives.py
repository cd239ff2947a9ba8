"""What somebody who hands over an archive, or who had a key, may try against who verifies it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console import checkpoints as making
from console.signing import Signer, new_key
from console.verify import Unreadable, Verification, keep, verify_path
from models.checkpoint import key_statement
from models.clock import ExerciseClock
from models.commands import Note
from models.integrity import NoteKey
from models.record import Record
from tests.console.clihouse import Cli, cli
from tests.console.tampering import Kept, altered, bodies, seeded, sound, write
from tests.console.test_archive import exported, member
from tests.console.test_verify_alone import archive, segments
from tests.models.small import BEN, CHO, MACHINE, NIGHT, by, open_desk

__all__ = ["cli"]
INC = "INC-2026-0001"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return sound(tmp_path_factory.mktemp("sound"), notes=22)


def looked_at(kept: Kept, path: Path) -> Verification:
    return verify_path(path, keep([str(kept.elsewhere)], [kept.signer.public.hex()]))


# -- texts and documents ------------------------------------------------------------------------------------


def test_a_text_whose_salt_takes_some_of_it_is_found(kept: Kept, tmp_path: Path) -> None:
    path = kept.copy(tmp_path)
    with sqlite3.connect(path) as database:
        [(row, salt, body)] = database.execute("select rowid, salt, body from text limit 1")
        moved = (salt + body[:2].encode(), body[2:], row)
        database.execute("update text set salt = ?, body = ? where rowid = ?", moved)
    [problem] = looked_at(kept, path).problems
    assert "its salt is not 16 bytes" in problem


def test_a_document_that_a_fact_names_and_that_is_gone_is_missed(kept: Kept, tmp_path: Path) -> None:
    path = kept.copy(tmp_path)
    with sqlite3.connect(path) as database:
        gone = database.execute("select digest from document order by digest").fetchall()
        database.execute("delete from document")
    problems = looked_at(kept, path).problems
    assert gone
    for (digest,) in gone:
        assert any(digest[:19] in one and "is missing" in one for one in problems)
    folder = tmp_path / "second"
    segments(Kept(path=path, elsewhere=kept.elsewhere, signer=kept.signer, heads=kept.heads), folder)
    assert any("is missing" in one for one in looked_at(kept, folder).problems)


# -- what an archive says of itself -------------------------------------------------------------------------


def repacked(path: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The same archive with another manifest."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "manifest.json":
                manifest = json.loads(content)
                change(manifest)
                content = json.dumps(manifest).encode()
            new.writestr(name, content)
    return target


def test_a_record_that_the_manifest_leaves_out_is_held_against_the_checkpoint(
    kept: Kept, tmp_path: Path
) -> None:
    path = kept.copy(tmp_path)
    with sqlite3.connect(path) as database:
        facts = bodies(database, INC)
        write(database, INC, [altered(facts[0], seeded(1)), *facts[1:]])
    forged = Kept(path=path, elsewhere=kept.elsewhere, signer=kept.signer, heads=kept.heads)
    whole = archive(forged, tmp_path / "two.zip", [INC, "house"])
    hidden = repacked(whole, tmp_path / "hidden.zip", lambda one: one["streams"].remove(INC))
    found = looked_at(kept, hidden)
    assert f"{INC}: is not in the manifest, and its facts are there" in found.problems
    assert INC in found.bad


def test_an_archive_that_says_it_is_complete_has_to_be(kept: Kept, tmp_path: Path) -> None:
    some = archive(kept, tmp_path / "some.zip", [INC, "house"])
    found = looked_at(kept, some)
    assert found.problems == []
    assert any("names 2 are not in this archive" in one for one in found.notes)
    lying = repacked(some, tmp_path / "all.zip", lambda one: one.update(complete=True))
    assert set(looked_at(kept, lying).bad) == {"INC-2026-0002", "INC-2026-0003"}


def test_an_archive_that_does_not_end_as_its_manifest_says_is_found(kept: Kept, tmp_path: Path) -> None:
    path = archive(kept, tmp_path / "one.zip", [INC])
    length, head = verify_path(path).lengths[INC], verify_path(path).heads[INC]

    def ends(seq: int) -> Callable[[dict[str, Any]], None]:
        return lambda one: one.update(streams={INC: [seq, head]})

    assert verify_path(repacked(path, tmp_path / "same.zip", ends(length))).ok
    assert verify_path(repacked(path, tmp_path / "more.zip", ends(length + 1))).bad == {
        INC: (length + 1, length + 1)
    }


def test_facts_dated_before_a_checkpoint_that_does_not_know_them_are_noted(
    kept: Kept, tmp_path: Path
) -> None:
    path = kept.copy(tmp_path)
    with sqlite3.connect(path) as database:
        forged = [json.loads(one) | {"stream": "INC-2026-0009"} for one in bodies(database, INC)]
        write(database, "INC-2026-0009", [json.dumps(one, sort_keys=True).encode() for one in forged])
        database.execute(
            "insert into text select 'INC-2026-0009', digest, seq, salt, body from text where stream = ?",
            (INC,),
        )
    notes = looked_at(kept, path).notes
    assert any("which does not know them: INC-2026-0009 #1" in one for one in notes)
    assert not any("does not know" in one for one in looked_at(kept, kept.path).notes)


# -- what hangs on the manifest -----------------------------------------------------------------------------


@pytest.fixture
def taken(cli: Cli) -> tuple[Cli, Path, Path]:
    """A real archive with its decision sheets, and the key that was written down."""
    cli.done("declare", "something")
    assert cli.run("checkpoint", "now").code == 0
    key = cli.directory / "key.txt"
    key.write_text(cli.run("key", "show", "--json").json["public"])
    path, said = exported(cli, INC)
    assert said["key"] == cli.run("key", "show", "--json").json["key"]
    return cli, path, key


def forged(path: Path, target: Path, *, without: tuple[str, ...] = ()) -> Path:
    """The decision sheet says something else, and the manifest has its new digest."""
    sheet = member(path, "decisions.md") + b"\nDecided by somebody else.\n"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "manifest.json":
                manifest = json.loads(content)
                if without:
                    del manifest["key"]
                for one in manifest["files"]:
                    if one["path"] == "decisions.md":
                        one |= {"size": len(sheet), "sha256": hashlib.sha256(sheet).hexdigest()}
                content = json.dumps(manifest).encode()
            if name not in without:
                new.writestr(name, sheet if name == "decisions.md" else content)
    return target


def test_a_forged_decision_sheet_is_found_by_the_manifests_signature(
    taken: tuple[Cli, Path, Path], tmp_path: Path
) -> None:
    _, path, key = taken
    sound_one = verify_path(path, keep(keys=[str(key)]))
    assert (sound_one.problems, sound_one.notes) == ([], [])
    name = json.loads(member(path, "manifest.json"))["key"]
    [problem] = verify_path(forged(path, tmp_path / "a.zip"), keep(keys=[str(key)])).problems
    assert problem == f"manifest.json: its signature is not that of key {name}"
    bare = verify_path(forged(path, tmp_path / "b.zip", without=("manifest.sig",)), keep(keys=[str(key)]))
    assert bare.ok
    assert any(one.startswith("not verified") and "decisions.md" in one for one in bare.notes)
    torn = repacked(path, tmp_path / "c.zip", lambda one: one.update(key="0" * 32))
    assert "its key" in verify_path(torn, keep(keys=[str(key)])).problems[0]


def test_a_manifest_signed_by_a_key_of_ones_own_is_found(
    taken: tuple[Cli, Path, Path], tmp_path: Path
) -> None:
    _, path, key = taken
    other = new_key()[0]
    target = tmp_path / "own.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        body = json.dumps(json.loads(old.read("manifest.json")) | {"key": other.id}).encode()
        for name in old.namelist():
            content = {"manifest.json": body, "manifest.sig": other.sign(body).hex().encode()}.get(name)
            new.writestr(name, content or old.read(name))
    assert "is not known" in verify_path(target, keep(keys=[str(key)])).problems[0]
    [problem] = verify_path(target, keep(keys=[str(key), other.public.hex()])).problems
    assert "was in use" in problem


def test_a_name_that_is_there_twice_is_found(taken: tuple[Cli, Path, Path], tmp_path: Path) -> None:
    _, path, key = taken
    sheet = member(path, "decisions.md")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "two.zip", "w") as new:
        new.writestr("decisions.md", sheet + b"forged")
        for name in old.namelist():
            if name == "decisions.md":
                with pytest.warns(UserWarning, match="Duplicate"):
                    new.writestr(name, sheet)
            else:
                new.writestr(name, old.read(name))
    found = verify_path(tmp_path / "two.zip", keep(keys=[str(key)]))
    assert found.problems == ["decisions.md: is in the archive more than once"]


def test_without_the_key_an_archive_is_written_unsigned_and_says_so(
    taken: tuple[Cli, Path, Path],
) -> None:
    cli, _, _ = taken
    (cli.house.data / "checkpoint.key").write_text("no key")
    done = cli.run("export", INC, "--archive", str(cli.directory / "bare.zip"))
    assert done.code == 0 and "not signed" in done.err
    assert "key" not in json.loads(member(cli.directory / "bare.zip", "manifest.json"))


def test_a_key_that_others_can_read_signs_nothing(taken: tuple[Cli, Path, Path]) -> None:
    cli, _, _ = taken
    path = cli.house.data / "checkpoint.key"
    path.chmod(0o640)
    refused = cli.run("checkpoint", "now")
    assert refused.code == 1 and f"chmod 600 {path}" in refused.err
    path.chmod(0o600)
    assert cli.run("checkpoint", "now").code == 0


# -- keys ---------------------------------------------------------------------------------------------------


def rotated(kept: Kept, path: Path, *signers: tuple[Signer, bool]) -> None:
    """The second key takes over from the installation's; each signer given then makes a checkpoint."""
    record, clock = Record.at(path), ExerciseClock(NIGHT + timedelta(days=1))
    desk = open_desk(record=record, clock=clock)
    maker = making.Checkpoints(record=record, clock=clock, node="pager")
    first = signers[0][0]
    signature = kept.signer.sign(key_statement(first.public, kept.signer.id, clock.now())).hex()
    command = NoteKey(
        actor=by(CHO), how="rotated", key=first.id, public=first.public.hex(), stated_at=clock.now(),
        before=kept.signer.id, signature=signature, reason="a year is over",
    )  # fmt: skip
    assert desk.handle("house", command).accepted
    for signer, put_back in signers:
        if put_back:
            again = NoteKey(
                actor=MACHINE, how="replaced", key=signer.id, public=signer.public.hex(),
                stated_at=clock.now(), reason="another key was found at the start",
            )  # fmt: skip
            assert desk.handle("house", again).accepted
        desk.handle(INC, Note(actor=by(BEN), text="more"))
        clock.advance(timedelta(minutes=2))
        assert maker.now(signer) is not None
    record.close()


def test_a_key_that_was_taken_over_from_signs_no_more(kept: Kept, tmp_path: Path) -> None:
    new = new_key()[0]
    path = kept.copy(tmp_path, "sound.db")
    rotated(kept, path, (new, False))
    assert looked_at(kept, path).problems == []
    path = kept.copy(tmp_path)
    rotated(kept, path, (new, False), (kept.signer, False))
    [problem] = looked_at(kept, path).problems
    assert f"is signed with key {kept.signer.id}, from which {new.id} had taken over" in problem


def test_a_key_that_was_put_back_and_recorded_so_is_noted(kept: Kept, tmp_path: Path) -> None:
    path = kept.copy(tmp_path)
    rotated(kept, path, (new_key()[0], False), (kept.signer, True))
    found = looked_at(kept, path)
    assert found.problems == []
    assert any("had taken over" in one for one in found.notes)


def test_on_first_use_the_key_is_that_of_the_kept_file(kept: Kept, tmp_path: Path) -> None:
    """An archive brings keys of its own: those do not come before what lay elsewhere."""
    path = archive(kept, tmp_path / "one.zip", [INC])
    other = new_key()[0]
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    line = {"t": "key", "id": other.id, "public": other.public.hex()}
    parts["checkpoints.jsonl"] = json.dumps(line).encode() + b"\n" + parts["checkpoints.jsonl"]
    manifest = json.loads(parts["manifest.json"])
    for one in manifest["files"]:
        one["sha256"] = hashlib.sha256(parts[one["path"]]).hexdigest()
    parts["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(tmp_path / "own.zip", "w") as new:
        for name, content in parts.items():
            new.writestr(name, content)
    notes = verify_path(tmp_path / "own.zip", keep([str(kept.elsewhere)])).notes
    assert any(f"the key {kept.signer.id} is taken from what is verified" in one for one in notes)
    assert not any(other.id in one for one in notes)


# -- what is made to choke on -------------------------------------------------------------------------------


def test_lines_nested_without_end_are_named_and_do_not_stop_it(kept: Kept, tmp_path: Path) -> None:
    folder = segments(kept, tmp_path / "second")
    deep = "[" * 100_000
    (folder / "facts-00000003.jsonl").write_text('{"t":' + deep + "\n")
    assert verify_path(folder).problems == ["facts-00000003.jsonl line 1: is no line of a record"]
    path = tmp_path / "deep.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("manifest.json", deep)
    with pytest.raises(Unreadable, match="RecursionError"):
        verify_path(path)


def test_a_manifest_that_unpacks_without_end_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("manifest.json", b" " * (33 << 20))
    assert path.stat().st_size < 100_000
    with pytest.raises(Unreadable, match="larger than"):
        verify_path(path)


def test_sealed_segments_are_not_passed_over_in_silence(kept: Kept, tmp_path: Path) -> None:
    folder = segments(kept, tmp_path / "second")
    (folder / "facts-00000003.jsonl.age").write_bytes(b"age-encryption.org/v1")
    assert any("1 sealed segments were not read" in one for one in verify_path(folder).notes)
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "facts-00000001.jsonl.age").write_bytes(b"age-encryption.org/v1")
    with pytest.raises(Unreadable, match="1 are sealed"):
        verify_path(alone)
