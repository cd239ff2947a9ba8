"""Messages to others, situation reports and inquiries as people type them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sqlalchemy import select

from models.fact import Fact
from models.record import OUTBOX
from tests.console.clihouse import Cli, cli

__all__ = ["cli"]
INC, MSG = "INC-2026-0001", "MSG-001"
PRESS = ("message", "draft", INC, "--audience", "press", "--tlp", "CLEAR")
TEXT = "Our internet banking cannot be used at present. We are sorry."


@pytest.fixture
def declared(cli: Cli) -> Cli:
    """An incident that has hit internet banking; whose title somebody outside has written."""
    title = "See https://evil.example/x now"
    assert cli.run("declare", title, "--playbook", "short").code == 3
    cli.done("service", "impact", INC, "internet-banking", "--since", "2026-11-24T11:00:00+09:00")
    return cli


def people(cli: Cli, role: str) -> str:
    """The account of somebody who holds a role."""
    return next(
        one.account or one.id for one in cli.house.institution.organisation.people if role in one.roles
    )


def facts(cli: Cli, kind: str) -> list[Fact]:
    with cli.house.record.read() as tx:
        return [fact for fact in tx.facts(INC) if fact.kind == kind]


def templates_asked(cli: Cli) -> list[str]:
    with cli.house.record.read() as tx:
        return [row[0] for row in tx.connection.execute(select(OUTBOX.c.template))]


def write(tmp_path: Path, text: str = TEXT) -> str:
    path = tmp_path / "text.txt"
    path.write_text(text, encoding="utf-8")
    return str(path)


def editor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    """A program that edits the file it is given."""
    path = tmp_path / "editor.sh"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(path))


def approve(cli: Cli, who: str) -> None:
    """Read it, and approve what was read."""
    command = cli.run("message", "show", INC, MSG, who=who).out.split("hikeshi ")[-1].split()
    cli.done(*command, who=who)


# -- messages -----------------------------------------------------------------------------------------------


def test_a_press_statement_goes_from_draft_to_sent_by_four_people(declared: Cli, tmp_path: Path) -> None:
    drafted = declared.done(*PRESS, "--from", write(tmp_path))
    assert "Nothing" in drafted.out or "nothing is sent" in drafted.out
    assert declared.run("message", "sent", INC, MSG, "--via", "web").code == 1
    declared.done("message", "submit", INC, MSG)
    assert templates_asked(declared).count("page.message_approval") == 1
    for role in ("pr", "ciso", "president"):
        approve(declared, people(declared, role))
    assert templates_asked(declared).count("page.message_approval") == 3
    declared.done("message", "sent", INC, MSG, "--via", "web site", "--at", "2026-11-24T12:01:00+09:00")
    shown = declared.run("message", "show", INC, MSG)
    lines = [line.strip() for line in shown.out.splitlines() if line.strip()]
    assert [line for line in lines if line == "TLP:CLEAR"] == ["TLP:CLEAR", "TLP:CLEAR"]
    assert TEXT in lines
    assert "by means of web site" in shown.out
    assert "BEFORE ITS APPROVAL" in declared.run("log", INC).out
    version = facts(declared, "outgoing.sent")[0].data["versions"]
    assert version == facts(declared, "outgoing.approved")[-1].data["versions"]
    listed = declared.run("message", "list", INC)
    assert "MSG-001  press  TLP:CLEAR  sent" in listed.out
    assert declared.run("message", "list", INC, "--json").json[0]["status"] == "sent"


def test_a_text_is_approved_as_it_was_read(declared: Cli, tmp_path: Path) -> None:
    declared.done(*PRESS, "--from", write(tmp_path))
    first = declared.run("message", "show", INC, MSG, "--json").json["versions"]["en"]["document"]
    declared.done("message", "edit", INC, MSG, "--from", write(tmp_path, "Another text"))
    declared.done("message", "submit", INC, MSG)
    pr = people(declared, "pr")
    answer = declared.run("message", "approve", INC, MSG, "--digest", first, who=pr)
    assert (answer.code, "is not the one that was read" in answer.err) == (1, True)
    # Without a digest nothing is approved: it would be whatever lies there now.
    unread = declared.run("message", "approve", INC, MSG, who=pr)
    assert (unread.code, "message show" in unread.err) == (2, True)
    # What was read ends with the command that approves it.
    command = declared.run("message", "show", INC, MSG, who=pr).out.split("hikeshi ")[-1].split()
    assert command[-2] == "--digest"
    declared.done(*command, who=pr)


def test_templates_mark_what_nobody_knows_and_hold_no_live_address(declared: Cli) -> None:
    declared.done("message", "draft", INC, "--audience", "customers", "--tlp", "CLEAR", "--lang", "ja")
    declared.done("message", "draft", INC, "--of", MSG, "--lang", "en")
    shown = declared.run("message", "show", INC, MSG, "--json").json
    assert "インターネットバンキング" in shown["texts"]["ja"]
    assert "【要記入: " in shown["texts"]["ja"]
    assert "[TO FILL: " in shown["texts"]["en"]
    assert "https://" not in shown["texts"]["ja"] + shown["texts"]["en"]
    assert shown["versions"]["ja"]["gaps"] >= 3
    refused = declared.run("message", "submit", INC, MSG, lang="ja")
    assert (refused.code, "未記入" in refused.err) == (1, True)
    templates = declared.run("message", "templates")
    assert "press-first  press: First statement to the press [G]" in templates.out
    assert {one["audience"] for one in declared.run("message", "templates", "--json").json} == {
        "customers", "press", "branches", "call-centre", "third-party", "staff",
    }  # fmt: skip


def test_a_drill_says_so_at_head_and_foot_whatever_was_typed(declared: Cli, tmp_path: Path) -> None:
    declared.house.desk.incident(INC).drill = True
    declared.done(*PRESS, "--from", write(tmp_path, f"TLP:GREEN\n\n{TEXT}\n\nTLP:GREEN\n"))
    out = tmp_path / "out.txt"
    declared.done("message", "show", INC, MSG, "--out", str(out))
    label = "【訓練】DRILL TLP:CLEAR"
    assert out.read_text(encoding="utf-8") == f"{label}\n\n{TEXT}\n\n{label}\n"


def test_an_editor_changes_the_text_and_voids_the_approval(
    declared: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(monkeypatch, tmp_path, 'echo "A further line" >> "$1"')
    declared.done(*PRESS, "--from", write(tmp_path))
    declared.done("message", "submit", INC, MSG)
    approve(declared, people(declared, "pr"))
    answer = declared.done("message", "edit", INC, MSG, "--edit")
    assert "are void" in answer.out
    assert "A further line" in declared.run("message", "show", INC, MSG).out
    editor(monkeypatch, tmp_path, "exit 0")
    assert declared.run("message", "edit", INC, MSG, "--edit").code == 2
    editor(monkeypatch, tmp_path, "exit 3")
    assert "EDITOR" in declared.run("message", "edit", INC, MSG, "--edit").err


def test_rejected_withdrawn_and_corrected(declared: Cli, tmp_path: Path) -> None:
    ciso, pr = people(declared, "ciso"), people(declared, "pr")
    declared.done(*PRESS, "--from", write(tmp_path))
    declared.done("message", "submit", INC, MSG)
    declared.done("message", "reject", INC, MSG, "--reason", "The number is not certain", who=pr)
    assert "rejected: The number is not certain" in declared.run("message", "show", INC, MSG).out
    for again in (("submit", INC, MSG), ("sent", INC, MSG, "--via", "web")):
        answer = declared.run("message", *again)
        assert (answer.code, f"message edit {INC} {MSG} --version en --edit" in answer.err) == (1, True)
    declared.done("message", "edit", INC, MSG, "--from", write(tmp_path, "Better"))
    declared.done("message", "submit", INC, MSG)
    for who in (pr, ciso, people(declared, "president")):
        approve(declared, who)
    declared.done("message", "sent", INC, MSG, "--via", "web")
    declared.done("message", "draft", INC, "--corrects", MSG)
    assert "corrects MSG-001" in declared.run("message", "show", INC, "MSG-002").out
    assert "Better" in declared.run("message", "show", INC, "MSG-002").out
    declared.done("message", "withdraw", INC, MSG, "--reason", "It named the wrong service")
    assert "withdrawn" in declared.run("message", "show", INC, MSG).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["message", "draft", INC, "--audience", "press"], "needs --audience and --tlp"),
        (["message", "draft", INC, "--audience", "king", "--tlp", "CLEAR"], "none of customers"),
        (["message", "draft", INC, "--audience", "press", "--tlp", "BLUE"], "none of RED"),
        ([*PRESS, "--template", "staff-notice"], "Known: press-first"),
        ([*PRESS, "--from", "/nothing"], "cannot be read"),
        (["message", "draft", INC, "--of", MSG, "--tlp", "RED"], "takes neither"),
        (["message", "edit", INC, MSG], "give --from FILE or --edit"),
        (["message", "edit", INC, MSG, "--from", "/nothing", "--edit"], "give either"),
        (["message", "show", INC, MSG, "--version", "fr"], "name one with --version"),
        (["situation", "send", INC, "--to", "ciso"], "give --from FILE or --edit"),
        (["situation", "show", INC, "7"], "there is no situation report 7"),
        (["inquiry", "add", INC, "--from", "nobody"], "none of customers"),
        (["inquiry", "show", INC, "--by", "year"], "none of hour, day"),
    ],
)
def test_wrong_usage_says_what_to_type(declared: Cli, arguments: list[str], said: str) -> None:
    declared.done(*PRESS)
    answer = declared.run(*arguments)
    assert (answer.code, said in answer.err) == (2, True), answer


def test_what_is_no_text_or_too_much_of_it_is_not_taken(declared: Cli, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"\xff\xfe\x00")
    assert "no text in UTF-8" in declared.run(*PRESS, "--from", str(path)).err
    assert "at most 20000" in declared.run(*PRESS, "--from", write(tmp_path, "x" * 20_001)).err
    assert declared.run("message", "show", INC, "MSG-009").code == 1


# -- situation reports --------------------------------------------------------------------------------------


def test_a_situation_report_is_drafted_changed_and_sent_by_a_person(
    declared: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "situation.txt"
    declared.done("inquiry", "add", INC, "--from", "customers", "--count", "12")
    declared.done("situation", "draft", INC, "--out", str(out))
    text = out.read_text(encoding="utf-8")
    for word in ("■ Known", "■ Done since then", "■ Decisions needed", "■ Clocks", "■ Who leads"):
        assert word in text
    assert "12 inquiries: customers 12" in text
    assert "https://" not in text and "hxxps://evil.example" in text
    assert facts(declared, "situation.reported") == []
    before = len(templates_asked(declared))
    sent = declared.done("situation", "send", INC, "--to", "management", "--to", "pr", "--from", str(out))
    assert "situation report no. 1 sent to" in sent.out
    assert templates_asked(declared)[before:] == ["notice.situation"] * 4
    assert declared.house.desk.incident(INC).situation_at is not None
    assert "■ Known" in declared.run("situation", "show", INC, "1").out
    assert "no. 1" in declared.run("situation", "show", INC).out
    assert declared.run("situation", "show", INC, "--json").json[0]["text"] == text.strip()
    editor(monkeypatch, tmp_path, 'echo "By hand" >> "$1"')
    declared.done("situation", "send", INC, "--to", "ciso", "--edit")
    assert "By hand" in declared.run("situation", "show", INC, "2").out
    assert "By hand" in declared.run("situation", "draft", INC, "--edit").out


def test_a_draft_tells_what_happened_since_the_last_report(declared: Cli) -> None:
    declared.done("report", "situation", INC, "By telephone")
    declared.done("note", INC, "A late thing")
    text = declared.run("situation", "draft", INC, "--json").json["text"]
    done = text.partition("■ Done since then")[2].partition("■")[0]
    assert "A late thing" in done
    assert "affected" not in done
    whole = declared.run("situation", "draft", INC, "--since", "2026-11-24T00:00:00+09:00").out
    assert "incident declared" in whole
    assert "状況報告 第2報" in declared.run("situation", "draft", INC, lang="ja").out
    assert declared.run("situation", "show", INC).out.count("nobody through Hikeshi") == 1


def test_nobody_to_send_to_is_refused(declared: Cli, tmp_path: Path) -> None:
    answer = declared.run("situation", "send", INC, "--to", "nobody", "--from", write(tmp_path))
    assert (answer.code, "nobody can be reached as: nobody" in answer.err) == (1, True)


# -- inquiries, export, review ------------------------------------------------------------------------------


def test_inquiries_are_counted_over_time(declared: Cli) -> None:
    add = ("inquiry", "add", INC, "--from")
    declared.done(*add, "customers", "--count", "12", "--topic", "atm-card", "--note", "Angry")
    declared.done(*add, "customers", "--count", "3", "--topic", "atm-card")
    declared.done(*add, "press", "--at", "2026-11-24T11:30:00+09:00")
    assert declared.run(*add, "press", "--topic", "No id!").code == 1
    shown = declared.run("inquiry", "show", INC, "--json").json
    assert (shown["total"], shown["by"]) == (16, {"customers": 15, "press": 1})
    assert shown["counts"][0] == {"when": "2026-11-24 11:00", "from": "press", "topic": "", "count": 1}
    assert "atm-card" in declared.run("inquiry", "show", INC, "--by", "day").out
    assert "16 inquiries: customers 15, press 1" in declared.run("show", INC).out
    assert declared.run("show", INC, "--json").json["inquiries"] == {"customers": 15, "press": 1}


def test_export_and_review_list_messages_and_inquiries(declared: Cli, tmp_path: Path) -> None:
    empty = declared.run("export", INC).out
    assert "no inquiries were counted" in empty
    declared.done(*PRESS, "--from", write(tmp_path))
    declared.done("inquiry", "add", INC, "--from", "branch")
    report = declared.run("export", INC).out
    assert "MSG-001  press  TLP:CLEAR  draft" in report
    assert "branches" in report
    assert declared.run("export", INC, "--format", "json").json["summary"]["messages"][0]["id"] == MSG
    assert "MSG-001" in declared.run("show", INC).out
    assert os.environ["HIKESHI_ACCOUNT"] == "sato"


def test_whoever_takes_over_reads_what_was_told_to_whom_and_what_waits(declared: Cli, tmp_path: Path) -> None:
    declared.done(*PRESS, "--from", write(tmp_path))
    declared.done("message", "submit", INC, MSG)
    for role in ("pr", "ciso", "president"):
        approve(declared, people(declared, role))
    declared.done("message", "sent", INC, MSG, "--via", "web site")
    declared.done("message", "draft", INC, "--audience", "staff", "--tlp", "GREEN", "--from", write(tmp_path))
    declared.done("inquiry", "add", INC, "--from", "press", "--count", "3")
    declared.done("inquiry", "add", INC, "--from", "customers", "--count", "9")
    declared.done("step", "start", INC, "look")
    brief = declared.run("handover", INC, "--to", "tanaka-misaki").out
    assert "told the outside: MSG-001 to press" in brief
    assert "by web site" in brief
    assert "MSG-002 to staff: draft" in brief
    assert "inquiries so far: 12" in brief
    assert "begun by Kenji Sato" in brief
    # Who is in charge already does not take over from himself: the next brief would hide what came before.
    declared.done("role", INC, "commander", "tanaka-misaki")
    again = declared.run("role", INC, "commander", "tanaka-misaki")
    assert again.code == 1
