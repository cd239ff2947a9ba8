"""Working on an incident in a real browser: steps done, decisions made by two people."""

from __future__ import annotations

from pathlib import Path

from models.clock import ExerciseClock
from models.commands import Actor, Declare, Note
from tests.browser.roomnode import PHONE, Room, browsing, faults, opened, shoot

INC = "INC-2026-0001"
SUZUKI = Actor(person="suzuki-daichi", via="cli")
STEPS = f"/incidents/{INC}/steps"
EVIL = "\"'><img src=x onerror=alert(1)></textarea><script>alert(2)</script>{{7*7}}"


async def declared(room: Room, playbook: str = "ransomware") -> None:
    """An incident of this kind."""
    text = "cb-batch01 のファイルが暗号化されている"
    outcome = await room.act(None, Declare(actor=SUZUKI, text=text, severity="high", playbooks=(playbook,)))
    assert outcome.accepted


async def test_a_step_is_done_with_what_it_asks_and_what_was_refused_is_not_lost(
    tmp_path: Path, clock: ExerciseClock
) -> None:
    async with opened(tmp_path, clock) as room, browsing() as browser:
        await declared(room)
        page = await room.open(browser, "sato-kenji", STEPS)
        assert await faults(page) == []
        await shoot(page, "steps-ja")
        # Taken up by a button; then done, first without a time.
        step = page.locator("#step-ransomware-confirm-alert")
        await step.get_by_role("button", name="着手する").click()
        await step.get_by_text("完了を記録する").click()
        await step.get_by_label("本物とみなすか").select_option("yes")
        await step.get_by_label("知った経路").fill(EVIL)
        await step.get_by_label("最初に見つかったホスト").fill("cb-batch01")
        await step.get_by_label("そのホストがあるセグメント").fill("勘定系")
        await step.get_by_label("いま広がっているか").select_option("unknown")
        await step.get_by_label("補足").fill("電話で確認した")
        detected = step.locator("[name='set.detected-at.local']")
        await step.get_by_role("button", name="現在時刻").first.click()
        assert (await detected.input_value()).startswith("2026-11-23T")
        await step.locator("[name='set.detected-at.unknown']").check()
        assert await detected.input_value() == "", "nobody says a time and that nobody knows it"
        await step.locator("[name='set.detected-at.unknown']").uncheck()
        await step.get_by_role("button", name="完了として記録").click()
        step = page.locator("#step-ransomware-confirm-alert")
        refused = await step.get_by_role("alert").inner_text()
        assert "記録すべき項目が足りない" in refused and "detected-at" not in refused
        assert await step.get_by_label("補足").input_value() == "電話で確認した"
        assert await step.get_by_label("知った経路").input_value() == EVIL
        assert await page.locator("img").count() == 0
        # What comes in meanwhile takes away neither what was typed nor why it was refused.
        assert (await room.act(INC, Note(actor=SUZUKI, text="別の端末でも"))).accepted
        await page.locator("#connection").wait_for(state="visible")
        assert await step.get_by_label("補足").input_value() == "電話で確認した"
        await step.locator("[name='set.detected-at.local']").fill("2026-11-23T02:40")
        await step.get_by_role("button", name="完了として記録").click()
        await page.get_by_text("終わった手順 1 件").wait_for()
        done = next(one for one in await room.facts(INC) if one.kind == "step.done")
        assert done.actor == "sato-kenji"
        assert done.data["outputs"]["detected-at"] == "2026-11-22T17:40:00.000000Z"
        # The whole of it, on a page of its own, with what somebody typed as text and nothing else.
        await page.goto(room.url + f"{STEPS}?step=ransomware/confirm-alert")
        assert EVIL in await page.locator("dd").all_inner_texts()
        assert await faults(page) == []
        # On a telephone, in English.
        page = await room.open(browser, "suzuki-daichi", STEPS, lang="en", viewport=PHONE)
        await shoot(page, "steps-phone-en")
        assert await faults(page) == []
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], "nothing runs out of a telephone's screen"
