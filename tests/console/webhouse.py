"""The example bank for the tests of the web: record in memory, alert sources with known secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import orjson
from sqlalchemy import select

from console.opening import House
from console.web.app import create_app
from console.web.links import sign, signing_key
from console.web.sessions import Sessions, cookie_name
from models.commands import Actor, Done, StartStep
from models.desk import Desk
from models.installation import Settings
from models.record import ALERT
from models.state import House as HouseState
from models.state import Page
from playbooks.institution import Institution

T = TypeVar("T")
ALERTS = Path(__file__).parents[2] / "examples" / "alerts"
WAZUH = (ALERTS / "wazuh-ransomware.json").read_bytes()
EDR = (ALERTS / "edr-alert.json").read_bytes()
SECRETS = {
    "HIKESHI_WAZUH_SECRET": "wazuh-secret-of-the-tests",
    "HIKESHI_EDR_SECRET": "edr-secret-of-the-tests",
}
HEALTHY = {
    "status": "ok",
    "lateness_seconds": 0.0,
    "outbox_age_seconds": None,
    "oldest_unsent_page_seconds": None,
    "impaired": [],
    "quarantined": [],
    "out_of_band": [],
    "prefect": "ok",
    "version": "0.1.0",
}
BASE = "http://127.0.0.1:8410"


def wazuh(**rule: Any) -> bytes:
    """The Wazuh sample with other fields in its rule; `agent` and `manager` go where they belong."""
    content = orjson.loads(WAZUH)
    for name in ("agent", "manager"):
        if name in rule:
            content[name] |= rule.pop(name)
    content["rule"] |= rule
    return orjson.dumps(content)


def make_house(bank: Institution, desk: Desk, data: Path, **settings: Any) -> House:
    """A house on this desk, with settings changed."""
    changed = Settings.model_validate(bank.settings.model_dump() | settings)
    return House(institution=replace(bank, settings=changed), desk=desk, data=data)


def rows(house: House) -> list[dict[str, Any]]:
    """The alerts' rows, in order."""
    with house.record.read() as tx:
        found = tx.connection.execute(select(ALERT).order_by(ALERT.c.id)).mappings()
        return [dict(row) for row in found]


def document(house: House, digest: str) -> bytes | None:
    with house.record.read() as tx:
        return tx.document(digest)


def kinds(house: House, stream: str) -> list[str]:
    """The kinds of a stream's facts, in order."""
    with house.record.read() as tx:
        return [fact.kind for fact in tx.facts(stream)]


def refused(house: House) -> dict[str, int]:
    """Who was refused how often, as the record has it."""
    state = house.desk.state("house")
    assert isinstance(state, HouseState)
    return state.refused


def decision(house: House, incident: str, person: str) -> Page:
    """Work the first steps off as this person until a decision is asked for; its page."""
    desk = house.desk
    actor = Actor(person=person, via="test")
    for _ in range(12):
        found = [one for one in desk.state(incident).pages.values() if one.event == "decision"]
        if found:
            return found[0]
        state = desk.incident(incident)
        for key, planned in desk.world(state).steps(state).items():
            known = state.steps.get(key)
            if planned.step.kind == "manual" and known is not None and known.status == "ready":
                values = {one.id: _value(one.type) for one in planned.step.record}
                desk.handle(incident, StartStep(actor=actor, step=key))
                desk.handle(incident, Done(actor=actor, step=key, values=values))
    raise AssertionError("the playbook asks for no decision")


def _value(kind: str) -> str:
    return {"instant": "2026-11-22T17:00:00+00:00", "number": "1", "yes-no": "yes", "duration": "1h"}.get(
        kind, "x"
    )


@dataclass
class Web:
    """The application with what it was given."""

    house: House
    status: dict[str, Any] = field(default_factory=lambda: dict(HEALTHY))
    woken: int = 0
    seconds: float = 0.0
    broken: Exception | None = None

    def __post_init__(self) -> None:
        self.key = signing_key(self.house)
        self.app = create_app(self.house, self._wake, self._run, lambda: self.status, lambda: self.seconds)

    def _wake(self) -> None:
        self.woken += 1

    async def _run(self, work: Callable[[], T], /) -> T:
        if self.broken is not None:
            raise self.broken
        return work()

    def client(self, **more: Any) -> httpx.AsyncClient:
        """A client on the loopback interface; exceptions reach it as the server would answer them."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=more.pop("base_url", BASE), **more)

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request by itself."""
        async with self.client() as client:
            return await client.request(method, path, **more)

    async def look(self, person: str, path: str, lang: str = "ja") -> httpx.Response:
        """What somebody of the directory sees at this path, logged in."""
        cookie = Sessions(self.house).open("test", person=person, lang=lang)
        return await self.ask("GET", path, headers={"Cookie": f"{cookie_name(self.house)}={cookie}"})

    async def alert(self, body: bytes = WAZUH, name: str = "wazuh", **headers: str) -> httpx.Response:
        """An alert by bearer, with the secret of the tests unless another is given."""
        sent = {"Authorization": f"Bearer {SECRETS['HIKESHI_WAZUH_SECRET']}"} | headers
        return await self.ask("POST", f"/api/alerts/{name}", content=body, headers=sent)

    def token(self, stream: str, page: int, person: str, channel: str = "") -> str:
        """A link's token, made now, as sent over this channel."""
        return sign(self.key, stream, page, person, self.house.desk.clock.now(), channel=channel)

    async def press(self, token: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Open the page and press its button, as a browser does."""
        async with self.client() as client:
            shown = await client.get(f"/p/{token}")
            given = re.search(r'name="form" value="([^"]+)"', shown.text)
            form = {"form": given[1] if given else ""}
            return await client.post(f"/p/{token}/ack", data=form, headers=dict(headers or {}))

    async def say_no(self, token: str, reason: str, **more: str) -> httpx.Response:
        """Open the page, write why, and press the button of the other form."""
        async with self.client() as client:
            shown = await client.get(f"/p/{token}")
            given = re.search(r'name="form" value="([^"]+)"', shown.text)
            form = {"form": given[1] if given else "", "reason": reason} | more
            return await client.post(f"/p/{token}/decline", data=form)
