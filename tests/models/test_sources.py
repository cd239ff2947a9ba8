"""Sources of evidence that cannot be reached: on record, and somebody is paged, because logs rotate."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from models.commands import AddEvidence, ClaimStep, FinishStep, RetryStep
from models.sources import missing_sources, unreachable_fact
from tests.models.small import (
    AMY,
    MACHINE,
    ROUTES,
    Scene,
    action,
    by,
    playbook,
    policy,
    route,
    scene,
    scene_of,
)

WHY = "web1: not reached: Connection refused; nothing was collected"
DIGEST = "sha256:" + "a" * 64
ITEM = {"name": "a.log", "digest": DIGEST, "size": 3, "stored": "sha256/aa/a", "problem": None}


def claim() -> ClaimStep:
    return ClaimStep(actor=MACHINE, step="block", node="n1", epoch=1, lease=60)


def lost(attempt: int = 1, **fields: Any) -> FinishStep:
    shape: dict[str, Any] = {"outcome": "failed", "error": WHY, "unreachable": True} | fields
    return FinishStep(actor=MACHINE, step="block", node="n1", epoch=1, attempt=attempt, **shape)


def collecting() -> Scene:
    made = scene_of(action("block", preserves=["auth-logs"], target="firewall"))
    made.do(claim())
    return made


def test_a_source_that_cannot_be_reached_is_a_fact_and_pages_somebody_for_its_step() -> None:
    made = collecting()
    made.do(lost())
    known = made.incident.unreachable["firewall"]
    assert (known.source, known.step, known.times) == ("auth-logs", "unknown/block", 1)
    assert made.desk.texts(made.stream)[known.why] == WHY
    page = made.page("step:unknown/block", "source-unreachable")
    assert page.detail == {"target": "firewall"}
    assert made.outbox(template="page.source_unreachable")
    assert [one.target for one in missing_sources(made.incident)] == ["firewall"]


def test_what_came_before_it_broke_off_is_kept_and_does_not_count_as_reached() -> None:
    made = collecting()
    made.do(lost(evidence=(ITEM | {"problem": "the connection broke"},)))
    [item] = made.incident.evidence.values()
    assert item.partial
    assert [one.target for one in missing_sources(made.incident)] == ["firewall"]


def test_once_it_is_reached_nothing_is_missing_and_the_page_ends() -> None:
    made = collecting()
    made.do(lost())
    made.do(RetryStep(actor=by(AMY), step="block", how="again", reason="the line is back"))
    made.do(claim())
    made.clock.advance(timedelta(minutes=1))
    made.do(lost(2, outcome="done", error="", unreachable=False, evidence=(ITEM,)))
    assert missing_sources(made.incident) == []
    assert made.page("step:unknown/block", "source-unreachable").state == "stopped"


def test_another_way_to_the_same_evidence_counts_too() -> None:
    made = collecting()
    made.do(lost())
    made.clock.advance(timedelta(minutes=1))
    made.do(AddEvidence(actor=by(AMY), source="other", description="of another", digest=DIGEST, size=3))
    assert missing_sources(made.incident)
    made.do(AddEvidence(actor=by(AMY), source="auth-logs", description="on a disk", digest=DIGEST, size=3))
    assert missing_sources(made.incident) == []


def test_a_second_failure_is_counted_and_pages_again() -> None:
    made = collecting()
    made.do(lost())
    made.do(RetryStep(actor=by(AMY), step="block", how="again", reason="the line is back"))
    made.do(claim())
    made.do(lost(2))
    assert made.incident.unreachable["firewall"].times == 2
    asked = [one for one in made.incident.pages.values() if one.event == "source-unreachable"]
    assert [one.state for one in asked] == ["stopped", "open"]


def test_a_route_of_its_own_is_taken() -> None:
    own = route("sources", "source-unreachable", levels=[{"to": ["ciso"], "within": "5m"}])
    made = scene(playbook("unknown", action("block", after=[])), policy=policy(routes=[own, *ROUTES]))
    made.do(claim())
    made.do(lost())
    assert made.page("step:unknown/block", "source-unreachable").route == "sources"


def test_a_reason_that_was_not_given_is_said_to_be_none() -> None:
    assert unreachable_fact("web1", ["auth-logs"], "").texts == {"why": "-"}
