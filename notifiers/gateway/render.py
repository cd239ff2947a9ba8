"""A message as a short text and as words to be spoken: pure.

What is asked, of which incident, how to answer and the link always fit; what happened is cut to what is left.
"""

from __future__ import annotations

import re

from msgspec import Struct

from notifiers import rendering
from notifiers.message import Message

MAX_PARTS = 4
"""Parts of one SMS at most: more are dear, and some networks drop long ones."""
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("^{}\\[~]|€\f")
# Telephones make a link of every name with a dot; a page's own link is the only one that may be pressed.
_DOT = re.compile(r"(?<=[A-Za-z0-9_-])\.(?=[A-Za-z]{2,})")
MAX_ASKED, MAX_TITLE, MAX_SPOKEN = 60, 200, 120

_WORDS = {
    "ja": {
        "page": "受領してください",
        "notice": "お知らせ",
        "drill": "【訓練】",
        "again": "【再送】",
        "until": "{until}まで",
        "reply": "受領: 「{code}」と返信",
        "hello": "こちらは {organisation} のインシデント対応システム、火消しです。",
        "drill-said": "これは訓練です。",
        "press": "受領するには、1 を押してください。",
        "bank": "当行",
    },
    "en": {
        "page": "please acknowledge",
        "notice": "for your information",
        "drill": "【訓練】DRILL ",
        "again": "【repeat】",
        "until": "by {until}",
        "reply": 'To acknowledge reply "{code}"',
        "hello": "This is Hikeshi, the incident response of {organisation}.",
        "drill-said": "This is a drill.",
        "press": "To acknowledge, press 1.",
        "bank": "the bank",
    },
}


class Short(Struct, frozen=True, kw_only=True):
    """What the gateway is to say, and the code that an answer may name (empty for a notice)."""

    text: str
    code: str


def sms(message: Message, code: str) -> Short:
    """`message` as an SMS of at most MAX_PARTS parts, unless its link alone is longer.

    `code` is what an answer names, empty where none is asked for.
    """
    words = _WORDS[rendering.language(message.lang)]
    head = _marks(message, words) + f"[{_grade(message)}] {_incident(message)}"
    asked = _value(message, "asked", MAX_ASKED) or words[message.kind if message.kind in words else "page"]
    until = _value(message, "until", 40)
    if until and code:
        asked += f" ({words['until'].format(until=until)})"
    tail = [words["reply"].format(code=code)] if code else []
    link = message.context.get("link")
    tail += [url] if (url := rendering.safe_url(link if isinstance(link, str) else "")) else []
    what = _undotted(_value(message, "what", MAX_TITLE) or _value(message, "title", MAX_TITLE))
    return Short(text=_fitted([head, asked], what, tail), code=code)


def voice(message: Message, code: str) -> Short:
    """`message` as words for a voice that reads them out: no link, no brackets, and what to press."""
    words = _WORDS[rendering.language(message.lang)]
    organisation = _value(message, "organisation", 60) or words["bank"]
    said = [words["hello"].format(organisation=organisation)]
    said += [words["drill-said"]] if message.drill else []
    said.append(f"{_value(message, 'severity_title', 30)} {_incident(message)}.".strip())
    said.append(f"{_value(message, 'what', MAX_SPOKEN)}.")
    asked = _value(message, "asked", MAX_ASKED) or words[message.kind if message.kind in words else "page"]
    said.append(f"{asked}.")
    said += [words["press"]] if code else []
    return Short(text="\n".join(one for one in said if one != "."), code=code)


def parts(text: str) -> int:
    """How many SMS a text takes (3GPP TS 23.038): 160 or 153 septets, 70 or 67 UTF-16 units."""
    if all(char in _GSM or char in _GSM_TWICE for char in text):
        length, one, more = sum(2 if char in _GSM_TWICE else 1 for char in text), 160, 153
    else:
        length, one, more = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= one else -(-length // more)


def _fitted(first: list[str], what: str, last: list[str]) -> str:
    """All lines, with as much of `what` as fits between them."""
    for room in range(len(what), 0, -1):
        text = "\n".join([*first, rendering.cut(what, room), *last])
        if parts(text) <= MAX_PARTS:
            return text
    return "\n".join([*first, *last])


def _grade(message: Message) -> str:
    """The severity; of what is no incident, which record it is about."""
    return _value(message, "severity", 20) or _value(message, "severity_title", 20) or "?"


def _marks(message: Message, words: dict[str, str]) -> str:
    again = message.attempt > 1 or message.context.get("repeat") is True
    return (words["drill"] if message.drill else "") + (words["again"] if again else "")


def _incident(message: Message) -> str:
    return _value(message, "incident", 30)


def _value(message: Message, name: str, limit: int) -> str:
    found = message.context.get(name)
    return rendering.cut(rendering.clean(found), limit) if isinstance(found, str) else ""


def _undotted(text: str) -> str:
    return _DOT.sub("[.]", text)
