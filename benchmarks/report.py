"""The report: what was promised beside what was measured, then everything, then under which conditions.

The part of docs/performance.md between the two marks is written by this; the rest by people.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.book import Book, Run
from benchmarks.chart import svg
from benchmarks.charts import charts
from benchmarks.figure import Figure
from models.errors import HikeshiError

DOCS = Path(__file__).parent.parent / "docs"
PAGE, PICTURES = DOCS / "performance.md", DOCS / "pictures"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
QUIET_LOAD = 1.5
"""Above this something else ran on the same cores while it was measured."""


def write_report(book: Book, path: Path) -> None:
    """The report as a file of its own, without charts."""
    path.write_text("# What it costs, measured\n\n" + "\n".join(_body(book)) + "\n", encoding="utf-8")


def write_docs(book: Book) -> None:
    """Charts and tables into docs/. Raises HikeshiError if the marks are missing."""
    text = PAGE.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise HikeshiError(f"{PAGE} has no place for the tables; put {BEGIN} and {END} into it")
    pictures = []
    for name, chart in charts(book):
        (PICTURES / f"bench-{name}.svg").write_text(svg(chart), encoding="utf-8")
        pictures += [f"![{chart.words()}](pictures/bench-{name}.svg)", ""]
    head, rest = text.split(BEGIN, 1)
    body = "\n".join([BEGIN, *_body(book, pictures), END])
    PAGE.write_text(head + body + rest.split(END, 1)[1], encoding="utf-8")


def _body(book: Book, pictures: list[str] | None = None) -> Iterator[str]:
    yield from _conditions(book)
    yield from ("### Target, measured, met", "", *_promises(book), "")
    if pictures:
        yield from ("### Beside the others", "", *pictures)
    yield from ("### Everything that was measured", "", *_all(book))


def _conditions(book: Book) -> Iterator[str]:
    here = book.conditions
    if not here:
        yield "Nothing has been measured yet."
        return
    versions = ", ".join(f"{name} {version}" for name, version in here["versions"].items())
    loads = [run.load for run in book.runs.values() if not run.failed]
    yield (
        f"{here['cores']} cores ({here['processor'] or here['machine']}), {here['memory_gib']} GiB, "
        f"Linux {here['kernel']}, Python {here['python']}, SQLite {here['sqlite']}, {versions}. "
        f"{here['database']}. Commit {here.get('commit') or 'unknown'}."
    )
    yield ""
    if loads and max(loads) > QUIET_LOAD:
        yield (
            "**Not a quiet machine**: other work ran on the same cores (load "
            f"{min(loads):g} to {max(loads):g}, in the last column), so the absolute figures are pessimistic "
            "and provisional. Ratios are taken within one run."
        )
        yield ""


def _promises(book: Book) -> Iterator[str]:
    yield "| figure | target | measured | met | n | load |"
    yield "|---|---|---|---|---|---|"
    for run, figure in _figures(book):
        if figure.target is None:
            continue
        name, value, target, _ = figure.as_row()
        met = "yes" if figure.met else "**no**"
        yield f"| {_cell(name)} | {target} | {value} | {met} | {figure.n:,} | {run.load:g} |"
    for name, run in book.runs.items():
        if run.failed:
            yield f"| {name} | | | **not measured**: {_cell(run.failed[:120])} | | |"


def _all(book: Book) -> Iterator[str]:
    for name, run in book.runs.items():
        rest = [figure for figure in run.figures if figure.target is None]
        if not rest:
            continue
        form = "" if run.form == "usual" else f", {run.form} form"
        yield f"`{name}`, {run.at[:16].replace('T', ' ')} UTC, {run.seconds:.0f} s, load {run.load:g}{form}"
        yield ""
        yield "| figure | measured | n |"
        yield "|---|---|---|"
        for figure in rest:
            said = f" ({_cell(figure.note)})" if figure.note else ""
            yield f"| {_cell(figure.name)}{said} | {figure.shown} | {figure.n:,} |"
        yield ""


def _figures(book: Book) -> Iterator[tuple[Run, Figure]]:
    for run in book.runs.values():
        for figure in run.figures:
            yield run, figure


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
