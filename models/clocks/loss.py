"""RPO: what restoring would lose. The usable point is the latest that is verified and older than the earliest
known compromise (FSA-2.5.2.6-B3); loss is the time from it to the outage. Unknown stays unknown, and has no
number: a program that reads one would take it for the loss.
"""

from __future__ import annotations

from datetime import datetime

from models.state import DataLoss, Incident, RecoveryPoint, ServiceState

NO_POINTS = "no recovery point is recorded"
TO_CHECK = "not checked yet"
NONE_USABLE = "no usable point"


def data_loss(state: Incident, name: str) -> DataLoss | None:
    """What is known of the loss for one service; None if it has no RPO or is not affected."""
    service = state.services[name]
    if service.targets is None or service.down_since is None:
        return None
    compromised = state.instants.get("compromised")
    known = [point for point in state.recovery_points.values() if point.service == name]
    if not known:
        return DataLoss(status="unknown", why=NO_POINTS, compromised=compromised)
    may = [point for point in known if _before(point, service, compromised) and not _bad(point)]
    usable = max((point for point in may if _verified(point)), key=_at, default=None)
    best = max(may, key=_at, default=None)
    return _judge(service, service.targets.rpo, usable, best, compromised)


def _judge(
    service: ServiceState,
    rpo: int,
    usable: RecoveryPoint | None,
    best: RecoveryPoint | None,
    compromised: datetime | None,
) -> DataLoss:
    loss = None if usable is None else _seconds(service, usable)
    if loss is not None and loss <= rpo and usable is not None:
        return DataLoss(status="within", point=usable.id, loss=loss, compromised=compromised)
    point = usable.id if usable is not None else None
    if best is not None and _seconds(service, best) <= rpo:
        # The promise may still be kept, if the check of this point finds nothing.
        return DataLoss(status="unknown", point=point, why=f"{TO_CHECK}: {best.id}", compromised=compromised)
    if point is None and best is not None:
        # Nobody has looked at any of them yet, and there may be others that nobody has named.
        return DataLoss(status="unknown", why=f"{TO_CHECK}: {best.id}", compromised=compromised)
    why = "" if point is not None else NONE_USABLE
    return DataLoss(status="beyond", point=point, loss=loss, why=why, compromised=compromised)


def _before(point: RecoveryPoint, service: ServiceState, compromised: datetime | None) -> bool:
    """A point after the outage holds nothing of before it; one after the compromise may hold the attacker."""
    if service.down_since is not None and point.at > service.down_since:
        return False
    return compromised is None or point.at < compromised


def _bad(point: RecoveryPoint) -> bool:
    return point.tamper == "tampered" or point.malware == "infected"


def _verified(point: RecoveryPoint) -> bool:
    return point.tamper == "clean" and point.malware == "clean"


def _at(point: RecoveryPoint) -> datetime:
    return point.at


def _seconds(service: ServiceState, point: RecoveryPoint) -> int:
    assert service.down_since is not None  # noqa: S101 - `data_loss` has looked
    return int((service.down_since - point.at).total_seconds())
