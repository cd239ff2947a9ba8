"""A source's retention is a clock: logs rotate while people wait."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from models.clocks.retention import retention_clocks
from models.commands import AddEvidence, EndIncident, SetInstant, SettleStep
from models.custody import Found, VerifyEvidence
from models.organisation import EvidenceSource
from tests.models.clockhouse import CLOCK_ROUTES, after, clock
from tests.models.small import (
    AMY,
    BEN,
    MACHINE,
    NIGHT,
    Scene,
    by,
    organisation,
    playbook,
    policy,
    scene,
    step,
)

FIREWALL = {"id": "fw-logs", "title": "Firewall logs", "retention": "72h", "volatility": 5, "owner": "it-ops"}
TAPE = {"id": "tape", "title": "Tapes"}
NAME = "retention:fw-logs"
DIGEST = "sha256:" + "a" * 64


def kept(*preserves: str, sources: tuple[dict[str, Any], ...] = (FIREWALL, TAPE)) -> Scene:
    plan = playbook(
        "unknown", *(step(f"keep-{name}", phase="preservation", preserves=[name]) for name in preserves)
    )
    own = organisation(fields={"evidence_sources": list(sources)})
    return scene(plan, organisation=own, policy=policy(routes=CLOCK_ROUTES))


def preserve(made: Scene, **fields: Any) -> None:
    given: dict[str, Any] = {"source": "fw-logs", "description": "-", "digest": DIGEST, "size": 1}
    made.do(AddEvidence(actor=by(AMY), **(given | fields)))


def test_it_runs_from_the_declaration_and_once_known_from_the_detection() -> None:
    made = kept("fw-logs")
    known = clock(made, NAME)
    assert (known.kind, known.owner, known.due_at) == ("retention", "it-ops", after(72))
    assert known.basis["from"] == "declared"
    detected = NIGHT - timedelta(hours=5)
    made.do(SetInstant(actor=by(AMY), name="detected", instant=detected, source="-"))
    assert clock(made, NAME).due_at == after(67)
    assert clock(made, NAME).basis["from"] == "detected"


def test_whole_evidence_of_the_source_meets_it_and_damage_starts_it_again() -> None:
    made = kept("fw-logs")
    preserve(made, source="memory")
    preserve(made, partial=True)
    assert clock(made, NAME).status == "running"
    preserve(made)
    assert clock(made, NAME).status == "met"
    made.do(VerifyEvidence(actor=MACHINE, found=(Found(id="EV-0003", result="missing"),)))
    assert clock(made, NAME).status == "running"


def test_logs_that_rotate_before_anybody_has_them_page_somebody() -> None:
    made = kept("fw-logs")
    assert "clock.breached" in made.wait(72 * 60 + 1)
    assert made.page(f"clock:{NAME}", "clock-breached").state == "open"
    preserve(made)
    assert clock(made, NAME).status == "missed"


def test_only_sources_that_a_step_preserves_and_that_rotate_have_a_clock() -> None:
    assert NAME not in kept("memory").incident.clocks
    assert kept("tape", "fw-logs").incident.clocks.keys() == {NAME}


@pytest.mark.parametrize("how", ["skipped", "not-applicable"])
def test_a_step_that_is_dropped_ends_it(how: Any) -> None:
    made = kept("fw-logs")
    made.do(SettleStep(actor=by(BEN), step="keep-fw-logs", how=how, reason="-"))
    assert clock(made, NAME).status == "ended"


def test_it_ends_with_the_incident() -> None:
    made = kept("fw-logs")
    made.do(EndIncident(actor=by(AMY), how="dismissed", reason="-"))
    assert made.wait(100 * 60) == ()


def test_what_rotates_after_closing_is_nobodys_clock() -> None:
    made = kept("fw-logs")
    state, world = made.incident, made.desk.world(made.incident)
    assert [one.id for one in retention_clocks(state, world)] == [NAME]
    state.status = "closed"
    assert list(retention_clocks(state, world)) == []


def test_without_an_owner_the_lead_answers_for_it() -> None:
    made = kept("fw-logs", sources=({**FIREWALL, "owner": None},))
    assert clock(made, NAME).owner == "csirt-lead"


def test_a_class_of_volatility_is_one_of_seven() -> None:
    with pytest.raises(ValidationError, match="volatility"):
        EvidenceSource.model_validate({**FIREWALL, "volatility": 8})
