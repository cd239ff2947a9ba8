"""What a life of a node may still do once another has taken its lease."""

from __future__ import annotations

from datetime import timedelta

import pytest

from models import lease
from models.errors import Superseded
from models.lease import Life
from models.node import give_up, must_be_current, parts, register
from models.record import Record
from tests.conftest import THREE_AT_NIGHT

FIRST, LATER, OTHER = Life(node="a", epoch=1), Life(node="a", epoch=2), Life(node="b", epoch=1)


def test_a_lease_that_was_taken_over_fences_whoever_had_it() -> None:
    record = Record.in_memory()
    late = THREE_AT_NIGHT + timedelta(seconds=31)
    with record.begin() as tx:
        assert lease.had_last(tx, "run") is None
        lease.must_be_last(tx, "run", OTHER)  # nobody ever had it
        assert lease.take(tx, "run", FIRST, THREE_AT_NIGHT)
        assert not lease.take(tx, "run", OTHER, THREE_AT_NIGHT)
        # Run out, and nobody wanted it: still ours.
        assert lease.renew(tx, "run", FIRST, late)
        lease.let_go(tx, "run", OTHER)  # not theirs to let go
        assert lease.had_last(tx, "run") == (FIRST, False)
        lease.let_go(tx, "run", FIRST)
        assert lease.had_last(tx, "run") == (FIRST, True)
        lease.must_be_last(tx, "run", FIRST)
        assert lease.take(tx, "run", OTHER, late)
        assert not lease.renew(tx, "run", FIRST, late)
        for life in (FIRST, LATER):
            with pytest.raises(Superseded, match="taken over by b"):
                lease.must_be_last(tx, "run", life)
    record.close()


def test_a_later_life_fences_the_earlier_ones() -> None:
    record = Record.in_memory()
    with record.begin() as tx:
        assert lease.take(tx, "run", LATER, THREE_AT_NIGHT)
        lease.must_be_last(tx, "run", LATER)
        with pytest.raises(Superseded, match="epoch 2, ours 1"):
            lease.must_be_last(tx, "run", FIRST)
        assert not lease.renew(tx, "run", FIRST, THREE_AT_NIGHT)
    record.close()


def test_a_part_that_is_given_up_is_refused_and_counts_as_stopped() -> None:
    record = Record.in_memory()
    with record.begin() as tx:
        epoch = register(tx, "conductor@a", THREE_AT_NIGHT, "INC-2026-0001")
        assert give_up(tx, "conductor@a") == epoch + 1
        assert [part.retired for part in parts(tx, "conductor")] == [True]
        with pytest.raises(Superseded):
            must_be_current(tx, "conductor@a", epoch)
        assert register(tx, "conductor@a", THREE_AT_NIGHT) == epoch + 2
    record.close()
