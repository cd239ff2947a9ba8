"""Machine steps of a drill: begun by the same flows as in production, ended here when the scenario says.

Nothing is touched. How long a step takes and what comes out stands in the scenario's `outcomes`; without one
it is done after a short time that the drill's seed gives, with something of the declared kind in each field.
A step that preserves something gives a small text that says that it is practice. When a step ends follows
from the record alone, so that a node that was killed ends none twice and forgets none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from flows.actions.simulated import NODE
from flows.actions.store import Writer
from flows.actions.values import CollectedItem, stored_as
from models.clock import iso
from models.commands import Actor, FinishStep
from models.desk import Desk
from models.exercise import EXERCISE, Exercise
from models.exercise_conditions import holds, names_of
from models.plan import PlannedStep
from models.playbook import RecordField
from models.premises import Outcome as Stored
from models.scenario import Outcome, Scenario
from models.state import Incident, StepState
from models.world import World

ACTOR = Actor.machine("conductor")
SHORTEST, LONGEST = timedelta(seconds=30), timedelta(minutes=4)
"""Between these a step takes its time of which the scenario says nothing."""
MARK = "【訓練】"
COLLECT = ".collect"
"""How the names of actions end that take evidence."""


class Machines:
    """Ends the machine steps that have been begun. From the thread of the record."""

    def __init__(self, desk: Desk, scenario: Scenario, evidence: Path, seed: int) -> None:
        self.desk = desk
        self.scenario = scenario
        self.evidence = evidence
        self.seed = seed

    def next_at(self) -> datetime | None:
        """When the next one ends; None if none is under way."""
        return min((ends for _, _, ends in self._begun()), default=None)

    def act(self) -> Stored | None:
        """End the first one whose time has come; None if there is none."""
        due = [one for one in self._begun() if one[2] <= self.desk.clock.now()]
        if not due:
            return None
        case, known, _ = min(due, key=lambda one: (one[2], one[0].stream, one[1].key))
        return self.desk.handle(case.stream, self._finish(case, known))

    def _begun(self) -> Iterator[tuple[Incident, StepState, datetime]]:
        with self.desk.record.read() as tx:
            names = tx.incidents()
        for name in names:
            case = self.desk.state(name)
            if not isinstance(case, Incident):
                continue
            for known in case.steps.values():
                if known.status == "started" and known.node == NODE and known.started_at is not None:
                    yield case, known, known.started_at + self._takes(case, known)

    def _takes(self, case: Incident, known: StepState) -> timedelta:
        told = self._outcome(known.key)
        if told is not None and told.takes is not None:
            return told.takes
        spread = int((LONGEST - SHORTEST).total_seconds())
        return SHORTEST + timedelta(seconds=self._random(case, known).randint(0, spread))

    def _random(self, case: Incident, known: StepState) -> Random:
        """The same for the same step of the same drill, whenever and in whatever order it is asked for."""
        return Random(f"{self.seed}/{case.stream}/{known.key}/{known.round}/{known.attempt}")  # noqa: S311

    def _outcome(self, step: str) -> Outcome | None:
        """The first that holds."""
        mine = [one for one in self.scenario.outcomes if one.step == step]
        if not mine:
            return None
        exercise = self.desk.state(EXERCISE)
        given = exercise.injects if isinstance(exercise, Exercise) else {}
        names = names_of(self.desk.world(exercise).cases(), given)
        return next((one for one in mine if one.when is None or holds(one.when, names)), None)

    def _finish(self, case: Incident, known: StepState) -> FinishStep:
        world = self.desk.world(case)
        planned = world.step(case, known.key)
        assert planned is not None  # noqa: S101 - dropping or moving a playbook clears its steps
        told = self._outcome(known.key)
        result = told.result if told is not None else "done"
        return FinishStep(
            actor=ACTOR,
            step=known.key,
            node=NODE,
            epoch=known.epoch,
            attempt=known.attempt,
            outcome=result,
            outputs=self._outputs(planned, told, world) if result == "done" else {},
            evidence=self._evidence(case, planned, world.now) if result == "done" else (),
            error="" if result == "done" else MARK + (told.text.ja if told and told.text else result),
            engine="script",
        )

    def _outputs(self, planned: PlannedStep, told: Outcome | None, world: World) -> dict[str, str]:
        lang = world.organisation.lang
        fields = {field.id: _filler(field, world.now) for field in planned.step.record}
        fields |= {name: MARK for name in planned.step.sets.values() if name not in fields}
        if told is not None:
            fields |= {name: _written(value) for name, value in told.fields.items()}
        said = (
            told.text.lang(lang)
            if told is not None and told.text is not None
            else planned.step.title.lang(lang)
        )
        return fields | {"summary": f"{MARK}{said}"}

    def _evidence(self, case: Incident, planned: PlannedStep, now: datetime) -> tuple[Mapping[str, Any], ...]:
        """What a collecting step preserves in a drill: a text that says that it is practice."""
        if not planned.step.preserves and not (planned.step.use or "").endswith(COLLECT):
            return ()
        with Writer(self.evidence) as writer:
            writer.write(f"{MARK}{case.stream} {planned.key} {iso(now)}\n".encode())
            writer.keep()
        item = CollectedItem(
            name=f"{MARK}{planned.step.id}.txt",
            source=planned.step.target or planned.step.id,
            collected_at=iso(now),
            tool="scenario",
            **stored_as(writer),
        )
        return (asdict(item),)


def _written(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _filler(field: RecordField, now: datetime) -> str:
    """Something of the field's kind."""
    kinds = {"number": "0", "yes-no": "yes", "instant": iso(now), "duration": "1m"}
    return kinds.get(field.type, MARK)
