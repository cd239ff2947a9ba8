"""One incident in Slack alone, from its declaration to its closing; and one in which Slack dies half way."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.console.slackhouse import DUTY, WITHIN, Scene, text_of, war_room

INC = "INC-2026-0001"
SUZUKI, SATO, KATO, YOSHIDA = "U0SUZUKI1", "U0SATO001", "U0KATO001", "U0YOSHIDA"
PLAYBOOK = """
playbook: two-people
version: 1.0.0
title: {ja: 二人で決める, en: Decided by two people}
reviewed: 2026-11-01
priority: 1
watch_period: 1s
steps:
  - id: facts
    phase: triage
    kind: manual
    owner: csirt-lead
    title: {ja: 事実を書く, en: Write down the facts}
    record:
      - {id: seen, title: {ja: 見たこと, en: What was seen}}
  - id: isolate
    phase: containment
    kind: decision
    title: {ja: 遮断するか, en: Isolate or not}
    authority: ciso
    four_eyes: cio
    after: [facts]
    options:
      - {id: isolate, title: {ja: 遮断する, en: Isolate}, price: {ja: 業務が止まる, en: Business stops}}
      - {id: watch, title: {ja: 監視を続ける, en: Watch}}
    recommend: isolate
    otherwise: {ja: 感染が広がる, en: The infection spreads}
  - id: clean
    phase: eradication
    kind: manual
    owner: csirt-lead
    title: {ja: 駆除する, en: Clean up}
    after: [isolate]
"""


def furnish(bank: Path) -> None:
    """A playbook of the bank's own, whose decision takes two people."""
    (bank / "playbooks" / "two-people.yaml").write_text(PLAYBOOK.lstrip(), encoding="utf-8")


async def form(scene: Scene, user: str, **answers: Any) -> None:
    """Fill in the dialog that is open; it has to be taken as it is."""
    await scene.slack.modal_shown()
    done = await scene.slack.submit(user, **answers)
    assert not done.errors, done.errors


async def more(scene: Scene, user: str, act: str, **answers: Any) -> None:
    """`/hikeshi more`, one of its acts, and the dialog that follows."""
    await scene.slack.command(user, DUTY, "/hikeshi", f"more {INC}")
    await scene.slack.modal_shown()
    chosen = await scene.slack.submit(user, act=act)
    assert not chosen.errors
    done = await scene.slack.submit(user, **answers)
    assert not done.errors, done.errors


async def test_an_incident_lives_in_slack_alone(tmp_path: Path) -> None:
    async with war_room(tmp_path, room=True, furnish=furnish) as scene:
        # Somebody on the floor declares it by a form.
        await scene.slack.shortcut(SUZUKI, "hikeshi_declare")
        await form(scene, SUZUKI, text="端末が暗号化された", severity="high", playbooks=("two-people",))
        _, person, slack = await scene.first_page(INC)

        # Who was paged has it.
        await scene.press(slack, slack, "hikeshi:ack")
        assert (await scene.fact(INC, "page.acknowledged")).actor == person

        # The step is done with what has to be recorded.
        await scene.press(SATO, SATO, "hikeshi:start")
        await scene.fact(INC, "step.started")
        await scene.press(SATO, SATO, "hikeshi:done")
        await form(scene, SATO, **{"field.seen": "pc-0142 に脅迫文"})
        await scene.fact(INC, "step.done")

        # The CISO decides; nothing happens until a second person agrees.
        await scene.press(KATO, KATO, "hikeshi:decide")
        modal = await scene.slack.modal_shown()
        assert "感染が広がる" in str(modal)
        assert "二人目の承認" in str(modal)
        await form(scene, KATO, choice="isolate", reason="拡大を止める")
        assert (await scene.fact(INC, "decision.proposed")).actor == "kato-hiroshi"
        assert not await scene.facts(INC, "decision.made")
        room = (await scene.state(INC)).rooms["slack"].address
        await scene.slack.posted(room, lambda one: "の承認待ち" in text_of(one), within=WITHIN)
        await scene.press(YOSHIDA, YOSHIDA, "hikeshi:approve")
        modal = await scene.slack.modal_shown()
        assert "拡大を止める" in str(modal)
        await form(scene, YOSHIDA)
        made = await scene.fact(INC, "decision.made")
        assert (made.data["decided_by"], made.data["approved_by"]) == ("kato-hiroshi", "yoshida-emi")

        # Worked to its end.
        async def clean_is_ready() -> bool:
            return (await scene.state(INC)).steps["two-people/clean"].status == "ready"

        await scene.until(clean_is_ready)
        await scene.press(SATO, SATO, "hikeshi:done")
        await form(scene, SATO, note="再構築した")
        await more(scene, SATO, "resolve", cause="標的型メール", entry="添付ファイル")
        await scene.fact(INC, "incident.resolved")
        await more(scene, SATO, "improvement", title="添付の無害化", owner="sato-kenji", due="2026-12-31")
        await scene.fact(INC, "improvement.added")

        async def watched() -> bool:
            state = await scene.state(INC)
            now = scene.house.desk.clock.now()
            return state.watch_until is not None and state.watch_until < now

        await scene.until(watched)
        await more(scene, SATO, "close", assessment="十五分で封じ込めた")
        await scene.fact(INC, "incident.closed")

        # Everybody who acted stands in the record, and every one of them came by Slack.
        acts = [fact for fact in await scene.facts(INC) if fact.via == "slack" and fact.actor != "hikeshi"]
        assert {person, "sato-kenji", "kato-hiroshi", "yoshida-emi"} <= {fact.actor for fact in acts}

        # No message still asks for anything.
        async def at_rest() -> bool:
            for user in (slack, SATO, KATO, YOSHIDA):
                for one in await scene.slack.messages(user):
                    if re.search(r"hikeshi:(ack|decide|approve|start)", str(one.get("blocks"))):
                        return False
            return True

        await scene.until(at_rest)
        board = await scene.slack.posted(
            (await scene.state(INC)).rooms["slack"].address, lambda one: "のボード" in str(one.get("text"))
        )
        assert "クローズ" in text_of(board) or "終了" in text_of(board)


def test_the_playbook_of_this_script_is_one() -> None:
    assert YAML(typ="safe", pure=True).load(PLAYBOOK)["playbook"] == "two-people"
