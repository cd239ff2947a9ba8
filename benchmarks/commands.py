"""Commands a second, one writer, each durable, beside bare commits of the very same rows in the same run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import sqlalchemy as sa

from benchmarks.bank import accepted, declare, found
from benchmarks.bare import BareCore, BareSqlite, Rows, rows_of
from benchmarks.figure import Figure, quantile
from benchmarks.ground import Ground, settle
from benchmarks.work import mixed, notes
from models.commands import Command
from models.desk import Desk
from models.premises import Outcome
from models.record import STREAM

INCIDENTS = 20
ROUNDS = 7
PER_ROUND = 200
AT_LEAST_PER_SECOND = 500
AT_LEAST_OF_BARE = 25.0


@dataclass(frozen=True, kw_only=True)
class _Round:
    """Seconds that each way took for the same rows."""

    ours: float
    sqlite: float
    core: float


def commands(ground: Ground) -> Iterator[Figure]:
    """Notes alone, then the mix of an incident."""
    works: dict[str, Callable[[int], Iterable[Command]]] = {
        "notes": lambda _: notes(PER_ROUND),
        "mixed": lambda number: mixed(PER_ROUND, str(number)),
    }
    for name, work in works.items():
        yield from _figures(name, list(_rounds(ground.place(f"commands-{name}"), work)))


def _rounds(place: Path, work: Callable[[int], Iterable[Command]]) -> Iterator[_Round]:
    bank = found(place)
    desk = bank.desk()
    streams = [declare(desk) for _ in range(INCIDENTS)]
    began = _began(desk, streams)
    sqlite, core = BareSqlite(place / "bare.db", began), BareCore(place / "core.db", began)
    for number in range(ROUNDS):
        settle()
        took, outcomes = _ours(desk, streams, list(work(number)))
        rows = rows_of(desk.record, outcomes)
        yield _Round(ours=took, sqlite=_timed(sqlite.write, rows), core=_timed(core.write, rows))
    desk.record.close()
    sqlite.close()
    core.close()


def _began(desk: Desk, streams: Sequence[str]) -> list[dict[str, Any]]:
    with desk.record.read() as tx:
        found_rows = tx.connection.execute(sa.select(STREAM).where(STREAM.c.id.in_(streams)))
        return [dict(row) for row in found_rows.mappings()]


def _ours(desk: Desk, streams: Sequence[str], work: Sequence[Command]) -> tuple[float, list[Outcome]]:
    outcomes = []
    start = perf_counter()
    for number, command in enumerate(work):
        # Ten in a row for one incident, so that a step is added before it is done.
        outcomes.append(desk.handle(streams[number // 10 % len(streams)], command))
    took = perf_counter() - start
    return took, [accepted(outcome) for outcome in outcomes]


def _timed(write: Callable[[Rows], None], rows: Sequence[Rows]) -> float:
    start = perf_counter()
    for one in rows:
        write(one)
    return perf_counter() - start


def _figures(name: str, rounds: Sequence[_Round]) -> Iterator[Figure]:
    """Medians over the rounds; a ratio is taken within its round, where all three saw the same machine."""
    n = len(rounds) * PER_ROUND
    rate = quantile([PER_ROUND / one.ours for one in rounds], 0.5)
    detail = {
        "rounds": len(rounds),
        "per_second_of_each_round": [round(PER_ROUND / one.ours) for one in rounds],
        "bare_sqlite3_per_second": round(quantile([PER_ROUND / one.sqlite for one in rounds], 0.5)),
        "bare_core_per_second": round(quantile([PER_ROUND / one.core for one in rounds], 0.5)),
    }
    yield Figure(
        name=f"commands, {name}: stored durably, one writer",
        value=rate,
        unit="/s",
        n=n,
        target=AT_LEAST_PER_SECOND,
        at_least=True,
        detail=detail,
    )
    yield Figure(
        name=f"commands, {name}: of bare sqlite3 commits of the same rows",
        value=quantile([100 * one.sqlite / one.ours for one in rounds], 0.5),
        unit="%",
        n=n,
        target=AT_LEAST_OF_BARE,
        at_least=True,
    )
    yield Figure(
        name=f"commands, {name}: of bare SQLAlchemy Core commits of the same rows",
        value=quantile([100 * one.core / one.ours for one in rounds], 0.5),
        unit="%",
        n=n,
    )
