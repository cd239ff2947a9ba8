"""The course of an incident over time, laid out: lanes of phases, clocks, pages and decisions. Pure.

Everything has a bound: marks that would lie on each other become one with a count, so that a record of ten
thousand facts makes a chart that can still be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

WIDTH, LEFT, RIGHT = 1200.0, 256.0, 16.0
TOP, ROW, CLOCK_ROW = 40.0, 28.0, 24.0
GAP = 18.0
"""Marks of one lane that are closer than this become one."""
MAX_CLOCKS = 8
MAX_BARS = 40
"""Bars of one lane; of a phase that came back more often the latest are shown."""
LEAST = timedelta(minutes=20)
AHEAD = 0.3
"""How much of what has passed is shown of what is to come."""
NEAR = 1.5
"""As AHEAD, if that is when a decision is due."""
_STEPS = tuple(
    timedelta(minutes=one)
    for one in (5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440, 2_880, 10_080, 43_200, 129_600, 525_600)
)
MAX_TICKS = 9
_DAY = timedelta(days=1)

MarkKind = Literal["asked", "escalated", "exhausted", "acknowledged", "decided", "waits", "late", "failed"]
WEIGHT: tuple[MarkKind, ...] = (
    "failed",
    "late",
    "exhausted",
    "waits",
    "escalated",
    "decided",
    "asked",
    "acknowledged",
)
"""Of several marks in one place the first of these is shown."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """A time in which a phase was open; `end` None while it is."""

    start: datetime
    end: datetime | None = None
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Something that happened: when, what kind, in words, and the fact that says so."""

    at: datetime
    kind: MarkKind
    what: str
    seq: int = 0


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One row: a phase with the times it was open, or a row of marks alone."""

    name: str
    title: str
    spans: tuple[Span, ...] = ()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ClockLine:
    """A clock as a line from its start to where it is due. `state` is the clock's status."""

    title: str
    start: datetime
    due: datetime
    state: str
    stopped: datetime | None = None
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class Course:
    """What is drawn. `begin` is when the incident was declared, `now` the instant of looking."""

    begin: datetime
    now: datetime
    ended: datetime | None = None
    lanes: tuple[Lane, ...] = ()
    clocks: tuple[ClockLine, ...] = ()


# -- what comes of it ---------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A drawn span; `open_` if it has no end yet."""

    x: float
    width: float
    open_: bool
    again: bool


@dataclass(frozen=True, kw_only=True)
class Placed:
    """One or several marks in one place; the gravest gives the shape."""

    x: float
    kind: MarkKind
    marks: tuple[Mark, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.marks)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A drawn lane."""

    y: float
    lane: Lane
    bars: tuple[Bar, ...]
    marks: tuple[Placed, ...]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A drawn clock: full to `x_done`, broken to `x_due`; `beyond` if it is due after the chart's end."""

    y: float
    clock: ClockLine
    x_start: float
    x_done: float
    x_due: float
    beyond: bool


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A labelled instant of the axis."""

    x: float
    label: str
    day: bool


@dataclass(frozen=True, kw_only=True)
class Chart:
    """All places, in the units of the drawing."""

    width: float
    height: float
    rows: tuple[Row, ...]
    lines: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    x_now: float | None
    clocks_y: float


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From instants to places."""

    start: datetime
    end: datetime

    def x(self, at: datetime) -> float:
        """Where an instant lies; what is outside lies at the edge."""
        share = (at - self.start) / (self.end - self.start)
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)


def scale_of(course: Course) -> Scale:
    """From the first that is drawn to a while after now, or to shortly after the end."""
    begin = min([course.begin, *(mark.at for lane in course.lanes for mark in lane.marks)])
    until = course.ended or course.now
    due = [mark.at for lane in course.lanes for mark in lane.marks if mark.kind == "waits"]
    passed = max(until - begin, LEAST)
    ahead = passed * (0.05 if course.ended else AHEAD)
    end = max(until, begin + LEAST) + ahead
    # What is due a while later is still drawn in its place; only what is far off lies at the edge.
    near = [at for at in due if at <= until + passed * NEAR]
    return Scale(start=begin - passed * 0.02, end=max([end, *(at + passed * 0.03 for at in near)]))


def lay_out(course: Course, zone: ZoneInfo) -> Chart:
    """Places for everything of the course."""
    scale = scale_of(course)
    rows = tuple(_row(place, lane, scale, course) for place, lane in enumerate(course.lanes))
    clocks_y = TOP + len(rows) * ROW + 26
    shown = course.clocks[:MAX_CLOCKS]
    lines = tuple(_line(place, one, scale, course, clocks_y) for place, one in enumerate(shown))
    return Chart(
        width=WIDTH,
        height=clocks_y + max(len(lines), 1) * CLOCK_ROW + 10,
        rows=rows,
        lines=lines,
        ticks=tuple(ticks(scale, zone)),
        x_now=None if course.ended else scale.x(course.now),
        clocks_y=clocks_y,
    )


def _row(place: int, lane: Lane, scale: Scale, course: Course) -> Row:
    spans = lane.spans[-MAX_BARS:]
    return Row(
        y=TOP + place * ROW,
        lane=lane,
        bars=tuple(_bar(one, scale, course) for one in spans),
        marks=tuple(gathered(lane.marks, scale)),
    )


def _bar(span: Span, scale: Scale, course: Course) -> Bar:
    end = span.end or course.ended or course.now
    x = scale.x(span.start)
    return Bar(x=x, width=max(3.0, scale.x(end) - x), open_=span.end is None, again=span.again)


def gathered(marks: Iterable[Mark], scale: Scale) -> Iterator[Placed]:
    """The marks of a lane from left to right, those too close to each other as one."""
    group: list[Mark] = []
    for mark in sorted(marks, key=lambda one: one.at):
        if group and scale.x(mark.at) - scale.x(group[0].at) >= GAP:
            yield _placed(group, scale)
            group = []
        group.append(mark)
    if group:
        yield _placed(group, scale)


def _placed(group: Sequence[Mark], scale: Scale) -> Placed:
    kind = min((one.kind for one in group), key=WEIGHT.index)
    return Placed(x=scale.x(group[0].at), kind=kind, marks=tuple(group))


def _line(place: int, clock: ClockLine, scale: Scale, course: Course, top: float) -> Line:
    done = clock.stopped or min(course.ended or course.now, clock.due)
    return Line(
        y=top + place * CLOCK_ROW,
        clock=clock,
        x_start=scale.x(clock.start),
        x_done=scale.x(max(done, clock.start)),
        x_due=scale.x(clock.due),
        beyond=clock.due > scale.end,
    )


# -- the axis -----------------------------------------------------------------------------------------------


def ticks(scale: Scale, zone: ZoneInfo) -> Iterator[Tick]:
    """Even instants of the institution's day, at most `MAX_TICKS`; midnight shows the date."""
    span = scale.end - scale.start
    step = next((one for one in _STEPS if span / one <= MAX_TICKS), _STEPS[-1])
    # By the clock on the wall: what comes of it is turned into an instant only at the end.
    wall = scale.start.astimezone(zone).replace(tzinfo=None)
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    wall = midnight + step * (int((wall - midnight) / step) + 1)
    for _ in range(MAX_TICKS + 1):
        at = wall.replace(tzinfo=zone).astimezone(UTC)
        if at >= scale.end:
            return
        day = step >= _DAY or (wall.hour == 0 and wall.minute == 0)
        yield Tick(x=scale.x(at), label=wall.strftime("%m/%d" if day else "%H:%M"), day=day)
        wall += step
