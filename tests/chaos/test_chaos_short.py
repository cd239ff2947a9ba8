"""A short, bounded run of the harness: a few kills, and the table."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.play import Order, Scene, killing, played

SEED = 20261130


def at_once(scene: Scene) -> Iterator[float]:
    """The pager first, before a quick machine is done; then as it comes."""
    yield 0.4
    scene.kills += bool(scene.town.send("pager", signal.SIGKILL))
    yield from killing(scene)


@pytest.mark.timeout(300)
def test_killed_again_and_again_nothing_is_lost_and_nothing_is_repeated(tmp_path: Path) -> None:
    row = played("kills", Order(folder=tmp_path, seed=SEED, incidents=2, seconds=8), at_once)
    assert not row.faults, "\n".join(row.faults)
    assert row.kills and row.messages and row.incidents >= 2
    assert (row.lost, row.repeated) == (0, 0)
