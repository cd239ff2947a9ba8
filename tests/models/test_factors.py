"""The factors of a decision are typed, `unknown` is an answer, and all that is wrong is told at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.clock import iso
from models.commands import Decide
from models.fact import Fact
from models.factors import FACTOR_TYPES, WrongFactor, read_factor
from models.fold import empty, fold
from models.playbook import FACTORS
from models.reason import Reason
from models.state import Incident
from tests.models.small import CHO, NIGHT, by, decision, organisation, scene_of

BANK = organisation(fields={"zone": "Asia/Tokyo"})
NOW = iso(NIGHT)
"""Three in the morning in Tokyo."""

READ: list[tuple[str, str, str, Any]] = [
    ("at once", "window", "now", [NOW]),
    ("at once, in Japanese", "window", "即時", [NOW]),
    ("the next time it is four", "window", "04:00", ["2026-11-22T19:00:00.000000Z"]),
    ("two o'clock has passed: tomorrow", "window", "02:00", ["2026-11-23T17:00:00.000000Z"]),
    (
        "a range of the clock",
        "window",
        "04:00-06:00",
        ["2026-11-22T19:00:00.000000Z", "2026-11-22T21:00:00.000000Z"],
    ),
    (
        "a range over midnight",
        "window",
        "23:00〜02:00",
        ["2026-11-23T14:00:00.000000Z", "2026-11-23T17:00:00.000000Z"],
    ),
    (
        "until the end of the day",
        "window",
        "22:00-24:00",
        ["2026-11-23T13:00:00.000000Z", "2026-11-23T15:00:00.000000Z"],
    ),
    (
        "two instants with their offsets",
        "window",
        "2026-11-23T04:00+09:00..2026-11-23T06:00+09:00",
        ["2026-11-22T19:00:00.000000Z", "2026-11-22T21:00:00.000000Z"],
    ),
    ("from now on until four", "window", "now..04:00", [NOW, "2026-11-22T19:00:00.000000Z"]),
    ("a span is written in one way", "duration", "240m", "4h"),
    ("services by their ids", "services", "payments, cards", ["payments", "cards"]),
    ("each service once", "services", "cards、cards", ["cards"]),
    ("how only one of them begins, in any case", "services", "Pay", ["payments"]),
    ("a number of customers", "customers-affected", "1,200", 1200),
    ("customers in words", "customers-affected", "the east branch", None),
    ("an alternative is free text", "alternative", "by hand", None),
]


@pytest.mark.parametrize(("name", "value", "kept"), [row[1:] for row in READ], ids=[row[0] for row in READ])
def test_a_factor_is_read(name: str, value: str, kept: Any) -> None:
    assert read_factor(name, value, NIGHT, BANK) == kept


@pytest.mark.parametrize("name", FACTORS)
@pytest.mark.parametrize("word", ["unknown", "Unknown", "不明"])
def test_unknown_is_an_answer_to_each(name: str, word: str) -> None:
    assert read_factor(name, word, NIGHT, BANK) == "unknown"


WRONG: list[tuple[str, str, str, str]] = [
    ("words are no window", "window", "tonight", "02:00-06:00"),
    ("a window has a zone", "window", "2026-11-23T04:00", "+09:00"),
    (
        "a window does not end before it begins",
        "window",
        "2026-11-23T06:00+09:00..2026-11-23T04:00+09:00",
        "later",
    ),
    ("three times are no window", "window", "now..04:00..05:00", "one time, or two"),
    ("there is no such hour", "window", "25:00", "expected now"),
    ("a number without a unit is no span", "duration", "4", "15m"),
    ("no such service", "services", "payments, lunch", "lunch"),
    ("no service at all", "services", ",", "known: cards, payments"),
]


@pytest.mark.parametrize(
    ("name", "value", "expected"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_what_is_wrong_says_what_was_expected(name: str, value: str, expected: str) -> None:
    with pytest.raises(WrongFactor, match=r".") as wrong:
        read_factor(name, value, NIGHT, BANK)
    assert expected in str(wrong.value)


@given(st.sampled_from(FACTORS), st.text(max_size=60))
def test_whatever_is_written_is_read_or_refused_in_words(name: str, value: str) -> None:
    try:
        found = read_factor(name, value, NIGHT, BANK)
    except WrongFactor as wrong:
        assert str(wrong)
    else:
        assert found is None or isinstance(found, (str, int, list))


def choose(**factors: str) -> Decide:
    given_ = {name.replace("_", "-"): value for name, value in factors.items()}
    return Decide(actor=by(CHO), step="cut", choice="yes", reason="-", factors=given_)


def test_all_defects_are_told_at_once_and_nothing_is_decided() -> None:
    made = scene_of(decision("cut", factors=list(FACTORS)))
    wrong = made.says(
        choose(
            window="later", duration="long", services="lunch", alternative="-", customers_affected="7", x="y"
        )
    )
    assert wrong.reason is Reason.FIELD_WRONG
    assert isinstance(wrong.detail["fields"], list)
    assert [one.split(":")[0] for one in wrong.detail["fields"]] == ["x", "window", "duration", "services"]
    assert made.step("cut").choice is None


def test_typed_values_are_plain_and_free_text_lies_beside_the_fact() -> None:
    made = scene_of(decision("cut", factors=list(FACTORS)))
    made.do(
        choose(
            window="now",
            duration="90m",
            services="payments",
            alternative="cash machines",
            customers_affected="unknown",
        )
    )
    kept = made.facts("decision.made")[0].data["factors"]
    assert kept.pop("alternative").startswith("t:")
    assert kept == {
        "window": [NOW],
        "duration": "1h30m",
        "services": ["payments"],
        "customers-affected": "unknown",
    }
    assert made.step("cut").factors["services"] == ["payments"]


def test_a_decision_says_who_was_entitled_when_it_was_made() -> None:
    made = scene_of(decision("cut"))
    made.do(choose())
    assert made.facts("decision.made")[0].data["entitled"] == [{"person": CHO, "role": "ciso"}]


def test_the_records_of_the_first_versions_still_fold() -> None:
    old = {
        "step": "unknown/cut",
        "choice": "yes",
        "authority": {"role": "ciso"},
        "factors": dict.fromkeys(FACTOR_TYPES, "t:" + "0" * 64),
        "reason": "t:" + "1" * 64,
    }
    fact = Fact(
        stream="INC-2026-0001",
        seq=1,
        at=NIGHT,
        recorded_at=NIGHT,
        actor=CHO,
        kind="decision.made",
        data=old,
    )
    state = fold(empty("INC-2026-0001"), [fact])
    assert isinstance(state, Incident)
    assert state.steps["unknown/cut"].factors["window"] == "t:" + "0" * 64
