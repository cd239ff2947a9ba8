"""Webhooks from a node: in order, again after failures, given up in the open, and never before a page."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from console import live
from console.hooks import GAVE_UP, LOOK_SECONDS, Hooks, Lane, receiver_of
from console.node import Node
from console.opening import House, open_house
from models import hookqueue
from models.clock import SystemClock, monotonic
from models.commands import Actor, Declare, Note
from models.record import HOOK
from models.restriction import Restrict
from models.state import House as HouseState
from tests.console.clihouse import EXAMPLE, Cli, cli

__all__ = ["cli"]
T = TypeVar("T")
ROOT = EXAMPLE.parents[1]
SATO = Actor(person="sato-kenji", via="cli")
SECRET = "whsec_" + base64.b64encode(b"of this test only, thirty-two b.").decode()


class Siem:
    """A receiver that answers as it is told, and keeps the ids of what it took."""

    def __init__(self) -> None:
        self.answers: list[int | str] = []
        self.heard: list[str] = []
        self.took: list[dict[str, Any]] = []
        self.url = ""
        self.slow = 0.0

    async def post(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.heard.append(request.headers["webhook-id"])
        await asyncio.sleep(self.slow)
        answer = self.answers.pop(0) if self.answers else 204
        if answer == "hang":
            await asyncio.sleep(30)
        if answer == "redirect":
            raise web.HTTPFound("/elsewhere")
        if isinstance(answer, int) and answer < 300:
            self.took.append(json.loads(body))
        headers = {"Retry-After": "40"} if answer == 429 else {}
        return web.Response(status=int(answer), text="" if answer == 204 else "no\x1b[2J", headers=headers)


@asynccontextmanager
async def siem() -> AsyncIterator[Siem]:
    peer = Siem()
    app = web.Application()
    app.router.add_post("/hook", peer.post)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    peer.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield peer
    finally:
        await runner.cleanup()


def with_hook(cli: Cli, url: str, **more: Any) -> House:
    """The bank with one webhook, opened anew."""
    cli.monkeypatch.setenv("HIKESHI_HOOK_SECRET", SECRET)
    rows = {"name": "siem", "url": url, "secret": "env:HIKESHI_HOOK_SECRET", "kinds": ["*"], "timeout": "1s"}
    lines = [f"{name} = {json.dumps(value)}" for name, value in (rows | more).items()]
    path = cli.directory / "settings.toml"
    path.write_text(path.read_text() + "\n[[webhooks]]\n" + "\n".join(lines) + "\n", encoding="utf-8")
    cli.house.record.close()
    cli.house = open_house(cli.directory, cli.clock)
    return cli.house


def lane_of(house: House) -> tuple[Lane, dict[str, str]]:
    async def here(call: Callable[[], T]) -> T:
        return call()

    hook, problems = house.institution.settings.webhooks[0], dict[str, str]()
    return Lane(house, hook, receiver_of(house, hook), here, problems), problems


async def turns(lane: Lane, count: int = 1) -> None:
    """Turns that do not wait for anything."""
    stop = asyncio.Event()
    stop.set()
    for _ in range(count):
        await lane.turn(stop)


async def drain(lane: Lane) -> None:
    """All that can leave now."""
    await turns(lane, 60)


def rows(house: House, state: str) -> list[str]:
    query = HOOK.select().where(HOOK.c.state == state).order_by(HOOK.c.id)
    with house.record.read() as tx:
        return [row["key"] for row in tx.connection.execute(query).mappings()]


def impaired(house: House) -> dict[str, str]:
    state = house.desk.state("house")
    assert isinstance(state, HouseState)
    return state.impaired


def declare(house: House, text: str = "x") -> str:
    return house.desk.handle(None, Declare(actor=SATO, text=text, playbooks=("short",))).stream


async def test_events_arrive_in_order_and_again_after_failures_under_the_same_id(cli: Cli) -> None:
    async with siem() as peer:
        house = with_hook(cli, peer.url, title=True)
        stream = declare(house, "勘定系が停止")
        lane, problems = lane_of(house)
        peer.answers = [204, 500, 204, "redirect"]
        await turns(lane, 2)
        assert "HTTP 500" in problems["webhook siem"] and "\x1b" not in problems["webhook siem"]
        assert len(peer.heard) == 2, "what failed waits, and what is behind it too"
        cli.clock.advance(timedelta(seconds=1))
        await turns(lane, 2)
        assert "a redirect, which is not followed" in problems["webhook siem"]
        cli.clock.advance(timedelta(seconds=1))
        await drain(lane)
        seqs = [one["seq"] for one in peer.took]
        assert seqs == sorted(set(seqs)) and seqs[0] == 1
        assert len(seqs) == len(rows(house, "sent")) and rows(house, "queued") == []
        assert peer.heard[1] == peer.heard[2] == f"{stream}/2/webhook/siem"
        assert {one["title"] for one in peer.took} == {"勘定系が停止"}
        assert problems == {} and impaired(house) == {}
        await lane.receiver.close()


async def test_a_pause_that_is_asked_for_is_kept_and_a_hang_is_bounded(cli: Cli) -> None:
    async with siem() as peer:
        house = with_hook(cli, peer.url)
        declare(house)
        lane, problems = lane_of(house)
        peer.answers = [429, "hang"]
        await turns(lane)
        cli.clock.advance(timedelta(seconds=39))
        await turns(lane)
        assert len(peer.heard) == 1
        cli.clock.advance(timedelta(seconds=1))
        begun = monotonic()
        await turns(lane)
        assert monotonic() - begun < 5
        assert "no answer in 1 s" in problems["webhook siem"]
        await lane.receiver.close()


async def test_a_dead_receiver_is_a_fact_once_and_what_is_given_up_is_shown(cli: Cli) -> None:
    house = with_hook(cli, "http://127.0.0.1:1/hook", late_after="10m", give_up_after="1h")
    declare(house)
    lane, _ = lane_of(house)
    await turns(lane)
    assert impaired(house) == {}
    for _ in range(3):
        cli.clock.advance(timedelta(minutes=6))
        await turns(lane)
    assert "events wait" in impaired(house)["webhook siem"]
    cli.clock.advance(timedelta(hours=1))
    await turns(lane)
    assert len(rows(house, "given_up")) == 1
    assert "tried too long" in impaired(house)["webhook siem" + GAVE_UP]
    state = house.desk.state("house")
    asked = [page.subject for page in state.pages.values()]
    assert asked.count("impaired:webhook siem") == 1
    health = cli.run("health", "--json").json
    assert health["webhooks"][0]["given_up"] == 1
    assert "webhook siem" in health["impaired"]
    assert "1 events were given up" in cli.run("health").out
    assert "1 件のイベントの送信を断念" in cli.run("health", lang="ja").out
    await lane.receiver.close()


async def test_what_a_receiver_refuses_for_good_lets_the_next_pass(cli: Cli) -> None:
    async with siem() as peer:
        house = with_hook(cli, peer.url)
        declare(house)
        lane, _ = lane_of(house)
        peer.answers = [422] * 5
        for _ in range(5):
            await turns(lane)
            cli.clock.advance(timedelta(minutes=6))
        assert len(rows(house, "given_up")) == 1
        assert "refused" in impaired(house)["webhook siem" + GAVE_UP]
        await drain(lane)
        assert peer.took[0]["seq"] == 2
        assert impaired(house) == {}, "it works again, and the record says both"
        await lane.receiver.close()


async def test_an_incident_that_is_restricted_meanwhile_stays_here(cli: Cli) -> None:
    async with siem() as peer:
        house = with_hook(cli, peer.url)
        stream = declare(house)
        assert house.desk.handle(stream, Restrict(actor=SATO, reason="insider")).accepted
        lane, _ = lane_of(house)
        await drain(lane)
        assert peer.heard == [] and rows(house, "queued") == []
        other = declare(house)
        await drain(lane)
        assert {one["incident"] for one in peer.took} == {other}
        await lane.receiver.close()


async def test_an_incident_that_is_restricted_while_a_slow_receiver_is_told_stays_here(cli: Cli) -> None:
    async with siem() as peer:
        house = with_hook(cli, peer.url)
        stream = declare(house)
        waiting = len(rows(house, "queued"))
        assert waiting > 2
        lane, _ = lane_of(house)
        peer.slow = LOOK_SECONDS * 1.2
        await lane.turn(asyncio.Event())
        assert 0 < len(peer.heard) < waiting
        assert house.desk.handle(stream, Restrict(actor=SATO, reason="insider")).accepted
        told = len(peer.heard)
        await drain(lane)
        assert len(peer.heard) == told and rows(house, "queued") == []
        await lane.receiver.close()


async def test_what_waits_for_a_hook_without_its_secret_is_bounded(cli: Cli) -> None:
    house = with_hook(cli, "http://127.0.0.1:1/hook")
    stream = declare(house)
    cli.monkeypatch.setattr(hookqueue.give_up_surplus, "__defaults__", (1,))
    assert len(rows(house, "queued")) > 1
    assert house.desk.handle(stream, Note(actor=SATO, text="x")).accepted

    async def here(call: Callable[[], T]) -> T:
        return call()

    stop = asyncio.Event()
    swept = asyncio.create_task(Hooks(house, here)._sweep(stop))
    await until(lambda: len(rows(house, "queued")) == 1)
    stop.set()
    await swept


async def test_a_live_check_sends_a_signed_test_and_says_what_is_wrong(cli: Cli) -> None:
    async with siem() as peer:
        house = with_hook(cli, peer.url)
        found = [one for one in (await live.look(house)).findings if one.channel == "webhook siem"]
        assert found == []
        [event] = peer.took
        assert event["type"] == "ping" and event["id"] == peer.heard[0]
        peer.answers = [401]
        [bad] = [one for one in (await live.look(house)).findings if one.channel == "webhook siem"]
        assert (bad.code, "401" in bad.why) == ("hook-unreachable", True)
        cli.monkeypatch.setenv("HIKESHI_HOOK_SECRET", "short")
        [bad] = [one for one in (await live.look(house)).findings if one.channel == "webhook siem"]
        assert bad.code == "secret-missing"


async def test_a_node_without_the_secret_says_so_and_pages_all_the_same(cli: Cli) -> None:
    with_hook(cli, "http://127.0.0.1:1/hook")
    cli.monkeypatch.delenv("HIKESHI_HOOK_SECRET")
    async with running(cli) as node:
        await until(lambda: "webhook siem" in impaired(cli.house))
        assert "HIKESHI_HOOK_SECRET is not set" in node.beside.problems()["webhook siem"]


@asynccontextmanager
async def running(cli: Cli) -> AsyncIterator[Node]:
    """A node on the machine's time."""
    cli.house.record.close()
    node = Node(open_house(cli.directory, SystemClock()), port=0, conductor_apart=False)
    going = asyncio.create_task(node.run())
    try:
        await asyncio.wait_for(node.ready.wait(), 20)
        cli.house = open_house(cli.directory, SystemClock())
        yield node
    finally:
        node.stop.set()
        await asyncio.wait_for(going, 15)


async def until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.05)


def receiver(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """The example receiver, as the institution would start it."""
    environment = {"HIKESHI_WEBHOOK_SECRET": SECRET, "PATH": os.environ["PATH"]}
    script = ROOT / "examples" / "webhooks" / "receiver.py"
    started = subprocess.Popen(  # noqa: S603
        [sys.executable, "-I", str(script), "0", str(folder / "events.jsonl")],
        env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert started.stdout is not None
    return started, f"http://127.0.0.1:{started.stdout.readline().split()[-1]}/hook"


async def test_the_example_receiver_believes_the_node_and_a_replay_changes_nothing(
    cli: Cli, tmp_path: Path
) -> None:
    started, url = await asyncio.to_thread(receiver, tmp_path)
    kept = tmp_path / "events.jsonl"
    try:
        with_hook(cli, url)
        async with running(cli):
            stream = declare(cli.house)  # as the command line: a process of its own
            cli.house.desk.handle(stream, Note(actor=SATO, text="never leaves"))
            await until(lambda: kept.exists() and rows(cli.house, "queued") == [])
            with cli.house.record.begin() as tx:
                tx.connection.execute(HOOK.update().values(state="queued"))
            await until(lambda: rows(cli.house, "queued") == [])
    finally:
        started.send_signal(signal.SIGTERM)
        started.communicate(timeout=10)
    events = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]
    assert len({one["id"] for one in events}) == len(events), "the same event again is kept once"
    assert events[0]["type"] == "incident.declared"
    assert "never leaves" not in kept.read_text(encoding="utf-8")
    assert {one["incident"] for one in events} == {stream}


def died(cli: Cli, at: str) -> int:
    """A pager that dies at a point."""
    environment = os.environ | {"HIKESHI_DIR": str(cli.directory), "HIKESHI_CRASH_AT": at}
    return subprocess.run(
        [sys.executable, "-m", "console.node", "0"],
        env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=60, check=False,
    ).returncode  # fmt: skip


async def test_a_node_killed_before_it_marked_tells_again_under_the_same_ids(
    cli: Cli, tmp_path: Path
) -> None:
    started, url = await asyncio.to_thread(receiver, tmp_path)
    try:
        with_hook(cli, url)
        declare(cli.house)
        asked = len(rows(cli.house, "queued"))
        assert await asyncio.to_thread(died, cli, "told-not-marked") == -signal.SIGKILL
        assert rows(cli.house, "sent") == []
        async with running(cli):
            await until(lambda: rows(cli.house, "queued") == [])
    finally:
        started.send_signal(signal.SIGTERM)
        started.communicate(timeout=10)
    lines = (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == len(lines) >= asked
