"""Conditions of obligations where things are unknown, and what an obligation's fields refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.errors import BadExpression
from models.expression import UNKNOWN, calls_in, evaluate, try_all, weigh
from models.impact import SETS, WORDS
from models.obligation import FUNCTIONS, Obligation, Profile, Term, in_force, overlapping
from playbooks.obligations import shipped

MAXIMUM = 1000


def names(known: Mapping[str, Any], **profile: Any) -> dict[str, Callable[..., Any]]:
    """The functions of a condition over what is known of the harm; nothing else is the case."""
    told = Profile(**profile)
    return {
        "profile": told.value,
        "impact": lambda kind: known.get(kind, UNKNOWN),
        "playbook": lambda name: name == "ransomware",
        "severity_at_least": lambda name: name == "low",
        "affected": lambda name: False,
        "important": lambda: False,
        "known": lambda name: name == "recognised",
    }


def holds(condition: str, /, **known: Any) -> bool | None:
    return weigh(condition, names({name.replace("_", "-"): value for name, value in known.items()}))


# -- what is unknown ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "condition", "known", "expected"),
    [
        ("nothing is known", 'impact("people") > 1000', {}, None),
        ("a number above", 'impact("people") > 1000', {"people": 1001}, True),
        ("a number on the limit", 'impact("people") > 1000', {"people": 1000}, False),
        ("one side is enough for `or`", 'impact("people") > 1 or impact("amount") > 1', {"amount": 2}, True),
        ("the other way round", 'impact("amount") > 1 or impact("people") > 1', {"amount": 2}, True),
        ("one side rules `and` out", 'impact("people") > 1 and impact("amount") > 1', {"amount": 0}, False),
        ("the other way round too", 'impact("amount") > 1 and impact("people") > 1', {"amount": 0}, False),
        ("one side is not enough for `and`", 'impact("people") > 1 and impact("amount") > 1',
         {"amount": 2}, None),
        ("one side does not rule `or` out", 'impact("people") > 1 or impact("amount") > 1',
         {"amount": 0}, None),
        ("a word that is not this one", 'impact("purpose") != "improper"', {}, None),
        ("not of the unknown is unknown", 'not (impact("purpose") == "improper")', {}, None),
        ("two unknowns, one of them negated: no certain no",
         'impact("personal-data") == "leaked" and not (impact("encrypted") == "yes")', {}, None),
        ("nor under `not in`", 'impact("people") > 1000 and "ordinary" not in impact("data")', {}, None),
        ("a set of words", '"sensitive" in impact("data")', {"data": ("sensitive", "ordinary")}, True),
        ("a word that the set lacks", '"sensitive" in impact("data")', {"data": ("ordinary",)}, False),
        ("a word that must lack", '"sensitive" not in impact("data")', {"data": ("ordinary",)}, True),
        ("one of several words", 'impact("media") in ["local", "national"]', {"media": "local"}, True),
        ("the unknown is perhaps one of them", 'impact("media") in ["local", "national"]', {}, None),
        ("a list holds it, whatever else is in it", '"a" in ["a", impact("media")]', {}, True),
        ("a list perhaps holds it", '"a" in ("b", impact("media"))', {}, None),
        ("a chain that fails at its known end", '5 < 3 < impact("people")', {}, False),
        ("a chain that hangs on its end", '1 < 3 < impact("people")', {}, None),
        ("a function of the unknown is unknown", 'playbook(impact("media"))', {}, None),
        ("plain words by themselves", 'playbook("ransomware") and known("recognised")', {}, True),
        ("what is the case is never unknown", "important()", {}, False),
        ("the value of `and` is compared, as everywhere", '(known("recognised") and 5) == 5', {}, True),
    ],
)  # fmt: skip
def test_a_condition_says_yes_no_or_that_it_depends(
    said: str, condition: str, known: dict[str, Any], expected: bool | None
) -> None:
    functions = names({name.replace("_", "-"): value for name, value in known.items()})
    assert weigh(condition, functions) is expected, said


ATOMS = st.sampled_from([
    'impact("purpose") == "improper"', 'impact("purpose") != "improper"',
    'impact("encrypted") in ["yes"]', 'impact("encrypted") not in ("yes", "no")',
    '"sensitive" in impact("data")', '"sensitive" not in impact("data")',
    'impact("people") > 1000', '10 < impact("people") <= 1000', "important()", 'known("recognised")',
])  # fmt: skip
CONDITIONS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("not ({})".format, inner),
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
    ),
    max_leaves=6,
)
DOMAINS: dict[str, tuple[Any, ...]] = {
    "purpose": WORDS["purpose"],
    "encrypted": WORDS["encrypted"],
    "data": ((), ("sensitive",), ("ordinary",), SETS["data"]),
    "people": (0, 10, 11, 1000, 1001),
}


def worlds(known: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Everything that the unknown may turn out to be."""
    choices = [(known[kind],) if kind in known else values for kind, values in DOMAINS.items()]
    return (dict(zip(DOMAINS, chosen, strict=True)) for chosen in product(*choices))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(condition=CONDITIONS, data=st.data())
def test_a_certain_answer_stays_whatever_the_unknown_turns_out_to_be(
    condition: str, data: st.DataObject
) -> None:
    kinds = data.draw(st.sets(st.sampled_from(sorted(DOMAINS))))
    known = {kind: data.draw(st.sampled_from(DOMAINS[kind])) for kind in sorted(kinds)}
    found = weigh(condition, names(known))
    later = {weigh(condition, names(world)) for world in worlds(known)}

    assert None not in later, "with everything known there is an answer"
    assert found is None or later == {found}


@pytest.mark.parametrize(
    ("said", "condition"),
    [
        ("a function of playbooks", 'done("isolate")'),
        ("a sum", 'impact("people") + 1 > 1000'),
        ("an attribute", 'impact("people").real > 1'),
        ("two expressions", 'known("a") }}{{ known("b")'),
        ("two expressions that close each other's brackets", 'known("a")) }}{{ (known("b")'),
        ("text beside", 'known("a") }} or {{ known("b")'),
        ("half a condition", "known("),
        ("a number and a word", 'impact("people") > "many"'),
        ("a field that the profile lacks", 'profile("colour")'),
    ],
)
def test_a_condition_that_cannot_be_evaluated_is_refused(said: str, condition: str) -> None:
    with pytest.raises(BadExpression):
        weigh(condition, names({"people": 7}))


def test_each_table_of_functions_has_its_own_conditions() -> None:
    assert calls_in('impact("people") > 1', FUNCTIONS) == (("impact", "people"),)
    assert evaluate('done("a")', {"done": lambda step: True})
    with pytest.raises(BadExpression, match="known: affected, impact, important"):
        calls_in('done("a")', FUNCTIONS)
    assert repr(UNKNOWN) == "unknown"


@pytest.mark.parametrize(
    ("said", "condition"),
    [
        ("behind what settles it", 'known("a") or impact("people") > "many"'),
        ("at the end of a chain", '5 < impact("people") < "many"'),
        ("a call behind what settles it", 'known("a") or profile("colour")'),
        ("a number in a number", 'known("a") or 5 in impact("people")'),
    ],
)
def test_each_part_is_tried_for_itself(said: str, condition: str) -> None:
    known = names({"people": 1}) | {"known": lambda name: True}
    with pytest.raises(BadExpression):
        try_all(condition, known)
    try_all('known("a") or 1 < impact("people") < 9 or not profile("listed")', known)


# -- when the shipped rules apply ---------------------------------------------------------------------------


def rule(name: str) -> Obligation:
    return next(one for one in shipped() if one.id == name)


LEAK = {"personal_data": "leaked"}


@pytest.mark.parametrize(
    ("said", "known", "expected"),
    [
        ("nothing is known yet", {}, None),
        ("no personal data", {"personal_data": "none"}, False),
        ("none, whatever the number", {"personal_data": "none", "people": 5000}, False),
        ("a thousand people are not too many",
         LEAK | {"people": 1000, "purpose": "not-improper", "data": ("ordinary",)}, False),
        ("one more is", LEAK | {"people": 1001, "purpose": "not-improper", "data": ("ordinary",)}, True),
        ("the possibility is enough", {"personal_data": "possible", "people": 1001}, True),
        ("sensitive data of one person", LEAK | {"people": 1, "data": ("sensitive",)}, True),
        ("an improper purpose, and nothing else known", LEAK | {"purpose": "improper"}, True),
        ("few people, and the purpose not known", LEAK | {"people": 3, "data": ("ordinary",)}, None),
    ],
)  # fmt: skip
def test_when_a_leak_is_reported(said: str, known: dict[str, Any], expected: bool | None) -> None:
    assert holds(rule("JP-PPC").applies_if, **known) is expected, said


def test_of_two_limits_the_earlier_is_taken_while_the_purpose_is_unknown() -> None:
    stages = {stage.id: stage for stage in rule("JP-PPC").stages}
    short, long = stages["final"], stages["final-improper"]
    assert short.applies_if is not None
    assert long.applies_if is not None

    assert (holds(short.applies_if), short.if_unknown) == (None, True)
    assert (holds(long.applies_if), long.if_unknown) == (None, False)
    assert holds(short.applies_if, purpose="improper") is False
    assert holds(long.applies_if, purpose="improper") is True


@pytest.mark.parametrize("name", ["EU-DORA", "US-BANK36", "US-BSP", "US-NYDFS", "US-SEC105", "UK-OIR",
                                  "JP-CRCA", "JP-TSE", "JP-FIEA", "SWIFT-CSP"])  # fmt: skip
def test_a_plain_regional_bank_is_not_asked_about_rules_that_cannot_reach_it(name: str) -> None:
    assert holds(rule(name).applies_if) is False


def test_rules_of_2026_are_picked_by_the_day() -> None:
    def editions(day: date) -> set[tuple[str, date]]:
        return {(one.id, one.edition) for one in in_force(shipped(), day)}

    before, after = editions(date(2026, 9, 30)), editions(date(2026, 10, 1))
    assert before - after == {("JP-FSA-SYS", date(2025, 10, 1))}
    assert after - before == {("JP-FSA-SYS", date(2026, 10, 1)), ("JP-CRCA", date(2026, 10, 1))}
    assert ("UK-OIR", date(2027, 3, 18)) not in editions(date(2027, 3, 17))
    assert ("UK-OIR", date(2027, 3, 18)) in editions(date(2027, 3, 18))
    assert len(after) == len({name for name, _ in after}), "one edition of each"
    assert not any(overlapping(a, b) for a in shipped() for b in shipped() if a is not b)


# -- fields -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["72", 72, "0h", "-3d", "3 weeks", "1.5h", "", "100000h", None])
def test_a_limit_needs_a_whole_number_above_nought_and_its_unit(limit: Any) -> None:
    with pytest.raises(ValidationError, match="a number with its unit"):
        Term.model_validate({"from": "recognised", "limit": limit})


@pytest.mark.parametrize(
    ("most", "beyond"),
    [("87600h", "87601h"), ("3660d", "3661d"), ("2600bd", "2601bd"), ("120mo", "121mo")],
)
def test_a_limit_ends_within_ten_years(most: str, beyond: str) -> None:
    assert str(Term.model_validate({"from": "recognised", "limit": most}).limit) == most
    with pytest.raises(ValidationError, match=f"at most {most}"):
        Term.model_validate({"from": "recognised", "limit": beyond})


def test_what_rolls_ends_at_an_hour_or_with_the_day_and_at_no_same_time() -> None:
    Term.model_validate({"from": "recognised", "limit": "1d", "ends": "same-time", "roll_at": "day-end"})
    with pytest.raises(ValidationError, match="expected day-end or HH:MM, got 'same-time'"):
        Term.model_validate({"from": "recognised", "limit": "1d", "roll_at": "same-time"})


@pytest.mark.parametrize(("text", "unit"), [("90m", "m"), ("72h", "h"), ("30d", "d"), ("4bd", "bd")])
def test_a_limit_is_written_as_it_is_read(text: str, unit: str) -> None:
    term = Term.model_validate({"from": "recognised", "limit": text, "warn": ["1mo"]})
    again = Term.model_validate(term.model_dump(mode="json", by_alias=True))

    assert (str(term.limit), term.limit.unit, again) == (text, unit, term)
    assert Term.model_validate({"from": "recognised", "limit": term.limit}) == term.model_copy(
        update={"warn": ()}
    )


@pytest.mark.parametrize("clock", ["24:00", "9:00", "12:60", "noon"])
def test_an_hour_of_the_day_is_written_out(clock: str) -> None:
    with pytest.raises(ValidationError, match="HH:MM"):
        Term.model_validate({"from": "recognised", "limit": "1d", "roll_at": clock})
