"""Logging in and out. A GET shows, only a form acts: whoever scans links in mails logs nobody in."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from console.cli.account import record_refusal
from console.opening import House
from console.texts import LANGUAGES
from console.web.assets import address
from console.web.going import ours
from console.web.login.local import Neighbour, is_open, neighbour
from console.web.login.oidc import CALLBACK, NotAdmitted, Oidc
from console.web.login.provider import ProviderFailed
from console.web.once import Once
from console.web.rendering import page as answer_page
from console.web.rendering import page_words
from console.web.running import Run
from console.web.security import TooLarge, TooSlow, known_hosts, read_body, same_origin
from console.web.sessions import Sessions, is_secure
from console.web.tokens import visitor_of
from console.web.turns import Turns
from models.actor import Actor
from models.errors import Refused
from models.organisation import Person
from models.reason import Reason

MAX_FORM = 4_096
FORM_WITHIN_SECONDS = 10.0
LINK = "login"
PER_PEER, FROM_ALL = 30, 600
"""Tries to log in, a minute."""
Fields = Mapping[str, str]


class LoginDoor:
    """The page of logging in and its forms."""

    def __init__(self, house: House, run: Run, key: bytes, monotonic: Callable[[], float]) -> None:
        """`key` signs the forms of the page: whoever sends one has read it."""
        self._house, self._run, self._key = house, run, key
        self._sessions, self._once = Sessions(house), Once(house)
        self._hosts = known_hosts(house.institution.settings)
        self._before = f"{self._sessions.cookie}-before"
        self._turns = Turns(PER_PEER, FROM_ALL, monotonic)
        self._oidc = Oidc(house, run, key, monotonic)

    def routes(self) -> list[BaseRoute]:
        """What the application serves of it."""
        return [
            Route("/login", self.show, methods=["GET"]),
            Route("/login/local", self.local, methods=["POST"]),
            Route("/login/token", self.token, methods=["POST"]),
            Route("/login/once/{token}", self.show_link, methods=["GET"]),
            Route("/login/once/{token}", self.use_link, methods=["POST"]),
            Route("/login/oidc", self.to_provider, methods=["GET"]),
            Route(CALLBACK, self.from_provider, methods=["GET"]),
            Route("/logout", self.logout, methods=["POST"]),
        ]

    # -- looking --------------------------------------------------------------------------------------------

    async def show(self, request: Request) -> Response:
        """The ways there are, each with one sentence."""
        return await self._page(request)

    async def _page(self, request: Request, status: int = 200, wrong: str = "", retry: int = 0) -> Response:
        lang = self._lang(request)
        found = await self._run(lambda: neighbour(self._house, request))
        given = {
            "neighbour": found,
            "local": is_open(self._house),
            "link": None,
            "provider": self._oidc.title,
            "next": ours(request.query_params.get("next", "/")),
            "wrong": wrong,
        }
        answer = self._answer(request, lang, status, **given)
        if retry:
            answer.headers["Retry-After"] = str(retry)
        return answer

    def _answer(self, request: Request, lang: str, status: int, **values: Any) -> Response:
        before = request.cookies.get(self._before, "")
        fresh = not before or len(before) > MAX_FORM
        before = secrets.token_urlsafe(24) if fresh else before
        organisation = self._house.desk.premises.organisation
        answer = answer_page(
            "login/page.html",
            lang,
            status,
            w=page_words("login", lang),
            asset=address,
            drill=self._house.desk.premises.drill,
            organisation=organisation.name.lang(lang),
            form=self._form(before),
            here=request.url.path,
            **values,
        )
        if fresh:
            secure = is_secure(self._house)
            answer.set_cookie(self._before, before, path="/", secure=secure, httponly=True, samesite="lax")
        return answer

    def _lang(self, request: Request) -> str:
        """The language asked for, else the first of the browser's that we have, else the institution's."""
        asked = request.query_params.get("lang", "")
        if asked in LANGUAGES:
            return asked
        for part in request.headers.get("accept-language", "")[:200].split(","):
            name = part.split(";")[0].strip().lower().partition("-")[0]
            if name in LANGUAGES:
                return name
        return self._house.institution.settings.lang

    async def show_link(self, request: Request) -> Response:
        """Whom a link would log in, and a button."""
        value = request.path_params["token"]
        held = await self._run(lambda: self._once.look(LINK, value))
        person = self._house.desk.directory.person(held.person or "") if held is not None else None
        if person is None:
            return await self._page(request, 404, "link-dead")
        return self._answer(
            request,
            self._lang(request),
            200,
            neighbour=None,
            local=False,
            provider="",
            link=person,
            next="/",
            wrong="",
        )

    # -- coming in ------------------------------------------------------------------------------------------

    async def local(self, request: Request) -> Response:
        """The account of this machine."""
        fields = await self._fields(request)
        if not isinstance(fields, dict):
            return fields
        found = await self._run(lambda: neighbour(self._house, request))
        person = _chosen(found, fields.get("person", ""))
        if found is None or person is None:
            return await self._no(request, "local", "not-known")
        return await self._enter(request, fields, found.way(person), person=person.id)

    async def use_link(self, request: Request) -> Response:
        """The button of a link's page: it is used up with it."""
        fields = await self._fields(request)
        if not isinstance(fields, dict):
            return fields
        value = request.path_params["token"]
        held = await self._run(lambda: self._once.take(LINK, value))
        if held is None or held.person is None:
            return await self._no(request, "link", "link-dead")
        by = str(held.data.get("by", held.person))
        way = "link" if by == held.person else f"link:by={by}"
        return await self._enter(request, fields, way, person=held.person)

    async def token(self, request: Request) -> Response:
        """An inspector's token: they look, and do nothing else."""
        fields = await self._fields(request)
        if not isinstance(fields, dict):
            return fields
        given = fields.get("token", "").strip()
        visitor = await self._run(lambda: visitor_of(self._house, given, self._lang(request)))
        if visitor is None or visitor.viewer.inspector is None:
            return await self._no(request, "token", "not-known")
        return await self._enter(request, fields, "token", inspector=visitor.viewer.inspector.id)

    async def to_provider(self, request: Request) -> Response:
        """Off to the provider: a link and no form, whose answer the browser would not let lead elsewhere.

        Nothing but a row for ten minutes comes of it.
        """
        before = request.cookies.get(self._before, "")
        if not before:
            return await self._page(request, 403, "not-ours")
        if wait := self._turns.take(_peer(request)):
            return await self._page(request, 429, "too-many", retry=wait)
        try:
            leads = await self._oidc.begin(before, ours(request.query_params.get("next", "/")))
        except ProviderFailed as failed:
            return await self._no(request, "oidc", "provider", f"oidc: {failed}", 502)
        return RedirectResponse(leads, 303)

    async def from_provider(self, request: Request) -> Response:
        """Back from there. What the provider says is asked of it by us, not taken from the browser."""
        if wait := self._turns.take(_peer(request)):
            return await self._page(request, 429, "too-many", retry=wait)
        try:
            came = await self._oidc.back(request.cookies.get(self._before, ""), request.query_params)
        except ProviderFailed as failed:
            return await self._no(request, "oidc", "provider", f"oidc: {failed}", 502)
        except NotAdmitted as no:
            return await self._no(request, "oidc", "not-admitted", f"oidc: {no}")
        return await self._enter(request, {"next": came.next}, came.way, person=came.person.id)

    async def _fields(self, request: Request) -> dict[str, str] | Response:
        """The fields of a form of our own page; an answer if it is none, or if it is tried too often."""
        if wait := self._turns.take(_peer(request)):
            return await self._page(request, 429, "too-many", retry=wait)
        try:
            body = await read_body(request, MAX_FORM, FORM_WITHIN_SECONDS)
            read = parse_qs(body.decode("ascii"), max_num_fields=10, errors="strict")
        except (TooLarge, TooSlow, ValueError):
            return await self._page(request, 403, "not-ours")
        fields = {name: values[0] for name, values in read.items()}
        before = request.cookies.get(self._before, "")
        genuine = hmac.compare_digest(fields.get("form", "").encode(), self._form(before).encode())
        if not before or not genuine or not same_origin(request, self._hosts):
            return await self._page(request, 403, "not-ours")
        return fields

    def _form(self, before: str) -> str:
        return hmac.new(self._key, b"hikeshi.login.v1\0" + before.encode(), "sha256").hexdigest()

    async def _no(
        self, request: Request, way: str, wrong: str, detail: str = "", status: int = 403
    ) -> Response:
        """Refused; the record says so, each way once a minute."""
        actor, command = Actor(person=None, name=_peer(request), via=f"web:{way}"), f"login {way}"
        await self._run(
            lambda: record_refusal(self._house.desk, actor, Reason.LOGIN_FAILED, command, detail=detail)
        )
        return await self._page(request, status, wrong)

    async def _enter(self, request: Request, fields: Fields, way: str, **who: str) -> Response:
        """A new session, whatever cookie came with the request; that one's session ends."""
        lang, old = self._lang(request), request.cookies.get(self._sessions.cookie, "")

        def enter() -> str | None:
            try:
                value = self._sessions.open(way, lang=lang, **who)
            except Refused:
                return None
            self._sessions.leave(old)
            return value

        value = await self._run(enter)
        if value is None:
            return await self._no(request, way.partition(":")[0], "not-known")
        answer = RedirectResponse(ours(fields.get("next", "/")), 303)
        self._sessions.give(answer, value)
        answer.delete_cookie(self._before, path="/", secure=is_secure(self._house), httponly=True)
        return answer

    # -- going ----------------------------------------------------------------------------------------------

    async def logout(self, request: Request) -> Response:
        """End the session, if the form is its own."""
        cookie = request.cookies.get(self._sessions.cookie, "")
        visitor = await self._run(lambda: self._sessions.visitor(cookie))
        answer = RedirectResponse("/login", 303)
        if visitor is not None:
            try:
                body = await read_body(request, MAX_FORM, FORM_WITHIN_SECONDS)
                fields = parse_qs(body.decode("ascii"), max_num_fields=10, errors="strict")
                given = fields.get("csrf", [""])[0]
            except (TooLarge, TooSlow, ValueError):
                given = ""
            genuine = hmac.compare_digest(given.encode(), visitor.csrf.encode())
            if not genuine or not same_origin(request, self._hosts):
                return await self._page(request, 403, "not-ours")
            await self._run(lambda: self._sessions.leave(cookie))
        self._sessions.take_back(answer)
        return answer


def _peer(request: Request) -> str:
    return request.client.host if request.client else "?"


def _chosen(found: Neighbour | None, wanted: str) -> Person | None:
    """Whom they come in as: the one they chose, if they may; else who they are."""
    if found is None:
        return None
    if not wanted:
        return found.choices[0]
    return next((one for one in found.choices if one.id == wanted), None)
