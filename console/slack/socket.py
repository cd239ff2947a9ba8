"""Socket Mode: one connection out to Slack, watched. A connection that is lost or shared is said loudly.

Slack gives each press to one of an app's connections. If somebody else holds one, part of the presses go
there; if ours is gone, they are lost. Neither may be found out during an incident.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from models.clock import monotonic
from models.supervised import attempt_async, wait
from notifiers.slack.api import LOOPBACK

OURS = 1
GONE_AFTER_SECONDS = 15.0
LOOK_SECONDS = 1.0
AGAIN_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
PING_SECONDS = 5.0
AT_ONCE = 100
log = logging.getLogger("hikeshi.slack")


class Socket:
    """Holds one connection open until told to stop; `problem` says what is wrong with it, or is empty."""

    def __init__(self, app: AsyncApp, app_token: str, base_url: str) -> None:
        self._app = app
        self._app_token = app_token
        self._base_url = base_url
        self._handler: AsyncSocketModeHandler | None = None
        self._lost_at: float | None = monotonic()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        """How many connections Slack counts for this app, as of the last greeting."""
        self.error = ""
        self.reconnected = 0
        self.listeners: list[Callable[[], None]] = []

    @property
    def connected(self) -> bool:
        """Whether the connection is up."""
        return self._lost_at is None

    @property
    def problem(self) -> str:
        """What is wrong, for `hikeshi health` and the alarm; empty if nothing is."""
        if self._lost_at is not None and monotonic() - self._lost_at > GONE_AFTER_SECONDS:
            return f"no connection to Slack: presses do not arrive ({self.error or 'closed'})"
        if self.connections > OURS:
            return f"{self.connections} connections of this app: presses go to another process too"
        return ""

    async def run(self, stop: asyncio.Event) -> None:
        """Connect, watch, connect again, until `stop`."""
        tries = 0
        while not stop.is_set():
            tried = await attempt_async("slack socket", self._connect)
            if tried.error is None:
                tries = 0
                await self._watch(stop)
            else:
                self.error = type(tried.error).__name__
            await attempt_async("slack socket", self._disconnect)
            if not stop.is_set():
                await wait(stop, AGAIN_SECONDS[min(tries, len(AGAIN_SECONDS) - 1)])
                tries += 1
        await attempt_async("slack socket", self._disconnect)

    async def _connect(self) -> None:
        handler = AsyncSocketModeHandler(self._app, self._app_token, ping_interval=PING_SECONDS)
        client = handler.client
        # Listeners run one after the other: a dialog that is being checked must not hold up the next press.
        client.socket_mode_request_listeners[:] = [self._taken_up(handler)]
        client.on_message_listeners.append(self._greeted)
        if urlsplit(self._base_url).hostname in LOOPBACK:
            client.proxy = None
        self._handler = handler
        await handler.connect_async()  # type: ignore[no-untyped-call]
        if self._lost_at is not None:
            self.reconnected += 1
        self._lost_at, self.error = None, ""

    def _taken_up(self, handler: AsyncSocketModeHandler) -> Any:
        async def take(client: SocketModeClient, request: SocketModeRequest) -> None:
            async def handle() -> None:
                async with self._slots:
                    await attempt_async("slack press", lambda: handler.handle(client, request))

            task = asyncio.create_task(handle())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return take

    async def _greeted(self, message: Any) -> None:
        """Slack's greeting says how many connections the app has."""
        found = _json(message)
        if found.get("type") == "hello":
            count = found.get("num_connections")
            self.connections = count if isinstance(count, int) else OURS

    async def _watch(self, stop: asyncio.Event) -> None:
        """Until the connection is gone for good; the client renews what Slack closes by itself."""
        while not stop.is_set() and self._handler is not None:
            tried = await attempt_async("slack socket", self._handler.client.is_connected)
            up = tried.value is True
            if up:
                self._lost_at = None
            elif self._lost_at is None:
                self._lost_at = monotonic()
            elif monotonic() - self._lost_at > GONE_AFTER_SECONDS:
                self.error = "connection lost"
                return
            await wait(stop, LOOK_SECONDS)

    async def _disconnect(self) -> None:
        handler, self._handler = self._handler, None
        if self._lost_at is None:
            self._lost_at = monotonic()
        if handler is not None:
            await handler.client.close()  # type: ignore[no-untyped-call]


def _json(message: Any) -> dict[str, Any]:
    import orjson  # noqa: PLC0415 - once a connection

    try:
        found = orjson.loads(getattr(message, "data", message) or b"{}")
    except (orjson.JSONDecodeError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}
