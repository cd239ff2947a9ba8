"""What is read between incidents, in a real browser: criteria, obligations."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.clock import ExerciseClock
from tests.browser.roomnode import DESK, browsing, faults, opened, shoot

ONCALL = ("oncall", "en")
"""What the docs show of who is on duty."""


async def test_criteria_and_obligations_can_be_read(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room, browsing() as browser:
        for lang in ("ja", "en"):
            page = await room.open(browser, "tanaka-misaki", "/severity", lang=lang)
            assert await faults(page) == []
            await shoot(page, f"severity-{lang}")
            await page.goto(room.url + "/obligations")
            assert await faults(page) == []
            await shoot(page, f"obligations-{lang}")


@pytest.mark.slow
async def test_playbooks_are_read_and_the_reading_is_recorded(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room, browsing() as browser:
        for lang in ("ja", "en"):
            page = await room.open(browser, "tanaka-misaki", "/playbooks", lang=lang)
            for name, path in (
                ("playbooks", "/playbooks"),
                ("playbook", "/playbooks/ransomware"),
                ("playbook-graph", "/playbooks/ransomware/graph"),
                ("guideline", "/guideline?show=never"),
            ):
                await page.goto(room.url + path)
                assert await faults(page) == []
                await shoot(page, f"{name}-{lang}")
                if lang == "en" and name != "playbooks":
                    await page.set_viewport_size({"width": 1280, "height": 640})
                    await shoot(page, name, docs=True, whole=False)
                    await page.set_viewport_size(DESK)
        await page.goto(room.url + "/playbooks/ransomware")
        await page.get_by_role("button", name="I have read version 1.0.0").press("Enter")
        await page.get_by_text("✓ You have read version 1.0.0").wait_for()
        kinds = [fact.kind for fact in await room.facts("programme")]
        assert kinds == ["playbook.read"]
        await page.goto(room.url + "/playbooks/no-such-playbook")
        assert await page.title() != ""
        await page.goto(room.url + "/playbooks/ransomware")
        pdf = await page.pdf(format="A4")
        assert pdf.startswith(b"%PDF")
        await page.emulate_media(media="print")
        assert not await page.get_by_role("navigation").first.is_visible()
        assert not await page.get_by_role("button", name="I have read").is_visible()
        assert await page.get_by_text("On paper it may be out of date").is_visible()


async def test_duty_routes_and_a_communication_check(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room, browsing() as browser:
        for lang in ("ja", "en"):
            page = await room.open(browser, "suzuki-daichi", "/oncall", lang=lang)
            for name, path in (
                ("oncall", "/oncall"),
                ("oncall-month", "/oncall?role=csirt-duty&day=2026-12-31"),
                ("routes", "/routes"),
                ("comchecks", "/comchecks?route=house"),
            ):
                await page.goto(room.url + path)
                assert await faults(page) == []
                await shoot(page, f"{name}-{lang}" if lang == "ja" else name, docs=(name, lang) == ONCALL)
        await page.get_by_role("button", name="Page them as a test").click()
        await page.get_by_text("CC-0001").first.wait_for()
        assert await faults(page) == []
        assert next(fact.kind for fact in await room.facts("programme")) == "comcheck.started"
        got = await page.request.get(room.url + "/api/v1/oncall?ics=true")
        assert (got.status, (await got.body())[:15]) == (200, b"BEGIN:VCALENDAR")
