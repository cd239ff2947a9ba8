"""The door of the API: every operation at its address.

Short ones are done in the thread that draws the pages; what may take long in one of its own, so that nobody's
page waits for an export. Neither is the thread that takes alerts and pages people.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from fastapi.exception_handlers import http_exception_handler
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from console.opening import House
from console.operations.catalogue import Operation, operations
from console.operations.checking import defects
from console.operations.running import Answer, run
from console.visitor import Visitor
from console.web.api.answers import respond
from console.web.api.asked import Form, body_of, form, language, unusable, values_of
from console.web.api.identity import Identity
from console.web.api.problems import STATUS, Problem
from console.web.running import Station
from models.errors import BadInput, HikeshiError, NotFound, RecordError

PREFIX = "/api/v1"
Handler = Callable[[Request], Awaitable[Response]]


class Api:
    """What is served below `/api/v1`."""

    def __init__(self, station: Station, monotonic: Callable[[], float]) -> None:
        self.station = station
        self._identity = Identity(station.house, station.run, monotonic)
        self._lang = station.house.institution.settings.lang

    def routes(self) -> list[BaseRoute]:
        """An address for each operation."""
        return [
            Route(one.path, self.answering(partial(self._operation, one)), methods=[one.method])
            for one in operations().values()
        ]

    def answering(self, handler: Handler) -> Handler:
        """The handler, with whatever goes wrong as a problem in the language of who asks."""

        async def answer(request: Request) -> Response:
            lang = language(request, self._lang)
            try:
                response = await handler(request)
            except Problem as problem:
                return problem.response(lang, request.url.path)
            except RecordError as failed:
                return Problem("busy", detail=str(failed)).response(lang, request.url.path)
            response.headers.setdefault("Content-Language", lang)
            response.headers["Vary"] = "Accept, Accept-Language, Authorization, Cookie"
            return response

        return answer

    async def unknown(self, request: Request, failed: Exception) -> Response:
        """An address or a method that there is none of, here and elsewhere."""
        assert isinstance(failed, HTTPException)  # noqa: S101 - it is registered for no other
        lang = language(request, self._lang)
        if not request.url.path.startswith(f"{PREFIX}/"):
            return await http_exception_handler(request, failed)
        kind = "method" if failed.status_code == STATUS["method"] else "no-address"
        return Problem(kind, headers=failed.headers).response(lang, request.url.path)

    async def _operation(self, operation: Operation, request: Request) -> Response:
        visitor = await self._identity.visitor(request, language(request, self._lang))
        body = await body_of(request, operation)
        values = await values_of(request, operation, body)
        if wrong := defects(operation, values):
            raise unusable(wrong, operation, request)
        wanted = form(request)
        there = self.station.aside or self.station if operation.slow else self.station
        answer = await there.run(lambda: done(there.house, visitor, operation, values, wanted))
        return respond(operation, answer, wanted, values)


def done(
    house: House, visitor: Visitor, operation: Operation, values: Mapping[str, Any], wanted: Form
) -> Answer:
    """Run it, in the thread of this house. Raises Problem for what the command itself raised."""
    try:
        return run(house, visitor, operation, values, as_json=wanted.as_json)
    except RecordError:
        raise
    except NotFound as gone:
        raise Problem("not-found", detail=str(gone)) from gone
    except BadInput as wrong:
        raise Problem("unusable", detail=str(wrong)) from wrong
    except HikeshiError as failed:
        raise Problem("refused", detail=str(failed)) from failed
