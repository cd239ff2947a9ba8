"""How an incident goes on and ends: playbooks, merging, resolving, closing, and what stays allowed after."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.commands import (
    Absorb,
    Acknowledge,
    Actor,
    AddEvidence,
    AddImprovement,
    AttachAlert,
    ClaimStep,
    Close,
    Declare,
    Done,
    DraftReview,
    EndImprovement,
    EndIncident,
    Impair,
    Link,
    Merge,
    Note,
    OverrideGate,
    Reopen,
    Resolve,
    ScopeFact,
    ServiceFact,
    SetInstant,
    SetRecoveryPoint,
    SetSeverity,
    UsePlaybook,
)
from models.decide import next_due
from models.desk import Desk
from models.errors import NotFound
from models.playbook import FieldType, RecordField
from models.reason import Reason
from models.rules.incident import INSTANTS
from models.rules.steps import read_fields
from models.values import Text
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVE,
    FAY,
    GUS,
    MACHINE,
    NIGHT,
    Scene,
    action,
    by,
    open_desk,
    playbook,
    scene,
    scene_of,
    step,
)

SOON = NIGHT + timedelta(days=30)
RESOLVE = Resolve(actor=by(BEN), cause="mail", entry_route="vpn", watch=3600)
CLOSE = Close(actor=by(BEN), assessment="good", spread="-")
IMPROVE = AddImprovement(actor=by(AMY), title="patch", owner=DAN, due=SOON)


def second(made: Scene, text: str = "other") -> str:
    return made.desk.handle(None, Declare(actor=by(AMY), text=text)).stream


# -- declaring ----------------------------------------------------------------------------------------------


def test_one_text_is_enough() -> None:
    made = scene()
    state = made.incident
    assert made.desk.texts(made.stream)[state.title] == "odd"
    assert (state.status, state.declared_by, list(state.playbooks)) == ("open", AMY, ["unknown"])
    assert state.severity == "low"
    assert made.stream == "INC-2026-0001"


def test_everything_may_be_said_at_once() -> None:
    made = scene(playbook("second", step("look")), declare=False, drill=True)
    command = Declare(
        actor=by(AMY),
        text=" odd ",
        playbooks=("second", "unknown", "second"),
        severity="high",
        alerts=("AL-1",),
        services=("payments",),
        occurred=NIGHT - timedelta(hours=2),
        detected=NIGHT - timedelta(hours=1),
    )
    made.stream = made.desk.handle(None, command).stream
    state = made.incident
    assert (list(state.playbooks), state.severity, state.alerts) == (["second", "unknown"], "high", ["AL-1"])
    assert state.services["payments"].since == state.instants["occurred"] == NIGHT - timedelta(hours=2)
    assert state.drill


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"text": " "}, Reason.EMPTY),
        ({"text": "x" * 301}, Reason.TOO_LONG),
        ({"playbooks": ("garden",)}, Reason.NO_SUCH_PLAYBOOK),
        ({"severity": "garden"}, Reason.NO_SUCH_SEVERITY),
        ({"services": ("garden",)}, Reason.NO_SUCH_SERVICE),
        ({"detected": NIGHT + timedelta(hours=1)}, Reason.IN_FUTURE),
    ],
    ids=["no text", "a novel", "no such playbook", "no such severity", "no such service", "in the future"],
)
def test_a_declaration_that_is_refused_opens_nothing(fields: dict[str, Any], reason: Reason) -> None:
    desk = open_desk()
    outcome = desk.handle(None, Declare(actor=by(AMY), **({"text": "x"} | fields)))
    assert (outcome.refused, outcome.opened) == (reason, None)
    assert desk.handle(None, Declare(actor=by(AMY), text="x")).stream == "INC-2026-0001"


def test_numbers_follow_the_year_of_the_institution_s_own_zone() -> None:
    desk = open_desk()
    clock: Any = desk.clock
    clock.set(NIGHT.replace(month=12, day=31, hour=15))
    assert desk.handle(None, Declare(actor=by(AMY), text="x")).opened == "INC-2027-0001"


# -- playbooks ----------------------------------------------------------------------------------------------

OTHER = playbook("second", step("dig", within="1h"), action("copy"), variables={"depth": {"default": 2}})


def use(how: Any, name: str = "second", reason: str = "-") -> UsePlaybook:
    return UsePlaybook(actor=by(BEN), how=how, playbook=name, reason=reason)


def test_a_playbook_is_added_and_dropped_by_decision() -> None:
    made = scene(OTHER)
    assert made.says(use("add", reason="")).reason is Reason.REASON_MISSING
    assert made.says(use("add", "garden")).reason is Reason.NO_SUCH_PLAYBOOK
    assert made.says(use("drop")).reason is Reason.NO_SUCH_PLAYBOOK
    assert made.says(use("move")).reason is Reason.NO_SUCH_PLAYBOOK
    made.do(use("add"))
    assert made.step("second/dig").status == "ready"
    assert made.incident.variables["second.depth"] == 2
    assert made.says(use("add")).reason is Reason.PLAYBOOK_IN_USE
    assert made.says(use("move")).reason is Reason.ALREADY
    made.do(use("drop"))
    assert (list(made.incident.playbooks), made.incident.dropped) == (["unknown"], ["second"])
    assert made.says(use("drop", "unknown")).reason is Reason.LAST_PLAYBOOK


def test_what_was_done_stays_when_a_playbook_is_dropped_and_the_rest_comes_back_with_it() -> None:
    made = scene(OTHER)
    made.do(use("add"))
    made.do(Done(actor=by(AMY), step="second/dig"))
    made.do(use("drop"))
    assert made.step("second/dig").status == "done"
    made.do(use("add"))
    assert made.step("second/copy").status == "ready"


def test_dropping_a_playbook_ends_its_timers_even_in_the_middle_of_a_machine_step() -> None:
    made = scene(OTHER)
    made.do(use("add"))
    made.do(ClaimStep(actor=MACHINE, step="second/copy", node="n", epoch=1, lease=60))
    made.do(use("drop"))
    made.do(Acknowledge(actor=by(AMY)))
    made.do(SetSeverity(actor=by(AMY), severity="low"))
    made.wait(120)
    due = next_due(made.incident)
    assert due is None or due > made.clock.now()


def test_an_incident_keeps_its_playbook_until_somebody_moves_it() -> None:
    made = scene(OTHER)
    made.do(use("add"))
    newer = playbook("second", step("dig", within="1h"), step("fill", after=["dig"]), version="1.1.0")
    desk = open_desk(newer, record=made.desk.record, clock=made.clock)
    moved = Scene(desk=desk, clock=made.clock, stream=made.stream)
    assert "second/fill" not in desk.world(moved.incident).steps(moved.incident)
    assert "second/copy" in desk.world(moved.incident).steps(moved.incident)
    moved.do(use("move"))
    moved.do(Done(actor=by(AMY), step="second/dig"))
    assert moved.step("second/fill").status == "ready"
    assert moved.incident.playbooks["second"].version == "1.1.0"
    moved.wait(600)
    due = next_due(moved.incident)
    assert due is None or due > moved.clock.now()


# -- ends ---------------------------------------------------------------------------------------------------

ENDS = [
    ("dismissed", EndIncident(actor=by(AMY), how="dismissed", reason="a fault")),
    ("cancelled", EndIncident(actor=by(BEN), how="cancelled", reason="a mistake")),
]


@pytest.mark.parametrize(("status", "command"), ENDS, ids=[row[0] for row in ENDS])
def test_what_has_ended_pages_nobody_and_takes_nothing_but_notes(status: str, command: EndIncident) -> None:
    made = scene_of(step("look", within="10m"), action("copy"))
    made.do(ClaimStep(actor=MACHINE, step="copy", node="n", epoch=1, lease=60))
    made.do(command)
    assert made.incident.status == status
    assert {page.state for page in made.incident.pages.values()} == {"stopped"}
    assert made.outbox(state="queued", kind="page") == []
    assert made.wait(600) == ()
    for refused in (
        Done(actor=by(AMY), step="look"),
        SetSeverity(actor=by(AMY), severity="high"),
        Reopen(actor=by(BEN), phase="triage", reason="-"),
        EndIncident(actor=by(BEN), how="cancelled", reason="-"),
    ):
        assert made.says(refused).reason is Reason.NOT_OPEN
    assert made.says(Reopen(actor=by(BEN), reason="-")).reason is Reason.ALREADY
    made.do(Note(actor=by(AMY), text="x"))


def test_a_merged_incident_goes_on_in_the_other() -> None:
    made = scene()
    first, made.stream = made.stream, second(made)
    made.do(AttachAlert(actor=MACHINE, alert="AL-7"))
    assert made.says(Merge(actor=by(BEN), into=made.stream, reason="-")).reason is Reason.SELF_MERGE
    nowhere = made.desk.handle(made.stream, Merge(actor=by(BEN), into="INC-2026-0099", reason="-"))
    assert nowhere.refused is Reason.NO_SUCH_INCIDENT
    assert made.incident.status == "open"
    made.do(Merge(actor=by(BEN), into=first, reason="the same"))
    assert (made.incident.status, made.incident.merged_into) == ("merged", first)
    other = made.desk.incident(first)
    assert (other.links, other.alerts) == ({made.stream: "merged"}, ["AL-7"])
    back = made.desk.handle(first, Merge(actor=by(BEN), into=made.stream, reason="-"))
    assert back.refused is Reason.NOT_OPEN
    assert made.desk.incident(first).status == "open"


def test_incidents_are_linked_once() -> None:
    made = scene()
    made.do(Link(actor=by(AMY), to="INC-2026-0009"))
    again = Link(actor=by(AMY), to="INC-2026-0009")
    assert made.says(again).reason is Reason.ALREADY
    assert made.says(Link(actor=by(AMY), to=made.stream)).reason is Reason.SELF_MERGE
    odd = Link(actor=by(AMY), to="INC-2026-0009", relation="x" * 9999)
    assert made.says(odd).reason is Reason.NO_SUCH_ITEM
    assert made.incident.links == {"INC-2026-0009": "related"}


def over() -> Scene:
    """An incident whose phases have all ended."""
    made = scene_of(step("look"))
    made.do(Acknowledge(actor=by(AMY)))
    made.do(Done(actor=by(AMY), step="look"))
    return made


def test_resolving_waits_for_the_phases() -> None:
    made = scene_of(step("look"))
    assert made.says(RESOLVE).detail["causes"] == [
        f"phase-open:{name}"
        for name in ("triage", "preservation", "analysis", "containment", "eradication", "recovery")
    ]
    made = over()
    made.do(RESOLVE)
    state = made.incident
    assert (state.status, state.watch_until) == ("resolved", made.clock.now() + timedelta(hours=1))
    assert made.says(RESOLVE).reason is Reason.NOT_OPEN


def test_the_watch_period_is_the_longest_that_the_playbooks_ask_for() -> None:
    periods = [("5d", "9d", 9), (None, "2d", 2), (None, None, 3)]
    for first, other, days in periods:
        books = [
            playbook("unknown", step("look"), **({"watch_period": first} if first else {})),
            playbook("second", step("look"), **({"watch_period": other} if other else {})),
        ]
        made = scene(*books)
        made.do(use("add"))
        made.do(Done(actor=by(AMY), step="unknown/look"))
        made.do(Done(actor=by(AMY), step="second/look"))
        made.do(Resolve(actor=by(BEN), cause="x", entry_route="x"))
        assert made.incident.watch_until == made.clock.now() + timedelta(days=days)


CAUSES: list[tuple[str, str]] = [
    ("The response is not over", "not-resolved:incident"),
    ("The watch period runs", "watch-period:running"),
    ("The cause is missing", "no-review:cause"),
    ("The entry route is missing", "no-review:entry_route"),
    ("A phase is open", "phase-open:lessons"),
    ("There is no improvement", "no-improvement:none"),
    ("Somebody has not confirmed what was written for them", "unconfirmed:cho"),
]


@pytest.mark.parametrize("cause", [row[1] for row in CAUSES], ids=[row[0] for row in CAUSES])
def test_closing_waits_for(cause: str) -> None:
    assert cause in causes_on_the_way()
    made = closable()
    made.do(CLOSE)


def against_closing(made: Scene) -> set[str]:
    causes: Any = made.says(CLOSE).detail["causes"]
    return set(causes)


def causes_on_the_way() -> set[str]:
    """Every cause that stands against closing between the beginning and the end."""
    made = scene_of(step("look"))
    made.do(Note(actor=by(GUS), for_=CHO, text="x"))
    found = against_closing(made)
    assert "watch-period:running" not in found
    made = over()
    made.do(RESOLVE)
    return found | against_closing(made)


def closable() -> Scene:
    made = over()
    made.do(RESOLVE)
    made.do(IMPROVE)
    made.wait(60)
    return made


def test_only_the_top_closes_over_an_open_cause() -> None:
    made = over()
    made.do(RESOLVE)
    override: dict[str, Any] = {"gate": "closing", "step": made.stream, "reason": "-"}
    assert made.says(OverrideGate(actor=by(BEN), **override)).reason is Reason.AUTHORITY_MISSING
    made.do(OverrideGate(actor=by(DAN), **override))
    made.do(CLOSE)
    assert made.facts("gate.overridden")[0].data["causes"] == ["watch-period:running", "no-improvement:none"]
    made = closable()
    assert made.says(OverrideGate(actor=by(CHO), **override)).reason is Reason.NOT_HELD


AFTERWARDS: list[tuple[str, Any, Reason | None]] = [
    ("a note", Note(actor=by(FAY), text="x"), None),
    ("evidence", AddEvidence(actor=by(AMY), source="x", description="x"), None),
    ("an improvement", IMPROVE, None),
    ("an instant", SetInstant(actor=by(AMY), name="occurred", instant=NIGHT, source="x"), None),
    ("a link", Link(actor=by(AMY), to="INC-2026-0009"), None),
    ("a severity", SetSeverity(actor=by(AMY), severity="high"), Reason.NOT_OPEN),
    ("a playbook", use("add"), Reason.NOT_OPEN),
    ("an alert", AttachAlert(actor=MACHINE, alert="AL-1"), Reason.NOT_OPEN),
    ("a merger", Absorb(actor=MACHINE, other="INC-2026-0009"), Reason.NOT_OPEN),
    ("closing again", CLOSE, Reason.NOT_OPEN),
    ("reopening", Reopen(actor=by(BEN), reason="a new host"), None),
]


@pytest.mark.parametrize(("command", "reason"), [r[1:] for r in AFTERWARDS], ids=[r[0] for r in AFTERWARDS])
def test_after_closing(command: Any, reason: Reason | None) -> None:
    made = closable()
    made.do(CLOSE)
    assert made.incident.status == "closed"
    if reason is None:
        made.do(command)
    else:
        assert made.says(command).reason is reason


def test_a_reopened_incident_is_open_and_can_be_resolved_again() -> None:
    made = closable()
    made.do(CLOSE)
    made.do(Reopen(actor=by(BEN), reason="a new host"))
    state = made.incident
    assert (state.status, state.resolved_at, state.closed_at, state.watch_until) == ("open", None, None, None)
    made.do(RESOLVE)


# -- what is affected ---------------------------------------------------------------------------------------


def service(what: Any, **fields: Any) -> ServiceFact:
    return ServiceFact(actor=by(fields.pop("person", AMY)), service="payments", what=what, **fields)


def test_each_instant_of_a_service_is_given_and_none_inferred() -> None:
    made = scene()
    assert made.says(service("restored")).reason is Reason.NO_SUCH_SERVICE
    made.do(service("impacted", instant=NIGHT - timedelta(hours=1), level="partial"))
    early = service("restored", instant=NIGHT - timedelta(hours=2))
    assert made.says(early).reason is Reason.BEFORE_START
    assert made.says(service("restored", instant=NIGHT + timedelta(hours=1))).reason is Reason.IN_FUTURE
    made.do(service("works"))
    made.do(service("confirmed-by-owner", person=EVE))
    made.do(service("restored", note="all tills"))
    known = made.incident.services["payments"]
    assert (known.restored_at, known.works_at, known.confirmed) == (NIGHT, NIGHT, {"owner": EVE})
    assert (known.level, made.desk.texts(made.stream)[known.note]) == ("target", "all tills")
    made.do(service("fails"))
    assert made.incident.services["payments"].works_at is None
    made.clock.advance(timedelta(minutes=1))
    made.do(service("impacted"))
    assert made.incident.services["payments"].confirmed == {}


def test_a_service_that_the_register_does_not_have_is_refused_with_those_it_has() -> None:
    refused = scene().says(ServiceFact(actor=by(AMY), service="garden", what="impacted"))
    assert (refused.reason, refused.detail["known"]) == (Reason.NO_SUCH_SERVICE, ["cards", "payments"])


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (ScopeFact(actor=by(AMY), what="add", kind="garden", name="x"), Reason.NO_SUCH_ITEM),
        (ScopeFact(actor=by(AMY), what="add", kind="host", name=""), Reason.EMPTY),
        (ScopeFact(actor=by(AMY), what="fix", id="SC-009", text="x"), Reason.NO_SUCH_ITEM),
        (SetInstant(actor=by(AMY), name="garden", instant=NIGHT, source="x"), Reason.NO_SUCH_ITEM),
        (SetInstant(actor=by(AMY), name="occurred", instant=NIGHT, source=""), Reason.EMPTY),
        (AddImprovement(actor=by(AMY), title="x", owner="mallory", due=SOON), Reason.UNKNOWN_PERSON),
        (AddImprovement(actor=by(AMY), title="x", owner=DAN, due=NIGHT), Reason.FIELD_WRONG),
        (
            SetRecoveryPoint(actor=by(AMY), id="x", service="payments", instant=SOON),
            Reason.IN_FUTURE,
        ),
        (Acknowledge(actor=by(AMY), page=99), Reason.NO_SUCH_PAGE),
    ],
    ids=lambda value: str(getattr(value, "name", "")) or type(value).__name__,
)
def test_what_does_not_fit_is_refused(command: Any, reason: Reason) -> None:
    assert scene().says(command).reason is reason


def test_every_instant_of_the_list_can_be_set() -> None:
    made = scene()
    for name in INSTANTS:
        made.do(SetInstant(actor=by(AMY), name=name, instant=NIGHT, source="x"))
    assert set(made.incident.instants) == {*INSTANTS, "declared"}


def test_evidence_is_numbered_and_kept_with_its_digest() -> None:
    made = scene_of(step("look"))
    digest = "sha256:" + "a" * 64
    made.do(
        AddEvidence(
            actor=by(AMY),
            source="memory",
            description="x",
            digest=digest,
            size=7,
            name="m.raw",
            step="unknown/look",
        )
    )
    made.do(AddEvidence(actor=by(AMY), source="logs", description="x", partial=True))
    first, other = made.incident.evidence.values()
    assert (first.id, first.digest, first.size, first.by) == ("EV-0001", digest, 7, AMY)
    assert (other.id, other.digest, other.partial) == ("EV-0002", None, True)


def test_an_impairment_is_said_once_and_mended_once() -> None:
    made = scene()
    broken = Impair(actor=MACHINE, what="prefect", detail="no answer")
    assert made.do(broken) == ("machine.impaired",)
    assert made.do(broken) == ()
    mended = Impair(actor=MACHINE, what="prefect", mended=True)
    assert made.do(mended) == ("machine.recovered",)
    assert made.do(mended) == ()
    assert made.do(Impair(actor=by(AMY), what="prefect")) == ()
    assert made.do(DraftReview(actor=MACHINE, document="sha256:1")) == ("review.drafted",)


def test_an_incident_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(NotFound, match="hikeshi list"):
        open_desk().incident("INC-2026-0001")
    assert isinstance(open_desk(), Desk)


def test_the_owner_or_the_top_ends_an_improvement() -> None:
    made = scene()
    made.do(IMPROVE)
    number = made.incident.improvements[0]
    for how, person, reason in (
        ("done", FAY, Reason.ROLE_MISSING),
        ("accepted", BEN, Reason.AUTHORITY_MISSING),
        ("accepted", FAY, Reason.ROLE_MISSING),
    ):
        command = EndImprovement(actor=by(person), id=number, how=how, reason="-")  # type: ignore[arg-type]
        assert made.says(command, "programme").reason is reason
    made.do(EndImprovement(actor=by(DAN), id=number, how="done", reason="-"), "programme")
    again = EndImprovement(actor=by(DAN), id=number, how="done", reason="-")
    assert made.says(again, "programme").reason is Reason.NO_SUCH_ITEM
    assert isinstance(by(DAN), Actor)


def test_unknown_is_an_answer_to_every_field() -> None:
    kinds: tuple[FieldType, ...] = ("instant", "number", "yes-no", "duration")
    fields = tuple(RecordField(id=kind, title=Text(ja="x", en="x"), type=kind) for kind in kinds)
    plain, texts = read_fields(fields, {one.id: "不明" for one in fields}, NIGHT)
    assert set(plain.values()) == {"unknown"}
    assert texts == {}
