"""Open pages kept up to date: what has changed is drawn once for all who may see the same, and sent.

A page is drawn again at most every `EVERY_SECONDS`, whatever happens in the meantime; each part is a mirror,
and the latest state wins. So nothing is lost: a browser says how far it has seen (the sequence of the
record), at first by the page's own address and then by its `Last-Event-ID`, and if the record is longer it is
given all parts as they are now. That holds over a restart of the node as well.

Who may see what is asked again at each drawing, and each second whether their session goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from console.visitor import Visitor
from console.web.asking import LOOK, Ask
from console.web.changes import Growth, position
from console.web.frame import Page, Part, drawn
from console.web.running import Station
from console.web.sessions import Sessions, digest
from console.web.stream import EventStream, Stream
from console.web.telling import now_of
from models.clock import monotonic
from models.desk import HOUSE
from models.errors import HikeshiError
from models.permission import TABLE
from models.restriction import Inspector
from models.state import House as HouseState
from models.supervised import attempt_async

EVERY_SECONDS = 0.8
"""Less than a second by what drawing and sending take: a fact is on the page within the second."""
GATHER_SECONDS = 0.03
"""What comes together is drawn together."""
WARDEN_SECONDS = 1.0
NODE_EVERY = 5
"""A page of how the node itself is comes anew after so many turns of the warden: no fact tells of it."""
MAX_STREAMS = 500
MAX_OF_SESSION = 4
"""A browser has six connections to a place, and has to have some left for what is pressed."""
MAX_QUERY = 1_000
NODE, NOW = "node", "now"
ITEM = "/item"
"""Under this name what a page shows of its subject goes with the query; no form can have a field of it."""
ANY = "*"
ENDED, GONE, MANY, FULL, BROKEN = "session", "gone", "many", "full", "broken"
Query = tuple[tuple[str, str], ...]
_Key = tuple[str, str, Query]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """The parts of a page as they are, and how long the record was before they were drawn."""

    position: int
    now: str
    parts: Mapping[str, str]


@dataclass(kw_only=True, eq=False)
class Group:
    """Those who have the same page open."""

    page: Page
    subject: str
    query: Query
    streams: set[Stream] = field(default_factory=set)
    shared: dict[object, Drawing] = field(default_factory=dict)
    """What was drawn of the parts that are alike for all who may see the same, by what they may see."""
    drawn_at: float = float("-inf")
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[object] | None = None
    stale: bool = False


def address(page: Page, ask: Ask, after: int) -> str:
    """Where a page that has been drawn is kept up to date; empty if it is not."""
    query = urlencode(_kept([*ask.query.items(), *([(ITEM, ask.item)] if ask.item else [])]))
    if page.live is None or len(query) > MAX_QUERY:
        return ""
    subject = f"/{quote(ask.subject, safe='')}" if ask.subject else ""
    asked = {"after": str(after)} | ({"q": query} if query else {})
    return f"/live/{page.name}{subject}?{urlencode(asked)}"


def _kept(query: Iterable[tuple[str, str]]) -> Query:
    return tuple(sorted((name, value) for name, value in query if name != "lang"))


class Hub:
    """All open pages of a node. In the event loop; what touches the record is handed to its thread."""

    def __init__(self, station: Station, sessions: Sessions, pages: Mapping[str, Page]) -> None:
        self._house, self._run, self._changes = station.house, station.run, station.changes
        self._sessions, self._pages, self._status = sessions, pages, station.status
        self._groups: dict[_Key, Group] = {}
        self._growth = Growth(station.house.record)
        self._looking: asyncio.Task[object] | None = None
        self._asked = False
        self._warden: asyncio.Task[object] | None = None
        self._came = 0
        self._closed = False
        # Stands in a form where the session's own token goes: forms are drawn once for a person.
        self._token = secrets.token_urlsafe(24)
        station.changes.listen(self.changed, self.look, self.close)

    def routes(self) -> list[BaseRoute]:
        """Where browsers come."""
        return [
            Route("/live/{page}", self.open, methods=["GET"]),
            Route("/live/{page}/{subject}", self.open, methods=["GET"]),
        ]

    @property
    def streams(self) -> list[Stream]:
        """Who has a page open."""
        return [stream for group in self._groups.values() for stream in group.streams]

    def standing(self) -> Mapping[str, Any]:
        """What the node last knew of itself, and how many pages are open."""
        return {**self._status(), "streams": len(self.streams)}

    # -- coming and going -----------------------------------------------------------------------------------

    async def open(self, request: Request) -> EventStream:
        """A browser that has drawn a page wants to know what changes. It is told why if it cannot be."""
        cookie = request.cookies.get(self._sessions.cookie, "")
        visitor = await self._run(lambda: self._sessions.visitor(cookie))
        page = self._pages.get(request.path_params["page"])
        stream = Stream(
            page=page or Page(name="", path=""),
            subject=request.path_params.get("subject", ""),
            query=_kept(parse_qsl(request.query_params.get("q", "")[:MAX_QUERY])),
            visitor=visitor or Visitor(),
            session=digest(cookie),
        )
        if visitor is None or page is None or page.live is None:
            stream.end(ENDED if visitor is None else GONE)
        elif self._closed or len(self.streams) >= MAX_STREAMS:
            stream.end("" if self._closed else FULL)
        else:
            self._enter(stream)
            await self._catch_up(stream, _seen(request))
        return EventStream(stream, self._leave)

    def _enter(self, stream: Stream) -> None:
        self._came += 1
        stream.number = self._came
        mine = [one for one in self.streams if one.session == stream.session and not one.closed]
        mine.sort(key=lambda one: one.number)
        for one in mine[: max(0, len(mine) + 1 - MAX_OF_SESSION)]:
            one.end(MANY)
            self._leave(one)
        key = (stream.page.name, stream.subject, stream.query)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(page=stream.page, subject=stream.subject, query=stream.query)
        group.streams.add(stream)
        if self._warden is None or self._warden.done():
            self._warden = asyncio.create_task(self._watch())

    def _leave(self, stream: Stream) -> None:
        key = (stream.page.name, stream.subject, stream.query)
        group = self._groups.get(key)
        if group is None or stream not in group.streams:
            return
        group.streams.discard(stream)
        if not group.streams:
            if group.timer is not None:
                group.timer.cancel()
            del self._groups[key]

    async def _catch_up(self, stream: Stream, seen: int) -> None:
        """Send what is now, unless the record is as the browser has it. It is in its group by now: what is
        stored from here on comes by itself."""
        await self._look()
        names = stream.page.streams(stream.subject)

        def far() -> tuple[int, str]:
            with self._house.record.read() as tx:
                return position(tx, names), now_of(self._house)

        long, now = await self._run(far)
        group = self._groups.get((stream.page.name, stream.subject, stream.query))
        if group is None or stream not in group.streams:
            return  # Another window of theirs has taken its place in the meantime.
        if long == seen:
            # Whoever comes back may have slept, and their clocks with them.
            stream.position = max(stream.position, long)
            stream.put(NOW, now)
        else:
            self._soon(group)

    # -- changes --------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Another process has written: find out in which streams, if anybody wants to know."""
        self._asked = True
        if self._groups and not self._closed and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(attempt_async("live", self._look))

    async def _look(self) -> None:
        self._asked = True
        while self._asked:
            self._asked = False  # whoever asks from here on is looked for again
            self._changes.grown(await self._run(partial(self._growth.since, self._changes.heard())))

    def changed(self, streams: frozenset[str]) -> None:
        """These have changed: the pages that show them are drawn again, soon."""
        incidents = any(name.startswith("INC-") for name in streams)
        for group in self._groups.values():
            wanted = group.page.streams(group.subject)
            if wanted & streams or (incidents and ANY in wanted):
                self._soon(group)

    def _soon(self, group: Group) -> None:
        group.stale = True
        if group.timer is not None or group.task is not None or self._closed:
            return
        pause = max(GATHER_SECONDS, group.drawn_at + EVERY_SECONDS - monotonic())
        group.timer = asyncio.get_running_loop().call_later(pause, self._begin, group)

    def _begin(self, group: Group) -> None:
        group.timer, group.stale, group.drawn_at = None, False, monotonic()
        group.task = asyncio.create_task(self._refresh(group))

    async def _refresh(self, group: Group) -> None:
        tried = await attempt_async(f"live {group.page.name}", lambda: self._draw_all(group))
        group.task = None
        if tried.error is not None:
            # Better no picture than an old one that looks like the present.
            for stream in tuple(group.streams):
                stream.end(BROKEN)
        elif group.stale and group.streams:
            self._soon(group)

    async def _draw_all(self, group: Group) -> None:
        alike: dict[tuple[object, ...], list[Stream]] = {}
        for stream in group.streams:
            who = stream.visitor
            alike.setdefault((who.viewer, who.roles, who.lang), []).append(stream)
        group.shared = {}
        for streams in alike.values():
            drawing = await self._run(lambda one=streams[0]: self._draw(group, one.visitor))  # type: ignore[misc]
            for stream in streams:
                if drawing is None:
                    stream.end(GONE)
                else:
                    self._give(stream, drawing)

    def _give(self, stream: Stream, drawing: Drawing) -> None:
        for name, html in drawing.parts.items():
            mark = hashlib.blake2b(html.encode(), digest_size=16).digest()
            if stream.sent.get(name) != mark:
                stream.sent[name] = mark
                stream.put(f"part-{name}", html.replace(self._token, stream.visitor.csrf))
        if stream.waiting:
            stream.position = drawing.position
            stream.put(NOW, drawing.now)

    # -- drawing, in the thread of the record ---------------------------------------------------------------

    def _draw(self, group: Group, visitor: Visitor) -> Drawing | None:
        """The page for one person; None if there is none for them any more."""
        page, inspector = group.page, visitor.viewer.inspector
        if inspector is not None and not self._still_in(inspector):
            return None
        ask = Ask(
            house=self._house,
            visitor=replace(visitor, csrf=self._token),
            page=page.name,
            subject=group.subject,
            query={name: value for name, value in group.query if name != ITEM},
            item=dict(group.query).get(ITEM, ""),
            csrf=self._token,
            standing=self.standing,
        )
        with self._house.record.read() as tx:
            far = position(tx, page.streams(group.subject))
        try:
            page.head(ask)
            sight = (ask.lang, ask.visitor.person if ask.is_vendor else "", *_seen_by(ask))
            common = group.shared.get(sight)
            if common is None:
                parts = {part.name: _html(page, part, ask) for part in page.parts if not part.personal}
                common = Drawing(position=far, now=now_of(self._house), parts=parts)
                group.shared[sight] = common
            own = {part.name: _html(page, part, ask) for part in page.parts if part.personal}
        except HikeshiError:
            return None
        return replace(common, parts={**common.parts, **own})

    def _still_in(self, inspector: Inspector) -> bool:
        """Whether somebody who was let in from outside has not been shut out since."""
        house = self._house.desk.state(HOUSE)
        return isinstance(house, HouseState) and house.inspectors.get(inspector.id) == inspector

    # -- the warden -----------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """As long as a page is open: end those whose session has ended, and look at the node itself."""
        turn = 0
        while self._groups and not self._closed:
            await asyncio.sleep(WARDEN_SECONDS)
            turn += 1
            await attempt_async("live", self._end_sessions)
            await attempt_async("live", self._tell_time)
            if not self._house.record.url.startswith("sqlite"):
                self.look()
            if turn % NODE_EVERY == 0:
                self.changed(frozenset({NODE}))

    async def _tell_time(self) -> None:
        """A drill's time is stopped, hurried and moved, and no fact of what a page shows tells of it."""
        if self._house.drill is None:
            return
        now = await self._run(lambda: now_of(self._house))
        for stream in self.streams:
            if stream.position and not stream.closed:
                stream.put(NOW, now)

    async def _end_sessions(self) -> None:
        open_ones = {stream.session for stream in self.streams}
        good = await self._run(lambda: self._good(open_ones))
        for stream in self.streams:
            if stream.session in open_ones - good:
                stream.end(ENDED)

    def _good(self, digests: set[str]) -> set[str]:
        return self._sessions.open_ones(digests)

    def close(self) -> None:
        """End all streams: the browsers come back when a node is there again."""
        self._closed = True
        for group in self._groups.values():
            if group.timer is not None:
                group.timer.cancel()
        for stream in self.streams:
            stream.end()
        if self._warden is not None:
            self._warden.cancel()


def _html(page: Page, part: Part, ask: Ask) -> str:
    return str(drawn(page, part, ask))


def _seen_by(ask: Ask) -> tuple[object, ...]:
    """What tells those apart who may not see the same."""
    inspector = ask.visitor.viewer.inspector
    rights = tuple(right for right in TABLE if right.startswith(LOOK) and ask.may(right))
    return (inspector.id if inspector is not None else "", rights, ask.reader.hidden())


def _seen(request: Request) -> int:
    """How far the browser has seen: by what it was last sent, else by the page that it has drawn."""
    given = request.headers.get("last-event-id") or request.query_params.get("after", "")
    return int(given) if given.isdecimal() and len(given) < 19 else -1  # noqa: PLR2004 - of 64 bits
