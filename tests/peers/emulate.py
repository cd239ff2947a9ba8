"""A Slack Web API that others wrote (npm `emulate`): metadata, pins, bookmarks, topics, scopes, files.

    async with Emulate() as slack:                         # scopes=("chat:write",) refuses the rest by name
        client = AsyncWebClient(token=slack.bot_token, base_url=slack.base_url)
        await client.chat_postMessage(channel=slack.channel("csirt"), text="...")

Nobody presses anything here: that is tests/peers/localslack.py. The ids of people and channels are the
program's own, so look them up by name. What it can and cannot do is in tests/peers/README.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from slack_sdk.web.async_client import AsyncWebClient

from tests.peers.programs import DidNotStart, Program, need, node

Json = dict[str, Any]
PEOPLE = ("sato", "tanaka", "suzuki", "yamamoto")
CHANNELS = ("csirt",)
ATTEMPTS = 3
ALL_SCOPES = (
    "bookmarks:read",
    "bookmarks:write",
    "channels:history",
    "channels:join",
    "channels:manage",
    "channels:read",
    "chat:write",
    "files:read",
    "files:write",
    "groups:history",
    "groups:read",
    "groups:write",
    "im:history",
    "im:read",
    "im:write",
    "mpim:history",
    "mpim:read",
    "mpim:write",
    "pins:read",
    "pins:write",
    "reactions:read",
    "reactions:write",
    "team:read",
    "users.profile:read",
    "users:read",
    "users:read.email",
)


class Emulate:
    """The running program, which refuses what the bot's `scopes` do not cover with `missing_scope`.

    `private` channels exist beside `channels`; the bot is in none but `joined`, as after an installation.
    Everybody else, `admin` too, is in all of them.
    """

    bot_token, admin_token = "xoxb-emulate", "xoxp-emulate-admin"
    app_id, bot_id, bot_user_id = "A0HIKESHI", "B0HIKESHI", "U0HIKESHI"

    def __init__(
        self,
        *,
        scopes: Iterable[str] = ALL_SCOPES,
        people: Iterable[str] = PEOPLE,
        channels: Iterable[str] = CHANNELS,
        private: Iterable[str] = (),
        joined: Iterable[str] = CHANNELS,
    ) -> None:
        self.scopes, self._people = tuple(scopes), tuple(people)
        self._channels, self._private, self._joined = tuple(channels), tuple(private), tuple(joined)
        self.users: dict[str, str] = {}
        """Ids by name."""
        self.channels: dict[str, str] = {}
        self.started_in = 0.0
        """Seconds until it answered."""
        self.url = ""
        self.program: Program
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        need("emulate")
        before = time.perf_counter()
        async with self._stack as stack:
            await self._start()
            stack.push_async_callback(self.program.end)
            await self._look()
            self._stack = stack.pop_all()
        self.started_in = time.perf_counter() - before
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def base_url(self) -> str:
        """What the app's Web API client needs."""
        return f"{self.url}/api/"

    def user(self, name: str) -> str:
        """The id of a person. Raises KeyError for an unknown name."""
        return self.users[name]

    def channel(self, name: str) -> str:
        """The id of a channel. Raises KeyError for an unknown name."""
        return self.channels[name]

    def admin(self) -> AsyncWebClient:
        """Who may do everything and is in every channel: to prepare, and to look from outside."""
        return AsyncWebClient(token=self.admin_token, base_url=self.base_url, retry_handlers=[])

    async def _start(self) -> None:
        """A free port may be taken between our look and its start: then another."""
        for attempt in range(1, ATTEMPTS + 1):
            port = _free_port()
            self.url = f"http://127.0.0.1:{port}"
            script = Path(__file__).with_name("emulate_slack.mjs")
            first = json.dumps({"port": port, "seed": {"slack": self._seed()}})
            try:
                self.program, _ = await Program.start(
                    [str(node()), str(script)], r"emulate listens on (\d+)", env={}, first_line=first
                )
            except DidNotStart:
                if attempt == ATTEMPTS:
                    raise
            else:
                return

    def _seed(self) -> Json:
        bot = {"bot_id": self.bot_id, "bot_user_id": self.bot_user_id, "bot_name": "hikeshi"}
        app = {"app_id": self.app_id, "client_id": "1.1", "client_secret": "none", "name": "Hikeshi"}
        return {
            "team": {"name": "Mihon Bank", "domain": "mihon-bank"},
            "strict_scopes": True,
            "users": [
                {"name": name, "real_name": name.title(), "email": f"{name}@mihon-bank.example.jp"}
                for name in self._people
            ],
            "channels": [{"name": name} for name in self._channels]
            + [{"name": name, "is_private": True} for name in self._private],
            "oauth_apps": [app | bot | {"redirect_uris": [], "scopes": list(self.scopes)}],
            "tokens": [
                {"token": self.bot_token, "type": "bot", "user_id": self.bot_user_id, "app_id": self.app_id}
                | {"scopes": list(self.scopes)}
                | {"bot_id": self.bot_id, "bot_user_id": self.bot_user_id},
                {"token": self.admin_token, "user": "admin", "scopes": list(ALL_SCOPES)},
            ],
        }

    async def _look(self) -> None:
        admin = self.admin()
        people = await admin.users_list(limit=1_000)
        self.users = {each["name"]: each["id"] for each in people["members"]}
        places = await admin.conversations_list(types="public_channel,private_channel", limit=1_000)
        self.channels = {each["name"]: each["id"] for each in places["channels"]}
        await asyncio.gather(
            *(
                admin.conversations_invite(channel=self.channels[name], users=self.bot_user_id)
                for name in self._joined
            )
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
