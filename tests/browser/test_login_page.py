"""Logging in, in a real browser: by this machine's account, by a link that works once."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from models.clock import ExerciseClock
from tests.browser.roomnode import browsing, faults, opened, shoot


async def test_this_machines_account_and_a_link_log_in(
    tmp_path: Path, clock: ExerciseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIKESHI_ACCOUNT", "tanaka")
    async with opened(tmp_path, clock) as room, browsing() as browser:
        context = await browser.new_context(viewport={"width": 390, "height": 844}, locale="en-GB")
        page = await context.new_page()
        await page.goto(room.url + "/declare")
        assert page.url.endswith("/login?next=/declare")
        assert await faults(page) == []
        await shoot(page, "login", docs=True)
        await page.get_by_role("link", name="日本語").click()
        assert await faults(page) == []
        await shoot(page, "login-ja")
        # The browser runs as the owner of the data, whose account is set to be Tanaka's.
        await page.get_by_role("button", name="ログインする").first.click()
        await page.wait_for_url("**/declare")
        opened_by = [fact for fact in await room.facts("house") if fact.kind == "session.opened"][-1]
        assert opened_by.actor == "tanaka-misaki"
        assert opened_by.data["way"] == f"local:as=tanaka;uid={os.getuid()}"
        assert pwd.getpwuid(os.getuid()).pw_name not in {"tanaka", "mori"}


async def test_ones_own_page_shows_and_ends_ones_browsers(tmp_path: Path, clock: ExerciseClock) -> None:
    async with opened(tmp_path, clock) as room, browsing() as browser:
        other = await browser.new_context()
        await room.login(other, "tanaka-misaki")
        page = await room.open(browser, "tanaka-misaki", "/me", lang="en")
        assert await faults(page) == []
        await shoot(page, "me-en")
        await page.get_by_role("button", name="Log it out").click()
        await page.wait_for_load_state()
        assert await page.get_by_role("button", name="Log it out").count() == 0
        lost = await other.new_page()
        await lost.goto(room.url + "/me")
        assert "/login" in lost.url
        await page.goto(room.url + "/me?lang=ja")
        assert await faults(page) == []
        await shoot(page, "me-ja")
