"""From a played drill to the register of the institution: one file, one way."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from models.state import Programme
from tests.console.afterhouse import CISO, LEAD, WATCHER, judged
from tests.console.clihouse import Cli, cli

__all__ = ["cli"]
ACCOUNTS = {LEAD: "okada", WATCHER: "fujita"}


def test_the_result_of_a_played_drill_becomes_an_exercise_of_the_register(cli: Cli, tmp_path: Path) -> None:
    production = cli.house
    hour = judged(production)
    file = tmp_path / "result.json"
    cli.house = hour.house
    key = cli.run("drill", "result", "--out", str(file), "--json", who=ACCOUNTS[LEAD]).json["key"]
    in_the_drill = cli.run("drill", "import", str(file), "--key", key, who="sato")
    assert in_the_drill.code == 1
    assert "a drill's directory keeps no register" in in_the_drill.err

    cli.house = production
    cli.clock.advance(timedelta(days=10))
    given = ("--owner", "shimizu", "--due", "2027-03-31")
    answer = cli.run("drill", "import", str(file), "--key", key, *given, "--json")
    assert answer.code == 0, answer.err
    [one] = cli.run("--json", "exercise", "list").json
    assert (one["id"], one["scenario"], one["held_on"]) == ("EX-0001", "ransomware-night-batch", "2026-11-20")
    assert one["imported"]["key"] == key
    assert {took["person"] for took in one["participants"] if not took["absent"]} >= {CISO}
    assert {found["kind"] for found in one["measured"]} == {"rto", "rpo", "rlo"}
    rated = {found["objective"]: (found["rating"], found["evaluator"]) for found in one["outcomes"]}
    assert rated["first-response"] == ("M", WATCHER)
    covered = cli.run("--json", "exercise", "coverage", "--kind", "person").json
    assert next(row for row in covered if row["name"] == CISO)["by"] == "EX-0001"
    assert cli.run("--json", "metrics").json == [], "what a drill took is no figure of the real"
    assert [row for row in cli.run("--json", "list").json if row] == [], "no incident of it has come along"
    state = production.desk.state("programme")
    assert isinstance(state, Programme)
    assert len(state.findings) == len(answer.json["findings"])
