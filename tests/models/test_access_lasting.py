"""What broken glass does not reach, and what becomes of somebody's work and pages when they are out."""

from __future__ import annotations

import pytest

from models import commands as c
from models.answers import HandOver
from models.fold import empty, fold
from models.reason import Reason
from models.restriction import BreakGlass, Restrict
from models.shifts import SetShifts
from tests.models.small import AMY, BEN, CHO, DAN, FAY, ROUTES, by, open_desk, playbook, policy, scene, step
from tests.models.test_access import GLASS_ROUTE, SECRET, WHY, reads, restricted

pytestmark = pytest.mark.usefixtures("runs_again")

LASTING = [
    Restrict(actor=by(DAN), people=(DAN,), **WHY),
    Restrict(actor=by(DAN), bar=(BEN,), **WHY),
    Restrict(actor=by(DAN), lift=True, **WHY),
    c.AssignRole(actor=by(DAN), role="commander", person=DAN),
    SetShifts(actor=by(DAN), shifts=(), roles=("commander",), rest=0),
    HandOver(actor=by(DAN), step="look", person=FAY),
    c.UsePlaybook(actor=by(DAN), playbook="secret", how="drop", reason="x"),
    c.Close(actor=by(DAN), assessment="x"),
    c.EndIncident(actor=by(DAN), how="dismissed", reason="x"),
]


@pytest.mark.parametrize("command", LASTING, ids=lambda one: type(one).__name__)
def test_broken_glass_is_not_made_to_last_and_shuts_nobody_out(command: c.Command) -> None:
    made = restricted()
    made.do(BreakGlass(actor=by(DAN), **WHY))
    assert made.says(command).reason is Reason.NOT_NAMED
    made.wait(241)
    assert not reads(made, DAN).some


def test_in_an_open_incident_it_gives_no_rights_that_last_either() -> None:
    made = scene(policy=policy(routes=[GLASS_ROUTE, *ROUTES]))
    made.do(BreakGlass(actor=by(FAY), **WHY))
    made.do(c.SetSeverity(actor=by(FAY), severity="medium"))
    role = c.AssignRole(actor=by(FAY), role="commander", person=FAY)
    assert made.says(role).reason is Reason.ROLE_MISSING
    assert made.says(Restrict(actor=by(FAY), bar=(BEN,), **WHY)).reason is Reason.ROLE_MISSING
    dismiss = c.EndIncident(actor=by(FAY), how="dismissed", reason="x")
    assert made.says(dismiss).reason is Reason.ROLE_MISSING


def test_whoever_reads_in_another_way_keeps_their_own_rights_beside_it() -> None:
    made = restricted()
    made.do(BreakGlass(actor=by(BEN), **WHY))
    assert made.says(Restrict(actor=by(BEN), bar=(CHO,), **WHY)).reason is Reason.NOT_NAMED
    made.do(Restrict(actor=by(CHO), people=(BEN,), **WHY))
    made.do(c.AssignRole(actor=by(BEN), role="commander", person=BEN))


def test_the_review_is_not_its_own_subjects() -> None:
    made = restricted()
    made.do(BreakGlass(actor=by(CHO), **WHY))
    assert made.facts("improvement.added")[0].data["owner"] == "csirt-lead"


def test_what_somebody_barred_had_in_hand_is_nobodys_again() -> None:
    made = restricted()
    made.do(Restrict(actor=by(CHO), people=(FAY,), **WHY))
    made.do(c.AssignStep(actor=by(CHO), step="look", person=FAY))
    assert made.incident.steps["secret/look"].owner == FAY
    made.do(c.StartStep(actor=by(FAY), step="look"))
    assert made.incident.steps["secret/look"].started_by == FAY
    made.do(Restrict(actor=by(CHO), bar=(FAY,), **WHY))
    known = made.incident.steps["secret/look"]
    assert (known.status, known.started_by, known.owner) == ("ready", None, None)
    with made.desk.record.read() as tx:
        facts = tx.facts(made.stream)
    assert fold(empty(made.stream), facts) == made.incident


def test_whoever_is_taken_off_the_list_is_called_off_and_the_others_are_asked() -> None:
    made = restricted()
    assert made.outbox(person=AMY, state="queued")
    kinds = made.do(Restrict(actor=by(CHO), remove=(AMY,), **WHY))
    assert kinds[:2] == ("reader.removed", "page.lapsed")
    assert made.facts("reader.removed")[0].data["called_off"]
    assert not made.outbox(person=AMY, state="queued")
    assert {one.person for one in made.page().reached["0"]} == {BEN}
    assert not reads(made, AMY).some


def test_whoever_reads_it_in_another_way_too_is_not_called_off() -> None:
    made = restricted()
    made.do(Restrict(actor=by(CHO), people=("csirt-duty",), **WHY))
    made.do(Restrict(actor=by(CHO), remove=(AMY,), **WHY))
    assert "called_off" not in made.facts("reader.removed")[0].data
    assert made.outbox(person=AMY, state="queued")
    assert reads(made, AMY).whole


def test_the_deputy_of_somebody_barred_has_their_rights_in_it_and_nowhere_else() -> None:
    made = restricted(bar=(AMY,))
    world = made.desk.world(made.incident)
    assert "csirt-duty" in world.roles_of(made.incident, BEN)
    assert "csirt-duty" not in world.roles_of(None, BEN)
    assert world.roles_of(made.incident, AMY) == frozenset()


def test_the_deputy_of_a_commander_who_is_barred_commands() -> None:
    made = restricted()
    made.do(c.AssignRole(actor=by(CHO), role="commander", person=AMY))
    made.do(Restrict(actor=by(CHO), bar=(AMY,), **WHY))
    assert "commander" in made.desk.world(made.incident).roles_of(made.incident, BEN)
    assert reads(made, BEN).whole


def test_a_playbook_added_later_keeps_those_at_work() -> None:
    made = scene(playbook("p", step("look", owner="pr")), SECRET, declare=False)
    command = c.Declare(actor=by(CHO), text="x", playbooks=("p",))
    made.stream = made.desk.handle(None, command).stream
    made.do(c.UsePlaybook(actor=by(BEN), playbook="secret", how="add", reason="x"))
    assert set(made.incident.restriction.people) >= {BEN, FAY}
    assert reads(made, FAY).whole


def test_a_version_that_is_for_few_restricts_before_anything_else() -> None:
    made = scene(playbook("unknown", step("look", owner="pr")))
    newer = playbook("unknown", step("look", owner="pr"), version="2.0.0", need_to_know=True)
    made.desk = open_desk(newer, record=made.desk.record, clock=made.clock)
    kinds = made.do(c.UsePlaybook(actor=by(BEN), playbook="unknown", how="move", reason="x"))
    assert kinds[:2] == ("incident.restricted", "playbook.moved")
    assert set(made.incident.restriction.people) == {BEN, FAY}
    assert not reads(made, DAN).some
