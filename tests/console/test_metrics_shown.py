"""`hikeshi metrics` as people type it, and GET /metrics as Prometheus asks for it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console.cli import metrics as command
from console.web.prometheus import CONTENT_TYPE
from models.clock import ExerciseClock
from models.commands import Acknowledge, Actor, Declare, EndIncident, ServiceFact
from models.desk import Desk
from models.impact import ForecastService
from models.premises import Premises
from playbooks.institution import Institution
from tests.console.clihouse import Cli, cli
from tests.console.webhouse import Web, make_house

__all__ = ["cli"]

LEAD = Actor(person="sato-kenji", via="test")
OWNER = Actor(person="kimura-naoki", via="test")
TITLE = 'Ledger "odd"\n勘定系'
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?\d+(?:\.\d+)?(?:e[+-]\d+)?)")
Samples = dict[tuple[str, str], float]


def parsed(text: str) -> Samples:
    """Every sample by name and labels. Strict: HELP, TYPE, samples of each family, none twice."""
    found: Samples = {}
    helped: list[str] = []
    typed: list[str] = []
    assert text.endswith("\n") and "\n\n" not in text
    for line in text.splitlines():
        if match := re.fullmatch(rf"# HELP ({NAME}) (\S.*)", line):
            assert match[1] not in helped, line
            helped.append(match[1])
        elif match := re.fullmatch(rf"# TYPE ({NAME}) (?:gauge|counter|histogram)", line):
            assert helped[-1] == match[1] and match[1] not in typed, line
            typed.append(match[1])
        else:
            match = SAMPLE.fullmatch(line)
            assert match is not None, line
            key = (match[1], match[2] or "")
            family = re.sub("_(bucket|sum|count)$", "", match[1])
            assert typed[-1] in {match[1], family} and key not in found, line
            found[key] = float(match[3])
    assert helped == typed
    return found


# -- what Prometheus reads ----------------------------------------------------------------------------------


@pytest.fixture
def web(bank: Institution, desk: Desk, tmp_path: Path) -> Web:
    return Web(make_house(bank, desk, tmp_path, public_url="https://hikeshi.example.jp"))


def declare(web: Web, text: str = TITLE) -> str:
    return web.house.desk.handle(None, Declare(actor=LEAD, text=text, severity="high")).stream


def act(web: Web, stream: str, *commands: Any) -> None:
    for one in commands:
        outcome = web.house.desk.handle(stream, one)
        assert outcome.accepted, (outcome.refused, outcome.detail)


def affected(web: Web, hours: float | None = None) -> str:
    """An incident with core banking down, expected back after `hours`."""
    stream = declare(web)
    act(web, stream, ServiceFact(actor=LEAD, service="core-banking", what="impacted"))
    if hours is not None:
        eta = web.house.desk.clock.now() + timedelta(hours=hours)
        act(web, stream, ForecastService(actor=OWNER, service="core-banking", eta=eta))
    return stream


def pass_time(web: Web, clock: ExerciseClock, hours: float) -> None:
    clock.advance(timedelta(hours=hours))
    for _ in range(20):
        with web.house.record.read() as tx:
            due = tx.due_streams(clock.now(), 100)
        if not due:
            return
        for stream in due:
            web.house.desk.tick(stream)
    raise AssertionError("what is due does not rest")


async def asked(web: Web) -> Samples:
    answer = await web.ask("GET", "/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, CONTENT_TYPE)
    return parsed(answer.text)


def states(found: Samples) -> list[float]:
    names = ("running", "forecast_to_break", "breached")
    return [found["hikeshi_clocks", f'state="{name}"'] for name in names]


async def test_an_empty_record_has_its_zeros_and_nothing_due(web: Web) -> None:
    found = await asked(web)

    assert states(found) == [0, 0, 0]
    assert found["hikeshi_outbox_oldest_seconds", ""] == 0
    assert found["hikeshi_streams_quarantined", ""] == 0
    assert not [name for name, _ in found if name in {"hikeshi_incidents_open", "hikeshi_outbox"}]


async def test_clocks_are_counted_as_they_run_are_to_break_and_break(web: Web, clock: ExerciseClock) -> None:
    affected(web)
    # Phases to triage and contain, the situation report, RTO (4 h), MTPD (24 h), what four sources hold.
    assert states(await asked(web)) == [9, 0, 0]
    affected(web, hours=6)
    assert states(await asked(web)) == [18, 1, 0]
    affected(web, hours=3)
    assert states(await asked(web)) == [27, 1, 0]
    pass_time(web, clock, 4.5)
    # In each: triage (1 h), the situation report (4 h) and the RTO.
    assert states(await asked(web)) == [27, 1, 9]


async def test_an_incident_that_was_none_has_no_clocks(web: Web) -> None:
    stream = affected(web, hours=6)
    act(web, stream, EndIncident(actor=LEAD, how="cancelled", reason="-"))
    found = await asked(web)

    assert states(found) == [0, 0, 0]
    assert ("hikeshi_incidents_open", 'severity="high"') not in found


async def test_messages_and_what_the_node_says_are_told(web: Web, clock: ExerciseClock) -> None:
    declare(web)
    clock.advance(timedelta(seconds=90))
    web.status |= {"lateness_seconds": 1.25, "quarantined": ["INC-2026-0001"]}
    found = await asked(web)

    assert found["hikeshi_incidents_open", 'severity="high"'] == 1
    assert found["hikeshi_outbox", 'kind="page",state="queued"'] >= 1
    assert found["hikeshi_outbox_oldest_seconds", ""] == 90
    assert found["hikeshi_next_due_seconds", ""] == 210  # five minutes to answer, less ninety seconds
    assert found["hikeshi_lateness_seconds", ""] == 1.25
    assert found["hikeshi_streams_quarantined", ""] == 1


async def test_a_great_number_keeps_all_its_digits(web: Web, clock: ExerciseClock) -> None:
    declare(web)
    clock.advance(timedelta(seconds=12_345_678))

    assert (await asked(web))["hikeshi_outbox_oldest_seconds", ""] == 12_345_678


async def test_no_word_of_an_incident_or_a_person_is_told(web: Web, clock: ExerciseClock) -> None:
    stream = affected(web, hours=6)
    web.status["quarantined"] = [stream]
    pass_time(web, clock, 5)
    text = (await web.ask("GET", "/metrics")).text

    for word in (stream, "INC-", "Ledger", "odd", "勘定系", "core-banking", "sato", "kimura", "rto:"):
        assert word not in text, word


@pytest.mark.parametrize(
    ("why", "headers", "code"),
    [
        ("a proxy on this machine", {"X-Forwarded-For": "203.0.113.9"}, 404),
        ("a proxy that names itself", {"Via": "1.1 proxy"}, 404),
        ("a proxy that keeps the standard", {"Forwarded": "for=203.0.113.9"}, 404),
        ("our public name", {"Host": "hikeshi.example.jp"}, 404),
        ("somebody else's name for us", {"Host": "evil.example"}, 421),
    ],
)
async def test_it_is_not_shown_to_others(web: Web, why: str, headers: dict[str, str], code: int) -> None:
    answer = await web.ask("GET", "/metrics", headers=headers)
    assert answer.status_code == code, why
    assert "hikeshi_" not in answer.text, why


async def test_it_is_only_read(web: Web) -> None:
    assert (await web.ask("POST", "/metrics")).status_code == 405


# -- the command --------------------------------------------------------------------------------------------


def opened(cli: Cli, *more: str) -> None:
    assert cli.run("declare", "Files encrypted", "--playbook", "short", *more).code in {0, 3}


def measure(cli: Cli, name: str, *arguments: str) -> list[dict[str, Any]]:
    rows = cli.run("metrics", "--json", *arguments).json
    return [row for row in rows if row["measure"] == name]


def test_times_are_shown_in_both_languages(cli: Cli) -> None:
    opened(cli)
    cli.done("instant", "INC-2026-0001", "detected", "2026-11-24T11:30:00+09:00", "--source", "SOC")
    english, japanese = cli.run("metrics"), cli.run("metrics", lang="ja")

    assert (english.code, japanese.code, english.err, japanese.err) == (0, 0, "", "")
    for part in ("Times against targets", "short", "detected to declared", "30 min", "targets met"):
        assert part in english.out, part
    for part in ("目標と実績", "short", "検知→宣言", "30", "目標達成"):
        assert part in japanese.out, part


def test_programs_get_whole_seconds_and_no_text_for_what_is_unknown(cli: Cli) -> None:
    opened(cli)
    opened(cli)
    cli.done("instant", "INC-2026-0001", "detected", "2026-11-24T11:30:00+09:00", "--source", "SOC")

    assert measure(cli, "declare") == [
        {
            "group": "short",
            "measure": "declare",
            "count": 1,
            "unknown": 1,
            "median_seconds": 1_800,
            "ninety_seconds": 1_800,
            "targets_met": 0,
            "targets": 0,
        }
    ]
    [detect] = measure(cli, "detect")
    assert (detect["count"], detect["unknown"], detect["median_seconds"]) == (0, 2, None)


def test_groups_by_type_or_by_the_month_where_the_institution_is(cli: Cli) -> None:
    opened(cli)
    cli.clock.advance(timedelta(days=6, hours=13))  # 16:00 on 30 November in UTC is December in Tokyo
    opened(cli)

    assert [row["group"] for row in measure(cli, "declare", "--by", "type")] == ["short"]
    assert [row["group"] for row in measure(cli, "declare", "--by", "month")] == ["2026-11", "2026-12"]


def test_a_day_begins_at_midnight_where_the_institution_is(cli: Cli) -> None:
    cli.clock.advance(
        timedelta(hours=12, minutes=30)
    )  # 15:30 in UTC, half past midnight on the 25th in Tokyo
    opened(cli)

    assert len(measure(cli, "declare", "--since", "2026-11-25")) == 1
    assert cli.run("metrics", "--since", "2026-11-26", "--json").json == []
    assert "none" in cli.run("metrics", "--since", "2026-11-26").out
    assert "なし" in cli.run("metrics", "--since", "2026-11-26", lang="ja").out


def test_drills_are_never_mixed_with_the_real(cli: Cli, bank: Institution) -> None:
    opened(cli)
    plans = cli.house.desk.premises.playbooks
    rehearsal = Premises(
        organisation=bank.organisation, policy=bank.policy, playbooks=plans, drill=True
    )  # a drill on the same record
    command_ = Declare(actor=LEAD, text="Drill", playbooks=("unknown",))
    assert Desk(cli.house.record, rehearsal, cli.clock).handle(None, command_).accepted

    assert [row["group"] for row in measure(cli, "declare")] == ["short"]
    assert [row["group"] for row in measure(cli, "declare", "--drills")] == ["unknown"]


def test_only_the_latest_are_looked_at_and_that_is_said(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "MAX_INCIDENTS", 1)
    opened(cli)
    assert cli.run("metrics").err == ""
    cli.clock.advance(timedelta(days=10))
    opened(cli)
    answer = cli.run("metrics", "--by", "month")

    assert "only the latest 1 incidents were looked at" in answer.err
    assert "2026-12" in answer.out and "2026-11" not in answer.out
    assert "新しい 1 件だけを見た" in cli.run("metrics", lang="ja").err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--by", "colour"), "type, month"),
        (("--since", "yesterday"), "--since"),
        (("--since", "2026-02-30"), "--since"),
        (("--since", "2026-11-24T00:00:00+09:00"), "--since"),
        (("--since", "0001-01-01"), "--since"),
        (("--until", "2026-11-24"), "--until"),
        (("INC-2026-0001",), "INC-2026-0001"),
    ],
)
def test_wrong_usage_says_what_is_wrong(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    answer = cli.run("metrics", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


def test_a_target_that_was_missed_counts(cli: Cli) -> None:
    opened(cli)
    incident = "INC-2026-0001"
    page = next(iter(cli.house.desk.incident(incident).open_pages()))
    cli.clock.advance(timedelta(minutes=3))
    assert cli.house.desk.handle(incident, Acknowledge(actor=LEAD, page=page.id)).accepted
    cli.clock.advance(timedelta(hours=60))
    while cli.house.desk.tick(incident).facts:
        pass
    [contain] = measure(cli, "contain")

    assert (contain["count"], contain["unknown"]) == (0, 1)
    assert (contain["targets_met"], contain["targets"]) == (0, 1)
    assert "0/1" in cli.run("metrics").out
