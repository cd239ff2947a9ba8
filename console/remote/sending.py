"""One request to a node, and again under the same key where it is not known whether it arrived.

Every write has an `Idempotency-Key`: the node does it once and answers the same, however often it is sent.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from console.remote.node import RemoteNode

PAUSES = (0.3, 1.0, 2.0)
"""Seconds between tries, of which there is one more."""
CONNECT_SECONDS = 5.0
READ_SECONDS, SLOW_SECONDS = 30.0, 600.0
WAIT_MOST = 5.0
MAX_ANSWER = 512 * 1024 * 1024
INTERNAL, SERVICE_UNAVAILABLE, BAD_GATEWAY, GATEWAY_TIMEOUT = 500, 503, 502, 504
BEFORE_THE_KEY = frozenset({401, 408, 429})
REDIRECTS = range(300, 400)
IN_PROGRESS = "urn:hikeshi:problem:in-progress"
UNKNOWN_OUTCOME = "urn:hikeshi:problem:unknown-outcome"
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)
Kind = Literal["unreachable", "unknown", "not-hikeshi", "redirected", "certificate", "too-large"]


class Lost(Exception):
    """There is no answer. `recorded` is False if nothing can have been recorded, None if nobody knows."""

    def __init__(self, kind: Kind, why: str = "", *, recorded: bool | None = False) -> None:
        super().__init__(kind)
        self.kind, self.why, self.recorded = kind, why, recorded


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be sent. `key` is empty for what only looks."""

    method: str
    path: str
    accept: str
    lang: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    key: str = ""
    slow: bool = False


@dataclass(frozen=True, kw_only=True)
class Received:
    """What came back, as it stands."""

    status: int
    kind: str
    body: bytes
    problem: Mapping[str, Any] = field(default_factory=dict)
    retry_after: float = 0.0


def send(node: RemoteNode, wanted: Wanted, sleep: Callable[[float], None] = time.sleep) -> Received:
    """The node's answer. Raises Lost after a bounded number of tries."""
    doubt, last = False, Lost("unreachable")
    with _client(node, wanted) as client:
        for pause in (*PAUSES, None):
            asked_for = 0.0
            try:
                received = _once(client, node, wanted)
            except Lost as lost:
                if lost.kind not in {"unreachable", "unknown"}:
                    if wanted.key and doubt:
                        # Whatever is in the way now: of the try before nobody knows.
                        raise Lost("unknown", lost.why, recorded=None) from None
                    raise
                doubt, last = doubt or lost.recorded is None, lost
            else:
                if pause is None or not _again(received):
                    return _believed(received, doubt)
                asked_for = received.retry_after
            if pause is not None:
                sleep(min(max(pause, asked_for), WAIT_MOST))
    if wanted.key and doubt:
        raise Lost("unknown", last.why, recorded=None)
    raise Lost("unreachable", last.why)


def _believed(received: Received, doubt: bool) -> Received:
    """A no from before the key is looked at says nothing of a try before whose answer was lost."""
    if doubt and (received.status in BEFORE_THE_KEY or received.status >= INTERNAL):
        raise Lost("unknown", f"HTTP {received.status}", recorded=None)
    if received.problem.get("type") in {IN_PROGRESS, UNKNOWN_OUTCOME}:
        raise Lost("unknown", str(received.problem.get("detail") or ""), recorded=None)
    return received


def _again(received: Received) -> bool:
    unavailable = {SERVICE_UNAVAILABLE, BAD_GATEWAY, GATEWAY_TIMEOUT}
    return received.status in unavailable or received.problem.get("type") == IN_PROGRESS


def _client(node: RemoteNode, wanted: Wanted) -> httpx.Client:
    """Verified always; a proxy of the environment is for other machines."""
    seconds = SLOW_SECONDS if wanted.slow else READ_SECONDS
    context: ssl.SSLContext | bool = True
    if node.url.startswith("https://"):
        try:
            context = ssl.create_default_context(cafile=node.ca)
        except OSError as wrong:
            raise Lost("certificate", f"{node.ca}: {type(wrong).__name__}") from None
    return httpx.Client(
        verify=context,
        timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS),
        trust_env=not node.here,
        follow_redirects=False,
    )


def _once(client: httpx.Client, node: RemoteNode, wanted: Wanted) -> Received:
    headers = {
        "Authorization": f"Bearer {node.token}",
        "Accept": wanted.accept,
        "Accept-Language": wanted.lang,
        "User-Agent": "hikeshi-cli",
    }
    if wanted.key:
        headers |= {"Idempotency-Key": wanted.key, "Content-Type": "application/json"}
    url = f"{node.url}/api/v1{wanted.path}"
    try:
        with client.stream(
            wanted.method, url, params=wanted.query, content=wanted.body or None, headers=headers
        ) as answer:
            return _received(answer, b"".join(_bounded(answer)))
    except _NOT_SENT as broken:
        if "certificate" in str(broken).lower():
            raise Lost("certificate", str(broken)) from None
        raise Lost("unreachable", type(broken).__name__) from None
    except httpx.InvalidURL as wrong:
        raise Lost("unreachable", type(wrong).__name__) from None
    except httpx.HTTPError as broken:
        raise Lost("unknown", type(broken).__name__, recorded=None) from None


def _bounded(answer: httpx.Response) -> Iterator[bytes]:
    size = 0
    for piece in answer.iter_bytes():
        size += len(piece)
        if size > MAX_ANSWER:
            raise Lost("too-large", recorded=None)
        yield piece


def _received(answer: httpx.Response, body: bytes) -> Received:
    import json  # noqa: PLC0415

    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if answer.status_code in REDIRECTS:
        raise Lost("redirected", f"HTTP {answer.status_code}")
    problem: Any = {}
    if kind == "application/problem+json":
        try:
            problem = json.loads(body)
        except ValueError:
            problem = {}
    wanted = answer.headers.get("retry-after", "")
    return Received(
        status=answer.status_code,
        kind=kind,
        body=body,
        problem=problem if isinstance(problem, dict) else {},
        retry_after=float(wanted) if wanted.isdecimal() and len(wanted) < len("1000") else 0.0,
    )
