"""Declaring in a real browser."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Page

from models.clock import ExerciseClock
from tests.browser.roomnode import DESK, PHONE, browsing, faults, opened, shoot


async def test_one_sentence_declares_an_incident_and_pages(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room, browsing() as browser:
        page = await room.open(browser, "tanaka-misaki", "/declare", lang="en")
        assert await faults(page) == []
        await page.get_by_label("What has happened?").fill(
            "Files on the batch server of core banking are being renamed, since 02:40"
        )
        await page.get_by_label("Kind of attack").select_option("ransomware")
        await shoot(page, "declare", docs=True)
        await page.get_by_label("What has happened?").fill("Files on <b>cb-batch01</b> are being renamed")
        await page.get_by_role("button", name="Declare and page").click()
        await page.wait_for_url("**/incidents/INC-2026-0001")
        state = await room.node.run_in_writer(lambda: room.house.desk.incident("INC-2026-0001"))
        assert state.status == "open"
        assert (await room.facts("INC-2026-0001"))[0].actor == "tanaka-misaki"
        assert room.channels["console"].messages
        for lang in ("ja", "en"):
            await page.goto(f"{room.url}/guideline?lang={lang}")
            assert await lines(page) == 1, "on a desk's screen all that leads on stands in one line"
            assert await page.locator(".top nav [aria-current]").get_attribute("href") == "/guideline"
            await page.set_viewport_size(PHONE)
            assert await lines(page) <= 4
            assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
            await page.set_viewport_size(DESK)


async def lines(page: Page) -> int:
    """In how many lines the top of a page stands."""
    tops = "all => new Set(all.map(one => Math.round(one.getBoundingClientRect().bottom / 16))).size"
    return int(await page.locator(".top a").evaluate_all(tops))


async def test_nobody_in_particular_is_asked_to_log_in(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room, browsing() as browser:
        page = await browser.new_page()
        await page.goto(room.url + "/declare")
        assert page.url.endswith("/login?next=/declare")
