"""Slack's misbehaviour, and what the outbox is told about sending again."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable

import aiohttp
import msgspec
import pytest

from models.clock import monotonic
from notifiers.message import Failed, Message, Sent
from notifiers.slack import back, deliver, render
from notifiers.slack.deliver import SlackNotifier
from notifiers.slack.errors import LAYOUT, RETRY, after_error, after_status
from notifiers.slack.fake import FakeSlack, Fault

Make = Callable[..., Message]
SECRET = "xoxb-not-to-be-shown"  # noqa: S105 made up


@pytest.fixture
async def notifier(slack: FakeSlack) -> AsyncIterator[SlackNotifier]:
    made = SlackNotifier(token=slack.token, base_url=slack.base_url, timeout_seconds=5.0)
    yield made
    await made.close()


async def test_a_message_arrives_once_with_its_key(
    slack: FakeSlack, notifier: SlackNotifier, message: Make
) -> None:
    before = monotonic()
    sent = await notifier.deliver(message())
    (post,) = slack.posts
    assert sent == Sent(receipt=post.receipt)
    assert post.receipt == "D0YAMADA/1700000000.000001"
    assert (post.address, post.channel, post.key) == ("U0YAMADA", "D0YAMADA", message().key)
    assert before <= post.at <= monotonic()
    assert "何が起きたか" in post.shown
    assert post.mentions == ["<https://node.example/p/abc.DEF-1?x=1&amp;y=2>"] * 2
    assert slack.requests == ["chat.postMessage"]


async def test_a_rendering_that_failed_is_reported_and_sent(
    slack: FakeSlack, notifier: SlackNotifier, message: Make
) -> None:
    sent = await notifier.deliver(message("page.nothing"))
    assert isinstance(sent, Sent) and sent.rendering_failed.startswith("TemplateNotFound")
    assert len(slack.posts) == 1


@pytest.mark.parametrize("address", ["U0YAMADA", "C0DUTY"])
@pytest.mark.parametrize("fault", [Fault.reset(), Fault.hang(), Fault.http(502, accepted=True)], ids=str)
async def test_accepted_and_then_broken_is_unclear_posts_once_and_is_found(
    slack: FakeSlack, message: Make, fault: Fault, address: str
) -> None:
    notifier = SlackNotifier(token=slack.token, base_url=slack.base_url, timeout_seconds=0.3)
    slack.plan(fault)
    asked = message(address=address)
    failed = await notifier.deliver(asked)
    assert isinstance(failed, Failed) and failed.retry == "unclear"
    assert len(slack.posts) == 1
    assert await notifier.arrived(asked) == Sent(receipt=slack.posts[0].receipt)
    await notifier.close()


async def test_dropped_before_it_was_accepted_is_unclear_and_not_found(
    slack: FakeSlack, notifier: SlackNotifier, message: Make
) -> None:
    slack.plan(Fault.reset(accepted=False))
    failed = await notifier.deliver(message())
    assert isinstance(failed, Failed) and failed.retry == "unclear"
    assert await notifier.arrived(message()) is None
    assert slack.posts == ()


async def test_another_key_is_not_mistaken_for_it(
    slack: FakeSlack, notifier: SlackNotifier, message: Make
) -> None:
    await notifier.deliver(message())
    assert await notifier.arrived(message(key="INC-2026-0001/7/2/1/U0YAMADA")) is None
    assert await notifier.arrived(message(address="U0OTHER")) is None


async def test_a_key_posted_by_somebody_else_does_not_count(
    slack: FakeSlack, notifier: SlackNotifier, message: Make
) -> None:
    asked = message(address="C0DUTY")
    slack.forge("C0DUTY", asked.key)
    assert await notifier.arrived(asked) is None
    await notifier.deliver(asked)
    assert await notifier.arrived(asked) == Sent(receipt=slack.posts[1].receipt)


def test_other_apps_metadata_is_left_alone() -> None:
    other = {"metadata": {"event_type": "other", "event_payload": {"key": "k"}}}
    strange = {
        "metadata": {"event_type": render.EVENT_TYPE, "event_payload": {"key": 1, "keys": "k", "part": "x"}}
    }
    for post in (other, strange, {}):
        found = back.read("D0", post)
        assert (found.key, found.keys, found.part, found.parts) == ("", frozenset(), 1, 1)


async def test_looking_back_goes_through_pages_and_has_an_end(
    slack: FakeSlack, notifier: SlackNotifier, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "READ_BACK_LIMIT", 2)
    for number in range(12):
        await notifier.deliver(message(key=f"INC-2026-0001/{number}/1/1/U0YAMADA"))
    assert await notifier.arrived(message(key="INC-2026-0001/5/1/1/U0YAMADA")) is not None
    slack.requests.clear()
    assert await notifier.arrived(message(key="INC-2026-0001/0/1/1/U0YAMADA")) is None
    assert slack.requests.count("conversations.history") == deliver.READ_BACK_PAGES


@pytest.mark.parametrize("method", ["auth.test", "conversations.open", "conversations.history"])
async def test_being_unable_to_look_is_not_having_found(
    slack: FakeSlack, notifier: SlackNotifier, message: Make, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    slack.plan(Fault.reset())
    await notifier.deliver(message())
    slack.plan(Fault.refuse("missing_scope"), method=method)
    assert await notifier.arrived(message()) is None
    assert "missing_scope" in caplog.text
    assert await notifier.arrived(message()) is not None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("30", 30.0), ("0", 0.0), ("999999", 3600.0), (None, None), ("soon", None), ("-1", None), ("nan", None)],
)
async def test_429_is_later_and_says_how_much(
    slack: FakeSlack, notifier: SlackNotifier, message: Make, header: str | None, seconds: float | None
) -> None:
    slack.plan(Fault.rate_limited(header))
    failed = await notifier.deliver(message())
    assert failed == Failed(error="Slack: ratelimited", retry="later", retry_after=seconds)
    assert slack.requests == ["chat.postMessage"]


async def test_one_limited_channel_does_not_touch_the_others(
    slack: FakeSlack, notifier: SlackNotifier, message: Make
) -> None:
    slack.plan(Fault.rate_limited(), address="C0SLOW", times=None)
    answers = await asyncio.gather(
        *(notifier.deliver(message(address=f"C0{name}")) for name in ("A", "SLOW", "B", "SLOW", "C"))
    )
    assert [isinstance(answer, Sent) for answer in answers] == [True, False, True, False, True]


@pytest.mark.parametrize("name", [*sorted(set(RETRY) - LAYOUT), "an_error_from_the_future"])
async def test_each_of_slacks_errors_has_its_verdict(
    slack: FakeSlack, notifier: SlackNotifier, message: Make, name: str
) -> None:
    slack.plan(Fault.refuse(name))
    failed = await notifier.deliver(message())
    assert failed == Failed(error=f"Slack: {name}", retry=RETRY.get(name, "never"))
    assert len(slack.requests) == 1


@pytest.mark.parametrize(
    ("name", "retry"),
    [
        ("ratelimited", "later"),
        ("service_unavailable", "later"),
        ("internal_error", "unclear"),
        ("fatal_error", "unclear"),
        ("channel_not_found", "never"),
        ("invalid_auth", "never"),
        ("not_in_channel", "never"),
        ("is_archived", "never"),
        ("user_not_found", "never"),
    ],
)
def test_the_verdicts_that_matter_most(name: str, retry: str) -> None:
    assert after_error(name) == retry


@pytest.mark.parametrize(
    ("status", "retry"), [(200, "unclear"), (0, "unclear"), (404, "never"), (429, "later"), (503, "unclear")]
)
async def test_a_status_without_slacks_words(
    slack: FakeSlack, notifier: SlackNotifier, message: Make, status: int, retry: str
) -> None:
    assert after_status(status) == retry
    if status:
        slack.plan(Fault.http(status))
        assert await notifier.deliver(message()) == Failed(error=f"Slack: HTTP {status}", retry=retry)


@pytest.mark.parametrize("name", sorted(LAYOUT))
async def test_a_layout_that_slack_refuses_goes_out_as_text(
    slack: FakeSlack, notifier: SlackNotifier, message: Make, name: str
) -> None:
    slack.plan(Fault.refuse(name))
    sent = await notifier.deliver(message())
    assert sent == Sent(receipt=slack.posts[0].receipt, rendering_failed=name)
    assert slack.posts[0].blocks == ()
    assert "https://node.example/p/" in slack.posts[0].text
    slack.plan(Fault.refuse(name), times=2)
    assert await notifier.deliver(message()) == Failed(error=f"Slack: {name}", retry="never")


async def test_the_fake_refuses_what_slack_would(
    slack: FakeSlack, notifier: SlackNotifier, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2_900}}
    body = render.render(message())
    monkeypatch.setattr(render, "split", lambda made: (made,))
    for blocks, error in (((block,) * 51, "invalid_blocks"), ((block,) * 5, "msg_blocks_too_long")):
        too_much = msgspec.structs.replace(body, blocks=blocks)
        monkeypatch.setattr(render, "render", lambda _, made=too_much: made)
        sent = await notifier.deliver(message())
        assert isinstance(sent, Sent) and sent.rendering_failed == error


async def test_nobody_listening_is_later_because_nothing_was_sent(message: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    notifier = SlackNotifier(token=SECRET, base_url=f"http://127.0.0.1:{port}/api")
    failed = await notifier.deliver(message())
    assert isinstance(failed, Failed) and failed.retry == "later"
    assert failed.error.startswith("ClientConnectorError")
    await notifier.close()


async def test_a_slow_answer_within_the_limit_is_an_answer(
    slack: FakeSlack, notifier: SlackNotifier, message: Make
) -> None:
    slack.plan(Fault.slow(0.05))
    assert isinstance(await notifier.deliver(message()), Sent)


async def test_the_token_shows_nowhere(
    slack: FakeSlack, message: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    notifier = SlackNotifier(token=SECRET, base_url=slack.base_url)
    failed = await notifier.deliver(message())
    assert failed == Failed(error="Slack: invalid_auth", retry="never")

    async def leak(*_: object, **__: object) -> None:
        raise aiohttp.ClientError(f"Bearer {SECRET} was refused")

    monkeypatch.setattr(notifier, "_post", leak)
    assert await notifier.deliver(message()) == Failed(
        error="ClientError: Bearer (token) was refused", retry="unclear"
    )
    assert SECRET not in caplog.text + repr(notifier)
    await notifier.close()


async def test_check_names_the_bot_or_the_trouble(slack: FakeSlack, notifier: SlackNotifier) -> None:
    assert await notifier.check() == "hikeshi in fake workspace"
    slack.plan(Fault.refuse("account_inactive"), method="auth.test")
    assert await notifier.check() == "Slack: account_inactive"


async def test_closing_twice_is_fine_and_sending_opens_again(
    slack: FakeSlack, notifier: SlackNotifier, message: Make
) -> None:
    await notifier.deliver(message())
    await notifier.close()
    await notifier.close()
    assert isinstance(await notifier.deliver(message()), Sent)


async def test_what_is_remembered_has_a_bound(
    slack: FakeSlack, notifier: SlackNotifier, message: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "REMEMBERED_CONVERSATIONS", 2)
    for name in ("U1", "U2", "U3"):
        await notifier.deliver(message(address=name))
    assert list(notifier._conversations) == ["U2", "U3"]


async def test_the_fake_knows_only_what_it_says(slack: FakeSlack) -> None:
    headers = {"Authorization": f"Bearer {slack.token}"}
    wanted = {
        "api.unknown": "unknown_method",
        "conversations.open": "users_not_found",
        "conversations.history?channel=U1": "channel_not_found",
        "chat.postMessage?text=x": "channel_not_found",
        "chat.postMessage?channel=C1": "no_text",
    }
    async with aiohttp.ClientSession(headers=headers) as session:
        for call, error in wanted.items():
            async with session.get(slack.base_url + call) as answer:
                assert await answer.json() == {"ok": False, "error": error}
        long = {"channel": "C1", "text": "x" * 40_001}
        async with session.post(slack.base_url + "chat.postMessage", data=long) as answer:
            assert (await answer.json())["error"] == "msg_too_long"
        async with session.get(slack.base_url + "chat.postMessage?channel=C1&text=hello") as answer:
            assert (await answer.json())["ok"] is True
        async with session.get(slack.base_url + "conversations.history?channel=C1") as answer:
            assert "metadata" not in (await answer.json())["messages"][0]
    assert slack.posts[0].shown == "hello"


async def test_the_fake_can_be_mended(slack: FakeSlack, notifier: SlackNotifier, message: Make) -> None:
    slack.plan(Fault.http(500), times=None)
    assert isinstance(await notifier.deliver(message()), Failed)
    slack.mend()
    assert isinstance(await notifier.deliver(message()), Sent)
