"""What is affected, what can be restored, what is to be improved."""

from __future__ import annotations

from datetime import date

from models.clock import iso
from models.commands import (
    AddImprovement,
    OpenImprovement,
    SetRecoveryPoint,
)
from models.errors import Refused
from models.fact import Draft
from models.permission import require
from models.reason import Reason
from models.rules.common import (
    MAX_TITLE,
    Decided,
    Then,
    find_service,
    must_not_have_ended,
    past,
    text,
)
from models.state import Incident
from models.world import World


def set_recovery_point(state: Incident, command: SetRecoveryPoint, world: World) -> Decided:
    """A backup and what its check found."""
    service = find_service(world, command.service)
    owner = world.directory.service(service)
    require(command, "recovery-point", state, world, owner.owner if owner else "")
    must_not_have_ended(state)
    data = {
        "id": text(command.id, "id", 64),
        "service": service,
        "instant": iso(past(command.instant, "instant", world)),
        "tamper": command.tamper,
        "malware": command.malware,
        "kind": command.kind,
        "tested": _day(command.tested),
    }
    return [Draft(kind="recovery_point.set", data=data)]


def _day(value: str) -> str:
    """A date as given, or nothing. Raises Refused."""
    if not value:
        return ""
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError as wrong:
        expected = f"tested: expected a date such as 2026-10-01, got {value[:40]!r}"
        raise Refused(Reason.FIELD_WRONG, {"fields": [expected]}) from wrong


def add_improvement(state: Incident, command: AddImprovement, world: World) -> Decided:
    """Something to do better; it lives on in the programme."""
    require(command, "improvement", state, world)
    must_not_have_ended(state)
    if world.directory.person(command.owner) is None:
        raise Refused(Reason.UNKNOWN_PERSON, {"who": command.owner})
    if command.due <= world.now:
        raise Refused(Reason.FIELD_WRONG, {"fields": ["due: expected a date ahead"]})
    number = f"IMP-{state.stream.removeprefix('INC-')}-{len(state.improvements) + 1}"
    title = text(command.title, "title", MAX_TITLE)
    other = OpenImprovement(
        actor=command.actor,
        id=number,
        incident=state.stream,
        title=title,
        owner=command.owner,
        due=command.due,
    )
    added = Draft(
        kind="improvement.added",
        data={"id": number, "owner": command.owner, "due": iso(command.due)},
        texts={"title": title},
    )
    return [added, Then(stream="programme", command=other)]
