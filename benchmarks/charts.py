"""Which charts there are: each of figures that were measured, and of references that say when and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.book import Book
from benchmarks.chart import Bar, Chart, Kind

ELSEWHERE = "outlined: measured in November 2026 on two cores, not in this run"
_Named = tuple[str, str, Kind]


def charts(book: Book) -> Iterator[tuple[str, Chart]]:
    """Name and chart; one whose own figure was not measured is left out."""
    yield from _chart(
        book,
        "alert",
        "From an alert to the first notification at the receiver (p50, ms)",
        [
            ("Hikeshi", "alert → first page at the receiver, p50", "ours"),
            ("Prefect flow, called", "bare Prefect, flow called in-process: trigger → receiver, p50", "peer"),
            ("Prefect deployment run", "bare Prefect, deployment run: trigger → receiver, p50", "peer"),
        ],
        (
            Bar(label="n8n 2.40 (SQLite)", value=53, kind="reference", shown="53 ms"),
            Bar(label="FIR", value=175, kind="reference", shown="175 ms"),
        ),
    )
    yield from _chart(
        book,
        "steps",
        "Steps that do nothing, a second",
        [
            ("Hikeshi, no engine", "automated steps without an engine", "ours"),
            ("Hikeshi through Prefect", "automated steps through Prefect", "ours"),
            ("bare Prefect tasks", "bare Prefect tasks", "peer"),
            ("DBOS (SQLite), in turn", "DBOS on SQLite, steps that do nothing, one after the other", "peer"),
            ("DBOS (SQLite), at once", "DBOS on SQLite, steps that do nothing, several at once", "peer"),
            (
                "DBOS (PostgreSQL), in turn",
                "DBOS on PostgreSQL, steps that do nothing, one after the other",
                "peer",
            ),
            (
                "DBOS (PostgreSQL), at once",
                "DBOS on PostgreSQL, steps that do nothing, several at once",
                "peer",
            ),
        ],
        more_is_better=True,
    )
    engines = ("Hikeshi", "DBOS", "bare Prefect")
    yield from _chart(
        book,
        "kill",
        "kill -9 in the middle of ten steps: finished steps repeated",
        [
            (one, f"kill -9, {one}: finished steps repeated", "ours" if one == "Hikeshi" else "peer")
            for one in engines
        ],
    )
    yield from _chart(
        book,
        "lateness",
        "How late a clock speaks, 20 due a second (p99, s)",
        [
            (f"{count:,} open clocks", f"{count:,} open clocks, 20 due a second: lateness p99", "ours")
            for count in (1_000, 10_000, 100_000)
        ],
    )
    yield from _chart(
        book,
        "databases",
        "The same path on both databases: alert → first page (p50, ms)",
        [
            ("SQLite", "alert → first page at the receiver, p50", "ours"),
            ("PostgreSQL", "PostgreSQL: alert → first page at the receiver, p50", "ours"),
        ],
    )


def _chart(
    book: Book,
    name: str,
    title: str,
    named: Sequence[_Named],
    references: Sequence[Bar] = (),
    *,
    more_is_better: bool = False,
) -> Iterator[tuple[str, Chart]]:
    bars, limit, limit_shown = [], None, ""
    for label, figure_name, kind in named:
        figure = book.figure(figure_name)
        if figure is None:
            continue
        bars.append(Bar(label=label, value=figure.value, kind=kind, shown=figure.shown))
        if figure.target is not None and limit is None:
            limit, limit_shown = figure.target, figure.as_row()[2]
    if not any(bar.kind == "ours" for bar in bars):
        return
    loads = [run.load for run in book.runs.values() if any(one.name == named[0][1] for one in run.figures)]
    foot = f"×: of the first; load {loads[0]:g}" if loads else "×: of the first"
    if references:
        bars += references
        foot = f"{foot}; {ELSEWHERE}"
    chart = Chart(
        title=title, bars=bars, more_is_better=more_is_better, foot=foot, limit=limit, limit_shown=limit_shown
    )
    yield name, chart
