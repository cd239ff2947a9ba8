"""Pictures of what people see, by a Chromium that is found, not installed.

    await screenshot(await at_message(slack, "U0SATO001", ts), tmp_path / "page.png")

An open modal lies over every page. Emoji and Japanese need fonts on the machine (Debian has
fonts-ipafont-gothic and fonts-noto-color-emoji).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.peers.localslack import LocalSlack
from tests.peers.programs import DidNotStart

NAMES = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 60.0
SETTLED_MS = 4_000
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # Chromium refuses to run as root otherwise; it opens our own page on loopback only
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--no-first-run",
)


def chromium() -> str:
    """Where Chromium is; without it the running test is skipped by that name."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("chromium is not installed")
    return found


async def at_message(slack: LocalSlack, place: str, ts: str) -> str:
    """The address of the page that shows a message of a channel, or of a person's direct messages."""
    return f"{slack.web_url}/archives/{await slack.conversation(place)}/p{ts.replace('.', '')}"


async def screenshot(url: str, to: Path, *, width: int = 1_280, height: int = 900) -> Path:
    """Write a PNG of the page, in Tokyo's time. Raises DidNotStart if none came within 60 seconds."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            chromium(),
            *ARGUMENTS,
            f"--virtual-time-budget={SETTLED_MS}",
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            f"--screenshot={to}",
            url,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"TZ": "Asia/Tokyo"},
        )
        try:
            _, said = await asyncio.wait_for(process.communicate(), SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
            said = b"it did not end in time"
    if not to.is_file():
        raise DidNotStart(f"no picture of {url}: {said.decode(errors='replace')[-500:]}")
    return to
