"""An event as it leaves: the row of the outbox with its words, its link and, if asked for, the title."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from models import hooks
from notifiers.rendering import cut, one_line
from notifiers.webhook import words

TITLE_MOST = 200


def body(row: Mapping[str, Any], link: str, title: str | None = None) -> bytes:
    """The same for each try of the same row, as long as the title is not disposed of meanwhile."""
    event = orjson.loads(row["body"])
    said = {"v": hooks.VERSION, "id": row["key"], **event, "text": words.said(event), "link": link}
    if title is not None:
        said["title"] = cut(one_line(title), TITLE_MOST)
    return orjson.dumps(said)


def ping(event: str, at: str, *, drill: bool) -> bytes:
    """What a live check sends: an event about nothing."""
    ja, en = words.PING
    text = {lang: f"{words.DRILL[lang] if drill else ''}{one}" for lang, one in (("ja", ja), ("en", en))}
    return orjson.dumps(
        {"v": hooks.VERSION, "id": event, "type": hooks.PING, "at": at, "drill": drill, "text": text}
    )
