"""Scenarios as files: which take the place of which, and what `hikeshi check` says of them.

One example directory for each defect lies in examples/defects; tests/playbooks/test_check.py walks them.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from playbooks.check import check
from playbooks.institution import load
from playbooks.scenarios import (
    FOLDER,
    Scenarios,
    exercise_kit,
    read_scenarios,
    shipped_scenarios,
    whole,
)

BASE = Path(__file__).parents[2] / "examples" / "defects" / "base"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
DRILL = "scenarios/pc-drill.yaml"


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A copy of the small institution without a defect, to break."""
    return Path(shutil.copytree(BASE, tmp_path / "bank"))


def edit(bank: Path, old: str, new: str) -> None:
    text = (bank / DRILL).read_text(encoding="utf-8")
    assert old in text, f"the small drill no longer holds {old!r}"
    (bank / DRILL).write_text(text.replace(old, new, 1), encoding="utf-8")


def said(bank: Path, now: datetime = NOW, severity: str = "error") -> list[str]:
    found = [
        one
        for one in check(bank, now)
        if one.severity == severity and "scenarios" in (Path(one.file).name, Path(one.file).parent.name)
    ]
    return [str(one).replace(f"{bank}/", "") for one in found]


# -- which there are ----------------------------------------------------------------------------------------


def test_own_scenarios_stand_beside_the_shipped_ones(bank: Path) -> None:
    scenarios = load(bank).scenarios
    assert scenarios["pc-drill"].version == "1.0.0"
    assert scenarios.entries["pc-drill"].origin == "own"
    assert set(scenarios) == {"pc-drill", *shipped_scenarios()}
    assert len(scenarios) == len(set(scenarios))


def test_one_of_the_same_id_takes_the_place_of_a_shipped_one(bank: Path) -> None:
    name = next(iter(shipped_scenarios()))
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    (bank / f"scenarios/{name}.yaml").write_text(text.replace("version: 1.0.0", "version: 9.0.0"), "utf-8")
    entry = Scenarios(bank).entries[name]
    assert (entry.scenario.version, entry.origin) == ("9.0.0", "overrides")
    assert shipped_scenarios()[name].version == "1.0.0"


def test_a_shipped_one_comes_back_in_the_place_of_a_broken_one_and_the_check_says_so(bank: Path) -> None:
    name = next(iter(shipped_scenarios()))
    (bank / f"scenarios/{name}.yaml").write_text("scenario: [", encoding="utf-8")
    assert Scenarios(bank).entries[name].origin == "shipped"
    assert [line.split(":")[0] for line in said(bank)] == [f"scenarios/{name}.yaml"]


def test_without_a_folder_there_are_the_shipped_ones(tmp_path: Path) -> None:
    entries, defects = read_scenarios(tmp_path)
    assert set(entries) == set(shipped_scenarios())
    assert defects == []


def test_a_file_is_named_after_its_scenario(bank: Path) -> None:
    (bank / DRILL).rename(bank / "scenarios/other.yaml")
    [line] = said(bank)
    assert "'pc-drill' stands in other.yaml; expected a file pc-drill.yaml" in line


def test_what_every_exercise_has_comes_before_what_is_its_own(bank: Path) -> None:
    edit(bank, "objectives:\n", "rules: [{ja: 一, en: One more}]\nobjectives:\n")
    kit, full = exercise_kit(), whole(Scenarios(bank)["pc-drill"])
    assert full.rules[: len(kit.rules)] == kit.rules
    assert [one.en for one in full.rules[len(kit.rules) :]] == ["One more"]
    assert full.questions == kit.questions
    assert full.hot_wash == kit.hot_wash


def test_nothing_in_the_kit_could_be_taken_for_real() -> None:
    """【訓練】 on everything, and one word that stops it: ground rules that no exercise goes without."""
    text = " ".join(rule.ja for rule in exercise_kit().rules)
    assert "【訓練】" in text
    assert "実インシデント発生、演習中止" in text


# -- what is wrong ------------------------------------------------------------------------------------------


def test_the_small_drill_has_no_defect(bank: Path) -> None:
    assert said(bank) == []


def test_all_defects_of_several_scenarios_are_told_at_once(bank: Path) -> None:
    edit(bank, "role: ciso, step: pc-malware/cut-off", "role: cisso, step: pc-malware/cut-of")
    edit(bank, "service: internet-banking, state", "service: internet, state")
    other = (BASE / DRILL).read_text(encoding="utf-8").replace("scenario: pc-drill", "scenario: pc-two")
    (bank / "scenarios/pc-two.yaml").write_text(other.replace("playbooks: [pc-", "playbooks: [pv-"), "utf-8")
    lines = said(bank)
    assert [line.split(": ")[1] for line in lines if line.startswith("scenarios/pc-drill.yaml")] == [
        "start.services[0].service",
        "injects[alert].expect[0].role",
        "injects[alert].expect[0].step",
    ]
    assert any(line.startswith("scenarios/pc-two.yaml:6:13: playbooks[0]") for line in lines)


WHEN = 'when: decided("pc-malware/cut-off") != "cut"'


@pytest.mark.parametrize(
    ("sentence", "condition", "says"),
    [
        ("It does not parse", 'done("a"', "expected ')'"),
        ("A function of one step alone", "round() > 2", "unknown name 'round'"),
        ("A function that is not asked", "declared", "'declared' is named, and not asked"),
        ("Too much is asked", 'declared("x")', "expected nothing between the brackets"),
        ("A step that is not there", 'done("pc-malware/cut-of")', "no step 'pc-malware/cut-of'"),
        ("A step without its playbook", 'done("cut-off")', "is no step of the playbooks"),
        ("A step that is worked out", "done(severity())", "done() names no step"),
        ("A decision that is none", 'decided("pc-malware/name-pc") == "x"', "is no decision"),
        ("An option that is none", 'decided("pc-malware/cut-off") == "burn"', "has no option 'burn'"),
        ("A field that is not recorded", 'output("pc-malware/name-pc", "hots") == "x"', "does not record"),
        ("An inject that is not there", 'delivered("alarm")', "delivered('alarm') names nothing"),
        ("Itself", 'delivered("again")', "cannot wait for itself"),
        ("A playbook that is not there", 'carries("pc-malwar")', "carries('pc-malwar') names nothing"),
        ("A service that is not there", 'affected("atm")', "affected('atm') names nothing"),
        ("A phase that is not there", 'phase_ended("triag")', "phase_ended('triag') names nothing"),
        ("A source that nobody preserves", 'evidence("memory")', "evidence('memory') names nothing"),
        ("What cannot be", 'declared() and not declared()', "can never hold"),
        ("A rank beyond the gravest", "severity() > 9", "can never hold"),
        ("Two choices at once",
         'decided("pc-malware/cut-off") == "cut" and decided("pc-malware/cut-off") == "watch"',
         "can never hold"),
    ],
)  # fmt: skip
def test_a_condition_that_cannot_work(bank: Path, sentence: str, condition: str, says: str) -> None:
    edit(bank, WHEN, f"when: {condition}")
    [line] = said(bank)
    assert says in line, sentence
    assert line.startswith(f"{DRILL}:57:11: injects[again].when: ")


@pytest.mark.parametrize(
    "condition",
    [
        'declared() and severity() >= 1 and not skipped("pc-malware/what-first")',
        'carries("ransomware") or affected("internet-banking") or phase_ended("triage")',
        'output("pc-malware/name-pc", "host") == "pc-1" and evidence("logon-sessions")',
        'output("pc-malware/list-sessions", "anything") != "x" and delivered("alert")',
        'decided("pc-malware/cut-off") == none and not done("pc-malware/name-pc")',
    ],
)
def test_a_condition_that_works(bank: Path, condition: str) -> None:
    edit(bank, WHEN, f"when: {condition}")
    assert said(bank) == []


def test_a_condition_with_more_courses_than_are_tried_is_believed(bank: Path) -> None:
    steps = ("name-pc", "list-sessions", "read-sessions", "what-first", "cut-off", "tell-pr")
    asked = [f'{name}("pc-malware/{step}")' for name in ("done", "skipped") for step in steps]
    never = " and ".join(["declared()", "not declared()", *asked, 'affected("core-banking")'])
    edit(bank, WHEN, f"when: {never}")
    assert said(bank) == [], "8,192 courses: half of them were tried"


@pytest.mark.parametrize(
    ("sentence", "old", "new", "says"),
    [
        ("Two injects of one id", "id: again", "id: alert", "the id 'alert' is there twice"),
        ("Two cards of one role", "- role: ciso", "- role: csirt-duty", "'csirt-duty' is there twice"),
        ("A party that is none", "party: police", "party: polise", "'polise' is no third party"),
        ("A level that is none", "{kind: rto, service", "{kind: rlo, level: half, service", "is no level of"),
        ("An objective that is none", "objectives: [decide-early]", "objectives: [decide]", "no objective"),
        (
            "A service that is none",
            "rto, service: internet-banking",
            "rto, service: ib",
            "'ib' is no service",
        ),
        ("An option of a manual step", "cut-off, option: cut", "name-pc, option: cut", "is no decision"),
        ("After an inject that is none", "after: alert", "after: alarm", "'alarm' is no inject"),
        ("An ending that never comes", 'when: done("pc-malware/cut-off")', "when: 1 == 2", "never hold"),
        ("A leap after the end", "outcomes:\n", "leaps: [{at: 30m, by: 1h, text: L}]\noutcomes:\n", "leaps"),
        ("An inject after the end", "    at: 0m", "    at: 31m", "delivered 31m after STARTEX"),
    ],
)
def test_a_scenario_that_cannot_be_played(bank: Path, sentence: str, old: str, new: str, says: str) -> None:
    edit(bank, old, new)
    assert any(says in line for line in said(bank)), (sentence, said(bank))


def test_of_an_unreadable_file_only_its_own_defect_is_told(bank: Path) -> None:
    for file in ("organisation.yaml", "severity.yaml"):
        (bank / file).write_text("a: [", encoding="utf-8")
    (bank / "catalogue.yaml").write_text("items: [", encoding="utf-8")
    assert said(bank) == []


def test_steps_of_a_playbook_that_cannot_be_laid_out_are_not_missed_again(bank: Path) -> None:
    path = bank / "playbooks/pc-malware.yaml"
    path.write_text(path.read_text("utf-8").replace("  - id: cut-off", "  - id: what-first"), "utf-8")
    assert said(bank) == []


# -- what is only warned of ---------------------------------------------------------------------------------


def test_a_scenario_that_was_not_reviewed_for_a_year_is_warned_of(bank: Path) -> None:
    at = f"{DRILL}:5:11: reviewed: warning: the review was due on 2027-11-01 (every 365d)"
    late = [line for line in said(bank, datetime(2027, 11, 3, tzinfo=UTC), "warning") if DRILL in line]
    assert late == [f"{at}; expected the date of a newer review"]
    assert not [line for line in said(bank, severity="warning") if DRILL in line]
    edit(bank, "reviewed: 2026-11-01", "reviewed: 2027-11-01")
    assert any("2027-11-01 is in the future" in line for line in said(bank, severity="warning"))


def test_shipped_scenarios_grow_old_too(bank: Path) -> None:
    late = said(bank, datetime(2028, 1, 1, tzinfo=UTC), "warning")
    assert sum("the review was due on" in line for line in late) == 1 + len(shipped_scenarios())


def test_texts_in_one_language_are_told_in_one_warning(bank: Path) -> None:
    edit(bank, "truth: {ja: 添付を開いた, en: Somebody opened an attachment}", "truth: 添付を開いた")
    edit(bank, "{ja: まだですか, en: Not yet?}", "まだですか")
    [line] = [line for line in said(bank, severity="warning") if DRILL in line]
    assert "truth: warning: stands in Japanese alone, and 1 more like it" in line
    assert said(bank) == []


def test_a_step_expected_of_somebody_else_than_the_playbook_says_is_warned_of(bank: Path) -> None:
    edit(bank, "role: ciso, step: pc-malware/cut-off", "role: csirt-duty, step: pc-malware/cut-off")
    [line] = [line for line in said(bank, severity="warning") if DRILL in line]
    assert line.startswith(f"{DRILL}:49:") and "injects[alert].expect[0].role: warning: " in line
    assert "'pc-malware/cut-off' is not a step of 'csirt-duty'; expected ciso, or no role" in line
    assert said(bank) == []


def test_a_shipped_scenario_that_does_not_fit_here_is_one_warning_and_no_error(bank: Path) -> None:
    lines = [line for line in said(bank, severity="warning") if "cannot be played here" in line]
    assert lines
    assert len(lines) <= len(shipped_scenarios())
    assert all("a scenario of your own in its place" in line for line in lines)
    assert len({line.split(": ")[1] for line in lines}) == len(lines)


def test_an_unread_file_in_the_folder_is_warned_of(bank: Path) -> None:
    (bank / "scenarios/night.yml").write_text("scenario: night", encoding="utf-8")
    assert (
        "scenarios/night.yml:1:1: (file): warning: this file is not read; expected the name night.yaml"
        in (said(bank, severity="warning"))
    )
