"""emulate keeps what an app puts into a workspace, and refuses what the app's scopes do not cover."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.peers import programs
from tests.peers.emulate import Emulate

pytestmark = pytest.mark.timeout(60)
KEY: dict[str, Any] = {"event_type": "hikeshi_message", "event_payload": {"key": "INC-2026-0001/7/1/1"}}


def client(slack: Emulate) -> AsyncWebClient:
    return AsyncWebClient(token=slack.bot_token, base_url=slack.base_url, retry_handlers=[])


@pytest.fixture
async def slack() -> AsyncIterator[Emulate]:
    async with Emulate(private=("secret",)) as made:
        yield made


async def refusal(asked: Any) -> dict[str, Any]:
    """Slack's answer to what it refused."""
    with pytest.raises(SlackApiError) as refused:
        await asked
    return dict(refused.value.response.data)


async def test_metadata_comes_back_from_channels_and_direct_messages(slack: Emulate) -> None:
    for place in (slack.channel("csirt"), slack.user("sato")):
        answer = await client(slack).chat_postMessage(channel=place, text="呼出", metadata=KEY)
        history = await client(slack).conversations_history(
            channel=answer["channel"], include_all_metadata=True
        )
        (post,) = history["messages"]
        assert (post["ts"], post["metadata"]) == (answer["ts"], KEY)


async def test_the_war_room_is_made_filled_and_told_apart(slack: Emulate) -> None:
    bot = client(slack)
    made = await bot.conversations_create(name="inc-2026-0001", is_private=True)
    room = made["channel"]["id"]
    assert made["channel"]["is_private"] is True
    await bot.conversations_invite(channel=room, users=[slack.user("sato"), slack.user("tanaka")])
    await bot.conversations_setTopic(channel=room, topic="SEV1 封じ込め")
    board = str((await bot.chat_postMessage(channel=room, text="盤面"))["ts"])
    await bot.pins_add(channel=room, timestamp=board)
    await bot.bookmarks_add(channel_id=room, title="記録", type="link", link="https://node.example/i/1")
    await bot.chat_update(channel=room, ts=board, text="盤面 2")

    (pinned,) = (await bot.pins_list(channel=room))["items"]
    assert pinned["message"]["text"] == "盤面 2"
    (bookmark,) = (await bot.bookmarks_list(channel_id=room))["bookmarks"]
    assert bookmark["link"] == "https://node.example/i/1"
    assert (await bot.conversations_info(channel=room))["channel"]["topic"]["value"] == "SEV1 封じ込め"
    members = (await bot.conversations_members(channel=room))["members"]
    assert set(members) == {slack.bot_user_id, slack.user("sato"), slack.user("tanaka")}

    assert (await refusal(bot.pins_add(channel=room, timestamp=board)))["error"] == "already_pinned"
    assert (await refusal(bot.conversations_create(name="inc-2026-0001")))["error"] == "name_taken"
    invited = bot.conversations_invite(channel=room, users=slack.user("sato"))
    assert (await refusal(invited))["error"] == "already_in_channel"


async def test_a_file_goes_up_and_comes_down(slack: Emulate) -> None:
    sent = await client(slack).files_upload_v2(
        channel=slack.channel("csirt"), content=b"evidence", filename="memo.txt"
    )
    found = await client(slack).files_info(file=sent["files"][0]["id"])
    assert (found["file"]["name"], found["file"]["size"]) == ("memo.txt", len(b"evidence"))


async def test_a_private_channel_without_the_bot_is_closed_to_it(slack: Emulate) -> None:
    asked = client(slack).chat_postMessage(channel=slack.channel("secret"), text="呼出")
    assert (await refusal(asked))["error"] == "not_in_channel"


async def test_a_missing_scope_is_named() -> None:
    async with Emulate(scopes=("chat:write", "channels:read")) as slack:
        answer = await client(slack).chat_postMessage(channel=slack.channel("csirt"), text="呼出")
        said = await refusal(client(slack).pins_add(channel=answer["channel"], timestamp=answer["ts"]))
        assert (said["error"], said["needed"]) == ("missing_scope", "pins:write")
        assert said["provided"] == "chat:write,channels:read"


async def test_it_listens_on_loopback_and_leaves_nothing() -> None:
    async with Emulate() as slack:
        pid, port = slack.program.pid, urlsplit(slack.url).port or 0
        assert programs.listeners(port) == ["127.0.0.1"]
        assert slack.started_in < 20.0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert programs.listeners(port) == []
