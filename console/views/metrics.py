"""Times against targets in a table."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from console.texts import Texts
from console.views.sheet import Line, Row, Section, Table
from console.views.times import Times
from models.metrics import Summary

_HEADERS = ("group", "measure", "count", "unknown", "median", "ninety", "met")


def section(rows: list[Summary], texts: Texts, zone: ZoneInfo) -> Section:
    """One row for each group and measure; what is unknown is counted, not guessed."""
    title = texts("clocks.title.metrics")
    if not rows:
        return Section(title=title, parts=(Line(text=texts("words.none")),))
    times = Times(texts=texts, zone=zone)
    headers = tuple(texts.word("clocks.metrics", name) for name in _HEADERS)
    return Section(
        title=title,
        parts=(Table(headers=headers, rows=tuple(_row(one, texts, times) for one in rows), whole=(0, 1)),),
    )


def _row(one: Summary, texts: Texts, times: Times) -> Row:
    def span(length: timedelta | None) -> str:
        return times.span(length) if length is not None else "–"

    met = f"{one.met}/{one.of}" if one.of else "–"
    return Row(
        cells=(
            one.group or "–",
            texts.word("clocks.measure", one.measure),
            str(one.count),
            str(one.unknown),
            span(one.median),
            span(one.ninety),
            met,
        ),
        style="bad" if one.met < one.of else "plain",
    )


def as_json(one: Summary) -> dict[str, object]:
    """The same for programs; spans in seconds."""

    def seconds(length: timedelta | None) -> int | None:
        return int(length.total_seconds()) if length is not None else None

    return {
        "group": one.group,
        "measure": one.measure,
        "count": one.count,
        "unknown": one.unknown,
        "median_seconds": seconds(one.median),
        "ninety_seconds": seconds(one.ninety),
        "targets_met": one.met,
        "targets": one.of,
    }
