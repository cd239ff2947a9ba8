"""The report of an incident: what happened, who decided, what was missing, what is learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from console.views import communication, evidence
from console.views import facts as fact_view
from console.views import incident as screen
from console.views.causes import cause, gate
from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, Table
from models.fact import Fact
from models.policy import PHASES
from models.state import Improvement, Incident, Page

NOISE = frozenset(
    {
        "message.requested", "message.sent", "message.failed", "step.ready", "step.not_applicable",
        "step.reset", "page.worked", "notice.drafted", "review.drafted",
    }
)  # fmt: skip
"""Kinds that the record keeps and a reader of the report does not need."""


def sections(
    state: Incident, facts: Sequence[Fact], improvements: Sequence[Improvement], naming: Naming
) -> list[Section]:
    """The whole report; a part with nothing in it says so, because its being empty is a finding."""
    made: dict[str, Sequence[Line | Table]] = {
        "summary": _summary(state, naming),
        "instants": _instants(state, naming),
        "phases": _phases(state, facts, naming),
        "made": _decisions(facts, naming),
        "gates": _gates(facts, naming),
        "pages": _pages(state, naming),
        "services": screen.part("services", state, naming).parts,
        "scope": screen.part("scope", state, naming).parts,
        "evidence": tuple(evidence.report(state, naming)),
        "backups": screen.part("backups", state, naming).parts,
        "messages": screen.part("messages", state, naming).parts,
        "inquiries": (communication.inquiry_table(state, naming, "day")).parts,
        "improvements": _improvements(improvements, naming),
        "unconfirmed": screen.part("unconfirmed", state, naming).parts,
        "disposed": _disposed(naming),
        "timeline": _timeline(facts, naming),
    }
    empty = (Line(text=naming.texts("words.none")),)
    return [
        Section(title=naming.texts(f"words.title.{name}"), parts=tuple(parts) or empty)
        for name, parts in made.items()
    ]


def _table(naming: Naming, headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> tuple[Table, ...]:
    if not rows:
        return ()
    names = tuple(naming.texts.word("words.column", name) for name in headers)
    return (Table(headers=names, rows=tuple(Row(cells=row) for row in rows)),)


def _summary(state: Incident, naming: Naming) -> list[Line]:
    texts = naming.texts
    playbooks = texts("words.comma").join(
        f"{naming.playbook(use.name)} {use.version}" for use in state.playbooks.values()
    )
    lines = [
        Line(text=f"{texts('words.drill') if state.drill else ''}{naming.text(state.title)}"),
        Line(
            text=texts(
                "words.head.severity",
                severity=screen.severity_with_scales(state, naming),
                status=texts.word("words.status", state.status),
            )
        ),
        Line(text=texts("words.head.playbooks", playbooks=playbooks)),
    ]
    for name, value in state.review.items():
        lines.append(Line(text=f"{texts.word('words.review', name)}: {naming.text(value)}"))
    return lines


def _instants(state: Incident, naming: Naming) -> tuple[Table, ...]:
    rows = [
        (naming.texts.word("words.instant", name), naming.times.at(at, seconds=True))
        for name, at in sorted(state.instants.items(), key=lambda one: one[1])
    ]
    return _table(naming, ("what", "at"), rows)


def _phases(state: Incident, facts: Sequence[Fact], naming: Naming) -> tuple[Table, ...]:
    rows: list[tuple[str, ...]] = []
    for name in (*PHASES, "communication"):
        known = state.phases.get(name)
        if known is not None:
            rows.append(
                (
                    naming.phase(name),
                    naming.texts.word("words.phase_status", known.status),
                    naming.times.at(known.opened_at),
                    naming.times.at(known.ended_at),
                    str(known.times),
                )
            )
    return _table(naming, ("phase", "status", "opened", "ended", "times"), rows)


_DECISIONS = frozenset({"decision.made", "decision.withdrawn", "decision.proposed", "decision.rejected"})
_IN_WORDS = frozenset({"decision.withdrawn", "decision.proposed", "decision.rejected"})


def _decisions(facts: Sequence[Fact], naming: Naming) -> tuple[Table, ...]:
    headers = ("at", "what", "choice", "authority", "who", "reason", "factors")
    made = [fact for fact in facts if fact.kind in _DECISIONS]
    return _table(naming, headers, [_decision(fact, naming) for fact in made])


def _decision(fact: Fact, naming: Naming) -> tuple[str, ...]:
    data, texts = fact.data, naming.texts
    choice = data["choice"]
    if fact.kind in _IN_WORDS:
        choice = fact_view.sentence(fact, naming)
    elif "against_recommendation" in data:
        choice += texts("words.export.against", recommend=data["against_recommendation"])
    who = naming.who(data.get("decided_by") or fact.for_ or fact.actor)
    if fact.for_:
        who = texts("words.recorded_by", name=who, scribe=naming.who(fact.actor))
    if "approved_by" in data:
        who = texts("words.comma").join((who, naming.who(data["approved_by"])))
    factors = (
        f"{texts.word('words.factor', name)}: {naming.factor(name, value)}"
        for name, value in data.get("factors", {}).items()
    )
    return (
        naming.times.at(fact.at),
        naming.step(data["step"]),
        choice,
        naming.who(data.get("authority", {}).get("role")),
        who,
        naming.text(data.get("reason")),
        texts("words.semicolon").join(factors),
    )


def _gates(facts: Sequence[Fact], naming: Naming) -> list[Line]:
    found = []
    for fact in facts:
        if fact.kind in {"gate.held", "gate.passed", "gate.overridden"}:
            style = "bad" if fact.kind == "gate.overridden" else "plain"
            found.append(Line(text=fact_view.line(fact, naming), style=style))  # type: ignore[arg-type]
    state = naming.state
    if isinstance(state, Incident):
        for key, causes in state.gates_held.items():
            known = state.steps[key]
            names = naming.texts("words.comma").join(gate(naming, one) for one in known.held)
            why = naming.texts("words.semicolon").join(cause(naming, one) for one in causes)
            found.append(Line(text=f"{naming.step(key)}: {names} – {why}"))
    return found


def _pages(state: Incident, naming: Naming) -> tuple[Table, ...]:
    rows = [
        (
            f"#{page.id}",
            naming.texts.word("words.event", page.event),
            naming.subject(page.subject),
            naming.times.at(page.asked_at, seconds=True),
            naming.texts("words.last_resort") if page.round else str(page.level + 1),
            _answered(page, naming),
        )
        for page in state.pages.values()
    ]
    return _table(naming, ("id", "kind", "what", "at", "level", "after"), rows)


def _answered(page: Page, naming: Naming) -> str:
    """Who acknowledged, and how long after the page was asked for."""
    said = [
        naming.texts("words.export.acked", who=naming.who(who), span=naming.times.span(at - page.asked_at))
        for who, at in page.acks.items()
    ]
    return naming.texts("words.comma").join(said) or _settled(page, naming)


def _settled(page: Page, naming: Naming) -> str:
    """A page that was answered by doing what it asked for; nobody need acknowledge then."""
    steps = naming.state.steps if isinstance(naming.state, Incident) else {}
    known = steps.get(page.subject.removeprefix("step:"))
    if known is None or known.done_at is None or known.done_by is None or known.done_at < page.asked_at:
        return naming.texts("words.export.not_acked")
    span = naming.times.span(known.done_at - page.asked_at)
    return naming.texts("words.export.settled", who=naming.who(known.done_by), span=span)


def _improvements(many: Sequence[Improvement], naming: Naming) -> tuple[Table, ...]:
    rows = [
        (
            one.id,
            naming.text(one.title),
            naming.who(one.owner),
            naming.times.at(one.due),
            naming.texts.word("words.status", one.status),
        )
        for one in many
    ]
    return _table(naming, ("id", "title", "who", "due", "status"), rows)


def _disposed(naming: Naming) -> list[Line]:
    return [Line(text=digest) for digest, text in naming.beside.items() if text is None]


def _timeline(facts: Sequence[Fact], naming: Naming) -> list[Line]:
    return [Line(text=text) for _, text in _told(facts, naming)]


def _told(facts: Sequence[Fact], naming: Naming) -> Iterator[tuple[datetime, str]]:
    """By when it happened: what was recorded late stands where it belongs."""
    told = [fact for fact in facts if fact.kind not in NOISE]
    for fact in sorted(told, key=lambda one: (one.at, one.seq)):
        yield fact.at, fact_view.line(fact, naming)
