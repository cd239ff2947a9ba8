"""What is read between incidents, in a real browser: criteria, obligations."""

from __future__ import annotations

from pathlib import Path

from models.clock import ExerciseClock
from tests.browser.roomnode import browsing, faults, opened, shoot


async def test_criteria_and_obligations_can_be_read(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room, browsing() as browser:
        for lang in ("ja", "en"):
            page = await room.open(browser, "tanaka-misaki", "/severity", lang=lang)
            assert await faults(page) == []
            await shoot(page, f"severity-{lang}")
            await page.goto(room.url + "/obligations")
            assert await faults(page) == []
            await shoot(page, f"obligations-{lang}")
