"""Files that are made to cost or to deceive: refused at once with their place, whichever file it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models.clock import monotonic
from playbooks.check import check
from playbooks.institution import FILES
from playbooks.reading import read_document
from tests.console.clihouse import bank_in
from tests.security.corpora import document

SECONDS, SLACK = 0.2, 10
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
FOUND = document("yaml")["file"]


def written(one: dict[str, Any]) -> str:
    """The text of a collected file."""
    body = str(one.get("body", ""))
    inner = "".join(body.replace("{n}", str(number)) for number in range(one.get("repeat", 1)))
    return f"{one.get('head', '')}{inner}{one.get('tail', '')}"


@pytest.mark.parametrize("one", FOUND, ids=lambda one: one["why"])
def test_it_is_refused_within_0_2_s_with_file_and_line(tmp_path: Path, one: dict[str, Any]) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(written(one), encoding="utf-8")
    began = monotonic()
    _, defects = read_document(path, shown="file.yaml")
    took = monotonic() - began
    said = str(defects[0])
    assert said.startswith("file.yaml:") and said.split(":")[1].isdecimal(), said
    assert one["says"] in said
    assert took <= SECONDS * SLACK


def test_no_file_of_an_institution_is_read_in_another_way(tmp_path: Path) -> None:
    """Every file that there is holds a bomb: each is named, with the line."""
    directory = bank_in(tmp_path)
    names = [name for name in FILES if name.endswith(".yaml")]
    names += ["playbooks/evil.yaml", "scenarios/evil.yaml"]
    for name in names:
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(written(FOUND[0]), encoding="utf-8")
    said = [str(one) for one in check(directory, NOW)]
    for name in names:
        assert any(f"{name}:4:" in one and "too many aliases" in one for one in said), (name, said)
