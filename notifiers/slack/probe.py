"""Asking Slack before an incident does: token, scopes, Socket Mode, people, the duty channel, the clock.

Four questions at a time, and one that Slack puts off is asked once more; what time does not allow is named
as not checked. Nothing is posted and no connection is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from models.clock import Clock, SystemClock, monotonic
from notifiers.probing import PROBE_SECONDS, Addressee, Finding, finding
from notifiers.slack import scopes

NAME = "slack"
AT_A_TIME = 4
CLOCK_OFF_SECONDS = 5
"""Slack's Date header has whole seconds; more than this is our clock. At 300 s requests are refused."""
TROUBLE = (SlackClientError, aiohttp.ClientError, TimeoutError, OSError)
_PUT_OFF = frozenset({"ratelimited", "rate_limited"})
Ask = Callable[[], Awaitable[Any]]


class SlackProbe:
    """One look at Slack. `scrub` takes secrets out of a text; `seconds` bounds the whole."""

    def __init__(
        self,
        client: AsyncWebClient,
        scrub: Callable[[str], str],
        *,
        app_token: str | None = None,
        clock: Clock | None = None,
        seconds: float = PROBE_SECONDS,
    ) -> None:
        self._client = client
        self._scrub = scrub
        self._app_token = app_token
        self._clock = clock or SystemClock()
        self._ends = monotonic() + seconds
        self._gate = asyncio.Semaphore(AT_A_TIME)

    async def run(self, people: Sequence[Addressee]) -> list[Finding]:
        """All that is missing. Without a token that works nothing else can be asked."""
        try:
            answer = await self._asked(self._client.auth_test)
        except SlackApiError as error:
            return [self._found("token-refused", why=_error_name(error))]
        except TROUBLE as error:
            return [self._found("slack-unreachable", why=f"{type(error).__name__}: {error}".rstrip(": "))]
        found = [*self._scopes(answer.headers), *self._clock_off(answer.headers)]
        lacking = {one.subject for one in found if one.code == "scope-missing"}
        questions = [self._app(), *(self._address(one, lacking) for one in people)]
        for answers in await asyncio.gather(*questions):
            found += answers
        return list(dict.fromkeys(found))

    # -- one question each ----------------------------------------------------------------------------------

    def _scopes(self, headers: Any) -> list[Finding]:
        granted = _header(headers, "x-oauth-scopes")
        if granted is None:
            return [self._found("scopes-unknown")]
        return [self._found("scope-missing", one.name, one.why) for one in scopes.missing(granted)]

    def _clock_off(self, headers: Any) -> list[Finding]:
        """How far our clock is from Slack's, when it is too far."""
        try:
            theirs = parsedate_to_datetime(_header(headers, "date") or "")
        except ValueError:
            return []
        offset = (self._clock.now() - _aware(theirs)).total_seconds()
        return [self._found("clock-off", why=f"{offset:+.0f} s")] if abs(offset) > CLOCK_OFF_SECONDS else []

    async def _app(self) -> list[Finding]:
        """Whether Socket Mode opens; without an app-level token there is none to open."""
        token = self._app_token
        if not token:
            return []
        try:
            await self._asked(lambda: self._client.apps_connections_open(app_token=token))
        except TROUBLE as error:
            return [self._found("app-token-refused", why=_said(error))]
        return []

    async def _address(self, one: Addressee, lacking: set[str]) -> list[Finding]:
        person = one.address[:1] in {"U", "W"}
        needed = "users:read" if person else "channels:read"
        if needed in lacking:
            # Each would be refused for the same reason, which has been named.
            return [self._found("not-checked", why=needed)]
        subject = one.person or one.address
        try:
            return await (self._person(one, subject) if person else self._channel(one, subject))
        except TROUBLE as error:
            return [self._found("not-checked", subject, _said(error))]

    async def _person(self, one: Addressee, subject: str) -> list[Finding]:
        try:
            answer = await self._asked(lambda: self._client.users_info(user=one.address))
        except SlackApiError as error:
            if _error_name(error) in {"user_not_found", "user_not_visible"}:
                return [self._found("person-unknown", subject, one.address)]
            raise
        deleted = bool((answer.get("user") or {}).get("deleted"))
        return [self._found("person-deactivated", subject, one.address)] if deleted else []

    async def _channel(self, one: Addressee, subject: str) -> list[Finding]:
        try:
            answer = await self._asked(lambda: self._client.conversations_info(channel=one.address))
        except SlackApiError as error:
            if _error_name(error) == "channel_not_found":
                return [self._found("channel-unknown", subject)]
            raise
        channel = answer.get("channel") or {}
        if channel.get("is_archived"):
            return [self._found("channel-archived", subject)]
        return [] if channel.get("is_member") else [self._found("channel-not-joined", subject)]

    # -- pace and time --------------------------------------------------------------------------------------

    async def _asked(self, ask: Ask) -> Any:
        """The answer; asked once more if Slack puts it off. Raises TROUBLE, also when time is over."""
        async with self._gate:
            try:
                return await self._in_time(ask)
            except SlackApiError as error:
                if _error_name(error) not in _PUT_OFF:
                    raise
                pause = _retry_after(error)
                if monotonic() + pause >= self._ends:
                    raise
                await asyncio.sleep(pause)
                return await self._in_time(ask)

    async def _in_time(self, ask: Ask) -> Any:
        async with asyncio.timeout(max(0.0, self._ends - monotonic())):
            return await ask()

    def _found(self, code: str, subject: str = "", why: str = "") -> Finding:
        return finding(NAME, code, subject, self._scrub(why))


def _header(headers: Any, name: str) -> str | None:
    """A header of an answer, however the library spells its name."""
    return next((str(value) for key, value in dict(headers or {}).items() if key.lower() == name), None)


def _aware(instant: datetime) -> datetime:
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


def _error_name(error: SlackApiError) -> str:
    """Slack's word for what is wrong, or the HTTP status of an answer that is not Slack's."""
    data = getattr(error.response, "data", None)
    name = str(data.get("error") or "") if isinstance(data, dict) else ""
    return name or f"HTTP {getattr(error.response, 'status_code', None) or '?'}"


def _said(error: Exception) -> str:
    if isinstance(error, SlackApiError):
        return _error_name(error)
    return f"{type(error).__name__}: {error}".rstrip(": ")


def _retry_after(error: SlackApiError) -> float:
    text = _header(getattr(error.response, "headers", None), "retry-after") or ""
    return float(text) if text.isdecimal() else 1.0
