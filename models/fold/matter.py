"""How facts about what is affected and what is preserved change an incident."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from models.fact import Fact
from models.fold.pages import no_change
from models.state import (
    DataLoss,
    Forecast,
    Impact,
    Incident,
    RecoveryPoint,
    ServiceState,
    Targets,
)


def _service(state: Incident, fact: Fact) -> ServiceState:
    return state.services.setdefault(fact.data["service"], ServiceState())


def _take_targets(service: ServiceState, data: dict[str, Any]) -> None:
    """What the register asked when the service was affected stays with the incident."""
    if "targets" in data:
        service.targets = msgspec.convert(data["targets"], Targets)


def _impacted(state: Incident, fact: Fact) -> None:
    """Affected for the first time, again, or since another time than was thought (`how`)."""
    service = _service(state, fact)
    since = datetime.fromisoformat(fact.data["since"])
    how = fact.data.get("how", "again")
    _take_targets(service, fact.data)
    _note(service, fact)
    service.since = since
    if how == "corrected":
        service.down_since = since
        _put_level(service, fact.data.get("level", service.level), service.level_at or since)
        return
    _fall(service, since)
    _put_level(service, fact.data.get("level", ""), since)


def _fall(service: ServiceState, since: datetime) -> None:
    """A disruption begins, for the first time or again: downtime adds up, what was confirmed is void."""
    if service.down_since is not None and service.level_at is not None and at_target(service):
        service.spells.append([service.down_since, service.level_at])
        service.down_since = since
    elif service.down_since is None:
        service.down_since = since
    service.restored_at = service.works_at = service.resumed_at = None
    service.forecast = None
    service.confirmed, service.confirmed_at, service.recorders = {}, {}, {}


def at_target(service: ServiceState) -> bool:
    """Whether the level recorded last reaches the one that the register asks for (RLO)."""
    targets = service.targets
    if targets is None or service.level not in targets.levels:
        return False
    return targets.levels.index(service.level) >= targets.levels.index(targets.rlo)


def _put_level(service: ServiceState, level: str, at: datetime) -> None:
    """The level that is reached now; a further rise above the target does not move when it was reached."""
    if level.startswith("t:"):
        service.note = level  # records of the first version kept words here
        return
    reached = at_target(service)
    service.level = level
    service.was_below = service.was_below or not at_target(service)
    if not (reached and at_target(service)):
        service.level_at = at


def _note(service: ServiceState, fact: Fact) -> None:
    service.note = fact.data.get("note", service.note)


def _level(state: Incident, fact: Fact) -> None:
    """Partial restoration is a level; falling below the target begins the disruption anew."""
    service = _service(state, fact)
    at = datetime.fromisoformat(fact.data["instant"])
    _note(service, fact)
    if fact.data.get("fell"):
        _fall(service, at)
    _put_level(service, fact.data["level"], at)


def _service_stopped(state: Incident, fact: Fact) -> None:
    service = _service(state, fact)
    service.stopped_at = fact.at
    if fact.data.get("fell"):
        _take_targets(service, fact.data)
        _fall(service, fact.at)
        _put_level(service, fact.data["level"], fact.at)


def _restored(state: Incident, fact: Fact) -> None:
    service = _service(state, fact)
    service.restored_at = datetime.fromisoformat(fact.data["instant"])
    _note(service, fact)
    if "level" in fact.data:
        _put_level(service, fact.data["level"], service.restored_at)


def _works(state: Incident, fact: Fact) -> None:
    """What does not work after all is not confirmed either: both sides confirm anew (FSA-2.5.2.6-B5)."""
    service = _service(state, fact)
    service.works_at = fact.at if fact.data["works"] else None
    if not fact.data["works"]:
        service.confirmed, service.confirmed_at, service.recorders = {}, {}, {}


def _service_confirmed(state: Incident, fact: Fact) -> None:
    service = _service(state, fact)
    service.confirmed[fact.data["side"]] = fact.for_ or fact.actor
    service.confirmed_at[fact.data["side"]] = fact.at
    service.recorders[fact.data["side"]] = fact.actor


def _resumed(state: Incident, fact: Fact) -> None:
    _service(state, fact).resumed_at = fact.at


def _forecast(state: Incident, fact: Fact) -> None:
    _service(state, fact).forecast = Forecast(
        at=datetime.fromisoformat(fact.data["eta"]), by=fact.for_ or fact.actor, said_at=fact.at
    )


def _loss(state: Incident, fact: Fact) -> None:
    data = fact.data
    compromised = data.get("compromised")
    _service(state, fact).loss = DataLoss(
        status=data["status"],
        point=data.get("point"),
        # Records of the first versions have a number of what is unknown.
        loss=int(data["loss"]) if "loss" in data and data["status"] != "unknown" else None,
        why=data.get("why", ""),
        compromised=datetime.fromisoformat(compromised) if compromised else None,
    )


def _impact(state: Incident, fact: Fact) -> None:
    data = fact.data
    state.impacts[data["kind"]] = Impact(
        kind=data["kind"],
        value=data["value"],
        confidence=data["confidence"],
        source=data["source"],
        at=fact.at,
        by=fact.for_ or fact.actor,
    )


def _recovery_point(state: Incident, fact: Fact) -> None:
    data = fact.data
    state.recovery_points[data["id"]] = RecoveryPoint(
        id=data["id"],
        service=data["service"],
        at=datetime.fromisoformat(data["instant"]),
        tamper=data.get("tamper", "unknown"),
        malware=data.get("malware", "unknown"),
        kind=data.get("kind", "backup"),
        tested=data.get("tested", ""),
        source=data.get("source", "person"),
    )


def _improvement(state: Incident, fact: Fact) -> None:
    state.improvements.append(fact.data["id"])


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "service.impacted": _impacted,
    "service.stopped": _service_stopped,
    "service.restored": _restored,
    "service.checked": _works,
    "service.confirmed": _service_confirmed,
    "service.resumed": _resumed,
    "service.level": _level,
    "service.forecast": _forecast,
    "service.loss": _loss,
    "impact.recorded": _impact,
    "recovery_point.set": _recovery_point,
    "improvement.added": _improvement,
    "review.drafted": no_change,
}
