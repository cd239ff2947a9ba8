"""The signed page's other form: I cannot take it, and why; and what the second person of a decision sees."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from console.intake import receive
from console.web.links import form_token
from console.web.pages import MAX_REASON
from models.clock import ExerciseClock
from models.commands import Actor, Decide, Declare, Delegate
from models.desk import Desk
from models.playbook import Playbook
from models.premises import Premises
from models.record import Record
from models.state import Page
from playbooks.institution import Institution
from tests.console.webhouse import WAZUH, Web, kinds, make_house

DUTY, LEAD, CISO, CLERK = "nakamura-yui", "sato-kenji", "kato-hiroshi", "mori-chie"
INCIDENT = "INC-2026-0001"


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path) -> Web:
    return Web(make_house(bank, desk, tmp_path))


@pytest.fixture
def page(web: Web) -> Page:
    """The first call-out; the duty officer reads English."""
    receive(web.house, "wazuh", WAZUH)
    return next(one for one in web.house.desk.state(INCIDENT).pages.values() if one.event == "declared")


def current(web: Web, page: Page) -> Page:
    return web.house.desk.state(INCIDENT).pages[page.id]


async def shown(web: Web, page: Page, person: str) -> str:
    answer = await web.ask("GET", f"/p/{web.token(INCIDENT, page.id, person)}")
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", unescape(answer.text))


async def test_the_form_says_no_as_the_person_of_the_link_and_the_next_level_is_due(
    web: Web, page: Page
) -> None:
    text = await shown(web, page, DUTY)
    assert "I cannot take it" in text and "If you cannot take it: why" in text
    answer = await web.say_no(web.token(INCIDENT, page.id, DUTY), "on a train")
    assert answer.status_code == 303
    with web.house.record.read() as tx:
        fact = next(fact for fact in tx.facts(INCIDENT) if fact.kind == "page.declined")
    assert (fact.actor, fact.via, fact.data["by"]) == (DUTY, "web", DUTY)
    assert "page.escalated" in web.house.desk.tick(INCIDENT).kinds()
    text = await shown(web, page, DUTY)
    assert "You said at 11/23 03:00 (+09:00) that you cannot take it." in text
    assert "I cannot take it" not in text and "I have it: acknowledge" in text
    lead = await shown(web, page, LEAD)
    assert "対応できないと答えた人" in lead and "on a train" in lead


async def test_saying_it_again_changes_nothing_and_is_no_refusal(web: Web, page: Page) -> None:
    token = web.token(INCIDENT, page.id, DUTY)
    await web.say_no(token, "on a train")
    before = kinds(web.house, INCIDENT)
    for _ in range(3):
        assert (await web.say_no(token, "still on it")).status_code == 303
    assert kinds(web.house, INCIDENT) == before and kinds(web.house, "house") == []


@pytest.mark.parametrize("reason", ["", "  ", "\u3000"])
async def test_without_a_reason_nothing_is_recorded(web: Web, page: Page, reason: str) -> None:
    before = kinds(web.house, INCIDENT)
    assert (await web.say_no(web.token(INCIDENT, page.id, DUTY), reason)).status_code == 303
    assert kinds(web.house, INCIDENT) == before


async def test_who_has_it_may_give_it_back_and_may_take_it_again(web: Web, page: Page) -> None:
    token = web.token(INCIDENT, page.id, DUTY)
    await web.press(token)
    assert "I cannot after all: give it back" in await shown(web, page, DUTY)
    await web.say_no(token, "my daughter is ill")
    assert (current(web, page).state, current(web, page).acked_by) == ("open", None)
    await web.press(token)
    assert (current(web, page).state, current(web, page).acked_by) == ("acknowledged", DUTY)
    assert current(web, page).declined == {}


async def test_what_is_written_is_text_and_is_cut_to_what_the_form_takes(web: Web, page: Page) -> None:
    await web.say_no(web.token(INCIDENT, page.id, DUTY), "<b>&\u202e" + "漢" * 600)
    answer = await web.ask("GET", f"/p/{web.token(INCIDENT, page.id, LEAD)}")
    assert "<b>" not in answer.text and "&lt;b&gt;&amp;" in answer.text
    digest = current(web, page).declined[DUTY].reason
    assert len(web.house.desk.texts(INCIDENT)[digest] or "") == MAX_REASON


async def test_who_was_not_paged_has_no_such_form_and_cannot_use_it(web: Web, page: Page) -> None:
    assert "対応できない場合" not in await shown(web, page, CLERK)
    token = web.token(INCIDENT, page.id, CLERK)
    before = kinds(web.house, INCIDENT)
    assert (await web.say_no(token, "x")).status_code == 303
    assert kinds(web.house, INCIDENT) == before


async def test_a_form_from_elsewhere_is_refused(web: Web, page: Page) -> None:
    token = web.token(INCIDENT, page.id, DUTY)
    answer = await web.say_no(token, "x", form="0" * 64)
    assert answer.status_code == 403
    data = {"form": form_token(web.key, token), "reason": "x"}
    headers = {"Origin": "https://evil.example"}
    assert (await web.ask("POST", f"/p/{token}/decline", data=data, headers=headers)).status_code == 403
    assert (await web.ask("POST", "/p/nothing/decline", data=data)).status_code == 404
    assert (await web.ask("GET", f"/p/{token}/decline")).status_code == 405
    assert current(web, page).declined == {}


async def test_a_delegate_sees_whose_it_is_and_may_say_no(web: Web, page: Page, clock: ExerciseClock) -> None:
    until = clock.now() + timedelta(hours=1)
    order = Delegate(actor=Actor(person=DUTY, via="test"), page=page.id, to=CLERK, until=until)
    assert web.house.desk.handle(INCIDENT, order).accepted
    text = await shown(web, page, CLERK)
    assert "委任: 中村 結衣 → " in text and "対応できない場合" in text
    await web.say_no(web.token(INCIDENT, page.id, CLERK), "x")
    assert current(web, page).delegated_to is None


BOOK = {
    "playbook": "unknown",
    "version": "9.0.0",
    "title": "x",
    "reviewed": "2026-11-01",
    "priority": 1,
    "steps": [
        {
            "id": "choose",
            "phase": "triage",
            "kind": "decision",
            "after": [],
            "title": "Choose",
            "authority": "ciso",
            "four_eyes": "cio",
            "options": [{"id": "cut", "title": "Cut the line"}, {"id": "watch", "title": "Watch"}],
            "otherwise": "It spreads",
            "factors": ["window"],
        }
    ],
}


async def test_the_second_person_sees_the_proposal_and_how_to_answer(
    bank: Institution, clock: ExerciseClock, tmp_path: Path
) -> None:
    books = {**bank.playbooks, "unknown": Playbook.model_validate(BOOK)}
    premises = Premises(organisation=bank.organisation, policy=bank.policy, playbooks=books)
    web = Web(make_house(bank, Desk(Record.in_memory(), premises, clock), tmp_path))
    desk = web.house.desk
    desk.handle(None, Declare(actor=Actor(person=DUTY, via="test"), text="odd"))
    propose = Decide(
        actor=Actor(person=CISO, via="test"),
        step="choose",
        choice="cut",
        reason="it <i>spreads</i>",
        factors={"window": "02:00-06:00"},
    )
    assert desk.handle(INCIDENT, propose).accepted
    state = desk.incident(INCIDENT)
    page = next(one for one in state.pages.values() if one.event == "approval")
    [second] = [one.person for one in page.reached["0"]]
    text = await shown(web, page, second)
    for part in (
        "承認するかどうか答えてください",
        "Cut the line (cut)",
        "it <i>spreads</i>",
        "02:00 – ",
        f"hikeshi approve {INCIDENT} unknown/choose",
        f"hikeshi reject {INCIDENT} unknown/choose --reason",
    ):
        assert part in text, part
    assert "hikeshi decide" not in text
