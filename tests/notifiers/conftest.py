"""A ransomware page at three in the morning, to be changed by each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from notifiers.message import Message, blank_context
from notifiers.slack.fake import FakeSlack

NIGHT: dict[str, Any] = {
    "incident": "INC-2026-0001",
    "title": "基幹系でランサムウェアを検知",
    "severity": "SEV1",
    "severity_title": "重大",
    "phase": "トリアージ",
    "organisation": "見本銀行",
    "what": "EDR が 12 台の端末で暗号化の挙動を検知",
    "until": "11/23 03:05 JST (+09:00)",
    "until_iso": "2026-11-22T18:05:00Z",
    "then": "03:05 に CISO へ",
    "link": "https://node.example/p/abc.DEF-1?x=1&y=2",
    "bridge": "03-0000-0000",
    "recipient": "山田 太郎",
    "route": "重大インシデント",
    "levels": 3,
}


@pytest.fixture
def message() -> Callable[..., Message]:
    """Makes a message; keyword arguments that are no fields of it go into its context."""

    def make(template: str = "page.declared", **given: Any) -> Message:
        fields: dict[str, Any] = {
            "key": "INC-2026-0001/7/1/1/U0YAMADA",
            "channel": "slack",
            "address": "U0YAMADA",
            "person": "yamada",
            "lang": "ja",
            "attempt": 1,
            "drill": False,
        }
        context = blank_context() | NIGHT
        for name, value in given.items():
            (fields if name in fields else context)[name] = value
        return Message(kind=template.partition(".")[0], template=template, context=context, **fields)

    return make


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as server:
        yield server
