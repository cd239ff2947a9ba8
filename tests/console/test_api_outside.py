"""The API and those from outside: a third party finds nothing of what is not its own, at any address."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from console.operations.catalogue import operations
from console.web.sessions import digest
from models.actor import Actor
from models.answers import Decline
from models.clock import ExerciseClock
from models.commands import AssignStep, Delegate
from models.desk import Desk
from models.entering import IssueToken
from models.premises import Premises
from models.record import Record
from playbooks.institution import Institution
from tests.console.apihouse import INC, SATO, TOKEN, Caller, bearer, declared, session
from tests.console.webhouse import Web, make_house

OKADA = "okada-shinji"
TITLE = "the core's ledger is wrong"


@pytest.fixture
def web(bank: Institution, clock: ExerciseClock, tmp_path: Path) -> Web:
    """The bank, one of whose people belongs to the vendor of the core system."""
    people = [
        one.model_copy(update={"third_party": "core-vendor"}) if one.id == OKADA else one
        for one in bank.organisation.people
    ]
    outside = bank.organisation.model_copy(update={"people": tuple(people)})
    premises = Premises(organisation=outside, policy=bank.policy, playbooks=bank.playbooks)
    made = Web(make_house(bank, Desk(Record.in_memory(), premises, clock), tmp_path))
    declared(made.house, TITLE)
    return made


@pytest.fixture
def okada(web: Web) -> Caller:
    """Somebody of the vendor, by a token that was issued for them."""
    desk = web.house.desk
    until = desk.clock.now() + timedelta(days=1)
    issue = IssueToken(
        actor=Actor(person=SATO, via="test"), name="vendor", person=OKADA, roles=("*",), until=until,
        digest=digest(TOKEN),
    )  # fmt: skip
    outcome = desk.handle("house", issue)
    assert outcome.refused is None, outcome.detail
    return bearer(web, TOKEN)


async def test_no_look_tells_a_third_party_of_an_incident(web: Web, okada: Caller) -> None:
    for one in operations().values():
        if one.writes:
            continue
        values = {field.name: "1" for field in one.fields if field.required and field.name != "incident"}
        response = await okada.ask("GET", one.path.replace("{incident}", INC), params=values)
        assert response.status_code in {200, 403, 404, 409, 422}, (one.name, response.text[:300])
        assert TITLE not in response.text, one.name
        if one.of_incident:
            assert response.status_code == 404, (one.name, response.text[:300])
        elif response.status_code == 200:
            assert INC not in response.text, (one.name, response.text[:600])


async def test_no_act_of_a_third_party_is_done(web: Web, okada: Caller) -> None:
    for path, body in (
        (f"/incidents/{INC}/note", {"text": "x"}),
        (f"/incidents/{INC}/severity", {"severity": "low", "reason": "x"}),
        (f"/incidents/{INC}/evidence/add", {"source": "x", "description": "x", "file": "x"}),
        (f"/incidents/{INC}/scope/import", {"format": "csv", "file": "kind,name\nhost,x\n"}),
        (f"/incidents/{INC}/share/prepare", {"tlp": "CLEAR"}),
    ):
        problem = await okada.post(path, body, 404)
        assert problem["reason"] == "no such incident"
    assert (await session(web, SATO).get(f"/incidents/{INC}"))["evidence"] == []


async def test_a_third_party_logs_in_and_sees_no_more(web: Web) -> None:
    browser = session(web, OKADA)
    assert await browser.get("/incidents") == []
    await browser.get(f"/incidents/{INC}", 404)


async def test_the_stream_of_an_incident_that_is_not_theirs_is_none(okada: Caller) -> None:
    await okada.get(f"/incidents/{INC}/events", 404)


async def test_the_pages_of_a_third_party_name_no_title_no_steps_and_none_of_ours(web: Web) -> None:
    """The signed link of a page that called them, and the board."""
    desk = web.house.desk
    actor = Actor(person=SATO, via="test")
    page, known = next(iter(desk.incident(INC).pages.items()))
    called = next(one.person for people in known.reached.values() for one in people if one.person)
    until = desk.clock.now() + timedelta(hours=4)
    said = [
        desk.handle(INC, Decline(actor=Actor(person=called, via="test"), page=page, reason="a minister")),
        desk.handle(INC, Delegate(actor=actor, page=page, to=OKADA, until=until)),
    ]
    assert [one.refused for one in said] == [None, None]
    link = web.token(INC, page, OKADA)
    assert (await web.press(link)).status_code == 303
    text = unescape((await web.ask("GET", f"/p/{link}")).text)
    assert INC in text and TITLE not in text and "a minister" not in text
    name, state = desk.directory.person(called), desk.incident(INC)
    assert name is not None and name.name.lang("ja") not in text.partition('role="status"')[2]
    planned = desk.world(state).steps(state)
    own = next(key for key, one in state.steps.items() if one.status == "ready")
    title = planned[own].step.title.lang("ja")
    assert title not in text
    theirs = desk.handle(INC, AssignStep(actor=actor, step=own, person=OKADA, reason="theirs"))
    assert theirs.refused is None
    assert title in unescape((await web.ask("GET", f"/p/{link}")).text)
    board = unescape((await web.look(OKADA, "/")).text)
    assert INC in board and title in board and TITLE not in board
