"""A Slack workspace that others wrote (npm `local-slack`), driven as its people would.

    async with LocalSlack() as slack:                      # Socket Mode; with request_url=..., signed HTTP
        app = AsyncApp(token=slack.bot_token, client=AsyncWebClient(slack.bot_token, base_url=slack.base_url))
        ...
        await slack.press("U0SATO001", "C0MIHONCSIRT", ts, "ack")
        await slack.submit("U0SATO001", reason="seen")

What it can and cannot do is in tests/peers/README.md. People see what the program shows them: a button that
no message carries cannot be pressed, a required field left empty is not submitted (`CannotDo`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from msgspec import Struct

from tests.peers.forms import Answer, CannotDo, fill, press
from tests.peers.programs import LOCAL_SLACK, Program, need
from tests.peers.relay import Relay

Json = dict[str, Any]
PEOPLE = {"U0SATO001": "sato", "U0TANAKA1": "tanaka", "U0SUZUKI1": "suzuki", "U0YAMAMOT": "yamamoto"}
"""Slack ids of the example bank."""
CHANNELS = {"C0MIHONCSIRT": "csirt", "C0GENERAL": "general"}
SEEN_SECONDS = 10.0
"""An unanswered envelope is given up by the program after 5 seconds."""
_HELPER = "A0HELPER"


class Call(Struct, frozen=True):
    """One call of the app to the Web API. `at` is Unix seconds."""

    method: str
    args: Json
    at: float


class Submitted(Struct, frozen=True):
    """What the person saw after submitting: errors by block id, and the modal now on top, if any."""

    errors: Mapping[str, str]
    modal: Json | None


class LocalSlack:
    """The running program. `base_url` is what the app's Web API client needs.

    `people` and `channels` are names by id; all people and the bot are members of all channels. The program
    keeps one stack of modals for the whole workspace: let people act one after another.
    """

    bot_token, app_token, signing_secret = "xoxb-local-slack", "xapp-local-slack", "local-slack-secret"
    app_id, bot_user_id, bot_id, team_id = "A0HIKESHI", "U0HIKESHI", "B0HIKESHI", "T0LOCAL"

    def __init__(
        self,
        *,
        request_url: str = "",
        people: Mapping[str, str] = PEOPLE,
        channels: Mapping[str, str] = CHANNELS,
    ) -> None:
        self.people, self.channels = dict(people), dict(channels)
        self.started_in = 0.0
        """Seconds until it answered."""
        self.relay = Relay(token=self.bot_token, signing_secret=self.signing_secret, request_url=request_url)
        self._request_url = request_url
        self._modals: list[Json] = []
        self._watchers: list[asyncio.Queue[Json]] = []
        self._stack = contextlib.AsyncExitStack()
        self._session: aiohttp.ClientSession
        self._ui: aiohttp.ClientWebSocketResponse
        self.program: Program

    async def __aenter__(self) -> Self:
        need("local-slack")
        before = time.perf_counter()
        async with self._stack as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="local-slack-")))
            await self.relay.start()
            stack.push_async_callback(self.relay.close)
            config = folder / "config.json"
            config.write_text(json.dumps(self._config()), encoding="utf-8")
            command = [str(LOCAL_SLACK), "--port", "0", "--base-host", "127.0.0.1"]
            self.program, self.web_url = await Program.start(
                [*command, "--config", str(config), "--files-dir", str(folder / "files")],
                r"Web UI:\s+(\S+)",
                env={"BUN_OPTIONS": f"--preload={Path(__file__).with_name('on_loopback.js')}"},
            )
            stack.push_async_callback(self.program.end)
            self.relay.upstream = self.web_url
            self._session = await stack.enter_async_context(aiohttp.ClientSession(self.web_url))
            self._ui = await stack.enter_async_context(self._session.ws_connect("/ui", max_msg_size=0))
            first = await self._ui.receive_json()
            self._modals = first["state"]["modalStack"]
            reader = asyncio.create_task(self._read())
            stack.push_async_callback(self._stop, reader)
            self._stack = stack.pop_all()
        self.started_in = time.perf_counter() - before
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def base_url(self) -> str:
        """The Web API, through the relay."""
        return f"{self.relay.url}/api/"

    # ------------------------------------------------------------------------------------- what people do

    async def say(self, user: str, channel: str, text: str, *, thread: str = "") -> str:
        """Post as `user`; the message's ts. `thread` is the ts of the message it answers."""
        body = {"channel": channel, "user": user, "text": text} | ({"thread_ts": thread} if thread else {})
        answer = await self._control("message", body)
        return str(answer["message"]["ts"])

    async def press(self, user: str, place: str, ts: str, action_id: str, chosen: str | None = None) -> None:
        """Press a button (or choose an option) of a message, and wait for the app's ack, at most 5 seconds.

        Raises CannotDo if the message is not there or does not show it.
        """
        await self.press_seen(user, place, await self.message(place, ts), action_id, chosen)

    async def press_seen(
        self, user: str, place: str, message: Json, action_id: str, chosen: str | None = None
    ) -> None:
        """Press a button as it was when `message` was read: late, though the message has changed since."""
        where = {"channel": await self.conversation(place), "messageTs": message["ts"]}
        await self._control("interact", where | {"user": user, "action": press(message, action_id, chosen)})

    async def command(self, user: str, channel: str, command: str, text: str = "") -> None:
        """Type a slash command and wait for the app's ack, 5 seconds at most."""
        body = {"channel": channel, "user": user, "command": command, "text": text}
        await self._control("command", body | {"appId": self.app_id})

    async def shortcut(self, user: str, callback_id: str) -> Json | None:
        """Use a global shortcut; the app's ack, None if none came. Our payload with a real trigger."""
        minted = await self._mint(user, next(iter(self.channels)))
        given = {"trigger_id": minted["trigger_id"], "action_ts": f"{time.time():.6f}"}
        payload = {"type": "shortcut", "callback_id": callback_id} | given | self._who(user)
        return await self.relay.deliver("interactive", payload)

    async def message_shortcut(self, user: str, channel: str, ts: str, callback_id: str) -> Json | None:
        """Use a shortcut of a message, as `shortcut`."""
        message = await self.message(channel, ts)
        minted = await self._mint(user, channel)
        given = {key: minted[key] for key in ("trigger_id", "response_url")}
        where = {"channel": {"id": channel, "name": self.channels.get(channel, "directmessage")}}
        payload = {"type": "message_action", "callback_id": callback_id, "action_ts": f"{time.time():.6f}"}
        payload |= given | where | {"message_ts": ts, "message": message} | self._who(user)
        return await self.relay.deliver("interactive", payload)

    async def submit(self, user: str, **answers: Answer) -> Submitted:
        """Fill the modal on top (fields by action id) and submit it.

        Raises CannotDo if no modal is open, or if Slack's client would not submit this.
        """
        return await self._submit(user, fill(self._top(), answers))

    async def close_modal(self, user: str) -> None:
        """Close the modal on top with its whole stack, as with its cross."""
        self._top()
        with self._watching() as events:
            await self._ui.send_json({"t": "view_close", "user": user})
            await _next(events, lambda event: event["t"] == "view")

    async def open_home(self, user: str) -> None:
        """Open the app's home tab."""
        await self._control("open-home", {"user": user, "appId": self.app_id})

    async def react(self, user: str, channel: str, ts: str, name: str) -> None:
        """Put an emoji under a message."""
        await self._control("reaction", {"channel": channel, "ts": ts, "user": user, "name": name})

    async def upload(self, user: str, channel: str, name: str, content: bytes, *, text: str = "") -> Json:
        """Post a file; the message that shares it."""
        form = aiohttp.FormData({"channel": channel, "user": user, "text": text})
        form.add_field("file", content, filename=name, content_type="application/octet-stream")
        async with self._session.post("/_control/upload", data=form) as answer:
            return dict((await _checked(answer))["message"])

    # ------------------------------------------------------------------------------------ what people see

    async def messages(self, place: str) -> list[Json]:
        """The posts of a channel, oldest first; of a person's direct messages with the app for a user id.

        Ephemeral ones are among them, with `subtype` "ephemeral" and `ephemeral_to`.
        """
        conversation = await self.conversation(place)
        async with self._session.get(f"/_control/messages/{conversation}") as answer:
            return list((await _checked(answer))["messages"])

    async def message(self, place: str, ts: str) -> Json:
        """One post. Raises CannotDo if it is not there (any more)."""
        for found in await self.messages(place):
            if found["ts"] == ts:
                return found
        raise CannotDo(f"there is no message {ts} in {place}")

    async def told(self, user: str, place: str) -> list[Json]:
        """What only `user` can see in a channel."""
        return [each for each in await self.messages(place) if each.get("ephemeral_to") == user]

    async def posted(self, place: str, where: Callable[[Json], object], *, within: float = 5.0) -> Json:
        """The newest post that satisfies `where`, waited for. Raises TimeoutError after `within` seconds."""
        async with asyncio.timeout(within):
            while True:
                found = [each for each in await self.messages(place) if where(each)]
                if found:
                    return found[-1]
                await asyncio.sleep(0.02)

    async def conversation(self, place: str) -> str:
        """A channel's own id, or that of a user's direct messages with the app."""
        if place not in self.people:
            return place
        state = await self._state()
        for each in state["channels"]:
            if each["is_im"] and {place, self.bot_user_id} <= set(each["members"]):
                return str(each["id"])
        return place

    @property
    def modal(self) -> Json | None:
        """The modal on top, as last shown."""
        return self._modals[-1] if self._modals else None

    async def modal_shown(self, *, within: float = 5.0) -> Json:
        """The modal on top, waited for. Raises TimeoutError after `within` seconds."""
        async with asyncio.timeout(within):
            with self._watching() as events:
                while not self._modals:
                    await events.get()
        return self._modals[-1]

    async def calls(self, method: str = "") -> list[Call]:
        """What the app asked of the Web API, oldest first, of the last 1,000 lines of the program's log."""
        async with self._session.get("/_control/log") as answer:
            log = (await _checked(answer))["log"]
        made = [
            Call(each["summary"], each.get("detail") or {}, each["time"] / 1_000)
            for each in log
            if (each["direction"], each["kind"]) == ("from_bot", "web_api")
        ]
        return [call for call in made if method in {"", call.method}]

    async def reset(self) -> None:
        """Back to the beginning: no posts, no direct messages, no modals, no log."""
        await self._control("reset", {})

    # ------------------------------------------------------------------------------------------- inside

    def _config(self) -> Json:
        mode = "events" if self._request_url else "socket"
        ours = {"appId": self.app_id, "botUserId": self.bot_user_id, "botName": "hikeshi", "mode": mode}
        secrets = {
            "botToken": self.bot_token,
            "appToken": self.app_token,
            "signingSecret": self.signing_secret,
        }
        helper = {"appId": _HELPER, "botUserId": "U0HELPER", "botName": "helper", "mode": "events"}
        reached = {"botToken": str(uuid.uuid4()), "requestUrl": f"{self.relay.url}/mint"}
        return {
            "workspace": {"name": "Mihon Bank", "domain": "mihon-bank", "teamId": self.team_id},
            "apps": [
                ours | secrets | ({"requestUrl": self._request_url} if self._request_url else {}),
                helper | reached,
            ],
            "users": [
                {"id": each, "name": name, "real_name": name.title(), "tz": "Asia/Tokyo"}
                | {"email": f"{name}@mihon-bank.example.jp"}
                for each, name in self.people.items()
            ],
            "channels": [
                {"id": each, "name": name, "members": [*self.people, self.bot_user_id]}
                for each, name in self.channels.items()
            ],
        }

    def _who(self, user: str) -> Json:
        name = self.people.get(user, user)
        return {
            "token": "verification-token",
            "api_app_id": self.app_id,
            "team": {"id": self.team_id, "domain": "mihon-bank"},
            "user": {"id": user, "username": name, "name": name, "team_id": self.team_id},
            "is_enterprise_install": False,
        }

    def _top(self) -> Json:
        if not self._modals:
            raise CannotDo("no modal is open")
        return self._modals[-1]

    async def _submit(self, user: str, values: Json) -> Submitted:
        """The program applies the app's answer right after it logged it."""
        with self._watching() as events:
            await self._ui.send_json({"t": "view_submit", "user": user, "values": values})
            await _next(events, _answer_logged)
            shown = await _next(events, lambda event: event["t"] in {"view", "view_errors"})
        return Submitted(errors=shown.get("errors") or {}, modal=self.modal)

    async def _mint(self, user: str, channel: str) -> Json:
        body = {"channel": channel, "user": user, "command": "/mint", "appId": _HELPER}
        await self._control("command", body)
        return await self.relay.minted()

    async def _state(self) -> Json:
        async with self._session.get("/_control/state") as answer:
            return await _checked(answer)

    async def _control(self, name: str, body: Json) -> Json:
        timeout = aiohttp.ClientTimeout(total=SEEN_SECONDS)
        async with self._session.post(f"/_control/{name}", json=body, timeout=timeout) as answer:
            return await _checked(answer)

    @contextlib.contextmanager
    def _watching(self) -> Iterator[asyncio.Queue[Json]]:
        events: asyncio.Queue[Json] = asyncio.Queue()
        self._watchers.append(events)
        try:
            yield events
        finally:
            self._watchers.remove(events)

    async def _read(self) -> None:
        async for frame in self._ui:
            event = json.loads(frame.data)
            if event["t"] == "view":
                self._modals = event["stack"]
            elif event["t"] == "init":
                self._modals = event["state"]["modalStack"]
            for events in list(self._watchers):
                events.put_nowait(event)

    async def _stop(self, reader: asyncio.Task[None]) -> None:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


def _answer_logged(event: Json) -> bool:
    if event["t"] != "log":
        return False
    entry = event["entry"]
    answered = entry["direction"] == "from_bot" and entry["kind"] in {"ack", "interactive"}
    return answered or (entry["direction"] == "internal" and entry["kind"] in {"socket", "interactive"})


async def _next(events: asyncio.Queue[Json], wanted: Callable[[Json], bool]) -> Json:
    async with asyncio.timeout(SEEN_SECONDS):
        while not wanted(event := await events.get()):
            pass
    return event


async def _checked(answer: aiohttp.ClientResponse) -> Json:
    found = dict(await answer.json())
    if answer.status != 200:
        raise CannotDo(f"local-slack: {answer.status} {found.get('error')}")
    return found
