"""Prefect's API by plain HTTP: what imports nothing of Prefect's cannot be stopped by it."""

from __future__ import annotations

import asyncio
import base64
import http.client
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import orjson

from models.errors import HikeshiError

ANSWER_SECONDS = 1.0
WRITE_SECONDS = 5.0
"""What is written may take longer: it is asked only when the API has just answered."""
MAX_ANSWER_BYTES = 1_000_000


class ApiSilent(HikeshiError):
    """Prefect's API did not answer in time, or not in its language; see whether its server runs."""


class ApiRefused(HikeshiError):
    """Prefect's API answered that it will not; the message has its number and what was asked."""

    def __init__(self, status: int, asked: str) -> None:
        super().__init__(f"Prefect's API answered {status} to {asked}; see its server's log")
        self.status = status


class Api:
    """One API at its address (…/api). Every call is bounded by ANSWER_SECONDS or WRITE_SECONDS."""

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        """`environ` may name PREFECT_API_AUTH_STRING or PREFECT_API_KEY, as for Prefect's own programs."""
        self._parts = urlsplit(url)
        self._headers = {"Content-Type": "application/json", "Accept": "application/json", **_login(environ)}

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """What it answers, read as JSON. Raises ApiSilent, ApiRefused."""
        seconds = ANSWER_SECONDS if method == "GET" else WRITE_SECONDS
        try:
            async with asyncio.timeout(seconds):
                status, answer = await asyncio.to_thread(self._call, method, path, body, seconds)
            if status >= HTTPStatus.BAD_REQUEST:
                raise ApiRefused(status, f"{method} {path.partition('?')[0]}")
            return orjson.loads(answer) if answer else None
        except (OSError, TimeoutError, http.client.HTTPException, ValueError) as silent:
            raise ApiSilent(f"no answer from Prefect's API: {type(silent).__name__}") from silent

    def _call(self, method: str, path: str, body: object, seconds: float) -> tuple[int, bytes]:
        host, port = self._parts.hostname or "", self._parts.port
        connection: http.client.HTTPConnection
        if self._parts.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=seconds)
        try:
            content = orjson.dumps(body) if body is not None else None
            connection.request(method, self._parts.path + path, content, self._headers)
            answer = connection.getresponse()
            return answer.status, answer.read(MAX_ANSWER_BYTES)
        finally:
            connection.close()


def _login(environ: Mapping[str, str]) -> dict[str, str]:
    if basic := environ.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(basic.encode()).decode()}"}
    key = environ.get("PREFECT_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}
