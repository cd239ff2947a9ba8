"""local-slack's pages can be photographed: the message, and then the modal over it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.peers.boltapp import PAGE, wired
from tests.peers.screens import at_message, chromium, screenshot

SATO = "U0SATO001"


def size(png: Path) -> tuple[int, int]:
    """Width and height from the file's header."""
    head = png.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", head[16:24])
    return int(width), int(height)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_message_and_then_its_modal_are_on_the_picture(tmp_path: Path) -> None:
    chromium()
    async with wired("socket") as (slack, app, _):
        ts = str((await app.client.chat_postMessage(channel=SATO, text="呼出", blocks=PAGE))["ts"])
        page = await at_message(slack, SATO, ts)
        message = await screenshot(page, tmp_path / "message.png", width=900, height=600)
        await slack.press(SATO, SATO, ts, "take")
        await slack.modal_shown()
        modal = await screenshot(page, tmp_path / "modal.png", width=900, height=600)
    assert size(message) == size(modal) == (900, 600)
    assert message.read_bytes() != modal.read_bytes()
