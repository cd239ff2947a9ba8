"""How facts about what is affected and what is preserved change an incident."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from models.fact import Fact
from models.fold.pages import no_change
from models.state import Evidence, Incident, RecoveryPoint, ScopeItem, ServiceState


def _service(state: Incident, fact: Fact) -> ServiceState:
    return state.services.setdefault(fact.data["service"], ServiceState())


def _impacted(state: Incident, fact: Fact) -> None:
    service = _service(state, fact)
    service.since = datetime.fromisoformat(fact.data["since"])
    service.level = fact.data.get("level", "")
    service.restored_at = service.works_at = service.resumed_at = None
    service.confirmed = {}
    service.recorders = {}


def _service_stopped(state: Incident, fact: Fact) -> None:
    _service(state, fact).stopped_at = fact.at


def _restored(state: Incident, fact: Fact) -> None:
    service = _service(state, fact)
    service.restored_at = datetime.fromisoformat(fact.data["instant"])
    service.level = fact.data.get("level", service.level)


def _works(state: Incident, fact: Fact) -> None:
    _service(state, fact).works_at = fact.at if fact.data["works"] else None


def _service_confirmed(state: Incident, fact: Fact) -> None:
    service = _service(state, fact)
    service.confirmed[fact.data["side"]] = fact.for_ or fact.actor
    service.recorders[fact.data["side"]] = fact.actor


def _resumed(state: Incident, fact: Fact) -> None:
    _service(state, fact).resumed_at = fact.at


def _evidence(state: Incident, fact: Fact) -> None:
    data = fact.data
    state.evidence[data["id"]] = Evidence(
        id=data["id"],
        source=data["source"],
        sources=data.get("sources", [data["source"]]),
        digest=data.get("digest"),
        at=fact.at,
        by=fact.for_ or fact.actor,
        size=int(data.get("size", 0)),
        step=data.get("step"),
        partial=data.get("partial", False),
        stored=data.get("stored", ""),
        name=data.get("name", ""),
    )


def _scope_added(state: Incident, fact: Fact) -> None:
    data = fact.data
    state.scope[data["id"]] = ScopeItem(id=data["id"], kind=data["kind"], name=data["name"], at=fact.at)


def _scope_fixed(state: Incident, fact: Fact) -> None:
    state.scope[fact.data["id"]].fix = fact.data["fix"]


def _scope_accepted(state: Incident, fact: Fact) -> None:
    state.scope[fact.data["id"]].accepted = fact.data["reason"]


def _recovery_point(state: Incident, fact: Fact) -> None:
    data = fact.data
    state.recovery_points[data["id"]] = RecoveryPoint(
        id=data["id"],
        service=data["service"],
        at=datetime.fromisoformat(data["instant"]),
        tamper=data.get("tamper", "unknown"),
        malware=data.get("malware", "unknown"),
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
    "evidence.added": _evidence,
    "scope.added": _scope_added,
    "scope.fixed": _scope_fixed,
    "scope.accepted": _scope_accepted,
    "recovery_point.set": _recovery_point,
    "improvement.added": _improvement,
    "review.drafted": no_change,
}
