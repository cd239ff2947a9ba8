"""What moves the time of a drill, beside other processes that write into the same record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console.drill.pilot import Pilot
from console.opening import House, open_house, secrets_of
from models.clock import ExerciseClock, SystemClock
from models.commands import Actor, Declare
from models.errors import BadConfiguration
from models.exercise import EXERCISE, Exercise, Observe, PutInject, StartExercise
from models.fact import Fact
from tests.console.drillhouse import Beside, prepare

SATO = Actor(person="sato-kenji", name="sato", via="cli")
EXTRA: dict[str, object] = {
    "id": "press", "kind": "call", "channel": "telephone", "from": "control", "to": ["csirt-lead"],
    "when": "declared()", "title": {"ja": "x", "en": "x"}, "text": {"ja": "x", "en": "x"},
}  # fmt: skip


async def _here(call: Callable[[], Any]) -> Any:
    return call()


def pilot_of(house: House) -> Pilot:
    return Pilot(house, _here, lambda: None)


def facts(house: House, stream: str = EXERCISE) -> list[Fact]:
    with house.record.read() as tx:
        return list(tx.facts(stream))


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Beside:
    return prepare(tmp_path, monkeypatch)


def test_a_node_is_never_behind_what_another_process_has_recorded(made: Beside) -> None:
    node = made.house()
    assert node.drill is not None
    assert node.desk.handle(EXERCISE, StartExercise(actor=SATO, wall=SystemClock().now())).accepted
    pilot = pilot_of(node)
    pilot.turn()
    ahead = pilot.play.now() + timedelta(seconds=30)
    other = open_house(made.drill, ExerciseClock(ahead))
    assert other.desk.handle(EXERCISE, Observe(actor=SATO, text="seen")).accepted
    other.record.close()
    pilot.turn()
    assert node.desk.handle(EXERCISE, Observe(actor=SATO, text="seen by the node")).accepted
    recorded = [one.recorded_at for one in facts(node)]
    assert recorded == sorted(recorded)


def test_what_waited_for_an_incident_comes_although_its_process_ended_before_it_looked(made: Beside) -> None:
    node = made.house()
    for command in (StartExercise(actor=SATO, wall=SystemClock().now()), PutInject(actor=SATO, inject=EXTRA)):
        assert node.desk.handle(EXERCISE, command).accepted
    pilot = pilot_of(node)
    pilot.turn()
    other = open_house(made.drill, ExerciseClock(pilot.play.now()))
    with other.desk.writing() as tx:  # as if killed after its commit
        other.desk.handle_in(tx, None, Declare(actor=SATO, text="t", playbooks=("ransomware",)))
    other.record.close()
    pilot.turn()
    state = node.desk.state(EXERCISE)
    assert isinstance(state, Exercise)
    assert "press" in state.injects


def test_a_drills_own_command_line_reads_no_secret_but_the_drills(
    made: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIKESHI_SLACK_TOKEN", "of production")
    monkeypatch.setenv("HIKESHI_DRILL_SLACK_TOKEN", "of the drill")
    (made.bank / "token").write_text("of production", encoding="utf-8")
    (made.drill / "token").write_text("of the drill", encoding="utf-8")
    secret = secrets_of(made.drill)
    assert secret("env:HIKESHI_DRILL_SLACK_TOKEN") == secret("file:token") == "of the drill"
    (made.drill / "link").symlink_to(made.bank / "token")
    for reference in (
        "env:HIKESHI_SLACK_TOKEN",
        "file:../bank/token",
        f"file:{made.bank / 'token'}",
        "file:link",
    ):
        with pytest.raises(BadConfiguration, match="drill"):
            secret(reference)
    assert secrets_of(made.bank)("env:HIKESHI_SLACK_TOKEN") == "of production"
