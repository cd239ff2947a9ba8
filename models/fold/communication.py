"""How messages to others, situation reports and inquiries change an incident."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from models.communication import Approval, Outgoing, Sending, Situation, Version
from models.fact import Fact
from models.state import Incident


def _drafted(state: Incident, fact: Fact) -> None:
    data = fact.data
    message = state.outgoing.get(data["message"])
    if message is None:
        message = state.outgoing[data["message"]] = Outgoing(
            id=data["message"],
            audience=data["audience"],
            tlp=data["tlp"],
            chain=data["chain"],
            template=data.get("template", ""),
            party=data.get("party", ""),
            corrects=data.get("corrects"),
        )
    message.versions[data["version"]] = Version(
        lang=data["version"],
        document=data["document"],
        gaps=data["gaps"],
        writers=data["writers"],
        written_at=fact.at,
    )


def _edited(state: Incident, fact: Fact) -> None:
    data = fact.data
    version = state.outgoing[data["message"]].versions[data["version"]]
    version.document, version.gaps, version.written_at = data["document"], data["gaps"], fact.at
    version.writers = list(dict.fromkeys([*version.writers, *data["writers"]]))
    version.status, version.reason = "draft", ""


def _voided(state: Incident, fact: Fact) -> None:
    """Who had approved is in the facts; what they approved is not this text any more."""
    state.outgoing[fact.data["message"]].versions[fact.data["version"]].approvals = []


def _submitted(state: Incident, fact: Fact) -> None:
    message = state.outgoing[fact.data["message"]]
    for lang in fact.data["versions"]:
        message.versions[lang].status = "submitted" if message.chain else "approved"


def _approved(state: Incident, fact: Fact) -> None:
    data = fact.data
    message = state.outgoing[data["message"]]
    for lang in data["versions"]:
        version = message.versions[lang]
        version.approvals.append(
            Approval(
                role=data["role"],
                by=data["by"],
                at=fact.at,
                deputy_for=data.get("deputy_for"),
                recorded_by=fact.actor if fact.for_ is not None else None,
            )
        )
        if len(version.approvals) == len(message.chain):
            version.status = "approved"


def _rejected(state: Incident, fact: Fact) -> None:
    for lang in fact.data["versions"]:
        version = state.outgoing[fact.data["message"]].versions[lang]
        version.status, version.reason = "rejected", fact.data["reason"]


def _sent(state: Incident, fact: Fact) -> None:
    data = fact.data
    message = state.outgoing[data["message"]]
    by = fact.for_ or fact.actor
    at = datetime.fromisoformat(data["instant"])
    message.sent.append(Sending(at=at, by=by, via=data["via"], versions=data["versions"]))
    if message.corrects is not None:
        state.outgoing[message.corrects].corrected_by = message.id
    notice = state.party_notices.get(message.party)
    if notice is not None and notice.settled_at is None:
        notice.settled_at, notice.how, notice.message, notice.by = at, "sent", message.id, by


def _withdrawn(state: Incident, fact: Fact) -> None:
    message = state.outgoing[fact.data["message"]]
    message.withdrawn_at, message.withdrawn = fact.at, fact.data["reason"]


def _situation(state: Incident, fact: Fact) -> None:
    state.situation_at = fact.at
    state.situations += 1
    state.situation_reports.append(
        Situation(
            number=state.situations,
            at=fact.at,
            by=fact.for_ or fact.actor,
            text=fact.data["text"],
            to=fact.data.get("people", []),
        )
    )


def _inquiries(state: Incident, fact: Fact) -> None:
    """Summed by hour (UTC), asker and topic: a busy call centre must not make the state grow by the call."""
    key = f"{fact.at:%Y-%m-%dT%H}|{fact.data['asker']}|{fact.data.get('topic', '')}"
    state.inquiries[key] = state.inquiries.get(key, 0) + fact.data["count"]


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "outgoing.drafted": _drafted,
    "outgoing.edited": _edited,
    "outgoing.voided": _voided,
    "outgoing.submitted": _submitted,
    "outgoing.approved": _approved,
    "outgoing.rejected": _rejected,
    "outgoing.sent": _sent,
    "outgoing.withdrawn": _withdrawn,
    "situation.reported": _situation,
    "inquiry.counted": _inquiries,
}
