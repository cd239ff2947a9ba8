"""Rehearsals at the command line, and the commands of docs/rehearsal.md with few runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from console.texts import texts
from console.views import rehearsal
from models.rehearsal.changes import PARTS
from tests.console.clihouse import Cli, bank_in, cli

__all__ = ["cli"]
PAGE = Path(__file__).parents[2] / "docs" / "rehearsal.md"
QUICK = ("rehearse", "ddos", "--runs", "2", "--hours", "2", "--no-compare")


@pytest.mark.parametrize(
    ("lang", "word"), [("en", "Chance of meeting each clock"), ("ja", "各時計を守れる確率")]
)
def test_what_was_found_is_shown(cli: Cli, lang: str, word: str) -> None:
    shown = cli.run(*QUICK, lang=lang)
    assert shown.code == 0
    assert word in shown.out
    assert texts(lang)("rehearsal.honest") in shown.out


def test_the_same_seed_gives_the_same_json(cli: Cli) -> None:
    first = cli.run(*QUICK, "--json", "--from", "03:00")
    assert first.code == 0
    assert cli.run(*QUICK, "--json", "--from", "03:00").out == first.out
    found = first.json
    assert (found["playbook"], found["seed"], found["from"], found["study"]["runs"]) == (
        "ddos",
        7,
        "03:00",
        2,
    )
    assert found["assumptions"]["answer"]["night"]["source"] == "assumption"
    assert cli.run(*QUICK, "--json", "--seed", "8", "--from", "03:00").out != first.out


def test_changes_and_assumptions_are_tried(cli: Cli) -> None:
    found = cli.run("rehearse", "ddos", "--runs", "1", "--hours", "1", "--json").json
    assert found["compared"] == 1
    assert {"second-on-duty", "second-channel"} <= {one["kind"] for one in found["changes"]}
    assert len(found["sensitivity"]) == 3
    assert {one["assumption"] for one in found["sensitivity"]} <= set(PARTS)


def test_the_report_has_its_charts_beside_it(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert cli.run(*QUICK, "--out", str(out)).code == 0
    report = (out / "report.md").read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^\]]+\]\(([a-z]+\.svg)\)", report)
    assert pictures == ["clocks.svg", "times.svg", "levels.svg", "waits.svg"]
    for name in pictures:
        root = ET.fromstring((out / name).read_text(encoding="utf-8"))  # noqa: S314 - our own drawing
        assert root.attrib["role"] == "img"
        assert "script" not in {one.tag.rpartition("}")[2] for one in root.iter()}
    assert (out / "rehearsal.json").is_file()
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert cli.run(*QUICK, "--out", str(tmp_path / "file")).code == 2


@pytest.mark.parametrize(
    "wrong",
    [
        ("rehearse", "no-such-playbook"),
        ("rehearse", "ddos", "--from", "25:00"),
        ("rehearse", "ddos", "--severity", "terrible"),
        ("rehearse", "ddos", "--runs", "0"),
    ],
)
def test_wrong_usage_says_what_is_expected(cli: Cli, wrong: tuple[str, ...]) -> None:
    answer = cli.run(*wrong)
    assert answer.code == 2
    assert answer.err.strip()


def test_a_rehearsal_writes_nothing_to_the_record(cli: Cli) -> None:
    with cli.house.record.read() as tx:
        before = (tx.incidents(), tx.head("house"))
    assert cli.run(*QUICK).code == 0
    with cli.house.record.read() as tx:
        assert (tx.incidents(), tx.head("house")) == before


def test_too_little_in_the_record_is_refused(cli: Cli) -> None:
    cli.done("declare", "something", "--playbook", "short", who="suzuki")
    cli.done("ack", "INC-2026-0001", who="sato")
    answer = cli.run("rehearse", "fit")
    assert answer.code == 1
    assert "at least 10 are needed" in answer.err
    assert cli.run("rehearse", "fit", "--json").json["least"] == 10


def test_enough_in_the_record_is_written_as_the_file_wants_it(cli: Cli) -> None:
    for number in range(10):
        name = f"INC-2026-{number + 1:04d}"
        cli.done("declare", f"matter {number}", "--playbook", "short", who="suzuki")
        cli.clock.advance(timedelta(minutes=5))
        cli.house.desk.tick(name)  # the second level is called, of which the lead is
        cli.clock.advance(timedelta(minutes=2))
        cli.done("ack", name, who="sato")
    answer = cli.run("rehearse", "fit")
    assert answer.code == 0, answer.err
    assert "answer:" in answer.out
    (cli.directory / "rehearsal.yaml").write_text(answer.out, encoding="utf-8")
    assert cli.run("check", str(cli.directory)).code == 0
    found = cli.run(*QUICK, "--json").json["assumptions"]["answer"]["working"]
    assert found["source"] == "own record, 10 incidents"


def test_what_the_institution_supposes_is_checked_with_its_line(cli: Cli) -> None:
    own = cli.directory / "rehearsal.yaml"
    own.write_text("away:\n  night: {percent: 300, source: assumption}\n", encoding="utf-8")
    answer = cli.run("check", str(cli.directory))
    assert answer.code == 1
    assert "rehearsal.yaml:2" in answer.out + answer.err
    assert cli.run(*QUICK).code == 1


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "not reached"), (9, "9s"), (240, "4m"), (5_400, "1h 30m"), (100_800, "1d 4h")],
)
def test_times_are_told_shortly(seconds: int | None, said: str) -> None:
    assert rehearsal.span(seconds, texts("en")) == said


def _typed() -> Iterator[Any]:
    for line in re.findall(r"^\$ hikeshi (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE):
        yield pytest.param(shlex.split(line), id=line)


@pytest.mark.parametrize("words", list(_typed()))
def test_commands_of_the_page_do_what_it_says(cli: Cli, tmp_path: Path, words: list[str]) -> None:
    short = {"--runs": "1", "--hours": "1", "--processes": "1"}
    given = [short.get(before, word) for before, word in zip(["", *words], words, strict=False)]
    given = [
        str(tmp_path / word) if before == "--out" else word
        for before, word in zip(["", *given], given, strict=False)
    ]
    given += ["--hours", "1", "--no-compare"] if "fit" not in given else []
    answer = cli.run(*given)
    assert answer.code == (1 if "fit" in given else 0), answer.err


def test_the_lines_that_the_page_changes_are_there_to_change(tmp_path: Path) -> None:
    directory = bank_in(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    files = {
        name: (directory / name).read_text(encoding="utf-8") for name in ("routes.yaml", "organisation.yaml")
    }
    block = re.search(r"^```diff\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert block is not None
    name = ""
    for line in block[1].splitlines():
        if line.startswith("--- "):
            name = line[4:]
        elif line.startswith("-"):
            assert files[name].count(line[1:].strip()) >= 1, line
