"""The parts of an answer for people, as they came over the network; whatever they are not becomes plain.

`console.operations.sheet` writes them. It knows the commands and the record; this knows neither, so that a
command that is done elsewhere starts at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from console.views.sheet import Line, Row, Section, Style, Table

MEDIA_TYPE = "application/vnd.hikeshi.sheet+json"
_STYLES = frozenset(get_args(Style))


def part(content: Any) -> Section | Line:
    """A section or a line."""
    given: Mapping[str, Any] = content if isinstance(content, dict) else {}
    if "section" not in given:
        return _line(given)
    parts = tuple(
        _table(one["table"]) if isinstance(one, dict) and isinstance(one.get("table"), dict) else _line(one)
        for one in given.get("parts") or ()
    )
    return Section(title=str(given["section"]), parts=parts)


def _line(content: Any) -> Line:
    given: Mapping[str, Any] = content if isinstance(content, dict) else {}
    indent = given.get("indent")
    return Line(
        text=str(given.get("line", "")),
        style=_style(given),
        indent=indent if isinstance(indent, int) else 0,
    )


def _table(content: Mapping[str, Any]) -> Table:
    rows = [one for one in content.get("rows") or () if isinstance(one, dict)]
    return Table(
        headers=tuple(map(str, content.get("headers") or ())),
        rows=tuple(Row(cells=tuple(map(str, one.get("cells") or ())), style=_style(one)) for one in rows),
        whole=tuple(one for one in content.get("whole") or () if isinstance(one, int)),
    )


def _style(content: Mapping[str, Any]) -> Style:
    style = content.get("style")
    return cast(Style, style) if isinstance(style, str) and style in _STYLES else "plain"
