"""The course of an incident as SVG: drawn here, coloured by classes; shape and word say what colour says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element

from console.views.graph_layout import cut
from console.views.markup import element, written
from console.views.sheet import harmless
from console.views.swimlane import LEFT, RIGHT, ROW, TOP, WIDTH, Bar, Chart, Line, MarkKind, Placed, Row

LABEL_EMS = (LEFT - 20) / 15
"""How wide a lane's label may be, in widths of a Japanese character."""
SAID_EMS = 16.0
MAX_SAID = 6
"""Marks of one place that are named; the others are counted."""
SHAPES: Mapping[MarkKind, str] = {
    "asked": "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0 -11 0z",
    "acknowledged": "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0 -11 0z",
    "escalated": "M-6.5 5.5L0 -6.5L6.5 5.5z",
    "exhausted": "M-6 -6h12v12h-12z",
    "decided": "M0 -7L7 0L0 7L-7 0z",
    "waits": "M0 -7L7 0L0 7L-7 0z",
    "late": "M-6.5 -6.5H6.5L0 6.5z",
    "failed": "M-6 -6L6 6M6 -6L-6 6",
}


def svg(chart: Chart, said: Mapping[str, str], title: str, desc: str) -> str:
    """The chart. `said` are the words: `now`, `clocks`, and one for each kind of mark."""
    root = element(
        "svg",
        element("title", title, id="course-title"),
        element("desc", desc, id="course-desc"),
        *_axis(chart),
        *(part for row in chart.rows for part in _row(row, said)),
        *_clocks(chart, said),
        *_now(chart, said),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_n(chart.width)} {_n(chart.height)}",
        class_="course",
        role="img",
        aria_labelledby="course-title course-desc",
    )
    return written(root)


def _axis(chart: Chart) -> Iterator[Element]:
    for tick in chart.ticks:
        class_ = "tick day" if tick.day else "tick"
        yield _straight(tick.x, TOP - 6, tick.x, chart.height - 6, class_)
        yield element("text", tick.label, x=_n(tick.x), y=_n(TOP - 12), class_=f"{class_} label")


def _row(row: Row, said: Mapping[str, str]) -> Iterator[Element]:
    middle = row.y + ROW / 2
    yield element(
        "rect",
        x=_n(LEFT),
        y=_n(row.y + 2),
        width=_n(WIDTH - LEFT - RIGHT),
        height=_n(ROW - 4),
        class_="lane",
    )
    yield element("text", cut(row.lane.title, LABEL_EMS), x="4", y=_n(middle + 4.5), class_="lane-name")
    for bar in row.bars:
        yield _bar(bar, row)
    for mark in row.marks:
        yield _mark(mark, middle, said)


def _bar(bar: Bar, row: Row) -> Element:
    classes = " ".join(("bar", *(("open",) if bar.open_ else ()), *(("again",) if bar.again else ())))
    return element(
        "rect", x=_n(bar.x), y=_n(row.y + 5), width=_n(bar.width), height=_n(ROW - 10), rx=3, class_=classes
    )


def _mark(mark: Placed, middle: float, said: Mapping[str, str]) -> Element:
    names = [f"{said[one.kind]}: {harmless(one.what, 120)}" for one in mark.marks[:MAX_SAID]]
    more = [f"+{mark.count - MAX_SAID}"] if mark.count > MAX_SAID else []
    return element(
        "g",
        element("title", "\n".join([*names, *more])),
        element("path", d=SHAPES[mark.kind], class_=f"mark {mark.kind}"),
        element("text", str(mark.count), x="8", y="-3", class_="count") if mark.count > 1 else None,
        transform=f"translate({_n(mark.x)} {_n(middle)})",
    )


def _clocks(chart: Chart, said: Mapping[str, str]) -> Iterator[Element]:
    if not chart.lines:
        return
    yield element("text", said["clocks"], x="4", y=_n(chart.clocks_y - 8), class_="head")
    for line in chart.lines:
        yield from _clock(line)


def _clock(line: Line) -> Iterator[Element]:
    y, clock = line.y + 12, line.clock
    yield element(
        "text", cut(harmless(clock.title, 200), LABEL_EMS), x="4", y=_n(y + 4.5), class_="lane-name"
    )
    yield _straight(line.x_start, y, line.x_done, y, f"clock {clock.state}")
    if line.x_due > line.x_done:
        yield _straight(line.x_done, y, line.x_due, y, f"clock rest {clock.state}")
    shape = "M-1 -7L7 0L-1 7" if line.beyond else "M0 -8V8"
    yield element(
        "path",
        d=shape,
        class_=f"due {clock.state}{' beyond' if line.beyond else ''}",
        transform=f"translate({_n(line.x_due - (8 if line.beyond else 0))} {_n(y)})",
    )
    yield _beside(line, y)


def _beside(line: Line, y: float) -> Element:
    """How it stands, after its mark, or before it where there is no room."""
    text = cut(line.clock.said, SAID_EMS)
    left = line.x_due > WIDTH - RIGHT - SAID_EMS * 12
    x = (line.x_due - 14) if left else line.x_due + 8
    classes = f"said {line.clock.state}{' left' if left else ''}"
    return element("text", text, x=_n(x), y=_n(y - (5 if left else -4)), class_=classes)


def _now(chart: Chart, said: Mapping[str, str]) -> Iterator[Element]:
    if chart.x_now is None:
        return
    yield _straight(chart.x_now, TOP - 8, chart.x_now, chart.height - 6, "now-line")
    yield element("text", said["now"], x=_n(chart.x_now), y=_n(TOP - 26), class_="now-name")


def _straight(x1: float, y1: float, x2: float, y2: float, class_: str) -> Element:
    return element("line", x1=_n(x1), y1=_n(y1), x2=_n(x2), y2=_n(y2), class_=class_)


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
