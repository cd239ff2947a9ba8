"""A small scenario on the small bank, played by two of its people, for the tests of the exercise's rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from models.clock import ExerciseClock
from models.commands import Actor, Command
from models.desk import Desk
from models.exercise import EXERCISE, ConfirmAddress, Enrol, Exercise, PrepareDrill, Staff, StartExercise
from models.exercise_script import Script
from models.fact import Fact
from models.premises import Outcome, Premises
from models.record import Record
from models.scenario import Scenario
from tests.models.small import AMY, BEN, CHO, DAN, GUS, PLAIN, organisation, playbook, policy, step

WALL = datetime(2026, 12, 3, 1, 0, tzinfo=UTC)
STARTEX = datetime(2026, 12, 29, 14, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LEAD, EVALUATOR = GUS, DAN
"""The scribe of the bank runs the exercise; the CIO watches."""


def inject(name: str, **fields: Any) -> dict[str, Any]:
    """A call from outside to the duty officer; at STARTEX unless `fields` say otherwise."""
    shape = {
        "id": name, "kind": "call", "channel": "telephone", "from": "police", "to": ["csirt-duty"],
        "title": name, "text": f"text of {name}",
    }  # fmt: skip
    timed = {} if {"at", "after", "when"} & set(fields) else {"at": "0m"}
    return shape | timed | fields


def scenario(*injects: dict[str, Any], **fields: Any) -> Scenario:
    """Two hours with these injects."""
    return Scenario.model_validate(
        {
            "scenario": "small",
            "version": "1.0.0",
            "title": "Small",
            "summary": "-",
            "reviewed": "2026-11-01",
            "playbooks": ["main"],
            "plausibility": "-",
            "customer_impact": "-",
            "threats": [{"text": "-", "confidence": "G"}],
            "duration": "2h",
            "start": {"day": "a working day", "time": "23:00"},
            "briefing": "good morning",
            "truth": "-",
            "roles": [{"role": "csirt-duty", "task": "-"}, {"role": "csirt-lead", "task": "-"}],
            "outside": [{"id": "police", "name": "Police", "knows": "-"}],
            "objectives": [{"id": "call-out", "text": "-"}],
            "injects": list(injects) or [inject("first")],
        }
        | fields
    )


@dataclass
class Played:
    """A drill on an in-memory record, with the wall and the story moved by hand."""

    desk: Desk
    clock: ExerciseClock
    wall: datetime = WALL

    @property
    def state(self) -> Exercise:
        """The exercise as stored now."""
        state = self.desk.state(EXERCISE)
        assert isinstance(state, Exercise)
        return state

    def facts(self, *kinds: str) -> list[Fact]:
        """Its facts of these kinds, or all."""
        with self.desk.record.read() as tx:
            return [one for one in tx.facts(EXERCISE) if not kinds or one.kind in kinds]

    def try_(self, kind: type[Command], who: str = LEAD, *, via: str = "cli", **fields: Any) -> Outcome:
        """The outcome of a command, accepted or refused."""
        actor = Actor(person=who, name=who, via=via)
        return self.desk.handle(EXERCISE, kind(actor=actor, **fields))

    def do(self, kind: type[Command], who: str = LEAD, **fields: Any) -> Outcome:
        """The outcome of a command that is accepted."""
        outcome = self.try_(kind, who, **fields)
        assert outcome.accepted, (outcome.refused, outcome.detail)
        return outcome

    def pass_(self, span: timedelta) -> None:
        """Let so much real time pass; the story goes as the exercise says, and the watch looks once."""
        self.wall += span
        self.catch_up()

    def catch_up(self) -> None:
        """Put the story's clock where the wall says it is, and tick."""
        now = Script(None, self.state).now(self.wall)
        assert now is not None
        self.clock.set(now)
        self.desk.tick(EXERCISE)

    def came(self) -> list[tuple[str, str, timedelta]]:
        """Every inject that was settled: its name, how, and how much had been played."""
        found = self.facts("inject.delivered", "inject.skipped")
        return [
            (one.data["inject"], one.data["how"], timedelta(milliseconds=one.data["played_ms"]))
            for one in found
        ]


def prepared(script: Scenario | None = None, **fields: Any) -> Played:
    """Prepared, staffed and enrolled, before STARTEX."""
    script = script or scenario()
    bank = fields.pop("organisation", None) or organisation()
    clock = ExerciseClock(STARTEX)
    record = Record.in_memory()
    record.migrate()
    books = fields.pop("playbooks", None) or {"main": playbook("main", step("look")), "unknown": PLAIN}
    premises = Premises(
        organisation=bank, policy=policy(), playbooks=books, drill=True, scenario=script, **fields
    )
    made = Played(desk=Desk(record, premises, clock), clock=clock)
    made.do(PrepareDrill, drill="DRL-2026-0001", scenario=script.scenario, version=script.version,
            digest="sha256:0", startex=STARTEX, seed=7)  # fmt: skip
    made.do(Staff, person=EVALUATOR, role="evaluator")
    for person, role in ((AMY, "csirt-duty"), (BEN, "csirt-lead")):
        made.do(Enrol, person=person, roles=(role,))
        made.do(ConfirmAddress, person, person=person, channel="console")
    made.do(ConfirmAddress, LEAD, person=LEAD, channel="console")
    return made


def started(script: Scenario | None = None, *, speed: int = 1, **fields: Any) -> Played:
    """STARTEX has been given."""
    made = prepared(script, **fields)
    made.do(StartExercise, wall=made.wall, speed=speed)
    return made


def recipients(fact: Fact) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Whom a notice reaches, and how."""
    return ((one["person"], tuple(one["channels"])) for one in fact.data["recipients"])


__all__ = ["AMY", "BEN", "CHO", "DAN", "EVALUATOR", "LEAD", "MINUTE", "STARTEX", "WALL"]
