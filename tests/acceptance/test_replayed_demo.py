"""What a changed route would have meant: the demo's record, run again; and the page of the docs, typed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from console.opening import House, open_house
from console.replaying import Asked, replay
from console.replayscript import write
from console.views.veil import Veil
from models.clock import ExerciseClock
from models.errors import BadInput
from models.replay.compare import Why
from playbooks.check import check
from playbooks.scenarios import Scenarios
from tests.console.clihouse import bank_in
from tests.demoplay import NIGHT, play_demo
from tests.test_docs import BASH, DOCS, SCRIPT, _commands, _plain

ROOT = Path(__file__).parents[2]
NOT_SAID = "…"


@pytest.fixture(scope="module")
def bank_with_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bank's directory whose record holds the demo's incident."""
    directory = bank_in(tmp_path_factory.mktemp("replay"))
    clock = ExerciseClock(NIGHT)
    house = open_house(directory, clock)
    play_demo(house.desk, clock, directory.parent)
    house.record.close()
    return directory


@pytest.fixture
def house(bank_with_demo: Path) -> House:
    return open_house(bank_with_demo, ExerciseClock(NIGHT + timedelta(days=60)))


def test_three_minutes_for_the_first_level_would_have_paged_the_second_two_minutes_earlier(
    house: House, tmp_path: Path
) -> None:
    routes = (house.institution.directory / "routes.yaml").read_text(encoding="utf-8")
    changed = tmp_path / "routes.yaml"
    changed.write_text(
        routes.replace("{to: [csirt-duty], within: 5m}", "{to: [csirt-duty], within: 3m}"), encoding="utf-8"
    )
    told = replay(house, Asked(stream="INC-2026-0001", laid_over=changed), "en")
    rows = {(one.kind, one.what, one.point): one for one in told.comparison.changed()}
    page = rows["page", "declared incident 1", "2"]
    assert page.then == NIGHT + timedelta(minutes=5)
    assert page.now == NIGHT + timedelta(minutes=3)
    assert page.why is Why.ROUTE
    assert page.then_said == page.now_said == "sato-kenji tanaka-misaki"
    taken = rows["page", "declared incident 1", "ack"]
    assert taken.by == timedelta(minutes=-2)
    decided = rows["decision", "ransomware/isolate-segment", "made"]
    assert (decided.by, decided.why) == (timedelta(minutes=-2), Why.FOLLOWS)
    assert told.comparison.refused == ()
    assert told.comparison.unasked == ()
    house.record.close()


def test_the_record_as_an_exercise_asks_for_each_decision_anew(house: House) -> None:
    path = write(house, "INC-2026-0001", Veil(house.desk.directory, "ja", "-").text)
    scenario = Scenarios(house.institution.directory)["replay-inc-2026-0001"]
    with house.record.read() as tx:
        facts = tx.facts("INC-2026-0001")
    made = {fact.data["step"]: fact.data["choice"] for fact in facts if fact.kind == "decision.made"}
    expected = {one.step: one.option for inject in scenario.injects[1:] for one in inject.expect}
    assert [one.step for one in scenario.injects[0].expect] == ["ransomware/confirm-alert"]
    assert expected.items() <= made.items()
    assert len(expected) >= 8
    found = check(house.institution.directory, house.desk.clock.now())
    assert [one for one in found if one.file == str(path)] == []
    assert scenario.leaps, "hours of waiting are leapt over"
    names = [one.id for one in house.desk.directory.organisation.people]
    assert [one for one in names if one in path.read_text(encoding="utf-8")] == []
    with pytest.raises(BadInput, match="there already"):
        write(house, "INC-2026-0001", str)
    path.unlink()
    house.record.close()


@pytest.mark.slow
def test_every_command_of_the_page_does_what_the_page_says(bank_with_demo: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HIKESHI_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HIKESHI_ACCOUNT": "sato",
        "HIKESHI_LANG": "en",
        "COLUMNS": "400",
    }
    typed = 0
    for found in SCRIPT.finditer((DOCS / "replay.md").read_text(encoding="utf-8")):
        for command, shown in _commands(found["body"]):
            said = subprocess.run(  # noqa: S603 - the commands of our own page
                [BASH, "-c", command.replace("hikeshi ", "hikeshi --lang en ", 1)],
                cwd=bank_with_demo, env=environment, capture_output=True, text=True, timeout=60, check=True,
            ).stdout  # fmt: skip
            typed += 1
            for line in filter(None, (one.strip() for one in shown)):
                for part in line.split(NOT_SAID):
                    assert _plain(part).strip() in _plain(said), f"{command}\nshows {line!r}, said:\n{said}"
    assert (
        typed == len(re.findall(r"^\$ ", (DOCS / "replay.md").read_text(encoding="utf-8"), re.MULTILINE)) == 6
    )
