"""Incidents that are over, what is past its limit on the board, and addresses that there are none of."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from console.intake import receive
from console.views.clocks import moving
from models.clock import ExerciseClock
from models.commands import Actor, Declare, EndIncident
from models.desk import Desk
from models.restriction import Restrict
from playbooks.institution import Institution
from tests.console.webhouse import WAZUH, Web, make_house

LEAD = Actor(person="sato-kenji", via="test")
YUI = "nakamura-yui"


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path) -> Web:
    return Web(make_house(bank, desk, tmp_path))


def over(web: Web, text: str) -> str:
    """An incident that was declared and cancelled."""
    made = web.house.desk.handle(None, Declare(actor=LEAD, text=text, severity="low"))
    assert web.house.desk.handle(
        made.stream, EndIncident(actor=LEAD, how="cancelled", reason="a mistake")
    ).accepted
    return made.stream


async def text_of(web: Web, path: str, person: str = YUI, lang: str = "ja", code: int = 200) -> str:
    answer = await web.look(person, path, lang)
    assert answer.status_code == code
    return unescape(answer.text)


async def test_what_is_over_is_listed_page_by_page(web: Web) -> None:
    assert "まだありません" in await text_of(web, "/incidents")
    names = [over(web, f"case {number}") for number in range(31)]
    web.house.desk.handle(None, Declare(actor=LEAD, text="still open"))
    first, second = await text_of(web, "/incidents", lang="en"), await text_of(web, "/incidents?page=2")
    assert names[-1] in first and names[0] not in first and names[0] in second and "cancelled" in first
    assert "still open" not in first + second and 'href="/incidents?page=2"' in first
    for odd in ("0", "-1", "x", "99999", "٣"):
        await text_of(web, f"/incidents?page={odd}")
    assert 'href="/incidents"' in await text_of(web, "/")


async def test_a_restricted_one_is_listed_for_whoever_may_know_of_it(web: Web) -> None:
    made = web.house.desk.handle(None, Declare(actor=LEAD, text="somebody of ours", severity="low"))
    restrict = Restrict(actor=LEAD, reason="an insider", people=("kato-hiroshi",))
    assert web.house.desk.handle(made.stream, restrict).accepted
    assert web.house.desk.handle(
        made.stream, EndIncident(actor=LEAD, how="cancelled", reason="a mistake")
    ).accepted
    assert "somebody of ours" in await text_of(web, "/incidents", "kato-hiroshi")
    assert "kato-hiroshi" in web.house.desk.incident(made.stream).restriction.reads
    hidden = await text_of(web, "/incidents", "ogawa-sayuri")
    assert made.stream not in hidden and "somebody of ours" not in hidden
    await text_of(web, "/incidents/1", "ogawa-sayuri", code=404)


async def test_the_board_and_the_incident_say_the_same_breaks_next(web: Web, clock: ExerciseClock) -> None:
    receive(web.house, "wazuh", WAZUH)
    web.house.desk.handle(None, Declare(actor=LEAD, text="the quiet one", severity="low"))
    clock.advance(timedelta(hours=1))
    state = web.house.desk.incident("INC-2026-0001")
    board, own = await text_of(web, "/", lang="en"), await text_of(web, "/incidents/INC-2026-0001", lang="en")
    first = board.split('<ol class="board"')[1].split('data-until="')[1].split('"')[0]
    head = own.split('id="part-head"')[1].split('datetime="')[1].split('"')[0]
    assert state.seq and first == head and first <= clock.now().strftime("%Y-%m-%dT%H:%M:%S")
    assert moving(()) == []


async def test_an_address_of_nothing_leads_on(web: Web) -> None:
    receive(web.house, "wazuh", WAZUH)
    for path in ("/nonsense", "/incidents/INC-2026-9999", "/incidents/77"):
        text = await text_of(web, path, code=404)
        assert "<nav" in text and "ページが見つかりません" in text
    answer = await web.ask("GET", "/nonsense")
    assert answer.status_code == 404 and "There is no such page" in answer.text and "<nav" not in answer.text
    assert (await web.ask("GET", "/static/nonsense")).status_code == 404


async def test_the_last_digits_of_a_number_are_enough(web: Web) -> None:
    receive(web.house, "wazuh", WAZUH)
    answer = await web.look(YUI, "/incidents/1/steps?lang=en", "en")
    assert answer.status_code == 303 and answer.headers["location"].startswith(
        "/incidents/INC-2026-0001/steps?"
    )
