"""A drill as its staff leads it, typed command by command: enrolled, confirmed, played, broken off.

No node runs here: what would be sent leaves by `--page-now`, and time stands where it is put.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.main import execute
from console.participants import write_enrolled
from models.drillfile import Enrolled
from tests.console.drillhouse import prepare

LEAD, DUTY, CONTROLLER = "tanaka-misaki", "suzuki-daichi", "yamamoto-rin"
MARK = "【訓練】"
INJECT = """\
id: extra-call
kind: call
channel: telephone
from: control
to: [csirt-lead]
at: 90m
title: {ja: 追加の電話, en: One more call}
text: {ja: 追加です, en: One more}
"""


@dataclass(kw_only=True)
class Drill:
    """The directory of a drill, its command line, and what has left it by the file channel."""

    directory: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str, who: str = "sato", lang: str = "en") -> tuple[int, str]:
        """Type one command as `who`: exit code, and all that is said."""
        self.monkeypatch.setenv("HIKESHI_ACCOUNT", who)
        self.capsys.readouterr()
        code = execute(["--dir", str(self.directory), "--lang", lang, *arguments])
        said = self.capsys.readouterr()
        return code, said.out + said.err

    def does(self, *arguments: str, who: str = "sato") -> str:
        """One command of the drill that is accepted; what it says."""
        code, said = self.run("drill", *arguments, who=who)
        assert code == 0, said
        return said

    def refused(self, *arguments: str, who: str = "sato") -> str:
        """One command of the drill that is refused; why."""
        code, said = self.run("drill", *arguments, who=who)
        assert code == 1, said
        return said

    def json(self, *arguments: str, who: str = "sato") -> Any:
        """What a command of the drill answers to a program."""
        self.monkeypatch.setenv("HIKESHI_ACCOUNT", who)
        self.capsys.readouterr()
        execute(["--dir", str(self.directory), "--json", "drill", *arguments])
        return json.loads(self.capsys.readouterr().out)

    def sent(self, template: str = "") -> list[dict[str, Any]]:
        """What has left by the file channel, of one template or all."""
        path = self.directory / "var" / "messages.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return [one for one in map(json.loads, lines) if template in one["template"]]

    def told(self, template: str) -> list[str]:
        """Whom a message of this template has reached."""
        return sorted(one["person"] for one in self.sent(template))

    def confirms(self, person: str, account: str) -> None:
        """The person answers the newest page that asks for their address."""
        page = [one for one in self.sent("page.comcheck") if one["person"] == person][-1]
        number = page["key"].split("/")[1]
        code, said = self.run("ack", "programme", number, who=account)
        assert code == 0, said


@pytest.fixture
def drill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Drill:
    """A drill that the head of CSIRT has prepared."""
    made = prepare(tmp_path, monkeypatch)
    return Drill(directory=made.drill, monkeypatch=monkeypatch, capsys=capsys)


@pytest.fixture
def ready(drill: Drill) -> Drill:
    """Two players and a controller, who have confirmed; a third player who has not."""
    drill.does("enrol", LEAD, "--role", "csirt-lead", "--address", "file")
    drill.does("enrol", DUTY, "--role", "csirt-duty", "--address", "file")
    drill.does("enrol", "ito-shota", "--role", "it-ops", "--address", "file", "--organisation", "IT")
    drill.does("staff", CONTROLLER, "controller", "--address", "file")
    drill.does("confirm-addresses", "--page-now")
    drill.confirms(LEAD, "tanaka")
    drill.confirms(DUTY, "suzuki")
    drill.confirms(CONTROLLER, "yamamoto")
    return drill


MADE: list[Path] = []


@pytest.fixture
def unchanged(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Drill:
    """A drill that is ready, for acts that change nothing of it: one for all of them in this process."""
    if not MADE:
        MADE.append(request.getfixturevalue("ready").directory)
    return Drill(directory=MADE[0], monkeypatch=monkeypatch, capsys=capsys)


def test_a_drill_is_led_from_start_to_the_abort(ready: Drill, tmp_path: Path) -> None:
    ready.does("start", "--page-now")
    assert ready.told("notice.exercise_started") == [DUTY, LEAD, CONTROLLER]
    assert ready.told("notice.exercise_control") == [CONTROLLER]

    ready.does("fire", "edr-alert", "--page-now", who="yamamoto")
    assert ready.told("notice.inject") == [DUTY]
    ready.does("skip", "batch-abend", "--reason", "time is short", who="yamamoto")
    ready.does("edit", "severity-asked", "--text", "How grave is it?", "--reason", "shorter", who="yamamoto")
    assert "How grave is it?" in ready.does("inject", "show", "severity-asked", who="yamamoto")
    file = tmp_path / "extra.yaml"
    file.write_text(INJECT, encoding="utf-8")
    ready.does("add", str(file), who="yamamoto")
    ready.does("fire", "severity-asked", "--page-now", who="yamamoto")
    assert "How grave is it?" in ready.sent("notice.inject")[-1]["text"]

    ready.does("say", "control", "The CIO is on the line", "--to", "csirt-lead", "--page-now", who="yamamoto")
    assert ready.told("notice.said") == [LEAD]
    ready.does("pause", "--reason", "a question of the rules", who="yamamoto")
    assert "standing still" in ready.does("status")
    ready.does("resume", who="yamamoto")
    ready.does("observe", "isolated within 12 minutes", "--strength", who="yamamoto")

    said = ready.does("abort", "a real alert", who="suzuki")
    assert "told 3 of 3" in said
    assert ready.told("notice.exercise_aborted") == [DUTY, LEAD, CONTROLLER]
    assert all(MARK in one["text"].splitlines()[0] for one in ready.sent())
    assert "aborted" in ready.refused("resume")
    assert "aborted" in ready.refused("fire", "note-on-screen")
    how = {one["id"]: one["how"] for one in ready.json("inject", "list")}
    expected = {"edr-alert": "fired", "batch-abend": "skipped", "extra-call": None}
    assert {name: how[name] for name in expected} == expected


def test_whoever_is_not_enrolled_or_has_not_confirmed_is_sent_nothing(ready: Drill) -> None:
    ready.does("start", "--page-now")
    ready.does("fire", "note-on-screen", "--page-now")  # to the duty, and to IT, who has not confirmed
    code, said = ready.run("declare", "files have new names", "--page-now", who="suzuki")
    assert code in {0, 3}, said
    reached = {one["person"] for one in ready.sent() if one["template"] != "page.comcheck"}
    assert reached <= {LEAD, DUTY, CONTROLLER}
    assert DUTY in reached
    asked = {one["person"] for one in ready.sent("page.comcheck")}
    assert asked == {LEAD, DUTY, CONTROLLER, "ito-shota"}


def test_a_changed_address_is_no_longer_confirmed_until_it_is_answered_there(ready: Drill) -> None:
    ready.does("enrol", LEAD, "--address", "email:misaki@drill.example")
    known = {one["person"]: one for one in ready.json("participants")["participants"]}
    assert known[LEAD]["confirmed"] == []
    assert known[LEAD]["unconfirmed"] == ["email"]
    ready.does("start", "--page-now")
    assert LEAD not in ready.told("notice.exercise_started")


def test_an_address_changed_in_the_file_by_hand_is_unconfirmed_as_well(drill: Drill) -> None:
    drill.does("enrol", LEAD, "--role", "csirt-lead", "--address", "email:one@drill.example")
    before = drill.json("participants")["participants"][0]
    write_enrolled(drill.directory, Enrolled(person=LEAD, channels=("email",), email="two@drill.example"))
    assert before["unconfirmed"] == drill.json("participants")["participants"][0]["unconfirmed"] == ["email"]
    # An answer to what was asked of the first address says nothing about the second.
    drill.does("confirm-addresses")
    write_enrolled(drill.directory, Enrolled(person=LEAD, channels=("email",), email="three@drill.example"))
    assert drill.json("participants")["participants"][0]["confirmed"] == []


def test_an_answer_by_another_way_confirms_nothing(drill: Drill) -> None:
    settings = drill.directory / "settings.toml"
    mail = '\n[email]\nhost = "127.0.0.1"\nport = 9\nsender = "drill@bank.example"\nsecurity = "none"\n'
    settings.write_text(settings.read_text(encoding="utf-8") + mail, encoding="utf-8")
    drill.does("enrol", LEAD, "--role", "csirt-lead", "--address", "email:misaki@drill.example")
    outcome = drill.json("confirm-addresses")
    page = next(one["seq"] for one in outcome["facts"] if one["kind"] == "page.asked")
    drill.run("ack", "programme", str(page), who="tanaka")
    assert drill.json("participants")["participants"][0]["confirmed"] == []


def test_somebody_absent_is_reached_by_the_abort_alone(ready: Drill) -> None:
    ready.does("absent", LEAD, "--why", "on duty")
    ready.does("start", "--page-now")
    assert LEAD not in ready.told("notice.exercise_started")
    ready.does("abort")
    assert LEAD in ready.told("notice.exercise_aborted")


def test_players_see_nothing_of_what_is_to_come(ready: Drill) -> None:
    ready.does("start")
    assert "edr-alert" in ready.does("status")
    assert "edr-alert" not in ready.does("status", who="suzuki")
    assert "ransomware" not in ready.does("status", who="suzuki")
    ready.refused("inject", "list", who="suzuki")
    ready.refused("inject", "show", "edr-alert", who="suzuki")


def test_every_answer_of_a_drill_begins_with_its_mark_in_both_languages(ready: Drill) -> None:
    for arguments in (["drill", "status"], ["list"], ["drill", "participants"], ["show", "INC-2026-0001"]):
        for lang in ("ja", "en"):
            _, said = ready.run(*arguments, lang=lang)
            assert said.lstrip().startswith(MARK), (arguments, lang, said)


def test_the_hot_wash_the_questionnaire_and_the_sign_off(ready: Drill) -> None:
    ready.does("start")
    ready.does("observe", "the route was out of date", "--improve", who="yamamoto")
    ready.does("end", "--reason", "objectives met", "--page-now")
    assert ready.told("notice.exercise_ended") == [DUTY, LEAD, CONTROLLER]
    objective = "first-hour" if "first-hour" in str(ready.json("status")) else _objective(ready)
    ready.does("rate", objective, "S", "--observation", "OBS-001")
    ready.does("hotwash", "the route was out of date", "--for", DUTY)
    questions = ready.json("questions", who="suzuki")
    scale = next(one["id"] for one in questions if one["kind"] == "scale")
    text = next(one["id"] for one in questions if one["kind"] == "text")
    ready.does("answer", f"{scale}=4", f"{text}=more time", who="suzuki")
    ready.does("answer", f"{scale}=5", who="suzuki")
    answers = {one["id"]: one["answer"] for one in ready.json("questions", who="suzuki")}
    assert (answers[scale], answers[text]) == ("5", "more time")
    ready.refused("signoff", who="suzuki")
    ready.does("signoff", "seen", who="kato")


def _objective(drill: Drill) -> str:
    inject = next(one for one in drill.json("inject", "list") if one["inject"].get("objectives"))
    return str(inject["inject"]["objectives"][0])


REFUSED: list[tuple[str, list[str], str]] = [
    ("a player does not start it", ["start"], "suzuki"),
    ("a player does not fire an inject", ["fire", "edr-alert"], "suzuki"),
    ("a player does not skip one", ["skip", "edr-alert", "--reason", "no"], "suzuki"),
    ("a player does not speak for others", ["say", "control", "hello", "--to", "csirt-lead"], "suzuki"),
    ("a player does not pause", ["pause"], "suzuki"),
    ("a player enrols nobody", ["enrol", "kato-hiroshi", "--role", "ciso"], "suzuki"),
    ("a player says nothing of addresses", ["enrol", LEAD, "--address", "email:a@b.example"], "suzuki"),
    ("a player asks for no confirmation", ["confirm-addresses", LEAD], "suzuki"),
    ("a player makes nobody staff", ["staff", "suzuki-daichi", "controller"], "suzuki"),
    ("a player rates nothing", ["rate", "x", "P", "--observation", "OBS-001"], "suzuki"),
    ("somebody who is not known is not enrolled", ["enrol", "nobody", "--role", "ciso"], "sato"),
    ("nobody plays a role that there is not", ["enrol", "kato-hiroshi", "--role", "king"], "sato"),
    ("nothing is fired before STARTEX", ["fire", "edr-alert"], "sato"),
    ("an inject that there is not is not left out", ["skip", "nothing", "--reason", "no"], "sato"),
    ("whoever does not take part is asked for no address", ["confirm-addresses", "kato-hiroshi"], "sato"),
]


@pytest.mark.parametrize(("_why", "arguments", "who"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_refused_says_why_and_changes_nothing(
    unchanged: Drill, _why: str, arguments: list[str], who: str
) -> None:
    file = unchanged.directory / "participants.yaml"
    before = file.read_bytes()
    assert unchanged.refused(*arguments, who=who)
    assert file.read_bytes() == before


WRONG: list[tuple[str, list[str], str]] = [
    ("a step needs to say how far", ["step"], "--by"),
    ("not both ways to say how far", ["step", "--by", "10m", "--to-next"], "--by"),
    ("an address needs its channel", ["enrol", LEAD, "--address", "misaki"], "CHANNEL:ADDRESS"),
    ("a channel that there is not", ["enrol", LEAD, "--address", "fax:1"], "slack"),
    ("an address that cannot be one", ["enrol", LEAD, "--address", "email:nobody"], "email"),
    ("an observation is of one kind", ["observe", "x", "--strength", "--improve"], "not both"),
    ("a rating is one of four", ["rate", "x", "Z", "--observation", "OBS-001"], "P, S, M, U"),
    ("somebody is absent for a reason", ["absent", LEAD], "--why"),
    ("an edit needs a file or a text", ["edit", "edr-alert"], "--text"),
]


@pytest.mark.parametrize(("_why", "arguments", "says"), WRONG, ids=[row[0] for row in WRONG])
def test_what_cannot_be_meant_is_wrong_usage(
    unchanged: Drill, _why: str, arguments: list[str], says: str
) -> None:
    code, said = unchanged.run("drill", *arguments)
    assert code == 2, said
    assert says in said


def test_an_inject_with_defects_is_told_with_line_and_field(ready: Drill, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(INJECT.replace("kind: call", "kind: shout").replace("at: 90m", "at: soon"), "utf-8")
    code, said = ready.run("drill", "add", str(file))
    assert code == 2
    assert "bad.yaml:2:" in said
    assert "bad.yaml:6:" in said
    assert "kind" in said


def test_outside_a_drill_these_commands_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = prepare(tmp_path, monkeypatch)
    bank = Drill(directory=made.bank, monkeypatch=monkeypatch, capsys=capsys)
    commands: list[list[str]] = [["status"], ["start"], ["abort"], ["fire", "x"], ["participants"]]
    for arguments in commands:
        assert "drill" in bank.refused(*arguments)
    checks: Callable[[], list[dict[str, Any]]] = bank.sent
    assert checks() == []


def test_startex_names_whom_nothing_reaches_and_that_no_node_runs(drill: Drill) -> None:
    drill.does("enrol", LEAD, "--role", "csirt-lead", "--address", "file")
    said = drill.does("start")
    assert "NOT CONFIRMED" in said and LEAD in said
    assert "No node of this drill runs" in said and "hikeshi drill run" in said


def test_an_address_on_a_channel_that_is_not_set_up_is_said_at_once(drill: Drill) -> None:
    said = drill.does("enrol", LEAD, "--role", "csirt-lead", "--address", "email:misaki@bank.example")
    assert "email is not set up in the settings.toml of this drill" in said
    assert "not set up" not in drill.does("enrol", LEAD, "--address", "file")


def test_a_drill_without_its_node_says_how_to_start_that_and_not_productions(drill: Drill) -> None:
    drill.does("enrol", LEAD, "--role", "csirt-lead", "--address", "file")
    code, said = drill.run("drill", "confirm-addresses")
    assert code == 3 and "hikeshi drill run" in said and "hikeshi up" not in said
    code, said = drill.run("drill", "confirm-addresses")
    assert "Reached: –. Not answered: Misaki Tanaka" in said


def test_whoever_the_abort_cannot_reach_is_named(ready: Drill) -> None:
    ready.does("start")
    code, said = ready.run("drill", "abort", "ransomware, in earnest")
    assert code == 0 and "told 3 of 3 people" in said
    named = next(line for line in said.splitlines() if "without a confirmed address" in line)
    assert "ito-shota" in named and LEAD not in named
