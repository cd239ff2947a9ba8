"""Reading playbooks at the command line: show, diff, coverage, and who has read what."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from console.opening import open_house
from console.views.coverage import counts, coverage
from models.frozen import freeze_playbook
from models.plan import Plan
from models.state import Programme
from playbooks import check as checks
from playbooks.catalogue import GuidelineItem
from tests.console.clihouse import EXAMPLE, SHORT, START, Cli, cli
from tests.models.small import playbook, step

__all__ = ["cli"]
INC = "INC-2026-0001"
READ = SHORT.replace("priority: 5\n", "priority: 5\nread_by: [csirt-lead, csirt-deputy]\nread_within: 10d\n")
NEWER = (
    READ.replace("version: 1.0.0", "version: 1.1.0")
    .replace("within: 30m", "within: 10m")
    .replace("en: Look}", "en: Look closely}")
    .replace("電源を切らない, en: Do not power off", "再起動しない, en: Do not restart")
    .replace("  - id: learn\n    phase: lessons", "  - id: teach\n    phase: lessons")
    .replace("  - id: resume\n    phase: recovery", "  - id: resume\n    phase: containment")
    .replace("after: [resume]", "after: [first]")
)


def rewritten(cli: Cli, text: str) -> Cli:
    """The same bank after its short playbook was changed and Hikeshi started again."""
    (cli.directory / "playbooks" / "short.yaml").write_text(text, encoding="utf-8")
    cli.house.record.close()
    cli.house = open_house(cli.directory, cli.clock)
    return cli


# -- show ---------------------------------------------------------------------------------------------------


def test_without_a_format_it_is_shown_as_before(cli: Cli) -> None:
    assert "A short response (short 1.0.0)" in cli.done("playbook", "show", "short").out
    assert cli.done("playbook", "show", "short", "--json").json["version"] == "1.0.0"


@pytest.mark.parametrize("format_", ["html", "svg"])
def test_html_and_svg_go_to_the_screen_or_into_a_file(cli: Cli, tmp_path: Path, format_: str) -> None:
    shown = cli.done("playbook", "show", "short", "--format", format_).out
    ET.fromstring(shown.removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - our own drawing
    path = tmp_path / f"short.{format_}"
    answer = cli.done("playbook", "show", "short", "--format", format_, "--out", str(path))
    assert answer.out == ""
    assert path.read_text(encoding="utf-8") == shown


def test_markdown_says_it_in_the_language_asked_for(cli: Cli) -> None:
    assert "**DO NOT**: Do not power off" in cli.run("playbook", "show", "short", "--format", "md").out
    japanese = cli.run("playbook", "show", "short", "--format", "md", lang="ja").out
    assert "**してはならない**: 電源を切らない" in japanese
    assert "代償: 痕跡を失う" in japanese


WRONG: list[tuple[str, tuple[str, ...], int, str]] = [
    ("Another format is wrong usage", ("show", "short", "--format", "pdf"), 2, "md, html, svg"),
    ("What is not there is refused", ("show", "nothing", "--format", "svg"), 1, "no playbook"),
    ("A file that cannot be written", ("show", "short", "--format", "md", "--out", "/nowhere/x"), 2, "--out"),
    ("Without --from there is nothing to compare", ("diff", "short"), 2, "--from"),
    ("A version that nobody kept", ("diff", "short", "--from", "9.9.9"), 2, "9.9.9"),
    ("An incident that does not carry it", ("diff", "ransomware", "--from", "1"), 2, "short"),
    ("An incident that is not there", ("diff", "short", "--from", "99"), 1, "99"),
    ("A file that is no playbook", ("diff", "short", "--from", "no-such.yaml"), 2, "no-such.yaml"),
    ("A playbook that is not there", ("diff", "nothing", "--from", "1.0.0"), 2, "nothing"),
    ("Nobody reads what is not there", ("read", "nothing"), 1, "no playbook"),
    ("Nor asks who has", ("readers", "nothing"), 1, "no playbook"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), [r[1:] for r in WRONG], ids=[r[0] for r in WRONG])
def test_wrong(cli: Cli, arguments: tuple[str, ...], code: int, said: str) -> None:
    cli.run("declare", "x", "--playbook", "short")
    answer = cli.run("playbook", *arguments)
    assert answer.code == code, answer.err
    assert said in answer.err


# -- diff ---------------------------------------------------------------------------------------------------


def test_an_incidents_version_against_todays(cli: Cli) -> None:
    cli.run("declare", "x", "--playbook", "short")
    rewritten(cli, NEWER)
    out = cli.done("playbook", "diff", "short", "--from", "1").out
    assert f"from version 1.0.0 as {INC} has it to today's version 1.1.0" in out
    changes = cli.done("playbook", "diff", "short", "--from", INC, "--json").json["changes"]
    found = {(one["what"], one["step"], one["field"]): (one["before"], one["after"]) for one in changes}
    assert found == {
        ("playbook", "", "version"): (["1.0.0"], ["1.1.0"]),
        ("playbook", "", "read_by"): ([], ["csirt-lead", "csirt-deputy"]),
        ("playbook", "", "read_within"): (["30d"], ["10d"]),
        ("added", "teach", ""): ([], []),
        ("removed", "learn", ""): ([], []),
        ("moved", "resume", "phase"): (["recovery"], ["containment"]),
        ("changed", "look", "title"): (["Look"], ["Look closely"]),
        ("changed", "look", "within"): (["30m"], ["10m"]),
        ("changed", "look", "do_not"): (["Do not power off"], ["Do not restart"]),
    }


def test_no_difference_is_said(cli: Cli) -> None:
    assert "no difference" in cli.done("playbook", "diff", "short", "--from", "1.0.0").out


def test_a_file_against_todays_and_a_step_in_another_place(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    head, look, first, rest = SHORT.partition("  - id: look")[0], *_blocks()
    path.write_text(f"{head}{first}{look}{rest}", encoding="utf-8")
    out = cli.done("playbook", "diff", "short", "--from", str(path)).out
    assert "Steps moved" in out
    assert "another place in the order" in out


def _blocks() -> tuple[str, str, str]:
    parts = SHORT.split("  - id: ")
    return f"  - id: {parts[1]}", f"  - id: {parts[2]}", "".join(f"  - id: {part}" for part in parts[3:])


def test_the_shipped_playbook_against_the_institutions_own(cli: Cli) -> None:
    text = (EXAMPLE.parents[1] / "playbooks" / "library" / "call-centre.yaml").read_text(encoding="utf-8")
    own = cli.directory / "playbooks" / "call-centre.yaml"
    own.write_text(text.replace("within: ", "within: 1h", 1), encoding="utf-8")
    cli.house.record.close()
    cli.house = open_house(cli.directory, cli.clock)
    out = cli.done("playbook", "diff", "call-centre").out
    assert "from the shipped version" in out
    assert "limit" in out


def test_a_version_that_was_read_is_found_in_the_record(cli: Cli) -> None:
    cli.done("playbook", "read", "short")
    rewritten(cli, NEWER)
    assert "as it was kept" in cli.done("playbook", "diff", "short", "--from", "1.0.0").out


# -- readers ------------------------------------------------------------------------------------------------


def test_announced_read_and_overdue(cli: Cli) -> None:
    rewritten(cli, READ)
    assert "has not been announced" in cli.done("playbook", "readers", "short").out
    assert "is to be read by" in cli.done("playbook", "announce", "short").out
    assert "nothing to announce" in cli.done("playbook", "announce", "short").out
    cli.done("playbook", "read", "short", who="sato")
    out = cli.done("playbook", "readers", "short").out
    assert "read, 2026-11-24" in out
    assert "has not read it" in out
    cli.clock.advance(timedelta(days=11))
    cli.house.desk.tick("programme")
    assert "OVERDUE: 1 people" in cli.run("playbook", "readers", "short").out
    assert "OVERDUE" in cli.run("playbook", "readers").out
    found = cli.run("playbook", "readers", "short", "--json").json
    assert (found["overdue"], found["missing"], found["announced"]) == (True, ["tanaka-misaki"], True)
    assert "not been read in time by: Misaki Tanaka" in cli.run("log", "programme").out


def test_the_messages_say_what_to_read_until_when_and_who_has_not(cli: Cli) -> None:
    rewritten(cli, READ)
    told = cli.run("playbook", "announce", "short", "--page-now").out
    for words in ("短い対応 (short 1.0.0)", "読了期限: 12/04", "hikeshi playbook read short"):
        assert words in told
    cli.done("playbook", "read", "short", who="sato")
    cli.clock.advance(timedelta(days=11))
    cli.house.desk.tick("programme")
    paged = cli.run("page-now").out
    assert "呼出 → sato-kenji" in paged
    assert "未読: 田中 美咲" in paged
    assert "佐藤" not in paged.split("未読:")[1].splitlines()[0]


def test_an_older_receipt_and_changed_words_show(cli: Cli) -> None:
    rewritten(cli, READ)
    cli.done("playbook", "read", "short", who="sato")
    same = rewritten(cli, READ.replace("en: Look}", "en: Look at it}"))
    assert "changed since" in same.done("playbook", "readers", "short").out
    newer = rewritten(cli, NEWER)
    assert "has read only version 1.0.0" in newer.done("playbook", "readers", "short").out


def test_without_named_readers_the_acting_roles_are_shown(cli: Cli) -> None:
    out = cli.done("playbook", "readers", "short").out
    assert "CISO" in out
    assert "names no readers" in out


def test_a_receipt_by_a_scribe_says_so(cli: Cli) -> None:
    rewritten(cli, READ)
    cli.done("playbook", "read", "short", "--for", "tanaka-misaki", who="suzuki")
    assert "recorded by" in cli.done("playbook", "readers", "short").out
    state = cli.house.desk.state("programme")
    assert isinstance(state, Programme)
    assert state.readings["short"].readers["tanaka-misaki"].recorded_by == "suzuki-daichi"


def test_all_playbooks_at_a_glance_leave_out_parts(cli: Cli) -> None:
    names = [one["playbook"] for one in cli.done("playbook", "readers", "--json").json]
    assert "ransomware" in names
    assert "call-centre" not in names


ROLES: list[tuple[str, str, str]] = [
    ("A role that does not exist", "[no-such]", "no role `no-such`"),
    ("A role that nobody has", "[empty-role]", "nobody has the role `empty-role`"),
]


@pytest.mark.parametrize(("roles", "wrong"), [row[1:] for row in ROLES], ids=[row[0] for row in ROLES])
def test_check_finds_readers_that_are_none(cli: Cli, roles: str, wrong: str) -> None:
    organisation = cli.directory / "organisation.yaml"
    text = organisation.read_text(encoding="utf-8")
    added = "\nroles:\n  - {id: empty-role, title: {ja: 空き, en: Empty}}\n"
    organisation.write_text(text.replace("\nroles:\n", added, 1), encoding="utf-8")
    path = cli.directory / "playbooks" / "short.yaml"
    path.write_text(SHORT.replace("priority: 5\n", f"priority: 5\nread_by: {roles}\n"), encoding="utf-8")
    found = [str(one) for one in checks.check(cli.directory, START) if "read_by" in one.path]
    assert len(found) == 1
    assert wrong.replace("`", "") in found[0].replace("`", "").replace('"', "").replace("'", "")


# -- coverage -----------------------------------------------------------------------------------------------


def item(number: str, **fields: str) -> GuidelineItem:
    shape = {
        "id": number, "edition": "2025-07-04", "origin": "official", "level": "basic", "section": "1",
        "summary": number, "source": "-", "confidence": "C1", "scope": "playbook",
    }  # fmt: skip
    return GuidelineItem.model_validate(shape | fields)


def test_each_empty_item_has_its_reason() -> None:
    part = playbook("part", step("tell", guideline=["F-1"]))
    whole = playbook("whole", step("call", kind="call", call="part"), covers=["F-2", "F-9"])
    bare = playbook("bare", step("look"))
    known = {one.playbook: one for one in (part, whole, bare)}
    plans: dict[str, Plan] = {name: freeze_playbook(name, known).plan for name in known}
    catalogue = {
        one.id: one
        for one in (
            item("F-1"), item("F-2", scope="plan"), item("F-3", scope="plan", level="desirable"),
            item("F-4", scope="governance"), item("F-5", scope="exercise", origin="seed"), item("F-6"),
        )
    }  # fmt: skip
    found = coverage(plans, catalogue, {"part": "own", "whole": "overrides"}, frozenset({"part"}))
    assert {one.item.id: one.why for one in found.items} == {
        "F-1": "gap-in-some", "F-2": "covered", "F-3": "gap", "F-4": "governance", "F-5": "exercise",
        "F-6": "gap",
    }  # fmt: skip
    first = found.items[0]
    assert [(one.playbook, one.step) for one in first.by] == [("part", "tell")]
    assert first.missing == ("bare",)
    assert (found.overridden, found.own, found.unknown) == (("whole",), ("part",), ("F-9",))
    rows = {(row["origin"], row["level"]): row for row in counts(found)}
    assert rows["official", "basic"]["listed"] == 4
    assert rows["seed", "basic"]["elsewhere"] == 1


def test_coverage_says_what_it_counts_and_what_it_does_not(cli: Cli) -> None:
    out = cli.done("coverage").out
    assert "not the number of requirements of the FSA" in out
    assert "seed (not the FSA's)" in out
    found = cli.done("coverage", "--json").json
    assert {one["origin"] for one in found["counts"]} == {"official", "seed"}
    assert all(one["state"] != "gap" for one in found["items"] if one["scope"] in {"governance", "exercise"})
    covered = next(one for one in found["items"] if one["id"] == "FSA-2.5.2.2-B1")
    assert {"playbook": "ransomware", "step": "memory"} not in covered["covered_by"]
    assert any(one["playbook"] == "ransomware" for one in covered["covered_by"])
    assert "短い" not in out
