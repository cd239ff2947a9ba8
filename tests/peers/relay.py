"""What lies between Slack and the app: a relay that hands everything on, and can do what networks do.

local-slack delivers each envelope at once, to every connection, and has no shortcuts. The relay gives an
envelope to one connection, as Slack does, and on demand twice, or to nobody; it delivers envelopes of its own
(shortcuts), and asks for reconnection or just hangs up. The Web API passes through it unchanged.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import time
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
from aiohttp import web
from slack_sdk.signature import SignatureVerifier

Json = dict[str, Any]
ANSWER_SECONDS = 5.0
REMEMBERED = 10_000
MAX_BODY_BYTES = 50_000_000
PASSED_ON = ("Content-Type", "Authorization")


class Relay:
    """In front of the Slack at `upstream` (`http://host:port`). `lose` and `repeat` concern Socket Mode."""

    def __init__(self, upstream: str = "", *, token: str, signing_secret: str, request_url: str) -> None:
        self.upstream = upstream
        self.lose = 0
        """So many of the next envelopes never arrive, though the connection looks well."""
        self.repeat = 1
        """How often each envelope arrives."""
        self._token, self._signing_secret, self._request_url = token, signing_secret, request_url
        self._sockets: list[web.WebSocketResponse] = []
        self._seen: deque[str] = deque(maxlen=REMEMBERED)
        self._answers: dict[str, asyncio.Future[Json]] = {}
        self._minted: asyncio.Queue[Json] = asyncio.Queue()
        self._numbers = itertools.count(1)
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self.url = ""

    async def start(self) -> None:
        """Listen on a free port of loopback; `url` says which."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/socket/{name}", self._socket)
        app.router.add_post("/mint", self._mint)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._session = aiohttp.ClientSession()

    async def close(self) -> None:
        """Hang up on both sides."""
        await self.cut()
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def connections(self) -> int:
        """How many sockets of the app are open."""
        return len(self._sockets)

    async def cut(self) -> None:
        """Every socket of the app closes without a word."""
        for socket in list(self._sockets):
            await socket.close(code=1011)

    async def ask_to_reconnect(self, reason: str = "refresh_requested") -> None:
        """What Slack sends before it closes a connection: `warning`, `refresh_requested`, `link_disabled`."""
        for socket in list(self._sockets):
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "relay"}})

    async def minted(self) -> Json:
        """A slash command of the helper app as local-slack sent it: its trigger and response URL are good."""
        return await asyncio.wait_for(self._minted.get(), ANSWER_SECONDS)

    async def deliver(self, kind: str, payload: Json) -> Json | None:
        """An envelope (or signed POST) of our own, and the app's answer; None if none came in 5 seconds."""
        if self._request_url:
            return await self._post({"payload": json.dumps(payload)})
        if not self._sockets:
            return None
        number = f"relay-{next(self._numbers)}"
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        envelope = {"envelope_id": number, "type": kind, "payload": payload, "accepts_response_payload": True}
        await self._send(self._sockets[-1], json.dumps(envelope))
        try:
            return await asyncio.wait_for(answer, ANSWER_SECONDS)
        except TimeoutError:
            return None
        finally:
            del self._answers[number]

    async def post_signed(
        self, body: str, *, at: float | None = None, signature: str = ""
    ) -> tuple[int, str]:
        """POST a form to the app as Slack signs it at `at` (Unix seconds, now if None): status and text.

        With `signature` the POST is forged. Raises ValueError if the app takes no HTTP.
        """
        if not self._request_url or self._session is None:
            raise ValueError("the app takes Socket Mode; LocalSlack(request_url=...) makes it take HTTP")
        stamp = str(int(time.time() if at is None else at))
        signed = SignatureVerifier(self._signing_secret).generate_signature(timestamp=stamp, body=body)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": signature or signed or "",
        }
        async with self._session.post(self._request_url, data=body.encode(), headers=headers) as answer:
            return answer.status, await answer.text()

    async def _post(self, form: Mapping[str, str]) -> Json | None:
        status, text = await self.post_signed(urlencode(form))
        if status != 200:
            return None
        return dict(json.loads(text)) if text.startswith("{") else {}

    async def _mint(self, request: web.Request) -> web.Response:
        self._minted.put_nowait(dict(await request.post()))
        return web.Response()

    async def _api(self, request: web.Request) -> web.Response:
        assert self._session is not None
        kept = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        # The SDK writes false as 0, which local-slack takes for true.
        url = self.upstream + re.sub(r"\bis_private=0(&|$)", "", request.path_qs)
        async with self._session.request(
            request.method, url, data=await request.read(), headers=kept
        ) as answer:
            body, status = await answer.read(), answer.status
        if request.match_info["method"] == "apps.connections.open":
            found = json.loads(body)
            found["url"] = f"ws{self.url.removeprefix('http')}{urlsplit(found['url']).path}"
            body = json.dumps(found).encode()
        return web.Response(body=body, status=status, content_type="application/json")

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        assert self._session is not None
        ours = web.WebSocketResponse(max_msg_size=MAX_BODY_BYTES)
        await ours.prepare(request)
        upstream = f"ws{self.upstream.removeprefix('http')}{request.path}"
        async with self._session.ws_connect(upstream, max_msg_size=MAX_BODY_BYTES) as theirs:
            self._sockets.append(ours)
            pump = asyncio.create_task(self._down(theirs, ours))
            try:
                await self._up(ours, theirs)
            finally:
                self._sockets.remove(ours)
                pump.cancel()
                await asyncio.gather(pump, return_exceptions=True)
        return ours

    async def _down(self, theirs: aiohttp.ClientWebSocketResponse, ours: web.WebSocketResponse) -> None:
        async for frame in theirs:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            number = json.loads(frame.data).get("envelope_id")
            if number is None:
                await ours.send_str(frame.data)
            elif number not in self._seen:
                self._seen.append(number)
                await self._send(ours, frame.data)
        await ours.close()

    async def _send(self, ours: web.WebSocketResponse, envelope: str) -> None:
        if self.lose > 0:
            self.lose -= 1
            return
        for _ in range(self.repeat):
            await ours.send_str(envelope)

    async def _up(self, ours: web.WebSocketResponse, theirs: aiohttp.ClientWebSocketResponse) -> None:
        async for frame in ours:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            said = json.loads(frame.data)
            answer = self._answers.get(str(said.get("envelope_id")))
            if answer is None:
                await theirs.send_str(frame.data)
            elif not answer.done():
                answer.set_result(said.get("payload") or {})
