"""The figures by month and the health of Hikeshi, as they are looked at."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from playwright.async_api import expect

from models.clock import ExerciseClock
from models.commands import Acknowledge, Actor, Declare, Impair, SetInstant
from tests.browser.roomnode import browsing, faults, opened, shoot

YUI = Actor(person="nakamura-yui", via="test")
NODE = Actor.machine("node")


async def test_figures_by_month_and_what_is_wrong_are_read_at_a_glance(
    tmp_path: Path, clock: ExerciseClock
) -> None:
    started = clock.now()
    async with opened(tmp_path, clock) as room, browsing() as browser:
        for month, minutes in enumerate((4, 9, 2, 6)):
            clock.set(started + timedelta(days=30 * month))
            made = (await room.act(None, Declare(actor=YUI, text=f"case {month}", severity="high"))).stream
            for name, before in (("occurred", 90 - 10 * month), ("detected", 20)):
                at = clock.now() - timedelta(minutes=before)
                await room.act(made, SetInstant(actor=YUI, name=name, instant=at, source="log"))
            clock.advance(timedelta(minutes=minutes))
            assert (await room.act(made, Acknowledge(actor=YUI))).accepted
        await room.act("house", Impair(actor=NODE, what="conductor", detail="no sign of life"))
        for lang in ("ja", "en"):
            page = await room.open(browser, "sato-kenji", "/figures", lang=lang)
            assert await faults(page) == []
            await expect(page.locator("rect.bar")).not_to_have_count(0)
            await page.locator("summary").first.click()
            await expect(page.locator("table").first).to_be_visible()
            await shoot(page, f"figures-{lang}" if lang == "ja" else "figures", docs=lang == "en")
            await page.goto(room.url + "/figures?drills=yes")
            await expect(page.locator("rect.bar")).to_have_count(0)
            await page.goto(room.url + "/system")
            assert await faults(page) == []
            await shoot(page, f"system-{lang}" if lang == "ja" else "system", docs=lang == "en")
            await page.context.close()
