"""Posting to Slack, once per call. Nothing is retried here: whether to try again is the outbox's decision.

Slack has no idempotency key. Each post carries its key as metadata, and after an unclear failure `arrived`
reads the conversation back. Only posts of our own bot count: anybody could write a post with our key.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from notifiers.message import Delivery, Failed, Message, Retry, Sent
from notifiers.probing import Addressee, Finding
from notifiers.slack import render
from notifiers.slack.back import Found, read, receipt, whole
from notifiers.slack.errors import LAYOUT, after_error, after_status

READ_BACK_PAGES, READ_BACK_LIMIT = 5, 200
REMEMBERED_CONVERSATIONS = 1_000
MAX_RETRY_AFTER_SECONDS = 3_600.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LOG = logging.getLogger(__name__)

# These say that nothing was sent. They are also ClientOSErrors, which may mean the opposite: ask first.
_BEFORE_SENDING = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
_UNCLEAR = (aiohttp.ClientError, TimeoutError, OSError)
_TROUBLE = (SlackClientError, *_UNCLEAR)


class SlackNotifier:
    """Posts as the bot of `token`, which is never shown. `base_url` is Slack's or a fake's.

    `timeout_seconds` bounds each request, connecting included. `part_pause_seconds` lie between the posts of
    one message: Slack takes one a second for a conversation.
    """

    name = "slack"
    can_read_back = True

    def __init__(
        self,
        *,
        token: str,
        base_url: str,
        timeout_seconds: float = 10.0,
        part_pause_seconds: float = 1.0,
        app_token: str | None = None,
        buttons: bool = True,
    ) -> None:
        """`buttons` is False where nobody receives presses: a button that does nothing is worse than none."""
        self._token = token
        self._app_token = app_token
        self._base_url = base_url if base_url.endswith("/") else f"{base_url}/"
        self._timeout_seconds = timeout_seconds
        self._part_pause_seconds = part_pause_seconds
        self._buttons = buttons
        self._client: AsyncWebClient | None = None
        self._session: aiohttp.ClientSession | None = None
        self._conversations: OrderedDict[str, str] = OrderedDict()
        self._parts: OrderedDict[str, dict[tuple[int, int], Sent]] = OrderedDict()
        self._self: tuple[str, str] | None = None

    def __repr__(self) -> str:
        return f"SlackNotifier(base_url={self._base_url!r})"

    async def deliver(self, message: Message) -> Delivery:
        shown = message if self._buttons else msgspec.structs.replace(message, acts=())
        posts = render.split(render.render(shown))
        there = await self._there(message, posts) if len(posts) > 1 else {}
        sent = [there[post.part] for post in posts if post.part in there]
        for post in posts:
            if post.part in there:
                continue
            if sent:
                await asyncio.sleep(self._part_pause_seconds)
            answer = await self._posted(message.address, post)
            if isinstance(answer, Failed):
                return answer
            self._keep_part(message.key, post, answer)
            sent.append(answer)
        self._parts.pop(message.key, None)
        failed = next((one.rendering_failed for one in sent if one.rendering_failed), "")
        return msgspec.structs.replace(sent[-1], rendering_failed=failed, posts=len(posts))

    async def _posted(self, address: str, body: render.SlackMessage) -> Delivery:
        """One post; as plain text if Slack dislikes nothing but its layout."""
        try:
            return await self._post(address, body)
        except SlackApiError as error:
            if _error_name(error) not in LAYOUT or not body.blocks:
                return self._failed(error)
            plain = render.without_blocks(body, _error_name(error))
        except _TROUBLE as error:
            return self._failed(error)
        try:
            return await self._post(address, plain)
        except _TROUBLE as error:
            return self._failed(error)

    def _keep_part(self, key: str, post: render.SlackMessage, sent: Sent) -> None:
        """Which posts of a message Slack has taken, should a later one fail: none of them is sent again."""
        if post.parts > 1:
            self._parts.setdefault(key, {})[(post.part, post.parts)] = sent
            if len(self._parts) > REMEMBERED_CONVERSATIONS:
                self._parts.popitem(last=False)

    async def _there(self, message: Message, posts: tuple[render.SlackMessage, ...]) -> dict[int, Sent]:
        """The posts of this message that have arrived, by number; only if it has as many as then."""
        found = dict(self._parts.get(message.key, {}))
        if message.attempt > 1:
            try:
                found |= {(one.part, one.parts): one.sent for one in await self._ours(message, {message.key})}
            except _TROUBLE as error:
                _LOG.warning("could not look for %s in Slack: %s", message.key, self._failed(error).error)
        return {part: sent for (part, parts), sent in found.items() if parts == len(posts)}

    async def arrived(self, message: Message) -> Sent | None:
        """The post with the message's key by our own bot, or None if there is none or Slack will not say.

        Of a message in several posts all have to be there; of one for several rows each row's key.
        """
        wanted = {message.key, *message.keys}
        try:
            found = await self._ours(message, wanted)
        except _TROUBLE as error:
            _LOG.warning("could not look for %s in Slack: %s", message.key, self._failed(error).error)
            return None
        return whole(found, message.keys)

    async def probe(self, people: Sequence[Addressee]) -> list[Finding]:
        """What is missing for `people` to be reached by Slack, and to act in it."""
        from notifiers.slack.probe import SlackProbe  # noqa: PLC0415 - only the live check asks

        return await SlackProbe(self._connected(), self._scrubbed, app_token=self._app_token).run(people)

    async def check(self) -> str:
        """Who the token speaks for, as `bot in workspace`, or why it does not work."""
        try:
            answer = await self._connected().auth_test()
        except _TROUBLE as error:
            return self._failed(error).error
        return f"{answer.get('user')} in {answer.get('team')}"

    async def close(self) -> None:
        session, self._session, self._client = self._session, None, None
        if session is not None:
            await session.close()

    async def _post(self, address: str, body: render.SlackMessage) -> Sent:
        answer = await self._connected().chat_postMessage(
            channel=address,
            text=body.text,
            blocks=list(body.blocks) or None,
            metadata=body.metadata,
            unfurl_links=False,
            unfurl_media=False,
            parse="none",
            link_names=False,
        )
        conversation = str(answer.get("channel") or address)
        self._remember(address, conversation)
        return Sent(receipt=receipt(conversation, answer.get("ts")), rendering_failed=body.rendering_failed)

    def _connected(self) -> AsyncWebClient:
        """One kept connection pool, made in the loop that uses it."""
        if self._client is None:
            timeout = aiohttp.ClientTimeout(total=self._timeout_seconds)
            self._session = aiohttp.ClientSession(timeout=timeout)
            # The default handlers post twice when the connection drops after Slack accepted.
            self._client = AsyncWebClient(
                token=self._token, base_url=self._base_url, session=self._session, retry_handlers=[]
            )
            if urlsplit(self._base_url).hostname in _LOOPBACK:
                self._client.proxy = None
        return self._client

    def _remember(self, address: str, conversation: str) -> None:
        if conversation and conversation != address:
            self._conversations[address] = conversation
            self._conversations.move_to_end(address)
            if len(self._conversations) > REMEMBERED_CONVERSATIONS:
                self._conversations.popitem(last=False)

    async def _conversation(self, address: str) -> str:
        """Where posts to `address` lie: a person's id is not a conversation, their direct messages are."""
        if address[:1] not in {"U", "W"}:
            return address
        if address not in self._conversations:
            answer = await self._connected().conversations_open(users=address)
            self._remember(address, str((answer.get("channel") or {}).get("id") or ""))
        return self._conversations.get(address, address)

    async def _identity(self) -> tuple[str, str]:
        """Our bot's id and user id."""
        if self._self is None:
            answer = await self._connected().auth_test()
            self._self = (str(answer.get("bot_id") or ""), str(answer.get("user_id") or ""))
        return self._self

    async def _ours(self, message: Message, wanted: set[str]) -> list[Found]:
        """Posts of our own bot that carry one of the keys, oldest first. What Slack raises goes through."""
        ours = await self._identity()
        conversation = await self._conversation(message.address)
        found: list[Found] = []
        cursor = ""
        for _ in range(READ_BACK_PAGES):
            answer = await self._connected().conversations_history(
                channel=conversation, include_all_metadata=True, limit=READ_BACK_LIMIT, cursor=cursor or None
            )
            posts = [post for post in answer.get("messages") or [] if _is_ours(post, ours)]
            found += [
                one for one in map(partial(read, conversation), posts) if not wanted.isdisjoint(one.keys)
            ]
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor or whole(found, message.keys) is not None:
                break
        return found[::-1]

    def _failed(self, error: Exception) -> Failed:
        if isinstance(error, SlackApiError):
            return self._refused(error)
        retry: Retry = "later" if isinstance(error, _BEFORE_SENDING) else "unclear"
        return Failed(error=self._scrubbed(f"{type(error).__name__}: {error}".rstrip(": ")), retry=retry)

    def _refused(self, error: SlackApiError) -> Failed:
        """Slack answered, with an error of its own, an HTTP status, or something that is no answer."""
        status = getattr(error.response, "status_code", None) or getattr(error.response, "status", None) or 0
        name = _error_name(error)
        retry = after_error(name) if name else after_status(status)
        wanted = _retry_after(getattr(error.response, "headers", None))
        return Failed(
            error=self._scrubbed(f"Slack: {name or f'HTTP {status}'}"), retry=retry, retry_after=wanted
        )

    def _scrubbed(self, text: str) -> str:
        for secret in filter(None, (self._token, self._app_token)):
            text = text.replace(secret, "(token)")
        return text[:300]


def _error_name(error: SlackApiError) -> str:
    """Slack's word for what is wrong, or empty if the answer was not Slack's JSON."""
    data = getattr(error.response, "data", None)
    return str(data.get("error") or "") if isinstance(data, dict) else ""


def _retry_after(headers: Any) -> float | None:
    """What Slack asks for, in seconds and bounded: a wrong header must not silence a page for a day."""
    text = str((headers or {}).get("Retry-After", ""))
    return min(float(text), MAX_RETRY_AFTER_SECONDS) if text.isdecimal() else None


def _is_ours(post: dict[str, Any], ours: tuple[str, str]) -> bool:
    bot, user = ours
    return bool(bot and post.get("bot_id") == bot) or bool(user and post.get("user") == user)
