"""A message as Slack's Block Kit: pure, within Slack's limits, checked by slack_sdk's own models."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import MarkdownTextObject, SectionBlock

from notifiers import rendering
from notifiers.message import Message
from notifiers.slack import buttons, escape

MAX_BLOCKS = 50
MAX_SECTION = 3_000
MAX_TOTAL = 13_200
"""Slack refuses more characters of blocks than about this; slack_sdk does not check it."""
MAX_FALLBACK = 1_000
MAX_STANDING = 600
EVENT_TYPE = "hikeshi_message"

MEDIUM = rendering.Medium(escape=escape.escape, label=lambda text: escape.bold(f"{text}:"), url=escape.link)


class SlackMessage(Struct, frozen=True, kw_only=True):
    """What `chat.postMessage` gets besides the channel. Without `blocks`, `text` is all there is."""

    text: str
    blocks: tuple[dict[str, Any], ...]
    metadata: dict[str, Any]
    rendering_failed: str


def render(message: Message) -> SlackMessage:
    """`message` for Slack; raises nothing. `text` is what a lock screen shows: what is asked comes first."""
    rendered = rendering.render(message, MEDIUM)
    first, last = (rendered.paragraphs or ("",))[0], (rendered.paragraphs or ("",))[-1]
    where = f"\n{last}" if last != first and len(last) < MAX_FALLBACK else ""
    body = SlackMessage(
        text=escape.cut(f"{rendered.head}\n{first}", 2 * MAX_FALLBACK) + where,
        blocks=(),
        metadata={"event_type": EVENT_TYPE, "event_payload": {"key": message.key}},
        rendering_failed=rendered.failed,
    )
    try:
        sections = [_section(text) for text in _fitted(_with_standing(rendered, message))]
        tail = buttons.actions_block(message.acts, rendering.language(message.lang))
        return msgspec.structs.replace(body, blocks=(*sections, *([tail] if tail else [])))
    except SlackObjectFormationError as error:
        return without_blocks(body, f"{type(error).__name__}: {error}")


def _with_standing(rendered: rendering.Rendered, message: Message) -> rendering.Rendered:
    """What has become of the matter stands directly under the head: an old message must not look open."""
    if not message.standing:
        return rendered
    said = escape.bold(escape.escape(rendering.cut(rendering.clean(message.standing), MAX_STANDING)))
    return msgspec.structs.replace(rendered, paragraphs=(said, *rendered.paragraphs))


def without_blocks(body: SlackMessage, why: str) -> SlackMessage:
    """`body` as plain text: what is asked, what happened and where to go, marked with why."""
    return msgspec.structs.replace(body, blocks=(), rendering_failed=why[: rendering.ERROR_LIMIT])


def _fitted(rendered: rendering.Rendered) -> list[str]:
    """The head, as many paragraphs as fit, and always the last one: it says where to go."""
    head = escape.bold(escape.cut(rendered.head, MAX_SECTION - 2))
    if not rendered.paragraphs:
        return [head]
    *middle, last = rendered.paragraphs
    last = escape.cut(last, MAX_SECTION)
    room = MAX_TOTAL - len(head) - len(last)
    fitted: list[str] = []
    for paragraph in middle[: MAX_BLOCKS - 3]:
        shown = escape.cut(paragraph, min(MAX_SECTION, room))
        if room < MIN_PARAGRAPH:
            break
        fitted.append(shown)
        room -= len(shown)
    return [head, *fitted, last]


MIN_PARAGRAPH = 40
"""A shorter rest of a paragraph tells nobody anything."""


def _section(text: str) -> dict[str, Any]:
    """One section as a dict. Raises SlackObjectFormationError if it breaks a rule that slack_sdk knows."""
    block: dict[str, Any] = SectionBlock(text=MarkdownTextObject(text=text, verbatim=True)).to_dict()
    return block
