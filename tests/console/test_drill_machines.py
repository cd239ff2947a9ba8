"""Machine steps of a drill: begun by the flow of production, touching nothing, ended as the scenario says."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from console.drill.machines import LONGEST, MARK, SHORTEST, Machines
from console.opening import House, open_house, secrets_of
from flows.actions.simulated import NODE
from flows.place import Place, RunClock
from flows.work import Attempt, Run
from models.clock import ExerciseClock
from models.commands import Actor, Declare, Done, Reclaim
from models.exercise import EXERCISE, StartExercise
from models.state import Incident
from tests.console.drillhouse import prepare

SATO = Actor(person="sato-kenji", name="sato", via="cli")
INCIDENT = "INC-2026-0001"
EDR, LOGS = "ransomware/collect-edr", "ransomware/collect-logs"


class Scene:
    """A drill after STARTEX with an incident whose collectors are ready."""

    def __init__(self, directory: Path) -> None:
        self.clock = ExerciseClock(open_house(directory).drill.startex)  # type: ignore[union-attr]
        self.house: House = open_house(directory, self.clock)
        desk = self.house.desk
        assert desk.premises.scenario is not None
        assert desk.handle(EXERCISE, StartExercise(actor=SATO, wall=self.clock.now())).accepted
        declared = desk.handle(
            None, Declare(actor=SATO, text="t", playbooks=("ransomware",), severity="high")
        )
        assert declared.opened is not None
        self.incident = declared.opened
        step = "ransomware/confirm-alert"
        planned = desk.world(self.case).step(self.case, step)
        assert planned is not None
        of_type = {"yes-no": "yes", "instant": "unknown", "number": "1"}
        fields = {one.id: of_type.get(one.type, "x") for one in planned.step.record}
        done = desk.handle(self.incident, Done(actor=SATO, step=step, values=fields))
        assert done.accepted, (done.refused, done.detail)
        self.machines = Machines(desk, desk.premises.scenario, self.house.evidence, seed=7)

    @property
    def case(self) -> Incident:
        return self.house.desk.incident(self.incident)

    def begin(self, step: str) -> str | None:
        """What the flow of production does when the step is ready."""
        run_clock = RunClock()
        run_clock.fix(self.clock.now())
        place = Place(house=self.house, clock=run_clock, secret=secrets_of(self.house.institution.directory))
        world = self.house.desk.world(self.case)
        planned = world.step(self.case, step)
        assert planned is not None
        run = Run(place=place, incident=self.incident, node="conductor", epoch=3)
        return asyncio.run(self._attempt(Attempt(run, planned, self.case.steps[step])))

    @staticmethod
    async def _attempt(attempt: Attempt) -> str | None:
        return await attempt()

    def forward(self, by: timedelta) -> None:
        self.clock.advance(by)
        while self.machines.act() is not None:
            pass


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(prepare(tmp_path, monkeypatch).drill)


def test_a_step_takes_as_long_as_the_scenario_says_and_leaves_marked_evidence(scene: Scene) -> None:
    begun = scene.clock.now()
    assert scene.begin(EDR) == "taken"
    assert scene.case.steps[EDR].status == "started"
    assert scene.machines.next_at() == begun + timedelta(minutes=10)
    scene.forward(timedelta(minutes=9, seconds=59))
    assert scene.case.steps[EDR].status == "started"
    scene.forward(timedelta(seconds=1))
    known = scene.case.steps[EDR]
    assert (known.status, known.done_at) == ("done", begun + timedelta(minutes=10))
    evidence = [one for one in scene.case.evidence.values() if one.step == EDR]
    assert len(evidence) == 1
    stored = (scene.house.evidence / evidence[0].stored).read_text(encoding="utf-8")
    assert stored.startswith(MARK)
    assert scene.machines.next_at() is None


def test_without_an_outcome_it_takes_a_short_time_that_the_seed_gives(scene: Scene) -> None:
    begun = scene.clock.now()
    scene.begin(LOGS)
    first = scene.machines.next_at()
    assert first is not None
    assert SHORTEST <= first - begun <= LONGEST
    assert scene.machines.next_at() == first
    scene.machines.seed = 8
    assert scene.machines.next_at() != first


def test_no_conductor_takes_back_what_the_scenario_has_in_hand(scene: Scene) -> None:
    scene.begin(EDR)
    for epoch in (4, 5):
        again = Reclaim(actor=Actor.machine("conductor"), node="conductor", epoch=epoch)
        assert scene.house.desk.handle(scene.incident, again).accepted
    known = scene.case.steps[EDR]
    assert (known.status, known.node, known.attempt) == ("started", NODE, 1)


def test_a_node_that_starts_again_ends_what_was_begun_before_and_nothing_twice(scene: Scene) -> None:
    scene.begin(EDR)
    assert scene.house.desk.premises.scenario is not None
    again = Machines(scene.house.desk, scene.house.desk.premises.scenario, scene.house.evidence, seed=7)
    assert again.next_at() == scene.machines.next_at()
    scene.clock.advance(timedelta(hours=1))
    assert again.act() is not None
    assert (again.act(), scene.machines.act()) == (None, None)
