"""The war room: pages for people who are logged in, and forms that do what commands do."""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from console.opening import House
from console.operations.catalogue import Operation, operations
from console.operations.files import Handed
from console.operations.running import Answer, run
from console.texts import LANGUAGES
from console.views.refusals import on_a_page
from console.views.sheet import Line
from console.visitor import Visitor
from console.web.asking import Ask
from console.web.assets import address
from console.web.changes import position
from console.web.forms import MAX_FORM, Form, NoForm, file_name, filed, given, must_have_file, read_form
from console.web.frame import Page, drawn
from console.web.going import ours
from console.web.kept import MAX_SESSIONS, Fields, Sent, Typed, typed_in
from console.web.live import Hub
from console.web.live import address as address_of
from console.web.rendering import page as answer_page
from console.web.rendering import page_words, when, words
from console.web.running import Station
from console.web.security import known_hosts, same_origin
from console.web.sessions import Sessions
from console.web.telling import now_of
from models.errors import HikeshiError, NotFound, Refused
from models.fact import SYSTEM
from models.record import STREAM
from models.state import House as HouseState
from models.state import Incident

NAV = (
    ("board", "/"),
    ("declare", "/declare"),
    ("oncall", "/oncall"),
    ("playbooks", "/playbooks"),
    ("services", "/services"),
    ("drill", "/drill"),
    ("programme", "/programme"),
    ("guideline", "/guideline"),
    ("figures", "/figures"),
    ("system", "/system"),
)
"""The navigation: the words of each, and where it leads. First what one needs at night, last what by day."""
IN_PRODUCTION, IN_DRILL = "programme", "drill"
"""What only the one or the other has: a drill's node knows nothing of the register of exercises."""
MOST_SAID = 100
"""Lines that wait for one session's next page."""
MAX_DIGITS = 12
STORED = frozenset({0, 3})
"""Codes of a command that was recorded: done, and done while nobody could be paged."""
_FIELD = re.compile(r"<(?:textarea|select|input type=\"(?!hidden))")
"""Something to type in or to choose from: a page that comes again by itself would take it away."""
_NOWHERE = Page(name="missing", path="")
"""Stands in the frame where there is no page."""
T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]


class Room:
    """The pages, and what their forms do. All work on the record is done in the front's thread, by `run`."""

    def __init__(self, station: Station, pages: Iterable[Page]) -> None:
        self.station = station
        self.house, self.run = station.house, station.run
        self.pages = {page.name: page for page in pages}
        self.sessions = Sessions(self.house)
        self.hub = Hub(station, self.sessions, self.pages)
        self._hosts = known_hosts(self.house.institution.settings)
        self._said: dict[str, list[Markup]] = {}
        self._typed, self._sent = Typed(), Sent()

    def routes(self) -> list[BaseRoute]:
        """What the application serves of it."""
        shown: list[BaseRoute] = [
            Route(page.path, self._shower(page), methods=["GET"], name=name)
            for name, page in self.pages.items()
        ]
        return [*shown, *self.hub.routes(), Route("/do/{operation:path}", self.do, methods=["POST"])]

    # -- who ------------------------------------------------------------------------------------------------

    async def visitor(self, request: Request) -> Visitor | None:
        """Who asks, by the session of the cookie."""
        cookie = request.cookies.get(self.sessions.cookie, "")
        found = await self.run(lambda: self.sessions.visitor(cookie))
        lang = request.query_params.get("lang", "")
        if found is not None and lang in LANGUAGES and lang != found.lang:
            await self.run(lambda: self.sessions.speak(cookie, lang))
            return replace(found, lang=lang)
        return found

    def _to_login(self, request: Request) -> Response:
        query = urlencode([one for one in request.query_params.multi_items() if one[0] != "lang"])
        wanted = request.url.path + (f"?{query}" if query else "")
        return RedirectResponse(f"/login?next={quote(wanted)}", 303)

    # -- looking --------------------------------------------------------------------------------------------

    def _shower(self, page: Page) -> Handler:
        async def show(request: Request) -> Response:
            visitor = await self.visitor(request)
            if visitor is None:
                return self._to_login(request)
            ask = self.ask(page, visitor, request)
            if whole := await self.run(lambda: _in_full(ask)):
                return RedirectResponse(_readdressed(request, whole), 303)
            self._typed.visit(visitor.key, request.url.path)
            ask = replace(ask, typed=self._typed.of(visitor.key))
            try:
                values = await self.run(lambda: self._values(page, ask))
            except NotFound:
                return await self.run(lambda: self._instead(ask, 404, words(ask.lang)["not-there"]))
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
            typed=self._typed.of(visitor.key),
            item=request.path_params.get("item", ""),
            standing=self.hub.standing,
        )

    def _values(self, page: Page, ask: Ask) -> dict[str, Any]:
        # Before anything is drawn: what is stored while we draw is sent again rather than not at all.
        with self.house.record.read() as tx:
            after = position(tx, page.streams(ask.subject)) if page.live else 0
        head = dict(page.head(ask))
        parts = {part.name: drawn(page, part, ask) for part in page.parts}
        return head | {
            "parts": parts,
            "live": address_of(page, ask, after),
            "writes": any(_FIELD.search(one) for one in parts.values()),
            **self.around(ask),
        }

    def around(self, ask: Ask) -> dict[str, Any]:
        """What stands in the frame of every page."""
        organisation = self.house.desk.premises.organisation
        person = self.house.desk.directory.person(ask.visitor.person or "")
        elsewhere = IN_DRILL if self.house.drill is None else IN_PRODUCTION
        return {
            "organisation": organisation.name.lang(ask.lang),
            "drill": self.house.desk.premises.drill,
            "now": when(ask.now, organisation.zone, ask.lang),
            "ticking": now_of(self.house),
            "zone": organisation.zone,
            "otherwise": urlencode([(name, one) for name, one in ask.query.items() if name != "lang"]),
            "nav": [one for one in NAV if one[0] != elsewhere],
            "who": person.name.lang(ask.lang) if person else ask.visitor.name,
        }

    def _page(self, page: Page, ask: Ask, values: Mapping[str, Any]) -> Response:
        said = self._said.pop(ask.visitor.key, [])
        return answer_page(
            f"{page.name}/page.html",
            ask.lang,
            w=page_words(page.name, ask.lang),
            ask=ask,
            page=page,
            csrf=ask.csrf,
            said=said,
            lost=_lost(ask, said),
            asset=address,
            **values,
        )

    async def missing(self, request: Request) -> Response | None:
        """To whoever is logged in: there is none, with a way on; None for anybody else."""
        visitor = await self.visitor(request)
        if visitor is None:
            return None
        ask = self.ask(_NOWHERE, visitor, request)
        return await self.run(lambda: self._instead(ask, 404, words(ask.lang)["not-there"]))

    def _instead(self, ask: Ask, status: int, said_of: Mapping[str, str]) -> Response:
        """What is said in place of a page. None, and none for them: both look the same."""
        around = self.around(ask)
        return answer_page(
            "missing.html",
            ask.lang,
            status,
            ask=ask,
            page=_NOWHERE,
            asset=address,
            said=[],
            lost=[],
            live="",
            writes=False,
            said_of=said_of,
            **around,
        )

    def kept_from(self, ask: Ask, refused: Refused) -> Response:
        """It is there, and not for them: why, and what to do."""
        naming = ask.naming(HouseState(stream="house"))
        text = " ".join(on_a_page(naming, refused.reason, refused.detail))
        return self._instead(ask, 403, {**words(ask.lang)["refused"], "text": text})

    # -- doing ----------------------------------------------------------------------------------------------

    async def do(self, request: Request) -> Response:
        """A form: the command of its address, as the person of the session; then back to where they were."""
        visitor = await self.visitor(request)
        form = await self._form(request, at_most=MAX_FORM if visitor is None else None)
        with closing(form or Form(fields={})):
            if visitor is None or form is None or not _is_own(form, visitor):
                return _not_recorded(form, visitor)
            operation = operations().get(request.path_params["operation"].replace("/", " "))
            if operation is None or not operation.writes:
                return _not_recorded(form, visitor)
            return await self._once(visitor, operation, form)

    async def _once(self, visitor: Visitor, operation: Operation, form: Form) -> Response:
        """Pressing twice, or sending the same again, does nothing twice, and says so."""
        number = self._sent.begin(visitor.key, operation.name, form.content)
        if number is None:
            self._say(visitor, [_line("warn", words(visitor.lang)["frame"]["twice"])])
            return RedirectResponse(_back(form), 303)
        done = False
        try:
            there = self.station.aside or self.station if operation.slow else self.station
            answer = await there.run(lambda: _run(there.house, visitor, operation, form))
            done = answer.code in STORED
        except HikeshiError as failed:
            answer = Answer(code=1, message=str(failed))
        finally:
            self._sent.end(number, done=done)
        return self._answered(visitor, operation, form, answer)

    def _answered(self, visitor: Visitor, operation: Operation, form: Form, answer: Answer) -> Response:
        """What was said stands on the next page; what was refused keeps what was typed."""
        if answer.file is not None:
            return _file(answer.file, form)
        said = _lines(answer)
        if answer.done and not said:
            said = [_line("good", words(visitor.lang)["room"]["done"])]
        self._say(visitor, said)
        if answer.code in STORED:
            self._typed.done(visitor.key, operation.name)
            return RedirectResponse(_next(form, answer), 303)
        self._typed.keep(visitor.key, operation.name, form.fields, said)
        return RedirectResponse(_back(form), 303)

    def _say(self, visitor: Visitor, lines: Iterable[Markup]) -> None:
        # A program that never looks at a page must not fill the memory with what is said to it.
        said = [*self._said.pop(visitor.key, []), *lines][-MOST_SAID:]
        self._said[visitor.key] = said
        if len(self._said) > MAX_SESSIONS:
            del self._said[next(iter(self._said))]

    async def _form(self, request: Request, at_most: int | None) -> Form | None:
        """A form of a page of ours; None if it is not one, or longer than `at_most`."""
        if not same_origin(request, self._hosts):
            return None
        declared = request.headers.get("content-length", "")
        short = declared.isascii() and declared.isdecimal() and len(declared) < MAX_DIGITS
        if at_most is not None and not (short and int(declared) <= at_most):
            return None
        try:
            return await read_form(request)
        except NoForm:
            return None


def _in_full(ask: Ask) -> str:
    """The incident's whole number, where only its last digits are given and one is there for them."""
    given = ask.subject
    if not (given.isascii() and given.isdecimal() and len(given) < MAX_DIGITS):
        return ""
    if not ask.page.startswith("incident"):
        return ""
    of_number = (STREAM.c.kind == "incident", STREAM.c.id.endswith(f"-{int(given):04d}"))
    with ask.house.record.read() as tx:
        names = [row[0] for row in tx.connection.execute(select(STREAM.c.id).where(*of_number))]
    states = ask.house.desk.readable(names)
    found = [one.stream for one in states if isinstance(one, Incident) and ask.reader.reading(one).some]
    return found[0] if len(found) == 1 else ""


def _readdressed(request: Request, whole: str) -> str:
    """The same address with the whole number."""
    path = request.url.path.replace(f"/{request.path_params['subject']}", f"/{whole}", 1)
    return path + (f"?{request.url.query}" if request.url.query else "")


def _is_own(form: Form, visitor: Visitor) -> bool:
    """Whether it was drawn for this session."""
    given = form.own("csrf").encode("utf-8", "replace")
    return bool(visitor.csrf) and hmac.compare_digest(given, visitor.csrf.encode())


def _not_recorded(form: Form | None, visitor: Visitor | None) -> Response:
    """Whoever sent it is logged out, or has logged in anew: it says so, and gives back what they typed.

    It is for whoever sent it, and goes nowhere: nobody else reads the answer.
    """
    key = "logged-out" if visitor is None else "not-ours"
    back = _back(form) if form is not None else "/"
    typed = typed_in(form.fields) if form is not None else {}
    langs = LANGUAGES if visitor is None else (visitor.lang,)
    return answer_page(
        "said.html",
        langs[0],
        403,
        key=key,
        both=[(lang, words(lang)[key]) for lang in langs],
        back=f"/login?next={quote(back)}" if visitor is None else back,
        typed=_named(typed, langs[0]),
    )


def _lost(ask: Ask, said: Sequence[Markup]) -> list[tuple[str, str]]:
    """What was typed into the form that has just been refused, if no form of the page shows it again."""
    fresh = any(line in said for line in ask.typed.said)
    return _named(ask.typed.without_a_place(), ask.lang) if fresh else []


def _named(typed: Fields, lang: str) -> list[tuple[str, str]]:
    """What was typed, each text under what its field is called."""
    called = page_words("acts", lang)["field"]
    plain = {name: name.removesuffix(".local").removesuffix(".text") for name in typed}
    return [
        (str(called.get(plain[name], name)), one) for name, values in typed.items() for one in values if one
    ]


def _file(made: Handed, form: Form) -> Response:
    """What a command has written, to be kept by the browser and not shown by it; called by what it is of."""
    with made.stream as stream:
        body = stream.read()
    of = [one for one in (form.own(each) for each in ("incident", "obligation", "stage")) if one]
    name = quote(file_name("-".join([*of, made.name])), safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(body, media_type=made.media_type, headers=headers)


def _back(form: Form) -> str:
    """Where the form was: it says so, or it is where it would go on."""
    wanted = ours(form.own("back") or form.own("next", "/"))
    return wanted if "{stream}" not in wanted else "/"


def _next(form: Form, answer: Answer) -> str:
    """Where to go on. `{stream}` stands for the record that was written."""
    wanted = ours(form.own("next", "/"))
    if "{stream}" not in wanted:
        return wanted
    document = answer.document if isinstance(answer.document, dict) else {}
    stream = str(document.get("stream") or "")
    return wanted.replace("{stream}", stream) if stream else "/"


def _run(house: House, visitor: Visitor, operation: Operation, form: Form) -> Answer:
    """In the thread that has this house."""
    must_have_file(operation, form, visitor.lang)
    zone = ZoneInfo(house.desk.premises.organisation.zone)
    with filed(operation, form) as files:
        return run(house, visitor, operation, given(operation, form, zone, visitor.lang) | files)


def _lines(answer: Answer) -> list[Markup]:
    """What was said, for the top of the next page: what was recorded, or why not and what to do."""
    document = answer.document if isinstance(answer.document, dict) else {}
    told = document.get("facts")  # a list of them from most commands, how many they are from some
    facts = told if isinstance(told, list) else []
    facts = [one for one in facts if isinstance(one, dict) and one.get("actor") != SYSTEM]
    said = [("good", one.get("text", "")) for one in facts]
    said += [("bad", document.get("message", "")), ("plain", document.get("do", "")), ("bad", answer.message)]
    said += [(one.style, one.text) for one in (*answer.said, *answer.aside) if isinstance(one, Line)]
    return [_line(style, text) for style, text in said if text]


def _line(style: str, text: str) -> Markup:
    return Markup('<p class="said {0}">{1}</p>').format(style, text)
