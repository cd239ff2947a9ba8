"""The rooms of the Slack that runs here: channels, topics, members, pins, edits, private answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Answer = dict[str, Any]
Handler = Callable[[Mapping[str, Any]], Answer]
MAX_TOPIC, MAX_CHANNEL_NAME = 250, 80


@dataclass(kw_only=True)
class Channel:
    """One channel, as the app has made it."""

    id: str
    name: str
    private: bool
    creator: str
    archived: bool = False
    topic: str = ""
    members: list[str] = field(default_factory=list)
    pins: list[str] = field(default_factory=list)
    bookmarks: list[dict[str, str]] = field(default_factory=list)


class FakeRooms:
    """What the fake remembers besides posts. `unknown` are people whom this Slack does not have."""

    def __init__(self, creator: str) -> None:
        self._creator = creator
        self._count = itertools.count(1)
        self.channels: dict[str, Channel] = {}
        self.private: list[dict[str, Any]] = []
        """Answers that one person alone saw: chat.postEphemeral."""
        self.dialogs: list[dict[str, Any]] = []
        """Dialogs that were opened."""
        self.unknown: set[str] = set()
        self.deleted: set[str] = set()
        """Ids of channels that people have deleted."""

    @property
    def handlers(self) -> dict[str, Handler]:
        """The methods, by name."""
        return {
            "conversations.create": self._create,
            "conversations.list": self._list,
            "conversations.setTopic": self._set_topic,
            "conversations.invite": self._invite,
            "pins.add": self._pin,
            "bookmarks.add": self._bookmark,
            "bookmarks.list": self._bookmarks,
            "chat.postEphemeral": self._ephemeral,
            "views.open": self._dialog,
        }

    def named(self, name: str) -> Channel:
        """The channel of this name. Raises KeyError."""
        return {one.name: one for one in self.channels.values()}[name]

    def take(self, name: str, creator: str) -> Channel:
        """Somebody else makes a channel of this name."""
        answer = self._create({"name": name})
        channel = self.channels[str(answer["channel"]["id"])]
        channel.creator = creator
        return channel

    def delete(self, name: str) -> None:
        """Somebody deletes the channel of this name, and all that lies in it. Raises KeyError."""
        channel = self.channels.pop(self.named(name).id)
        self.deleted.add(channel.id)

    def error(self, given: Mapping[str, Any], name: str = "channel", *, reading: bool = False) -> str | None:
        """Why nothing can be done in a channel, or None. One that is archived can still be read."""
        wanted = str(given.get(name) or "")
        if wanted in self.deleted:
            return "channel_not_found"
        channel = self.channels.get(wanted)
        return "is_archived" if channel is not None and channel.archived and not reading else None

    def _create(self, given: Mapping[str, Any]) -> Answer:
        name = str(given.get("name") or "")
        if not name or len(name) > MAX_CHANNEL_NAME or name != name.lower() or " " in name:
            return {"ok": False, "error": "invalid_name_specials"}
        if any(one.name == name for one in self.channels.values()):
            return {"ok": False, "error": "name_taken"}
        channel = Channel(
            id=f"C0ROOM{next(self._count):04d}",
            name=name,
            private=bool(given.get("is_private")),
            creator=self._creator,
        )
        self.channels[channel.id] = channel
        return {"ok": True, "channel": {"id": channel.id, "name": name, "creator": self._creator}}

    def _list(self, given: Mapping[str, Any]) -> Answer:
        without = str(given.get("exclude_archived")).lower() in {"1", "true"}
        shown = [
            {"id": one.id, "name": one.name, "creator": one.creator, "is_private": one.private}
            for one in self.channels.values()
            if not (one.archived and without)
        ]
        return {"ok": True, "channels": shown}

    def _channel(self, given: Mapping[str, Any], name: str = "channel") -> Channel | None:
        return self.channels.get(str(given.get(name) or ""))

    def _refused(self, given: Mapping[str, Any], name: str = "channel") -> Answer:
        error = self.error(given, name) or ("" if self._channel(given, name) else "channel_not_found")
        return {"ok": False, "error": error} if error else {}

    def _set_topic(self, given: Mapping[str, Any]) -> Answer:
        channel = self._channel(given)
        topic = str(given.get("topic") or "")
        if channel is None or channel.archived:
            return self._refused(given)
        if len(topic) > MAX_TOPIC:
            return {"ok": False, "error": "too_long"}
        channel.topic = topic
        return {"ok": True}

    def _invite(self, given: Mapping[str, Any]) -> Answer:
        channel = self._channel(given)
        people = str(given.get("users") or "").split(",")
        if channel is None or channel.archived:
            return self._refused(given)
        if self.unknown & set(people):
            return {"ok": False, "error": "user_not_found"}
        if set(people) <= set(channel.members):
            return {"ok": False, "error": "already_in_channel"}
        channel.members += [one for one in people if one not in channel.members]
        return {"ok": True}

    def _pin(self, given: Mapping[str, Any]) -> Answer:
        channel = self._channel(given)
        ts = str(given.get("timestamp") or "")
        if channel is None or channel.archived:
            return self._refused(given)
        if ts in channel.pins:
            return {"ok": False, "error": "already_pinned"}
        channel.pins.append(ts)
        return {"ok": True}

    def _bookmark(self, given: Mapping[str, Any]) -> Answer:
        channel = self._channel(given, "channel_id")
        if channel is None or channel.archived:
            return self._refused(given, "channel_id")
        channel.bookmarks.append({"title": str(given.get("title")), "link": str(given.get("link"))})
        return {"ok": True}

    def _bookmarks(self, given: Mapping[str, Any]) -> Answer:
        channel = self._channel(given, "channel_id")
        if channel is None:
            return {"ok": False, "error": "channel_not_found"}
        return {"ok": True, "bookmarks": list(channel.bookmarks)}

    def _ephemeral(self, given: Mapping[str, Any]) -> Answer:
        self.private.append(dict(given))
        return {"ok": True, "message_ts": f"1700000001.{len(self.private):06d}"}

    def _dialog(self, given: Mapping[str, Any]) -> Answer:
        self.dialogs.append(dict(given))
        return {"ok": True, "view": {"id": f"V{len(self.dialogs):06d}"}}
