"""What is kept of a stream beside its facts, derived from its state: the same when written and rebuilt."""

from __future__ import annotations

from models.clocks.rules import clock_counts
from models.decide import next_due
from models.fold import RULES_VERSION
from models.record import Derived
from models.state import Incident, StreamState


def derived(state: StreamState, snapshot: bytes | None) -> Derived:
    """Status, next due time, what the conductor has to do, and the clocks."""
    incident = state if isinstance(state, Incident) else None
    return Derived(
        status=incident.status if incident else "open",
        severity=incident.severity if incident else "",
        drill=incident.drill if incident else False,
        next_due_at=next_due(state),
        wanted=incident.wanted if incident else 0,
        snapshot=snapshot,
        rules=RULES_VERSION,
        clocks=clock_counts(incident) if incident else (0, 0, 0),
        restricted=incident.restriction.on if incident else False,
    )
