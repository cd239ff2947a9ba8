"""An open page: a stream of server-sent events to one browser, in which the latest state of a part wins."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.types import Receive, Scope, Send

from console.visitor import Visitor
from console.web.frame import Page

HEARTBEAT_SECONDS = 15.0
SLOW_SECONDS = 10.0
"""Whoever takes nothing for so long is let go: they come back and are given what is then."""
RETRY_MILLISECONDS = (500, 1_500)
"""When a browser comes back; spread, so that all do not come at once when a node has started again."""
OVER = "over"
"""The event after which a page is not kept up to date any more; its data says why."""
_HEAD = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


def event(name: str, data: str) -> str:
    """One event; each line of its data a line of its own."""
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {name}\n{lines}\n"


@dataclass(kw_only=True, eq=False)
class Stream:
    """One page that somebody has open. Of each part only the latest waits to be sent."""

    page: Page
    subject: str
    query: tuple[tuple[str, str], ...]
    visitor: Visitor
    session: str
    """The digest of the cookie."""
    sent: dict[str, bytes] = field(default_factory=dict)
    """Digests of the parts as they were last sent."""
    waiting: dict[str, str] = field(default_factory=dict)
    position: int = 0
    number: int = 0
    """Who came first."""
    over: str = ""
    closed: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, name: str, data: str) -> None:
        """To be sent next; what of the same name still waits is out of date."""
        self.waiting.pop(name, None)
        self.waiting[name] = event(name, data)
        self.news.set()

    def end(self, reason: str = "") -> None:
        """Send nothing more; with a `reason` the browser is told not to come back."""
        self.over, self.closed = self.over or reason, True
        self.news.set()

    def take(self) -> bytes:
        """What is to be sent now; a comment if there is nothing, so that the line stays open.

        The number comes last: whoever was cut off in the middle has not seen all of it.
        """
        self.news.clear()
        if self.over:
            return event(OVER, self.over).encode()
        if not self.waiting:
            return b": \n\n"
        said = "".join(self.waiting.values()) + f"id: {self.position}\n\n"
        self.waiting.clear()
        return said.encode()


class EventStream:
    """Sends a stream until it ends, its browser leaves or takes nothing any more."""

    def __init__(self, stream: Stream, left: Callable[[Stream], None]) -> None:
        self._stream, self._left = stream, left
        self._gone = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The answer."""
        watching = asyncio.create_task(self._watch(receive))
        try:
            await self._send(send)
        finally:
            watching.cancel()
            self._left(self._stream)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEAD})
        retry = random.randint(*RETRY_MILLISECONDS)  # noqa: S311 - nothing is to be kept secret by it
        said = f"retry: {retry}\n\n".encode()
        while not self._gone:
            try:
                async with asyncio.timeout(SLOW_SECONDS):
                    await send({"type": "http.response.body", "body": said, "more_body": True})
            except TimeoutError:
                return
            if self._stream.closed:
                if self._stream.waiting or self._stream.over:
                    body = self._stream.take()
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._stream.news.wait()
            said = b"" if self._stream.closed else self._stream.take()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self, receive: Receive) -> None:
        """Notice that the browser has left."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._stream.end()
