"""The shipped playbooks worked through from the first step to the last, by the real rules and people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.clock import ExerciseClock
from models.commands import (
    Actor,
    AddEvidence,
    ClaimStep,
    Command,
    Decide,
    Declare,
    Done,
    FinishStep,
    ServiceFact,
    SetInstant,
    SetRecoveryPoint,
)
from models.desk import Desk
from models.playbook import MAX_ROUNDS, Step
from models.premises import Premises
from models.record import Record
from models.state import Incident
from playbooks.institution import load

BANK = Path(__file__).parents[2] / "examples" / "mihon-bank"
STARTED = datetime(2026, 11, 22, 18, tzinfo=UTC)
COMPROMISED = STARTED - timedelta(hours=2)
ANSWERS = {
    "text": "x",
    "instant": COMPROMISED.isoformat(),
    "number": "0",
    "yes-no": "yes",
    "duration": "1h",
    "list": "x",
}
MAX_ACTS = 300
NOT_YET = "not-yet"


class Walk:
    """One incident on the example bank, answered step by step."""

    def __init__(self, folder: Path, playbook: str, option: int | None) -> None:
        bank = load(BANK)
        self.record = Record.at(folder / "hikeshi.db")
        self.record.migrate()
        premises = Premises(organisation=bank.organisation, policy=bank.policy, playbooks=bank.playbooks)
        self.clock = ExerciseClock(STARTED)
        self.desk = Desk(self.record, premises, self.clock)
        self.option = option
        self.held: dict[str, str] = {}
        self.acts: list[str] = []
        opened = self.desk.handle(
            None,
            Declare(actor=_by("suzuki-daichi"), text="x", playbooks=(playbook,), services=("core-banking",)),
        )
        assert opened.accepted, opened.detail
        self.stream = opened.stream

    @property
    def state(self) -> Incident:
        return self.desk.incident(self.stream)

    def said(self, kind: str) -> list[dict[str, Any]]:
        """What the record's facts of this kind say, in their order."""
        with self.record.read() as tx:
            return [fact.data for fact in tx.facts(self.stream) if fact.kind == kind]

    def whole(self) -> Walk:
        """Do whatever is ready until nothing is, opening the gates that hold steps."""
        while len(self.acts) < MAX_ACTS:
            state = self.state
            ready = [key for key, known in state.steps.items() if known.status == "ready"]
            causes = {cause: key for key, held in state.gates_held.items() for cause in held}
            if ready:
                self.act(ready[0])
            elif any(known.status == "held" for known in state.steps.values()):
                self.held |= causes
                for cause in causes:
                    self.open(*cause.split(":", 1))
            else:
                return self
        raise AssertionError(f"no end after {MAX_ACTS} acts: {self.acts[-5:]}")

    def act(self, key: str) -> None:
        self.acts.append(key)
        step = self.desk.world(self.state).steps(self.state)[key].step
        if step.kind == "action":
            self._run(key)
        elif step.kind == "decision":
            self.do(self._choice(key, step))
        else:
            values = {field.id: ANSWERS[field.type] for field in step.record}
            self.do(Done(actor=self._holder(step.owner), step=key, values=values))

    def open(self, cause: str, what: str) -> None:
        """What somebody has to do about a closed gate."""
        csirt, owner = _by("sato-kenji"), _by("kimura-naoki")
        at = COMPROMISED if what == "compromised" else STARTED
        good = COMPROMISED - timedelta(days=1)
        answers: dict[str, Command] = {
            "not-preserved": AddEvidence(
                actor=csirt, source=what, description="x", digest="sha256:" + "0" * 64, size=1
            ),
            "no-instant": SetInstant(actor=csirt, name=what, instant=at, source="log"),
            "no-checked-backup": SetRecoveryPoint(
                actor=csirt, id="b1", service=what, instant=good, tamper="clean", malware="clean"
            ),
            "not-working": ServiceFact(actor=csirt, service=what, what="works"),
            "not-confirmed-by-csirt": ServiceFact(actor=csirt, service=what, what="confirmed-by-csirt"),
            "not-confirmed-by-owner": ServiceFact(actor=owner, service=what, what="confirmed-by-owner"),
        }
        self.do(answers[cause])

    def do(self, command: Command) -> None:
        outcome = self.desk.handle(self.stream, command)
        assert outcome.accepted, f"{command}: {outcome.refused} {outcome.detail}"

    def _holder(self, role: str | None) -> Actor:
        return _by(self.desk.world(self.state).holders(self.state, role or "")[0].person.id)

    def _choice(self, key: str, step: Step) -> Decide:
        choice = step.recommend if self.option is None else step.options[self.option % len(step.options)].id
        if choice == NOT_YET and self.acts.count(key) > 1:
            choice = step.recommend  # the second time round it is resumed
        return Decide(
            actor=self._holder(step.authority),
            step=key,
            choice=choice or "",
            reason="x",
            factors=dict.fromkeys(step.factors, "unknown"),
        )

    def _run(self, key: str) -> None:
        machine = Actor.machine("conductor")
        self.do(ClaimStep(actor=machine, step=key, node="n", epoch=1, lease=300))
        attempt = self.state.steps[key].attempt
        item = {"digest": "sha256:" + "0" * 64, "size": 1, "stored": "x", "name": "x"}
        self.do(
            FinishStep(
                actor=machine, step=key, node="n", epoch=1, attempt=attempt, outcome="done", evidence=(item,)
            )
        )


def _by(person: str) -> Actor:
    return Actor(person=person, name=person)


Walking = Callable[[str, int | None], Walk]


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walking]:
    """Works a playbook through; with a number, each decision takes that option."""
    with ExitStack() as after:

        def run(playbook: str, option: int | None) -> Walk:
            walking = Walk(tmp_path, playbook, option)
            after.callback(walking.record.close)
            return walking.whole()

        yield run


@pytest.mark.parametrize("option", [None, 0, 1, 2])
@pytest.mark.parametrize("playbook", ["ransomware", "unknown"])
def test_a_playbook_comes_to_its_end_whatever_is_decided(
    walk: Walking, playbook: str, option: int | None
) -> None:
    state = walk(playbook, option).state
    left = [key for key, known in state.steps.items() if known.status not in {"done", "not-applicable"}]
    assert left == []
    assert {phase.status for phase in state.phases.values()} == {"ended"}


def test_the_gates_hold_where_the_guideline_wants_them(walk: Walking) -> None:
    assert walk("ransomware", None).held == {
        "not-preserved:ransom-note": "ransomware/method",
        "not-preserved:network-device-logs": "ransomware/exfiltration",
        "not-preserved:service-status": "ransomware/business-impact",
        "no-checked-backup:core-banking": "ransomware/restore/rebuild-and-restore",
        "not-working:core-banking": "ransomware/restore/reconnect",
        "no-instant:cause-addressed": "ransomware/restore/resume",
        "not-confirmed-by-csirt:core-banking": "ransomware/restore/resume",
        "not-confirmed-by-owner:core-banking": "ransomware/restore/resume",
    }


@pytest.mark.parametrize(("playbook", "call"), [("unknown", "restore"), ("ddos", "reopen")])
def test_not_yet_goes_round_again_with_every_check_and_then_resumes(
    walk: Walking, playbook: str, call: str
) -> None:
    """FSA-2.5.2.6-B1: the wave is not over because somebody decided against resuming."""
    walked = walk(playbook, 2)
    scope = f"{playbook}/{call}"
    again = ["plan-wave", "works-normally", "reconnect", "csirt-confirms", "owner-confirms", "decide-resume"]
    for step in again:
        assert walked.acts.count(f"{scope}/{step}") == 2, step
    assert walked.acts.count(f"{scope}/resume") == 1
    choices = [
        one["choice"] for one in walked.said("decision.made") if one["step"] == f"{scope}/decide-resume"
    ]
    assert choices == [NOT_YET, "resume-limited"]
    assert walked.state.services["core-banking"].resumed_at is not None


class NeverYet(Walk):
    """Whoever decides on resuming never wants to."""

    def _choice(self, key: str, step: Step) -> Decide:
        made = super()._choice(key, step)
        return replace(made, choice=NOT_YET) if step.id == "decide-resume" else made


def test_not_yet_for_ever_ends_at_the_bound_and_nothing_counts_as_resumed(tmp_path: Path) -> None:
    walked = NeverYet(tmp_path, "unknown", None)
    state = walked.whole().state
    walked.record.close()
    assert walked.acts.count("unknown/restore/plan-wave") == MAX_ROUNDS
    assert state.steps["unknown/restore/resume"].status == "not-applicable"
    assert state.services["core-banking"].resumed_at is None


def test_an_action_finds_the_variables_that_people_recorded(walk: Walking) -> None:
    variables = walk("ransomware", None).state.variables
    for name in ("ransomware.first-host", "ransomware.segment", "ransomware/evidence.host"):
        assert variables[name] == "x"


def test_the_banks_own_playbook_goes_on_with_the_shipped_one(walk: Walking) -> None:
    assert "atm-outage/go-on/review/improvements" in walk("atm-outage", None).acts
