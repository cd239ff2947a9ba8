"""Making a channel in Slack: under a name that is free, or the one that an earlier life of ours made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from console.slack.room import candidates
from notifiers.message import Failed
from notifiers.slack.api import CallFailed, SlackApi

MAX_PAGES, PAGE = 5, 200
Free = Callable[[str], Awaitable[bool]]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A channel of ours. `fresh` says that nothing lies in it yet."""

    address: str
    name: str
    private: bool
    fresh: bool


async def make(api: SlackApi, name: str, *, private: bool, free: Free) -> Made:
    """A channel under this name or the next one free; `free` says whether one that we have may be taken.

    Raises CallFailed.
    """
    ours: dict[str, Made] | None = None
    for candidate in candidates(name):
        try:
            answer = await api.call("conversations.create", name=candidate, is_private=private)
        except CallFailed as failed:
            if failed.name != "name_taken":
                raise
        else:
            return _made(answer.get("channel") or {}, candidate, private=private)
        ours = await _ours(api) if ours is None else ours
        found = ours.get(candidate)
        if found is not None and found.private is private and await free(found.address):
            return found
    raise CallFailed(Failed(retry="never", error="Slack: name_taken"), "name_taken")


def _made(channel: dict[str, Any], name: str, *, private: bool) -> Made:
    if not channel.get("id"):
        raise CallFailed(Failed(retry="unclear", error="Slack: a channel without an id"))
    return Made(address=str(channel["id"]), name=name, private=private, fresh=True)


async def _ours(api: SlackApi) -> dict[str, Made]:
    """The channels that our own bot has made, by name, as far as Slack lists them."""
    _, bot = await api.identity()
    found: dict[str, Made] = {}
    cursor = ""
    for _ in range(MAX_PAGES):
        given: dict[str, Any] = {"cursor": cursor} if cursor else {}
        kinds = "public_channel,private_channel"
        answer = await api.call("conversations.list", types=kinds, exclude_archived=True, limit=PAGE, **given)
        for one in answer.get("channels") or []:
            if bot and one.get("creator") == bot:
                name, private = str(one.get("name")), bool(one.get("is_private"))
                found[name] = Made(address=str(one["id"]), name=name, private=private, fresh=False)
        cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            break
    return found
