"""Ninety minutes of the ransomware scenario at the example bank: four people play, the script the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from console.opening import House
from models.clock import ExerciseClock, iso
from models.commands import Acknowledge, Actor, Command, Decide, Declare, Done, ServiceFact, SetRecoveryPoint
from models.desk import Desk
from models.exercise import (
    EXERCISE,
    AnswerQuestions,
    ConfirmAddress,
    EndExercise,
    Enrol,
    Exercise,
    HotWash,
    MarkAbsent,
    Observe,
    PrepareDrill,
    Rate,
    Staff,
    StartExercise,
)
from models.exercise_script import Script
from models.plan import PlannedStep
from models.premises import Outcome
from models.record import Record

WALL = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
STARTEX = datetime(2026, 11, 24, 15, 40, tzinfo=UTC)
LEAD, WATCHER = "okada-shinji", "fujita-keiko"
DUTY, COMMANDER, CISO, VENDOR = "suzuki-daichi", "sato-kenji", "kato-hiroshi", "abe-kazuya"
PLAYERS = {DUTY: ["csirt-duty"], COMMANDER: ["csirt-lead"], CISO: ["ciso"], "matsumoto-aya": ["pr"]}
SCENARIO = "ransomware-night-batch"
SECRET = "<b>5 台</b> | と # 記号"  # noqa: S105 - a text that looks like markup


class Hour:
    """The desk of a drill whose wall clock and story are moved by hand."""

    def __init__(self, house: House) -> None:
        scenario = house.institution.scenarios[SCENARIO]
        self.clock = ExerciseClock(STARTEX)
        premises = replace(house.desk.premises, drill=True, scenario=scenario)
        self.desk = Desk(Record.in_memory(), premises, self.clock)
        self.house = replace(house, desk=self.desk)
        self.wall, self.incident = WALL, ""

    def put(self, command: Command, stream: str | None = EXERCISE) -> Outcome:
        """Have it done."""
        outcome = self.desk.handle(stream, command)
        assert outcome.accepted, (command, outcome.refused, outcome.detail)
        return outcome

    def do(self, kind: type[Command], who: str, *, via: str = "cli", **fields: Any) -> Outcome:
        """Somebody does something in the exercise, or in its incident."""
        stream = EXERCISE if kind.__module__ == "models.exercise" else self.incident or None
        return self.put(kind(actor=Actor(person=who, name=who, via=via), **fields), stream)

    def pass_(self, minutes: float) -> None:
        """So much is played; the story leaps by itself, and the watch looks."""
        self.wall += timedelta(minutes=minutes)
        state = self.desk.state(EXERCISE)
        assert isinstance(state, Exercise)
        now = Script(None, state).now(self.wall)
        assert now is not None
        self.clock.set(now)
        for stream in (EXERCISE, self.incident, "intake"):
            if stream:
                self.desk.tick(stream)

    def step(self, name: str) -> PlannedStep:
        """The step of the playbook, as it is frozen."""
        return self.desk.library["ransomware"].plan.steps[f"ransomware/{name}"]

    def done(self, name: str, who: str, via: str = "cli") -> None:
        """A manual step, with all that has to be recorded."""
        values = {one.id: self._value(one.type) for one in self.step(name).step.record if one.required}
        self.do(Done, who, via=via, step=f"ransomware/{name}", values=values)

    def _value(self, kind: str) -> str:
        known: Mapping[str, str] = {"yes-no": "yes", "number": "1", "instant": iso(self.clock.now())}
        return known.get(kind, "cb-batch01")

    def decide(self, name: str, choice: str, who: str, via: str = "cli") -> None:
        """A decision, with every factor unknown."""
        factors = dict.fromkeys(self.step(name).step.weighed, "unknown")
        self.do(Decide, who, via=via, step=f"ransomware/{name}", choice=choice, reason="-", factors=factors)


def prepared(house: House) -> Hour:
    """Staff, players and one who has not come."""
    made = Hour(house)
    scenario = made.desk.premises.scenario
    assert scenario is not None
    made.do(PrepareDrill, LEAD, drill="DRL-2026-0001", scenario=SCENARIO, version=scenario.version,
            digest="sha256:ab", startex=STARTEX, seed=7)  # fmt: skip
    made.do(Staff, LEAD, person=WATCHER, role="evaluator")
    for person, roles in (PLAYERS | {VENDOR: ["it-ops"]}).items():
        made.do(Enrol, LEAD, person=person, roles=tuple(roles), organisation="みほん銀行")
        made.do(ConfirmAddress, person, person=person, channel="console")
    made.do(MarkAbsent, LEAD, person=VENDOR, why="電車の遅れ")
    return made


def played(house: House) -> Hour:
    """Checked and decided in time, the first host cut late, the backups only by the script."""
    made = prepared(house)
    made.do(StartExercise, LEAD, wall=made.wall)
    made.pass_(2)
    outcome = made.put(
        Declare(actor=Actor(person=DUTY), text="cb-batch01 が暗号化", playbooks=("ransomware",)), None
    )
    made.incident = outcome.stream
    made.do(Acknowledge, DUTY)
    made.do(ServiceFact, DUTY, service="core-banking", what="impacted", instant=STARTEX)
    made.pass_(3)
    made.done("confirm-alert", DUTY)
    made.pass_(15)
    made.done("cut-first-host", DUTY)
    made.done("backups-offline", "shimizu-yuta", via="script")
    made.pass_(2)
    made.decide("contain-or-preserve", "both", CISO)
    made.pass_(8)
    made.decide("isolate-segment", "isolate", CISO)
    made.do(SetRecoveryPoint, COMMANDER, id="cb-tape", service="core-banking", tamper="clean",
            malware="clean", instant=STARTEX - timedelta(days=13))  # fmt: skip
    made.pass_(30)
    return made


def judged(house: House) -> Hour:
    """ENDEX, observations, two ratings, a hot wash and a questionnaire."""
    made = played(house)
    made.pass_(30)
    made.do(EndExercise, LEAD, wall=made.wall, reason="時間終了")
    for kind, objective, text in (
        ("observation", "first-response", SECRET),
        ("strength", None, "落ち着いて電話を使った"),
        ("improvement", "protect-backups", "バックアップに思い至らなかった"),
    ):
        made.put(Observe(actor=Actor(person=WATCHER), kind=kind, objective=objective, text=text))  # type: ignore[arg-type]
    made.do(Rate, WATCHER, objective="first-response", rating="M", observation="OBS-001", proposed="U")
    made.do(HotWash, DUTY, text="宣言は早かった", question="何がうまくいったか")
    made.do(AnswerQuestions, DUTY, answers={"backup-confidence": "2"})
    made.do(AnswerQuestions, COMMANDER, answers={"backup-confidence": "4"})
    return made
