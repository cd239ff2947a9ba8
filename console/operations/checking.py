"""Is what was given for an operation usable? All that is wrong is found at once, each with its field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.operations.catalogue import Field, Operation
from console.texts import Texts

MAX_TEXT = 20_000
"""Characters of one value: the longest text that the rules take, with room."""
MAX_MANY = 500
MAX_DIGITS = 15
MAX_NAME = 100
MAX_NAME_BYTES = 240
"""Of a file: file systems take 255, and a Japanese character has three."""
_NUMBER = re.compile(r"-?\d{1,15}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file that was handed in. Its name is somebody else's: it never becomes a path as it is."""

    name: str
    body: bytes

    @property
    def safe_name(self) -> str:
        """Its name as a file of our own may be called."""
        last = re.split(r"[/\\]", self.name)[-1]
        kept = "".join(char if char.isprintable() and char not in '<>:"|?*' else "_" for char in last)
        # The end is kept: it says of what kind the file is.
        end = kept.strip()[-MAX_NAME:].encode("utf-8", "replace")[-MAX_NAME_BYTES:]
        return end.decode("utf-8", "ignore").lstrip(".-") or "file"


@dataclass(frozen=True, kw_only=True)
class Defect:
    """One thing that is wrong. `key` names what is expected in the interface's words, filled by `value`."""

    field: str
    key: str
    value: str = ""

    def expected(self, texts: Texts) -> str:
        """What is expected, in words."""
        return texts(f"api.expected.{self.key}", value=self.value)


def defects(operation: Operation, values: Mapping[str, Any]) -> list[Defect]:
    """All that is wrong with these values; empty if the operation can be run."""
    known = {one.name: one for one in operation.fields}
    found = [Defect(field=name[:MAX_NAME], key="unknown") for name in values if name not in known]
    for one in operation.fields:
        value = values.get(one.name)
        if one.required and (value is None or value in ("", [])):
            found.append(Defect(field=one.name, key="required"))
        elif value is not None:
            found += _of_field(one, value)
    return found


def _of_field(field: Field, value: Any) -> Iterator[Defect]:
    many = list(value) if isinstance(value, (list, tuple)) else [value]
    if len(many) > 1 and not field.many:
        yield Defect(field=field.name, key="one")
        return
    if len(many) > MAX_MANY:
        yield Defect(field=field.name, key="fewer", value=str(MAX_MANY))
        return
    keys = ((_wrong(field, one), one) for one in many)
    yield from (Defect(field=field.name, key=key, value=_filling(field, key)) for key, _ in keys if key)


def _filling(field: Field, key: str) -> str:
    fillings = {"choice": ", ".join(field.choices), "shorter": str(MAX_TEXT), "number": str(MAX_DIGITS)}
    return fillings.get(key, "")


def _wrong(field: Field, value: Any) -> str:
    """What is expected of one value, empty if it is that."""
    if field.kind == "flag":
        return "" if isinstance(value, bool) else "flag"
    if field.kind == "file":
        return "" if isinstance(value, (Upload, Path)) or _is_text(value) else "file"
    if field.kind == "number":
        return "" if _is_number(value) else "number"
    return _wrong_text(field, value)


def _wrong_text(field: Field, value: Any) -> str:
    if not _is_text(value):
        return "text"
    if len(value) > MAX_TEXT:
        return "shorter"
    if field.choices and value and value not in field.choices:
        return "choice"
    return "pattern" if field.pattern and value and not re.fullmatch(field.pattern, value, re.I) else ""


def _is_text(value: Any) -> bool:
    """Whether it can be stored: a NUL is no text for every database, half a surrogate for none."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any(0xD800 <= ord(char) <= 0xDFFF for char in value)  # noqa: PLR2004 - Unicode's surrogates


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, (int, str)) and _NUMBER.fullmatch(str(value)) is not None
