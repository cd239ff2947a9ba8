"""When a clock speaks: shares of a short target; business mornings before a long one; then the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from models.calendars import Calendar
from models.clock import utc
from models.clocks.planned import LONG, Planned
from models.policy import WARN_AT
from models.routing import warning_shares
from models.state import ClockStage, Incident
from models.world import World

BEFORE = (5, 1)
"""Business days before the last one on which a long target is mentioned."""
MARGIN = timedelta(hours=1)
"""The morning of the last day is no warning if the target is then less than this away."""
TICK = timedelta(microseconds=1)
OWN = "own"


def stages_of(state: Incident, planned: Planned, world: World) -> list[ClockStage]:
    """What this clock says when, in order; the last is its end."""
    started, due = planned.started_at, planned.due_at
    assert started is not None and due is not None  # noqa: S101 - only a running clock has stages
    end = ClockStage(at=due, what="over" if planned.ends else "breach", share=100)
    if planned.ends:
        return [end]
    found = list(_long(due, world) if due - started > LONG else _short(state, planned, world))
    found += [ClockStage(at=at, what="warning", share=0) for at in planned.warn_at]
    kept = [
        ClockStage(at=one.at, what=one.what, share=one.share or _share(one.at, started, due))
        for one in sorted(found, key=_at)
        if started < one.at < due
    ]
    return [*kept, end]


def _at(stage: ClockStage) -> datetime:
    return stage.at


def _share(at: datetime, started: datetime, due: datetime) -> int:
    return int((at - started) * 100 / (due - started))


def _short(state: Incident, planned: Planned, world: World) -> Iterator[ClockStage]:
    assert planned.started_at is not None and planned.due_at is not None  # noqa: S101 - see stages_of
    span = planned.due_at - planned.started_at
    for share in warning_shares(world, state, planned.kind) or WARN_AT:
        yield ClockStage(at=planned.started_at + span * share / 100, what="share", share=share)


def _long(due: datetime, world: World) -> Iterator[ClockStage]:
    """Notices in business hours five days and one before, and a page on the morning of the last day."""
    calendar = world.calendar(OWN)
    last = calendar.previous_working((due - TICK).astimezone(calendar.zone).date())
    if _opening(calendar, last) + MARGIN > due:
        last = calendar.add_working(last, -1)
    for days in BEFORE:
        day = calendar.add_working(last, -days)
        yield ClockStage(at=_opening(calendar, day), what="notice", share=0)
    yield ClockStage(at=_opening(calendar, last), what="warning", share=0)


def _opening(calendar: Calendar, day: date) -> datetime:
    return utc(datetime.combine(day, calendar.opens, calendar.zone))
