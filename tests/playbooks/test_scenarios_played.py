"""Every shipped scenario under the rules of an exercise, with the example bank and nobody who acts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models.clock import ExerciseClock
from models.commands import Actor, Command
from models.desk import Desk
from models.exercise import EXERCISE, ConfirmAddress, Enrol, Exercise, PrepareDrill, StartExercise
from models.exercise_script import Script
from models.premises import Premises
from models.record import Record
from playbooks.institution import Institution
from playbooks.scenarios import shipped_scenarios
from tests.models.exercises import MINUTE, STARTEX, WALL

NAMES = sorted(shipped_scenarios())


def opened(bank: Institution, name: str) -> tuple[Desk, ExerciseClock]:
    """Prepared, with the first person of each role enrolled and confirmed, and started."""
    script = shipped_scenarios()[name]
    record = Record.in_memory()
    record.migrate()
    clock = ExerciseClock(STARTEX)
    premises = Premises(
        organisation=bank.organisation,
        policy=bank.policy,
        playbooks=bank.playbooks,
        channels=frozenset({"console"}),
        drill=True,
        scenario=script,
    )
    desk = Desk(record, premises, clock)
    lead = Actor(person=bank.organisation.people[0].id)
    commands: list[Command] = [
        PrepareDrill(actor=lead, drill="DRL-2026-0001", scenario=name, version=script.version,
                     digest="sha256:0", startex=STARTEX, seed=1),
    ]  # fmt: skip
    for card in script.roles:
        holders = [one.id for one in bank.organisation.people if card.role in one.roles]
        if holders:
            commands.append(Enrol(actor=lead, person=holders[0], roles=(card.role,)))
            own = Actor(person=holders[0])
            commands.append(ConfirmAddress(actor=own, person=holders[0], channel="console"))
    commands.append(StartExercise(actor=lead, wall=WALL))
    for command in commands:
        outcome = desk.handle(EXERCISE, command)
        assert outcome.accepted, (outcome.refused, outcome.detail)
    return desk, clock


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_scenario_comes_to_its_end_when_nobody_does_anything(bank: Institution, name: str) -> None:
    desk, clock = opened(bank, name)
    state = desk.state(EXERCISE)
    assert isinstance(state, Exercise)
    minutes = int(state.duration_ms / 60_000) + 1
    for minute in range(minutes + 1):
        now = Script(None, state).now(WALL + minute * MINUTE)
        assert now is not None
        clock.set(now)
        desk.tick(EXERCISE)
    left = Script(None, state).waiting()
    assert all(one.at_ms is None and one.after is None for one in left), [one.id for one in left]
    assert "ending:time" in state.told
    assert len([one for one in state.told if one.startswith("leap:")]) == len(state.leaps)
    came = [one for one in state.injects.values() if one.how == "planned"]
    assert len(came) >= 5
    assert state.status == "running", "an exercise never ends by itself"
    with desk.record.read() as tx:
        facts = tx.facts(EXERCISE)
    told = [one.at for one in facts if one.kind in {"inject.delivered", "inject.skipped", "leap.told"}]
    assert told == sorted(told)
    assert told[-1] <= STARTEX + timedelta(days=60)
