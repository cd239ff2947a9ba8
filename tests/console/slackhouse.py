"""The example bank with a node of its own and a Slack that others wrote: what people press there is real."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML

from console.node import Node
from console.opening import House, open_house
from models.fact import Fact
from models.state import Incident
from notifiers.pacing import Pace
from notifiers.slack.api import Budget
from tests.peers.localslack import LocalSlack

ROOT = Path(__file__).parents[2]
T = TypeVar("T")
DUTY, STRANGER = "C0MIHONCSIRT", "U0NOBODY1"
QUICK = Pace(interval={"slack": 0.02}, backoff=(0.05, 0.1, 0.2, 0.5, 1.0, 1.0), idle=0.05)
WITHIN = 15.0


@dataclass(kw_only=True)
class Scene:
    """A node at work, and the Slack that it works in."""

    slack: LocalSlack
    node: Node
    bank: Path

    @property
    def house(self) -> House:
        """The node's house."""
        return self.node.house

    async def state(self, stream: str) -> Incident:
        """An incident as the record has it."""
        return await self.node.run_in_writer(lambda: self.house.desk.incident(stream))

    async def facts(self, stream: str, kind: str = "") -> list[Fact]:
        """The facts of a stream, all or of one kind."""

        def read() -> list[Fact]:
            with self.house.record.read() as tx:
                return [fact for fact in tx.facts(stream) if not kind or fact.kind == kind]

        return await self.node.run_in_writer(read)

    async def until(self, look: Callable[[], Any], within: float = WITHIN) -> Any:
        """What `look` (a coroutine function) gives once it is something; fails after `within` seconds."""
        async with asyncio.timeout(within):
            while True:
                found = await look()
                if found:
                    return found
                await asyncio.sleep(0.05)

    async def fact(self, stream: str, kind: str) -> Fact:
        """The first fact of this kind, once it is there."""
        found = await self.until(lambda: self.facts(stream, kind))
        first: Fact = found[0]
        return first

    async def button(self, place: str, action: str) -> dict[str, Any]:
        """The newest message in a conversation that has this button."""

        async def look() -> Any:
            messages = await self.slack.messages(place)
            fitting = [one for one in messages if action in actions(one)]
            return fitting[-1] if fitting else None

        found: dict[str, Any] = await self.until(look)
        return found

    async def first_page(self, stream: str) -> tuple[int, str, str]:
        """The first page: its number, the person it reached in Slack, and their Slack id."""
        fact = await self.fact(stream, "page.asked")
        directory = self.house.desk.directory
        for one in fact.data["recipients"]:
            person = directory.person(one["person"])
            if person is not None and person.slack:
                return fact.seq, person.id, person.slack
        raise AssertionError("nobody is reached in Slack")

    async def told(self, user: str, place: str, words: str) -> str:
        """What only this person was told, once it holds these words."""

        async def look() -> Any:
            texts = [text_of(one) for one in await self.slack.told(user, place)]
            return next((one for one in texts if words in one), None)

        found: str = await self.until(look)
        return found

    async def press(self, user: str, place: str, action: str) -> dict[str, Any]:
        """Press a button of the newest message that has it, as a person would; the message."""
        message = await self.button(place, action)
        await self.slack.press(user, await self.slack.conversation(place), message["ts"], action)
        return message


def people() -> dict[str, str]:
    """The bank's people by Slack id, and one whom the bank does not know."""
    yaml = YAML(typ="safe", pure=True)
    found = yaml.load((ROOT / "examples" / "mihon-bank" / "organisation.yaml").read_text(encoding="utf-8"))
    known = {one["slack"]: one["id"] for one in found["people"] if one.get("slack")}
    return known | {STRANGER: "stranger"}


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def actions(message: dict[str, Any]) -> list[str]:
    """The buttons of a message, by their ids."""
    return [
        str(element.get("action_id"))
        for block in message.get("blocks") or []
        if block.get("type") == "actions"
        for element in block.get("elements") or []
    ]


def text_of(message: dict[str, Any]) -> str:
    """What a person reads of a message."""
    parts = [
        str((block.get("text") or {}).get("text") or "")
        for block in message.get("blocks") or []
        if isinstance(block.get("text"), dict)
    ]
    return "\n".join(parts) or str(message.get("text") or "")


def make_bank(folder: Path, base_url: str, *, room: bool = False, http: bool = False) -> Path:
    """The example bank, its people reached by Slack first."""
    bank = folder / "bank"
    shutil.copytree(ROOT / "examples" / "mihon-bank", bank, ignore=shutil.ignore_patterns("var"))
    (bank / "secrets").mkdir()
    for name in ("bot", "app", "signing"):
        (bank / "secrets" / name).write_text(f"xoxb-{name}" if name != "signing" else "", encoding="utf-8")
    yaml = YAML()
    organisation = yaml.load((bank / "organisation.yaml").read_text(encoding="utf-8"))
    for person in organisation["people"]:
        person["channels"] = ["slack", "console"] if person.get("slack") else ["console"]
    with (bank / "organisation.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(organisation, file)
    lines = ["[slack]", 'token = "file:secrets/bot"', f'base_url = "{base_url}"']
    lines.append('signing_secret = "file:secrets/signing"' if http else 'app_token = "file:secrets/app"')
    if room:
        lines += ["[slack.room]", 'from = "low"', 'members = ["csirt-lead", "csirt-duty"]']
    settings = (bank / "settings.toml").read_text(encoding="utf-8")
    (bank / "settings.toml").write_text(settings + "\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return bank


@asynccontextmanager
async def war_room(
    folder: Path,
    *,
    room: bool = False,
    http: bool = False,
    furnish: Callable[[Path], None] | None = None,
) -> AsyncIterator[Scene]:
    """A bank, its Slack and its node, all running."""
    port = free_port() if http else 0
    request_url = f"http://127.0.0.1:{port}/slack/events" if http else ""
    async with LocalSlack(people=people(), request_url=request_url) as slack:
        bank = make_bank(folder, slack.base_url, room=room, http=http)
        secrets = {"bot": slack.bot_token, "app": slack.app_token, "signing": slack.signing_secret}
        for name, value in secrets.items():
            (bank / "secrets" / name).write_text(value, encoding="utf-8")
        if furnish is not None:
            furnish(bank)
        async with running(bank, port) as node:
            yield Scene(slack=slack, node=node, bank=bank)


@asynccontextmanager
async def running(bank: Path, port: int = 0) -> AsyncIterator[Node]:
    """A node on this bank's directory, in this process."""
    node = Node(open_house(bank), port=port, pace=QUICK, conductor_apart=False)
    task = asyncio.create_task(node.run())
    try:
        async with asyncio.timeout(WITHIN):
            await node.ready.wait()
        assert node.wing is not None
        node.wing.api.budget = Budget(dict.fromkeys(("chat.update",), 6_000), posts_every=0.01)
        if node.wing.socket is not None:
            async with asyncio.timeout(WITHIN):
                while not node.wing.socket.connected:
                    await asyncio.sleep(0.02)
        yield node
    finally:
        node.stop.set()
        await asyncio.wait([task], timeout=10)
        if not task.done():
            task.cancel()
        elif task.exception() is not None:
            raise task.exception()  # type: ignore[misc]
