"""How somebody is answered in Slack: privately, in words, within a dialog where one is open."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from console.slack.blocks import said, words
from console.slack.desk import Answer
from console.texts import texts
from notifiers.slack import escape
from notifiers.slack.api import LOOPBACK, SlackApi
from notifiers.slack.copies import CHANNEL

MAX_ERROR = 400
MAX_LINES = 20
RESPOND_SECONDS = 5.0
RESPOND_HOSTS = ("slack.com", "slack-gov.com")


def shown(answer: Answer, lang: str) -> dict[str, Any]:
    """Text and blocks of a private answer."""
    t = texts(lang)
    lines = answer.lines or tuple(answer.errors.values())
    if answer.problem:
        lines = (*answer.lines, _problem(answer, lang))
    mark = "🚫 " if answer.refused or answer.problem else ""
    safe = [words(line, 1_000) for line in lines[:MAX_LINES]]
    text = escape.cut(mark + "\n".join(safe), 2_900) if safe else ""
    blocks = list(answer.blocks) or ([said(text)] if text else [])
    first = text or t("slack.answered")
    return {"text": first, "blocks": blocks}


def _problem(answer: Answer, lang: str) -> str:
    t = texts(lang)
    return t.get(f"slack.problem.{answer.problem}", t("slack.problem.other"))


def dialog_errors(answer: Answer, view: Mapping[str, Any], lang: str) -> dict[str, str]:
    """Errors for Slack, by the fields that the dialog has; what belongs to none stands under the first."""
    if answer.silent or not (answer.refused or answer.problem):
        return {}
    blocks = [str(one.get("block_id")) for one in view.get("blocks") or [] if one.get("type") == "input"]
    if not blocks:
        return {}
    found: dict[str, str] = {}
    for name, why in answer.errors.items():
        block = next((one for one in (name, f"field.{name}", f"factor.{name}") if one in blocks), blocks[0])
        found[block] = why[:MAX_ERROR]
    if not found:
        problem = [_problem(answer, lang)] if answer.problem else []
        found[blocks[0]] = " ".join([*answer.lines, *problem])[:MAX_ERROR] or "-"
    return found


def of_message(body: Mapping[str, Any]) -> dict[str, str]:
    """What a shortcut brings from the message it was used on: text, author, time, address, files."""
    message = body.get("message")
    if not isinstance(message, dict):
        return {}
    channel = (body.get("channel") or {}).get("id") or ""
    ts = str(message.get("ts") or "")
    files = [one for one in message.get("files") or [] if isinstance(one, dict) and one.get("id")]
    found = {
        "text": str(message.get("text") or "")[:3_000],
        "by": str(message.get("user") or ""),
        "source": f"slack:{channel}/{ts}"[:200],
        "at": _instant(ts),
        "files": " ".join(str(one["id"]) for one in files[:10]),
        "names": ", ".join(str(one.get("name") or one["id"]) for one in files[:10]),
    }
    return {name: value for name, value in found.items() if value}


def _instant(ts: str) -> str:
    seconds, _, _ = ts.partition(".")
    return datetime.fromtimestamp(int(seconds), UTC).isoformat() if seconds.isdecimal() else ""


async def respond(api: SlackApi, url: str, body: Mapping[str, Any]) -> bool:
    """Answer by the address that Slack gave with the press; False if that does not work.

    The body of a press is signed, and still this goes to Slack's hosts only, or to where a test's Slack is;
    and nowhere while Slack is out of band.
    """
    if api.distrusted is not None and CHANNEL in await api.distrusted():
        return False
    parts = urlsplit(url)
    host = parts.hostname or ""
    ours = urlsplit(api.client.base_url).hostname
    slack = parts.scheme == "https" and any(host == one or host.endswith(f".{one}") for one in RESPOND_HOSTS)
    if not slack and not (host == ours and host in LOOPBACK):
        return False
    payload = {**body, "response_type": "ephemeral", "replace_original": False}
    timeout = aiohttp.ClientTimeout(total=RESPOND_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, json=payload, allow_redirects=False) as answer,
        ):
            return answer.ok
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False
