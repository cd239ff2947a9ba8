"""`hikeshi drill prepare`: a directory with nothing of production's addresses, targets or keys in it."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from console.drill.preparing import addresses
from console.main import execute
from console.opening import open_house
from models.errors import BadConfiguration
from models.exercise import EXERCISE, Exercise
from models.exercise_clock import LEAD
from models.frozen import thaw_scenario
from playbooks.check import check
from playbooks.institution import load
from tests.console.drillhouse import SCENARIO, Beside, prepare


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Beside:
    return prepare(tmp_path, monkeypatch)


def test_no_byte_of_the_drill_holds_an_address_of_production(beside: Beside) -> None:
    drill = beside.house()
    drill.record.close()
    gone = addresses(load(beside.bank).organisation)
    assert len(gone) > 80
    for file in (path for path in beside.drill.rglob("*") if path.is_file()):
        held = [one for one in gone if one.encode() in file.read_bytes()]
        assert held == [], file


def test_people_keep_name_roles_and_rotas_and_are_reached_by_the_script_alone(beside: Beside) -> None:
    before, after = load(beside.bank).organisation, load(beside.drill).organisation
    assert [(one.id, one.name, one.roles, one.deputies, one.absences) for one in before.people] == [
        (one.id, one.name, one.roles, one.deputies, one.absences) for one in after.people
    ]
    assert (before.rotas, before.services, before.roles) == (after.rotas, after.services, after.roles)
    assert {one.channels for one in after.people} == {("script",)}
    assert {one.address(way) for one in after.people for way in ("slack", "email", "teams", "sms")} == {None}


def test_routes_playbooks_and_severities_are_those_of_the_institution(beside: Beside) -> None:
    before, after = load(beside.bank), load(beside.drill)
    assert before.policy == after.policy
    assert {name: before.playbooks[name] for name in before.playbooks} == {
        name: after.playbooks[name] for name in after.playbooks
    }


def test_no_target_no_channel_and_no_secret_of_production_comes_along(beside: Beside) -> None:
    after = load(beside.drill)
    assert after.targets.targets == {}
    assert after.settings.channels() == {"console", "file"}
    secrets = {one.secret for one in after.intake.sources if one.secret}
    assert secrets and all(one.startswith("env:HIKESHI_DRILL_") for one in secrets)
    assert after.settings.port != load(beside.bank).settings.port


def test_the_check_finds_nothing_in_a_drill_that_was_just_prepared(beside: Beside) -> None:
    assert [str(one) for one in check(beside.drill, datetime.now().astimezone())] == []


def test_a_drill_is_opened_as_one_on_the_hour_of_its_story(beside: Beside) -> None:
    house = beside.house()
    assert house.drill is not None
    assert house.desk.premises.drill
    assert house.desk.premises.scenario == house.institution.scenarios[SCENARIO]
    assert house.desk.clock.now() == house.drill.startex - LEAD
    assert house.drill.startex.strftime("%H:%M") == "00:40"
    assert "script" in house.desk.premises.channels
    house.record.close()


def test_the_first_fact_freezes_the_scenario_and_makes_its_maker_the_facilitator(beside: Beside) -> None:
    house = beside.house()
    state = house.desk.state(EXERCISE)
    assert isinstance(state, Exercise) and house.drill is not None
    assert (state.drill, state.scenario, state.seed) == (house.drill.drill, SCENARIO, 7)
    assert state.staff == {"sato-kenji": "facilitator"}
    with house.record.read() as tx:
        frozen = tx.document(state.digest)
    assert frozen is not None and thaw_scenario(frozen) == house.desk.premises.scenario
    house.record.close()


def test_a_scenario_file_that_is_changed_later_changes_nothing_in_the_drill(beside: Beside) -> None:
    file = beside.drill / "scenarios" / f"{SCENARIO}.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("duration: 90m", "duration: 15m"), "utf-8")
    house = beside.house()
    assert house.desk.premises.scenario is not None
    assert house.desk.premises.scenario.duration == timedelta(minutes=90)
    house.record.close()


def test_drills_are_numbered_by_the_institutions_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = []
    for _ in range(2):
        prepare(tmp_path, monkeypatch, "--json")
        numbers.append(json.loads(capsys.readouterr().out)["drill"])
        (tmp_path / "drill").rename(tmp_path / f"drill{len(numbers)}")
    assert [one[-4:] for one in numbers] == ["0001", "0002"]


def test_the_hour_of_the_story_can_be_another_day_and_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = prepare(tmp_path, monkeypatch, "--hour", "2026-12-25T00:40+09:00").house()
    assert house.drill is not None
    assert house.drill.startex.isoformat() == "2026-12-25T00:40:00+09:00"
    house.record.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-scenario"], "no-such-scenario"),
        ([SCENARIO, "--hour", "half past two"], "--hour"),
    ],
)
def test_what_cannot_be_prepared_says_why_and_leaves_nothing(
    beside: Beside, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = beside.bank.parent / "other"
    ends = execute(
        ["--dir", str(beside.bank), "--lang", "en", "drill", "prepare", *arguments, "--to", str(place)]
    )
    assert ends != 0
    assert said in capsys.readouterr().err
    assert not place.exists()


def test_no_directory_is_prepared_over_another_one_nor_from_a_drills(
    beside: Beside, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ["drill", "prepare", SCENARIO, "--to"]
    assert execute(["--dir", str(beside.bank), *again, str(beside.drill)]) != 0
    assert "--to" in capsys.readouterr().err
    assert execute(["--dir", str(beside.drill), *again, str(beside.drill.parent / "x")]) == 1
    assert "DRL-" in capsys.readouterr().err


def test_those_who_take_part_have_the_addresses_of_participants_yaml(beside: Beside) -> None:
    ito, kato = (
        "{person: ito-shota, email: ito@drill.example.jp}",
        "{person: kato-hiroshi, phone: 080-1234-5678}",
    )
    text = f"people: [{ito}, {kato}]\n"
    (beside.drill / "participants.yaml").write_text(text, encoding="utf-8")
    house = beside.house()
    people = {one.id: one for one in house.institution.organisation.people}
    assert people["ito-shota"].channels == ("email",)
    assert people["ito-shota"].address("email") == "ito@drill.example.jp"
    assert people["kato-hiroshi"].channels == ("sms",)
    assert people["sato-kenji"].channels == ("script",)
    house.record.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "people:\n  - {person: nobody-here, email: a@b.example}\n",
            "participants.yaml:2:14: people[0].person",
        ),
        ("people:\n  - {person: ito-shota}\n", "expected at least one of slack, email"),
        ("people:\n  - {person: ito-shota, channels: [slack], email: a@b.example}\n", "slack is named"),
        ("people:\n  - {person: ito-shota, channels: [script]}\n", "leave them out"),
        ("people:\n  - {person: ito-shota, channels: [console, console]}\n", "each may be named once"),
        ("people:\n  - {person: ito-shota, phone: 12}\n", "phone"),
        (
            "people:\n  - {person: ito-shota, slack: U01}\n  - {person: ito-shota, slack: U02}\n",
            "ito-shota more than once",
        ),
        ("people: [", "participants.yaml:1"),
    ],
)
def test_what_is_wrong_in_participants_yaml_is_told_with_its_place(
    beside: Beside, text: str, said: str
) -> None:
    (beside.drill / "participants.yaml").write_text(text, encoding="utf-8")
    assert any(said in str(one) for one in check(beside.drill, datetime.now().astimezone()))
    with pytest.raises(BadConfiguration, match=r"participants\.yaml"):
        open_house(beside.drill)


def test_what_is_wrong_in_drill_yaml_is_told_with_its_place(beside: Beside) -> None:
    file = beside.drill / "drill.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("DRL-", "INC-"), encoding="utf-8")
    assert any(
        "drill.yaml:2:8: drill" in str(one) for one in check(beside.drill, datetime.now().astimezone())
    )
    with pytest.raises(BadConfiguration, match=r"drill\.yaml"):
        open_house(beside.drill)


def test_a_drill_without_its_scenario_says_what_to_put_back(beside: Beside) -> None:
    file = beside.drill / "drill.yaml"
    changed = file.read_text(encoding="utf-8").replace(f"scenario: {SCENARIO}", "scenario: gone")
    file.write_text(changed, encoding="utf-8")
    shutil.rmtree(beside.drill / "var")
    with pytest.raises(BadConfiguration, match=r"scenarios/gone\.yaml"):
        open_house(beside.drill)


def test_a_drill_is_not_run_without_its_guard(beside: Beside, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--dir", str(beside.drill), "--lang", "en", "up"]) == 2
    assert f"hikeshi drill run {beside.drill}" in capsys.readouterr().err


def test_to_run_a_drill_one_names_it_or_a_scenario(
    beside: Beside, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["--dir", str(beside.bank), "--lang", "en", "drill", "run"]) == 2
    assert "Name a scenario" in capsys.readouterr().err
