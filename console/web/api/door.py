"""The door of the API: every operation at its address.

Short ones are done in the thread that draws the pages; what may take long in one of its own, so that nobody's
page waits for an export. Neither is the thread that takes alerts and pages people.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi.exception_handlers import http_exception_handler
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from console.cli.session import Given, Session
from console.opening import House
from console.operations.catalogue import Operation, operations
from console.operations.checking import defects
from console.operations.running import Answer, run
from console.visitor import Visitor
from console.web.api import events, tags
from console.web.api.answers import respond
from console.web.api.asked import Form, body_of, form, language, unusable, values_of
from console.web.api.events import Events
from console.web.api.identity import Identity
from console.web.api.openapi import written
from console.web.api.problems import STATUS, Problem
from console.web.api.requests import Requests, asked
from console.web.running import Station
from models.errors import BadInput, HikeshiError, NotFound, RecordError, RecordMoved, RecordUncertain
from models.premises import Outcome
from models.state import Incident

PREFIX = "/api/v1"
STATUS_OK = 200
VARY = "Accept, Accept-Language, Authorization, Cookie"
_log = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request for one operation, read and found in order."""

    request: Request
    visitor: Visitor
    operation: Operation
    values: Mapping[str, Any]
    form: Form


class Api:
    """What is served below `/api/v1`."""

    def __init__(self, station: Station, monotonic: Callable[[], float]) -> None:
        self.station = station
        self.identity = Identity(station.house, station.run, monotonic)
        self._lang = station.house.institution.settings.lang
        self._requests = Requests()
        self._events = Events(station, self.identity)

    def routes(self) -> list[BaseRoute]:
        """An address for each operation."""
        found: list[BaseRoute] = [
            Route(one.path, self.answering(partial(self._operation, one)), methods=[one.method])
            for one in operations().values()
        ]
        found.append(Route("/openapi.json", self._describe, methods=["GET"]))
        return [*found, Route(events.PATH, self.answering(self._listen), methods=["GET"])]

    def answering(self, handler: Handler) -> Handler:
        """The handler, with whatever goes wrong as a problem in the language of who asks."""

        async def answer(request: Request) -> Response:
            lang = self.language(request)
            try:
                response = await handler(request)
            except Problem as problem:
                response = problem.response(lang, request.url.path)
            except RecordUncertain as failed:
                _log.warning("%s: %s", request.url.path, failed)
                response = Problem("unknown-outcome").response(lang, request.url.path)
            except RecordError as failed:
                # Its words are for whoever runs the node, in one language; the answer has its own.
                _log.warning("%s was answered busy: %s", request.url.path, failed)
                response = Problem("busy").response(lang, request.url.path)
            response.headers.setdefault("Content-Language", lang)
            response.headers["Vary"] = VARY
            return response

        return answer

    def language(self, request: Request) -> str:
        """In which language it is answered."""
        return language(request, self._lang)

    async def unknown(self, request: Request, failed: Exception) -> Response:
        """An address or a method that there is none of, here and elsewhere."""
        assert isinstance(failed, HTTPException)  # noqa: S101 - it is registered for no other
        if not request.url.path.startswith(f"{PREFIX}/"):
            return await http_exception_handler(request, failed)
        kind = "method" if failed.status_code == STATUS["method"] else "no-address"
        return Problem(kind, headers=failed.headers).response(self.language(request), request.url.path)

    def broken(self, request: Request) -> Response:
        """A defect of ours: no word of it, and what to do all the same."""
        return Problem("internal").response(self.language(request), request.url.path)

    async def _describe(self, request: Request) -> Response:
        """What there is. It names no data, and whoever writes a program has no token yet: it is for all."""
        return Response(written(self.language(request)), media_type="application/json")

    async def _listen(self, request: Request) -> Response:
        visitor = await self.identity.visitor(request, self.language(request))
        return await self._events.open(request, visitor)

    async def _operation(self, operation: Operation, request: Request) -> Response:
        visitor = await self.identity.visitor(request, self.language(request))
        body = await body_of(request, operation)
        values = await values_of(request, operation, body)
        if wrong := defects(operation, values):
            raise unusable(wrong, operation, visitor.lang)
        call = Call(request=request, visitor=visitor, operation=operation, values=values, form=form(request))
        there = self.station.aside or self.station if operation.slow else self.station
        once = asked(request, visitor, body) if operation.writes else None
        if once is None:
            return await there.run(lambda: answered(there.house, call))
        desk = there.house.desk
        return await there.run(lambda: self._requests.once(desk, once, lambda: _settled(there.house, call)))


def _settled(house: House, call: Call) -> Response:
    """The answer, also if it is a no: sent again, it is the same no."""
    try:
        return answered(house, call)
    except Problem as problem:
        return problem.response(call.visitor.lang, call.request.url.path)


def answered(house: House, call: Call) -> Response:
    """Do it, in the thread of this house. Raises Problem."""
    stream = _known_incident(house, call)
    if stream is None:
        tags.expected(call.request, call.operation, str(call.values.get("incident", "")).upper())
        return respond(call.operation, _done(house, call), call.form, call.values)
    before = tags.head(house.desk, stream)
    wanted = tags.expected(call.request, call.operation, stream)
    standing = house.desk.expecting(stream, wanted) if wanted is not None else nullcontext()
    with _watching(house, stream) as written, standing:
        answer = _done(house, call)
    response = respond(call.operation, answer, call.form, call.values)
    if response.status_code != STATUS_OK:
        return response
    # What came from elsewhere meanwhile is not in the tag: whoever acts by it will then read again.
    seq = before
    while seq + 1 in written:
        seq += 1
    current = tags.tag(stream, seq, call.visitor, call.form)
    if not call.operation.writes and tags.unchanged(call.request, current):
        response = Response(None, 304)
    response.headers["ETag"] = current
    return response


@contextmanager
def _watching(house: House, stream: str) -> Iterator[set[int]]:
    """The sequences that are written to this stream in here, and by nobody else."""
    written: set[int] = set()

    def see(outcome: Outcome) -> None:
        written.update(fact.seq for fact in outcome.facts if fact.stream == stream)

    house.desk.after_commit.append(see)
    try:
        yield written
    finally:
        house.desk.after_commit.remove(see)


def _known_incident(house: House, call: Call) -> str | None:
    """The incident of the address, if there is one for this visitor: of another no tag tells anything."""
    if not call.operation.of_incident:
        return None
    session = Session(Given(house=house, visitor=call.visitor), "")
    state = house.desk.state(session.stream(str(call.values["incident"])))
    known = isinstance(state, Incident) and state.seq and session.reader.reading(state).some
    return state.stream if known else None


def _done(house: House, call: Call) -> Answer:
    """Run it. Raises Problem for what the command itself raised."""
    try:
        return run(house, call.visitor, call.operation, call.values, as_json=call.form.as_json)
    except RecordError:
        raise
    except RecordMoved as moved:
        raise Problem("moved") from moved
    except NotFound as gone:
        raise Problem("not-found", detail=str(gone)) from gone
    except BadInput as wrong:
        raise Problem("unusable", detail=str(wrong)) from wrong
    except HikeshiError as failed:
        raise Problem("refused", detail=str(failed)) from failed
