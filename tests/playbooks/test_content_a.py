"""Six playbooks of the attack types: they lay out, miss nothing of the guideline, and play through to the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from test_content_walk import ANSWERS, Walk

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
SHARED = ("third-party-liaison", "publication", "takedown-request", "evidence-web-server")
JAPANESE = re.compile(r"[぀-ヿ一-鿿]")
REF = re.compile(r'output\("([^"]+)", "([^"]+)"\)')
SETTLED = {"done", "not-applicable"}
RUNS: tuple[tuple[int | None, str], ...] = ((None, "yes"), (0, "yes"), (1, "yes"), (2, "no"))
"""Which option each decision takes (none: the recommended one), and the answer to every yes-or-no question."""
ALWAYS_APPLIES = {"experts/tell-insurer-and-counsel"}


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
    """A walk that answers every yes-or-no question in one way, so that conditions over answers turn out both ways."""

    def __init__(self, folder: Path, playbook: str, option: int | None, yes_no: str) -> None:
        self.answers = ANSWERS | {"yes-no": yes_no}
        super().__init__(folder, playbook, option)

    def act(self, key: str) -> None:
        step = self.desk.world(self.state).steps(self.state)[key].step
        if step.kind in {"action", "decision"}:
            super().act(key)
            return
        self.acts.append(key)
        values = {field.id: self.answers[field.type] for field in step.record}
        self.do(Done(actor=self._holder(step.owner), step=key, values=values))


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """How each step of a playbook ended, in each run; played once, kept for all tests."""
    with ExitStack() as after:

        @cache
        def play(name: str) -> tuple[dict[str, str], ...]:
            found = []
            for option, yes_no in RUNS:
                walking = Answering(tmp_path_factory.mktemp("walk"), name, option, yes_no)
                after.callback(walking.record.close)
                state = walking.whole().state
                assert {phase.status for phase in state.phases.values()} == {"ended"}
                found.append({key: known.status for key, known in state.steps.items()})
            return tuple(found)

        yield play


@pytest.mark.parametrize("name", WHOLE)
def test_it_comes_to_its_end_whatever_is_decided(ended: Any, name: str) -> None:
    for run in ended(name):
        assert {key for key, status in run.items() if status not in SETTLED} == set()
        assert set(run) == set(plan(name).steps)


@pytest.mark.parametrize("name", WHOLE)
def test_each_step_is_done_in_some_run_and_each_condition_falls_both_ways(ended: Any, name: str) -> None:
    runs = ended(name)
    for planned in steps(name):
        seen = {run[planned.key] for run in runs}
        assert "done" in seen, f"{planned.key} is never done"
        if planned.step.when:
            assert seen == SETTLED, f"{planned.key}: {planned.step.when} never falls the other way"
