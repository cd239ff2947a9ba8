"""Refusals, wrong usage, exit codes, and what the smaller commands do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console.cli import looking
from console.opening import open_house
from models.clock import SystemClock
from models.commands import Actor, Note
from models.node import beat
from models.record import NODE, OUTBOX, STREAM, micros
from models.state import House
from tests.console.clihouse import EXAMPLE, Cli, cli

__all__ = ["cli"]
INC = "INC-2026-0001"
ALERTS = EXAMPLE.parent / "alerts"
ROOT = EXAMPLE.parents[1]


def test_unknown_account_is_refused_and_recorded(cli: Cli) -> None:
    cli.run("declare", "x", "--playbook", "short")
    answer = cli.run("note", INC, "hello", who="nobody-known")
    assert answer.code == 1
    assert "not in the directory" in answer.err
    house = cli.house.desk.state("house")
    assert isinstance(house, House)
    assert sum(house.refused.values()) == 1
    assert "unknown person" in cli.run("log", "house").out


def test_without_the_role_it_says_who_has_it(cli: Cli) -> None:
    cli.run("declare", "x", "--playbook", "short")
    answer = cli.run("resolve", INC, "--cause", "a", "--entry-route", "b", who="mori")
    assert answer.code == 1
    assert "Chie Mori does not have the role" in answer.err
    assert "CISO" in answer.err


def test_refusal_as_json_carries_reason_and_advice(cli: Cli) -> None:
    cli.run("declare", "x", "--playbook", "short")
    answer = cli.run("done", INC, "look", "--json")
    assert answer.code == 1
    assert answer.json["reason"] == "fields missing"
    assert answer.json["detail"] == {"fields": ["seen", "count"], "step": "short/look"}
    assert "--set FIELD=VALUE" in answer.json["do"]


def test_refusals_in_japanese(cli: Cli) -> None:
    cli.run("declare", "x", "--playbook", "short")
    answer = cli.run("done", INC, "first", lang="ja")
    assert "できません: 「どちらを先にするか [short/first]」は判断である" in answer.err
    assert "次にすること: hikeshi decide" in answer.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "9"], "できません: インシデント 9 はない"),
        (["export", "INC-2026-0009"], "できません: インシデント INC-2026-0009 はない"),
        (["lst"], "そのようなコマンドはありません: lst"),
    ],
)
def test_what_is_not_there_is_said_in_japanese_alone(cli: Cli, arguments: list[str], said: str) -> None:
    answer = cli.run(*arguments, lang="ja")
    assert answer.code in {1, 2}
    assert said in answer.err
    assert "there is no" not in answer.err
    assert "No such" not in answer.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["declare"], "Say what happened"),
        (
            ["declare", "x", "--occurred", "2026-11-24T03:00"],
            "has no offset. Write it as 2026-11-24T03:00+09:00",
        ),
        (["declare", "x", "--occurred", "yesterday"], "is no time"),
        (["done", INC], "missing: STEP"),
        (["done", INC, "look", "--set", "seen"], "write seen as NAME=VALUE"),
        (["list", "--lang", "fr"], "ja, en"),
        (["nothing-such"], "there is no command nothing-such"),
        (["list", "--nothing"], "there is no option --nothing"),
        (["export", INC, "--format", "pdf"], "none of md, json"),
        (
            ["evidence", "add", INC, "a", "--description", "b", "--size", "many"],
            "the value of --size is wrong",
        ),
        (["evidence", "add", INC, "a", "--description", "b", "--file", "/nothing"], "cannot be read"),
        (["resolve", INC, "--cause", "a", "--entry-route", "b", "--watch", "3 days"], "none of 30m, 4h, 3d"),
        (["declare", "--from", "/nothing", "--source", "nobody"], "is not in intake.yaml"),
        (["declare", "x", "--from", "/nothing"], "--from takes nothing beside it"),
        (["service", "confirm", INC, "atm", "--side", "both"], "none of csirt, owner"),
    ],
)
def test_wrong_usage_is_exit_2_with_advice(cli: Cli, arguments: list[str], words: str) -> None:
    cli.run("declare", "x", "--playbook", "short")
    answer = cli.run(*arguments)
    assert answer.code == 2, answer
    assert words in answer.err


def test_an_instant_ahead_is_refused_in_local_time(cli: Cli) -> None:
    cli.run("declare", "x", "--playbook", "short")
    answer = cli.run("note", INC, "x", "--at", "2026-11-25T12:00:00+09:00")
    assert answer.code == 1
    assert "the time lies ahead: at 2026-11-25 12:00 +09:00" in answer.err


def test_no_such_incident(cli: Cli) -> None:
    for arguments in (
        ["show", "9"],
        ["log", "INC-2026-0009"],
        ["note", "INC-2026-0009", "x"],
        ["export", "9"],
    ):
        answer = cli.run(*arguments)
        assert answer.code == 1, arguments
        assert "hikeshi list" in answer.err + answer.out


def test_a_running_pager_makes_declare_exit_0(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def beats(seconds: float) -> None:
        cli.clock.advance(timedelta(seconds=seconds))
        with cli.house.record.begin() as tx:
            beat(tx, "pager", cli.clock.now())

    monkeypatch.setattr("console.cli.report.time.sleep", beats)
    stamp = micros(cli.clock.now())
    with cli.house.record.begin() as tx:
        tx.connection.execute(
            NODE.insert().values(id="pager", epoch=1, started_at=stamp, beat_at=stamp, detail="")
        )
    answer = cli.run("declare", "x")
    assert answer.code == 0
    assert "people are being paged" in answer.out
    assert cli.run("health", "--json").json["alive"]["pager"]
    cli.clock.advance(timedelta(seconds=11))
    assert cli.run("declare", "x").code == 3
    assert "NO SIGN OF LIFE" in cli.run("health").out


def test_a_pager_that_has_just_stopped_pages_nobody(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    monkeypatch.setattr("console.cli.report.time.sleep", looks.append)
    stamp = micros(cli.clock.now())
    with cli.house.record.begin() as tx:
        tx.connection.execute(
            NODE.insert().values(id="pager", epoch=1, started_at=stamp, beat_at=stamp, detail="")
        )
    answer = cli.run("declare", "x")
    assert answer.code == 3
    assert "NOBODY HAS BEEN PAGED" in answer.out
    assert sum(looks) == pytest.approx(3.0)


def test_health_names_what_waits(cli: Cli) -> None:
    cli.run("declare", "x")
    cli.clock.advance(timedelta(minutes=10))
    answer = cli.run("health", "--json")
    assert answer.code == 1
    assert answer.json["unsent"] >= 1
    assert answer.json["late_seconds"] == 300


def test_health_is_not_well_while_a_page_or_a_channel_or_a_playbook_fails(cli: Cli) -> None:
    def looked() -> dict[str, Any]:
        stamp = micros(cli.clock.now())
        with cli.house.record.begin() as tx:
            tx.connection.execute(NODE.delete())
            tx.connection.execute(
                NODE.insert().values(id="pager", epoch=1, started_at=stamp, beat_at=stamp, detail="")
            )
        answer = cli.run("health", "--json")
        assert (answer.code == 0) == answer.json["ok"]
        found: dict[str, Any] = answer.json
        return found

    def messages(**values: object) -> None:
        with cli.house.record.begin() as tx:
            tx.connection.execute(OUTBOX.update().values(**values))

    assert looked()["ok"]
    cli.run("declare", "x")
    assert looked()["ok"]
    cli.clock.advance(timedelta(seconds=61))
    assert not looked()["ok"]
    messages(state="sent")
    assert looked()["ok"]
    messages(state="queued", error="refused", channel="email", created_at=micros(cli.clock.now()))
    assert looked()["impaired"] == {"channel email": "refused"}
    assert "channel email refused" in cli.run("health").out
    messages(state="given_up")
    assert not looked()["ok"]
    cli.clock.advance(timedelta(hours=2))
    messages(state="given_up", error=None)
    with cli.house.record.begin() as tx:
        tx.connection.execute(STREAM.update().values(next_due_at=None))
    assert looked()["ok"]
    (cli.directory / "playbooks" / "short.yaml").write_text("playbook: [", encoding="utf-8")
    cli.house = open_house(cli.directory, cli.clock)
    assert "short.yaml (hikeshi check)" in cli.run("health").out


def test_alert_from_a_file_declares_and_is_shown(cli: Cli) -> None:
    answer = cli.run("declare", "--from", str(ALERTS / "wazuh-ransomware.json"), "--source", "wazuh")
    assert answer.code == 3, answer
    assert f"{INC} is open" in answer.out
    shown = cli.run("alert", "show", "al-000001").out
    assert '"rule"' in shown
    assert "incident: INC-2026-0001" in shown
    again = cli.run("declare", "--from", str(ALERTS / "wazuh-ransomware.json"), "--source", "wazuh")
    assert (again.code, "was counted (AL-000001 INC-2026-0001)" in again.out) == (0, True)
    assert ": note: alert AL-000001 was fed in from the file wazuh-ransomware.json" in cli.run("log", INC).out


def test_alert_that_nobody_could_read_is_dealt_with_by_people(cli: Cli) -> None:
    broken = cli.directory / "broken.json"
    broken.write_bytes(b"\x00 no json")
    for _ in range(3):
        cli.run("declare", "--from", str(broken), "--source", "wazuh")
    broken.write_bytes(b"other")
    cli.run("declare", "--from", str(broken), "--source", "wazuh")
    waiting = [one["id"] for one in cli.run("alert", "list", "--json").json]
    assert waiting
    assert waiting[0] in cli.run("alert", "list").out
    cli.done("alert", "dismiss", waiting[0], "--reason", "A test")
    assert [one["id"] for one in cli.run("alert", "list", "--json").json] == waiting[1:]
    for number in waiting[1:]:
        cli.done("alert", "declare", number, "Looks bad")
    assert cli.run("alert", "show", "AL-999999").code == 1


def test_steps_and_playbooks(cli: Cli) -> None:
    cli.run("declare", "x", "--playbook", "short")
    cli.done("step", "assign", INC, "look", "ito")
    cli.done("step", "add", INC, "call-isp", "--title", "Call the ISP", "--phase", "triage",
             "--owner", "csirt-lead", "--reason", "DDoS as well", "--within", "30m")  # fmt: skip
    assert "Call the ISP [added/call-isp]" in cli.run("show", INC).out
    cli.done("step", "na", INC, "call-isp", "--reason", "No DDoS")
    cli.done("step", "skip", INC, "look", "--reason", "Seen already")
    listed = cli.run("step", "list", INC).out
    assert "short/look" not in listed
    assert "skipped" in cli.run("step", "list", INC, "--all").out
    cli.done("playbook", "add", INC, "unknown", "--reason", "Not sure")
    cli.done("playbook", "drop", INC, "short", "--reason", "Not it")
    assert list(cli.house.desk.incident(INC).playbooks) == ["unknown"]
    assert "A short response" in cli.run("playbook", "list").out
    assert "What comes first" in cli.run("playbook", "show", "short").out
    assert cli.run("playbook", "show", "nothing").code == 1


def test_matters_of_an_incident(cli: Cli) -> None:
    cli.run("declare", "x", "--playbook", "short", "--service", "atm")
    cli.run("declare", "y", "--playbook", "short")
    cli.done("link", "1", "2")
    cli.done("scope", "add", "1", "account", "svc-backup")
    cli.done("scope", "accept", "1", "SC-001", "--reason", "Locked", who="kato")
    assert "risk accepted (Locked)" in cli.run("scope", "list", "1").out
    cli.done("backup", "set", "1", "atm-1120", "atm", "2026-11-20T23:00:00+09:00", "--tamper", "clean")
    assert "tampering: clean  malware: NOT CHECKED" in cli.run("backup", "list", "1").out
    cli.done("service", "fails", "1", "atm")
    until = "2026-11-24T15:00:00+09:00"
    page = next(iter(cli.house.desk.incident(INC).pages))
    cli.done("delegate", "1", str(page), "tanaka", "--until", until)
    assert (
        "delegated to Misaki Tanaka (named by Kenji Sato) until 2026-11-24 15:00 +09:00"
        in cli.run("show", "1").out
    )
    for arguments in (["improvement", "add", "1", "Better", "--owner", "ito", "--due", "2027-01-29"],):
        cli.done(*arguments)
    assert "due" in cli.run("improvement", "list").out
    cli.done("improvement", "done", "IMP-2026-0001-1", "--reason", "Done", who="ito")
    assert cli.run("improvement", "list", "--json").json == []
    assert len(cli.run("improvement", "list", "--all", "--json").json) == 1


def test_export_to_a_file(cli: Cli) -> None:
    cli.run("declare", "x", "--playbook", "short")
    out = cli.directory / "report.md"
    assert cli.run("export", INC, "--out", str(out)).code == 0
    assert out.read_text(encoding="utf-8").startswith("# Incident report: INC-2026-0001")
    assert cli.run("export", INC, "--out", str(cli.directory)).code == 2


def test_check_and_init(cli: Cli, tmp_path: Path) -> None:
    assert cli.run("check", str(cli.directory)).code == 0
    made = tmp_path / "own"
    assert cli.run("init", str(made)).code == 0
    assert cli.run("check", str(made)).code == 0
    assert cli.run("init", str(made)).code == 1
    (made / "routes.yaml").write_text("routes: []\n", encoding="utf-8")
    answer = cli.run("check", str(made))
    assert answer.code == 1
    assert "routes.yaml:1:" in answer.out
    assert cli.run("check", str(made), "--json").json["ok"] is False


# -- real processes -----------------------------------------------------------------------------------------


def _python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HIKESHI_")}
    return subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env={**clean, "PYTHONPATH": str(ROOT), **environment},
        cwd=ROOT,
        timeout=60,
        check=False,
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom console.main import execute\nexecute(['--help'])\nexecute(['done', '--help'])\n"
        "heavy = {'prefect', 'sqlalchemy', 'sqlmodel', 'fastapi', 'rich', 'orjson'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy))"
    )
    assert _python(code).stdout.splitlines()[-1] == "heavy: []"


def test_commands_never_import_prefect(cli: Cli) -> None:
    code = (
        "import sys\nfrom console.main import execute\nexecute(sys.argv[1:])\n"
        "print('prefect' in sys.modules, file=sys.stderr)"
    )
    said = _python(code, "list", "--dir", str(cli.directory))
    assert said.stderr.strip() == "False", said


def test_a_real_process_from_declare_to_ack(cli: Cli) -> None:
    run = "from console.main import run; run()"
    where = {"HIKESHI_DIR": str(cli.directory), "HIKESHI_LANG": "en", "HIKESHI_ACCOUNT": "sato"}
    declared = _python(run, "declare", "Files encrypted", **where)
    assert declared.returncode == 3
    assert "NOBODY HAS BEEN PAGED" in declared.stdout
    year = SystemClock().now().astimezone(cli.clock.now().tzinfo).year
    taken = _python(run, "ack", f"INC-{year}-0001", **where)
    assert taken.returncode == 0, taken
    assert "Kenji Sato acknowledged page" in taken.stdout


def test_the_account_comes_from_the_system_and_not_from_user_variables(cli: Cli) -> None:
    run = "from console.main import run; run()"
    where = {"HIKESHI_DIR": str(cli.directory), "HIKESHI_LANG": "en", "USER": "sato", "LOGNAME": "sato"}
    said = _python(run, "declare", "x", **where)
    assert said.returncode == 1
    assert "not in the directory" in said.stderr


def test_log_follows_until_interrupted(cli: Cli) -> None:
    cli.run("declare", "x", "--playbook", "short")
    command = [sys.executable, "-uc", "from console.main import run; run()", "log", INC, "--follow"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HIKESHI_")}
    environment = {**clean, "PYTHONPATH": str(ROOT), "HIKESHI_DIR": str(cli.directory), "HIKESHI_LANG": "en"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:  # noqa: S603
        assert process.stdout is not None
        with killed_after(process, 60):
            assert "incident declared" in process.stdout.readline()
            cli.run("note", INC, "seen by those who follow")
            line = next(line for line in process.stdout if "note:" in line)
            assert "seen by those who follow" in line
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 0


@contextmanager
def killed_after(process: subprocess.Popen[str], seconds: float) -> Iterator[None]:
    """A process that says nothing is killed, so that a test that fails does not hang besides."""
    timer = threading.Timer(seconds, process.kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def test_following_misses_nothing_that_was_written_during_the_first_look(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.run("declare", "x", "--playbook", "short")
    other = open_house(cli.directory, cli.clock)
    shown = looking._print_facts
    looks: list[int] = []

    def slow(session: Any, stream: str, after: int) -> int:
        last = shown(session, stream, after)
        looks.append(after)
        if len(looks) == 1:
            note = Note(actor=Actor(person="sato-kenji", via="cli"), text="between two looks")
            assert other.desk.handle(INC, note).accepted
        if len(looks) == 2:
            raise KeyboardInterrupt
        return last

    monkeypatch.setattr(looking, "_print_facts", slow)
    monkeypatch.setattr(looking, "FOLLOW_SECONDS", 5.0)
    assert "between two looks" in cli.run("log", INC, "--follow").out
    other.record.close()


def test_language_from_the_settings(cli: Cli) -> None:
    said = _python("from console.main import run; run()", "--help", HIKESHI_DIR=str(cli.directory))
    assert "インシデントを宣言する" in said.stdout
