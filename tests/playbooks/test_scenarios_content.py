"""The shipped scenarios: playable in an hour or two, grounded in the playbooks, with nothing real in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from models.frozen import freeze_playbook
from models.scenario import Scenario
from models.values import Text
from playbooks.catalogue import read_catalogue
from playbooks.check import check
from playbooks.library import shipped
from playbooks.scenarios import shipped_scenarios

EXAMPLE = Path(__file__).parents[2] / "examples" / "mihon-bank"
SCENARIOS = shipped_scenarios()
EVERY = pytest.mark.parametrize("name", sorted(SCENARIOS))
JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
HOUR = timedelta(hours=1)
NAMES = {
    "blind-quiet-monday": ["unknown", "personal-data-breach"],
    "ddos-hides-intrusion": ["ddos", "targeted-attack"],
    "insider-customer-list": ["insider"],
    "ransomware-night-batch": ["ransomware"],
    "securities-takeover-wave": ["securities-account-takeover"],
    "settlement-loss-month-end": ["infrastructure-outage"],
    "third-party-data-centre": ["third-party-compromise"],
}
"""Every scenario that is promised, with the playbooks that it exercises."""


def texts(value: Any) -> Iterator[Text]:
    if isinstance(value, Text):
        yield value
    elif isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from texts(getattr(value, field))
    elif isinstance(value, tuple):
        for item in value:
            yield from texts(item)


def words(scenario: Scenario) -> str:
    return "\n".join(f"{one.ja}\n{one.en}" for one in texts(scenario))


def test_what_is_promised_is_there() -> None:
    assert {name: list(one.playbooks) for name, one in SCENARIOS.items()} == NAMES


def test_none_has_a_defect_or_a_warning_in_the_example_bank() -> None:
    found = check(EXAMPLE, datetime(2026, 11, 29, tzinfo=UTC))
    assert [
        str(one) for one in found if "scenarios" in (Path(one.file).name, Path(one.file).parent.name)
    ] == []


@EVERY
def test_it_can_be_played_in_one_or_two_hours(name: str) -> None:
    one = SCENARIOS[name]
    assert HOUR <= one.duration <= 2 * HOUR
    assert 12 <= len(one.injects) <= 25
    planned = [at for at in map(one.planned_at, one.injects) if at is not None]
    assert min(planned) == timedelta(0), "something happens at STARTEX"
    assert max(planned) <= one.duration - timedelta(minutes=3), "time is left to answer the last one"
    gaps = [later - earlier for earlier, later in zip(sorted(planned), sorted(planned)[1:], strict=False)]
    assert max(gaps) <= timedelta(minutes=15), "nobody sits idle"


@EVERY
def test_the_hour_that_an_inject_names_is_the_hour_of_the_story(name: str) -> None:
    one = SCENARIOS[name]
    hours, minutes = map(int, one.start.time.split(":"))
    for inject in one.injects:
        at = one.planned_at(inject)
        for text in (inject.text.ja, inject.text.en):
            named = re.match(r"(\d\d):(\d\d) ", text)
            if named is not None and at is not None:
                now = timedelta(hours=hours, minutes=minutes) + one.story(at)
                assert now % timedelta(days=1) == timedelta(hours=int(named[1]), minutes=int(named[2])), (
                    inject.id
                )


@EVERY
def test_it_has_contingencies_and_asks_for_decisions(name: str) -> None:
    one = SCENARIOS[name]
    assert sum(inject.kind == "contingency" for inject in one.injects) >= 2
    decisions = {e.step for inject in one.injects for e in inject.expect if e.option is not None}
    assert len(decisions) >= 3
    assert one.outcomes


@EVERY
def test_it_exercises_each_playbook_that_it_names(name: str) -> None:
    one = SCENARIOS[name]
    asked = {e.step.split("/")[0] for inject in one.injects for e in inject.expect if e.step is not None}
    assert asked == set(one.playbooks) <= set(shipped())


@EVERY
def test_a_step_is_expected_of_whoever_the_playbook_gives_it_to_and_in_its_time(name: str) -> None:
    one = SCENARIOS[name]
    plans = (freeze_playbook(playbook, shipped()).plan for playbook in one.playbooks)
    steps = {key: planned.step for plan in plans for key, planned in plan.steps.items()}
    for inject in one.injects:
        for expected in (each for each in inject.expect if each.step is not None):
            step = steps[expected.step or ""]
            assert expected.role in {None, step.authority, step.owner, step.approver}, inject.id
            assert step.within is None or (expected.within or step.within) <= step.within, inject.id


@EVERY
def test_every_objective_says_what_is_expected_and_what_to_watch(name: str) -> None:
    one = SCENARIOS[name]
    assert 4 <= len(one.objectives) <= 8
    for objective in one.objectives:
        assert len(list(one.expected(objective.id))) >= 2, objective.id
        assert objective.guideline, objective.id
        assert objective.look_for or objective.within, objective.id
    assert any(objective.within for objective in one.objectives)


@EVERY
def test_every_role_is_asked_for_something_and_everybody_outside_speaks(name: str) -> None:
    one = SCENARIOS[name]
    asked = {role for inject in one.injects for role in inject.to}
    asked |= {e.role for inject in one.injects for e in inject.expect if e.role is not None}
    needed = {card.role for card in one.roles if card.needed and card.played_by == "participant"}
    assert needed <= asked, needed - asked
    assert {"ciso"} <= needed, "management takes part itself (FSA-2.2.5-B2)"
    told = {inject.from_ for inject in one.injects}
    quiet = {party.id for party in one.outside} - told
    assert all(next(p for p in one.outside if p.id == name_).answers_after for name_ in quiet), quiet


@EVERY
def test_it_says_what_the_guideline_asks_of_a_scenario(name: str) -> None:
    """FSA-2.2.5-B3 and B5: grave for customers, really possible, and resting on today's threats."""
    one = SCENARIOS[name]
    assert {"FSA-2.2.5-B1", "FSA-2.2.5-B3", "FSA-2.2.5-B5"} <= set(one.guideline)
    assert ("FSA-2.2.5-Db" in one.guideline) == one.large_scale
    items = {*one.guideline, *(item for objective in one.objectives for item in objective.guideline)}
    assert "FSA-2.2.5-Da" not in items, "that is recovery on real machines, which no tabletop is"
    assert all(item in read_catalogue(EXAMPLE)[0] for item in items)
    for threat in one.threats:
        assert (threat.source is None) == (threat.confidence == "G"), (
            "general knowledge has no source to name"
        )


@EVERY
def test_every_text_is_japanese_in_ja_and_english_in_en(name: str) -> None:
    for text in texts(SCENARIOS[name]):
        assert JAPANESE.search(text.ja), text.ja
        assert not JAPANESE.search(text.en.replace("【訓練】", "")), text.en


@EVERY
def test_no_real_institution_product_or_address_is_named(name: str) -> None:
    found = words(SCENARIOS[name])
    real = r"三菱|みずほ|三井|りそな|野村|楽天|ゆうちょ|LockBit|CrowdStrike|Microsoft|Fortinet|\bAWS\b|Azure"
    assert not re.search(real, found, re.IGNORECASE)
    assert not re.search(r"https?://|\d{2,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}", found)
    assert "@" not in found


@EVERY
def test_a_cover_hides_what_the_title_gives_away(name: str) -> None:
    one = SCENARIOS[name]
    assert one.cover is not None
    for secret in (
        "改ざん",
        "侵入",
        "内部",
        "乗っ取り",
        "委託先の侵害",
        "tamper",
        "intrusion",
        "insider",
        "takeover",
    ):
        assert secret not in one.cover.ja + one.cover.en
        assert secret not in one.briefing.ja + one.briefing.en


def test_what_players_of_a_blind_one_may_read_does_not_tell_its_kind() -> None:
    for one in (each for each in SCENARIOS.values() if each.blind):
        told = [objective.text for objective in one.objectives if objective.told]
        assert told
        shown = " ".join(
            f"{text.ja} {text.en}" for text in (*told, one.called, one.briefing, *one.start.known)
        )
        assert not re.search("個人データ|漏えい|本人|personal data|breach|leak", shown)


def test_together_they_have_what_an_institution_plays_over_the_years() -> None:
    everything = SCENARIOS.values()
    assert any(one.blind for one in everything)
    assert any(one.large_scale for one in everything)
    assert any(len(one.playbooks) > 1 for one in everything)
    assert {kind for one in everything for kind in (i.kind for i in one.injects)} == {
        "alert", "call", "mail", "news", "system", "contingency",
    }  # fmt: skip
