"""Clocks, services, impact, instants and backups as people type them: what is shown, and what is refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from console.ics import MAX_OCTETS, calendar
from console.views.clocks import Clock
from tests.console.clihouse import Answer, Cli, cli

__all__ = ["cli"]
INC = "INC-2026-0001"
NOON, ELEVEN, FIVE = (f"2026-11-24T{hour}:00:00+09:00" for hour in ("12", "11", "05"))
AHEAD, TOMORROW = "2026-11-24T22:00:00+09:00", "2026-11-25T12:00:00+09:00"
UNKNOWN = "unknown"


@pytest.fixture
def down(cli: Cli) -> Cli:
    """ATM is down since eleven; it is noon."""
    assert cli.run("declare", "x", "--playbook", "short", "--service", "atm", "--occurred", ELEVEN).code == 3
    return cli


def all_down(cli: Cli) -> None:
    """With ATM, what it needs: core banking, and what that needs."""
    for name in ("core-banking", "identity"):
        cli.done("service", "impact", INC, name, "--since", NOON)


def part(text: str, title: str) -> list[str]:
    """The lines below a title, up to the next one."""
    lines = text.splitlines()
    return lines[lines.index(title) + 1 :]


def clocks(cli: Cli, *arguments: str) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in cli.run("clocks", *arguments, "--json").json}


# -- refused ------------------------------------------------------------------------------------------------

REFUSED = [
    pytest.param(
        ["instant", INC, "recognized", NOON, "--source", "x"],
        ('there is no "recognized"', "Check the id"),
        ("「recognized」はない", "id を確かめて"),
        id="an unknown instant",
    ),
    pytest.param(
        ["instant", INC, "recognised", TOMORROW, "--source", "x"],
        ("the time lies ahead", "Check the time and its offset"),
        ("時刻が未来", "時差"),
        id="an instant that lies ahead",
    ),
    pytest.param(
        ["service", "eta", INC, "atm", FIVE],
        ("the time has passed already", "a time that lies ahead"),
        ("過去の時刻です", "見込みの時刻を書いて"),
        id="an expectation in the past",
    ),
    pytest.param(
        ["service", "eta", INC, "email", AHEAD],
        ('there is no service "email". Known: atm', f"hikeshi service impact {INC}"),
        ("「email」", "hikeshi service impact"),
        id="an expectation of what is not down",
    ),
    pytest.param(
        ["service", "restored", INC, "atm", "--at", FIVE],
        ("lies before the beginning", "hikeshi service impact"),
        ("記録上の始まりより前", "hikeshi service impact"),
        id="a restoration before the outage",
    ),
    pytest.param(
        ["service", "impact", INC, "email", "--since", TOMORROW],
        ("the time lies ahead", "offset"),
        ("時刻が未来", "時差"),
        id="an outage that lies ahead",
    ),
    pytest.param(
        ["service", "level", INC, "atm", "half"],
        ('atm has no level "half". Known: stopped, partial, target, normal', "organisation.yaml"),
        ("「half」", "organisation.yaml"),
        id="a level that there is not",
    ),
    pytest.param(
        ["service", "impact", INC, "cash"],
        ('there is no service "cash"', "organisation.yaml"),
        ("「cash」", "organisation.yaml"),
        id="a service that there is not",
    ),
    pytest.param(
        ["impact", "set", INC, "persons", "4", "--source", "x"],
        ('there is no "persons". Known: people', "Check the id"),
        ("「persons」はない", "id を確かめて"),
        id="a kind of harm that there is not",
    ),
    pytest.param(
        ["impact", "set", INC, "people", "many", "--source", "x"],
        ("a whole number that is not negative, or unknown, got 'many'", "Mend the value"),
        ("people", "直して"),
        id="a number that is none",
    ),
    pytest.param(
        ["impact", "set", INC, "customers-share", "101", "--source", "x"],
        ("at most 100 per cent", "Mend the value"),
        ("customers-share", "直して"),
        id="more than all",
    ),
    pytest.param(
        ["impact", "set", INC, "purpose", "evil", "--source", "x"],
        ("one of improper, not-improper, or unknown", "Mend the value"),
        ("purpose", "直して"),
        id="a word that never occurs",
    ),
    pytest.param(
        ["backup", "set", INC, "b1", "core-banking", TOMORROW],
        ("the time lies ahead", "offset"),
        ("時刻が未来", "時差"),
        id="a backup from tomorrow",
    ),
    pytest.param(
        ["backup", "set", INC, "b1", "core-banking", FIVE, "--tested", "yesterday"],
        ("tested: expected a date such as 2026-10-01", "Mend the value"),
        ("tested", "直して"),
        id="a test on no day",
    ),
    pytest.param(
        ["clocks", "INC-2026-0009"],
        ("there is no incident INC-2026-0009", "hikeshi list"),
        ("INC-2026-0009 はない", "hikeshi list"),
        id="clocks of nothing",
    ),
]
WRONG = [
    pytest.param(
        ["instant", INC, "recognised", "2026-11-24T11:00:00", "--source", "x"],
        "TIME: 2026-11-24T11:00:00 has no offset. Write it as 2026-11-24T11:00:00+09:00.",
        "+09:00",
        id="an instant without a zone",
    ),
    pytest.param(
        ["service", "eta", INC, "atm", "2026-11-24T22:00:00"], "has no offset", "+09:00", id="one ahead too"
    ),
    pytest.param(
        ["service", "restored", INC, "atm", "--at", "soon"], "--at: soon is no time", "soon", id="no time"
    ),
    pytest.param(
        ["impact", "set", INC, "people", "4", "--source", "x", "--confidence", "sure"],
        "sure is none of confirmed, likely, suspected",
        "suspected",
        id="a confidence that there is not",
    ),
    pytest.param(
        ["backup", "set", INC, "b1", "atm", FIVE, "--tamper", "no"],
        "no is none of unknown, clean, tampered",
        "tampered",
        id="a finding that there is not",
    ),
    pytest.param(
        ["service", "confirm", INC, "atm", "--side", "me"],
        "me is none of csirt, owner",
        "owner",
        id="no side",
    ),
    pytest.param(
        ["clocks", "--ics", "/nowhere/at/all.ics"],
        "--ics: /nowhere/at/all.ics cannot be written",
        "--ics: /nowhere/at/all.ics に書けません",
        id="no place",
    ),
]


@pytest.mark.parametrize(("arguments", "english", "japanese"), REFUSED)
def test_what_cannot_be_is_refused_with_advice(
    down: Cli, arguments: list[str], english: tuple[str, str], japanese: tuple[str, str]
) -> None:
    before = down.house.desk.incident(INC).seq
    for lang, (says, do) in (("en", english), ("ja", japanese)):
        answer = down.run(*arguments, lang=lang)
        said, _, advice = answer.err.strip().partition("\n")
        assert (answer.code, answer.out.strip()) == (1, ""), answer
        assert says in said
        assert do in advice
    assert down.house.desk.incident(INC).seq == before


@pytest.mark.parametrize(("arguments", "english", "japanese"), WRONG)
def test_what_cannot_be_read_is_wrong_usage(
    down: Cli, arguments: list[str], english: str, japanese: str
) -> None:
    for lang, says in (("en", english), ("ja", japanese)):
        answer = down.run(*arguments, lang=lang)
        assert answer.code == 2
        assert says in answer.err


# -- harm ---------------------------------------------------------------------------------------------------


def test_every_instant_is_listed_and_one_that_nobody_knows_says_so(down: Cli) -> None:
    down.done("instant", INC, "recognised", NOON, "--source", "the log")
    lines = part(down.run("instants", INC).out, "■ Instants")
    known = {line.split("[")[1].split("]")[0]: line.split(": ", 1)[1] for line in lines if "[" in line}
    assert {name for name, said in known.items() if said != UNKNOWN} == {"declared", "occurred", "recognised"}
    assert len(known) == 15
    assert "認識 [recognised]: 2026-11-24 12:00 +09:00" in down.run("instants", INC, lang="ja").out
    assert down.run("instants", INC, "--json").json["recognised"] == "2026-11-24T03:00:00.000000Z"


def test_impact_is_listed_with_its_source_and_what_is_not_known_is_unknown(down: Cli) -> None:
    assert down.run("impact", "list", INC).out.count(": unknown") == 12
    down.done("impact", "set", INC, "people", "12,000", "--source", "the log", "--confidence", "confirmed")
    down.done("impact", "set", INC, "data", "credentials financial", "--source", "the log")
    down.done("impact", "set", INC, "assets", "Ledger of | clients", "--source", "hearsay")
    down.done("impact", "set", INC, "purpose", "unknown", "--source", "nobody")
    said = down.run("impact", "list", INC).out
    assert "persons whose data it is [people]: 12000  (confirmed, the log, Kenji Sato" in said
    assert "kinds of data [data]: financial harm possible, credentials  (likely" in said
    assert "assets affected [assets]: Ledger of | clients" in said
    assert "purpose [purpose]: unknown" in said
    down.done("impact", "set", INC, "people", "不明", "--source", "we were wrong")
    assert "[people]: 不明" in down.run("impact", "list", INC, lang="ja").out
    stored = down.run("impact", "list", INC, "--json").json
    assert (stored["people"]["value"], stored["data"]["value"]) == ("unknown", ["financial", "credentials"])


def test_what_is_not_known_of_a_backup_is_unknown_and_no_loss_is_made_up(down: Cli) -> None:
    said = down.run("backup", "list", INC).out
    assert "ATM: data loss: unknown (no recovery point is recorded)" in said
    down.done("service", "impact", INC, "core-banking")
    assert "recovery point cb-tape-1120" in down.run("backup", "list", INC).out, "from the register"
    down.done("backup", "set", INC, "b1", "core-banking", ELEVEN)
    said = down.run("backup", "list", INC).out
    assert "Core banking: data loss: unknown (point b1 is not checked yet)" in said
    assert "recovery point b1 (Core banking) 2026-11-24 11:00 +09:00  tampering: NOT CHECKED" in said
    for found in (
        down.run("backup", "list", INC, "--json").json["losses"]["core-banking"],
        down.run("show", INC, "--json").json["services"]["core-banking"]["loss"],
    ):
        assert (found["status"], found["loss"]) == (UNKNOWN, None), "no number that a program may take for it"
    assert "不明" in down.run("backup", "list", INC, lang="ja").out


def test_a_checked_backup_says_how_much_is_lost_against_what_may_be(down: Cli) -> None:
    down.done("service", "impact", INC, "core-banking", "--since", NOON)
    clean = ("--tamper", "clean", "--malware", "clean")
    down.done("backup", "set", INC, "b1", "core-banking", ELEVEN, *clean)
    said = down.run("backup", "list", INC).out
    assert "Core banking: DATA LOSS 1 h, beyond the RPO of 15 min; usable point: b1" in said
    assert "for now: the time of the compromise is unknown" in said
    down.done("backup", "set", INC, "b2", "core-banking", "2026-11-24T11:50:00+09:00", *clean)
    assert "data loss 10 min (b2), within the RPO of 15 min" in down.run("backup", "list", INC).out
    infected = ("--tamper", "clean", "--malware", "infected")
    down.done("backup", "set", INC, "b2", "core-banking", "2026-11-24T11:50:00+09:00", *infected)
    assert "beyond the RPO of 15 min; usable point: b1" in down.run("backup", "list", INC).out


@pytest.mark.parametrize(
    ("lang", "words", "why"),
    [
        ("en", "RPO BROKEN: data loss of Core banking has no bound: no usable point", "no recovery point is"),
        (
            "ja",
            "勘定系システム のデータ損失を限定できない（使える復旧ポイントがない）",
            "復旧ポイントの記録がない",
        ),
    ],
)
def test_the_log_says_that_no_backup_can_be_used_and_why_nobody_knows(
    down: Cli, lang: str, words: str, why: str
) -> None:
    down.done("service", "impact", INC, "core-banking", "--since", NOON)
    infected = ("--tamper", "clean", "--malware", "infected")
    for name in ("cb-tape-1120", "b1"):
        down.done("backup", "set", INC, name, "core-banking", ELEVEN, *infected)
    said = down.run("log", INC, lang=lang).out
    assert words in said
    assert "usable point: )" not in said and "使える時点: ）" not in said
    assert why in said


def test_the_log_gives_the_clock_of_a_past_situation_report_no_number_of_today(down: Cli) -> None:
    down.done("severity", INC, "critical", "--reason", "-")
    down.done("report", "situation", INC, "By telephone")
    said = down.run("log", INC).out
    assert "clock set: situation report, due" in said
    assert "clock set: situation report no." not in said
    assert "situation report no. 1: By telephone" in said


def test_services_stand_in_the_order_of_recovery_each_with_what_it_waits_for(down: Cli) -> None:
    all_down(down)
    said = down.run("service", "list", INC).out
    places = [said.index(f"[{name}]: ") for name in ("identity", "core-banking", "atm")]
    assert places == sorted(places)
    assert part(said, "Order of recovery")[:3] == [
        "1. Identity (Active Directory)",
        "2. Core banking <- needs first: Identity (Active Directory)",
        "5. ATM <- needs first: Core banking",
    ]
    assert list(down.run("service", "list", INC, "--json").json) == ["atm", "core-banking", "identity"]


def test_a_service_that_is_back_no_longer_stands_in_the_order_of_recovery(down: Cli) -> None:
    all_down(down)
    down.done("service", "restored", INC, "identity")
    down.done("service", "level", INC, "core-banking", "enquiry")
    for words in (("service", "list"), ("clocks",)):
        said = down.run(*words, INC).out
        assert "1. Identity" not in said
        assert "2. Core banking\n" in said, "below its target, and waiting for nothing"
    down.done("service", "restored", INC, "core-banking")
    down.done("service", "restored", INC, "atm")
    assert "Order of recovery" not in down.run("clocks", INC).out


# -- clocks -------------------------------------------------------------------------------------------------


def test_what_breaks_next_comes_first_what_has_not_started_later_and_what_is_over_last(down: Cli) -> None:
    down.done("service", "impact", INC, "zengin-link")
    down.done("service", "restored", INC, "atm")
    down.done("service", "confirm", INC, "atm", "--side", "csirt")
    down.done("service", "confirm", INC, "atm", "--side", "owner", who="hayashi")
    found = list(clocks(down, INC).values())
    groups = [(one["status"] in {"met", "missed", "ended"}, one["at"] is None) for one in found]
    assert groups == sorted(groups)
    running = [one["at"] for one in found if groups[found.index(one)] == (False, False)]
    assert running == sorted(running)
    assert groups.count((False, True)) >= 1
    assert {one["id"] for one in found if one["status"] == "met"} == {"rto:atm", "mtpd:atm"}
    assert down.run("clocks", INC).out.index("RTO of Zengin link") < down.run("clocks", INC).out.index(
        "met   2026-11-24 15:00 +09:00   INC-2026-0001   RTO: RTO of ATM"
    )


def test_a_target_that_was_reached_too_late_stays_on_the_screen_and_last(down: Cli) -> None:
    down.done("service", "impact", INC, "core-banking", "--since", FIVE)
    down.done("service", "restored", INC, "core-banking")
    down.done("service", "confirm", INC, "core-banking", "--side", "csirt")
    down.done("service", "confirm", INC, "core-banking", "--side", "owner", who="kimura")
    found = clocks(down, INC)
    assert found["rto:core-banking"]["status"] == "missed"
    assert found["mtpd:core-banking"]["status"] == "met"
    assert list(found)[-2:] == ["rto:core-banking", "mtpd:core-banking"]
    said = down.run("clocks", INC).out
    assert "REACHED TOO LATE   2026-11-24 09:00 +09:00" in said
    assert "reached 2026-11-24 12:0" in said
    assert "遅れて到達　2026-11-24 09:00 +09:00" in down.run("clocks", INC, lang="ja").out


def test_a_forecast_breaks_the_clocks_of_all_that_wait_for_it_and_names_the_way(down: Cli) -> None:
    all_down(down)
    assert down.run("service", "eta", INC, "identity", AHEAD).code == 3
    found = clocks(down, INC)
    assert found["rto:atm"]["status"] == "forecast-to-break"
    assert found["rto:atm"]["forecast"] == "2026-11-24T13:00:00+00:00"
    assert found["rto:atm"]["path"] == ["identity", "core-banking", "atm"]
    assert found["mtpd:atm"]["status"] == "running", "eleven hours are borne"
    said = down.run("clocks", INC).out
    assert "FORECAST TO BREAK, 2" in said
    assert (
        "forecast 2026-11-24 22:00 +09:00 (by way of Identity (Active Directory) > Core banking > ATM)"
        in said
    )
    assert (
        "経路 認証基盤（Active Directory） > 勘定系システム > ATM" in down.run("clocks", INC, lang="ja").out
    )


def test_a_level_below_the_target_does_not_stop_the_clock(down: Cli) -> None:
    down.done("service", "impact", INC, "core-banking", "--since", NOON)
    down.done("service", "level", INC, "core-banking", "enquiry")
    one = clocks(down, INC)["rto:core-banking"]
    assert one["status"] == "running"
    assert one["detail"] == "level: balance enquiry only -> to reach deposits and transfers are posted"


def test_clocks_for_programs_have_one_shape(down: Cli) -> None:
    all_down(down)
    shape = {
        "stream", "id", "kind", "what", "at", "who", "stops", "status", "started_at", "stopped_at", "share",
        "forecast", "path", "needs", "internal", "detail",
    }  # fmt: skip
    found = down.run("clocks", "--json").json
    assert {frozenset(one) for one in found} == {frozenset(shape)}
    assert {one["kind"] for one in found} >= {"page", "step", "rto", "mtpd", "report", "phase"}
    for one in found:
        assert one["at"] is None or datetime.fromisoformat(one["at"]).utcoffset() == timedelta(0)
        assert (one["status"] == "waiting") == (one["at"] is None and bool(one["needs"]))
        assert one["stops"].startswith("hikeshi ") or one["kind"] == "page"
    rto = next(one for one in found if one["id"] == "rto:atm")
    assert (rto["at"], rto["share"], rto["who"]) == (
        "2026-11-24T06:00:00+00:00",
        25,
        "ATM owner (Mari Hayashi)",
    )


# -- a calendar file ----------------------------------------------------------------------------------------


def unfolded(text: str) -> list[str]:
    """The lines of an RFC 5545 file as they were before they were folded."""
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    for line in text.split("\r\n"):
        assert len(line.encode()) <= MAX_OCTETS, line
    return text.replace("\r\n ", "").split("\r\n")[:-1]


def entries(text: str) -> list[dict[str, str]]:
    """The events, each with its values as they were before they were escaped."""
    lines = unfolded(text)
    assert (lines[0], lines[1], lines[-1]) == ("BEGIN:VCALENDAR", "VERSION:2.0", "END:VCALENDAR")
    found: list[dict[str, str]] = []
    for line in lines:
        name, _, value = line.partition(":")
        assert not re.search(r"(?<!\\)[;,]", value.replace("\\\\", "")), line
        if line == "BEGIN:VEVENT":
            found.append({})
        elif found and name not in {"BEGIN", "END"}:
            plain = re.sub(r"\\(.)", lambda one: "\n" if one[1] == "n" else one[1], value)
            assert found[-1].setdefault(name, plain) == plain, f"{name} is there twice"
    return found


def ics(cli: Cli, *arguments: str, lang: str = "en") -> Answer:
    answer = cli.run("clocks", *arguments, "--ics", "-", lang=lang)
    assert answer.code == 0
    return answer


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_a_calendar_holds_every_clock_that_runs_and_has_an_end(down: Cli, lang: str) -> None:
    all_down(down)
    down.done("instant", INC, "recognised", NOON, "--source", "x")
    found = {one["UID"]: one for one in entries(ics(down, INC, lang=lang).out)}
    running = {
        f"{INC}-{name}@hikeshi": one
        for name, one in clocks(down, INC).items()
        if one["at"] is not None and one["kind"] != "page"
    }
    assert found.keys() == running.keys()
    for uid, one in running.items():
        at = datetime.fromisoformat(one["at"])
        assert found[uid]["DTSTART"] == at.strftime("%Y%m%dT%H%M%SZ")
        assert found[uid]["DESCRIPTION"].startswith("hikeshi ")
        assert found[uid].keys() == {"UID", "DTSTAMP", "DTSTART", "SUMMARY", "DESCRIPTION"}
    title = found[f"{INC}-report:ZENGIN-NOTICE/first@hikeshi"]["SUMMARY"]
    assert title.startswith(f"{INC} ")
    assert ("First word, 30 minutes" if lang == "en" else "第一報（影響の認識から30分以内）") in title


def test_an_entry_keeps_its_uid_while_its_time_changes(down: Cli) -> None:
    before = {one["UID"]: one["DTSTART"] for one in entries(ics(down, INC).out)}
    down.done("service", "impact", INC, "atm", "--since", "2026-11-24T11:30:00+09:00")
    after = {one["UID"]: one["DTSTART"] for one in entries(ics(down, INC).out)}
    uid = f"{INC}-rto:atm@hikeshi"
    assert (before[uid], after[uid]) == ("20261124T060000Z", "20261124T063000Z")
    assert before.keys() == after.keys()


def test_what_people_wrote_stays_out_of_the_calendar(down: Cli) -> None:
    words = ("--phase", "triage", "--owner", "csirt-lead", "--reason", "x", "--within", "1h")
    down.done("step", "add", INC, "extra", "--title", "Call Mr Suzuki; account 123\nEND:VCALENDAR", *words)
    text = ics(down, INC).out
    assert "Suzuki" not in text
    assert text.count("END:VCALENDAR") == 1
    found = {one["UID"]: one["SUMMARY"] for one in entries(text)}
    assert found[f"{INC}-step:added/extra@hikeshi"] == f"{INC} added/extra"
    assert found[f"{INC}-step:short/look@hikeshi"] == f"{INC} Look"


def test_of_control_characters_a_calendar_takes_none() -> None:
    at = datetime(2026, 11, 24, 6, tzinfo=UTC)
    odd = "A\x00b\x1b[31m\r\nEND:VEVENT\x7f\x85;\tc"
    one = Clock(stream=INC, id="report:odd", kind="report", what=odd, at=at, who="-", stops="hikeshi\x07")
    (found,) = entries(calendar([one], at))
    assert found["SUMMARY"] == f"{INC} Ab[31m\nEND:VEVENT;\tc"
    assert found["DESCRIPTION"] == "hikeshi"


def test_a_calendar_is_written_to_a_file_as_it_is(down: Cli, tmp_path: Path) -> None:
    path = tmp_path / "clocks.ics"
    answer = down.run("clocks", "--ics", str(path))
    assert answer.code == 0
    assert str(path) in answer.err
    assert path.read_bytes().decode() == ics(down).out


def test_a_calendar_without_clocks_is_a_calendar(cli: Cli) -> None:
    assert entries(ics(cli).out) == []
