"""A file as values with their places. Bounds hold while it is read, before anything large is built.

YAML 1.2: `on` and `12:30` are text. What a response plan does not need is refused: tags, several documents,
the same key twice; aliases only a few (nested ones of 414 bytes have stopped loaders for 25 seconds).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamStartEvent,
)

from playbooks.defect import Defect, quoted

KeyPath = tuple[str | int, ...]
Place = tuple[int, int]
MAX_BYTES = 1_048_576
MAX_DEPTH = 30
MAX_NODES = 30_000
MAX_NODES_SLOW = 8_000
MAX_BYTES_SLOW = 131_072
MAX_ALIASES = 20
KEPT = 128
"""How many files' values are kept for the next reading: those that are shipped and an institution's own."""
_NULL = {"", "~", "null", "Null", "NULL"}
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}\Z")
_FLOAT = re.compile(r"[-+]?(\.\d{1,40}|\d{1,40}\.\d{0,40}|\d{1,40}(?=[eE]))([eE][-+]?\d{1,3})?\Z", re.ASCII)
_TOML_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_TOML_TABLE = re.compile(r"\s*\[\s*([A-Za-z0-9_.-]+)\s*\]")
_TOML_WHERE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass(frozen=True, kw_only=True)
class Document:
    """What one file says, and where it says it. Lines and columns count from 1."""

    file: str
    value: Any
    places: dict[KeyPath, Place] = field(default_factory=dict)
    keys: dict[KeyPath, Place] = field(default_factory=dict)

    def place(self, path: KeyPath, *, key: bool = False) -> Place:
        """Where the value (or its key) is; the nearest thing around it if it is not there."""
        while path:
            found = self.keys.get(path) if key else None
            if found := found or self.places.get(path):
                return found
            path = path[:-1]
        return self.places.get((), (1, 1))

    def get(self, path: KeyPath) -> Any:
        """The value at `path`, or None."""
        value = self.value
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def defect(
        self,
        path: KeyPath,
        wrong: str,
        expected: str = "",
        *,
        severity: Literal["error", "warning"] = "error",
        key: bool = False,
    ) -> Defect:
        """A defect at `path` of this file."""
        line, column = self.place(path, key=key)
        return Defect(
            file=self.file,
            line=line,
            column=column,
            path=self.name(path),
            wrong=wrong,
            expected=expected,
            severity=severity,
        )

    def name(self, path: KeyPath) -> str:
        """`steps[isolate-segment].within`: items of a list by their id, else by number."""
        text = ""
        for count, part in enumerate(path, start=1):
            if isinstance(part, int):
                item = self.get(path[:count])
                label = item.get("id") if isinstance(item, dict) else None
                text += f"[{label if isinstance(label, str) else part}]"
            else:
                text += f".{part}" if text else part
        return text if text.isprintable() else quoted(text)


class _Unreadable(Exception):
    """The file cannot be read; carries its one defect's place and words."""

    def __init__(self, place: Place, wrong: str, expected: str = "") -> None:
        self.place = place
        self.wrong = wrong
        self.expected = expected
        super().__init__(wrong)


def read_document(path: Path, shown: str | None = None) -> tuple[Document | None, list[Defect]]:
    """The file's values with their places, or its defects. `shown` is the name used in messages."""
    file = shown or str(path)
    try:
        text = _text(path)
        if path.suffix == ".toml":
            return _toml(file, text), []
        return _yaml(file, text)
    except _Unreadable as bad:
        line, column = bad.place
        return None, [
            Defect(file=file, line=line, column=column, path="", wrong=bad.wrong, expected=bad.expected)
        ]


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as gone:
        reason = gone.strerror or "cannot be opened"
        raise _Unreadable((1, 1), f"cannot be read: {reason}", "a file (`hikeshi init` makes one)") from gone
    if len(raw) > MAX_BYTES:
        raise _Unreadable((1, 1), f"is larger than {MAX_BYTES // 1024} KiB", "a smaller file: split it")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        column = wrong.start - raw.rfind(b"\n", 0, wrong.start)
        raise _Unreadable((line, column), "is not UTF-8", "text saved as UTF-8") from wrong


def _toml(file: str, text: str) -> Document:
    try:
        value = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        where = _TOML_WHERE.search(str(wrong))
        lines = text.count("\n") + 1
        place = (int(where[1]), int(where[2])) if where and where[1] else (lines, 1)
        raise _Unreadable(place, f"is not TOML: {_TOML_WHERE.sub('', str(wrong))}") from wrong
    except RecursionError as deep:
        raise _Unreadable((1, 1), "nests too deep", f"at most {MAX_DEPTH} levels") from deep
    return Document(file=file, value=value, places=dict(_toml_places(text)))


def _toml_places(text: str) -> Iterator[tuple[KeyPath, Place]]:
    """Where tables and keys begin; tomllib does not tell, and settings hold no more than these."""
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if heading := _TOML_TABLE.match(line):
            table = tuple(heading[1].split("."))
            yield table, (number, heading.start(1) + 1)
        elif entry := _TOML_KEY.match(line):
            yield (*table, entry[1]), (number, entry.start(1) + 1)


def _yaml(file: str, text: str) -> tuple[Document, list[Defect]]:
    try:
        document, defects = _parse(file, text)
    except MarkedYAMLError as wrong:
        mark = wrong.problem_mark or wrong.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        words = ", ".join(part for part in (wrong.problem, wrong.context) if part)
        raise _Unreadable(
            place, f"is not YAML: {words}", "closed brackets, and quotes around text with : , or ?"
        ) from wrong
    except YAMLError as wrong:
        at = getattr(wrong, "position", 0)
        place = (text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
        raise _Unreadable(place, f"is not YAML: {getattr(wrong, 'reason', 'unreadable')}") from wrong
    return document, list(defects)


@lru_cache(maxsize=KEPT)
def _parse(file: str, text: str) -> tuple[Document, tuple[Defect, ...]]:
    """Kept for the next reading of the same text, since a directory is read again when one file changes.

    Nobody may change what this gives.
    """
    try:
        return _Builder(file, MAX_NODES).build(iter(YAML(typ="safe").parse(text)))
    except MarkedYAMLError:
        # The fast parser knows YAML 1.1 only: `{starts: 09:00}` is an error to it. The exact one is twenty
        # times slower, so it gets smaller bounds.
        if len(text) > MAX_BYTES_SLOW:
            raise
    return _Builder(file, MAX_NODES_SLOW).build(iter(YAML(typ="safe", pure=True).parse(text)))


class _Builder:
    """Builds the values out of parse events, so that bounds are met before, not after, they are crossed."""

    def __init__(self, file: str, most: int) -> None:
        self._most = most
        self.document = Document(file=file, value=None)
        self.defects: list[Defect] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self._aliases = 0

    def build(self, events: Iterator[Any]) -> tuple[Document, tuple[Defect, ...]]:
        """The document and its defects. Raises _Unreadable where nothing is left to build on."""
        value = self._only_document(events)
        made = self.document
        return Document(file=made.file, value=value, places=made.places, keys=made.keys), tuple(self.defects)

    def _only_document(self, events: Iterator[Any]) -> Any:
        found = False
        value = None
        for event in events:
            if isinstance(event, StreamStartEvent):
                continue
            if isinstance(event, DocumentStartEvent):
                if found:
                    raise _Unreadable(_place(event), "holds a second document", "one document, without `---`")
                found = True
                value = self._node(next(events), events, ())
        if not found or value is None:
            raise _Unreadable((1, 1), "is empty", "at least one key")
        return value

    def _node(self, event: Any, events: Iterator[Any], path: KeyPath) -> Any:
        self._count(event, 1)
        self.document.places[path] = _place(event)
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if event.tag is not None:
            raise _Unreadable(_place(event), f"uses the tag {quoted(event.tag)}", "plain values without tags")
        if len(path) >= MAX_DEPTH and not isinstance(event, ScalarEvent):
            raise _Unreadable(_place(event), "nests too deep", f"at most {MAX_DEPTH} levels")
        before = self._nodes
        value = self._value(event, events, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._nodes - before + 1)
        return value

    def _value(self, event: Any, events: Iterator[Any], path: KeyPath) -> Any:
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, path)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(events, path)
        _whole(event)
        return _scalar(event.value) if event.implicit[0] else event.value

    def _sequence(self, events: Iterator[Any], path: KeyPath) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(events), SequenceEndEvent):
            items.append(self._node(event, events, (*path, len(items))))
        return items

    def _mapping(self, events: Iterator[Any], path: KeyPath) -> dict[str, Any]:
        items: dict[str, Any] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            if not isinstance(event, ScalarEvent) or event.tag is not None:
                raise _Unreadable(_place(event), "has a key that is no plain text", "a word as the key")
            _whole(event)
            self._count(event, 1)
            under = (*path, event.value)
            again = event.value in items
            if again:
                line = self.document.keys[under][0]
                self._add(
                    event, under, f"the key {quoted(event.value)} is there twice", f"it once: see line {line}"
                )
            else:
                self.document.keys[under] = _place(event)
            value = self._node(next(events), events, under)
            if not again:
                items[event.value] = value
        return items

    def _add(self, event: Any, path: KeyPath, wrong: str, expected: str) -> None:
        line, column = _place(event)
        name = self.document.name(path)
        self.defects.append(
            Defect(
                file=self.document.file, line=line, column=column, path=name, wrong=wrong, expected=expected
            )
        )

    def _alias(self, event: Any) -> Any:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise _Unreadable(_place(event), "has too many aliases", f"at most {MAX_ALIASES}: write it out")
        if event.anchor not in self._anchors:
            raise _Unreadable(
                _place(event), f"refers to {quoted(event.anchor)}", "an anchor that ends before it"
            )
        value, size = self._anchors[event.anchor]
        self._count(event, size)
        return value

    def _count(self, event: Any, more: int) -> None:
        self._nodes += more
        if self._nodes > self._most:
            raise _Unreadable(
                _place(event), f"holds more than {self._most} values", "a smaller file: split it"
            )


def _whole(event: Any) -> None:
    """Raises _Unreadable for half a character (`"\\ud800"`): nothing that holds one can be stored or sent."""
    if not event.value.isascii() and any("\ud800" <= char <= "\udfff" for char in event.value):
        raise _Unreadable(_place(event), "holds half of a character", "the whole one, as itself")


def _place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _scalar(text: str) -> Any:
    """A plain word by YAML 1.2's core rules."""
    if text in _NULL:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    if _INTEGER.match(text):
        return int(text)
    return float(text) if _FLOAT.match(text) else text
