"""Eight playbooks: played through to the end by every branch; what is their own; their check-lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from models.commands import Done
from models.policy import PHASES
from tests.playbooks.test_content import PARTS, before, library, plan, steps
from tests.playbooks.test_content import WHOLE as whole
from tests.playbooks.test_content_walk import ANSWERS, Walk

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "playbooks"
WHOLE = (
    "ransomware",
    "unknown",
    "ddos",
    "web-defacement",
    "exploited-vulnerability",
    "fraudulent-transfers",
    "targeted-attack",
    "personal-data-breach",
)
SETTLED = {"done", "not-applicable"}
RUNS: tuple[tuple[int | None, str], ...] = ((None, "yes"), (0, "yes"), (1, "yes"), (2, "no"), (3, "yes"))
"""Which option each decision takes (none: the recommended one), and the answer to each yes-or-no question."""
TWICE = 1
"""In the run that takes these options, numbers are first 1 and then 0, so that each loop goes round twice."""


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
    assert 20 <= len(own) <= 48
    assert {planned.step.phase for planned in own} == {*PHASES, "communication"}
    assert library()[name].watch_period
    assert (library()[name].attack and library()[name].matches) or name == "unknown"


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


def test_the_list_of_check_lists_names_every_playbook() -> None:
    text = (DOCS / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[([a-z-]+)\]\(([a-z-]+)\.md\)", text, re.MULTILINE)
    assert sorted(name for name, _ in listed) == sorted(whole)
    assert all(name == page and (DOCS / f"{page}.md").is_file() for name, page in listed)
    shared = text.partition("## What they share")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z-]+)`", shared)) == set(PARTS)


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
