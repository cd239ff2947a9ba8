"""What the board, linked pages and Slack show of a restricted incident to whoever may not know of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from console.node import Node
from console.reading import CONCEALED
from console.slack.room import channel_name
from models.clock import ExerciseClock
from models.commands import Actor, Declare, Impair, Note, Quarantined
from models.desk import Desk
from models.restriction import Restrict
from playbooks.institution import Institution
from tests.console.roomhouse import INC, Bank, opened
from tests.console.webhouse import SECRETS, Web, make_house

CANARY = "kanarienvogel"
SATO = Actor(person="sato-kenji", name="sato", via="test")
WHY = "a matter of one of us"


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Web:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    return Web(make_house(bank, desk, tmp_path))


def declared(desk: Desk, *bar: str) -> str:
    command = Declare(actor=SATO, text=f"{CANARY} title", severity="high", playbooks=("insider",), bar=bar)
    outcome = desk.handle(None, command)
    assert outcome.accepted, (outcome.refused, outcome.detail)
    assert desk.handle(outcome.stream, Note(actor=SATO, text=f"{CANARY} note")).accepted
    return outcome.stream


async def test_the_board_and_the_figures_do_not_show_it(web: Web) -> None:
    stream = declared(web.house.desk)
    for person in ("ogawa-sayuri", "mori-chie"):
        board = (await web.look(person, "/")).text
        assert CANARY not in board
        assert stream not in board
    figures = (await web.ask("GET", "/metrics")).text
    assert CANARY not in figures
    assert stream not in figures
    web.house.desk.handle(stream, Restrict(actor=SATO, lift=True, reason=WHY))
    assert CANARY in (await web.look("mori-chie", "/")).text


async def test_the_node_says_that_something_is_wrong_and_not_with_which(web: Web) -> None:
    desk = web.house.desk
    stream = declared(desk)
    desk.handle("house", Quarantined(actor=Actor.machine("x"), stream=stream, failures=3))
    desk.handle("house", Impair(actor=Actor.machine("x"), what=f"timers of {stream}", detail=f"{stream}/5"))
    node = Node(web.house)
    status = node.status()
    assert status["status"] == "impaired"
    assert stream not in str(status)
    assert status["quarantined"] == [CONCEALED]
    assert desk.handle(stream, Restrict(actor=SATO, lift=True, reason=WHY)).accepted
    assert node.status()["quarantined"] == [stream]


async def test_a_link_that_somebody_got_before_is_dead_once_they_are_barred(web: Web) -> None:
    desk = web.house.desk
    stream = declared(desk)
    page = next(iter(desk.incident(stream).pages.values()))
    person = page.reached["0"][0].person
    token = web.token(stream, page.id, person)
    shown = await web.ask("GET", f"/p/{token}")
    assert shown.status_code == 200
    assert CANARY in shown.text
    with desk.record.read() as tx:
        read = [fact.data for fact in tx.facts(stream) if fact.kind == "incident.read"]
    assert read == [{"reader": person, "surface": "web:page"}]
    assert desk.handle(stream, Restrict(actor=SATO, bar=(person,), reason=WHY)).accepted
    dead = await web.ask("GET", f"/p/{token}")
    never = await web.ask("GET", f"/p/{web.token('INC-2026-0777', page.id, person)}")
    assert CANARY not in dead.text
    assert dead.status_code == never.status_code != 200


@pytest.fixture
async def made(bank: Institution, clock: ExerciseClock) -> AsyncIterator[Bank]:
    async with opened(bank, clock) as found:
        yield found


async def test_its_channel_is_private_and_holds_nobody_who_may_not_know(made: Bank) -> None:
    declared(made.desk, "kato-hiroshi")
    assert await made.rooms.refresh(INC)
    channel = made.slack.rooms.named("inc-2026-0001")
    assert channel.private
    assert "U0SATO001" in channel.members
    assert "U0KATO001" not in channel.members
    state = made.desk.incident(INC)
    assert "insider" not in channel_name("{incident}-{playbook}-{severity}", state, drill=False)


async def test_a_channel_that_was_open_is_left_and_one_with_a_suspect_in_it_too(made: Bank) -> None:
    made.declare()
    assert await made.rooms.refresh(INC)
    old = made.slack.rooms.named("inc-2026-0001")
    assert "U0KATO001" in old.members
    posts = len(made.slack.posts)
    assert made.desk.handle(INC, Restrict(actor=SATO, bar=("kato-hiroshi",), reason=WHY)).accepted
    assert made.desk.handle(INC, Note(actor=SATO, text=f"{CANARY} later")).accepted
    assert await made.rooms.refresh(INC)
    assert not [one for one in made.slack.posts[posts:] if one.channel == old.id and CANARY in one.shown]
    new = made.desk.incident(INC).rooms["slack"]
    assert new.private
    assert new.address != old.id
