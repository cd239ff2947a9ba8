"""Checkpoints lie where this host's owner cannot rewrite them: real mail, a real lock, a real authority."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from moto.server import ThreadedMotoServer
from sqlalchemy import update

from console import keeping
from console.anchoring import AnchorFailed, Bucket, places
from console.checkpoints import Made, find_made, kept_form
from console.keeping import Keeper
from console.opening import open_house
from console.signing import noted, open_signer
from console.verify import keep, verify_path
from models.checkpoint import digest
from models.errors import BadConfiguration
from models.record import ANCHOR
from models.state import House
from notifiers import build
from notifiers.email.deliver import EmailNotifier
from notifiers.message import Notifier
from tests.console.authority import Stamper, made, serving
from tests.console.clihouse import Cli, cli
from tests.notifiers.test_email import Mailbox
from tests.notifiers.test_email import serving as smtp_serving

__all__ = ["cli"]


@pytest.fixture(scope="module")
def stamper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stamper]:
    with serving(made(tmp_path_factory.mktemp("tsa") / "authority")) as found:
        yield found


@pytest.fixture(scope="module")
def chaining(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stamper]:
    """One that sends its whole chain, in no strict order, as many do."""
    with serving(made(tmp_path_factory.mktemp("tsa") / "authority", chain=True)) as found:
        yield found


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def set_up(cli: Cli, settings: str, **notifiers: Notifier) -> Keeper:
    """A keeper of this bank with these settings besides."""
    path = cli.directory / "settings.toml"
    path.write_text(path.read_text(encoding="utf-8") + settings, encoding="utf-8")
    cli.house.record.close()
    cli.house = open_house(cli.directory, cli.clock)

    async def run(call: Any) -> Any:
        return call()

    return Keeper(cli.house, dict(notifiers), run)


async def checkpoint(cli: Cli, keeper: Keeper) -> None:
    """Something new, and a checkpoint of it."""
    signer = open_signer(cli.house)
    noted(cli.house, signer)
    assert keeper.checkpoints.now(signer) is not None


def latest(cli: Cli) -> Made:
    with cli.house.record.read() as tx:
        return find_made(tx)


def house(cli: Cli) -> House:
    state = cli.house.desk.state("house")
    assert isinstance(state, House)
    return state


# -- time-stamps --------------------------------------------------------------------------------------------


def stamping(cli: Cli, stamper: Stamper, *, root: Path | None = None) -> Keeper:
    cli.clock.set(datetime.now(UTC))  # an authority's clock is not ours to move
    (cli.directory / "tsa.pem").write_bytes((root or stamper.root).read_bytes())
    return set_up(cli, f'\n[integrity.timestamp]\nurl = "{stamper.url}"\ncertificate = "tsa.pem"\n')


async def test_an_authority_stamps_and_its_answer_is_kept_and_verified(cli: Cli, stamper: Stamper) -> None:
    keeper = stamping(cli, stamper)
    cli.done("declare", "Files encrypted")
    await checkpoint(cli, keeper)
    [place] = places(cli.house, {}, lambda: True)
    assert await keeper.place(place)
    assert not await keeper.place(place), "the same again is not due"
    path = cli.house.data / "hikeshi.db"
    with sqlite3.connect(path) as database:
        [(kind, where, token)] = database.execute("select kind, place, token from anchor").fetchall()
    assert (kind, where) == ("rfc3161", place.name)
    found = verify_path(path, keep(tsa=str(stamper.root)))
    assert (found.problems, found.stamps) == ([], 1)
    assert any("time-stamp not checked" in note for note in verify_path(path).notes)
    listed = cli.run("checkpoint", "list")
    assert "time-stamp" in listed.out and place.name in listed.out
    assert house(cli).upkeep.anchored == {"rfc3161": 1}
    # Another token in its place, or none at all, is found.
    with sqlite3.connect(path) as database:
        database.execute("update anchor set token = ?", (token[:-20] + bytes(20),))
    [problem] = verify_path(path, keep(tsa=str(stamper.root))).problems
    assert "does not hold" in problem
    with sqlite3.connect(path) as database:
        database.execute("delete from anchor")
    assert verify_path(path).problems == [
        "checkpoint #1 was put elsewhere (rfc3161), and the proof of it is gone"
    ]


@pytest.mark.parametrize(("ahead", "ok"), [(timedelta(hours=2), False), (-timedelta(days=30), True)])
async def test_a_checkpoint_that_says_another_time_than_its_stamp_is_found(
    cli: Cli, stamper: Stamper, ahead: timedelta, ok: bool
) -> None:
    keeper = stamping(cli, stamper)
    cli.clock.advance(ahead)
    cli.done("declare", "Files encrypted")
    await checkpoint(cli, keeper)
    [place] = places(cli.house, {}, lambda: True)
    assert await keeper.place(place)
    found = verify_path(cli.house.data / "hikeshi.db", keep(tsa=str(stamper.root)))
    assert found.ok == ok
    said = found.notes if ok else found.problems
    assert any(found.stamped[1] in one for one in said), said
    assert found.stamped[1].startswith(str(datetime.now(UTC).year))


async def test_an_authority_that_sends_its_chain_is_read_by_openssl(cli: Cli, chaining: Stamper) -> None:
    keeper = stamping(cli, chaining)
    cli.done("declare", "Files encrypted")
    await checkpoint(cli, keeper)
    [place] = places(cli.house, {}, lambda: True)
    assert await keeper.place(place)
    found = verify_path(cli.house.data / "hikeshi.db", keep(tsa=str(chaining.root)))
    assert (found.problems, found.stamps) == ([], 1)


async def test_a_stamp_of_another_checkpoint_is_found(cli: Cli, stamper: Stamper) -> None:
    keeper = stamping(cli, stamper)
    cli.done("declare", "Files encrypted")
    await checkpoint(cli, keeper)
    [place] = places(cli.house, {}, lambda: True)
    await keeper.place(place)
    cli.done("note", "INC-2026-0001", "more")
    await checkpoint(cli, keeper)
    with cli.house.record.begin() as tx:
        tx.connection.execute(update(ANCHOR).values(checkpoint=2))
    problems = verify_path(cli.house.data / "hikeshi.db").problems
    assert "the time-stamp of checkpoint #2 is not of it" in problems


async def test_an_authority_that_is_another_one_is_refused(
    cli: Cli, stamper: Stamper, tmp_path: Path
) -> None:
    other = made(tmp_path / "other", "Somebody else")
    keeper = stamping(cli, stamper, root=other.root)
    cli.done("declare", "Files encrypted")
    await checkpoint(cli, keeper)
    [place] = places(cli.house, {}, lambda: True)
    with pytest.raises(AnchorFailed, match="does not hold"):
        await keeper.place(place)
    assert house(cli).upkeep.anchored == {}


@pytest.mark.parametrize(
    ("status", "answer", "why"),
    [(500, b"", "answered 500"), (200, b"hello", "gave no time-stamp"), (302, b"", "answered 302")],
)
async def test_what_is_no_stamp_is_refused(
    cli: Cli, stamper: Stamper, status: int, answer: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = stamping(cli, stamper)
    cli.done("declare", "Files encrypted")
    await checkpoint(cli, keeper)
    [place] = places(cli.house, {}, lambda: True)
    monkeypatch.setattr(stamper, "status", status)
    monkeypatch.setattr(stamper, "answer", answer)
    with pytest.raises(AnchorFailed, match=why):
        await keeper.place(place)


async def test_a_stamp_made_for_another_question_is_refused(
    cli: Cli, stamper: Stamper, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = stamping(cli, stamper)
    cli.done("declare", "Files encrypted")
    await checkpoint(cli, keeper)
    [place] = places(cli.house, {}, lambda: True)
    await keeper.place(place)
    monkeypatch.setattr(stamper, "answer", stamper.reply(stamper.asked[-1]))
    cli.done("note", "INC-2026-0001", "more")
    await checkpoint(cli, keeper)
    cli.clock.advance(timedelta(hours=2))
    with pytest.raises(AnchorFailed, match="something else"):
        await keeper.place(place)


# -- an object store ----------------------------------------------------------------------------------------


def store(cli: Cli, endpoint: str, name: str, monkeypatch: pytest.MonkeyPatch, *, lock: bool) -> Keeper:
    monkeypatch.setenv("HIKESHI_S3_ACCESS", "test-access")
    monkeypatch.setenv("HIKESHI_S3_SECRET", "test-secret-value")
    client = Minio(endpoint.removeprefix("http://"), "test", "test", secure=False)
    client.make_bucket(name, object_lock=lock)
    return set_up(
        cli,
        f'\n[integrity.object_store]\nendpoint = "{endpoint}"\nbucket = "{name}"\n'
        'access = "env:HIKESHI_S3_ACCESS"\nsecret = "env:HIKESHI_S3_SECRET"\nretention_days = 30\n',
    )


async def test_a_checkpoint_lies_in_a_bucket_under_lock(
    cli: Cli, endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keeper = store(cli, endpoint, "locked", monkeypatch, lock=True)
    cli.done("declare", "Files encrypted")
    await checkpoint(cli, keeper)
    [place] = places(cli.house, {}, lambda: True)
    assert await keeper.place(place)
    client = Minio(endpoint.removeprefix("http://"), "test", "test", secure=False)
    [one] = client.list_objects("locked", recursive=True)
    assert one.object_name is not None
    head = client.stat_object("locked", one.object_name).metadata or {}
    assert head["x-amz-object-lock-mode"] == "COMPLIANCE"
    assert head["x-amz-object-lock-retain-until-date"].startswith("2026-12-24")
    kept = tmp_path / "kept.jsonl"
    kept.write_bytes(client.get_object("locked", one.object_name).read())
    found = verify_path(cli.house.data / "hikeshi.db", keep([str(kept)]))
    assert (found.problems, found.held) == ([], 1)


async def test_a_bucket_without_a_lock_is_no_anchor_and_no_secret_is_shown(
    cli: Cli, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = store(cli, endpoint, "open-to-all", monkeypatch, lock=False)
    cli.done("declare", "Files encrypted")
    await checkpoint(cli, keeper)
    [place] = places(cli.house, {}, lambda: True)
    assert isinstance(place, Bucket)
    with pytest.raises(AnchorFailed) as failed:
        await keeper.place(place)
    assert "test-secret-value" not in str(failed.value)
    assert "test-secret-value" not in repr(place)


# -- mail ---------------------------------------------------------------------------------------------------

MAIL = """
[email]
host = "127.0.0.1"
port = {port}
sender = "hikeshi@bank.example"
security = "none"
[integrity.mail]
to = ["sato-kenji"]
"""


def email_of(cli: Cli) -> EmailNotifier:
    settings = cli.house.institution.settings
    made = build(settings, lambda name: "", cli.house.data, lambda: b"")["email"]
    assert isinstance(made, EmailNotifier)
    return made


async def test_a_named_person_gets_a_mail_that_verifies(cli: Cli, tmp_path: Path) -> None:
    mailbox = Mailbox()
    async with smtp_serving(mailbox) as at:
        keeper = set_up(cli, MAIL.format(port=at.port))
        cli.done("declare", "Files encrypted")
        await checkpoint(cli, keeper)
        [place] = places(cli.house, {"email": email_of(cli)}, lambda: True)
        assert await keeper.place(place)
    [mail] = mailbox.mails
    one = latest(cli)
    text = mail.get_body()
    assert text is not None
    assert f"{digest(one.body)[:4]} {digest(one.body)[4:8]}" in text.get_content()
    assert "Files encrypted" not in text.get_content()
    [attached] = mail.iter_attachments()
    assert attached.get_filename() == "checkpoint-00000001.json"
    # The file that was attached will do, and so will the whole mail as it was saved.
    with cli.house.record.read() as tx:
        assert attached.get_content() == kept_form(tx, one)
    (tmp_path / "kept.json").write_bytes(attached.get_content())
    (tmp_path / "kept.eml").write_bytes(mail.as_bytes())
    for name in ("kept.json", "kept.eml"):
        found = verify_path(cli.house.data / "hikeshi.db", keep([str(tmp_path / name)]))
        assert (found.problems, found.held) == ([], 1)


async def test_no_mail_while_mail_is_out_of_band(cli: Cli) -> None:
    keeper = set_up(cli, MAIL.format(port=9))
    cli.done("declare", "Files encrypted")
    await checkpoint(cli, keeper)
    [place] = places(cli.house, {"email": email_of(cli)}, lambda: False)
    with pytest.raises(AnchorFailed, match="out of band"):
        await keeper.place(place)


def test_mail_to_somebody_without_an_address_or_without_a_server_is_said(cli: Cli) -> None:
    set_up(cli, '\n[integrity.mail]\nto = ["nobody-here"]\n')
    with pytest.raises(BadConfiguration, match=r"needs \[email\]"):
        places(cli.house, {}, lambda: True)
    set_up(cli, MAIL.format(port=9).split("[integrity.mail]")[0])
    with pytest.raises(BadConfiguration, match="nobody-here"):
        places(cli.house, {"email": email_of(cli)}, lambda: True)


# -- failing ------------------------------------------------------------------------------------------------


async def test_a_place_that_fails_is_said_once_and_mended_once(
    cli: Cli, stamper: Stamper, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = stamping(cli, stamper)
    cli.done("declare", "Files encrypted")
    await checkpoint(cli, keeper)
    monkeypatch.setattr(stamper, "status", 500)
    monkeypatch.setattr(keeping, "retry_after", lambda failures: timedelta(milliseconds=1))
    [place] = places(cli.house, {}, lambda: True)
    stop = asyncio.Event()
    serving_it = asyncio.create_task(keeper._serve(place, stop))
    what = f"anchor rfc3161 {place.name}"

    async def until(there: bool) -> None:
        async with asyncio.timeout(10):
            while (what in house(cli).impaired) is not there:
                await asyncio.sleep(0.02)

    await until(True)
    for _ in range(5):
        await asyncio.sleep(0.02)
    monkeypatch.setattr(stamper, "status", 200)
    await until(False)
    stop.set()
    await serving_it
    with cli.house.record.read() as tx:
        kinds = [fact.kind for fact in tx.facts("house") if fact.data.get("what") == what]
    assert kinds == ["machine.impaired", "machine.recovered"]
    assert json.loads(cli.run("checkpoint", "list", "--json").out)[-1]["anchors"] == [
        {"kind": "rfc3161", "place": place.name}
    ]
