"""Somebody who uses the API of the example bank: by a session of theirs, or by an inspector's token."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from console.opening import House
from console.web.sessions import Sessions, digest
from models.actor import Actor
from models.commands import Declare
from models.restriction import GrantInspector, Restrict
from tests.console.webhouse import Web

TANAKA, SUZUKI, SATO = "tanaka-misaki", "suzuki-daichi", "sato-kenji"
TOKEN = "the-token-of-an-inspector"  # noqa: S105 - of the tests
INC = "INC-2026-0001"
SHEET = "application/vnd.hikeshi.sheet+json"


@dataclass
class Caller:
    """One person at the API. `ask` gives the answer; `get` and `post` what it holds, if it is the status."""

    web: Web
    headers: dict[str, str] = field(default_factory=dict)
    cookie: str = ""

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request below /api/v1."""
        headers = self.headers | (more.pop("headers", None) or {})
        cookies = {Sessions(self.web.house).cookie: self.cookie} if self.cookie else None
        async with self.web.client(cookies=cookies) as client:
            return await client.request(method, f"/api/v1{path}", headers=headers, **more)

    async def get(self, path: str, status: int = 200, **more: Any) -> Any:
        """What is answered to a look."""
        return _held(await self.ask("GET", path, **more), status)

    async def post(self, path: str, body: Any = None, status: int = 200, **more: Any) -> Any:
        """What is answered to an act."""
        return _held(await self.ask("POST", path, json=body if body is not None else {}, **more), status)


def _held(response: httpx.Response, status: int) -> Any:
    assert response.status_code == status, response.text
    kind = response.headers["content-type"]
    if status >= 400:
        assert kind == "application/problem+json"
        held = response.json()
        assert held["status"] == status and held["title"] and held["do"] and held["detail"]
        return held
    return response.json() if kind.startswith("application/json") else response.text


def session(web: Web, person: str, lang: str = "en") -> Caller:
    """Somebody's browser with a page of ours."""
    sessions = Sessions(web.house)
    value = sessions.open("test", person=person, lang=lang)
    visitor = sessions.visitor(value)
    assert visitor is not None
    return Caller(web, {"X-CSRF-Token": visitor.csrf, "Accept-Language": lang}, value)


def inspector(web: Web, name: str = "examiner", hours: int = 24) -> Caller:
    """Somebody from outside, with a token that lasts so long."""
    house = web.house
    until = house.desk.clock.now() + timedelta(hours=hours)
    grant = GrantInspector(
        actor=Actor(person=SATO, via="test"), name=name, until=until, reason="yearly", digest=digest(TOKEN)
    )
    outcome = house.desk.handle("house", grant)
    assert outcome.refused is None, outcome.detail
    return bearer(web, TOKEN)


def bearer(web: Web, token: str, lang: str = "en") -> Caller:
    """Whoever has this token."""
    return Caller(web, {"Authorization": f"Bearer {token}", "Accept-Language": lang})


def declared(house: House, text: str = "ransom note", **more: Any) -> str:
    """An incident; its number."""
    outcome = house.desk.handle(None, Declare(actor=Actor(person=TANAKA, via="test"), text=text, **more))
    assert outcome.opened is not None
    return outcome.opened


def restricted(house: House, stream: str = INC) -> None:
    """From now on only its commander and those who were called know of it."""
    command = Restrict(actor=Actor(person=SATO, via="test"), reason="an insider")
    outcome = house.desk.handle(stream, command)
    assert outcome.refused is None, outcome.detail


def files_of(folder: Path) -> list[str]:
    """Everything in there."""
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())
