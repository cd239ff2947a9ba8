"""What is affected, what is preserved, what can be restored, what is to be improved."""

from __future__ import annotations

import re
from typing import Any

from models.clock import iso
from models.commands import (
    AddEvidence,
    AddImprovement,
    OpenImprovement,
    ScopeFact,
    ServiceFact,
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
    find_step,
    must_not_have_ended,
    past,
    text,
)
from models.state import Incident
from models.world import World

SCOPE_KINDS = ("entry-route", "account", "host", "indicator", "data", "service")
_CSIRT_SIDE = frozenset({"csirt-duty", "csirt-lead", "commander", "ciso"})


def service_fact(state: Incident, command: ServiceFact, world: World) -> Decided:
    """What is known of a service; each instant is given, none is inferred."""
    service = find_service(world, command.service)
    owner = world.directory.service(service)
    owner_role = owner.owner if owner else ""
    roles = require(command, "service", state, world, owner_role)
    must_not_have_ended(state)
    data: dict[str, Any] = {"service": service}
    instant = past(command.instant or world.now, "instant", world)
    if command.what == "impacted":
        data |= {"since": iso(instant), "by": "person"}
        return [Draft(kind="service.impacted", data=data, texts=_level(command))]
    if command.what == "restored":
        known = state.services.get(service)
        if known is None or known.since is None:
            raise Refused(Reason.NO_SUCH_SERVICE, {"service": service, "known": sorted(state.services)})
        if instant < known.since:
            raise Refused(Reason.BEFORE_START, {"field": "instant", "instant": instant.isoformat()})
        data |= {"instant": iso(instant)}
        return [Draft(kind="service.restored", data=data, texts=_level(command))]
    if command.what in {"works", "fails"}:
        return [Draft(kind="service.checked", data=data | {"works": command.what == "works"})]
    side = command.what.removeprefix("confirmed-by-")
    _must_be_a_side(state, command, side, roles, owner_role)
    return [Draft(kind="service.confirmed", data=data | {"side": side})]


def _level(command: ServiceFact) -> dict[str, str]:
    return {"level": text(command.level, "level", MAX_TITLE)} if command.level.strip() else {}


def _must_be_a_side(
    state: Incident, command: ServiceFact, side: str, roles: frozenset[str], owner: str
) -> None:
    """Each side confirms for itself; two confirmations by one person are none (FSA-2.5.2.6-B5)."""
    needs = {owner} if side == "owner" else set(_CSIRT_SIDE)
    if not roles & needs:
        raise Refused(
            Reason.ROLE_MISSING, {"who": command.who, "needs": sorted(needs), "command": command.what}
        )
    known = state.services.get(command.service)
    others = {who for name, who in known.confirmed.items() if name != side} if known else set()
    others |= {who for name, who in known.recorders.items() if name != side} if known else set()
    if {command.who, command.actor.person} & others:
        raise Refused(Reason.SAME_PERSON, {"who": command.who, "service": command.service})


def _digest(value: str) -> str:
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        raise Refused(Reason.FIELD_WRONG, {"fields": ["digest: expected sha256: and 64 hexadecimal digits"]})
    return value


def add_evidence(state: Incident, command: AddEvidence, world: World) -> Decided:
    """Something was preserved; allowed for ever."""
    require(command, "evidence", state, world)
    data: dict[str, Any] = {
        "id": f"EV-{len(state.evidence) + 1:04d}",
        "source": text(command.source, "source", 64),
        "size": str(command.size),
        "partial": command.partial,
        "stored": command.stored[:MAX_TITLE],
    }
    if command.digest:
        data["digest"] = _digest(command.digest)
    if command.step:
        data["step"] = find_step(state, world, command.step)[0].key
    texts = {"description": text(command.description, "description")}
    if command.name:
        texts["name"] = text(command.name, "name", MAX_TITLE)
    return [Draft(kind="evidence.added", data=data, texts=texts, at=command.at)]


def scope_fact(state: Incident, command: ScopeFact, world: World) -> Decided:
    """An affected thing, and what was done about it (FSA-2.5.2.5-B1)."""
    require(command, "scope-accept" if command.what == "accept" else "scope", state, world)
    must_not_have_ended(state)
    if command.what == "add":
        if command.kind not in SCOPE_KINDS:
            raise Refused(Reason.NO_SUCH_ITEM, {"item": command.kind, "known": list(SCOPE_KINDS)})
        data = {"id": f"SC-{len(state.scope) + 1:03d}", "kind": command.kind}
        return [Draft(kind="scope.added", data=data, texts={"name": text(command.name, "name", MAX_TITLE)})]
    if command.id not in state.scope:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.id, "known": sorted(state.scope)})
    if command.what == "fix":
        return [Draft(kind="scope.fixed", data={"id": command.id}, texts={"fix": text(command.text, "fix")})]
    reason = {"reason": text(command.text, "reason")}
    return [Draft(kind="scope.accepted", data={"id": command.id}, texts=reason)]


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
    }
    return [Draft(kind="recovery_point.set", data=data)]


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
