"""What machines do with steps: claims, outcomes, and what a crash in the middle means."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.commands import (
    Acknowledge,
    ClaimStep,
    Done,
    DraftNotice,
    EndIncident,
    FinishStep,
    MarkDelivery,
    Reclaim,
    RetryStep,
    SetSeverity,
    SettleStep,
)
from models.reason import Reason
from tests.models.small import (
    AMY,
    BEN,
    FAY,
    MACHINE,
    Scene,
    action,
    by,
    decision,
    playbook,
    policy,
    route,
    scene,
    scene_of,
    step,
)

pytestmark = pytest.mark.usefixtures("runs_again")

PROBE = {"use": "http.request", "target": "firewall", "done_if": "output('state') == 'on'"}


def claim(name: str = "block", node: str = "n1", epoch: int = 1, lease: int = 60) -> ClaimStep:
    return ClaimStep(actor=MACHINE, step=name, node=node, epoch=epoch, lease=lease)


def finish(outcome: Any = "done", **fields: Any) -> FinishStep:
    shape: dict[str, Any] = {"step": "block", "node": "n1", "epoch": 1, "attempt": 1} | fields
    return FinishStep(actor=MACHINE, outcome=outcome, **shape)


def claimed(**fields: Any) -> Scene:
    made = scene_of(action("block", **fields))
    made.do(claim())
    return made


def test_a_step_is_claimed_once() -> None:
    made = claimed()
    step_now = made.step("block")
    assert (step_now.status, step_now.node, step_now.attempt) == ("started", "n1", 1)
    assert step_now.lease_until == made.clock.now() + timedelta(seconds=60)
    for again in (claim(), claim(node="n2", epoch=2)):
        assert made.says(again).reason is Reason.STEP_NOT_READY


CLAIMS: list[tuple[str, dict[str, Any], Reason]] = [
    ("A person's step is no machine's", {"kind": "manual", "owner": "cio"}, Reason.STEP_NOT_READY),
    ("A step that waits is not claimed", {"after": ["other"]}, Reason.STEP_NOT_READY),
]


@pytest.mark.parametrize(("fields", "reason"), [row[1:] for row in CLAIMS], ids=[row[0] for row in CLAIMS])
def test_what_cannot_be_claimed(fields: dict[str, Any], reason: Reason) -> None:
    made = step("block", **fields) if "kind" in fields else action("block", **fields)
    assert scene_of(made, step("other")).says(claim()).reason is reason


def test_nothing_is_claimed_in_an_incident_that_has_ended() -> None:
    made = scene_of(action("block"))
    made.do(EndIncident(actor=by(AMY), how="dismissed", reason="-"))
    assert made.says(claim()).reason is Reason.NOT_OPEN


STALE: list[tuple[str, dict[str, Any]]] = [
    ("of another node", {"node": "n2"}),
    ("of an earlier life of the node", {"epoch": 0}),
    ("of another attempt", {"attempt": 2}),
]


@pytest.mark.parametrize("fields", [row[1] for row in STALE], ids=[row[0] for row in STALE])
def test_an_outcome_is_refused(fields: dict[str, Any]) -> None:
    assert claimed().says(finish(**fields)).reason is Reason.STALE_CLAIM


def test_an_outcome_is_taken_once() -> None:
    made = claimed()
    assert "step.done" in made.do(finish(engine="prefect"))
    assert made.says(finish()).reason is Reason.STALE_CLAIM
    assert made.step("block").done_by == "hikeshi"


def test_an_outcome_after_a_person_has_skipped_the_step_is_refused() -> None:
    made = claimed()
    made.do(SettleStep(actor=by(BEN), step="block", how="skipped", reason="-"))
    assert made.says(finish()).reason is Reason.STALE_CLAIM


FIELDS = [
    {"id": "count", "title": "-", "type": "number"},
    {"id": "note", "title": "-"},
]


def test_outputs_are_kept_by_their_type_and_all_else_is_text() -> None:
    made = claimed(record=FIELDS, sets={"found": "count"})
    made.do(finish(outputs={"count": "3", "note": "x", "more": "y", "empty": " "}))
    outputs, texts = made.step("block").outputs, made.desk.texts(made.stream)
    assert outputs["count"] == 3
    assert {name: texts[outputs[name]] for name in ("note", "more")} == {"note": "x", "more": "y"}
    assert "empty" not in outputs
    assert made.incident.variables["unknown.found"] == 3


def test_a_number_that_a_machine_cannot_write_is_kept_as_text() -> None:
    made = claimed(record=FIELDS, sets={"found": "count"})
    made.do(finish(outputs={"count": "many"}))
    assert made.desk.texts(made.stream)[made.step("block").outputs["count"]] == "many"
    assert "unknown.found" not in made.incident.variables


def item(**fields: Any) -> dict[str, Any]:
    return {"digest": "sha256:" + "b" * 64, "size": 7, "stored": "bb", "name": "x.log"} | fields


@pytest.mark.parametrize(
    ("fields", "source"), [({"preserves": ["logs"]}, "logs"), ({}, "block")], ids=["named", "not named"]
)
def test_what_a_machine_collects_is_evidence(fields: dict[str, Any], source: str) -> None:
    made = claimed(**fields)
    made.do(finish(evidence=(item(), item(problem="cut short"))))
    first, other = made.incident.evidence.values()
    assert (first.source, first.size, first.partial) == (source, 7, False)
    assert other.partial
    assert made.desk.texts(made.stream)[first.name] == "x.log"


def test_a_machine_s_step_says_which_services_it_stopped() -> None:
    made = scene(
        playbook("unknown", action("block", stops=["payments"], decided_by="may", after=[]), step("other"))
    )
    from models.commands import OverrideGate  # noqa: PLC0415
    from tests.models.small import CHO  # noqa: PLC0415

    for gate in ("shutdown-authority", "containment-or-preservation"):
        made.do(OverrideGate(actor=by(CHO), gate=gate, step="block", reason="-"))
    made.do(claim())
    made.do(finish())
    assert made.incident.services["payments"].stopped_at == made.clock.now()


@pytest.mark.parametrize("outcome", ["failed", "unknown"])
def test_a_failure_pages_somebody_and_a_person_decides_what_follows(outcome: Any) -> None:
    for how, status in (("again", "ready"), ("done", "done")):
        made = claimed()
        made.do(finish(outcome, error="refused by the firewall"))
        page = made.page("step:unknown/block")
        assert (made.step("block").status, page.event) == (outcome, "step-unknown")
        retry = RetryStep(actor=by(AMY), step="block", how=how, reason="checked")  # type: ignore[arg-type]
        made.do(retry)
        assert made.step("block").status == status
        assert made.says(retry).reason is Reason.STEP_NOT_READY
    made = claimed()
    made.do(finish("failed"))
    assert made.says(RetryStep(actor=by(AMY), step="block", how="again", reason="")).reason is (
        Reason.REASON_MISSING
    )


CRASHES: list[tuple[str, dict[str, Any], str, bool]] = [
    ("What may run twice runs again", {"on_crash": "idempotent"}, "ready", False),
    ("What can be looked at is looked at first", {"on_crash": "probe", "probe": PROBE}, "ready", True),
    ("What is neither waits for a person", {"on_crash": "ask"}, "unknown", False),
]


@pytest.mark.parametrize(
    ("fields", "status", "look"), [row[1:] for row in CRASHES], ids=[row[0] for row in CRASHES]
)
@pytest.mark.parametrize("how", ["the lease runs out", "the node starts again"])
def test_a_crash_in_the_middle(fields: dict[str, Any], status: str, look: bool, how: str) -> None:
    made = claimed(**fields)
    if how == "the lease runs out":
        assert made.wait(0.99) == ()
        made.wait(0.01)
    else:
        made.do(Reclaim(actor=MACHINE, node="n1", epoch=2))
    assert (made.step("block").status, made.step("block").look_first) == (status, look)
    asked = [page for page in made.incident.pages.values() if page.event == "step-unknown"]
    assert len(asked) == (1 if status == "unknown" else 0)
    if status == "ready":
        made.do(claim(epoch=2))
        assert made.step("block").attempt == 2
        assert made.says(finish()).reason is Reason.STALE_CLAIM


def test_a_node_takes_back_only_what_its_earlier_life_had_in_hand() -> None:
    made = claimed()
    assert made.do(Reclaim(actor=MACHINE, node="n2", epoch=9)) == ()
    assert made.do(Reclaim(actor=MACHINE, node="n1", epoch=1)) == ()
    assert made.step("block").status == "started"


def test_a_step_under_way_that_is_late_is_said_so() -> None:
    made = claimed(within="30s")
    assert "step.overdue" in made.wait(0.5)


def test_a_notice_is_drafted_by_the_machine_and_sent_by_a_person() -> None:
    made = scene_of(step("tell", kind="notice", to=["pr"], owner="pr"))
    draft = DraftNotice(actor=MACHINE, step="tell", document="sha256:1")
    assert made.do(draft) == ("notice.drafted",)
    assert made.do(draft) == ()
    assert made.step("tell").drafted == "sha256:1"
    made.do(Done(actor=by(FAY), step="tell"))


# -- pages seen from the desk -------------------------------------------------------------------------------


def given_up(row: dict[str, Any], **fields: Any) -> MarkDelivery:
    shape = {"key": row["key"], "page": row["page"], "channel": row["channel"], "person": row["person"]}
    return MarkDelivery(actor=MACHINE, outcome="given_up", **(shape | fields))


BOTH = route("main", "declared", levels=[
    {"to": ["csirt-duty", "csirt-lead"], "within": "5m", "answer": "all"},
    {"to": ["ciso"], "within": "5m"},
])  # fmt: skip
ROUTES = [BOTH, route("rest", levels=[{"to": ["cio"], "within": "10m"}])]


def on_two() -> Scene:
    """A level of two people who both have to answer."""
    return scene(playbook("unknown", step("look", optional=True)), policy=policy(routes=ROUTES))


def test_where_all_must_answer_only_the_last_answer_stops_the_page() -> None:
    made = on_two()
    made.do(Acknowledge(actor=by(AMY)))
    assert made.page().state == "open"
    made.do(Acknowledge(actor=by(BEN)))
    assert made.page().state == "acknowledged"


def test_a_level_that_no_channel_reaches_climbs_at_once() -> None:
    made = on_two()
    rows = made.outbox(kind="page")
    assert made.do(given_up(rows[0], further=("file",))) == ("message.given_up",)
    assert made.do(given_up(rows[0])) == ("message.given_up",)
    assert made.do(given_up(rows[1])) == ("message.given_up", "page.hurried")
    assert "page.escalated" in made.wait(0)
    assert made.page().level == 1
    assert made.do(given_up(rows[1])) == ("message.given_up",)
    for extra in ({"page": 0}, {"page": 99}, {"level": 7, "page": made.page().id}):
        assert made.do(given_up(rows[1], **extra)) == ("message.given_up",)


def test_a_level_without_anybody_on_it_climbs_at_once() -> None:
    empty = route("main", "declared", levels=[
        {"to": ["president"], "within": "5m"}, {"to": ["ciso"], "within": "5m"}
    ])  # fmt: skip
    rest = route("rest", levels=[{"to": ["cio"], "within": "10m"}])
    made = scene(playbook("unknown", step("look", optional=True)), policy=policy(routes=[empty, rest]))
    assert "page.escalated" in made.wait(0)
    assert [one.person for one in made.page().reached["1"]] == ["cho"]


def test_an_event_without_a_route_is_said_and_not_asked_twice() -> None:
    only = route("rest", "impaired", levels=[{"to": ["cio"], "within": "10m"}])
    made = scene(policy=policy(routes=[only]))
    assert len(made.facts("page.unanswerable")) == 1
    assert made.says(Acknowledge(actor=by(AMY))).reason is Reason.NO_SUCH_PAGE


def test_marks_of_messages_are_kept_short() -> None:
    made = on_two()
    row = made.outbox(kind="page")[0]
    made.do(given_up(row, detail="x" * 900, further=("file",)))
    fact = made.facts("message.given_up")[0]
    assert len(str(fact.data)) < 600


def test_an_answer_without_a_page_is_to_the_page_that_asked_this_person() -> None:
    """Ben is on the second level of the decision, which has not asked him, and on the first of the rise."""
    routes = [
        route(
            "decision",
            "decision",
            levels=[{"to": ["authority"], "within": "5m"}, {"to": ["csirt-lead"], "within": "5m"}],
        ),
        route("main", "declared", "severity-raised", levels=[{"to": ["csirt-lead"], "within": "5m"}]),
    ]
    made = scene(playbook("unknown", decision("choose")), policy=policy(routes=routes))
    made.do(Acknowledge(actor=by(BEN), page=made.page().id))
    made.do(SetSeverity(actor=by(BEN), severity="high"))
    made.do(Acknowledge(actor=by(BEN)))
    assert made.page("step:unknown/choose").state == "open"
    assert made.page(event="severity-raised").state == "acknowledged"
