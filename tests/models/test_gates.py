"""The gates of the guideline: what closes each, what opens it, and who may override it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.commands import (
    AddEvidence,
    AssignRole,
    Decide,
    Done,
    OverrideGate,
    ScopeFact,
    ServiceFact,
    SetInstant,
    SetRecoveryPoint,
    SettleStep,
)
from models.gate import GATES
from models.playbook import FACTORS
from models.reason import Reason
from tests.models.small import (
    AMY,
    BEN,
    CHO,
    DAN,
    EVE,
    FAY,
    GUS,
    NIGHT,
    Scene,
    action,
    by,
    decision,
    scene_of,
    step,
)

UNKNOWN = dict.fromkeys(FACTORS, "unknown")
Opens = list[tuple[str, Any]]


def choose(name: str, choice: str = "yes", **fields: Any) -> Decide:
    return Decide(actor=by(CHO), step=name, choice=choice, reason="-", **fields)


def evidence(source: str) -> AddEvidence:
    return AddEvidence(actor=by(AMY), source=source, description="-", digest="sha256:" + "a" * 64, size=1)


def instant(name: str, ago: int = 60) -> SetInstant:
    return SetInstant(actor=by(AMY), name=name, instant=NIGHT - timedelta(minutes=ago), source="-")


def service(what: Any, person: str = AMY) -> ServiceFact:
    return ServiceFact(actor=by(person), service="payments", what=what)


def backup(ago: int, tamper: Any = "clean", malware: Any = "clean") -> SetRecoveryPoint:
    when = NIGHT - timedelta(minutes=ago)
    return SetRecoveryPoint(
        actor=by(AMY), id="b1", service="payments", instant=when, tamper=tamper, malware=malware
    )


PRIORITY = decision("first", decides="containment-or-preservation")
ALLOWED = 'decided("may-cut") != "no"'
STOPPING = action("cut", stops=["payments"], decided_by="may-cut", after=["may-cut"], when=ALLOWED)
ASKED = decision("may-cut", stops=["payments"], after=["first"])
"""gate: steps of the playbook, the step that it holds, its causes, and what opens it one by one."""
GATED: dict[str, tuple[list[dict[str, Any]], str, list[str], Opens]] = {
    "preserved-before-analysed": (
        [step("read", phase="analysis", sources=["memory", "logs"])],
        "read",
        ["not-preserved:memory", "not-preserved:logs"],
        [("memory is preserved", evidence("memory")), ("the logs are preserved", evidence("logs"))],
    ),
    "shutdown-authority": (
        [PRIORITY, ASKED, STOPPING | {"after": ["first"]}],
        "cut",
        ["not-decided:unknown/may-cut"],
        [("the shutdown is decided", choose("may-cut", factors=UNKNOWN))],
    ),
    "containment-or-preservation": (
        [PRIORITY, ASKED | {"after": []}],
        "may-cut",
        ["not-chosen:containment-or-preservation"],
        [("the priority is chosen", choose("first"))],
    ),
    "scope-fixed": (
        [step("open-again", resumes=["payments"], phase="recovery")],
        "open-again",
        ["no-fix:SC-001", "no-fix:SC-002"],
        [
            ("the host is fixed", ScopeFact(actor=by(AMY), what="fix", id="SC-001", text="rebuilt")),
            ("the risk is accepted", ScopeFact(actor=by(CHO), what="accept", id="SC-002", text="watched")),
        ],
    ),
    "backup-checked": (
        [step("restore", restores=["payments"], phase="recovery")],
        "restore",
        ["no-instant:compromised", "no-checked-backup:payments"],
        [
            ("the earliest compromise is known", instant("compromised", 120)),
            ("a backup is there but unchecked", backup(240, tamper="unknown")),
            ("it was tampered with", backup(240, tamper="tampered")),
            ("it holds malware", backup(240, malware="infected")),
            ("it is clean but younger than the compromise", backup(60)),
            ("it is clean and old enough", backup(240)),
        ],
    ),
    "works-normally": (
        [step("reconnect", reconnects=["payments"], phase="recovery")],
        "reconnect",
        ["not-working:payments"],
        [("it fails", service("fails")), ("it works", service("works"))],
    ),
    "cause-addressed": (
        [step("open-again", resumes=["payments"], phase="recovery")],
        "open-again",
        ["no-instant:cause-addressed", "not-confirmed-by-csirt:payments", "not-confirmed-by-owner:payments"],
        [
            ("the cause is addressed", instant("cause-addressed")),
            ("the CSIRT confirms", service("confirmed-by-csirt")),
            ("the owner confirms", service("confirmed-by-owner", EVE)),
        ],
    ),
}


def held(gate: str) -> Scene:
    """An incident with this gate closed before its step."""
    made = scene_of(*GATED[gate][0])
    if gate == "shutdown-authority":
        made.do(choose("first"))
    if gate == "scope-fixed":
        for kind in ("host", "account"):
            made.do(ScopeFact(actor=by(AMY), what="add", kind=kind, name="x"))
        for command in (
            instant("cause-addressed"),
            service("confirmed-by-csirt"),
            service("confirmed-by-owner", EVE),
        ):
            made.do(command)
    return made


def status(made: Scene, name: str) -> str:
    return made.step(name).status


def causes(made: Scene, gate: str) -> list[str]:
    state = made.incident
    world = made.desk.world(state)
    planned = world.steps(state)[f"unknown/{GATED[gate][1]}"]
    return list(GATES[gate].closed(state, planned, world))


def test_every_gate_has_its_row() -> None:
    assert set(GATED) == set(GATES)


@pytest.mark.parametrize("gate", GATED)
def test_a_gate_holds_its_step_and_names_each_cause(gate: str) -> None:
    _, name, because, _ = GATED[gate]
    made = held(gate)
    if gate == "scope-fixed":
        # Resuming needs no scope as long as nothing is in it; what is added later closes the gate.
        made = scene_of(*GATED[gate][0])
        for kind in ("host", "account"):
            made.do(ScopeFact(actor=by(AMY), what="add", kind=kind, name="x"))
    assert causes(made, gate) == because
    assert status(made, name) == "held"
    assert gate in made.step(name).held
    assert set(because) <= set(made.incident.gates_held[f"unknown/{name}"])


@pytest.mark.parametrize("gate", [name for name in GATED if name != "scope-fixed"])
def test_a_gate_opens_only_with_the_last_of_its_causes(gate: str) -> None:
    _, name, _, opens = GATED[gate]
    made = held(gate)
    for sentence, command in opens[:-1]:
        made.do(command)
        assert status(made, name) == "held", sentence
    assert "gate.passed" in made.do(opens[-1][1])
    assert status(made, name) == "ready"
    assert made.incident.gates_held == {}


def test_resuming_waits_for_each_item_of_the_scope() -> None:
    made = scene_of(*GATED["scope-fixed"][0])
    for kind in ("host", "account"):
        made.do(ScopeFact(actor=by(AMY), what="add", kind=kind, name="x"))
    for command in (
        instant("cause-addressed"),
        service("confirmed-by-csirt"),
        service("confirmed-by-owner", EVE),
    ):
        made.do(command)
    for _, command in GATED["scope-fixed"][3][:-1]:
        made.do(command)
        assert status(made, "open-again") == "held"
    made.do(GATED["scope-fixed"][3][-1][1])
    assert status(made, "open-again") == "ready"


@pytest.mark.parametrize("gate", [name for name in GATED if name != "scope-fixed"])
def test_only_its_authority_overrides_a_gate(gate: str) -> None:
    name = GATED[gate][1]
    made = held(gate)
    if gate == "cause-addressed":
        made.do(instant("cause-addressed"))
    for person in (AMY, EVE, FAY, GUS, *(() if "csirt-lead" in GATES[gate].override_by else (BEN,))):
        command = OverrideGate(actor=by(person), gate=gate, step=name, reason="-")
        assert made.says(command).reason is Reason.AUTHORITY_MISSING, person
    empty = OverrideGate(actor=by(CHO), gate=gate, step=name, reason=" ")
    assert made.says(empty).reason is Reason.REASON_MISSING
    assert "gate.overridden" in made.do(OverrideGate(actor=by(CHO), gate=gate, step=name, reason="now"))
    assert status(made, name) == "ready"
    fact = made.facts("gate.overridden")[0]
    assert (fact.data["role"], fact.data["gate"]) == ("ciso", gate)
    assert fact.data["causes"]


def test_an_override_is_refused_where_nothing_is_closed() -> None:
    made = scene_of(step("look"))
    gate = "preserved-before-analysed"
    open_already = OverrideGate(actor=by(CHO), gate=gate, step="look", reason="-")
    assert made.says(open_already).reason is Reason.NOT_HELD
    no_gate = OverrideGate(actor=by(CHO), gate="garden", step="look", reason="-")
    assert made.says(no_gate).reason is Reason.NO_SUCH_GATE


def test_the_institution_may_name_another_authority_for_a_gate() -> None:
    from tests.models.small import playbook, policy, scene  # noqa: PLC0415

    gate = "preserved-before-analysed"
    own = policy(permissions={f"override:{gate}": ["pr"]})
    made = scene(playbook("unknown", *GATED[gate][0]), policy=own)
    command = OverrideGate(actor=by(CHO), gate=gate, step="read", reason="-")
    assert made.says(command).reason is Reason.AUTHORITY_MISSING
    made.do(OverrideGate(actor=by(FAY), gate=gate, step="read", reason="-"))
    assert made.step("read").status == "ready"


def test_a_skipped_step_never_satisfies_a_gate() -> None:
    made = scene_of(PRIORITY, ASKED, STOPPING | {"after": ["first"]})
    for name in ("first", "may-cut"):
        made.do(SettleStep(actor=by(BEN), step=name, how="skipped", reason="-"))
    assert status(made, "cut") == "held"
    assert made.step("cut").held == ["containment-or-preservation", "shutdown-authority"]


def test_an_overridden_gate_lets_its_step_wait_for_the_other_gate() -> None:
    made = scene_of(PRIORITY, ASKED, STOPPING | {"after": []})
    made.do(OverrideGate(actor=by(CHO), gate="shutdown-authority", step="cut", reason="-"))
    assert made.step("cut").held == ["containment-or-preservation"]


def test_a_shutdown_that_nobody_may_decide_is_held() -> None:
    made = scene_of(PRIORITY, ASKED | {"authority": "president"})
    made.do(choose("first"))
    assert made.incident.gates_held["unknown/may-cut"] == ["nobody-holds:president"]


def test_somebody_held_up_by_a_gate_is_told_which() -> None:
    made = held("preserved-before-analysed")
    refused = made.says(Done(actor=by(AMY), step="read"))
    assert refused.reason is Reason.GATE_HELD
    assert refused.detail["gates"] == ["preserved-before-analysed"]
    made = held("containment-or-preservation")
    assert made.says(choose("may-cut", factors=UNKNOWN)).reason is Reason.GATE_HELD


def test_an_analysis_names_the_digests_of_what_it_read() -> None:
    made = held("preserved-before-analysed")
    for source in ("memory", "logs", "other"):
        made.do(evidence(source))
    made.do(Done(actor=by(AMY), step="read"))
    used = made.facts("step.done")[0].data["analysed"]
    assert [one["id"] for one in used] == ["EV-0001", "EV-0002"]


AFFECTED = ["affected-services"]


@pytest.mark.parametrize("field", ["restores", "reconnects", "resumes"])
def test_affected_services_are_those_recorded_as_affected(field: str) -> None:
    made = scene_of(step("go", phase="recovery", **{field: AFFECTED}))
    gates = made.incident.gates_held["unknown/go"]
    assert "no-service:recorded-as-affected" in gates
    made.do(service("impacted"))
    gates = made.incident.gates_held["unknown/go"]
    assert any(cause.endswith(":payments") for cause in gates)
    assert "no-service:recorded-as-affected" not in gates


def test_one_person_does_not_confirm_for_both_sides() -> None:
    made = held("cause-addressed")
    made.do(AssignRole(actor=by(BEN), role="commander", person=EVE))
    made.do(service("confirmed-by-owner", EVE))
    assert made.says(service("confirmed-by-csirt", EVE)).reason is Reason.SAME_PERSON
    made.do(service("confirmed-by-csirt", AMY))


def test_what_fails_after_both_confirmed_is_confirmed_anew() -> None:
    made = held("cause-addressed")
    sides = [service("confirmed-by-csirt"), service("confirmed-by-owner", EVE)]
    for command in (instant("cause-addressed"), *sides):
        made.do(command)
    assert status(made, "open-again") == "ready"
    made.do(service("fails"))
    assert status(made, "open-again") == "held"
    made.do(service("works"))
    assert status(made, "open-again") == "held", "what was confirmed was found not to work"
    for command in sides:
        made.do(command)
    assert status(made, "open-again") == "ready"


def test_finishing_says_what_became_of_the_services() -> None:
    made = scene_of(step("restore", restores=["payments"], phase="recovery"))
    for command in (instant("compromised", 120), backup(240)):
        made.do(command)
    made.clock.advance(timedelta(minutes=1))
    made.do(service("impacted"))
    made.do(Done(actor=by(AMY), step="restore"))
    assert made.incident.services["payments"].restored_at == made.clock.now()
    made = held("works-normally")
    made.do(service("works"))
    made.do(Done(actor=by(AMY), step="reconnect"))
    made = held("cause-addressed")
    for _, command in GATED["cause-addressed"][3]:
        made.do(command)
    made.do(Done(actor=by(AMY), step="open-again"))
    assert made.incident.services["payments"].resumed_at == made.clock.now()


def test_the_cio_stands_in_for_an_absent_ciso_at_a_gate() -> None:
    from tests.models.small import organisation, playbook, scene  # noqa: PLC0415

    gate = "preserved-before-analysed"
    made = scene(playbook("unknown", *GATED[gate][0]), organisation=organisation(absent=(CHO,)))
    made.do(OverrideGate(actor=by(DAN), gate=gate, step="read", reason="-"))
    assert made.step("read").status == "ready"
