"""A page that stays open: what comes while somebody looks, types, loses the node and finds it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect

from console.opening import open_house
from console.web.sessions import Sessions, cookie_name, digest
from models.clock import ExerciseClock
from models.commands import Actor, Declare
from tests.browser.roomnode import PHONE, Room, browsing, faults, opened, shoot

SATO = Actor(person="sato-kenji", via="test")
BANK = "ransomware"


async def declare(room: Room, text: str, severity: str = "high") -> None:
    assert (
        await room.act(None, Declare(actor=SATO, text=text, severity=severity, playbooks=(BANK,)))
    ).accepted


async def _type_into(page: Page) -> None:
    """Somebody writes in a part; the pages of incidents have such forms."""
    await page.evaluate(
        """() => {
            const form = document.createElement("form");
            form.innerHTML = '<label>Note <textarea></textarea></label><button type="reset">Clear</button>';
            document.getElementById("part-open").append(form);
        }"""
    )
    await page.get_by_label("Note").fill("half a sentence")


async def _after_a_swap(page: Page) -> Any:
    """Two steps with the same button and the same fold, and one more comes on top of them: what has the
    focus, and which of the folds are open, when the second one's were."""
    return await page.evaluate(
        """() => {
            const step = (id, n) => `<article id="${id}"><form><button type="button">Start</button></form>
                <details><summary>${n} more</summary></details></article>`;
            const part = document.createElement("section");
            part.id = "part-test";
            part.innerHTML = step("step-a", 1) + step("step-b", 1);
            document.querySelector("main").append(part);
            part.querySelector("#step-b button").focus();
            part.querySelector("#step-b details").open = true;
            const data = step("step-0", 1) + step("step-a", 1) + step("step-b", 2);
            part.dispatchEvent(new CustomEvent("htmx:sseBeforeMessage",
                { bubbles: true, cancelable: true, detail: { data } }));
            const open = ["a", "b"].map(one => part.querySelector(`#step-${one} details`).open);
            const focused = document.activeElement.closest("article");
            part.remove();
            return [focused && focused.id, open];
        }"""
    )


async def _is_printed_whole(page: Page) -> Any:
    """Whether paper shows what the screen has folded away."""
    return await page.evaluate(
        """() => {
            const fold = document.createElement("details");
            fold.innerHTML = "<summary>More</summary><p>folded</p>";
            document.querySelector("main").append(fold);
            const shown = fold.querySelector("p").checkVisibility({ contentVisibilityAuto: true });
            fold.remove();
            return shown;
        }"""
    )


async def test_an_open_board_is_kept_up_to_date_and_lives_through_a_restart(
    tmp_path: Path, clock: ExerciseClock
) -> None:
    async with browsing() as browser:
        async with opened(tmp_path, clock) as room:
            port = room.node.port
            await declare(room, "Files on the batch server of core banking are encrypted", "critical")
            page = await room.open(browser, "nakamura-yui", "/", lang="en")
            await shoot(page, "board", docs=True)
            await expect(page.get_by_text("1 in all")).to_be_visible()
            # Seen within the second; whoever had a link under their finger has it still.
            link = page.locator("#part-open a").first
            await link.focus()
            await declare(room, "Mail with a bad link")
            await expect(page.get_by_text("2 in all")).to_be_visible(timeout=1_500)
            focused = await page.evaluate("document.activeElement.getAttribute('href')")
            assert focused == "/incidents/INC-2026-0001"
            assert await _after_a_swap(page) == ["step-b", [False, True]]
            # What is being written is not torn away.
            await _type_into(page)
            await declare(room, "A third matter", "medium")
            await expect(page.get_by_text("Something here has changed")).to_be_visible(timeout=2_000)
            assert await page.get_by_label("Note").input_value() == "half a sentence"
            await page.get_by_role("button", name="Clear").click()
            await page.locator("h1").click()
            await expect(page.get_by_text("3 in all")).to_be_visible(timeout=2_000)
            await expect(page.locator("#connection")).to_be_hidden()
            assert await faults(page) == []
            await shoot(page, "board-of-three")
            japanese = await room.open(browser, "nakamura-yui", "/", viewport=PHONE)
            assert await faults(japanese) == []
            await shoot(japanese, "board-ja-phone")
            await japanese.emulate_media(media="print")
            assert await _is_printed_whole(japanese)
            await shoot(japanese, "board-print")
            await japanese.context.close()
        await expect(page.get_by_text("No connection to the node")).to_be_visible(timeout=5_000)
        house = open_house(tmp_path / "bank", clock)
        house.desk.handle(None, Declare(actor=SATO, text="Written while nobody served"))
        house.record.close()
        async with opened(tmp_path, clock, port=port) as room:
            await expect(page.locator("#part-open").get_by_text("Written while nobody served")).to_be_visible(
                timeout=10_000
            )
            await expect(page.locator("#connection")).to_be_hidden()
            front = room.node.front
            assert front is not None
            name = cookie_name(front.house)
            value = next(one["value"] for one in await page.context.cookies() if one["name"] == name)
            await front.run(lambda: Sessions(front.house).end(digest(value)))
            await page.wait_for_url("**/login?next=/", timeout=5_000)


async def test_the_board_works_without_scripts(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room, browsing() as browser:
        await declare(room, "Files are being renamed")
        page = await room.open(browser, "nakamura-yui", "/", lang="en", java_script_enabled=False)
        await page.get_by_role("button", name="Acknowledge").click()
        await page.wait_for_load_state()
        assert any(one.kind == "page.acknowledged" for one in await room.facts("INC-2026-0001"))
        assert "noscript" in await page.content()
