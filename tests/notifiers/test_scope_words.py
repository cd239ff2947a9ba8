"""What is new in scope, for messages: a file of thousands is not read out, and nobody clicks an indicator."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from models.scope import ScopeItem
from models.state import Incident
from notifiers.scopewords import NAMED, new_in_scope

NIGHT = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)


def incident(count: int) -> Incident:
    kinds = ("indicator", "host")
    items = [
        ScopeItem(
            id=f"SC-{one}", kind=kinds[one % 2], name=f"evil{one}.example", at=NIGHT + timedelta(minutes=one)
        )
        for one in range(count)
    ]
    return Incident(stream="INC-2026-0001", scope={one.id: one for one in items})


def test_an_indicator_is_defanged_and_what_is_older_is_left_out() -> None:
    said = list(new_in_scope(incident(3), NIGHT + timedelta(minutes=1), str))
    assert [name for _, name in said] == ["evil1.example", "evil2[.]example"]


def test_of_many_the_first_are_named_and_the_rest_counted() -> None:
    said = list(new_in_scope(incident(5_000), NIGHT, str))
    assert len(said) == NAMED + 1
    assert said[-1][1] == f"… +{5_000 - NAMED}"
