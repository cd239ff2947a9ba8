"""The exercise programme as people type it: the register, the year, coverage, findings, a drill's result."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from console.cli.app import build
from console.signing import new_key
from console.texts import texts
from models.drillfile import DrillFile
from models.drillresult import DrillResult, Finding, MeasureResult, ObjectiveResult, sign
from models.exercised import SERVED_BY
from models.state import Programme
from playbooks.catalogue import read_catalogue
from tests.console.clihouse import EXAMPLE, Cli, cli
from tests.doctables import leaves

__all__ = ["cli"]
KEY, _ = new_key()
SCENARIO = "sha256:" + "a" * 64
AT = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
WALL = (
    "exercise",
    "record",
    "Delta Wall 2026",
    "--on",
    "2026-10-20",
    "--type",
    "sector",
    "--by",
    "authority",
)


def plan(cli: Cli, title: str = "DDoS", *more: str) -> None:
    cli.done("exercise", "plan", title, "--when", "2027-02", "--type", "tabletop", *more)


def finding(cli: Cli, exercise: str = "EX-0001", *more: str) -> None:
    cli.done(
        "finding",
        "open",
        exercise,
        "Vendor not reached",
        "--owner",
        "shimizu-yuta",
        "--due",
        "2027-01-29",
        *more,
    )


# -- the register -------------------------------------------------------------------------------------------


def test_an_exercise_held_elsewhere_is_entered_by_hand_with_all_that_the_guideline_asks(cli: Cli) -> None:
    more = ("--organiser", "FSA", "--took", "ciso=kato", "--absent", "president", "--vendor", "core-vendor")
    named = ("--playbook", "ransomware", "--guideline", "FSA-2.2.5-B1", "--route", "main", "--note", "blind")
    answer = cli.done(*WALL, *more, *named)
    assert "exercise EX-0001 (sector) held on 2026-10-20: Delta Wall 2026 FSA" in answer.out
    [one] = cli.run("--json", "exercise", "list").json
    assert (one["by"], one["organiser"], one["management"]) == ("authority", "FSA", ["ciso"])
    assert {(took["role"], took["party"], took["absent"]) for took in one["participants"]} == {
        ("ciso", None, False),
        ("president", None, True),
        ("vendor", "core-vendor", False),
    }
    shown = cli.run("exercise", "show", "ex-0001").out
    assert "Hiroshi Kato" in shown
    assert "ABSENT" in shown
    assert "nobody of management has said that they know the results" in shown
    cli.done("exercise", "sign-off", "EX-0001", who="kato")
    assert "Hiroshi Kato knows the results since" in cli.run("exercise", "show", "EX-0001").out


def test_a_scenario_brings_its_playbooks_and_items(cli: Cli) -> None:
    cli.done(
        "exercise",
        "record",
        "x",
        "--on",
        "2026-10-20",
        "--type",
        "tabletop",
        "--scenario",
        "ddos-hides-intrusion",
    )
    [one] = cli.run("--json", "exercise", "list").json
    assert "ddos" in one["playbooks"]
    assert "FSA-2.2.5-B3" in one["guideline"]


def test_what_cannot_be_entered_is_said_with_what_to_do(cli: Cli) -> None:
    refused = cli.run("exercise", "plan", "x", "--when", "2026-01", "--type", "party")
    assert refused.code == 1
    assert "type: expected one of tabletop" in refused.err
    assert "when: 2026-01 is over" in refused.err
    assert (
        cli.run("exercise", "plan", "x", "--when", "2027-01", "--type", "sector", "--scenario", "no").code
        == 1
    )
    assert cli.run(*WALL, "--guideline", "FSA-9").code == 2
    assert cli.run("exercise", "show", "EX-7").code == 1
    assert cli.run("finding", "show", "FD-7").code == 1
    assert cli.run("exercise", "coverage", "--kind", "moon").code == 2


def test_the_plan_of_a_year_stands_against_what_was_held(cli: Cli) -> None:
    cli.done(*WALL, "--took", "president", "--vendor", "core-vendor")
    plan(cli, "DDoS", "--scenario", "settlement-loss-month-end")
    cli.done("exercise", "plan", "Restore", "--when", "2026-12-05", "--type", "restore-test")
    cli.done("exercise", "plan", "Next year", "--when", "2027-04", "--type", "tabletop")
    cli.done("exercise", "plan", "Off", "--when", "2027-01", "--type", "tabletop")
    cli.done("exercise", "cancel", "EX-0005", "--reason", "no room")
    cli.clock.advance(timedelta(days=14))
    year = cli.run("--json", "exercise", "year", "2026").json
    assert (year["first"], year["last"]) == ("2026-04-01", "2027-03-31")
    assert [(one["id"], one["status"]) for one in year["exercises"]] == [
        ("EX-0001", "held"),
        ("EX-0003", "planned"),
        ("EX-0005", "cancelled"),
        ("EX-0002", "planned"),
    ]
    assert year["late"] == ["EX-0003"]
    assert year["by_organiser"]["authority"] == 1
    assert year["management"]["president"] == 1
    assert year["large_scale"] == ["EX-0002"]
    said = cli.run("exercise", "year", "2026").out
    assert "planned 3, held 1 (of them 1 not planned), late 1, cancelled 1" in said
    assert "LATE" in said
    late = cli.run("--json", "exercise", "overdue").json
    assert [one["id"] for one in late["plans"]] == ["EX-0003"]
    assert "1 planned exercise(s) late, 0 finding(s) overdue" in cli.run("health").out
    assert "時期超過 1 件" in cli.run("health", lang="ja").out


def test_the_year_begins_when_the_settings_say(cli: Cli) -> None:
    settings = cli.directory / "settings.toml"
    settings.write_text(settings.read_text("utf-8") + "\n[exercises]\nyear_begins = 1\n", encoding="utf-8")
    fresh = reopened(cli)
    assert fresh.run("--json", "exercise", "year", "2026").json["first"] == "2026-01-01"


def reopened(cli: Cli) -> Cli:
    from console.opening import open_house  # noqa: PLC0415

    cli.house.record.close()
    cli.house = open_house(cli.directory, cli.clock)
    return cli


# -- coverage -----------------------------------------------------------------------------------------------


def standing(cli: Cli, kind: str, name: str, who: str = "sato") -> Any:
    many = cli.run("--json", "exercise", "coverage", "--kind", kind, who=who).json
    return next(one for one in many if one["name"] == name)


def test_coverage_says_when_each_was_last_exercised_and_by_what(cli: Cli) -> None:
    assert standing(cli, "playbook", "ransomware")["overdue"], "never exercised"
    cli.done(
        *WALL, "--playbook", "ransomware", "--took", "ciso=kato", "--vendor", "core-vendor", "--route", "main"
    )
    for kind, name in (
        ("playbook", "ransomware"), ("role", "ciso"), ("person", "kato-hiroshi"), ("vendor", "core-vendor"),
        ("route", "main"),
    ):  # fmt: skip
        one = standing(cli, kind, name)
        assert (one["how"], one["by"], one["overdue"]) == ("exercise", "EX-0001", False), name
        assert one["last"].startswith("2026-10-19T15:00"), "the day in Tokyo"
    assert "exercise EX-0001" in cli.run("exercise", "coverage").out
    cli.clock.advance(timedelta(days=365))
    assert standing(cli, "playbook", "ransomware")["overdue"]
    assert "DUE since 2027-10-20" in cli.run("exercise", "overdue").out


def test_who_was_absent_has_exercised_nothing_and_what_was_cancelled_neither(cli: Cli) -> None:
    cli.done(*WALL, "--absent", "ciso=kato")
    plan(cli, "DDoS", "--playbook", "ransomware")
    cli.done("exercise", "cancel", "EX-0002", "--reason", "-")
    assert standing(cli, "person", "kato-hiroshi")["last"] is None
    assert standing(cli, "playbook", "ransomware")["last"] is None


def test_a_real_incident_counts_as_use_and_one_that_was_none_does_not(cli: Cli) -> None:
    cli.done("declare", "odd", "--playbook", "short")
    [page] = cli.house.desk.incident("INC-2026-0001").pages.values()
    duty = page.reached["0"][0].person
    known = cli.house.desk.directory.person(duty)
    assert known is not None and known.account is not None
    cli.done("ack", "INC-2026-0001", who=known.account)
    one = standing(cli, "playbook", "short")
    assert (one["how"], one["by"]) == ("incident", "INC-2026-0001")
    assert standing(cli, "person", duty)["how"] == "incident"
    assert standing(cli, "role", "csirt-duty")["how"] == "incident"
    cli.done("dismiss", "INC-2026-0001", "--reason", "a test")
    assert standing(cli, "playbook", "short")["last"] is None


def test_the_steps_that_were_done_in_an_incident_count_for_their_items(cli: Cli) -> None:
    cli.done("declare", "odd", "--playbook", "ransomware")
    state = cli.house.desk.incident("INC-2026-0001")
    world = cli.house.desk.world(state)
    name, planned = next(
        (key, one)
        for key, one in world.steps(state).items()
        if one.step.kind == "manual" and one.step.guideline and state.steps[key].status == "ready"
    )
    assert standing(cli, "guideline", planned.step.guideline[0])["last"] is None
    values = [part for one in planned.step.record for part in ("--set", f"{one.id}=unknown")]
    cli.done("done", "INC-2026-0001", name, *values)
    assert standing(cli, "guideline", planned.step.guideline[0])["by"] == "INC-2026-0001"


def test_a_restricted_incident_does_not_show_in_anybodys_coverage_who_may_not_know_of_it(cli: Cli) -> None:
    cli.done("declare", "insider", "--playbook", "short", "--restricted")
    assert standing(cli, "playbook", "short")["by"] == "INC-2026-0001"
    for who in ("mori", "abe"):
        hidden = standing(cli, "playbook", "short", who=who)
        assert (hidden["last"], hidden["by"], hidden["overdue"]) == (None, None, True)
        for command in (("exercise", "coverage"), ("exercise", "overdue")):
            assert "INC-2026-0001" not in cli.run(*command, who=who).out


def test_a_communication_check_exercises_its_route_and_those_who_answered(cli: Cli) -> None:
    cli.done("comcheck", "main", "--level", "3")
    assert standing(cli, "route", "main")["last"] is None, "nobody has answered"
    cli.done("ack", "programme", who="kato")
    one = standing(cli, "route", "main")
    assert (one["how"], one["by"]) == ("comcheck", "CC-0001")
    assert standing(cli, "person", "kato-hiroshi")["how"] == "comcheck"


def test_intervals_are_data_of_a_kind_and_of_one(cli: Cli) -> None:
    cli.done(*WALL, "--playbook", "ransomware", "--vendor", "core-vendor", "--took", "ciso")
    settings = cli.directory / "settings.toml"
    more = '\n[exercises.days]\nvendor = 10\n"playbook:ransomware" = 20\n'
    settings.write_text(settings.read_text("utf-8") + more, encoding="utf-8")
    fresh = reopened(cli)
    assert standing(fresh, "vendor", "core-vendor")["due"].startswith("2026-10-29")
    assert standing(fresh, "playbook", "ransomware")["due"].startswith("2026-11-08")
    assert not standing(fresh, "role", "ciso")["overdue"]


def test_an_interval_of_something_that_there_is_not_is_a_defect(cli: Cli) -> None:
    settings = cli.directory / "settings.toml"
    settings.write_text(settings.read_text("utf-8") + "\n[exercises.days]\nmoon = 10\n", encoding="utf-8")
    checked = cli.run("check", str(cli.directory))
    assert checked.code == 1
    assert "expected playbook, scenario, route" in checked.out + checked.err


def test_scenarios_whose_review_is_overdue_are_named(cli: Cli) -> None:
    cli.clock.advance(timedelta(days=800))
    assert "ransomware-night-batch" in cli.run("--json", "exercise", "overdue").json["scenarios_to_review"]
    assert "whose review is overdue (FSA-2.2.5-B5)" in cli.run("exercise", "overdue").out


# -- findings -----------------------------------------------------------------------------------------------


def test_a_finding_is_followed_from_its_exercise_to_the_retest_that_closes_it(cli: Cli) -> None:
    cli.done(*WALL)
    finding(cli, "EX-0001", "--objective", "reach", "--cause", "no night number")
    assert "no planned exercise tests it again" in cli.run("finding", "show", "FD-0001").out
    cli.done("finding", "fix", "FD-0001", "--note", "number added", who="shimizu")
    assert cli.run("--json", "drill", "findings").json[0]["planned_retest"] is None
    assert "done, awaits its re-test" in cli.run("finding", "show", "FD-0001").out
    assert [one["id"] for one in cli.run("--json", "exercise", "overdue").json["without_retest"]] == [
        "FD-0001"
    ]
    plan(cli, "Again", "--retest", "fd-0001")
    assert cli.run("--json", "exercise", "findings").json[0]["planned_retest"] == "EX-0002"
    cli.clock.advance(timedelta(days=90))
    cli.done("exercise", "record", "--plan", "EX-0002", "--on", "2027-02-17")
    rated = ("--rating", "S", "--evaluator", "fujita")
    closed = cli.done(
        "finding", "retest", "FD-0001", "--exercise", "EX-0002", *rated, "--observation", "4 min"
    )
    assert "CLOSED" in closed.out
    assert cli.run("--json", "drill", "findings").json == []
    [one] = cli.run("--json", "drill", "findings", "--all").json
    assert one["retests"][0]["evaluator"] == "fujita-keiko"
    assert "tested again by EX-0002: S (Keiko Fujita)" in cli.run("finding", "show", "FD-0001").out
    cli.done("finding", "reopen", "FD-0001", "--reason", "again", "--due", "2027-06-30")
    assert cli.run("--json", "finding", "show", "FD-0001").json["status"] == "open"


def test_a_risk_is_accepted_by_management_in_person(cli: Cli) -> None:
    cli.done(*WALL)
    finding(cli)
    accept = ("finding", "accept", "FD-0001", "--reason", "replaced", "--review", "2027-06-30")
    refused = cli.run(*accept, "--for", "kato-hiroshi")
    assert refused.code == 1
    assert "hikeshi finding accept" in refused.err
    cli.done(*accept, who="kato")
    assert "risk accepted by Hiroshi Kato" in cli.run("finding", "show", "FD-0001").out


def test_an_overdue_finding_is_paged_with_its_words(cli: Cli) -> None:
    cli.done(*WALL)
    finding(cli)
    cli.clock.advance(timedelta(days=80))
    cli.house.desk.tick("programme")
    said = cli.run("page-now").out
    assert "期限を過ぎた演習の指摘について、対応状況を記録してください" in said
    assert "演習の指摘: FD-0001 Vendor not reached" in said
    assert "hikeshi ack programme" in said
    cli.done("ack", "programme", who="shimizu")
    state = cli.house.desk.state("programme")
    assert isinstance(state, Programme)
    assert state.findings["FD-0001"].overdue
    assert "1 finding(s) overdue" in cli.run("health").out


# -- the result of a drill ----------------------------------------------------------------------------------


def result(**changes: Any) -> DrillResult:
    objective = ObjectiveResult(
        id="contain",
        text={"ja": "封じ込め", "en": "Contain"},  # type: ignore[arg-type]
        capability="planning",
        measures=(
            MeasureResult(
                kind="rto", service="core-banking", target_seconds=7200, target_from="service",
                measured_seconds=5400, outcome="met",
            ),
        ),
        rating="S",
        rated_by="fujita-keiko",
    )  # fmt: skip
    made = {
        "drill": "DRL-2026-0001",
        "scenario": {
            "id": "ransomware-night-batch", "version": "1.0.0", "digest": SCENARIO,
            "title": {"ja": "夜間バッチ", "en": "Night batch"},
        },
        "form": "functional",
        "status": "ended",
        "held": {"started_at": AT, "ended_at": AT + timedelta(hours=1), "played_seconds": 3600},
        "made_at": AT + timedelta(hours=2),
        "made_by": "sato-kenji",
        "participants": (
            {"person": "kato-hiroshi", "roles": ("ciso",)},
            {"person": "gone-person", "roles": ("cio",), "present": False},
        ),
        "playbooks": ({"id": "ransomware", "version": "1.0.0", "digest": "sha256:bb"},),
        "routes": ({"id": "main", "pages": 2, "highest_level": 1},),
        "guideline": ({"item": "FSA-2.2.5-Da", "by": ("objective:contain",)},),
        "objectives": (objective,),
        "findings": (
            Finding(
                id="F1", title={"ja": "遅い", "en": "Slow"}, capability="planning", objective="contain",  # type: ignore[arg-type]
                owner="shimizu-yuta", due=AT + timedelta(days=60), root_cause="no list",
            ),
        ),
        "signed_off": {"by": "kato-hiroshi", "at": AT + timedelta(hours=3)},
    }  # fmt: skip
    return DrillResult.model_validate(made | changes)


def prepared(cli: Cli, digest: str = SCENARIO) -> None:
    """What preparing the drill would have left beside the institution's directory."""
    folder = cli.directory.parent / "drills" / "DRL-2026-0001"
    folder.mkdir(parents=True)
    made = DrillFile(
        drill=folder.name,
        scenario="ransomware-night-batch",
        digest=digest,
        startex=AT.isoformat(),  # type: ignore[arg-type]
    )
    (folder / "drill.yaml").write_text(made.model_dump_json(), encoding="utf-8")


def written(cli: Cli, made: DrillResult, name: str = "result.json") -> str:
    path = cli.directory.parent / name
    path.write_bytes(sign(made, KEY))
    return str(path)


def test_a_signed_result_becomes_an_exercise_of_the_register_with_its_findings(cli: Cli) -> None:
    prepared(cli)
    file = written(cli, result())
    answer = cli.done("drill", "import", file, "--key", KEY.id)
    assert "exercise EX-0001 (functional) held on 2026-11-20: 夜間バッチ" in answer.out
    assert "which you gave: the result is as whoever holds that key made it" in answer.out
    assert "finding FD-0001 of exercise EX-0001 opened: 遅い" in answer.out
    assert "make sure" not in answer.out
    [one] = cli.run("--json", "exercise", "list").json
    assert one["measured"] == [
        {"kind": "rto", "service": "core-banking", "target": 7200, "actual": 5400, "met": True}
    ]
    assert one["imported"]["trust"] == "given"
    assert list(one["signed_off"]) == ["kato-hiroshi"]
    with cli.house.record.read() as tx:
        assert tx.document(one["imported"]["digest"]) == Path(file).read_bytes(), "kept as it came"
    assert standing(cli, "person", "kato-hiroshi")["by"] == "EX-0001"
    shown = cli.run("exercise", "show", "EX-0001").out
    assert "RTO" in shown
    assert "1 h 30 min" in shown
    assert cli.run("metrics", "--json").json == [], "what a drill took is no figure of the real"
    again = cli.run("drill", "import", file, "--key", KEY.id)
    assert (again.code, "already so: DRL-2026-0001 (EX-0001)" in again.err) == (1, True)
    other = written(cli, result(made_by="tanaka-misaki"), "other.json")
    assert "there is one already: DRL-2026-0001" in cli.run("drill", "import", other, "--key", KEY.id).err


def test_without_a_key_the_result_is_refused_or_taken_at_its_word(cli: Cli) -> None:
    file = written(cli, result())
    refused = cli.run("drill", "import", file)
    assert refused.code == 1
    assert KEY.id in refused.err
    assert "--named-key" in refused.err
    answer = cli.run("--json", "drill", "import", file, "--named-key")
    assert answer.code == 0
    assert answer.json["trust"] == "named"
    assert answer.json["findings"] == ["FD-0001"]
    assert any("does not lie beside this directory" in one for one in answer.json["warnings"])
    assert "taken at its word" in cli.run("exercise", "show", "EX-0001").out


def _tampered(body: bytes) -> bytes:
    content = orjson.loads(body)
    content["result"]["objectives"][0]["rating"] = "P"
    return orjson.dumps(content)


def _unsigned(body: bytes) -> bytes:
    return orjson.dumps({"result": orjson.loads(body)["result"]})


def _newer(_: bytes) -> bytes:
    content = orjson.loads(result().body()) | {"schema": "hikeshi.drill-result/9"}
    from models.canonical import canonical_bytes  # noqa: PLC0415

    signature = {"key": KEY.id, "public": KEY.public.hex(), "value": KEY.sign(canonical_bytes(content)).hex()}
    return orjson.dumps({"result": content, "signature": signature})


BAD = [
    ("one that was changed", _tampered, KEY.id, "it was changed after it was made"),
    ("one without a signature", _unsigned, KEY.id, "expected `result` and `signature`"),
    ("one signed with another key", lambda body: body, "k-other", "expected k-other"),
    ("one of a newer Hikeshi", _newer, KEY.id, "a newer Hikeshi may have made it"),
    ("what is no result at all", lambda _: b"hello", KEY.id, "this is no drill's result"),
]


@pytest.mark.parametrize(("_", "change", "key", "said"), BAD, ids=[row[0] for row in BAD])
def test_no_result_is_taken_in_that_is(cli: Cli, _: str, change: Any, key: str, said: str) -> None:
    path = cli.directory.parent / "bad.json"
    path.write_bytes(change(sign(result(), KEY)))
    refused = cli.run("drill", "import", str(path), "--key", key)
    assert refused.code == 1
    assert said in refused.err
    assert cli.run("--json", "exercise", "list").json == []


def test_everything_that_is_missing_is_said_at_once_and_given_on_the_command_line(cli: Cli) -> None:
    bare = Finding(id="F1", title={"ja": "遅い", "en": "Slow"}, capability="planning")  # type: ignore[arg-type]
    file = written(cli, result(findings=(bare,), signed_off=None))
    refused = cli.run("drill", "import", file, "--key", KEY.id, "--retest", "FD-0001=nope")
    assert refused.code == 1
    for said in ("give --owner PERSON", "give --due DATE", "no objective 'nope'"):
        assert said in refused.err
    given = ("--owner", "shimizu", "--due", "2027-01-29")
    answer = cli.done("drill", "import", file, "--key", KEY.id, *given)
    assert "no sign-off of management was taken over" in answer.out
    assert cli.run("--json", "finding", "show", "FD-0001").json["owner"] == "shimizu-yuta"


def test_an_objective_of_the_result_tests_a_finding_again_and_the_plan_is_kept(cli: Cli) -> None:
    cli.done("exercise", "record", "x", "--on", "2026-11-18", "--type", "tabletop")
    finding(cli)
    plan(cli, "Again", "--retest", "FD-0001")
    later = AT + timedelta(days=5)
    file = written(cli, result(held={"started_at": later, "played_seconds": 60}, findings=()))
    cli.clock.advance(timedelta(days=3))
    more = ("--plan", "EX-0002", "--retest", "FD-0001=contain")
    answer = cli.done("drill", "import", file, "--key", KEY.id, *more)
    assert "finding FD-0001 tested again by exercise EX-0002: S (Keiko Fujita). CLOSED" in answer.out
    state = cli.house.desk.state("programme")
    assert isinstance(state, Programme)
    assert state.entries["EX-0002"].when == "2027-02"


def test_an_aborted_exercise_shows_nothing_and_an_unrated_objective_closes_nothing(cli: Cli) -> None:
    aborted = written(cli, result(status="aborted"))
    assert "the exercise was aborted" in cli.run("drill", "import", aborted, "--key", KEY.id).err
    unrated = result().objectives[0].model_copy(update={"rating": None, "rated_by": None})
    file = written(cli, result(objectives=(unrated,)))
    refused = cli.run("drill", "import", file, "--key", KEY.id, "--retest", "FD-0001=contain")
    assert "no evaluator has rated the objective contain" in refused.err
    answer = cli.done("drill", "import", file, "--key", KEY.id)
    assert "no evaluator has confirmed the rating of: contain" in answer.out


def test_a_drill_that_was_prepared_for_another_scenario_is_doubted(cli: Cli) -> None:
    prepared(cli, "sha256:" + "b" * 64)
    answer = cli.done("drill", "import", written(cli, result()), "--key", KEY.id)
    assert "was prepared for another scenario" in answer.out


def test_every_defect_of_a_result_is_said_at_once(cli: Cli) -> None:
    from models.canonical import canonical_bytes  # noqa: PLC0415

    content = orjson.loads(result().body()) | {"form": "dance", "status": "gone"}
    signature = {"key": KEY.id, "public": KEY.public.hex(), "value": KEY.sign(canonical_bytes(content)).hex()}
    path = cli.directory.parent / "bad.json"
    path.write_bytes(orjson.dumps({"result": content, "signature": signature}))
    refused = cli.run("drill", "import", str(path), "--key", KEY.id)
    assert refused.code == 1
    assert "form:" in refused.err
    assert "status:" in refused.err


def test_a_third_party_sees_nothing_of_where_the_institution_is_weak(cli: Cli) -> None:
    people = cli.directory / "organisation.yaml"
    text = people.read_text(encoding="utf-8")
    mark = "  - id: okada-shinji\n"
    assert mark in text
    people.write_text(text.replace(mark, mark + "    third_party: core-vendor\n"), encoding="utf-8")
    fresh = reopened(cli)
    fresh.done(*WALL)
    for command in (
        ("list",),
        ("overdue",),
        ("coverage",),
        ("findings",),
        ("year", "2026"),
        ("show", "EX-0001"),
    ):
        answer = fresh.run("exercise", *command, who="okada")
        assert answer.code == 1, command
        assert "sees and does their own steps only" in answer.err
    assert "exercise programme" not in fresh.run("health", who="okada").out


# -- the guideline ------------------------------------------------------------------------------------------


def test_every_item_that_asks_for_exercises_is_served_by_commands_that_exist() -> None:
    items = {one.id for one in read_catalogue(EXAMPLE)[0].values() if one.scope == "exercise"}
    assert set(SERVED_BY) == items
    known = {" ".join(path) for path, _ in leaves(build(texts("en")))}
    assert {command for many in SERVED_BY.values() for command in many} <= known
