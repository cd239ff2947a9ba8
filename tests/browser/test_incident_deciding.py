"""Deciding in real browsers: two people in two of them, four eyes, and no script at all."""

from __future__ import annotations

import shutil
from pathlib import Path

from models.clock import ExerciseClock
from tests.browser.roomnode import PHONE, ROOT, browsing, faults, opened, shoot
from tests.browser.test_incident_working import EVIL, INC, STEPS, declared

DECISIONS = f"/incidents/{INC}/decisions"
PAIR = """\
playbook: pair
version: 1.0.0
title: {ja: 二人で決める, en: Two decide}
reviewed: 2026-11-01
priority: 5
steps:
  - id: look
    phase: triage
    kind: manual
    owner: csirt-duty
    after: []
    title: {ja: 見る, en: Look}
    record:
      - {id: seen, title: {ja: 見えたもの, en: What was seen}}
  - id: cut
    phase: triage
    kind: decision
    authority: ciso
    four_eyes: cio
    within: 15m
    after: []
    title: {ja: 回線を切るか, en: Cut the line?}
    factors: [window, services, customers-affected]
    options:
      - {id: cut, title: {ja: 切る, en: Cut}, price: {ja: 取引が止まる, en: Dealings stop}}
      - {id: wait, title: {ja: 待つ, en: Wait}}
    recommend: cut
    otherwise: {ja: 広がり続ける, en: It goes on spreading}
  - id: tell
    phase: triage
    kind: decision
    authority: csirt-lead
    after: []
    title: {ja: 全員に知らせるか, en: Tell everybody?}
    options:
      - {id: "tell", title: {ja: 知らせる, en: Tell}}
      - {id: "keep", title: {ja: 知らせない, en: Keep quiet}}
    otherwise: {ja: 噂になる, en: There will be rumours}
"""


def with_pair(folder: Path) -> Path:
    """A bank that has a decision of four eyes."""
    bank = folder / "bank"
    shutil.copytree(ROOT / "examples" / "mihon-bank", bank, ignore=shutil.ignore_patterns("var"))
    (bank / "playbooks" / "pair.yaml").write_text(PAIR, encoding="utf-8")
    return folder


async def test_one_proposes_and_another_approves_each_in_a_browser(
    tmp_path: Path, clock: ExerciseClock
) -> None:
    async with opened(with_pair(tmp_path), clock) as room, browsing() as browser:
        await declared(room, "pair")
        ciso = await room.open(browser, "kato-hiroshi", DECISIONS)
        cio = await room.open(browser, "yoshida-emi", DECISIONS, lang="en", viewport=PHONE)
        assert await faults(ciso) == []
        mine = ciso.locator("#decision-pair-cut")
        await mine.get_by_text("判断案を出す").click()
        await mine.get_by_label("選択").select_option("cut")
        await mine.get_by_label("止める時間帯").fill("明日のいつか")
        await mine.get_by_label("インターネットバンキング", exact=True).check()
        await mine.locator("[name='factor.customers-affected.unknown']").check()
        await mine.get_by_label("理由").first.fill(EVIL)
        await shoot(ciso, "decisions-ja")
        await mine.get_by_role("button", name="案として記録").click()
        # The rule says why not; nothing that was typed is lost.
        mine = ciso.locator("#decision-pair-cut")
        assert "止める時間帯" in await mine.get_by_role("alert").inner_text()
        assert await mine.get_by_label("理由").first.input_value() == EVIL
        assert await mine.get_by_label("インターネットバンキング", exact=True).is_checked()
        assert await mine.locator("[name='factor.customers-affected.unknown']").is_checked()
        await mine.get_by_label("止める時間帯").fill("即時")
        await mine.get_by_role("button", name="案として記録").click()
        # It comes up by itself where the other looks; what nobody knew is in red.
        theirs = cio.locator("#decision-pair-cut")
        await theirs.get_by_text("Approve the proposal").wait_for()
        assert await theirs.locator("dd.grave").inner_text() == "UNKNOWN"
        assert await faults(cio) == []
        assert await cio.locator("img").count() == 0
        await shoot(cio, "decisions-phone-en")
        assert await ciso.get_by_text("案を承認する").count() == 0, "never both pairs of eyes"
        await theirs.get_by_text("Approve the proposal").click()
        await theirs.get_by_role("button", name="Approve").click()
        await cio.get_by_role("heading", name="Cut the line?: Cut").wait_for()
        await ciso.get_by_role("heading", name="回線を切るか: 切る").wait_for()
        made = next(one for one in await room.facts(INC) if one.kind == "decision.made")
        assert (made.data["decided_by"], made.data["approved_by"]) == ("kato-hiroshi", "yoshida-emi")
        assert made.data["factors"]["services"] == ["internet-banking"]


async def test_without_any_script_a_step_and_a_decision_are_done_and_twice_is_once(
    tmp_path: Path, clock: ExerciseClock
) -> None:
    async with opened(with_pair(tmp_path), clock) as room, browsing() as browser:
        await declared(room, "pair")
        page = await room.open(browser, "sato-kenji", STEPS, lang="en", java_script_enabled=False)
        step = page.locator("#step-pair-look")
        await step.get_by_text("Record that it is done").click()
        await step.get_by_label("What was seen").fill("A line that is busy")
        number = await step.locator("details.doing [name=once]").first.input_value()
        await step.get_by_role("button", name="Done", exact=True).click()
        await page.get_by_text("1 settled").wait_for()
        # Not theirs: they read who decides, and have no form.
        await page.goto(room.url + DECISIONS)
        assert "Who may: CISO" in await page.locator("#decision-pair-cut").inner_text()
        assert await page.locator("#decision-pair-cut [name=option]").count() == 1, "a scribe's, for another"
        told = page.locator("#decision-pair-tell")
        await told.get_by_text("Record the decision").click()
        await told.get_by_label("Choice").select_option("tell")
        await told.get_by_label("Reason").first.fill("They will hear it anyway")
        await told.get_by_role("button", name="Decide", exact=True).click()
        await page.get_by_role("heading", name="Tell everybody?: Tell").wait_for()
        # The same form once more, as a browser sends it that goes back and reloads.
        csrf = await page.locator("[name=csrf]").first.input_value()
        for _ in range(2):
            answer = await page.request.post(
                f"{room.url}/do/note",
                form={"csrf": csrf, "once": number, "next": STEPS, "incident": INC, "text": "twice?"},
            )
        assert "Nothing is recorded twice" in await answer.text()
        assert [one.kind for one in await room.facts(INC)].count("note.added") == 1
