"""`slack.collect` against the Slack that runs here, `mail.collect` against a real IMAP server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from flows.actions import ActionContext, ActionResult, CollectedItem, Occasion, run
from models.errors import ActionFailed, SourceUnreachable
from models.installation import Settings
from models.targets import MailTarget, SlackTarget
from notifiers.slack.api import SlackApi
from notifiers.slack.fake import FakeSlack, Fault
from tests.console.imapserver import ImapServer

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
TOKEN = FakeSlack.token


def make_context(
    folder: Path, settings: dict[str, Any], room: str = "", now: datetime = NOW
) -> ActionContext:
    return ActionContext(
        evidence_dir=folder / "evidence",
        secrets=lambda reference: {"env:SLACK": TOKEN, "env:MAIL": "geheim"}[reference],
        base=folder,
        now=now,
        timeout_seconds=20,
        idempotency_key="INC-2026-0001/collect/1",
        settings=Settings.model_validate(settings),
        occasion=Occasion(incident="INC-2026-0001", room=room, began=now - timedelta(days=1)),
    )


def stored(context: ActionContext, item: CollectedItem) -> bytes:
    return (context.evidence_dir / item.stored).read_bytes()


# -- Slack --------------------------------------------------------------------------------------------------


async def spoken(slack: FakeSlack) -> str:
    """A channel with two messages, the first with a thread of two."""
    api = SlackApi(token=TOKEN, base_url=slack.base_url)
    channel = str((await api.call("conversations.create", name="inc-2026-0001"))["channel"]["id"])
    first = await api.call("chat.postMessage", soon=True, channel=channel, text="証拠を保全した")
    for text in ("one answer", "another"):
        await api.call("chat.postMessage", soon=True, channel=channel, text=text, thread_ts=first["ts"])
    await api.call("chat.postMessage", soon=True, channel=channel, text="<!channel> second")
    await api.close()
    return channel


def slack_context(slack: FakeSlack, folder: Path, room: str = "") -> ActionContext:
    settings = {"slack": {"token": "env:SLACK", "base_url": slack.base_url}}
    return make_context(folder, settings, room, datetime.now(UTC) + timedelta(minutes=5))


async def from_slack(
    context: ActionContext, target: dict[str, Any] | None = None, **params: str
) -> ActionResult:
    return await run(
        "slack.collect", SlackTarget.model_validate({"kind": "slack", **(target or {})}), params, context
    )


async def test_the_incident_s_channel_with_its_threads_is_one_object_of_lines(tmp_path: Path) -> None:
    async with FakeSlack() as slack:
        context = slack_context(slack, tmp_path, room=await spoken(slack))
        result = await from_slack(context)
    [item] = result.evidence
    lines = [orjson.loads(line) for line in stored(context, item).splitlines()]
    assert [line["t"] for line in lines] == ["channel", "message", "message", "reply", "reply"]
    said = [line["message"]["text"] for line in lines if "message" in line]
    assert said == ["<!channel> second", "証拠を保全した", "one answer", "another"]
    assert (result.outputs["messages"], result.outputs["partial"]) == ("4", "no")
    assert item.host == "slack.com"


async def test_too_many_messages_are_a_marked_part(tmp_path: Path) -> None:
    async with FakeSlack() as slack:
        context = slack_context(slack, tmp_path, room=await spoken(slack))
        result = await from_slack(context, {"max_messages": 2})
    assert result.evidence[0].problem == "more than 2 messages"
    assert result.outputs["partial"] == "yes"


async def test_a_channel_that_slack_does_not_give_is_unreachable(tmp_path: Path) -> None:
    async with FakeSlack() as slack:
        context = slack_context(slack, tmp_path, room=await spoken(slack))
        slack.plan(Fault.refuse("missing_scope"), method="conversations.history")
        with pytest.raises(SourceUnreachable, match="missing_scope") as wrong:
            await from_slack(context)
    assert TOKEN not in str(wrong.value)
    assert context.kept == []


async def test_a_thread_that_cannot_be_read_keeps_what_came_before(tmp_path: Path) -> None:
    async with FakeSlack() as slack:
        context = slack_context(slack, tmp_path, room=await spoken(slack))
        slack.plan(Fault.refuse("missing_scope"), method="conversations.replies")
        with pytest.raises(SourceUnreachable, match="kept of it"):
            await from_slack(context)
    [item] = context.kept
    assert item.problem == "Slack: missing_scope"
    assert b"second" in stored(context, item)


async def test_without_a_channel_or_without_slack_nothing_is_asked(tmp_path: Path) -> None:
    async with FakeSlack() as slack:
        with pytest.raises(ActionFailed, match="no channel of its own"):
            await from_slack(slack_context(slack, tmp_path))
        with pytest.raises(ActionFailed, match="takes from, until"):
            await from_slack(slack_context(slack, tmp_path, "C0X"), channel="C0Y")
    with pytest.raises(ActionFailed, match=r"\[slack\]"):
        await from_slack(make_context(tmp_path, {}, "C0X"))


# -- mail ---------------------------------------------------------------------------------------------------

PHISH = (
    b"Message-ID: <evil@example.net>\r\nFrom: ceo@evil.example\r\nSubject: pay now\r\n\r\n\x00\xff\x1b[2J"
    + b"x" * 99
)
OTHER = b"Message-ID: <fine@example.net>\r\nFrom: mum@home.example\r\nSubject: dinner\r\n\r\nhello"


@pytest.fixture
def server() -> Iterator[ImapServer]:
    with ImapServer() as made:
        made.put(PHISH, OTHER, PHISH.replace(b"evil@", b"evil2@"))
        yield made


def mail_context(server: ImapServer, folder: Path, **more: Any) -> ActionContext:
    box = {"host": "127.0.0.1", "port": server.port, "tls": "none", "user": "csirt", "password": "env:MAIL"}
    return make_context(folder, {"mailbox": box | more})


async def mails(context: ActionContext, target: dict[str, Any] | None = None, **params: str) -> ActionResult:
    given = {name.replace("_", "-"): value for name, value in params.items()}
    return await run(
        "mail.collect", MailTarget.model_validate({"kind": "mail", **(target or {})}), given, context
    )


async def test_mails_that_match_are_kept_byte_for_byte_and_nothing_is_marked(
    server: ImapServer, tmp_path: Path
) -> None:
    context = mail_context(server, tmp_path)
    result = await mails(context, sender="ceo@evil.example")
    assert stored(context, result.evidence[0]) == PHISH
    assert [item.name for item in result.evidence] == ["1.eml", "3.eml"]
    assert result.evidence[0].source == "imap://127.0.0.1/INBOX;UIDVALIDITY=17/;UID=1"
    assert server.unseen() == [1, 2, 3]
    words = {line.split(" ")[1 if line.startswith("UID") else 0] for line in server.log}
    assert "EXAMINE" in words
    assert words.isdisjoint({"SELECT", "STORE", "COPY", "EXPUNGE"})


async def test_a_large_mail_comes_in_pieces(server: ImapServer, tmp_path: Path) -> None:
    large = b"Message-ID: <large@example.net>\r\n\r\n" + b"y" * 2_500_000
    server.put(large)
    context = mail_context(server, tmp_path)
    [item] = (await mails(context, message_id="<large@example.net>")).evidence
    assert stored(context, item) == large
    assert len([line for line in server.log if "BODY.PEEK" in line]) == 4, (
        "the last of them says that there is no more"
    )


async def test_a_server_that_gives_less_than_asked_for_gives_the_whole(
    server: ImapServer, tmp_path: Path
) -> None:
    server.most = 100_000
    large = b"Message-ID: <large@example.net>\r\n\r\n" + b"y" * 950_000
    server.put(large)
    context = mail_context(server, tmp_path)
    [item] = (await mails(context, message_id="<large@example.net>")).evidence
    assert (stored(context, item), item.problem) == (large, None)


async def test_what_somebody_types_is_quoted(server: ImapServer, tmp_path: Path) -> None:
    with pytest.raises(ActionFailed, match="nothing there fits"):
        await mails(mail_context(server, tmp_path), subject='x" ALL "\\')
    [search] = [line for line in server.log if "SEARCH" in line]
    assert search == 'UID SEARCH SUBJECT "x\\" ALL \\"\\\\"'


async def test_a_range_of_time_is_to_the_instant(server: ImapServer, tmp_path: Path) -> None:
    for mail, hour in zip(server.mails, (1, 2, 3), strict=True):
        mail.received = f"22-Nov-2026 {hour:02d}:00:00 +0000"
    given: Any = {"from": "2026-11-22T10:30:00+09:00", "until": "2026-11-22T02:30:00Z"}
    result = await mails(mail_context(server, tmp_path), **given)
    assert [item.name for item in result.evidence] == ["2.eml"]
    [search] = [line for line in server.log if "SEARCH" in line]
    assert search == "UID SEARCH SINCE 21-Nov-2026 BEFORE 24-Nov-2026"


async def test_caps_are_marked(server: ImapServer, tmp_path: Path) -> None:
    few = await mails(mail_context(server, tmp_path), {"max_messages": 1}, sender="evil.example")
    assert (few.outputs["files"], few.outputs["partial"]) == ("1", "yes")
    short = await mails(mail_context(server, tmp_path), {"max_bytes": 50}, sender="evil.example")
    assert [(item.size, item.problem) for item in short.evidence] == [(50, "cut after 50 bytes")]


async def test_a_server_that_breaks_off_or_lets_nobody_in_is_unreachable(
    server: ImapServer, tmp_path: Path
) -> None:
    server.breaks_at = "FETCH"
    with pytest.raises(SourceUnreachable, match="the connection broke"):
        await mails(mail_context(server, tmp_path), sender="evil.example")
    server.breaks_at = ""
    server.password = "another"  # noqa: S105
    with pytest.raises(SourceUnreachable, match="lets nobody in") as wrong:
        await mails(mail_context(server, tmp_path), sender="evil.example")
    assert "geheim" not in str(wrong.value)


async def test_without_a_word_about_which_or_without_a_mailbox_nothing_is_asked(
    server: ImapServer, tmp_path: Path
) -> None:
    with pytest.raises(ActionFailed, match="say which mails"):
        await mails(mail_context(server, tmp_path))
    with pytest.raises(ActionFailed, match="knows message-id"):
        await mails(mail_context(server, tmp_path), body="x")
    with pytest.raises(ActionFailed, match=r"\[mailbox\]"):
        await mails(make_context(tmp_path, {}), sender="x")
    assert server.log == []
