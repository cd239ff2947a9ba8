"""The ledger of the kinds of fact: each is in it, and readers ship one release before writers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.archive import FORMAT
from models import casework, kinds
from models.commands import Note
from models.errors import HikeshiError
from models.exercise import Exercise
from models.fact import Draft
from models.fold import kinds_of
from models.kinds import LEDGER, READABLE, Kind, defects, must_be_writable, readable_by, writable_by
from models.release import FIRST, VERSION, order
from models.state import House, Incident, Intake, Programme
from tests.models.small import AMY, by, scene_of, step

ROOT = Path(__file__).parents[2]
COMING = Kind(name="garden.opened", read_since="0.1.0", written_since="0.2.0")


def _drafted() -> Iterator[str]:
    """The kinds that the code names where it drafts a fact."""
    for folder in ("models", "console", "flows", "notifiers"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Draft":
                    values = [one.value for one in node.keywords if one.arg == "kind"]
                    yield from (str(one.value) for one in values if isinstance(one, ast.Constant))


def test_every_kind_that_is_written_or_folded_is_in_the_ledger_and_no_other() -> None:
    folded = {kind for state in (Incident, Intake, House, Programme, Exercise) for kind in kinds_of(state)}
    named = {one.name for one in LEDGER}
    assert folded == named, "add the kind to LATER in models/kinds.py, with the release that reads it first"
    assert set(_drafted()) <= named
    assert list(defects(LEDGER)) == []
    assert {kind for kind, v in READABLE if v == 1} == named
    assert FORMAT  # an archive holds facts as they are stored, of whatever kind


def _kind(read: str, written: str, v: int = 1) -> Kind:
    return Kind(name="garden.opened", v=v, read_since=read, written_since=written)


@pytest.mark.parametrize(
    ("ledger", "said"),
    [
        ((_kind("0.1.0", "0.1.0"),), ""),
        ((_kind("0.1.0", "0.2.0"),), ""),
        ((_kind("0.9.0", "0.10.0"),), ""),
        ((_kind("0.2.0", "0.2.0"),), "a release before"),
        ((_kind("0.10.0", "0.9.0"),), "a release before"),
        ((_kind("0.1.0", "0.1.0"), _kind("0.2.0", "0.3.0", 2)), ""),
        ((_kind("0.1.0", "0.1.0"), _kind("0.2.0", "0.3.0", 3)), "without gaps"),
        ((_kind("0.1.0", "0.1.0"), _kind("0.1.0", "0.1.0")), "without gaps"),
    ],
    ids=[
        "the first release writes what it reads",
        "one release ahead",
        "ten comes after nine",
        "readers and writers in the same release",
        "writers before readers",
        "a new version of the data",
        "a version left out",
        "twice",
    ],
)
def test_a_kind_whose_writers_are_not_one_release_behind_is_refused(
    ledger: tuple[Kind, ...], said: str
) -> None:
    assert [said in one for one in defects(ledger)] == ([True] if said else [])


def test_each_release_reads_what_the_next_one_begins_to_write() -> None:
    ledger = (_kind("0.1.0", "0.1.0"), _kind("0.2.0", "0.3.0", 2))
    for before, after in (("0.1.0", "0.2.0"), ("0.2.0", "0.3.0")):
        assert writable_by(after, ledger) <= readable_by(before, ledger) | readable_by(after, ledger)
    assert writable_by("0.2.0", ledger) == readable_by("0.1.0", ledger)
    assert writable_by("0.3.0", ledger) == readable_by("0.2.0", ledger)
    assert order(FIRST) <= order(VERSION)


def test_what_is_only_read_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = (*LEDGER, COMING)
    assert (COMING.name, 1) in readable_by(VERSION, ledger)
    monkeypatch.setattr(kinds, "_WRITABLE", writable_by(VERSION, ledger))
    with pytest.raises(HikeshiError, match=r"garden\.opened v1 is not written by 0\.1\.0.*defect of Hikeshi"):
        must_be_writable(COMING.name, 1)


@pytest.mark.parametrize("draft", [Draft(kind="garden.opened"), Draft(kind="note.added", v=2)])
def test_a_rule_that_says_it_too_early_is_a_defect_and_nothing_is_stored(
    monkeypatch: pytest.MonkeyPatch, draft: Draft
) -> None:
    made = scene_of(step("look"))
    before = made.incident.seq

    def early(*_: Any) -> list[Draft]:
        return [Draft(kind="note.added", texts={"text": "-"}), draft]

    monkeypatch.setattr(casework, "decide", early)
    with pytest.raises(HikeshiError, match="defect of Hikeshi"):
        made.desk.handle(made.stream, Note(actor=by(AMY), text="-"))
    assert made.incident.seq == before
