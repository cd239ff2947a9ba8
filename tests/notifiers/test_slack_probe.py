"""Asking Slack beforehand: each thing that is missing is named, nothing is posted, no secret is shown."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from notifiers.probing import Addressee, Finding, Probe
from notifiers.slack.deliver import SlackNotifier
from notifiers.slack.fake import FakeSlack, Fault
from notifiers.slack.probe import SlackProbe
from notifiers.slack.scopes import SCOPES

AMY = Addressee(person="amy", address="U0AMY")
BEN = Addressee(person="ben", address="U0BEN")
DUTY = Addressee(person=None, address="C0DUTY")


async def probe(slack: FakeSlack, *people: Addressee, **changes: str | None) -> list[Finding]:
    given = {"token": slack.token, "app_token": slack.directory.app_token} | changes
    notifier = SlackNotifier(
        token=given["token"] or "", app_token=given["app_token"], base_url=slack.base_url, timeout_seconds=2
    )
    assert isinstance(notifier, Probe)
    try:
        return await notifier.probe(people)
    finally:
        await notifier.close()


def codes(found: list[Finding]) -> list[tuple[str, str]]:
    return [(one.code, one.subject) for one in found]


async def test_a_workspace_in_order_has_no_finding_and_nothing_is_posted(slack: FakeSlack) -> None:
    slack.directory.person("U0AMY")
    slack.directory.channel("C0DUTY")
    assert await probe(slack, AMY, DUTY) == []
    assert slack.posts == ()
    assert sorted(slack.requests) == [
        "apps.connections.open",
        "auth.test",
        "conversations.info",
        "users.info",
    ]


async def test_a_token_that_does_not_work_is_the_only_finding(slack: FakeSlack) -> None:
    found = await probe(slack, AMY, token="xoxb-wrong")  # noqa: S106 made up
    assert [(one.code, one.why) for one in found] == [("token-refused", "invalid_auth")]


async def test_each_missing_scope_is_named_with_what_it_is_for(slack: FakeSlack) -> None:
    slack.directory.scopes -= {"pins:write", "im:history"}
    found = await probe(slack)
    assert codes(found) == [("scope-missing", "im:history"), ("scope-missing", "pins:write")]
    assert "pin the board" in found[1].why


async def test_people_are_not_asked_about_without_the_scope_for_it(slack: FakeSlack) -> None:
    slack.directory.scopes.discard("users:read")
    found = await probe(slack, AMY, BEN)
    assert [(one.code, one.why) for one in found][1:] == [("not-checked", "users:read")]
    assert "users.info" not in slack.requests


async def test_an_app_token_that_does_not_open_socket_mode(slack: FakeSlack) -> None:
    found = await probe(slack, app_token="xapp-wrong")  # noqa: S106 made up
    assert [(one.code, one.why) for one in found] == [("app-token-refused", "invalid_auth")]
    slack.requests.clear()
    assert await probe(slack, app_token=None) == []
    assert "apps.connections.open" not in slack.requests


async def test_people_whom_slack_does_not_know_or_who_are_deactivated(slack: FakeSlack) -> None:
    slack.directory.person("U0BEN", deactivated=True)
    found = await probe(slack, AMY, BEN)
    assert codes(found) == [("person-unknown", "amy"), ("person-deactivated", "ben")]


CHANNELS = [
    ("there is none", None, "channel-unknown"),
    ("archived", {"archived": True}, "channel-archived"),
    ("the bot is not in it", {"member": False}, "channel-not-joined"),
    ("private, and the bot is not in it", {"private": True, "member": False}, "channel-unknown"),
    ("private, and the bot is in it", {"private": True}, None),
]


@pytest.mark.parametrize(("why", "shape", "code"), CHANNELS, ids=[row[0] for row in CHANNELS])
async def test_the_duty_channel(
    slack: FakeSlack, why: str, shape: dict[str, bool] | None, code: str | None
) -> None:
    if shape is not None:
        slack.directory.channel("C0DUTY", **shape)
    assert codes(await probe(slack, DUTY)) == ([(code, "C0DUTY")] if code else []), why


@pytest.mark.parametrize(("minutes", "said"), [(-2, "+120 s"), (10, "-600 s")])
async def test_a_clock_that_is_off_is_told_by_how_much(slack: FakeSlack, minutes: int, said: str) -> None:
    slack.directory.clock_ahead = timedelta(minutes=minutes)
    [found] = await probe(slack)
    assert found.code == "clock-off"
    assert abs(int(found.why.removesuffix(" s")) - int(said.removesuffix(" s"))) <= 2


async def test_a_question_that_slack_puts_off_is_asked_again(slack: FakeSlack) -> None:
    slack.directory.person("U0AMY")
    slack.plan(Fault.rate_limited("1"), method="users.info")
    assert await probe(slack, AMY) == []
    assert slack.requests.count("users.info") == 2


async def test_what_is_put_off_for_too_long_is_named_as_not_checked(slack: FakeSlack) -> None:
    slack.directory.person("U0BEN")
    slack.plan(Fault.rate_limited("3600"), method="users.info", address="U0AMY", times=None)
    found = await probe(slack, AMY, BEN)
    assert [(one.code, one.subject, one.why) for one in found] == [("not-checked", "amy", "ratelimited")]


async def test_time_is_bounded_and_what_it_does_not_allow_is_named(slack: FakeSlack) -> None:
    slack.directory.person("U0BEN")
    slack.plan(Fault.hang(), method="users.info", address="U0AMY")
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(
            token=slack.token, base_url=slack.base_url, session=session, retry_handlers=[]
        )
        client.proxy = None
        async with asyncio.timeout(5):
            found = await SlackProbe(client, str, seconds=0.5).run([AMY, BEN])
    assert codes(found) == [("not-checked", "amy")]


async def test_a_slack_that_cannot_be_reached() -> None:
    notifier = SlackNotifier(token="xoxb-secret", base_url="http://127.0.0.1:1/api/")  # noqa: S106 made up
    [found] = await notifier.probe([AMY])
    await notifier.close()
    assert found.code == "slack-unreachable"
    assert "xoxb-secret" not in repr(found)


async def test_a_proxy_that_drops_the_header_leaves_the_scopes_unknown(slack: FakeSlack) -> None:
    class Bare:
        headers: dict[str, str] = {}  # noqa: RUF012 never changed

    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(token=slack.token, base_url=slack.base_url, session=session)
        look = SlackProbe(client, str)
        assert [(one.code, one.severity) for one in look._scopes(Bare.headers)] == [
            ("scopes-unknown", "note")
        ]
        assert look._clock_off(Bare.headers) == []
        assert look._scopes({"X-OAuth-Scopes": ",".join(one.name for one in SCOPES)}) == []
