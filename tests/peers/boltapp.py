"""A small Slack app of plain slack_bolt, wired to a LocalSlack by Socket Mode or by signed HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any, Literal

import uvicorn
from fastapi import FastAPI, Request, Response
from slack_bolt.adapter.fastapi.async_handler import AsyncSlackRequestHandler
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from tests.peers.localslack import LocalSlack

Json = dict[str, Any]
Wire = Literal["socket", "http"]
CONNECT_SECONDS = 10.0


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


TAKE = {"type": "button", "action_id": "take", "value": "7", "text": _plain("受領")}
SEVERITY = {
    "type": "static_select",
    "action_id": "severity",
    "options": [{"text": _plain("重大"), "value": "sev1"}],
}
PAGE = [{"type": "actions", "block_id": "answer", "elements": [TAKE, SEVERITY]}]
FORM = {
    "type": "modal",
    "callback_id": "declining",
    "title": _plain("辞退"),
    "submit": _plain("送る"),
    "private_metadata": "INC-2026-0001",
    "notify_on_close": True,
    "blocks": [
        {
            "type": "input",
            "block_id": "why",
            "label": _plain("理由"),
            "element": {"type": "plain_text_input", "action_id": "reason", "max_length": 200},
        },
        {
            "type": "input",
            "block_id": "who",
            "optional": True,
            "label": _plain("代わり"),
            "element": {
                "type": "static_select",
                "action_id": "instead",
                "options": [{"text": _plain("田中"), "value": "tanaka"}],
            },
        },
    ],
}


class Heard(list[tuple[str, Json]]):
    """What the app was told, in order: kind and body."""

    def kinds(self) -> list[str]:
        """The kinds alone."""
        return [kind for kind, _ in self]

    def last(self, kind: str) -> Json:
        """The newest body of a kind."""
        return next(body for each, body in reversed(self) if each == kind)


def build(slack: LocalSlack) -> tuple[AsyncApp, Heard]:
    """The app, and what it will have heard. A press opens FORM, a reason `no` is refused."""
    client = AsyncWebClient(token=slack.bot_token, base_url=slack.base_url, retry_handlers=[])
    app, heard = AsyncApp(client=client, signing_secret=slack.signing_secret), Heard()

    @app.action("take")
    async def take(ack: Any, body: Json, client: AsyncWebClient, respond: Any) -> None:
        await ack()
        heard.append(("press", body))
        await respond("受領しました", response_type="ephemeral")
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)

    @app.action("severity")
    async def severity(ack: Any, body: Json) -> None:
        await ack()
        heard.append(("choice", body))

    @app.view("declining")
    async def declining(ack: Any, body: Json) -> None:
        heard.append(("submission", body))
        reason = body["view"]["state"]["values"]["why"]["reason"]["value"]
        await (ack(response_action="errors", errors={"why": "理由が短い"}) if reason == "no" else ack())

    @app.view_closed("declining")
    async def closed(ack: Any, body: Json) -> None:
        await ack()
        heard.append(("closed", body))

    @app.command("/hikeshi")
    async def command(ack: Any, body: Json) -> None:
        heard.append(("command", body))
        await ack({"response_type": "ephemeral", "text": f"{body['text']}: 異常なし"})

    @app.shortcut("declare")
    async def declare(ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        heard.append(("shortcut", body))
        await client.views_open(trigger_id=body["trigger_id"], view=FORM)

    @app.event("message")
    async def message(body: Json) -> None:
        heard.append(("message", body))

    @app.event("file_shared")
    async def shared(ack: Any) -> None:
        await ack()

    return app, heard


@contextlib.asynccontextmanager
async def wired(wire: Wire) -> AsyncIterator[tuple[LocalSlack, AsyncApp, Heard]]:
    """A LocalSlack and the app of `build`, connected."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/slack/events"
        async with LocalSlack(request_url=url if wire == "http" else "") as slack:
            app, heard = build(slack)
            connected = by_http(app, listening) if wire == "http" else by_socket(app, slack)
            async with connected:
                yield slack, app, heard


@contextlib.asynccontextmanager
async def by_socket(app: AsyncApp, slack: LocalSlack) -> AsyncIterator[AsyncSocketModeHandler]:
    """Socket Mode, until Slack has said hello."""
    handler = AsyncSocketModeHandler(app, slack.app_token)
    await handler.connect_async()  # type: ignore[no-untyped-call]
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            while not slack.relay.connections:
                await asyncio.sleep(0.01)
        yield handler
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


@contextlib.asynccontextmanager
async def by_http(app: AsyncApp, listening: socket.socket) -> AsyncIterator[None]:
    """The same listeners behind FastAPI, served on an open socket."""
    handler, api = AsyncSlackRequestHandler(app), FastAPI()

    @api.post("/slack/events")
    async def events(request: Request) -> Response:
        return await handler.handle(request)

    server = uvicorn.Server(uvicorn.Config(api, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            while not server.started:
                await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await serving
