"""The gates ahead are told before they bite, and are the same that hold a step when it is reached."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from models.ahead import Ahead, gates_ahead
from models.commands import (
    AddEvidence,
    AddImprovement,
    Close,
    Command,
    Decide,
    Done,
    OverrideGate,
    Reopen,
    Resolve,
    RetryStep,
    ScopeFact,
    ServiceFact,
    SetInstant,
    SetRecoveryPoint,
    SettleStep,
    StartStep,
    WithdrawDecision,
)
from models.gate import closed_gates
from models.overriding import WithdrawOverride
from models.playbook import FACTORS
from tests.models.small import AMY, BEN, CHO, EVE, GUS, NIGHT, Scene, by, decision, scene_of, step

UNKNOWN = dict.fromkeys(FACTORS, "unknown")
STEPS = (
    step("save", phase="preservation", preserves=["memory"]),
    step("read", phase="analysis", sources=["memory"], after=["save"]),
    decision("first", phase="containment", decides="containment-or-preservation"),
    decision("may-cut", phase="containment", stops=["payments"], after=["first"]),
    step(
        "cut",
        phase="containment",
        stops=["payments"],
        decided_by="may-cut",
        after=["may-cut"],
        when='decided("may-cut") == "yes"',
    ),
    step("restore", phase="recovery", restores=["payments"], after=["may-cut"]),
    step("reconnect", phase="recovery", reconnects=["payments"], after=["restore"]),
    step("resume", phase="recovery", resumes=["payments"], after=["reconnect"]),
)


def ahead(made: Scene) -> list[Ahead]:
    state = made.incident
    return gates_ahead(state, made.desk.world(state))


def test_what_the_next_phases_need_is_told_from_the_beginning() -> None:
    found = ahead(scene_of(*STEPS))
    told = {(one.gate, one.step.split("/")[-1]) for one in found if one.planned is not None}
    assert told == {
        ("preserved-before-analysed", "read"),
        ("containment-or-preservation", "may-cut"),
        ("containment-or-preservation", "cut"),
        ("shutdown-authority", "cut"),
        ("backup-checked", "restore"),
        ("works-normally", "reconnect"),
        ("cause-addressed", "resume"),
    }
    assert [one.gate for one in found][-1] == "closing"


def test_a_step_whose_condition_does_not_hold_may_never_come() -> None:
    found = ahead(scene_of(*STEPS))
    assert {one.step for one in found if one.maybe} == {"unknown/cut"}


def test_what_holds_a_step_stands_first() -> None:
    made = scene_of(*STEPS)
    made.do(Done(actor=by(AMY), step="save"))
    first = ahead(made)[0]
    assert (first.step, first.holds, first.causes) == ("unknown/read", True, ("not-preserved:memory",))


def test_nothing_is_ahead_of_a_closed_incident_and_only_closing_of_a_resolved_one() -> None:
    made = scene_of(step("look"))
    made.do(Done(actor=by(AMY), step="look"))
    made.do(Resolve(actor=by(BEN), cause="-", entry_route="-"))
    assert [(one.gate, one.status) for one in ahead(made)] == [("closing", "held")]
    made.do(AddImprovement(actor=by(AMY), title="-", owner=AMY, due=NIGHT + timedelta(days=60)))
    made.wait(60 * 24 * 4)
    assert ahead(made) == []
    made.do(Close(actor=by(BEN), assessment="-", spread="-"))
    assert ahead(made) == []


# -- whatever people do --------------------------------------------------------------------------------------

NAMES = ("save", "read", "first", "may-cut", "cut", "restore", "reconnect", "resume")
GATES = ("preserved-before-analysed", "shutdown-authority", "containment-or-preservation", "backup-checked")


def _acts() -> list[Command]:
    """Everything that opens, closes or passes a gate, and everything that begins a step."""
    who = by(AMY)
    found: list[Command] = [
        AddEvidence(actor=who, source="memory", description="-", digest="sha256:" + "a" * 64, size=1),
        SetInstant(actor=who, name="compromised", instant=NIGHT - timedelta(hours=2), source="-"),
        SetInstant(actor=who, name="cause-addressed", instant=NIGHT, source="-"),
        SetRecoveryPoint(
            actor=who,
            id="b1",
            service="payments",
            instant=NIGHT - timedelta(hours=4),
            tamper="clean",
            malware="clean",
        ),
        ScopeFact(actor=who, what="add", kind="host", name="pc"),
        ScopeFact(actor=who, what="fix", id="SC-001", text="rebuilt"),
        ServiceFact(actor=who, service="payments", what="impacted"),
        ServiceFact(actor=who, service="payments", what="works"),
        ServiceFact(actor=who, service="payments", what="fails"),
        ServiceFact(actor=by(EVE), service="payments", what="confirmed-by-owner"),
        ServiceFact(actor=who, service="payments", what="confirmed-by-csirt"),
        Reopen(actor=by(BEN), phase="containment", reason="-"),
    ]
    for name in NAMES:
        found += [
            StartStep(actor=who, step=name),
            Done(actor=who, step=name),
            SettleStep(actor=by(BEN), step=name, how="skipped", reason="-"),
            RetryStep(actor=who, step=name, how="again", reason="-"),
            OverrideGate(actor=by(CHO), gate="works-normally", step=name, reason="-"),
            OverrideGate(actor=by(CHO), gate="cause-addressed", step=name, reason="-"),
            *(OverrideGate(actor=by(CHO), gate=gate, step=name, reason="-") for gate in GATES),
            *(WithdrawOverride(actor=by(CHO), gate=gate, step=name, reason="-") for gate in GATES),
        ]
    for name in ("first", "may-cut"):
        for choice in ("yes", "no"):
            factors = UNKNOWN if name == "may-cut" else {}
            decide = {"step": name, "choice": choice, "reason": "-", "factors": factors}
            found.append(Decide(actor=by(CHO), **decide))  # type: ignore[arg-type]
            found.append(Decide(actor=by(CHO), supersede=True, **decide))  # type: ignore[arg-type]
            found.append(Decide(actor=by(GUS), for_=CHO, **decide))  # type: ignore[arg-type]
        found.append(WithdrawDecision(actor=by(CHO), step=name, reason="-"))
    return found


ACTS = _acts()
BEGINS = {"step.started", "step.done", "decision.made"}


def _way() -> list[Command]:
    """The way through all of it, along which every gate is opened in turn."""
    who = by(AMY)
    done = {name: Done(actor=who, step=name) for name in NAMES}
    decide = Decide(actor=by(CHO), step="first", choice="yes", reason="-")
    cut = Decide(actor=by(CHO), step="may-cut", choice="yes", reason="-", factors=UNKNOWN)
    facts = iter(ACTS)
    evidence, compromised, addressed, backup = (next(facts) for _ in range(4))
    works = ServiceFact(actor=who, service="payments", what="works")
    sides = [
        ServiceFact(actor=by(EVE), service="payments", what="confirmed-by-owner"),
        ServiceFact(actor=who, service="payments", what="confirmed-by-csirt"),
    ]
    return [
        done["save"], evidence, done["read"], decide, cut, done["cut"], compromised, backup, done["restore"],
        works, done["reconnect"], addressed, *sides, done["resume"],
    ]  # fmt: skip


WAY = _way()
TURNS = st.lists(
    st.tuples(
        st.booleans() | st.just(True),
        st.lists(st.one_of(st.sampled_from(ACTS), st.integers(1, 120)), max_size=2),
    ),
    min_size=len(WAY),
    max_size=len(WAY),
)


@settings(deadline=None, max_examples=40)
@given(TURNS)
def test_no_order_of_acts_lets_a_step_begin_behind_a_closed_gate(
    turns: list[tuple[bool, list[Command | int]]],
) -> None:
    """Along the way through all gates, with acts left out and others between them."""
    made = scene_of(*STEPS)
    for taken, (walks, between) in zip(WAY, turns, strict=True):
        for act in [*([taken] if walks else []), *between]:
            _one(made, act)


def _one(made: Scene, act: Command | int) -> None:
    if isinstance(act, int):
        made.wait(act)
    else:
        held = _closed(made)
        for fact in made.desk.handle(made.stream, act).facts:
            if fact.kind in BEGINS and fact.actor != "hikeshi":
                assert not held[fact.data["step"]], (act, held)
    closed = _closed(made)
    for known in made.incident.steps.values():
        assert known.status != "ready" or not closed[known.key], (act, known.key)


def _closed(made: Scene) -> dict[str, dict[str, list[str]]]:
    state = made.incident
    world = made.desk.world(state)
    return {key: closed_gates(state, one, world) for key, one in world.steps(state).items()}
