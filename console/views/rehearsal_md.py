"""The report of a rehearsal as Markdown, with its charts beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from console.rehearsing import Rehearsed
from console.texts import Texts
from console.views.rehearsal import sections
from console.views.sheet import Line, Section, Table

PICTURES = {1: "clocks", 2: "times", 3: "levels", 4: "waits"}
"""After which section which chart stands."""


def markdown(one: Rehearsed, texts: Texts) -> str:
    """The whole report."""
    lines = [f"# {texts('rehearsal.report')}: {one.plan.playbook}", ""]
    for place, section in enumerate(sections(one, texts)):
        lines += _section(section)
        if place in PICTURES:
            name = PICTURES[place]
            lines += [f"![{section.title}]({name}.svg)", ""]
    return "\n".join(lines)


def _section(section: Section) -> Iterable[str]:
    yield f"## {section.title}"
    yield ""
    for part in section.parts:
        if isinstance(part, Line):
            yield part.text
        else:
            yield from _table(part)
        yield ""


def _table(table: Table) -> Iterator[str]:
    yield "| " + " | ".join(table.headers) + " |"
    yield "|" + "---|" * len(table.headers)
    for row in table.rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row.cells) + " |"
