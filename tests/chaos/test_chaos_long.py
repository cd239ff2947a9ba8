"""Every scenario of `make chaos` once, small; the whole is `make chaos`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.__main__ import again, table
from tests.chaos.play import Order, Row
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.test_chaos_short import SEED

INCIDENTS, SECONDS = 10, 40.0


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_comes_over_the_bank_no_promise_breaks(tmp_path: Path, name: str) -> None:
    row = SCENARIOS[name](Order(folder=tmp_path / name, seed=SEED, incidents=INCIDENTS, seconds=SECONDS))
    if row.note.startswith("left out"):
        pytest.skip(row.note)
    assert not row.faults, "\n".join([*row.faults, again(row, SECONDS / 60, INCIDENTS)])
    assert row.kills and row.messages and row.incidents


def test_a_table_names_each_scenario_and_a_broken_one_is_told_how_to_have_again() -> None:
    row = Row(scenario="kills", seed=7, incidents=50, kills=30, messages=400, faults=["P3 x: lost"])
    lines = table([row, Row(scenario="disk", seed=7, note="left out: no room")]).splitlines()
    assert lines[0].split()[:3] == ["scenario", "incidents", "kills"]
    assert lines[1].split()[:4] == ["kills", "50", "30", "400"]
    assert lines[2].endswith("left out: no room")
    assert again(row, 10, 50) == "make chaos SEED=7 MINUTES=10 INCIDENTS=50 ONLY=kills"
