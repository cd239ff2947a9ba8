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
MAX_PARTS = 8
"""Posts of one message at most: what templates print is bounded, and so is the time that one delivery has."""
PART_HEAD, PART_ROOM = 300, 1_200
"""Characters of the head that is repeated, and kept free for it and for the words of a tail."""
CHANNELS = frozenset("CG")
"""First letters of conversations that many read; a person is U or W, direct messages are D."""
EVENT_TYPE = "hikeshi_message"

MEDIUM = rendering.Medium(escape=escape.escape, label=lambda text: escape.bold(f"{text}:"), url=escape.link)


class SlackMessage(Struct, frozen=True, kw_only=True):
    """What `chat.postMessage` gets besides the channel. Without `blocks`, `text` is all there is.

    As `render` makes it, `blocks` may be more than one post takes; `split` makes posts of it. `tail` are
    blocks that have to stand at the end of the last post, such as buttons. `part` of `parts` counts from 1.
    """

    text: str
    blocks: tuple[dict[str, Any], ...]
    metadata: dict[str, Any]
    rendering_failed: str
    tail: tuple[dict[str, Any], ...] = ()
    part: int = 1
    parts: int = 1


def render(message: Message) -> SlackMessage:
    """`message` for Slack; raises nothing. `text` is what a lock screen shows: what is asked comes first."""
    rendered = rendering.render(message, MEDIUM)
    head = _call(message.address, rendered.mention) + rendered.head
    first, last = (rendered.paragraphs or ("",))[0], (rendered.paragraphs or ("",))[-1]
    where = f"\n{last}" if last != first and len(last) < MAX_FALLBACK else ""
    body = SlackMessage(
        text=escape.cut(f"{head}\n{first}", 2 * MAX_FALLBACK) + where,
        blocks=(),
        metadata={"event_type": EVENT_TYPE, "event_payload": _payload(message)},
        rendering_failed=rendered.failed,
    )
    try:
        sections = tuple(_sections(message.address, _with_standing(rendered, message)))
        buttoned = buttons.actions_block(message.acts, rendering.language(message.lang))
        return msgspec.structs.replace(body, blocks=sections, tail=(buttoned,) if buttoned else ())
    except SlackObjectFormationError as error:
        return without_blocks(body, f"{type(error).__name__}: {error}")


def standing_block(message: Message) -> dict[str, Any] | None:
    """What has become of the matter, as a block of its own; None if there is nothing to say."""
    return _section(_standing(message)) if message.standing else None


def _standing(message: Message) -> str:
    return escape.bold(escape.escape(rendering.cut(rendering.clean(message.standing), MAX_STANDING)))


def _with_standing(rendered: rendering.Rendered, message: Message) -> rendering.Rendered:
    """What has become of the matter stands directly under the head: an old message must not look open."""
    if not message.standing:
        return rendered
    return msgspec.structs.replace(rendered, paragraphs=(_standing(message), *rendered.paragraphs))


def _payload(message: Message) -> dict[str, Any]:
    """The key, and of a message for several rows the key of each, so that reading back finds them all."""
    return {"key": message.key} | ({"keys": list(message.keys)} if message.bundle else {})


def _call(address: str, mention: str) -> str:
    """`<!channel>` where the template says so and many read along."""
    return "<!channel> " if mention == "channel" and address[:1] in CHANNELS else ""


def without_blocks(body: SlackMessage, why: str) -> SlackMessage:
    """`body` as plain text: what is asked, what happened and where to go, marked with why."""
    return msgspec.structs.replace(body, blocks=(), rendering_failed=why[: rendering.ERROR_LIMIT])


def split(body: SlackMessage) -> tuple[SlackMessage, ...]:
    """`body` as posts within Slack's limits, in order; one if it fits. The tail ends the last.

    Each has the key with its number beside it, and from the second on says whose continuation it is.
    """
    room = MAX_BLOCKS - len(body.tail) - 1
    runs: list[list[dict[str, Any]]] = [[]]
    used = 0
    for block in body.blocks:
        size = len(block["text"]["text"])
        if runs[-1] and (len(runs[-1]) >= room or used + size > MAX_TOTAL - PART_ROOM):
            runs.append([])
            used = 0
        runs[-1].append(block)
        used += size
    if len(runs) > MAX_PARTS:
        # Beyond what any template can make; the end, which says where to go, is kept.
        runs[MAX_PARTS - 1 :] = [runs[-1]]
    if len(runs) == 1:
        return (msgspec.structs.replace(body, blocks=(*body.blocks, *body.tail)),)
    return tuple(_part(body, run, number, len(runs)) for number, run in enumerate(runs, start=1))


def _part(body: SlackMessage, run: list[dict[str, Any]], number: int, of: int) -> SlackMessage:
    counted = f"({number}/{of})"
    head = escape.cut(body.text.partition("\n")[0].removeprefix("<!channel> "), PART_HEAD)
    blocks = run if number == 1 else [_section(f"{escape.bold(head)} {counted}"), *run]
    payload = body.metadata["event_payload"] | {"part": number, "parts": of}
    return msgspec.structs.replace(
        body,
        text=f"{body.text} {counted}" if number == 1 else f"{head} {counted}",
        blocks=(*blocks, *(body.tail if number == of else ())),
        metadata=body.metadata | {"event_payload": payload},
        part=number,
        parts=of,
    )


def _sections(address: str, rendered: rendering.Rendered) -> list[dict[str, Any]]:
    """The head and every paragraph; one that is too long for a section becomes several."""
    head = escape.bold(escape.cut(rendered.head, MAX_SECTION - 20))
    texts = [_call(address, rendered.mention) + head]
    for paragraph in rendered.paragraphs:
        texts += escape.pieces(paragraph, MAX_SECTION)
    return [_section(text) for text in texts]


def _section(text: str) -> dict[str, Any]:
    """One section as a dict. Raises SlackObjectFormationError if it breaks a rule that slack_sdk knows."""
    block: dict[str, Any] = SectionBlock(text=MarkdownTextObject(text=text, verbatim=True)).to_dict()
    return block
