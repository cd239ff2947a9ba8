"""Calls to Slack besides posting messages: within a budget for each method, and never repeated by themselves.

Slack counts calls by method (its tiers) and, for posts, by channel. What has no time of its own (boards,
topics, members) waits for its turn here, so that it never uses up what a page needs.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from models.clock import monotonic
from notifiers.message import Failed, Retry
from notifiers.slack.errors import after_error, after_status

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
MAX_RETRY_AFTER_SECONDS = 3_600.0
CHANNELS_REMEMBERED = 1_000
POST = "chat.postMessage"
POSTS_EVERY_SECONDS = 1.0
DEFAULT_PER_MINUTE = 20
AT_ONCE = 0.25
"""The part of a minute's allowance that may go out in one burst; what follows is spread evenly."""
PER_MINUTE: Final[Mapping[str, int]] = {
    "bookmarks.add": 20,
    "chat.postEphemeral": 100,
    "chat.update": 50,
    "conversations.create": 20,
    "conversations.history": 50,
    "conversations.invite": 50,
    "conversations.list": 20,
    "conversations.open": 50,
    "conversations.replies": 50,
    "conversations.setTopic": 20,
    "pins.add": 20,
    "views.open": 100,
    "views.update": 100,
}
"""Slack's tiers (https://docs.slack.dev/apis/web-api/rate-limits) for the methods that are used here."""

READS: Final = frozenset(
    {"bookmarks.list", "conversations.history", "conversations.list", "conversations.replies", "files.info"}
)
"""Methods that read take their arguments in the query; to a JSON body Slack says `invalid_arguments`."""
PATIENCE_SECONDS = 5.0
"""A method that Slack has told to rest for longer is not waited for: its caller goes on with other things."""
NAME = "slack"

_BEFORE_SENDING = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
TROUBLE = (SlackClientError, aiohttp.ClientError, TimeoutError, OSError)
"""All that a call can raise for what the other side does to us."""
Answer = dict[str, Any]


class CallFailed(Exception):
    """Slack did not do it, or nobody knows. `name` is Slack's word for why, or empty."""

    def __init__(self, failed: Failed, name: str = "") -> None:
        super().__init__(failed.error)
        self.failed = failed
        self.name = name


class Budget:
    """When a method may be called next: a short burst at once, then evenly over the minute."""

    def __init__(
        self,
        per_minute: Mapping[str, int] | None = None,
        posts_every: float = POSTS_EVERY_SECONDS,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._per_minute = PER_MINUTE if per_minute is None else per_minute
        self._posts_every = posts_every
        self._now = now
        self._next: OrderedDict[str, float] = OrderedDict()
        self._rests: dict[str, float] = {}

    def wait_for(self, method: str, channel: str = "") -> float:
        """Take a place; how many seconds until it comes."""
        now, key = self._now(), _line(method, channel)
        if method == POST:
            every, burst = self._posts_every, 0.0
        else:
            allowed = self._per_minute.get(method, DEFAULT_PER_MINUTE)
            every, burst = 60 / allowed, max(0, int(allowed * AT_ONCE) - 1) * 60 / allowed
        following = max(now, self._next.get(key, 0.0))
        self._next[key] = following + every
        self._next.move_to_end(key)
        if len(self._next) > CHANNELS_REMEMBERED:
            self._next.popitem(last=False)
        return max(0.0, following - burst - now, self.resting(method, channel))

    def resting(self, method: str, channel: str = "") -> float:
        """How many seconds the pause that Slack asked for goes on; takes no place."""
        return max(0.0, self._rests.get(_line(method, channel), 0.0) - self._now())

    def rest(self, method: str, seconds: float, channel: str = "") -> None:
        """Slack asked for a pause; it counts for the method as a whole, and for posts for their channel."""
        now, key = self._now(), _line(method, channel)
        self._rests = {one: until for one, until in self._rests.items() if until > now}
        self._rests[key] = max(self._rests.get(key, 0.0), now + seconds)


def _line(method: str, channel: str) -> str:
    """Who waits for whom: posts to one channel, or all calls of a method."""
    return f"{method} {channel}" if method == POST else method


class SlackApi:
    """Calls methods as the bot of `token`, which is never shown. `timeout_seconds` bounds each request."""

    def __init__(
        self, *, token: str, base_url: str, timeout_seconds: float = 10.0, budget: Budget | None = None
    ) -> None:
        self._token = token
        self._base_url = base_url if base_url.endswith("/") else f"{base_url}/"
        self._timeout_seconds = timeout_seconds
        self.budget = budget or Budget()
        self._client: AsyncWebClient | None = None
        self._session: aiohttp.ClientSession | None = None
        self._self: tuple[str, str] | None = None
        self.distrusted: Callable[[], Awaitable[frozenset[str]]] | None = None
        """Which channels are out of band now; asked before each call, however long it has waited."""

    def __repr__(self) -> str:
        return f"SlackApi(base_url={self._base_url!r})"

    @property
    def client(self) -> AsyncWebClient:
        """One kept connection pool, made in the loop that uses it."""
        if self._client is None:
            timeout = aiohttp.ClientTimeout(total=self._timeout_seconds)
            self._session = aiohttp.ClientSession(timeout=timeout)
            # The default handlers repeat a call whose connection dropped after Slack accepted it.
            self._client = AsyncWebClient(
                token=self._token, base_url=self._base_url, session=self._session, retry_handlers=[]
            )
            if urlsplit(self._base_url).hostname in LOOPBACK:
                self._client.proxy = None
        return self._client

    async def call(self, method: str, /, *, soon: bool = False, **given: Any) -> Answer:
        """One call, in its turn; `soon` does not wait (a dialog must open within three seconds).

        Raises CallFailed, also where Slack is out of band by now and where the method has to rest for long.
        """
        channel = str(given.get("channel", ""))
        if not soon:
            await self._turn(method, channel)
        if self.distrusted is not None and NAME in await self.distrusted():
            raise CallFailed(Failed(retry="never", error="Slack is out of band"))
        try:
            if method in READS:
                answer = await self.client.api_call(method, http_verb="GET", params=given)
            else:
                answer = await self.client.api_call(method, json=given)
        except TROUBLE as error:
            failed = self.failed(error)
            if failed.retry_after:
                self.budget.rest(method, failed.retry_after, channel)
            raise CallFailed(failed, error_name(error)) from error
        found: Answer = answer.data if isinstance(answer.data, dict) else {}
        return found

    async def _turn(self, method: str, channel: str) -> None:
        """Wait for the turn. Raises CallFailed if Slack has asked for a pause longer than we wait for."""
        rest = self.budget.resting(method, channel)
        if rest > PATIENCE_SECONDS:
            raise CallFailed(Failed(retry="later", error=f"Slack: {method} has to rest", retry_after=rest))
        await asyncio.sleep(self.budget.wait_for(method, channel))

    async def identity(self) -> tuple[str, str]:
        """Our bot's id and user id. Raises CallFailed."""
        if self._self is None:
            answer = await self.call("auth.test", soon=True)
            self._self = (str(answer.get("bot_id") or ""), str(answer.get("user_id") or ""))
        return self._self

    def failed(self, error: BaseException) -> Failed:
        """What an error of a call means for trying again; its text holds no secret."""
        if isinstance(error, SlackApiError):
            status = _status(error)
            name = error_name(error)
            retry = after_error(name) if name else after_status(status)
            return Failed(
                error=self._scrubbed(f"Slack: {name or f'HTTP {status}'}"),
                retry=retry,
                retry_after=_retry_after(getattr(error.response, "headers", None)),
            )
        how: Retry = "later" if isinstance(error, _BEFORE_SENDING) else "unclear"
        return Failed(error=self._scrubbed(f"{type(error).__name__}: {error}".rstrip(": ")), retry=how)

    async def close(self) -> None:
        """Let go of connections. May be called twice."""
        session, self._session, self._client = self._session, None, None
        if session is not None:
            await session.close()

    def _scrubbed(self, text: str) -> str:
        return text.replace(self._token, "(token)")[:300]


def error_name(error: BaseException) -> str:
    """Slack's word for what is wrong, or empty if the answer was not Slack's JSON."""
    data = getattr(getattr(error, "response", None), "data", None)
    return str(data.get("error") or "") if isinstance(data, dict) else ""


def _status(error: SlackApiError) -> int:
    return getattr(error.response, "status_code", None) or getattr(error.response, "status", None) or 0


def _retry_after(headers: Any) -> float | None:
    """What Slack asks for, in seconds and bounded: a wrong header must not silence anything for a day."""
    text = str((headers or {}).get("Retry-After", ""))
    return min(float(text), MAX_RETRY_AFTER_SECONDS) if text.isdecimal() else None
