"""How facts about the shifts of an incident, and about who has its roles, change its state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from models.fact import Fact
from models.shifts import ShiftState, Tenure
from models.state import Incident

WAITING = ("planned", "begun")


def appointed(state: Incident, role: str, person: str, at: datetime) -> None:
    """A person has the role now; what nobody could take before is settled by that."""
    known = state.tenures.get(role)
    state.assigned[role] = person
    state.tenures[role] = Tenure(
        person=person,
        since=at,
        before=known.person if known is not None else None,
        before_since=known.since if known is not None else None,
    )
    for shift in state.shifts.values():
        if shift.role == role and shift.status == "missed":
            shift.status = "passed"


def _assigned(state: Incident, fact: Fact) -> None:
    appointed(state, fact.data["role"], fact.data["person"], fact.at)


def _handed_over(state: Incident, fact: Fact) -> None:
    data = fact.data
    appointed(state, data["role"], data["person"], fact.at)
    shift = state.shifts[data["shift"]]
    shift.status, shift.taken_by = "taken", data.get("deputy", data["person"])


def _set(state: Incident, fact: Fact) -> None:
    """A shift named as before goes on as it stands; without that a new plan would undo what came since."""
    planned, before = set(fact.data["roles"]), state.shifts
    state.shifts = {name: one for name, one in state.shifts.items() if one.role not in planned}
    for one in fact.data["shifts"]:
        state.shifts[one["id"]] = ShiftState(
            id=one["id"],
            role=one["role"],
            person=one["person"],
            since=datetime.fromisoformat(one["since"]),
            until=datetime.fromisoformat(one["until"]),
            takes_at=datetime.fromisoformat(one["takes_at"]),
        )
        if (known := before.get(one["id"])) is not None:
            shift = state.shifts[one["id"]]
            shift.status, shift.told, shift.taken_by = known.status, known.told, known.taken_by
        else:
            state.shifts_numbered += 1


def _begun(state: Incident, fact: Fact) -> None:
    shift = state.shifts[fact.data["shift"]]
    shift.status, shift.told = "begun", fact.data["told"]


def _missed(state: Incident, fact: Fact) -> None:
    state.shifts[fact.data["shift"]].status = "missed"


def _passed(state: Incident, fact: Fact) -> None:
    for name in fact.data["shifts"]:
        state.shifts[name].status = "passed"


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "role.assigned": _assigned,
    "role.handed_over": _handed_over,
    "shifts.set": _set,
    "shift.begun": _begun,
    "shift.missed": _missed,
    "shift.passed": _passed,
}
