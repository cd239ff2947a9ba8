"""The same listeners over signed HTTP, for installations that may not open a socket to Slack.

A request counts if its signature is Slack's, is not older than five minutes, and was not seen before: Slack's
own check takes a copied request again within its window.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from console.web.security import TooLarge, TooSlow, read_body
from models.clock import monotonic

PATH = "/slack/events"
MAX_BODY = 1_048_576
WITHIN_SECONDS = 3.0
WINDOW_SECONDS = 660.0
"""Longer than a signature can count: five minutes to each side, clocks differ."""
MAX_SEEN = 20_000
MAX_HEADER = 200


class SignedDoor:
    """Takes what Slack posts. `refused` is told why a request was not taken, for the record."""

    def __init__(self, app: AsyncApp, signing_secret: str, refused: Callable[[str], None]) -> None:
        self._app = app
        self._verifier = SignatureVerifier(signing_secret)
        self._refused = refused
        self._seen: OrderedDict[str, float] = OrderedDict()

    async def post(self, request: Request) -> Response:
        """One request."""
        try:
            body = await read_body(request, MAX_BODY, WITHIN_SECONDS)
        except TooLarge:
            return self._no("too large", 413)
        except TooSlow:
            return self._no("too slow", 408)
        timestamp = request.headers.get("x-slack-request-timestamp", "")
        signature = request.headers.get("x-slack-signature", "")
        if not self._is_slacks(body, timestamp, signature):
            return self._no("not signed by Slack, or too old", 401)
        if self._was_seen(signature):
            # Answered as the first was: whoever copies a request learns nothing, and nothing is done twice.
            return self._no("sent before", 200)
        if not _is_text(body):
            return self._no("not text", 400)
        answer = await self._app.async_dispatch(to_async_bolt_request(request, body))
        return to_starlette_response(answer)

    def _is_slacks(self, body: bytes, timestamp: str, signature: str) -> bool:
        """Headers that are no headers of Slack's make its own check raise."""
        if not timestamp.isascii() or not timestamp.isdecimal() or len(timestamp) > MAX_HEADER:
            return False
        if not signature.isascii() or len(signature) > MAX_HEADER:
            return False
        try:
            return self._verifier.is_valid(body=body, timestamp=timestamp, signature=signature)
        except (ValueError, TypeError, UnicodeDecodeError):
            return False

    def _was_seen(self, signature: str) -> bool:
        now = monotonic()
        while self._seen and (
            next(iter(self._seen.values())) < now - WINDOW_SECONDS or len(self._seen) > MAX_SEEN
        ):
            self._seen.popitem(last=False)
        if signature in self._seen:
            return True
        self._seen[signature] = now
        return False

    def _no(self, why: str, status: int) -> Response:
        self._refused(why)
        return PlainTextResponse("" if status < 400 else "refused\n", status)  # noqa: PLR2004 - HTTP's errors


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
