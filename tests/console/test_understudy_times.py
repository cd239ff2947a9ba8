"""How long understudies take: figures from a table, the same for the same seed wherever they are drawn."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from console.drill.understudies.times import Span, drawn, shipped_times
from console.drill.understudies.words import Words
from models.playbook import FACTORS, FieldType

SPAN = Span(low="1m", usual="3m", high="10m")  # type: ignore[arg-type]
SEEDS = range(4_000)


def test_a_figure_depends_on_the_seed_and_on_what_it_is_about_and_on_nothing_else() -> None:
    assert drawn(7, "sato-kenji", "page INC-2026-0001 3 0 0") == 4239266203
    assert drawn(8, "sato-kenji", "page INC-2026-0001 3 0 0") != 4239266203
    assert drawn(7, "sato", "kenji") != drawn(7, "sato-kenji")


def test_the_times_lie_between_low_and_high_and_most_of_them_about_the_usual() -> None:
    times = [SPAN.at(drawn(seed, "x")) for seed in SEEDS]
    assert min(times) >= SPAN.low
    assert max(times) <= SPAN.high
    mean = sum(times, timedelta(0)) / len(times)
    assert timedelta(minutes=4, seconds=30) < mean < timedelta(minutes=4, seconds=50)  # (1 + 3 + 10) / 3
    near = sum(timedelta(minutes=2) <= one <= timedelta(minutes=4) for one in times)
    assert near > len(times) // 3
    assert len(set(times)) > 300


def test_the_ends_of_the_triangle_are_its_ends() -> None:
    assert SPAN.at(0) == SPAN.low
    assert SPAN.high - SPAN.at(2**32 - 1) <= timedelta(seconds=1)
    assert Span(low="5m", usual="5m", high="5m").at(2**31) == timedelta(minutes=5)  # type: ignore[arg-type]


def test_a_span_that_is_out_of_order_is_refused() -> None:
    with pytest.raises(ValidationError, match="low <= usual <= high"):
        Span(low="5m", usual="3m", high="10m")  # type: ignore[arg-type]


def test_the_shipped_table_says_that_it_is_an_assumption() -> None:
    assert shipped_times().source == "assumption"


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_there_are_words_for_every_field_and_factor_that_a_step_may_ask_for(lang: str) -> None:
    words = Words(lang)
    for field in FieldType.__args__:  # type: ignore[attr-defined]
        assert field == "instant" or words("fields", field)
    for factor in FACTORS:
        assert factor == "services" or words("factors", factor)
