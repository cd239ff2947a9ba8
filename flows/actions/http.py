"""`http.request`: a call to a named target. Address, method and secret never come from a playbook.

Which way it fails: what was certainly not done has failed, and may be tried again. What may have been done is
unknown until somebody looks, so that nothing is done twice. A GET only asks; it can always be asked again.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson

from flows.actions.parameters import check, printable
from flows.actions.values import ActionContext, ActionResult, Params
from models.errors import ActionFailed, HikeshiError, OutcomeUnknown
from models.targets import HttpTarget

MAX_OUTPUT_CHARACTERS = 2_000
MAX_EXCERPT_CHARACTERS = 200
MAX_CONNECT_SECONDS = 10.0
_IN_QUERY = frozenset({"GET", "DELETE"})
_NOT_SENT = (
    httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)  # fmt: skip
_CERTAINLY_REFUSED = frozenset({501, 503})
"""The statuses from 500 on by which a server says that it has not begun."""
_SERVER_ERROR = 500


async def request(target: HttpTarget, params: Params, context: ActionContext) -> ActionResult:
    """Call the target once and read the fields that it declares out of the JSON answer.

    Outputs: `status`, and each of the target's `outputs` as text. Raises ActionFailed if it was refused or
    could not be sent; OutcomeUnknown if it may have taken effect, a lost or unreadable answer included.
    """
    values = _typed(target, check(target.parameters, params))
    secret = secret_of(target.secret, context)
    status, body = await _exchange(target, values, secret, context)
    if status not in target.ok:
        said = printable(_hide(body.decode("utf-8", "replace"), secret), MAX_EXCERPT_CHARACTERS)
        doubtful = status >= _SERVER_ERROR and status not in _CERTAINLY_REFUSED
        raise _failure(
            target, f"the target answered {status}, not one of {list(target.ok)}: {said}", doubtful
        )
    outputs = {"status": str(status), **_outputs(target, body, secret)}
    return ActionResult(outputs=outputs, summary=f"{target.method}: answered {status}")


def _failure(target: HttpTarget, message: str, doubtful: bool) -> ActionFailed:
    """What to raise when something may (`doubtful`) or cannot have taken effect."""
    if doubtful and target.method != "GET":
        return OutcomeUnknown(f"{message}; it may have taken effect, look at the target before trying again")
    return ActionFailed(message)


def _typed(target: HttpTarget, values: dict[str, str]) -> dict[str, str | int | float]:
    """Numbers as numbers, for a JSON body."""
    return {
        name: _number(value) if target.parameters[name].type == "number" else value
        for name, value in values.items()
    }


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def secret_of(reference: str | None, context: ActionContext) -> str | None:
    """The secret behind a reference, or None without one. Raises ActionFailed; nothing was sent by then."""
    if reference is None:
        return None
    try:
        return context.secrets(reference)
    except (HikeshiError, LookupError, OSError) as wrong:
        raise ActionFailed(f"nothing was sent, the secret {reference!r} cannot be read: {wrong}") from wrong


async def _exchange(
    target: HttpTarget, values: dict[str, str | int | float], secret: str | None, context: ActionContext
) -> tuple[int, bytes]:
    """The status and the body that the target answered, within the time and size allowed."""
    # Shorter than the whole, so that a host that does not answer at all counts as not reached.
    connect = min(MAX_CONNECT_SECONDS, context.timeout_seconds * 0.8)
    client = httpx.AsyncClient(
        timeout=httpx.Timeout(context.timeout_seconds, connect=connect),
        follow_redirects=False,
        trust_env=False,
        # A TLS context costs 20 ms and more; an address without TLS needs none.
        verify=target.url.startswith("https"),
    )
    try:
        async with asyncio.timeout(context.timeout_seconds), client:
            return await _send(client, _request(client, target, values, secret, context), target)
    except _NOT_SENT as wrong:
        raise ActionFailed(f"nothing was done, the target was not reached: {_name(wrong)}") from wrong
    except httpx.HTTPError as wrong:
        raise _failure(target, f"the connection broke: {_name(wrong)}", True) from wrong
    except TimeoutError as wrong:
        raise _failure(target, f"no answer within {context.timeout_seconds:g} s", True) from wrong


def _name(wrong: Exception) -> str:
    """The kind of an error only: its text may hold the header with the secret."""
    return type(wrong).__name__


def _request(
    client: httpx.AsyncClient,
    target: HttpTarget,
    values: dict[str, str | int | float],
    secret: str | None,
    context: ActionContext,
) -> httpx.Request:
    headers = {
        **target.headers,
        # A compressed answer could unfold beyond every limit.
        "Accept-Encoding": "identity",
        "Idempotency-Key": context.idempotency_key,
    }
    if secret is not None:
        headers["Authorization"] = f"Bearer {secret}"
    try:
        url = httpx.URL(target.url)
        if target.method in _IN_QUERY:
            return client.build_request(target.method, url.copy_merge_params(values), headers=headers)
        return client.build_request(target.method, url, json=values, headers=headers)
    except (httpx.InvalidURL, ValueError, TypeError) as wrong:
        raise ActionFailed(f"nothing was sent, the request cannot be written: {_name(wrong)}") from wrong


async def _send(client: httpx.AsyncClient, prepared: httpx.Request, target: HttpTarget) -> tuple[int, bytes]:
    answer = await client.send(prepared, stream=True)
    try:
        body = bytearray()
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > target.max_bytes:
                doubtful = answer.status_code in target.ok or answer.status_code >= _SERVER_ERROR
                message = f"it answered {answer.status_code} with more than {target.max_bytes} bytes"
                raise _failure(target, message, doubtful)
        return answer.status_code, bytes(body)
    finally:
        await answer.aclose()


def _outputs(target: HttpTarget, body: bytes, secret: str | None) -> dict[str, str]:
    """The declared fields of the answer. A field that is not there is a failure, not an empty text."""
    if not target.outputs:
        return {}
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise _failure(target, "the target's answer is not JSON", True) from wrong
    found: dict[str, str] = {}
    for name, path in target.outputs.items():
        try:
            value = value_at(answer, path)
        except LookupError as wrong:
            raise _failure(target, f"the target's answer has no {path!r}", True) from wrong
        found[name] = printable(_hide(_as_text(value), secret), MAX_OUTPUT_CHARACTERS)
    return found


def value_at(answer: Any, path: str) -> Any:
    """What lies at a dotted path; items of lists by number. Raises LookupError."""
    for part in path.split("."):
        if isinstance(answer, dict):
            answer = answer[part]
        elif isinstance(answer, list) and part.isdecimal():
            answer = answer[int(part)]
        else:
            raise LookupError(part)
    return answer


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode("utf-8")


def _hide(text: str, secret: str | None) -> str:
    """An answer may repeat what it was sent; the record must not hold a secret."""
    return text.replace(secret, "***") if secret else text
