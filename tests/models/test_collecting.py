"""Collections by hand: on record from their beginning, refused before anything is read."""

from __future__ import annotations

from typing import Any

import pytest

from models.collecting import BeginCollection, EndCollection
from models.commands import AddEvidence
from models.reason import Reason
from models.sources import missing_sources
from tests.models.small import AMY, DAN, Scene, by, scene_of, step

pytestmark = pytest.mark.usefixtures("runs_again")

DIGEST = "sha256:" + "b" * 64
ITEM = {
    "name": "web1.log",
    "digest": DIGEST,
    "size": 12,
    "stored": "sha256/bb/b",
    "source": "https://logs",
    "problem": None,
    "tool": "logs.collect: GET /v1",
    "host": "logs",
    "collected_at": "2026-11-22T18:00:00.000000Z",
    "offset_ms": -250,
    "range_from": "2026-11-22T00:00:00.000000Z",
    "range_until": "2026-11-22T18:00:00.000000Z",
}


def begun(made: Scene, **fields: Any) -> int:
    made.do(BeginCollection(actor=by(AMY), target="web-logs", source="web-logs", **fields))
    return made.facts("collection.begun")[-1].seq


def end(made: Scene, number: int, outcome: Any = "done", **fields: Any) -> EndCollection:
    shape: dict[str, Any] = {"target": "web-logs", "source": "web-logs"} | fields
    return EndCollection(actor=by(AMY), begun=number, outcome=outcome, **shape)


def test_what_was_collected_is_evidence_with_all_that_is_known_of_it() -> None:
    made = scene_of(step("look"))
    number = begun(made, step="look")
    made.do(end(made, number, items=(ITEM, ITEM), step="look"))
    first, second = made.incident.evidence.values()
    assert (first.source, first.by, first.step) == ("web-logs", AMY, "unknown/look")
    assert (first.size, first.digest, first.partial, first.clock_offset_ms) == (12, DIGEST, False, -250)
    assert first.covers == [ITEM["range_from"], ITEM["range_until"]]
    assert made.desk.texts(made.stream)[first.words["tool"]] == "logs.collect: GET /v1"
    assert second.duplicate_of == first.id
    [ended] = made.facts("collection.ended")
    assert ended.data == {"begun": number, "target": "web-logs", "outcome": "done", "taken": 2}


def test_a_source_that_gives_nothing_pages_once_however_often_it_is_tried() -> None:
    made = scene_of(step("look"))
    for _ in range(3):
        made.do(end(made, begun(made), "unreachable", error="web1: not reached"))
    page = made.page("source:web-logs", "source-unreachable")
    assert len([one for one in made.incident.pages.values() if one.event == "source-unreachable"]) == 1
    assert made.incident.unreachable["web-logs"].times == 3
    made.do(end(made, begun(made), items=(ITEM,)))
    assert missing_sources(made.incident) == []
    assert made.incident.pages[page.id].state == "stopped"


def test_a_failure_is_on_record_with_its_reason() -> None:
    made = scene_of(step("look"))
    made.do(end(made, begun(made), "failed", error="nothing there fits"))
    [ended] = made.facts("collection.ended")
    assert made.desk.texts(made.stream)[ended.data["error"]] == "nothing there fits"
    assert not made.incident.unreachable


def test_whoever_may_not_is_refused_before_anything_is_read() -> None:
    made = scene_of(step("look"))
    refused = made.says(BeginCollection(actor=by(DAN), target="web-logs", source="web-logs"))
    assert refused.reason is Reason.ROLE_MISSING
    assert made.facts("collection.begun") == []


@pytest.mark.parametrize("number", [0, -1, 10_000])
def test_an_end_names_its_beginning(number: int) -> None:
    made = scene_of(step("look"))
    begun(made)
    assert made.says(end(made, number)).reason is Reason.FIELD_WRONG


def test_what_stands_in_a_fact_is_one_printable_line() -> None:
    made = scene_of(step("look"))
    for source, target in (("a\x1b[2J", "web1"), ("logs", "we\nb1")):
        begin = BeginCollection(actor=by(AMY), source=source, target=target)
        assert made.says(begin).reason is Reason.FIELD_WRONG
    added = AddEvidence(actor=by(AMY), source="mem\u202eory", description="-")
    assert made.says(added).reason is Reason.FIELD_WRONG
