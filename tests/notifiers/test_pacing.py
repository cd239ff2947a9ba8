"""How fast a channel may be spoken to, on a clock in our hand."""

from __future__ import annotations

import pytest

from notifiers import pacing
from notifiers.pacing import WIDE, Pacing


class Hand:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_a_destination_rests_for_its_channels_pause_and_no_other_does(hand: Hand) -> None:
    pace = Pacing({"slack": 1.0}, {}, hand)
    pace.pause("slack:a")
    pace.pause("email:a")
    assert pace.resting() == {"slack:a"}
    hand.at += 1.0
    assert pace.resting() == set()


def test_what_one_destination_asks_for_is_its_own(hand: Hand) -> None:
    pace = Pacing({}, {}, hand)
    pace.refused("slack:a", 60)
    assert pace.resting() == {"slack:a"}
    pace.took("slack:a")
    assert pace.resting() == set()


def test_what_several_ask_for_at_once_is_the_channels_for_the_longest_of_them(hand: Hand) -> None:
    pace = Pacing({}, {}, hand)
    for number in range(WIDE):
        pace.refused(f"slack:{number}", 10 + number)
    assert "slack" in pace.resting()
    hand.at += 10 + WIDE - 1.5
    assert "slack" in pace.resting()
    hand.at += 1.5
    assert pace.resting() == set()


def test_refusals_one_after_the_other_close_nothing(hand: Hand) -> None:
    pace = Pacing({}, {}, hand)
    for number in range(3 * WIDE):
        pace.refused(f"slack:{number}", 5)
        hand.at += 5
        assert "slack" not in pace.resting()


def test_a_minute_takes_so_many_and_counts_every_post_of_a_message(hand: Hand) -> None:
    pace = Pacing({}, {"slack": 3}, hand)
    assert pace.rooms() == {"slack": 3} and pace.room("email") is None
    pace.leaves("slack")
    hand.at += 30
    pace.leaves("slack", 2)
    pace.leaves("email", 99)
    assert pace.resting() == {"slack"}
    hand.at += 30
    assert pace.room("slack") == 1, "the first minute is over for the first"


def test_what_is_over_is_forgotten(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "MAX_DESTINATIONS", 3)
    pace = Pacing({"slack": 1.0}, {}, hand)
    for number in range(10):
        pace.pause(f"slack:{number}")
        hand.at += 1.0
    assert len(pace._free_at) <= 4
