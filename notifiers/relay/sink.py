"""What every sink of the second path can do, and what it raises."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from models.errors import BadInput, HikeshiError
from models.lines import SEALED, SEGMENT, Line, read_line

_NAME = re.compile(r"facts-(\d{8})\.jsonl(\.age)?$")


class SinkError(HikeshiError):
    """The sink took nothing, or nobody can tell; what was not confirmed goes again."""


class SinkTaken(SinkError):
    """Somebody else writes to this place: two nodes on one record, or two records on one place."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What leaves together, and how far each stream has then come."""

    lines: tuple[Line, ...] = ()
    cursors: dict[str, int] = field(default_factory=dict)
    more: bool = False
    documents: frozenset[str] = frozenset()

    def raw(self) -> bytes:
        """All lines as one piece."""
        return b"".join(line.raw for line in self.lines)


class Sink(Protocol):
    """Takes batches. Blocking; `send` returns only when the lines are where they are meant to be."""

    texts: bool

    def send(self, lines: Sequence[Line]) -> None:
        """Hand them over. Raises SinkError; then they go again, later."""

    def last(self) -> dict[str, tuple[int, str]]:
        """Seq and hash of the last fact of each stream in the last segment; empty if that cannot be read."""

    def close(self) -> None:
        """Let go of what is open."""


def last_of(segment: bytes) -> dict[str, tuple[int, str]]:
    """Seq and hash of the last fact of each stream in a segment; what cannot be read is passed over."""
    found: dict[str, tuple[int, str]] = {}
    for raw in segment.split(b"\n"):
        try:
            line = read_line(raw)
            if line["t"] == "fact":
                found[str(line["stream"])] = (int(line["seq"]), str(line["hash"]))
        except (BadInput, KeyError, ValueError, TypeError):
            continue
    return found


def name_of(number: int, sealed: bool) -> str:
    """The name of a segment."""
    return SEGMENT.format(number=number) + (SEALED if sealed else "")


def number_of(name: str) -> int:
    """The number of a segment by its name; 0 if it is none."""
    found = _NAME.search(name)
    return int(found[1]) if found else 0
