"""The war room: pages for people who are logged in, and forms that do what commands do."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from console.opening import House
from console.operations.catalogue import Operation, operations
from console.operations.running import Answer, run
from console.texts import LANGUAGES
from console.views.refusals import advice, what
from console.views.sheet import Line
from console.visitor import Visitor
from console.web.asking import Ask
from console.web.assets import address
from console.web.frame import Page, drawn
from console.web.rendering import page as answer_page
from console.web.rendering import page_words, when, words
from console.web.running import Run
from console.web.security import TooLarge, TooSlow, known_hosts, read_body, same_origin
from console.web.sessions import COOKIE, Sessions
from models.errors import HikeshiError, NotFound, Refused
from models.fact import SYSTEM
from models.state import House as HouseState

MAX_FORM = 262_144
MAX_FIELDS = 200
FORM_WITHIN_SECONDS = 10.0
NAV = (("board", "/"), ("declare", "/declare"))
"""The navigation: the words of each, and where it leads."""
OWN = frozenset({"csrf", "next", "once"})
"""Fields of every form of ours, which are no fields of the command."""
T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


class Room:
    """The pages, and what their forms do. All work on the record is done in the front's thread, by `run`."""

    def __init__(self, house: House, run: Run, pages: Iterable[Page]) -> None:
        self.house, self.run = house, run
        self.pages = {page.name: page for page in pages}
        self.sessions = Sessions(house.desk)
        self._hosts = known_hosts(house.institution.settings)
        self._said: dict[str, list[Markup]] = {}

    def routes(self) -> list[BaseRoute]:
        """What the application serves of it."""
        shown: list[BaseRoute] = [
            Route(page.path, self._shower(page), methods=["GET"], name=name)
            for name, page in self.pages.items()
        ]
        return [*shown, Route("/do/{operation:path}", self.do, methods=["POST"])]

    # -- who ------------------------------------------------------------------------------------------------

    async def visitor(self, request: Request) -> Visitor | None:
        """Who asks, by the session of the cookie."""
        cookie = request.cookies.get(COOKIE, "")
        found = await self.run(lambda: self.sessions.visitor(cookie))
        lang = request.query_params.get("lang", "")
        if found is not None and lang in LANGUAGES and lang != found.lang:
            await self.run(lambda: self.sessions.speak(cookie, lang))
            return replace(found, lang=lang)
        return found

    def _to_login(self, request: Request) -> Response:
        return RedirectResponse(f"/login?next={quote(request.url.path)}", 303)

    # -- looking --------------------------------------------------------------------------------------------

    def _shower(self, page: Page) -> Handler:
        async def show(request: Request) -> Response:
            visitor = await self.visitor(request)
            if visitor is None:
                return self._to_login(request)
            ask = self.ask(page, visitor, request)
            try:
                values = await self.run(lambda: self._values(page, ask))
            except NotFound:
                return self.missing(visitor)
            except Refused as refused:
                said = refused
                return await self.run(lambda: self.kept_from(ask, said))
            return self._page(page, ask, values)

        return show

    def ask(self, page: Page, visitor: Visitor, request: Request) -> Ask:
        """What is asked for, of this page."""
        return Ask(
            house=self.house,
            visitor=visitor,
            page=page.name,
            subject=request.path_params.get("subject", ""),
            query=dict(request.query_params),
            csrf=visitor.csrf,
            item=request.path_params.get("item", ""),
        )

    def _values(self, page: Page, ask: Ask) -> dict[str, Any]:
        head = dict(page.head(ask))
        parts = {part.name: drawn(page, part, ask) for part in page.parts}
        return head | {"parts": parts, **self.around(ask)}

    def around(self, ask: Ask) -> dict[str, Any]:
        """What stands in the frame of every page."""
        organisation = self.house.desk.premises.organisation
        person = self.house.desk.directory.person(ask.visitor.person or "")
        return {
            "organisation": organisation.name.lang(ask.lang),
            "drill": self.house.desk.premises.drill,
            "now": when(ask.now, organisation.zone, ask.lang),
            "nav": NAV,
            "who": person.name.lang(ask.lang) if person else ask.visitor.name,
        }

    def _page(self, page: Page, ask: Ask, values: Mapping[str, Any]) -> Response:
        return answer_page(
            f"{page.name}/page.html",
            ask.lang,
            w=page_words(page.name, ask.lang),
            ask=ask,
            page=page,
            csrf=ask.csrf,
            said=self._said.pop(ask.visitor.key, []),
            asset=address,
            **values,
        )

    def missing(self, visitor: Visitor) -> Response:
        """There is none, or none for them: both look the same."""
        both = [(visitor.lang, words(visitor.lang)["gone"])]
        return answer_page("said.html", visitor.lang, 404, key="gone", both=both, back="/")

    def kept_from(self, ask: Ask, refused: Refused) -> Response:
        """It is there, and not for them: why, and what to do."""
        naming = ask.naming(HouseState(stream="house"))
        text = " ".join(say(naming, refused.reason, refused.detail) for say in (what, advice))
        both = [(ask.lang, {**words(ask.lang)["refused"], "text": text})]
        return answer_page("said.html", ask.lang, 403, key="refused", both=both, back="/")

    # -- doing ----------------------------------------------------------------------------------------------

    async def do(self, request: Request) -> Response:
        """A form: the command of its address, as the person of the session; then back to where they were."""
        visitor = await self.visitor(request)
        if visitor is None:
            return self._to_login(request)
        fields = await self._form(request, visitor)
        operation = operations().get(request.path_params["operation"].replace("/", " "))
        if fields is None or operation is None or not operation.writes:
            both = [(visitor.lang, words(visitor.lang)["refused"])]
            return answer_page("said.html", visitor.lang, 403, key="refused", both=both, back="/")
        try:
            answer = await self.run(lambda: run(self.house, visitor, operation, _given(operation, fields)))
        except HikeshiError as failed:
            answer = Answer(code=1, message=str(failed))
        self._said.setdefault(visitor.key, []).extend(_lines(answer))
        return RedirectResponse(_next(fields, answer), 303)

    async def _form(self, request: Request, visitor: Visitor) -> dict[str, list[str]] | None:
        """The fields of a form of this session's own page; None if it is not one."""
        try:
            body = await read_body(request, MAX_FORM, FORM_WITHIN_SECONDS)
            fields = parse_qs(
                body.decode("ascii"), max_num_fields=MAX_FIELDS, errors="strict", keep_blank_values=True
            )
        except (TooLarge, TooSlow, ValueError):
            return None
        given = fields.get("csrf", [""])[0]
        genuine = bool(visitor.csrf) and hmac.compare_digest(given.encode(), visitor.csrf.encode())
        return fields if genuine and same_origin(request, self._hosts) else None


def _given(operation: Operation, fields: Mapping[str, list[str]]) -> dict[str, Any]:
    """The command's fields out of a form's. `set.host=x` is one of the pairs of `set`."""
    many = {one.name for one in operation.fields if one.many}
    flags = {one.name for one in operation.fields if one.kind == "flag"}
    found: dict[str, Any] = {}
    for name, values in fields.items():
        base, dot, key = name.partition(".")
        if name in OWN:
            continue
        if dot and base in many:
            found.setdefault(base, []).extend(f"{key}={value}" for value in values if value)
        elif name in flags:
            found[name] = values[-1] not in {"", "no"}
        else:
            found[name] = [one for one in values if one] if name in many else values[-1]
    return found


def _next(fields: Mapping[str, list[str]], answer: Answer) -> str:
    """Where to go on: a page of ours and nothing else. `{stream}` stands for the record that was written."""
    wanted = fields.get("next", ["/"])[0]
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
    if not ours or not wanted.isprintable():
        return "/"
    if "{stream}" not in wanted:
        return wanted
    document = answer.document if isinstance(answer.document, dict) else {}
    stream = str(document.get("stream") or "") if answer.done else ""
    return wanted.replace("{stream}", stream) if stream else "/"


def _lines(answer: Answer) -> list[Markup]:
    """What was said, for the top of the next page: what was recorded, or why not and what to do."""
    document = answer.document if isinstance(answer.document, dict) else {}
    facts = [one for one in document.get("facts", []) if isinstance(one, dict) and one.get("actor") != SYSTEM]
    said = [("good", one.get("text", "")) for one in facts]
    said += [("bad", document.get("message", "")), ("plain", document.get("do", "")), ("bad", answer.message)]
    said += [(one.style, one.text) for one in (*answer.said, *answer.aside) if isinstance(one, Line)]
    return [Markup('<p class="said {0}">{1}</p>').format(style, text) for style, text in said if text]
