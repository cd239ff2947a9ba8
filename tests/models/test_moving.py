"""What a fact can move: the table spares rules that have nothing to say, and never one that has."""

from __future__ import annotations

import pytest

from benchmarks.bank import found
from benchmarks.ground import Ground
from benchmarks.replay import PLAYBOOK, Week
from console.rehearsing import premises_for
from models import bysource, layout, moving
from models.bysource import BySource
from models.casework import Setting
from models.commands import AddEvidence, AddStep
from models.fact import Fact
from models.fold import kinds_of
from models.layout import Layouts
from models.moving import MOVES, moved_by
from models.state import Incident
from tests.models.small import AMY, Scene, by, scene_of, step


def test_the_table_names_kinds_of_fact_and_gates_that_there_are() -> None:
    assert MOVES.keys() <= kinds_of(Incident)


def test_a_long_incident_is_the_same_with_the_table_and_without(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = found(Ground(tmp_path_factory.mktemp("week")).place("bank"))
    setting = Setting(premises_for(bank.institution(), PLAYBOOK))
    with_it = _facts(setting)
    monkeypatch.setattr(moving, "MOVES", {})
    assert _facts(setting) == with_it


def _facts(setting: Setting) -> list[Fact]:
    week = Week(setting)
    week.until(700)
    return week.desk.facts[week.stream]


def test_where_somebody_is_wanted_for_a_role_every_rule_is_looked_at() -> None:
    state = Incident(stream="INC-2026-0001")
    assert moved_by({"note.added"}, state) is not None
    state.gates_held["unknown/cut"] = ["nobody-holds:ciso"]
    assert moved_by({"note.added"}, state) is None


def test_a_kind_that_no_row_names_moves_everything() -> None:
    assert moved_by({"note.added", "severity.set"}, Incident(stream="INC-2026-0001")) is None


def test_evidence_concerns_steps_that_ask_for_it_and_those_that_cannot_be_read() -> None:
    made = scene_of(step("plain"), step("asks", when="evidence('disk')"), step("odd", when="evidence("))
    moved = moved_by({"evidence.added"}, made.incident)
    assert moved is not None
    steps = made.desk.world(made.incident).steps(made.incident).values()
    assert [one.key for one in steps if moved.concerns(one)] == ["unknown/asks", "unknown/odd"]


def test_a_step_that_asks_for_evidence_is_ready_when_there_is_some() -> None:
    made = _asking()
    made.do(AddEvidence(actor=by(AMY), source="disk", description="x", digest="sha256:" + "0" * 64, size=1))
    assert made.incident.steps["unknown/asks"].status == "ready"


def _asking() -> Scene:
    made = scene_of(step("asks", when="evidence('disk')"))
    assert made.incident.steps["unknown/asks"].status != "ready"
    return made


# -- what is kept beside ------------------------------------------------------------------------------------


def test_a_step_added_by_hand_is_laid_out_as_it_is_written_now() -> None:
    made = scene_of(step("look"))
    made.do(AddStep(actor=by(AMY), step="more", phase="triage", title="one", owner="csirt-duty", reason="x"))
    layouts, plans = Layouts(), made.desk.world(made.incident).plans
    before = layouts.of(made.incident, plans)
    assert layouts.of(made.incident, plans) is before
    known = made.incident.steps["added/more"]
    assert known.added is not None
    known.added = {**known.added, "title": "another"}
    assert layouts.of(made.incident, plans).steps["added/more"].step.title.en == "another"


def test_layouts_and_evidence_are_kept_of_few_incidents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LAYOUTS_KEPT", 1)
    monkeypatch.setattr(bysource, "INCIDENTS_KEPT", 1)
    one, other = scene_of(step("look")), scene_of(step("look"), step("then"))
    other.incident.stream = "INC-2026-0002"
    layouts, sources = Layouts(), BySource()
    for made in (one, other, one):
        plans = made.desk.world(made.incident).plans
        assert len(layouts.of(made.incident, plans).steps) == (1 if made is one else 2)
        assert sources.of(made.incident, "disk") == ()


def test_evidence_of_a_state_folded_anew_is_read_anew() -> None:
    made = scene_of(step("look"))
    sources = BySource()
    made.do(AddEvidence(actor=by(AMY), source="disk", description="x", digest="sha256:" + "0" * 64, size=1))
    (item,) = sources.of(made.incident, "disk")
    made.desk.forget()
    (again,) = sources.of(made.incident, "disk")
    assert again is not item and again == item
