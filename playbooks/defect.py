"""What is wrong with the institution's files, each with its place, and the error that carries them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from models.errors import BadConfiguration

WHOLE_FILE = "(file)"
MAX_QUOTED = 120
MAX_LISTED = 12


@dataclass(frozen=True, kw_only=True, order=True, slots=True)
class Defect:
    """One defect: where it is, what is wrong, what is expected. A warning alone does not fail `check`."""

    file: str
    line: int
    column: int
    path: str
    wrong: str
    expected: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        tail = f"; expected {self.expected}" if self.expected else ""
        mark = "warning: " if self.severity == "warning" else ""
        return f"{self.file}:{self.line}:{self.column}: {self.path or WHOLE_FILE}: {mark}{self.wrong}{tail}"


class Defects(BadConfiguration):
    """The institution's files have defects; `.defects` holds every one, `hikeshi check DIR` shows them."""

    def __init__(self, defects: Sequence[Defect]) -> None:
        self.defects = tuple(defects)
        count = len(self.defects)
        first = self.defects[0] if self.defects else "no defect named"
        more = f" (and {count - 1} more: run `hikeshi check`)" if count > 1 else ""
        super().__init__(f"{first}{more}")


def errors_of(defects: Iterable[Defect]) -> list[Defect]:
    """Those that are no warnings."""
    return [defect for defect in defects if defect.severity == "error"]


def quoted(value: object) -> str:
    """A value from a file as one harmless, short line: control characters are escaped, length is cut."""
    text = repr(value)
    return text if len(text) <= MAX_QUOTED else text[:MAX_QUOTED] + "…"


def one_of(known: Iterable[str], wrong: str = "") -> str:
    """`one of a, b, c`, or the likely one if `wrong` is a slip of one of them."""
    names = sorted(known)
    if close := get_close_matches(wrong, names, n=1, cutoff=0.6):
        return f"a known one (did you mean `{close[0]}`?)"
    shown = ", ".join(names[:MAX_LISTED]) + (", …" if len(names) > MAX_LISTED else "")
    return f"one of {shown}" if names else "none: there is nothing to name"
