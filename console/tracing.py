"""Traces by OpenTelemetry: each incident is one trace, from the alert to the page and the last step.

No process hands a context to another. The ids of a trace and of its spans follow from the stream and the
sequence of facts, so whoever writes a fact (another process, after a restart, another machine) knows which
span it is, and which one caused it. Facts stay as they are. Spans hold ids, kinds and channels, never titles
or names, and of an incident that only some may know of there are none: a collector has no rights per person.
Sending has a thread and a bounded queue of its own: what cannot be sent is dropped, and no page
waits. Neither exporter nor SDK is imported unless `[tracing]` is set up.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from console.opening import House, secrets_of
from models.clock import micros
from models.desk import Desk
from models.errors import BadConfiguration
from models.fact import SYSTEM, Fact
from models.premises import Outcome
from models.state import Incident
from models.supervised import attempt

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

log = logging.getLogger("hikeshi.tracing")
MOST_SPANS = 200
"""Of one command; a storm of facts is cut, and its first facts tell what it was."""
REMEMBERED = 10_000
QUEUE, BATCH, DELAY_MILLISECONDS = 4_096, 512, 1_000
_CAUSES = ("page", "cause")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which span a fact is: its trace, itself, and what caused it (0 for nothing)."""

    trace: int
    span: int
    parent: int


def place_of(installation: str, fact: Fact, trace_of: str, caused_by: tuple[str, int] | None) -> Place:
    """The ids of a fact's span; the same in every process. `trace_of` is the stream that names the trace."""
    return Place(
        trace=_number(16, installation, trace_of),
        span=_number(8, installation, fact.stream, fact.seq),
        parent=_number(8, installation, *caused_by) if caused_by else 0,
    )


def _number(size: int, *parts: object) -> int:
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).digest()[:size]
    return int.from_bytes(digest, "big") or 1


def cause_of(fact: Fact, first: Fact) -> tuple[str, int] | None:
    """The fact that this one follows from: what it names, else the first that was written with it.

    What begins by itself in a stream follows from the stream's first fact.
    """
    key = fact.data.get("key")
    if fact.kind.startswith("message.") and isinstance(key, str) and key.count("/") >= 2:  # noqa: PLR2004
        stream, cause = key.split("/")[:2]
        if cause.isdecimal():
            return stream, int(cause)
    for name in _CAUSES:
        seq = fact.data.get(name)
        if isinstance(seq, int) and 0 < seq < fact.seq:
            return fact.stream, seq
    if (fact.stream, fact.seq) != (first.stream, first.seq):
        return first.stream, first.seq
    return (fact.stream, 1) if fact.seq > 1 and fact.stream.startswith("INC-") else None


class Tracing:
    """Turns what was stored into spans. Called from several threads; takes some microseconds a fact."""

    def __init__(self, house: House, process: str, send: Callable[[ReadableSpan], None]) -> None:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - only where traces are sent

        settings = house.institution.settings.tracing
        self._installation = f"{house.institution.organisation.name}/{house.drill is not None}"
        service = settings.service if settings is not None else "hikeshi"
        self._resource = Resource({"service.name": service, "hikeshi.process": process})
        self._send = send
        self._at: dict[tuple[str, int], datetime] = {}
        self._begun: dict[tuple[str, str], datetime] = {}

    def listen(self, *houses: House) -> None:
        """Follow what these houses store."""
        for house in houses:
            if not any(_follows(one) for one in house.desk.after_commit):
                house.desk.after_commit.append(partial(self.stored, house.desk))

    def stored(self, desk: Desk, outcome: Outcome) -> None:
        """A span for each fact."""
        if not outcome.facts:
            return
        streams = dict.fromkeys(fact.stream for fact in outcome.facts)
        hidden = {one for one in streams if _is_hidden(desk, one)}
        first = outcome.facts[0]
        incident = next((one.stream for one in outcome.facts if one.stream.startswith("INC-")), "")
        for fact in outcome.facts[:MOST_SPANS]:
            if fact.stream in hidden:
                continue
            own = fact.stream if fact.stream.startswith("INC-") else incident
            caused_by = cause_of(fact, first)
            trace_of = own or f"{first.stream}/{first.seq}"
            if not own and caused_by is not None and fact.kind.startswith("message."):
                # A page of the house itself: the trace of the fact that asked for it.
                trace_of = f"{caused_by[0]}/{caused_by[1]}"
            self._send(self._span(fact, place_of(self._installation, fact, trace_of, caused_by), caused_by))

    def _span(self, fact: Fact, place: Place, caused_by: tuple[str, int] | None) -> ReadableSpan:
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
        from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags  # noqa: PLC0415

        begun, ended = self._since(fact, caused_by), fact.recorded_at
        sampled = TraceFlags(TraceFlags.SAMPLED)
        parent = SpanContext(place.trace, place.parent, True, sampled) if place.parent else None
        failed = fact.kind in {"message.failed", "message.given_up", "step.failed"}
        delivery = fact.kind.startswith("message.")
        return ReadableSpan(
            name=fact.kind,
            context=SpanContext(place.trace, place.span, False, sampled),
            parent=parent,
            resource=self._resource,
            attributes=_attributes(fact),
            kind=SpanKind.PRODUCER if delivery else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR if failed else StatusCode.OK),
            start_time=micros(min(begun, ended)) * 1_000,
            end_time=micros(ended) * 1_000,
        )

    def _since(self, fact: Fact, caused_by: tuple[str, int] | None) -> datetime:
        """When what the fact tells began, as far as this process knows: asked for, or started."""
        self._remember(fact)
        step = fact.data.get("step")
        if fact.kind in {"step.done", "step.failed", "step.unknown"} and isinstance(step, str):
            return self._begun.pop((fact.stream, step), fact.recorded_at)
        if fact.kind.startswith("message.") and caused_by is not None:
            return self._at.get(caused_by, fact.recorded_at)
        return fact.recorded_at

    def _remember(self, fact: Fact) -> None:
        self._at[fact.stream, fact.seq] = fact.recorded_at
        if fact.kind == "step.started" and isinstance(fact.data.get("step"), str):
            self._begun[fact.stream, fact.data["step"]] = fact.recorded_at
        _bounded(self._at)
        _bounded(self._begun)


def _bounded(known: dict[Any, datetime]) -> None:
    while len(known) > REMEMBERED:
        known.pop(next(iter(known)), None)


def _attributes(fact: Fact) -> dict[str, str | int]:
    """Ids and words of the code; whatever a person wrote stays in the record."""
    found: dict[str, str | int] = {
        "hikeshi.stream": fact.stream,
        "hikeshi.seq": fact.seq,
        "hikeshi.via": fact.via,
        "hikeshi.by": "machine" if fact.actor == SYSTEM else "person",
    }
    for name in ("channel", "step", "attempt", "level", "tries", "reason"):
        value = fact.data.get(name)
        if isinstance(value, (str, int)):
            found[f"hikeshi.{name}"] = value
    return found


def begin(process: str, *houses: House) -> None:
    """Send traces of what these houses store, as their settings say; once, however often it is asked.

    Where it cannot be done that is logged, and everything else goes on.
    """
    house = houses[0]
    settings = house.institution.settings.tracing
    if settings is None or any(_follows(one) for one in house.desk.after_commit):
        return
    try:
        Tracing(house, process, _sender(house)).listen(*houses)
    except ModuleNotFoundError as missing:
        log.warning("traces are not sent: %s is not installed; pip install 'hikeshi[tracing]'", missing.name)
    except BadConfiguration as wrong:
        log.warning("traces are not sent: %s", wrong)


def _follows(listener: object) -> bool:
    called = listener.func if isinstance(listener, partial) else None
    return isinstance(getattr(called, "__self__", None), Tracing)


def _is_hidden(desk: Desk, stream: str) -> bool:
    """Whether only some may know of it, or that cannot be told now. Without a word of why: it was stored."""
    if not stream.startswith("INC-"):
        return False
    state = attempt("traces", partial(desk.state, stream)).value
    return not isinstance(state, Incident) or state.restriction.on


def _sender(house: House) -> Callable[[Any], None]:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    settings = house.institution.settings.tracing
    assert settings is not None  # noqa: S101 - asked before
    headers: dict[str, str] = {}
    if settings.token is not None:
        headers["Authorization"] = f"Bearer {secrets_of(house.institution.directory)(settings.token)}"
    exporter = OTLPSpanExporter(
        endpoint=settings.endpoint, headers=headers, timeout=settings.timeout.total_seconds()
    )
    processor = BatchSpanProcessor(
        exporter,
        max_queue_size=QUEUE,
        max_export_batch_size=BATCH,
        schedule_delay_millis=DELAY_MILLISECONDS,
    )
    # What it says when the collector is away is said often; once a minute is enough for a log.
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    return processor.on_end
