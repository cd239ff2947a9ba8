"""`hikeshi show`: an incident on one screen, what is open first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from console.views import answers, communication, evidence, gates, harm, pages, reports, scope, sharing
from console.views.access import restriction_json, restriction_lines
from console.views.causes import cause, gate, reopenings
from console.views.clocks import OVER, clocks, section
from console.views.naming import Naming, to_decide
from console.views.sheet import Line, Section
from console.views.steps import ready_by_owner
from models.clock import iso
from models.clocks.owed import is_owed, obligations
from models.plan import PlannedStep
from models.policy import PHASES
from models.state import Incident, Page, StepState

OWN_SECTIONS = (
    "decisions",
    "ready",
    "held",
    "ahead",
    "pages",
    "clocks",
    "services",
    "impact",
    "reports",
    "messages",
    "inquiries",
    "evidence",
    "scope",
    "parties",
    "sharings",
    "unconfirmed",
    "review",
)

MAX_CLOCKS = 5


def sections(state: Incident, naming: Naming) -> list[Section | Line]:
    """The whole screen; parts that have nothing to say are left out."""
    texts = naming.texts
    parts = {
        "decisions": list(_decisions(state, naming)),
        "ready": list(ready_by_owner(state, naming)),
        "held": list(_held(state, naming)),
        "ahead": gates.soon(state, naming),
        "pages": [line for page in _live(state) for line in pages.lines(page, naming)],
        "clocks": list(_next_clocks(state, naming)),
        "services": list(_services(state, naming)),
        "impact": list(_impact(state, naming)),
        "reports": list(_owed(state, naming)),
        "messages": list(communication.messages(state, naming)),
        "inquiries": [Line(text=communication.inquiry_line(state, naming))] if state.inquiries else [],
        "scope": list(scope.summary(state, naming)),
        "evidence": list(evidence.lines(state, naming)),
        "parties": list(sharing.parties(state, naming)),
        "sharings": list(sharing.sharings(state, naming)),
        "unconfirmed": list(_unconfirmed(state, naming)),
        "review": list(_review(state, naming)),
    }
    found: list[Section | Line] = list(_head(state, naming))
    for name in OWN_SECTIONS:
        if parts[name]:
            found.append(Section(title=texts(f"words.title.{name}"), parts=tuple(parts[name])))
    return found


def _live(state: Incident) -> list[Page]:
    return [page for page in state.pages.values() if page.state != "stopped"]


def _head(state: Incident, naming: Naming) -> Iterator[Line]:
    texts = naming.texts
    drill = texts("words.drill") if state.drill else ""
    yield Line(text=f"{drill}{state.stream}  {naming.text(state.title)}", style="strong")
    grave = state.severity_rank >= len(naming.world.policy.severity.severities) - 2
    yield Line(
        text=texts(
            "words.head.severity",
            severity=severity_with_scales(state, naming),
            status=texts.word("words.status", state.status),
        ),
        style="bad" if grave else "warn",
    )
    yield Line(
        text=texts("words.head.declared", at=naming.at(state.declared_at), who=naming.who(state.declared_by))
    )
    playbooks = texts("words.comma").join(
        f"{naming.playbook(use.name)} {use.version}" for use in state.playbooks.values()
    )
    yield Line(text=texts("words.head.playbooks", playbooks=playbooks))
    yield Line(text=texts("words.head.phases", phases=phases(state, naming)))
    yield from restriction_lines(state, naming)
    roles = [f"{naming.who(role)}: {naming.who(person)}" for role, person in state.assigned.items()]
    if roles:
        yield Line(text=texts("words.comma").join(roles))
    for other, relation in state.links.items():
        yield Line(
            text=texts("words.head.link", other=other, relation=texts.word("words.relation", relation))
        )
    yield from reopenings(state, naming)
    for what, detail in state.impaired.items():
        yield Line(text=texts("words.head.impaired", what=what, detail=naming.text(detail)), style="bad")


def severity_with_scales(state: Incident, naming: Naming) -> str:
    """The severity with the NISC level and the FIRE scale beside it."""
    found = next((one for one in naming.world.policy.severity.severities if one.id == state.severity), None)
    if found is None:
        return state.severity or naming.texts("words.none")
    return f"{found.title.lang(naming.lang)} (NISC {found.nisc} / FIRE {found.fire})"


def phases(state: Incident, naming: Naming) -> str:
    """Every phase with its status, in words and with a sign."""
    signs = {"open": "▶", "ended": "✓", "waiting": "…"}
    shown = []
    for name in (*PHASES, "communication"):
        known = state.phases.get(name)
        status = known.status if known else "waiting"
        shown.append(
            f"{signs[status]}{naming.phase(name)}({naming.texts.word('words.phase_status', status)})"
        )
    return " ".join(shown)


def open_decisions(state: Incident, naming: Naming) -> list[tuple[StepState, PlannedStep]]:
    """Decisions that somebody has to make now."""
    found = [(known, naming.planned(known.key)) for known in state.steps.values()]
    return [
        (known, planned)
        for known, planned in found
        if planned is not None and planned.step.kind == "decision" and known.status in {"ready", "started"}
    ]


def _decisions(state: Incident, naming: Naming) -> Iterator[Line]:
    texts, lang = naming.texts, naming.lang
    for known, planned in open_decisions(state, naming):
        step = planned.step
        yield Line(text=naming.step(known.key), style="strong")
        limit = naming.times.left(known.limit_at, naming.now) if known.limit_at else texts("words.no_limit")
        yield Line(
            text=texts("words.decision.authority", who=naming.deciders(step), limit=limit),
            style="bad" if known.overdue else "warn",
            indent=1,
        )
        for option in step.options:
            mark = texts("words.decision.recommended") if option.id == step.recommend else ""
            price = f" – {option.price.lang(lang)}" if option.price else ""
            yield Line(text=f"・{option.id}: {option.title.lang(lang)}{price}{mark}", indent=2)
        if step.otherwise:
            yield Line(text=texts("words.decision.otherwise", text=step.otherwise.lang(lang)), indent=1)
        yield from answers.of_step(known, planned, naming)
        do = to_decide(state.stream, planned)
        yield Line(text=texts("words.decision.how", command=do), indent=1, style="dim")


def _held(state: Incident, naming: Naming) -> Iterator[Line]:
    for key, causes in state.gates_held.items():
        known = state.steps.get(key)
        held_by = naming.texts("words.comma").join(
            f"{gate(naming, name)} ({name})" for name in (known.held if known else [])
        )
        yield Line(text=naming.step(key), style="warn")
        yield Line(text=naming.texts("words.held_by", gates=held_by), indent=1)
        for one in causes:
            yield Line(text=f"・{cause(naming, one)}", indent=2)
    yield from gates.overrides(state, naming)


def _services(state: Incident, naming: Naming) -> Iterator[Line]:
    yield from harm.services(state, naming)
    for point in state.recovery_points.values():
        yield Line(text=recovery_point(point.id, state, naming), indent=1)


def _next_clocks(state: Incident, naming: Naming) -> Iterator[Line]:
    """What breaks next; pages and steps have sections of their own."""
    own = [one for one in clocks(naming) if one.kind not in {"page", "step"} and one.status not in OVER]
    for part in section(own[:MAX_CLOCKS], naming).parts if own else ():
        if isinstance(part, Line):
            yield part


def _owed(state: Incident, naming: Naming) -> Iterator[Line]:
    for part in reports.section(
        [one for one in obligations(state, naming.world) if is_owed(state.obligations.get(one.id))],
        state,
        naming,
    ).parts:
        if isinstance(part, Line) and state.obligations:
            yield part


def _impact(state: Incident, naming: Naming) -> Iterator[Line]:
    if state.impacts:
        yield from (line for line in harm.impact(state, naming) if line.style != "dim")


def recovery_point(number: str, state: Incident, naming: Naming) -> str:
    """A backup and what its check found."""
    point = state.recovery_points[number]
    return naming.texts(
        "words.recovery_point",
        id=point.id,
        service=naming.service(point.service),
        at=naming.times.at(point.at),
        tamper=naming.texts.word("words.check", point.tamper),
        malware=naming.texts.word("words.check", point.malware),
    )


def _unconfirmed(state: Incident, naming: Naming) -> Iterator[Line]:
    for one in (*state.confirmations.values(), *state.unasked):
        yield Line(
            text=naming.texts(
                "words.unconfirmed",
                seq=one.seq,
                person=naming.who(one.person),
                by=naming.who(one.by),
                incident=state.stream,
            ),
            style="warn",
        )


def _review(state: Incident, naming: Naming) -> Iterator[Line]:
    for name, value in state.review.items():
        yield Line(text=f"{naming.texts.word('words.review', name)}: {naming.text(value)}")
    if state.watch_until is not None and state.status == "resolved":
        yield Line(text=naming.texts("words.watch_until", at=naming.at(state.watch_until)))
    if state.improvements:
        yield Line(
            text=naming.texts("words.improvements", ids=naming.texts("words.comma").join(state.improvements))
        )


def part(name: str, state: Incident, naming: Naming) -> Section:
    """One part by itself."""
    found = _PARTS[name](state, naming)
    return Section(
        title=naming.texts(f"words.title.{name}"),
        parts=tuple(found or [Line(text=naming.texts("words.none"))]),
    )


def _backups(state: Incident, naming: Naming) -> list[Line]:
    points = [Line(text=recovery_point(number, state, naming)) for number in state.recovery_points]
    losses = [
        Line(
            text=f"{naming.service(name)}: {harm.loss(known.loss, known, naming)}",
            style="bad" if known.loss.status == "beyond" else "strong",
        )
        for name, known in state.services.items()
        if known.loss is not None
    ]
    return [*losses, *points]


_PARTS: Mapping[str, Callable[[Incident, Naming], list[Line]]] = {
    "scope": lambda state, naming: list(scope.summary(state, naming)),
    "evidence": lambda state, naming: list(evidence.lines(state, naming, whole=True)),
    "services": harm.in_order,
    "impact": lambda state, naming: list(harm.impact(state, naming)),
    "instants": lambda state, naming: list(harm.instants(state, naming)),
    "vendors": lambda state, naming: [*sharing.parties(state, naming), *harm.vendors(state, naming)],
    "sharings": lambda state, naming: list(sharing.sharings(state, naming)),
    "reports": lambda state, naming: [
        part for part in reports.whole(state, naming).parts if isinstance(part, Line)
    ],
    "messages": lambda state, naming: list(communication.messages(state, naming)),
    "inquiries": lambda state, naming: [Line(text=communication.inquiry_line(state, naming))],
    "unconfirmed": lambda state, naming: list(_unconfirmed(state, naming)),
    "backups": _backups,
}


def part_json(name: str, state: Incident, naming: Naming) -> object:
    """The same for programs."""
    if name == "reports":
        return [reports.as_json(one, state, naming) for one in obligations(state, naming.world)]
    found: Mapping[str, object] = {
        "evidence": list(state.evidence.values()),
        "services": state.services,
        "impact": state.impacts,
        "instants": {one: iso(at) for one, at in state.instants.items()},
        "vendors": [*state.party_notices.values(), *state.vendors.values()],
        "sharings": [sharing.as_json(one, naming) for one in state.sharings.values()],
        "messages": [communication.message_json(one, naming) for one in state.outgoing.values()],
        "backups": {
            "points": list(state.recovery_points.values()),
            "losses": {one: known.loss for one, known in state.services.items() if known.loss is not None},
        },
    }
    return found[name]


def as_json(state: Incident, naming: Naming) -> dict[str, object]:
    """The same for programs: the state with its texts, and what is open."""
    return {
        "incident": state.stream,
        "title": naming.text(state.title),
        "status": state.status,
        "severity": state.severity,
        "drill": state.drill,
        "access": restriction_json(state, naming.now),
        "declared_at": iso(state.declared_at) if state.declared_at else None,
        "playbooks": {use.name: use.version for use in state.playbooks.values()},
        "phases": {name: phase.status for name, phase in state.phases.items()},
        "decisions": [
            {
                "step": known.key,
                "authority": planned.step.authority,
                "quorum": {"of": planned.step.deciders, "need": planned.step.quorum.need}
                if planned.step.quorum
                else None,
                "votes": {who: vote.choice for who, vote in known.votes.items()},
                "options": [option.id for option in planned.step.options],
                "recommend": planned.step.recommend,
                "limit_at": iso(known.limit_at) if known.limit_at else None,
                "proposed": known.proposed.choice if known.proposed else None,
                "approver": planned.step.approver,
            }
            for known, planned in open_decisions(state, naming)
        ],
        "steps": {key: step.status for key, step in state.steps.items()},
        "held": state.gates_held,
        "pages": [
            {
                "page": page.id,
                "event": page.event,
                "subject": page.subject,
                "state": page.state,
                "level": page.level + 1,
                "acknowledged_by": page.acked_by,
                "declined_by": list(page.declined),
            }
            for page in _live(state)
        ],
        "services": state.services,
        "clocks": [one for one in clocks(naming) if one.kind not in {"page", "step"}],
        "impact": state.impacts,
        "evidence": list(state.evidence.values()),
        "scope": scope.as_json(state.scope.values(), naming),
        "third_parties": list(state.party_notices.values()),
        "sharings": [sharing.as_json(one, naming) for one in state.sharings.values()],
        "messages": [communication.message_json(one, naming) for one in state.outgoing.values()],
        "inquiries": communication.by_asker(state),
        "unconfirmed": [{"fact": one.seq, "person": one.person} for one in state.confirmations.values()],
    }
