"""Parameters, `http.request` against a real server on the loopback address, and the look before a repeat."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from flows.actions import ACTIONS, ActionContext, ActionResult, Value, look, resolve, run
from flows.actions.parameters import check, printable, problem_of
from models.clock import monotonic
from models.errors import ActionFailed, BadInput, OutcomeUnknown
from models.playbook import Probe
from models.targets import CommandTarget, HttpTarget, Parameter

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
TOKEN = "s3cr3t-token"  # noqa: S105 - made up
REFERENCE = "env:FIREWALL_TOKEN"
KEY = "INC-2026-0001/isolate/1"


def secret(reference: str) -> str:
    if reference != REFERENCE:
        raise BadInput(f"{reference} is not set")
    return TOKEN


def make_context(folder: Path, *, timeout_seconds: float = 10.0) -> ActionContext:
    return ActionContext(
        evidence_dir=folder / "evidence",
        secrets=secret,
        base=folder,
        now=NOW,
        timeout_seconds=timeout_seconds,
        idempotency_key=KEY,
    )


@pytest.fixture
def context(tmp_path: Path) -> ActionContext:
    return make_context(tmp_path)


def target(url: str, **fields: object) -> HttpTarget:
    return HttpTarget.model_validate({"kind": "http", "url": url, **fields})


# --- parameters


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        pytest.param("text", "東京支店 の端末", None, id="Japanese text is fine"),
        pytest.param("text", "a; rm -rf / | $(id)", None, id="what a shell would take is plain text"),
        pytest.param("text", "", "empty", id="nothing"),
        pytest.param("text", " \u3000", "empty", id="blanks only"),
        pytest.param("text", "--checkpoint-action=exec=sh", "dash", id="an option"),
        pytest.param("text", "  -x", "dash", id="an option behind blanks"),
        pytest.param("text", "a\nb", "control", id="a line break"),
        pytest.param("text", "a\x00b", "control", id="a NUL"),
        pytest.param("text", "a\u2028b", "control", id="a line separator"),
        pytest.param("text", "a\u202eb", "control", id="a change of direction"),
        pytest.param("text", "x" * 201, "longer than 200", id="too long"),
        pytest.param("host", "web-1.example.jp", None, id="a name"),
        pytest.param("host", "192.0.2.10", None, id="an IPv4 address"),
        pytest.param("host", "2001:db8::1", None, id="an IPv6 address"),
        pytest.param("host", "fe80::1%eth0", "host", id="a scope"),
        pytest.param("host", "a b", "host", id="a blank in a name"),
        pytest.param("host", "a..b", "host", id="an empty label"),
        pytest.param("host", "a/../b", "host", id="a path as a host"),
        pytest.param("host", "web-.example", "host", id="a label that ends with a dash"),
        pytest.param("host", "ｗｅｂ", "host", id="full-width letters"),
        pytest.param("number", "443", None, id="a number"),
        pytest.param("number", "0.5", None, id="a fraction"),
        pytest.param("number", "-1", "dash", id="a negative number"),
        pytest.param("number", "1e3", "number", id="an exponent"),
        pytest.param("number", "４４３", "number", id="full-width digits"),
        pytest.param("path", "/var/log/auth.log", None, id="a path"),
        pytest.param("path", "logs/..hidden", None, id="dots within a name"),
        pytest.param("path", "logs/../../etc/shadow", "`..`", id="a way up"),
        pytest.param("choice", "deny", None, id="a choice"),
        pytest.param("choice", "allow", "choices", id="no choice"),
    ],
)
def test_each_type_of_parameter(kind: str, value: str, expected: str | None) -> None:
    parameter = Parameter.model_validate({"type": kind, "choices": ["deny", "watch"]})
    problem = problem_of(parameter, value)
    assert (problem is None) if expected is None else (expected in (problem or ""))


def test_all_that_is_wrong_with_parameters_is_said_at_once_without_their_values() -> None:
    declared = {"host": Parameter(type="host"), "port": Parameter(type="number"), "note": Parameter()}
    with pytest.raises(ActionFailed) as caught:
        check(declared, {"host": "secret host", "port": True, "other": "x"})
    message = str(caught.value)
    for part in ("host: expected", "port: expected", "note: missing", "other: not a parameter"):
        assert part in message
    assert "secret host" not in message


def test_numbers_and_truth_values_become_text() -> None:
    declared = {
        "port": Parameter(type="number"),
        "force": Parameter(type="choice", choices=("true", "false")),
    }
    assert check(declared, {"port": 443, "force": True}) == {"port": "443", "force": "true"}


def test_only_whole_values_are_replaced_by_variables() -> None:
    variables: dict[str, Value] = {"host": "web-1", "port": 443, "force": False}
    params: dict[str, Value] = {
        "a": "$host",
        "b": "x$host",
        "c": "$$host",
        "d": "$port",
        "e": 7,
        "f": "$force",
    }
    resolved = {"a": "web-1", "b": "x$host", "c": "$host", "d": 443, "e": 7, "f": False}
    assert resolve(params, variables) == resolved


@pytest.mark.parametrize("name", ["unknown", "unset", "several"])
def test_a_variable_without_one_value_is_refused(name: str) -> None:
    with pytest.raises(ActionFailed, match=f"target: the variable '{name}'"):
        resolve({"target": f"${name}"}, {"unset": None, "several": ("a", "b")})


def test_outside_text_becomes_one_short_line() -> None:
    assert printable("a\r\n\x1b[31m  b\u202e", 20) == "a [31m b"
    assert printable("x" * 50, 10) == "x" * 9 + "…"


# --- http.request


async def test_a_post_carries_typed_json_the_secret_and_the_key(
    context: ActionContext, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(
        "/rules",
        method="POST",
        json={"host": "192.0.2.10", "port": 443},
        headers={"Authorization": f"Bearer {TOKEN}", "Idempotency-Key": KEY, "X-Tenant": "mihon"},
    ).respond_with_json({"rule": {"ids": [7, 8]}, "state": "blocked"})
    endpoint = target(
        httpserver.url_for("/rules"),
        secret=REFERENCE,
        headers={"X-Tenant": "mihon"},
        parameters={"host": {"type": "host"}, "port": {"type": "number"}},
        outputs={"rule": "rule.ids.1", "state": "state", "whole": "rule"},
    )
    result = await run("http.request", endpoint, {"host": "192.0.2.10", "port": 443}, context)
    assert result.outputs == {"status": "200", "rule": "8", "state": "blocked", "whole": '{"ids":[7,8]}'}


async def test_a_get_puts_its_parameters_into_the_query(
    context: ActionContext, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/rules", query_string="v=1&q=a%26b+%E6%9D%B1").respond_with_data(
        "", status=204
    )
    endpoint = target(httpserver.url_for("/rules?v=1"), method="GET", parameters={"q": {"type": "text"}})
    result = await run("http.request", endpoint, {"q": "a&b 東"}, context)
    assert result.outputs == {"status": "204"}


@pytest.mark.parametrize(
    ("method", "status", "unknown"),
    [
        pytest.param("POST", 400, False, id="the caller's mistake was refused"),
        pytest.param("POST", 409, False, id="a conflict was refused"),
        pytest.param("POST", 302, False, id="a redirect is not followed"),
        pytest.param("POST", 500, True, id="it broke in the middle, perhaps"),
        pytest.param("POST", 504, True, id="a gateway lost sight of it"),
        pytest.param("POST", 503, False, id="it had not begun"),
        pytest.param("GET", 500, False, id="a question can be asked again"),
    ],
)
async def test_other_statuses_fail_or_are_unknown(
    context: ActionContext, httpserver: HTTPServer, method: str, status: int, unknown: bool
) -> None:
    moved = {"Location": httpserver.url_for("/elsewhere")}
    httpserver.expect_request("/rules").respond_with_data("no\nway", status=status, headers=moved)
    with pytest.raises(ActionFailed, match=f"answered {status}.*no way") as caught:
        await run("http.request", target(httpserver.url_for("/rules"), method=method), {}, context)
    assert isinstance(caught.value, OutcomeUnknown) == unknown
    assert [request.path for request, _ in httpserver.log] == ["/rules"]


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Serve = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Servers that misbehave below HTTP; gives the address of each."""
    servers: list[asyncio.Server] = []
    talks: set[asyncio.Task[None]] = set()

    async def start(handler: Handler) -> str:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                await handler(reader, writer)
                writer.close()
                await writer.wait_closed()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            talks.add(asyncio.ensure_future(talk(reader, writer)))

        servers.append(await asyncio.start_server(accept, "127.0.0.1", 0))
        return f"http://127.0.0.1:{servers[-1].sockets[0].getsockname()[1]}/rules"

    yield start
    for server in servers:
        server.close()
    if talks:
        await asyncio.wait(talks, timeout=5)


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not reader.at_eof() and not writer.is_closing():
        writer.write(b".")
        await asyncio.sleep(0.05)


async def talk_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")


@pytest.mark.parametrize("handler", [hang_up, break_off, keep_silent, drip, talk_nonsense])
@pytest.mark.parametrize(("method", "unknown"), [("POST", True), ("GET", False)])
async def test_a_connection_that_breaks_after_sending_leaves_the_outcome_unknown(
    tmp_path: Path, serve: Serve, handler: Handler, method: str, unknown: bool
) -> None:
    context = make_context(tmp_path, timeout_seconds=0.5)
    began = monotonic()
    with pytest.raises(ActionFailed) as caught:
        await run("http.request", target(await serve(handler), method=method), {}, context)
    assert isinstance(caught.value, OutcomeUnknown) == unknown
    assert monotonic() - began < 3


async def test_a_refused_connection_has_certainly_failed(context: ActionContext, serve: Serve) -> None:
    reserved = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    port = reserved.sockets[0].getsockname()[1]
    reserved.close()
    with pytest.raises(ActionFailed, match="was not reached") as caught:
        await run("http.request", target(f"http://127.0.0.1:{port}/"), {}, context)
    assert not isinstance(caught.value, OutcomeUnknown)


async def test_no_proxy_is_taken_from_the_environment(
    context: ActionContext, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    httpserver.expect_request("/rules").respond_with_data("ok")
    result = await run("http.request", target(httpserver.url_for("/rules")), {}, context)
    assert result.outputs["status"] == "200"


async def test_an_answer_beyond_its_limit_is_not_read(context: ActionContext, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/rules").respond_with_data("x" * 2_000)
    for method, kind in (("POST", OutcomeUnknown), ("GET", ActionFailed)):
        endpoint = target(httpserver.url_for("/rules"), method=method, max_bytes=1_000)
        with pytest.raises(kind, match="more than 1000 bytes"):
            await run("http.request", endpoint, {}, context)


@pytest.mark.parametrize("body", [b"not json", b'{"rule": {}}', b"[1]", b"[" * 100_000])
async def test_an_answer_without_the_declared_field_is_no_success(
    context: ActionContext, httpserver: HTTPServer, body: bytes
) -> None:
    httpserver.expect_request("/rules").respond_with_data(body)
    for method, kind in (("POST", OutcomeUnknown), ("GET", ActionFailed)):
        endpoint = target(httpserver.url_for("/rules"), method=method, outputs={"rule": "rule.id"})
        with pytest.raises(kind, match="answer"):
            await run("http.request", endpoint, {}, context)


async def test_an_answer_that_repeats_the_secret_does_not_bring_it_into_the_record(
    context: ActionContext, httpserver: HTTPServer
) -> None:
    def echo(request: Request) -> Response:
        status = 403 if request.path == "/refused" else 200
        return Response(json.dumps({"you": request.headers["Authorization"]}), status)

    httpserver.expect_request("/rules").respond_with_handler(echo)
    httpserver.expect_request("/refused").respond_with_handler(echo)
    fields = {"secret": REFERENCE, "outputs": {"you": "you"}}
    result = await run("http.request", target(httpserver.url_for("/rules"), **fields), {}, context)
    assert result.outputs["you"] == "Bearer ***"
    with pytest.raises(ActionFailed, match=r"Bearer \*\*\*") as caught:
        await run("http.request", target(httpserver.url_for("/refused"), **fields), {}, context)
    assert TOKEN not in str(caught.value)


async def test_a_missing_secret_sends_nothing(context: ActionContext, httpserver: HTTPServer) -> None:
    endpoint = target(httpserver.url_for("/rules"), **{"secret": "env:OTHER"})
    with pytest.raises(ActionFailed, match="nothing was sent, the secret 'env:OTHER'"):
        await run("http.request", endpoint, {}, context)
    assert httpserver.log == []


async def test_unfit_parameters_send_nothing(context: ActionContext, httpserver: HTTPServer) -> None:
    endpoint = target(httpserver.url_for("/rules"), parameters={"host": {"type": "host"}})
    with pytest.raises(ActionFailed, match="nothing was done"):
        await run("http.request", endpoint, {"host": "a b"}, context)
    assert httpserver.log == []


async def test_a_header_that_cannot_be_written_sends_nothing_and_is_not_repeated(
    context: ActionContext, httpserver: HTTPServer
) -> None:
    for value in ("a\nX-Injected: 1", "東京"):
        endpoint = target(httpserver.url_for("/rules"), headers={"X-Tenant": value})
        with pytest.raises(ActionFailed) as caught:
            await run("http.request", endpoint, {}, context)
        assert not isinstance(caught.value, OutcomeUnknown)
        assert value not in str(caught.value)
    assert httpserver.log == []


# --- the registry and the look before a repeat


async def test_an_action_takes_its_own_kind_of_target(context: ActionContext) -> None:
    with pytest.raises(ActionFailed, match="does not take a target of kind 'command'"):
        await run("http.request", CommandTarget(kind="command", argv=("true",)), {}, context)


async def test_an_unknown_action_is_refused(context: ActionContext) -> None:
    with pytest.raises(ActionFailed, match=r"no action 'shell'; known: http\.request"):
        await run("shell", CommandTarget(kind="command", argv=("true",)), {}, context)


async def test_another_set_of_actions_runs_in_its_place(context: ActionContext) -> None:
    async def pretend(_target: object, params: object, _context: ActionContext) -> ActionResult:
        return ActionResult(outputs={"pretended": str(params)}, summary="pretended")

    actions = {**ACTIONS, "command.run": (CommandTarget, pretend)}
    command = CommandTarget(kind="command", argv=("false",))
    result = await run("command.run", command, {"host": "web-1"}, context, actions)
    assert result.outputs == {"pretended": "{'host': 'web-1'}"}


@pytest.mark.parametrize(
    ("answer", "status", "done_if", "expected"),
    [
        pytest.param({"state": "blocked"}, 200, 'output("state") == "blocked"', True, id="it has"),
        pytest.param({"state": "open"}, 200, 'output("state") == "blocked"', False, id="it has not"),
        pytest.param({"state": "blocked"}, 200, 'output("s", "state") == "blocked"', True, id="with a step"),
        pytest.param({"state": "open"}, 200, 'output("other") == "blocked"', False, id="an unknown field"),
        pytest.param({"state": "open"}, 500, 'output("state") == "blocked"', None, id="the look failed"),
        pytest.param({}, 200, 'output("state") == "blocked"', None, id="the field is missing"),
        pytest.param(
            {"state": "open"}, 200, 'output("state") < 3', None, id="a condition that makes no sense"
        ),
    ],
)
async def test_a_look_tells_yes_no_or_unclear(
    context: ActionContext,
    httpserver: HTTPServer,
    answer: dict[str, str],
    status: int,
    done_if: str,
    expected: bool | None,
) -> None:
    httpserver.expect_request("/rules").respond_with_json(answer, status=status)
    endpoint = target(httpserver.url_for("/rules"), method="GET", outputs={"state": "state"})
    probe = Probe(use="http.request", target="firewall-api", done_if=done_if)
    assert await look(probe, endpoint, context) is expected


async def test_a_look_puts_the_variables_in(context: ActionContext, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/rules", query_string="host=web-1").respond_with_json({"state": "blocked"})
    endpoint = target(
        httpserver.url_for("/rules"),
        method="GET",
        parameters={"host": {"type": "host"}},
        outputs={"state": "state"},
    )
    probe = Probe(
        use="http.request",
        target="firewall-api",
        params={"host": "$host"},
        done_if='output("state") == "blocked"',
    )
    assert await look(probe, endpoint, context, {"host": "web-1"}) is True
    assert await look(probe, endpoint, context) is None
