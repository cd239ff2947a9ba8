"""The rules by which a rating is proposed: one row each, and what nobody can see proposes none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from models.drillresult import Expectation, MeasureResult
from models.scoring.rating import ALL_IN_TIME, GRADED, NONE, NOTES, Seen, propose
from models.values import Text
from tests.models.drillhouse import minutes

TEXT = Text(ja="-", en="-")
LIMIT = timedelta(minutes=10)


def act(outcome: str = "done", took: int | None = 5, **fields: Any) -> Expectation:
    """An expectation with a limit of ten minutes, and what became of it; `took` in minutes."""
    done = outcome in {"done", "late", "other", "scripted"}
    shape: dict[str, Any] = {
        "inject": "call",
        "text": TEXT,
        "outcome": outcome,
        "within_seconds": 600,
        "asked_at": minutes(0),
        "done_by": "amy" if done else None,
        "scripted": outcome == "scripted",
        "took_seconds": took * 60 if done and took is not None else None,
    }
    return Expectation.model_validate(shape | fields)


def measure(outcome: str, **fields: Any) -> MeasureResult:
    """A recovery time against two hours."""
    shape = {"kind": "rto", "service": "atm", "target_seconds": 7200, "target_from": "service"}
    return MeasureResult.model_validate(shape | {"outcome": outcome} | fields)


def seen(*what: Expectation | MeasureResult, key: tuple[int, ...] = (), **fields: Any) -> Seen:
    return Seen(
        expectations=tuple(one for one in what if isinstance(one, Expectation)),
        measures=tuple(one for one in what if isinstance(one, MeasureResult)),
        key=frozenset(key),
        **fields,
    )


DONE, LATE, UNDONE = act(), act("late", 15), act("not-done")
SCRIPTED = act("scripted")
ROWS: list[tuple[str, Seen, str | None, tuple[str, ...]]] = [
    ("all was done in time", seen(DONE, DONE), "P", (ALL_IN_TIME,)),
    ("done before anybody asked", seen(act(took=-3)), "P", (ALL_IN_TIME,)),
    ("one was late", seen(DONE, LATE), "S", ("late",)),
    ("one took just twice its limit", seen(act("late", 20)), "S", ("late",)),
    ("one took more than twice its limit", seen(DONE, act("late", 21)), "M", ("late-by-far",)),
    ("one a little late and one by far", seen(LATE, act("late", 21)), "M", ("late-by-far", "late")),
    ("late because the story leapt", seen(act("late", 300, leapt=True)), "S", ("late-by-leap",)),
    ("nothing was done at all", seen(UNDONE, UNDONE), "U", ("nothing-done",)),
    ("what the limit is about was not done", seen(DONE, UNDONE, key=(1,)), "U", ("key-step-not-done",)),
    ("another step was not done", seen(DONE, UNDONE, key=(0,)), "M", ("step-not-done",)),
    ("a step was not done, no limit", seen(DONE, UNDONE), "M", ("step-not-done",)),
    ("decided otherwise", seen(DONE, act("other")), "M", ("decided-otherwise",)),
    (
        "each in time, the whole too late",
        seen(DONE, limit=LIMIT, took=timedelta(minutes=12)),
        "S",
        ("limit-missed",),
    ),
    (
        "each in time, the whole by far too late",
        seen(DONE, limit=LIMIT, took=timedelta(minutes=21)),
        "M",
        ("limit-missed-by-far",),
    ),
    (
        "the whole too late because the story leapt",
        seen(DONE, limit=LIMIT, took=timedelta(hours=5), leapt=timedelta(hours=5)),
        "P",
        (ALL_IN_TIME,),
    ),
    ("the whole within its limit", seen(DONE, limit=LIMIT, took=LIMIT), "P", (ALL_IN_TIME,)),
    ("a recovery target was missed", seen(DONE, measure("missed")), "M", ("target-missed",)),
    ("a recovery target was met", seen(measure("met")), "P", (ALL_IN_TIME,)),
    ("a target missed by the script alone", seen(DONE, measure("missed", scripted=True)), "P",
     (ALL_IN_TIME, "partly-scripted")),
    ("a measure that nobody knows", seen(DONE, measure("unknown")), "P", (ALL_IN_TIME, "measure-unknown")),
    ("some by people, some by script", seen(DONE, SCRIPTED), "P", (ALL_IN_TIME, "partly-scripted")),
    ("late by people, in time by script", seen(LATE, SCRIPTED), "S", ("late", "partly-scripted")),
    ("undone by people, done by script", seen(UNDONE, SCRIPTED), "U", ("nothing-done", "partly-scripted")),
    ("some that only people can see", seen(DONE, act("not-observable")), "P",
     (ALL_IN_TIME, "partly-not-observable")),
    ("one not due yet at ENDEX", seen(DONE, act("open")), "P", (ALL_IN_TIME, "partly-open")),
    ("one whose inject never came", seen(DONE, act("not-delivered")), "P", (ALL_IN_TIME,)),
    ("done by people and by machine", seen(DONE, act(done_by="hikeshi")), "P", (ALL_IN_TIME,)),
    ("by machine, and one left undone", seen(act(done_by="hikeshi"), UNDONE), "M", ("step-not-done",)),
    # nothing is proposed
    ("nothing that the record can show", seen(act("not-observable")), None, ("not-observable",)),
    ("nothing expected, a measure unknown", seen(measure("unknown")), None, ("not-observable",)),
    ("no inject came in", seen(act("not-delivered"), act("not-observable")), None, ("not-delivered",)),
    ("all was done by the script", seen(SCRIPTED, SCRIPTED), None, ("only-scripted",)),
    ("a role that nobody played left it undone", seen(act("not-done", scripted=True)), None,
     ("only-scripted",)),
    ("script alone, and its recovery time", seen(SCRIPTED, measure("met", scripted=True)), None,
     ("only-scripted",)),
    ("nothing was due yet", seen(act("open")), None, ("ended-before",)),
    ("all was done by machine", seen(act(done_by="hikeshi")), None, ("only-machine",)),
]  # fmt: skip


@pytest.mark.parametrize(("what", "given", "rating", "reasons"), ROWS, ids=[row[0] for row in ROWS])
def test_a_rating_is_proposed_with_its_reasons(
    what: str, given: Seen, rating: str | None, reasons: tuple[str, ...]
) -> None:
    assert propose(given) == (rating, reasons)


def test_every_rule_has_a_row() -> None:
    shown = {reason for row in ROWS for reason in row[3]}
    assert shown == {rule.name for rule in (*NONE, *GRADED, *NOTES)} | {ALL_IN_TIME}


def test_what_scripted_responders_do_never_makes_a_rating_better_or_worse() -> None:
    for _, given, rating, _ in ROWS:
        with_script = Seen(
            expectations=(*given.expectations, SCRIPTED),
            measures=given.measures,
            key=given.key,
            limit=given.limit,
            took=given.took,
            leapt=given.leapt,
        )
        assert propose(with_script)[0] == rating
