"""What a post that was read back says of our messages: whose keys it carries, and which part it is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from notifiers.message import Sent
from notifiers.slack.render import EVENT_TYPE


class Found(Struct, frozen=True, kw_only=True):
    """One post of our own. `keys` are those of the message and of all rows that it delivers."""

    key: str
    keys: frozenset[str]
    part: int
    parts: int
    sent: Sent


def receipt(conversation: str, ts: object) -> str:
    """`CONVERSATION/TS`: with both a post can be edited, answered in its thread and found again."""
    return f"{conversation}/{ts or ''}"


def read(conversation: str, post: dict[str, Any]) -> Found:
    """A post of `conversations.history`; without our metadata it carries no key."""
    metadata = post.get("metadata") or {}
    payload = metadata.get("event_payload") if metadata.get("event_type") == EVENT_TYPE else None
    payload = payload if isinstance(payload, dict) else {}
    key, named = payload.get("key"), payload.get("keys")
    rows = [one for one in named if isinstance(one, str)] if isinstance(named, list) else []
    return Found(
        key=key if isinstance(key, str) else "",
        keys=frozenset((*([key] if isinstance(key, str) else []), *rows)),
        part=_count(payload.get("part")),
        parts=_count(payload.get("parts")),
        sent=Sent(receipt=receipt(conversation, post.get("ts"))),
    )


def _count(value: object) -> int:
    """Slack gives numbers back as it got them, JSON's or as text; anything else is a whole message."""
    return int(value) if isinstance(value, (int, str)) and str(value).isdecimal() else 1


def whole(found: Iterable[Found], keys: Sequence[str]) -> Sent | None:
    """The proof of the last post, if every one of `keys` stands in a message of which all parts are there."""
    posts = list(found)
    complete = [one for one in posts if one.parts <= _parts_of(one, posts)]
    there = {key for one in complete for key in one.keys}
    if not there.issuperset(keys):
        return None
    of_these = [one.sent for one in complete if not one.keys.isdisjoint(keys)]
    return max(of_these, key=lambda sent: sent.receipt)


def _parts_of(one: Found, posts: Sequence[Found]) -> int:
    return len({each.part for each in posts if each.key == one.key and each.parts == one.parts})
