"""Several nodes on one PostgreSQL: what one begins the other goes on with, and time doubles nothing."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from console.lookout import note_conductor, standing
from console.main import execute
from console.opening import House, open_house
from console.watch import Watch
from console.web.sessions import Sessions, cookie_name
from models.clock import ExerciseClock
from models.commands import Actor, Declare
from models.desk import HOUSE, Desk
from models.node import register, retire
from models.premises import Premises
from models.record import FACT, NODE, OUTBOX, Record, micros
from models.state import House as HouseState
from playbooks.institution import Institution
from tests.console.webhouse import Web
from tests.postgres import Postgres

ROOT = Path(__file__).parents[2]
INCIDENTS = 3
KEY = "HIKESHI_SHARED_KEY"
SUZUKI = Actor(person="suzuki-daichi", via="test")


def declare(desk: Desk) -> str:
    return desk.handle(None, Declare(actor=SUZUKI, text="x", playbooks=("unknown",))).stream


def facts(desk: Desk) -> Counter[tuple[str, str]]:
    """How many there are of each kind, by stream."""
    with desk.record.read() as tx:
        return Counter((row[0], row[1]) for row in tx.connection.execute(select(FACT.c.stream, FACT.c.kind)))


def keys(desk: Desk) -> list[str]:
    with desk.record.read() as tx:
        return sorted(tx.connection.execute(select(OUTBOX.c.key)).scalars())


# -- time ---------------------------------------------------------------------------------------------------


class Sentry:
    """A desk and its watch, in a thread of its own as in a node."""

    def __init__(self, record: Record, bank: Institution, clock: ExerciseClock) -> None:
        premises = Premises(organisation=bank.organisation, policy=bank.policy, playbooks=bank.playbooks)
        self.desk = Desk(record, premises, clock)
        self._thread = ThreadPoolExecutor(max_workers=1)
        self.watch = Watch(self.desk, self.run)

    async def run(self, call: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def close(self) -> None:
        await self.run(self.desk.record.close)
        self._thread.shutdown()


async def played(bank: Institution, clock: ExerciseClock, records: list[Record]) -> tuple[Any, Any]:
    """Incidents that nobody answers, watched by so many nodes for an hour; what was written and queued."""
    sentries = [Sentry(record, bank, clock) for record in records]
    first = sentries[0]
    for _ in range(INCIDENTS):
        await first.run(lambda: declare(first.desk))
    for _ in range(6):
        clock.advance(timedelta(minutes=10))
        # Twice: what one has left to the other is looked at once more.
        for _ in range(2):
            await asyncio.gather(*(one.watch.turn() for one in sentries))
    found: tuple[Any, Any] = await first.run(lambda: (facts(first.desk), keys(first.desk)))
    for one in sentries:
        await one.close()
    return found


async def test_two_watches_at_once_write_what_one_would_have_written(
    postgres: Postgres, bank: Institution, clock: ExerciseClock
) -> None:
    record = Record(postgres.database())
    record.migrate()
    record.hand_over()
    began = clock.now()
    both = await played(bank, clock, [record, record.another()])
    alone = Record.in_memory()
    alone.hand_over()
    assert both == await played(bank, ExerciseClock(began), [alone])
    counts, queued = both
    assert sum(counts.values()) > INCIDENTS * 20 and len(queued) > INCIDENTS * 5, "there was something to do"


def test_a_pager_that_starts_takes_nothing_back_that_others_said_of_the_conductor(desk: Desk) -> None:
    now = desk.clock.now()
    long, just = timedelta(hours=1), timedelta(seconds=5)
    assert standing(None, now, just) == "unknown"
    assert standing(now - long, now, just) == "unknown"
    assert standing(None, now, long) == standing(now - long, now, long) == "silent"
    assert standing(now - just, now, just) == standing(now, now, long) == "alive"

    def said() -> list[bool]:
        state = desk.state(HOUSE)
        assert isinstance(state, HouseState)
        kinds = [kind for stream, kind in facts(desk).elements() if stream == HOUSE]
        return ["conductor" in state.impaired, kinds.count("machine.impaired") == 1]

    note_conductor(desk, "silent", waiting=True)
    for conductor in ("unknown", "silent", "unknown", "silent"):
        note_conductor(desk, conductor, waiting=True)
        assert said() == [True, True], "it is said once, and stands"
    note_conductor(desk, "alive", waiting=True)
    assert said() == [False, True]


# -- people -------------------------------------------------------------------------------------------------


@pytest.fixture
def houses(
    tmp_path: Path, postgres: Postgres, clock: ExerciseClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[House]]:
    """Two machines of one institution: the database and the key are the same, the data folders apart."""
    monkeypatch.setenv(KEY, "k" * 40)
    shared = f'database = "{postgres.database()}"\nsigning_key = "env:{KEY}"\n'
    made = []
    for name in ("a", "b"):
        folder = tmp_path / name
        shutil.copytree(ROOT / "examples" / "mihon-bank", folder, ignore=shutil.ignore_patterns("var"))
        settings = folder / "settings.toml"
        settings.write_text(shared + settings.read_text(encoding="utf-8"), encoding="utf-8")
        made.append(open_house(folder, clock))
    yield made
    for house in made:
        house.record.close()


async def test_a_link_a_session_and_what_was_written_hold_at_either_node(houses: list[House]) -> None:
    a, b = (Web(house) for house in houses)
    stream = declare(a.house.desk)
    page = next(iter(a.house.desk.state(stream).pages.values()))
    with a.house.record.read() as tx:
        asked = select(OUTBOX.c.person).where(OUTBOX.c.stream == stream, OUTBOX.c.page == page.id)
        person = tx.connection.execute(asked).scalars().first()
    assert person is not None
    assert (await b.press(a.token(stream, page.id, person))).status_code in {200, 303}
    assert a.house.desk.state(stream).pages[page.id].state == "acknowledged", "a knows what b was told"
    cookie = Sessions(a.house).open("test", person="tanaka-misaki", lang="en")
    for web in (a, b):
        sent = {"Cookie": f"{cookie_name(web.house)}={cookie}"}
        shown = await web.ask("GET", f"/incidents/{stream}", headers=sent)
        assert shown.status_code == 200 and stream in shown.text
    later = declare(b.house.desk)
    assert later == "INC-2026-0002"
    assert later in (await a.ask("GET", "/", headers={"Cookie": f"{cookie_name(a.house)}={cookie}"})).text
    Sessions(b.house).leave(cookie)
    gone = await a.ask("GET", f"/incidents/{stream}", headers={"Cookie": f"{cookie_name(a.house)}={cookie}"})
    assert gone.status_code != 200, "whoever logs out at one has logged out at all"


def test_health_lists_the_nodes_and_says_which_is_silent(
    houses: list[House], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = houses[0]
    now = here.desk.clock.now()
    ages = {"pager@a": 1, "pager@b": 90, "pager@old": 200_000, "conductor@a": 2}
    with here.record.begin() as tx:
        for name, age in ages.items():
            register(tx, name, now)
            beat_at = micros(now - timedelta(seconds=age))
            tx.connection.execute(update(NODE).where(NODE.c.id == name).values(beat_at=beat_at))
        register(tx, "pager@gone", now)
        retire(tx, "pager@gone")
    monkeypatch.setenv("HIKESHI_ACCOUNT", "sato")
    execute(["--lang", "en", "--json", "health"], here)
    alive = json.loads(capsys.readouterr().out)["alive"]
    assert alive == {"pager": True, "pager@a": True, "pager@b": False, "conductor": True, "conductor@a": True}
    execute(["--lang", "ja", "health"], here)
    said = capsys.readouterr().out
    assert all(name in said for name in ("pager@a", "pager@b", "conductor@a"))
    assert "pager@gone" not in said and "pager@old" not in said
