"""Socket Mode: a connection that is cut comes back by itself; one that stays away is said loudly."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from console.slack import socket as module
from console.slack.socket import Socket
from models.clock import monotonic
from models.state import House
from tests.console.slackhouse import DUTY, war_room

SUZUKI = "U0SUZUKI1"
INC = "INC-2026-0001"


async def test_a_press_after_the_connection_was_cut_still_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PING_SECONDS", 0.2)
    async with war_room(tmp_path) as scene:
        await scene.slack.relay.cut()

        async def back() -> bool:
            return scene.slack.relay.connections > 0

        await scene.until(back, within=20)
        await scene.slack.command(SUZUKI, DUTY, "/hikeshi", "declare 勘定系が応答しない")
        await scene.fact(INC, "incident.declared")
        assert scene.node.wing is not None
        assert not scene.node.wing.problems()


async def test_slack_asks_for_a_new_connection_and_gets_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PING_SECONDS", 0.2)
    async with war_room(tmp_path) as scene:
        await scene.slack.relay.ask_to_reconnect()
        await asyncio.sleep(1)

        async def back() -> bool:
            return scene.slack.relay.connections > 0

        await scene.until(back, within=20)
        await scene.slack.command(SUZUKI, DUTY, "/hikeshi", "declare 勘定系が応答しない")
        await scene.fact(INC, "incident.declared")


async def test_a_connection_that_stays_away_pages_somebody_by_another_channel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with war_room(tmp_path) as scene:
        wing = scene.node.wing
        assert wing is not None
        assert wing.socket is not None
        link = wing.socket

        async def greeted() -> bool:
            return link.connections == 1

        await scene.until(greeted)  # a later greeting would take back what follows
        link.connections = 2  # Slack's greeting counts somebody else's connection

        async def said() -> bool:
            state = await scene.node.run_in_writer(lambda: scene.house.desk.state("house"))
            return isinstance(state, House) and "slack-socket" in state.impaired

        await scene.until(said)
        asked = await scene.until(lambda: scene.facts("house", "page.asked"))
        channels = {channel for one in asked[0].data["recipients"] for channel in one["channels"][:1]}
        assert channels == {"console"}
        assert "slack socket" in (await scene.node.run_in_writer(scene.node.status))["impaired"]
        link.connections = 1

        async def mended() -> bool:
            return not await said()

        await scene.until(mended)


def test_what_is_wrong_is_said_only_after_a_while_and_in_words() -> None:
    async def play() -> None:
        made = Socket.__new__(Socket)
        made.connections, made.error = 1, ""
        made._lost_at = None
        assert made.problem == ""
        made.connections = 3
        assert "3 connections" in made.problem
        made.connections = 1
        made._lost_at = monotonic() - module.GONE_AFTER_SECONDS - 1
        assert "presses do not arrive" in made.problem
        made._lost_at = monotonic()
        assert made.problem == ""

    asyncio.run(play())


@pytest.mark.parametrize(
    "message", [b"", b"[]", b"no json", b'{"type":"hello"}', b'{"type":"hello","num_connections":2}']
)
async def test_a_greeting_is_read_whatever_it_is(message: bytes) -> None:
    made: Any = Socket.__new__(Socket)
    made.connections = 0
    await made._greeted(message)
    assert made.connections in {0, 1, 2}
    assert (made.connections == 2) is (b"2" in message)
