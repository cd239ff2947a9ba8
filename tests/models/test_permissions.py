"""Who may do what: every command against every role, scribes, and people nobody knows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models import commands as c
from models.answers import (
    ApproveDecision,
    AskOpinion,
    Decline,
    GiveOpinion,
    HandOver,
    RefuseHandOver,
    RejectDecision,
    TimelineEntry,
)
from models.commands import Actor, Command
from models.custody import DisposeTexts, HoldEvidence, VerifyEvidence
from models.errors import Refused
from models.impact import ForecastService, RecordImpact
from models.permission import TABLE, require
from models.reason import Reason
from models.reports import DraftReport, JudgeObligation, ReportSituation, SubmitReport, VendorFact
from models.scope import AddScope, FixScope, NewItem, RetractScope, SettleParty, UpdateScope
from models.sharing import PrepareSharing, RecordShared
from models.shifts import SetShifts
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVE,
    FAY,
    GUS,
    NIGHT,
    ROLES,
    Scene,
    by,
    open_desk,
    playbook,
    policy,
    scene,
    step,
)

CSIRT = {AMY, BEN, CHO, GUS}
LEAD = {BEN, CHO}
ALL = set(ROLES)
SOON = NIGHT + timedelta(days=30)
COMMANDS: list[tuple[str, type[Command], dict[str, Any], set[str]]] = [
    ("declare", c.Declare, {"text": "x"}, ALL),
    ("note", c.Note, {"text": "x"}, ALL),
    ("ack", c.Acknowledge, {}, ALL),
    ("dismiss", c.EndIncident, {"how": "dismissed", "reason": "x"}, CSIRT),
    ("cancel", c.EndIncident, {"how": "cancelled", "reason": "x"}, LEAD),
    ("link", c.Link, {"to": "INC-2026-0009"}, CSIRT),
    ("resolve", c.Resolve, {"cause": "x", "entry_route": "x"}, LEAD),
    ("close", c.Close, {"assessment": "x"}, LEAD),
    ("reopen", c.Reopen, {"reason": "x", "phase": "triage"}, LEAD),
    ("merge", c.Merge, {"into": "INC-2026-0009", "reason": "x"}, LEAD),
    ("playbook", c.UsePlaybook, {"how": "add", "playbook": "second", "reason": "x"}, LEAD),
    (
        "step-add",
        c.AddStep,
        {"step": "more", "phase": "triage", "title": "x", "owner": "cio", "reason": "x"},
        CSIRT,
    ),
    ("step-skip", c.SettleStep, {"step": "look", "how": "skipped", "reason": "x"}, LEAD),
    ("step-na", c.SettleStep, {"step": "look", "how": "not-applicable", "reason": "x"}, LEAD),
    ("step-assign", c.AssignStep, {"step": "look", "person": DAN}, CSIRT),
    ("step-retry", c.RetryStep, {"step": "look", "how": "again", "reason": "x"}, CSIRT),
    ("withdraw", c.WithdrawDecision, {"step": "look", "reason": "x"}, LEAD),
    ("severity", c.SetSeverity, {"severity": "low"}, CSIRT),
    ("instant", c.SetInstant, {"name": "occurred", "instant": NIGHT, "source": "x"}, CSIRT),
    ("role", c.AssignRole, {"role": "scribe", "person": DAN}, LEAD),
    ("shifts", SetShifts, {"shifts": (), "roles": ("scribe",)}, LEAD),
    ("service", c.ServiceFact, {"service": "payments", "what": "impacted"}, {*CSIRT, EVE}),
    ("impact", RecordImpact, {"kind": "people", "value": "1", "source": "x"}, {*CSIRT, FAY}),
    ("forecast", ForecastService, {"service": "payments", "eta": SOON}, {*CSIRT, EVE}),
    ("report-judge", JudgeObligation, {"obligation": "X", "applicable": True, "reason": "x"}, {*LEAD, DAN}),
    ("report-draft", DraftReport, {"obligation": "X", "stage": "x", "document": "x"}, CSIRT),
    ("report-submit", SubmitReport, {"obligation": "X", "stage": "x"}, CSIRT),
    ("situation", ReportSituation, {"text": "x"}, CSIRT),
    ("vendor", VendorFact, {"party": "x", "what": "notice"}, CSIRT),
    ("evidence", c.AddEvidence, {"source": "x", "description": "x"}, CSIRT),
    ("evidence-verify", VerifyEvidence, {"found": ()}, CSIRT),
    ("evidence-hold", HoldEvidence, {"how": "hold", "reason": "x"}, LEAD),
    ("evidence-dispose", DisposeTexts, {"digests": ("t:" + "0" * 64,), "reason": "x"}, {CHO, DAN}),
    ("scope", c.ScopeFact, {"what": "add", "kind": "host", "name": "x"}, CSIRT),
    ("scope", AddScope, {"items": (NewItem(kind="host", name="x"),)}, CSIRT),
    ("scope", UpdateScope, {"id": "x"}, CSIRT),
    ("scope", FixScope, {"text": "x"}, CSIRT),
    ("scope-retract", RetractScope, {"ids": ("x",), "reason": "x"}, LEAD),
    ("share", PrepareSharing, {"part": "technical", "tlp": "AMBER", "digest": "x", "files": {}}, CSIRT),
    ("share-sent", RecordShared, {"sharing": "x", "to": "x", "via": "x"}, LEAD),
    ("party-notice", SettleParty, {"party": "x", "reason": "x"}, LEAD),
    (
        "recovery-point",
        c.SetRecoveryPoint,
        {"id": "x", "service": "payments", "instant": NIGHT},
        {*CSIRT, EVE},
    ),
    ("improvement", c.AddImprovement, {"title": "x", "owner": DAN, "due": SOON}, CSIRT),
    ("decide", c.Decide, {"step": "look", "choice": "x", "reason": "x"}, ALL),
    ("start", c.StartStep, {"step": "look"}, ALL),
    ("done", c.Done, {"step": "look"}, ALL),
    ("override", c.OverrideGate, {"gate": "closing", "step": "x", "reason": "x"}, ALL),
    ("confirm", c.Confirm, {"fact": 1}, ALL),
    ("delegate", c.Delegate, {"page": 1, "to": DAN, "until": SOON}, ALL),
    ("decline", Decline, {"page": 1, "reason": "x"}, ALL),
    ("approve", ApproveDecision, {"step": "look"}, ALL),
    ("approve", RejectDecision, {"step": "look", "reason": "x"}, ALL),
    ("opinion", AskOpinion, {"step": "look", "person": DAN, "question": "x"}, ALL),
    ("opinion", GiveOpinion, {"step": "look", "text": "x"}, ALL),
    ("hand-over", HandOver, {"step": "look", "person": DAN}, ALL),
    ("hand-over", RefuseHandOver, {"step": "look", "reason": "x"}, ALL),
    ("note", TimelineEntry, {"text": "x"}, ALL),
]
ELSEWHERE = {
    "alert": "the table of alerts, below",
    "improvement-end": "the programme, below",
    "record-for": "scribes, below",
    "out-of-band": "test_outofband",
    "scope-accept": "test_gates",
    "comcheck": "test_comcheck",
    "key": "test_integrity",
    "record-restore": "test_continuity",
    "record-export": "test_continuity",
    **dict.fromkeys(
        ("inquiry", "message", "message-approve", "message-sent", "message-withdraw"), "test_communication"
    ),
    **dict.fromkeys(("restrict", "break-glass"), "test_access"),
    "inspector": "test_inspectors",
    **dict.fromkeys(("token", "token-own", "login", "login-own", "session", "session-own"), "test_entering"),
    **dict.fromkeys((name for name in TABLE if TABLE[name] == ("anyone",)), "test_access: looking is a row"),
    "playbook-announce": "test_readers",
    "playbook-read": "test_readers",
    **dict.fromkeys((name for name in TABLE if name.startswith(("programme", "finding"))), "test_programme"),
    "drill": "test_exercise",
    "drill-sign-off": "test_exercise",
}
NOT_ENTITLED = {Reason.ROLE_MISSING, Reason.UNKNOWN_PERSON}


@pytest.fixture(scope="module")
def made() -> Scene:
    return scene(playbook("second", step("look")))


def refusal(made: Scene, command: Command, stream: str) -> Refused | None:
    from models.decide import decide  # noqa: PLC0415

    state = made.desk.state(stream)
    try:
        decide(state, command, made.desk.world(state))
    except Refused as no:
        return no
    return None


def test_every_row_of_the_table_is_tried() -> None:
    assert {row[0] for row in COMMANDS} | set(ELSEWHERE) == set(TABLE)


@pytest.mark.parametrize("person", sorted(ALL))
@pytest.mark.parametrize(
    ("kind", "fields", "may"), [row[1:] for row in COMMANDS], ids=[r[0] for r in COMMANDS]
)
def test_who_may_give_a_command(
    made: Scene, kind: type[Command], fields: dict[str, Any], may: set[str], person: str
) -> None:
    no = refusal(made, kind(actor=by(person), **fields), made.stream)
    if person in may:
        # Something else may stand in the way, but not the person.
        assert no is None or no.detail.get("command") not in {row[0] for row in COMMANDS} - {"done"}
    else:
        assert no is not None
        assert no.reason is Reason.ROLE_MISSING


@pytest.mark.parametrize(
    ("name", "kind", "fields"), [row[:3] for row in COMMANDS], ids=[r[0] for r in COMMANDS]
)
def test_somebody_nobody_knows_may_do_nothing(
    made: Scene, name: str, kind: type[Command], fields: dict[str, Any]
) -> None:
    for actor in (Actor(person=None, name="mallory"), Actor(person="mallory", name="mallory")):
        no = refusal(made, kind(actor=actor, **fields), made.stream)
        assert no is not None and no.reason is Reason.UNKNOWN_PERSON, name
        assert no.detail["who"] == "mallory"


@pytest.mark.parametrize(
    ("name", "kind", "fields"), [row[:3] for row in COMMANDS], ids=[r[0] for r in COMMANDS]
)
def test_the_institution_may_write_its_own_row(
    name: str, kind: type[Command], fields: dict[str, Any]
) -> None:
    own = scene(playbook("second", step("look")), policy=policy(permissions={name: ["pr"]}), declare=False)
    if name == "declare":
        own.stream = "INC-2026-0001"
    else:
        own.stream = own.desk.handle(None, c.Declare(actor=by(AMY), text="x")).stream
    for person in sorted(ALL - {FAY}):
        no = refusal(own, kind(actor=by(person), **fields), own.stream)
        assert no is not None and (no.reason, no.detail["command"]) == (Reason.ROLE_MISSING, name)
    allowed = refusal(own, kind(actor=by(FAY), **fields), own.stream)
    assert allowed is None or allowed.detail.get("needs") != ["pr"]


@pytest.mark.parametrize(
    ("scribe", "whose", "reason"),
    [
        (GUS, CHO, None),
        (AMY, CHO, Reason.ROLE_MISSING),
        (BEN, CHO, None),
        (FAY, CHO, Reason.ROLE_MISSING),
        (DAN, CHO, Reason.ROLE_MISSING),
        (GUS, "mallory", Reason.UNKNOWN_PERSON),
        (GUS, FAY, Reason.ROLE_MISSING),
    ],
    ids=[
        "A scribe writes for the CISO",
        "The duty officer may not: nobody closes alone",
        "So does the lead",
        "Public relations may not",
        "Nor may the CIO",
        "Nobody writes for a person who does not exist",
        "Writing for somebody gives no more rights than that person has",
    ],
)
def test_writing_for_somebody_else(made: Scene, scribe: str, whose: str, reason: Reason | None) -> None:
    command = c.Reopen(actor=by(scribe), for_=whose, reason="x", phase="triage")
    no = refusal(made, command, made.stream)
    assert no is not None
    assert no.reason is (reason or Reason.ALREADY)


def test_the_commander_of_an_incident_leads_only_there() -> None:
    one = scene()
    skip = c.SettleStep(actor=by(DAN), step="look", how="skipped", reason="x")
    assert one.says(skip).reason is Reason.ROLE_MISSING
    one.do(c.AssignRole(actor=by(BEN), role="commander", person=DAN))
    other = one.desk.handle(None, c.Declare(actor=by(AMY), text="x")).stream
    assert one.says(skip, other).reason is Reason.ROLE_MISSING
    assert "step.skipped" in one.do(skip)
    assert one.says(c.AssignRole(actor=by(BEN), role="cook", person=DAN)).reason is Reason.NO_SUCH_ROLE
    nobody = c.AssignRole(actor=by(BEN), role="scribe", person="mallory")
    assert one.says(nobody).reason is Reason.UNKNOWN_PERSON


def test_the_rules_own_doing_needs_no_role(made: Scene) -> None:
    command = c.Note(actor=Actor.machine("rules"), text="x")
    assert require(command, "close", None, made.desk.world(made.incident)) == {"hikeshi"}


def test_a_refusal_is_recorded_and_the_same_again_is_counted() -> None:
    one = scene()
    command = c.Close(actor=by(FAY), assessment="x")
    for _ in range(3):
        outcome = one.desk.handle(one.stream, command)
        assert (outcome.refused, outcome.facts) == (Reason.ROLE_MISSING, ())
    assert [fact.data["count"] for fact in one.facts("refused", "house")] == [1]
    one.clock.advance(timedelta(minutes=1))
    one.desk.handle(one.stream, command)
    found = one.facts("refused", "house")
    assert [fact.data["count"] for fact in found] == [1, 3]
    assert (found[0].data["who"], found[0].data["command"]) == (FAY, "Close")


def test_refusals_of_the_unknown_are_counted_together() -> None:
    one = scene()
    for name in ("mallory", "trudy", "oscar"):
        one.desk.handle(one.stream, c.Note(actor=Actor(person=None, name=name), text="x"))
    assert len(one.facts("refused", "house")) == 1


WHERE: list[tuple[str, Command]] = [
    ("house", c.Note(actor=by(AMY), text="x")),
    ("intake", c.Note(actor=by(AMY), text="x")),
    ("programme", c.Declare(actor=by(AMY), text="x")),
    ("INC-2026-0099", c.Note(actor=by(AMY), text="x")),
    ("", c.Note(actor=by(AMY), text="x")),
]


@pytest.mark.parametrize(("stream", "command"), WHERE)
def test_a_command_in_the_wrong_place_is_refused(stream: str, command: Command) -> None:
    outcome = open_desk().handle(stream, command)
    assert outcome.refused is Reason.NO_SUCH_INCIDENT
    assert not outcome.accepted
