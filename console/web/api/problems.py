"""What went wrong, as RFC 9457 has it: a status, a reason that programs can tell apart, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.background import BackgroundTask
from starlette.responses import Response

from console.texts import texts

MEDIA_TYPE = "application/problem+json"
STATUS: dict[str, int] = {
    "unauthorised": 401,
    "cross-site": 403,
    "read-only": 403,
    "forbidden": 403,
    "not-found": 404,
    "no-address": 404,
    "method": 405,
    "too-slow": 408,
    "refused": 409,
    "in-progress": 409,
    "unknown-outcome": 409,
    "moved": 412,
    "no-tag": 412,
    "too-large": 413,
    "media-type": 415,
    "not-json": 422,
    "unusable": 422,
    "reused": 422,
    "bad-key": 422,
    "too-many": 429,
    "internal": 500,
    "busy": 503,
}
"""Every kind of problem and its status. The texts of both languages have a title and advice for each."""
RETRY_SECONDS = "5"


class Problem(Exception):
    """A request that is not answered with what it asked for."""

    def __init__(
        self, kind: str, *, detail: str = "", headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        """`more`: `reason`, `do` and what else programs may want to know."""
        super().__init__(kind)
        self.kind, self.detail, self.more = kind, detail, more
        self.headers = dict(headers or {})
        self.background: BackgroundTask | None = None
        """What is done after the answer."""
        if kind == "busy":
            self.headers.setdefault("Retry-After", RETRY_SECONDS)
        if kind == "unauthorised":
            self.headers.setdefault("WWW-Authenticate", 'Bearer realm="hikeshi"')

    def body(self, lang: str, instance: str) -> dict[str, Any]:
        """As values of JSON."""
        words = texts(lang)
        found = {
            "type": f"urn:hikeshi:problem:{self.kind}",
            "title": words(f"api.problem.{self.kind}.title"),
            "status": STATUS[self.kind],
            "detail": self.detail or words(f"api.problem.{self.kind}.title"),
            "reason": self.kind.replace("-", " "),
            "do": words(f"api.problem.{self.kind}.do"),
            "instance": instance,
        }
        return found | {name: value for name, value in self.more.items() if value}

    def response(self, lang: str, instance: str) -> Response:
        """As an answer."""
        body = orjson.dumps(self.body(lang, instance), default=str)
        headers = {**self.headers, "Content-Language": lang}
        return Response(body, STATUS[self.kind], headers, MEDIA_TYPE, self.background)
