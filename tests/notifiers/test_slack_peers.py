"""Our notifier against Slacks that others wrote: what it posts arrives, and is found again by its key."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from notifiers.message import Failed, Message, Sent
from notifiers.slack.deliver import SlackNotifier
from tests.peers.emulate import Emulate
from tests.peers.localslack import LocalSlack

pytestmark = pytest.mark.timeout(60)
Make = Callable[..., Message]


@asynccontextmanager
async def notifier(slack: LocalSlack | Emulate) -> AsyncIterator[SlackNotifier]:
    made = SlackNotifier(token=slack.bot_token, base_url=slack.base_url, timeout_seconds=10.0)
    try:
        yield made
    finally:
        await made.close()


async def test_local_slack_shows_the_page_to_the_person_it_calls(message: Make) -> None:
    async with LocalSlack() as slack, notifier(slack) as ours:
        sent = await ours.deliver(message(address="U0SATO001"))
        assert isinstance(sent, Sent)
        (post,) = await slack.messages("U0SATO001")
        assert sent.receipt.endswith(f"/{post['ts']}")
        assert post["user"] == slack.bot_user_id
        assert "基幹系でランサムウェアを検知" in str(post["blocks"])
        assert post["text"]
        assert await ours.check() == "hikeshi in Mihon Bank"


async def test_local_slack_refuses_a_channel_it_does_not_know(message: Make) -> None:
    async with LocalSlack() as slack, notifier(slack) as ours:
        refused = await ours.deliver(message(address="C0NOWHERE"))
        assert refused == Failed(error="Slack: channel_not_found", retry="never")


@pytest.mark.parametrize("place", ["channel", "person"])
async def test_emulate_gives_the_page_back_by_its_key(message: Make, place: str) -> None:
    async with Emulate() as slack, notifier(slack) as ours:
        address = slack.channel("csirt") if place == "channel" else slack.user("sato")
        paged, other = message(address=address), message(address=address, key="INC-2026-0001/8/1/1/x")
        assert await ours.arrived(paged) is None
        sent = await ours.deliver(paged)
        assert isinstance(sent, Sent)
        assert await ours.arrived(paged) == sent
        assert await ours.arrived(other) is None


async def test_a_post_of_somebody_else_with_our_key_is_not_ours(message: Make) -> None:
    async with Emulate() as slack, notifier(slack) as ours:
        address = slack.channel("csirt")
        paged = message(address=address)
        metadata = {"event_type": "hikeshi_message", "event_payload": {"key": paged.key}}
        await slack.admin().chat_postMessage(channel=address, text="mine", metadata=metadata)
        assert await ours.arrived(paged) is None


async def test_emulate_names_the_scope_that_is_missing(message: Make) -> None:
    async with Emulate(scopes=("channels:read",)) as slack, notifier(slack) as ours:
        refused = await ours.deliver(message(address=slack.channel("csirt")))
        assert refused == Failed(error="Slack: missing_scope", retry="never")


async def test_a_slack_that_has_gone_is_unclear_at_most_once(message: Make) -> None:
    """The kept connection may have broken after Slack accepted; a new one is refused, so nothing was sent."""
    async with LocalSlack() as slack, notifier(slack) as ours:
        paged = message(address="U0SATO001")
        assert isinstance(await ours.deliver(paged), Sent)
        await slack.relay.close()
        first, second = await ours.deliver(paged), await ours.deliver(paged)
        assert isinstance(first, Failed) and first.retry in {"unclear", "later"}
        assert isinstance(second, Failed) and second.retry == "later"
        assert len(await slack.messages("U0SATO001")) == 1
