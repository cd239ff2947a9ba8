"""Which route a matter takes, and whom each of its levels reaches now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from models.comcheck import SUBJECT as COMCHECK
from models.comcheck import is_asked
from models.communication import SUBJECT as MESSAGE
from models.directory import Holder
from models.fact import Draft
from models.policy import STEP_ROLES, Route
from models.programme import SUBJECT as SUBJECT_FINDING
from models.programme import Finding
from models.reach import hushed, recipient
from models.readers import members
from models.restriction import GLASS
from models.state import Improvement, Incident, Page, Programme, StepState, StreamState
from models.voting import empty_seats
from models.world import World

INSTEAD = {
    "approval": "decision",
    "message-approval": "decision",
    "clock-forecast": "clock-breached",
    "clock-breached": "step-overdue",
    "shift-uncovered": "step-overdue",
    "reopening": "decision",
    "evidence-damaged": "impaired",
    "source-unreachable": "step-unknown",
    "break-glass": "severity-raised",
}
"""Whose route an event takes that has none of its own: nothing that needs somebody happens in silence."""
CLOCK_WARNING = "clock-warning"
APPROVAL = "approval"
"""The event, and the kind of subject, of a decision that waits for its second person."""


def choose_route(
    world: World,
    event: str,
    state: StreamState,
    phase: str | None = None,
    clock: str | None = None,
    share: int | None = None,
) -> Route | None:
    """The first route that applies to this event; None if the policy has none.

    `clock` is the kind of clock of a clock event, `share` the part of its time that is over, in percent.
    """
    for route in world.policy.routes:
        if not _applies(route, world, event, state, phase) or not _for_clock(route, clock):
            continue
        if share is None or event != CLOCK_WARNING or share in route.warn_at:
            return route
    return None


def _for_clock(route: Route, clock: str | None) -> bool:
    return not route.applies.clocks or clock in route.applies.clocks


def warning_shares(world: World, state: StreamState, clock: str) -> tuple[int, ...]:
    """The shares at which some route wants to hear of such a clock, rising; empty if none does."""
    found: set[int] = set()
    for route in world.policy.routes:
        if _applies(route, world, CLOCK_WARNING, state, None) and _for_clock(route, clock):
            found.update(route.warn_at)
    return tuple(sorted(found))


def route_of(world: World, state: StreamState, page: Page) -> Route:
    """The page's route. An incident's is frozen; the house's may have gone from the files since: then the one
    that such an event takes today, or the first there is. A page never ends for want of a route.
    """
    named = next((route for route in world.policy.routes if route.id == page.route), None)
    return named or choose_route(world, page.event, state) or world.policy.routes[0]


def _applies(route: Route, world: World, event: str, state: StreamState, phase: str | None) -> bool:
    when = route.applies
    if when.events and event not in when.events:
        return False
    if not isinstance(state, Incident):
        return not (when.attack or when.severity_at_least or when.phases)
    if when.attack and not set(when.attack) & set(state.playbooks):
        return False
    if when.severity_at_least:
        least = world.policy.severity.rank(when.severity_at_least)
        if world.policy.severity.rank(state.severity) < least:
            return False
    return not when.phases or phase in when.phases


def paged(
    world: World, state: StreamState, to: tuple[str, ...], channels: tuple[str, ...], subject: str
) -> list[dict[str, Any]]:
    """The people that `to` means now, each once, as a page reaches them: in quiet hours not everybody."""
    return hushed(level_recipients(world, state, to, channels, subject), world, state)


def level_recipients(
    world: World, state: StreamState, to: tuple[str, ...], channels: tuple[str, ...], subject: str
) -> list[dict[str, Any]]:
    """The people that `to` means now, each once, with the channels that reach them in order.

    For a notice: in quiet hours `held_until` says how long it waits. For a page use `paged`.
    """
    found: dict[str, dict[str, Any]] = {}
    incident = _matter(world, state, subject)
    barred = _barred(world, incident, subject)
    for who in to:
        for holder in (
            one for name in _names(world, state, who, subject) for one in world.holders(incident, name)
        ):
            if holder.person.id not in found and holder.person.id not in barred:
                found[holder.person.id] = _elsewhere(_recipient(world, state, holder, channels), subject)
    return list(found.values())


def everybody(world: World, state: StreamState, to: tuple[str, ...], subject: str) -> list[dict[str, Any]]:
    """Whoever `to` can mean, on leave and off duty as well, each once: for when nobody else is reached."""
    found = {one["person"]: one for one in level_recipients(world, state, to, (), subject)}
    incident = _matter(world, state, subject)
    barred = _barred(world, incident, subject)
    for who in to:
        for named in _names(world, state, who, subject):
            for holder in _anybody(world, incident, named):
                name = holder.person.id
                if name not in barred and name not in found:
                    found[name] = _elsewhere(_recipient(world, state, holder, ()), subject)
    return list(found.values())


def _anybody(world: World, incident: Incident | None, role: str) -> Iterator[Holder]:
    """Whoever can be meant by a role or person, present or not."""
    assigned = incident.assigned.get(role) if incident is not None else None
    for name in dict.fromkeys((assigned or role, *members(world.organisation, role))):
        person = world.directory.person(name)
        if person is not None:
            yield Holder(person=person, role=role)


def _matter(world: World, state: StreamState, subject: str) -> Incident | None:
    """The incident whose bar holds for a page: of an improvement, the restricted one that it came of."""
    if isinstance(state, Incident):
        return state
    kind, _, name = subject.partition(":")
    if not isinstance(state, Programme) or kind != "improvement" or name not in state.improvements:
        return None
    return world.restricted().get(state.improvements[name].incident)


def _barred(world: World, incident: Incident | None, subject: str) -> frozenset[str]:
    """Who cannot be the second pair of eyes: whoever proposed the decision, or wrote the proposal down; of a
    message, whoever wrote or has approved each version that waits; of broken glass, whoever broke it. And
    nobody who is barred from the incident is ever asked.
    """
    if incident is None:
        return frozenset()
    return frozenset(incident.restriction.barred) | _concerned(world, incident, *subject.partition(":")[::2])


def _concerned(world: World, incident: Incident, kind: str, name: str) -> frozenset[str]:
    if kind == GLASS:
        return frozenset({name})
    if kind == MESSAGE:
        number, _, role = name.partition("/")
        outgoing = incident.outgoing.get(number)
        return outgoing.authors_for(role) if outgoing is not None else frozenset()
    known = incident.steps.get(name) if kind in {APPROVAL, "step"} else None
    if known is not None and kind == "step":
        return _voters(world, incident, known)
    if known is None or known.proposed is None:
        return frozenset()
    return frozenset(one for one in (known.proposed.by, known.proposed.recorded_by) if one)


def _voters(world: World, incident: Incident, known: StepState) -> frozenset[str]:
    """Those whose vote stands: they are not called for it again, unless all have voted and are not agreed."""
    planned = world.step(incident, known.key) if known.votes else None
    quorum = planned.step.quorum if planned is not None else None
    if quorum is None or not empty_seats(known.votes, quorum.of):
        return frozenset()
    return frozenset(known.votes)


def _names(world: World, state: StreamState, who: str, subject: str) -> tuple[str, ...]:
    """The roles or people that a word of a route means for this matter; a vote is asked of all its seats."""
    if who not in STEP_ROLES:
        return (who,)
    kind, _, name = subject.partition(":")
    if who == "authority" and kind == "step" and isinstance(state, Incident):
        planned = world.step(state, name)
        if planned is not None and planned.step.quorum is not None:
            return planned.step.quorum.of
    named = _named(world, state, who, subject)
    return (named,) if named else ()


def _named(world: World, state: StreamState, who: str, subject: str) -> str | None:
    """The role or person that `authority` or `owner` means for this matter."""
    kind, _, name = subject.partition(":")
    if not isinstance(state, Incident):
        return _owner_in(state, kind, name) if isinstance(state, Programme) else None
    if kind == "confirm":
        waiting = [*state.unasked, *state.confirmations.values()]
        return next((one.person for one in waiting if str(one.seq) == name), None)
    if kind in _OWNERS:
        return _OWNERS[kind](state, name)
    return _of_step(world, state, who, kind, name)


def _owner_in(state: Programme, kind: str, name: str) -> str | None:
    """Whose an improvement or a finding is."""
    owned: Improvement | Finding | None = None
    if kind == "improvement":
        owned = state.improvements.get(name)
    elif kind == SUBJECT_FINDING:
        owned = state.findings.get(name)
    return owned.owner if owned is not None else None


def _of_step(world: World, state: Incident, who: str, kind: str, name: str) -> str | None:
    """Who answers for a step, or for the approval of what was proposed there."""
    planned = world.step(state, name) if kind in {"step", APPROVAL} else None
    if planned is None:
        return None
    if kind == APPROVAL:
        return planned.step.approver
    known = state.steps.get(planned.key)
    if who == "owner" and known is not None and known.owner:
        return known.owner
    return planned.step.acts if who == "authority" else planned.step.owner


def _of_shift(state: Incident, name: str) -> str | None:
    """Who has the role that nobody could take over; the role itself if it was with nobody in the incident."""
    shift = state.shifts.get(name)
    return state.assigned.get(shift.role, shift.role) if shift is not None else None


def _of_reopening(state: Incident, name: str) -> str | None:
    """Who leads the incident decides whether a phase is taken up again."""
    del name
    return "commander" if "commander" in state.assigned else "csirt-lead"


def _of_clock(state: Incident, name: str) -> str | None:
    """The role that answers for a clock."""
    if name in state.clocks:
        return state.clocks[name].owner or None
    service = state.services.get(name.partition(":")[2])
    return service.targets.owner if service is not None and service.targets is not None else None


def _of_message(state: Incident, name: str) -> str | None:
    """The role whose approval it waits for, which its subject names."""
    del state
    return name.partition("/")[2]


_OWNERS: Mapping[str, Callable[[Incident, str], str | None]] = {
    "clock": _of_clock,
    "shift": _of_shift,
    "reopening": _of_reopening,
    MESSAGE: _of_message,
}


def _elsewhere(found: dict[str, Any], subject: str) -> dict[str, Any]:
    """That a channel does not work is said by another, if the person has one."""
    kind, _, part = subject.partition(":")
    dead = part.partition("-")[0] if kind == "impaired" else ""
    left = [one for one in found["channels"] if one != dead]
    return found | {"channels": left} if left else found


def _recipient(world: World, state: StreamState, holder: Holder, channels: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {"person": holder.person.id, "role": holder.role}
    found |= recipient(world, state, holder.person, channels)
    if holder.deputy_for:
        found["for"] = holder.deputy_for
    return found


def ask(
    world: World,
    state: StreamState,
    event: str,
    subject: str,
    detail: dict[str, Any] | None = None,
) -> list[Draft]:
    """The facts that call for an acknowledgement of `subject`; none if the policy has no route for it."""
    planned = None
    kind, _, name = subject.partition(":")
    if isinstance(state, Incident) and kind in {"step", APPROVAL}:
        planned = world.step(state, name)
    clock = name.partition(":")[0] if kind == "clock" else None
    route, wanted = None, event
    while route is None and wanted:
        phase = planned.step.phase if planned else None
        route = choose_route(world, wanted, state, phase, clock, (detail or {}).get("share"))
        wanted = INSTEAD.get(wanted, "")
    if route is None:
        return [Draft(kind="page.unanswerable", data={"event": event, "subject": subject})]
    first = route.levels[0]
    # A vote needs more than one of them: an answer of one does not stop the page for the others.
    together = planned is not None and planned.step.quorum is not None and event == "decision"
    people = paged(world, state, first.to, first.channels, subject)
    asked = Draft(
        kind="page.asked",
        data={
            "event": event,
            "subject": subject,
            "route": route.id,
            "within": [int(level.within.total_seconds()) for level in route.levels],
            "repeat": [int(level.repeat.total_seconds()) if level.repeat else 0 for level in route.levels],
            "all": [
                level.answer == "all" or (together and "authority" in level.to) for level in route.levels
            ],
            "every": int(route.exhausted.every.total_seconds()),
            "renew": int(route.renew.total_seconds()) if route.renew else 0,
            "recipients": people,
            "directory": world.directory.version,
            "detail": detail or {},
        },
    )
    return [asked]


def answering_level(world: World, state: StreamState, page: Page, person: str) -> int | None:
    """The level as which a person may answer a page; None if they may not.

    Whoever has been called may say "I have it" also when their shift is over by then.
    """
    level = entitled_level(world, state, route_of(world, state, page), person, page.subject)
    if level is not None or page.delegated_to == person:
        return page.level if level is None else level
    incident = _matter(world, state, page.subject)
    if page.event == COMCHECK or person in _barred(world, incident, page.subject):
        return None
    called = [name for name, people in page.reached.items() if any(one.person == person for one in people)]
    levels = [int(name) if name.isdigit() else len(page.within) for name in called]
    return max(levels, default=None)


def entitled_level(world: World, state: StreamState, route: Route, person: str, subject: str) -> int | None:
    """The first level of the route on which the person may answer now; None if on none.

    The number of levels stands for the last resort.
    """
    if subject.partition(":")[0] == COMCHECK:
        return 0 if is_asked(subject, person) else None
    ladder = [level.to for level in route.levels] + [route.exhausted.to]
    for number, to in enumerate(ladder):
        if any(one["person"] == person for one in level_recipients(world, state, to, (), subject)):
            return number
    return None
