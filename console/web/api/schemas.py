"""Schemas of what the API answers with: the main things by name, all else as any JSON.

They say what programs may rely on. More may come beside it: of what is not named here nothing is promised.
"""

from __future__ import annotations

from typing import Any

from console.web.api.problems import STATUS

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
INSTANT: Schema = {"type": "string", "format": "date-time", "examples": ["2026-11-23T03:12:00Z"]}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
MAYBE_INSTANT: Schema = {"type": ["string", "null"], "format": "date-time"}
OBJECT: Schema = {"type": "object"}
STYLE: Schema = {"enum": ["plain", "strong", "bad", "warn", "good", "dim"]}


def made_of(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": sorted(required),
    }


def many(of: Schema) -> Schema:
    """A list of these."""
    return {"type": "array", "items": of}


def ref(name: str) -> Schema:
    """The schema of this name."""
    return {"$ref": f"#/components/schemas/{name}"}


SCHEMAS: dict[str, Schema] = {
    "IncidentInList": made_of(
        {
            "incident": TEXT, "title": TEXT, "severity": TEXT, "status": TEXT, "drill": FLAG,
            "declared_at": MAYBE_INSTANT,
        },
        {"phases": many(TEXT)},
    ),
    "Incident": made_of(
        {
            "incident": TEXT, "title": TEXT, "severity": TEXT, "status": TEXT, "drill": FLAG,
        },
        {
            "declared_at": MAYBE_INSTANT, "access": OBJECT, "playbooks": OBJECT, "phases": OBJECT,
            "decisions": many(OBJECT), "steps": OBJECT, "held": OBJECT, "pages": many(OBJECT),
            "services": OBJECT, "clocks": many(ref("Clock")), "evidence": many(OBJECT),
            "scope": many(OBJECT), "messages": many(OBJECT),
        },
    ),
    "Fact": made_of(
        {
            "stream": TEXT, "seq": WHOLE, "at": INSTANT, "recorded_at": INSTANT, "actor": TEXT,
            "kind": TEXT, "data": OBJECT, "v": WHOLE, "via": TEXT, "text": TEXT,
        },
        {"for": TEXT},
    ),
    "Clock": made_of(
        {
            "stream": TEXT, "id": TEXT, "kind": TEXT, "what": TEXT, "at": MAYBE_INSTANT, "who": MAYBE_TEXT,
            "status": TEXT,
        },
        {"stops": MAYBE_TEXT, "started_at": MAYBE_INSTANT, "stopped_at": MAYBE_INSTANT, "detail": TEXT},
    ),
    "Outcome": made_of(
        {"accepted": {"const": True}},
        {
            "stream": MAYBE_TEXT, "opened": MAYBE_TEXT, "paged": {"type": ["boolean", "null"]},
            "queued": WHOLE, "facts": many(ref("Fact")), "file": ref("File"), "messages": many(TEXT),
        },
    ),
    "File": made_of({"name": TEXT, "media_type": TEXT, "base64": TEXT}),
    "FileIn": {
        "oneOf": [
            {"type": "string", "description": "the text of the file"},
            made_of({"base64": {"type": "string", "contentEncoding": "base64"}}, {"name": TEXT})
            | {"additionalProperties": False},
        ]
    },
    "Problem": made_of(
        {
            "type": {"enum": [f"urn:hikeshi:problem:{kind}" for kind in STATUS]},
            "title": TEXT, "status": {"type": "integer", "minimum": 400, "maximum": 599}, "detail": TEXT,
            "reason": TEXT, "do": {**TEXT, "description": "what to do next"}, "instance": TEXT,
        },
        {
            "errors": many(made_of({"field": TEXT, "expected": TEXT})), "operation": TEXT, "data": OBJECT,
        },
    ),
    "Line": made_of({"line": TEXT, "style": STYLE, "indent": WHOLE}),
    "Table": made_of(
        {
            "table": made_of(
                {
                    "headers": many(TEXT), "whole": many(WHOLE),
                    "rows": many(made_of({"cells": many(TEXT), "style": STYLE})),
                }
            )
        }
    ),
    "Section": made_of({"section": TEXT, "parts": many({"oneOf": [ref("Line"), ref("Table")]})}),
    "Sheet": made_of(
        {
            "code": {"type": "integer", "description": "0 done, 1 refused, 2 wrong usage, 3 nobody paged"},
            "said": many({"oneOf": [ref("Line"), ref("Section")]}),
            "aside": many({"oneOf": [ref("Line"), ref("Section")]}),
            "raw": TEXT, "message": TEXT, "document": {},
            "file": {"oneOf": [ref("File"), {"type": "null"}]},
        }
    ),
}  # fmt: skip

ANSWERS: dict[str, Schema] = {
    "list": many(ref("IncidentInList")),
    "show": ref("Incident"),
    "log": many(ref("Fact")),
    "clocks": many(ref("Clock")),
}
"""What these operations answer with; an act answers with an Outcome unless it says otherwise."""
OTHERWISE = frozenset({"evidence verify", "scope import", "intake test", "drill abort", "share prepare"})
"""Acts whose answer is of a kind of its own."""
