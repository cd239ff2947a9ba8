"""Overriding a gate covers the causes that its authority saw; what opens a gate has to be there in time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.commands import (
    AddEvidence,
    AddImprovement,
    Close,
    Decide,
    Done,
    Note,
    OverrideGate,
    Reopen,
    Resolve,
    ScopeFact,
    ServiceFact,
    SettleStep,
    StartStep,
    UsePlaybook,
)
from models.overriding import WithdrawOverride
from models.playbook import FACTORS
from models.reason import Reason
from models.scope import UpdateScope
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    FAY,
    GUS,
    NIGHT,
    Scene,
    action,
    by,
    decision,
    organisation,
    playbook,
    scene,
    scene_of,
    step,
)

pytestmark = pytest.mark.usefixtures("runs_again")

GATE = "preserved-before-analysed"
READ = step("read", phase="analysis", sources=["memory"])
UNKNOWN = dict.fromkeys(FACTORS, "unknown")


def evidence(source: str = "memory", **fields: Any) -> AddEvidence:
    shape: dict[str, Any] = {"source": source, "description": "-", "digest": "sha256:" + "a" * 64, "size": 1}
    return AddEvidence(actor=by(AMY), **(shape | fields))


def passing(gate: str = GATE, name: str = "read", person: str = CHO) -> OverrideGate:
    return OverrideGate(actor=by(person), gate=gate, step=name, reason="the screen went dark")


def taking_back(gate: str = GATE, name: str = "read", person: str = CHO) -> WithdrawOverride:
    return WithdrawOverride(actor=by(person), gate=gate, step=name, reason="it was photographed after all")


def impacted(name: str) -> ServiceFact:
    return ServiceFact(actor=by(AMY), service=name, what="impacted")


def test_an_override_covers_the_causes_known_then_and_a_new_one_holds_again() -> None:
    made = scene_of(step("reconnect", reconnects=["affected-services"], phase="recovery"))
    made.do(impacted("payments"))
    made.do(passing("works-normally", "reconnect"))
    assert made.step("reconnect").status == "ready"
    assert made.facts("gate.overridden")[0].data["causes"] == ["not-working:payments"]
    made.do(impacted("cards"))
    assert made.step("reconnect").status == "held"
    assert made.incident.gates_held["unknown/reconnect"] == ["not-working:cards"]
    made.do(passing("works-normally", "reconnect"))
    assert made.step("reconnect").status == "ready"
    assert made.facts("gate.overridden")[1].data["causes"] == ["not-working:cards"]


def test_a_covered_cause_that_passed_and_arises_anew_holds_again() -> None:
    made = scene_of(step("reconnect", reconnects=["affected-services"], phase="recovery"))
    made.do(impacted("payments"))
    made.do(impacted("cards"))
    made.do(passing("works-normally", "reconnect"))
    assert "override.spent" in made.do(ServiceFact(actor=by(AMY), service="payments", what="works"))
    assert made.facts("override.spent")[0].data["causes"] == ["not-working:payments"]
    made.do(ServiceFact(actor=by(AMY), service="payments", what="fails"))
    assert made.incident.gates_held["unknown/reconnect"] == ["not-working:payments"]
    made.do(ServiceFact(actor=by(AMY), service="payments", what="works"))
    assert made.step("reconnect").status == "ready", "cards never worked: that one was judged"
    made.do(ServiceFact(actor=by(AMY), service="cards", what="works"))
    assert made.incident.overrides == {}, "nothing is passed by it any more"


def test_an_override_stays_as_it_was_given_once_the_step_is_done() -> None:
    made = scene_of(step("reconnect", reconnects=["payments"], phase="recovery"), step("other"))
    made.do(impacted("payments"))
    made.do(passing("works-normally", "reconnect"))
    made.do(Done(actor=by(AMY), step="reconnect"))
    assert "override.spent" not in made.do(ServiceFact(actor=by(AMY), service="payments", what="works"))
    assert list(made.incident.overrides) == ["works-normally@unknown/reconnect"]


def test_an_override_does_not_outlive_the_playbook_of_its_step() -> None:
    made = scene(playbook("second", step("reconnect", reconnects=["payments"], phase="recovery")))
    made.do(use("add"))
    made.do(passing("works-normally", "second/reconnect"))
    assert made.step("second/reconnect").status == "ready"
    made.do(use("drop"))
    made.do(use("add"))
    assert made.incident.overrides == {}
    assert made.step("second/reconnect").status == "held"


def use(how: Any) -> UsePlaybook:
    return UsePlaybook(actor=by(BEN), how=how, playbook="second", reason="-")


def host(name: str) -> ScopeFact:
    return ScopeFact(actor=by(AMY), what="add", kind="host", name=name)


def test_an_override_of_the_scope_covers_what_is_in_it_however_much_is_fixed_since() -> None:
    made = scene_of(step("open-again", resumes=["payments"], phase="recovery", sources=[]))
    for number in range(30):
        made.do(host(f"pc-{number}"))
    gate = "scope-fixed"
    made.do(passing(gate, "open-again"))
    assert not any(one.startswith("no-fix") for one in made.incident.gates_held["unknown/open-again"])
    made.do(ScopeFact(actor=by(AMY), what="fix", id=next(iter(made.incident.scope)), text="rebuilt"))
    assert not any(one.startswith("no-fix") for one in made.incident.gates_held["unknown/open-again"])
    made.do(host("pc-30"))
    new = list(made.incident.scope)[-1]
    assert f"no-fix:{new}" in made.incident.gates_held["unknown/open-again"]
    made.do(taking_back(gate, "open-again"))
    assert any(one.startswith("no-fix-many") for one in made.incident.gates_held["unknown/open-again"])


def test_an_item_that_was_fixed_by_then_and_is_seen_again_was_judged_by_nobody() -> None:
    made = scene_of(step("open-again", resumes=["payments"], phase="recovery"))
    for name in ("old", "open"):
        made.do(host(name))
    made.do(ScopeFact(actor=by(AMY), what="fix", id="SC-001", text="rebuilt"))
    made.do(passing("scope-fixed", "open-again"))
    made.clock.advance(timedelta(hours=1))
    made.do(UpdateScope(actor=by(AMY), id="SC-001", last_seen=made.clock.now()))
    assert "no-fix:SC-001" in made.incident.gates_held["unknown/open-again"]
    assert "no-fix:SC-002" not in made.incident.gates_held["unknown/open-again"]
    made.do(passing("scope-fixed", "open-again"))
    assert "no-fix:SC-001" not in made.incident.gates_held["unknown/open-again"]


def test_an_item_that_was_covered_then_fixed_and_is_seen_again_holds_again() -> None:
    made = scene_of(step("open-again", resumes=["payments"], phase="recovery"))
    made.do(host("open"))
    made.do(passing("scope-fixed", "open-again"))
    made.do(ScopeFact(actor=by(AMY), what="fix", id="SC-001", text="rebuilt"))
    made.clock.advance(timedelta(hours=1))
    made.do(UpdateScope(actor=by(AMY), id="SC-001", last_seen=made.clock.now()))
    assert "no-fix:SC-001" in made.incident.gates_held["unknown/open-again"]


def test_an_override_is_taken_back_and_the_gate_holds_again() -> None:
    made = scene_of(READ)
    made.do(passing())
    made.do(taking_back())
    assert made.step("read").status == "held"
    assert made.incident.overrides == {}
    assert made.facts("override.withdrawn")[0].data["role"] == "ciso"


def test_what_was_done_behind_an_override_is_not_undone() -> None:
    made = scene_of(READ)
    made.do(passing())
    made.do(Done(actor=by(AMY), step="read"))
    made.do(taking_back())
    assert made.step("read").status == "done"


REFUSED: list[tuple[str, WithdrawOverride, Reason]] = [
    ("by who has no authority over the gate", taking_back(person=FAY), Reason.AUTHORITY_MISSING),
    ("of a gate that nobody passed", taking_back("scope-fixed"), Reason.NO_SUCH_ITEM),
    ("of no step", taking_back(name="nothing"), Reason.NO_SUCH_STEP),
]


@pytest.mark.parametrize(("command", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_an_override_is_not_taken_back(command: WithdrawOverride, reason: Reason) -> None:
    made = scene_of(READ)
    made.do(passing())
    assert made.says(command).reason is reason


def test_the_override_of_a_deputy_says_for_whom() -> None:
    made = scene(playbook("unknown", READ), organisation=organisation(absent=(CHO,)))
    made.do(passing("preserved-before-analysed", person=DAN))
    data = made.facts("gate.overridden")[0].data
    assert (data["role"], data.get("deputy_for")) in {("cio", None), ("ciso", CHO)}


def resolved() -> Scene:
    made = scene_of(step("look"))
    made.do(Done(actor=by(AMY), step="look"))
    made.do(Resolve(actor=by(BEN), cause="-", entry_route="-"))
    return made


CLOSE = Close(actor=by(BEN), assessment="-", spread="-")


def test_closing_by_override_covers_what_was_missing_then() -> None:
    made = resolved()
    made.do(passing("closing", "-"))
    note = Note(actor=by(GUS), for_=CHO, text="told by telephone")
    made.do(note)
    refused = made.says(CLOSE)
    assert refused.detail["causes"] == [f"unconfirmed:{CHO}"], "a new cause that nobody has judged"


def test_an_override_of_closing_is_taken_back_too() -> None:
    made = resolved()
    made.do(passing("closing", "-"))
    made.do(taking_back("closing", "-"))
    assert made.says(CLOSE).reason is Reason.NOT_CLOSABLE
    made.do(passing("closing", "-"))
    made.do(CLOSE)
    assert made.incident.status == "closed"


def test_reopening_ends_the_override_of_closing() -> None:
    made = resolved()
    made.do(passing("closing", "-"))
    made.do(Reopen(actor=by(BEN), reason="-"))
    assert made.incident.override_causes == {}


def test_reopening_the_review_ends_the_override_of_closing_too() -> None:
    made = resolved()
    made.do(passing("closing", "-"))
    made.do(Reopen(actor=by(BEN), phase="lessons", reason="-"))
    assert made.incident.overrides == {}
    assert made.says(CLOSE).reason is Reason.NOT_CLOSABLE


# -- preserved before analysed ------------------------------------------------------------------------------


def test_evidence_collected_after_the_analysis_began_does_not_count_for_it() -> None:
    made = scene_of(READ)
    made.clock.advance(timedelta(minutes=30))
    made.do(evidence())
    before = NIGHT + timedelta(minutes=10)
    refused = made.says(Done(actor=by(AMY), step="read", at=before))
    assert refused.reason is Reason.GATE_HELD
    assert refused.detail["causes"] == ["preserved-later:memory"]
    made.do(evidence(at=NIGHT + timedelta(minutes=5)))
    made.do(Done(actor=by(AMY), step="read", at=before))
    assert [one["id"] for one in made.facts("step.done")[0].data["analysed"]] == ["EV-0002"]


def test_an_analysis_names_only_what_was_whole_when_it_began() -> None:
    made = scene_of(READ)
    made.do(evidence())
    made.do(evidence(partial=True))
    made.do(evidence(digest=""))
    made.do(StartStep(actor=by(AMY), step="read"))
    made.clock.advance(timedelta(minutes=5))
    made.do(evidence())
    made.do(Done(actor=by(AMY), step="read"))
    assert [one["id"] for one in made.facts("step.done")[0].data["analysed"]] == ["EV-0001"]


def test_an_override_also_covers_evidence_that_comes_late() -> None:
    made = scene_of(READ)
    made.do(passing())
    made.clock.advance(timedelta(minutes=30))
    made.do(evidence())
    made.do(Done(actor=by(AMY), step="read", at=NIGHT + timedelta(minutes=1)))


@pytest.mark.parametrize("fields", [{"partial": True}, {"digest": ""}, {"size": 0}], ids=str)
def test_what_is_partial_or_has_no_digest_does_not_open_the_gate(fields: dict[str, Any]) -> None:
    made = scene_of(READ)
    made.do(evidence(**fields))
    assert made.step("read").status == "held"


# -- containment or preservation first ----------------------------------------------------------------------

PRIORITY = decision("first", decides="containment-or-preservation")
CUTS = decision("may-cut", stops=["payments"], after=[])


def choose(name: str, **fields: Any) -> Decide:
    return Decide(actor=by(CHO), step=name, choice="yes", reason="-", **fields)


def test_what_was_chosen_for_one_matter_was_not_chosen_for_another() -> None:
    made = scene(playbook("unknown", PRIORITY), playbook("ddos", PRIORITY, CUTS))
    made.do(choose("unknown/first"))
    from models.commands import UsePlaybook  # noqa: PLC0415

    made.do(UsePlaybook(actor=by(BEN), how="add", playbook="ddos", reason="-"))
    assert made.incident.gates_held["ddos/may-cut"] == ["not-chosen:containment-or-preservation"]
    made.do(choose("ddos/first"))
    assert made.step("ddos/may-cut").status == "ready"


def test_a_playbook_without_such_a_choice_takes_that_of_the_incident() -> None:
    made = scene(playbook("unknown", PRIORITY), playbook("ddos", CUTS))
    made.do(choose("unknown/first"))
    from models.commands import UsePlaybook  # noqa: PLC0415

    made.do(UsePlaybook(actor=by(BEN), how="add", playbook="ddos", reason="-"))
    assert made.step("ddos/may-cut").status == "ready"


def test_a_choice_that_does_not_apply_leaves_it_to_another_and_a_skipped_one_does_not() -> None:
    made = scene_of(PRIORITY, CUTS)
    made.do(SettleStep(actor=by(BEN), step="first", how="skipped", reason="-"))
    assert made.step("may-cut").status == "held"


# -- the factors of this shutdown, and works normally -------------------------------------------------------


def test_a_decision_that_weighed_nothing_allows_no_shutdown() -> None:
    cut = action("cut", stops=["payments"], decided_by="light", after=["light"])
    made = scene_of(PRIORITY, decision("light"), cut)
    made.do(choose("first"))
    made.do(choose("light"))
    assert made.incident.gates_held["unknown/cut"] == ["not-weighed:unknown/light"]


@pytest.mark.parametrize(
    ("when", "status"),
    [(None, "held"), ("severity() >= 0", "held"), ('decided("may-cut") == "no"', "ready")],
    ids=str,
)
def test_a_step_that_stops_a_service_whatever_was_decided_is_held(when: str | None, status: str) -> None:
    cut = action("cut", stops=["payments"], decided_by="may-cut", after=["may-cut"])
    made = scene_of(PRIORITY, CUTS, cut | ({"when": when} if when else {}))
    made.do(choose("first"))
    no = Decide(actor=by(CHO), step="may-cut", choice="no", reason="-", factors=UNKNOWN)
    made.do(no)
    assert made.step("cut").status == status
    if status == "held":
        assert made.incident.gates_held["unknown/cut"] == ["not-allowed:unknown/may-cut"]


def test_a_check_from_before_the_restoration_says_nothing_about_what_was_restored() -> None:
    made = scene_of(step("reconnect", reconnects=["payments"], phase="recovery"))
    made.do(impacted("payments"))
    made.do(ServiceFact(actor=by(AMY), service="payments", what="works"))
    assert made.step("reconnect").status == "ready"
    made.clock.advance(timedelta(minutes=10))
    made.do(ServiceFact(actor=by(AMY), service="payments", what="restored"))
    assert made.incident.gates_held["unknown/reconnect"] == ["not-working:payments"]
    made.do(ServiceFact(actor=by(AMY), service="payments", what="works"))
    assert made.step("reconnect").status == "ready"


def test_an_improvement_alone_does_not_close() -> None:
    made = resolved()
    made.do(AddImprovement(actor=by(AMY), title="-", owner=AMY, due=NIGHT + timedelta(days=30)))
    assert made.says(CLOSE).detail["causes"] == ["watch-period:running"]
