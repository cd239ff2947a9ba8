"""An ack on an incident of 10,000 facts, until the record says that the escalation is stopped."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from benchmarks.bank import CISO, Bank, accepted
from benchmarks.figure import Figure, quantile, spread
from benchmarks.ground import Ground, settle
from benchmarks.long import FACTS, long_incident
from models.commands import Acknowledge
from models.desk import Desk

ACKS = 100
COLD_ACKS = 9
TARGET_MILLISECONDS = 100


def ack(ground: Ground) -> Iterator[Figure]:
    """With the incident at hand, as in a running node; and by a process that has just opened the record."""
    bank, stream = long_incident(ground)
    desk = bank.desk()
    pages = iter([page.id for page in desk.state(stream).open_pages() if page.event == "confirm"])
    _acknowledge(desk, stream, next(pages))
    warm = [_acknowledge(desk, stream, next(pages)) for _ in range(ACKS)]
    desk.record.close()
    yield _figure("ack → escalation stopped in the record", warm)
    cold = [_cold(bank, stream, next(pages)) for _ in range(COLD_ACKS)]
    yield _figure("the same, nothing cached", cold)


def _figure(what: str, values: list[float]) -> Figure:
    return Figure(
        name=f"{what}, {FACTS:,} facts, p95",
        value=quantile(values, 0.95),
        unit="ms",
        n=len(values),
        target=TARGET_MILLISECONDS,
        detail=spread(values),
    )


def _acknowledge(desk: Desk, stream: str, page: int) -> float:
    """Milliseconds until `handle` returned: it has committed by then, with synchronous=FULL."""
    start = perf_counter()
    outcome = accepted(desk.handle(stream, Acknowledge(actor=CISO, page=page)))
    took = (perf_counter() - start) * 1_000
    assert "page.acknowledged" in outcome.kinds()
    assert desk.state(stream).pages[page].state == "acknowledged"
    return took


def _cold(bank: Bank, stream: str, page: int) -> float:
    settle()
    desk = bank.desk()
    took = _acknowledge(desk, stream, page)
    desk.record.close()
    return took
