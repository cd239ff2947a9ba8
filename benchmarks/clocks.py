"""Clocks: 25 of one incident with nothing new to say, 50,000 that run, and what obligations cost a command.

The crowd lies in the record as snapshots without the facts before them; what is written on top is whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

import msgspec
import sqlalchemy as sa

from benchmarks.bank import ANALYST, LEAD, Bank, accepted, found, premises
from benchmarks.figure import Figure
from benchmarks.ground import Ground, settle
from benchmarks.work import mixed
from console.watch import BATCH, SLICE
from models.clock import ExerciseClock, SystemClock
from models.clocks.rules import clock_counts, clock_facts, clock_instants
from models.commands import Acknowledge, Command, Declare, ServiceFact, SetInstant
from models.decide import next_due
from models.desk import HOUSE, Desk
from models.errors import HikeshiError
from models.fold import RULES_VERSION
from models.impact import RecordImpact
from models.record import STREAM, Record, micros

TIMES = 3
ONE_INCIDENT = 25
TARGET_MS = 0.3
PASSES = 300
OPEN, FEW_OPEN, EACH = 10_000, 1_000, 9
DUE = (0, 1, 20, 200)
LOOKS = 200
APART = timedelta(seconds=1)
"""Between the instants at which the batches of the crowd fall due."""
PER_ROUND = 200
PER_WRITE = 1_000
AFFECTED = (
    "identity",
    "core-banking",
    "zengin-link",
    "branch-terminals",
    "atm",
    "internet-banking",
)
TEXT = "端末でファイルの拡張子が一斉に変わった"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def clocks(ground: Ground) -> Iterator[Figure]:
    """The rule by itself, the watch, and the commands."""
    yield _nothing_new(ground.place("clocks-one"))
    yield from _crowds(ground)
    yield from _commands(ground)


# -- one incident -------------------------------------------------------------------------------------------


def _nothing_new(place: Path) -> Figure:
    desk = found(place).desk(ExerciseClock(SystemClock().now()))
    state = desk.incident(_loaded(desk, AFFECTED))
    world = desk.world(state)
    reports = sum(clock.kind == "report" for clock in state.clocks.values())
    if len(state.clocks) != ONE_INCIDENT or clock_facts(state, world):
        raise HikeshiError(f"{len(state.clocks)} clocks of one incident, or they have something to say")
    values = []
    for _ in range(TIMES):
        settle()
        start = perf_counter()
        for _ in range(PASSES):
            clock_facts(state, world)
        values.append((perf_counter() - start) * 1_000 / PASSES)
    desk.record.close()
    return Figure(
        name=f"{ONE_INCIDENT} clocks of one incident, planned and compared, nothing new",
        value=min(values),
        unit="ms",
        n=TIMES * PASSES,
        target=TARGET_MS,
        detail={
            "each_ms": [round(one, 3) for one in values],
            "clocks_of_reports": reports,
            "running": clock_counts(state)[0],
        },
    )


def _loaded(desk: Desk, affected: Sequence[str]) -> str:
    """An incident with these services affected, and what makes the example's obligations apply."""
    declared = Declare(actor=ANALYST, text=TEXT, playbooks=("unknown",), severity="high")
    stream = accepted(desk.handle(None, declared)).stream
    known: list[Command] = [ServiceFact(actor=LEAD, service=one, what="impacted") for one in affected]
    known.append(SetInstant(actor=LEAD, name="recognised", instant=desk.clock.now(), source=TEXT))
    for kind, value in (("people", "5000"), ("personal-data", "leaked"), ("purpose", "improper")):
        known.append(RecordImpact(actor=LEAD, kind=kind, value=value, source=TEXT))
    for command in known:
        accepted(desk.handle(stream, command))
    return stream


# -- a crowd ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Pattern:
    """An incident to copy: its row, its folded state as JSON, and when its first clock speaks."""

    row: dict[str, object]
    state: str
    at: datetime
    speaks_at: datetime
    due_at: datetime

    def copy(self, number: str, at: datetime) -> dict[str, object]:
        """The row of the same incident, declared `at`."""
        by = at - self.at

        def moved(match: re.Match[str]) -> str:
            return (datetime.fromisoformat(match[0]) + by).isoformat().replace("+00:00", "Z")

        state = _INSTANT.sub(moved, self.state.replace(str(self.row["id"]), number))
        return self.row | {
            "id": number,
            "opened_at": micros(at),
            "next_due_at": micros(self.due_at + by),
            "snapshot": state.encode(),
            "snapshot_seq": self.row["seq"],
            "rules": RULES_VERSION,
        }


def _crowds(ground: Ground) -> Iterator[Figure]:
    for count, dues in ((OPEN, DUE), (FEW_OPEN, (0, 20))):
        bank = found(ground.place(f"clocks-{count}"))
        now = SystemClock().now()
        _plant(bank, count, now, dues)
        for due, took in _looks(bank, now, dues).items():
            yield Figure(
                name=f"the watch's look, {count * EACH:,} clocks of {count:,} open incidents, {due} due",
                value=min(took),
                unit="ms",
                n=TIMES * max(due, 1),
                detail={"each_ms": [round(one, 3) for one in took]},
            )


def _pattern(desk: Desk) -> _Pattern:
    """Its pages are acknowledged; what runs are the clocks of phases, reports and a service."""
    now = desk.clock.now()
    declared = Declare(actor=ANALYST, text=TEXT, playbooks=("unknown",), severity="high")
    stream = accepted(desk.handle(None, declared)).stream
    accepted(desk.handle(stream, ServiceFact(actor=LEAD, service="identity", what="impacted")))
    accepted(desk.handle(stream, Acknowledge(actor=ANALYST)))
    state = desk.incident(stream)
    speaks, due = min(one for one in clock_instants(state) if one is not None), next_due(state)
    if clock_counts(state)[0] != EACH or due is None:
        raise HikeshiError(f"{clock_counts(state)[0]} clocks run instead of {EACH}")
    with desk.record.read() as tx:
        row = dict(tx.connection.execute(sa.select(STREAM).where(STREAM.c.id == stream)).mappings().one())
    body = msgspec.json.encode(state).decode()
    return _Pattern(row=row, state=body, at=now, speaks_at=speaks, due_at=due)


def _plant(bank: Bank, count: int, now: datetime, dues: Sequence[int]) -> None:
    """`count` open incidents; batches of them have a clock that speaks one after the other from `now` on."""
    speak: list[datetime] = []
    for number, due in enumerate(_batches(dues), start=1):
        speak += [now + number * APART] * due
    plant_clocks(bank, count, now, speak)


def plant_clocks(
    bank: Bank, count: int, now: datetime, speak: Sequence[datetime], first: int = 20_000
) -> list[str]:
    """`count` open incidents with nine clocks each; the first of them have one that speaks at these instants.

    Returns the names of those, in that order. What the others have to say is more than minutes away. They are
    numbered from `first`.
    """
    desk = bank.desk(ExerciseClock(now))
    pattern = _pattern(desk)
    starts = [at - (pattern.speaks_at - pattern.at) for at in speak]
    starts += [now] * (count - len(starts))
    rows = [pattern.copy(f"INC-{now.year}-{number:05d}", at) for number, at in enumerate(starts, first)]
    with desk.record.begin() as tx:
        for begin in range(0, count, PER_WRITE):
            tx.connection.execute(STREAM.insert(), rows[begin : begin + PER_WRITE])
        original = sa.update(STREAM).where(STREAM.c.id == pattern.row["id"])
        tx.connection.execute(original.values(status="closed", next_due_at=None, clocks_running=0))
    desk.record.close()
    running = sum(int(str(row["clocks_running"])) for row in rows)
    if running != count * EACH:
        raise HikeshiError(f"{running} clocks run instead of {count * EACH}")
    return [str(row["id"]) for row in rows[: len(speak)]]


def _batches(dues: Sequence[int]) -> list[int]:
    """How many fall due at each instant, after the first of which nothing is cached."""
    return [due for due in dues for _ in range(TIMES)]


def _looks(bank: Bank, now: datetime, dues: Sequence[int]) -> dict[int, list[float]]:
    """Milliseconds of each look, by how many were due."""
    clock = ExerciseClock(now)
    desk = bank.desk(clock)
    desk.state(HOUSE)
    _look(desk)
    values: dict[int, list[float]] = {due: [] for due in dues}
    for number, due in enumerate(_batches(dues), start=1):
        clock.set(now + number * APART)
        settle()
        if due:
            values[due].append(_timed(desk, 1, due))
        else:
            values[due].append(_timed(desk, LOOKS, 0))
    desk.record.close()
    return values


def _timed(desk: Desk, times: int, due: int) -> float:
    spoken = 0
    start = perf_counter()
    for _ in range(times):
        spoken += _look(desk)
    took = (perf_counter() - start) * 1_000 / times
    if spoken != due:
        raise HikeshiError(f"{spoken} clocks spoke instead of {due}")
    return took


def _look(desk: Desk) -> int:
    """As the watch does it: what is due, in slices that share a commit; how many clocks spoke."""
    spoken = 0
    for _ in range(OPEN // BATCH):
        with desk.record.read() as tx:
            names = tx.due_streams(desk.clock.now(), BATCH)
        for first in range(0, len(names), SLICE):
            for outcome in desk.tick_all(names[first : first + SLICE]):
                spoken += any(kind.startswith("clock.") for kind in outcome.kinds())
        if len(names) < BATCH:
            break
    return spoken


# -- commands -----------------------------------------------------------------------------------------------


def _commands(ground: Ground) -> Iterator[Figure]:
    """The same mix on incidents with two affected services; rounds with and without take turns."""
    bank, other = found(ground.place("clocks-with")), found(ground.place("clocks-without"))
    bare = premises(other.institution())
    bare = replace(bare, policy=bare.policy.model_copy(update={"obligations": ()}))
    record = Record.at(other.database)
    record.migrate()
    desks = {"with": bank.desk(), "without": Desk(record, bare, SystemClock())}
    rates: dict[str, list[float]] = {name: [] for name in desks}
    owed: dict[str, tuple[int, int]] = {}
    for number in range(TIMES):
        for name, desk in desks.items():
            stream = _loaded(desk, AFFECTED[:2])
            settle()
            rates[name].append(_rate(desk, stream, list(mixed(PER_ROUND, str(number)))))
            state = desk.incident(stream)
            owed[name] = (len(state.obligations), len(state.clocks))
    for name, desk in desks.items():
        desk.record.close()
        yield Figure(
            name=f"commands, mixed, two affected services, {name} obligations in the policy",
            value=max(rates[name]),
            unit="/s",
            n=TIMES * PER_ROUND,
            detail={"each": [round(one) for one in rates[name]], "obligations_and_clocks": owed[name]},
        )


def _rate(desk: Desk, stream: str, work: Sequence[Command]) -> float:
    start = perf_counter()
    outcomes = [desk.handle(stream, command) for command in work]
    took = perf_counter() - start
    for outcome in outcomes:
        accepted(outcome)
    return len(work) / took
