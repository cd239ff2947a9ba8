"""Who asks: by a token, or by the session of a browser whose page is ours. And how often they may.

Whoever is not known learns that and nothing else: the answer and its time are the same for a token that never
was, one that is over and one that was revoked. That somebody knocked is on record once a minute at most.
"""

from __future__ import annotations

import hmac
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from starlette.background import BackgroundTask
from starlette.requests import Request

from console.opening import House
from console.visitor import Visitor
from console.web.alerts import Bucket, RefusalBook
from console.web.api.problems import Problem
from console.web.running import Run
from console.web.security import known_hosts, same_origin
from console.web.sessions import Sessions
from console.web.tokens import visitor_of
from models.actor import Actor
from models.commands import RecordRefusal
from models.errors import RecordError

PER_MINUTE = 600
"""Requests of one token or session."""
PER_MINUTE_OF_PEER = 1_200
UNKNOWN_PER_MINUTE = 60
"""Requests of nobody known, from one address: guessing a token is hopeless, and hearing of it costs too."""
MOST_COUNTED = 2_000
MAX_TOKEN = 200
UNKNOWN_TOKEN = "unknown token"  # noqa: S105 - what is written down, not a token
_log = logging.getLogger(__name__)


class Counters:
    """A bucket for each of those who come; the one that came longest ago makes room."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float]) -> None:
        self._per_minute, self._monotonic = per_minute, monotonic
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, who: str) -> None:
        """Count one. Raises Problem if it is one too many."""
        bucket = self._buckets.pop(who, None) or Bucket(self._per_minute, self._monotonic)
        self._buckets[who] = bucket
        if len(self._buckets) > MOST_COUNTED:
            self._buckets.popitem(last=False)
        if wait := bucket.take():
            raise Problem("too-many", headers={"Retry-After": str(wait)})


class Identity:
    """The way in. `run` executes in the thread that has this house."""

    def __init__(self, house: House, run: Run, monotonic: Callable[[], float]) -> None:
        self._house, self._run = house, run
        self._sessions = Sessions(house)
        self._hosts = known_hosts(house.institution.settings)
        self._known = Counters(PER_MINUTE, monotonic)
        self._peers = Counters(PER_MINUTE_OF_PEER, monotonic)
        self._unknown = Counters(UNKNOWN_PER_MINUTE, monotonic)
        self._refusals = RefusalBook()

    async def visitor(self, request: Request, lang: str) -> Visitor:
        """Who asks. Raises Problem for nobody known, for another site's page, and for too many requests."""
        peer = request.client.host if request.client else "?"
        self._peers.take(peer)
        token = _bearer(request)
        if token is not None:
            found = await self._run(lambda: visitor_of(self._house, token, lang))
        else:
            found = await self._of_session(request, lang)
        if found is None:
            self._unknown.take(peer)
            raise self._refusal(peer, request)
        self._known.take(f"{found.door}:{found.key}")
        return found

    async def again(self, request: Request, visitor: Visitor) -> None:
        """Whether whoever listens is still let in. Raises Problem if not."""
        token = _bearer(request)
        if token is not None:
            found = await self._run(lambda: visitor_of(self._house, token, visitor.lang))
        else:
            cookie = request.cookies.get(self._sessions.cookie, "")
            found = await self._run(lambda: self._sessions.visitor(cookie))
        if found is None or found.viewer != visitor.viewer:
            raise Problem("unauthorised")

    async def _of_session(self, request: Request, lang: str) -> Visitor | None:
        cookie = request.cookies.get(self._sessions.cookie, "")
        found = await self._run(lambda: self._sessions.visitor(cookie)) if cookie else None
        if found is None or request.method in {"GET", "HEAD"}:
            return replace(found, lang=lang) if found is not None and same_origin_read(request) else None
        given = request.headers.get("x-csrf-token", "").encode("latin-1")
        if not hmac.compare_digest(given, found.csrf.encode()) or not same_origin(request, self._hosts):
            raise Problem("cross-site")
        return replace(found, lang=lang)

    def _refusal(self, peer: str, request: Request) -> Problem:
        """The record is written after the answer: the time that it takes tells nothing."""
        count = self._refusals.due(UNKNOWN_TOKEN, UNKNOWN_TOKEN, self._house.desk.clock.now())
        problem = Problem("unauthorised")
        if count:
            command = RecordRefusal(
                actor=Actor.machine("api"),
                refused="token:unknown",
                command="api",
                reason=UNKNOWN_TOKEN,
                detail=f"{peer} {request.url.path[:80]!r}",
                count=count,
            )
            problem.background = BackgroundTask(self._record, command)
        return problem

    async def _record(self, command: RecordRefusal) -> None:
        try:
            await self._run(lambda: self._house.desk.handle("house", command))
        except RecordError as failed:
            _log.error("a refusal of %s was not recorded: %s", command.refused, failed)


def same_origin_read(request: Request) -> bool:
    """Whether a look by a session's cookie comes from our own page, or from an address that was typed."""
    return request.headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}


def _bearer(request: Request) -> str | None:
    """The token that was sent, empty if it can be none; None if there is none."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return None
    token = value.strip()
    return token if scheme.lower() == "bearer" and len(token) <= MAX_TOKEN else ""
