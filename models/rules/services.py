"""What is known of services and of the harm: affected, at which level, back by when, and how much is hurt."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from models.clock import iso
from models.commands import ServiceFact
from models.errors import Refused
from models.fact import Draft
from models.fold.matter import at_target
from models.impact import KINDS, TEXTS, ForecastService, RecordImpact, read_impact
from models.organisation import Service
from models.permission import require
from models.reason import Reason
from models.rules.common import MAX_TITLE, Decided, find_service, must_not_have_ended, past, text
from models.state import Incident, ServiceState
from models.world import World

_CSIRT_SIDE = frozenset({"csirt-duty", "csirt-lead", "commander", "ciso"})
CONFIDENCE = ("confirmed", "likely", "suspected")


def targets_of(service: Service) -> dict[str, Any]:
    """The register's targets as a fact keeps them: spans in seconds, levels from worst to best."""
    return {
        "rto": int(service.rto.total_seconds()),
        "rto_from": service.rto_from,
        "rpo": int(service.rpo.total_seconds()),
        "mtpd": int(service.mtpd.total_seconds()),
        "rlo": service.rlo_level,
        "levels": [level.id for level in service.levels],
        "needs": list(service.needs),
        "order": service.recovery_order,
        "owner": service.owner,
    }


def is_down(known: ServiceState | None) -> bool:
    """Whether a disruption of this service is running."""
    return known is not None and known.down_since is not None and not at_target(known)


def service_fact(state: Incident, command: ServiceFact, world: World) -> Decided:
    """What is known of a service; each instant is given, none is inferred."""
    name = find_service(world, command.service)
    service = world.directory.service(name)
    assert service is not None  # noqa: S101 - `find_service` has looked
    roles = require(command, "service", state, world, service.owner)
    must_not_have_ended(state)
    if command.level and command.level not in [level.id for level in service.levels]:
        known = [level.id for level in service.levels]
        raise Refused(Reason.NO_SUCH_LEVEL, {"level": command.level, "service": name, "known": known})
    if command.what == "impacted":
        return [_impacted(state, command, service, world)]
    if command.what in {"level", "restored"}:
        return [_at_level(state, command, service, world)]
    if command.what in {"works", "fails"}:
        data = {"service": name, "works": command.what == "works"}
        return [Draft(kind="service.checked", data=data, at=command.at)]
    side = command.what.removeprefix("confirmed-by-")
    _must_be_a_side(state, command, side, roles, service.owner)
    return [Draft(kind="service.confirmed", data={"service": name, "side": side}, at=command.at)]


def _instant(command: ServiceFact, world: World) -> datetime:
    return past(command.instant or command.at or world.now, "instant", world)


def _timed(command: ServiceFact) -> bool:
    """Whether somebody gave a time."""
    return command.instant is not None or command.at is not None


def _note(command: ServiceFact) -> dict[str, str]:
    return {"note": text(command.note, "note", MAX_TITLE)} if command.note.strip() else {}


def _impacted(state: Incident, command: ServiceFact, service: Service, world: World) -> Draft:
    since = _instant(command, world)
    known = state.services.get(service.id)
    how = _how(known, since, service.id)
    if how == "corrected" and known is not None and known.down_since is not None and not _timed(command):
        # Said again of what is down already: that corrects no time, and must not start the clocks anew.
        since = known.down_since
    data = impact_data(service, since, command.source)
    data |= {"how": how, "confidence": command.confidence}
    if command.level:
        data["level"] = command.level
    if how == "corrected" and known is not None:
        del data["targets"]  # those that were in force when the service was first affected stay
        if not command.level or at_target(known):
            del data["level"]  # the level reached since then is not what is being corrected
    return Draft(kind="service.impacted", data=data, texts=_note(command))


def impact_data(service: Service, since: datetime, by: str) -> dict[str, Any]:
    """What a fact says of a service that is affected: since when, and the targets that its clocks run to."""
    return {
        "service": service.id,
        "since": iso(since),
        "by": by,
        "how": "first",
        "level": service.levels[0].id,
        "targets": targets_of(service),
    }


def _how(known: ServiceState | None, since: datetime, name: str) -> str:
    """Whether a service is affected for the first time, again, or since another time than was thought."""
    if known is None or known.down_since is None or known.targets is None:
        return "first"
    if at_target(known) and known.level_at is not None and since > known.level_at:
        return "again"
    if known.spells and since < known.spells[-1][1]:
        earlier = {"field": "since", "instant": since.isoformat(), "service": name}
        raise Refused(Reason.BEFORE_START, earlier)
    return "corrected"


def _at_level(state: Incident, command: ServiceFact, service: Service, world: World) -> Draft:
    """A level that was reached, or to which the service fell; below the target the disruption goes on."""
    known = state.services.get(service.id)
    if known is None or (known.since is None and known.down_since is None):
        raise Refused(Reason.NO_SUCH_SERVICE, {"service": service.id, "known": sorted(state.services)})
    instant = _instant(command, world)
    start = known.down_since or known.since
    if start is not None and instant < start:
        raise Refused(Reason.BEFORE_START, {"field": "instant", "instant": instant.isoformat()})
    level = command.level or service.rlo_level
    levels = known.targets.levels if known.targets is not None else [one.id for one in service.levels]
    if level not in levels:
        raise Refused(Reason.NO_SUCH_LEVEL, {"level": level, "service": service.id, "known": levels})
    data: dict[str, Any] = {"service": service.id, "instant": iso(instant), "level": level}
    reaches = known.targets is None or levels.index(level) >= levels.index(known.targets.rlo)
    if reaches and not at_target(known):
        return Draft(kind="service.restored", data=data, texts=_note(command))
    if at_target(known) and not reaches:
        if known.level_at is not None and instant < known.level_at:
            # It was still down then: the time until it was back would count twice.
            raise Refused(Reason.BEFORE_START, {"field": "instant", "instant": instant.isoformat()})
        data["fell"] = True
    return Draft(kind="service.level", data=data, texts=_note(command))


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


def forecast(state: Incident, command: ForecastService, world: World) -> Decided:
    """When somebody expects the service back; an expectation lies ahead."""
    name = find_service(world, command.service)
    service = world.directory.service(name)
    require(command, "forecast", state, world, service.owner if service else "")
    must_not_have_ended(state)
    if not is_down(state.services.get(name)):
        raise Refused(Reason.NO_SUCH_SERVICE, {"service": name, "known": sorted(_down(state))})
    if command.eta <= world.now:
        raise Refused(Reason.IN_PAST, {"field": "eta", "instant": command.eta.isoformat()})
    return [Draft(kind="service.forecast", data={"service": name, "eta": iso(command.eta)})]


def _down(state: Incident) -> list[str]:
    return [name for name, known in state.services.items() if is_down(known)]


def record_impact(state: Incident, command: RecordImpact, world: World) -> Decided:
    """Something is known of the harm, with its source and how sure that is; the next fact corrects it."""
    require(command, "impact", state, world, "system-owner")
    must_not_have_ended(state)
    if command.kind not in KINDS:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.kind, "known": list(KINDS)})
    if command.confidence not in CONFIDENCE:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.confidence, "known": list(CONFIDENCE)})
    data: dict[str, Any] = {"kind": command.kind, "confidence": command.confidence}
    texts = {"source": text(command.source, "source", MAX_TITLE)}
    if command.kind in TEXTS:
        texts["value"] = text(command.value, "value")
    else:
        try:
            data["value"] = read_impact(command.kind, command.value)
        except ValueError as wrong:
            expected = f"{command.kind}: expected {wrong}, got {command.value[:60]!r}"
            raise Refused(Reason.FIELD_WRONG, {"fields": [expected]}) from wrong
    return [Draft(kind="impact.recorded", data=data, texts=texts, at=command.at)]
