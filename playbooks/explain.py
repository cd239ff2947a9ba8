"""pydantic's findings in the words and places of the file they were found in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from models.values import ID_PATTERN
from playbooks.defect import Defect, one_of, quoted
from playbooks.document import Document, KeyPath

MAX_DEFECTS_OF_A_FILE = 200
_GOT = re.compile(r"(?:Value error, )?expected (?P<expected>.+), got (?P<got>.+)", re.DOTALL)
_FIELD = re.compile(r"(?:Value error, )?(?P<field>[a-z_]+): (?P<words>.+)", re.DOTALL)
_SHOULD = re.compile(r"^\w+ should (be|have) ")
_NAMED = re.compile(r"`(?P<field>[a-z_]+)` belongs to")
_EXPECTED = {
    "timezone_aware": "an offset, for example 2026-11-23T03:00:00+09:00",
    "datetime_from_date_parsing": "a time with an offset, for example 2026-11-23T03:00:00+09:00",
    "datetime_parsing": "a time with an offset, for example 2026-11-23T03:00:00+09:00",
    "datetime_type": "a time with an offset, for example 2026-11-23T03:00:00+09:00",
    "date_from_datetime_parsing": "a date, for example 2026-11-23",
    "date_parsing": "a date, for example 2026-11-23",
    "date_type": "a date, for example 2026-11-23",
    "time_parsing": "a time of day, for example 09:00",
    "time_type": "a time of day, for example 09:00",
    "tuple_type": "a list, for example [one, two]",
    "list_type": "a list, for example [one, two]",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
}


def explain(document: Document, model: type[BaseModel], wrong: ValidationError) -> list[Defect]:
    """A defect for each finding, at the place of its value."""
    findings = wrong.errors(include_url=False, include_context=True, include_input=False)
    told = (finding for finding in findings if not _follows(document, finding))
    found = {_defect(document, model, finding): None for finding in told}
    return list(found)[:MAX_DEFECTS_OF_A_FILE]


def _follows(document: Document, finding: ErrorDetails) -> bool:
    """A list is "too short" also when its items do not fit; those are told by themselves."""
    value = document.get(_path(document, finding["loc"]))
    least = (finding.get("ctx") or {}).get("min_length", 0)
    return finding["type"] == "too_short" and isinstance(value, list) and len(value) >= least


def _defect(document: Document, model: type[BaseModel], finding: ErrorDetails) -> Defect:
    path = _path(document, finding["loc"])
    kind = finding["type"]
    if kind == "extra_forbidden":
        keys = _keys(model, finding["loc"][:-1])
        # A key in the right file but at the wrong height is named too, by the list of what fits there.
        return document.defect(path, f"unknown key {quoted(path[-1])}", one_of(keys, str(path[-1])), key=True)
    if kind == "missing":
        name = finding["loc"][-1]
        return document.defect(path, f"`{name}` is missing", f"a line `{name}: …` here")
    if kind == "value_error":
        return _own_words(document, path, finding["msg"])
    value = document.get(path)
    return document.defect(path, f"got {quoted(value)}", _expected(finding, value))


def _own_words(document: Document, path: KeyPath, message: str) -> Defect:
    """A validator of ours: its message names what is expected, and often the field."""
    if match := _GOT.fullmatch(message):
        return document.defect(path, f"got {match['got']}", match["expected"])
    words = message.removeprefix("Value error, ")
    if (match := _FIELD.fullmatch(message)) and document.get((*path, match["field"])) is not None:
        return document.defect((*path, match["field"]), match["words"])
    if (match := _NAMED.match(words)) and document.get((*path, match["field"])) is not None:
        return document.defect((*path, match["field"]), words, key=True)
    return document.defect(path, words)


def _expected(finding: ErrorDetails, value: Any) -> str:
    kind, context = finding["type"], finding.get("ctx") or {}
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    if kind in ("literal_error", "union_tag_invalid"):
        known = re.findall(r"'([^']*)'", str(context.get("expected") or context.get("expected_tags")))
        return one_of(known, str(value))
    if kind == "string_type" and isinstance(value, (int, float)):
        return "text: put it in quotes"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "keys with values"
    if kind == "string_pattern_mismatch":
        return _form(str(context.get("pattern")))
    return _plain(finding["msg"])


def _form(pattern: str) -> str:
    if pattern == ID_PATTERN:
        return "an id of small letters, digits and hyphens, for example csirt-duty"
    return f"text of the form {pattern}"


def _plain(message: str) -> str:
    """`at least 1 item` out of "Tuple should have at least 1 item after validation, not 0"."""
    words = _SHOULD.sub("", message).split(" after validation", 1)[0]
    return words[:1].lower() + words[1:]


def _path(document: Document, loc: tuple[int | str, ...]) -> KeyPath:
    """pydantic's location without the names of union members and the like, which are not in the file."""
    path: KeyPath = ()
    value = document.value
    for part in loc:
        named = isinstance(value, dict) and part in value
        if named or (isinstance(value, list) and isinstance(part, int) and part < len(value)):
            value = value[part]
            path = (*path, part)
    return path


def _keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> set[str]:
    """The keys that fit at a location, in the words of the file."""
    here: list[Any] = [model]
    for part in loc:
        here = [inner for kind in here for inner in _inside(kind, part)] or here
    models = [kind for kind in here if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return {field.alias or name for kind in models for name, field in kind.model_fields.items()}


def _inside(kind: Any, part: int | str) -> Iterator[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part in (name, field.alias):
                yield from _members(field.annotation)
        if part in _tags(kind):
            yield kind
    elif get_origin(kind) in (tuple, list):
        yield from _members(get_args(kind)[0])
    elif get_origin(kind) is dict:
        yield from _members(get_args(kind)[1])


def _members(annotation: Any) -> Iterator[Any]:
    """What a value may be: the members of a union, without None and without annotations."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    elif annotation is not NoneType:
        yield annotation


def _tags(kind: type[BaseModel]) -> tuple[Any, ...]:
    """The names by which a member of a union is told apart: its `kind`."""
    field = kind.model_fields.get("kind")
    return get_args(field.annotation) if field and get_origin(field.annotation) is Literal else ()
