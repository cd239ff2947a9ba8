"""The page of Hikeshi's own health: what is wrong comes first, with what to do."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest

from console.web.app import create_app
from console.web.changes import Changes
from console.web.running import Station
from models.clock import ExerciseClock
from models.commands import Actor, Impair, Quarantined
from models.desk import Desk
from models.node import register
from playbooks.institution import Institution
from tests.console.webhouse import Web, make_house

NODE = Actor.machine("node")


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path) -> Web:
    return Web(make_house(bank, desk, tmp_path))


async def seen(web: Web, lang: str = "en", person: str = "mori-chie") -> str:
    answer = await web.look(person, "/system", lang)
    assert answer.status_code == 200
    return unescape(answer.text)


async def test_a_pager_that_does_not_run_is_said_first_with_what_to_do(web: Web) -> None:
    text = await seen(web)
    assert text.index("> Pager") < text.index("The rest")
    assert "Run `hikeshi up` on the server. Until then nobody is paged" in text
    assert "誰も呼び出されません" in await seen(web, "ja")


async def test_what_runs_is_among_the_rest(web: Web, clock: ExerciseClock) -> None:
    with web.house.record.begin() as tx:
        register(tx, "pager", clock.now(), "pid 1")
    text = await seen(web)
    assert (
        text.index("The rest") < text.index('row">Pager') and "running, last seen 2026-11-23 03:00:00" in text
    )
    clock.advance(timedelta(minutes=1))
    assert "no sign of life since" in await seen(web)


async def test_what_is_impaired_has_advice_of_its_kind(web: Web) -> None:
    desk = web.house.desk
    desk.handle("house", Impair(actor=NODE, what="conductor", detail="no sign of life <b>"))
    desk.handle("house", Impair(actor=NODE, what="something new", detail="odd"))
    desk.handle("house", Quarantined(actor=NODE, stream="INC-2026-0009", failures=3))
    text = await seen(web)
    assert "Timers stopped: INC-2026-0009" in text and "Keep its deadlines by hand" in text
    assert "do what is urgent by hand" in text and "See `hikeshi health` and the node's log." in text
    assert "&lt;b&gt;" in (await web.look("mori-chie", "/system")).text


async def test_what_the_node_knows_of_itself_is_shown(web: Web) -> None:
    known = {"impaired": {"relay siem": "refused", "watch": "has done nothing for 20 s"}, "prefect": "down"}
    station = Station(house=web.house, run=web._run, changes=Changes(), status=lambda: known)
    web.app = create_app(web.house, lambda: None, web._run, dict, station=station)
    text = await seen(web)
    assert "Second path: relay siem" in text and "See whether the receiver runs" in text
    assert "does not answer; steps run without it" in text and "Restart the node; keep the deadlines" in text
    assert "refused: its secret is not set" in text  # the bank's sources have none here
