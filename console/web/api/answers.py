"""From what came of an operation to what is sent: the document, a file, sections for people, or a problem."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import orjson
from starlette.responses import Response, StreamingResponse

from console.cli.session import REFUSED, WRONG_USAGE
from console.operations.catalogue import Operation
from console.operations.files import Handed
from console.operations.running import Answer
from console.operations.sheet import MEDIA_TYPE as SHEET
from console.operations.sheet import file_json, to_json
from console.views.sheet import Line
from console.web.api.asked import Form
from console.web.api.problems import STATUS, Problem
from models.reason import Reason

JSON = "application/json"
PIECE = 65_536
FORMATS = {
    "md": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "svg": "image/svg+xml",
    "json": JSON,
    "text": "text/plain; charset=utf-8",
}
_FORBIDDEN = frozenset(
    one.value
    for one in (
        Reason.ROLE_MISSING, Reason.READ_ONLY, Reason.THIRD_PARTY_LIMIT, Reason.AUTHORITY_MISSING,
        Reason.NOT_ENTITLED_ON_ROUTE, Reason.INSPECTION_OVER, Reason.BARRED, Reason.NOT_NAMED,
    )
)  # fmt: skip
_MISSING = Reason.NO_SUCH_INCIDENT.value


def respond(operation: Operation, answer: Answer, form: Form, values: Mapping[str, Any]) -> Response:
    """The answer as it was asked for. Raises Problem for one that says no, unless people are to read it."""
    problem = _problem(operation, answer)
    if form.sheet:
        status = STATUS[problem.kind] if problem is not None else 200
        return Response(orjson.dumps(to_json(answer)), status, media_type=SHEET)
    if problem is not None:
        raise problem
    if answer.file is not None and not operation.writes:
        return _file(answer.file)
    if answer.raw and answer.document is None:
        return _raw(answer.raw, str(values.get("format") or ""), operation)
    return Response(orjson.dumps(_document(answer), option=orjson.OPT_NON_STR_KEYS), media_type=JSON)


def _problem(operation: Operation, answer: Answer) -> Problem | None:
    if answer.code == WRONG_USAGE:
        told = answer.message or _lines(answer)
        return Problem("unusable", detail=told, operation=operation.name)
    said = answer.refusal
    if not said:
        # A look that found something wrong has answered all the same.
        shown = answer.document is not None or answer.said or answer.raw
        return Problem("refused", detail=_lines(answer)) if answer.code == REFUSED and not shown else None
    reason = str(said.get("reason") or "")
    more: dict[str, Any] = {"reason": reason, "do": said.get("do"), "data": said.get("detail")}
    return Problem(_kind(reason, operation), detail=str(said.get("message") or ""), **more)


def _kind(reason: str, operation: Operation) -> str:
    if reason == _MISSING or (reason.startswith("no such") and not operation.writes):
        return "not-found"
    return "forbidden" if reason in _FORBIDDEN else "refused"


def _lines(answer: Answer) -> str:
    return " ".join(one.text for one in (*answer.said, *answer.aside) if isinstance(one, Line))


def _document(answer: Answer) -> Any:
    """What `--json` prints; what people would have been told, where that is nothing."""
    document = answer.document
    if document is None:
        lines = [one.text for one in (*answer.said, *answer.aside) if isinstance(one, Line)]
        document = {"accepted": True, "messages": lines}
    if answer.file is not None and isinstance(document, dict):
        return document | {"file": file_json(answer.file)}
    return document


def _raw(text: str, format_: str, operation: Operation) -> Response:
    """A text that is the answer as it stands. A browser is never to run it as a page of ours."""
    kind = FORMATS.get(format_, FORMATS["md"])
    if text.startswith(("{", "[")):
        kind = JSON
    headers = {"Content-Disposition": _disposition(f"{operation.name.replace(' ', '-')}.{format_ or 'md'}")}
    return Response(text, 200, headers if kind != JSON else {}, kind)


def _file(file: Handed) -> Response:
    headers = {"Content-Disposition": _disposition(file.name), "Content-Length": str(file.size)}
    return StreamingResponse(_pieces(file), 200, headers, file.media_type)


def _disposition(name: str) -> str:
    return f"attachment; filename*=UTF-8''{quote(name)}"


def _pieces(file: Handed) -> Iterator[bytes]:
    with file.stream:
        while piece := file.stream.read(PIECE):
            yield piece
