"""The hand-over brief: what somebody who takes over has to know, in one screen; the same in a message.

Everything is read from the folded state, so that a message costs no reading of facts. Each part is a short
list of lines with a bound; what is cut off says how many there are more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from models.clock import iso
from models.clocks.owed import find_obligation, is_owed, obligations
from models.clocks.rules import plan
from models.communication import Outgoing
from models.plan import PlannedStep
from models.state import Incident, StepState
from notifiers.briefing_names import Matter, at, due, person_name, text_of
from notifiers.clockwords import clock_title, find_stage, service_name, span, what_stops
from notifiers.handover_words import WORDS
from notifiers.phrases import PHRASES
from notifiers.scopewords import new_in_scope

PARTS = (
    "happened", "changed", "decisions", "mine", "others", "clocks", "reports", "pages", "promised", "on",
    "unknown",
)  # fmt: skip
MAX_LINES, MAX_CHANGES = 8, 12
ACTIVE = ("ready", "started", "failed", "unknown")
DECISION = "decision"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the brief; an empty one says so in the words of its language."""

    name: str
    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _View:
    """What the parts are made from; `since` is when the outgoing person began, `person` takes over."""

    state: Incident
    matter: Matter
    lang: str
    since: datetime
    person: str | None

    def say(self, key: str, **values: object) -> str:
        return WORDS[self.lang][key].format(**values)

    def at(self, instant: datetime | None) -> str:
        zone = self.matter.world.organisation.zone
        return at(instant, zone, self.lang) if instant is not None else self.say("unknown")

    def due(self, instant: datetime) -> str:
        return due(instant, self.matter.world.organisation.zone, self.lang)

    def left(self, instant: datetime) -> str:
        left = instant - self.matter.world.now
        key = "left" if left.total_seconds() > 0 else "over"
        return PHRASES[self.lang][key].format(span=span(left, self.lang))

    def who(self, name: str | None) -> str:
        """A person's name, or a role's title with who holds it now."""
        if not name:
            return self.say("nobody")
        world = self.matter.world
        role = world.directory.role(name)
        if role is None:
            return person_name(world, name, self.lang)
        people = [one.person.name.lang(self.lang) for one in world.holders(self.state, name)]
        title = role.title.lang(self.lang)
        return self.say("role", role=title, people=", ".join(people) or self.say("nobody"))

    def text(self, digest: str | None) -> str:
        return text_of(self.matter, digest)

    def step(self, planned: PlannedStep) -> str:
        title = planned.step.title.lang(self.lang)
        return self.text(title) if title.startswith("t:") else title

    def steps(self) -> Iterator[tuple[StepState, PlannedStep]]:
        for known in self.state.steps.values():
            planned = self.matter.world.step(self.state, known.key)
            if planned is not None and planned.step.kind != "call":
                yield known, planned


def handover_since(state: Incident, role: str | None, person: str | None) -> datetime:
    """Since when the outgoing person was on: the one before `person`, else who has the role now.

    Without a role, the commander's; without anybody, since the incident was declared.
    """
    tenure = state.tenures.get(role or "commander")
    start = state.declared_at
    assert start is not None  # noqa: S101 - whoever asks has an incident that was declared
    if tenure is None:
        return start
    return (tenure.before_since or start) if tenure.person == person else tenure.since


def handover(matter: Matter, lang: str, since: datetime, person: str | None) -> list[Part]:
    """The brief for `person` in `ja` or `en`, with what has changed since `since` (aware).

    Raises nothing for a state that is not an incident: there is no brief of it.
    """
    if not isinstance(matter.state, Incident):
        return []
    view = _View(state=matter.state, matter=matter, lang=lang, since=since, person=person)
    return [
        Part(
            name=name,
            title=view.say(f"title.{name}", since=view.at(since)),
            lines=_bounded(list(_PARTS[name](view)), MAX_CHANGES if name == "changed" else MAX_LINES, view),
        )
        for name in PARTS
    ]


def _bounded(lines: list[str], limit: int, view: _View) -> tuple[str, ...]:
    if len(lines) > limit:
        more = view.say("more", n=len(lines) - limit + 1)
        return (*lines[: limit - 1], more)
    return tuple(lines)


# -- what happened, what changed ----------------------------------------------------------------------------


def _happened(view: _View) -> Iterator[str]:
    state = view.state
    yield view.say("declared", at=view.at(state.declared_at), who=view.who(state.declared_by))
    yield view.say("severity", severity=_severity(view), at=view.at(state.severity_at))
    phases = [name for name, known in state.phases.items() if known.status == "open"]
    names = ", ".join(PHRASES[view.lang][f"phase.{name}"] for name in phases)
    yield view.say("phases", phases=names or view.say("none"), status=view.say(f"status.{state.status}"))
    for name, service in state.services.items():
        if service.since is not None and service.resumed_at is None:
            title = service_name(view.matter.world, name, view.lang)
            yield view.say("service", service=title, at=view.at(service.down_since or service.since))
    if state.inquiries:
        yield view.say("inquiries", n=sum(state.inquiries.values()))


def _changed(view: _View) -> Iterator[str]:
    """In the order in which it happened, what is most recent last; the oldest are cut off first."""
    found = sorted(_changes(view), key=lambda one: one[0])
    if not found:
        return
    cut = found if len(found) <= MAX_CHANGES else found[-(MAX_CHANGES - 1) :]
    if len(found) > len(cut):
        yield view.say("earlier", n=len(found) - len(cut))
    for instant, said in cut:
        yield f"{view.at(instant)} {said}"


def _changes(view: _View) -> Iterator[tuple[datetime, str]]:
    told = (_of_steps, _of_phases, _of_services, _of_matter, _of_communication)
    for instant, said in chain.from_iterable(of(view) for of in told):
        if instant is not None and instant >= view.since:
            yield instant, said


def _of_steps(view: _View) -> Iterator[tuple[datetime | None, str]]:
    for known, planned in view.steps():
        title, by = view.step(planned), view.who(known.done_by)
        if known.status != "done":
            continue
        if planned.step.kind == DECISION:
            option = next((one for one in planned.step.options if one.id == known.choice), None)
            chosen = option.title.lang(view.lang) if option is not None else known.choice
            yield known.done_at, view.say("decided", step=title, choice=chosen, who=by)
        else:
            yield known.done_at, view.say("done", step=title, who=by)


def _of_phases(view: _View) -> Iterator[tuple[datetime | None, str]]:
    for name, phase in view.state.phases.items():
        if phase.opened_at == phase.ended_at:
            continue  # it had nothing to do
        title = PHRASES[view.lang][f"phase.{name}"]
        yield phase.opened_at, view.say("phase-opened", phase=title)
        yield phase.ended_at, view.say("phase-ended", phase=title)


def _of_services(view: _View) -> Iterator[tuple[datetime | None, str]]:
    for name, service in view.state.services.items():
        title = service_name(view.matter.world, name, view.lang)
        yield service.since, view.say("service-hit", service=title)
        yield service.restored_at, view.say("service-restored", service=title)


def _of_matter(view: _View) -> Iterator[tuple[datetime | None, str]]:
    state = view.state
    yield state.severity_at, view.say("severity-set", severity=_severity(view))
    yield state.resolved_at, view.say("resolved")
    for item in state.evidence.values():
        yield item.at, view.say("evidence", name=view.text(item.name) or item.source)
    for when, name in new_in_scope(state, view.since, view.text):
        yield when, view.say("scope", name=name)
    for role, tenure in state.tenures.items():
        yield tenure.since, view.say("appointed", role=_title(view, role), who=view.who(tenure.person))
    for name, owed in state.obligations.items():
        for report in owed.reports.values():
            for sent in report.submitted:
                yield sent.at, view.say("submitted", report=_obligation(view, name), who=view.who(sent.by))


def _of_communication(view: _View) -> Iterator[tuple[datetime | None, str]]:
    """What the outside and the management have been told: whoever takes over must not say otherwise."""
    for message in view.state.outgoing.values():
        for sent in message.sent:
            who, via = view.who(sent.by), view.text(sent.via)
            yield sent.at, view.say("message-sent", who=who, via=via, **_named(view, message))
        yield message.withdrawn_at, view.say("message-withdrawn", **_named(view, message))
    for report in view.state.situation_reports:
        yield report.at, view.say("situation-sent", number=report.number, who=view.who(report.by))


def _named(view: _View, message: Outgoing) -> dict[str, str]:
    return {"message": message.id, "audience": PHRASES[view.lang][f"audience.{message.audience}"]}


def _severity(view: _View) -> str:
    known = view.matter.world.policy.severity.severities
    return next((one.title.lang(view.lang) for one in known if one.id == view.state.severity), "-")


def _title(view: _View, role: str) -> str:
    known = view.matter.world.directory.role(role)
    return known.title.lang(view.lang) if known is not None else role


def _obligation(view: _View, name: str) -> str:
    found = find_obligation(view.state, view.matter.world, name)
    return found.title.lang(view.lang) if found is not None else name


# -- what is open -------------------------------------------------------------------------------------------


def _owner(known: StepState, planned: PlannedStep) -> str | None:
    return known.owner or planned.step.acts


def _open(view: _View, kind: str) -> list[tuple[StepState, PlannedStep]]:
    """Decisions, or all other steps, that wait for somebody; what is due first comes first."""
    found = [
        (known, planned)
        for known, planned in view.steps()
        if known.status in ACTIVE and (planned.step.kind == DECISION) is (kind == DECISION)
    ]
    return sorted(found, key=lambda one: (one[0].limit_at is None, iso(one[0].limit_at or view.since)))


def _limit(view: _View, known: StepState) -> str:
    if known.limit_at is None:
        return view.say("no-limit")
    return view.say("limit", at=view.at(known.limit_at), left=view.left(known.limit_at))


def _decisions(view: _View) -> Iterator[str]:
    for known, planned in _open(view, DECISION):
        line = view.say(
            "decision",
            step=view.step(planned),
            who=view.who(_owner(known, planned)),
            limit=_limit(view, known),
        )
        recommended = next(
            (one.title.lang(view.lang) for one in planned.step.options if one.id == planned.step.recommend),
            "",
        )
        yield line + (view.say("recommended", option=recommended) if recommended else "")


def _is_mine(view: _View, known: StepState, planned: PlannedStep) -> bool:
    owner = _owner(known, planned)
    if view.person is None:
        return False
    if known.status == "started" and known.started_by == view.person:
        return True
    if owner is None:
        return False
    return any(one.person.id == view.person for one in view.matter.world.holders(view.state, owner))


def _mine(view: _View) -> Iterator[str]:
    for known, planned in _open(view, "step"):
        if _is_mine(view, known, planned):
            yield view.say("step", step=view.step(planned), limit=_limit(view, known)) + _begun(view, known)


def _others(view: _View) -> Iterator[str]:
    for known, planned in _open(view, "step"):
        if not _is_mine(view, known, planned):
            owner = _owner(known, planned)
            who = view.who(owner) if owner else view.say("machine")
            said = view.say("step-of", step=view.step(planned), who=who, limit=_limit(view, known))
            yield said + _begun(view, known)


def _begun(view: _View, known: StepState) -> str:
    """That somebody is at it; of a machine's step nobody is."""
    if known.status != "started" or known.node is not None:
        return ""
    return view.say("under-way", who=view.who(known.started_by))


def _clocks(view: _View) -> Iterator[str]:
    running = [one for one in view.state.clocks.values() if one.status == "running"]
    for clock in sorted(running, key=lambda one: one.due_at):
        if clock.kind != "report":
            title = clock_title(clock.id, view.state, view.matter.world, view.lang)
            stops = what_stops(clock.id, view.state)
            due_at, left = view.due(clock.due_at), view.left(clock.due_at)
            yield view.say("clock", clock=title, at=due_at, left=left, stops=stops)


def _reports(view: _View) -> Iterator[str]:
    """Reports that are owed and not sent, by what is due first; then what nobody has judged yet."""
    running = [one for one in view.state.clocks.values() if one.kind == "report" and one.status == "running"]
    for clock in sorted(running, key=lambda one: one.due_at):
        title = clock_title(clock.id, view.state, view.matter.world, view.lang)
        stage = find_stage(view.state, view.matter.world, clock.id.partition(":")[2])
        drafted = stage is not None and _is_drafted(view, stage[0].id, stage[1].id)
        line = view.say("report", report=title, at=view.due(clock.due_at), left=view.left(clock.due_at))
        yield line + (view.say("drafted") if drafted else "")
    for one in obligations(view.state, view.matter.world):
        owed = view.state.obligations.get(one.id)
        if is_owed(owed) and owed is not None and owed.judged is None:
            yield view.say("to-judge", report=one.title.lang(view.lang))


def _is_drafted(view: _View, name: str, stage: str) -> bool:
    owed = view.state.obligations.get(name)
    return owed is not None and stage in owed.reports and owed.reports[stage].drafted is not None


def _pages(view: _View) -> Iterator[str]:
    for page in view.state.open_pages():
        reached = page.reached.get(str(page.level), [])
        names = ", ".join(person_name(view.matter.world, one.person, view.lang) for one in reached)
        subject = _subject(view, page.subject)
        level, since = page.level + 1, view.at(page.asked_at)
        yield view.say(
            "page", id=page.id, subject=subject, level=level, at=since, who=names or view.say("nobody")
        )


def _subject(view: _View, subject: str) -> str:
    kind, _, name = subject.partition(":")
    planned = view.matter.world.step(view.state, name) if kind == "step" else None
    if planned is not None:
        return view.step(planned)
    if kind == "clock":
        return clock_title(name, view.state, view.matter.world, view.lang)
    return view.say("the-incident") if kind == "incident" else subject


# -- promised, on duty, unknown -----------------------------------------------------------------------------


def _promised(view: _View) -> Iterator[str]:
    """What somebody is waiting for because of us, and what third parties owe us."""
    world, state = view.matter.world, view.state
    for name, service in state.services.items():
        if service.forecast is not None and service.resumed_at is None:
            yield view.say(
                "forecast",
                service=service_name(world, name, view.lang),
                at=view.at(service.forecast.at),
                who=view.who(service.forecast.by),
            )
    for clock in state.clocks.values():
        if clock.kind == "situation" and clock.status == "running":
            yield view.say("situation", at=view.due(clock.due_at))
    for message in state.outgoing.values():
        if not message.over and message.corrected_by is None:
            roles = ", ".join(_title(view, role) for role in message.waiting())
            waiting = view.say("message-waits", roles=roles) if roles else ""
            status = PHRASES[view.lang][f"version.{message.status}"]
            yield view.say("message-open", status=status, waiting=waiting, **_named(view, message))
    for name in state.improvements:
        yield view.say("improvement", id=name)
    for asked in state.vendors.values():
        if asked.answered_at is None:
            party = world.directory.third_party(asked.party)
            title = party.name.lang(view.lang) if party is not None else asked.party
            yield view.say("vendor", party=title, at=view.at(asked.asked_at))


def _on(view: _View) -> Iterator[str]:
    state = view.state
    roles = dict.fromkeys(("commander", "scribe", *state.assigned, *(_duties(view))))
    for role in roles:
        known = state.tenures.get(role)
        people = view.matter.world.holders(state, role)
        names = ", ".join(one.person.name.lang(view.lang) for one in people) or view.say("nobody")
        since = view.say("since", at=view.at(known.since)) if known is not None else ""
        yield view.say("on", role=_title(view, role), people=names) + since
    coming = sorted(state.shifts.values(), key=lambda one: one.since)
    for shift in coming:
        if shift.status == "planned":
            yield view.say(
                "shift", role=_title(view, shift.role), who=view.who(shift.person), at=view.at(shift.since)
            )


def _duties(view: _View) -> Iterator[str]:
    for role in view.matter.world.organisation.roles:
        if role.rota:
            yield role.id


def _unknown(view: _View) -> Iterator[str]:
    """Nothing is inferred: what nobody has said is listed as that."""
    state = view.state
    for known, planned in view.steps():
        if known.status == "unknown":
            yield view.say("outcome", step=view.step(planned))
    needs = {need for one in plan(state, view.matter.world) if one.due_at is None for need in one.needs}
    for need in sorted(needs):
        if not need.startswith("submitted:") and need != "contract":
            yield view.say("instant", name=PHRASES[view.lang].get(f"instant.{need}", need))
    for kind, impact in state.impacts.items():
        if impact.value == "unknown":
            yield view.say("impact", kind=view.say(f"impact.{kind}"))
    for name, service in state.services.items():
        if service.loss is not None and service.loss.status == "unknown":
            yield view.say("loss", service=service_name(view.matter.world, name, view.lang))
    for one in state.confirmations.values():
        yield view.say("unconfirmed", seq=one.seq, who=view.who(one.person))


_PARTS: dict[str, Callable[[_View], Iterator[str]]] = {
    "happened": _happened,
    "changed": _changed,
    "decisions": _decisions,
    "mine": _mine,
    "others": _others,
    "clocks": _clocks,
    "reports": _reports,
    "pages": _pages,
    "promised": _promised,
    "on": _on,
    "unknown": _unknown,
}


# -- in messages --------------------------------------------------------------------------------------------


def brief_handover(role: str, matter: Matter, lang: str, person: str | None) -> dict[str, Any]:
    """What `notice.handover` shows: the parts, a list of lines each."""
    state = matter.state
    if not isinstance(state, Incident):
        return {}
    since = handover_since(state, role, person)
    parts = {part.name: list(part.lines) for part in handover(matter, lang, since, person)}
    view = _View(state=state, matter=matter, lang=lang, since=since, person=person)
    tenure = state.tenures.get(role)
    outgoing = tenure.before if tenure is not None and tenure.person == person else state.assigned.get(role)
    return {
        "what": "",
        "command": f"hikeshi handover {state.stream}",
        "extra": parts
        | {
            "role": _title(view, role),
            "since": view.at(since),
            "by": person_name(matter.world, outgoing, lang) if outgoing else "",
        },
    }


def brief_shift(name: str, matter: Matter, lang: str) -> dict[str, Any]:
    """What `page.shift_uncovered` shows: the role, who was to come, with whom it stays."""
    state = matter.state
    shift = state.shifts.get(name) if isinstance(state, Incident) else None
    if shift is None or not isinstance(state, Incident):
        return {}
    words, world = WORDS[lang], matter.world
    known = world.directory.role(shift.role)
    title = known.title.lang(lang) if known is not None else shift.role
    stays = person_name(world, state.assigned.get(shift.role), lang) or words["nobody"]
    return {
        "reason": words["missed"].format(role=title, who=person_name(world, shift.person, lang), stays=stays),
        "command": f"hikeshi role {state.stream} {shift.role} PERSON",
        "extra": {"role": title, "owner": stays},
    }
