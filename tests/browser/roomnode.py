"""A node of the example bank with its war room on loopback, and a real Chromium that looks at it.

    async with opened(tmp_path, clock) as room, browsing() as browser:
        page = await room.open(browser, "tanaka-misaki", "/declare")
        assert await faults(page) == []
        await shoot(page, "declare")

`faults` is what axe-core says against WCAG 2.2 AA. Pictures go to `build/screens`; with HIKESHI_WRITE_DOCS=1
those that the docs show go to docs/pictures as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

from console.node import Node
from console.opening import House, open_house
from console.web.sessions import Sessions
from models.clock import Clock
from models.fact import Fact
from notifiers.message import Delivery, Message, Sent
from tests.peers.programs import MODULES, need
from tests.peers.screens import chromium

ROOT = Path(__file__).parents[2]
SCREENS = ROOT / "build" / "screens"
PICTURES = ROOT / "docs" / "pictures"
AXE = MODULES / "axe-core" / "axe.min.js"
READY_SECONDS = 20
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Kept:
    """A channel that keeps what it was given."""

    can_read_back = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.messages: list[Message] = []

    async def deliver(self, message: Message) -> Delivery:
        """Taken, always."""
        self.messages.append(message)
        return Sent(receipt=str(len(self.messages)))

    async def arrived(self, message: Message) -> Sent | None:
        """Nobody can tell."""
        return None

    async def close(self) -> None:
        """Nothing to let go."""


@dataclass(kw_only=True)
class Room:
    """A running node. `house` is the node's own: use it by `act`, in its thread."""

    node: Node
    house: House
    directory: Path
    channels: dict[str, Kept] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.node.port}"

    async def act(self, stream: str | None, command: Any) -> Any:
        """Put a command to the desk, in the thread that writes; its outcome."""
        return await self.node.run_in_writer(lambda: self.house.desk.handle(stream, command))

    async def facts(self, stream: str) -> list[Fact]:
        """The facts of a stream."""

        def read() -> list[Fact]:
            with self.house.record.read() as tx:
                return tx.facts(stream)

        return await self.node.run_in_writer(read)

    async def login(self, context: BrowserContext, person: str, lang: str = "ja") -> None:
        """A session of this person's, as if they had just logged in."""
        front = self.node.front
        assert front is not None
        sessions = Sessions(front.house)
        value = await front.run(lambda: sessions.open("test", person=person, lang=lang))
        await context.add_cookies([{"name": sessions.cookie, "value": value, "url": self.url}])

    async def open(
        self, browser: Browser, person: str, path: str, *, lang: str = "ja", **context: Any
    ) -> Page:
        """A browser of this person's own at this page; an error in a script or a refused load fails it."""
        made = await browser.new_context(**({"viewport": DESK, "timezone_id": "Asia/Tokyo"} | context))
        await self.login(made, person, lang)
        page = await made.new_page()
        page.on("pageerror", _raise)
        page.on("console", lambda one: _complain(one.type, one.text))
        await page.goto(self.url + path)
        return page


def _raise(error: Any) -> None:
    raise AssertionError(f"a script failed: {error}")


def _complain(kind: str, text: str) -> None:
    if kind == "error" and "Content Security Policy" in text:
        raise AssertionError(text)


@contextlib.asynccontextmanager
async def opened(
    folder: Path, clock: Clock | None = None, *, port: int = 0, **settings: str
) -> AsyncIterator[Room]:
    """The example bank in `folder`, its node running, on a free port unless told which.

    `settings` are put at the top of settings.toml.
    """
    directory = folder / "bank"
    if not directory.exists():
        shutil.copytree(ROOT / "examples" / "mihon-bank", directory, ignore=shutil.ignore_patterns("var"))
    if settings:
        file = directory / "settings.toml"
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        file.write_text(lines + file.read_text(encoding="utf-8"), encoding="utf-8")
    async with running(directory, clock, port=port) as room:
        yield room


@contextlib.asynccontextmanager
async def running(directory: Path, clock: Clock | None = None, *, port: int = 0) -> AsyncIterator[Room]:
    """The node of an institution's directory, or of a drill's; its messages are kept and leave nowhere."""
    house = open_house(directory, clock)
    channels = {name: Kept(name) for name in house.institution.settings.channels()}
    node = Node(house, notifiers=dict(channels), port=port, conductor_apart=False)
    task = asyncio.create_task(node.run())
    try:
        ready = asyncio.create_task(node.ready.wait())
        async with asyncio.timeout(READY_SECONDS):
            await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        yield Room(node=node, house=house, directory=directory, channels=channels)
    finally:
        node.stop.set()
        await asyncio.wait([task], timeout=10)


@contextlib.asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """The system's Chromium; without it the running test is skipped by that name."""
    need("axe-core")
    path = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


async def faults(page: Page) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA, a line each: the rule, and where."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found = await page.evaluate("rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES)
    # It leaves empty style attributes behind, which a live part would carry over, against our own policy.
    await page.evaluate("document.querySelectorAll('[style]').forEach(one => one.removeAttribute('style'))")
    return [
        f"{one['id']}: {one['help']}: {node['target']} {node['html'][:120]}"
        for one in found["violations"]
        for node in one["nodes"][:3]
    ]


async def shoot(page: Page, name: str, *, docs: bool = False, whole: bool = True) -> Path:
    """A picture of the whole page, or of what a screen shows of it."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    to = SCREENS / f"{name}.png"
    # Hiding the caret leaves marks on fields, which a part that is swapped just then would carry on.
    await page.screenshot(path=to, full_page=whole, caret="initial")
    if docs and os.environ.get("HIKESHI_WRITE_DOCS"):
        shutil.copy(to, PICTURES / f"room-{name}.png")
    return to
