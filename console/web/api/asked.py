"""What a request asks for: its language, the form of the answer, and the fields of the operation."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from console.operations.catalogue import Field, Operation
from console.operations.checking import MAX_NAME, Defect, Upload
from console.operations.files import MAX_UPLOAD
from console.operations.sheet import MEDIA_TYPE as SHEET
from console.texts import LANGUAGES, texts
from console.web.api.problems import Problem
from console.web.security import TooLarge, TooSlow, read_body

MAX_BODY = 2 * 1024 * 1024
MAX_WITH_FILE = MAX_UPLOAD * 4 // 3 + MAX_BODY
"""Bytes of a body: base64 makes a third more of a file."""
READ_WITHIN_SECONDS = 60.0
MAX_PARTS = 200
MAX_LANGUAGES = 20
YES, NO = frozenset({"", "true", "yes", "1"}), frozenset({"false", "no", "0"})


@dataclass(frozen=True, kw_only=True)
class Form:
    """The form of the answer: for people as sections, for programs as JSON, or both in one."""

    sheet: bool = False
    as_json: bool = True


def language(request: Request, otherwise: str) -> str:
    """By Accept-Language, the one that is liked best of those there are."""
    best, quality = otherwise, 0.0
    for part in request.headers.get("accept-language", "").split(",")[:MAX_LANGUAGES]:
        tag, _, weight = part.partition(";")
        lang = tag.strip().lower()[:2]
        try:
            value = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        if lang in LANGUAGES and quality < value <= 1:
            best, quality = lang, value
    return best


def form(request: Request) -> Form:
    """`Accept: application/vnd.hikeshi.sheet+json` is for people; `;json=1` adds what `--json` prints."""
    accepted = request.headers.get("accept", "").replace(" ", "").lower()
    if SHEET not in accepted:
        return Form()
    return Form(sheet=True, as_json=f"{SHEET};json=1" in accepted)


async def body_of(request: Request, operation: Operation) -> bytes:
    """The body, bounded. Raises Problem."""
    files = any(one.goes_in for one in operation.fields)
    try:
        return await read_body(request, MAX_WITH_FILE if files else MAX_BODY, READ_WITHIN_SECONDS)
    except TooLarge:
        raise Problem("too-large", headers={"Connection": "close"}) from None
    except TooSlow:
        raise Problem("too-slow") from None


async def values_of(request: Request, operation: Operation, body: bytes) -> dict[str, Any]:
    """The fields that were given, of whatever kind they are. Raises Problem if the body cannot be read."""
    if operation.method == "GET":
        return _beside_path(request, operation, _of_query(request, operation))
    if request.query_params:
        # Nothing is taken from there, and whoever put it there believes that it counts.
        names = sorted(name[:MAX_NAME] for name in request.query_params)
        raise Problem("unusable", detail=", ".join(names), operation=operation.name)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _beside_path(request, operation, await _of_parts(request, operation, body))
    if kind not in {"application/json", ""}:
        raise Problem("media-type")
    found = _object(body) if body else {}
    values = {name: _json_value(operation.field(name), one) for name, one in found.items()}
    return _beside_path(request, operation, values)


def unusable(defects: list[Defect], operation: Operation, lang: str) -> Problem:
    """All that is wrong with what was given."""
    words = texts(lang)
    errors = [{"field": one.field, "expected": one.expected(words)} for one in defects]
    told = "; ".join(f"{one['field']}: {one['expected']}" for one in errors)
    return Problem("unusable", detail=told, errors=errors, operation=operation.name)


def _beside_path(request: Request, operation: Operation, given: dict[str, Any]) -> dict[str, Any]:
    """With what the address says, which is said nowhere else: one of two would be lost without a word."""
    if twice := sorted(set(given) & set(request.path_params)):
        raise Problem("unusable", detail=", ".join(twice), operation=operation.name)
    return given | {name: value for name, value in request.path_params.items() if name == "incident"}


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise Problem("not-json", detail=str(wrong)) from None
    if not isinstance(found, dict):
        raise Problem("not-json")
    return found


def _json_value(field: Field | None, value: Any) -> Any:
    if field is not None and field.goes_in and isinstance(value, dict):
        return _upload(value)
    return value


def _upload(value: Mapping[str, Any]) -> Upload | object:
    """A file in JSON; as it came if it is none, so that the field is named as wrong."""
    name, text = value.get("name", "file"), value.get("base64")
    if not isinstance(name, str) or not isinstance(text, str) or set(value) - {"name", "base64"}:
        return value
    try:
        body = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return value
    return Upload(name=name, body=body) if len(body) <= MAX_UPLOAD else value


def _of_query(request: Request, operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in dict.fromkeys(request.query_params):
        many: list[Any] = [
            _text_value(operation.field(name), one) for one in request.query_params.getlist(name)
        ]
        found[name] = _one_or_many(operation.field(name), many)
    return found


def _one_or_many(field: Field | None, many: list[Any]) -> Any:
    """Several stay several, also where one is expected: then the field is named as wrong."""
    return many if len(many) > 1 or (field is not None and field.many) else many[0]


def _text_value(field: Field | None, value: str) -> Any:
    """A value that came as text: of a flag the words for yes and no."""
    if field is None or field.kind != "flag":
        return value
    return True if value in YES else False if value in NO else value


async def _of_parts(request: Request, operation: Operation, body: bytes) -> dict[str, Any]:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    found: dict[str, list[Any]] = {}
    try:
        parser = MultiPartParser(
            request.headers, stream(), max_files=10, max_fields=MAX_PARTS, max_part_size=MAX_BODY
        )
        parts = await parser.parse()
    except (MultiPartException, KeyError, UnicodeError, ValueError):
        raise Problem("not-json", detail="multipart/form-data") from None
    for name, value in parts.multi_items():
        if isinstance(value, UploadFile):
            content: Any = await _read(value)
        else:
            content = _text_value(operation.field(name), value)
        found.setdefault(name, []).append(content)
    return {name: _one_or_many(operation.field(name), many) for name, many in found.items()}


async def _read(file: UploadFile) -> Upload:
    body = await file.read(MAX_UPLOAD + 1)
    await file.close()
    if len(body) > MAX_UPLOAD:
        raise Problem("too-large")
    return Upload(name=file.filename or "file", body=body)
