"""POST /api/alerts/{source}: who may send, how much, and what they are told.

Whoever is refused learns that they are, and not why: an unknown source and a wrong secret look alike. The
record has the reason.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import math
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console.gathering import Queue
from console.intake import Post, Received, receive_many
from console.opening import House, secrets_of
from console.web.running import Run
from console.web.security import TooLarge, TooSlow, read_body
from models.commands import Actor, RecordRefusal
from models.errors import BadConfiguration, RecordError
from models.installation import MAIL, Source

WINDOW = timedelta(minutes=5)
READ_WITHIN_SECONDS = 10.0
LEAST_CAP = 262_144
REFUSAL_EVERY = timedelta(minutes=1)
MOST_REFUSED = 200
UNKNOWN = "unknown source"
_SOON = {"Retry-After": "1"}
_UNAUTHORISED = {"error": "unauthorised; check the source's name, its secret and the clock"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Lock:
    """A source with its secret. The lock of no source has a secret that nobody knows."""

    source: Source | None
    secret: bytes
    closed: str = ""

    @property
    def name(self) -> str:
        """The source, in the record's words."""
        return self.source.id if self.source else UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An answer that is no: what the sender gets, and the reason that the record gets."""

    status: int
    reason: str
    body: Mapping[str, str]
    headers: Mapping[str, str]


class Bucket:
    """Tokens for one source: `per_minute` at most at once, coming back evenly."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float]) -> None:
        self._most = float(per_minute)
        self._per_second = per_minute / 60
        self._monotonic = monotonic
        self._tokens = self._most
        self._at = monotonic()

    def take(self) -> int:
        """0 if there was a token, else the seconds until there is one."""
        now = self._monotonic()
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0
        return math.ceil((1 - self._tokens) / self._per_second)


class RefusalBook:
    """Writes who was refused, each reason once a minute at most; what was held back is in the next count.

    It does not grow with those who knock: from the two hundredth within a minute on they share an entry.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], datetime] = {}
        self._held: dict[tuple[str, str], int] = {}

    def _key(self, who: str, reason: str, now: datetime) -> tuple[str, str]:
        if (who, reason) not in self._last and len(self._last) >= MOST_REFUSED:
            old = [key for key, at in self._last.items() if now - at >= REFUSAL_EVERY and not self._held[key]]
            for key in old:
                del self._last[key], self._held[key]
            if len(self._last) >= MOST_REFUSED:
                return "", reason
        return who, reason

    def due(self, who: str, reason: str, now: datetime) -> int:
        """How many refusals to write now, this one included; 0 for none yet."""
        key = self._key(who, reason, now)
        held = self._held.get(key, 0) + 1
        last = self._last.get(key)
        if last is not None and now - last < REFUSAL_EVERY:
            self._held[key] = held
            return 0
        self._last[key] = now
        self._held[key] = 0
        return held


class AlertDoor:
    """Where alerts come in. `closed` are the sources that have no secret, with what to do."""

    def __init__(self, house: House, run: Run, wake: Callable[[], None], monotonic: Callable[[], float]):
        self._house, self._run, self._wake = house, run, wake
        # A mailbox is read, never posted to.
        sources = [one for one in house.institution.intake.sources if one.format != MAIL]
        resolve = secrets_of(house.institution.directory)
        self._locks = {source.id: _lock(source, resolve) for source in sources}
        self._none = Lock(source=None, secret=secrets.token_bytes(32))
        self._cap = max((source.max_bytes for source in sources), default=LEAST_CAP)
        self._buckets = {source.id: Bucket(source.per_minute, monotonic) for source in sources}
        self._refusals = RefusalBook()
        self._queue = Queue(run, partial(receive_many, house))
        self.closed = {name: lock.closed for name, lock in self._locks.items() if lock.closed}

    async def post(self, request: Request) -> Response:
        """One alert: 202 when all of it is stored, else a refusal."""
        lock = self._locks.get(request.path_params["source"], self._none)
        try:
            # One bound for all, known or not, so that it tells nothing.
            body = await read_body(request, self._cap, READ_WITHIN_SECONDS)
        except TooLarge:
            return self._refuse(lock, request, _too_large(self._cap))
        except TooSlow:
            return JSONResponse({"error": "the body did not arrive in time; send it again"}, 408)
        refusal = self._refusal(lock, request, body)
        if refusal is not None or lock.source is None:
            return self._refuse(lock, request, refusal or _unauthorised(UNKNOWN))
        received = await self._queue.receive(Post(source=lock.source.id, body=body))
        if received is None:
            return JSONResponse({"error": "too much at once; nothing was stored, send it again"}, 503, _SOON)
        if any(one.outcome.queued for one in received.all()):
            self._wake()
        return JSONResponse(_answer(received), received.status)

    def _refusal(self, lock: Lock, request: Request, body: bytes) -> Refusal | None:
        wrong = unauthentic(lock, request.headers, body, self._house.desk.clock.now())
        if wrong or lock.source is None:
            return _unauthorised(wrong)
        if len(body) > lock.source.max_bytes:
            return _too_large(lock.source.max_bytes)
        wait = self._buckets[lock.source.id].take()
        return _too_many(wait) if wait else None

    def _refuse(self, lock: Lock, request: Request, refusal: Refusal) -> Response:
        """The record is written after the answer: the time it takes would tell known sources from unknown."""
        count = self._refusals.due(lock.name, refusal.reason, self._house.desk.clock.now())
        sender = request.client.host if request.client else "?"
        command = RecordRefusal(
            actor=Actor.machine("api"),
            refused=f"source:{lock.name}",
            command="ReceiveAlert",
            reason=refusal.reason,
            detail=f"{sender} {request.path_params['source'][:80]!r}",
            count=count,
        )
        later = BackgroundTask(self._record, command) if count else None
        return JSONResponse(dict(refusal.body), refusal.status, dict(refusal.headers), background=later)

    async def _record(self, command: RecordRefusal) -> None:
        try:
            await self._run(lambda: self._house.desk.handle("house", command))
        except RecordError as failed:
            _log.error("a refusal of %s was not recorded: %s", command.refused, failed)


def _answer(received: Received) -> dict[str, Any]:
    """What the sender is told: of the first alert, and if its post held more, of each."""
    said = [
        {"alert": one.alert, "incident": one.incident, "duplicate": one.duplicate} for one in received.all()
    ]
    return said[0] | ({"alerts": said} if len(said) > 1 else {})


def _lock(source: Source, resolve: Callable[[str], str]) -> Lock:
    """A source whose secret is missing stays shut, and says so; the others go on."""
    try:
        return Lock(source=source, secret=resolve(source.secret or "").encode())
    except BadConfiguration as missing:
        _log.warning("alerts from %s are refused: %s", source.id, missing)
        return Lock(source=source, secret=secrets.token_bytes(32), closed=str(missing))


def unauthentic(lock: Lock, headers: Mapping[str, Any], body: bytes, now: datetime) -> str:
    """Why the sender is not the source, empty if it is. Every check runs, whatever the answer will be."""
    bearer = _matches(_bearer(headers), lock.secret)
    stamp = headers.get("x-hikeshi-timestamp", "")
    mac = hmac.new(lock.secret, stamp.encode("latin-1") + b"." + body, hashlib.sha256).hexdigest()
    signed = _matches(headers.get("x-hikeshi-signature", ""), f"sha256={mac}".encode())
    fresh = _is_fresh(stamp, now)
    if lock.source is None:
        return UNKNOWN
    if lock.closed:
        return "secret not set"
    if lock.source.auth == "bearer":
        return "" if bearer else "wrong secret"
    if not signed:
        return "wrong signature"
    return "" if fresh else "signature out of its time"


def _bearer(headers: Mapping[str, Any]) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _matches(given: str, expected: bytes) -> bool:
    """In a time that depends on neither's content nor length."""
    # Headers come in as latin-1; this gives back the bytes that were sent.
    sent = given.encode("latin-1")
    return hmac.compare_digest(hashlib.sha256(sent).digest(), hashlib.sha256(expected).digest())


def _is_fresh(stamp: str, now: datetime) -> bool:
    """Unix seconds within five minutes of our clock: an old alert cannot be sent again by somebody else."""
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12):  # noqa: PLR2004 - a bound
        return False
    return abs(now.timestamp() - int(stamp)) <= WINDOW.total_seconds()


def _unauthorised(reason: str) -> Refusal:
    return Refusal(status=401, reason=reason, body=_UNAUTHORISED, headers={"WWW-Authenticate": "Bearer"})


def _too_large(limit: int) -> Refusal:
    body = {"error": f"larger than {limit} bytes; send less, or raise max_bytes in intake.yaml"}
    return Refusal(status=413, reason="too large", body=body, headers={"Connection": "close"})


def _too_many(wait: int) -> Refusal:
    body = {"error": f"too many alerts; try again in {wait} s, or raise per_minute in intake.yaml"}
    return Refusal(status=429, reason="too many", body=body, headers={"Retry-After": str(wait)})
