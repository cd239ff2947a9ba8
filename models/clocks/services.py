"""RTO, MTPD and recovery level of affected services (FSA-2.5.1-B1, FSA-2.5.2.6-B5)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from models.clocks.planned import Outlook, Planned
from models.fold.matter import at_target
from models.state import Incident, ServiceState, Targets

SIDES = ("csirt", "owner")


def settled_at(service: ServiceState) -> datetime | None:
    """When the recovery level was reached and both sides had confirmed it; None until then.

    The last of the three counts: a service that nobody has confirmed is not back (FSA-2.5.2.6-B5).
    """
    if not at_target(service) or service.level_at is None:
        return None
    if any(side not in service.confirmed_at for side in SIDES):
        return None
    return max(service.level_at, *(service.confirmed_at[side] for side in SIDES))


def spent(service: ServiceState) -> timedelta:
    """The downtime of earlier disruptions in this incident."""
    return sum((end - since for since, end in service.spells), timedelta())


def downtime(service: ServiceState, now: datetime) -> timedelta:
    """All downtime so far: until the recovery level was reached, or until `now`."""
    if service.down_since is None:
        return spent(service)
    end = service.level_at if at_target(service) and service.level_at is not None else now
    return spent(service) + max(end - service.down_since, timedelta())


def outlook(state: Incident, name: str, above: tuple[str, ...] = ()) -> Outlook:
    """When the service can be back at the earliest: not before those that it needs."""
    service = state.services[name]
    own = service.forecast.at if service.forecast is not None else None
    silent: tuple[str, ...] = () if own is not None else (name,)
    worst: datetime | None = own
    path: tuple[str, ...] = (name,)
    for need in service.targets.needs if service.targets is not None else ():
        known = state.services.get(need)
        if need in (*above, name) or known is None or known.down_since is None or at_target(known):
            continue
        below = outlook(state, need, (*above, name))
        silent += below.silent
        if below.at is not None and (worst is None or below.at > worst):
            worst, path = below.at, (*below.path, name)
    return Outlook(at=worst, path=path, silent=silent)


def service_clocks(state: Incident) -> Iterator[Planned]:
    """Two clocks for each affected service: the recovery time, and the longest bearable disruption."""
    for name, service in state.services.items():
        if service.targets is None or service.down_since is None or not service.was_below:
            continue
        seen = outlook(state, name)
        yield _recovery(state, name, service, service.targets, seen)
        yield _bearable(name, service, service.targets, seen)


def _recovery(state: Incident, name: str, service: ServiceState, targets: Targets, seen: Outlook) -> Planned:
    """From the outage, or from the decision to recover, which is never inferred (design, 12)."""
    started: datetime | None = service.down_since
    if targets.rto_from == "decision" and not service.spells:
        started = state.instants.get("determined")
    return Planned(
        id=f"rto:{name}",
        kind="rto",
        owner=targets.owner,
        started_at=started,
        due_at=None if started is None else started + timedelta(seconds=targets.rto) - spent(service),
        stopped_at=settled_at(service),
        needs=() if started is not None else ("determined",),
        outlook=seen,
        basis={"limit": str(targets.rto), "from": targets.rto_from, "rlo": targets.rlo},
    )


def _bearable(name: str, service: ServiceState, targets: Targets, seen: Outlook) -> Planned:
    assert service.down_since is not None  # noqa: S101 - `service_clocks` has looked
    return Planned(
        id=f"mtpd:{name}",
        kind="mtpd",
        owner=targets.owner,
        started_at=service.down_since,
        due_at=service.down_since + timedelta(seconds=targets.mtpd) - spent(service),
        stopped_at=settled_at(service),
        outlook=seen,
        basis={"limit": str(targets.mtpd), "from": "outage", "rlo": targets.rlo},
    )
