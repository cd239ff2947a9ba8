"""Folding: every kind of fact has its rule, and every rule is met by a fact of a real course of events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models import commands as c
from models.clock import iso
from models.fact import Fact
from models.fold import empty, fold, kinds_of
from models.reason import Reason
from models.scope import AcceptScope, AddScope, FixScope, NewItem, RetractScope, SettleParty, UpdateScope
from models.sharing import PrepareSharing, RecordShared
from models.state import House, Incident, Intake, Programme, StreamState
from tests.models.clockhouse import course
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVE,
    GUS,
    MACHINE,
    NIGHT,
    Scene,
    action,
    by,
    decision,
    organisation,
    playbook,
    scene,
    step,
)

BY_HAND = {
    "text.disposed": {"digest": "t:1"},
}
"""Kinds that older or coming versions write: folded, but no command of today brings them."""
UNTIL = {"until": 'output("loop", "left") == 0', "at_most": 3}
MAKER = {"id": "maker", "name": "maker", "kind": "vendor", "provides": "-", "hours": "-"}
NUMBER = [{"id": "left", "title": "-", "type": "number"}]


def busy() -> Scene:
    """An incident and its surroundings in which everything happens that can."""
    made = scene(
        playbook(
            "unknown",
            step("look", within="5m"),
            step("loop", repeat=UNTIL, record=NUMBER),
            step("skip"),
            step("later", when="severity() > 1"),
            step("read", phase="analysis", sources=["memory"], after=[]),
            step("known", phase="analysis", sources=["memory"], after=[]),
            step("tell", kind="notice", to=["pr"], owner="pr"),
            decision("choose"),
            action("copy"),
            action("ask", on_crash="ask"),
            action("fail"),
            step("resume", phase="recovery", resumes=["payments"]),
            step("stop", stops=["cards"], decided_by="choose"),
        ),
        playbook("second", step("dig")),
        organisation=organisation(fields={"third_parties": [MAKER]}),
    )
    people(made)
    machines(made)
    surroundings(made)
    return made


def people(made: Scene) -> None:
    page = made.page().id
    made.do(c.Acknowledge(actor=by(DAN), page=page))
    made.do(c.Delegate(actor=by(AMY), page=page, to=DAN, until=NIGHT + timedelta(minutes=2)))
    made.wait(2)
    made.wait(60)
    made.do(c.Acknowledge(actor=by(GUS), for_=CHO, page=page))
    made.do(c.Confirm(actor=by(CHO), fact=made.facts("page.acknowledged")[0].seq))
    made.wait(31)
    made.do(c.Acknowledge(actor=by(AMY), page=page))
    made.do(c.SetSeverity(actor=by(AMY), severity="high"))
    made.do(c.Done(actor=by(AMY), step="loop", values={"left": "1"}))
    made.do(c.SettleStep(actor=by(BEN), step="skip", how="skipped", reason="-"))
    made.do(c.OverrideGate(actor=by(CHO), gate="preserved-before-analysed", step="read", reason="-"))
    made.do(c.AddEvidence(actor=by(AMY), source="memory", description="-"))
    made.do(c.Decide(actor=by(CHO), step="choose", choice="yes", reason="-"))
    made.do(c.WithdrawDecision(actor=by(BEN), step="choose", reason="-"))
    made.do(c.Decide(actor=by(CHO), step="choose", choice="no", reason="-"))
    made.do(c.AssignStep(actor=by(AMY), step="look", person=DAN))
    made.do(c.AssignRole(actor=by(BEN), role="scribe", person=DAN))
    made.do(c.Link(actor=by(AMY), to="INC-2026-0009"))
    made.do(c.Note(actor=by(AMY), text="-"))
    made.do(
        c.AddStep(actor=by(AMY), step="more", phase="triage", title="-", owner="cio", reason="-", within=60)
    )
    for how in ("add", "drop"):
        made.do(c.UsePlaybook(actor=by(BEN), how=how, playbook="second", reason="-"))
    made.do(c.SetRecoveryPoint(actor=by(AMY), id="b", service="payments", instant=NIGHT))
    for number, what in enumerate(("fix", "accept"), start=1):
        made.do(c.ScopeFact(actor=by(CHO if what == "accept" else AMY), what="add", kind="host", name=what))
        who = CHO if what == "accept" else AMY
        made.do(c.ScopeFact(actor=by(who), what=what, id=f"SC-{number:03d}", text="-"))  # type: ignore[arg-type]
    scope(made)
    made.do(c.SetInstant(actor=by(AMY), name="cause-addressed", instant=NIGHT, source="-"))
    for what, person in (
        ("impacted", AMY),
        ("works", AMY),
        ("confirmed-by-csirt", AMY),
        ("confirmed-by-owner", EVE),
        ("restored", AMY),
    ):
        made.do(c.ServiceFact(actor=by(person), service="payments", what=what))  # type: ignore[arg-type]
    made.do(c.Done(actor=by(AMY), step="resume"))
    for gate in ("shutdown-authority", "containment-or-preservation"):
        if gate in made.step("stop").held:
            made.do(c.OverrideGate(actor=by(CHO), gate=gate, step="stop", reason="-"))
    made.do(c.Done(actor=by(AMY), step="stop"))
    made.do(c.AddImprovement(actor=by(AMY), title="-", owner=DAN, due=made.clock.now() + timedelta(days=8)))


def scope(made: Scene) -> None:
    """Everything that happens to the scope of an incident."""
    many = tuple(NewItem(kind="indicator", name=f"192.0.2.{one}") for one in range(6))
    made.do(AddScope(actor=by(AMY), items=many, origin="csv"))
    again = NewItem(kind="indicator", name="192.0.2.0", note="-", party="maker")
    made.do(AddScope(actor=by(AMY), items=(again,), origin="csv"))
    made.do(UpdateScope(actor=by(AMY), id="SC-003", confidence="likely"))
    made.do(FixScope(actor=by(AMY), ids=("SC-003", "SC-004"), text="-"))
    made.do(AcceptScope(actor=by(CHO), ids=("SC-005", "SC-006"), reason="-"))
    made.do(RetractScope(actor=by(BEN), ids=("SC-007",), reason="-"))
    made.do(RetractScope(actor=by(BEN), ids=("SC-008", "SC-005"), reason="-"))
    made.do(SettleParty(actor=by(BEN), party="maker", reason="-"))
    none = "sha256:" + "0" * 64
    files = {"a.json": none}
    made.do(
        PrepareSharing(actor=by(AMY), part="technical", tlp="AMBER", digest=none, files=files, allowed=("-",))
    )
    made.do(RecordShared(actor=by(BEN), sharing="SHR-001", to="maker", via="-"))


def machines(made: Scene) -> None:
    for name in ("copy", "ask", "fail"):
        made.do(c.ClaimStep(actor=MACHINE, step=name, node="n", epoch=1, lease=60))
    claimed = {"actor": MACHINE, "node": "n", "epoch": 1, "attempt": 1}
    made.do(c.FinishStep(step="fail", outcome="failed", **claimed))  # type: ignore[arg-type]
    made.wait(2)
    made.do(c.DraftNotice(actor=MACHINE, step="tell", document="sha256:1"))
    made.do(c.DraftReview(actor=MACHINE, document="sha256:1"))
    made.do(c.AttachAlert(actor=MACHINE, alert="AL-1"))
    for mended in (False, True):
        made.do(c.Impair(actor=MACHINE, what="prefect", mended=mended))
    for outcome in ("failed", "sent", "given_up"):
        made.do(c.MarkDelivery(actor=MACHINE, key="k", outcome=outcome, page=made.page().id))


def surroundings(made: Scene) -> None:
    for number, do in enumerate(("propose", "keep", "declare", "propose", "propose", "propose")):
        alert = c.ReceiveAlert(actor=MACHINE, id=f"AL-{number}", source="edr", key="k", title="x", do=do)  # type: ignore[arg-type]
        made.do(alert, "intake")
    made.do(c.CountAlert(actor=MACHINE, id="AL-0", count=2), "intake")
    made.wait(31, "intake")
    made.do(c.SettleAlert(actor=by(AMY), id="AL-0", how="dismissed", reason="-"), "intake")
    made.do(c.SettleAlert(actor=by(AMY), id="AL-3", how="attached", incident=made.stream), "intake")
    for what in ("started", "stopped"):
        made.do(c.NodeFact(actor=MACHINE, what=what, node="n"), "house")
    made.do(c.NodeFact(actor=MACHINE, what="outage", node="n", since=NIGHT, until=NIGHT), "house")
    for released in (False, True):
        made.do(c.Quarantined(actor=MACHINE, stream="x", failures=3, released=released), "house")
        made.do(c.Impair(actor=MACHINE, what="slack", mended=released), "house")
    made.desk.handle(made.stream, c.Note(actor=by(None), text="x"))
    made.wait(2 * 24 * 60, "programme")
    made.wait(7 * 24 * 60, "programme")
    hows: tuple[tuple[int, Any], ...] = ((2, "done"), (3, "accepted"))
    for number, how in hows:
        made.do(c.AddImprovement(actor=by(AMY), title="-", owner=CHO, due=made.clock.now() + timedelta(1)))
        made.do(
            c.EndImprovement(actor=by(CHO), id=f"IMP-2026-0001-{number}", how=how, reason="-"), "programme"
        )


def ends(made: Scene) -> set[str]:
    """How incidents end: each in one of its own."""
    found: set[str] = set()

    def new(*books: Any) -> Scene:
        one = Scene(desk=made.desk, clock=made.clock)
        one.stream = made.desk.handle(None, c.Declare(actor=by(AMY), text="x", playbooks=("second",))).stream
        return one

    other = new()
    for command in (
        c.EndIncident(actor=by(AMY), how="dismissed", reason="-"),
        c.EndIncident(actor=by(BEN), how="cancelled", reason="-"),
        c.Merge(actor=by(BEN), into=other.stream, reason="-"),
    ):
        found |= set(new().do(command))
    found |= {fact.kind for fact in other.facts("incident.absorbed")}
    other.do(c.Acknowledge(actor=by(AMY)))
    other.do(c.Done(actor=by(AMY), step="dig"))
    other.do(c.Reopen(actor=by(BEN), phase="recovery", reason="-"))
    other.do(c.Resolve(actor=by(BEN), cause="-", entry_route="-", watch=1))
    other.do(c.AddImprovement(actor=by(AMY), title="-", owner=DAN, due=made.clock.now() + timedelta(1)))
    other.wait(1)
    other.do(c.Close(actor=by(BEN), assessment="-"))
    other.do(c.Reopen(actor=by(BEN), reason="-"))
    with made.desk.record.read() as tx:
        return found | {fact.kind for fact in tx.facts(other.stream)}


ELSEWHERE = {
    "page.declined": "test_declining and the machine",
    **dict.fromkeys(("incident.restricted", "incident.unrestricted", "incident.read"), "test_access"),
    **dict.fromkeys(("reader.added", "reader.removed", "glass.broken", "glass.ended"), "test_access"),
    **dict.fromkeys(("token.issued", "token.revoked", "login.offered"), "test_entering"),
    **dict.fromkeys(("session.opened", "session.ended"), "test_entering"),
    **dict.fromkeys(("inspector.granted", "inspector.revoked"), "test_inspectors"),
    **dict.fromkeys(
        ("approval.asked", "decision.approved", "decision.proposed", "decision.rejected"), "test_approving"
    ),
    **dict.fromkeys(("opinion.asked", "opinion.given"), "test_approving"),
    **dict.fromkeys(("decision.voted", "vote.withdrawn"), "test_voting"),
    "decision.superseded": "test_superseding",
    **dict.fromkeys(("override.spent", "override.withdrawn"), "test_overriding"),
    **dict.fromkeys(("reopening.proposed", "reopening.declined"), "test_reopening"),
    **dict.fromkeys(("step.handed_over", "step.refused"), "test_handing"),
    "playbook.moved": "test_incident: an incident keeps its playbook until somebody moves it",
    "page.unanswerable": "test_machine_steps: an event without a route is said",
    "page.hurried": "test_machine_steps: a level that no channel reaches climbs at once",
    "page.repeated": "test_page and the machine",
    **dict.fromkeys(("key.made", "key.rotated", "key.replaced", "key.accepted"), "test_integrity"),
    **dict.fromkeys(("anchor.placed", "time.compared"), "test_integrity"),
    "rules.changed": "test_reckoning",
    "record.restored": "test_continuity",
    "record.moved": "test_move",
    "record.exported": "test_continuity",
    "comcheck.started": "test_comcheck",
    **dict.fromkeys(
        (
            "evidence.transferred",
            "evidence.verified",
            "evidence.held",
            "evidence.released",
            "evidence.disposed",
            "evidence.removed",
            "evidence.round",
        ),
        "test_evidence",
    ),
    "source.unreachable": "test_sources",
    **dict.fromkeys(("collection.begun", "collection.ended"), "test_collecting"),
    "comcheck.ended": "test_comcheck",
    "programme.planned": "test_programme",
    "programme.held": "test_programme",
    "programme.cancelled": "test_programme",
    "programme.signed_off": "test_programme",
    "finding.opened": "test_programme",
    "finding.fixed": "test_programme",
    "finding.retested": "test_programme",
    "finding.accepted": "test_programme",
    "finding.reopened": "test_programme",
    "finding.reminded": "test_programme",
    "finding.overdue": "test_programme",
    "playbook.announced": "test_readers",
    "playbook.read": "test_readers",
    "reading.complete": "test_readers",
    "reading.overdue": "test_readers",
    "reading.withdrawn": "test_readers",
    "outgoing.drafted": "test_communication",
    "outgoing.edited": "test_communication",
    "outgoing.voided": "test_communication",
    "outgoing.submitted": "test_communication",
    "outgoing.approved": "test_communication",
    "outgoing.rejected": "test_communication",
    "outgoing.sent": "test_communication",
    "outgoing.withdrawn": "test_communication",
    "inquiry.counted": "test_communication",
    "role.handed_over": "test_shifts",
    "room.opened": "test_slack_rooms",
    **dict.fromkeys(("reply.taken", "trust.proposed", "trust.restored", "trust.withdrawn"), "test_outofband"),
    "shift.begun": "test_shifts",
    "shift.missed": "test_shifts",
    "shift.passed": "test_shifts",
    "shifts.set": "test_shifts",
}


@pytest.fixture(scope="module")
def produced() -> dict[str, set[str]]:
    made = busy()
    kinds = {name: set[str]() for name in ("incident", "intake", "house", "programme")}
    streams = {"incident": made.stream, "intake": "intake", "house": "house", "programme": "programme"}
    with made.desk.record.read() as tx:
        for name, stream in streams.items():
            kinds[name] = {fact.kind for fact in tx.facts(stream)}
    kinds["incident"] |= ends(made) | clocks()
    return kinds


def clocks() -> set[str]:
    """A recovery with everything that clocks and reports say; its facts fold to what is kept."""
    made = course()
    with made.desk.record.read() as tx:
        facts = tx.facts(made.stream)
    assert fold(empty(made.stream), facts) == made.incident
    return {fact.kind for fact in facts}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("incident", Incident), ("intake", Intake), ("house", House), ("programme", Programme)],
)
def test_every_kind_that_is_folded_is_produced(
    produced: dict[str, set[str]], name: str, kind: type[StreamState]
) -> None:
    everywhere = set.union(*produced.values())
    pages = {one for one in kinds_of(kind) if one.startswith(("page.", "message.", "text."))}
    own = kinds_of(kind) - pages
    assert own - set(BY_HAND) - set(ELSEWHERE) <= produced[name], name
    assert pages - set(BY_HAND) - set(ELSEWHERE) <= everywhere
    assert produced[name] <= kinds_of(kind)


@pytest.mark.parametrize("kind", sorted(BY_HAND))
def test_a_fact_that_no_command_of_today_writes_still_folds(kind: str) -> None:
    fact = Fact(
        stream="INC-2026-0001", seq=1, at=NIGHT, recorded_at=NIGHT, actor=AMY, kind=kind, data=BY_HAND[kind]
    )
    state = fold(empty("INC-2026-0001"), [fact])
    assert isinstance(state, Incident)
    assert state.seq == 1
    assert state.at == NIGHT


def test_the_whole_course_folds_to_what_is_kept_and_reads_no_directory(produced: dict[str, set[str]]) -> None:
    made = busy()
    for stream in (made.stream, "intake", "house", "programme"):
        with made.desk.record.read() as tx:
            facts = tx.facts(stream)
        assert fold(empty(stream), facts) == made.desk.state(stream)
    assert made.says(c.Acknowledge(actor=by(AMY), page=1)).reason is Reason.NO_SUCH_PAGE
    assert iso(NIGHT).endswith("Z")
