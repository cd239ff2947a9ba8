"""Handing one event to one receiver: signed, bounded, and to no place but the one in the settings."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import aiohttp
from msgspec import Struct

from models.clock import Clock
from models.hookqueue import EXCERPT
from models.targets import is_loopback
from notifiers.rendering import clean, cut
from notifiers.webhook.signing import signed_headers

BODY_MOST = 16_384
ANSWER_MOST = 1_024
OK, REDIRECTS = range(200, 300), range(300, 400)
AGENT = "Hikeshi-Webhook/1"


class Answer(Struct, frozen=True, kw_only=True):
    """What the receiver made of it. `status` is 0 if there was no answer; `error` is empty if it took it."""

    status: int = 0
    error: str = ""
    retry_after: float = 0
    excerpt: str = ""


class Receiver:
    """One place that is told. `keys` sign and are never shown."""

    def __init__(self, url: str, keys: Sequence[bytes], clock: Clock, timeout_seconds: float) -> None:
        self._url, self._keys, self._clock = url, tuple(keys), clock
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"Receiver(host={urlsplit(self._url).hostname!r})"

    async def tell(self, event: str, body: bytes) -> Answer:
        """Post it once; no redirect is followed, since only the settings say where events go."""
        if len(body) > BODY_MOST:
            return Answer(status=413, error=f"the event is larger than {BODY_MOST} bytes")
        headers = signed_headers(self._keys, event, body, self._clock.now())
        headers |= {"Content-Type": "application/json", "User-Agent": AGENT}
        try:
            async with self._connected().post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return await _read(answer)
        except TimeoutError:
            return Answer(error=f"no answer in {self._timeout.total:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as broken:
            # No word of the address: some receivers want a secret in it.
            host = clean(urlsplit(self._url).hostname or "")
            return Answer(error=f"{type(broken).__name__} at {host}"[:EXCERPT])

    async def close(self) -> None:
        """Let go of the connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _connected(self) -> aiohttp.ClientSession:
        """One kept pool; a proxy of the environment is for other machines."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, trust_env=not is_loopback(self._url))
        return self._session


async def _read(answer: aiohttp.ClientResponse) -> Answer:
    said = await answer.content.read(ANSWER_MOST)
    excerpt = cut(clean(said.decode("utf-8", "replace")), EXCERPT)
    if answer.status in OK:
        return Answer(status=answer.status, excerpt=excerpt)
    wanted = answer.headers.get("Retry-After", "")
    why = "a redirect, which is not followed" if answer.status in REDIRECTS else excerpt
    return Answer(
        status=answer.status,
        error=f"HTTP {answer.status} {why}".rstrip()[:EXCERPT],
        retry_after=float(wanted) if wanted.isdecimal() and len(wanted) < len("100000") else 0,
    )
