"""`hikeshi intake test` and the triage queue, as people type them."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from console.intake import receive
from console.opening import open_house
from tests.console.clihouse import Cli, cli  # noqa: F401 - the fixture
from tests.console.webhouse import EDR, WAZUH, kinds, rows, wazuh

ALERTS = Path(__file__).parents[2] / "examples" / "alerts"
WAZUH_FILE = str(ALERTS / "wazuh-ransomware.json")


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen that cuts nothing, whoever runs the tests."""
    monkeypatch.setenv("COLUMNS", "220")


def current(body: bytes, cli: Cli) -> bytes:  # noqa: F811
    content = orjson.loads(body)
    content["timestamp"] = cli.clock.now().isoformat()
    return orjson.dumps(content)


def test_what_an_alert_would_do_is_shown_and_nothing_is_done(cli: Cli) -> None:  # noqa: F811
    answer = cli.run("intake", "test", WAZUH_FILE, "--source", "wazuh")
    assert answer.code == 0, answer.err
    assert "It would open an incident and page people at once." in answer.out
    assert "rule number 1" in answer.out and "mihon-wazuh01/100231/027" in answer.out
    assert rows(cli.house) == [] and kinds(cli.house, "intake") == []
    japanese = cli.run("intake", "test", WAZUH_FILE, "--source", "wazuh", lang="ja").out
    assert "インシデントを宣言し、ただちに呼び出します。" in japanese


def test_what_is_known_would_only_be_counted(cli: Cli) -> None:  # noqa: F811
    receive(cli.house, "wazuh", WAZUH)
    [found] = cli.run("intake", "test", WAZUH_FILE, "--source", "wazuh", "--json").json
    assert (found["counted"], found["do"], found["severity"]) == ("AL-000001", "declare", "high")
    assert found["related"] == [{"incident": "INC-2026-0001", "why": "key"}]


@pytest.mark.parametrize(
    ("body", "said"),
    [(wazuh(level=3), "only be kept"), (wazuh(level=11), "for triage"), (b"\xff", "kept as unreadable")],
)
def test_each_outcome_has_its_sentence(cli: Cli, tmp_path: Path, body: bytes, said: str) -> None:  # noqa: F811
    file = tmp_path / "alert.json"
    file.write_bytes(body)
    assert said in cli.run("intake", "test", str(file), "--source", "wazuh").out


def test_a_source_has_to_be_one_that_there_is(cli: Cli) -> None:  # noqa: F811
    assert cli.run("intake", "test", WAZUH_FILE).code == 2
    assert cli.run("intake", "test", WAZUH_FILE, "--source", "nagios").code == 2
    assert cli.run("intake", "test", "/no/such/file", "--source", "wazuh").code == 2


def test_a_mail_is_tested_and_shown_by_what_it_says(cli: Cli) -> None:  # noqa: F811
    box = '\n[mailbox]\nhost = "mail.example"\nuser = "csirt"\npassword = "env:MAIL_SECRET"\n'
    with (cli.directory / "settings.toml").open("a", encoding="utf-8") as file:
        file.write(box)
    cli.house.record.close()
    cli.house = open_house(cli.directory, cli.clock)
    answer = cli.run("intake", "test", str(ALERTS / "mail-report.eml"))
    assert "フィッシング" in answer.out and "for triage" in answer.out
    assert "evil.example" not in answer.out
    receive(cli.house, "mail", (ALERTS / "mail-report.eml").read_bytes())
    shown = cli.run("alert", "show", "AL-000001").out
    assert "フィッシング" in shown and "[evidence.zip]" in shown and "evil.example" not in shown


def test_the_queue_shows_what_helps_to_judge(cli: Cli) -> None:  # noqa: F811
    receive(cli.house, "wazuh", current(WAZUH, cli))
    near = wazuh(level=11, id="777")
    receive(cli.house, "wazuh", current(near, cli))
    receive(cli.house, "wazuh", current(near, cli))
    [found] = cli.run("alert", "list", "--json").json
    assert (found["proposed"], found["services"], found["count"]) == ("ransomware", ["core-banking"], 2)
    assert found["related"] == [{"incident": "INC-2026-0001", "why": "service"}]
    text = cli.run("alert", "list").out
    assert "AL-000002" in text and "INC-2026-0001" in text
    cli.clock.advance(timedelta(hours=2))
    cli.house.desk.tick("intake")
    assert "overdue" in cli.run("alert", "list").out


def test_the_queue_leads_to_dismissing_declaring_and_merging(cli: Cli) -> None:  # noqa: F811
    for number in range(3):
        receive(cli.house, "wazuh", wazuh(level=11, id=str(number)))
    receive(cli.house, "edr", EDR)
    assert cli.run("alert", "dismiss", "AL-000001").code == 2, "not without a reason"
    cli.done("alert", "dismiss", "AL-000001", "--reason", "maintenance")
    cli.done("alert", "declare", "AL-000002")
    cli.done("alert", "attach", "AL-000003", "INC-2026-0001")
    assert cli.run("alert", "list", "--json").json == []
    assert "AL-000003" in cli.house.desk.incident("INC-2026-0001").alerts
    receive(cli.house, "wazuh", wazuh(level=11, id="0"))
    [again] = cli.run("alert", "list", "--json").json
    assert again["before"] == 1, "it lay there before"


def test_a_limit_by_severity_pages_when_nobody_looks(cli: Cli) -> None:  # noqa: F811
    routes = cli.directory / "routes.yaml"
    text = routes.read_text(encoding="utf-8")
    routes.write_text(
        text.replace("triage_within: 30m", "triage_within: {high: 5m, default: 2h}"), encoding="utf-8"
    )
    intake = cli.directory / "intake.yaml"
    rule = "{at_least: 10, do: propose"
    intake.write_text(
        intake.read_text(encoding="utf-8").replace(rule + "}", rule + ", severity: high}"), encoding="utf-8"
    )
    shutil.rmtree(cli.directory / "var", ignore_errors=True)
    cli.house.record.close()
    cli.house = open_house(cli.directory, cli.clock)
    receive(cli.house, "wazuh", wazuh(level=11))
    receive(cli.house, "edr", EDR.replace(b"critical", b"medium"))
    high, other = cli.run("alert", "list", "--json").json
    assert (high["severity"], other["severity"]) == ("high", None)
    cli.clock.advance(timedelta(minutes=6))
    outcome = cli.house.desk.tick("intake")
    overdue = [fact.data["id"] for fact in outcome.facts if fact.kind == "alert.overdue"]
    assert overdue == ["AL-000001"]
    assert [page.event for page in cli.house.desk.state("intake").open_pages()] == ["triage-overdue"]


def test_the_directory_is_left_as_it_was(cli: Cli) -> None:  # noqa: F811
    before = {path: path.stat().st_mtime_ns for path in cli.directory.rglob("*.yaml")}
    cli.run("intake", "test", WAZUH_FILE, "--source", "wazuh")
    assert before == {path: path.stat().st_mtime_ns for path in cli.directory.rglob("*.yaml")}
