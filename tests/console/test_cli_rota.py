"""Duty, shifts and hand-over as people type them; every command of docs/rota.md is run."""

from __future__ import annotations

import re
import shlex
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from console.opening import open_house
from tests.console.clihouse import Cli, cli

__all__ = ["cli"]
INC = "INC-2026-0001"
PAGE = Path(__file__).parents[2] / "docs" / "rota.md"
AWAY = 'absences: [{since: "2026-11-25T00:00:00+09:00", until: "2026-11-26T00:00:00+09:00"}]'
NIGHT = "2026-12-31T20:00:00+09:00"


def declared(cli: Cli) -> None:
    assert cli.run("declare", "<b>x</b> # y", "--playbook", "short", "--service", "atm").code == 3


def changed(cli: Cli, old: str, new: str) -> None:
    """The same record with another organisation.yaml."""
    path = cli.directory / "organisation.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    cli.house.record.close()
    cli.house = open_house(cli.directory, cli.clock)


def test_every_command_of_the_page_runs(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    declared(cli)
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^\$ hikeshi (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) == 10
    for line in lines:
        answer = cli.run(*shlex.split(line))
        assert answer.code == 0, (line, answer.err)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal on which no cell is broken over two lines."""
    monkeypatch.setenv("COLUMNS", "250")


def test_who_is_on_duty_now_and_who_is_next(cli: Cli) -> None:
    out = cli.run("oncall").out
    duty = next(line for line in out.splitlines() if line.startswith("CSIRT on duty"))
    assert "Rin Yamamoto" in duty or "Daichi Suzuki" in duty
    assert "console, file" in duty
    assert "2026-11-24 17:00 +09:00" in duty
    assert "@" not in out


def test_at_an_instant_with_the_deputy_and_the_override(cli: Cli) -> None:
    shown = {one["role"]: one for one in cli.run("oncall", "--at", NIGHT, "--json").json}
    assert shown["csirt-duty"]["why"] == ["override"]
    assert [one["person"] for one in shown["csirt-duty"]["people"]] == ["tanaka-misaki"]
    lead = shown["csirt-lead"]
    assert [(one["person"], one["for"]) for one in lead["people"]] == [("tanaka-misaki", "sato-kenji")]
    assert lead["next"]["people"][0]["person"] == "sato-kenji"
    assert "stands in for Kenji Sato" in cli.run("oncall", "--at", NIGHT, "--role", "csirt-lead").out


def test_the_coming_days_as_a_table_as_data_and_as_a_calendar(cli: Cli) -> None:
    table = cli.run("oncall", "--days", "2", "--role", "csirt-duty").out
    rows = cli.run("oncall", "--days", "2", "--role", "csirt-duty", "--json").json
    assert table.count("shift") == len(rows) >= 3
    assert all(before["until"] == after["since"] for before, after in pairwise(rows))
    file = cli.run("oncall", "--ics", "-", "--days", "2", "--role", "csirt-duty").out
    assert file.count("BEGIN:VEVENT") == file.count("DTEND:") == len(rows)
    assert "PRODID:-//Hikeshi//Duty//EN" in file


def test_what_is_wrong_with_the_rota_ends_with_one(cli: Cli) -> None:
    assert cli.run("oncall", "gaps", "--days", "10").code == 0
    changed(cli, "rule: FREQ=DAILY ", "rule: FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR ")
    assert "NOBODY" in cli.run("oncall", "--role", "csirt-duty", "--at", "2026-11-28T12:00:00+09:00").out
    changed(cli, "rule: FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR ", "rule: FREQ=DAILY ")
    changed(
        cli,
        "people: [suzuki-daichi, yamamoto-rin, ito-shota, nakamura-yui]",
        "people: [suzuki-daichi, yamamoto-rin]",
    )
    answer = cli.run("oncall", "gaps", "--days", "10")
    assert answer.code == 1
    assert "without a break" in answer.out
    assert cli.run("oncall", "gaps", "--role", "ciso").code == 0
    changed(cli, "roles: [ciso]", f"roles: [ciso]\n    {AWAY}")
    changed(cli, "roles: [cio]", f"roles: [cio]\n    {AWAY}")
    kinds = {one["kind"] for one in cli.run("oncall", "gaps", "--role", "ciso", "--days", "3", "--json").json}
    assert kinds == {"nobody", "circle"}
    assert "NOBODY" in cli.run("oncall", "--role", "ciso", "--at", "2026-11-25T12:00:00+09:00").out
    warned = cli.run("check", str(cli.directory)).out
    assert "the deputies of kato-hiroshi go in a circle (kato-hiroshi > yoshida-emi > kato-hiroshi)" in warned


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["oncall", "holes"], 2, "none of gaps"),
        (["oncall", "--days", "0"], 2, "none of 1 … 366"),
        (["oncall", "--role", "cook"], 1, "cook"),
        (["shifts", "plan", INC, "--roles", "cook", "--people", "sato"], 1, "cook"),
        (["shifts", "plan", INC, "--roles", "scribe", "--people", "mallory"], 1, "not in the directory"),
        (["shifts", "plan", INC, "--roles", "scribe", "--people", "sato", "--hours", "25"], 2, "1 … 24"),
        (["handover", INC, "--to", "mallory"], 1, "not in the directory"),
    ],
)
def test_what_cannot_be_asked(cli: Cli, arguments: list[str], code: int, said: str) -> None:
    declared(cli)
    answer = cli.run(*arguments)
    assert (answer.code, said in answer.err) == (code, True), answer


def test_a_plan_is_proposed_edited_set_and_carried_out(cli: Cli, tmp_path: Path) -> None:
    declared(cli)
    file = tmp_path / "plan.txt"
    asked = ("shifts", "plan", INC, "--roles", "commander", "--days", "1", "--out", str(file))
    assert "NOBODY" in cli.run(*asked, "--people", "tanaka,sato").out
    assert "NOBODY" not in cli.run(*asked, "--people", "tanaka,sato,ito").out
    assert len(cli.run(*asked, "--people", "tanaka,sato,ito", "--json").json["shifts"]) == 3
    cli.done("shifts", "set", INC, str(file))
    assert [one["status"] for one in cli.run("shifts", "show", INC, "--json").json] == ["planned"] * 3
    cli.house.desk.tick(INC)
    assert "has taken over" in cli.run("shifts", "show", INC).out
    assert "took over as Commander (shift SH-001)" in cli.run("log", INC).out
    cli.clock.advance(timedelta(hours=9))
    cli.house.desk.tick(INC)
    assert "Commander went over from Misaki Tanaka to Kenji Sato" in cli.run("log", INC).out
    shown = cli.run("shifts", "show", INC, "--json").json
    assert [one["status"] for one in shown] == ["taken", "taken", "planned"]


def test_all_that_is_wrong_with_a_file_is_said_at_once(cli: Cli, tmp_path: Path) -> None:
    declared(cli)
    assert "no shifts are planned" in cli.run("shifts", "show", INC).out
    file = tmp_path / "plan.txt"
    sound = "scribe mallory 2026-11-24T13:00:00+09:00 2026-11-24T21:00:00+09:00\n"
    file.write_text(f"# remark\n{sound}scribe x\nscribe ito-shota tomorrow 2026-11-24T21:00:00+09:00\n")
    answer = cli.run("shifts", "set", INC, str(file))
    assert answer.code == 1
    assert [line[:8] for line in answer.err.splitlines()] == ["line 3: ", "line 4: ", "shift 1:"]
    file.write_text(sound)
    refused = cli.run("shifts", "set", INC, str(file))
    assert "the shift plan has 1 defects: shift 1: mallory is not in the directory" in refused.err
    assert "mallory は名簿にいない" in cli.run("shifts", "set", INC, str(file), lang="ja").err


def test_the_hand_over_brief_in_both_languages_and_escaped(cli: Cli) -> None:
    declared(cli)
    cli.done("ack", INC, who="yamamoto" if "Yamamoto" in cli.run("oncall").out else "suzuki")
    cli.done("done", INC, "look", "--set", "seen=x", "--set", "count=1")
    cli.done("role", INC, "commander", "tanaka-misaki")
    out = cli.run("handover", INC, "--to", "kato").out
    parts = cli.run("handover", INC, "--to", "kato", "--json").json["parts"]
    assert 'done: "Look" (Kenji Sato)' in " ".join(
        cli.run("handover", INC, "--since", "2026-11-24T03:00:00Z", "--json").json["parts"]["changed"]
    )
    assert '"What comes first": CISO (Hiroshi Kato), by' in parts["decisions"][0]
    assert "recommended: Preserve" in parts["decisions"][0]
    assert parts["on"][0].startswith("Commander: Misaki Tanaka (since ")
    assert any("data loss" in line for line in parts["unknown"])
    assert "RTO of" in parts["clocks"][0]
    for title in ("What happened", "Open decisions", "Your steps", "Reports owed", "What is not known"):
        assert f"■ {title}" in out
    md = cli.run("handover", INC, "--md").out
    assert md.startswith("# Hand")
    assert "<b>" not in md
    assert "■ 分かっていないこと" in cli.run("handover", INC, lang="ja").out


def test_whoever_is_named_gets_the_brief_as_a_notice(cli: Cli) -> None:
    declared(cli)
    cli.done("role", INC, "commander", "tanaka-misaki")
    screen = cli.run("page-now").out
    notice = screen[screen.index("引継ぎ: あなたが指揮者を引き継ぎます") :]
    for word in (
        "何が起きたか",
        "待っている判断",
        "次に切れる期限",
        "だれが就いているか",
        "分かっていないこと",
    ):
        assert word in notice
    assert "・指揮者: 田中 美咲" in notice
    assert "hikeshi handover" in notice
