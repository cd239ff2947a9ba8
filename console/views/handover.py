"""The hand-over brief on a screen, as Markdown and for programs; its words are those of the message."""

from __future__ import annotations

from collections.abc import Iterable

from console.export import escape
from console.views.naming import Naming
from console.views.sheet import Line, Section, Style, harmless
from notifiers.briefing_names import Matter
from notifiers.handover import Part
from notifiers.handover_words import WORDS

_STYLES: dict[str, Style] = {"decisions": "strong", "mine": "strong", "unknown": "warn", "pages": "bad"}


def matter(naming: Naming) -> Matter:
    """What the brief is made from."""
    return Matter(state=naming.state, texts=naming.beside, world=naming.world)


def sections(parts: Iterable[Part], naming: Naming) -> list[Section]:
    """A section a part; one with nothing in it says so."""
    none = (Line(text=WORDS[naming.lang]["nothing"], style="dim"),)
    return [
        Section(
            title=harmless(part.title),
            parts=tuple(
                Line(text=harmless(f"・{line}"), style=_STYLES.get(part.name, "plain"), indent=1)
                for line in part.lines
            )
            or none,
        )
        for part in parts
    ]


def markdown(parts: Iterable[Part], head: str, naming: Naming) -> str:
    """The brief as one Markdown document; everything in it is escaped."""
    lines = [f"# {escape(head)}"]
    for part in parts:
        own = [f"- {escape(line)}" for line in part.lines] or [f"- {WORDS[naming.lang]['nothing']}"]
        lines += ["", f"## {escape(part.title)}", "", *own]
    return "\n".join(lines) + "\n"
