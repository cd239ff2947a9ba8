"""Escalation under everything that may go wrong, and that the machine would notice a broken rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

import models.advance
import models.decide
import models.messages
import models.page
import models.rules.declining
import models.rules.pages
from models.fact import Fact
from models.page import Escalation, due_at, escalation_due, hurry, page_next_due
from models.reason import Reason
from models.state import Page
from tests.models.pager_machine import PagerMachine
from tests.models.small import BEN, CHO, NIGHT
from tests.models.test_page import page as page_of

Rule = Callable[[Page, datetime], Escalation]
NextDue = Callable[[Page], datetime | None]
ESCALATION = {
    Reason.NOT_DUE,
    Reason.ACKNOWLEDGED,
    Reason.STOPPED,
    Reason.DELEGATED,
    Reason.ACK_OVERDUE,
    Reason.ACK_LAPSED,
    Reason.REPEAT_DUE,
    Reason.ROUTE_EXHAUSTED,
    Reason.NOT_RENEWED,
}
HURRIED = {Reason.DECLINED, Reason.DELIVERY_FAILED}
"""Why a level is not waited for."""


def play(examples: int, *phases: Phase) -> None:
    run_state_machine_as_test(
        PagerMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            derandomize=True,
            deadline=None,
            database=None,
            phases=phases or (Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )


def put(
    monkeypatch: pytest.MonkeyPatch, rule: Rule = escalation_due, following: NextDue = page_next_due
) -> None:
    """Let the desk run on another rule."""
    monkeypatch.setattr(models.rules.pages, "escalation_due", rule)
    monkeypatch.setattr(models.decide, "page_next_due", following)
    monkeypatch.setattr("tests.models.pager_machine.page_next_due", following)


def test_nothing_that_happens_makes_a_page_end_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    found: set[Reason] = set()

    def noted(page: Page, now: datetime) -> Escalation:
        said = escalation_due(page, now)
        found.add(said.reason)
        return said

    def hurried(page: Page, reason: Reason) -> dict[str, Any]:
        found.add(reason)
        return hurry(page, reason)

    put(monkeypatch, noted)
    for module in (models.advance, models.rules.declining, models.rules.pages):
        monkeypatch.setattr(module, "hurry", hurried)
    play(90)
    assert found >= ESCALATION | HURRIED


# -- rules that are wrong, each in the way somebody might write it ------------------------------------------


def counted_from_the_last_level(page: Page) -> Page:
    """As if the time of each level began when the one before was paged, however late that was."""
    spent = sum(page.within[page.base_level : page.level])
    return Page(
        **{name: getattr(page, name) for name in page.__struct_fields__ if name != "base"},
        base=page.level_at - timedelta(seconds=spent),
    )


def drifts(page: Page, now: datetime) -> Escalation:
    return escalation_due(counted_from_the_last_level(page), now)


def drifts_next(page: Page) -> datetime | None:
    return page_next_due(counted_from_the_last_level(page))


def forgets_the_skipped(page: Page, now: datetime) -> Escalation:
    return replace(escalation_due(page, now), skipped=())


def less_than(page: Page, now: datetime) -> Escalation:
    return escalation_due(page, now - timedelta(microseconds=1))


def repeats_after_ack(page: Page, now: datetime) -> Escalation:
    if page.state != "acknowledged":
        return escalation_due(page, now)
    asked = Page(
        **{name: getattr(page, name) for name in page.__struct_fields__ if name != "state"}, state="open"
    )
    return escalation_due(asked, now)


def never_lapses(page: Page, now: datetime) -> Escalation:
    return (
        Escalation(reason=Reason.ACKNOWLEDGED) if page.state == "acknowledged" else escalation_due(page, now)
    )


def never_lapses_next(page: Page) -> datetime | None:
    return None if page.state == "acknowledged" else page_next_due(page)


def once_is_enough(page: Page, now: datetime) -> Escalation:
    return Escalation(reason=Reason.NOT_DUE) if page.round else escalation_due(page, now)


def once_is_enough_next(page: Page) -> datetime | None:
    return None if page.round else page_next_due(page)


def stays_on_its_level(page: Page, now: datetime) -> Escalation:
    said = escalation_due(page, now)
    return replace(said, level=page.level) if said.reason is Reason.ACK_OVERDUE else said


def asks_again(page: Page, now: datetime) -> Escalation:
    """As if nobody had ever said no."""
    page.declined.clear()
    return escalation_due(page, now)


BROKEN: list[tuple[str, Rule, NextDue]] = [
    ("Levels counted from when the last one was paged drift", drifts, drifts_next),
    ("Levels skipped during an outage are forgotten", forgets_the_skipped, page_next_due),
    ("Less-than for at-most leaves a due page due", less_than, page_next_due),
    ("An acknowledgement does not stop the repeats", repeats_after_ack, page_next_due),
    ("An acknowledgement without work never lapses", never_lapses, never_lapses_next),
    ("The last resort is asked only once", once_is_enough, once_is_enough_next),
    ("Whoever said no is asked again", asks_again, page_next_due),
    ("A page stays on its level", stays_on_its_level, page_next_due),
]


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("rule", "following"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_rule_is_noticed(monkeypatch: pytest.MonkeyPatch, rule: Rule, following: NextDue) -> None:
    put(monkeypatch, rule, following)
    with pytest.raises((AssertionError, ExceptionGroup)):
        play(60, Phase.generate)


def walk() -> None:
    """Exhausted, delegated, and exhausted again: a way on which rounds begin anew."""
    machine = PagerMachine()
    try:
        machine.declare()
        machine.time_passes(31)
        machine.somebody_delegates(CHO, BEN, 3)
        machine.time_passes(15)
        machine.whoever_is_asked_has_a_message_of_their_own()
    finally:
        machine.teardown()


def test_keys_that_come_a_second_time_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds begin anew after a lapse or a delegation: as part of a key they would swallow a page."""
    walk()
    placed = models.messages._place

    def by_round(fact: Fact) -> tuple[str, int]:
        return ("last", fact.data["round"]) if fact.kind == "page.exhausted" else placed(fact)

    monkeypatch.setattr(models.messages, "_place", by_round)
    with pytest.raises(AssertionError, match=r"page.exhausted: cho"):
        walk()


def test_the_variant_that_drifts_differs_from_the_rule_only_when_a_level_was_late() -> None:
    on_time = page_of(level=1, level_at=NIGHT + timedelta(minutes=5))
    late = page_of(level=1, level_at=NIGHT + timedelta(minutes=9))
    assert due_at(counted_from_the_last_level(on_time), 2) == due_at(on_time, 2)
    assert due_at(counted_from_the_last_level(late), 2) > due_at(late, 2)
