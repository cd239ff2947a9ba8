"""Reports owed and third parties as people type them: drafted, sent by people, and never by themselves."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from models.canonical import document_digest
from models.fact import Fact
from models.record import DOCUMENT, OUTBOX
from playbooks.drafts import GAP
from tests.console.clihouse import Cli, cli

__all__ = ["cli"]
INC = "INC-2026-0001"
PPC, FIRST = ("JP-PPC", "preliminary"), ("ZENGIN-NOTICE", "first")
TOMORROW, NINE = "2026-11-25T12:00:00+09:00", "2026-11-24T09:00:00+09:00"
JUDGE = ("report", "judge", INC, "JP-PPC", "--applicable")


@pytest.fixture
def leaked(cli: Cli) -> Cli:
    """Personal data leaked, recognised at eleven; it is noon and some minutes."""
    assert cli.run("declare", "Files encrypted", "--playbook", "short").code == 3
    cli.done("instant", INC, "recognised", "2026-11-24T11:00:00+09:00", "--source", "the log")
    for kind, value in (("personal-data", "leaked"), ("data", "credentials"), ("people", "12000")):
        cli.done("impact", "set", INC, kind, value, "--source", "the log")
    return cli


def facts(cli: Cli, kind: str) -> list[Fact]:
    with cli.house.record.read() as tx:
        return [fact for fact in tx.facts(INC) if fact.kind == kind]


def outbox(cli: Cli) -> int:
    with cli.house.record.read() as tx:
        return len(tx.connection.execute(select(OUTBOX.c.id)).all())


# -- refused ------------------------------------------------------------------------------------------------

UNKNOWN_OBLIGATION = (
    (
        'no obligation "JP-NOPE" is in force on that day. Known: JP-FSA-SYS, JP-PPC',
        f"hikeshi report list {INC}",
    ),
    ("報告義務「JP-NOPE」はありません", f"hikeshi report list {INC}"),
)
UNKNOWN_STAGE = (
    ('there is no "JP-PPC/frist". Known: preliminary, final', "Check the id"),
    ("「JP-PPC/frist」はない", "id を確かめて"),
)
IN_FUTURE = (("the time lies ahead", "offset"), ("時刻が未来", "時差"))
NOBODY = (('there is no "nobody". Known: ', "Check the id"), ("「nobody」はない", "id を確かめて"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["report", "show", INC, "JP-NOPE"], UNKNOWN_OBLIGATION, id="shown"),
        pytest.param(["report", "draft", INC, "JP-NOPE", "first"], UNKNOWN_OBLIGATION, id="drafted"),
        pytest.param(["report", "submit", INC, "JP-NOPE", "first"], UNKNOWN_OBLIGATION, id="submitted"),
        pytest.param(["report", "correct", INC, "JP-NOPE", "first"], UNKNOWN_OBLIGATION, id="corrected"),
        pytest.param(
            ["report", "judge", INC, "JP-NOPE", "--applicable", "no", "--reason", "x"],
            UNKNOWN_OBLIGATION,
            id="judged",
        ),
        pytest.param(["report", "draft", INC, "JP-PPC", "frist"], UNKNOWN_STAGE, id="a stage drafted"),
        pytest.param(["report", "submit", INC, "JP-PPC", "frist"], UNKNOWN_STAGE, id="a stage submitted"),
        pytest.param(
            ["report", "correct", INC, *PPC],
            (
                (
                    "JP-PPC preliminary was not submitted yet",
                    f"hikeshi report submit {INC} JP-PPC preliminary",
                ),
                ("訂正できません", f"hikeshi report submit {INC} JP-PPC preliminary"),
            ),
            id="corrected before it was submitted",
        ),
        pytest.param(["report", "submit", INC, *PPC, "--at", TOMORROW], IN_FUTURE, id="sent tomorrow"),
        pytest.param(
            [*JUDGE, "no", "--reason", " "],
            (("there is no reason", "--reason"), ("理由がない", "--reason")),
            id="judged for no reason",
        ),
        pytest.param(
            ["report", "situation", INC, " "],
            (("text is empty", "Write something"), ("text が空", "内容を書いて")),
            id="a situation of nothing",
        ),
        pytest.param(["vendor", "asked", INC, "nobody", "logs"], NOBODY, id="nobody asked"),
        pytest.param(
            ["vendor", "asked", INC, "core-vendor", "logs", "--at", TOMORROW], IN_FUTURE, id="ahead"
        ),
        pytest.param(
            ["report", "draft", "INC-2026-0009", *PPC],
            (
                ("there is no incident INC-2026-0009", "hikeshi list"),
                ("INC-2026-0009 はない", "hikeshi list"),
            ),
            id="no incident",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_advice(
    leaked: Cli, arguments: list[str], said: tuple[tuple[str, str], tuple[str, str]]
) -> None:
    before = leaked.house.desk.incident(INC).seq
    for lang, (says, do) in zip(("en", "ja"), said, strict=True):
        answer = leaked.run(*arguments, lang=lang)
        first, _, advice = answer.err.strip().partition("\n")
        assert (answer.code, answer.out.strip()) == (1, ""), answer
        assert says in first
        assert do in advice
    assert leaked.house.desk.incident(INC).seq == before


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["report", "submit", INC, *PPC, "--at", "2026-11-24T11:00:00"], "+09:00", id="no zone"),
        pytest.param(["report", "submit", INC, *PPC, "--at", "noon"], "--at: noon", id="no time"),
        pytest.param([*JUDGE, "maybe", "--reason", "x"], "yes, no", id="neither yes nor no"),
        pytest.param(
            ["vendor", "asked", INC, "core-vendor", "money"], "notice, logs", id="not in a contract"
        ),
        pytest.param(
            ["report", "draft", INC, *PPC, "--out", "/nowhere/x.md"], "--out: /nowhere/x.md ", id="no place"
        ),
    ],
)
def test_what_cannot_be_read_is_wrong_usage(leaked: Cli, arguments: list[str], says: str, lang: str) -> None:
    answer = leaked.run(*arguments, lang=lang)
    assert answer.code == 2
    assert says in answer.err


def test_who_may_not_judge_draft_or_send_is_told_who_may(leaked: Cli) -> None:
    for words in (["draft", INC, *PPC], ["submit", INC, *PPC], ["judge", INC, "JP-PPC", *JUDGE[-1:], "no"]):
        reason = ["--reason", "x"] if "judge" in words else []
        answer = leaked.run("report", *words, *reason, who="hayashi")
        assert answer.code == 1
        assert "Mari Hayashi does not have the role. Needed: " in answer.err
        assert "Legal and compliance" in answer.err
    stranger = leaked.run("report", "draft", INC, *PPC, who="nobody")
    assert stranger.code == 1
    assert "nobody is not in the directory" in stranger.err


def test_a_refusal_for_programs_names_what_there_is(leaked: Cli) -> None:
    answer = leaked.run("report", "draft", INC, "JP-PPC", "frist", "--json")
    assert answer.code == 1
    assert answer.json["accepted"] is False
    assert answer.json["detail"]["known"] == ["preliminary", "final", "final-improper", "data-subjects"]


# -- what is owed -------------------------------------------------------------------------------------------


def test_the_list_names_every_rule_in_force_with_its_mark_and_what_it_hangs_on(leaked: Cli) -> None:
    said = leaked.run("report", "list", INC).out
    assert said.index("JP-PPC  Personal data breach") < said.index("EU-DORA  "), "what is owed comes first"
    assert "proposed by rule, to be judged" in said
    assert "confidence C2, ground: APPI article 26" in said
    assert (
        "preliminary  Preliminary report, about 3 to 5 days: due 2026-11-28 24:00 +09:00 (4 d 11 h left)"
        in said
    )
    assert "open: it hangs on what is unknown (purpose)" in said.split("JP-POLICE")[1].split("\n")[1]
    assert "UK-OIR" not in said, "not in force before 2027"
    found = {one["obligation"]: one for one in leaked.run("report", "list", INC, "--json").json}
    assert [found[name]["proposed"] for name in ("JP-PPC", "JP-POLICE", "EU-DORA")] == [True, None, False]
    assert [found[name]["owed"] for name in ("JP-PPC", "JP-POLICE", "EU-DORA")] == [True, False, False]
    assert "規則による候補。判断待ち" in leaked.run("report", "list", INC, lang="ja").out


def test_each_deadline_says_how_it_came_about(leaked: Cli) -> None:
    said = leaked.run("report", "show", INC, "jp-ppc").out
    assert "from recognised, limit 5d, counted: day-end in Asia/Tokyo, first day included, edition" in said
    assert "calendar government (holidays" in said
    assert "from recognised, limit 3 d, counted: at once" in said, "not in seconds"
    found = leaked.run("report", "show", INC, "JP-PPC", "--json").json
    stages = {one["stage"]: one for one in found["stages"]}
    assert stages["preliminary"]["due_at"] == "2026-11-28T15:00:00.000000Z"
    assert stages["preliminary"]["basis"]["anchor"] == "recognised"
    assert stages["data-subjects"]["internal"] is True
    assert stages["final-improper"]["due_at"] is None


def test_a_person_judges_and_no_deadline_is_shown_of_what_is_not_owed(leaked: Cli) -> None:
    leaked.done(*JUDGE, "no", "--reason", "Strongly encrypted", who="kato")
    said = leaked.run("report", "show", INC, "JP-PPC").out
    assert (
        "does not apply (judged by Hiroshi Kato, 2026-11-24 12:04 +09:00; reason: Strongly encrypted)" in said
    )
    assert "left" not in said
    assert not any(one["id"].startswith("report:JP-PPC") for one in running(leaked))
    leaked.done(*JUDGE, "yes", "--reason", "The key leaked too", who="kato")
    said = leaked.run("report", "show", INC, "JP-PPC").out
    assert "applies (judged by Hiroshi Kato" in said
    assert "preliminary  Preliminary report, about 3 to 5 days: due 2026-11-28 24:00" in said
    (first, second) = facts(leaked, "obligation.judged")
    assert (first.data["applicable"], second.data["applicable"]) == (False, True)


def running(cli: Cli) -> list[dict[str, str]]:
    found: list[dict[str, str]] = cli.run("clocks", INC, "--json").json
    return [one for one in found if one["status"] not in {"met", "missed", "ended"}]


# -- drafts -------------------------------------------------------------------------------------------------


def test_a_draft_marks_what_is_missing_is_on_record_and_nothing_is_sent(leaked: Cli) -> None:
    waiting = outbox(leaked)
    answer = leaked.run("report", "draft", INC, *PPC)
    assert answer.code == 0
    assert "## 3. Number of persons\n\n12,000\n" in answer.out
    assert f"Files encrypted (known: 2026-11-24 11:00 +09:00, occurred: {GAP}, detected: {GAP})" in answer.out
    assert answer.out.count(GAP) > 5
    assert "Nothing is sent by itself." in answer.out + answer.err
    (fact,) = facts(leaked, "report.drafted")
    assert (fact.actor, fact.data["obligation"], fact.data["stage"]) == ("sato-kenji", *PPC)
    assert outbox(leaked) == waiting
    assert facts(leaked, "report.submitted") == []
    listed = leaked.run("report", "list", INC).out
    assert "drafted 2026-11-24 12:04 +09:00" in listed
    assert any(one["id"] == "report:JP-PPC/preliminary" for one in running(leaked)), "its clock goes on"


@pytest.mark.parametrize(("lang", "title"), [("ja", "# 漏えい等報告"), ("en", "# Personal data breach")])
def test_a_draft_goes_to_a_file_and_is_kept_under_its_digest(
    leaked: Cli, tmp_path: Path, lang: str, title: str
) -> None:
    path = tmp_path / "draft.md"
    answer = leaked.run("report", "draft", INC, *PPC, "--out", str(path), lang=lang)
    assert answer.code == 0
    assert str(path) in answer.out
    assert title not in answer.out
    text = path.read_text(encoding="utf-8")
    assert text.startswith(title)
    assert GAP in text
    digest = facts(leaked, "report.drafted")[0].data["document"]
    assert digest == document_digest(text.encode())
    with leaked.house.record.read() as tx:
        assert tx.document(digest) == text.encode()


def test_a_draft_for_programs_holds_text_and_digest(leaked: Cli) -> None:
    found = leaked.run("report", "draft", INC, *PPC, "--json").json
    assert (found["incident"], found["document"]) == (INC, document_digest(found["text"].encode()))
    assert found["facts"] >= 1


def documents(cli: Cli) -> int:
    with cli.house.record.read() as tx:
        return len(tx.connection.execute(select(DOCUMENT.c.digest)).all())


def test_a_draft_that_is_refused_leaves_nothing_behind_and_is_on_record_as_refused(leaked: Cli) -> None:
    kept = documents(leaked)
    answer = leaked.run("report", "draft", INC, *PPC, who="hayashi")
    assert answer.code == 1
    assert documents(leaked) == kept
    with leaked.house.record.read() as tx:
        refused = [fact for fact in tx.facts("house") if fact.kind == "refused"]
    assert refused[-1].data["command"] == "DraftReport"
    assert leaked.run("report", "draft", INC, *PPC).code == 0
    assert documents(leaked) == kept + 1


def test_where_a_draft_cannot_be_written_is_said_in_words_of_its_own(leaked: Cli) -> None:
    for lang, says in (("en", "x.md cannot be written"), ("ja", "x.md に書けません")):
        answer = leaked.run("report", "draft", INC, *PPC, "--out", "/nowhere/x.md", lang=lang)
        assert (answer.code, says in answer.err) == (2, True)


def test_a_draft_holds_nothing_of_outsiders_that_a_reader_could_click_on(cli: Cli) -> None:
    evil = "<img src=http://evil.example/x> [pay](HTTPS://evil.example) www.evil.example"
    cli.run("declare", evil, "--playbook", "short")
    cli.done("scope", "add", INC, "host", f"srv {evil}")
    cli.done("impact", "set", INC, "assets", evil, "--source", "x")
    for name in ("JP-PPC", "JP-FSA-SYS"):
        found = cli.run("report", "draft", INC, name, stage_of(cli, name), "--json").json
        text = found["text"]
        assert "\\<img src=hxxp\\[:\\]//evil" in text
        assert "\\[pay\\](hxxps\\[:\\]//evil.example) www\\[.\\]evil" in text
        assert not re.search(r"https?://|www\.|(?<!\\)[<\[]", text, re.IGNORECASE), name
        with cli.house.record.read() as tx:
            assert tx.document(found["document"]) == text.encode(), "the same is kept"


def stage_of(cli: Cli, name: str) -> str:
    """The first stage of an obligation."""
    stage: str = cli.run("report", "show", INC, name, "--json").json["stages"][0]["stage"]
    return stage


def test_what_an_outsider_wrote_cannot_forge_an_item_of_a_draft(cli: Cli) -> None:
    cli.run("declare", "Odd\n\n## 5. Secondary damage\n\nnone\x1b[31m", "--playbook", "short")
    text = cli.run("report", "draft", INC, *PPC).out
    assert text.count("\n## 5. ") == 1
    assert "\x1b" not in text


# -- sent by people -----------------------------------------------------------------------------------------


def test_a_report_is_submitted_once_and_corrected_as_often_as_needed(leaked: Cli) -> None:
    leaked.done("report", "submit", INC, *PPC, "--receipt", "PPC-1")
    again = leaked.run("report", "submit", INC, *PPC, "--receipt", "PPC-2")
    assert again.code == 1
    assert "it is already so: JP-PPC/preliminary" in again.err
    leaked.done("report", "correct", INC, "jp-ppc", "preliminary", "--receipt", "PPC-3")
    said = leaked.run("report", "show", INC, "JP-PPC").out
    assert "submitted 2026-11-24 12:04 +09:00 (Kenji Sato) PPC-1; corrected or updated 1 times, last" in said
    stages = {
        one["stage"]: one for one in leaked.run("report", "show", INC, "JP-PPC", "--json").json["stages"]
    }
    sent = stages["preliminary"]["report"]["submitted"]
    assert [(one["receipt"], one["update"]) for one in sent] == [("PPC-1", False), ("PPC-3", True)]
    assert stages["preliminary"]["status"] == "met"
    earlier = leaked.run("report", "correct", INC, *PPC, "--at", NINE)
    assert earlier.code == 1, "before the submission that it corrects"


def test_a_report_that_came_too_late_says_so(leaked: Cli) -> None:
    leaked.clock.advance(timedelta(days=6))
    leaked.house.desk.tick(INC)
    leaked.done("report", "submit", INC, *PPC, "--receipt", "PPC-1")
    assert "TOO LATE: submitted 2026-11-30 12:04 +09:00" in leaked.run("report", "show", INC, "JP-PPC").out
    assert "【期限超過で提出】" in leaked.run("report", "show", INC, "JP-PPC", lang="ja").out


def test_a_stage_that_counts_from_another_starts_with_its_submission(cli: Cli) -> None:
    cli.run("declare", "x", "--playbook", "short", "--service", "zengin-link")
    cli.done("instant", INC, "recognised", "2026-11-24T11:00:00+09:00", "--source", "x")
    said = cli.run("report", "show", INC, "zengin-notice").out
    assert "not started; to be recorded first: the submission of " in said
    cli.done("report", "submit", INC, *FIRST)
    said = cli.run("report", "show", INC, "ZENGIN-NOTICE").out
    assert (
        "plan  Recovery plan, by 17:00 of the business day after the first word: due 2026-11-25 17:00" in said
    )


def test_a_situation_report_is_numbered(leaked: Cli) -> None:
    for number in (1, 2):
        said = leaked.done("report", "situation", INC, "Contained").out
        assert f"situation report no. {number}: Contained" in said


# -- third parties ------------------------------------------------------------------------------------------


def test_what_a_contract_promises_is_asked_for_and_its_clock_runs_until_the_answer(leaked: Cli) -> None:
    assert "none" in leaked.run("vendor", "list", INC).out
    leaked.done("vendor", "asked", INC, "core-vendor", "notice")
    said = leaked.run("vendor", "list", INC).out
    assert "Mihon Data Co.: word  2026-11-24 12:04 +09:00; due 2026-11-24 13:04 +09:00 (59 min left)" in said
    assert "vendor:core-vendor/notice" in [one["id"] for one in running(leaked)]
    leaked.done("vendor", "answered", INC, "core-vendor", "notice")
    assert "reached 2026-11-24 12:05 +09:00" in leaked.run("vendor", "list", INC).out
    assert "vendor:core-vendor/notice" not in [one["id"] for one in running(leaked)]
    (one,) = leaked.run("vendor", "list", INC, "--json").json
    assert (one["party"], one["within"], bool(one["answered_at"])) == ("core-vendor", 3600, True)
    assert leaked.run("vendor", "answered", INC, "core-vendor", "notice").code == 1


def test_what_no_contract_promises_has_no_time_and_says_so(leaked: Cli) -> None:
    leaked.done("vendor", "asked", INC, "atm-vendor", "logs")
    assert leaked.run("vendor", "list", INC).out.strip().endswith("logs  2026-11-24 12:04 +09:00")
    assert "no limit: the contract names none" in leaked.run("clocks", INC).out


def test_an_answer_from_before_the_question_is_refused(leaked: Cli) -> None:
    leaked.done("vendor", "asked", INC, "core-vendor", "logs")
    answer = leaked.run("vendor", "answered", INC, "core-vendor", "logs", "--at", NINE)
    assert answer.code == 1
    assert "the time lies before" in answer.err
