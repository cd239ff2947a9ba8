"""Checkpoints: when one is owed, what it says, and that its bytes are stable."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import checkpoint as cp
from models.checkpoint import Owed
from models.errors import BadInput

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
A, B = "a" * 64, "b" * 64


def make(**given: Any) -> cp.Checkpoint:
    """A checkpoint of two records, but for what is given."""
    plain: dict[str, Any] = {
        "before": None,
        "heads": {"INC-2026-0001": (3, A), "house": (7, B)},
        "known": None,
        "trail": {},
    }
    return cp.make(cp.Maker(NOW, "pager", "k"), **plain | given)


@pytest.mark.parametrize(
    ("sentence", "new", "age", "is_open", "moment", "expected"),
    [
        ("nothing new, nothing made", 0, timedelta(days=2), True, True, Owed.NOTHING_NEW),
        ("declared, resolved or closed: at once", 1, timedelta(0), True, True, Owed.MOMENT),
        ("a hundred facts, whatever is open", 100, timedelta(0), False, False, Owed.FACTS),
        ("99 facts are not yet enough", 99, timedelta(0), True, False, Owed.NOT_DUE),
        ("a minute while an incident is open", 1, timedelta(seconds=60), True, False, Owed.OPEN),
        ("59 seconds are not yet enough", 1, timedelta(seconds=59), True, False, Owed.NOT_DUE),
        ("with nothing open a minute is not enough", 1, timedelta(seconds=60), False, False, Owed.NOT_DUE),
        ("an hour, then also with nothing open", 1, timedelta(hours=1), False, False, Owed.QUIET),
        ("the clock was set back an hour", 1, -timedelta(hours=1), False, False, Owed.QUIET),
        ("the very first", 1, None, False, False, Owed.QUIET),
    ],
)
def test_when_a_checkpoint_is_owed(
    sentence: str, new: int, age: timedelta | None, is_open: bool, moment: bool, expected: Owed
) -> None:
    last = NOW - age if age is not None else None
    found = cp.owed(new_facts=new, last=last, incident_open=is_open, moment=moment, now=NOW)
    assert found is expected, sentence
    assert found.yes is (expected not in {Owed.NOTHING_NEW, Owed.NOT_DUE})


def test_the_root_can_be_recomputed_with_sort_and_sha256sum() -> None:
    heads = {"house": (7, B), "INC-2026-0001": (3, A)}
    lines = sorted(f"{name} {seq} {head}\n" for name, (seq, head) in heads.items())
    assert make(heads=heads).root == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_first_has_nothing_before_it_and_the_second_names_the_first() -> None:
    first = make()
    second = make(before=(1, cp.digest(first.body())))
    assert (first.number, first.previous) == (1, cp.NOTHING_BEFORE)
    assert (second.number, second.previous) == (2, hashlib.sha256(first.body()).hexdigest())


def test_the_body_is_canonical_and_reads_back() -> None:
    one = make(trail={"house": [A, B], "intake": []})
    content = json.loads(one.body())
    assert list(content) == sorted(content)
    assert content["heads"] == {"INC-2026-0001": [3, A], "house": [7, B]}
    assert content["trail"] == {"house": "a" * 16 + "b" * 16}
    assert content["facts"] == "10"
    assert cp.read_checkpoint(one.body()) == one


def test_what_is_no_checkpoint_is_refused() -> None:
    with pytest.raises(BadInput, match="no checkpoint"):
        cp.read_checkpoint(b'{"number": "one"}')


def test_a_large_house_lists_what_has_grown_and_covers_all() -> None:
    before = {f"INC-2026-{n:04d}": (1, A) for n in range(101)}
    heads = before | {"INC-2026-0007": (2, B)}
    one = make(before=(4, A), heads=heads, known=before)
    assert not one.full
    assert one.heads == {"INC-2026-0007": (2, B)}
    assert (one.streams, one.root) == (101, cp.root_of(heads))
    assert cp.new_facts(heads, before) == 1
    assert make(before=(4, A), heads=heads, known=None).full
    assert make(before=(999, A), heads=heads, known=before).full


def test_a_trail_that_is_too_long_is_left_out() -> None:
    assert make(trail={"house": [A] * cp.MAX_TRAIL}).trail
    assert make(trail={"house": [A] * cp.MAX_TRAIL, "intake": [A]}).trail == {}


def test_a_keys_name_is_half_of_its_digest_and_its_statement_names_the_one_before() -> None:
    public = bytes(range(32))
    assert cp.key_id(public) == hashlib.sha256(public).hexdigest()[:32]
    assert json.loads(cp.key_statement(public, "old", NOW)) == {
        "at": "2026-11-23T03:00:00.000000Z",
        "before": "old",
        "public": public.hex(),
        "type": "key",
        "v": 1,
    }


def test_a_digest_is_read_aloud_in_groups_of_four() -> None:
    assert cp.aloud("0123456789abcdef" * 4).splitlines() == ["0123 4567 89ab cdef 0123 4567 89ab cdef"] * 2
