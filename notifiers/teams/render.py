"""A message as Markdown for a Teams card: pure; nothing from outside mentions, links or formats."""

from __future__ import annotations

import re

from msgspec import Struct

from notifiers import rendering
from notifiers.message import Message

MAX_TITLE, MAX_BODY = 200, 8_000
"""Teams refuses a card above 28 KB; Japanese takes three bytes a character."""
# Look-alikes that Markdown and Teams give no meaning: escaping with a backslash shows up where none is read.
_MARKUP = str.maketrans(
    {"*": "∗", "~": "∼", "`": "ˋ", "[": "［", "]": "］", "<": "＜", ">": "＞", "|": "｜", "\\": "＼"}
)
_ITALIC = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_MENTION = re.compile(r"@(?=\w)")
_LEADING = re.compile(r"^(\s*)([#+-]|\d+[.)](?=\s))")
_WEB = re.compile(r"\bwww\.(?=\w)", re.IGNORECASE)


class Card(Struct, frozen=True, kw_only=True):
    """Title and body as Markdown, and why the minimal form was used (else empty)."""

    title: str
    body: str
    rendering_failed: str


def escape(text: str) -> str:
    """One cleaned line of outside text as inert Markdown that reads the same."""
    text = _ITALIC.sub("＿", text.translate(_MARKUP))
    return _WEB.sub("www[.]".translate(_MARKUP), _LEADING.sub(r"\1·\2", _MENTION.sub("＠", text)))


MEDIUM = rendering.Medium(
    escape=escape, label=lambda text: f"**{text}:**", url=lambda text: f"[{text}]({text})"
)


def render(message: Message) -> Card:
    """`message` as a card; raises nothing for what the context holds. The last paragraph, the link, stays."""
    rendered = rendering.render(message, MEDIUM)
    *middle, last = rendered.paragraphs or ("",)
    room = MAX_BODY - len(last)
    body = rendering.cut("\n\n".join(middle), room) if room > 0 else ""
    # A single line break is none in a card.
    whole = "\n\n".join(line for line in f"{body}\n\n{last}".splitlines() if line.strip())
    return Card(title=rendering.cut(rendered.head, MAX_TITLE), body=whole, rendering_failed=rendered.failed)
