"""Takes the pictures of docs/slack.md. Run by hand, from the checkout, after a change of what Slack shows:

    .venv/bin/python -m tests.console.slackpictures

It plays one incident in a workspace of our own (`slackhouse.war_room`) and writes docs/pictures/slack-*.png,
in English what ends in -en. Needed: Chromium, local-slack (`make setup`), fonts for Japanese and emoji. Look
at each picture afterwards: from each, somebody new must be able to say what is asked, of whom, by when, and
what follows otherwise.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.console.slackhouse import DUTY, ROOT, Scene, text_of, war_room
from tests.peers.camera import Camera
from tests.peers.screens import at_message

TO = ROOT / "docs" / "pictures"
IN_ENGLISH = ("page", "decide")
INC = "INC-2026-0001"
SUZUKI, SATO, KATO, YOSHIDA = "U0SUZUKI1", "U0SATO001", "U0KATO001", "U0YOSHIDA"
PLAYBOOK = """
playbook: encrypted-endpoint
version: 1.0.0
title: {ja: 端末の暗号化, en: Encrypted endpoint}
reviewed: 2026-11-01
priority: 1
steps:
  - id: facts
    phase: triage
    kind: manual
    owner: csirt-lead
    within: 15m
    title: {ja: 暗号化が本物かを確かめる, en: Confirm that files are being encrypted}
    text:
      ja: EDR の画面で、拡張子の変わったファイルと脅迫文を確かめる
      en: In the EDR, look for renamed files and a ransom note
    where: {ja: EDR 管理画面, en: EDR console}
    stop_when: {ja: 本物と分かったら調べ続けない, en: "Once it is genuine, stop looking"}
    do_not: [{ja: 端末の電源を切らない, en: Do not switch the machine off}]
    record:
      - {id: genuine, title: {ja: 本物か, en: Genuine}, type: yes-no}
      - {id: host, title: {ja: 最初に暗号化された端末, en: First machine}}
      - {id: since, title: {ja: いつから, en: Since when}, type: instant}
  - id: isolate
    phase: containment
    kind: decision
    title: {ja: 感染セグメントを遮断するか, en: Whether to cut off the infected segment}
    text: {ja: 遮断すると営業店端末が使えなくなる, en: "If it is cut off, branch terminals stop working"}
    authority: ciso
    four_eyes: cio
    within: 15m
    after: [facts]
    factors: [services, customers-affected, alternative]
    options:
      - id: isolate
        title: {ja: 遮断する, en: Cut it off}
        price: {ja: 営業店の端末業務が止まる, en: Branch terminals stop}
      - id: watch
        title: {ja: 遮断せず監視を続ける, en: Leave it and watch}
        price: {ja: 感染が広がるおそれがある, en: The infection may spread}
    recommend: isolate
    otherwise: {ja: 判断がないあいだ感染は広がる, en: Until this is decided the infection spreads}
"""
WORDS = {
    "ja": {
        "what": "営業店端末 pc-0142 のファイルが次々に暗号化されている",
        "host": "pc-0142",
        "reason": "朝の開店前に止めれば業務影響は小さい。広がれば勘定系に届く",
        "services": "core-banking",
        "unknown": "不明",
        "alternative": "窓口は手書き伝票",
        "note": "委託先の当直に電話済み。折り返し待ち",
        "said": "02:40 ごろ pc-0142 が急に遅くなったと支店から電話がありました",
    },
    "en": {
        "what": "Files on branch terminal pc-0142 are being encrypted",
        "host": "pc-0142",
        "reason": "Before opening it costs little; if it spreads it reaches core banking",
        "services": "core-banking",
        "unknown": "unknown",
        "alternative": "Paper slips at the counter",
        "note": "Called the vendor's duty desk; waiting for their call",
        "said": "Around 02:40 the branch called: pc-0142 had become very slow",
    },
}


class Story:
    """One incident, photographed on the way."""

    def __init__(self, scene: Scene, camera: Camera, lang: str) -> None:
        self.scene, self.camera, self.lang = scene, camera, lang
        self.words = WORDS[lang]

    def _to(self, name: str) -> Path | None:
        if self.lang == "ja":
            return TO / f"slack-{name}.png"
        return TO / f"slack-{name}-en.png" if name in IN_ENGLISH else None

    async def message(self, name: str, place: str, *messages: dict[str, Any]) -> None:
        """A picture of some messages of a conversation."""
        if (to := self._to(name)) is not None:
            kept = [one["ts"] for one in messages]
            await self.camera.messages(await at_message(self.scene.slack, place, kept[0]), to, kept)

    async def modal(self, name: str) -> None:
        """A picture of the dialog that is open."""
        await self.scene.slack.modal_shown()
        if (to := self._to(name)) is not None:
            await self.camera.modal(f"{self.scene.slack.web_url}/archives/{DUTY}", to)

    async def form(self, user: str, **answers: Any) -> None:
        """Fill in the dialog that is open."""
        done = await self.scene.slack.submit(user, **answers)
        assert not done.errors, done.errors

    async def type(self, text: str, *wanted: str) -> dict[str, Any]:
        """`/hikeshi TEXT`, and the answer that only this person sees."""
        before = {one["ts"] for one in await self.scene.slack.told(SATO, DUTY)}
        await self.scene.slack.command(SATO, DUTY, "/hikeshi", text)

        async def look() -> Any:
            told = await self.scene.slack.told(SATO, DUTY)
            new = [one for one in told if one["ts"] not in before]
            return next((one for one in new if all(each in text_of(one) for each in wanted)), None)

        found: dict[str, Any] = await self.scene.until(look)
        return found

    async def play(self) -> None:
        """From the declaration to the decision of two people."""
        scene, slack, words = self.scene, self.scene.slack, self.words
        await slack.shortcut(SUZUKI, "hikeshi_declare")
        await self.modal("declare")
        await self.form(SUZUKI, text=words["what"], severity="high", playbooks=("encrypted-endpoint",))
        _, _, called = await scene.first_page(INC)
        page = await scene.button(called, "hikeshi:ack")
        await self.message("page", called, page)
        duty = await scene.button(DUTY, "hikeshi:ack")
        await self.message("duty", DUTY, duty)

        # A colleague takes it in the duty channel; both copies say so.
        await scene.press(SATO, DUTY, "hikeshi:ack")
        taken = partial(self._without, called, page["ts"], "hikeshi:ack")
        await scene.until(taken)
        await self.message("taken", called, await slack.message(called, page["ts"]))
        await scene.slack.press_seen(called, DUTY, duty, "hikeshi:ack")
        await scene.until(lambda: slack.told(called, DUTY))
        await self.message("too-late", DUTY, (await slack.told(called, DUTY))[-1])

        # A step, and what has to be recorded of it.
        await scene.press(SATO, SATO, "hikeshi:start")
        await scene.fact(INC, "step.started")
        await scene.press(SATO, SATO, "hikeshi:done")
        await self.modal("step")
        given = {"field.genuine": "yes", "field.host": words["host"], "field.since": "unknown"}
        await self.form(SATO, **given)

        # The decision: one person chooses, another agrees.
        asked = await scene.button(KATO, "hikeshi:decide")
        await self.message("decision", KATO, asked)
        await scene.press(KATO, KATO, "hikeshi:decide")
        await self.modal("decide")
        factors = {f"factor.{name}": words[name] for name in ("services", "alternative")}
        factors["factor.customers-affected"] = words["unknown"]
        await self.form(KATO, choice="isolate", reason=words["reason"], **factors)
        await scene.button(YOSHIDA, "hikeshi:approve")
        await scene.press(YOSHIDA, YOSHIDA, "hikeshi:approve")
        await self.modal("approve")
        await slack.close_modal(YOSHIDA)
        if self.lang == "ja":
            await self.around()

    async def around(self) -> None:
        """The incident's channel, what can be typed, and the shortcuts of a message."""
        scene, slack, words = self.scene, self.scene.slack, self.words
        await slack.command(SATO, DUTY, "/hikeshi", f"note {INC}")
        await slack.modal_shown()
        await self.form(SATO, text=words["note"])
        room = (await scene.state(INC)).rooms["slack"].address

        async def told() -> Any:
            return [one for one in await slack.messages(room) if words["note"] in text_of(one)]

        await scene.until(told, within=60)
        posts = [one for one in await slack.messages(room) if one.get("thread_ts") in {None, one["ts"]}]
        roots = [one for one in posts[1:] if one.get("thread_ts") or text_of(one)[:1] in "📟▫⚖"]
        await self.message("room", room, posts[0], *roots[:3])

        status = await self.type("status", INC)
        who = await self.type("who ciso", "ciso")
        usage = await self.type("help", "declare")
        await self.message("typed", DUTY, status, who, usage)

        ts = await slack.say(SUZUKI, DUTY, words["said"])
        await slack.message_shortcut(SATO, DUTY, ts, "hikeshi_timeline")
        await self.modal("timeline")
        await slack.close_modal(SATO)
        posted = await slack.upload(SUZUKI, DUTY, "edr-pc-0142.json", b"{}" * 2_000)
        await slack.message_shortcut(SATO, DUTY, str(posted["ts"]), "hikeshi_evidence")
        await self.modal("evidence")
        await slack.close_modal(SATO)

    async def _without(self, place: str, ts: str, action: str) -> bool:
        return action not in str((await self.scene.slack.message(place, ts)).get("blocks"))


def furnish(lang: str) -> Callable[[Path], None]:
    """The bank's own playbook, and everybody in one language."""

    def work(bank: Path) -> None:
        (bank / "playbooks" / "encrypted-endpoint.yaml").write_text(PLAYBOOK.lstrip(), encoding="utf-8")
        yaml = YAML()
        organisation = yaml.load((bank / "organisation.yaml").read_text(encoding="utf-8"))
        organisation["lang"] = lang
        for person in organisation["people"]:
            person["lang"] = lang
        with (bank / "organisation.yaml").open("w", encoding="utf-8") as file:
            yaml.dump(organisation, file)

    return work


async def main() -> None:
    """All pictures in both languages, one after the other."""
    TO.mkdir(parents=True, exist_ok=True)
    for lang in ("ja", "en"):
        with tempfile.TemporaryDirectory(prefix="pictures-") as folder:
            room = war_room(Path(folder), room=True, furnish=furnish(lang))
            async with Camera() as camera, room as scene:
                await Story(scene, camera, lang).play()


if __name__ == "__main__":
    asyncio.run(main())
