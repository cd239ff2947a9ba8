"""Signed links in real browsers: two taps on a phone, and a decision by two people who show who they are."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from models.clock import ExerciseClock
from models.commands import Actor, Declare
from tests.browser.roomnode import ROOT, Room, browsing, faults, opened, shoot

INC, CISO, CIO = "INC-2026-0001", "kato-hiroshi", "yoshida-emi"
TWO = """\
playbook: two
version: 1.0.0
title: {ja: 二人で決める, en: Decided by two}
reviewed: 2026-11-01
priority: 5
watch_period: 24h
steps:
  - id: cut
    phase: triage
    kind: decision
    authority: ciso
    four_eyes: cio
    within: 20m
    title: {ja: 回線の切断を判断する, en: Decide on cutting the line}
    options:
      - {id: cut, title: {ja: 切断する, en: Cut}, price: {ja: 振込が止まる, en: Transfers stop}}
      - {id: wait, title: {ja: 待つ, en: Wait}}
    recommend: cut
    factors: [window]
    otherwise: {ja: 感染が広がる, en: The infection spreads}
"""


async def phone(browser: Browser, lang: str) -> Page:
    context = await browser.new_context(viewport={"width": 390, "height": 844}, locale=lang)
    return await context.new_page()


async def link(room: Room, person: str, template: str) -> str:
    """The address in this person's latest message of a kind, on the port that the node took."""
    for _ in range(400):
        sent = [one for one in room.channels["console"].messages if one.person == person]
        found = [str(one.context["link"]) for one in sent if one.template == template]
        if found:
            return f"{room.url}/p/{found[-1].rsplit('/p/', 1)[1]}"
        await asyncio.sleep(0.05)
    raise AssertionError(f"{person} was sent no {template}")


async def test_two_taps_acknowledge_and_two_people_decide(
    tmp_path: Path, clock: ExerciseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIKESHI_ACCOUNT", "kato")
    bank = tmp_path / "bank"
    shutil.copytree(ROOT / "examples" / "mihon-bank", bank, ignore=shutil.ignore_patterns("var"))
    (bank / "playbooks" / "two.yaml").write_text(TWO, encoding="utf-8")
    async with opened(tmp_path, clock) as room, browsing() as browser:
        duty = Actor(person="nakamura-yui", via="test")
        await room.act(None, Declare(actor=duty, text="勘定系で暗号化", severity="high", playbooks=("two",)))

        # One tap opens the link of the message, the other takes it.
        mine = await phone(browser, "en-GB")
        await mine.goto(await link(room, "nakamura-yui", "page.declared"))
        assert await faults(mine) == []
        await mine.get_by_role("button", name="I have it: acknowledge").click()
        await mine.get_by_text("You acknowledged at").wait_for()
        assert [one.actor for one in await room.facts(INC) if one.kind == "page.acknowledged"] == [
            duty.person
        ]

        # The link alone shows, and decides nothing; no other channel reaches him, so he logs in.
        first = await phone(browser, "ja-JP")
        await first.goto(await link(room, CISO, "page.decision"))
        assert await faults(first) == []
        assert await first.get_by_role("radio").count() == 0
        await shoot(first, "link-decide-alone")
        await first.get_by_role("link", name="ログインして判断する").click()
        await first.get_by_role("button", name="ログインする").first.click()
        await first.get_by_label("切断する").check()
        await first.get_by_label("理由", exact=True).fill("<b>感染</b>が広がっているため")
        await first.locator("[name='factor.window']").fill("now")
        assert await faults(first) == []
        await shoot(first, "link-decide-form")
        await first.get_by_role("button", name="判断する").click()
        await first.wait_for_load_state()

        second = await phone(browser, "en-GB")
        await room.login(second.context, CIO, "en")
        await second.goto(await link(room, CIO, "page.approval"))
        assert await faults(second) == []
        await shoot(second, "link-approve")
        await second.locator("form[action$='/act'] button").first.click()
        await second.wait_for_load_state()
        facts = await room.facts(INC)
        proposed = next(one for one in facts if one.kind == "decision.proposed")
        approved = next(one for one in facts if one.kind == "decision.approved")
        assert (proposed.actor, approved.actor) == (CISO, CIO)
        assert proposed.via.startswith("web:") and ";as=kato;uid=" in proposed.via
        assert "decision.made" in {one.kind for one in facts}
