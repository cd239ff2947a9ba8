"""The web application of a node. It never writes by itself: all work on the record is handed to `run`."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, Router

from console import tracing
from console.opening import House
from console.web.alerts import AlertDoor
from console.web.api.door import PREFIX, Api
from console.web.assets import serve
from console.web.changes import Changes
from console.web.deciding import DONE, act, asked_of, said
from console.web.gateway import GatewayDoor
from console.web.links import Link, form_token, read, signing_key
from console.web.login.doors import LoginDoor
from console.web.pages import OutOfBand, acknowledge, decline, must_be_trusted, sheet, shown
from console.web.rendering import page, words
from console.web.room import Room
from console.web.rooms import PAGES
from console.web.running import Run, Station
from console.web.second import Second
from console.web.security import (
    HEADERS,
    Guard,
    TooLarge,
    TooSlow,
    known_hosts,
    only_by_tls,
    read_body,
    same_origin,
)
from console.web.watchdoor import WatchDoor
from models.clock import monotonic as system_monotonic
from models.errors import NotFound, RecordError, RecordUncertain

MAX_FORM = 65_536
"""Bytes of a form: a reason of 2,000 characters of Japanese takes nine bytes for each."""
Fields = Mapping[str, list[str]]
FORM_WITHIN_SECONDS = 10.0
RETRY_SECONDS = "5"
NOT_FOUND = 404
NOT_FOR_PEOPLE = ("/api/", "/static/")


def create_app(
    house: House,
    wake: Callable[[], None],
    run: Run,
    status: Callable[[], Mapping[str, Any]],
    monotonic: Callable[[], float] = system_monotonic,
    station: Station | None = None,
) -> FastAPI:
    """The application of an opened house.

    `run` executes a function in the thread that writes, `wake` tells the outbox that there is something,
    `status` says how the node is. `station` is where the war room stands; beside the node's own house if not
    given. Raises BadConfiguration if the key of the links cannot be
    used.
    """
    door = AlertDoor(house, run, wake, monotonic)
    pages = _Pages(house, run, wake, signing_key(house))
    telephone = GatewayDoor(house, run, wake, monotonic)
    closed = door.closed | telephone.closed
    station = station or Station(house=house, run=run, changes=Changes())
    watching = WatchDoor(station, run, house, status, closed)
    tracing.begin("pager", *watching.houses)
    station = replace(station, status=_with_closed(station.status, watching.closed))
    room = Room(station, PAGES)
    watching.besides = lambda: {"streams": len(room.hub.streams)}
    api = Api(station, monotonic)
    login = LoginDoor(room.house, room.run, signing_key(house), monotonic)
    app = FastAPI(
        routes=[
            Route("/api/alerts/{source}", door.post, methods=["POST"]),
            Route("/api/gateway", telephone.post, methods=["POST"]),
            Route("/p/{token}", pages.show, methods=["GET"]),
            Route("/p/{token}/ack", pages.ack, methods=["POST"]),
            Route("/p/{token}/decline", pages.decline, methods=["POST"]),
            Route("/p/{token}/code", pages.code, methods=["POST"]),
            Route("/p/{token}/act", pages.act, methods=["POST"]),
            Route("/health", watching.health, methods=["GET"]),
            Route("/ready", watching.ready, methods=["GET"]),
            Route("/metrics", watching.metrics, methods=["GET"]),
            Mount(PREFIX, app=Router(api.routes(), redirect_slashes=False)),
            Route("/static/{name:path}", serve, methods=["GET"]),
            *login.routes(),
            *room.routes(),
        ],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    settings = house.institution.settings
    app.add_middleware(Guard, hosts=known_hosts(settings), by_tls=only_by_tls(settings))
    app.add_exception_handler(HTTPException, partial(_unknown, api, room))
    app.add_exception_handler(RecordError, _record_failed)
    app.add_exception_handler(Exception, partial(_failed, api))
    return app


class _Pages:
    """Signed pages: reading shows, only the form acts."""

    def __init__(self, house: House, run: Run, wake: Callable[[], None], key: bytes) -> None:
        self._house, self._run, self._wake, self._key = house, run, wake, key
        self._hosts = known_hosts(house.institution.settings)
        self._second = Second(house, key)

    def _link(self, request: Request) -> Link:
        return read(self._key, request.path_params["token"], self._house.desk.clock.now())

    async def show(self, request: Request) -> Response:
        """The page, as it stands now."""
        token = request.path_params["token"]
        try:
            link = self._link(request)
            cookie = self._cookie(request)
            lang, values = await self._run(lambda: self._values(link, cookie))
        except NotFound:
            return _said("gone", 404)
        except OutOfBand:
            return _said("out-of-band", 403)
        return page("matter.html", lang, token=token, form=form_token(self._key, token), **values)

    def _cookie(self, request: Request) -> str:
        return request.cookies.get(self._second.sessions.cookie, "")

    def _values(self, link: Link, cookie: str) -> tuple[str, dict[str, Any]]:
        must_be_trusted(self._house, link)
        found = sheet(self._house, link)
        values = shown(self._house, found)
        asked = asked_of(found)
        # Whoever only acknowledges waits for none of this.
        second = self._second.standing(link, cookie) if asked else None
        return found.lang, values | {"asks": asked, "second": second, "wrong": [], "typed": {}}

    async def ack(self, request: Request) -> Response:
        """The button: recorded as the person in the link, then back to the page."""
        return await self._act(request, lambda link, fields: acknowledge(self._house, link))

    async def decline(self, request: Request) -> Response:
        """The other form: that person cannot take it, with a reason."""
        return await self._act(
            request, lambda link, fields: decline(self._house, link, fields.get("reason", [""])[0])
        )

    async def code(self, request: Request) -> Response:
        """Have a code sent by another channel than the link's."""

        def send(link: Link, fields: Fields) -> tuple[str, str]:
            must_be_trusted(self._house, link)
            return self._second.ask(link), ""

        return await self._decide(request, send)

    async def act(self, request: Request) -> Response:
        """Decide, approve, reject or pass a gate: by a session of that person's, or with the code."""
        cookie = self._cookie(request)

        def decide(link: Link, fields: Fields) -> tuple[str, str]:
            must_be_trusted(self._house, link)
            lang = sheet(self._house, link).lang
            visitor = self._second.shown(link, cookie, fields.get("code", [""])[0], lang)
            if isinstance(visitor, str):
                return visitor, ""
            answer = act(self._house, link, fields, visitor)
            if answer.code not in DONE:
                return "no", "\n".join(said(answer))
            self._second.used(link)
            return "", ""

        return await self._decide(request, decide)

    async def _decide(self, request: Request, work: Callable[[Link, Fields], tuple[str, str]]) -> Response:
        """Do it, then back to the page; what was refused stands on top of it, and what was typed is kept."""
        token = request.path_params["token"]
        try:
            link = self._link(request)
            fields = await self._from_the_page(request, token)
            if fields is None:
                return _said("refused", 403, back=f"/p/{token}")
            why, more = await self._run(lambda: work(link, fields))
            if not why:
                self._wake()
                return RedirectResponse(f"/p/{token}", 303)
            cookie = self._cookie(request)
            lang, values = await self._run(lambda: self._values(link, cookie))
        except NotFound:
            return _said("gone", 404)
        except OutOfBand:
            return _said("out-of-band", 403)
        lines = more.splitlines() if more else [words(lang)["second"][why]]
        kept = {name: one[0] for name, one in fields.items() if name not in {"form", "code"}}
        values |= {"wrong": lines, "typed": kept}
        form = form_token(self._key, token)
        return page("matter.html", lang, 403, token=token, form=form, **values)

    async def _act(self, request: Request, act: Callable[[Link, Fields], bool]) -> Response:
        token = request.path_params["token"]
        try:
            link = self._link(request)
            fields = await self._from_the_page(request, token)
            if fields is None:
                return _said("refused", 403, back=f"/p/{token}")
            queued = await self._run(lambda: act(link, fields))
        except NotFound:
            return _said("gone", 404)
        except OutOfBand:
            return _said("out-of-band", 403)
        if queued:
            self._wake()
        return RedirectResponse(f"/p/{token}", 303)

    async def _from_the_page(self, request: Request, token: str) -> Fields | None:
        """The fields of the form; None unless it came from the page itself."""
        try:
            body = await read_body(request, MAX_FORM, FORM_WITHIN_SECONDS)
            fields = parse_qs(body.decode("ascii"), max_num_fields=40, errors="strict")
        except (TooLarge, TooSlow, ValueError):
            return None
        given = fields.get("form", [""])[0]
        genuine = hmac.compare_digest(given.encode(), form_token(self._key, token).encode())
        return fields if genuine and same_origin(request, self._hosts) else None


def _with_closed(status: Callable[[], Mapping[str, Any]], closed: Mapping[str, str]) -> Callable[[], Any]:
    """What the node knows of itself, and which alert sources are closed for want of their secret."""
    return lambda: {**status(), "closed_sources": sorted(closed)}


def _said(key: str, status: int, back: str = "") -> HTMLResponse:
    """A short answer in both languages: it may not be known who reads it."""
    both = [(lang, words(lang)[key]) for lang in ("ja", "en")]
    return page("said.html", "ja", status, key=key, both=both, back=back)


async def _unknown(api: Api, room: Room, request: Request, failed: Exception) -> Response:
    """An address that there is none of: in the frame for whoever is logged in, else in both languages."""
    assert isinstance(failed, HTTPException)  # noqa: S101 - it is registered for no other
    path = request.url.path
    if failed.status_code != NOT_FOUND or path.startswith(NOT_FOR_PEOPLE):
        return await api.unknown(request, failed)
    return await room.missing(request) or _said("not-there", NOT_FOUND, back="/")


async def _record_failed(request: Request, failed: Exception) -> Response:
    """The record could not be written: the sender keeps what it has and tries again."""
    uncertain = isinstance(failed, RecordUncertain)
    if not request.url.path.startswith("/api/"):
        return _said("uncertain" if uncertain else "busy", 503)
    said = "the record cannot be written now; nothing was stored, send it again"
    if uncertain:
        said = "the database broke off, and nobody knows whether this was stored; send it again"
    body = {"error": said}
    return JSONResponse(body, 503, {"Retry-After": RETRY_SECONDS})


async def _failed(api: Api, request: Request, failed: Exception) -> Response:
    """Anything else: no word of it to the client. The server's log has it."""
    if request.url.path.startswith(f"{PREFIX}/"):
        response = api.broken(request)
        response.headers.update(HEADERS)
        return response
    return JSONResponse({"error": "internal error; see the node's log"}, 500, HEADERS)
