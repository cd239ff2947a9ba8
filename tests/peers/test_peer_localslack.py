"""local-slack carries everything between people and a plain slack_bolt app, by Socket Mode and by HTTP."""

from __future__ import annotations

import asyncio
import os
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.peers import programs
from tests.peers.boltapp import FORM, PAGE, Heard, Wire, wired
from tests.peers.forms import CannotDo
from tests.peers.localslack import CHANNELS

pytestmark = [pytest.mark.timeout(60), pytest.mark.parametrize("wire", ["socket", "http"])]
SATO, TANAKA = "U0SATO001", "U0TANAKA1"
DUTY = next(iter(CHANNELS))


async def posted(app: Any, place: str = DUTY) -> str:
    answer = await app.client.chat_postMessage(channel=place, text="呼出", blocks=PAGE)
    return str(answer["ts"])


async def until(heard: Heard, *kinds: str) -> None:
    async with asyncio.timeout(5.0):
        while heard.kinds() != list(kinds):
            await asyncio.sleep(0.01)


async def test_a_press_is_answered_to_that_person_and_opens_a_form(wire: Wire) -> None:
    async with wired(wire) as (slack, app, heard):
        ts = await posted(app, SATO)
        await slack.press(SATO, SATO, ts, "take")
        modal = await slack.modal_shown()
        assert (modal["callback_id"], modal["private_metadata"]) == ("declining", "INC-2026-0001")
        (told,) = await slack.told(SATO, SATO)
        assert told["text"] == "受領しました"
        assert await slack.told(TANAKA, SATO) == []
        pressed = heard.last("press")
        assert (pressed["user"]["id"], pressed["actions"][0]["value"]) == (SATO, "7")
        assert pressed["message"]["ts"] == ts
        assert [call.method for call in await slack.calls("views.open")] == ["views.open"]


async def test_a_form_is_refused_then_taken(wire: Wire) -> None:
    async with wired(wire) as (slack, app, heard):
        await slack.press(SATO, DUTY, await posted(app), "take")
        await slack.modal_shown()
        refused = await slack.submit(SATO, reason="no")
        assert refused.errors == {"why": "理由が短い"}
        assert refused.modal is not None and refused.modal["callback_id"] == "declining"
        taken = await slack.submit(SATO, reason="出張中", instead="tanaka")
        assert (taken.errors, taken.modal, slack.modal) == ({}, None, None)
        values = heard.last("submission")["view"]["state"]["values"]
        assert values["why"]["reason"] == {"type": "plain_text_input", "value": "出張中"}
        assert values["who"]["instead"]["selected_option"]["value"] == "tanaka"
        assert heard.kinds() == ["press", "submission", "submission"]


async def test_a_form_is_closed(wire: Wire) -> None:
    async with wired(wire) as (slack, _, heard):
        await slack.shortcut(SATO, "declare")
        await slack.modal_shown()
        await slack.close_modal(SATO)
        await until(heard, "shortcut", "closed")
        assert slack.modal is None
        with pytest.raises(CannotDo, match="no modal is open"):
            await slack.submit(SATO, reason="late")


async def test_a_choice_carries_the_option(wire: Wire) -> None:
    async with wired(wire) as (slack, app, heard):
        await slack.press(TANAKA, DUTY, await posted(app), "severity", "sev1")
        (action,) = heard.last("choice")["actions"]
        assert action["selected_option"]["value"] == "sev1"


async def test_a_command_is_answered_privately(wire: Wire) -> None:
    async with wired(wire) as (slack, _, heard):
        await slack.command(TANAKA, DUTY, "/hikeshi", "status")
        (told,) = await slack.told(TANAKA, DUTY)
        assert told["text"] == "status: 異常なし"
        body = heard.last("command")
        assert (body["user_id"], body["channel_id"], body["text"]) == (TANAKA, DUTY, "status")


async def test_a_shortcut_of_a_message_carries_it_and_its_trigger_works(wire: Wire) -> None:
    async with wired(wire) as (slack, app, heard):
        app.shortcut("note")(declared := Noted())
        ts = await slack.say(SATO, DUTY, "03:12 に遮断した")
        assert await slack.message_shortcut(TANAKA, DUTY, ts, "note") == {}
        assert (declared.user, declared.text) == (TANAKA, "03:12 に遮断した")
        assert (await slack.modal_shown())["callback_id"] == FORM["callback_id"]
        assert heard.kinds() == ["message"]


class Noted:
    """A listener for the shortcut of a message, which opens the form."""

    user = text = ""

    async def __call__(self, ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack()
        self.user, self.text = body["user"]["id"], body["message"]["text"]
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)


async def test_an_old_button_can_be_pressed_though_the_message_has_changed(wire: Wire) -> None:
    async with wired(wire) as (slack, app, heard):
        ts = await posted(app)
        seen = await slack.message(DUTY, ts)
        await app.client.chat_update(channel=DUTY, ts=ts, text="受領済み", blocks=[])
        with pytest.raises(CannotDo, match="shows no 'take'"):
            await slack.press(SATO, DUTY, ts, "take")
        await slack.press_seen(SATO, DUTY, seen, "take")
        assert heard.kinds() == ["press"]
        assert (await slack.posted(DUTY, lambda each: each["ts"] == ts))["text"] == "受領済み"


async def test_files_of_people_can_be_fetched_with_the_apps_token(wire: Wire) -> None:
    async with wired(wire) as (slack, _, heard):
        shared = await slack.upload(SATO, DUTY, "memo.txt", b"evidence", text="証跡")
        (file,) = shared["files"]
        await until(heard, "message")
        assert heard.last("message")["event"]["files"][0]["id"] == file["id"]
        assert await _fetched(file["url_private_download"], slack.bot_token) == b"evidence"
        with pytest.raises(PermissionError):
            await _fetched(file["url_private_download"], "xoxb-other")


async def _fetched(url: str, token: str) -> bytes:
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        if answer.status == 403:
            raise PermissionError(url)
        return bytes(await answer.read())


async def test_it_listens_on_loopback_and_leaves_nothing(wire: Wire) -> None:
    async with wired(wire) as (slack, _, _):
        pid, port = slack.program.pid, urlsplit(slack.web_url).port or 0
        assert programs.listeners(port) == ["127.0.0.1"]
        assert slack.started_in < 10.0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert programs.listeners(port) == []
