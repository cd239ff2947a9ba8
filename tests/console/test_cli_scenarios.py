"""Scenarios at the command line: which there are, and one of them for whoever it is meant for."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from playbooks.scenarios import FOLDER, shipped_scenarios
from tests.console.clihouse import Cli, cli

__all__ = ["cli"]
NAME = "ransomware-night-batch"


def test_the_list_tells_what_there_is_and_warns_that_titles_are_secret(cli: Cli) -> None:
    shown = cli.run("scenario", "list").out
    assert "the titles are not for players" in shown
    assert all(name in shown for name in shipped_scenarios())
    listed = {one["scenario"]: one for one in cli.run("scenario", "list", "--json").json}
    assert set(listed) == set(shipped_scenarios())
    assert listed[NAME]["origin"] == "shipped"
    assert listed[NAME]["duration"] == "1h30m"
    assert listed[NAME]["injects"] == len(shipped_scenarios()[NAME].injects)


def test_an_own_scenario_is_shown_in_place_of_the_shipped_one(cli: Cli) -> None:
    folder = cli.directory / "scenarios"
    folder.mkdir(exist_ok=True)
    text = (FOLDER / f"{NAME}.yaml").read_text(encoding="utf-8").replace("version: 1.0.0", "version: 2.0.0")
    (folder / f"{NAME}.yaml").write_text(text, encoding="utf-8")
    listed = {one["scenario"]: one for one in cli.run("scenario", "list", "--json").json}
    assert (listed[NAME]["version"], listed[NAME]["origin"]) == ("2.0.0", "overrides")
    assert cli.run("check", str(cli.directory)).code == 0


@pytest.mark.parametrize(("lang", "word"), [("en", "The script (MSEL)"), ("ja", "状況付与一覧（MSEL）")])
def test_the_facilitator_gets_the_script(cli: Cli, lang: str, word: str) -> None:
    for arguments in ([], ["--for", "facilitator"], ["--format", "md"]):
        assert word in cli.run("scenario", "show", NAME, *arguments, lang=lang).out


def test_players_get_the_cover_and_no_script(cli: Cli) -> None:
    shown = cli.run("scenario", "show", NAME, "--for", "players").out
    assert "The night batch stops before pay day" in shown
    assert "tampered" not in shown
    assert "MSEL" not in shown


@pytest.mark.parametrize("format_", ["md", "html"])
def test_it_goes_to_the_screen_or_into_a_file(cli: Cli, tmp_path: Path, format_: str) -> None:
    shown = cli.done("scenario", "show", NAME, "--format", format_).out
    path = tmp_path / f"book.{format_}"
    answer = cli.done("scenario", "show", NAME, "--format", format_, "--out", str(path))
    assert answer.out == ""
    assert path.read_text(encoding="utf-8") == shown
    if format_ == "html":
        ET.fromstring(shown.removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - our own drawing


def test_as_json_players_get_only_what_they_may_know(cli: Cli) -> None:
    whole = cli.run("scenario", "show", NAME, "--json").json
    assert {"injects", "truth", "outcomes"} <= set(whole)
    assert whole["injects"][0]["from"] == "monitoring"
    told = cli.run("scenario", "show", NAME, "--for", "players", "--json").json
    assert set(told) == {
        "title", "version", "form", "blind", "duration", "rules", "briefing", "roles", "objectives", "start",
    }  # fmt: skip
    assert set(told["start"]) == {"day", "time", "known"}


WRONG: list[tuple[str, tuple[str, ...], int, str]] = [
    ("One that is not there is refused", ("nothing",), 1, "there is no scenario"),
    ("And says which there are", ("nothing",), 1, NAME),
    ("Another audience is wrong usage", (NAME, "--for", "press"), 2, "facilitator, players"),
    ("Another format is wrong usage", (NAME, "--format", "pdf"), 2, "text, md, html"),
    ("The screen's text goes into no file", (NAME, "--out", "/tmp/x"), 2, "--format md or html"),  # noqa: S108
    ("A file that cannot be written", (NAME, "--format", "md", "--out", "/nowhere/x"), 2, "--out"),
]


@pytest.mark.parametrize(("sentence", "arguments", "code", "words"), WRONG)
def test_what_is_refused(cli: Cli, sentence: str, arguments: tuple[str, ...], code: int, words: str) -> None:
    answer = cli.run("scenario", "show", *arguments)
    assert answer.code == code, sentence
    assert words in answer.err, sentence


def test_check_tells_the_defects_of_scenarios_with_file_line_and_field(cli: Cli) -> None:
    folder = cli.directory / "scenarios"
    folder.mkdir(exist_ok=True)
    (folder / "bad.yaml").write_text("scenario: bad\nversion: 1\n", encoding="utf-8")
    answer = cli.run("check", str(cli.directory))
    assert answer.code == 1
    assert "scenarios/bad.yaml:2:10: version: got 1" in answer.out
    assert "scenarios/bad.yaml:1:1: (file): `injects` is missing" in answer.out
    assert cli.run("scenario", "show", "bad").code == 1
