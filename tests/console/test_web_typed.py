"""What somebody typed is not lost: by a refusal, a session that is over, another language or a reload."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import httpx
import pytest

from console.opening import House
from console.visitor import Visitor
from console.web import live
from console.web.changes import Changes, position
from console.web.live import Hub
from console.web.rooms import PAGES
from console.web.running import Station
from console.web.sessions import Sessions, cookie_name
from console.web.stream import Stream
from models.clock import ExerciseClock
from models.commands import Actor, Declare
from models.desk import Desk
from playbooks.institution import Institution
from tests.console.webhouse import Web, kinds, make_house

INC = "INC-2026-0001"
SATO = Actor(person="sato-kenji", via="test")
LONG = (
    "一行目 <script>alert(1)</script>\n二行目\thttps://example.jp/a?b=1&c=2 【訓練】\n"
    + "長い経緯 " * 500
    + "終わり"
)


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path) -> Web:
    made = Web(make_house(bank, desk, tmp_path))
    assert desk.handle(
        None, Declare(actor=SATO, text="x", severity="high", playbooks=("ransomware",))
    ).accepted
    return made


def logged_in(web: Web, client: httpx.AsyncClient, person: str = "sato-kenji", lang: str = "ja") -> Visitor:
    sessions = Sessions(web.house)
    value = sessions.open("test", person=person, lang=lang)
    client.cookies.set(cookie_name(web.house), value)
    found = sessions.visitor(value)
    assert found is not None
    return found


def areas(page: httpx.Response) -> list[str]:
    """What a browser has in the text fields of a page."""
    found = re.findall(r"<textarea[^>]*>(.*?)</textarea>", page.text, re.DOTALL)
    return [html.unescape(one).removeprefix("\n") for one in found]


async def test_a_form_of_a_session_that_is_over_says_so_and_gives_back_what_was_typed(
    web: Web, clock: ExerciseClock
) -> None:
    async with web.client() as client:
        visitor = logged_in(web, client)
        fields = {"csrf": visitor.csrf, "next": f"/incidents/{INC}/steps#x", "incident": INC, "text": LONG}
        clock.advance(timedelta(hours=3))
        before = kinds(web.house, INC)
        said = await client.post("/do/note", data=fields)
        assert said.status_code == 403 and kinds(web.house, INC) == before
        assert "何も記録していません" in said.text and "Nothing was recorded" in said.text
        assert LONG in areas(said) and visitor.csrf not in said.text and "<script>" not in said.text
        assert f'href="/login?next=/incidents/{INC}/steps%23x"' in said.text
        # What another site sends is not shown, nor what would fill the disk.
        foreign = await client.post("/do/note", data=fields, headers={"Sec-Fetch-Site": "cross-site"})
        large = await client.post("/do/note", data=fields | {"text": "y" * 300_000})
        assert areas(foreign) == areas(large) == []


async def test_a_form_from_before_another_login_gives_back_what_was_typed(web: Web) -> None:
    async with web.client() as client:
        old = logged_in(web, client)
        logged_in(web, client)
        fields = {"csrf": old.csrf, "next": f"/incidents/{INC}", "incident": INC, "text": LONG}
        said = await client.post("/do/note", data=fields)
        assert said.status_code == 403 and "note.added" not in kinds(web.house, INC)
        assert LONG in areas(said) and f'href="/incidents/{INC}"' in said.text
        assert "受領" not in said.text


async def test_what_was_refused_comes_back_as_it_was_typed(web: Web) -> None:
    async with web.client() as client:
        visitor = logged_in(web, client)
        fields = {"csrf": visitor.csrf, "next": "/declare", "text": LONG, "severity": "no-such"}
        assert (await client.post("/do/declare", data=fields)).status_code == 303
        shown = await client.get("/declare")
        assert LONG in areas(shown) and "<script>alert" not in shown.text


async def test_what_no_form_of_the_page_takes_up_is_shown_once_to_be_copied(web: Web) -> None:
    async with web.client() as client:
        visitor = logged_in(web, client)
        fields = {
            "csrf": visitor.csrf,
            "next": "/programme",
            "plan": "PL-9",
            "note": LONG,
            "date": "nonsense",
        }
        assert (await client.post("/do/exercise/record", data=fields)).status_code == 303
        shown = await client.get("/programme")
        assert LONG in areas(shown) and "受け付けられなかった入力" in shown.text
        assert LONG not in areas(await client.get("/programme"))


async def test_another_language_is_of_the_same_page(web: Web) -> None:
    async with web.client() as client:
        logged_in(web, client)
        page = await client.get(f"/incidents/{INC}/steps?show=all&phase=triage")
        found = re.search(r'href="([^"]+)" hreflang="en"', page.text)
        assert found is not None and html.unescape(found[1]) == "?show=all&phase=triage&lang=en"
        again = await client.get(f"/incidents/{INC}/steps{html.unescape(found[1])}")
        back = re.search(r'href="([^"]+)" hreflang="ja"', again.text)
        assert back is not None and html.unescape(back[1]) == "?show=all&phase=triage&lang=ja"


async def test_logging_in_leads_on_to_what_was_asked_for(web: Web) -> None:
    sent = await web.ask("GET", f"/incidents/{INC}/steps?step=ransomware/confirm-alert&lang=en")
    wanted = f"/incidents/{INC}/steps?step=ransomware%2Fconfirm-alert"
    assert sent.status_code == 303 and unquote(sent.headers["location"].partition("next=")[2]) == wanted


async def test_without_scripts_no_page_with_fields_comes_anew_under_somebodys_hands(web: Web) -> None:
    assert 'http-equiv="refresh"' in (await web.look("mori-chie", "/")).text
    steps = (await web.look("sato-kenji", f"/incidents/{INC}/steps")).text
    assert "<textarea" in steps and 'http-equiv="refresh"' not in steps and "最新の状態を表示" in steps


async def test_where_there_is_nothing_it_is_not_a_dead_link_of_a_message(web: Web) -> None:
    page = await web.look("sato-kenji", "/incidents/INC-2026-0999")
    assert page.status_code == 404 and "通知" not in page.text and 'href="/"' in page.text


def hub_of(house: House, web: Web, monkeypatch: pytest.MonkeyPatch) -> tuple[Hub, Stream]:
    """The open pages of a house, and one of them."""
    monkeypatch.setattr(live, "WARDEN_SECONDS", 60)
    pages = {one.name: one for one in PAGES}
    hub = Hub(Station(house=house, run=web._run, changes=Changes()), Sessions(house), pages)
    stream = Stream(page=pages["board"], subject="", query=(), visitor=Visitor(), session="x")
    hub._enter(stream)
    return hub, stream


async def test_a_window_that_is_put_out_while_it_catches_up_fails_nothing(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, stream = hub_of(web.house, web, monkeypatch)
    hub._leave(stream)
    await hub._catch_up(stream, -1)
    assert stream.waiting == {}
    hub.close()


async def test_whoever_comes_back_to_a_page_that_is_as_it_was_has_their_clocks_set(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, stream = hub_of(web.house, web, monkeypatch)
    with web.house.record.read() as tx:
        seen = position(tx, stream.page.streams(""))
    await hub._catch_up(stream, seen)
    assert list(stream.waiting) == [live.NOW] and stream.position == seen
    assert b"event: now\ndata: 2026-11-22T18:00:00" in stream.take()
    hub.close()


async def test_the_time_of_a_drill_is_told_to_all_pages_though_nothing_on_them_changes(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    for house, wanted in ((web.house, []), (replace(web.house, drill=cast("Any", object())), [live.NOW])):
        hub, stream = hub_of(house, web, monkeypatch)
        await hub._tell_time()
        assert stream.waiting == {}, "what has not been drawn has no number to come back with"
        stream.position = 7
        await hub._tell_time()
        assert list(stream.waiting) == wanted
        hub.close()
