"""Drafting from the record: messages to others by their template, and situation reports. Nothing is sent.

Texts of the record may come from outsiders (an alert's title), so what goes into a draft is one line of
visible characters in which no address can be clicked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from console.opening import House
from console.reporting import impact_words
from console.views import communication as view
from console.views import facts as fact_view
from console.views import harm
from console.views.clocks import OVER, clocks, section
from console.views.incident import open_decisions, phases, severity_with_scales
from console.views.naming import Naming
from console.views.sheet import Line
from console.views.steps import ready_by_owner
from models.canonical import document_digest
from models.clocks.others import commander
from models.fact import Fact
from models.frozen import Document
from models.state import Incident
from notifiers.rendering import clean, cut
from playbooks.outgoing import MessageTemplate, fill

MEDIA = "text/plain"
MAX_LINES = 12
MAX_LINE = 220
MAX_CLOCKS = 6
DONE = frozenset(
    {
        "decision.made", "decision.withdrawn", "evidence.added", "gate.overridden", "incident.declared",
        "incident.reopened", "instant.set", "note.added", "obligation.judged", "outgoing.sent",
        "outgoing.withdrawn", "report.submitted", "report.updated", "scope.accepted", "scope.added",
        "scope.fixed", "service.checked", "service.confirmed", "service.impacted", "service.level",
        "service.restored", "service.resumed", "severity.set", "step.done", "step.skipped", "vendor.answered",
        "vendor.asked",
    }
)  # fmt: skip
"""Kinds that a situation report tells as done; what the machine says to itself is left out."""


def keep_text(house: House, text: str) -> str:
    """Store a text beside the record and give its digest; one that no fact names is harmless."""
    document = Document(digest=document_digest(text.encode()), body=text.encode())
    with house.record.begin() as tx:
        tx.keep(document, MEDIA)
    return document.digest


def read_text(house: House, digest: str) -> str | None:
    """The text under a digest; None if it was disposed of."""
    with house.record.read() as tx:
        body = tx.document(digest)
    return body.decode() if body is not None else None


def draft_message(template: MessageTemplate, state: Incident, naming: Naming) -> str:
    """The text of a message from its template, gaps marked. Raises BadInput if it does not render."""
    return fill(template, names(state, naming), naming.lang)


def names(state: Incident, naming: Naming) -> Mapping[str, Any]:
    """What a template may use; what nobody knows is empty, and the template marks it."""
    affected = [(name, one) for name, one in state.services.items() if one.since or one.down_since]
    starts = [one.down_since or one.since for _, one in affected]

    def at(instant: datetime | None) -> str:
        return naming.times.at(instant) if instant is not None else ""

    return {
        "incident": {
            "id": state.stream,
            "title": clean(naming.text(state.title, 300)),
            "declared_at": at(state.declared_at),
            "severity": naming.severity(state.severity),
        },
        "organisation": {"name": naming.world.organisation.name.lang(naming.lang)},
        "now": naming.times.at(naming.now),
        "services": [naming.service(name) for name, _ in affected],
        "since": at(min((one for one in starts if one is not None), default=None)),
        "recovery": [
            f"{naming.service(name)} {at(one.forecast.at)}"
            for name, one in affected
            if one.forecast is not None
        ],
        "instant": lambda name: at(state.instants.get(name)),
        "impact": lambda kind: clean(impact_words(kind, state, naming) or ""),
    }


# -- situation reports --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Since:
    """The facts since an instant, which the report tells of."""

    at: datetime
    facts: list[Fact]


def draft_situation(state: Incident, naming: Naming, since: Since) -> str:
    """Known, done, next, decisions needed, clocks, inquiries, who leads: a text for a person to change."""
    say = naming.texts
    parts = {
        "known": _known(state, naming),
        "done": _done(since, naming),
        "next": (line.text for line in ready_by_owner(state, naming) if line.style != "dim"),
        "decisions": _decisions(state, naming),
        "clocks": _clocks(naming),
        "inquiries": iter([view.inquiry_line(state, naming)]),
        "lead": _lead(state, naming),
    }
    head = say(
        "communication.situation_title",
        number=state.situations + 1,
        incident=state.stream,
        title=clean(naming.text(state.title, 200)),
    )
    drill = say("words.drill") if state.drill else ""
    as_of = say(
        "communication.situation_as_of", at=naming.times.at(naming.now), since=naming.times.at(since.at)
    )
    lines = [f"{drill}{head}", as_of]
    for name, found in parts.items():
        lines += ["", f"■ {say(f'communication.title.{name}')}", *_listed(list(found), state, naming)]
    return "\n".join(lines) + "\n"


def _listed(many: list[str], state: Incident, naming: Naming) -> Iterator[str]:
    for one in many[:MAX_LINES]:
        text = cut(clean(one).removeprefix("・"), MAX_LINE)
        yield f"・{text}"
    if len(many) > MAX_LINES:
        n = len(many) - MAX_LINES
        yield naming.texts("communication.situation_more", n=n, incident=state.stream)
    if not many:
        yield f"・{naming.texts('words.none')}"


def _known(state: Incident, naming: Naming) -> Iterator[str]:
    say = naming.texts
    yield say(
        "words.head.severity",
        severity=severity_with_scales(state, naming),
        status=say.word("words.status", state.status),
    )
    yield say("words.head.phases", phases=phases(state, naming))
    for line in (*harm.services(state, naming), *harm.impact(state, naming)):
        if line.style != "dim":
            yield line.text


def _done(since: Since, naming: Naming) -> Iterator[str]:
    """The latest first, so that what is cut off is what is oldest."""
    told = [fact for fact in since.facts if fact.kind in DONE and fact.recorded_at >= since.at]
    for fact in sorted(told, key=lambda one: (one.at, one.seq), reverse=True):
        yield f"{naming.times.at(fact.at)} {fact_view.sentence(fact, naming)}"


def _decisions(state: Incident, naming: Naming) -> Iterator[str]:
    for known, planned in open_decisions(state, naming):
        limit = naming.times.left(known.limit_at, naming.now) if known.limit_at else ""
        yield naming.texts(
            "communication.situation_decision",
            step=naming.title(planned),
            who=naming.deciders(planned.step),
            limit=f"{naming.times.at(known.limit_at)} ({limit})" if limit else naming.texts("words.no_limit"),
        )
    for message in state.outgoing.values():
        for role in message.waiting():
            said = f"{naming.subject(f'message:{message.id}')} ({naming.texts('words.status.submitted')})"
            yield f"{said}: {naming.holders(role)}"


def _clocks(naming: Naming) -> Iterator[str]:
    """What is broken and what breaks next; pages and limits of steps are the responders' own affair."""
    own = [one for one in clocks(naming) if one.kind not in {"page", "step"} and one.status not in OVER]
    for one in own[:MAX_CLOCKS]:
        lines = [part.text for part in section([one], naming).parts if isinstance(part, Line)]
        yield naming.texts("words.semicolon").join(lines[:-1] or lines)


def _lead(state: Incident, naming: Naming) -> Iterator[str]:
    for role in dict.fromkeys((commander(state), *state.assigned)):
        yield naming.holders(role)


def facts_since(house: House, state: Incident, since: datetime | None) -> Since:
    """The facts since `since`, or since the last report, or since the declaration."""
    start = since or state.situation_at or state.declared_at or house.desk.clock.now() - timedelta(days=1)
    with house.record.read() as tx:
        return Since(at=start, facts=tx.facts(state.stream))
