"""Rehearsals that were kept are read back as they came out, and nothing else is read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from console import rehearsed
from console.rehearsing import Rehearsed, premises_for, rehearse
from console.texts import texts
from console.views import rehearsal, rehearsal_svg
from models.errors import NotFound
from models.rehearsal.plan import Plan
from playbooks.institution import Institution
from playbooks.rehearsing import assumptions

NOW = datetime(2026, 11, 23, 3, 0, 5, tzinfo=UTC)


@pytest.fixture
def played(bank: Institution) -> Rehearsed:
    plan = Plan(
        playbook="ransomware", seed=7, assumptions=assumptions(bank.directory), year=2026, start="03:00"
    )
    return rehearse(premises_for(bank, "ransomware"), plan, 2, compare=False)


def test_what_was_kept_is_read_back_as_it_came_out(played: Rehearsed, tmp_path: Path) -> None:
    path = rehearsed.keep(tmp_path, played, rehearsal.as_json(played), NOW)
    found = rehearsed.kept(tmp_path)
    assert [(one.name, one.playbook, one.seed) for one in found] == [(path.stem, "ransomware", "7")]
    again = rehearsed.read(tmp_path, path.stem)
    assert rehearsal.as_json(again) == rehearsal.as_json(played)
    charts = rehearsal_svg.charts(again, texts("en"), styled=False)
    assert all("<style" not in one and one.startswith("<svg") for one in charts.values())


@pytest.mark.parametrize("name", ["../hikeshi", "20261123T030005Z-x-7", "x", "20261123T030005Z-../../x-7"])
def test_what_is_no_rehearsal_of_ours_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound):
        rehearsed.read(tmp_path, name)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"playbook": 1}', b"\xff"])
def test_a_file_that_was_changed_is_not_shown(tmp_path: Path, body: bytes) -> None:
    folder = tmp_path / rehearsed.FOLDER
    folder.mkdir()
    (folder / "20261123T030005Z-ransomware-7.json").write_bytes(body)
    with pytest.raises(NotFound):
        rehearsed.read(tmp_path, "20261123T030005Z-ransomware-7")


def test_a_number_that_is_none_is_not_shown(played: Rehearsed, tmp_path: Path) -> None:
    document = rehearsal.as_json(played)
    document["study"]["runs"] = "<script>"
    path = rehearsed.keep(tmp_path, played, orjson.loads(orjson.dumps(document)), NOW)
    with pytest.raises(NotFound):
        rehearsed.read(tmp_path, path.stem)
