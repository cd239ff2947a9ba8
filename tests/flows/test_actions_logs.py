"""`logs.collect` against a real HTTP server: ranges, pages, refusals, a line that drops in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flows.actions import ActionContext, ActionResult, CollectedItem, Occasion, run
from flows.actions import logs as module
from models.errors import ActionFailed, SourceUnreachable
from models.targets import LogsTarget

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
SECRET = "the-token-of-the-tests"  # noqa: S105


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.02)


@pytest.fixture
def context(tmp_path: Path) -> ActionContext:
    return ActionContext(
        evidence_dir=tmp_path / "evidence",
        secrets=lambda _: SECRET,
        base=tmp_path,
        now=NOW,
        timeout_seconds=10,
        idempotency_key="INC-2026-0001/collect/1",
        occasion=Occasion(incident="INC-2026-0001", began=NOW - timedelta(hours=2)),
    )


def target(url: str, **fields: Any) -> LogsTarget:
    return LogsTarget.model_validate({"kind": "logs", "url": url, **fields})


async def collect(context: ActionContext, wanted: LogsTarget, **params: Any) -> ActionResult:
    return await run("logs.collect", wanted, params, context)


def stored(context: ActionContext, item: CollectedItem) -> bytes:
    return (context.evidence_dir / item.stored).read_bytes()


def pages(count: int, seen: list[Request], size: int = 2) -> Callable[[Request], Response]:
    """An API whose pages follow each other by a cursor; the cursor is the number of the next page."""

    def answer(request: Request) -> Response:
        seen.append(request)
        number = int(request.args.get("cursor", "0"))
        following = str(number + 1) if number + 1 < count else ""
        events = [{"n": number * size + place} for place in range(size)]
        return Response(orjson.dumps({"events": events, "paging": {"cursor": following}}))

    return answer


async def test_all_pages_are_kept_as_they_came_with_the_range_and_the_token_in_the_header(
    context: ActionContext, httpserver: HTTPServer
) -> None:
    seen: list[Request] = []
    httpserver.expect_request("/logs").respond_with_handler(pages(3, seen))
    wanted = target(
        httpserver.url_for("/logs?kind=auth"),
        secret="env:TOKEN",  # noqa: S106
        next="paging.cursor",
        next_as="cursor",
        from_as="since",
        until_as="to",
    )
    result = await collect(context, wanted)
    [item] = result.evidence
    events = [one["n"] for line in stored(context, item).splitlines() for one in orjson.loads(line)["events"]]
    assert events == [0, 1, 2, 3, 4, 5]
    assert [(one.args["since"], one.args["to"], one.args["kind"]) for one in seen] == [
        ("2026-11-22T01:00:00.000Z", "2026-11-23T03:00:00.000Z", "auth")
    ] * 3
    assert {one.headers["Authorization"] for one in seen} == {f"Bearer {SECRET}"}
    assert (item.range_from, item.range_until) == (
        "2026-11-22T01:00:00.000000Z",
        "2026-11-23T03:00:00.000000Z",
    )
    assert (result.outputs["pages"], result.outputs["partial"], item.problem) == ("3", "no", None)
    assert item.source == httpserver.url_for("/logs")
    assert item.host == f"localhost:{httpserver.port}"


async def test_a_range_that_is_given_goes_as_the_api_writes_instants(
    context: ActionContext, httpserver: HTTPServer
) -> None:
    seen: list[Request] = []
    httpserver.expect_request("/logs").respond_with_handler(pages(1, seen))
    for times, first in (("seconds", "1795392000"), ("milliseconds", "1795392000000")):
        given = {"from": "2026-11-23T09:00:00+09:00", "until": "2026-11-23T02:00:00Z"}
        await collect(context, target(httpserver.url_for("/logs"), times=times), **given)
        assert seen[-1].args["from"] == first


@pytest.mark.parametrize(
    ("params", "said"),
    [
        pytest.param({"from": "2026-11-23T03:00:00"}, "no zone", id="a clock without offset"),
        pytest.param({"from": "yesterday"}, "expected an instant", id="a word"),
        pytest.param({"from": "2026-11-24T00:00:00Z"}, "the range begins", id="ahead of now"),
        pytest.param({"host": "x"}, "not a parameter", id="a parameter that there is not"),
    ],
)
async def test_a_wrong_range_asks_nothing(
    context: ActionContext, httpserver: HTTPServer, params: dict[str, str], said: str
) -> None:
    with pytest.raises(ActionFailed, match=said):
        await collect(context, target(httpserver.url_for("/logs")), **params)
    assert httpserver.log == []


async def test_links_are_followed_on_the_same_host_only(
    context: ActionContext, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/logs").respond_with_json({"next": "/more?page=2"})
    httpserver.expect_request("/more").respond_with_json({"next": "http://127.0.0.2:1/steal"})
    [item] = (await collect(context, target(httpserver.url_for("/logs"), next="next"))).evidence
    assert item.problem == "page 3: its link to the next page leads to another host; not followed"
    assert len(httpserver.log) == 2


async def test_the_header_link_is_followed(context: ActionContext, httpserver: HTTPServer) -> None:
    link = f'<{httpserver.url_for("/two")}>; rel="next"'
    httpserver.expect_request("/one").respond_with_data(b"first", headers={"Link": link})
    httpserver.expect_request("/two").respond_with_data(b"second")
    [item] = (await collect(context, target(httpserver.url_for("/one"), next="link"))).evidence
    assert stored(context, item) == b"first\nsecond\n"


async def test_numbered_pages_end_with_an_empty_one(context: ActionContext, httpserver: HTTPServer) -> None:
    def answer(request: Request) -> Response:
        number = int(request.args["page"])
        return Response(orjson.dumps({"events": [number] if number < 4 else []}))

    httpserver.expect_request("/logs").respond_with_handler(answer)
    wanted = target(httpserver.url_for("/logs"), page_as="page", items="events")
    result = await collect(context, wanted)
    assert (result.outputs["pages"], result.outputs["partial"]) == ("4", "no")
    few = await collect(context, replace_target(wanted, max_pages=2))
    assert few.evidence[0].problem == "page 3: more than 2 pages"
    assert few.outputs["partial"] == "yes"


def replace_target(wanted: LogsTarget, **fields: Any) -> LogsTarget:
    return LogsTarget.model_validate(wanted.model_dump() | fields)


async def test_a_page_that_names_itself_as_the_next_ends_it(
    context: ActionContext, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/logs").respond_with_json({"next": "again"})
    wanted = target(httpserver.url_for("/logs"), next="next", next_as="cursor")
    [item] = (await collect(context, wanted)).evidence
    assert item.problem == "page 3: its next page is the same page again"


async def test_an_error_that_passes_is_asked_again(context: ActionContext, httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/logs").respond_with_data("busy", status=503)
    httpserver.expect_ordered_request("/logs").respond_with_data("slow down", status=429)
    httpserver.expect_ordered_request("/logs").respond_with_data("fine")
    [item] = (await collect(context, target(httpserver.url_for("/logs")))).evidence
    assert (stored(context, item), item.problem) == (b"fine\n", None)


@pytest.mark.parametrize(("status", "tries"), [(500, 3), (401, 1), (404, 1), (302, 1)])
async def test_an_api_that_gives_nothing_is_unreachable(
    context: ActionContext, httpserver: HTTPServer, status: int, tries: int
) -> None:
    said = f"no: {SECRET}\n<b>"
    httpserver.expect_request("/logs").respond_with_data(said, status=status, headers={"Location": "/x"})
    with pytest.raises(SourceUnreachable, match=f"answered {status}") as wrong:
        await collect(context, target(httpserver.url_for("/logs"), secret="env:TOKEN"))  # noqa: S106
    assert SECRET not in str(wrong.value)
    assert "nothing was collected" in str(wrong.value)
    assert len(httpserver.log) == tries
    assert context.kept == []


async def test_an_error_on_a_later_page_keeps_the_earlier_ones(
    context: ActionContext, httpserver: HTTPServer
) -> None:
    httpserver.expect_ordered_request("/logs").respond_with_json({"next": "2"})
    httpserver.expect_ordered_request("/logs").respond_with_data("gone", status=410)
    with pytest.raises(SourceUnreachable, match="kept of it: sha256:"):
        await collect(context, target(httpserver.url_for("/logs"), next="next", next_as="cursor"))
    [item] = context.kept
    assert item.problem == "page 2: it answered 410: gone"
    assert orjson.loads(stored(context, item)) == {"next": "2"}


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(talk: Talk) -> AsyncIterator[str]:
    """Nothing of it outlives the test: a socket left open is found in whatever test runs when it is."""
    talks: list[asyncio.Task[None]] = []

    async def whole(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.ensure_future(whole(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/logs"
    finally:
        server.close()
        if talks:
            _, left = await asyncio.wait(talks, timeout=5)
            assert not left
            await asyncio.gather(*talks, return_exceptions=True)


async def test_a_connection_that_drops_in_the_middle_leaves_a_marked_part(context: ActionContext) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 70_000)
        await writer.drain()
        writer.close()

    async with serving(talk) as url:
        with pytest.raises(SourceUnreachable, match="the connection broke"):
            await collect(context, target(url))
    [item] = context.kept
    assert stored(context, item) == b"x" * 70_000
    assert item.problem == "page 1: the connection broke: RemoteProtocolError"


async def test_a_stream_that_never_ends_is_left_at_its_time_and_kept(context: ActionContext) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"a line\n")
            try:
                await writer.drain()
            except ConnectionError:
                break
            await asyncio.sleep(0.01)
        writer.close()

    async with serving(talk) as url:
        [item] = (await collect(replace(context, timeout_seconds=0.6), target(url))).evidence
    assert item.problem == "page 1: the time of 0.6 s is over"
    assert item.size > 10


async def test_nobody_there_is_unreachable_and_asked_thrice(context: ActionContext) -> None:
    async with serving(lambda _reader, writer: _close(writer)) as url:
        pass
    with pytest.raises(SourceUnreachable, match="not reached: ConnectError"):
        await collect(context, target(url))


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_beyond_the_cap_it_is_cut_and_marked(context: ActionContext, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/logs").respond_with_data(b"z" * 100_000)
    result = await collect(context, target(httpserver.url_for("/logs"), max_bytes=60_000))
    assert (result.evidence[0].size, result.evidence[0].problem) == (60_000, "cut after 60000 bytes")
    assert result.outputs["partial"] == "yes"


async def test_an_archive_is_kept_as_it_is(context: ActionContext, httpserver: HTTPServer) -> None:
    bomb = b"\x1f\x8b\x08\x00" + b"\x00" * 10_000
    httpserver.expect_request("/logs").respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    [item] = (await collect(context, target(httpserver.url_for("/logs")))).evidence
    assert stored(context, item) == bomb + b"\n"


async def test_the_clock_there_is_measured_by_its_date(context: ActionContext) -> None:
    late = format_datetime(NOW - timedelta(minutes=5), usegmt=True)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nDate: {late}\r\nContent-Length: 1\r\n\r\na".encode())
        await writer.drain()
        writer.close()

    async with serving(talk) as url:
        [item] = (await collect(context, target(url))).evidence
    assert item.offset_ms is not None
    assert -302_000 < item.offset_ms < -297_000


async def test_what_is_no_json_cannot_be_followed_and_says_so(
    context: ActionContext, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/logs").respond_with_data(b"plain text")
    wanted = target(httpserver.url_for("/logs"), next="next", next_as="cursor")
    [item] = (await collect(context, wanted)).evidence
    assert item.problem == "page 2: its answer is no JSON, so that nobody knows what follows"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({"url": "http://logs.example/", "secret": "env:T"}, "https", id="a secret in clear"),
        pytest.param({"next": "a", "page_as": "p", "items": "i"}, "either `next` or", id="two ways to page"),
        pytest.param({"page_as": "p"}, "items", id="counted pages without an end"),
        pytest.param({"next_as": "c"}, "no `next`", id="a cursor from nowhere"),
        pytest.param({"from_as": "a&b=c"}, "pattern", id="a field that is none"),
    ],
)
def test_a_target_that_is_wrong_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LogsTarget.model_validate({"kind": "logs", "url": "https://logs.example/", **fields})
