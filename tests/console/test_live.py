"""Open pages are kept up to date: what is sent when, to whom, and what ends it. Over a real server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest

from console.visitor import Visitor
from console.web import frame, live
from console.web.changes import Changes
from console.web.frame import Page
from console.web.sessions import Sessions, cookie_name, digest
from console.web.stream import EventStream, Stream, event
from models.clock import ExerciseClock
from models.commands import Actor, Declare, Note
from models.desk import Desk
from models.record import Record
from models.restriction import Restrict
from tests.browser.roomnode import Room, opened

MORI = Actor(person="mori-chie", via="test")
SATO = Actor(person="sato-kenji", via="test")
SECONDS = 20.0
"""The longest wait, on a machine that is busy; how fast it is, benchmarks/room.py measures."""


@dataclass(kw_only=True)
class Listener:
    """A browser without a screen: what it was sent, by the name of the event, with the last number."""

    client: httpx.AsyncClient
    events: list[tuple[str, str]] = field(default_factory=list)
    last: str = ""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self, url: str, headers: dict[str, str]) -> None:
        """Listen until the line ends."""
        with suppress(httpx.TransportError):
            async with self.client.stream("GET", url, headers=headers, timeout=30) as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                assert answer.headers["cache-control"] == "no-store"
                name, data = "", []
                async for line in answer.aiter_lines():
                    if line.startswith("event: "):
                        name = line[7:]
                    elif line.startswith("data: "):
                        data.append(line[6:])
                    elif line.startswith("id: "):
                        self.last = line[4:]
                    elif not line and name:
                        await self._add(name, "\n".join(data))
                        name, data = "", []
        self.ended.set()
        await self._add("end", "")

    async def _add(self, name: str, data: str) -> None:
        async with self.came:
            self.events.append((name, data))
            self.came.notify_all()

    async def until(self, name: str, text: str = "") -> str:
        """The first event of this name with this text in it. Raises TimeoutError."""

        def found() -> str | None:
            return next((data for one, data in self.events if one == name and text in data), None)

        async with asyncio.timeout(SECONDS), self.came:
            await self.came.wait_for(lambda: found() is not None)
        return found() or ""

    async def first(self) -> None:
        """Until anything at all has come: the hour is told on each connection, or why there is none."""
        async with asyncio.timeout(SECONDS), self.came:
            await self.came.wait_for(lambda: self.events)

    async def without(self, name: str, text: str) -> None:
        """Until the latest event of this name has not this text in it. Raises TimeoutError."""

        def gone() -> bool:
            latest = next((data for one, data in reversed(self.events) if one == name), text)
            return text not in latest

        async with asyncio.timeout(SECONDS), self.came:
            await self.came.wait_for(gone)


@asynccontextmanager
async def listening(
    room: Room, person: str, path: str, *, cookie: str = "", **headers: str
) -> AsyncIterator[Listener]:
    """Somebody with a page open."""
    value = cookie or await session(room, person)
    async with httpx.AsyncClient(base_url=room.url, trust_env=False) as client:
        one = Listener(client=client)
        task = asyncio.create_task(one.run(path, {"Cookie": f"{cookie_name(room.house)}={value}"} | headers))
        try:
            await one.first()
            yield one
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def session(room: Room, person: str) -> str:
    front = room.node.front
    assert front is not None
    return await front.run(lambda: Sessions(front.house).open("test", person=person))


async def after(room: Room, person: str, path: str) -> tuple[str, str]:
    """A page as it is drawn: where it is kept up to date, and the cookie."""
    value = await session(room, person)
    async with httpx.AsyncClient(base_url=room.url, trust_env=False) as client:
        text = (await client.get(path, headers={"Cookie": f"{cookie_name(room.house)}={value}"})).text
    found = re.search(r'sse-connect="([^"]+)"', text)
    assert found is not None
    return found[1].replace("&amp;", "&"), value


async def declare(room: Room, text: str) -> str:
    return str((await room.act(None, Declare(actor=SATO, text=text, severity="high"))).stream)


async def test_a_fact_is_on_an_open_page_within_a_second(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room:
        await declare(room, "first")
        address, cookie = await after(room, "mori-chie", "/")
        async with listening(room, "mori-chie", address, cookie=cookie) as one:
            begun = monotonic()
            await declare(room, "second")
            await one.until("part-open", "second")
            assert monotonic() - begun < 1.0
            assert int(one.last) > 0
            assert re.fullmatch(r"2026-11-2\dT\S+Z \d+", await one.until("now"))
            # Only what has changed is sent: no alert came, and all is as well as before.
            before = [name for name, _ in one.events]
            await room.act("INC-2026-0001", Note(actor=MORI, text="nothing that the board shows"))
            await asyncio.sleep(1.2)
            assert "part-alerts" not in [name for name, _ in one.events][len(before) :]


async def test_nothing_is_missed_between_the_page_and_its_stream_or_while_cut_off(
    tmp_path: Path, clock: ExerciseClock
) -> None:
    async with opened(tmp_path, clock) as room:
        address, cookie = await after(room, "mori-chie", "/")
        await declare(room, "in between")
        async with listening(room, "mori-chie", address, cookie=cookie) as one:
            await one.until("part-open", "in between")
            seen = one.last
        await declare(room, "while away")
        again = {"Last-Event-ID": seen}
        async with listening(room, "mori-chie", address, cookie=cookie, **again) as one:
            await one.until("part-open", "while away")
    async with opened(tmp_path, clock) as room:  # a node that has started anew
        again = {"Last-Event-ID": one.last}
        async with listening(room, "mori-chie", address, cookie=cookie, **again) as two:
            await asyncio.sleep(0.3)
            assert [name for name, _ in two.events if name == "part-open"] in ([], ["part-open"])
            await declare(room, "after the restart")
            assert "while away" in await two.until("part-open", "after the restart")


async def test_facts_that_come_fast_are_one_update_a_second(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room:
        address, cookie = await after(room, "mori-chie", "/")
        async with listening(room, "mori-chie", address, cookie=cookie) as one:
            begun = asyncio.get_running_loop().time()
            for number in range(20):
                await declare(room, f"storm {number}")
                await asyncio.sleep(0.08)
            await one.until("part-open", "storm 19")
            took = asyncio.get_running_loop().time() - begun
            assert sum(name == "part-open" for name, _ in one.events) <= took / live.EVERY_SECONDS + 2


async def test_what_another_process_wrote_is_seen(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room:
        address, cookie = await after(room, "mori-chie", "/")
        async with listening(room, "mori-chie", address, cookie=cookie) as one:
            await asyncio.to_thread(elsewhere, room)
            await one.until("part-open", "from elsewhere")


def elsewhere(room: Room) -> None:
    """Another connection to the same record, as the command line has one."""
    record = Record(room.house.record.url)
    Desk(record, room.house.desk.premises, room.house.desk.clock).handle(
        None, Declare(actor=SATO, text="from elsewhere")
    )
    record.close()


async def test_a_stream_ends_with_the_session_and_tells_why(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room:
        address, cookie = await after(room, "mori-chie", "/")
        front = room.node.front
        assert front is not None
        async with listening(room, "mori-chie", address, cookie=cookie) as one:
            await front.run(lambda: Sessions(front.house).end(digest(cookie)))
            assert await one.until("over") == "session"
            await asyncio.wait_for(one.ended.wait(), SECONDS)
        async with listening(room, "mori-chie", address, cookie=cookie) as one:
            assert await one.until("over") == "session"


async def test_whoever_is_barred_meanwhile_sees_no_more(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room:
        stream = await declare(room, "a matter of one of us")
        address, cookie = await after(room, "ogawa-sayuri", f"/incidents/{stream}")
        board, _ = await after(room, "ogawa-sayuri", "/")
        async with (
            listening(room, "ogawa-sayuri", address, cookie=cookie) as one,
            listening(room, "ogawa-sayuri", board, cookie=cookie) as two,
        ):
            restrict = Restrict(actor=SATO, reason="an insider", bar=("ogawa-sayuri",))
            assert (await room.act(stream, restrict)).accepted
            assert await one.until("over") == "gone"
            await two.without("part-open", stream)
        async with listening(room, "ogawa-sayuri", address, cookie=cookie) as one:
            assert await one.until("over") == "gone"


async def test_parts_for_all_are_drawn_once_and_forms_are_of_their_session(
    tmp_path: Path, clock: ExerciseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def counted(page: Any, part: Any, ask: Any) -> Any:
        drawn.append(part.name)
        return real(page, part, ask)

    real = frame.drawn
    monkeypatch.setattr(live, "drawn", counted)
    async with opened(tmp_path, clock) as room:
        cookies = [await session(room, "nakamura-yui") for _ in range(3)] + [await session(room, "mori-chie")]
        listeners = [listening(room, "", "/live/board", cookie=one) for one in cookies]
        async with listeners[0] as one, listeners[1] as two, listeners[2] as three, listeners[3] as four:
            # What each was given on coming has been drawn by then.
            await asyncio.sleep(2 * live.EVERY_SECONDS)
            drawn.clear()
            await declare(room, "seen by all")
            texts = [await each.until("part-open", "seen by all") for each in (one, two, three, four)]
            assert len(set(texts)) == 1
            forms = [await each.until("part-mine", "/do/ack") for each in (one, two)]
            tokens = {found for form in forms for found in re.findall(r'name="csrf" value="([^"]+)"', form)}
            assert len(tokens) == 2
            rounds = drawn.count("open")
            assert drawn.count("mine") == 2 * rounds  # once for each person, not for each of four windows


async def test_streams_are_bounded(
    tmp_path: Path, clock: ExerciseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_OF_SESSION", 2)
    async with opened(tmp_path, clock) as room:
        value = await session(room, "mori-chie")
        async with (
            listening(room, "", "/live/board", cookie=value) as one,
            listening(room, "", "/live/board", cookie=value) as two,
            listening(room, "", "/live/board", cookie=value),
        ):
            assert await one.until("over") == "many"
            assert not two.ended.is_set()
            monkeypatch.setattr(live, "MAX_STREAMS", 2)
            async with listening(room, "sato-kenji", "/live/board") as more:
                assert await more.until("over") == "full"
            async with listening(room, "sato-kenji", "/live/declare") as none:
                assert await none.until("over") == "gone"


async def test_a_node_with_open_pages_stops_at_once(tmp_path: Path, clock: ExerciseClock) -> None:
    async with (
        opened(tmp_path, clock) as room,
        listening(room, "mori-chie", "/live/board") as one,
        listening(room, "sato-kenji", "/live/board"),
    ):
        begun = monotonic()
        room.node.stop.set()
        await asyncio.wait_for(one.ended.wait(), SECONDS)
        assert monotonic() - begun < 2.0


async def test_whoever_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.web.stream.SLOW_SECONDS", 0.05)
    left: list[Stream] = []
    stream = Stream(page=Page(name="x", path="/x"), subject="", query=(), visitor=Visitor(), session="")

    async def never() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    async def stuck(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(60)

    await asyncio.wait_for(EventStream(stream, left.append)({}, never, stuck), SECONDS)
    assert left == [stream]


def test_of_a_part_only_the_latest_is_sent_and_the_number_comes_last() -> None:
    stream = Stream(page=Page(name="x", path="/x"), subject="", query=(), visitor=Visitor(), session="")
    stream.put("part-a", "old")
    stream.put("part-b", "two\nlines")
    stream.put("part-a", "new")
    stream.position = 7
    assert stream.take() == b"event: part-b\ndata: two\ndata: lines\n\nevent: part-a\ndata: new\n\nid: 7\n\n"
    assert stream.take() == b": \n\n"
    assert event("over", "x") == "event: over\ndata: x\n\n"


def test_what_is_known_is_not_said_again() -> None:
    said: list[frozenset[str]] = []
    changes = Changes()
    changes.listen(said.append, lambda: None, lambda: None)
    changes.grown({"INC-1": 3, "house": 1})
    changes.grown({"INC-1": 3, "house": 2})
    changes.grown({"INC-1": 2})
    assert said == [frozenset({"INC-1", "house"}), frozenset({"house"})]
