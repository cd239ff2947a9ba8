"""When a page climbs, repeats, is exhausted or lapses: the table of the escalation rule."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.page import Escalation, due_at, escalation_due, page_next_due
from models.reason import Reason
from models.state import Page
from tests.models.small import NIGHT


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def page(**changes: Any) -> Page:
    """Three levels of 5, 5 and 10 minutes; the last repeats every 4; then every 5 for ever."""
    shape: dict[str, Any] = {
        "id": 7,
        "event": "declared",
        "subject": "incident",
        "route": "main",
        "asked_at": NIGHT,
        "base": NIGHT,
        "within": [300, 300, 600],
        "repeat": [0, 0, 240],
        "all_of": [False, False, False],
        "every": 300,
        "level_at": NIGHT,
    }
    return Page(**(shape | changes))


ACKED = {"state": "acknowledged", "acked_by": "amy", "acked_at": NIGHT + minutes(1), "renew": 1800}
ROWS: list[tuple[str, dict[str, Any], float, Reason, int | None]] = [
    ("Nothing is due before the first level's time is over", {}, 4.99, Reason.NOT_DUE, None),
    ("The next level is due at the very instant", {}, 5, Reason.ACK_OVERDUE, 1),
    ("After a pause of the node the latest level is due", {}, 12, Reason.ACK_OVERDUE, 2),
    ("A level once paged is not due again", {"level": 1}, 9.99, Reason.NOT_DUE, None),
    ("The third level follows the second", {"level": 1}, 10, Reason.ACK_OVERDUE, 2),
    (
        "A level that repeats waits for its interval",
        {"level": 2, "level_at": NIGHT + minutes(10)},
        13.99,
        Reason.NOT_DUE,
        None,
    ),
    (
        "A level that repeats is paged again",
        {"level": 2, "level_at": NIGHT + minutes(10)},
        14,
        Reason.REPEAT_DUE,
        2,
    ),
    (
        "A repeat already asked for is not asked for twice",
        {"level": 2, "level_at": NIGHT + minutes(10), "attempt": 2},
        14,
        Reason.NOT_DUE,
        None,
    ),
    (
        "When the last level's time is over the route is exhausted",
        {"level": 2, "level_at": NIGHT + minutes(10), "attempt": 3},
        20,
        Reason.ROUTE_EXHAUSTED,
        3,
    ),
    (
        "Between two rounds of the last resort nothing is due",
        {"level": 2, "round": 1},
        24.99,
        Reason.NOT_DUE,
        None,
    ),
    ("The last resort is asked again, for ever", {"level": 2, "round": 1}, 25, Reason.ROUTE_EXHAUSTED, 3),
    (
        "A hurried page climbs at once",
        {"base": NIGHT + minutes(2), "base_level": 1},
        2,
        Reason.ACK_OVERDUE,
        1,
    ),
    ("A page that is over asks nobody", {"state": "stopped"}, 500, Reason.STOPPED, None),
    ("A page that somebody has asks nobody", ACKED | {"renew": 0}, 500, Reason.ACKNOWLEDGED, None),
    (
        "Work that began keeps the acknowledgement",
        ACKED | {"worked_at": NIGHT + minutes(2)},
        500,
        Reason.ACKNOWLEDGED,
        None,
    ),
    ("An acknowledgement holds until it has to be renewed", ACKED, 30.99, Reason.NOT_RENEWED, None),
    ("An acknowledgement without work lapses", ACKED, 31, Reason.ACK_LAPSED, 0),
]


@pytest.mark.parametrize(
    ("changes", "after", "reason", "level"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_what_the_time_makes_of_a_page(
    changes: dict[str, Any], after: float, reason: Reason, level: int | None
) -> None:
    found = escalation_due(page(**changes), NIGHT + minutes(after))
    assert (found.reason, found.level) == (reason, level)


@pytest.mark.parametrize(
    ("changes", "after"), [(row[1], row[2]) for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_the_next_due_time_is_the_instant_at_which_the_rule_first_says_something(
    changes: dict[str, Any], after: float
) -> None:
    one = page(**changes)
    due = page_next_due(one)
    if due is None:
        assert escalation_due(one, NIGHT + timedelta(days=400)).level is None
        return
    assert escalation_due(one, due).level is not None
    assert escalation_due(one, due - timedelta(microseconds=1)).level is None


def test_levels_skipped_while_nobody_could_page_are_named() -> None:
    assert escalation_due(page(), NIGHT + minutes(12)).skipped == (1,)


def test_a_wait_says_until_when() -> None:
    assert escalation_due(page(), NIGHT).until == NIGHT + minutes(5)
    assert escalation_due(page(**ACKED), NIGHT).until == NIGHT + minutes(31)
    repeating = page(level=2, level_at=NIGHT + minutes(10))
    assert escalation_due(repeating, NIGHT + minutes(11)).until == NIGHT + minutes(14)
    exhausted = escalation_due(page(level=2, round=1), NIGHT + minutes(21))
    assert exhausted == Escalation(reason=Reason.NOT_DUE, until=NIGHT + minutes(25))


def test_instants_count_from_the_asking_however_late_a_level_was_paged() -> None:
    late = page(level=1, level_at=NIGHT + minutes(9))
    assert due_at(late, 2) == NIGHT + minutes(10)


def test_a_missed_round_of_the_last_resort_is_not_made_up_for() -> None:
    found = escalation_due(page(level=2, round=1), NIGHT + minutes(20 + 17))
    assert found.round == 4


@pytest.mark.parametrize("back", [1, 60, 600], ids=lambda count: f"{count} minutes back")
def test_a_clock_that_steps_back_pages_nobody_again(back: float) -> None:
    one = page(level=2, level_at=NIGHT + minutes(10), attempt=3, round=1)
    assert escalation_due(one, NIGHT + minutes(20 - back)).level is None


def test_a_delegated_page_waits_for_the_end_of_the_delegation() -> None:
    delegated = page(
        level=2,
        level_at=NIGHT + minutes(10),
        base=NIGHT + minutes(60),
        base_level=3,
        delegated_to="dan",
        delegated_until=NIGHT + minutes(60),
    )
    found = escalation_due(delegated, NIGHT + minutes(14))
    assert (found.reason.value, found.until) == ("delegated", NIGHT + minutes(60))
