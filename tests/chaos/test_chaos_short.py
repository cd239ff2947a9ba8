"""A short, bounded run of the harness: a few kills, and the table."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.play import Order, killing, played

SEED = 20261130


@pytest.mark.timeout(300)
def test_killed_again_and_again_nothing_is_lost_and_nothing_is_repeated(tmp_path: Path) -> None:
    row = played("kills", Order(folder=tmp_path, seed=SEED, incidents=2, seconds=8), killing)
    assert not row.faults, "\n".join(row.faults)
    assert row.kills and row.messages and row.incidents >= 2
    assert (row.lost, row.repeated) == (0, 0)
