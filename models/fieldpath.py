"""Paths into an alert's JSON: dotted, with list items by number, `*`, `$`, alternatives and `?`.

A key that holds dots itself is found as well: `{"kibana.alert.uuid": …}` and `{"kibana": {"alert": …}}` are
both reached by `kibana.alert.uuid`, as Elastic writes either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MAX_VALUES = 200
"""Values taken through one path at most."""
_INDEX_DIGITS = 5
Parts = tuple[str, ...]


class Unreadable(Exception):
    """Names the field and what is wrong; `kind` holds nothing that the sender wrote."""

    def __init__(self, kind: str, problem: str = "") -> None:
        self.kind = kind
        super().__init__(problem or kind)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a path starts to read: one alert, and the whole post that it came in."""

    content: Any
    post: Any


@lru_cache(maxsize=2_000)
def _read_path(path: str) -> tuple[tuple[Parts, ...], bool]:
    """The alternatives of a path, and whether all of them may be missing."""
    alternatives = path.removesuffix("?").split("|")
    return tuple(tuple(one.split(".")) for one in alternatives), path.endswith("?")


def _found(content: Any, parts: Parts) -> Iterator[Any]:
    """What lies at the end of `parts`; several only through `*`."""
    if not parts:
        yield content
    elif isinstance(content, dict):
        yield from _in_object(content, parts)
    elif isinstance(content, list):
        yield from _in_list(content, parts)


def _in_object(content: Mapping[str, Any], parts: Parts) -> Iterator[Any]:
    if parts[0] == "*":
        for value in content.values():
            yield from _found(value, parts[1:])
        return
    for length in range(1, len(parts) + 1):
        name = ".".join(parts[:length]) if length > 1 else parts[0]
        if name in content:
            yield from _found(content[name], parts[length:])
            return


def _in_list(content: list[Any], parts: Parts) -> Iterator[Any]:
    if parts[0] == "*":
        for value in content[:MAX_VALUES]:
            yield from _found(value, parts[1:])
    elif parts[0].isdecimal() and len(parts[0]) <= _INDEX_DIGITS and int(parts[0]) < len(content):
        yield from _found(content[int(parts[0])], parts[1:])


def _start(place: Place, parts: Parts) -> Iterator[Any]:
    return _found(place.post, parts[1:]) if parts[0] == "$" else _found(place.content, parts)


def value_at(place: Place, path: str) -> Any:
    """The first value that is there, as it is; None if there is none."""
    for parts in _read_path(path)[0]:
        for value in _start(place, parts):
            if value is not None and value != "":
                return value
    return None


def scalar_at(place: Place, path: str) -> str | None:
    """The text or number at `path` as text; None if there is none. Raises Unreadable on anything else."""
    value = value_at(place, path)
    if value is None:
        return None
    if isinstance(value, (dict, list)):
        raise Unreadable(f"wrong-type/{path}", f"{path}: expected a text or a number")
    return str(value)


def needed_at(place: Place, path: str) -> str:
    """As `scalar_at`; empty if the path says that it may be missing. Raises Unreadable if it may not."""
    value = scalar_at(place, path)
    if value is None and not _read_path(path)[1]:
        raise Unreadable(f"missing/{path}", f"{path}: missing or empty")
    return value or ""


def texts_at(place: Place, path: str) -> list[str]:
    """The texts at `path`: one, a list, or many through `*`. Raises Unreadable on anything else.

    What `*` passes over may be of any kind: only texts and numbers are taken there.
    """
    found: list[str] = []
    for parts in _read_path(path)[0]:
        wild = "*" in parts
        for value in _start(place, parts):
            found += _flat(value, path, wild=wild)
            if len(found) >= MAX_VALUES:
                return found[:MAX_VALUES]
        if found:
            return found
    return found


def _flat(value: Any, path: str, *, wild: bool) -> Iterator[str]:
    for item in value[:MAX_VALUES] if isinstance(value, list) else (value,):
        if isinstance(item, (dict, list)):
            if not wild:
                raise Unreadable(f"wrong-type/{path}", f"{path}: expected a text or a list of texts")
        elif item is not None:
            yield str(item)


def all_texts(place: Place, paths: Iterable[str], limit: int) -> tuple[str, ...]:
    """The texts at all paths, each once and at most `limit` characters of it."""
    found = (text[:limit] for path in paths for text in texts_at(place, path))
    return tuple(dict.fromkeys(found))[:MAX_VALUES]
