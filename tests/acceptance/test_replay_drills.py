"""A record becomes a drill that is prepared, played and scored; and the drill's record is replayed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from console.drill.aftermath import Aftermath, aftermath
from console.drill.understudies.driver import Understudies
from console.main import execute
from console.opening import House, open_house
from models.clock import ExerciseClock
from models.commands import Decide
from models.exercise import ConfirmAddress, EndExercise, Enrol, StartExercise
from models.scenario import Scenario
from notifiers.outbox import Outbox
from tests.console.clihouse import bank_in
from tests.demoplay import NIGHT, play_demo
from tests.playing import FACILITATOR, WALL, Play, by
from tests.scripts import Postbox, here

INC, DRILL = "INC-2026-0001", "DRL-2026-0001"
NAME = "replay-inc-2026-0001"
CISO, STEP, OTHER = "kato-hiroshi", "ransomware/contain-or-preserve", "preserve-first"


class PlayedThere(Play):
    """A prepared drill on its own record. The CISO is played, everybody else by script."""

    def __init__(self, directory: Path) -> None:
        first = open_house(directory)
        assert first.drill is not None
        self.startex = first.drill.startex
        first.record.close()
        self.clock = ExerciseClock(self.startex)
        self.house = open_house(directory, self.clock)
        self.desk = self.house.desk
        found = self.desk.premises.scenario
        assert isinstance(found, Scenario)
        self.scenario = found
        boxes = {name: Postbox(name, self.clock) for name in self.desk.premises.channels}
        self.postboxes, self.log, self.refused, self.machine = boxes, [], [], {}
        self.outbox = Outbox(self.desk, dict(boxes), here)
        self._runner = asyncio.Runner()
        self.understudies = Understudies(self.desk, found, "en")
        self.act(Enrol(actor=by(FACILITATOR), person=CISO, roles=("ciso",)))
        self.act(ConfirmAddress(actor=by(CISO), person=CISO, channel="console"))
        self.act(StartExercise(actor=by(FACILITATOR), wall=WALL))


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bank whose record holds the demo's incident, and a drill made from it, played to its end."""
    directory = bank_in(tmp_path_factory.mktemp("drills"))
    clock = ExerciseClock(NIGHT)
    house = open_house(directory, clock)
    play_demo(house.desk, clock, directory.parent)
    house.record.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIKESHI_ACCOUNT", "okada")
        # Who answers when follows from the seed: with any seed the decision may be asked for later.
        patch.setattr("console.drill.making.secrets.randbelow", lambda _: 7)
        drill = directory.parent / "drills" / DRILL
        said = ["--dir", str(directory), "replay", INC, "--as-exercise", "--to", str(drill), "--json"]
        assert execute(said) == 0
    play = PlayedThere(drill)
    play.until(play.startex + timedelta(minutes=12))
    assert play.incident.stream == INC, "the drill counts its own"
    play.act(Decide(actor=by(CISO), step=STEP, choice=OTHER, reason="the disks first"), INC)
    play.until(play.startex + play.scenario.story(play.scenario.duration) + timedelta(hours=12))
    play.act(EndExercise(actor=by(FACILITATOR), wall=WALL + play.scenario.duration))
    play.close()
    return directory


@pytest.fixture
def drill(bank: Path) -> Iterator[House]:
    house = open_house(bank.parent / "drills" / DRILL)
    yield house
    house.record.close()


@pytest.fixture
def found(drill: House) -> Aftermath:
    return aftermath(drill, by(FACILITATOR))


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    """What a command says to programs."""
    assert execute([*arguments, "--json"]) == 0
    answer = orjson.loads(capsys.readouterr().out)
    assert isinstance(answer, dict)
    return answer


def test_the_drill_is_one_of_the_record_and_holds_no_name_of_it(bank: Path, drill: House) -> None:
    assert drill.drill is not None
    assert (drill.drill.drill, drill.drill.scenario) == (DRILL, NAME)
    script = (bank.parent / "drills" / DRILL / "scenarios" / f"{NAME}.yaml").read_text(encoding="utf-8")
    people = drill.desk.directory.organisation.people
    names = [name for one in people for name in (one.id, one.name.en, one.name.ja)]
    assert [one for one in names if one in script] == []


def test_each_recorded_decision_is_made_anew_and_scored_against_it(found: Aftermath) -> None:
    assert found.exercise.status == "ended"
    expected = [one for objective in found.score.objectives for one in objective.expectations]
    assert len(expected) == len(found.score.objectives) >= 8
    came = {one.step: (one.outcome, one.done_by) for one in expected}
    assert came[STEP] == ("other", CISO)
    outcomes = {outcome for outcome, _ in came.values()}
    assert outcomes <= {"other", "scripted", "not-done"}
    assert [outcome for outcome, _ in came.values()].count("scripted") >= 4


def test_a_drill_is_replayed_by_its_number_and_in_its_own_directory(
    bank: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIKESHI_ACCOUNT", "okada")
    frozen = ("--as-recorded", "--rules", "frozen")
    by_number = asked(capsys, "--dir", str(bank), "replay", DRILL, *frozen)
    assert (by_number["incident"], by_number["changed"]) == (INC, 0)
    there = asked(capsys, "--dir", str(bank.parent / "drills" / DRILL), "replay", INC, *frozen)
    assert there == by_number
    by_number_there = asked(capsys, "--dir", str(bank.parent / "drills" / DRILL), "replay", DRILL, *frozen)
    assert by_number_there == by_number
    assert asked(capsys, "--dir", str(bank), "replay", DRILL)["refused"] == []


def test_a_drills_record_becomes_a_scenario_of_the_institution_not_of_the_drill(
    bank: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIKESHI_ACCOUNT", "okada")
    told = asked(capsys, "--dir", str(bank), "replay", DRILL, "--as-exercise")
    assert told["scenario"] == "replay-drl-2026-0001"
    text = (bank / "scenarios" / "replay-drl-2026-0001.yaml").read_text(encoding="utf-8")
    assert "当組織の演習で起きた" in text
    there = str(bank.parent / "drills" / DRILL)
    assert execute(["--dir", there, "replay", INC, "--as-exercise"]) == 2
    assert "組織のディレクトリで" in capsys.readouterr().err


def test_where_no_drill_can_be_prepared_no_scenario_is_left(
    bank: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HIKESHI_ACCOUNT", "okada")
    script = bank / "scenarios" / f"{NAME}.yaml"
    kept = script.read_bytes()
    script.unlink()
    (tmp_path / "something").write_text("", encoding="utf-8")
    said = ["--dir", str(bank), "replay", INC, "--to", str(tmp_path)]
    assert execute([*said, "--as-exercise"]) == 1
    assert not script.exists()
    assert execute(said) == 2
    script.write_bytes(kept)
