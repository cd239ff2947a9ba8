"""Seven playbooks of issue 3, group B: sound as data, and played through to the end by every branch."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from models.commands import Decide, Done
from models.expression import STEP_FUNCTIONS, calls_in
from models.playbook import FACTORS, Step
from models.policy import PHASES
from playbooks.check import check
from playbooks.drafts import GAP, render_draft
from tests.playbooks.test_content import (
    BANK,
    JAPANESE,
    SAME_IN_BOTH,
    before,
    catalogue,
    conditions,
    covered,
    filled,
    library,
    plan,
    preserving,
    steps,
    texts,
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
PARTS = ("command-post", "evidence-cloud-tenant", "resume-services")
ALL = (*NAMES, *PARTS)


@cache
def whole_coverage(name: str) -> frozenset[str]:
    """Guideline items that the playbook covers with all that it calls."""
    return frozenset(covered(name))


@pytest.mark.parametrize("name", ALL)
def test_steps_wait_for_steps_that_exist_and_never_in_a_circle(name: str) -> None:
    laid = plan(name)
    for planned in steps(name):
        for ref in (*(planned.after or ()), *planned.after_any):
            assert ref in laid.steps, f"{planned.key} waits for {ref}"
        assert planned.key not in before(name, planned.key)


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_is_for_and_covers_every_phase(name: str) -> None:
    book = library()[name]
    assert book.summary and book.attack and book.matches and book.experts and book.watch_period
    assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", one) for one in book.attack)
    assert {planned.step.phase for planned in steps(name)} == {*PHASES, "communication"}
    assert sum(planned.step.kind != "call" for planned in steps(name)) >= 45
    for planned in steps(name):
        assert planned.after is not None, planned.key


@pytest.mark.parametrize("name", ALL)
def test_conditions_ask_about_fields_and_options_that_are_settled_by_then(name: str) -> None:
    laid = plan(name)
    for planned in steps(name):
        for source in conditions(planned.step):
            for function, first in calls_in(source):
                if function in STEP_FUNCTIONS:
                    assert planned.resolve(first or "") in laid.steps, f"{planned.key}: {source}"
            for ref, choices in re.findall(r'decided\("([^"]+)"\) \S+ (\[[^\]]*\]|"[^"]*")', source):
                options = {option.id for option in laid.steps[planned.resolve(ref)].step.options}
                assert set(re.findall(r'"([^"]+)"', choices)) <= options, planned.key
            for ref, field in re.findall(r'output\("([^"]+)", "([^"]+)"\)', source):
                assert field in {one.id for one in laid.steps[planned.resolve(ref)].step.record}, planned.key
        for function, first in calls_in(planned.step.when) if planned.step.when else ():
            if function in STEP_FUNCTIONS:
                assert planned.resolve(first or "") in before(name, planned.key), planned.key


@pytest.mark.parametrize("name", ALL)
def test_what_vanishes_first_is_preserved_first_and_says_what_waiting_loses(name: str) -> None:
    for scope in {planned.scope for planned in preserving(name)}:
        written = [one.step.volatility or 0 for one in preserving(name) if one.scope == scope]
        assert written == sorted(written), scope
    for planned in steps(name):
        if planned.step.preserves:
            assert planned.step.lost_by_waiting and planned.step.volatility and planned.step.within, (
                planned.key
            )
        for earlier in preserving(name):
            if planned.step.volatility and earlier.key in before(name, planned.key):
                assert (earlier.step.volatility or 0) <= planned.step.volatility, planned.key


@pytest.mark.parametrize("name", NAMES)
def test_an_analysis_has_sources_that_are_preserved_before(name: str) -> None:
    """FSA-2.5.2.2-B1."""
    for planned in steps(name):
        if planned.step.phase != "analysis" or planned.step.kind == "call":
            continue
        assert planned.step.sources, planned.key
        ahead = before(name, planned.key)
        secured = {source for one in steps(name) if one.key in ahead for source in one.step.preserves}
        assert set(planned.step.sources) <= secured, planned.key


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


@pytest.mark.parametrize("name", ALL)
def test_decisions_show_their_options_price_and_what_silence_means(name: str) -> None:
    for planned in steps(name):
        step = planned.step
        if step.kind == "decision":
            assert all(option.price for option in step.options), planned.key
            assert step.recommend and step.otherwise and step.authority and step.within, planned.key
            assert step.factors == FACTORS or not step.stops, planned.key


@pytest.mark.parametrize("name", NAMES)
def test_containment_or_preservation_is_chosen_before_anything_is_stopped(name: str) -> None:
    """FSA-2.5.2.4-B2."""
    choosing = {planned.key for planned in steps(name) if planned.step.decides}
    assert len(choosing) == 1
    stopping = [planned for planned in steps(name) if planned.step.stops]
    assert stopping
    for planned in stopping:
        assert choosing & before(name, planned.key), planned.key
        if planned.step.decided_by:
            decision = plan(name).steps[planned.resolve(planned.step.decided_by)].step
            assert decision.kind == "decision" and decision.stops, planned.key


@pytest.mark.parametrize("name", ALL)
def test_a_person_at_three_in_the_morning_is_told_everything(name: str) -> None:
    wanted = {
        "manual": ("owner", "within", "text", "where", "stop_when", "do_not", "record", "guideline"),
        "notice": ("owner", "within", "text", "draft", "to", "record", "guideline"),
    }
    for planned in steps(name):
        for said in wanted.get(planned.step.kind, ()):
            assert getattr(planned.step, said), f"{planned.key} lacks {said}"


@pytest.mark.parametrize("name", ALL)
def test_every_text_is_japanese_in_ja_and_english_in_en(name: str) -> None:
    for text in texts(library()[name]):
        assert not JAPANESE.search(text.en), text.en
        assert JAPANESE.search(text.ja) or text.ja in SAME_IN_BOTH, text.ja


@pytest.mark.parametrize("name", ALL)
def test_guideline_ids_are_in_the_catalogue(name: str) -> None:
    for planned in steps(name):
        assert set(planned.step.guideline) <= set(catalogue()), planned.key
    assert set(library()[name].covers) <= set(catalogue())


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_playbook_covers_what_each_playbook_should(name: str) -> None:
    wanted = {item.id for item in catalogue().values() if item.scope == "playbook"}
    assert wanted - whole_coverage(name) == set()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("lang", ["ja", "en"])
def test_drafts_show_their_gaps_and_lose_them_when_filled(name: str, lang: str) -> None:
    laid = plan(name)
    for planned in steps(name):
        if planned.step.draft is None:
            continue
        source = planned.step.draft.lang(lang)
        assert GAP in render_draft(source, filled("")), planned.key
        assert GAP not in render_draft(source, filled("調べたこと")), planned.key
        for ref, field in re.findall(r'output\("([^"]+)", "([^"]+)"\)', source):
            assert field in {one.id for one in laid.steps[planned.resolve(ref)].step.record}, planned.key


def test_variables_that_actions_need_are_set_before() -> None:
    for name in ALL:
        for planned in steps(name):
            wanted = [str(value)[1:] for value in planned.step.params.values() if str(value).startswith("$")]
            ahead = [one for one in steps(name) if one.key in before(name, planned.key)]
            for variable in wanted:
                assert any(one.scope == planned.scope and variable in one.step.sets for one in ahead), (
                    f"{planned.key}: ${variable}"
                )


def test_the_example_bank_has_no_error_with_them() -> None:
    found = check(BANK, datetime(2026, 11, 23, tzinfo=UTC))
    mine = [
        str(defect)
        for defect in found
        if defect.severity == "error" or any(name in str(defect) for name in ALL)
    ]
    assert mine == []


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
