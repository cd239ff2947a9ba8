"""Logging in by the institution's own provider of identities. Rights stay the directory's.

A group of the provider's may admit, and may narrow which of their roles somebody uses; it never gives a role:
who is on duty, absent or standing in is said in one place alone, which every rule asks.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from console.opening import House, secrets_of
from console.web.links import base_address
from console.web.login.provider import Begun, Provider, ProviderFailed
from console.web.once import Once
from console.web.running import Run
from models.directory import Directory
from models.errors import BadConfiguration
from models.loginsettings import OidcSettings
from models.organisation import Person

KIND = "oidc"
LASTS = timedelta(minutes=10)
MAX_CODE = 4_000
WITHIN_SECONDS = 20.0
CALLBACK = "/login/oidc/callback"


@dataclass(frozen=True, kw_only=True)
class Came:
    """Somebody whom the provider and the directory know."""

    person: Person
    way: str
    next: str


class NotAdmitted(Exception):
    """They are who they are, and may not come in this way. The message is for the record."""


class Oidc:
    """The way by the provider; `closed` says why it is shut although the settings name one."""

    def __init__(self, house: House, run: Run, key: bytes, monotonic: Callable[[], float]) -> None:
        self._house, self._run, self._key = house, run, key
        self._once = Once(house)
        self.settings = house.institution.settings.login.oidc
        self.closed = ""
        self._provider: Provider | None = None
        if self.settings is not None:
            try:
                resolve = secrets_of(house.institution.directory)
                secret = resolve(self.settings.client_secret) if self.settings.client_secret else None
                self._provider = Provider(self.settings, secret, monotonic)
            except BadConfiguration as missing:
                self.closed = str(missing)

    @property
    def title(self) -> str:
        """What the button calls it; empty if there is none."""
        return self.settings.title if self.settings is not None else ""

    @property
    def redirect(self) -> str:
        """Where the provider sends people back to."""
        return base_address(self._house) + CALLBACK

    def _begun(self, state: str) -> Begun:
        """All that a login was begun with follows from its state, so that none of it is stored."""

        def made(name: bytes) -> str:
            content = b"hikeshi.oidc.v1\0" + name + state.encode()
            return hmac.new(self._key, content, hashlib.sha256).hexdigest()

        return Begun(state=state, nonce=made(b"nonce\0"), verifier=made(b"verifier\0"))

    async def begin(self, browser: str, next_: str) -> str:
        """Where to send this browser. Raises ProviderFailed."""
        if self._provider is None:
            raise ProviderFailed(self.closed or "there is none")
        of = hashlib.sha256(browser.encode()).hexdigest()
        state = await self._run(lambda: self._once.put(KIND, LASTS, browser=of, next=next_))
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                return await self._provider.address(self._begun(state), self.redirect)
        except TimeoutError as slow:
            raise ProviderFailed("no answer in time") from slow

    async def back(self, browser: str, query: Mapping[str, str]) -> Came:
        """Who came back. Raises ProviderFailed, and NotAdmitted for somebody who may not come in."""
        state, code = query.get("state", ""), query.get("code", "")
        held = await self._run(lambda: self._once.take(KIND, state))
        of = hashlib.sha256(browser.encode()).hexdigest()
        if held is None or not hmac.compare_digest(str(held.data["browser"]), of):
            raise ProviderFailed("this browser began no such login, or it is over")
        if self._provider is None or not code or len(code) > MAX_CODE:
            raise ProviderFailed(f"it gave no code: {query.get('error', '')[:60]!r}")
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                now = self._house.wall.now()
                claims = await self._provider.claims(code, self._begun(state), self.redirect, now)
        except TimeoutError as slow:
            raise ProviderFailed("no answer in time") from slow
        assert self.settings is not None  # noqa: S101 - there is a provider
        person = await self._run(lambda: self._known(claims))
        return Came(person=person, way=_way(self.settings, claims), next=str(held.data["next"]))

    def _known(self, claims: Mapping[str, Any]) -> Person:
        assert self.settings is not None  # noqa: S101 - there is a provider
        settings, named = self.settings, claims.get(self.settings.person_claim)
        if settings.person_claim == "email" and claims.get("email_verified", True) is not True:
            raise NotAdmitted("the mail address is not verified")
        person = person_of(self._house.desk.directory, named if isinstance(named, str) else "")
        if person is None:
            raise NotAdmitted(f"nobody of the directory: {str(named)[:60]!r}")
        if settings.admit and not set(settings.admit) & set(_groups(settings, claims)):
            raise NotAdmitted(f"{person.id} is in no group that is admitted")
        return person


def person_of(directory: Directory, named: str) -> Person | None:
    """The one person whose id, account or mail address this is; None if nobody's, or more than one's."""
    plain = named.strip().casefold()
    found = {
        one.id: one
        for one in directory.organisation.people
        if plain and plain in {(known or "").casefold() for known in (one.id, one.account, one.email)}
    }
    return next(iter(found.values())) if len(found) == 1 else None


def _groups(settings: OidcSettings, claims: Mapping[str, Any]) -> list[str]:
    given = claims.get(settings.groups_claim)
    return [one for one in given if isinstance(one, str)] if isinstance(given, list) else []


def _way(settings: OidcSettings, claims: Mapping[str, Any]) -> str:
    """How the session says that they came; with `roles=` which of their roles it lets them use."""
    if not settings.roles:
        return "oidc"
    usable = {role for group in _groups(settings, claims) for role in settings.roles.get(group, ())}
    return f"oidc:roles={','.join(sorted(usable))}"
