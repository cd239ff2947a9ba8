"""What somebody reads who is tired, in a hurry or new: the answer must say what is true and what to do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from console.opening import open_house
from console.texts import texts
from console.views.naming import Naming
from console.views.refusals import advice
from models.factors import read_factor
from models.reason import Reason
from tests.console.clihouse import START, Cli, cli
from tests.models.small import organisation

__all__ = ["cli"]
INC = "INC-2026-0001"


def asked(cli: Cli) -> None:
    """An incident whose decision is asked for."""
    cli.done("declare", "Files encrypted", "--playbook", "short", "--service", "atm")
    cli.done("done", INC, "look", "--set", "seen=note", "--set", "count=3")


def decide(cli: Cli, choice: str, *more: str, lang: str = "ja") -> str:
    answer = cli.run("decide", INC, "first", choice, "--reason", "-", *more, who="kato", lang=lang)
    return answer.out + answer.err


def inspector(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> str:
    until = (START + timedelta(days=3)).isoformat()
    granted = cli.run(
        "inspector", "grant", "exam-team", "--until", until, "--reason", "-", "--json", who="sato"
    )
    monkeypatch.setenv("HIKESHI_TOKEN", granted.json["token"])
    return str(granted.json["token"])


def test_whoever_chooses_otherwise_does_not_read_that_nothing_is_left_to_do(cli: Cli) -> None:
    asked(cli)
    decide(cli, "contain", "--factor", "window=unknown")
    said = decide(cli, "preserve", "--factor", "window=unknown")
    assert (
        "別の判断（contain、加藤 博）が有効" in said and "--supersede" in said and "hikeshi withdraw" in said
    )
    assert "何もする必要はありません" not in said
    assert "--supersede" in decide(cli, "preserve", "--factor", "window=unknown", lang="en")
    same = decide(cli, "contain", "--factor", "window=unknown")
    assert "すでにそうなっている" in same and "--supersede" not in same


@pytest.mark.parametrize("phase", ["nonsense", "封じ込め"])
def test_a_phase_that_there_is_not_is_answered_with_those_there_are(cli: Cli, phase: str) -> None:
    cli.done("declare", "-", "--playbook", "short")
    answer = cli.run("reopen", INC, "--phase", phase, "--reason", "-", lang="ja")
    assert answer.code == 1 and f"「{phase}」はない" in answer.err and "containment" in answer.err


def test_the_glass_is_broken_by_the_whole_number_and_the_answer_says_so(cli: Cli) -> None:
    cli.done("declare", "-", "--playbook", "short", "--restricted")
    hidden = cli.run("break-glass", "1", "--reason", "-", who="matsumoto", lang="ja")
    nothing = cli.run("break-glass", "7", "--reason", "-", who="matsumoto", lang="ja")
    assert hidden.code == nothing.code == 1
    assert "番号を省略せずに" in hidden.err
    assert hidden.err.replace(" 1 ", " 7 ") == nothing.err
    assert cli.run("break-glass", INC, "--reason", "-", who="matsumoto").code in {0, 3}


def test_a_token_that_opens_nothing_is_said_to_be_wrong(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIKESHI_TOKEN", "wrong")
    answer = cli.run("list", lang="ja")
    assert answer.code == 1 and "トークンが正しくないか、閲覧は終了している" in answer.err


@pytest.mark.parametrize(
    "command",
    [
        ("evidence", "add", INC, "edr", "--description", "-"),
        ("evidence", "verify", INC),
        ("checkpoint", "now"),
        ("relay", "now"),
    ],
)
def test_an_inspector_reads_and_does_nothing_else(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    cli.done("declare", "-", "--playbook", "short")
    inspector(cli, monkeypatch)
    answer = cli.run(*command, lang="ja")
    assert answer.code == 1 and "exam-team として入った人は読むことしかできない" in answer.err, answer.err
    with cli.house.record.read() as tx:
        last = [fact.data for fact in tx.facts("house") if fact.kind == "refused"][-1]
    assert last["reason"] == "may read only"


def test_nobody_bars_themselves(cli: Cli) -> None:
    for command in (("declare", "-", "--restricted"), ("restrict", INC, "--reason", "-")):
        answer = cli.run(*command, "--not", "sato-kenji", lang="ja")
        assert answer.code == 1 and "自分自身を除外することはできない" in answer.err
        cli.done("declare", "-", "--playbook", "short")


def test_what_is_missing_and_what_cannot_be_read_are_told_at_once(cli: Cli) -> None:
    cli.done("declare", "-", "--playbook", "short")
    both = cli.run("done", INC, "look", "--set", "count=three", lang="ja").err
    assert "seen" in both and "count: 整数か「不明」" in both and "three" in both


def test_factors_are_explained_in_the_reader_s_language(cli: Cli) -> None:
    asked(cli)
    said = decide(cli, "contain", "--factor", "window=tonight")
    assert "window（止める時間帯）" in said and "02:00-06:00" in said and "tonight" in said
    assert "expected" not in said
    shown = cli.run("step", "show", INC, "first", lang="ja").out
    assert "--factor window=…" in shown and "02:00-06:00" in shown


def test_an_unknown_step_of_decisions_is_refused_in_words(cli: Cli) -> None:
    asked(cli)
    answer = cli.run("decisions", INC, "isolate-partly", lang="ja")
    assert answer.code == 1 and "手順「isolate-partly」は見つからない" in answer.err
    assert "{'step'" not in answer.out + answer.err


def test_a_choice_is_shown_by_its_title(cli: Cli) -> None:
    asked(cli)
    decide(cli, "contain", "--factor", "window=unknown")
    assert "判断: 封じ込め [contain]" in cli.run("decisions", INC, lang="ja").out


def test_the_key_is_written_as_the_verifier_reads_it(cli: Cli, tmp_path: Path) -> None:
    cli.done("declare", "-", "--playbook", "short")
    kept, key = tmp_path / "kept.json", tmp_path / "kept-key.txt"
    cli.done("checkpoint", "now")
    cli.done("checkpoint", "export", str(kept))
    cli.done("key", "show", "--out", str(key))
    assert len(key.read_text().strip()) == 64
    verified = cli.run("verify", "--checkpoint", str(kept), "--key", str(key))
    assert verified.code == 0, verified.err
    assert "+09:00" in cli.run("checkpoint", "now", lang="ja").out


def test_evidence_of_a_step_that_is_not_done_is_not_said_to_be_missing(cli: Cli, tmp_path: Path) -> None:
    cli.done("declare", "-", "--playbook", "ransomware", "--service", "atm")
    note = tmp_path / "note.txt"
    note.write_text("pay")
    before = cli.run("evidence", "list", INC, lang="ja").out
    assert "（ransom-note）" in before
    cli.done("evidence", "add", INC, "ransom-note", "--description", "-", "--file", str(note))
    after = cli.run("evidence", "list", INC, lang="ja").out
    assert "（ransom-note）" not in after and "手順が未完了（証拠は EV-0001 で保全済み）" in after


def test_items_without_a_file_are_listed_by_verify(cli: Cli, tmp_path: Path) -> None:
    cli.done("declare", "-", "--playbook", "short")
    note = tmp_path / "note.txt"
    note.write_text("pay")
    cli.done("evidence", "add", INC, "note", "--description", "-", "--file", str(note))
    cli.done("evidence", "add", INC, "laptop", "--description", "-", "--kind", "device")
    assert (
        "EV-0002  照合対象なし（現物など、ここにファイルがない）"
        in cli.run("evidence", "verify", INC, lang="ja").out
    )
    assert cli.run("evidence", "verify", INC, "--json").json["without"] == ["EV-0002"]


def test_a_name_that_is_nobody_s_is_answered_with_ids_and_roles(cli: Cli) -> None:
    cli.done("declare", "-", "--playbook", "short")
    said = cli.run("restrict", INC, "--to", "foo", "--reason", "-", lang="ja").err
    assert "「foo」は人の id でも役割の id でもない" in said and "ciso" in said


def test_the_gate_of_closing_is_passed_for_the_incident_and_not_for_a_step(cli: Cli) -> None:
    cli.done("declare", "-", "--playbook", "short")
    said = cli.run("gates", INC, lang="ja").out.replace("\n", "")
    assert f"override {INC} closing {INC}" in said and "closing STEP" not in said


def test_an_item_is_held_by_a_name_and_the_command_wants_the_id(cli: Cli) -> None:
    cli.done("declare", "-", "--playbook", "short")
    cli.done("evidence", "add", INC, "laptop", "--description", "-", "--kind", "device")
    refused = cli.run(
        "evidence", "transfer", INC, "EV-0001", "--to", "ito-shota", "--purpose", "-", "--place", "-",
        who="suzuki", lang="ja",
    )  # fmt: skip
    assert "保管しているのは 佐藤 健二 で" in refused.err and "--for sato-kenji" in refused.err, refused.err


def test_what_did_not_follow_and_was_not_found_is_not_listed(cli: Cli, tmp_path: Path) -> None:
    asked(cli)
    decide(cli, "contain", "--factor", "window=unknown")
    superseded = decide(cli, "preserve", "--factor", "window=unknown", "--supersede")
    assert "判断を差替え" in superseded and "取り消されないもの" not in superseded
    note = tmp_path / "note.txt"
    note.write_text("pay")
    cli.done("evidence", "add", INC, "note", "--description", "-", "--file", str(note))
    for stored in (path for path in cli.house.evidence.rglob("*") if path.is_file()):
        stored.chmod(0o600)
        stored.write_text("altered")
    said = cli.run("evidence", "verify", INC, lang="ja").out
    assert "不一致: EV-0001" in said and "所在不明" not in said and "読取不能" not in said
    assert "[【" not in cli.run("evidence", "list", INC, lang="ja").out


def test_health_is_not_well_while_the_second_path_fails(cli: Cli, tmp_path: Path) -> None:
    settings = cli.directory / "settings.toml"
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    settings.write_text(
        settings.read_text() + f'\n[[relay]]\nname = "vault"\nkind = "folder"\npath = "{blocked}/in"\n'
    )
    cli.house = open_house(cli.directory, clock=cli.clock)
    cli.done("declare", "-", "--playbook", "short")
    assert cli.run("relay", "now").code == 1
    said = cli.run("health", "--json").json
    assert said["ok"] is False and "relay vault" in said["impaired"]


@pytest.mark.parametrize(("said", "kept"), [("4時間", "4h"), ("1時間30分", "1h30m"), ("2 日", "2d")])
def test_a_span_is_read_as_the_screens_print_it(said: str, kept: str) -> None:
    assert read_factor("duration", said, START, organisation()) == kept


def test_a_gate_that_is_closed_is_no_reason_to_give_a_false_time(cli: Cli) -> None:
    cli.done("declare", "-", "--playbook", "ransomware", "--service", "atm")
    naming = Naming(
        texts=texts("ja"),
        world=cli.house.desk.world(cli.house.desk.incident(INC)),
        state=cli.house.desk.incident(INC),
        beside={},
    )
    detail = {"step": "ransomware/method", "gates": ["preserved-before-analysed"], "causes": []}
    said = advice(naming, Reason.GATE_HELD, detail)
    assert "時刻を実際より前にして通してはいけません" in said and "撤回された後" in said
