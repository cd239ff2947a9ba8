"""Evidence, scope, reports, communication and improvements of an incident, worked on in a real browser."""

from __future__ import annotations

import hashlib
from pathlib import Path

from playwright.async_api import Locator, Page

from models.clock import ExerciseClock
from tests.browser.roomnode import Room, browsing, faults, opened, shoot
from tests.browser.test_incident_working import EVIL, INC, declared

MEMORY = b"MZ" + bytes(range(256)) * 40


async def at(page: Page, room: Room, noun: str) -> None:
    """One of the pages of the incident: nothing wrong with it, and no markup of outsiders in it."""
    await page.goto(f"{room.url}/incidents/{INC}/{noun}")
    assert await faults(page) == []
    assert await page.locator("img").count() == 0


async def unfolded(page: Page, title: str) -> Locator:
    """The form of this title."""
    await page.get_by_text(title, exact=True).first.click()
    return page.locator("details.doing[open]").filter(has_text=title).first


async def kinds(room: Room) -> list[str]:
    """What has been recorded."""
    return [one.kind for one in await room.facts(INC)]


async def test_everything_beside_steps_and_decisions(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room, browsing() as browser:
        await declared(room)
        page = await room.open(browser, "sato-kenji", f"/incidents/{INC}/evidence", lang="en")
        page.set_default_timeout(6_000)
        await _preserves(page, room)
        await _finds_what_is_affected(page, room)
        await _drafts_and_judges(page, room)
        await _writes_to_customers(page, room)
        await at(page, room, "improvements")
        form = await unfolded(page, "Add an improvement")
        await form.get_by_label("Title").fill(EVIL)
        await form.get_by_label("Owner").select_option("suzuki-daichi")
        await form.get_by_label("Due").fill("2026-12-24")
        await form.get_by_role("button", name="Add").click()
        await page.get_by_role("heading", name="IMP-").wait_for()
        await at(page, room, "improvements")
        for noun in ("evidence", "scope", "reports", "communication", "improvements"):
            await page.goto(f"{room.url}/incidents/{INC}/{noun}?lang=ja")
            assert await faults(page) == [], noun
            await shoot(page, f"{noun}-ja")


async def _preserves(page: Page, room: Room) -> None:
    assert await faults(page) == []
    form = await unfolded(page, "Add evidence")
    file = {"name": "../../メモリ.dmp", "mimeType": "application/octet-stream", "buffer": MEMORY}
    await form.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    await form.get_by_label("Source").fill("host-memory")
    await form.get_by_label("Description").fill(EVIL)
    await form.get_by_role("button", name="Preserve").click()
    item = page.locator("#ev-0001")
    await item.wait_for()
    assert hashlib.sha256(MEMORY).hexdigest() in await item.inner_text()
    await item.get_by_role("button", name="Compare", exact=True).click()
    await page.locator("#ev-0001").wait_for()
    assert "evidence.verified" in await kinds(room)
    await at(page, room, "evidence")
    await shoot(page, "evidence-en")


async def _finds_what_is_affected(page: Page, room: Room) -> None:
    await at(page, room, "scope")
    form = await unfolded(page, "Add to the scope")
    await form.get_by_label("Kind").select_option("host")
    await form.get_by_label("Name or value").fill(EVIL)
    await form.locator("[name='first_seen.local']").fill("2026-11-23T02:10")
    await form.get_by_role("button", name="Add").click()
    await page.get_by_text("SC-001").first.wait_for()
    form = await unfolded(page, "Import a file")
    table = b"kind,name\r\naccount,svc-batch\r\nindicator,198.51.100.7\r\n"
    await form.locator("input[type=file]").set_input_files(
        {"name": "scope.csv", "mimeType": "text/csv", "buffer": table}
    )
    await form.get_by_role("button", name="Import").click()
    await page.get_by_text("198[.]51[.]100[.]7").first.wait_for()
    form = await unfolded(page, "A service is affected")
    await form.get_by_label("Service").select_option("internet-banking")
    await form.locator("[name='since.local']").fill("2026-11-23T02:30")
    await form.get_by_role("button", name="Record").click()
    await page.get_by_text("Internet banking").first.wait_for()
    assert {"scope.added", "scope.imported", "service.impacted"} & set(await kinds(room))
    await at(page, room, "scope")


async def _drafts_and_judges(page: Page, room: Room) -> None:
    await at(page, room, "reports")
    first = page.locator("article.card").first
    await first.get_by_text("Judge whether it is owed").click()
    await first.get_by_label("It is owed").select_option("yes")
    await first.get_by_label("Reason").fill("Core banking is affected")
    await first.get_by_role("button", name="Record", exact=True).last.click()
    await page.locator("#section-owed ~ article").first.wait_for()
    assert "obligation.judged" in " ".join(await kinds(room)) or "report.judged" in await kinds(room)
    first = page.locator("article.card").first
    await first.get_by_text("Draft it", exact=True).click()
    await first.locator("details[open] select").first.select_option(index=1)
    await first.get_by_role("button", name="Draft", exact=True).click()
    await page.locator(".draft").first.wait_for(state="attached")
    assert await page.locator(".draft .grave").count(), "gaps are marked"


async def _writes_to_customers(page: Page, room: Room) -> None:
    await at(page, room, "communication")
    form = await unfolded(page, "Draft a message")
    await form.get_by_label("Audience").select_option("customers")
    await form.get_by_label("TLP").select_option("CLEAR")
    await form.get_by_label("Text").fill(f"お客さまへ\nただいま取引ができません。\n{EVIL}")
    await form.get_by_role("button", name="Draft").click()
    message = page.locator("#message-msg-001")
    await message.get_by_text("Rewrite it").click()
    text = await message.locator("textarea").first.input_value()
    assert text.splitlines()[:2] == ["お客さまへ", "ただいま取引ができません。"]
    await message.get_by_role("button", name="Put up").click()
    await page.locator("#message-msg-001").get_by_text("waits").first.wait_for()
    await at(page, room, "communication")
    form = await unfolded(page, "Count inquiries")
    await form.get_by_label("From whom").select_option("press")
    await form.get_by_label("How many").fill("12")
    await form.get_by_role("button", name="Count").click()
    await page.get_by_text("12").first.wait_for()
