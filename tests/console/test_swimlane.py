"""The course of an incident as a chart: every place is worked out, bounded, and says what it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest

from console.views.swimlane import (
    GAP,
    LEFT,
    MAX_BARS,
    MAX_CLOCKS,
    MAX_TICKS,
    RIGHT,
    WIDTH,
    ClockLine,
    Course,
    Lane,
    Mark,
    MarkKind,
    Span,
    gathered,
    lay_out,
    scale_of,
    ticks,
)
from console.views.swimlane_svg import SHAPES, svg

TOKYO, BERLIN = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")
START = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
SAID = {"now": "now", "clocks": "Clocks"} | {kind: kind for kind in SHAPES}


def after(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def course(*lanes: Lane, passed: float = 60, **more: object) -> Course:
    return Course(begin=START, now=after(passed), lanes=lanes, **more)  # type: ignore[arg-type]


def mark(minutes: float, kind: MarkKind = "asked") -> Mark:
    return Mark(at=after(minutes), kind=kind, what=f"{kind} at {minutes}", seq=1)


@pytest.mark.parametrize(
    ("passed", "first", "day"),
    [
        (16, "03:00", False),
        (60, "03:00", False),
        (24 * 60, "06:00", False),
        (72 * 60, "12:00", True),
        (30 * 24 * 60, "11/29", True),
        (3 * 365 * 24 * 60, "11/01", True),
    ],
    ids=["a quarter of an hour", "an hour", "a day", "three days", "a month", "three years"],
)
def test_the_axis_has_even_instants_of_the_institutions_day(passed: float, first: str, day: bool) -> None:
    found = list(ticks(scale_of(course(passed=passed)), TOKYO))
    assert 2 <= len(found) <= MAX_TICKS + 1
    assert found[0].label == first
    assert any(tick.day for tick in found) is day or passed <= 24 * 60
    assert all(one.x < other.x for one, other in pairwise(found))
    assert all(LEFT <= tick.x <= WIDTH - RIGHT for tick in found)


def test_the_axis_goes_on_over_a_change_of_summer_time() -> None:
    begin = datetime(2026, 10, 24, 20, 0, tzinfo=UTC)
    found = list(ticks(scale_of(Course(begin=begin, now=begin + timedelta(hours=10))), BERLIN))
    assert len({tick.label for tick in found}) == len(found)
    assert all(one.x < other.x for one, other in pairwise(found))


def test_a_phase_that_is_open_reaches_to_now_and_one_that_came_back_has_two_bars() -> None:
    spans = (Span(start=after(0), end=after(20)), Span(start=after(40), again=True))
    chart = lay_out(course(Lane(name="containment", title="containment", spans=spans)), TOKYO)
    first, second = chart.rows[0].bars
    assert (first.open_, first.again, second.open_, second.again) == (False, False, True, True)
    assert chart.x_now is not None
    assert second.x + second.width == pytest.approx(chart.x_now)
    assert first.x + first.width < second.x


def test_what_is_closed_has_no_now_and_its_bars_end_with_it() -> None:
    lane = Lane(name="triage", title="triage", spans=(Span(start=after(0)),))
    chart = lay_out(course(lane, passed=600, ended=after(60)), TOKYO)
    assert chart.x_now is None
    bar = chart.rows[0].bars[0]
    assert bar.x + bar.width < WIDTH - RIGHT


def test_marks_that_would_lie_on_each_other_become_one_that_shows_the_gravest() -> None:
    marks = (mark(10), mark(10.2, "escalated"), mark(10.3, "acknowledged"), mark(50, "decided"))
    first, second = gathered(marks, scale_of(course()))
    assert (first.count, first.kind) == (3, "escalated")
    assert (second.count, second.kind) == (1, "decided")


def test_a_chart_of_ten_thousand_marks_has_few() -> None:
    many = tuple(mark(n / 100, "asked") for n in range(10_000))
    spans = tuple(Span(start=after(n), end=after(n + 0.5)) for n in range(99))
    lane = Lane(name="pages", title="Pages", spans=spans, marks=many)
    clocks = tuple(
        ClockLine(title="t", start=START, due=after(90), state="running", said="-") for _ in range(50)
    )
    chart = lay_out(course(lane, passed=100, clocks=clocks), TOKYO)
    assert len(chart.rows[0].marks) <= WIDTH / GAP
    assert len(chart.rows[0].bars) == MAX_BARS
    assert len(chart.lines) == MAX_CLOCKS
    assert len(svg(chart, SAID, "t", "d")) < 60_000


@pytest.mark.parametrize(
    ("due", "stopped", "beyond"),
    [(70, None, False), (6_000, None, True), (30, None, False), (50, 40, False)],
    ids=["soon", "after the chart's end", "broken", "met"],
)
def test_a_clock_is_full_as_far_as_it_has_run(due: float, stopped: float | None, beyond: bool) -> None:
    clock = ClockLine(
        title="RTO",
        start=START,
        due=after(due),
        state="met" if stopped else "running",
        stopped=after(stopped) if stopped else None,
    )
    chart = lay_out(course(clocks=(clock,)), TOKYO)
    line = chart.lines[0]
    assert line.beyond is beyond
    assert line.x_start < line.x_done <= max(line.x_due, line.x_done)
    assert line.x_done <= (chart.x_now or WIDTH) + 1e-6


def test_the_drawing_holds_outside_text_as_text_and_says_what_each_mark_is() -> None:
    nasty = '</text><script>alert(1)</script>"><img onerror=x>\u202e\u200b{{7*7}}'
    one = Mark(at=after(5), kind="decided", what=nasty)
    due = ClockLine(title=nasty, start=START, due=after(70), state="breached", said="BROKEN")
    lane = Lane(name="triage", title=nasty, spans=(Span(start=after(0)),), marks=(one,))
    drawn = svg(lay_out(course(lane, clocks=(due,)), TOKYO), SAID, nasty, nasty)
    root = ET.fromstring(drawn)  # noqa: S314 - our own drawing
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names == {"svg", "title", "desc", "g", "rect", "line", "path", "text"}
    assert not any(
        name.startswith("on") or name == "style" for element in root.iter() for name in element.attrib
    )
    titles = [element.text or "" for element in root.iter() if element.tag.endswith("title")]
    assert any(text.startswith("decided: </text><script>") for text in titles)
    assert "\u202e" not in "".join(titles[1:])
    classes = {element.get("class", "") for element in root.iter()}
    assert {"mark decided", "due breached", "clock breached", "bar open", "now-line"} <= classes
