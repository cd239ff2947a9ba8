"""A provider of identities, asked by OpenID Connect: the code flow with PKCE, and an identity token checked.

Only the hosts of the settings are asked, over https, without following where an answer points; what is read
has a bound, and so have the waiting and the keeping.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode, urlsplit

import httpx
import orjson
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from models.loginsettings import OidcSettings
from models.targets import is_loopback

MAX_ANSWER = 1_048_576
KEPT_SECONDS = 3_600.0
KEYS_AGAIN_SECONDS = 60.0
"""A token of a key that is not known has the keys read again, but not more often."""
LEEWAY_SECONDS = 60
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
"""Signatures by a key pair only: `none`, or one by our own secret, would be anybody's."""
_WELL_KNOWN = "/.well-known/openid-configuration"
_OK = 200


class ProviderFailed(Exception):
    """The provider gave no answer, or none that counts. The message is for the record, not for people."""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What a login was begun with. `nonce` comes back within the identity token."""

    state: str
    nonce: str
    verifier: str


class Provider:
    """One provider."""

    def __init__(self, settings: OidcSettings, secret: str | None, monotonic: Callable[[], float]) -> None:
        self._settings, self._secret, self._monotonic = settings, secret, monotonic
        host = urlsplit(settings.issuer).netloc
        self._hosts = {host, *settings.hosts}
        self._kept: dict[str, tuple[float, Any]] = {}
        self._tls = httpx.create_ssl_context(trust_env=False)
        self._seconds = settings.timeout.total_seconds()

    # -- out and back ---------------------------------------------------------------------------------------

    async def address(self, begun: Begun, redirect: str) -> str:
        """Where the browser logs in. Raises ProviderFailed."""
        known = await self._configuration()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": redirect,
            "scope": " ".join(self._settings.scopes),
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": create_s256_code_challenge(begun.verifier),
            "code_challenge_method": "S256",
        }
        endpoint = self._ours(known, "authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    async def claims(self, code: str, begun: Begun, redirect: str, now: datetime) -> Mapping[str, Any]:
        """Who came back with this code. Raises ProviderFailed for whatever is not in order."""
        known = await self._configuration()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "client_id": self._settings.client_id,
            "code_verifier": begun.verifier,
        }
        if self._secret is not None:
            form["client_secret"] = self._secret
        answer = await self._fetch("POST", self._ours(known, "token_endpoint"), data=form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderFailed("it gave no identity token")
        return self._checked(await self._decoded(token, known), begun, now)

    async def _decoded(self, token: str, known: Mapping[str, Any]) -> dict[str, Any]:
        for again in (False, True):
            keys = await self._keys(known, again=again)
            try:
                return dict(jwt.decode(token, keys, algorithms=ALGORITHMS).claims)
            except (JoseError, ValueError, RecursionError) as wrong:
                if again:
                    raise ProviderFailed(f"its identity token is not signed by it: {wrong}") from wrong
        raise AssertionError  # pragma: no cover - the loop ends before

    def _checked(self, claims: dict[str, Any], begun: Begun, now: datetime) -> Mapping[str, Any]:
        """The claims, if they are for us, of now, and of this very login."""
        client = self._settings.client_id
        registry = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._settings.issuer},
            aud={"essential": True, "value": client},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": begun.nonce},
        )
        try:
            registry.validate(claims)
        except JoseError as wrong:
            raise ProviderFailed(f"its identity token does not count: {wrong}") from wrong
        audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if claims.get("azp", client) != client or (len(audience) > 1 and "azp" not in claims):
            raise ProviderFailed("its identity token was made for another client")
        return claims

    # -- what it says of itself -----------------------------------------------------------------------------

    async def _configuration(self) -> Mapping[str, Any]:
        found = await self._kept_or("configuration", self._settings.issuer.rstrip("/") + _WELL_KNOWN)
        if found.get("issuer") != self._settings.issuer:
            self._kept.pop("configuration", None)
            raise ProviderFailed(f"it says that it is {str(found.get('issuer'))[:200]!r}")
        return found

    async def _keys(self, known: Mapping[str, Any], *, again: bool) -> KeySet:
        at, _ = self._kept.get("keys", (0.0, None))
        if again and self._monotonic() - at >= KEYS_AGAIN_SECONDS:
            self._kept.pop("keys", None)
        found = await self._kept_or("keys", self._ours(known, "jwks_uri"))
        try:
            return KeySet.import_key_set(cast(Any, found))
        except (JoseError, ValueError, TypeError, KeyError) as wrong:
            raise ProviderFailed(f"its keys cannot be read: {wrong}") from wrong

    async def _kept_or(self, name: str, address: str) -> Mapping[str, Any]:
        kept = self._kept.get(name)
        if kept is not None and self._monotonic() - kept[0] < KEPT_SECONDS:
            return dict(kept[1])
        found = await self._fetch("GET", address)
        self._kept[name] = (self._monotonic(), found)
        return found

    def _ours(self, known: Mapping[str, Any], name: str) -> str:
        """An endpoint, if it lies where the settings allow."""
        address = known.get(name)
        try:
            parts = urlsplit(address) if isinstance(address, str) else None
        except ValueError:
            parts = None
        if parts is None or parts.netloc not in self._hosts:
            raise ProviderFailed(f"its {name} lies elsewhere: {str(address)[:200]!r}; see `hosts`")
        if parts.scheme != "https" and not is_loopback(str(address)):
            raise ProviderFailed(f"its {name} is not https")
        return str(address)

    async def _fetch(self, method: str, address: str, **more: Any) -> dict[str, Any]:
        """A JSON object, never more of it than the bound. Raises ProviderFailed."""
        body = bytearray()
        try:
            # Logins are few: a client for each leaves no connection behind.
            async with (
                httpx.AsyncClient(
                    follow_redirects=False, timeout=self._seconds, trust_env=False, verify=self._tls
                ) as client,
                client.stream(method, address, **more) as answer,
            ):
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER:
                        raise ProviderFailed("its answer is too large")
        except (httpx.HTTPError, httpx.InvalidURL) as failed:
            raise ProviderFailed(f"no answer: {type(failed).__name__}") from failed
        try:
            content = orjson.loads(bytes(body))
        except orjson.JSONDecodeError as wrong:
            raise ProviderFailed(f"status {answer.status_code}, and no JSON") from wrong
        if answer.status_code != _OK or not isinstance(content, dict):
            said = content.get("error") if isinstance(content, dict) else None
            raise ProviderFailed(f"status {answer.status_code}: {str(said)[:100]}")
        return content
