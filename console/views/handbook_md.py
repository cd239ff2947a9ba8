"""A book as Markdown, or as parts of a screen: everything in it is escaped, addresses are no links."""

from __future__ import annotations

from collections.abc import Iterator
from functools import singledispatch

from console.export import escape
from console.views.handbook import Book, Chapter, Facts, Grid, Heading, Part, Points, Words
from console.views.sheet import Line, Row, Section, Style, Table


def markdown(book: Book) -> str:
    """The book as one Markdown document."""
    lines = [f"# {escape(book.mark)} {escape(book.title)}", ""]
    for one in book.lead:
        lines += [escape(one), ""]
    for chapter in book.chapters:
        lines += [f"## {escape(chapter.title)}", ""]
        for part in chapter.parts:
            lines += [*_md(part), ""]
    return "\n".join([*lines, "---", "", escape(book.printed)]) + "\n"


@singledispatch
def _md(part: Part) -> Iterator[str]:
    raise TypeError(part)


@_md.register
def _(part: Words) -> Iterator[str]:
    before = "> " if part.tone in ("read", "note") else ""
    for number, line in enumerate(one for one in part.lines if one):
        if number:
            yield before.rstrip()
        yield f"{before}{escape(line)}"


@_md.register
def _(part: Points) -> Iterator[str]:
    mark = "- [ ]" if part.boxes else "-"
    yield from (f"{mark} {escape(line)}" for line in part.lines)


@_md.register
def _(part: Facts) -> Iterator[str]:
    for label, lines in part.rows:
        if len(lines) == 1:
            yield f"- **{escape(label)}**: {escape(lines[0])}"
        else:
            yield f"- **{escape(label)}**:"
            yield from (f"  - {escape(line)}" for line in lines)


@_md.register
def _(part: Grid) -> Iterator[str]:
    yield f"| {' | '.join(map(escape, part.headers))} |"
    yield f"|{' --- |' * len(part.headers)}"
    for row in part.rows:
        yield f"| {' | '.join(map(escape, row))} |"


@_md.register
def _(part: Heading) -> Iterator[str]:
    yield f"### {escape(part.text)}"


# -- the screen ---------------------------------------------------------------------------------------------


def sections(book: Book) -> list[Section | Line]:
    """The book for the terminal; columns and pages that are only there to be written on are left out."""
    found: list[Section | Line] = [Line(text=f"{book.mark} {book.title}", style="strong")]
    found += [Line(text=one) for one in book.lead]
    for chapter in book.chapters:
        if chapter.wide or not chapter.alone:
            found.append(Section(title=chapter.title, parts=screen(chapter)))
    return [*found, Line(text=book.printed, style="dim")]


def screen(chapter: Chapter) -> tuple[Line | Table, ...]:
    """One chapter for the terminal."""
    return tuple(_screen(chapter))


def _screen(chapter: Chapter) -> Iterator[Line | Table]:
    for part in chapter.parts:
        if isinstance(part, Grid):
            yield _filled(part)
        elif isinstance(part, Heading):
            yield Line(text=part.text, style="strong")
        elif isinstance(part, Facts):
            for label, lines in part.rows:
                yield Line(text=f"{label}: {' / '.join(lines)}", indent=1)
        else:
            style: Style = "dim" if isinstance(part, Words) and part.tone == "note" else "plain"
            mark = "- " if isinstance(part, Points) else ""
            yield from (Line(text=f"{mark}{line}", indent=1, style=style) for line in part.lines if line)


def _filled(grid: Grid) -> Table:
    """The table without columns that nothing stands in."""
    kept = [number for number in range(len(grid.headers)) if any(row[number] for row in grid.rows)]
    return Table(
        headers=tuple(grid.headers[number] for number in kept),
        rows=tuple(Row(cells=tuple(row[number] for number in kept)) for row in grid.rows),
    )
