"""What is left of an exercise: its report for people and programs, its findings, its signed result."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from console.main import execute
from console.signing import new_key
from models.drillfile import DrillFile
from models.drillresult import DrillResult, MeasureResult, Player, read, sign
from models.exercise import EXERCISE, Rate, SignOff
from tests.console.afterhouse import (
    CISO,
    DUTY,
    LEAD,
    SCENARIO,
    SECRET,
    STARTEX,
    VENDOR,
    WATCHER,
    Hour,
    judged,
    played,
    prepared,
)
from tests.console.clihouse import Answer, Cli, cli
from tests.console.test_cli_exercises import reopened
from tests.models.test_drillresult import result as small_result

__all__ = ["cli"]
ACCOUNTS = {LEAD: "okada", WATCHER: "fujita", DUTY: "suzuki", CISO: "kato"}


@pytest.fixture
def hour(cli: Cli) -> Hour:
    """An hour was played and judged."""
    return judged(cli.house)


def run(cli: Cli, hour: Hour, *arguments: str, who: str = LEAD, lang: str = "en") -> Answer:
    cli.house = hour.house
    return cli.run(*arguments, who=ACCOUNTS[who], lang=lang)


def read_xml(page: str) -> ET.Element:
    return ET.fromstring(page)  # noqa: S314 - a page of our own


def told(cli: Cli, hour: Hour) -> Any:
    return run(cli, hour, "drill", "report", "--json").json


# -- the report ---------------------------------------------------------------------------------------------


def test_the_report_tells_of_each_objective_what_was_expected_and_what_was_done(cli: Cli, hour: Hour) -> None:
    objectives = {one["id"]: one for one in told(cli, hour)["objectives"]}
    first = {one["step"]: one for one in objectives["first-response"]["expectations"]}

    assert (first["ransomware/confirm-alert"]["outcome"], first["ransomware/confirm-alert"]["done_by"]) == (
        "done",
        DUTY,
    )
    assert first["ransomware/confirm-alert"]["took_seconds"] == 5 * 60
    assert first["ransomware/cut-first-host"]["outcome"] == "late"
    assert first["ransomware/judge-severity"]["outcome"] == "not-done"
    assert (objectives["first-response"]["rating"], objectives["first-response"]["rated_by"]) == (
        "M",
        WATCHER,
    )


def test_what_only_the_script_did_is_said_and_rated_by_nobody(cli: Cli, hour: Hour) -> None:
    objectives = {one["id"]: one for one in told(cli, hour)["objectives"]}
    backups = {one["inject"]: one["outcome"] for one in objectives["protect-backups"]["expectations"]
               if one["step"] == "ransomware/backups-offline"}  # fmt: skip

    assert backups == {"backup-logon": "scripted", "retention-zero": "not-delivered"}
    assert objectives["protect-backups"]["proposed"] is None
    assert objectives["protect-backups"]["reasons"] == ["only-scripted"]
    text = run(cli, hour, "drill", "report", "--format", "md").out
    assert "not exercised: only scripted responders acted" in text
    assert "(scripted)" in text


def test_a_decision_in_time_is_done_and_the_objectives_time_is_that_of_the_decision(
    cli: Cli, hour: Hour
) -> None:
    objectives = {one["id"]: one for one in told(cli, hour)["objectives"]}
    isolate = objectives["isolate-by-authority"]

    assert (isolate["limit_seconds"], isolate["took_seconds"]) == (15 * 60, 4 * 60)
    outcomes = {one["step"]: one["outcome"] for one in isolate["expectations"] if one["asked_at"]}
    assert outcomes == {
        "ransomware/contain-or-preserve": "done",
        "ransomware/isolate-segment": "done",
        "ransomware/experts/call-experts": "not-done",
    }
    assert (isolate["proposed"], isolate["reasons"]) == ("M", ["step-not-done"])


def test_recovery_targets_are_those_of_the_register_and_what_was_measured(cli: Cli, hour: Hour) -> None:
    objective = next(one for one in told(cli, hour)["objectives"] if one["id"] == "sound-recovery-point")
    rto, rpo, rlo = objective["measures"]

    assert (rto["target_seconds"], rto["measured_seconds"], rto["outcome"]) == (4 * 3600, None, "missed")
    assert rto["why"] == "not-back"
    assert (rpo["target_seconds"], rpo["measured_seconds"], rpo["outcome"]) == (900, 13 * 86_400, "missed")
    assert rlo["outcome"] in {"missed", "unknown"}


def test_the_report_is_a_draft_until_every_rating_is_confirmed_and_then_final(cli: Cli, hour: Hour) -> None:
    before = run(cli, hour, "drill", "report", "--format", "md").out
    assert "# 【訓練】 EXERCISE DRAFT" in before
    assert told(cli, hour)["draft"]
    for one in told(cli, hour)["objectives"]:
        if one["rating"] is None:
            hour.do(Rate, WATCHER, objective=one["id"], rating="S", observation="OBS-001")
    after = run(cli, hour, "drill", "report", "--format", "md").out
    assert "DRAFT" not in after
    assert not told(cli, hour)["draft"]


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_every_part_of_the_report_is_there_in_both_languages_and_marked(
    cli: Cli, hour: Hour, lang: str
) -> None:
    page = run(cli, hour, "drill", "report", "--format", "html", lang=lang).out
    root = read_xml(page.removeprefix("<!DOCTYPE html>"))
    chapters = [one.get("id") for one in root.iter("h2")]

    assert "【訓練】" in page.split("</title>")[0]
    assert {"strengths", "weaknesses", "causes", "plan", "measures", "objective-report", "timeline", "calls",
            "gates", "decisions", "deadlines", "people", "hot_wash", "questions", "observations",
            "sign-off"} <= set(chapters)  # fmt: skip
    assert all("aar." not in text for text in root.itertext())


def test_what_people_wrote_stands_in_the_report_and_is_no_markup_of_it(cli: Cli, hour: Hour) -> None:
    page = run(cli, hour, "drill", "report", "--format", "html").out
    sheet = run(cli, hour, "drill", "report", "--format", "md").out

    assert SECRET in "".join(read_xml(page.removeprefix("<!DOCTYPE html>")).itertext())
    assert "<b>5" not in page
    assert "<b>5" not in sheet
    for said in ("落ち着いて電話を使った", "宣言は早かった", "電車の遅れ"):
        assert said in page


def test_the_timeline_has_every_inject_with_how_it_came_in(cli: Cli, hour: Hour) -> None:
    rows = {one["id"]: one for one in told(cli, hour)["timeline"]}

    assert (rows["edr-alert"]["how"], rows["edr-alert"]["played_seconds"]) == ("planned", 0)
    # The first host was cut off too late, so that the contingency came in; the segment was decided in time.
    assert rows["second-server"]["how"] == "planned"
    assert rows["branch-gateway"]["how"] == "not-needed"
    assert "not needed" in run(cli, hour, "drill", "report", "--format", "md").out


def test_who_was_absent_and_which_roles_the_script_took_is_told(cli: Cli, hour: Hour) -> None:
    whole = told(cli, hour)
    people = {one["person"]: one["absent"] for one in whole["participants"]}
    roles = {one["role"]: one["how"] for one in whole["roles"]}

    assert people["abe-kazuya"] == "電車の遅れ"
    assert people[DUTY] is None
    assert (roles["csirt-duty"], roles["it-ops"]) == ("played", "scripted")
    assert "shimizu-yuta" not in whole["people"]


def test_answers_are_counted_with_their_mean(cli: Cli, hour: Hour) -> None:
    page = run(cli, hour, "drill", "report", "--format", "md").out
    row = next(line for line in page.splitlines() if "withstand tampering" in line)

    assert row.split("|")[2:5] == [" 2 ", " 2: 1, 4: 1 ", " 3.0 "]


def test_the_screen_shows_it_too_and_a_file_is_written_where_it_is_asked_for(
    cli: Cli, hour: Hour, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    assert "Improvement plan" in run(cli, hour, "drill", "report").out
    assert run(cli, hour, "drill", "report", "--format", "html", "--out", str(file)).code == 0
    assert file.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert run(cli, hour, "drill", "report", "--out", str(file)).code == 2
    assert run(cli, hour, "drill", "report", "--format", "pdf").code == 2


def test_while_it_is_played_only_its_staff_reads_the_report(cli: Cli) -> None:
    hour = played(cli.house)

    refused = run(cli, hour, "drill", "report", who=DUTY)
    assert (refused.code, "may not do this in the exercise" in refused.err) == (1, True)
    assert "not over" in run(cli, hour, "drill", "report").out


def test_before_startex_the_report_says_how_far_it_is_and_no_end_of_the_story(cli: Cli) -> None:
    sheet = run(cli, prepared(cli.house), "drill", "report", "--format", "md").out

    assert "- **status**: prepared" in sheet
    assert "- **in the story**: 2026-11-25 00:40 +09:00\n" in sheet


def test_in_a_directory_that_is_no_drill_there_is_nothing_to_report(cli: Cli) -> None:
    for command in (("report",), ("result", "--out", "x.json"), ("finding", "list")):
        answer = cli.run("drill", *command, who="okada")
        assert answer.code == 1
        assert "hikeshi drill prepare" in answer.err


# -- findings -----------------------------------------------------------------------------------------------


def test_a_proposal_is_taken_over_with_an_owner_and_a_day_and_stands_in_the_plan(
    cli: Cli, hour: Hour
) -> None:
    listed = run(cli, hour, "drill", "finding", "list", "--json").json
    sources = [one["source"] for one in listed["proposals"]]
    assert {"observation:OBS-003", "objective:first-response", "measure:rto:core-banking"} <= set(sources)
    added = run(cli, hour, "drill", "finding", "add", "--from", "measure:rto:core-banking", "--cause",
                "夜間の手順がない", "--owner", "shimizu", "--due", "2027-03-31")  # fmt: skip
    assert added.code == 0, added.err
    edited = run(
        cli, hour, "drill", "finding", "edit", "F-1", "--playbook", "ransomware", "--revision", "1.3.0"
    )
    assert edited.code == 0, edited.err
    after = run(cli, hour, "drill", "finding", "list", "--json").json

    (one,) = after["findings"]
    assert (one["owner"], one["due"], one["revision"]) == (
        "shimizu-yuta",
        "2027-03-31T14:59:59.000000Z",
        "1.3.0",
    )
    assert "目標復旧時間" in one["title"]
    assert "RTO" in one["title_en"]
    assert "measure:rto:core-banking" not in [each["source"] for each in after["proposals"]]
    page = run(cli, hour, "drill", "report", "--format", "md").out
    assert "2027-03-31" in page
    assert "夜間の手順がない" in page
    assert "F-1" in run(cli, hour, "drill", "finding", "list").out


def test_an_observation_to_improve_gives_the_finding_its_title(cli: Cli, hour: Hour) -> None:
    run(cli, hour, "drill", "finding", "add", "--from", "observation:OBS-003")
    (one,) = run(cli, hour, "drill", "finding", "list", "--json").json["findings"]

    assert (one["title"], one["objective"]) == ("バックアップに思い至らなかった", "protect-backups")
    assert run(cli, hour, "drill", "finding", "drop", "F-1", "--reason", "同じ件").code == 0
    assert run(cli, hour, "drill", "finding", "list", "--json").json["findings"] == []


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ((), 2, "--from"),
        (("--from", "luck:1"), 2, "observation:OBS-003"),
        (("x", "--owner", "nobody-here"), 1, "nobody-here"),
        (("x", "--due", "soon"), 2, "--due"),
    ],
)
def test_a_finding_that_cannot_be_entered_says_what_can(
    cli: Cli, hour: Hour, given: tuple[str, ...], code: int, said: str
) -> None:
    answer = run(cli, hour, "drill", "finding", "add", *given)

    assert answer.code == code
    assert said in answer.err


# -- the result ---------------------------------------------------------------------------------------------


def result(cli: Cli, hour: Hour, tmp_path: Path) -> tuple[DrillResult, Answer]:
    file = tmp_path / "result.json"
    answer = run(cli, hour, "drill", "result", "--out", str(file))
    assert answer.code == 0, answer.err
    return read(file.read_bytes()).result, answer


def test_the_result_is_signed_with_the_drills_own_key_and_names_it(
    cli: Cli, hour: Hour, tmp_path: Path
) -> None:
    file = tmp_path / "result.json"
    answer = run(cli, hour, "drill", "result", "--out", str(file), "--json").json
    signed = read(file.read_bytes(), answer["key"])

    assert (signed.key, answer["drill"], answer["confirmed"]) == (answer["key"], "DRL-2026-0001", False)
    house = hour.desk.state("house")
    assert house.upkeep.key == signed.key  # type: ignore[attr-defined]
    with hour.desk.record.read() as tx:
        heads = {one.stream: (one.seq, one.hash) for one in signed.result.heads}
        assert heads[EXERCISE] == (tx.head(EXERCISE)[0], tx.head(EXERCISE)[1].hex())
        assert heads[hour.incident] == (tx.head(hour.incident)[0], tx.head(hour.incident)[1].hex())


def test_the_result_carries_all_that_the_register_needs(cli: Cli, hour: Hour, tmp_path: Path) -> None:
    one, answer = result(cli, hour, tmp_path)

    assert (one.status, one.form, one.why, one.mark) == ("ended", "tabletop", "時間終了", "【訓練】")
    assert (one.held.played_seconds, one.scenario.id) == (90 * 60, "ransomware-night-batch")
    assert one.held.started_at is not None
    assert one.held.started_at.year == 2026
    assert {use.id for use in one.playbooks} == {"ransomware"}
    assert one.people == (CISO, "sato-kenji", DUTY)
    assert "FSA-2.5.2.4-B1" in {item.item for item in one.guideline}
    assert one.routes
    assert one.measures()
    assert "not signed" in answer.out or "not signed" in answer.err
    assert "first-response" not in answer.out.split("ratings of")[1].split(";")[0]


def test_the_result_holds_no_free_text_of_a_questionnaire_and_no_observation(
    cli: Cli, hour: Hour, tmp_path: Path
) -> None:
    one, _ = result(cli, hour, tmp_path)

    assert "落ち着いて" not in one.body().decode()
    assert "宣言は早かった" not in one.body().decode()


def test_what_management_has_signed_off_is_in_the_result(cli: Cli, hour: Hour, tmp_path: Path) -> None:
    hour.do(SignOff, CISO, text="確認した")
    one, answer = result(cli, hour, tmp_path)

    assert one.signed_off is not None
    assert one.signed_off.by == CISO
    assert "signoff" not in answer.out
    page = run(cli, hour, "drill", "report", "--format", "md").out
    assert "確認した" in page


def test_production_takes_the_result_into_its_register_with_the_plan_and_nothing_of_the_script(
    cli: Cli, hour: Hour, tmp_path: Path
) -> None:
    production = cli.house
    owned = ("--from", "objective:isolate-by-authority", "--owner", "shimizu", "--due", "2027-03-31")
    run(cli, hour, "drill", "finding", "add", *owned)
    file = tmp_path / "result.json"
    key = run(cli, hour, "drill", "result", "--out", str(file), "--json").json["key"]
    cli.house = production
    taken = cli.run("drill", "import", str(file), "--key", key, "--json", who="sato")
    assert taken.code == 0, taken.err
    entry = cli.run("exercise", "show", "EX-0001", "--json", who="sato").json

    assert entry["scenario"] == "ransomware-night-batch"
    assert {one["owner"] for one in entry["findings"]} == {"shimizu-yuta"}
    assert [one["objective"] for one in entry["outcomes"]] == ["first-response"]
    assert not any(one["met"] for one in entry["measured"])


def test_a_target_that_only_the_script_met_is_not_met_in_the_register(cli: Cli, tmp_path: Path) -> None:
    one = small_result()
    measures = tuple(
        MeasureResult.model_validate(
            {"kind": kind, "service": "atm", "target_from": "service", "outcome": "met", "scripted": scripted}
        )
        for kind, scripted in (("rto", True), ("rpo", False))
    )
    objective = one.objectives[0].model_copy(update={"measures": measures})
    file = tmp_path / "result.json"
    there = {"objectives": (objective,), "participants": (Player(person="kato-hiroshi", roles=("ciso",)),)}
    file.write_bytes(sign(one.model_copy(update=there), new_key()[0]))
    taken = cli.run("drill", "import", str(file), "--named-key")
    assert taken.code == 0, taken.err
    (entry,) = (one for one in cli.run("exercise", "list", "--json").json if one["id"] == "EX-0001")
    shown = cli.run("exercise", "show", entry["id"], "--json").json

    assert {each["kind"]: each["met"] for each in shown["measured"]} == {"rto": None, "rpo": True}


def test_what_nobody_took_part_in_is_no_exercise_of_the_register(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_bytes(sign(small_result(), new_key()[0]))
    refused = cli.run("drill", "import", str(file), "--named-key")

    assert (refused.code, "nobody took part" in refused.err) == (1, True)


def test_a_third_party_that_played_does_not_read_where_the_institution_is_weak(cli: Cli) -> None:
    people = cli.directory / "organisation.yaml"
    text, mark = people.read_text(encoding="utf-8"), f"  - id: {VENDOR}\n"
    assert mark in text
    people.write_text(text.replace(mark, mark + "    third_party: core-vendor\n"), encoding="utf-8")
    fresh = reopened(cli)
    fresh.house = judged(fresh.house).house
    for arguments in (("report",), ("report", "--json"), ("finding", "list")):
        refused = fresh.run("drill", *arguments, who="abe")
        assert refused.code == 1, arguments
        assert "sees and does their own steps only" in refused.out + refused.err


def test_who_holds_it_and_when_management_signed_are_in_report_and_result(
    cli: Cli, hour: Hour, tmp_path: Path
) -> None:
    drill = DrillFile(
        drill="DRL-2026-0001", scenario=SCENARIO, startex=STARTEX, by="vendor", organiser="演習社"
    )
    hour.house = replace(hour.house, drill=drill)
    hour.do(SignOff, CISO, wall=hour.wall)
    one, _ = result(cli, hour, tmp_path)
    page = run(cli, hour, "drill", "report", "--format", "md").out

    assert (one.organiser, one.organiser_kind) == ("演習社", "vendor")
    assert one.signed_off is not None
    assert one.signed_off.wall == hour.wall
    assert "2026-11-20 11:30" in page, "the day on the calendar, not the story's"


def test_there_is_no_result_before_the_end_and_none_for_players(cli: Cli, tmp_path: Path) -> None:
    hour = played(cli.house)
    file = tmp_path / "result.json"

    early = run(cli, hour, "drill", "result", "--out", str(file))
    assert (early.code, "drill end" in early.err) == (1, True)
    assert run(cli, hour, "drill", "result", "--out", str(file), who=DUTY).code == 1
    assert not file.exists()


def test_a_report_as_json_is_one_document_also_in_a_file(cli: Cli, hour: Hour, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    run(cli, hour, "drill", "report", "--format", "json", "--out", str(file))

    assert json.loads(file.read_text(encoding="utf-8"))["mark"] == "【訓練】"
    assert execute(["drill", "report", "--help"]) == 0


def test_a_result_writes_nothing_into_anybodys_terminal(cli: Cli, tmp_path: Path) -> None:
    bad = "\x1b]0;owned\x07\x9b2J\u202e"
    one = small_result()
    objective = one.objectives[0].model_copy(update={"id": bad, "rated_by": bad})
    changed = {
        "objectives": (objective, objective.model_copy(update={"id": bad + "2", "rating": None})),
        "participants": (Player(person=bad, roles=(bad,), vendor=bad),),
        "organiser": bad,
    }
    file = tmp_path / "result.json"
    file.write_bytes(sign(one.model_copy(update=changed), new_key()[0]))
    answers = [
        cli.run("drill", "import", str(file), "--named-key", "--retest", "FD-0001=x"),
        cli.run("drill", "import", str(file), "--named-key"),
        cli.run("exercise", "show", "EX-0001"),
        cli.run("exercise", "list"),
        cli.run("log", "programme"),
    ]
    assert [one.code for one in answers] == [1, 0, 0, 0, 0], answers
    for said in (one.out + one.err for one in answers):
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(said), said
