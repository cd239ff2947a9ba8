"""How long things take, month by month: a small chart for each measure, and the same as a table."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sqlalchemy import select

from console.web.asking import Ask, must_look
from console.web.frame import Page, Part, Values
from console.web.rooms.common import times, today, zone
from models.metrics import MEASURES, Measure, Span, Summary, spans, summarise
from models.record import STREAM

LOOK = "look-metrics"
MONTHS = 12
MAX_INCIDENTS = 400
"""The latest ones: the figures of one page are not worth folding years for."""
WIDTH, HEIGHT, TOP, LEFT = 360, 170, 22, 8
BASE = HEIGHT - 26
_STEP = (WIDTH - 2 * LEFT) / MONTHS


def _head(ask: Ask) -> Values:
    must_look(ask, LOOK)
    return {"drills": _drills(ask)}


def _drills(ask: Ask) -> bool:
    """Drills are never mixed with the real; on a drill's own node there is nothing else."""
    return ask.query.get("drills") == "yes" or ask.house.desk.premises.drill


def _figures(ask: Ask) -> dict[str, Any]:
    found, cut = _spans(ask)
    months = _months(today(ask))
    by = {(one.group, one.measure): one for one in summarise(found, "month")}
    return {
        "drills": _drills(ask),
        "charts": [_chart(measure, months, by, ask) for measure in MEASURES],
        "incidents": len({one.incident for one in found}),
        "cut": MAX_INCIDENTS if cut else 0,
        "width": WIDTH,
        "height": HEIGHT,
        "base": BASE,
        "left": LEFT,
    }


def _spans(ask: Ask) -> tuple[list[Span], bool]:
    """What the latest incidents tell, as far as whoever asks may read all of them."""
    latest = (STREAM.c.opened_at.desc(), STREAM.c.id.desc())
    wanted = select(STREAM.c.id).where(STREAM.c.kind == "incident", STREAM.c.drill.is_(_drills(ask)))
    with ask.house.record.read() as tx:
        names = list(tx.connection.execute(wanted.order_by(*latest).limit(MAX_INCIDENTS + 1)).scalars())
    # Left out where they may not be known of: a month with one incident in it would name it.
    known = ask.reader.whole(ask.house.desk.readable(names[:MAX_INCIDENTS]))
    found = [span for state in known for span in spans(state, str(zone(ask)))]
    return found, len(names) > MAX_INCIDENTS


def _months(day: date) -> list[str]:
    """The last twelve, as `2026-11`, the oldest first."""
    first = day.year * 12 + day.month - MONTHS
    return [f"{number // 12}-{number % 12 + 1:02d}" for number in range(first, first + MONTHS)]


def _chart(
    measure: Measure, months: list[str], by: dict[tuple[str, Measure], Summary], ask: Ask
) -> dict[str, Any]:
    rows = [(month, by.get((month, measure))) for month in months]
    lengths = [one.ninety for _, one in rows if one is not None and one.ninety is not None]
    most = max(lengths, default=timedelta(0))
    said = times(ask)
    return {
        "measure": measure,
        "title": ask.texts.word("clocks.measure", measure),
        "most": said.span(most) if lengths else "",
        "empty": not lengths,
        "bars": [_bar(place, month, one, most) for place, (month, one) in enumerate(rows)],
        "rows": [_row(month, one, ask) for month, one in rows if one is not None],
        "met": sum(one.met for _, one in rows if one is not None),
        "of": sum(one.of for _, one in rows if one is not None),
    }


def _bar(place: int, month: str, one: Summary | None, most: timedelta) -> dict[str, Any]:
    """The median as a bar, the ninety per cent as a line above it; in the chart's own units."""
    x = LEFT + place * _STEP

    def high(length: timedelta | None) -> float:
        share = length / most if length is not None and most else 0.0
        return round(max(2.0, share * (BASE - TOP)), 1) if length is not None else 0.0

    median, ninety = (high(one.median), high(one.ninety)) if one is not None else (0.0, 0.0)
    return {
        "x": round(x + 2, 1),
        "width": round(_STEP - 4, 1),
        "y": round(BASE - median, 1),
        "height": median,
        "line": round(BASE - ninety, 1) if ninety else 0,
        "middle": round(x + _STEP / 2, 1),
        "label": month[5:].lstrip("0"),
        "missed": one is not None and one.met < one.of,
    }


def _row(month: str, one: Summary, ask: Ask) -> dict[str, Any]:
    said = times(ask)
    return {
        "month": month,
        "count": one.count,
        "unknown": one.unknown,
        "median": said.span(one.median) if one.median is not None else "–",
        "ninety": said.span(one.ninety) if one.ninety is not None else "–",
        "met": f"{one.met}/{one.of}" if one.of else "–",
        "missed": one.met < one.of,
    }


PAGES = (Page(name="figures", path="/figures", parts=(Part(name="charts", values=_figures),), head=_head),)
