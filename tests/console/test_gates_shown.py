"""`hikeshi gates` and the screen: what is missing ahead, one sentence a cause, with its command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console.texts import LANGUAGES, texts
from console.views.causes import KINDS
from tests.console.clihouse import Cli, cli
from tests.doctables import leaves

__all__ = ["cli"]
INC = "INC-2026-0001"
TALES = {"scope-grew"}
"""Causes of something else than a gate."""


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", sorted(set(KINDS) - TALES))
def test_every_cause_has_a_sentence_that_says_what_to_do(kind: str, lang: str) -> None:
    assert texts(lang).has(f"gates.mend.{kind}")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_command_that_mends_something_exists(lang: str) -> None:
    known = {" ".join(path) for path, _ in leaves()}
    for key, said in texts(lang).entries.items():
        if key.startswith("gates.mend."):
            for words in re.findall(r"hikeshi ([a-z-]+(?: [a-z-]+)?)", said):
                assert words in known or words.split()[0] in known, (key, words)


def declared(cli: Cli) -> None:
    cli.done("declare", "Files encrypted", "--playbook", "ransomware", "--service", "internet-banking")


def test_the_gates_ahead_are_told_from_the_beginning_in_both_languages(cli: Cli) -> None:
    declared(cli)
    said = cli.run("gates", INC).out
    for words in (
        "containment waits: name the authority for stopping Internet banking",
        f"hikeshi decide {INC} ransomware/isolate-segment OPTION",
        'analysis waits: preserve "ransom-note" before it is analysed',
        "only if it is called for: Cut off the segment",
        "FSA-2.5.2.4-B1",
        f"hikeshi override {INC} shutdown-authority STEP",
        "closing waits:",
    ):
        assert words in said, words
    japanese = cli.run("gates", INC, "--lang", "ja").out
    assert "封じ込めが待っています。" in japanese
    assert "インターネットバンキングの停止を判断する権限者" in japanese


def test_a_cause_is_said_once_with_every_step_behind_it(cli: Cli) -> None:
    declared(cli)
    said = cli.run("gates", INC).out
    assert said.count('preserve "central-logs"') == 1


def test_programs_get_the_same(cli: Cli) -> None:
    declared(cli)
    found = cli.run("gates", INC, "--json").json
    one = next(row for row in found["ahead"] if row["step"] == "ransomware/isolate-segment")
    assert (one["gate"], one["phase"], one["status"]) == (
        "containment-or-preservation",
        "containment",
        "waiting",
    )
    assert one["causes"][0]["cause"] == "not-chosen:containment-or-preservation"
    assert one["override_by"] == ["ciso", "cio", "president"]
    assert found["overridden"] == []


def test_the_screen_of_an_incident_names_what_is_needed_soon(cli: Cli) -> None:
    declared(cli)
    said = cli.run("show", INC).out
    assert "Needed soon" in said
    assert f"hikeshi gates {INC}" in said


def test_what_was_passed_stays_in_sight_with_its_causes_until_it_is_taken_back(cli: Cli) -> None:
    (Path(cli.directory) / "playbooks" / "read.yaml").write_text(
        """\
playbook: read
version: 1.0.0
title: {ja: 分析, en: Reading}
reviewed: 2026-11-01
priority: 5
steps:
  - id: save
    phase: preservation
    kind: manual
    title: {ja: 保全, en: Save it}
    owner: csirt-duty
    optional: true
    preserves: [memory]
  - id: read
    phase: analysis
    kind: manual
    title: {ja: 分析, en: Read it}
    owner: csirt-duty
    after: []
    sources: [memory]
""",
        encoding="utf-8",
    )
    cli.done("declare", "Odd", "--playbook", "read")
    gate = ("override", INC, "preserved-before-analysed", "read", "--reason", "The host is gone")
    cli.done(*gate, who="kato")
    found = cli.run("gates", INC, "--json").json["overridden"]
    assert [(one["gate"], one["causes"]) for one in found] == [
        ("preserved-before-analysed", ["not-preserved:memory"])
    ]
    for command in (("gates", INC), ("show", INC), ("export", INC)):
        assert "memory" in cli.run(*command).out
    assert "passed by override" in cli.run("gates", INC).out
    cli.done(*gate, "--withdraw", who="kato")
    assert cli.run("gates", INC, "--json").json["overridden"] == []
    assert "override withdrawn" in cli.run("log", INC).out
