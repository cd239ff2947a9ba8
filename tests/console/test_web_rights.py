"""The rows of looking hold in the war room and over the API, also where the institution wrote its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.intake import receive
from console.visitor import Visitor
from console.web.asking import Ask
from console.web.live import _seen_by
from models.access import Viewer
from models.actor import Actor
from models.clock import ExerciseClock
from models.desk import Desk
from models.premises import Premises
from models.record import Record
from models.restriction import Restrict
from playbooks.institution import Institution
from tests.console.apihouse import INC, SATO, SUZUKI, declared, session
from tests.console.webhouse import SECRETS, Web, kinds, make_house, wazuh

TITLE, ALERT = "the ledger is wrong", "an odd proposal"
NARROW = ("csirt-lead",)


@pytest.fixture
def web(bank: Institution, clock: ExerciseClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Web:
    """The bank, where the CSIRT's lead alone looks."""
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    rows = dict.fromkeys(("look", "look-intake", "look-house"), NARROW)
    policy = bank.policy.model_copy(update={"permissions": bank.policy.permissions | rows})
    premises = Premises(organisation=bank.organisation, policy=policy, playbooks=bank.playbooks)
    made = Web(make_house(bank, Desk(Record.in_memory(), premises, clock), tmp_path))
    declared(made.house, TITLE)
    for _ in range(3):
        receive(made.house, "wazuh", wazuh(level=11, id="7", description=ALERT))
    return made


async def test_the_board_shows_nothing_to_whoever_may_not_look(web: Web) -> None:
    theirs, own = await web.look(SUZUKI, "/", "en"), await web.look(SATO, "/", "en")
    for text in (INC, ALERT, "/system"):
        assert text in own.text, text
    cards = theirs.text.partition("<main")[2]
    for text in (f"<code>{INC}", ALERT, 'class="card done"', 'class="card alarm"'):
        assert text not in cards, text


async def test_an_incidents_pages_are_for_whoever_may_look(web: Web) -> None:
    for path in ("", "/steps", "/decisions", "/facts/1"):
        refused = await web.look(SUZUKI, f"/incidents/{INC}{path}", "en")
        assert refused.status_code == 403 and TITLE not in refused.text, path
        none = await web.look(SUZUKI, f"/incidents/INC-2026-0999{path}", "en")
        assert none.status_code == 403, path
    assert TITLE in (await web.look(SATO, f"/incidents/{INC}", "en")).text
    assert "refused" in kinds(web.house, "house")


async def test_the_facts_of_an_incident_come_to_whoever_may_look(web: Web) -> None:
    problem = await session(web, SUZUKI).get(f"/incidents/{INC}/events", 403)
    assert problem["reason"] == "role missing"


def test_what_is_drawn_once_is_shared_by_those_of_the_same_rights(web: Web) -> None:
    """Else whoever may not look would be sent what was drawn for somebody who may."""

    def sight(person: str) -> tuple[object, ...]:
        visitor = Visitor(viewer=Viewer(person=person))
        return _seen_by(Ask(house=web.house, visitor=visitor, page="board"))

    assert sight(SATO) != sight(SUZUKI) == sight("mori-chie")


async def test_to_see_a_restricted_incident_on_the_board_is_to_have_read_it(web: Web) -> None:
    restrict = Restrict(actor=Actor(person=SATO, via="test"), reason="an insider")
    assert web.house.desk.handle(INC, restrict).accepted
    for person in (SUZUKI, SATO, SATO):
        await web.look(person, "/", "en")
    with web.house.record.read() as tx:
        reads = [fact for fact in tx.facts(INC) if fact.kind == "incident.read"]
    assert [(one.data["reader"], one.data["surface"]) for one in reads] == [(SATO, "web:board")]
