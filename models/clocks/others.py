"""Clocks of phases, situation reports, the watch period, and what vendors owe us."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from models.clocks.planned import Planned
from models.policy import PHASES, PhaseName
from models.scope import PartyNotice
from models.state import Incident, VendorAsk
from models.world import World

LEAD = "csirt-lead"
COMMANDER = "commander"
ALL_PHASES: tuple[PhaseName, ...] = (*PHASES, "communication")


def commander(state: Incident) -> str:
    """Who answers for the incident as a whole: the commander if one is named, else the CSIRT's lead."""
    return COMMANDER if COMMANDER in state.assigned else LEAD


def other_clocks(state: Incident, world: World) -> Iterator[Planned]:
    """All clocks that are neither a service's nor a report's to an authority."""
    for phase in ALL_PHASES:
        if (clock := _phase(state, world, phase)) is not None:
            yield clock
    if (clock := _situation(state, world)) is not None:
        yield clock
    if state.resolved_at is not None and state.watch_until is not None:
        yield _watch(state)
    for name, ask in state.vendors.items():
        yield _vendor(state, name, ask)
    yield from (_to_tell(one) for one in state.party_notices.values() if one.settled_at is None)


def _phase(state: Incident, world: World, name: PhaseName) -> Planned | None:
    """The time to triage, to contain: from the declaration to the end of the phase."""
    span = world.policy.limits.time_to_end(name, state.severity)
    if span is None or state.declared_at is None:
        return None
    known = state.phases.get(name)
    return Planned(
        id=f"phase:{name}",
        kind="phase",
        owner=commander(state),
        started_at=state.declared_at,
        due_at=state.declared_at + span,
        stopped_at=known.ended_at if known is not None and known.status == "ended" else None,
        internal=True,
        basis={"limit": str(int(span.total_seconds())), "from": "declared"},
    )


def _situation(state: Incident, world: World) -> Planned | None:
    """The next situation report, an interval after the last; none is owed once the incident is resolved."""
    every = world.policy.limits.situation_every.get(state.severity)
    started = state.situation_at or state.declared_at
    if every is None or started is None or state.status != "open":
        return None
    return Planned(
        id="situation",
        kind="situation",
        owner=commander(state),
        started_at=started,
        due_at=started + every,
        internal=True,
        basis={"limit": str(int(every.total_seconds())), "number": state.situations + 1},
    )


def _watch(state: Incident) -> Planned:
    """Its end is no breach: it is when the incident may be closed (FSA-2.5.2.6-B6)."""
    return Planned(
        id="watch",
        kind="watch",
        owner=commander(state),
        started_at=state.resolved_at,
        due_at=state.watch_until,
        # Closing later is no delay: the period is over, and no target of anybody's.
        stopped_at=min(state.closed_at, state.watch_until) if state.closed_at and state.watch_until else None,
        ends=True,
    )


def _vendor(state: Incident, name: str, ask: VendorAsk) -> Planned:
    """What a contract promises us, counted from when we asked for it (FSA-2.6-B8)."""
    due = ask.asked_at + timedelta(seconds=ask.within) if ask.within else None
    return Planned(
        id=f"vendor:{name}",
        kind="vendor",
        owner=LEAD,
        started_at=ask.asked_at,
        due_at=due,
        stopped_at=ask.answered_at,
        needs=() if ask.within else ("contract",),
        basis={"limit": str(ask.within), "party": ask.party, "what": ask.what},
    )


def _to_tell(notice: PartyNotice) -> Planned:
    """A third party whose asset is affected is to be told (FSA-2.5.2.4-Da); the guideline sets no time."""
    return Planned(
        id=f"vendor:{notice.party}/inform",
        kind="vendor",
        owner="vendor-desk",
        started_at=notice.since,
        needs=("inform",),
        basis={"party": notice.party, "what": "inform"},
    )
