"""How long a source still has what is to be preserved: logs rotate while people wait (FSA-2.5.2.2-B1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from models.clocks.planned import Planned
from models.organisation import EvidenceSource
from models.state import OVER, Incident
from models.world import World

KEPT_BY = "csirt-lead"
DROPPED = frozenset({"skipped", "not-applicable"})


def retention_clocks(state: Incident, world: World) -> Iterator[Planned]:
    """A clock for each source that a step of this incident preserves and that keeps nothing for ever.

    It starts when the incident was detected, or else declared; evidence of that source meets it.
    """
    if state.status in OVER:
        return
    for source in world.organisation.evidence_sources:
        if source.retention is not None and _is_wanted(source.id, state, world):
            yield _clock(source, state, world)


def _is_wanted(source: str, state: Incident, world: World) -> bool:
    """Whether a step that nobody has dropped preserves it."""
    keys = (key for name in state.playbooks for key in world.plans[name].preserving.get(source, ()))
    return any((known := state.steps.get(key)) is None or known.status not in DROPPED for key in keys)


def _clock(source: EvidenceSource, state: Incident, world: World) -> Planned:
    assert source.retention is not None  # noqa: S101 - `retention_clocks` has looked
    begun = "detected" if "detected" in state.instants else "declared"
    started = state.instants.get(begun) or state.declared_at
    return Planned(
        id=f"retention:{source.id}",
        kind="retention",
        owner=source.owner or KEPT_BY,
        started_at=started,
        due_at=started + source.retention if started is not None else None,
        stopped_at=preserved_at(source.id, state, world),
        internal=True,
        basis={"limit": str(int(source.retention.total_seconds())), "from": begun, "source": source.id},
    )


def preserved_at(source: str, state: Incident, world: World) -> datetime | None:
    """When the first evidence of a source was collected that is whole and still there."""
    return min((one.at for one in world.evidence_of(state, source) if one.secures), default=None)
