"""What holds for every answer: which hosts we answer to, the headers, and a bound on what is read."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.clock import monotonic
from models.installation import Settings
from models.subject import working_on

log = logging.getLogger("hikeshi.web")

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, not bound to
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HSTS = "max-age=31536000"
"""A year in which browsers do not even try without TLS; said under the public name only."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
LONGEST_PATH = 200
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


class TooLarge(Exception):
    """More was sent than is read."""


class TooSlow(Exception):
    """The sender took too long, or went away."""


def known_hosts(settings: Settings) -> frozenset[str]:
    """Names this node answers to; any other is somebody's page that a resolver points at us."""
    found = set(LOOPBACK)
    if settings.host not in EVERYWHERE:
        found.add(settings.host.lower())
    public = _host_of(settings.public_url or "")
    return frozenset(found | ({public} if public else set()))


def only_by_tls(settings: Settings) -> str:
    """The host under which browsers are to use https alone; empty if there is none."""
    public = settings.public_url or ""
    return (_host_of(public) or "") if public.lower().startswith("https://") else ""


def _host_of(address: str) -> str | None:
    """The host in an address, lower case, without its port; None if there is none."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


class Guard:
    """Refuses unknown hosts, and puts the headers on all answers."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str], by_tls: str = "") -> None:
        self.app = app
        self.hosts = hosts
        self.by_tls = by_tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        request, begun = _request_id(scope), monotonic()
        with working_on(request=request):
            await self._answer(scope, receive, send, request)
            if log.isEnabledFor(logging.INFO):
                took = (monotonic() - begun) * 1000
                log.info("%s %s after %.0f ms", scope["method"], _shown(scope["path"]), took)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, request: str) -> None:
        names = Headers(scope=scope).getlist("host")
        host = _host_of(f"//{names[0]}") if len(names) == 1 else None

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request
                for name, value in HEADERS.items():
                    # Only what never changes says by itself how long it may be kept.
                    if name != "Cache-Control" or name not in headers:
                        headers[name] = value
                if self.by_tls and host == self.by_tls:
                    headers["Strict-Transport-Security"] = HSTS
            await send(message)

        if host not in self.hosts:
            refusal = PlainTextResponse("unknown host; add it to public_url in settings.toml\n", 421)
            await refusal(scope, receive, guarded)
            return
        await self.app(scope, receive, guarded)


def _request_id(scope: Scope) -> str:
    """As whoever stands before us names the request, if that is an id; else one of our own."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _shown(path: str) -> str:
    """The address for the log: what follows /p/ and /login/once/ lets somebody in."""
    for before in ("/p/", "/login/once/"):
        if path.startswith(before):
            return f"{before}…"
    return path[:LONGEST_PATH]


async def read_body(request: Request, limit: int, seconds: float) -> bytes:
    """The body, never more than `limit` bytes of it in hand. Raises TooLarge, TooSlow."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > len(str(limit)) or int(declared) > limit):
        raise TooLarge
    body = bytearray()
    async for chunk in within(request, seconds):
        body += chunk
        if len(body) > limit:
            raise TooLarge
    return bytes(body)


async def within(request: Request, seconds: float) -> AsyncIterator[bytes]:
    """The body as it comes. Raises TooSlow if it is not all there in time."""
    chunks = request.stream()
    ends = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            async with asyncio.timeout_at(ends):
                chunk = await anext(chunks, None)
        except (TimeoutError, ClientDisconnect) as gone:
            raise TooSlow from gone
        if chunk is None:
            return
        yield chunk


def is_local(request: Request) -> bool:
    """Whether somebody on this machine asks: by the peer, the Host it names, and no proxy between."""
    host = _host_of(f"//{request.headers.get('host', '')}")
    peer = request.client.host.removeprefix("::ffff:") if request.client else ""
    return peer in LOOPBACK and host in LOOPBACK and not any(name in request.headers for name in _FORWARDED)


def same_origin(request: Request, hosts: frozenset[str]) -> bool:
    """Whether a form was sent by a page of ours, as far as the browser says.

    Under our own `no-referrer` a browser writes `Origin: null` even for our pages, so `null` alone says
    nothing; browsers that send Sec-Fetch-Site say it there, and the form's token stands behind both.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    return origin is None or origin == "null" or _host_of(origin) in hosts
