"""Parts of a screen as a file: Markdown, or one HTML page without scripts and without anything to fetch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element

from console.export import escape
from console.views.leaflet_html import POLICY
from console.views.markup import element, written
from console.views.sheet import Line, Section, Table, dull

_STYLE = (
    "body{font-family:sans-serif;margin:2em auto;max-width:70em;line-height:1.5}"
    "table{border-collapse:collapse}td,th{border:1px solid #999;padding:.2em .5em;text-align:left}"
    ".good{color:#060}.warn{color:#850}.bad{color:#a00;font-weight:bold}.dim{color:#555}"
)


def markdown(title: str, sections: Iterable[Section], lang: str) -> str:
    """The sections as one Markdown document; everything in it is escaped."""
    del lang
    lines = [f"# {escape(title)}"]
    for section in sections:
        lines += ["", f"## {escape(section.title)}", ""]
        for part in section.parts:
            lines += _table(part) if isinstance(part, Table) else [_line(part)]
    return "\n".join(lines) + "\n"


def _line(line: Line) -> str:
    return f"{'  ' * line.indent}- {escape(line.text)}"


def _table(table: Table) -> list[str]:
    head = [f"| {' | '.join(map(escape, table.headers))} |", f"|{' --- |' * len(table.headers)}"]
    return [
        *head,
        *(f"| {' | '.join(escape(cell) or ' ' for cell in row.cells)} |" for row in table.rows),
        "",
    ]


def html(title: str, sections: Iterable[Section], lang: str) -> str:
    """The sections as one HTML document, well-formed as XML too."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", _STYLE),
    )
    body = element("body", element("h1", title), *(one for section in sections for one in _section(section)))
    return written(element("html", head, body, lang=lang), "<!DOCTYPE html>\n")


def _section(section: Section) -> Iterator[Element]:
    yield element("h2", dull(section.title))
    for part in section.parts:
        if isinstance(part, Table):
            yield _grid(part)
        else:
            yield element("p", dull(part.text), class_=part.style)


def _grid(table: Table) -> Element:
    head = element("tr", *(element("th", dull(one)) for one in table.headers))
    rows = (
        element("tr", *(element("td", dull(cell)) for cell in row.cells), class_=row.style)
        for row in table.rows
    )
    return element("table", head, *rows)
