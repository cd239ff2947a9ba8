"""Calls to Slack besides pages: as Slack wants them, in their turn, and none after Slack is distrusted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from notifiers.slack.api import PATIENCE_SECONDS, READS, Budget, CallFailed, SlackApi
from notifiers.slack.fake import QUERY_ONLY, FakeSlack, Fault


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as found:
        yield found


@pytest.fixture
async def api(slack: FakeSlack) -> AsyncIterator[SlackApi]:
    found = SlackApi(token=slack.token, base_url=slack.base_url, timeout_seconds=1.0)
    yield found
    await found.close()


async def test_methods_that_read_are_asked_by_query(slack: FakeSlack, api: SlackApi) -> None:
    made = await api.call("conversations.create", name="inc-1", is_private=False)
    channel = made["channel"]["id"]
    metadata = {"event_type": "hikeshi_message", "event_payload": {"key": "k"}}
    post = await api.call("chat.postMessage", channel=channel, text="x", metadata=metadata)
    read = await api.call("conversations.history", channel=channel, limit=10, include_all_metadata=True)
    assert [one["metadata"] for one in read["messages"]] == [metadata]
    thread = await api.call("conversations.replies", channel=channel, ts=post["ts"])
    assert [one["ts"] for one in thread["messages"]] == [post["ts"]]
    assert "metadata" not in thread["messages"][0]
    assert (await api.call("conversations.list", exclude_archived=True))["channels"][0]["id"] == channel
    assert (await api.call("bookmarks.list", channel_id=channel))["bookmarks"] == []


async def test_the_fake_takes_no_json_for_them_as_slack_does_not(slack: FakeSlack) -> None:
    headers = {"Authorization": f"Bearer {slack.token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for method in sorted(QUERY_ONLY & set(slack.handlers)):
            async with session.post(slack.base_url + method, json={"channel": "C1"}) as answer:
                assert (await answer.json())["error"] == "invalid_arguments"
    assert READS >= QUERY_ONLY


async def test_a_call_that_waited_is_not_made_once_slack_is_out_of_band(
    slack: FakeSlack, api: SlackApi
) -> None:
    out: set[str] = set()

    async def distrusted() -> frozenset[str]:
        return frozenset(out)

    api.distrusted = distrusted
    api.budget = Budget(posts_every=0.3)
    await api.call("chat.postMessage", channel="C1", text="before")
    waiting = asyncio.create_task(api.call("chat.postMessage", channel="C1", text="after"))
    await asyncio.sleep(0.05)
    out.add("slack")
    with pytest.raises(CallFailed, match="out of band") as caught:
        await waiting
    assert caught.value.failed.retry == "never"
    with pytest.raises(CallFailed, match="out of band"):
        await api.call("chat.postEphemeral", soon=True, channel="C1", text="x")
    assert [one.text for one in slack.posts] == ["before"]


async def test_a_method_that_rests_for_long_is_not_waited_for(slack: FakeSlack, api: SlackApi) -> None:
    slack.plan(Fault.rate_limited("60"), method="conversations.create")
    with pytest.raises(CallFailed, match="ratelimited"):
        await api.call("conversations.create", name="a")
    before = len(slack.requests)
    with pytest.raises(CallFailed, match="has to rest") as caught:
        await api.call("conversations.create", name="a")
    assert caught.value.failed.retry == "later"
    assert PATIENCE_SECONDS < (caught.value.failed.retry_after or 0) <= 60
    assert len(slack.requests) == before
    assert await api.call("conversations.list")


def test_a_pause_for_posts_counts_for_their_channel_only() -> None:
    budget = Budget(posts_every=0.0, now=lambda: 100.0)
    budget.rest("chat.postMessage", 60, "C1")
    assert budget.wait_for("chat.postMessage", "C1") == 60
    assert budget.wait_for("chat.postMessage", "C2") == 0
    budget.rest("chat.update", 30, "C1")
    assert budget.resting("chat.update", "C2") == 30
