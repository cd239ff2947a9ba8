"""A drill in real browsers: the control's desk and, beside it, what a player sees of the same exercise."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from console.main import execute
from models.actor import Actor
from models.exercise import ConfirmAddress, Exercise
from tests.browser.roomnode import PHONE, Room, browsing, faults, running, shoot
from tests.console.drillhouse import Beside, prepare

STILL_TO_COME = "Backup generations begin to vanish"
FOR_OTHERS = "The night batch ended abnormally"
COMES = "May the segment be cut?"
CONTROL, PLAYER = "sato-kenji", "kato-hiroshi"


async def exercise(room: Room) -> Exercise:
    state = await room.node.run_in_writer(lambda: room.house.desk.state("exercise"))
    assert isinstance(state, Exercise)
    return state


async def press(page: Page, name: str, within: Any = None) -> None:
    async with page.expect_navigation():
        await (within or page).get_by_role("button", name=name, exact=True).first.click()


async def opened(beside: Beside, room: Room, browser: Browser) -> tuple[Page, Page]:
    """The control's desk, and the telephone of somebody who plays and has confirmed their address."""
    marks = room.house.desk.premises.marks or {}
    kato = Actor(person=PLAYER, name=PLAYER, via="test")
    confirm = ConfirmAddress(actor=kato, person=PLAYER, channel="console", mark=marks[PLAYER]["console"])
    assert (await room.act("exercise", confirm)).accepted
    desk = await room.open(browser, CONTROL, "/drill", lang="en")
    return desk, await room.open(browser, PLAYER, "/drill/play", lang="en", viewport=PHONE)


async def test_control_plays_and_a_player_sees_what_comes_to_them_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = prepare(tmp_path, monkeypatch)
    enrolled = ["drill", "enrol", PLAYER, "--role", "ciso", "--address", "console"]
    assert execute(["--dir", str(beside.drill), *enrolled]) == 0
    async with running(beside.drill) as room, browsing() as browser:
        desk, play = await opened(beside, room, browser)
        await shoot(desk, "drill-prepared")
        assert await faults(desk) == []

        await press(desk, "STARTEX")
        hour = desk.locator("time[data-story]")
        first = await hour.inner_text()
        await expect(hour).not_to_have_text(first, timeout=10_000)
        await press(desk, "Pause")
        await expect(hour).to_have_text(re.compile(r"2026-11-30 00:40:\d\d \+09:00"))
        timing = (await exercise(room)).timing
        assert timing is not None and not timing.running
        inject = desk.locator("#inject-who-decides")
        await inject.locator("summary").click()
        await press(desk, f"Give it now: {COMES}", inject)
        assert (await exercise(room)).injects["who-decides"].how == "fired"

        # Nobody has touched the player's page: it comes by itself.
        await expect(play.get_by_role("heading", name=COMES)).to_be_visible()
        assert await faults(play) == []
        await shoot(play, "play", docs=True)
        await nothing_is_given_away(room, play)

        await watched(room, desk)
        await added(room, desk)
        await shoot(desk, "drill", docs=True, whole=False)
        assert await faults(desk) == []
        await ended(room, desk, play)


async def nothing_is_given_away(room: Room, play: Page) -> None:
    """Neither the player's pages nor forms of their own making tell or move what is to come."""
    for path in ("/drill/play", "/drill", "/drill/report"):
        await play.goto(room.url + path)
        body = await play.content()
        assert STILL_TO_COME not in body and FOR_OTHERS not in body, path
    csrf = await play.locator("input[name=csrf]").first.get_attribute("value")
    before = dict((await exercise(room)).injects)
    for operation, fields in (
        ("drill/fire", {"name": "batch-abend"}),
        ("drill/skip", {"name": "batch-abend", "reason": "x"}),
        ("drill/observe", {"text": "x"}),
        ("drill/speed", {"number": "10"}),
    ):
        form: dict[str, str | float | bool] = {"csrf": csrf or "", "next": "/drill/play", **fields}
        answer = await play.request.post(
            f"{room.url}/do/{operation}", form=form, headers={"Origin": room.url}
        )
        assert STILL_TO_COME not in await answer.text()
    state = await exercise(room)
    assert dict(state.injects) == before and not state.observations
    await play.goto(room.url + "/drill/play")


async def watched(room: Room, desk: Page) -> None:
    """What is seen is written down, with what it is about."""
    await desk.get_by_label("What did you see?").fill("The CISO <b>named</b> what it costs")
    await press(desk, "A strength")
    seen = (await exercise(room)).observations
    assert [(one.id, one.kind) for one in seen.values()] == [("OBS-001", "strength")]
    await expect(desk.locator("#part-seen")).to_contain_text("The CISO <b>named</b> what it costs")


async def added(room: Room, desk: Page) -> None:
    """Control adds to the script, leaves something out, and the clock goes a step."""
    more = desk.locator("details", has_text="Add an inject").last
    await more.locator("summary").click()
    await more.get_by_label("Title").fill("A question from the board")
    await more.get_by_label("Text").fill("How many customers are affected?")
    await more.get_by_label("CISO", exact=True).check()
    await press(desk, "Add an inject", more)
    state = await exercise(room)
    assert "control-1" in state.added and state.lines["control-1"].at_ms is not None
    left_out = desk.locator("#inject-batch-abend")
    await left_out.locator("summary").click()
    await left_out.get_by_label("Why it is left out").fill("No time for it")
    await press(desk, "Leave it out: The night batch ended abnormally", left_out)
    assert (await exercise(room)).injects["batch-abend"].how == "skipped"


async def ended(room: Room, desk: Page, play: Page) -> None:
    """ENDEX, what was said and answered, a rating, a finding, and the report."""
    await desk.locator("summary", has_text="ENDEX").click()
    await desk.get_by_label("Nothing more comes in").check()
    await press(desk, "ENDEX: end the exercise")
    assert (await exercise(room)).status == "ended"
    await play.goto(room.url + "/drill/play")
    await play.get_by_label("What would you have said at the end?").fill("Nobody knew who decides")
    await press(play, "Write it down")
    await play.locator("input[type=radio][value='4']").first.check()
    await press(play, "Send the answers")
    state = await exercise(room)
    assert len(state.hot_wash) == 1 and list(state.answers) == [PLAYER]
    assert await faults(play) == []
    await play.close()
    await desk.goto(room.url + "/drill/report")
    rating = desk.locator("section", has_text="Rate an objective").last
    await rating.get_by_label("Rating").select_option("S")
    await press(desk, "Rate an objective", rating)
    await desk.get_by_label("Title (of a proposal it may stay empty)").fill("No deputy of the CISO at night")
    await press(desk, "Open a finding")
    state = await exercise(room)
    assert [one.rating for one in state.ratings.values()] == ["S"] and list(state.findings) == ["F-1"]
    assert await faults(desk) == []
    await shoot(desk, "drill-report", docs=True, whole=False)
    for path, name in (("/drill", "drill-over"), ("/drill/report", "drill-report")):
        await desk.goto(f"{room.url}{path}?lang=ja")
        await shoot(desk, f"{name}-ja", whole=False)
        assert await desk.locator(".inject.next").count() == 0, "after the end nothing comes"
