"""Traces: an alert and its page are one trace at a real receiver, also if the page leaves after a restart."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from console import tracing
from console.opening import House
from models.clock import monotonic
from models.commands import Acknowledge, Actor, Declare, MarkDelivery, Note
from models.desk import Desk
from models.record import OUTBOX
from models.restriction import Restrict
from playbooks.institution import Institution
from tests.console.webhouse import SECRETS, Web, make_house

Spans = dict[str, list[Any]]
LONGEST_SECONDS = 30.0


class Collector(HTTPServer):
    """Takes OTLP by HTTP and keeps the spans."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Door)
        self.spans: list[Any] = []
        self.tokens: list[str] = []

    def named(self, wanted: int) -> Spans:
        """The spans by name, once there are so many."""
        end = monotonic() + LONGEST_SECONDS
        while len(self.spans) < wanted:
            assert monotonic() < end, [one.name for one in self.spans]
            threading.Event().wait(0.02)
        found: Spans = {}
        for one in self.spans:
            found.setdefault(one.name, []).append(one)
        return found


class _Door(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = ExportTraceServiceRequest.FromString(body)
        self.server.tokens.append(self.headers.get("Authorization", ""))
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test looks at what came."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BatchSpanProcessor]]:
    """Every sender that was made; ended with the test, where a process would end."""
    senders: list[BatchSpanProcessor] = []
    begun = BatchSpanProcessor.__init__

    def noted(self: BatchSpanProcessor, *args: Any, **more: Any) -> None:
        begun(self, *args, **more)
        senders.append(self)

    monkeypatch.setattr(BatchSpanProcessor, "__init__", noted)
    yield senders
    for one in senders:
        one.shutdown()  # type: ignore[no-untyped-call]


@pytest.fixture
def house(
    bank: Institution, desk: Desk, tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> House:
    for name, value in (SECRETS | {"HIKESHI_TRACES": "of-this-test"}).items():
        monkeypatch.setenv(name, value)
    endpoint = f"http://127.0.0.1:{collector.server_port}/v1/traces"
    return make_house(bank, desk, tmp_path, tracing={"endpoint": endpoint, "token": "env:HIKESHI_TRACES"})


def queued(desk: Desk, stream: str) -> Any:
    """The first page of a stream."""
    paged = OUTBOX.select().where(OUTBOX.c.stream == stream, OUTBOX.c.kind == "page")
    with desk.record.read() as tx:
        return tx.connection.execute(paged.order_by(OUTBOX.c.id).limit(1)).mappings().one()


def sent(desk: Desk, stream: str) -> str:
    """The first page of a stream has left, says the outbox."""
    row = queued(desk, stream)
    mark = MarkDelivery(
        actor=Actor.machine("outbox"), key=row["key"], outcome="sent", page=row["page"],
        channel=row["channel"], person=row["person"],
    )  # fmt: skip
    assert desk.handle(stream, mark).accepted
    return str(row["key"])


async def test_an_alert_and_its_page_are_one_trace_also_after_a_restart(
    house: House, collector: Collector, made: list[BatchSpanProcessor]
) -> None:
    desk = house.desk
    answer = await Web(house).alert()
    stream = answer.json()["incident"]
    duty = Actor(person=queued(desk, stream)["person"], via="cli")
    assert desk.handle(stream, Acknowledge(actor=duty)).accepted
    before = [fact.kind for name in ("intake", stream) for fact in facts(desk, name)]
    known = collector.named(len(before))

    # The process has ended; another delivers what was left.
    desk.after_commit.clear()
    key = sent_by_another(house, stream)
    spans = collector.named(len(before) + 1)
    assert len(made) == 2 and set(collector.tokens) == {"Bearer of-this-test"}
    assert set(known) >= {"alert.received", "incident.declared", "page.asked", "page.acknowledged"}
    everything = [one for each in spans.values() for one in each]
    assert len({one.trace_id for one in everything}) == 1
    assert len({one.span_id for one in everything}) == len(everything)

    [delivery] = spans["message.sent"]
    seq = int(key.split("/")[1])
    asked = next(
        one for one in everything if attribute(one, "hikeshi.seq") == seq and one.name == "page.asked"
    )
    assert delivery.parent_span_id == asked.span_id
    assert spans["page.acknowledged"][0].parent_span_id in {one.span_id for one in spans["page.asked"]}
    roots = [one for one in everything if not one.parent_span_id]
    assert [one.name for one in roots] == ["alert.received"]
    said = repr(everything)
    for word in ("suzuki", "sato", "Daichi", "勘定", "wazuh-secret"):
        assert word not in said, word


def facts(desk: Desk, stream: str) -> list[Any]:
    with desk.record.read() as tx:
        return tx.facts(stream)


def sent_by_another(house: House, stream: str) -> str:
    tracing.begin("pager", house)
    tracing.begin("pager", house)
    return sent(house.desk, stream)


def attribute(span: Any, name: str) -> Any:
    return next((one.value.int_value for one in span.attributes if one.key == name), None)


async def test_of_what_only_some_may_know_nothing_is_sent(
    house: House, collector: Collector, made: list[BatchSpanProcessor]
) -> None:
    desk = house.desk
    tracing.begin("pager", house)
    lead = Actor(person="sato-kenji", via="cli")
    hidden, open_to_all = (desk.handle(None, Declare(actor=lead, text="x")).stream for _ in range(2))
    assert desk.handle(hidden, Restrict(actor=lead, people=("kato-hiroshi",), reason="one of us")).accepted
    before = len(facts(desk, hidden))
    for stream in (hidden, open_to_all):
        assert desk.handle(stream, Note(actor=lead, text="an account of theirs")).accepted
    assert len(facts(desk, hidden)) > before
    spans = collector.named(1)
    [noted] = spans_of(made, collector)["note.added"]
    assert open_to_all in repr(noted) and "incident.declared" in spans
    assert "incident.restricted" not in {one.name for one in collector.spans}


def spans_of(made: list[BatchSpanProcessor], collector: Collector) -> Spans:
    """All that was sent."""
    for one in made:
        assert one.force_flush()
    found: Spans = {}
    for one in collector.spans:
        found.setdefault(one.name, []).append(one)
    return found


async def test_a_collector_that_is_away_keeps_nothing_back(
    bank: Institution, desk: Desk, tmp_path: Path, made: list[BatchSpanProcessor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    settings = {"endpoint": "http://127.0.0.1:9/v1/traces", "timeout": "1s"}
    web = Web(make_house(bank, desk, tmp_path, tracing=settings))
    for _ in range(3):
        assert (await web.alert()).status_code == 202
    assert len(made) == 1


async def test_without_its_secret_or_its_packages_everything_goes_on(
    bank: Institution, desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    settings = {"endpoint": "https://x.example/v1/traces", "token": "env:NOT_SET_ANYWHERE"}
    house = make_house(bank, desk, tmp_path, tracing=settings)
    tracing.begin("pager", house)
    assert "NOT_SET_ANYWHERE" in caplog.text

    def missing(_: House) -> Callable[[Any], None]:
        raise ModuleNotFoundError("No module named 'opentelemetry'", name="opentelemetry")

    monkeypatch.setattr(tracing, "_sender", missing)
    tracing.begin("pager", house)
    assert "hikeshi[tracing]" in caplog.text


def test_nothing_of_it_is_loaded_where_nothing_is_set_up() -> None:
    code = (
        "import sys, console.node, console.web.app, flows.conductor, flows.runner;"
        "ours = ('opentelemetry.sdk', 'opentelemetry.exporter');"
        "sys.exit(any(name.startswith(ours) for name in sys.modules))"
    )
    child = subprocess.run([sys.executable, "-c", code], check=False, timeout=120)  # noqa: S603 - our own
    assert child.returncode == 0
