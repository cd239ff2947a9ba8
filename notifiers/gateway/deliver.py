"""Handing a short message to the gateway, under our key: what is sent again reaches a telephone once."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import aiohttp
import orjson

from models.clock import Clock, SystemClock
from models.targets import is_loopback
from notifiers.gateway import render
from notifiers.gateway.code import code_of_key
from notifiers.gateway.signing import signed_headers
from notifiers.message import Delivery, Failed, Message, Retry, Sent
from notifiers.rendering import clean

KEY_HEADER = "Idempotency-Key"
MAX_ANSWER = 16_384
MAX_RETRY_AFTER_SECONDS = 3_600.0
OK, CONFLICT, SERVER_ERROR = range(200, 300), 409, 500
RETRY: dict[int, Retry] = {408: "unclear", 425: "later", 429: "later", 503: "later"}
"""What a status says about sending again; others below 500 are a no for good, from 500 on it is unclear."""
_BEFORE_SENDING = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_UNCLEAR = (aiohttp.ClientError, TimeoutError, OSError)


class GatewayNotifier:
    """`name` is the channel; `sms` and `voice` go to the same `url`. `secret` signs and is never shown.

    `code_key` makes the codes that answers name; the door that takes them has the same.
    """

    can_read_back = False

    def __init__(
        self,
        name: Literal["sms", "voice"],
        *,
        url: str,
        secret: str,
        code_key: bytes,
        timeout_seconds: float = 10.0,
        clock: Clock | None = None,
    ) -> None:
        self.name: str = name
        self._url = url
        self._secret = secret.encode()
        self._code_key = code_key
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._clock = clock or SystemClock()
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"GatewayNotifier({self.name!r}, host={urlsplit(self._url).hostname!r})"

    async def deliver(self, message: Message) -> Delivery:
        if not message.address:
            return Failed(error="no telephone number; write `phone` in organisation.yaml", retry="never")
        body = self._body(message)
        headers = signed_headers(self._secret, body, self._clock.now())
        headers |= {KEY_HEADER: message.key, "Content-Type": "application/json"}
        try:
            async with self._connected().post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return await self._read(answer)
        except (aiohttp.InvalidURL, ValueError) as wrong:
            return Failed(error=f"{type(wrong).__name__}: the gateway's url cannot be used", retry="never")
        except _UNCLEAR as broken:
            before = isinstance(broken, _BEFORE_SENDING)
            return Failed(error=self._scrubbed(broken), retry="later" if before else "unclear")

    async def arrived(self, message: Message) -> Sent | None:
        """A telephone cannot be asked; always None."""
        return None

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _body(self, message: Message) -> bytes:
        code = code_of_key(self._code_key, message.key) if message.kind == "page" else ""
        short = (render.voice if self.name == "voice" else render.sms)(message, code)
        return orjson.dumps(
            {
                "channel": self.name,
                "to": message.address,
                "text": short.text,
                "lang": message.lang,
                "kind": message.kind,
                "key": message.key,
                "code": short.code,
                "drill": message.drill,
            }
        )

    def _connected(self) -> aiohttp.ClientSession:
        """One kept pool, made in the loop that uses it; a proxy of the environment is for other machines."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, trust_env=not is_loopback(self._url))
        return self._session

    async def _read(self, answer: aiohttp.ClientResponse) -> Delivery:
        if answer.status in OK or answer.status == CONFLICT:
            # 409: the gateway has had this key before, and that is all we want to know.
            return Sent(receipt=await _receipt(answer))
        retry = RETRY.get(answer.status, "unclear" if answer.status >= SERVER_ERROR else "never")
        wanted = answer.headers.get("Retry-After", "")
        after = min(float(wanted), MAX_RETRY_AFTER_SECONDS) if wanted.isdecimal() else None
        return Failed(error=f"gateway: HTTP {answer.status}", retry=retry, retry_after=after)

    def _scrubbed(self, error: Exception) -> str:
        """No word of the address: some gateways want a secret in it."""
        return f"{type(error).__name__} at {clean(urlsplit(self._url).hostname or '')}"[:300]


async def _receipt(answer: aiohttp.ClientResponse) -> str:
    """The gateway's own number for the message if it says one, else the status. Its lack is no failure."""
    try:
        found = orjson.loads(await answer.content.read(MAX_ANSWER))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        found = None
    number = found.get("id") if isinstance(found, dict) else None
    return clean(str(number))[:100] if isinstance(number, (str, int)) else f"HTTP {answer.status}"
