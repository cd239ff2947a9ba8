"""Whatever somebody types is answered: with advice, no traceback, and on record as whose act it was."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.cli import account
from console.cli.session import MAX_DIGITS
from console.main import execute
from models.fact import Fact
from tests.console.clihouse import Cli, cli

__all__ = ["cli"]
INC = "INC-2026-0001"
BYTES = "\udcff\udcfe"
"""What Python makes of two bytes that are no UTF-8."""
DIGITS = "9" * 5_000
BEYOND = "99999999999999999d"
YEAR_1, YEAR_900, YEAR_9999 = "0001-01-01T00:00:00+09:00", "0900-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
EVIDENCE = ("evidence", "add", INC, "memory", "--description", "x")
RESOLVE = ("resolve", INC, "--cause", "a", "--entry-route", "b")
IMPROVEMENT = ("improvement", "add", INC, "a", "--owner", "ito")
SHOWN = ("show INC", "step list INC", "step show INC call-isp", "clocks INC", "log INC", "export INC")


@pytest.fixture
def declared(cli: Cli) -> Cli:
    assert cli.run("declare", "x", "--playbook", "short").code == 3
    return cli


# -- what cannot be meant -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["note", INC, BYTES], "text: this is no readable", id="a text of odd bytes"),
        pytest.param(["show", BYTES], "incident: this is no readable", id="an incident of odd bytes"),
        pytest.param(["done", INC, "look", "--set", f"a={BYTES}"], "set: this is no", id="one in a list"),
        pytest.param(["declare", "y", "--source", BYTES], "source: this is no", id="an odd source"),
        pytest.param(["note", INC, "y", "--for", BYTES], "for: this is no", id="an odd person"),
        pytest.param(["check", BYTES], "directory: this is no readable", id="an odd directory"),
        pytest.param(["check", "a" * 300], "(File name too long)", id="a name no file can have"),
        pytest.param(["note", INC, "y", "--at", YEAR_1], "no time", id="year 1"),
        pytest.param(["instant", INC, "occurred", YEAR_900, "--source", "a"], "no time", id="year 900"),
        pytest.param(["show", INC, "--as-known-at", YEAR_9999], "no time", id="year 9999"),
        pytest.param([*IMPROVEMENT, "--due", "0001-01-01"], "no time", id="a day of year 1"),
        pytest.param([*RESOLVE, "--watch", BEYOND], "none of 30m", id="a watch beyond all time"),
        pytest.param([*EVIDENCE, "--size", "1" + "0" * 29], "--size is wrong", id="more than all discs hold"),
        pytest.param([*EVIDENCE, "--size", DIGITS], "--size is wrong", id="a size of 5,000 digits"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage_with_advice(
    declared: Cli, arguments: list[str], words: str
) -> None:
    answer = declared.run(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err


@pytest.mark.parametrize("arguments", [["show", DIGITS], ["log", DIGITS], ["ack", INC, DIGITS]])
def test_a_number_that_nothing_has_is_not_found(declared: Cli, arguments: list[str]) -> None:
    answer = declared.run(*arguments)
    assert answer.code == 1
    assert "hikeshi " in answer.err


def test_a_file_may_be_called_by_any_bytes(declared: Cli, tmp_path: Path) -> None:
    odd = tmp_path / f"memory{BYTES}.bin"
    odd.write_bytes(b"dump")
    declared.done(*EVIDENCE, "--file", str(odd))
    assert r"memory\xff\xfe.bin" in declared.run("evidence", "list", INC).out
    assert declared.run(*EVIDENCE, "--file", f"{odd}.gone").code == 2


def test_a_directory_that_no_name_can_have_is_wrong_usage(
    cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["list", "--dir", "a" * 300]) == 2
    assert "--dir" in capsys.readouterr().err


ODD = st.one_of(
    st.text(st.characters(exclude_characters="\0"), max_size=40),
    st.text("0123456789", min_size=1, max_size=60),
    st.integers().map(str),
    st.datetimes().map(lambda at: at.isoformat() + "+09:00"),
    st.builds("{}{}".format, st.integers(0), st.sampled_from("dhms")),
    st.sampled_from([BYTES, DIGITS, BEYOND, "", "-", "--", "=", "\u202e", "\x1b[31m"]),
)
COMMANDS = (
    "note INC y --at ?",
    "note ? ?",
    "ack INC ?",
    "show ?",
    "log ?",
    "confirm INC ?",
    "show INC --as-known-at ?",
    "instant INC occurred ? --source ?",
    "done INC look --set count=? --set seen=?",
    "done INC ? --set ?",
    "decide INC first ? --reason ? --factor ?",
    "delegate INC ? ? --until ?",
    "evidence add INC ? --description ? --size ? --digest ?",
    "resolve INC --cause ? --entry-route ? --watch ?",
    "severity INC ?",
    "backup set INC ? atm ?",
    "service impact INC atm --since ? --level ?",
    "improvement add INC ? --owner ito --due ?",
    "alert show ?",
    "step add INC ? --title ? --phase triage --owner csirt-lead --reason ? --within ?",
)


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(command=st.sampled_from(COMMANDS), odd=st.lists(ODD, min_size=4, max_size=4))
def test_whatever_is_typed_is_answered(declared: Cli, command: str, odd: list[str]) -> None:
    values = iter(odd)
    parts = command.replace("INC", INC).split()
    arguments = [part.replace("?", next(values)) if "?" in part else part for part in parts]
    answer = declared.run(*arguments)
    assert answer.code in {0, 1, 2, 3}
    assert answer.code in {0, 3} or answer.err.strip() or answer.out.strip()


def test_no_number_of_ours_has_more_digits_than_are_read() -> None:
    assert 10**MAX_DIGITS > 2**32


# -- whose act it was ---------------------------------------------------------------------------------------


def notes(cli: Cli) -> list[Fact]:
    with cli.house.record.read() as tx:
        return [fact for fact in tx.facts(INC) if fact.kind == "note.added"]


def test_an_account_that_was_named_says_who_named_it(declared: Cli) -> None:
    declared.done("note", INC, "as somebody else", who="kato")
    (fact,) = notes(declared)
    assert (fact.actor, fact.via) == ("kato-hiroshi", f"cli:as=kato;uid={os.getuid()}")
    said = f"Hiroshi Kato (by HIKESHI_ACCOUNT; account uid {os.getuid()}): note: as somebody else"
    assert said in declared.run("log", INC).out


def test_behind_sudo_both_accounts_are_named(declared: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "1042")
    declared.done("note", INC, "y")
    assert notes(declared)[0].via == f"cli:as=sato;uid={os.getuid()};sudo=1042"
    assert f"account uid {os.getuid()} < 1042)" in declared.run("log", INC).out
    monkeypatch.setenv("SUDO_UID", "1;as=ito")
    declared.done("note", INC, "z")
    assert notes(declared)[1].via == f"cli:as=sato;uid={os.getuid()}"


def test_one_s_own_account_needs_no_explanation(declared: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "real", lambda: "sato")
    declared.done("note", INC, "y")
    assert notes(declared)[0].via == "cli"
    assert "Kenji Sato: note: y" in declared.run("log", INC).out


def test_a_named_account_cannot_forge_the_rest_of_its_fact(declared: Cli) -> None:
    assert declared.run("note", INC, "y", who=f"sato;uid=1 {BYTES}\n").code == 1
    with declared.house.record.read() as tx:
        (fact,) = [fact for fact in tx.facts("house") if fact.kind == "refused"]
    assert fact.via == f"cli:as=sato_uid_1____;uid={os.getuid()}"


# -- refusals -----------------------------------------------------------------------------------------------


def refusals(cli: Cli) -> int:
    with cli.house.record.read() as tx:
        return sum(fact.kind == "refused" for fact in tx.facts("house"))


def test_who_knocks_again_and_again_fills_no_disc(declared: Cli) -> None:
    for number in range(5):
        answer = declared.run("page-now", who=f"stranger-{number}")
        assert answer.code == 1
        assert "not in the directory" in answer.err
        # Each call is a process of its own and remembers nothing.
        declared.house.desk._refusals.clear()
    assert refusals(declared) == 1
    declared.clock.advance(timedelta(seconds=61))
    declared.run("page-now", who="stranger")
    assert refusals(declared) == 2
    declared.clock.advance(timedelta(hours=-6))
    declared.run("page-now", who="stranger")
    assert refusals(declared) == 3


# -- steps added by hand ------------------------------------------------------------------------------------


def test_the_title_of_an_added_step_is_shown_everywhere(declared: Cli) -> None:
    declared.done("step", "add", INC, "call-isp", "--title", "Call the ISP", "--phase", "triage",
                  "--owner", "csirt-lead", "--reason", "DDoS as well", "--within", "30m")  # fmt: skip
    for command in SHOWN:
        said = declared.run(*command.replace("INC", INC).split()).out
        assert "Call the ISP" in said, command
        assert " t:" not in said, command
    definition = declared.run("step", "show", INC, "call-isp", "--json").json["definition"]
    assert definition["title"] == {"ja": "Call the ISP", "en": "Call the ISP"}
