"""What a view hands to whoever shows it: a terminal, or a Markdown file."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

Style = Literal["plain", "strong", "bad", "warn", "good", "dim"]
MAX_CHARACTERS = 8_000
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line; `style` says in colour what the words say too."""

    text: str
    style: Style = "plain"
    indent: int = 0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table."""

    cells: tuple[str, ...]
    style: Style = "plain"


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under headers; columns in `whole` are never broken over lines."""

    headers: tuple[str, ...]
    rows: tuple[Row, ...]
    whole: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """A titled part of a screen."""

    title: str
    parts: tuple[Line | Table, ...]


def harmless(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Text from outside on one line, without anything that a terminal obeys or an eye cannot see."""
    seen = text if text.isprintable() else "".join(map(_seen, text))
    clean = " ".join(seen.split())
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


def _seen(char: str) -> str:
    if unicodedata.category(char) not in _HIDDEN:
        return char
    return " " if char.isspace() else ""


def dull(text: str) -> str:
    """The last line of defence before a terminal: lines and spaces stay, what it would obey goes."""
    if text.isprintable():
        return text
    return "\n".join("".join(_dulled(one) for one in line) for line in text.replace("\r\n", "\n").split("\n"))


def _dulled(char: str) -> str:
    if char.isspace():
        return char if char.isprintable() or char == "\u3000" else " "
    return "" if unicodedata.category(char) in _HIDDEN else char


def printable(text: str, limit: int = MAX_CHARACTERS) -> list[str]:
    """Text from outside, its lines kept, each of them harmless in a terminal."""
    whole = text if len(text) <= limit else text[:limit] + "…"
    return [harmless(line, limit) for line in whole.splitlines()]
