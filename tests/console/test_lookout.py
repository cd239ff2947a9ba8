"""Nodes that share a record: who is gone is said, an own key is refused, a stale stop retires nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from console.lookout import note_pagers
from console.opening import House, open_house
from console.signing import noted, open_signer
from models.clock import ExerciseClock
from models.desk import HOUSE
from models.errors import BadConfiguration
from models.node import alive, give_up_silent, register, retire
from models.state import House as HouseState
from tests.console.clihouse import START, bank_in
from tests.postgres import Postgres


@pytest.fixture
def house(postgres: Postgres, tmp_path: Path) -> Iterator[House]:
    directory = bank_in(tmp_path)
    settings = directory / "settings.toml"
    settings.write_text(f'database = "{postgres.database()}"\n' + settings.read_text("utf-8"), "utf-8")
    opened = open_house(directory, ExerciseClock(START))
    yield opened
    opened.record.close()


def impaired(house: House) -> set[str]:
    state = house.desk.state(HOUSE)
    assert isinstance(state, HouseState)
    return set(state.impaired)


def test_a_pager_that_is_gone_is_said_once_and_somebody_is_paged(house: House) -> None:
    with house.record.begin() as tx:
        register(tx, "pager@tokyo", START, "pid 1")
        register(tx, "pager@osaka", START, "pid 2")
    note_pagers(house.desk)
    assert impaired(house) == set()
    with house.record.begin() as tx:
        assert give_up_silent(tx, "pager@osaka", START, timedelta(seconds=-1)) == ["pager@osaka"]
    note_pagers(house.desk)
    note_pagers(house.desk)
    assert impaired(house) == {"pager@osaka"}
    with house.record.read() as tx:
        kinds = [fact.kind for fact in tx.facts(HOUSE)]
    assert kinds.count("machine.impaired") == 1
    assert "page.asked" in kinds
    with house.record.begin() as tx:
        register(tx, "pager@osaka", START, "pid 3")
    note_pagers(house.desk)
    assert impaired(house) == set()


def test_another_nodes_key_is_not_taken_for_a_new_one(house: House) -> None:
    noted(house, open_signer(house))
    (house.data / "checkpoint.key").unlink()
    with pytest.raises(BadConfiguration, match=r"another key than the record's .*\[integrity\] key"):
        noted(house, open_signer(house))
    with house.record.read() as tx:
        assert "key.replaced" not in [fact.kind for fact in tx.facts(HOUSE)]


def test_who_stops_late_retires_nobody_elses_life(house: House) -> None:
    with house.record.begin() as tx:
        stale = register(tx, "conductor@tokyo", START)
        register(tx, "conductor@tokyo", START)
        retire(tx, "conductor@tokyo", stale)
        assert alive(tx, "conductor", START, timedelta(seconds=30))
        retire(tx, "conductor@tokyo", stale + 1)
        assert not alive(tx, "conductor", START, timedelta(seconds=30))
