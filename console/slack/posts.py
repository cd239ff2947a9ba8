"""Messages of ours in a channel, each once: after an unclear answer Slack is asked whether it has it.

Each message carries its key as metadata. In a new life of the node, and after each answer that leaves open
whether a message was taken, what lies in the channel is read before the next one goes out. Only posts of our
own bot count: anybody could write one with our key.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from typing import Any

from notifiers.slack.api import CallFailed, SlackApi
from notifiers.slack.render import EVENT_TYPE

MAX_PAGES, PAGE = 5, 200
CHANNELS_REMEMBERED = 500
Read = dict[str, str]
Given = dict[str, Any]


class Posts:
    """What lies in the channels, as far as this life knows it: ts by key, for each channel or thread."""

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._read: OrderedDict[tuple[str, str], Read] = OrderedDict()

    def fresh(self, channel: str, thread: str = "") -> None:
        """Nothing lies there yet, for certain: it has just been made."""
        self._keep((channel, thread), {})

    async def show(self, channel: str, key: str, place: str, given: Given) -> str:
        """Edit the message at `place`, or the one that has the key, or post it; its place.

        One that somebody deleted is posted anew. Raises CallFailed.
        """
        there = place or await self.find(channel, key)
        while there:
            try:
                await self._api.call("chat.update", channel=channel, ts=there, **given)
            except CallFailed as failed:
                if failed.name != "message_not_found":
                    raise
            else:
                return there
            self._read.pop((channel, ""), None)
            gone, there = there, await self.find(channel, key)
            there = "" if there == gone else there
        return await self.post(channel, key, given)

    async def post(self, channel: str, key: str, given: Given) -> str:
        """Post it; its ts. Raises CallFailed."""
        where = (channel, str(given.get("thread_ts") or ""))
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"key": key}}
        try:
            answer = await self._api.call(
                "chat.postMessage",
                channel=channel,
                metadata=metadata,
                unfurl_links=False,
                unfurl_media=False,
                **given,
            )
        except CallFailed as failed:
            if failed.failed.retry == "unclear":
                self._read.pop(where, None)
            raise
        ts = str(answer.get("ts") or "")
        if where in self._read:
            self._read[where][key] = ts
        if not where[1]:
            self.fresh(channel, ts)
        return ts

    async def find(self, channel: str, key: str) -> str:
        """The ts of the message in the channel that has this key, or empty. Raises CallFailed."""
        return (await self._lying(channel, "")).get(key, "")

    async def told(self, channel: str, before: str, thread: str, seq: int) -> int:
        """The highest number after `before` in the keys there, or 0; none beyond `seq`. Raises CallFailed."""
        keys = await self._lying(channel, thread)
        ends = [key.removeprefix(before) for key in keys if key.startswith(before)]
        return max((int(end) for end in ends if end.isdecimal() and int(end) <= seq), default=0)

    async def _lying(self, channel: str, thread: str) -> Read:
        where = (channel, thread)
        if where not in self._read:
            found: Read = {}
            ours = await self._api.identity()
            async for post in self._posts(channel, thread):
                if is_ours(post, ours) and (key := key_of(post)):
                    found.setdefault(key, str(post.get("ts") or ""))
            self._keep(where, found)
        return self._read[where]

    async def _posts(self, channel: str, thread: str) -> AsyncIterator[Mapping[str, Any]]:
        """A channel newest first, a thread oldest first, as Slack gives them."""
        method = "conversations.replies" if thread else "conversations.history"
        given: dict[str, Any] = {"ts": thread} if thread else {}
        for _ in range(MAX_PAGES):
            answer = await self._api.call(
                method, channel=channel, limit=PAGE, include_all_metadata=True, **given
            )
            for post in answer.get("messages") or []:
                yield post
            given["cursor"] = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not given["cursor"]:
                return

    def _keep(self, where: tuple[str, str], found: Read) -> None:
        self._read[where] = found
        self._read.move_to_end(where)
        if len(self._read) > CHANNELS_REMEMBERED:
            self._read.popitem(last=False)


def is_ours(post: Mapping[str, Any], ours: tuple[str, str]) -> bool:
    """Whether our own bot has written it. `ours` is the bot's id and its user's."""
    bot, user = ours
    return bool(bot and post.get("bot_id") == bot) or bool(user and post.get("user") == user)


def key_of(post: Mapping[str, Any]) -> str:
    """Our key in a post's metadata, or empty."""
    metadata = post.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    return str(payload.get("key") or "") if metadata.get("event_type") == EVENT_TYPE else ""
