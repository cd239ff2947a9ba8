"""The stage: the example bank copied, a stand-in for its firewall, the node, the conductor and Prefect."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

FIREWALL = "http://127.0.0.1:8499"
SECRETS = ("HIKESHI_WAZUH_SECRET", "HIKESHI_EDR_SECRET")


def copy_bank(source: Path, folder: Path) -> Path:
    """A fresh copy of the example bank in `folder`; what an earlier demo left there is removed."""
    target = folder / source.name
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("var"))
    for name in SECRETS:
        os.environ[name] = secrets.token_urlsafe(24)
    return target


@dataclass
class Firewall:
    """A stand-in for the bank's firewall API: it keeps rules, and says what it has."""

    url: str
    rules: dict[tuple[str, str], str]


@asynccontextmanager
async def firewall() -> AsyncIterator[Firewall]:
    """Serves on a free loopback port until the end of the block."""
    made = Firewall(url="", rules={})

    async def put(request: web.Request) -> web.Response:
        asked = await request.json()
        key = (str(asked.get("operation", "")), str(asked.get("subject", "")))
        made.rules.setdefault(key, f"rule-{len(made.rules) + 1}")
        return web.json_response({"rule": {"id": made.rules[key], "state": "active"}})

    async def get(request: web.Request) -> web.Response:
        key = (request.query.get("operation", ""), request.query.get("subject", ""))
        state = "active" if key in made.rules else "absent"
        return web.json_response({"rule": {"id": made.rules.get(key, ""), "state": state}})

    app = web.Application()
    app.router.add_post("/api/rules", put)
    app.router.add_get("/api/rules", get)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    made.url = f"http://127.0.0.1:{port}"
    try:
        yield made
    finally:
        await runner.cleanup()


def point_targets(bank: Path, url: str) -> None:
    """Let the copied bank's firewall target point at the stand-in."""
    path = bank / "targets.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(FIREWALL, url), encoding="utf-8")


async def post_alert(base_url: str, body: bytes) -> Mapping[str, object]:
    """Send the alert as the monitoring tool would. Raises aiohttp.ClientError if it is not taken."""
    headers = {
        "Authorization": f"Bearer {os.environ['HIKESHI_WAZUH_SECRET']}",
        "Content-Type": "application/json",
    }
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(f"{base_url}/api/alerts/wazuh", data=body, headers=headers) as answer,
    ):
        answer.raise_for_status()
        found: Mapping[str, object] = await answer.json()
        return found


async def acknowledge(link: str, base_url: str) -> bool:
    """Open the signed page and press its button, as a person's telephone would."""
    async with aiohttp.ClientSession(trust_env=False) as session:
        async with session.get(link) as answer:
            page = await answer.text()
        fields = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', page))
        action = re.search(r'<form[^>]*action="([^"]+)"', page)
        if action is None:
            return False
        target = action.group(1) if action.group(1).startswith("http") else base_url + action.group(1)
        async with session.post(target, data=fields, headers={"Origin": base_url}) as answer:
            return answer.ok


async def flow_runs(api_url: str) -> int:
    """How many flow runs Prefect's server has."""
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.post(f"{api_url}/flow_runs/count", json={}) as answer,
    ):
        answer.raise_for_status()
        return int(await answer.json())
