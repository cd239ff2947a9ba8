"""The command line for those who may know of an incident, and for everybody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from console.cli.app import build
from console.rights import LOOKS
from console.texts import texts
from models.reason import Reason
from models.restriction import RecordRead
from tests.console.clihouse import START, Cli, cli

CANARY = "kanarienvogel"
INC = "INC-2026-0001"
OUTSIDER = "matsumoto"
"""Somebody of the directory whom nobody has called."""
NEEDS = {
    "step show": ("short/look",),
    "message show": ("MSG-001",),
    "message templates": (),
    "report show": ("PPC-PERSONAL-DATA",),
    "alert show": ("AL-000001",),
    "comcheck show": (),
    "comcheck list": (),
    "playbook readers": ("short",),
    "situation show": (),
}
WITHOUT = {
    "list", "route show", "health", "inspector list", "oncall", "alert list", "alert show",
    "improvement list", "comcheck show", "comcheck list",
    "playbook readers", "metrics", "verify", "message templates",
}  # fmt: skip
"""Commands that name no incident."""


@pytest.fixture
def secret(cli: Cli) -> Cli:
    """An incident about somebody on duty, full of canaries; only who declared it and who was called know."""
    cli.done(
        "declare", f"{CANARY} title", "--playbook", "short", "--restricted", "--not", "suzuki-daichi",
        "--detected", "2026-11-24T11:00+09:00",
    )  # fmt: skip
    cli.done("note", INC, f"{CANARY} note")
    cli.done("scope", "add", INC, "host", f"{CANARY}-host")
    cli.done("done", INC, "look", "--set", f"seen={CANARY}", "--set", "count=3")
    due = (START + timedelta(days=20)).isoformat()
    cli.done("improvement", "add", INC, f"{CANARY} improvement", "--owner", "sato-kenji", "--due", due)
    return cli


def facts(cli: Cli, kind: str, stream: str = INC) -> list[dict[str, Any]]:
    with cli.house.record.read() as tx:
        return [fact.data for fact in tx.facts(stream) if fact.kind == kind]


def arguments(command: str) -> list[str]:
    incident = [] if command in WITHOUT else [INC]
    return [*command.split(), *incident, *NEEDS.get(command, ())]


@pytest.mark.parametrize("who", [OUTSIDER, "suzuki", "nobody"])
def test_no_way_of_looking_shows_anything_to_somebody_who_may_not_know(secret: Cli, who: str) -> None:
    before = len(facts(secret, "incident.read"))
    for command in LOOKS:
        for more in ([], ["--json"]):
            answer = secret.run(*arguments(command), *more, who=who)
            assert CANARY not in answer.out + answer.err, (command, answer.out)
            if command not in WITHOUT:
                assert answer.code != 0, command
    for stream in ("house", "intake", "programme"):
        answer = secret.run("log", stream, who=who)
        assert CANARY not in answer.out + answer.err, stream
    assert INC not in secret.run("list", "--all", who=who).out
    assert INC not in secret.run("clocks", who=who).out
    assert CANARY not in secret.run("clocks", "--ics", "-", who=who).out
    assert len(facts(secret, "incident.read")) == before


def test_the_walk_would_find_a_canary(secret: Cli) -> None:
    """The same commands for somebody entitled do show it: the test above can fail."""
    shown = {one for one in LOOKS if CANARY in secret.run(*arguments(one), "--json").out}
    assert {"list", "show", "log", "export", "improvement list"} <= shown


def test_the_answer_and_the_record_of_it_are_those_of_a_number_that_was_never_given(secret: Cli) -> None:
    there = secret.run("show", INC, who=OUTSIDER)
    secret.clock.advance(timedelta(minutes=2))
    nowhere = secret.run("show", "INC-2026-0777", who=OUTSIDER)
    assert there.code == nowhere.code == 1
    assert there.err.replace(INC, "X") == nowhere.err.replace("INC-2026-0777", "X")
    said = facts(secret, "refused", "house")
    names = ("who", "command", "reason", "count")
    first, second = ({name: one[name] for name in names} for one in said[-2:])
    assert first == second == {
        "who": "matsumoto-aya", "command": "show", "reason": Reason.NO_SUCH_INCIDENT.value, "count": 1,
    }  # fmt: skip
    assert secret.run("show", "1", who=OUTSIDER).err.count("INC-2026-0001") == 0


def test_refused_looks_are_counted_not_written_each(secret: Cli) -> None:
    for _ in range(5):
        secret.run("show", INC, who=OUTSIDER)
    assert len(facts(secret, "refused", "house")) == 1


def test_who_may_know_sees_it_and_is_recorded_once_an_hour(secret: Cli) -> None:
    assert "RESTRICTED" in secret.run("show", INC).out
    assert "BARRED" in secret.run("show", INC).out
    secret.run("log", INC)
    read = [one for one in facts(secret, "incident.read") if one["reader"] == "sato-kenji"]
    assert len(read) == 1
    secret.clock.advance(timedelta(hours=1))
    secret.run("log", INC)
    assert facts(secret, "incident.read")[-1] == {"reader": "sato-kenji", "surface": "cli:log"}
    assert "has read it" in secret.run("log", INC).out
    access = secret.run("show", INC, "--json").json["access"]
    assert access["restricted"]
    assert access["barred"] == ["suzuki-daichi"]


def test_readers_are_named_on_the_command_line(secret: Cli) -> None:
    secret.done("restrict", INC, "--to", OUTSIDER, "--reason", "has to know")
    assert CANARY in secret.run("show", INC, who=OUTSIDER).out
    secret.done("restrict", INC, "--lift", "--reason", "over")
    assert CANARY in secret.run("show", INC, who="nobody").out


def test_broken_glass_stands_in_red_and_opens_a_review(secret: Cli) -> None:
    answer = secret.done("break-glass", INC, "--reason", "nobody answers", who=OUTSIDER)
    assert "GLASS BROKEN" in answer.out
    shown = secret.run("show", INC, who=OUTSIDER)
    assert CANARY in shown.out
    assert "GLASS BROKEN" in shown.out
    page = secret.run("show", INC, "--json", who=OUTSIDER).json["pages"][-1]
    assert page["event"] == "break-glass"
    assert len(facts(secret, "improvement.opened", "programme")) == 2
    secret.done("break-glass", INC, "--end", who=OUTSIDER)
    assert secret.run("show", INC, who=OUTSIDER).code == 1
    assert secret.run("break-glass", INC, "--reason", "x", who="suzuki").code == 1


# -- inspectors ---------------------------------------------------------------------------------------------


def test_a_token_reads_what_it_names_writes_nothing_and_is_shown_once(
    secret: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret.done("declare", "another matter", "--playbook", "short")
    granted = secret.run(
        "inspector",
        "grant",
        "fsa",
        "--until",
        "2026-12-10",
        "--incident",
        INC,
        "--reason",
        "inspection",
        "--json",
    )
    token = granted.json["token"]
    stored = facts(secret, "inspector.granted", "house")[0]
    assert token not in str(stored)
    assert "fsa" in secret.run("inspector", "list").out
    monkeypatch.setenv("HIKESHI_TOKEN", token)
    assert CANARY in secret.run("show", INC, who="nobody").out
    assert facts(secret, "incident.read")[-1]["reader"] == "inspector:fsa"
    assert secret.run("show", "INC-2026-0002", who="nobody").code == 1
    refused = secret.run("note", INC, "x", who="nobody")
    assert "may read only" in refused.err
    secret.clock.advance(timedelta(days=17))
    assert secret.run("show", INC, who="nobody").code == 1
    assert "inspection is over" in secret.run("list", who="sato").err
    monkeypatch.setenv("HIKESHI_TOKEN", "guessed")
    assert secret.run("list", who="sato").code == 1


def test_an_account_reads_everything_that_is_not_restricted(secret: Cli) -> None:
    secret.done("declare", "another matter", "--playbook", "short")
    secret.done(
        "inspector", "grant", "audit", "--until", "2026-12-10", "--account", "auditor", "--reason", "x"
    )
    assert "another matter" in secret.run("list", "--json", who="auditor").out
    assert CANARY not in secret.run("list", who="auditor").out
    secret.run("show", "INC-2026-0002", who="auditor")
    assert facts(secret, "incident.read", "INC-2026-0002")[0]["reader"] == "inspector:audit"
    secret.done("inspector", "revoke", "audit", "--reason", "x")
    assert secret.run("inspector", "list", "--json").json[0]["over"] is True
    assert secret.run("inspector", "revoke", "audit", "--reason", "x").code == 1


def test_nobody_lets_an_inspector_read_what_they_may_not_read(secret: Cli) -> None:
    answer = secret.run(
        "inspector", "grant", "fsa", "--until", "2026-12-10", "--incident", INC, "--reason", "x", who=OUTSIDER
    )
    assert "no incident" in answer.err or answer.code == 1
    assert not facts(secret, "inspector.granted", "house")


def test_a_reading_that_cannot_be_recorded_is_said(secret: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    secret.clock.advance(timedelta(hours=2))
    with secret.house.record.begin() as tx:
        tx.connection.exec_driver_sql(
            "create trigger full before insert on fact begin select raise(abort, 'disk full'); end"
        )
    answer = secret.run("show", INC)
    assert CANARY in answer.out
    assert "could not be recorded" in answer.err


# -- the table ----------------------------------------------------------------------------------------------


def leaves(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, Any]]:
    found = []
    for name, child in getattr(command, "commands", {}).items():
        found += leaves(child, (*path, name)) or [(" ".join((*path, name)), child)]
    return found


def test_every_row_is_a_command() -> None:
    assert set(LOOKS) <= {name for name, _ in leaves(build(texts("en")))}
    assert RecordRead.__doc__


__all__ = ["cli"]
