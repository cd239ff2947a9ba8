"""Six playbooks: they lay out, miss nothing of the guideline, and play through to the end by every branch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from models.commands import Done
from models.expression import STEP_FUNCTIONS, calls_in
from models.plan import Plan, PlannedStep, lay_out
from models.playbook import FACTORS, Playbook, Step
from models.policy import PHASES
from models.values import Text
from playbooks.catalogue import GuidelineItem, read_catalogue
from playbooks.check import check
from playbooks.drafts import GAP, render_draft
from playbooks.library import read_library
from tests.playbooks.test_content_walk import ANSWERS, Walk

ROOT = Path(__file__).parents[2]
BANK = ROOT / "examples" / "mihon-bank"
DOCS = ROOT / "docs" / "playbooks"
NOWHERE = ROOT / "examples" / "none-such"
WHOLE = (
    "ddos",
    "web-defacement",
    "exploited-vulnerability",
    "fraudulent-transfers",
    "targeted-attack",
    "personal-data-breach",
)
SHARED = (
    "call-centre",
    "compensation",
    "evidence-web-server",
    "follow-up-reports",
    "publication",
    "takedown-request",
    "third-party-liaison",
)
JAPANESE = re.compile(r"[぀-ヿ一-鿿]")
REF = re.compile(r'output\("([^"]+)", "([^"]+)"\)')
SETTLED = {"done", "not-applicable"}
RUNS: tuple[tuple[int | None, str], ...] = ((None, "yes"), (0, "yes"), (1, "yes"), (2, "no"), (3, "yes"))
"""Which option each decision takes (none: the recommended one), and the answer to each yes-or-no question."""
TWICE = 1
"""In the run that takes these options, numbers are first 1 and then 0, so that each loop goes round twice."""


@cache
def library() -> dict[str, Playbook]:
    entries, _ = read_library(NOWHERE)
    return {name: entry.playbook for name, entry in entries.items()}


@cache
def plan(name: str) -> Plan:
    return lay_out(library()[name], library().__getitem__)


@cache
def catalogue() -> dict[str, GuidelineItem]:
    return read_catalogue(NOWHERE)[0]


def steps(name: str) -> tuple[PlannedStep, ...]:
    return tuple(plan(name).steps.values())


@cache
def before(name: str, key: str) -> frozenset[str]:
    """All steps that are settled before this one can begin."""
    laid, found = plan(name), set[str]()
    todo = list(laid.steps[key].after or ())
    while todo:
        ahead = todo.pop()
        if ahead not in found:
            found.add(ahead)
            todo += [*(laid.steps[ahead].after or ()), *laid.children.get(ahead, ())]
    return frozenset(found)


def texts(value: Any) -> Iterator[Text]:
    """Every text for people in a value object, however deep."""
    if isinstance(value, Text):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from texts(getattr(value, name))
    elif isinstance(value, tuple | list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, dict):
        yield from texts(list(value.values()))


class Answering(Walk):
    """Answers every yes-or-no question in one way, and goes round each loop as often as it is told."""

    def __init__(self, folder: Path, playbook: str, option: int | None, yes_no: str) -> None:
        self.answers = ANSWERS | {"yes-no": yes_no}
        super().__init__(folder, playbook, option)

    def act(self, key: str) -> None:
        step = self.desk.world(self.state).steps(self.state)[key].step
        if step.kind in {"action", "decision"}:
            super().act(key)
            return
        again = self.option == TWICE and key not in self.acts
        answers = self.answers | {"number": "1" if again else "0"}
        self.acts.append(key)
        values = {field.id: answers[field.type] for field in step.record}
        self.do(Done(actor=self._holder(step.owner), step=key, values=values))


@dataclass(frozen=True, kw_only=True)
class Run:
    """How one run of a playbook went."""

    option: int | None
    status: dict[str, str]
    left_out: frozenset[str]
    stopped: bool
    acts: tuple[str, ...]


Play = Callable[[str], tuple[Run, ...]]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """All runs of a playbook; played once, kept for all tests."""
    with ExitStack() as after:

        @cache
        def runs(name: str) -> tuple[Run, ...]:
            found = []
            for option, yes_no in RUNS:
                walking = Answering(tmp_path_factory.mktemp("walk"), name, option, yes_no)
                after.callback(walking.record.close)
                state = walking.whole().state
                assert {phase.status for phase in state.phases.values()} == {"ended"}
                status: dict[str, str] = {key: known.status for key, known in state.steps.items()}
                found.append(
                    Run(
                        option=option,
                        status=status,
                        left_out=frozenset(one["step"] for one in walking.said("step.not_applicable")),
                        stopped=state.services["core-banking"].stopped_at is not None,
                        acts=tuple(walking.acts),
                    )
                )
            return tuple(found)

        yield runs


@pytest.mark.parametrize("name", WHOLE)
def test_it_comes_to_its_end_whatever_is_decided(play: Play, name: str) -> None:
    for run in play(name):
        assert {key for key, status in run.status.items() if status not in SETTLED} == set()
        assert set(run.status) == set(plan(name).steps)


@pytest.mark.parametrize("name", WHOLE)
def test_each_step_is_done_in_some_run_and_each_condition_falls_both_ways(play: Play, name: str) -> None:
    runs = play(name)
    for planned in steps(name):
        seen = {run.status[planned.key] for run in runs}
        assert "done" in seen, f"{planned.key} is never done"
        if planned.step.when:
            left_out = any(planned.key in run.left_out for run in runs)
            assert left_out, f"{planned.key}: {planned.step.when} never falls the other way"


@pytest.mark.parametrize("name", WHOLE)
def test_a_service_is_recorded_as_stopped_only_where_it_was_cut(play: Play, name: str) -> None:
    cutting = {one.key for one in steps(name) if one.step.stops and one.step.kind != "decision"}
    for run in play(name):
        assert run.stopped == bool(cutting & set(run.acts)), run.option
    assert {run.stopped for run in play(name)} == {True, False}


@pytest.mark.parametrize("name", WHOLE)
def test_each_option_of_each_decision_is_taken_in_some_run(name: str) -> None:
    for planned in steps(name):
        options = planned.step.options
        taken = {options[number % len(options)].id for number, _ in RUNS if options and number is not None}
        assert taken == {option.id for option in options}, planned.key


@pytest.mark.parametrize("name", WHOLE)
def test_each_loop_ends_at_once_in_some_run_and_goes_round_again_in_another(play: Play, name: str) -> None:
    looping = [planned for planned in steps(name) if planned.step.repeat]
    assert looping
    for planned in looping:
        inside = [planned.key] if planned.step.kind != "call" else plan(name).children[planned.key]
        rounds = {max(run.acts.count(key) for key in inside) for run in play(name)}
        assert {1, 2} <= rounds, planned.key


@pytest.mark.parametrize("name", WHOLE)
def test_it_is_as_large_as_promised_and_has_all_phases(name: str) -> None:
    own = [planned for planned in steps(name) if planned.caller is None]
    assert 28 <= len(own) <= 48
    assert {planned.step.phase for planned in own} == {*PHASES, "communication"}
    assert library()[name].attack and library()[name].matches and library()[name].watch_period


@pytest.mark.parametrize("name", WHOLE)
def test_each_step_waits_for_steps_that_exist_and_never_in_a_circle(name: str) -> None:
    for planned in steps(name):
        assert planned.after is not None, planned.key
        assert set(planned.after) <= set(plan(name).steps), planned.key
        assert planned.key not in before(name, planned.key)


@pytest.mark.parametrize("name", WHOLE)
def test_conditions_ask_about_what_is_settled_and_recorded(name: str) -> None:
    for planned in steps(name):
        step = planned.step
        for function, first in calls_in(step.when) if step.when else ():
            if function in STEP_FUNCTIONS:
                assert planned.resolve(first or "") in before(name, planned.key), planned.key
        asked = [step.when, step.repeat.until if step.repeat else None]
        asked += [step.draft.ja, step.draft.en] if step.draft else []
        for ref, field in (found for text in asked if text for found in REF.findall(text)):
            assert field in fields_of(plan(name).steps[planned.resolve(ref)].step), planned.key


def fields_of(step: Step) -> set[str]:
    return {field.id for field in step.record}


@pytest.mark.parametrize("name", WHOLE)
def test_what_vanishes_first_is_preserved_first(name: str) -> None:
    preserving = [planned for planned in steps(name) if planned.step.preserves]
    for planned in preserving:
        assert planned.step.lost_by_waiting and planned.step.volatility and planned.step.within, planned.key
    written = [planned.step.volatility or 0 for planned in preserving if planned.step.phase == "preservation"]
    assert written == sorted(written)


@pytest.mark.parametrize("name", WHOLE)
def test_an_analysis_has_sources_that_are_preserved_before(name: str) -> None:
    """FSA-2.5.2.2-B1."""
    for planned in steps(name):
        if planned.step.phase != "analysis":
            continue
        assert planned.step.sources, planned.key
        ahead = before(name, planned.key)
        secured = {source for one in steps(name) if one.key in ahead for source in one.step.preserves}
        assert set(planned.step.sources) <= secured, planned.key


@pytest.mark.parametrize("name", WHOLE)
def test_decisions_show_price_and_silence_and_come_before_what_stops(name: str) -> None:
    """FSA-2.5.2.4-B1, FSA-2.5.2.4-B2."""
    choosing = {planned.key for planned in steps(name) if planned.step.decides}
    assert len(choosing) == 1
    for planned in steps(name):
        step = planned.step
        if step.kind == "decision":
            assert all(option.price for option in step.options), planned.key
            assert step.recommend and step.otherwise and step.within, planned.key
            assert not step.stops or step.factors == FACTORS, planned.key
        if step.stops:
            assert choosing & before(name, planned.key), planned.key
        if step.decided_by:
            assert planned.resolve(step.decided_by) in before(name, planned.key), planned.key


@pytest.mark.parametrize("name", WHOLE)
def test_recovery_checks_come_in_their_order(name: str) -> None:
    """FSA-2.5.2.6-B4, B5: connected after it works, resumed after both confirm and nothing is left."""
    for planned in steps(name):
        ahead = before(name, planned.key)
        if planned.step.reconnects:
            assert f"{planned.scope}/works-normally" in ahead
        if planned.step.resumes:
            assert {f"{planned.scope}/{one}" for one in ("csirt-confirms", "owner-confirms")} <= ahead
            assert {one.key for one in steps(name) if one.step.phase == "eradication"} <= ahead
    assert [planned for planned in steps(name) if planned.step.resumes]


@pytest.mark.parametrize("name", [*WHOLE, *SHARED])
def test_a_person_at_three_in_the_morning_is_told_everything(name: str) -> None:
    said = {
        "manual": ("owner", "within", "text", "where", "stop_when", "do_not", "record", "guideline"),
        "notice": ("owner", "within", "text", "draft", "to", "record", "guideline"),
        "action": ("timeout", "within", "on_crash", "guideline"),
    }
    for planned in steps(name):
        for field in said.get(planned.step.kind, ()):
            assert getattr(planned.step, field), f"{planned.key} lacks {field}"


@pytest.mark.parametrize("name", [*WHOLE, *SHARED])
def test_every_text_is_japanese_in_ja_and_english_in_en(name: str) -> None:
    for text in texts(library()[name]):
        assert not JAPANESE.search(text.en), text.en
        assert JAPANESE.search(text.ja), text.ja


@pytest.mark.parametrize("name", WHOLE)
def test_it_covers_what_each_playbook_should(name: str) -> None:
    found = {item for planned in steps(name) for item in planned.step.guideline} | set(library()[name].covers)
    assert found <= set(catalogue())
    assert {item.id for item in catalogue().values() if item.scope == "playbook"} - found == set()


def filled(value: str) -> dict[str, Any]:
    return {
        "incident": {"id": "INC-2026-0001", "title": value, "severity": value, "declared_at": value},
        "organisation": {"name": "みほん銀行"},
        "services": ["勘定系システム"] if value else [],
        "now": "2026-11-23 03:00 JST",
        "var": lambda _: value or None,
        "output": lambda _step, _field: value or None,
    }


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("name", WHOLE)
def test_drafts_show_their_gaps_and_lose_them_when_filled(name: str, lang: str) -> None:
    for planned in steps(name):
        if planned.step.draft is not None:
            draft = planned.step.draft.lang(lang)
            assert GAP in render_draft(draft, filled("")), planned.key
            assert GAP not in render_draft(draft, filled("調べたこと")), planned.key


def test_a_targeted_attack_is_not_tipped_off_before_the_scope_is_settled() -> None:
    """Whoever cuts in one move, calls third parties or publishes does so only after the hunt or the cut."""
    for step in ("block-channels", "drop-remote-access", "disable-together"):
        assert "targeted-attack/hunt" in before("targeted-attack", f"targeted-attack/{step}")
    assert "targeted-attack/hunt" not in before("targeted-attack", "targeted-attack/cut-at-once")
    for step in ("third-parties", "announce", "customers", "calls"):
        assert "targeted-attack/check-contained" in before("targeted-attack", f"targeted-attack/{step}")


def test_suspending_a_service_is_a_decision_of_its_own_that_needs_no_intrusion() -> None:
    name = "exploited-vulnerability"
    decision = plan(name).steps[f"{name}/proactive-suspension"].step
    assert decision.authority == "president" and decision.stops == ("affected-services",)
    assert f"{name}/hunt-compromise" not in before(name, f"{name}/proactive-suspension")
    assert f"{name}/image-device" in before(name, f"{name}/rebuild-device")


def test_transfers_are_held_and_freezing_is_asked_for_without_waiting_for_anybody() -> None:
    name = "fraudulent-transfers"
    for step in ("hold-transfers", "ask-freeze"):
        assert before(name, f"{name}/{step}") == {f"{name}/confirm-fraud"}


def test_the_duty_to_report_runs_from_the_first_knowledge_not_from_the_scope() -> None:
    name = "personal-data-breach"
    assert before(name, f"{name}/start-duty-clock") == {f"{name}/confirm-breach"}
    assert f"{name}/whose-data" not in before(name, f"{name}/reports/report-ppc")


@pytest.mark.parametrize("name", WHOLE)
def test_the_reviewers_check_list_names_steps_that_exist(name: str) -> None:
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert library()[name].title.ja in text
    for asker in ("duty officer", "executive", "lawyer", "forensic examiner", "does not cover"):
        assert asker in text, asker
    named = set(re.findall(r"`([a-z0-9-]+(?:/[a-z0-9-]+)*)`", text)) - {name, *library()}
    assert {one for one in named if f"{name}/{one}" not in plan(name).steps} == set()
    own = {planned.step.id for planned in steps(name) if planned.caller is None}
    assert own - {one.split("/")[0] for one in named} == set(), "steps that answer no question"


def test_the_example_bank_has_no_error_in_these_playbooks() -> None:
    files = {f"{name}.yaml" for name in (*WHOLE, *SHARED)}
    found = [one for one in check(BANK, datetime(2026, 11, 23, tzinfo=UTC)) if Path(one.file).name in files]
    assert [str(one) for one in found] == []
