"""Checkpoints as they are made: by a node beside its work, and by hand; their key; what is kept elsewhere."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console.checkpoints import Checkpoints, all_made, find_made, heads_at, kept_form, lines
from console.keeping import Keeper
from console.node import Node
from console.opening import House, open_house
from console.signing import KEY_FILE, noted, open_signer, rotate
from console.verify import keep, verify, verify_path
from models import checkpoint as rules
from models.checkpoint import digest, read_checkpoint
from models.commands import Actor, Declare, NodeFact, Note
from models.errors import BadConfiguration, NotFound, RecordConflict
from models.integrity import NoteAnchor
from models.record import CHECKPOINT, Record
from models.state import House as HouseState
from tests.console.clihouse import Cli, cli
from tests.models.small import AMY, BEN, MACHINE, NIGHT, Scene, by, scene

__all__ = ["cli"]
ALONE = Path(__file__).parents[2] / "docs" / "verify.py"


def maker(made: Scene) -> Checkpoints:
    return Checkpoints(record=made.desk.record, clock=made.clock, node="pager")


def house(one: Any) -> HouseState:
    state = one.desk.state("house")
    assert isinstance(state, HouseState)
    return state


@pytest.fixture
def signer(cli: Cli) -> Any:
    found = open_signer(cli.house)
    noted(cli.house, found)
    return found


# -- when and of what ---------------------------------------------------------------------------------------


def step(one: Checkpoints, signer: Any) -> rules.Checkpoint | None:
    """One look, as a node does it."""
    taken = one.look()
    if taken is None:
        return None
    made = one.make(taken, signer)
    one.store(made, taken)
    return read_checkpoint(made.body)


def test_a_moment_makes_one_as_soon_as_its_pages_have_left(signer: Any) -> None:
    made = scene()
    one = maker(made)
    assert (first := step(one, signer)) is not None and first.number == 1
    made.desk.handle(None, Declare(actor=by(AMY), text="another"))
    assert step(one, signer) is None, "what has come just now waits for the next look"
    second = step(one, signer)
    assert second is not None
    assert second.previous == digest(first.body())
    assert set(second.heads) == {"INC-2026-0001", "INC-2026-0002"}
    assert step(one, signer) is None


def test_a_minute_with_an_incident_open_and_nothing_that_is_not_new(signer: Any) -> None:
    made = scene()
    one = maker(made)
    step(one, signer)
    made.do(Note(actor=by(BEN), text="seen"))
    assert step(one, signer) is None
    made.clock.advance(timedelta(seconds=60))
    found = step(one, signer)
    assert found is not None
    seq = made.incident.seq
    assert found.heads["INC-2026-0001"][0] == seq
    assert len(found.trail["INC-2026-0001"]) == 16
    made.clock.advance(timedelta(days=1))
    assert step(one, signer) is None


def test_a_hundred_facts_make_one_at_once(signer: Any) -> None:
    made = scene()
    one = maker(made)
    step(one, signer)
    for number in range(99):
        made.do(NodeFact(actor=MACHINE, what="started", node=str(number)), "house")
    assert step(one, signer) is None
    made.do(NodeFact(actor=MACHINE, what="started", node="last"), "house")
    assert (found := step(one, signer)) is not None
    assert len(found.trail["house"]) == 100 * 16


def test_facts_about_keeping_the_record_make_none(signer: Any) -> None:
    made = scene()
    one = maker(made)
    step(one, signer)
    made.do(NoteAnchor(actor=MACHINE, checkpoint=1, kind="mail", place="ben"), "house")
    made.clock.advance(timedelta(hours=2))
    assert step(one, signer) is None
    made.do(Note(actor=by(BEN), text="seen"))
    assert (found := step(one, signer)) is not None
    assert "house" in found.heads, "but the next one covers them"


def test_two_processes_make_one_chain(signer: Any) -> None:
    made = scene()
    pager, hand = maker(made), maker(made)
    assert step(pager, signer) is not None
    made.do(Note(actor=by(BEN), text="seen"))
    assert hand.now(signer) is not None
    made.do(Note(actor=by(BEN), text="more"))
    made.clock.advance(timedelta(minutes=2))
    taken = pager.look()
    assert taken is not None
    one = pager.make(taken, signer)
    made.do(Note(actor=by(BEN), text="and more"))
    assert hand.now(signer) is not None
    with pytest.raises(RecordConflict, match="another process"):
        pager.store(one, taken)
    made.do(Note(actor=by(BEN), text="at last"))
    made.clock.advance(timedelta(minutes=2))
    assert (last := step(pager, signer)) is not None and last.number == 4
    record = made.desk.record
    with record.read() as tx:
        kept = keep(keys=[signer.public.hex()])
        found = verify(lambda sql, given=(): iter(tx.connection.exec_driver_sql(sql, given)), kept)
    assert (found.problems, found.checkpoints) == ([], 4)


def test_a_database_restored_under_a_node_is_read_again(signer: Any) -> None:
    made = scene()
    one = maker(made)
    step(one, signer)
    with made.desk.record.begin() as tx:
        tx.connection.exec_driver_sql("update fact set rowid = rowid + 1000")
    made.do(Note(actor=by(BEN), text="seen"))
    made.clock.advance(timedelta(minutes=2))
    assert step(one, signer) is None
    assert (found := step(one, signer)) is not None
    assert found.full


def test_a_large_house_lists_what_has_grown_and_what_is_kept_lists_all(
    signer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "FULL_UP_TO", 1)
    made = scene()
    made.do(NodeFact(actor=MACHINE, what="started", node="n"), "house")
    one = maker(made)
    assert (first := step(one, signer)) is not None and first.full
    made.do(Note(actor=by(BEN), text="seen"))
    made.clock.advance(timedelta(minutes=2))
    assert (second := step(one, signer)) is not None
    assert (second.full, list(second.heads)) == (False, ["INC-2026-0001"])
    with made.desk.record.read() as tx:
        kept = json.loads(kept_form(tx, find_made(tx)).splitlines()[-1])
        assert set(kept["heads"]) == {"INC-2026-0001", "house"}
        assert heads_at(tx, find_made(tx, 1)) is None
        assert [line["t"] for line in lines(tx)] == ["checkpoint", "checkpoint"]
    with made.desk.record.begin() as tx:
        tx.connection.execute(CHECKPOINT.delete().where(CHECKPOINT.c.number == 1))
    with made.desk.record.read() as tx:
        assert heads_at(tx, find_made(tx)) is None
        with pytest.raises(NotFound, match="no checkpoint #1"):
            find_made(tx, 1)


# -- the key ------------------------------------------------------------------------------------------------


def test_the_key_is_for_its_owner_alone_and_stays(cli: Cli) -> None:
    first = open_signer(cli.house)
    path = cli.house.data / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_signer(cli.house).id == first.id
    assert "PRIVATE" not in repr(first)
    done = subprocess.run(["openssl", "pkey", "-in", str(path), "-noout"], capture_output=True, check=False)  # noqa: S603, S607
    assert done.returncode == 0, "people can read it with openssl"


@pytest.mark.parametrize(
    "content", ["", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_key_that_is_none_is_named_and_never_shown(cli: Cli, content: str) -> None:
    (cli.house.data / KEY_FILE).write_text(content)
    with pytest.raises(BadConfiguration, match="expected an Ed25519 private key") as wrong:
        open_signer(cli.house)
    assert "AAAA" not in str(wrong.value)


def test_a_rotated_key_is_vouched_for_by_the_one_before(cli: Cli, signer: Any) -> None:
    cli.done("declare", "Files encrypted")
    cli.done("checkpoint", "now")
    before = signer.public.hex()
    assert cli.run("key", "rotate", "--reason", "yearly", who="suzuki").code == 1
    assert open_signer(cli.house).id == signer.id
    cli.done("key", "rotate", "--reason", "yearly", who="kato")
    assert open_signer(cli.house).id != signer.id
    cli.done("checkpoint", "now")
    found = verify_path(cli.house.data / "hikeshi.db", keep(keys=[before]))
    assert (found.problems, found.notes) == ([], [])
    assert found.signatures == 2
    shown = cli.run("key", "show", "--json").json
    assert list(shown["keys"]) == [signer.id, shown["key"]]


def test_a_lost_key_is_said_and_nothing_stands_for_the_new_one(cli: Cli, signer: Any) -> None:
    cli.done("declare", "Files encrypted")
    cli.done("checkpoint", "now")
    (cli.house.data / KEY_FILE).unlink()
    cli.done("key", "rotate", "--lost", "--reason", "the disk died", who="kato")
    assert "checkpoint-key" in house(cli.house).impaired
    cli.done("checkpoint", "now")
    path, new = cli.house.data / "hikeshi.db", open_signer(cli.house)
    old_only = verify_path(path, keep(keys=[signer.public.hex()]))
    assert [new.id in one for one in old_only.problems] == [True]
    both = verify_path(path, keep(keys=[signer.public.hex(), new.public.hex()]))
    assert both.problems == []
    assert any(new.id in note for note in verify_path(path).notes)
    cli.done("key", "accept", "--reason", "planned", who="kato")
    assert house(cli.house).impaired == {}


def test_a_forged_rotation_vouches_for_nothing(cli: Cli, signer: Any) -> None:
    cli.done("declare", "Files encrypted")
    cli.done("checkpoint", "now")
    cli.done("key", "rotate", "--reason", "yearly", who="kato")
    cli.done("checkpoint", "now")
    path = cli.house.data / "hikeshi.db"
    with sqlite3.connect(path) as database:
        [(seq, body)] = database.execute("select seq, body from fact where kind = 'key.rotated'")
        content = json.loads(body)
        content["data"]["signature"] = "00" * 64
        forged = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        database.execute("update fact set body = ? where kind = 'key.rotated'", (forged,))
    found = verify_path(path, keep(keys=[signer.public.hex()]))
    assert found.bad == {"house": (seq, seq)}
    assert any("no key before it stands" in one for one in found.problems)


def test_a_named_key_is_used_and_its_keeper_changes_it(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    own = open_signer(cli.house)
    monkeypatch.setenv("HIKESHI_CHECKPOINT_KEY", (cli.house.data / KEY_FILE).read_text())
    (cli.house.data / KEY_FILE).unlink()
    settings = cli.directory / "settings.toml"
    settings.write_text(settings.read_text() + '\n[integrity]\nkey = "env:HIKESHI_CHECKPOINT_KEY"\n')
    cli.house.record.close()
    cli.house = open_house(cli.directory, cli.clock)
    assert open_signer(cli.house).id == own.id
    assert not (cli.house.data / KEY_FILE).exists()
    with pytest.raises(BadConfiguration, match="its keeper"):
        rotate(cli.house, Actor(person="kato-ryoko"), "yearly")
    assert cli.run("key", "rotate", "--reason", "yearly", who="kato").code != 0


# -- by hand ------------------------------------------------------------------------------------------------


def test_a_checkpoint_by_hand_is_shown_to_be_written_down_and_verifies(cli: Cli, tmp_path: Path) -> None:
    cli.done("declare", "Files encrypted")
    now = cli.done("checkpoint", "now")
    with cli.house.record.read() as tx:
        [made] = all_made(tx)
    assert rules.aloud(digest(made.body)).splitlines()[0] in now.out
    assert cli.run("checkpoint", "now", "--json").json["number"] == 1, "nothing is new: the last one"
    file = tmp_path / "kept.json"
    cli.done("checkpoint", "export", str(file))
    answer = cli.run("verify", "--checkpoint", str(file))
    assert (answer.code, "1 checkpoints kept elsewhere" in answer.out) == (0, True)
    assert cli.run("verify").code == 0
    assert "--checkpoint FILE" in cli.run("verify").out
    cli.house.record.close()
    with sqlite3.connect(cli.house.data / "hikeshi.db") as database:
        for table, column in (("fact", "stream"), ("text", "stream"), ("stream", "id")):
            database.execute(f"delete from {table} where {column} = 'INC-2026-0001'")  # noqa: S608
        database.execute("delete from checkpoint")
    answer = cli.run("verify", "--checkpoint", str(file))
    assert answer.code == 1
    assert "The first bad fact: INC-2026-0001 #1" in answer.out
    copy = cli.run("verify", str(cli.house.data / "hikeshi.db"), "--checkpoint", str(file), "--json").json
    assert copy["first_bad"] == {"stream": "INC-2026-0001", "seq": 1, "to": 1}


def test_an_archive_is_held_against_a_checkpoint_kept_elsewhere(cli: Cli, tmp_path: Path) -> None:
    cli.done("declare", "Files encrypted")
    cli.done("declare", "Something else")
    cli.done("note", "INC-2026-0001", "seen")
    cli.done("checkpoint", "now")
    file, archive = tmp_path / "kept.json", tmp_path / "one.zip"
    cli.done("checkpoint", "export", str(file))
    cli.done("export", "INC-2026-0001", "--archive", str(archive))
    command = [sys.executable, "-I", "-S", str(ALONE), str(archive), "--checkpoint", str(file), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a file of ours
    found = json.loads(done.stdout)
    assert (done.returncode, found["problems"], found["held"]) == (0, [], 1)
    # What was cut off the record before the archive was made is found in the archive.
    with sqlite3.connect(cli.house.data / "hikeshi.db") as database:
        [(last,)] = database.execute("select max(seq) from fact where stream = 'INC-2026-0001'")
        database.execute("delete from fact where stream = 'INC-2026-0001' and seq = ?", (last,))
        database.execute(
            "update stream set seq = ?, hash = (select hash from fact where stream = id and seq = ?)"
            " where id = 'INC-2026-0001'",
            (last - 1, last - 1),
        )
    cli.house.record.close()
    cli.house = open_house(cli.directory, cli.clock)
    archive.unlink()
    cli.done("export", "INC-2026-0001", "--archive", str(archive))
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a file of ours
    assert done.returncode == 1
    assert json.loads(done.stdout)["first_bad"] == {"stream": "INC-2026-0001", "seq": last, "to": last}


def test_what_cannot_be_verified_is_wrong_usage(cli: Cli, tmp_path: Path) -> None:
    assert cli.run("verify", str(tmp_path / "none")).code == 2
    assert cli.run("verify", "--key", "zz").code == 2
    assert cli.run("checkpoint", "export", str(tmp_path / "x.json")).code != 0
    assert "no checkpoint yet" in cli.run("checkpoint", "list").out


# -- in a node ----------------------------------------------------------------------------------------------


async def until(what: Any, seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.05)


def counted(path: Path) -> int:
    with sqlite3.connect(path) as database:
        return int(database.execute("select count(*) from checkpoint").fetchone()[0])


async def test_a_node_makes_a_key_and_checkpoints_and_compares_the_clock(cli: Cli) -> None:
    cli.house.record.close()
    node = Node(open_house(cli.directory), port=0)
    running = asyncio.create_task(node.run())
    path = cli.house.data / "hikeshi.db"
    try:
        await until(node.ready.is_set)
        await until(lambda: counted(path) >= 1)
        before = counted(path)
        declare = Declare(actor=Actor(person="suzuki-daichi"), text="Files encrypted")
        await node.run_in_writer(lambda: node.house.desk.handle(None, declare))
        await until(lambda: counted(path) > before)
        upkeep = await node.run_in_writer(lambda: house(node.house).upkeep)
    finally:
        node.stop.set()
        await running
    assert upkeep.clock is not None
    assert list(upkeep.keys) == [upkeep.key]
    command = [sys.executable, "-I", "-S", str(ALONE), str(path)]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - a file of ours
    assert done.returncode == 0, done.stdout


async def test_a_node_follows_a_rotated_key_and_says_when_another_was_put_there(
    cli: Cli, signer: Any
) -> None:
    async def run(call: Any) -> Any:
        return call()

    keeper = Keeper(cli.house, {}, run)
    assert await keeper.turn(signer)
    cli.done("key", "rotate", "--reason", "yearly", who="kato")
    assert not await keeper.turn(signer)
    new = await keeper._signer()
    assert new is not None and await keeper.turn(new)
    assert house(cli.house).impaired == {}
    (cli.house.data / KEY_FILE).unlink()
    looks = [await keeper._signer() for _ in range(4)]
    assert looks[:3] == [None, None, None]
    assert looks[3] is not None
    assert "checkpoint-key" in house(cli.house).impaired


def test_a_node_that_has_no_key_says_so(cli: Cli) -> None:
    (cli.house.data / KEY_FILE).write_text("nonsense")

    async def run(call: Any) -> Any:
        return call()

    keeper = Keeper(cli.house, {}, run)
    assert asyncio.run(keeper._signer()) is None
    assert "Ed25519" in house(cli.house).impaired["checkpoints"]
    (cli.house.data / KEY_FILE).unlink()
    assert asyncio.run(keeper._signer()) is not None
    assert house(cli.house).impaired == {}


def test_the_places_of_the_record_and_of_the_house_are_one(cli: Cli) -> None:
    """The command verifies the same file that the desk writes."""
    assert isinstance(cli.house, House)
    assert Record.at(cli.house.data / "hikeshi.db").url == cli.house.record.url
    assert NIGHT.tzinfo is not None
