"""The register of exercises in a real browser: planned, held, found wanting, mended."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Page

from console.main import execute
from console.views import rehearsal_md
from models.clock import ExerciseClock
from models.state import Programme
from tests.browser.roomnode import Room, browsing, faults, opened, shoot

LEAD = "sato-kenji"


async def programme(room: Room) -> Programme:
    state = await room.node.run_in_writer(lambda: room.house.desk.state("programme"))
    assert isinstance(state, Programme)
    return state


async def send(page: Page, name: str, fields: dict[str, str]) -> None:
    """Fill in the form of this button and press it."""
    form = page.locator(
        "form", has=page.get_by_role("button", name=name, exact=True, include_hidden=True)
    ).first
    fold = form.locator("xpath=ancestor::details[1]")
    if await fold.count() and not await form.is_visible():
        await fold.locator("summary").first.click()
    for label, value in fields.items():
        field = form.get_by_label(label, exact=True)
        if await field.evaluate("one => one.tagName") == "SELECT":
            await field.select_option(value)
        else:
            await field.fill(value)
    async with page.expect_navigation():
        await form.get_by_role("button", name=name, exact=True).click()


@pytest.mark.slow
async def test_an_exercise_is_planned_held_and_what_it_found_is_mended(
    tmp_path: Path, clock: ExerciseClock
) -> None:
    async with opened(tmp_path, clock) as room, browsing() as browser:
        page = await room.open(browser, LEAD, "/programme", lang="en")
        day = f"{clock.now():%Y-%m}"
        plan = {"Title": "Night <b>tabletop</b>", "Month or day (2027-02 or 2027-02-17)": day}
        await send(page, "Plan an exercise", plan)
        held = {"Held on": f"{clock.now():%Y-%m-%d}", "Of the plan": "EX-0001"}
        await send(page, "Enter what was held", held)
        assert (await programme(room)).entries["EX-0001"].status == "held"
        await page.goto(room.url + "/programme/exercises/EX-0001")
        found = {"What is wanting": "No number for the night", "Owner": "shimizu-yuta", "By": "2027-01-29"}
        await send(page, "Open a finding", found)
        assert await faults(page) == []
        await page.goto(room.url + "/programme/findings/FD-0001")
        assert await faults(page) == []
        await shoot(page, "finding-en")
        await send(page, "The work is done", {"What was done": "The number is on the sheet"})
        assert (await programme(room)).findings["FD-0001"].status == "fixed"
        for lang in ("ja", "en"):
            await page.goto(f"{room.url}/programme?lang={lang}")
            assert await faults(page) == []
            await shoot(page, f"programme-{lang}")
        await shoot(page, "programme", docs=True, whole=False)
        await page.goto(room.url + "/programme/exercised?kind=role")
        assert await faults(page) == []
        await shoot(page, "exercised-en")
        await a_rehearsal_can_be_looked_at(room, page)


async def a_rehearsal_can_be_looked_at(room: Room, page: Page) -> None:
    """A real one, small, kept by the command; its charts with a table each."""
    typed = ["rehearse", "ransomware", "--runs", "4", "--hours", "4", "--from", "03:00", "--keep"]
    assert await asyncio.to_thread(execute, ["--dir", str(room.directory), *typed]) == 0
    await page.goto(room.url + "/rehearsals?lang=ja")
    assert await faults(page) == []
    await page.locator(".card a").click()
    await page.wait_for_url("**/rehearsals/*-ransomware-7")
    assert await page.locator("svg[role=img]").count() == len(rehearsal_md.PICTURES)
    assert await faults(page) == []
    await shoot(page, "rehearsal-ja")
    await page.goto(page.url + "?lang=en")
    await shoot(page, "rehearsal", docs=True, whole=False)
