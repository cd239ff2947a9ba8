"""Deadlines in words: each kind says from when, how long, and where it ends."""

from __future__ import annotations

import pytest

from console.texts import texts
from console.views.terms import written
from models.obligation import Deadline
from playbooks.obligations import shipped

KINDS = [
    ({"none": True}, ["voluntary"]),
    ({"at_once": "recognised", "internal": "60m"}, ["at once", "recognised", "own target: 1 h"]),
    ({"on": "restored", "internal": "24h"}, ["owed once", "restored", "own target: 1 d"]),
    (
        {"earliest": [{"from": "recognised", "limit": "72h"}]},
        ['Within 72 hours of "recognised"'],
    ),
    (
        {"earliest": [{"from": "recognised", "limit": "30d", "first_day": "included", "ends": "day-end"}]},
        ["30 calendar days", "is day 1", "24:00 (Asia/Tokyo)"],
    ),
    (
        {"latest": [{"from": "recognised", "limit": "4bd"}, {"from": "detected", "limit": "1mo"}]},
        ["comes last", "4 business days", "authorities in Japan", "not counted", "1 month(s)"],
    ),
    (
        {
            "earliest": [
                {
                    "from": "submitted:first",
                    "limit": "3d",
                    "roll": "next-working-day",
                    "requires": ["contained"],
                    "within_of": {"instant": "contained", "of": "recognised", "span": "24h"},
                }
            ]
        },
        ['the report "First report', "next working day", "Counts only when", "no later than 1 d after"],
    ),
]


@pytest.mark.parametrize(("data", "said"), KINDS)
def test_a_deadline_says_how_it_is_counted(data: dict[str, object], said: list[str]) -> None:
    owed = next(one for one in shipped() if one.id == "JP-FSA-SYS")
    text = "\n".join(written(Deadline.model_validate(data), owed, texts("en")))
    assert [part for part in said if part not in text] == []


def test_every_shipped_deadline_has_its_words_in_both_languages() -> None:
    for lang in ("ja", "en"):
        for owed in shipped():
            for stage in owed.stages:
                for line in written(stage.deadline, owed, texts(lang)):
                    assert line
                    assert "{" not in line
