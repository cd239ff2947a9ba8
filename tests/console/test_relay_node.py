"""The second path in a node and by hand: what is written leaves, and whoever has to know is told."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from console.node import Node
from console.opening import House, open_house
from console.relay import Relays, flush, hold_of
from models.commands import Declare
from models.state import House as HouseState
from tests.console.clihouse import Cli, cli
from tests.models.small import by
from tests.notifiers.relayhouse import facts, lines, stored

__all__ = ["cli"]
ROOT = Path(__file__).parents[2]
RUN = "from console.main import run; run()"
FOLDER = '\n[[relay]]\nname = "vault"\nkind = "folder"\npath = "vault"\nevery = "1s"\nlate_after = "2m"\n'


def with_relay(cli: Cli, more: str = FOLDER, *, made: bool = True) -> Path:
    """Put a sink into the settings and open the house anew; the sink's folder."""
    settings = cli.directory / "settings.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + more, encoding="utf-8")
    cli.house.record.close()
    cli.house = open_house(cli.directory, cli.clock)
    vault = cli.directory / "vault"
    if made:
        vault.mkdir()
    return vault


def kept(vault: Path) -> list[tuple[str, int, str]]:
    """All facts that have arrived, torn lines left out."""
    found = []
    for path in sorted(vault.iterdir()):
        body = path.read_bytes()
        found += lines(body[: body.rfind(b"\n") + 1])
    return facts(found)


def test_by_hand_without_a_node(cli: Cli) -> None:
    vault = with_relay(cli, made=False)
    cli.run("declare", "Files encrypted")
    waiting = len(stored(cli.house.desk))
    [status] = cli.run("relay", "status", "--json").json
    assert (status["pending"], status["marked_at"], status["error"]) == (waiting, None, "")
    failed = cli.run("relay", "now")
    assert failed.code == 1 and "is it mounted" in failed.out
    told = cli.run("relay", "status")
    assert told.code == 1 and "fails:" in told.out
    assert "vault (folder" in cli.run("health").out
    assert cli.run("health", "--json").json["relay"][0]["pending"] == waiting
    vault.mkdir()
    sent = cli.run("relay", "now", "vault", "--json")
    assert (sent.code, sent.json) == (0, [{"name": "vault", "sent": waiting, "error": ""}])
    assert kept(vault) == stored(cli.house.desk)
    assert cli.run("relay", "status").code == 0
    assert "0 facts sent" in cli.run("relay", "now").out
    assert cli.run("relay", "now", "nothing").code == 2
    assert cli.run("relay", "now", who="nobody-at-all").code == 1


def test_with_nothing_set_up_it_says_that_the_record_lies_here_alone(cli: Cli) -> None:
    assert "lies on this host alone" in cli.run("relay", "status").out
    assert cli.run("relay", "status", "--json").json == []


def test_while_a_node_sends_nobody_else_does(cli: Cli) -> None:
    vault = with_relay(cli)
    cli.run("declare", "x")
    hold = hold_of(cli.house.record.url)
    assert hold.take()
    busy = cli.run("relay", "now")
    assert busy.code == 1 and "A node sends already" in busy.err
    assert list(vault.iterdir()) == []
    hold.release()


@pytest.mark.parametrize("point", ["segment-written", "relayed-not-marked"])
def test_killed_between_sending_and_marking_it_sends_again_the_same_bytes(cli: Cli, point: str) -> None:
    vault = with_relay(cli)
    cli.run("declare", "Files encrypted")
    environment = os.environ | {"HIKESHI_CRASH_AT": point, "PYTHONPATH": str(ROOT), "HIKESHI_ACCOUNT": "sato"}
    killed = subprocess.run(  # noqa: S603
        [sys.executable, "-c", RUN, "relay", "now", "--dir", str(cli.directory)],
        env=environment, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    once = kept(vault)
    assert once == stored(cli.house.desk)
    assert cli.run("relay", "now").code == 0
    assert kept(vault) == sorted(once * 2)


async def until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.05)


def house_state(house: House) -> HouseState:
    state = house.desk.state("house")
    assert isinstance(state, HouseState)
    return state


async def test_a_node_sends_what_anybody_writes_and_says_once_when_a_sink_is_late(cli: Cli) -> None:
    vault = with_relay(cli)
    other = open_house(cli.directory, cli.clock)  # as the command line: a process of its own
    node = Node(cli.house, notifiers={}, port=0, conductor_apart=False)
    running = asyncio.create_task(node.run())
    try:
        await asyncio.wait_for(node.ready.wait(), 20)
        other.desk.handle(None, Declare(actor=by("sato-kenji"), text="by the command line"))
        await until(lambda: set(stored(other.desk)) <= set(kept(vault)))
        hidden = vault.rename(vault.with_name("unmounted"))
        other.desk.handle(None, Declare(actor=by("sato-kenji"), text="nobody takes this"))
        await until(lambda: "relay vault" in node.beside.relays.problems())
        assert "is it mounted" in node.beside.relays.problems()["relay vault"]
        assert "relay vault" not in house_state(other).impaired
        cli.clock.advance(timedelta(minutes=3))
        await until(lambda: "relay vault" in house_state(other).impaired)
        subjects = [page.subject for page in house_state(other).pages.values()]
        assert subjects.count("impaired:relay vault") == 1
        hidden.rename(vault)
        await until(lambda: "relay vault" not in house_state(other).impaired)
        await until(lambda: set(stored(other.desk)) == set(kept(vault)))
        assert node.beside.relays.problems() == {}
    finally:
        node.stop.set()
        await asyncio.wait_for(running, 15)
        other.record.close()
    cli.house = open_house(cli.directory, cli.clock)
    assert flush(cli.house, cli.house.institution.settings.relay[0])[1] == ""
    assert set(kept(vault)) == set(stored(cli.house.desk))


async def test_a_sink_whose_secret_is_missing_is_said_and_the_others_go_on(cli: Cli) -> None:
    locked = (
        '\n[[relay]]\nname = "locked"\nkind = "object"\nendpoint = "http://127.0.0.1:9"\nbucket = "facts"\n'
        'access_key = "env:NOWHERE_SET"\nsecret_key = "env:NOWHERE_SET"\n'
    )
    vault = with_relay(cli, locked + FOLDER)
    cli.run("declare", "x")

    async def run(work: Callable[[], object], /) -> object:
        return work()

    relays, stop = Relays(cli.house, run), asyncio.Event()  # type: ignore[arg-type]
    running = asyncio.create_task(relays.run(stop))
    await until(lambda: "relay locked" in relays.problems())
    assert "NOWHERE_SET is not set" in relays.problems()["relay locked"]
    await until(lambda: bool(list(vault.iterdir())))
    await until(lambda: set(stored(cli.house.desk)) == set(kept(vault)))
    assert "relay locked" in house_state(cli.house).impaired
    stop.set()
    with suppress(TimeoutError):
        await asyncio.wait_for(running, 5)


def test_two_sinks_of_one_name_are_refused(cli: Cli) -> None:
    settings = cli.directory / "settings.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + FOLDER * 2, encoding="utf-8")
    checked = cli.run("check", str(cli.directory))
    assert checked.code == 1 and "the same name" in checked.out
