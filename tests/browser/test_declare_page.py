"""Declaring in a real browser."""

from __future__ import annotations

from pathlib import Path

from models.clock import ExerciseClock
from tests.browser.roomnode import browsing, faults, opened, shoot


async def test_one_sentence_declares_an_incident_and_pages(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room, browsing() as browser:
        page = await room.open(browser, "tanaka-misaki", "/declare", lang="en")
        assert await faults(page) == []
        await shoot(page, "declare")
        await page.get_by_label("What has happened?").fill("Files on <b>cb-batch01</b> are being renamed")
        await page.get_by_role("button", name="Declare and page").click()
        await page.wait_for_url("**/incidents/INC-2026-0001")
        state = await room.node.run_in_writer(lambda: room.house.desk.incident("INC-2026-0001"))
        assert state.status == "open"
        assert (await room.facts("INC-2026-0001"))[0].actor == "tanaka-misaki"
        assert room.channels["console"].messages


async def test_nobody_in_particular_is_asked_to_log_in(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room, browsing() as browser:
        page = await browser.new_page()
        await page.goto(room.url + "/declare")
        assert page.url.endswith("/login?next=/declare")
