"""`hikeshi decisions`: for any decision, who was entitled that day, when, why, on what evidence."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.console.clihouse import Cli, cli

__all__ = ["cli"]
INC = "INC-2026-0001"
KEY = "short/first"


def asked(cli: Cli) -> None:
    """An incident whose decision is asked for."""
    cli.done("declare", "Files encrypted", "--playbook", "short", "--service", "atm")
    cli.done("done", INC, "look", "--set", "seen=note", "--set", "count=3")


def decided(cli: Cli, *more: str, who: str = "kato") -> None:
    cli.done(
        "decide",
        INC,
        "first",
        "contain",
        "--reason",
        "It spreads",
        "--factor",
        "window=unknown",
        *more,
        who=who,
    )


def only(cli: Cli) -> dict[str, Any]:
    """The one decision there is, as data."""
    found: list[dict[str, Any]] = cli.run("decisions", INC, "--json").json
    assert [one["step"] for one in found] == [KEY]
    return found[0]


def test_an_undecided_one_stands_there_as_undecided(cli: Cli) -> None:
    asked(cli)
    assert only(cli)["decision"] is None
    assert "NOT DECIDED" in cli.run("decisions", INC).out


def test_who_was_called_and_who_answered(cli: Cli) -> None:
    asked(cli)
    cli.done("ack", INC, "first", who="kato")
    decided(cli)
    (call,) = only(cli)["called"]
    assert (call["person"], call["role"]) == ("kato-hiroshi", "ciso")
    assert call["acknowledged_at"] is not None


def test_who_when_why_and_as_whom(cli: Cli) -> None:
    asked(cli)
    decided(cli)
    told = only(cli)
    made = told["decision"]
    assert (made["choice"], made["by"], made["as"]) == ("contain", "kato-hiroshi", "ciso")
    assert made["reason"] == "It spreads"
    assert made["against_recommendation"] == "preserve"
    assert made["directory"]
    assert [one["person"] for one in told["entitled"]] == ["kato-hiroshi"]
    said = cli.run("decisions", INC).out
    assert "By Hiroshi Kato as CISO" in said
    assert "Why: It spreads" in said
    assert "Against the playbook's recommendation: preserve" in said


def test_only_what_was_preserved_by_then_is_its_evidence(cli: Cli, tmp_path: Path) -> None:
    asked(cli)
    for name in ("before", "after"):
        copy = tmp_path / name
        copy.write_text(name)
        if name == "after":
            decided(cli)
        cli.done("evidence", "add", INC, "edr-telemetry", "--file", str(copy), "--description", name)
    (known,) = only(cli)["evidence"]
    assert known["id"] == "EV-0001"
    assert known["digest"].startswith("sha256:")


def test_what_a_scribe_wrote_shows_as_unconfirmed_until_it_is_confirmed(cli: Cli) -> None:
    asked(cli)
    decided(cli, "--for", "kato-hiroshi", who="sato")
    made = only(cli)["decision"]
    assert (made["by"], made["recorded_by"], made["confirmed"]) == ("kato-hiroshi", "sato-kenji", False)
    assert "NOT CONFIRMED" in cli.run("decisions", INC).out
    cli.done("confirm", INC, str(made["fact"]), who="kato")
    assert only(cli)["decision"]["confirmed"] is True
    assert "NOT CONFIRMED" not in cli.run("decisions", INC).out


def test_one_withdrawn_and_made_again_is_two_decisions(cli: Cli) -> None:
    asked(cli)
    decided(cli)
    cli.done("withdraw", INC, "first", "--reason", "The premise changed", who="kato")
    cli.clock.advance(timedelta(minutes=5))
    decided(cli)
    first, second = cli.run("decisions", INC, "first", "--json").json
    assert [one["kind"] for one in first["later"]] == ["decision.withdrawn"]
    assert second["later"] == []
    assert first["decision"]["fact"] < second["asked"]["fact"] <= second["decision"]["fact"]


def test_a_step_that_is_not_there_is_refused(cli: Cli) -> None:
    asked(cli)
    answer = cli.run("decisions", INC, "nothing")
    assert answer.code == 1
    assert "nothing" in answer.err


def test_nothing_asked_is_said(cli: Cli) -> None:
    cli.done("declare", "Files encrypted", "--playbook", "short")
    assert cli.run("decisions", INC, "--json").json == []
    assert "No decision was asked for" in cli.run("decisions", INC).out
