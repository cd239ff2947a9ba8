"""The incident's page in a real browser: that it lives, on a phone, on paper, without scripts."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path

from playwright.async_api import Page

from console.opening import open_house
from models import commands as c
from models.clock import ExerciseClock
from models.premises import Outcome
from tests.browser.roomnode import PHONE, SCREENS, Room, browsing, faults, opened, shoot
from tests.console.webhouse import decision

INC = "INC-2026-0001"
PATH = f"/incidents/{INC}"
TITLE = "File extensions on the core banking batch server change all at once"


def by(person: str) -> c.Actor:
    return c.Actor(person=person, via="test")


async def pass_minutes(room: Room, clock: ExerciseClock, minutes: float) -> None:
    clock.advance(timedelta(minutes=minutes))
    await room.node.run_in_writer(lambda: room.house.desk.tick(INC))


async def played(room: Room, clock: ExerciseClock) -> None:
    """The first hour and a half of a ransomware attack on core banking."""
    start = clock.now()
    await room.act(
        None, c.Declare(actor=by("suzuki-daichi"), text=TITLE, severity="high", playbooks=("ransomware",))
    )
    await pass_minutes(room, clock, 6)
    await room.act(INC, c.Acknowledge(actor=by("sato-kenji"), page=4))
    await room.act(INC, c.AssignRole(actor=by("sato-kenji"), role="commander", person="sato-kenji"))
    for name, minutes in (("occurred", 75), ("detected", 30)):
        at = start - timedelta(minutes=minutes)
        await room.act(
            INC, c.SetInstant(actor=by("suzuki-daichi"), name=name, instant=at, source="EDR console")
        )
    await room.act(
        INC,
        c.ServiceFact(actor=by("suzuki-daichi"), service="core-banking", what="impacted", instant=start),
    )
    await pass_minutes(room, clock, 20)
    await room.node.run_in_writer(lambda: decision(room.house, INC, "sato-kenji"))
    await room.act(
        INC,
        c.Note(actor=by("yamamoto-rin"), for_="kato-hiroshi", text="by telephone: prepare to cut the line"),
    )
    await pass_minutes(room, clock, 12)


async def elsewhere(room: Room, clock: ExerciseClock, command: c.Command) -> Outcome:
    """Put a command to a desk of its own on the same record, as another process would."""

    def act() -> Outcome:
        house = open_house(room.directory, clock)
        try:
            return house.desk.handle(INC, command)
        finally:
            house.record.close()

    return await asyncio.to_thread(act)


async def changed(page: Page, part: str, text: str) -> None:
    """Wait until a part says something, without loading the page again."""
    await page.locator(f"#part-{part}", has_text=text).wait_for(timeout=5_000)


async def test_the_page_says_it_all_and_lives(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room, browsing() as browser:
        await played(room, clock)
        ciso = await room.open(browser, "kato-hiroshi", PATH, lang="en")
        await shoot(ciso, "incident-whole")
        await shoot(ciso, "incident", docs=True, whole=False)
        await working_pages(ciso)
        await says_what_matters(ciso)
        # What is done by another process appears by itself, and what waited for somebody goes.
        note = c.Note(actor=by("suzuki-daichi"), text="<b>fresh</b> from elsewhere")
        assert (await elsewhere(room, clock, note)).accepted
        await changed(ciso, "timeline", "<b>fresh</b> from elsewhere")
        await ciso.locator("details.further summary").first.click()
        await ciso.get_by_role("button", name="That is right: confirm").click()
        await ciso.locator(".flash").wait_for()
        assert await ciso.locator('form[action="/do/confirm"]').count() == 0
        # Only now: axe leaves marks on a page, and it must not be swapped after.
        assert await faults(ciso) == []
        japanese = await room.open(browser, "sato-kenji", PATH, lang="ja", color_scheme="dark")
        assert await faults(japanese) == []
        await shoot(japanese, "incident-ja-dark")
        await on_a_phone(await room.open(browser, "kato-hiroshi", PATH, lang="ja", viewport=PHONE))
        await on_paper(ciso)
        await a_fact(ciso)
        await pass_minutes(room, clock, 120)
        await ciso.goto(room.url + PATH)
        limits = ciso.locator("#part-breaks .when")
        assert await limits.count() == 8
        assert await limits.filter(has_text=" left").count() >= 3, "however much is broken"
        await without_scripts(
            await room.open(browser, "kato-hiroshi", PATH, lang="en", java_script_enabled=False)
        )


async def says_what_matters(page: Page) -> None:
    """Somebody new reads in the first screen what breaks next, who has it, and what is asked of them."""
    waits = page.locator("#part-waits")
    assert await waits.get_by_role("button", name="I have it: acknowledge").count() >= 1
    assert await waits.get_by_role("link", name="Go to the decision").count() >= 1
    first = page.locator("#part-breaks li").first
    assert await first.locator("time[data-until]").count() == 1
    assert await first.locator("strong").inner_text()
    head = await page.locator("#part-head").inner_text()
    assert "Kenji Sato" in head
    # What is broken already is not said to break next.
    assert " over " in await page.locator("#part-head dt:text-is('Past the limit: 4') + dd").inner_text()
    assert " left " in await page.locator("#part-head dt:text-is('Breaks next') + dd").inner_text()
    chart = page.locator("svg.course").first
    assert await chart.get_attribute("aria-labelledby") == "course-title course-desc"
    assert await page.locator("svg.course .bar.open").count() >= 2


async def working_pages(page: Page) -> None:
    """The pages beside it, as the docs show them."""
    here = page.url
    for noun in ("steps", "decisions", "reports"):
        await page.goto(f"{here}/{noun}")
        await shoot(page, noun, docs=True, whole=False)
    await page.goto(here.partition("/incidents")[0] + "/services")
    await page.locator(".estate").scroll_into_view_if_needed()
    await shoot(page, "services", docs=True, whole=False)
    await page.goto(here)


async def on_a_phone(page: Page) -> None:
    await shoot(page, "incident-phone", docs=True, whole=False)
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert await faults(page) == []
    first = page.locator("#part-waits .card button").first
    box = await first.bounding_box()
    assert box is not None and box["y"] + box["height"] < PHONE["height"], (
        "what is asked is on the first screen"
    )


async def on_paper(page: Page) -> None:
    """A sheet of the situation: few pages, no forms, and what matters on the first."""
    pdf = await page.pdf(format="A4", path=SCREENS / "incident.pdf")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 2
    await page.emulate_media(media="print")
    await shoot(page, "incident-print")
    assert not await page.locator("form.filter").is_visible()
    await page.emulate_media(media="screen")


async def a_fact(page: Page) -> None:
    await page.goto(page.url.partition("/incidents")[0] + f"{PATH}/facts/4")
    assert await faults(page) == []
    assert "page.asked" in await page.locator("#part-fact").inner_text()
    await shoot(page, "incident-fact")


async def without_scripts(page: Page) -> None:
    """Plain forms and links do the same."""
    acks = page.locator('form[action="/do/ack"]')
    before = await acks.count()
    await page.locator("#filter-kind").select_option("notes")
    await page.get_by_role("button", name="Filter").click()
    assert "kind=notes" in page.url
    sentences = await page.locator("#part-timeline .sentence").all_inner_texts()
    assert sentences
    assert all("note" in one or "confirm" in one for one in sentences)
    await page.get_by_role("button", name="I have it: acknowledge").first.click()
    await page.wait_for_url(f"**{PATH}")
    assert await acks.count() == before - 1
    assert await page.locator(".flash").count() == 1
