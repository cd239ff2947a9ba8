"""Making outside text harmless for Slack: no mention, no link, no markup of its own.

Messages are posted with `verbatim` text and without name linking, so Slack should not read plain words as
mentions anyway. This is the second lock: it holds for old clients, for the fallback text and for copies.
"""

from __future__ import annotations

import re

SHOWN = 60
"""Characters of an address that are shown."""
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# Look-alikes that Slack gives no meaning: the text stays readable, its effect goes.
_MARKUP = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "\u02cb"})
# Only where Slack would act: `web_01`, `a@b.example` and `#` before a space stay as they are.
_ITALIC = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_MENTION = re.compile(r"(?<![\w.])@(?=\w)")
_CHANNEL = re.compile(r"#(?=\w)")
# A word between colons becomes a picture, a tick too. Times, MAC and IPv6 addresses hold hex digits only.
_EMOJI = re.compile(r":(?=[a-z0-9_+'-]*[g-z_][a-z0-9_+'-]*:)")


def escape(text: str) -> str:
    """One cleaned line of outside text (see `rendering.clean`) as inert mrkdwn that reads the same."""
    text = _EMOJI.sub("\u2236", text)
    text = _ITALIC.sub("\uff3f", text.translate(_MARKUP))
    return _CHANNEL.sub("\uff03", _MENTION.sub("\uff20", text)).translate(_ENTITIES)


def bold(text: str) -> str:
    """Escaped text of one line in bold. Slack wants no space inside the asterisks."""
    stripped = text.strip()
    return f"*{stripped}*" if stripped else ""


def link(url: str) -> str:
    """An address of our own as a live link (`rendering.safe_url` has seen it: no `<`, `>` or `|`).

    A signed one is longer than what people have to read: its beginning is shown, which names the host.
    """
    whole = url.translate(_ENTITIES)
    return f"<{whole}>" if len(url) <= SHOWN else f"<{whole}|{url[:SHOWN].translate(_ENTITIES)}…>"


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of escaped text, never through an entity or a link."""
    if len(text) <= limit:
        return text
    return _whole(text[: limit - 1]).rstrip() + "…"


def pieces(text: str, limit: int) -> list[str]:
    """`text` in pieces of at most `limit` characters, nothing lost, best between lines or words.

    Never through an entity or a link (which are shorter than `limit`).
    """
    found = []
    while len(text) > limit:
        kept = _whole(text[:limit]) or text[:limit]
        at = max(kept.rfind("\n"), kept.rfind(" "))
        kept = kept[: at + 1] if at > limit // 2 else kept
        found.append(kept.rstrip())
        text = text[len(kept) :]
    return [piece for piece in (*found, text.rstrip()) if piece.strip()]


def _whole(text: str) -> str:
    """`text` without an entity or a link that was cut through at its end."""
    for opens, closes in (("&", ";"), ("<", ">")):
        start = text.rfind(opens)
        if start > text.rfind(closes):
            text = text[:start]
    return text
