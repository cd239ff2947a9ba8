"""Who and what there is in the Slack that runs here: people, channels, the scopes that were granted.

slack.directory.person("U0SATO001")
slack.directory.channel("C0DUTY", member=False)
slack.directory.scopes.discard("users:read")
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from msgspec import Struct

from models.clock import SystemClock
from notifiers.slack.scopes import SCOPES

Answer = dict[str, Any]
Handler = Callable[[Answer], Answer]
APP_METHODS = frozenset({"apps.connections.open"})
"""Methods that the app-level token opens, and not the bot's."""


class FakePerson(Struct, kw_only=True):
    """A member of the workspace."""

    id: str
    deactivated: bool = False


class FakeChannel(Struct, kw_only=True):
    """A channel; `member` is whether our bot is in it."""

    id: str
    archived: bool = False
    member: bool = True
    private: bool = False


class FakeDirectory:
    """What `users.info` and `conversations.info` know; nobody and nothing until a test says so."""

    app_token = "xapp-fake"  # noqa: S105 a fake's token opens nothing

    def __init__(self) -> None:
        self.people: dict[str, FakePerson] = {}
        self.channels: dict[str, FakeChannel] = {}
        self.scopes: set[str] = {scope.name for scope in SCOPES}
        self.clock_ahead = timedelta()
        """How far Slack's clock is ahead of this machine's."""
        self.handlers: dict[str, Handler] = {
            "users.info": self._user,
            "conversations.info": self._channel,
            "apps.connections.open": self._connection,
        }

    def person(self, address: str, *, deactivated: bool = False) -> None:
        """Somebody is, or was, in the workspace."""
        self.people[address] = FakePerson(id=address, deactivated=deactivated)

    def channel(
        self, address: str, *, archived: bool = False, member: bool = True, private: bool = False
    ) -> None:
        """There is a channel."""
        self.channels[address] = FakeChannel(id=address, archived=archived, member=member, private=private)

    @property
    def headers(self) -> dict[str, str]:
        """What Slack puts on its answers: the scopes of the token, and its time."""
        now = SystemClock().now() + self.clock_ahead
        return {"x-oauth-scopes": ",".join(sorted(self.scopes)), "Date": format_datetime(now, usegmt=True)}

    def _user(self, given: Answer) -> Answer:
        if "users:read" not in self.scopes:
            return _missing_scope("users:read")
        known = self.people.get(str(given.get("user") or ""))
        if known is None:
            return {"ok": False, "error": "user_not_found"}
        return {"ok": True, "user": {"id": known.id, "deleted": known.deactivated, "is_bot": False}}

    def _channel(self, given: Answer) -> Answer:
        known = self.channels.get(str(given.get("channel") or ""))
        # A private channel that the bot is not in does not exist for it.
        if known is None or (known.private and not known.member):
            return {"ok": False, "error": "channel_not_found"}
        needed = "groups:read" if known.private else "channels:read"
        if needed not in self.scopes:
            return _missing_scope(needed)
        shown = {"id": known.id, "is_archived": known.archived, "is_member": known.member}
        return {"ok": True, "channel": shown | {"is_private": known.private}}

    def _connection(self, given: Answer) -> Answer:
        return {"ok": True, "url": "wss://127.0.0.1/link/?ticket=fake"}


def _missing_scope(needed: str) -> Answer:
    return {"ok": False, "error": "missing_scope", "needed": needed}
