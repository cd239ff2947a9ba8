"""Acting in Slack: what people press in a real workspace server is in the record, as theirs."""

from __future__ import annotations

from pathlib import Path

from models.fact import Fact
from tests.console.slackhouse import DUTY, STRANGER, Scene, actions, text_of, war_room

SUZUKI, KATO, SATO = "U0SUZUKI1", "U0KATO001", "U0SATO001"
INC = "INC-2026-0001"


async def declare(scene: Scene, words: str = "勘定系が応答しない") -> None:
    await scene.slack.command(SUZUKI, DUTY, "/hikeshi", f"declare {words}")
    await scene.fact(INC, "page.asked")


async def test_an_incident_is_declared_and_acknowledged(tmp_path: Path) -> None:
    async with war_room(tmp_path) as scene:
        await declare(scene)
        declared = await scene.fact(INC, "incident.declared")
        assert (declared.actor, declared.via) == ("suzuki-daichi", "slack")

        page, person, slack = await scene.first_page(INC)
        pressed = await scene.press(slack, slack, "hikeshi:ack")
        assert "受領がない場合" in text_of(pressed)
        acked = await scene.fact(INC, "page.acknowledged")
        assert (acked.actor, acked.via, acked.data["page"]) == (person, "slack", page)

        # Every copy says so, the duty channel's too, and nobody is offered to take it again.
        for place in (slack, DUTY):
            told = await scene.slack.posted(place, lambda one: "受領しました" in text_of(one))
            assert "hikeshi:ack" not in actions(told)
            # What would follow without an answer is of no use to anybody any more.
            assert "受領がない場合" not in text_of(told)
            assert "までに受領）" not in text_of(told)
            # It is the same message as before, and nobody was sent it twice.
            assert "再送" not in text_of(told)
        assert (await scene.slack.message(slack, pressed["ts"]))["ts"] == pressed["ts"]


async def test_a_button_that_was_seen_before_says_what_has_happened_since(tmp_path: Path) -> None:
    async with war_room(tmp_path) as scene:
        await declare(scene)
        _, person, slack = await scene.first_page(INC)
        old = await scene.button(DUTY, "hikeshi:ack")
        await scene.press(slack, slack, "hikeshi:ack")
        await scene.fact(INC, "page.acknowledged")

        await scene.slack.press_seen(SATO, DUTY, old, "hikeshi:ack")
        said = await scene.told(SATO, DUTY, "が受領しました")
        assert "🚫" in said
        assert "acknowledged" not in said
        assert len(await scene.facts(INC, "page.acknowledged")) == 1
        del person


async def test_a_press_that_comes_twice_has_one_effect(tmp_path: Path) -> None:
    async with war_room(tmp_path) as scene:
        await declare(scene)
        _, _, slack = await scene.first_page(INC)
        scene.slack.relay.repeat = 2
        await scene.press(slack, slack, "hikeshi:ack")
        await scene.fact(INC, "page.acknowledged")
        await scene.slack.command(SUZUKI, DUTY, "/hikeshi", "status")
        await scene.told(SUZUKI, DUTY, INC)
        assert len(await scene.facts(INC, "page.acknowledged")) == 1
        assert not await scene.facts("house", "refused")


async def test_whom_the_directory_does_not_know_is_told_so_privately_and_it_is_recorded(
    tmp_path: Path,
) -> None:
    async with war_room(tmp_path) as scene:
        await declare(scene)
        await scene.press(STRANGER, DUTY, "hikeshi:ack")
        said = await scene.told(STRANGER, DUTY, "slack:U0NOBODY1")
        assert "🚫" in said
        refusal = (await scene.facts("house", "refused"))[0]
        assert refusal.data["reason"] == "unknown person"
        assert refusal.via == "slack"
        # No dialog opens for them either.
        await scene.press(STRANGER, DUTY, "hikeshi:decline")
        assert scene.slack.modal is None
        assert not await scene.facts(INC, "page.acknowledged")


async def test_who_declines_gives_a_reason_and_the_next_is_paged_at_once(tmp_path: Path) -> None:
    async with war_room(tmp_path) as scene:
        await declare(scene)
        _, person, slack = await scene.first_page(INC)
        await scene.press(slack, slack, "hikeshi:decline")
        modal = await scene.slack.modal_shown()
        assert "辞退" in modal["title"]["text"]
        await scene.slack.submit(slack, reason="別の障害に対応中")
        declined = await scene.fact(INC, "page.declined")
        assert declined.actor == person
        following = await scene.fact(INC, "page.escalated")
        assert following.data["level"] == 1
        assert not await scene.facts(INC, "page.acknowledged")


async def test_a_page_is_delegated(tmp_path: Path) -> None:
    async with war_room(tmp_path) as scene:
        await declare(scene)
        _, person, slack = await scene.first_page(INC)
        await scene.press(slack, slack, "hikeshi:delegate")
        await scene.slack.modal_shown()
        await scene.slack.submit(slack, to="sato-kenji", until="60")
        delegated = await scene.fact(INC, "page.delegated")
        assert (delegated.actor, delegated.data["to"]) == (person, "sato-kenji")
        # It reaches him, with a button of his own.
        await scene.press(SATO, SATO, "hikeshi:ack")
        assert (await scene.fact(INC, "page.acknowledged")).actor == "sato-kenji"


async def test_a_step_is_taken_up_and_done_with_what_has_to_be_recorded(tmp_path: Path) -> None:
    async with war_room(tmp_path) as scene:
        await declare(scene)
        _, person, slack = await scene.first_page(INC)
        await scene.press(slack, slack, "hikeshi:start")
        assert (await scene.fact(INC, "step.started")).actor == person
        await scene.press(slack, slack, "hikeshi:done")
        modal = await scene.slack.modal_shown()
        blocks = {one["block_id"]: one for one in modal["blocks"] if one["type"] == "input"}
        fields = {name: block for name, block in blocks.items() if name.startswith("field.")}
        assert fields
        wanted = await scene.state(INC)
        assert wanted.steps["unknown/what-happened"].status == "started"

        answers = {name: "03:05 に監視が検知" for name in fields}
        answers["field.detected-at"] = "03:05"
        for name, block in fields.items():
            if block["element"]["type"] in {"radio_buttons", "static_select"}:
                answers[name] = "unknown"
        done = await scene.slack.submit(slack, **answers)
        assert not done.errors
        assert (await scene.fact(INC, "step.done")).actor == person


async def test_a_severity_a_note_and_a_line_of_the_timeline(tmp_path: Path) -> None:
    async with war_room(tmp_path) as scene:
        await declare(scene)
        _, _, slack = await scene.first_page(INC)
        await scene.slack.command(slack, DUTY, "/hikeshi", f"severity {INC}")
        await scene.slack.modal_shown()
        await scene.slack.submit(slack, severity="high", reason="勘定系が止まった")
        assert (await scene.until(lambda: scene.facts(INC, "severity.set")))[-1].data["severity"]

        await scene.slack.command(slack, DUTY, "/hikeshi", f"note {INC}")
        await scene.slack.modal_shown()
        # What cannot be read is said in the dialog, by its field, and nothing is recorded.
        wrong = await scene.slack.submit(slack, text="ATM は動いている <!channel>", at="さっき")
        assert list(wrong.errors) == ["at"]
        assert "さっき" in wrong.errors["at"]
        assert not await scene.facts(INC, "note.added")
        await scene.slack.submit(slack, text="ATM は動いている <!channel>")
        note = await scene.fact(INC, "note.added")
        assert note.via == "slack"

        ts = await scene.slack.say(SATO, DUTY, "03:05 に無停電電源の警報を見た")
        await scene.slack.message_shortcut(slack, DUTY, ts, "hikeshi_timeline")
        modal = await scene.slack.modal_shown()
        assert "時系列" in modal["title"]["text"]
        # There is one incident only, and the message's author is a person of the directory.
        assert modal["blocks"][1]["element"]["initial_option"]["value"] == INC
        assert "佐藤 健二" in str(modal)
        await scene.slack.submit(slack, incident=INC, text="03:05 に無停電電源の警報を見た")

        async def entry() -> list[Fact]:
            return [
                fact
                for fact in await scene.facts(INC)
                if fact.kind in {"timeline.added", "note.added"} and fact.seq > note.seq
            ]

        found = await scene.until(entry)
        assert found[0].data["said_by"] == "sato-kenji"


async def test_an_incident_is_declared_by_a_form_and_asked_about(tmp_path: Path) -> None:
    async with war_room(tmp_path) as scene:
        await scene.slack.shortcut(SUZUKI, "hikeshi_declare")
        await scene.slack.modal_shown()
        await scene.slack.submit(
            SUZUKI, text="不審な送金", severity="high", playbooks=("fraudulent-transfers",)
        )
        state = await scene.until(lambda: scene.facts(INC, "playbook.added"))
        assert state[0].data["playbook"] == "fraudulent-transfers"
        for asked, answer in (
            ("status", INC),
            (f"status {INC}", "不審な送金"),
            (f"clocks {INC}", "あと"),
            ("who ciso", "加藤"),
            ("help", "declare"),
            ("nonsense", "declare"),
            ("status INC-2026-0099", "0099"),
        ):
            await scene.slack.command(SUZUKI, DUTY, "/hikeshi", asked)
            await scene.told(SUZUKI, DUTY, answer)


async def test_a_file_on_a_message_becomes_evidence(tmp_path: Path) -> None:
    async with war_room(tmp_path) as scene:
        await declare(scene)
        _, _, slack = await scene.first_page(INC)
        content = b"MZ\x90 malware sample \x00\xff" * 1_000
        posted = await scene.slack.upload(slack, DUTY, "sample.bin", content)
        await scene.slack.message_shortcut(slack, DUTY, str(posted["ts"]), "hikeshi_evidence")
        await scene.slack.modal_shown()
        await scene.slack.submit(slack, incident=INC, source="host-7", description="検体")
        kept = await scene.fact(INC, "evidence.added")
        import hashlib  # noqa: PLC0415

        assert kept.data["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert int(kept.data["size"]) == len(content)
        assert (scene.house.evidence / kept.data["stored"]).read_bytes() == content


async def test_a_press_that_slack_loses_is_lost_for_nobody(tmp_path: Path) -> None:
    """The message carries a link; the page keeps climbing until the record has an answer."""
    async with war_room(tmp_path) as scene:
        await declare(scene)
        _, _, slack = await scene.first_page(INC)
        message = await scene.button(slack, "hikeshi:ack")
        assert "http://127.0.0.1:" in text_of(message)
        scene.slack.relay.lose = 1
        await scene.press(slack, slack, "hikeshi:ack")
        assert not await scene.facts(INC, "page.acknowledged")
        await scene.press(slack, slack, "hikeshi:ack")
        await scene.fact(INC, "page.acknowledged")


async def test_a_typed_ack_finds_the_page_that_asks(tmp_path: Path) -> None:
    async with war_room(tmp_path) as scene:
        await declare(scene)
        _, person, slack = await scene.first_page(INC)
        await scene.slack.command(slack, DUTY, "/hikeshi", "ack")
        assert (await scene.fact(INC, "page.acknowledged")).actor == person
        # With nothing left to take it says so, and does nothing.
        await scene.slack.command(slack, DUTY, "/hikeshi", "ack")
        await scene.told(slack, DUTY, "🚫")
