"""What is due of a stream, thing by thing, and how late it came about: told to the auditor from facts alone.

The watch is told one instant for each stream; here is every instant with what it is for, so that what was
written late, or not at all, has a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from models.casework import WATCH_VIA
from models.exercise import Exercise
from models.fact import Fact
from models.page import page_next_due
from models.rules import access, comcheck, exercise_due, findings, readers, shifts
from models.state import ENDED, OVER, Incident, Intake, Programme, StreamState

Kind = Literal[
    "page", "acknowledgement", "step-limit", "step-lease", "clock", "obligation", "shift", "emergency-access",
    "triage", "improvement", "reading", "communication-check", "finding", "exercise",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
_OF_A_TICK = frozenset({WATCH_VIA, "rules"})


@dataclass(frozen=True, kw_only=True)
class Due:
    """Something that time alone makes true at an instant."""

    kind: Kind
    subject: str
    at: datetime


def dues(state: StreamState) -> Iterator[Due]:
    """Everything for which the watch waits in this stream; the earliest is `decide.next_due`."""
    for page in state.pages.values():
        at = page_next_due(page) if page.state != "stopped" else None
        if at is not None:
            kind: Kind = "acknowledgement" if page.state == "acknowledged" else "page"
            yield Due(kind=kind, subject=str(page.id), at=at)
    if isinstance(state, Incident):
        yield from _of_incident(state)
    elif isinstance(state, Intake):
        alerts = state.alerts.values()
        yield from (Due(kind="triage", subject=one.id, at=one.overdue_at) for one in alerts if one.overdue_at)
    elif isinstance(state, Programme):
        yield from _of_programme(state)
    elif isinstance(state, Exercise):
        yield from _each("exercise", exercise_due.exercise_instants(state))


def _of_incident(state: Incident) -> Iterator[Due]:
    for known in state.steps.values() if state.status not in OVER else ():
        if known.limit_at and known.status in {"ready", "started"} and not known.overdue:
            yield Due(kind="step-limit", subject=known.key, at=known.limit_at)
        if known.lease_until and known.status == "started":
            yield Due(kind="step-lease", subject=known.key, at=known.lease_until)
    if state.status not in ENDED:
        for name, clock in state.clocks.items():
            if clock.next_at is not None:
                kind: Kind = "obligation" if clock.kind in {"report", "situation"} else "clock"
                yield Due(kind=kind, subject=name, at=clock.next_at)
    yield from _each("shift", shifts.shift_instants(state))
    yield from _each("emergency-access", access.glass_instants(state))


def _of_programme(state: Programme) -> Iterator[Due]:
    for one in state.improvements.values():
        if one.status == "open" and not one.overdue:
            at = one.due if one.reminded else min(one.remind_at, one.due)
            yield Due(kind="improvement", subject=one.id, at=at)
    yield from _each("reading", readers.reading_instants(state))
    yield from _each("communication-check", comcheck.comcheck_instants(state))
    yield from _each("finding", findings.finding_instants(state))


def _each(kind: Kind, instants: Iterator[datetime | None] | Sequence[datetime | None]) -> Iterator[Due]:
    """Those whose rule gives instants alone: each instant is its own subject."""
    found = sorted({at for at in instants if at is not None})
    return (Due(kind=kind, subject=at.isoformat(), at=at) for at in found)


@dataclass(frozen=True, kw_only=True)
class Came:
    """What was due and came about, and how much later."""

    kind: Kind
    late: timedelta


def came(before: Sequence[Due], after: Sequence[Due], recorded_at: datetime) -> Iterator[Came]:
    """What was due by then and is not any more, now that the watch has written."""
    still = {(one.kind, one.subject, one.at) for one in after}
    for one in before:
        if one.at <= recorded_at and (one.kind, one.subject, one.at) not in still:
            yield Came(kind=one.kind, late=recorded_at - one.at)


def written_together(facts: Sequence[Fact]) -> Iterator[list[Fact]]:
    """The facts by the transaction that wrote them, as far as facts tell: those of one instant."""
    begins = [
        number
        for number, fact in enumerate(facts)
        if number == 0
        or fact.recorded_at != facts[number - 1].recorded_at
        or (fact.via == WATCH_VIA) > (facts[number - 1].via in _OF_A_TICK)
    ]
    for begin, end in zip(begins, [*begins[1:], len(facts)], strict=True):
        yield list(facts[begin:end])
