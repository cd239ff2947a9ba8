"""What people see: lines, tables and sections on a terminal, or JSON for other programs."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from console.views.sheet import Line, Section, Table, dull

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"plain": "", "strong": "bold", "bad": "bold red", "warn": "yellow", "good": "green", "dim": "dim"}
WIDTH_ELSEWHERE = 140
"""Columns when nobody looks at a terminal: a pipe or a file."""


def console(*, stderr: bool = False) -> Console:
    """A console that takes nothing in a text for mark-up, and colours only a terminal."""
    from rich.console import Console  # noqa: PLC0415

    stream = sys.stderr if stderr else sys.stdout
    width = shutil.get_terminal_size((WIDTH_ELSEWHERE, 40)).columns
    return Console(
        file=stream, markup=False, highlight=False, emoji=False, width=width, soft_wrap=not stream.isatty()
    )


@dataclass(kw_only=True)
class Sink:
    """Where an answer is gathered instead of printed: somebody asked over the network."""

    said: list[Section | Line] = field(default_factory=list)
    aside: list[Section | Line] = field(default_factory=list)
    """What a terminal shows on standard error."""
    documents: list[Any] = field(default_factory=list)
    """What `--json` prints, as values of JSON."""
    raw: str = ""
    """A text that is the answer as it stands: Markdown, CSV, a calendar."""
    refusal: dict[str, Any] = field(default_factory=dict)
    """Why not, for programs, in whatever form people are told."""


_SINK: ContextVar[Sink | None] = ContextVar("sink", default=None)


@contextmanager
def gathered() -> Iterator[Sink]:
    """Within this, in this thread, nothing is printed: all goes into the sink."""
    sink = Sink()
    token = _SINK.set(sink)
    try:
        yield sink
    finally:
        _SINK.reset(token)


def is_gathered() -> bool:
    """Whether the answer goes to somebody elsewhere, who cannot be shown progress or asked back."""
    return _SINK.get() is not None


def refuse(answer: dict[str, Any]) -> None:
    """Keep why not, as `--json` says it; a terminal shows it in its own way."""
    sink = _SINK.get()
    if sink is not None:
        sink.refusal = answer


_FIRST: list[Line] = []
"""What is still to be said before anything else."""


def begin_with(line: Line | None) -> None:
    """Say this line before the first other one, on whichever stream that is; None: nothing."""
    if not is_gathered():
        _FIRST[:] = [line] if line is not None else []


def raw(text: str) -> None:
    """Print a text as it is, with nothing after it."""
    sink = _SINK.get()
    if sink is not None:
        sink.raw += text
    else:
        sys.stdout.write(text)


def show(sections: Iterable[Section | Line], *, stderr: bool = False) -> None:
    """Print sections and lines."""
    sink = _SINK.get()
    if sink is not None:
        (sink.aside if stderr else sink.said).extend(sections)
        return
    out = console(stderr=stderr)
    while _FIRST:
        _line(out, _FIRST.pop())
    for one in sections:
        if isinstance(one, Line):
            _line(out, one)
            continue
        out.print()
        out.print(f"■ {dull(one.title)}", style="bold")
        for part in one.parts:
            if isinstance(part, Table):
                _table(out, part)
            else:
                _line(out, part)


def _line(out: Console, line: Line) -> None:
    from rich.padding import Padding  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    plain = dull(line.text)
    text = Text(plain, style=STYLES[line.style])
    out.print(Padding(text, (0, 0, 0, 2 * line.indent)) if out.is_terminal else " " * 2 * line.indent + plain)


def _table(out: Console, table: Table) -> None:
    from rich.table import Table as Grid  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(table.headers))
    for number, header in enumerate(table.headers or table.rows[0].cells):
        grid.add_column(
            header if table.headers else "",
            no_wrap=number in table.whole,
            header_style="dim",
            overflow="fold",
        )
    for row in table.rows:
        grid.add_row(*(Text(dull(cell), style=STYLES[row.style]) for cell in row.cells))
    out.print(grid)


def json(value: Any) -> None:
    """Print one JSON document."""
    import orjson  # noqa: PLC0415

    body = orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
    sink = _SINK.get()
    if sink is not None:
        sink.documents.append(orjson.loads(body))
        return
    sys.stdout.write(_HIDDEN.sub(_spelt, body.decode()) + "\n")


# What a terminal obeys or an eye cannot see is spelt as JSON spells it: the value stays what it is.
_HIDDEN = re.compile("[\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def _spelt(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _plain(value: Any) -> Any:
    import msgspec  # noqa: PLC0415

    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    return msgspec.to_builtins(value)
