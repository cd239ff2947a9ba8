"""Rehearsal: the same seed gives the same runs, on any desk; what many runs say is worked out rightly."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from console.rehearsing import premises_for, rehearse
from models.casework import Setting
from models.clock import ExerciseClock, iso
from models.commands import Command
from models.desk import Desk
from models.fact import Fact
from models.premises import Outcome, Premises
from models.record import OUTBOX, STREAM, Record
from models.rehearsal.assumptions import Assumptions, Chance, Draws, Hours, Share, Spread
from models.rehearsal.changes import candidates, scaled, variations
from models.rehearsal.fitting import LEAST, Samples, fit, take
from models.rehearsal.plan import Asked, Plan, Played
from models.rehearsal.run import clocks_of, play, starting
from models.rehearsal.study import effect, percentile, score, study, wilson
from models.state import ClockState, Incident, StreamState
from models.world import World
from playbooks.institution import Institution
from playbooks.reading import read_yaml
from playbooks.rehearsing import SHIPPED

PLAYBOOK = "ddos"
SHORT = timedelta(hours=6)


@pytest.fixture(scope="module")
def supposed() -> Assumptions:
    found, defects = read_yaml(SHIPPED, Assumptions)
    assert found is not None, defects
    return found


@pytest.fixture(scope="module")
def premises(bank: Institution) -> Premises:
    return premises_for(bank, PLAYBOOK)


@pytest.fixture
def plan(supposed: Assumptions) -> Plan:
    return Plan(playbook=PLAYBOOK, seed=7, assumptions=supposed, year=2026, horizon=SHORT)


class OnRecord:
    """The real desk on a database, wound like the one in memory."""

    def __init__(self, premises: Premises, now: datetime) -> None:
        self._clock = ExerciseClock(now)
        self.record = Record.in_memory()
        self.desk = Desk(self.record, premises, self._clock)
        self._rows: dict[str, dict[str, Any]] = {}

    @property
    def clock(self) -> ExerciseClock:
        return self._clock

    @property
    def outbox(self) -> Mapping[str, dict[str, Any]]:
        with self.record.read() as tx:
            for row in tx.connection.execute(sa.select(OUTBOX).order_by(sa.text("rowid"))).mappings():
                self._rows.setdefault(row["key"], dict(row))
        return self._rows

    def handle(self, stream: str | None, command: Command) -> Outcome:
        return self.desk.handle(stream, command)

    def tick(self, stream: str) -> Outcome:
        return self.desk.tick(stream)

    def next_due(self, stream: str | None = None) -> datetime | None:
        with self.record.read() as tx:
            due = tx.connection.execute(sa.select(STREAM.c.next_due_at).where(STREAM.c.id == stream)).scalar()
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=due) if due else None

    def due_streams(self, now: datetime) -> list[str]:
        with self.record.read() as tx:
            return tx.due_streams(now, 100)

    def incident(self, stream: str) -> Incident:
        return self.desk.incident(stream)

    def world(self, state: StreamState) -> World:
        return self.desk.world(state)


# -- runs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("run", [0, 3])
def test_a_run_is_the_same_in_memory_and_on_a_database(premises: Premises, plan: Plan, run: int) -> None:
    desks: list[OnRecord] = []

    def table(now: datetime) -> OnRecord:
        desks.append(OnRecord(premises, now))
        return desks[-1]

    brief = replace(plan, horizon=timedelta(hours=2))
    in_memory = play(Setting(premises), brief, run)
    assert play(Setting(premises), brief, run, table) == in_memory
    assert in_memory.facts > 30
    desks[0].record.close()


def test_the_same_seed_gives_the_same_run_and_another_one_another(premises: Premises, plan: Plan) -> None:
    setting = Setting(premises)
    first = play(setting, plan, 1)
    assert play(setting, plan, 1) == first
    assert play(setting, replace(plan, seed=8), 1) != first
    assert first.acked is not None
    assert first.steps > 0
    assert first.clocks


def test_any_number_of_processes_gives_the_same(premises: Premises, plan: Plan) -> None:
    one = rehearse(premises, plan, 3, 1, compare=False)
    two = rehearse(premises, plan, 3, 2, compare=False)
    assert two.found.as_json() == one.found.as_json()


def test_while_it_runs_nothing_is_read_or_written_and_prefect_is_not_there() -> None:
    program = """
import sys
from pathlib import Path
from console.rehearsing import premises_for
from models.casework import Setting
from models.rehearsal.plan import Plan
from models.rehearsal.run import play
from playbooks.institution import load
from playbooks.rehearsing import assumptions
from datetime import timedelta
here = Path("examples/mihon-bank")
bank = load(here)
plan = Plan(playbook="ddos", seed=1, assumptions=assumptions(here), year=2026, horizon=timedelta(hours=1))
setting = Setting(premises_for(bank, "ddos"))
play(setting, plan, 0)  # templates, holidays and zones are read once
seen = []
sys.addaudithook(lambda event, args: seen.append((event, args)))
play(setting, plan, 1)
bad = [e for e in seen if e[0] in {"open", "socket.connect", "sqlite3.connect", "subprocess.Popen"}]
print(bad, [m for m in sys.modules if m.split(".")[0] == "prefect"])
"""
    found = subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[] []"


def test_it_begins_at_the_hour_that_is_asked_for(plan: Plan) -> None:
    at = starting(replace(plan, start="03:00"), "Asia/Tokyo", Draws(7, 4))
    assert (at.hour, at.minute) == (18, 0)
    hours = {starting(plan, "Asia/Tokyo", Draws(7, run)).hour for run in range(200)}
    assert len(hours) == 24


def test_nobody_does_what_the_rules_do_not_allow(premises: Premises, plan: Plan) -> None:
    played = play(Setting(premises), plan, 2)
    assert sum(played.refused.values()) <= played.facts // 20


# -- luck ---------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**40), run=st.integers(0, 10**6), about=st.text(max_size=30))
def test_luck_belongs_to_its_matter_alone(seed: int, run: int, about: str) -> None:
    share = Draws(seed, run).share(about)
    assert 0 < share < 1
    assert Draws(seed, run).share(about) == share
    assert Draws(seed, run).share(about, 1) != share


def test_times_follow_their_percentiles() -> None:
    spread = Spread.model_validate({"p50": "4m", "p90": "20m", "source": "-"})
    assert spread.at(0.5) == timedelta(minutes=4)
    assert abs(spread.at(0.9) - timedelta(minutes=20)) < timedelta(seconds=2)
    drawn = sorted(spread.at(Draws(1, n).share("t")) for n in range(4_000))
    assert timedelta(seconds=215) < drawn[2_000] < timedelta(seconds=265)
    assert Share(p50=50, p90=100, source="-").of(timedelta(hours=1), 0.5) == timedelta(minutes=30)
    measured = Spread.model_validate({"values": ["3m", "1m"], "source": "-"})
    assert (measured.at(0.2), measured.at(0.9)) == (timedelta(minutes=1), timedelta(minutes=3))


def test_what_never_comes_about_does_not() -> None:
    spread = Spread.model_validate({"p50": "1m", "p90": "2m", "never": 40, "source": "-"})
    missing = sum(Draws(3, n).takes(spread, "x") is None for n in range(2_000))
    assert 720 < missing < 880


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"p50": "5m", "source": "-"}, "p50"),
        ({"p50": "5m", "p90": "1m", "source": "-"}, "p90"),
        ({"p50": "1m", "p90": "2m", "values": ["1m"], "source": "-"}, "values"),
        ({"p50": "1m", "p90": "2m"}, "source"),
    ],
)
def test_a_spread_that_cannot_be_meant_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Spread.model_validate(wrong)
    with pytest.raises(ValidationError, match="p90"):
        Share(p50=9, p90=3, source="-")


@pytest.mark.parametrize(
    ("at", "working", "band"),
    [
        ("08:59", True, "off"), ("09:00", True, "working"), ("18:00", True, "off"), ("23:00", True, "night"),
        ("06:59", True, "night"), ("12:00", False, "off"),
    ],
)  # fmt: skip
def test_bands_of_the_day(at: str, working: bool, band: str) -> None:
    hours = Hours(work=time(9), off=time(18), night=time(23), wake=time(7))
    assert hours.band(time.fromisoformat(at), working_day=working) == band


# -- what many runs say -------------------------------------------------------------------------------------


def _run(number: int, **known: Any) -> Played:
    return Played(run=number, start=datetime(2026, 1, 1, tzinfo=UTC), hour=0, band="night", **known)


def test_chances_have_their_interval_and_running_clocks_do_not_count() -> None:
    runs = [_run(n, clocks={"rto:x": "met" if n < 8 else "missed", "report:y": "open"}) for n in range(10)]
    chances = {one.clock: one for one in study(runs).clocks}
    assert (chances["rto:x"].share, chances["rto:x"].low, chances["rto:x"].high) == (0.8, 0.4902, 0.9433)
    assert (chances["report:y"].runs, chances["report:y"].open) == (0, 10)
    assert (chances["report:y"].low, chances["report:y"].high) == (0.0, 1.0)
    cut = study([_run(n, clocks={"phase:c": "missed" if n < 5 else "open"}) for n in range(10)]).clocks[0]
    assert (cut.share, cut.low, cut.high) == (0.0, 0.0, wilson(5, 10)[1]), "the others may be met yet"
    assert wilson(0, 0) == (0.0, 1.0)
    assert score(_run(0)) == 1.0


def test_what_was_not_reached_comes_last() -> None:
    assert percentile([10, None, 30, 20], 0.5) == 20
    assert percentile([10, None, None, None], 0.5) is None
    assert percentile([], 0.5) is None


def test_silent_levels_stand_by_hour() -> None:
    asked = [Asked(route="main", event="declared", level=0, hour=3, answered=n > 0) for n in range(4)]
    level = study([_run(0, asked=asked)]).levels[0]
    assert (level.asked[3], level.silent[3], level.share) == (4, 1, 0.25)


def test_a_change_is_held_against_the_very_same_runs() -> None:
    before = [_run(n, contained=100) for n in range(3)]
    after = [_run(0, contained=60), _run(1, contained=None), _run(2, contained=100)]
    found = effect("x", "x", {}, before, after)
    assert (found.better, found.worse) == (1, 1)


def test_a_gain_stands_with_its_interval_and_few_runs_show_nothing() -> None:
    missed = [_run(n, clocks={"a": "missed"}) for n in range(20)]
    some = [_run(n, clocks={"a": "met" if n < 2 else "missed"}) for n in range(20)]
    most = [_run(n, clocks={"a": "met" if n < 18 else "missed"}) for n in range(20)]
    luck, more = effect("x", "x", {}, missed, some), effect("x", "x", {}, missed, most)
    assert luck.low < 0 < luck.gain < luck.high
    assert 0 < more.low < more.gain < more.high
    alone = effect("x", "x", {}, missed[:1], most[:1])
    assert (alone.low, alone.high) == (-1.0, 1.0)


def test_a_call_cut_short_by_the_end_counts_neither_as_answered_nor_as_silent(
    premises: Premises, plan: Plan
) -> None:
    """Ended a minute after the declaration, nobody can be said to have been silent."""
    setting = Setting(premises)
    short = [play(setting, replace(plan, horizon=timedelta(seconds=20)), run) for run in range(3)]
    assert [asked for one in short for asked in one.asked if not asked.answered] == []
    whole = play(setting, replace(plan, horizon=timedelta(hours=3)), 0)
    assert whole.asked, "those whose end is known are counted"


def test_whoever_answers_after_the_next_level_was_called_answers_that_one(
    premises: Premises, plan: Plan
) -> None:
    """Answers take longer than a level waits: those of the first come when the second is called."""
    slow = Spread.model_validate({"p50": "6m", "p90": "8m", "source": "assumption"})
    answer = plan.assumptions.answer
    late = answer.model_copy(update=dict.fromkeys(("duty", "engaged", "working", "off", "night"), slow))
    assumptions = plan.assumptions.model_copy(update={"answer": late})
    night = replace(plan, start="03:00", horizon=timedelta(hours=2), assumptions=assumptions)
    asked = play(Setting(premises), night, 0).asked
    declared = {one.level: one.answered for one in asked if one.event == "declared"}
    assert declared[0] is False
    assert True in declared.values(), "the level that was called last has the answer"


def test_of_situation_reports_one_that_was_late_is_enough() -> None:
    clock = ClockState(
        id="situation", kind="situation", started_at=datetime(2026, 1, 1, tzinfo=UTC),
        due_at=datetime(2026, 1, 2, tzinfo=UTC),
    )  # fmt: skip
    state = Incident(stream="INC-1", clocks={"situation": clock})
    assert clocks_of(state) == {"situation": "open"}
    assert clocks_of(state, {"situation"}) == {"situation": "missed"}
    state.situations = 2
    assert clocks_of(state) == {"situation": "met"}
    assert clocks_of(state, {"situation"}) == {"situation": "missed"}


def test_changes_and_assumptions_change_one_thing(premises: Premises, plan: Plan) -> None:
    setting = Setting(premises)
    found = study([_run(0, asked=[Asked(route="main", event="declared", level=0, hour=3, answered=False)])])
    tried = {one.name: one for one in candidates(setting, plan, found)}
    assert {"limit:main/1", "duty:csirt-24x7", "channel"} <= set(tried)
    halved = next(one for one in tried["limit:main/1"].premises.policy.routes if one.id == "main")
    assert halved.levels[0].within == timedelta(seconds=150)
    on_call = next(one for name, one in tried.items() if name.startswith("on-call"))
    role = on_call.about["role"]
    holders = Setting(on_call.premises).directory.holders(role, datetime(2026, 6, 1, tzinfo=UTC))
    assert len(holders) == 1
    for less, more in variations(setting, plan):
        assert less.plan.assumptions != plan.assumptions != more.plan.assumptions
    assert scaled(Chance(percent=80, source="-"), 150).percent == 100


# -- fitting ------------------------------------------------------------------------------------------------


def _facts(answer: int, work: int) -> list[Fact]:
    at = datetime(2026, 6, 1, tzinfo=UTC)

    def fact(seq: int, kind: str, seconds: int, **data: Any) -> Fact:
        when = at + timedelta(seconds=seconds)
        return Fact(stream="INC-1", seq=seq, at=when, recorded_at=when, actor="a", kind=kind, data=data)

    return [
        fact(1, "page.asked", 0, recipients=[{"person": "a"}]),
        fact(2, "page.acknowledged", answer, page=1, by="a"),
        fact(3, "step.ready", 0, step="p/s"),
        fact(4, "step.done", work, step="p/s"),
    ]


def test_times_are_fitted_from_facts_and_refused_where_there_are_few() -> None:
    samples = Samples()
    for seconds in range(60, 60 + LEAST - 1):
        take(samples, _facts(seconds, 300), lambda who, at: "duty", lambda step: 600.0)
    few = fit(samples, 9)
    assert few.parts == {}
    assert few.missing == {"answer.duty": 9, "work.of_limit": 9}
    take(samples, _facts(70, 300), lambda who, at: "duty", lambda step: 600.0)
    found = fit(samples, 10).parts
    assert found["work.of_limit"] == {"p50": 50, "p90": 50, "n": 10, "source": "own record, 10 incidents"}
    assert found["answer.duty"]["p50"] in {"64s", "65s"}
    assert found["answer.duty"]["never"] == 0
    assert Spread.model_validate(found["answer.duty"])


def test_whoever_was_not_needed_is_not_counted_as_silent_and_an_answer_counts_from_the_first_call() -> None:
    at = datetime(2026, 6, 1, tzinfo=UTC)

    def fact(seq: int, kind: str, minutes: int, **data: Any) -> Fact:
        when = at + timedelta(minutes=minutes)
        return Fact(stream="INC-1", seq=seq, at=when, recorded_at=when, actor="a", kind=kind, data=data)

    first, both = [{"person": "a"}, {"person": "b"}], [{"person": "a"}, {"person": "c"}, {"person": "d"}]
    samples = Samples()
    facts = [
        fact(1, "step.ready", 0, step="p/s"),
        fact(2, "page.asked", 0, recipients=first, subject="step:p/s"),
        fact(3, "page.escalated", 5, page=2, level=1, recipients=both),
        fact(4, "page.acknowledged", 7, page=2, by="a", level=1),
        fact(5, "decision.made", 10, step="p/s"),
    ]
    take(samples, facts, lambda who, at: who, lambda step: None)
    assert samples.seconds["answer.a"] == [420.0], "from the first call, not from the second"
    assert samples.called == {"answer.a": 1, "answer.b": 1}, "c and d were not needed any more"
    assert samples.seconds["work.decide"] == [180.0], "waiting for the CISO is not deciding"
    assert iso(datetime(2026, 6, 1, tzinfo=UTC)).startswith("2026")
