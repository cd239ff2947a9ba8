"""What the relay does to a connection: lose, repeat, cut, forge."""

from __future__ import annotations

import asyncio
import json
import time
from urllib.parse import urlencode

import pytest

from tests.peers.boltapp import PAGE, wired
from tests.peers.localslack import CHANNELS, LocalSlack

pytestmark = pytest.mark.timeout(60)
SATO = "U0SATO001"
DUTY = next(iter(CHANNELS))


async def test_a_repeated_press_is_heard_twice() -> None:
    async with wired("socket") as (slack, app, heard):
        ts = str((await app.client.chat_postMessage(channel=DUTY, text="呼出", blocks=PAGE))["ts"])
        slack.relay.repeat = 2
        await slack.press(SATO, DUTY, ts, "severity", "sev1")
        async with asyncio.timeout(5.0):
            while heard.kinds() != ["choice", "choice"]:
                await asyncio.sleep(0.01)


async def test_a_lost_press_is_heard_by_nobody_though_the_connection_looks_well() -> None:
    async with wired("socket") as (slack, app, heard):
        ts = str((await app.client.chat_postMessage(channel=DUTY, text="呼出", blocks=PAGE))["ts"])
        slack.relay.lose = 1
        await slack.press(SATO, DUTY, ts, "severity", "sev1")
        assert (heard.kinds(), slack.relay.connections) == ([], 1)
        await slack.press(SATO, DUTY, ts, "severity", "sev1")
        assert heard.kinds() == ["choice"]


@pytest.mark.parametrize("how", ["cut", "ask_to_reconnect"])
async def test_the_app_comes_back_after_a_lost_connection(how: str) -> None:
    async with wired("socket") as (slack, _, heard):
        await getattr(slack.relay, how)()
        async with asyncio.timeout(20.0):
            while len(await slack.calls("apps.connections.open")) < 2 or not slack.relay.connections:
                await asyncio.sleep(0.05)
        await slack.command(SATO, DUTY, "/hikeshi", "status")
        assert heard.kinds() == ["command"]


async def test_without_a_connection_a_shortcut_is_answered_by_nobody() -> None:
    async with LocalSlack() as slack:
        assert await slack.shortcut(SATO, "declare") is None


async def test_http_takes_what_slack_signed_now_and_nothing_else() -> None:
    async with wired("http") as (slack, _, heard):
        body = urlencode({"command": "/hikeshi", "text": "status", "user_id": SATO, "team_id": slack.team_id})
        assert (await slack.relay.post_signed(body))[0] == 200
        assert (await slack.relay.post_signed(body, signature="v0=0"))[0] == 401
        assert (await slack.relay.post_signed(body, at=time.time() - 3_600))[0] == 401
        assert heard.kinds() == ["command"]
        unheard = json.dumps({"type": "block_actions", "actions": [{"action_id": "unheard-of"}]})
        assert (await slack.relay.post_signed(urlencode({"payload": unheard})))[0] == 404
