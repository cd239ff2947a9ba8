"""Naming who may know of an incident, taking rights in an emergency, and writing down who has read it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from models.access import INSPECTING, Viewer, may_read
from models.actor import Actor
from models.clock import iso
from models.commands import OpenImprovement
from models.errors import Refused
from models.fact import SYSTEM, Draft
from models.frozen import FrozenPlaybook
from models.permission import require
from models.reason import Reason
from models.restriction import (
    GLASS,
    GLASS_EVENT,
    GLASS_LASTS,
    GLASS_ROLES,
    NAMES_MOST,
    READ_AGAIN,
    BreakGlass,
    EndGlass,
    RecordRead,
    Restrict,
)
from models.routing import ask, paged, route_of
from models.rules.common import Decided, Then, text
from models.state import SETTLED, Incident, Page
from models.world import World

REVIEWED_WITHIN = timedelta(days=7)
REVIEWERS = ("ciso", "csirt-lead", "president")
_REVIEW = {
    "ja": "{incident}：非常用の権限の使用を点検する",
    "en": "{incident}: review the use of emergency rights",
}


# -- restricting --------------------------------------------------------------------------------------------


def restriction(
    who: str | None, bar: Iterable[str], world: World, playbook: str = "", working: Iterable[str] = ()
) -> Draft:
    """The fact that restricts an incident as it is declared, or as a playbook asks for it later.

    `working` have a step of it in hand and go on. Raises Refused on a name nobody has.
    """
    barred = _people(tuple(bar), world)
    _not_oneself(who, barred)
    known = who is not None and world.directory.person(who) is not None
    people = dict.fromkeys([*([who] if known and who else []), *working])
    data: dict[str, Any] = {"people": list(people), "roles": [], "barred": barred}
    return Draft(kind="incident.restricted", data=data | ({"playbook": playbook} if playbook else {}))


def need_to_know(playbooks: Iterable[FrozenPlaybook]) -> str:
    """The first of these playbooks whose incidents only some may know of; empty if there is none."""
    return next((one.name for one in playbooks if one.plan.playbook.need_to_know), "")


def restrict(state: Incident, command: Restrict, world: World) -> Decided:
    """Name who may know of it, and who may not whatever their role; or open it to everybody again."""
    require(command, "restrict", state, world)
    reason = {"reason": text(command.reason, "reason")}
    known = state.restriction
    if command.lift:
        if not known.on:
            raise Refused(Reason.ALREADY, {"what": Reason.NOT_RESTRICTED.value})
        return [Draft(kind="incident.unrestricted", texts=reason)]
    barred = _people(command.bar, world)
    _not_oneself(command.who, barred)
    people, roles = _sorted(command.people, world)
    _not_barred(people, {*known.barred, *barred} - set(command.remove))
    drafts = _first(state, command, people, roles, barred, world) if not known.on else []
    gone = _called_off(state, command, people, roles, world)
    drafts = drafts or _changed(state, command, people, roles, barred, gone)
    if not drafts:
        raise Refused(Reason.ALREADY, {"what": ", ".join((*command.people, *command.bar, *command.remove))})
    _somebody_is_left(state, command, people, roles, barred)
    drafts = [Draft(kind=one.kind, data=one.data, texts=reason) for one in drafts]
    return [*drafts, *_taken_from(state, [*barred, *gone], world)]


def _first(
    state: Incident, command: Restrict, people: list[str], roles: list[str], barred: list[str], world: World
) -> list[Draft]:
    """Whoever has a step in hand stays a reader: cut off, it would lie there as if somebody did it."""
    at_work = [one for one in working(state, world) if one not in barred]
    named = list(dict.fromkeys((command.who, *people, *at_work)))
    data = {"people": named, "roles": roles, "barred": barred}
    return [Draft(kind="incident.restricted", data=data)]


def working(state: Incident, world: World) -> list[str]:
    """Whoever has a step of the incident in hand now."""
    found: list[str] = []
    for key, known in state.steps.items():
        planned = world.step(state, key)
        if known.status not in {"ready", "started", "held"} or planned is None:
            continue
        who = known.started_by or known.owner or planned.step.owner or planned.step.authority or ""
        found += [holder.person.id for holder in world.holders(state, who)] if who else []
    return list(dict.fromkeys(found))


def _called_off(
    state: Incident, command: Restrict, people: list[str], roles: list[str], world: World
) -> list[str]:
    """Those taken off the list who may not read it any more, in whatever other way."""
    known, off = state.restriction, set(command.remove)
    kept = {name: [one for one in getattr(known, name) if one not in off] for name in ("people", "told")}
    left = [*(one for one in known.roles if one not in off), *roles]
    after = replace(known, people=[*kept["people"], *people], told=kept["told"], roles=left)
    without = replace(state, restriction=after)
    gone = [one for one in command.remove if world.directory.person(one) is not None]
    return [one for one in gone if not may_read(without, Viewer(person=one), world).some]


def _changed(
    state: Incident,
    command: Restrict,
    people: list[str],
    roles: list[str],
    barred: list[str],
    gone: list[str],
) -> list[Draft]:
    known = state.restriction
    added = [("person", one) for one in people if one not in known.people]
    added += [("role", one) for one in roles if one not in known.roles]
    listed = {*known.people, *known.roles, *known.told, *known.barred}
    drafts = [
        Draft(kind="reader.removed", data={"reader": one} | ({"called_off": True} if one in gone else {}))
        for one in command.remove
        if one in listed
    ]
    drafts += [Draft(kind="reader.added", data={"reader": one, "as": kind}) for kind, one in added]
    new = [one for one in barred if one not in known.barred]
    return drafts + [Draft(kind="reader.removed", data={"reader": one, "barred": True}) for one in new]


def _people(names: tuple[str, ...], world: World) -> list[str]:
    people = list(dict.fromkeys(names))
    unknown = [one for one in people if world.directory.person(one) is None]
    if unknown:
        raise Refused(Reason.UNKNOWN_PERSON, {"who": ", ".join(unknown)})
    if len(people) > NAMES_MOST:
        raise Refused(Reason.TOO_LONG, {"field": "--not", "limit": NAMES_MOST, "length": len(people)})
    return people


def _sorted(names: tuple[str, ...], world: World) -> tuple[list[str], list[str]]:
    """People and roles apart. Raises Refused on what is neither, all at once."""
    people = [one for one in dict.fromkeys(names) if world.directory.person(one) is not None]
    roles = [
        one for one in dict.fromkeys(names) if world.directory.role(one) is not None and one not in people
    ]
    unknown = [one for one in names if one not in people and one not in roles]
    if unknown:
        known = [one.id for one in world.organisation.roles]
        known += [one.id for one in world.organisation.people]
        detail = {"who": ", ".join(unknown), "case": "person-or-role", "known": known}
        raise Refused(Reason.UNKNOWN_PERSON, detail)
    if len(names) > NAMES_MOST:
        raise Refused(Reason.TOO_LONG, {"field": "--to", "limit": NAMES_MOST, "length": len(names)})
    return people, roles


def _not_oneself(who: str | None, barred: list[str]) -> None:
    if who in barred:
        raise Refused(Reason.SAME_PERSON, {"who": who, "case": "oneself"})


def _not_barred(people: list[str], barred: set[str]) -> None:
    if both := sorted(set(people) & barred):
        raise Refused(Reason.BARRED, {"who": ", ".join(both)})


def _somebody_is_left(
    state: Incident, command: Restrict, people: list[str], roles: list[str], barred: list[str]
) -> None:
    """Nobody may end up with an incident that only the database's owner can read."""
    known = state.restriction
    if not known.on:
        return
    gone = {*command.remove, *barred}
    if not {*known.people, *known.roles, *known.told, *people, *roles, *state.assigned.values()} - gone:
        raise Refused(Reason.NOT_RESTRICTABLE, {"who": ", ".join(sorted(gone))})


def _taken_from(state: Incident, barred: list[str], world: World) -> list[Draft]:
    """What somebody who is out was called for, or has taken, is asked again of the others of that level, and
    what they had in hand is nobody's again.
    """
    if not barred:
        return []
    free = [
        Draft(kind="step.reset", data={"step": key, "taken_from": who})
        for key, step in state.steps.items()
        if step.status not in SETTLED
        and (who := next((one for one in (step.started_by, step.owner) if one in barred), None))
    ]
    known = state.restriction
    without = replace(state, restriction=replace(known, barred=[*known.barred, *barred]))
    again = [_asked_again(without, page, world) for page in state.pages.values() if _held_by(page, barred)]
    return [*free, *again]


def _held_by(page: Page, barred: list[str]) -> bool:
    called = {one.person for one in page.reached.get(str(page.level), [])}
    waits = page.state == "open" and bool(called & set(barred))
    return page.state != "stopped" and (waits or page.acked_by in barred or page.delegated_to in barred)


def _asked_again(state: Incident, page: Page, world: World) -> Draft:
    levels = route_of(world, state, page).levels
    level = min(page.level, len(levels) - 1)
    people = paged(world, state, levels[level].to, levels[level].channels, page.subject)
    data = {"page": page.id, "level": level, "reason": Reason.BARRED.value, "recipients": people}
    return Draft(kind="page.lapsed", data=data | {"attempt": page.attempt + 1})


# -- breaking the glass -------------------------------------------------------------------------------------


def break_glass(state: Incident, command: BreakGlass, world: World) -> Decided:
    """Rights at once for somebody who has none; others are paged, and it is reviewed afterwards."""
    require(command, "break-glass", state, world)
    who = command.actor.person or ""
    if command.for_ is not None:
        raise Refused(Reason.IN_PERSON, {"who": command.for_, "step": GLASS_EVENT})
    reason = text(command.reason, "reason")
    if state.restriction.broken(who, world.now):
        raise Refused(Reason.ALREADY, {"what": GLASS_EVENT})
    reads = may_read(state, Viewer(person=who), world).whole
    if reads and world.roles_of(state, who) >= GLASS_ROLES:
        raise Refused(Reason.GLASS_NEEDLESS, {"who": who})
    until = world.now + GLASS_LASTS
    data = {"person": who, "until": iso(until)}
    asked = ask(world, state, GLASS_EVENT, f"{GLASS}:{who}", data)
    broken = Draft(kind="glass.broken", data=data, texts={"reason": reason})
    return [broken, *asked, *_review(state, who, world)]


def _review(state: Incident, who: str, world: World) -> list[Draft | Then]:
    """An improvement, so that it is looked at afterwards, and not by whoever it is about alone.

    Its title says no more than the number.
    """
    others = (one for one in REVIEWERS if {held.person.id for held in world.holders(state, one)} - {who})
    owner = next(others, REVIEWERS[0])
    number = f"IMP-{state.stream.removeprefix('INC-')}-{len(state.improvements) + 1}"
    title = _REVIEW[world.organisation.lang].format(incident=state.stream)
    due = world.now + REVIEWED_WITHIN
    other = OpenImprovement(
        actor=Actor.machine("rules"), id=number, incident=state.stream, title=title, owner=owner, due=due
    )
    data = {"id": number, "owner": owner, "due": iso(due)}
    return [
        Draft(kind="improvement.added", data=data, texts={"title": title}),
        Then(stream="programme", command=other),
    ]


def end_glass(state: Incident, command: EndGlass, world: World) -> Decided:
    """Given back before the time is over."""
    require(command, "break-glass", state, world)
    who = command.who
    if not state.restriction.broken(who, world.now):
        raise Refused(Reason.ALREADY, {"what": GLASS_EVENT})
    return [Draft(kind="glass.ended", data={"person": who, "reason": Reason.STOPPED.value})]


def glass_due(state: Incident, world: World) -> list[Draft]:
    """Rights that were taken end by themselves."""
    return [
        Draft(kind="glass.ended", data={"person": who, "reason": Reason.LIMIT_PASSED.value})
        for who, glass in state.restriction.glass.items()
        if not glass.ended and glass.until <= world.now
    ]


def glass_instants(state: Incident) -> list[datetime]:
    """When the next of them ends."""
    return [glass.until for glass in state.restriction.glass.values() if not glass.ended]


# -- reading ------------------------------------------------------------------------------------------------


def record_read(state: Incident, command: RecordRead, world: World) -> Decided:
    """Who has read a restricted incident, or any as an inspector: once an hour for each."""
    if command.actor.person != SYSTEM:
        return []
    if not state.restriction.on and not command.reader.startswith(INSPECTING):
        return []
    last = state.restriction.reads.get(command.reader)
    if last is not None and last <= world.now < last + READ_AGAIN:
        return []
    return [Draft(kind="incident.read", data={"reader": command.reader, "surface": command.surface[:60]})]
