"""The API and the record: tags of what was read, keys of requests, the facts as they come."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import func, select

from console.web.api import events
from console.web.api.requests import Asked, Requests
from console.web.sessions import Sessions
from models.actor import Actor
from models.clock import ExerciseClock
from models.commands import Declare, Note
from models.desk import Desk
from models.errors import RecordBusy, RecordMoved, RecordUncertain, RecordUnwritable
from models.record import REQUEST
from playbooks.institution import Institution
from tests.browser.roomnode import ROOT, Room, opened
from tests.console.apihouse import INC, SATO, SHEET, TANAKA, Caller, declared, inspector, restricted, session
from tests.console.webhouse import Web, kinds, make_house

KEY = {"Idempotency-Key": "8d0f6a4e-key"}


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path) -> Web:
    """The application, and one incident."""
    made = Web(make_house(bank, desk, tmp_path))
    declared(made.house)
    return made


@pytest.fixture
def tanaka(web: Web) -> Caller:
    """The commander, in a browser."""
    return session(web, TANAKA)


async def tag_of(caller: Caller, path: str = f"/incidents/{INC}", **more: Any) -> str:
    response = await caller.ask("GET", path, **more)
    assert response.status_code == 200, response.text
    return str(response.headers["etag"])


def note(web: Web, text: str = "from elsewhere") -> None:
    web.house.desk.handle(INC, Note(actor=Actor(person=SATO, via="test"), text=text))


# -- tags ---------------------------------------------------------------------------------------------------


async def test_what_has_not_changed_is_not_sent_again(web: Web, tanaka: Caller) -> None:
    for path in (f"/incidents/{INC}", f"/incidents/{INC}/log", f"/incidents/{INC}/step/list"):
        first = await tag_of(tanaka, path)
        again = await tanaka.ask("GET", path, headers={"If-None-Match": f'"x", W/{first}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first)
    note(web)
    assert (await tanaka.ask("GET", path, headers={"If-None-Match": first})).status_code == 200


async def test_a_tag_is_of_one_reader_language_and_form(web: Web, tanaka: Caller) -> None:
    found = {
        await tag_of(tanaka),
        await tag_of(session(web, SATO)),
        await tag_of(session(web, TANAKA, "ja")),
        await tag_of(tanaka, headers={"Accept": SHEET}),
    }
    assert len(found) == 4


async def test_an_act_upon_a_record_that_has_moved_stores_nothing(web: Web, tanaka: Caller) -> None:
    tag = await tag_of(tanaka)
    note(web)
    before = kinds(web.house, INC)
    problem = await tanaka.post(f"/incidents/{INC}/note", {"text": "x"}, 412, headers={"If-Match": tag})
    assert "was expected" not in problem["detail"], "in their words, not in the desk's"
    assert problem["reason"] == "moved" and kinds(web.house, INC) == before
    done = await tanaka.ask(
        "POST", f"/incidents/{INC}/note", json={"text": "x"}, headers={"If-Match": await tag_of(tanaka)}
    )
    assert done.status_code == 200
    await tanaka.post(f"/incidents/{INC}/note", {"text": "y"}, headers={"If-Match": done.headers["etag"]})
    await tanaka.post(f"/incidents/{INC}/note", {"text": "z"}, headers={"If-Match": "*"})


@pytest.mark.parametrize("given", ['W/"INC-2026-0001.1.en.j.x"', '"INC-2026-0002.5.en.j.x"', '"x"', "", '""'])
async def test_a_tag_that_is_none_of_this_record_matches_nothing(tanaka: Caller, given: str) -> None:
    await tanaka.post(f"/incidents/{INC}/note", {"text": "x"}, 412, headers={"If-Match": given})


async def test_an_address_without_a_tag_takes_none(tanaka: Caller) -> None:
    problem = await tanaka.post("/incidents", {"text": "x"}, 412, headers={"If-Match": "*"})
    assert problem["reason"] == "no tag"


async def test_that_it_was_read_moves_the_tag_of_whoever_read_it(web: Web) -> None:
    restricted(web.house)
    sato = session(web, SATO)
    tag = await tag_of(sato)
    assert kinds(web.house, INC)[-1] == "incident.read"
    done = await sato.ask("POST", f"/incidents/{INC}/note", json={"text": "x"}, headers={"If-Match": tag})
    assert done.status_code == 200, done.text


async def test_a_tag_tells_nobody_of_what_they_may_not_know(web: Web, tanaka: Caller) -> None:
    tag = await tag_of(tanaka)
    restricted(web.house)
    other = session(web, "mori-chie")
    for number in (INC, "INC-2026-0999"):
        own = tag.replace(INC, number)
        await other.post(f"/incidents/{number}/note", {"text": "x"}, 404, headers={"If-Match": own})


def test_the_desk_stores_nothing_upon_a_record_that_has_moved(desk: Desk) -> None:
    actor = Actor(person=TANAKA, via="test")

    stream = desk.handle(None, Declare(actor=actor, text="x")).stream
    seq = desk.state(stream).seq
    with desk.expecting(stream, seq):
        desk.handle(stream, Note(actor=actor, text="one"))
        desk.handle(stream, Note(actor=actor, text="upon one's own"))
        other = desk.handle(None, Declare(actor=actor, text="another record is free")).stream
    assert other != stream
    with desk.expecting(stream, seq), pytest.raises(RecordMoved, match="was expected at"):
        desk.handle(stream, Note(actor=actor, text="x"))
    desk.handle(stream, Note(actor=actor, text="and afterwards all is as before"))


# -- requests with a key ------------------------------------------------------------------------------------


async def test_the_same_request_is_done_once_and_answered_the_same(web: Web, tanaka: Caller) -> None:
    first = await tanaka.ask("POST", "/incidents", json={"text": "x"}, headers=KEY)
    again = await tanaka.ask("POST", "/incidents", json={"text": "x"}, headers=KEY)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotent-replay"] == "true" and "idempotent-replay" not in first.headers
    assert len(await tanaka.get("/incidents")) == 2
    problem = await tanaka.post("/incidents", {"text": "y"}, 422, headers=KEY)
    assert problem["reason"] == "reused"
    other = await session(web, SATO).post("/incidents", {"text": "x"}, headers=KEY)
    assert other["stream"] != first.json()["stream"], "a key is its sender's own"


async def test_a_no_is_the_same_no_again(web: Web, tanaka: Caller) -> None:
    path = f"/incidents/{INC}/close"
    first = await tanaka.post(path, {"assessment": "x"}, 409, headers=KEY)
    again = await tanaka.ask("POST", path, json={"assessment": "x"}, headers=KEY)
    assert again.json() == first and again.headers["idempotent-replay"] == "true"
    assert again.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("key", ["short", "x" * 201, "with\ttab-in-it"])
async def test_a_key_that_cannot_be_used(tanaka: Caller, key: str) -> None:
    problem = await tanaka.post("/incidents", {"text": "x"}, 422, headers={"Idempotency-Key": key})
    assert problem["reason"] == "bad key"


async def test_keys_are_kept_for_a_day(web: Web, tanaka: Caller, clock: ExerciseClock) -> None:
    await tanaka.post("/incidents", {"text": "x"}, headers=KEY)
    clock.advance(timedelta(hours=24, seconds=1))
    later = session(web, TANAKA)
    await later.post("/incidents", {"text": "y"}, headers={"Idempotency-Key": "another-key"})
    with web.house.record.read() as tx:
        assert tx.connection.execute(select(func.count()).select_from(REQUEST)).scalar() == 1
    await later.post("/incidents", {"text": "z"}, headers=KEY)


async def test_what_was_begun_and_never_answered_is_not_done_again(web: Web, tanaka: Caller) -> None:
    await tanaka.post("/incidents", {"text": "x"}, headers=KEY)
    with web.house.record.begin() as tx:
        tx.connection.execute(REQUEST.update().values(code=0, body=b""))
    problem = await tanaka.post("/incidents", {"text": "x"}, 409, headers=KEY)
    assert problem["reason"] == "unknown outcome"
    assert len(await tanaka.get("/incidents")) == 2


def test_a_request_that_is_worked_on_is_said_to_be(desk: Desk) -> None:
    requests, asked = Requests(), Asked(id="x", digest="y")

    def again() -> Any:
        return requests.once(desk, asked, again)

    with pytest.raises(Exception, match="in-progress"):
        requests.once(desk, asked, again)


def test_a_key_is_not_free_again_if_nobody_knows_whether_something_was_stored(desk: Desk) -> None:
    requests, asked = Requests(), Asked(id="x", digest="y")

    def broken_off() -> Any:
        raise RecordUncertain("the database broke off")

    with pytest.raises(RecordUncertain):
        requests.once(desk, asked, broken_off)
    with pytest.raises(Exception, match="unknown-outcome"):
        requests.once(desk, asked, broken_off)


def test_a_key_is_free_again_if_nothing_could_be_stored(desk: Desk) -> None:
    requests, asked = Requests(), Asked(id="x", digest="y")
    actor = Actor(person=TANAKA, via="test")

    def fails() -> Any:
        raise RecordUnwritable("disk full")

    def fails_after_storing() -> Any:
        desk.handle(None, Declare(actor=actor, text="x"))
        raise RecordUnwritable("disk full")

    for _ in range(2):
        with pytest.raises(RecordUnwritable):
            requests.once(desk, asked, fails)
    with pytest.raises(RecordUnwritable):
        requests.once(desk, asked, fails_after_storing)
    with pytest.raises(Exception, match="unknown-outcome"):
        requests.once(desk, asked, fails)


CRASH = """
import asyncio, sys
from pathlib import Path
from console.opening import open_house
from console.web.api.requests import Asked, Requests
from models.actor import Actor
from models.commands import Declare
from starlette.responses import Response
house = open_house(Path(sys.argv[1]))
def work():
    house.desk.handle(None, Declare(actor=Actor(person="tanaka-misaki", via="test"), text="x"))
    return Response(b"done")
try:
    print(Requests().once(house.desk, Asked(id="x", digest="y"), work).body.decode())
except Exception as no:
    print(no)
"""


def test_a_node_that_dies_before_the_answer_is_kept_does_nothing_twice(tmp_path: Path) -> None:

    directory = tmp_path / "bank"

    shutil.copytree(ROOT / "examples" / "mihon-bank", directory, ignore=shutil.ignore_patterns("var"))

    def life(**more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", CRASH, str(directory)]
        return subprocess.run(  # noqa: S603 - our own interpreter, our own code
            command, env=os.environ | more, capture_output=True, text=True, check=False, cwd=ROOT
        )

    assert life(HIKESHI_CRASH_AT="answer-not-kept").returncode == -9
    assert life().stdout.strip() == "unknown-outcome"


# -- the facts as they come ---------------------------------------------------------------------------------


def caller_of(room: Room, cookie: str) -> httpx.AsyncClient:
    cookies, headers = {Sessions(room.house).cookie: cookie}, {"Accept-Language": "en"}
    return httpx.AsyncClient(base_url=f"{room.url}/api/v1", cookies=cookies, headers=headers, timeout=10)


@asynccontextmanager
async def listening(client: httpx.AsyncClient, **more: Any) -> AsyncIterator[AsyncIterator[str]]:
    async with client.stream("GET", f"/incidents/{INC}/events", **more) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield response.aiter_lines()


async def until(lines: AsyncIterator[str], text: str) -> list[int]:
    """The ids up to the fact that says this."""
    found: list[int] = []
    async with asyncio.timeout(8):
        async for line in lines:
            if line.startswith("id: "):
                found.append(int(line[4:]))
            if line.startswith("data: ") and text in str(orjson.loads(line[6:]).get("text")):
                return found
    raise AssertionError(f"{text} did not come")


async def test_facts_come_in_order_without_a_gap_also_over_a_restart(tmp_path: Path) -> None:

    actor = Actor(person=TANAKA, via="test")
    async with opened(tmp_path) as room:
        await room.act(None, Declare(actor=actor, text="x"))
        front = room.node.front
        assert front is not None
        cookie = await front.run(lambda: Sessions(front.house).open("test", person=TANAKA))
        async with caller_of(room, cookie) as client, listening(client) as lines:
            await room.act(INC, Note(actor=actor, text="the first"))
            first = await until(lines, "the first")
            begun = asyncio.get_running_loop().time()
            await room.act(INC, Note(actor=actor, text="the second"))
            second = await until(lines, "the second")
            assert asyncio.get_running_loop().time() - begun < 1
            room.node.stop.set()
            async for line in lines:
                assert line.startswith((":", "id", "event", "data")) or not line
    seen = [*first, *second]
    assert seen == list(range(1, seen[-1] + 1))
    async with opened(tmp_path) as room:
        await room.act(INC, Note(actor=actor, text="the third"))
        last = {"Last-Event-ID": str(seen[-1])}
        async with caller_of(room, cookie) as client, listening(client, headers=last) as lines:
            third = await until(lines, "the third")
            assert third == list(range(seen[-1] + 1, third[-1] + 1))


async def test_whoever_may_not_know_hears_nothing_and_whoever_might_no_longer_is_told_to_go(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    restricted(web.house)
    other = session(web, "mori-chie")
    hidden = await other.get(f"/incidents/{INC}/events", 404)
    none = await other.get("/incidents/INC-2026-0999/events", 404)
    assert hidden["detail"] == none["detail"] and hidden["reason"] == none["reason"]
    await session(web, TANAKA).get(f"/incidents/{INC}/events?after=x", 422)
    monkeypatch.setattr(events, "MOST_OF_ONE", 0)
    await session(web, TANAKA).get(f"/incidents/{INC}/events", 429)


async def test_a_token_that_is_over_ends_its_stream(
    web: Web, clock: ExerciseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.1)
    caller = inspector(web, hours=1)
    found = await asyncio.gather(caller.get(f"/incidents/{INC}/events"), _later(clock))
    assert "event: fact" in found[0] and found[0].endswith("event: end\ndata: {}\n\n")


async def test_a_record_that_does_not_answer_breaks_a_stream_off_and_is_not_its_end(
    web: Web, tanaka: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.1)

    async def locked() -> None:
        await asyncio.sleep(0.3)
        web.broken = RecordBusy("locked")

    heard, _ = await asyncio.gather(tanaka.get(f"/incidents/{INC}/events"), locked())
    assert "event: fact" in heard and "event: end" not in heard


async def test_those_who_come_to_listen_at_once_are_counted_like_those_one_after_another(
    tmp_path: Path,
) -> None:
    actor, more = Actor(person=TANAKA, via="test"), 7
    found: list[int] = []
    heard = asyncio.Event()

    async def listen(client: httpx.AsyncClient) -> None:
        async with client.stream("GET", f"/incidents/{INC}/events") as response:
            found.append(response.status_code)
            await heard.wait()

    async with opened(tmp_path) as room:
        await room.act(None, Declare(actor=actor, text="x"))
        front = room.node.front
        assert front is not None
        cookie = await front.run(lambda: Sessions(front.house).open("test", person=TANAKA))
        async with caller_of(room, cookie) as client, asyncio.timeout(10):
            all_at_once = [asyncio.create_task(listen(client)) for _ in range(events.MOST_OF_ONE + more)]
            while len(found) < len(all_at_once):
                await asyncio.sleep(0.05)
            assert sorted(found) == [200] * events.MOST_OF_ONE + [429] * more
            heard.set()
            await asyncio.gather(*all_at_once)
            while found[-1] != 200:
                await listen(client)
                await asyncio.sleep(0.05)


async def _later(clock: ExerciseClock) -> None:
    await asyncio.sleep(0.3)
    clock.advance(timedelta(hours=2))
