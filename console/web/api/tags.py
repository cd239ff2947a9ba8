"""ETags of an incident: which record somebody has seen, and whether it is still that.

A tag names the record by its sequence, and whoever asked, the language and the form: `"INC-2026-0001.57.en.j.
9f2c"`. Two answers under one tag tell of the same facts; what counts towards now (time left) may differ.
`If-Match` is looked at in the transaction that stores what the command decides: nobody else has written to
the incident since the tag was given out, or nothing is stored and the answer is 412.
"""

from __future__ import annotations

import hashlib
import re

from starlette.requests import Request

from console.operations.catalogue import Operation
from console.visitor import Visitor
from console.web.api.asked import Form
from console.web.api.problems import Problem
from models.desk import Desk

_TAG = re.compile(r'(?P<weak>W/)?"(?P<stream>[A-Z]+-\d{4}-\d{4,6})\.(?P<seq>\d{1,12})\.[a-z.0-9]*"')
MAX_TAGS = 20


def head(desk: Desk, stream: str) -> int:
    """How far the record is."""
    with desk.record.read() as tx:
        return tx.head(stream)[0]


def tag(stream: str, seq: int, visitor: Visitor, form: Form) -> str:
    """The tag of what this visitor is shown of the record as it is at `seq`."""
    who = hashlib.sha256(f"{visitor.viewer.name}\0{sorted(visitor.roles or ())}".encode()).hexdigest()[:8]
    kind = ("s" if form.sheet else "") + ("j" if form.as_json else "")
    return f'"{stream}.{seq}.{visitor.lang}.{kind}.{who}"'


def unchanged(request: Request, current: str) -> bool:
    """Whether whoever asks has this already (`If-None-Match`)."""
    given = request.headers.get("if-none-match", "")
    tags = [one.strip().removeprefix("W/") for one in given.split(",")[:MAX_TAGS]]
    return current in tags


def expected(request: Request, operation: Operation, stream: str) -> int | None:
    """The sequence that `If-Match` asks for; None if it asks for nothing. Raises Problem if it cannot hold.

    A weak tag never matches (RFC 9110), nor one of another record.
    """
    given = request.headers.get("if-match")
    if given is None or not operation.writes:
        return None
    if not operation.of_incident:
        raise Problem("no-tag")
    if given.strip() == "*":
        return None
    found = [one for one in _TAG.finditer(given) if not one["weak"] and one["stream"] == stream]
    if not found:
        raise Problem("moved")
    return max(int(one["seq"]) for one in found[:MAX_TAGS])
