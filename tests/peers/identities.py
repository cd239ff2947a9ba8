"""A provider of identities that others wrote (npm `emulate`, its Okta): OpenID Connect with PKCE.

    async with Identities() as provider:
        back = await provider.log_in(address, "misaki.tanaka@mihon-bank.example.jp")

`log_in` presses that person's button on the provider's own page and gives the address it sends them back to.
"""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import httpx

from tests.peers.emulate import ATTEMPTS, _free_port
from tests.peers.programs import DidNotStart, Program, need, node

CLIENT, SECRET = "hikeshi", "hush-of-the-tests"
REDIRECT = "http://127.0.0.1:8410/login/oidc/callback"
PEOPLE = ("misaki.tanaka@mihon-bank.example.jp", "stranger@elsewhere.example")
GROUP = "csirt-leads"
_FORM = re.compile(r'<form class="user-form" method="post" action="([^"]+)">(.*?)</form>', re.DOTALL)
_FIELD = re.compile(r'name="([^"]+)" value="([^"]*)"')


class Identities:
    """The running program."""

    def __init__(self) -> None:
        self.url = ""
        self.program: Program

    @property
    def issuer(self) -> str:
        """Who it says that it is."""
        return f"{self.url}/oauth2/default"

    async def __aenter__(self) -> Self:
        need("emulate")
        for attempt in range(1, ATTEMPTS + 1):
            port = _free_port()
            self.url = f"http://127.0.0.1:{port}"
            script = Path(__file__).with_name("emulate_slack.mjs")
            first = json.dumps({"port": port, "service": "okta", "seed": {"okta": _seed()}})
            try:
                self.program, _ = await Program.start(
                    [str(node()), str(script)], r"emulate listens on (\d+)", env={}, first_line=first
                )
                break
            except DidNotStart:
                if attempt == ATTEMPTS:
                    raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.program.end()

    async def log_in(self, address: str, person: str) -> str:
        """Press the person's button on the provider's page; where it sends them."""
        async with httpx.AsyncClient(trust_env=False) as client:
            page = (await client.get(address)).text
            action, inside = next(found for found in _FORM.findall(page) if person in found[1])
            fields = {name: unescape(value) for name, value in _FIELD.findall(inside)}
            done = await client.post(urljoin(self.url, unescape(action)), data=fields)
            return str(done.headers["location"])


def _seed() -> dict[str, object]:
    return {
        "users": [
            {"login": one, "email": one, "first_name": one.split("@")[0].title(), "last_name": "X"}
            for one in PEOPLE
        ],
        "groups": [{"name": GROUP, "okta_id": "00g_leads"}],
        "oauth_clients": [
            {
                "client_id": CLIENT,
                "client_secret": SECRET,
                "name": "Hikeshi",
                "redirect_uris": [REDIRECT],
                "auth_server_id": "default",
            }
        ],
    }
