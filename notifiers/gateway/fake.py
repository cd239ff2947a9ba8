"""A gateway for SMS and voice that runs here: for tests, for the demo, and for trying a set-up.

    async with FakeGateway(secret="…") as gateway:
        notifier = GatewayNotifier("sms", url=gateway.url, secret=gateway.secret, code_key=key)
        ...
        assert [one.to for one in gateway.taken] == ["+818055550101"]
        headers, body = gateway.reply(gateway.taken[0], "4821")  # as a telephone would answer

It refuses what is not signed or not of now, sends a key once however often it comes, and misbehaves on
demand.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from types import TracebackType
from typing import Any, Literal, Self

import orjson
from aiohttp import web
from msgspec import Struct

from models.clock import Clock, SystemClock
from notifiers.gateway.deliver import KEY_HEADER
from notifiers.gateway.signing import signed_headers, unauthentic

MAX_TAKEN = 100_000


class Taken(Struct, frozen=True, kw_only=True):
    """One message that reached a telephone; the fields are those of the request."""

    id: str
    channel: str
    to: str
    text: str
    lang: str
    kind: str
    key: str
    code: str
    drill: bool


class Fault(Struct, frozen=True, kw_only=True):
    """One way to misbehave. `accepted` says whether the message was taken before it."""

    kind: Literal["reset", "hang", "status"]
    accepted: bool = False
    status: int = 500
    retry_after: str | None = None


class FakeGateway:
    """Serves on the loopback interface while entered; `url` and `secret` are for the client."""

    def __init__(self, secret: str = "gateway-secret-of-a-fake", clock: Clock | None = None) -> None:  # noqa: S107
        self.secret = secret
        self.taken: list[Taken] = []
        self.url = ""
        self._clock = clock or SystemClock()
        self._known: dict[str, Taken] = {}
        self._faults: deque[Fault] = deque()
        self._numbers = itertools.count(1)
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=65_536)
        app.router.add_post("/messages", self._post)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/messages"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def plan(self, *faults: Fault) -> None:
        """Misbehave in these ways, one request each, in this order."""
        self._faults.extend(faults)

    def reply(self, to: Taken, text: str, *, said_by: str = "", **more: Any) -> tuple[dict[str, str], bytes]:
        """Headers and body by which an answer to a message is handed over; `more` changes fields."""
        fields = {
            "id": f"r{next(self._numbers)}",
            "channel": to.channel,
            "from": said_by or to.to,
            "text": text,
        }
        if to.channel == "voice":
            # The gateway knows which call a key was pressed in; of an SMS it knows only the sender.
            fields["key"] = to.key
        body = orjson.dumps(fields | more)
        return signed_headers(self.secret.encode(), body, self._clock.now()), body

    async def _post(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        wrong = unauthentic(self.secret.encode(), request.headers, body, self._clock.now())
        if wrong:
            return web.json_response({"error": wrong}, status=401)
        fault = self._faults.popleft() if self._faults else None
        if fault is not None and not fault.accepted:
            return await self._misbehave(request, fault)
        taken = self._take(request.headers.get(KEY_HEADER, ""), orjson.loads(body))
        return (
            await self._misbehave(request, fault)
            if fault
            else web.json_response({"id": taken.id}, status=202)
        )

    def _take(self, key: str, fields: dict[str, Any]) -> Taken:
        """The message under this key, which reaches the telephone the first time only."""
        if key not in self._known:
            taken = Taken(id=f"m{next(self._numbers)}", **fields)
            self._known[key] = taken
            self.taken = [*self.taken, taken][-MAX_TAKEN:]
        return self._known[key]

    async def _misbehave(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "hang":
            await self._closing.wait()
        if fault.kind == "reset" and request.transport is not None:
            request.transport.abort()
        headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        return web.Response(status=fault.status, headers=headers)
