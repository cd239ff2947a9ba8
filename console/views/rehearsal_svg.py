"""Charts of a rehearsal as SVG: drawn here, without a script; every figure stands beside its bar as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

from console.rehearsing import Rehearsed
from console.texts import Texts
from console.views.markup import element, written
from console.views.rehearsal import FEW, MANY, clock_name, percent, span, worst_levels
from models.rehearsal.study import HOURS, Chance, Level, Times, Waited

WIDTH, LEFT, RIGHT, TOP, ROW = 960, 330, 170, 78, 24
CELL = 24
LABEL = 52
DARKEST = 0.65
"""The figure in a cell stays readable."""
MAX_ROWS = 40
STYLE = Path(__file__).with_name("rehearsal.css")
_PLOT = WIDTH - LEFT - RIGHT


def charts(one: Rehearsed, texts: Texts, *, styled: bool = True) -> Mapping[str, str]:
    """All charts by the name of their file, without its ending; `styled`: each with its own style sheet."""
    drawn = {
        "clocks": clocks(one, texts),
        "times": times(one, texts),
        "levels": levels(one, texts),
        "waits": waits(one, texts),
    }
    return {name: written(chart if styled else _without_style(chart)) for name, chart in drawn.items()}


def _without_style(chart: Element) -> Element:
    """For a page that has a style sheet, and lets nothing in it bring its own."""
    for one in chart.findall("style"):
        chart.remove(one)
    return chart


def clocks(one: Rehearsed, texts: Texts) -> Element:
    """The chance of each clock with its interval."""
    ended = [chance for chance in one.found.clocks if chance.runs]
    shown = sorted(ended, key=lambda chance: (chance.share, chance.clock))[:MAX_ROWS]
    rows = [part for place, chance in enumerate(shown) for part in _chance(place, chance, texts)]
    return _drawn(one, texts, "clocks", texts("rehearsal.interval"), len(shown), [*_grid(len(shown)), *rows])


def _chance(place: int, chance: Chance, texts: Texts) -> Iterator[Element]:
    y = TOP + place * ROW
    whole = chance.share * 100
    level = "low" if whole < FEW else "fair" if whole < MANY else ""
    yield _label(y, clock_name(chance.clock, texts))
    yield _bar(LEFT, y, chance.share * _PLOT, f"bar {level}".strip())
    for at, to in ((chance.low, chance.high),):
        yield _line(LEFT + at * _PLOT, y + 9, LEFT + to * _PLOT, y + 9, "line")
    said = f"{percent(chance.share)} ({percent(chance.low)}–{percent(chance.high)}, n={chance.runs})"
    yield element("text", said, x=_n(LEFT + _PLOT + 8), y=_n(y + 13), class_="soft")


def times(one: Rehearsed, texts: Texts) -> Element:
    """From the tenth to the ninetieth of a hundred runs, with the middle one, on an axis of its own each."""
    parts = [part for place, time in enumerate(one.found.times) for part in _time(place, time, texts)]
    return _drawn(one, texts, "times", "10 % – 50 % – 90 %", 2 * len(one.found.times), parts)


def _time(place: int, time: Times, texts: Texts) -> Iterator[Element]:
    y = TOP + place * 2 * ROW
    last = time.p90 or time.p50 or time.p10
    yield _label(y, texts(f"rehearsal.time.{time.what}"))
    yield element("text", f"{time.reached}/{time.runs}", x=_n(LEFT + _PLOT + 8), y=_n(y + 13), class_="soft")
    if time.p10 is None or last is None:
        yield element("text", texts("rehearsal.never"), x=_n(LEFT), y=_n(y + 13), class_="soft")
        return
    longest = max(last, 1)
    begin, end = LEFT + time.p10 / longest * _PLOT * 0.85, LEFT + last / longest * _PLOT * 0.85
    yield _bar(begin, y, end - begin, "work")
    for at in (time.p10, time.p50, time.p90):
        if at is None:
            continue
        x = LEFT + at / longest * _PLOT * 0.85
        yield _line(x, y, x, y + 18, "line")
        yield element("text", span(at, texts), x=_n(x), y=_n(y + 31), class_="soft mid")


def levels(one: Rehearsed, texts: Texts) -> Element:
    """By hour: how many of the calls of a level nobody answered before the next one was called."""
    shown = worst_levels(one.found)
    hours = [
        element("text", f"{hour:02}", x=_n(_cell(hour) + CELL / 2), y=_n(TOP - 6), class_="soft mid")
        for hour in range(HOURS)
    ]
    cells = [part for place, level in enumerate(shown) for part in _level(place, level)]
    return _drawn(one, texts, "levels", texts("rehearsal.shade"), len(shown), [*hours, *cells])


def _cell(hour: int) -> float:
    return LEFT - 60 + hour * CELL


def _level(place: int, level: Level) -> Iterator[Element]:
    y = TOP + place * ROW
    yield element("text", f"{level.route} {level.level + 1}", x=_n(LEFT - 70), y=_n(y + 15), class_="end")
    for hour in range(HOURS):
        asked = level.asked[hour]
        share = level.silent[hour] / asked if asked else 0.0
        yield element(
            "rect",
            element("title", f"{level.route} {level.level + 1}, {hour:02}:00: {level.silent[hour]}/{asked}"),
            x=_n(_cell(hour)),
            y=_n(y),
            width=_n(CELL),
            height=_n(ROW - 2),
            class_="cell" if asked else "cell void",
            fill_opacity=f"{share * DARKEST:.2f}" if asked else None,
        )
        if asked:
            yield element(
                "text", f"{share * 100:.0f}", x=_n(_cell(hour) + CELL / 2), y=_n(y + 15), class_="soft mid"
            )


def waits(one: Rehearsed, texts: Texts) -> Element:
    """What the path to the end was made of."""
    shown = one.found.waits[:12]
    longest = max((wait.seconds for wait in shown), default=1) or 1
    rows = [part for place, wait in enumerate(shown) for part in _wait(place, wait, longest, texts)]
    return _drawn(one, texts, "waits", "", len(shown), rows)


def _wait(place: int, wait: Waited, longest: int, texts: Texts) -> Iterator[Element]:
    y = TOP + place * ROW
    name = wait.name.partition("/")[2] or wait.name
    yield _label(y, f"{texts(f'rehearsal.wait.{wait.what}')}: {name}")
    yield _bar(LEFT, y, wait.seconds / longest * _PLOT, "bar" if wait.what == "wait" else "work")
    yield element(
        "text",
        span(wait.seconds, texts),
        x=_n(LEFT + wait.seconds / longest * _PLOT + 8),
        y=_n(y + 13),
        class_="soft",
    )


# -- what all have ------------------------------------------------------------------------------------------


def _drawn(one: Rehearsed, texts: Texts, name: str, note: str, rows: int, parts: list[Element]) -> Element:
    height = TOP + max(rows, 1) * ROW + 16
    title = texts(
        "rehearsal.chart",
        title=texts(f"rehearsal.{name}"),
        playbook=one.plan.playbook,
        runs=one.found.runs,
        seed=one.plan.seed,
    )
    empty = [] if rows else [element("text", texts("rehearsal.none"), x=_n(LEFT), y=_n(TOP + 14))]
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("style", STYLE.read_text(encoding="utf-8")),
        element("rect", class_="paper", width=_n(WIDTH), height=_n(height)),
        element("text", title, class_="head", x=_n(16), y=_n(28)),
        element("text", note, class_="soft", x=_n(16), y=_n(48)),
        *parts,
        *empty,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {_n(height)}",
        width=_n(WIDTH),
        role="img",
        aria_labelledby=f"{name}-title",
        lang=texts.lang,
    )


def _grid(rows: int) -> Iterator[Element]:
    for share in (0, 25, 50, 75, 100):
        x = LEFT + share / 100 * _PLOT
        yield _line(x, TOP - 4, x, TOP + rows * ROW, "grid")
        yield element("text", f"{share} %", x=_n(x), y=_n(TOP - 8), class_="soft mid")


def _label(y: float, text: str) -> Element:
    shown = text if len(text) <= LABEL else f"{text[: LABEL - 1]}…"
    return element("text", element("title", text), shown, x=_n(LEFT - 10), y=_n(y + 13), class_="end")


def _bar(x: float, y: float, width: float, class_: str) -> Element:
    return element("rect", x=_n(x), y=_n(y), width=_n(max(width, 1)), height=_n(ROW - 6), class_=class_)


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Element:
    return element("line", x1=_n(x1), y1=_n(y1), x2=_n(x2), y2=_n(y2), class_=class_)


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
