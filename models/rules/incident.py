"""Declaring an incident, and how it ends."""

from __future__ import annotations

from typing import Any

from models.answers import TimelineEntry
from models.clock import iso
from models.commands import (
    Absorb,
    AssignRole,
    AttachAlert,
    Close,
    Confirm,
    Declare,
    DraftReview,
    EndIncident,
    Impair,
    Link,
    Merge,
    Note,
    Resolve,
    SetInstant,
    SetSeverity,
)
from models.errors import Refused
from models.fact import SYSTEM, Draft
from models.gate import open_phases, uncovered_closing_causes
from models.permission import require
from models.policy import PHASES
from models.reason import Reason
from models.rules.access import need_to_know, restriction
from models.rules.common import (
    MAX_TITLE,
    Decided,
    Then,
    find_service,
    must_be_open,
    must_not_have_ended,
    past,
    text,
)
from models.rules.playbooks import playbook_added
from models.rules.services import impact_data
from models.rules.shifts import brief
from models.state import Incident
from models.world import World

DEFAULT_PLAYBOOK = "unknown"
MAX_SOURCE = 1_000
RELATIONS = ("related", "causes", "caused-by", "follows")
INSTANTS = (
    "occurred", "detected", "recognised", "identified", "determined", "classified", "compromised",
    "threshold-reached", "materiality-determined", "contained", "cause-identified", "cause-addressed",
    "restored", "payment-made",
)  # fmt: skip
"""Separate instants, none inferred from another (design, 12)."""


def declare(state: Incident, command: Declare, world: World) -> Decided:
    """An incident opens: policy and playbook are frozen, and the first page is asked for."""
    require(command, "declare", None, world)
    names = command.playbooks or (DEFAULT_PLAYBOOK,)
    for name in names:
        if name not in world.library:
            raise Refused(Reason.NO_SUCH_PLAYBOOK, {"playbook": name, "known": sorted(world.library)})
    data: dict[str, Any] = {"source": command.source, "policy": world.policy_digest}
    if world.drill:
        data["drill"] = True
    if command.alerts:
        data["alerts"] = list(command.alerts)
    title = text(command.text, "text", MAX_TITLE)
    drafts: list[Draft] = [Draft(kind="incident.declared", data=data, texts={"title": title})]
    secret = need_to_know(world.library[name] for name in names)
    if secret or command.restricted or command.bar:
        drafts.append(restriction(command.who, command.bar, world, secret))
    drafts += [playbook_added(world.library[name]) for name in dict.fromkeys(names)]
    for field in ("occurred", "detected"):
        instant = getattr(command, field)
        if instant is not None:
            drafts.append(
                Draft(
                    kind="instant.set",
                    data={
                        "name": field,
                        "instant": iso(past(instant, field, world)),
                        "source": command.source,
                    },
                )
            )
    for service in command.services:
        since = command.occurred or command.detected or world.now
        known = world.directory.service(find_service(world, service))
        assert known is not None  # noqa: S101 - `find_service` has looked
        drafts.append(Draft(kind="service.impacted", data=impact_data(known, since, command.source)))
    severity = _severity(command, world, command.severity or world.policy.severity.default)
    return [*drafts, severity]


def _severity(command: Declare | SetSeverity, world: World, default: str | None) -> Draft:
    """The severity that impact and urgency give by the criteria set beforehand (FSA-2.5.2.1-B3)."""
    policy = world.policy.severity
    chosen = command.severity or default
    data: dict[str, Any] = {}
    if command.impact and command.urgency:
        cell = policy.matrix.get(command.impact, {}).get(command.urgency)
        if cell is None:
            known = [f"{one.id}" for one in (*policy.impacts, *policy.urgencies)]
            wrong = {"severity": f"{command.impact} x {command.urgency}", "known": known}
            raise Refused(Reason.NO_SUCH_SEVERITY, wrong)
        chosen = cell
        data |= {"impact": command.impact, "urgency": command.urgency}
    found = next((one for one in policy.severities if one.id == chosen), None)
    if found is None:
        raise Refused(
            Reason.NO_SUCH_SEVERITY, {"severity": chosen, "known": [one.id for one in policy.severities]}
        )
    data |= {"severity": found.id, "rank": policy.rank(found.id), "nisc": found.nisc, "fire": found.fire}
    return Draft(kind="severity.set", data=data)


def set_severity(state: Incident, command: SetSeverity, world: World) -> Decided:
    """Judge the severity; a rise calls people out again (see models.advance)."""
    require(command, "severity", state, world)
    must_be_open(state, "resolved")
    draft = _severity(command, world, None)
    if command.reason:
        draft = Draft(kind=draft.kind, data=draft.data, texts={"reason": text(command.reason, "reason")})
    return [draft]


def end(state: Incident, command: EndIncident, world: World) -> Decided:
    """Dismiss or cancel."""
    require(command, "dismiss" if command.how == "dismissed" else "cancel", state, world)
    must_be_open(state)
    return [Draft(kind=f"incident.{command.how}", texts={"reason": text(command.reason, "reason")})]


def merge(state: Incident, command: Merge, world: World) -> Decided:
    """Go on in another incident."""
    require(command, "merge", state, world)
    must_be_open(state)
    if command.into == state.stream:
        raise Refused(Reason.SELF_MERGE, {"incident": state.stream})
    merged = Draft(
        kind="incident.merged", data={"into": command.into}, texts={"reason": text(command.reason, "reason")}
    )
    other = Absorb(
        actor=command.actor,
        other=state.stream,
        alerts=tuple(state.alerts),
        severity=state.severity,
        restricted=state.restriction.on,
    )
    return [merged, Then(stream=command.into, command=other)]


def absorb(state: Incident, command: Absorb, world: World) -> Decided:
    """The incident that another was merged into."""
    must_be_open(state, "resolved")
    if command.restricted is not state.restriction.on:
        # Each names the other in its record: an open one would tell of one that is restricted.
        open_one = state.stream if command.restricted else command.other
        raise Refused(Reason.NOT_RESTRICTED, {"incident": open_one})
    absorbed = Draft(kind="incident.absorbed", data={"from": command.other, "alerts": list(command.alerts)})
    if world.policy.severity.rank(command.severity) <= state.severity_rank:
        return [absorbed]
    # The graver matter goes on here: people are called out for it anew.
    graver = SetSeverity(actor=command.actor, severity=command.severity)
    return [absorbed, _severity(graver, world, None)]


def link(state: Incident, command: Link, world: World) -> Decided:
    """Say that another incident has to do with this one."""
    require(command, "link", state, world)
    if command.to == state.stream:
        raise Refused(Reason.SELF_MERGE, {"incident": state.stream})
    if command.relation not in RELATIONS:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.relation, "known": list(RELATIONS)})
    if state.links.get(command.to) == command.relation:
        raise Refused(Reason.ALREADY, {"what": command.to})
    return [Draft(kind="incident.linked", data={"to": command.to, "relation": command.relation})]


def resolve(state: Incident, command: Resolve, world: World) -> Decided:
    """The response is over; the watch period and the review begin."""
    require(command, "resolve", state, world)
    must_be_open(state)
    causes = [f"phase-open:{name}" for name in open_phases(state, PHASES[:-1])]
    if causes:
        raise Refused(Reason.NOT_RESOLVABLE, {"causes": causes})
    watch = command.watch if command.watch is not None else _watch_period(state, world)
    return [
        Draft(
            kind="incident.resolved",
            data={"watch": watch},
            texts={
                "cause": text(command.cause, "cause"),
                "entry_route": text(command.entry_route, "entry_route"),
            },
        )
    ]


def _watch_period(state: Incident, world: World) -> int:
    """The longest watch period that the playbooks or the policy ask for, in seconds."""
    periods = [world.plans[name].playbook.watch_period for name in state.playbooks]
    longest = max((one for one in periods if one), default=world.policy.limits.watch_period)
    return int(longest.total_seconds())


def close(state: Incident, command: Close, world: World) -> Decided:
    """The review is over; refused while anything that the guideline asks for is missing."""
    require(command, "close", state, world)
    must_be_open(state, "resolved")
    causes = uncovered_closing_causes(state, world)
    if causes:
        raise Refused(Reason.NOT_CLOSABLE, {"causes": causes})
    texts = {"assessment": text(command.assessment, "assessment")}
    if command.spread:
        texts["spread"] = text(command.spread, "spread")
    return [Draft(kind="incident.closed", texts=texts)]


def set_instant(state: Incident, command: SetInstant, world: World) -> Decided:
    """Say when something happened, with the source."""
    require(command, "instant", state, world)
    must_not_have_ended(state)
    if command.name not in INSTANTS:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.name, "known": list(INSTANTS)})
    data = {"name": command.name, "instant": iso(past(command.instant, command.name, world))}
    return [Draft(kind="instant.set", data=data, texts={"source": text(command.source, "source")})]


def assign_role(state: Incident, command: AssignRole, world: World) -> Decided:
    """Name the commander or the scribe."""
    require(command, "role", state, world)
    must_not_have_ended(state)
    if command.role not in {"commander", "scribe"}:
        raise Refused(Reason.NO_SUCH_ROLE, {"role": command.role, "known": ["commander", "scribe"]})
    if world.directory.person(command.person) is None:
        raise Refused(Reason.UNKNOWN_PERSON, {"who": command.person})
    if state.assigned.get(command.role) == command.person:
        # Taking over from oneself would hide from the next brief what came before.
        raise Refused(Reason.ALREADY, {"what": f"{command.role}: {command.person}"})
    drafts = [Draft(kind="role.assigned", data={"role": command.role, "person": command.person})]
    notice = brief(state, command.role, command.person, world)
    return [*drafts, notice] if notice is not None else drafts


def note(state: Incident, command: Note, world: World) -> Decided:
    """Something for the timeline; allowed for ever."""
    require(command, "note", state, world)
    return [Draft(kind="note.added", texts={"text": text(command.text, "text")}, at=command.at)]


def timeline_entry(state: Incident, command: TimelineEntry, world: World) -> Decided:
    """What was said or seen elsewhere, at its own instant; with who said it and where, if that is known."""
    require(command, "note", state, world)
    texts = {"text": text(command.text, "text")}
    data: dict[str, Any] = {}
    if command.source.strip():
        texts["source"] = text(command.source, "source", MAX_SOURCE)
    if world.directory.person(command.said_by.strip()) is not None:
        data["said_by"] = command.said_by.strip()
    elif command.said_by.strip():
        texts["said_by"] = text(command.said_by, "said_by", MAX_TITLE)
    return [Draft(kind="note.added", data=data, texts=texts, at=command.at)]


def confirm(state: Incident, command: Confirm, world: World) -> Decided:
    """What a scribe wrote for me is right."""
    require(command, "confirm", state, world)
    known = state.confirmations.get(command.fact)
    standing_in = {holder.person.id for holder in world.holders(state, known.person)} if known else set()
    may = {known.person, *standing_in} - {known.by} if known else set()
    if command.actor.person not in may:
        raise Refused(Reason.NOT_ASKED_TO_CONFIRM, {"fact": command.fact})
    return [Draft(kind="confirmed", data={"fact": command.fact})]


def attach_alert(state: Incident, command: AttachAlert, world: World) -> Decided:
    """A further alert of the same matter."""
    must_be_open(state, "resolved")
    return [Draft(kind="alert.attached", data={"alert": command.alert})]


def impair(state: Incident, command: Impair, world: World) -> Decided:
    """Some part of Hikeshi does not work for this incident, or does again; said once."""
    if command.actor.person != SYSTEM or (command.what in state.impaired) is not command.mended:
        return []
    kind = "machine.recovered" if command.mended else "machine.impaired"
    return [Draft(kind=kind, data={"what": command.what, "detail": command.detail[:300]})]


def draft_review(state: Incident, command: DraftReview, world: World) -> Decided:
    """The machine's part of the review."""
    return [Draft(kind="review.drafted", data={"document": command.document})]
