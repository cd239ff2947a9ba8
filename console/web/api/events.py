"""The facts of an incident as they are stored, for programs: server-sent events whose id is the sequence.

Whoever comes back with `Last-Event-ID` is given what came since, without a gap, also after the node has been
away: it is read from the record. Who asks, and what they may know of, is asked again before each batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from console.cli.account import record_refusal
from console.cli.looking import fact_json, readable
from console.cli.session import Given, Session
from console.rights import LOOKS
from console.visitor import Visitor
from console.web.api.identity import Identity
from console.web.api.problems import Problem
from console.web.running import Station
from models.access import may_look
from models.desk import HOUSE
from models.errors import HikeshiError, RecordError
from models.reason import Reason
from models.state import House as HouseState
from models.state import Incident

PATH = "/incidents/{incident}/events"
BATCH = 500
GATHER_SECONDS = 0.1
"""What is stored together is sent together."""
HEARTBEAT_SECONDS = 15.0
MOST, MOST_OF_ONE = 200, 5
SURFACE = "events"
MAX_DIGITS = 15
END = b"event: end\ndata: {}\n\n"
"""Nothing more will come: there is no such incident for whoever asks, or they are not let in any more."""


@dataclass(kw_only=True, eq=False)
class Listener:
    """One who listens. `seq` is the last fact that they know of."""

    visitor: Visitor
    stream: str
    seq: int
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Stream(StreamingResponse):
    """A stream that says when it is over, also if it never began."""

    def __init__(self, told: AsyncGenerator[bytes, None], over: Callable[[], None]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(told, 200, headers, "text/event-stream; charset=utf-8")
        self._over = over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._over()


class Events:
    """All who listen to incidents here."""

    def __init__(self, station: Station, identity: Identity) -> None:
        self._station, self._identity = station, identity
        self._listeners: set[Listener] = set()
        self._closed = False
        station.changes.listen(self._changed, self._wake, self.close)

    def _changed(self, streams: frozenset[str]) -> None:
        for one in self._listeners:
            if one.stream in streams:
                one.news.set()

    def _wake(self) -> None:
        for one in self._listeners:
            one.news.set()

    def close(self) -> None:
        """The node stops: whoever comes back to the next one misses nothing."""
        self._closed = True
        self._wake()

    async def open(self, request: Request, visitor: Visitor) -> Response:
        """Listen. Raises Problem if there is no such incident, or too many listen."""
        after = _after(request)
        self._must_have_room(visitor)
        reference = request.path_params["incident"]
        stream = await self._station.run(lambda: self._incident(visitor, reference))
        # Many may have come at once, and waited here together.
        self._must_have_room(visitor)
        listener = Listener(visitor=visitor, stream=stream, seq=after)
        self._listeners.add(listener)
        return Stream(self._told(listener, request), lambda: self._listeners.discard(listener))

    def _must_have_room(self, visitor: Visitor) -> None:
        mine = sum(one.visitor.key == visitor.key for one in self._listeners)
        if mine >= MOST_OF_ONE or len(self._listeners) >= MOST:
            raise Problem("too-many", headers={"Retry-After": "15"})

    async def _told(self, listener: Listener, request: Request) -> AsyncGenerator[bytes, None]:
        yield b"retry: 1000\n\n"
        while not self._closed:
            listener.news.clear()
            try:
                found = await self._news(listener, request)
            except RecordError:
                # It is not at an end: they come back, and go on where they were.
                return
            if found is None:
                yield END
                return
            yield found or b": \n\n"
            if not found:
                await _wait(listener.news)

    async def _news(self, listener: Listener, request: Request) -> bytes | None:
        """The facts since the last; None if they may not be told any more. Raises RecordError."""
        try:
            await self._identity.again(request, listener.visitor)
            return await self._station.run(lambda: self._read(listener))
        except RecordError:
            raise
        except (Problem, HikeshiError):
            return None

    # -- in the thread of the record ------------------------------------------------------------------------

    def _session(self, visitor: Visitor) -> Session:
        given = Given(lang=visitor.lang, json=True, house=self._station.house, visitor=visitor)
        return Session(given, SURFACE)

    def _incident(self, visitor: Visitor, reference: str) -> str:
        session = self._session(visitor)
        if not _may_look(session):
            record_refusal(session.desk, session.actor, Reason.ROLE_MISSING, SURFACE)
            raise Problem("forbidden", reason=Reason.ROLE_MISSING.value)
        stream = session.stream(reference)
        state = session.desk.state(stream)
        if not isinstance(state, Incident) or not state.seq or not session.reader.reading(state).some:
            record_refusal(session.desk, session.actor, Reason.NO_SUCH_INCIDENT, SURFACE, detail=stream[:80])
            raise Problem("not-found", reason=Reason.NO_SUCH_INCIDENT.value)
        session.reader.note(state)
        return stream

    def _read(self, listener: Listener) -> bytes | None:
        session = self._session(listener.visitor)
        state = session.desk.state(listener.stream)
        known = isinstance(state, Incident) and session.reader.reading(state).some
        if not known or not _may_look(session):
            return None
        with session.desk.record.read() as tx:
            facts = tx.facts(listener.stream, listener.seq)[:BATCH]
        if not facts:
            return b""
        naming = session.naming(state)
        seen = {one.seq: one for one in readable(session, listener.stream, facts, naming)}
        listener.seq = facts[-1].seq
        said = [_event(seq, orjson.dumps(fact_json(one, naming))) for seq, one in seen.items()]
        # The number of what is not theirs to see moves on all the same.
        return b"".join(said) or f"id: {listener.seq}\n: \n\n".encode()


def _may_look(session: Session) -> bool:
    """Whether they may read any log: the row of the command that shows one."""
    return may_look(LOOKS["log"], session.viewer, session.desk.world(HouseState(stream=HOUSE))).whole


async def _wait(news: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            await news.wait()
    await asyncio.sleep(GATHER_SECONDS)


def _event(seq: int, data: bytes) -> bytes:
    return b"id: %d\nevent: fact\ndata: %s\n\n" % (seq, data)


def _after(request: Request) -> int:
    """How far they have come: by what they were last sent, or by the address. Raises Problem."""
    given = request.headers.get("last-event-id") or request.query_params.get("after", "0")
    if not (given.isascii() and given.isdecimal() and len(given) <= MAX_DIGITS):
        raise Problem("unusable", detail="after, Last-Event-ID: 0 …")
    return int(given)
