"""Logging in and out: what opens a session, what does not, and what the record says of it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.web.going import ours
from console.web.once import Once
from console.web.room import MOST_SAID
from console.web.sessions import MOST_EACH, Sessions, cookie_name, digest
from console.web.tokens import visitor_of
from models.clock import ExerciseClock
from models.commands import Actor
from models.desk import Desk
from models.entering import IssueToken, RevokeToken
from models.record import ONCE, SESSION
from models.restriction import GrantInspector, RevokeInspector
from playbooks.institution import Institution
from tests.console.webhouse import Web, kinds, make_house, refused

LEAD = Actor(person="sato-kenji", name="sato", via="test")
MORI = "mori-chie"
HOUSE = "house"


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path) -> Web:
    return Web(make_house(bank, desk, tmp_path))


def link(web: Web, person: str = MORI, by: str = MORI, minutes: int = 15) -> str:
    return Once(web.house).put("login", timedelta(minutes=minutes), person=person, by=by)


async def press(client: httpx.AsyncClient, path: str, to: str = "", **more: Any) -> httpx.Response:
    """Open a page of logging in and send its form."""
    shown = await client.get(path)
    given = re.search(r'name="form" value="([^"]+)"', shown.text)
    headers = more.pop("headers", {})
    data = {"form": given[1] if given else ""} | more
    return await client.post(to or path, data=data, headers=headers)


async def show_token(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await press(client, "/login", "/login/token", token=token)


def cookie(client: httpx.AsyncClient, web: Web) -> str:
    return client.cookies.get(cookie_name(web.house)) or ""


def rows(web: Web) -> list[Any]:
    with web.house.record.read() as tx:
        return list(tx.connection.execute(SESSION.select().order_by(SESSION.c.made_at)).all())


async def test_a_link_logs_in_once_and_only_by_its_button(web: Web) -> None:
    value = link(web)
    async with web.client() as client:
        shown = await client.get(f"/login/once/{value}", headers={"Accept-Language": "en"})
        assert shown.status_code == 200 and "Continue as Chie Mori" in shown.text
        assert rows(web) == []
        done = await press(client, f"/login/once/{value}", next="/declare")
        assert done.status_code == 303
        sent = next(one for one in done.headers.get_list("set-cookie") if cookie_name(web.house) + "=" in one)
        assert "HttpOnly" in sent and "SameSite=lax" in sent and "Secure" not in sent and "Path=/" in sent
        assert (await client.get("/declare")).status_code == 200
        assert kinds(web.house, HOUSE) == ["session.opened"]
        assert rows(web)[0].digest == digest(cookie(client, web)) and rows(web)[0].way == "link"
    async with web.client() as again:
        assert (await again.get(f"/login/once/{value}")).status_code == 404
        assert (await press(again, "/login", f"/login/once/{value}")).status_code == 403
    assert len(rows(web)) == 1 and refused(web.house) == {"unknown": 1}


async def test_a_link_of_somebody_elses_making_says_so(web: Web) -> None:
    async with web.client() as client:
        await press(client, f"/login/once/{link(web, by='tanaka-misaki')}")
        visitor = Sessions(web.house).visitor(cookie(client, web))
    assert visitor is not None and visitor.actor.via == f"web:{visitor.key};by=tanaka-misaki"


async def test_a_link_is_dead_when_its_time_or_its_person_is_over(web: Web, clock: ExerciseClock) -> None:
    old, gone = link(web), link(web, person="nobody")
    clock.advance(timedelta(minutes=16))
    async with web.client() as client:
        assert (await press(client, "/login", f"/login/once/{old}")).status_code == 403
        assert (await press(client, "/login", f"/login/once/{gone}")).status_code == 403
        assert (await client.get("/login/once/" + "x" * 300)).status_code == 404
    assert rows(web) == []


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "none"}],
)
async def test_a_form_of_another_site_logs_nobody_in(web: Web, headers: dict[str, str]) -> None:
    value = link(web)
    async with web.client() as client:
        assert (await press(client, f"/login/once/{value}", headers=headers)).status_code == 403
    assert rows(web) == [] and Once(web.house).look("login", value) is not None


async def test_a_form_without_its_token_or_with_anothers_is_refused(web: Web) -> None:
    value = link(web)
    async with web.client() as client, web.client() as other:
        assert (await client.post(f"/login/once/{value}", data={"form": ""})).status_code == 403
        theirs = re.search(r'name="form" value="([^"]+)"', (await other.get("/login")).text)
        assert theirs is not None
        await client.get("/login")
        assert (await client.post(f"/login/once/{value}", data={"form": theirs[1]})).status_code == 403
        assert (await client.post(f"/login/once/{value}", content=b"\xff" * 5)).status_code == 403
        assert (await client.post(f"/login/once/{value}", content=b"a" * 5_000)).status_code == 403
    assert rows(web) == []


async def test_a_session_is_new_at_login_whatever_cookie_came(web: Web) -> None:
    """Whoever planted a cookie before must not be in with it afterwards."""
    name = cookie_name(web.house)
    async with web.client(cookies={name: "planted"}) as client:
        done = await press(client, f"/login/once/{link(web)}")
        assert done.cookies[name] != "planted"
        assert Sessions(web.house).visitor("planted") is None
        before = done.cookies[name]
    async with web.client(cookies={name: before}) as client:
        await press(client, f"/login/once/{link(web)}")
        assert Sessions(web.house).visitor(before) is None
    assert kinds(web.house, HOUSE) == ["session.opened", "session.opened", "session.ended"]


async def test_logging_out_needs_the_sessions_own_form(web: Web) -> None:
    async with web.client() as client:
        await press(client, f"/login/once/{link(web)}")
        visitor = Sessions(web.house).visitor(cookie(client, web))
        assert visitor is not None
        for body in ({}, {"csrf": "x"}):
            assert (await client.post("/logout", data=body)).status_code == 403
        cross = {"Sec-Fetch-Site": "cross-site"}
        assert (await client.post("/logout", data={"csrf": visitor.csrf}, headers=cross)).status_code == 403
        assert (await client.get("/logout")).status_code == 405
        value = cookie(client, web)
        out = await client.post("/logout", data={"csrf": visitor.csrf})
        assert out.status_code == 303 and out.headers["location"] == "/login"
        assert Sessions(web.house).visitor(value) is None
    assert kinds(web.house, HOUSE)[-1] == "session.ended"
    async with web.client() as client:
        assert (await client.post("/logout")).status_code == 303


async def test_one_sessions_token_is_no_use_in_another(web: Web) -> None:
    async with web.client() as mine, web.client() as theirs:
        for client in (mine, theirs):
            await press(client, f"/login/once/{link(web)}")
        other = Sessions(web.house).visitor(cookie(theirs, web))
        assert other is not None
        for token in (other.csrf, "", "x"):
            done = await mine.post("/do/declare", data={"csrf": token, "text": "x", "next": "/"})
            assert done.status_code == 403
    assert "incident.declared" not in kinds(web.house, "INC-2026-0001")


async def test_sessions_end_by_time_by_leaving_and_by_number(web: Web, clock: ExerciseClock) -> None:
    sessions = Sessions(web.house)
    idle, used = sessions.open("test", person=MORI), sessions.open("test", person=MORI)
    for _ in range(12):
        clock.advance(timedelta(minutes=59))
        assert sessions.visitor(used) is not None
    assert sessions.visitor(idle) is None
    clock.advance(timedelta(minutes=59))
    assert sessions.visitor(used) is None
    many = []
    for _ in range(21):
        many.append(sessions.open("test", person=MORI))
        clock.advance(timedelta(seconds=1))
    assert sessions.visitor(many[0]) is None and sessions.visitor(many[1]) is not None
    sessions.end_all(MORI)
    assert sessions.running(MORI) == []


def token(person: str, clock: ExerciseClock, **more: Any) -> IssueToken:
    given: dict[str, Any] = {"name": "siem", "roles": ("csirt-duty",), "digest": digest("secret")}
    return IssueToken(actor=LEAD, person=person, until=clock.now() + timedelta(days=1), **(given | more))


async def test_who_has_left_the_directory_is_out_at_once(
    web: Web, bank: Institution, desk: Desk, clock: ExerciseClock
) -> None:
    value = Sessions(web.house).open("test", person=MORI)
    desk.handle(HOUSE, token(MORI, clock))
    assert visitor_of(web.house, "secret", "ja") is not None
    left = tuple(one for one in bank.organisation.people if one.id != MORI)
    desk.directory = type(desk.directory)(bank.organisation.model_copy(update={"people": left}))
    assert Sessions(web.house).visitor(value) is None
    assert visitor_of(web.house, "secret", "ja") is None


def test_a_token_opens_until_it_is_over_or_revoked(web: Web, clock: ExerciseClock) -> None:
    desk = web.house.desk
    desk.handle(HOUSE, token(MORI, clock))
    desk.handle(HOUSE, token(MORI, clock, name="all", roles=("*",), digest=digest("other"), looks=True))
    visitor = visitor_of(web.house, "secret", "en")
    assert visitor is not None
    assert (visitor.person, visitor.via, visitor.lang) == (MORI, "api:siem", "en")
    assert visitor.roles == frozenset({"csirt-duty"}) == visitor.actor.roles
    whole = visitor_of(web.house, "other", "en")
    assert whole is not None and whole.roles is None and whole.looks and whole.actor.looks
    for wrong in ("", "x" * 300, "wrong"):
        assert visitor_of(web.house, wrong, "en") is None
    desk.handle(HOUSE, RevokeToken(actor=LEAD, name="siem", reason="x"))
    assert visitor_of(web.house, "secret", "en") is None
    clock.advance(timedelta(days=2))
    assert visitor_of(web.house, "other", "en") is None


async def test_an_inspector_logs_in_by_the_token_and_reads_only(web: Web, clock: ExerciseClock) -> None:
    given: dict[str, Any] = {"until": clock.now() + timedelta(hours=3), "digest": digest("inspection")}
    web.house.desk.handle(HOUSE, GrantInspector(actor=LEAD, name="fsa", reason="x", **given))
    found = visitor_of(web.house, "inspection", "ja")
    assert found is not None and found.looks and found.person is None
    web.house.desk.handle(HOUSE, token(MORI, clock))
    async with web.client() as client:
        for wrong in ("no", "", "secret"):
            assert (await show_token(client, wrong)).status_code == 403
        assert (await show_token(client, " inspection ")).status_code == 303
        value = cookie(client, web)
        visitor = Sessions(web.house).visitor(value)
        assert visitor is not None and visitor.via == "inspector:fsa"
        done = await client.post("/do/declare", data={"csrf": visitor.csrf, "text": "x", "next": "/"})
        assert done.status_code == 303
        assert kinds(web.house, "INC-2026-0001") == []
        web.house.desk.handle(HOUSE, RevokeInspector(actor=LEAD, name="fsa", reason="x"))
        assert Sessions(web.house).visitor(value) is None
    assert visitor_of(web.house, "inspection", "ja") is None


def test_whoever_logs_in_often_ends_their_own_sessions_alone(web: Web, clock: ExerciseClock) -> None:
    sessions = Sessions(web.house)

    def opened(**who: str) -> str:
        clock.advance(timedelta(seconds=1))
        return sessions.open("test", **who)

    theirs = [opened(person=person) for person in (MORI, "sato-kenji")]
    for name in ("fsa", "boj"):
        for _ in range(MOST_EACH + 2):
            opened(inspector=name)
    mine = [opened(person=MORI) for _ in range(MOST_EACH)]
    running = sessions.running()
    for whose in ("fsa", "boj"):
        assert sum(one.inspector == whose for one in running) == MOST_EACH
    assert sessions.visitor(theirs[1]) is not None and sessions.visitor(mine[-1]) is not None
    assert sum(one.person == MORI for one in running) == MOST_EACH and sessions.visitor(theirs[0]) is None


async def test_what_waits_to_be_said_to_a_session_has_a_bound(web: Web) -> None:
    """A program that sends forms and never looks at a page."""
    async with web.client() as client:
        await press(client, f"/login/once/{link(web)}")
        visitor = Sessions(web.house).visitor(cookie(client, web))
        assert visitor is not None
        for number in range(MOST_SAID):
            sent = {"csrf": visitor.csrf, "incident": f"INC-2026-{number:04d}", "text": "x"}
            assert (await client.post("/do/note", data=sent)).status_code == 303
        said = (await client.get("/")).text.count('class="said')
    assert 0 < said <= MOST_SAID


async def test_whoever_tries_too_often_waits(web: Web) -> None:
    async with web.client() as client:
        codes = [(await show_token(client, "x")).status_code for _ in range(31)]
        assert codes[:30] == [403] * 30 and codes[30] == 429
        web.seconds += 2
        assert (await show_token(client, "x")).status_code == 403
    assert refused(web.house) == {"unknown": 1}


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "", "declare",
        "/\t/evil.example", "/\n//evil.example", "\\\\evil.example", "/" + "x" * 600, "/\u2028",
        "///evil.example", "/\x00",
    ],
)  # fmt: skip
def test_a_form_leads_on_to_our_own_pages_only(wanted: str) -> None:
    assert ours(wanted) == "/"


def test_paths_of_ours_are_kept() -> None:
    for path in ("/", "/declare", "/incidents/INC-2026-0001?tab=steps#x", "/a//b", "/%2f%2fevil.example"):
        assert ours(path) == path


async def test_the_page_speaks_the_browsers_language_and_does_not_act(web: Web) -> None:
    for accepted, title in (("en-GB,ja;q=0.5", "Log in"), ("fr, ja", "ログイン"), ("fr", "ログイン")):
        shown = await web.ask("GET", "/login?next=//evil", headers={"Accept-Language": accepted})
        assert f"<h1>{title}</h1>" in shown.text
        assert "evil" not in shown.text
    assert "<h1>Log in</h1>" in (await web.ask("GET", "/login?lang=en")).text
    assert kinds(web.house, HOUSE) == []


async def test_over_https_the_cookie_is_this_hosts_alone(
    bank: Institution, desk: Desk, tmp_path: Path
) -> None:
    web = Web(make_house(bank, desk, tmp_path, public_url="https://hikeshi.example.jp"))
    async with web.client(base_url="https://hikeshi.example.jp") as client:
        done = await press(client, f"/login/once/{link(web)}")
        sent = next(one for one in done.headers.get_list("set-cookie") if one.startswith("__Host-hikeshi-"))
        assert "Secure" in sent and "Domain" not in sent and "Path=/" in sent
        assert "form-action 'self'" in done.headers["content-security-policy"]
        assert done.headers["cache-control"] == "no-store"


def test_two_installations_on_one_host_have_cookies_of_their_own(
    bank: Institution, desk: Desk, tmp_path: Path
) -> None:
    names = {cookie_name(make_house(bank, desk, tmp_path / name)) for name in ("real", "drill")}
    assert len(names) == 2


def test_what_opens_once_keeps_no_value_and_forgets_what_is_over(web: Web, clock: ExerciseClock) -> None:
    once = Once(web.house)
    value = once.put("login", timedelta(minutes=1), person=MORI)
    with web.house.record.read() as tx:
        stored = tx.connection.execute(ONCE.select()).all()
    assert value not in str(stored)
    assert once.look("other", value) is None
    # Whoever reaches the port has a row made at each try by a provider: it is gone with the next hour.
    clock.advance(timedelta(minutes=62))
    once.put("login", timedelta(minutes=1), person=MORI)
    with web.house.record.read() as tx:
        assert len(tx.connection.execute(ONCE.select()).all()) == 1
