"""How exercises and their findings change the programme."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from models.fact import Fact
from models.programme import Entry, Finding, Imported, Measured, Outcome, Retest, Took
from models.state import Programme


def _planned(state: Programme, fact: Fact) -> None:
    data = fact.data
    state.entries_numbered += 1
    state.entries[data["id"]] = Entry(
        id=data["id"],
        status="planned",
        title=data["title"],
        type=data["type"],
        by=data["by"],
        organiser=data.get("organiser", ""),
        when=data["when"],
        begins_at=datetime.fromisoformat(data["begins_at"]),
        ends_at=datetime.fromisoformat(data["ends_at"]),
        scenario=data.get("scenario", ""),
        playbooks=data.get("playbooks", []),
        retests=data.get("retests", []),
        recorded_by=fact.for_ or fact.actor,
    )


def _held(state: Programme, fact: Fact) -> None:
    data = fact.data
    entry = state.entries.get(data["id"])
    if entry is None:
        state.entries_numbered += 1
        entry = Entry(id=data["id"], status="held", title=data["title"], type=data["type"])
        state.entries[entry.id] = entry
    entry.status = "held"
    entry.type, entry.by = data["type"], data["by"]
    for name in ("title", "organiser"):
        setattr(entry, name, data.get(name) or getattr(entry, name))
    for name in ("scenario", "version", "note"):
        setattr(entry, name, data.get(name, ""))
    for name in ("playbooks", "routes", "guideline"):
        setattr(entry, name, data.get(name, []))
    entry.held_on, entry.held_at = data["on"], datetime.fromisoformat(data["held_at"])
    entry.participants = msgspec.convert(data.get("participants", []), list[Took])
    entry.measured = msgspec.convert(data.get("measured", []), list[Measured])
    entry.outcomes = msgspec.convert(data.get("outcomes", []), list[Outcome])
    entry.imported = msgspec.convert(data["imported"], Imported) if "imported" in data else None
    entry.recorded_by = fact.for_ or fact.actor


def _cancelled(state: Programme, fact: Fact) -> None:
    entry = state.entries[fact.data["id"]]
    entry.status, entry.reason = "cancelled", fact.data["reason"]


def _signed_off(state: Programme, fact: Fact) -> None:
    data = fact.data
    at = datetime.fromisoformat(data["at"]) if "at" in data else fact.at
    state.entries[data["id"]].signed_off[data["person"]] = at


def _opened(state: Programme, fact: Fact) -> None:
    data = fact.data
    state.findings[data["id"]] = Finding(
        id=data["id"],
        exercise=data["exercise"],
        title=data["title"],
        owner=data["owner"],
        due=datetime.fromisoformat(data["due"]),
        remind_at=datetime.fromisoformat(data["remind_at"]),
        opened_at=fact.at,
        objective=data.get("objective", ""),
        cause=data.get("cause", ""),
    )


def _fixed(state: Programme, fact: Fact) -> None:
    data = fact.data
    one = state.findings[data["id"]]
    one.status, one.fixed_at, one.note = "fixed", fact.at, data["note"]
    one.playbook, one.version = data.get("playbook", ""), data.get("version", "")


def _retested(state: Programme, fact: Fact) -> None:
    data = fact.data
    one = state.findings[data["id"]]
    one.retests.append(
        Retest(exercise=data["exercise"], rating=data["rating"], evaluator=data["evaluator"], at=fact.at)
    )
    if data["passed"]:
        one.status = "closed"
    elif one.status == "fixed":
        # What was done does not do: the owner hears of it at once if their time is over.
        one.status, one.overdue, one.fixed_at = "open", False, None


def _accepted(state: Programme, fact: Fact) -> None:
    one = state.findings[fact.data["id"]]
    one.status, one.accepted_by = "accepted", fact.for_ or fact.actor
    one.review_at, one.reason = datetime.fromisoformat(fact.data["review_at"]), fact.data["reason"]


def _reopened(state: Programme, fact: Fact) -> None:
    data = fact.data
    one = state.findings[data["id"]]
    one.status, one.fixed_at, one.reason = "open", None, data.get("reason", "")
    # Opened again by the day of its review it has no other date than that day, and somebody is paged.
    one.overdue = one.reminded = bool(data.get("review"))
    if "due" in data:
        one.due, one.remind_at = (datetime.fromisoformat(data[name]) for name in ("due", "remind_at"))
    elif one.review_at is not None:
        one.due = one.review_at
    one.review_at, one.accepted_by = None, ""


def _reminded(state: Programme, fact: Fact) -> None:
    state.findings[fact.data["id"]].reminded = True


def _overdue(state: Programme, fact: Fact) -> None:
    state.findings[fact.data["id"]].overdue = True


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "programme.planned": _planned,
    "programme.held": _held,
    "programme.cancelled": _cancelled,
    "programme.signed_off": _signed_off,
    "finding.opened": _opened,
    "finding.fixed": _fixed,
    "finding.retested": _retested,
    "finding.accepted": _accepted,
    "finding.reopened": _reopened,
    "finding.reminded": _reminded,
    "finding.overdue": _overdue,
}
