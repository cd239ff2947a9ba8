"""Seven playbooks: sound as data, and played through to the end by every branch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from models.commands import Decide, Done
from models.playbook import Step
from models.policy import PHASES
from tests.playbooks.test_content import (
    library,
    plan,
    preserving,
    steps,
)
from tests.playbooks.test_content_walk import ANSWERS, MAX_ACTS, Walk

ROOT = Path(__file__).parents[2]
NAMES = (
    "securities-account-takeover",
    "third-party-compromise",
    "cloud-misconfiguration",
    "insider",
    "crypto-outflow",
    "disinformation",
    "infrastructure-outage",
)


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_is_for_and_covers_every_phase(name: str) -> None:
    book = library()[name]
    assert book.summary and book.attack and book.matches and book.experts and book.watch_period
    assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", one) for one in book.attack)
    assert {planned.step.phase for planned in steps(name)} == {*PHASES, "communication"}
    assert sum(planned.step.kind != "call" for planned in steps(name)) >= 45
    for planned in steps(name):
        assert planned.after is not None, planned.key


@pytest.mark.parametrize("name", NAMES)
def test_the_analysis_says_method_cause_and_business_impact_now_and_to_be_expected(name: str) -> None:
    """FSA-2.5.2.2-B1."""
    fields = {
        one.id for planned in steps(name) if planned.step.phase == "analysis" for one in planned.step.record
    }
    assert {"cause", "now", "ahead", "limit"} <= fields
    assert fields & {"method", "methods", "acts", "readers"}


@pytest.mark.parametrize("name", NAMES)
def test_what_all_incidents_share_is_called_and_not_copied(name: str) -> None:
    called = {step.call for step in library()[name].steps if step.call}
    assert called >= {
        "authority-reports",
        "call-centre",
        "command-post",
        "compensation",
        "customer-notice",
        "expert-call-out",
        "follow-up-reports",
        "lessons-learned",
        "publication",
        "resume-services",
        "third-party-liaison",
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_source_is_secured_within_a_day_and_the_first_within_the_hour(name: str) -> None:
    limits = [one.step.within for one in preserving(name) if one.step.within is not None]
    assert len(limits) == len(preserving(name))
    assert max(limits) <= timedelta(days=1)
    assert min(limits) <= timedelta(hours=1)


class Branching(Walk):
    """A walk that answers yes-no fields as told, and goes round each loop a second time if told."""

    def __init__(
        self, folder: Path, playbook: str, option: int | None, *, yes: str = "yes", again: bool = False
    ) -> None:
        folder.mkdir()
        self.yes, self.again = yes, again
        super().__init__(folder, playbook, option)

    def act(self, key: str) -> None:
        step = self.desk.world(self.state).steps(self.state)[key].step
        if step.kind in {"action", "decision"}:
            super().act(key)
            return
        self.acts.append(key)
        answers = ANSWERS | {"yes-no": self.yes}
        if self.again and self.acts.count(key) == 1:
            answers |= {"number": "1"}
        values = {field.id: answers[field.type] for field in step.record}
        self.do(Done(actor=self._holder(step.owner), step=key, values=values))

    def _choice(self, key: str, step: Step) -> Decide:
        """As in any walk; but the services are restored in the run that takes the recommended choices."""
        if step.id == "services-hit" and self.option is None:
            reason = "the branch behind it has to be walked"
            return Decide(actor=self._holder(step.authority), step=key, choice="needed", reason=reason)
        return super()._choice(key, step)


def runs(folder: Path, name: str) -> Iterator[Branching]:
    """Under the recommended choices with each loop twice, then each option in turn, once with every no."""
    ways: list[tuple[int | None, str, bool]] = [(None, "yes", True), (0, "yes", False), (1, "no", False)]
    ways += [(2, "yes", True), (3, "yes", False)]
    for number, (option, yes, again) in enumerate(ways):
        walk = Branching(folder / str(number), name, option, yes=yes, again=again)
        try:
            walk.whole()
            yield walk
        finally:
            walk.record.close()


@pytest.mark.parametrize("name", NAMES)
def test_it_plays_to_its_end_by_every_branch(tmp_path: Path, name: str) -> None:
    laid = plan(name)
    done: set[str] = set()
    skipped: set[str] = set()
    chosen: set[tuple[str, str | None]] = set()
    repeated: set[str] = set()
    for walk in runs(tmp_path, name):
        state = walk.state
        left = [key for key, known in state.steps.items() if known.status not in {"done", "not-applicable"}]
        assert left == []
        assert {phase.status for phase in state.phases.values()} == {"ended"}
        assert len(walk.acts) < MAX_ACTS
        done |= {key for key, known in state.steps.items() if known.status == "done"}
        skipped |= {one["step"] for one in walk.said("step.not_applicable")}
        chosen |= {(one["step"], one["choice"]) for one in walk.said("decision.made")}
        cut = any(laid.steps[key].step.stops and laid.steps[key].step.kind != "decision" for key in walk.acts)
        assert (state.services["core-banking"].stopped_at is not None) == cut
        repeated |= {key for key in walk.acts if walk.acts.count(key) > 1}
    assert set(laid.steps) - done == set(), "steps that no run has done"
    conditional = {key for key, planned in laid.steps.items() if planned.step.when}
    assert conditional - skipped == set(), "conditions that were never false"
    options = {(key, option.id) for key, planned in laid.steps.items() for option in planned.step.options}
    assert options - chosen == set(), "options that no run has taken"
    looping = {key: planned for key, planned in laid.steps.items() if planned.step.repeat}
    loops = {laid.children[key][0] if planned.step.call else key for key, planned in looping.items()}
    assert loops - repeated == set(), "loops that were never gone round twice"


@pytest.mark.parametrize("name", NAMES)
def test_the_reviewers_check_list_names_steps_that_exist(name: str) -> None:
    page = (ROOT / "docs" / "playbooks" / f"{name}.md").read_text(encoding="utf-8")
    assert library()[name].title.ja in page
    for role in ("duty officer", "executive", "lawyer", "forensic examiner"):
        assert role in page
    assert "does not cover" in page
    named = set(re.findall(r"`([a-z0-9-]+(?:/[a-z0-9-]+)*)`", page))
    known = {key.removeprefix(f"{name}/") for key in plan(name).steps} | set(library())
    assert named - known == set()
    own = {step.id for step in library()[name].steps}
    assert len(named & own) >= len(own) - 3, f"not mentioned: {sorted(own - named)}"
