"""How facts about the incident as a whole change its state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from models.fact import Fact
from models.fold.evidence import received
from models.fold.pages import no_change
from models.fold.steps import drop_override
from models.state import Confirmation, Incident, PhaseState, PlaybookUse


def _declared(state: Incident, fact: Fact) -> None:
    data = fact.data
    state.title = data["title"]
    state.source = data["source"]
    state.drill = data.get("drill", False)
    state.declared_at = fact.at
    state.declared_by = fact.for_ or fact.actor
    state.policy = data["policy"]
    state.alerts = list(data.get("alerts", []))
    state.instants["declared"] = fact.at


def _ended(status: Any) -> Callable[[Incident, Fact], None]:
    def apply(state: Incident, fact: Fact) -> None:
        state.status = status
        if status == "merged":
            state.merged_into = fact.data["into"]

    return apply


def _resolved(state: Incident, fact: Fact) -> None:
    state.status = "resolved"
    state.resolved_at = fact.at
    state.review |= {name: fact.data[name] for name in ("cause", "entry_route") if name in fact.data}
    state.watch_until = fact.at + timedelta(seconds=fact.data["watch"])


def _closed(state: Incident, fact: Fact) -> None:
    state.status = "closed"
    state.closed_at = fact.at
    state.review |= {name: fact.data[name] for name in ("assessment", "spread") if name in fact.data}


def _reopened(state: Incident, fact: Fact) -> None:
    state.status = "open"
    drop_override(state, f"closing@{state.stream}")
    state.resolved_at = state.closed_at = state.watch_until = None


def _playbook_added(state: Incident, fact: Fact) -> None:
    data = fact.data
    use = PlaybookUse(name=data["playbook"], version=data["version"], digest=data["digest"], added_at=fact.at)
    state.playbooks[use.name] = use
    for name, value in data.get("variables", {}).items():
        state.variables.setdefault(f"{use.name}.{name}", value)


def _playbook_dropped(state: Incident, fact: Fact) -> None:
    """What is not done is forgotten, with its limits and leases; added again, it begins anew."""
    name = fact.data["playbook"]
    state.playbooks.pop(name)
    state.dropped.append(name)
    for key in [key for key in state.steps if key.split("/", 1)[0] == name]:
        if state.steps[key].status != "done":
            del state.steps[key]
            state.gates_held.pop(key, None)
            for one in [one for one in state.overrides if one.endswith(f"@{key}")]:
                drop_override(state, one)


_REDONE = ("containment", "eradication", "recovery")


def _confirm_anew(state: Incident) -> None:
    """A phase taken up again by decision: that all works and may resume has to be shown once more."""
    state.instants.pop("cause-addressed", None)
    for service in state.services.values():
        service.confirmed = {}
        service.recorders = {}
        service.works_at = None


def _phase(status: Any) -> Callable[[Incident, Fact], None]:
    def apply(state: Incident, fact: Fact) -> None:
        phase = state.phases.setdefault(fact.data["phase"], PhaseState())
        phase.status = status
        state.reopenings.pop(fact.data["phase"], None)
        if fact.kind == "phase.reopened":
            # Whoever passed the gate of closing has not judged what is taken up again.
            drop_override(state, f"closing@{state.stream}")
        if status == "open" and "reason" in fact.data and fact.data["phase"] in _REDONE:
            _confirm_anew(state)
        if status == "open":
            phase.times += 1
            phase.opened_at = phase.opened_at or fact.at
            phase.ended_at = None
        else:
            phase.ended_at = fact.at
        state.wanted = fact.seq

    return apply


def _severity(state: Incident, fact: Fact) -> None:
    state.severity = fact.data["severity"]
    state.severity_rank = fact.data["rank"]
    state.severity_at = fact.at
    state.impact = fact.data.get("impact")
    state.urgency = fact.data.get("urgency")


def _instant(state: Incident, fact: Fact) -> None:
    state.instants[fact.data["name"]] = datetime.fromisoformat(fact.data["instant"])


def _linked(state: Incident, fact: Fact) -> None:
    state.links[fact.data["to"]] = fact.data["relation"]


def _absorbed(state: Incident, fact: Fact) -> None:
    state.links[fact.data["from"]] = "merged"
    state.alerts.extend(fact.data.get("alerts", []))


def _alert_attached(state: Incident, fact: Fact) -> None:
    state.alerts.append(fact.data["alert"])


def _confirm_asked(state: Incident, fact: Fact) -> None:
    seq = fact.data["fact"]
    state.unasked = [one for one in state.unasked if one.seq != seq]
    state.confirmations[seq] = Confirmation(
        seq=seq, person=fact.data["person"], by=fact.data["by"], what=fact.data["what"]
    )


def _confirmed(state: Incident, fact: Fact) -> None:
    state.confirmations.pop(fact.data["fact"], None)
    received(state, fact.data["fact"], fact.at)


def _impaired(state: Incident, fact: Fact) -> None:
    state.impaired[fact.data["what"]] = fact.data.get("detail", "")


def _recovered(state: Incident, fact: Fact) -> None:
    state.impaired.pop(fact.data["what"], None)


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "incident.declared": _declared,
    "incident.dismissed": _ended("dismissed"),
    "incident.cancelled": _ended("cancelled"),
    "incident.merged": _ended("merged"),
    "incident.absorbed": _absorbed,
    "incident.linked": _linked,
    "incident.resolved": _resolved,
    "incident.closed": _closed,
    "incident.reopened": _reopened,
    "alert.attached": _alert_attached,
    "playbook.added": _playbook_added,
    "playbook.moved": _playbook_added,
    "playbook.dropped": _playbook_dropped,
    "phase.opened": _phase("open"),
    "phase.reopened": _phase("open"),
    "phase.ended": _phase("ended"),
    "severity.set": _severity,
    "instant.set": _instant,
    "note.added": no_change,
    "confirm.asked": _confirm_asked,
    "confirmed": _confirmed,
    "machine.impaired": _impaired,
    "machine.recovered": _recovered,
}
