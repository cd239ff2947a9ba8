"""Logging in by a provider of identities: a real one that others wrote, and a wicked one of our own."""

from __future__ import annotations

import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from pydantic import ValidationError
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from console.web.login.oidc import Oidc, person_of
from console.web.login.provider import Begun, Provider, ProviderFailed
from console.web.sessions import Sessions, cookie_name
from models.clock import SystemClock
from models.desk import Desk
from models.loginsettings import OidcSettings
from playbooks.institution import Institution
from tests.console.webhouse import Web, kinds, make_house, refused
from tests.peers.identities import CLIENT, PEOPLE, SECRET, Identities

BEGUN = Begun(state="s", nonce="n-1", verifier="v" * 64)
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
REDIRECT = "http://127.0.0.1:8410/login/oidc/callback"


def a_web(bank: Institution, desk: Desk, data: Path, oidc: Mapping[str, Any]) -> Web:
    desk.clock = SystemClock()  # the provider's tokens are of today
    return Web(make_house(bank, desk, data, login={"oidc": dict(oidc)}))


@pytest.fixture(scope="module", autouse=True)
def _secret() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("HIKESHI_OIDC_SECRET", SECRET)
    yield
    patch.undo()


async def out(client: httpx.AsyncClient, path: str = "/login/oidc?next=/declare") -> httpx.Response:
    await client.get("/login")
    return await client.get(path)


async def test_a_provider_that_others_wrote_logs_in_and_the_directory_decides(
    bank: Institution, desk: Desk, tmp_path: Path
) -> None:
    async with Identities() as provider:
        given = {
            "issuer": provider.issuer,
            "client_id": CLIENT,
            "client_secret": "env:HIKESHI_OIDC_SECRET",
            "name": "Mihon ID",
        }
        web = a_web(bank, desk, tmp_path, given)
        async with web.client() as client:
            assert "Mihon ID" in (await client.get("/login")).text
            leads = await out(client)
            query = parse_qs(urlsplit(leads.headers["location"]).query)
            assert query["code_challenge_method"] == ["S256"] and query["redirect_uri"] == [REDIRECT]
            back = await provider.log_in(leads.headers["location"], PEOPLE[0])
            done = await client.get(back)
            assert (done.status_code, done.headers["location"]) == (303, "/declare")
            visitor = Sessions(web.house).visitor(client.cookies[cookie_name(web.house)])
            assert visitor is not None and visitor.person == "tanaka-misaki" and visitor.roles is None
            # The same answer again opens nothing, nor does it in another browser.
            assert (await client.get(back)).status_code == 502
        async with web.client() as client, web.client() as other:
            leads = await out(client)
            back = await provider.log_in(leads.headers["location"], PEOPLE[0])
            await other.get("/login")
            assert (await other.get(back)).status_code == 502
            leads = await out(client)
            back = await provider.log_in(leads.headers["location"], PEOPLE[1])
            stranger = await client.get(back)
            assert stranger.status_code == 403 and "hikeshi login link" in stranger.text
        assert kinds(web.house, "house").count("session.opened") == 1
        await wrong_secret(bank, desk, tmp_path, given | {"client_secret": None}, provider)
    assert refused(web.house)["unknown"] >= 1


async def wrong_secret(
    bank: Institution, desk: Desk, data: Path, given: Mapping[str, Any], provider: Identities
) -> None:
    web = a_web(bank, desk, data, given)
    async with web.client() as client:
        leads = await out(client)
        back = await provider.log_in(leads.headers["location"], PEOPLE[0])
        assert (await client.get(back)).status_code == 502


async def test_a_provider_that_is_down_is_said_with_the_other_ways(
    bank: Institution, desk: Desk, tmp_path: Path
) -> None:
    web = a_web(bank, desk, tmp_path, {"issuer": "http://127.0.0.1:9", "client_id": CLIENT})
    async with web.client() as client:
        assert (await client.get("/login/oidc")).status_code == 403
        down = await out(client)
        assert down.status_code == 502 and "hikeshi login link" in down.text
        assert (await client.get("/login/oidc/callback?state=x&code=y")).status_code == 502
    unset = {"issuer": "https://id.example", "client_id": "x", "client_secret": "env:NOT_SET"}
    closed = a_web(bank, desk, tmp_path, unset)
    async with closed.client() as client:
        assert (await out(client)).status_code == 502


# -- one that lies ------------------------------------------------------------------------------------------


def a_key(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


class Wicked:
    """A provider that answers as it is told."""

    def __init__(self, server: HTTPServer) -> None:
        self.server, self.key = (
            server,
            a_key("one"),
        )
        self.issuer = server.url_for("").rstrip("/")
        self.configuration: Any = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        self.claims: dict[str, Any] = {
            "iss": self.issuer, "aud": CLIENT, "sub": "1", "nonce": BEGUN.nonce,
            "preferred_username": "tanaka", "iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 60,
        }  # fmt: skip
        self.header = {"alg": "RS256", "kid": "one"}
        self.token: Any = None
        server.expect_request("/.well-known/openid-configuration").respond_with_handler(self._configuration)
        server.expect_request("/keys").respond_with_handler(self._keys)
        server.expect_request("/token").respond_with_handler(self._token)

    def _configuration(self, _: Request) -> Response:
        return Response(orjson.dumps(self.configuration))

    def _keys(self, _: Request) -> Response:
        return Response(orjson.dumps({"keys": [self.key.as_dict(private=False)]}))

    def _token(self, _: Request) -> Response:
        signed = jwt.encode(self.header, self.claims, self.key)
        return Response(orjson.dumps({"id_token": signed} if self.token is None else self.token))


@pytest.fixture
def wicked(httpserver: HTTPServer) -> Wicked:
    return Wicked(httpserver)


@pytest.fixture
def provider(wicked: Wicked) -> Provider:
    return Provider(OidcSettings(issuer=wicked.issuer, client_id=CLIENT), None, time.monotonic)


async def test_a_token_that_is_in_order_counts(wicked: Wicked, provider: Provider) -> None:
    claims = await provider.claims("code", BEGUN, REDIRECT, NOW)
    assert claims["preferred_username"] == "tanaka"
    wicked.claims |= {"aud": [CLIENT, "other"], "azp": CLIENT}
    assert await provider.claims("code", BEGUN, REDIRECT, NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://other.example"}, {"aud": "other"}, {"aud": [CLIENT, "other"]}, {"azp": "other"},
        {"nonce": "n-2"}, {"nonce": None}, {"exp": int(NOW.timestamp()) - 61}, {"exp": None}, {"sub": None},
        {"iat": int(NOW.timestamp()) + 3_600}, {"nbf": int(NOW.timestamp()) + 3_600},
    ],
    ids=str,
)  # fmt: skip
async def test_a_token_for_others_of_another_time_or_login_does_not_count(
    wicked: Wicked, provider: Provider, changed: dict[str, Any]
) -> None:
    wicked.claims = {name: value for name, value in (wicked.claims | changed).items() if value is not None}
    with pytest.raises(ProviderFailed, match=r"does not count|another client"):
        await provider.claims("code", BEGUN, REDIRECT, NOW)


async def test_a_token_that_the_provider_did_not_sign_does_not_count(
    wicked: Wicked, provider: Provider
) -> None:
    signed = jwt.encode(wicked.header, wicked.claims, a_key("one"))
    body = signed.split(".")[1]
    none = "eyJhbGciOiJub25lIn0"
    deep = urlsafe_b64encode(b'{"a":' * 5_000 + b"1" + b"}" * 5_000).rstrip(b"=").decode()
    for token in (signed, f"{none}.{body}.", "x", "", None, 3, f"{deep}.{body}.x"):
        wicked.token = {"id_token": token}
        with pytest.raises(ProviderFailed):
            await provider.claims("code", BEGUN, REDIRECT, NOW)


async def test_keys_that_were_changed_are_read_again(wicked: Wicked) -> None:
    seconds = [0.0]
    one = Provider(OidcSettings(issuer=wicked.issuer, client_id=CLIENT), None, lambda: seconds[0])
    await one.claims("code", BEGUN, REDIRECT, NOW)
    wicked.key = a_key("two")
    wicked.header = {"alg": "RS256", "kid": "two"}
    with pytest.raises(ProviderFailed):
        await one.claims("code", BEGUN, REDIRECT, NOW)
    seconds[0] = 61.0
    assert await one.claims("code", BEGUN, REDIRECT, NOW)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("issuer", "https://other.example"),
        ("token_endpoint", "http://169.254.169.254/latest"),
        ("token_endpoint", "file:///etc/passwd"),
        ("jwks_uri", None),
        ("jwks_uri", "https://[no-address/keys"),
        ("token_endpoint", "{issuer}@evil.example/token"),
    ],
)
async def test_the_provider_sends_us_nowhere_else(
    wicked: Wicked, provider: Provider, name: str, value: Any
) -> None:
    wicked.configuration[name] = value.format(issuer=wicked.issuer) if value else value
    with pytest.raises(ProviderFailed):
        await provider.claims("code", BEGUN, REDIRECT, NOW)


async def test_redirects_are_not_followed_and_too_much_is_not_read(
    wicked: Wicked, provider: Provider, httpserver: HTTPServer
) -> None:
    for answer in (
        Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
        Response("x" * 2_000_000),
        Response("[1]"),
        Response('{"error": "invalid_grant"}', status=400),
    ):
        httpserver.clear()
        httpserver.expect_request("/.well-known/openid-configuration").respond_with_response(answer)
        with pytest.raises(ProviderFailed):
            await provider.address(BEGUN, REDIRECT)


# -- who they are here --------------------------------------------------------------------------------------


def test_a_claim_names_one_person_or_nobody(desk: Desk) -> None:
    directory = desk.directory
    for named in ("tanaka-misaki", "tanaka", "Misaki.TANAKA@mihon-bank.example.jp", " tanaka "):
        found = person_of(directory, named)
        assert found is not None and found.id == "tanaka-misaki"
    for named in ("", "nobody", "tanaka-misak", "None"):
        assert person_of(directory, named) is None


async def test_groups_admit_and_narrow_and_never_give(
    bank: Institution, desk: Desk, tmp_path: Path, wicked: Wicked
) -> None:
    given = {
        "issuer": wicked.issuer,
        "client_id": CLIENT,
        "admit": ["staff"],
        "roles": {"leads": ["csirt-lead", "ciso"]},
    }
    web = a_web(bank, desk, tmp_path, given)
    oidc = Oidc(web.house, web._run, b"k" * 32, time.monotonic)
    for groups, admitted in ((["staff", "leads"], True), (["leads"], False), ("staff", False), (None, False)):
        now = int(web.house.wall.now().timestamp())
        wicked.claims |= {"groups": groups, "iat": now, "exp": now + 60}
        address = await oidc.begin("browser", "/")
        query = parse_qs(urlsplit(address).query)
        wicked.claims["nonce"] = query["nonce"][0]
        wanted = {"state": query["state"][0], "code": "c"}
        if not admitted:
            with pytest.raises(Exception, match="in no group"):
                await oidc.back("browser", wanted)
            continue
        came = await oidc.back("browser", wanted)
        assert came.way == "oidc:roles=ciso,csirt-lead"
        value = Sessions(web.house).open(came.way, person=came.person.id)
        visitor = Sessions(web.house).visitor(value)
        assert visitor is not None and visitor.roles == frozenset({"ciso", "csirt-lead"})
        state = desk.state("house")
        within = desk.world(state).within(visitor.person, visitor.roles)
        assert within.roles_of(None, "tanaka-misaki") <= desk.world(state).roles_of(None, "tanaka-misaki")


def test_an_issuer_in_clear_is_refused_elsewhere_than_here() -> None:
    with pytest.raises(ValidationError, match="https"):
        OidcSettings(issuer="http://id.example.jp", client_id="x")
    assert OidcSettings(issuer="https://id.example.jp/realms/bank", client_id="x").title == "id.example.jp"
