"""A drill in Slack: addresses confirmed there, the incident worked there, control leading it by buttons."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from console.main import execute
from tests.console.drillhouse import prepare
from tests.console.slackhouse import Scene, actions, running, text_of
from tests.peers.localslack import LocalSlack

MARK = "【訓練】"
PEOPLE = {"U0TANAKA1": "tanaka-misaki", "U0SUZUKI1": "suzuki-daichi", "U0YAMA001": "yamamoto-rin"}
TANAKA, SUZUKI, YAMAMOTO = PEOPLE
STRANGER = "U0KATO001"
INC = "INC-2026-0001"


def furnish(drill: Path, slack: LocalSlack) -> None:
    """The drill has a Slack app of its own."""
    (drill / "secrets").mkdir()
    for name, value in (("bot", slack.bot_token), ("app", slack.app_token)):
        (drill / "secrets" / name).write_text(value, encoding="utf-8")
    lines = [
        "[slack]",
        'token = "file:secrets/bot"',
        'app_token = "file:secrets/app"',
        f'base_url = "{slack.base_url}"',
        "[slack.room]",
        'from = "low"',
        'members = ["csirt-lead", "csirt-duty", "ciso"]',
    ]
    settings = drill / "settings.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + "\n" + "\n".join(lines) + "\n", "utf-8")


async def typed(drill: Path, *arguments: str) -> None:
    """A command of the facilitator's, in a process of its own as far as the node can tell."""
    code = await asyncio.to_thread(execute, ["--dir", str(drill), "drill", *arguments])
    assert code in {0, 3}, arguments


async def newest(scene: Scene, place: str, words: str) -> dict[str, Any]:
    """The newest message there that holds these words, once it is there."""

    async def look() -> Any:
        found = [one for one in await scene.slack.messages(place) if words in text_of(one)]
        return found[-1] if found else None

    found: dict[str, Any] = await scene.until(look)
    return found


async def test_a_drill_is_played_and_led_in_slack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drill = prepare(tmp_path, monkeypatch).drill
    async with LocalSlack(people=PEOPLE | {STRANGER: "kato-hiroshi"}) as slack:
        furnish(drill, slack)
        await typed(drill, "enrol", "tanaka-misaki", "--role", "csirt-lead", "--address", f"slack:{TANAKA}")
        await typed(drill, "enrol", "suzuki-daichi", "--role", "csirt-duty", "--address", f"slack:{SUZUKI}")
        await typed(drill, "staff", "yamamoto-rin", "controller", "--address", f"slack:{YAMAMOTO}")
        async with running(drill) as node:
            scene = Scene(slack=slack, node=node, bank=drill)
            await typed(drill, "confirm-addresses")
            for user in PEOPLE:
                asked = await scene.press(user, user, "hikeshi:ack")
                assert MARK in text_of(asked)
            await scene.until(lambda: _confirmed(scene))
            await typed(drill, "start")

            # Control leads from one message, which is kept true.
            desk = await scene.button(YAMAMOTO, "hikeshi:fire-inject")
            assert MARK in text_of(desk)
            assert {"hikeshi:pause-drill", "hikeshi:skip-inject", "hikeshi:observe"} <= set(actions(desk))
            await scene.press(YAMAMOTO, YAMAMOTO, "hikeshi:pause-drill")
            assert (await scene.fact("exercise", "timing.set")).actor == "yamamoto-rin"
            await scene.button(YAMAMOTO, "hikeshi:resume-drill")
            delivered = len(await scene.facts("exercise", "inject.delivered"))
            await scene.press(YAMAMOTO, YAMAMOTO, "hikeshi:fire-inject")
            await scene.until(lambda: _more(scene, delivered))

            # A player gets it in Slack, and works the incident there; all of it says that it is a drill.
            inject = await newest(scene, SUZUKI, "EDR")
            assert MARK in text_of(inject)
            await scene.slack.command(SUZUKI, SUZUKI, "/hikeshi", "declare 暗号化されたファイル")
            page = await scene.button(SUZUKI, "hikeshi:ack")
            assert MARK in text_of(page)
            room = await scene.fact(INC, "room.opened")
            assert str(room.data["name"]).startswith("drill-")
            board = await newest(scene, str(room.data["address"]), INC)
            assert MARK in text_of(board)

            # Nobody who has not confirmed was written to, whatever the incident asked for.
            assert await scene.slack.messages(STRANGER) == []

            await typed(drill, "abort", "a real alert")
            for user in PEOPLE:
                told = await newest(scene, user, "演習中止")
                assert MARK in text_of(told)


async def _confirmed(scene: Scene) -> bool:
    return len(await scene.facts("exercise", "participant.confirmed")) == len(PEOPLE)


async def _more(scene: Scene, before: int) -> bool:
    return len(await scene.facts("exercise", "inject.delivered")) > before
