"""The description of the API, made from the commands: OpenAPI 3.1. It names no data of anybody's."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson

from console.operations.catalogue import Field, Operation, operations
from console.operations.checking import MAX_MANY, MAX_TEXT
from console.operations.exposure import SLOW
from console.operations.sheet import MEDIA_TYPE as SHEET
from console.texts import texts
from console.web.api.problems import MEDIA_TYPE as PROBLEM
from console.web.api.requests import HEADER, LEAST, MOST
from console.web.api.schemas import ANSWERS, OTHERWISE, SCHEMAS, Schema, ref

VERSION = "1"
EXAMPLES = {
    "incident": "INC-2026-0001", "text": "Files on the file server cannot be opened", "step": "confirm-alert",
    "reason": "as discussed in the call", "person": "suzuki-daichi", "at": "2026-11-23T03:12:00+09:00",
    "service": "internet-banking", "severity": "high", "option": "isolate", "name": "ransomware",
}  # fmt: skip
TOO_LONG = "400"
"""What the server itself says to a request that is none, or whose address is longer than it reads."""
PROBLEMS = {
    "401": "Nobody known is behind this request",
    "403": "The role is missing, or this way only reads",
    "404": "There is none, or none for whoever asks",
    "408": "The body did not arrive in time",
    "409": "A rule said no: `reason` and `do` say why and what next",
    "412": "The record has moved on since the ETag of If-Match",
    "413": "More was sent than is read",
    "415": "The body is of a kind that is not read here",
    "422": "Something that was given cannot be used: `errors` names all of it",
    "429": "Too many requests",
    "500": "A defect of the node's: it is not known whether anything was stored",
    "503": "The record does not answer now; nothing was stored",
}
OF_GET = frozenset({"408", "413", "415", "412"})
"""Problems that only an act has."""
_LATER = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}


@cache
def written(lang: str) -> bytes:
    """The whole description as JSON."""
    return orjson.dumps(document(lang))


@cache
def document(lang: str) -> dict[str, Any]:
    """All of it, its descriptions in this language."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hikeshi", "version": VERSION, "description": _about(lang)},
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": [], "csrf": []}],
        "tags": [{"name": name} for name in _groups()],
        "paths": _paths(lang) | _others(),
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": _schemes(),
            "headers": {"ETag": {"schema": {"type": "string"}, "description": "the record as it was read"}},
            "responses": {status: _problem(status) for status in PROBLEMS},
        },
    }


def _about(lang: str) -> str:
    return texts(lang).get("help.command.hikeshi", "Hikeshi")


def _groups() -> list[str]:
    return sorted({_group(one) for one in operations().values()} | {"node"})


def _group(operation: Operation) -> str:
    return operation.name.partition(" ")[0] if " " in operation.name else "incidents"


def _schemes() -> Schema:
    return {
        "token": {"type": "http", "scheme": "bearer", "description": "a token that was given out for you"},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "hikeshi",
            "description": "our own pages: its name is longer, and of one node",
        },
        "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
    }


def _problem(status: str) -> Schema:
    found: Schema = {"description": PROBLEMS[status], "content": {PROBLEM: {"schema": ref("Problem")}}}
    return found | ({"headers": _LATER} if status in {"429", "503"} else {})


# -- operations ---------------------------------------------------------------------------------------------


def _paths(lang: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in operations(lang).values():
        found.setdefault(f"/api/v1{one.path}", {})[one.method.lower()] = _described(one)
    return found


def _described(operation: Operation) -> Schema:
    found: Schema = {
        "operationId": operation.name.replace(" ", "-"),
        "summary": operation.summary,
        "description": f"`hikeshi {operation.name}`; needs the row `{operation.right}`."
        + (" May take long; done one at a time." if operation.name in SLOW else ""),
        "tags": [_group(operation)],
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    return found | ({"requestBody": _body(operation)} if operation.writes else {})


def _parameters(operation: Operation) -> list[Schema]:
    found = [_parameter(one, operation) for one in operation.fields if _in_address(one, operation)]
    if operation.writes:
        found.append(_header(HEADER, "done once, answered the same again", minLength=LEAST, maxLength=MOST))
    if operation.of_incident:
        name = "If-Match" if operation.writes else "If-None-Match"
        found.append(_header(name, "an ETag of the incident"))
    return found


def _header(name: str, about: str, **schema: Any) -> Schema:
    return {"name": name, "in": "header", "description": about, "schema": {"type": "string", **schema}}


def _in_address(field: Field, operation: Operation) -> bool:
    return not operation.writes or (operation.of_incident and field.name == "incident")


def _parameter(field: Field, operation: Operation) -> Schema:
    place = "path" if operation.of_incident and field.name == "incident" else "query"
    found: Schema = {"name": field.name, "in": place, "schema": _schema(field), "description": field.help}
    return found | ({"required": True} if field.required else {})


def _schema(field: Field) -> Schema:
    one = _single(field)
    return {"type": "array", "items": one, "maxItems": MAX_MANY} if field.many else one


def _single(field: Field) -> Schema:
    if field.kind == "flag":
        return {"type": "boolean"}
    if field.kind == "number":
        return {"type": "integer", "minimum": -(10**15) + 1, "maximum": 10**15 - 1}
    if field.kind == "file":
        return ref("FileIn")
    found: Schema = {"type": "string", "maxLength": MAX_TEXT}
    if field.choices:
        found["enum"] = list(field.choices)
    if field.required:
        found["minLength"] = 1
    if field.name in EXAMPLES:
        found["examples"] = [EXAMPLES[field.name]]
    return found


def _body(operation: Operation) -> Schema:
    fields = [one for one in operation.fields if not _in_address(one, operation)]
    required = [one.name for one in fields if one.required]
    schema: Schema = {
        "type": "object",
        "properties": {one.name: _given(one) for one in fields},
        "additionalProperties": False,
    } | ({"required": required} if required else {})
    content = {"application/json": {"schema": schema, "example": _example(fields)}}
    if any(one.goes_in for one in fields):
        content["multipart/form-data"] = {"schema": _parts(schema, fields)}
    return {"required": bool(required), "content": content}


def _given(field: Field) -> Schema:
    """A field of a body; what is null is not given."""
    about = {"description": field.help}
    return _schema(field) | about if field.required else {"anyOf": [_schema(field), {"type": "null"}]} | about


def _parts(schema: Schema, fields: list[Field]) -> Schema:
    binary = {one.name: {"type": "string", "format": "binary"} for one in fields if one.goes_in}
    return schema | {"properties": {**schema["properties"], **binary}}


def _example(fields: list[Field]) -> Schema:
    return {one.name: _one_example(one) for one in fields if one.required or one.name == "text"}


def _one_example(field: Field) -> Any:
    simple: dict[str, Any] = {"flag": True, "number": 1, "file": "the text of the file"}
    known = EXAMPLES.get(field.name, field.choices[0] if field.choices else "…")
    value = simple.get(field.kind, known)
    return [value] if field.many else value


def _responses(operation: Operation) -> Schema:
    done: Schema = {"description": "Done", "content": _content(operation)}
    if operation.of_incident:
        done["headers"] = {"ETag": {"$ref": "#/components/headers/ETag"}}
    found: Schema = {"200": done, TOO_LONG: {"description": "No request, or an address that is too long"}}
    if operation.of_incident and not operation.writes:
        found["304"] = {"description": "As it was"}
    wanted = [one for one in PROBLEMS if operation.writes or one not in OF_GET]
    return found | {one: {"$ref": f"#/components/responses/{one}"} for one in wanted}


def _content(operation: Operation) -> Schema:
    kinds: Schema = {"application/json": {"schema": _answer(operation)}, SHEET: {"schema": ref("Sheet")}}
    if operation.writes or not (operation.gives_file or operation.field("format") or operation.field("md")):
        return kinds
    return kinds | {"*/*": {"schema": {}}}


def _answer(operation: Operation) -> Schema:
    if operation.name in ANSWERS:
        return ANSWERS[operation.name]
    return ref("Outcome") if operation.writes and operation.name not in OTHERWISE else {}


# -- what is no command -------------------------------------------------------------------------------------


def _others() -> dict[str, Any]:
    return {
        "/api/v1/incidents/{incident}/events": {"get": _events()},
        "/api/v1/openapi.json": {
            "get": {
                "operationId": "openapi", "summary": "This description", "tags": ["node"], "security": [],
                "responses": {"200": {"description": "OpenAPI 3.1", "content": {"application/json": {}}}},
            }
        },
        "/api/alerts/{source}": {"post": _alerts()},
        "/api/gateway": {"post": _gateway()},
        "/ready": {
            "get": {
                "operationId": "ready-of-node", "tags": ["node"],
                "summary": "Whether traffic may be sent here", "security": [],
                "responses": {
                    "200": {"description": "It may", "content": {"application/json": {"schema": {}}}},
                    "503": {"description": "It may not", "content": {"application/json": {"schema": {}}}},
                },
            }
        },
        "/health": {
            "get": {
                "operationId": "health-of-node", "tags": ["node"], "summary": "Whether the node works",
                "security": [],
                "responses": {
                    "200": {"description": "It does", "content": {"application/json": {"schema": {}}}},
                    "503": {"description": "It does not", "content": {"application/json": {"schema": {}}}},
                },
            }
        },
    }  # fmt: skip


def _events() -> Schema:
    path = {"name": "incident", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    after: Schema = {"type": "integer", "minimum": 0, "maximum": 10**15 - 1}
    return {
        "operationId": "events",
        "summary": "The facts as they are stored, as server-sent events whose id is the sequence",
        "tags": ["incidents"],
        "parameters": [
            path,
            {"name": "after", "in": "query", "schema": after},
            {"name": "Last-Event-ID", "in": "header", "schema": after},
        ],
        "responses": {
            "200": {"description": "A stream", "content": {"text/event-stream": {"schema": {}}}},
            **{one: {"$ref": f"#/components/responses/{one}"} for one in ("401", "404", "422", "429", "503")},
        },
    }


def _plain(*codes: str) -> Schema:
    return {
        one: {"description": "See docs", "content": {"application/json": {"schema": {}}}} for one in codes
    }


def _alerts() -> Schema:
    return {
        "operationId": "alert",
        "summary": "Hand in an alert: by the secret of its source, as bearer or as signature",
        "tags": ["node"],
        "security": [{"token": []}],
        "parameters": [{"name": "source", "in": "path", "required": True, "schema": {"type": "string"}}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
        "responses": _plain("202", "400", "401", "408", "413", "422", "429", "503"),
    }


def _gateway() -> Schema:
    return {
        "operationId": "gateway",
        "summary": "An answer by telephone or short message, signed by the gateway",
        "tags": ["node"],
        "security": [],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {}}}},
        "responses": _plain("200", "202", "400", "401", "408", "413", "422", "429", "503"),
    }
