"""The same listeners over signed HTTP: what Slack signed counts once, anything else does not count."""

from __future__ import annotations

import hashlib
import hmac
import time
from pathlib import Path
from urllib.parse import urlencode

import httpx
import orjson

from tests.console.slackhouse import DUTY, Scene, text_of, war_room

INC = "INC-2026-0001"
SUZUKI = "U0SUZUKI1"


def signature(secret: str, body: bytes, at: str) -> str:
    base = b"v0:" + at.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def command(scene: Scene, text: str) -> bytes:
    """What Slack posts for `/hikeshi …`."""
    return urlencode(
        {
            "command": "/hikeshi",
            "text": text,
            "user_id": SUZUKI,
            "team_id": scene.slack.team_id,
            "channel_id": DUTY,
            "trigger_id": "1.2.3",
            "response_url": "",
        }
    ).encode()


async def post(scene: Scene, body: bytes, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        return await client.post(
            f"http://127.0.0.1:{scene.node.port}/slack/events",
            content=body,
            headers={"Content-Type": "application/x-www-form-urlencoded", **headers},
        )


def signed(scene: Scene, body: bytes, at: str = "") -> dict[str, str]:
    at = at or str(int(time.time()))
    return {
        "X-Slack-Request-Timestamp": at,
        "X-Slack-Signature": signature(scene.slack.signing_secret, body, at),
    }


async def test_presses_and_dialogs_come_by_http_as_by_the_socket(tmp_path: Path) -> None:
    async with war_room(tmp_path, http=True) as scene:
        await scene.slack.command(SUZUKI, DUTY, "/hikeshi", "declare 勘定系が応答しない")
        _, person, slack = await scene.first_page(INC)
        await scene.press(slack, slack, "hikeshi:decline")
        await scene.slack.modal_shown()
        await scene.slack.submit(slack, reason="別件に対応中")
        assert (await scene.fact(INC, "page.declined")).actor == person
        told = await scene.slack.posted(slack, lambda one: "辞退" in text_of(one))
        assert "hikeshi:ack" in str(told["blocks"])


async def test_forged_replayed_late_malformed_and_oversized_requests_do_nothing(tmp_path: Path) -> None:
    async with war_room(tmp_path, http=True) as scene:
        body = command(scene, "declare 偽の宣言")
        good = signed(scene, body)
        old = str(int(time.time()) - 600)
        refused = [
            {},
            good | {"X-Slack-Signature": "v0=" + "0" * 64},
            good | {"X-Slack-Signature": ""},
            good | {"X-Slack-Request-Timestamp": "now"},
            good | {"X-Slack-Request-Timestamp": "9" * 400},
            good | {"X-Slack-Request-Timestamp": "-5"},
            signed(scene, body, old),
            signed(scene, body + b"x"),
        ]
        for headers in refused:
            assert (await post(scene, body, **headers)).status_code == 401, headers
        assert (await post(scene, b"x" * 1_100_000, **good)).status_code == 413
        latin = b"command=%2Fhikeshi&text=\xff\xfe"
        assert (await post(scene, latin, **signed(scene, latin))).status_code == 401
        assert not await scene.facts(INC)

        # The real one counts, and a copy of it does not count again.
        assert (await post(scene, body, **good)).status_code == 200
        await scene.fact(INC, "incident.declared")
        assert (await post(scene, body, **good)).status_code == 200
        await scene.slack.command(SUZUKI, DUTY, "/hikeshi", "status")
        await scene.told(SUZUKI, DUTY, INC)
        assert not await scene.facts("INC-2026-0002")
        assert await scene.until(lambda: scene.facts("house", "refused"))


def form(payload: object) -> bytes:
    return urlencode({"payload": orjson.dumps(payload).decode()}).encode()


NONSENSE = (
    b"",
    b"payload=",
    b"payload=nonsense",
    form({}),
    form({"type": "block_actions", "actions": []}),
    form({"type": "block_actions", "user": None, "actions": [{"action_id": "hikeshi:ack"}]}),
    form(
        {
            "type": "block_actions",
            "user": {"id": SUZUKI},
            "actions": [{"action_id": "hikeshi:ack", "value": "x"}],
        }
    ),
    form(
        {
            "type": "block_actions",
            "user": {"id": SUZUKI},
            "actions": [{"action_id": "hikeshi:ack", "value": "INC-2026-0099 7 incident"}],
        }
    ),
    form({"type": "view_submission", "user": {"id": SUZUKI}, "view": {}}),
    form(
        {
            "type": "view_submission",
            "user": {"id": SUZUKI},
            "view": {"callback_id": "hikeshi:decide", "private_metadata": "[]", "state": {"values": []}},
        }
    ),
    form(
        {
            "type": "view_submission",
            "user": {"id": SUZUKI},
            "view": {"callback_id": "hikeshi:severity", "private_metadata": "{}", "state": None},
        }
    ),
    form(
        {"type": "message_action", "callback_id": "hikeshi_evidence", "user": {"id": SUZUKI}, "message": []}
    ),
)


async def test_signed_nonsense_leaves_the_node_well(tmp_path: Path) -> None:
    async with war_room(tmp_path, http=True) as scene:
        for number, body in enumerate(NONSENSE):
            answer = await post(scene, body, **signed(scene, body))
            assert answer.status_code in {200, 400, 404, 500}, number
        await scene.slack.command(SUZUKI, DUTY, "/hikeshi", "help")
        await scene.told(SUZUKI, DUTY, "declare")
        assert not await scene.facts(INC)
        assert not await scene.facts("INC-2026-0099")
