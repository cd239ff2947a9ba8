"""The facts of an incident as they are stored, for programs: server-sent events whose id is the sequence.

Whoever comes back with `Last-Event-ID` is given what came since, without a gap, also after the node has been
away: it is read from the record. Who asks, and what they may know of, is asked again before each batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from console.cli.account import record_refusal
from console.cli.looking import fact_json, readable
from console.cli.session import Given, Session
from console.visitor import Visitor
from console.web.api.identity import Identity
from console.web.api.problems import Problem
from console.web.running import Station
from models.errors import HikeshiError
from models.reason import Reason
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
        mine = sum(one.visitor.key == visitor.key for one in self._listeners)
        if mine >= MOST_OF_ONE or len(self._listeners) >= MOST:
            raise Problem("too-many", headers={"Retry-After": "15"})
        reference = request.path_params["incident"]
        stream = await self._station.run(lambda: self._incident(visitor, reference))
        listener = Listener(visitor=visitor, stream=stream, seq=after)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            self._told(listener, request), 200, headers, "text/event-stream; charset=utf-8"
        )

    async def _told(self, listener: Listener, request: Request) -> AsyncGenerator[bytes, None]:
        self._listeners.add(listener)
        try:
            yield b"retry: 1000\n\n"
            while not self._closed:
                listener.news.clear()
                found = await self._news(listener, request)
                if found is None:
                    yield END
                    return
                yield found or b": \n\n"
                if not found:
                    await _wait(listener.news)
        finally:
            self._listeners.discard(listener)

    async def _news(self, listener: Listener, request: Request) -> bytes | None:
        """The facts since the last; None if they may not be told any more."""
        try:
            await self._identity.again(request, listener.visitor)
            return await self._station.run(lambda: self._read(listener))
        except (Problem, HikeshiError):
            # Also if the record does not answer: they come back, and go on where they were.
            return None

    # -- in the thread of the record ------------------------------------------------------------------------

    def _session(self, visitor: Visitor) -> Session:
        given = Given(lang=visitor.lang, json=True, house=self._station.house, visitor=visitor)
        return Session(given, SURFACE)

    def _incident(self, visitor: Visitor, reference: str) -> str:
        session = self._session(visitor)
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
        if not isinstance(state, Incident) or not session.reader.reading(state).some:
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
