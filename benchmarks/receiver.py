"""The receiver that all of them post to: one HTTP server on the loopback address, in the measuring process.

It keeps what came and when, and can call somebody at a named instant: when a step's request has arrived and
is not answered yet, or when its answer has just left. That is where the kill matrix kills.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from models.clock import monotonic

Instant = Literal["arrived", "answered"]
MAX_POSTS = 100_000
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@dataclass(frozen=True, kw_only=True)
class Posted:
    """One request. `what` is the last part of its path, `key` its idempotency key."""

    what: str
    key: str
    at: float


class Receiver:
    """Serves while entered."""

    def __init__(self) -> None:
        self.posts: list[Posted] = []
        self.answered: list[str] = []
        self.port = 0
        self._trap: tuple[str, Instant, Callable[[], None]] | None = None
        self._came = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def url(self) -> str:
        """Where to post; the name of what is told follows."""
        return f"http://127.0.0.1:{self.port}/told"

    def trap(self, what: str, instant: Instant, call: Callable[[], None]) -> None:
        """Call once, when `what` has arrived, or right after its answer has left."""
        self._trap = (what, instant, call)

    @property
    def sprung(self) -> bool:
        """Whether the trap has been called."""
        return self._trap is None

    def count(self) -> Counter[str]:
        """How often each was told."""
        return Counter(post.what for post in self.posts)

    async def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until `done`, which is looked at whenever something comes; whether it came to that."""
        try:
            async with asyncio.timeout(seconds):
                while not done():
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            return False
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while len(self.posts) < MAX_POSTS:
                head = await reader.readuntil(b"\r\n\r\n")
                at = monotonic()
                lines = head.decode("latin-1").split("\r\n")
                fields = {
                    name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)
                }
                await reader.readexactly(int(fields.get("content-length", "0")))
                what = lines[0].split(" ")[1].rpartition("/")[2]
                self.posts.append(Posted(what=what, key=fields.get("idempotency-key", ""), at=at))
                if self._spring(what, "arrived"):
                    break  # whoever asked is dead
                writer.write(_ANSWER)
                await writer.drain()
                self.answered.append(what)
                self._spring(what, "answered")
                self._came.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has left, or was killed
        finally:
            writer.close()

    def _spring(self, what: str, instant: Instant) -> bool:
        if self._trap is None or self._trap[:2] != (what, instant):
            return False
        call, self._trap = self._trap[2], None
        call()
        return True
