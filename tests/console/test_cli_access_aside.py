"""Ways round a restriction: pages on another's screen, other records, health, lists, old grants, archives."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest

from console.reading import CONCEALED
from models.actor import Actor
from models.commands import Impair, Quarantined
from models.restriction import Restrict
from tests.console.clihouse import Cli, cli
from tests.console.test_cli_access import CANARY, INC, OUTSIDER, facts, secret

PUBLIC = "INC-2026-0002"


@pytest.mark.parametrize("command", [("page-now",), ("declare", "another matter", "--page-now")])
def test_pages_of_others_are_not_shown_to_whoever_has_them_sent(
    secret: Cli, command: tuple[str, ...]
) -> None:
    answer = secret.run(*command, who="suzuki")
    assert answer.code == 0, answer.err
    assert CANARY not in answer.out + answer.err
    kept = (secret.house.data / "messages.jsonl").read_text(encoding="utf-8")
    assert CANARY in kept, "what is not shown lies in the file of messages"


def test_whoever_may_read_it_sees_the_pages(secret: Cli) -> None:
    assert CANARY in secret.run("page-now").out


def test_the_house_tells_nobody_of_refusals_within_it(secret: Cli) -> None:
    secret.run("done", INC, f"nosuch-{CANARY}")
    secret.run("show", INC, who=OUTSIDER)
    secret.run("show", "INC-2026-0777", who="kato")
    secret.run("route", "show", who="nobody")
    secret.done(
        "inspector", "grant", "fsa", "--until", "2026-12-10", "--incident", INC, "--reason", f"{CANARY} x"
    )
    assert CANARY in secret.run("log", "house").out
    for more in ([], ["--json"]):
        said = secret.run("log", "house", *more, who=OUTSIDER).out
        assert INC not in said
        assert CANARY not in said
        assert "INC-2026-0777" not in said, "else its absence would tell that there is one"


def broken(cli: Cli) -> None:
    desk = cli.house.desk
    desk.handle("house", Quarantined(actor=Actor.machine("x"), stream=INC, failures=3))
    desk.handle("house", Impair(actor=Actor.machine("x"), what=f"timers of {INC}", detail=f"{INC}/5"))


def test_health_says_that_something_is_wrong_and_not_with_which(secret: Cli) -> None:
    broken(secret)
    assert INC in secret.run("health").out
    for more in ([], ["--json"]):
        answer = secret.run("health", *more, who=OUTSIDER)
        assert answer.code == 1
        assert INC not in answer.out
        assert CONCEALED in answer.out
    said = secret.run("log", "house", who=OUTSIDER).out
    assert INC not in said


def test_the_list_of_inspectors_names_none_that_one_may_not_know(secret: Cli) -> None:
    secret.done("inspector", "grant", "fsa", "--until", "2026-12-10", "--incident", INC, "--reason", "x")
    assert INC in secret.run("inspector", "list").out
    for more in ([], ["--json"]):
        said = secret.run("inspector", "list", *more, who=OUTSIDER).out
        assert "fsa" in said
        assert INC not in said


def test_an_inspector_of_one_incident_sees_nothing_of_the_others_anywhere(secret: Cli) -> None:
    secret.done("declare", "open one", "--playbook", "short")
    secret.done("declare", "in scope", "--playbook", "short")
    due = (secret.clock.now() + timedelta(days=20)).isoformat()
    secret.done("improvement", "add", PUBLIC, "elsewhere", "--owner", "sato-kenji", "--due", due)
    secret.done(
        "inspector", "grant", "audit", "--until", "2026-12-10", "--account", "auditor",
        "--incident", "INC-2026-0003", "--reason", "x",
    )  # fmt: skip
    assert "in scope" in secret.run("list", "--json", who="auditor").out
    for command in (
        ("list", "--json"),
        ("clocks",),
        ("improvement", "list"),
        ("log", "programme"),
        ("log", "house"),
    ):
        said = secret.run(*command, who="auditor").out
        assert "elsewhere" not in said, command
        assert PUBLIC not in said, command


def test_a_grant_that_is_over_opens_less_than_none(secret: Cli) -> None:
    secret.done("declare", "another matter", "--playbook", "short")
    secret.done("inspector", "grant", "a", "--until", "2026-12-10", "--account", "auditor", "--reason", "x")
    assert "another matter" in secret.run("list", "--json", who="auditor").out
    secret.done("inspector", "revoke", "a", "--reason", "x")
    for command in (("list",), ("show", PUBLIC), ("log", "house"), ("health",), ("improvement", "list")):
        answer = secret.run(*command, who="auditor")
        assert answer.code == 1, command
        assert "inspection is over" in answer.err
    secret.done("inspector", "grant", "b", "--until", "2026-12-10", "--account", "auditor", "--reason", "x")
    assert secret.run("list", who="auditor").code == 0


def test_seeing_it_in_a_list_is_reading_it(secret: Cli) -> None:
    secret.done("restrict", INC, "--to", OUTSIDER, "--reason", "x")
    secret.run("list", who="kato")
    assert CANARY in secret.run("list", "--json", who=OUTSIDER).out
    assert {"reader": "matsumoto-aya", "surface": "cli:list"} in facts(secret, "incident.read")


def test_breaking_the_glass_without_a_reason_tells_nothing(secret: Cli) -> None:
    there = secret.run("break-glass", INC, who=OUTSIDER)
    nowhere = secret.run("break-glass", "INC-2026-0777", who=OUTSIDER)
    assert (there.code, there.err) == (nowhere.code, nowhere.err)
    assert there.code == 1


def test_an_archive_leaves_the_house_out_for_whoever_may_not_know_all(secret: Cli, tmp_path: Path) -> None:
    secret.done("declare", "open one", "--playbook", "short")
    secret.run("done", INC, f"nosuch-{CANARY}")
    partly, whole = tmp_path / "partly.zip", tmp_path / "whole.zip"
    secret.done("export", PUBLIC, "--archive", str(partly), who="suzuki")
    with ZipFile(partly) as found:
        members = {name: found.read(name) for name in found.namelist() if name != "checkpoints.jsonl"}
    assert b'"stream":"house"' not in members["facts.jsonl"]
    assert not [name for name, body in members.items() if INC.encode() in body or CANARY.encode() in body]
    assert secret.run("verify", str(partly)).code == 0
    secret.done("export", PUBLIC, "--archive", str(whole))
    with ZipFile(whole) as found:
        assert b'"stream":"house"' in found.read("facts.jsonl")


def test_a_suspect_who_follows_a_log_is_shown_no_more(secret: Cli) -> None:
    """What stands in the house about their being barred is not theirs to read either."""
    by = Actor(person="sato-kenji", name="sato", via="test")
    assert secret.house.desk.handle(INC, Restrict(actor=by, bar=("kato-hiroshi",), reason="x")).accepted
    assert INC not in secret.run("log", "house", who="kato").out


__all__ = ["cli", "secret"]
