"""A record of 10,000 facts: read and folded from the first, from its snapshot, and when it is at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter

from benchmarks.bank import Bank
from benchmarks.figure import Figure, quantile, spread
from benchmarks.ground import Ground, settle
from benchmarks.long import FACTS, long_incident
from models.fold import empty
from models.fold import fold as fold_facts
from models.record import Record

TIMES = 9
WARM_TIMES = 200


def fold(ground: Ground) -> Iterator[Figure]:
    """Each cold figure is of a record that has just been opened; the file is in the system's cache."""
    bank, stream = long_incident(ground)
    yield _figure("read from the database and folded", [_whole(bank, stream) for _ in range(TIMES)], 100)
    yield _figure("from its snapshot and later facts", [_snapshot(bank, stream) for _ in range(TIMES)], None)
    desk = bank.desk()
    desk.state(stream)
    warm = [_milliseconds(lambda: desk.state(stream)) for _ in range(WARM_TIMES)]
    desk.record.close()
    yield _figure("warm", warm, 2)


def _figure(how: str, values: list[float], target: float | None) -> Figure:
    return Figure(
        name=f"a record of {FACTS:,} facts, {how}",
        value=quantile(values, 0.5),
        unit="ms",
        n=len(values),
        target=target,
        detail=spread(values),
    )


def _whole(bank: Bank, stream: str) -> float:
    settle()
    record = Record.at(bank.database)

    def read() -> None:
        with record.read() as tx:
            state = fold_facts(empty(stream), tx.facts(stream))
        assert state.seq >= FACTS  # others may have acknowledged in it before

    took = _milliseconds(read)
    record.close()
    return took


def _snapshot(bank: Bank, stream: str) -> float:
    settle()
    desk = bank.desk()
    took = _milliseconds(lambda: desk.state(stream))
    desk.record.close()
    return took


def _milliseconds(call: Callable[[], object]) -> float:
    start = perf_counter()
    call()
    return (perf_counter() - start) * 1_000
