"""`hikeshi replay`: a past incident run again at the keyboard, with the demo's own record."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from console.opening import open_house
from console.views.veil import Veil
from models.clock import ExerciseClock
from playbooks.library import FOLDER
from tests.console.clihouse import Answer, Cli, bank_in, cli
from tests.demoplay import NIGHT, play_demo

__all__ = ["cli"]
INC = "INC-2026-0001"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, datetime]:
    """A bank whose record holds the demo's incident, and when it ended: played once, copied for each test."""
    directory, clock = bank_in(tmp_path_factory.mktemp("played")), ExerciseClock(NIGHT)
    house = open_house(directory, clock)
    assert play_demo(house.desk, clock, directory.parent) == INC
    house.record.close()
    return directory, clock.now()


@pytest.fixture
def demo(cli: Cli, played: tuple[Path, datetime]) -> Iterator[Cli]:
    """A bank whose record holds the demo's incident."""
    cli.monkeypatch.setenv("COLUMNS", "300")
    directory, ended = played
    cli.house.record.close()
    shutil.rmtree(cli.directory)
    shutil.copytree(directory, cli.directory)
    cli.clock.set(ended)
    cli.house = open_house(cli.directory, cli.clock)
    yield cli


def routes_with(cli: Cli, before: str, after: str, folder: Path) -> Path:
    """The bank's routes with one line of another kind, in a file of their own."""
    text = (cli.directory / "routes.yaml").read_text(encoding="utf-8")
    assert before in text
    path = folder / "routes.yaml"
    path.write_text(text.replace(before, after), encoding="utf-8")
    return path


def faster(cli: Cli, tmp_path: Path) -> Path:
    """Routes of which the first level of the main one has three minutes."""
    folder = tmp_path / "new"
    folder.mkdir(exist_ok=True)
    return routes_with(cli, "{to: [csirt-duty], within: 5m}", "{to: [csirt-duty], within: 3m}", folder)


def lines(answer: Answer, *words: str) -> list[str]:
    return [one for one in answer.out.splitlines() if all(word in one for word in words)]


def test_as_recorded_with_what_it_froze_nothing_differs(demo: Cli) -> None:
    answer = demo.run("replay", INC, "--as-recorded", "--rules", "frozen")
    assert answer.code == 0, answer.err
    assert "Nothing differs" in answer.out
    told = demo.run("replay", INC, "--as-recorded", "--rules", "frozen", "--json").json
    assert told["changed"] == 0
    assert told["facts"]["then"] == told["facts"]["now"] > 400


def test_a_changed_route_shows_the_page_that_would_have_come_earlier(demo: Cli, tmp_path: Path) -> None:
    answer = demo.run("replay", INC, "--with", str(faster(demo, tmp_path)))
    assert answer.code == 0, answer.err
    page = lines(answer, "level 2", "incident declared")
    assert len(page) == 1
    assert "2026-11-25 03:05" in page[0]
    assert "2026-11-25 03:03" in page[0]
    assert "2 min earlier" in page[0]
    assert "route changed: 5/5/10/15 min → 3/5/10/15 min" in page[0]
    assert lines(answer, "acknowledged", "incident declared", "2 min earlier")
    assert lines(answer, "decided", "isolate-segment", "2 min earlier", "follows")


def test_as_recorded_the_page_comes_earlier_and_is_answered_when_it_was(demo: Cli, tmp_path: Path) -> None:
    answer = demo.run("replay", INC, "--as-recorded", "--with", str(faster(demo, tmp_path)), "--json")
    changed = [one for one in answer.json["rows"] if one["differs"]]
    assert [(one["point"], one["seconds"], one["why"]) for one in changed] == [("2", -120, "route changed")]


def test_with_what_it_froze_only_what_is_laid_over_is_another(demo: Cli, tmp_path: Path) -> None:
    over = str(faster(demo, tmp_path).parent)
    answer = demo.run("replay", INC, "--rules", "frozen", "--as-recorded", "--with", over, "--json")
    assert answer.json["replaced"] == ["routes.yaml"]
    assert answer.json["changed"] == 1


def test_in_japanese(demo: Cli, tmp_path: Path) -> None:
    answer = demo.run("replay", INC, "--with", str(faster(demo, tmp_path)), lang="ja")
    assert lines(answer, "第 2 段", "早い", "報告ルートの変更")
    assert "相対時刻" in answer.out


def test_roles_stand_for_names_everywhere(demo: Cli, tmp_path: Path) -> None:
    over = str(faster(demo, tmp_path))
    plain = demo.run("replay", INC, "--with", over)
    veiled = demo.run("replay", INC, "--with", over, "--roles-for-names")
    names = [
        name
        for person in demo.house.desk.directory.organisation.people
        for name in (person.id, person.name.en)
    ]
    assert any(name in plain.out for name in names)
    assert [name for name in names if name in veiled.out] == []
    assert "Read it before you pass it on" in veiled.err
    data = demo.run("replay", INC, "--with", over, "--roles-for-names", "--json").out
    assert [name for name in names if name in data] == []


@pytest.mark.parametrize("kind", ["md", "html"])
def test_as_a_file(demo: Cli, tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"replay.{kind}"
    over = str(faster(demo, tmp_path))
    answer = demo.run("replay", INC, "--with", over, "--format", kind, "--out", str(out))
    assert answer.code == 0, answer.err
    text = out.read_text(encoding="utf-8")
    assert "2 min earlier" in text
    if kind == "html":
        page = ET.fromstring(text.partition("\n")[2])  # noqa: S314 - our own page
        assert page.find(".//table") is not None
        assert "<script" not in text


def test_what_cannot_be_laid_over_is_said(demo: Cli, tmp_path: Path) -> None:
    missing = demo.run("replay", INC, "--with", str(tmp_path / "nothing.yaml"))
    assert (missing.code, "no such file" in missing.err) == (2, True)
    odd = tmp_path / "odd.txt"
    odd.write_text("x", encoding="utf-8")
    answer = demo.run("replay", INC, "--with", str(odd))
    assert answer.code != 0
    assert "give the file its own name" in answer.err
    broken = tmp_path / "routes.yaml"
    broken.write_text("routes: []\n", encoding="utf-8")
    assert demo.run("replay", INC, "--with", str(broken)).code != 0
    assert demo.run("replay", INC, "--out", "x.md").code == 2
    assert demo.run("replay", "INC-2026-0099").code == 1
    assert demo.run("replay", "DRL-2026-0001").code == 2


def test_a_playbook_is_laid_over(demo: Cli, tmp_path: Path) -> None:
    text = (FOLDER / "ransomware.yaml").read_text(encoding="utf-8")
    assert "within: 15m" in text
    newer = tmp_path / "ransomware.yaml"
    newer.write_text(text.replace("within: 15m", "within: 4m", 1), encoding="utf-8")
    answer = demo.run("replay", INC, "--rules", "frozen", "--with", str(newer), "--json")
    assert answer.json["replaced"] == ["playbooks/ransomware.yaml"]
    assert answer.json["changed"] > 0


def test_a_restricted_incident_is_replayed_only_for_its_readers_and_that_is_recorded(demo: Cli) -> None:
    assert demo.run("restrict", INC, "--reason", "one of us", who="kato").code in {0, 3}
    assert demo.run("replay", INC, who="mori").code == 1
    assert demo.run("replay", INC, who="kato").code == 0
    with demo.house.record.read() as tx:
        reads = [fact.data for fact in tx.facts(INC) if fact.kind == "incident.read"]
    assert {"reader": "kato-hiroshi", "surface": "cli:replay"} in reads


def test_a_defect_of_what_is_laid_over_is_told_of_the_file_that_was_given(demo: Cli, tmp_path: Path) -> None:
    broken = tmp_path / "routes.yaml"
    broken.write_text("routes:\n  - id: [\n", encoding="utf-8")
    answer = demo.run("replay", INC, "--with", str(broken))
    assert answer.code == 1
    assert f"{broken}:3:1" in answer.err
    assert "hikeshi-replay-" not in answer.err


def test_people_of_another_directory_have_no_name_either(demo: Cli, tmp_path: Path) -> None:
    people = (demo.directory / "organisation.yaml").read_text(encoding="utf-8")
    other = tmp_path / "organisation.yaml"
    other.write_text(
        people.replace("tanaka-misaki", "arai-jun").replace("Misaki Tanaka", "Jun Arai"), "utf-8"
    )
    answer = demo.run("replay", INC, "--with", str(other), "--roles-for-names", "--json")
    assert "arai" not in answer.out.lower()
    assert "tanaka" not in answer.out.lower()


def test_of_a_restricted_incident_no_scenario_is_made_that_everybody_could_read(demo: Cli) -> None:
    assert demo.run("restrict", INC, "--reason", "one of us", who="kato").code in {0, 3}
    answer = demo.run("replay", INC, "--as-exercise", who="kato")
    assert answer.code == 1
    assert "is restricted" in answer.err
    assert not (demo.directory / "scenarios" / "replay-inc-2026-0001.yaml").exists()


def test_only_a_drills_number_leads_to_a_drill(demo: Cli) -> None:
    assert demo.run("replay", "DRL-/../../bank").code == 2


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("佐藤さんが 田中 美咲 に電話", "佐藤 田中 美咲"),
        ("林さんから。森林は燃えない", "林さん"),
        ("sato@… was Sato's; ask Kenji Sato", "Sato"),
    ],
)
def test_a_name_is_found_as_people_call_each_other(demo: Cli, said: str, left: str) -> None:
    veiled = Veil(demo.house.desk.directory, "ja", "関係者").text(said)
    assert [one for one in left.split() if one in veiled] == []
    assert ("森林は燃えない" in veiled) is ("森林" in said)
