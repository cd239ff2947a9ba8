"""The course of an incident out of its state and facts: what the chart and its table show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from console.views.clocks import OVER, Clock
from console.views.naming import Naming
from console.views.swimlane import MAX_CLOCKS, ClockLine, Course, Lane, Mark, MarkKind, Span
from models.fact import Fact
from models.plan import PlannedStep
from models.policy import PHASES
from models.state import Incident, StepState

KINDS = (
    "phase.opened",
    "phase.reopened",
    "phase.ended",
    "page.asked",
    "page.escalated",
    "page.exhausted",
    "page.acknowledged",
    "decision.made",
    "decision.superseded",
)
"""The kinds of fact that the chart is made of."""
MAX_FACTS = 600
PAGES = "pages"
_OPEN = frozenset({"ready", "started", "failed", "unknown"})
_MARKS: Mapping[str, MarkKind] = {
    "page.asked": "asked",
    "page.escalated": "escalated",
    "page.exhausted": "exhausted",
    "page.acknowledged": "acknowledged",
}


@dataclass(kw_only=True)
class _Gathered:
    spans: dict[str, list[Span]] = field(default_factory=dict)
    marks: dict[str, list[Mark]] = field(default_factory=dict)

    def begin(self, phase: str, span: Span) -> None:
        self.spans.setdefault(phase, []).append(span)

    def end(self, phase: str, fact: Fact) -> None:
        known = self.spans.get(phase)
        if known and known[-1].end is None:
            known[-1] = Span(start=known[-1].start, end=fact.at, again=known[-1].again)

    def mark(self, lane: str, mark: Mark) -> None:
        self.marks.setdefault(lane, []).append(mark)


def course(
    naming: Naming, facts: Iterable[Fact], clocks: Iterable[Clock], titles: Mapping[str, str]
) -> Course:
    """Everything that is drawn. `titles` names the lane of the pages."""
    state = naming.state
    assert isinstance(state, Incident)  # noqa: S101 - drawn of incidents only
    gathered = _Gathered()
    for fact in facts:
        _take(fact, gathered, naming)
    for mark in _waiting(state, naming):
        gathered.mark(mark[0], mark[1])
    lanes = [
        Lane(
            name=name,
            title=naming.phase(name),
            spans=tuple(gathered.spans.get(name) or _span_of(state, name)),
            marks=tuple(gathered.marks.get(name, ())),
        )
        for name in (*PHASES, "communication")
    ]
    lanes.append(Lane(name=PAGES, title=titles[PAGES], marks=tuple(gathered.marks.get(PAGES, ()))))
    return Course(
        begin=state.declared_at or naming.now,
        now=naming.now,
        ended=state.closed_at if state.status == "closed" else None,
        lanes=tuple(lanes),
        clocks=tuple(_lines(clocks, naming)),
    )


def _span_of(state: Incident, phase: str) -> Iterator[Span]:
    """What the state says of a phase of which no fact is at hand."""
    known = state.phases.get(phase)
    if known is not None and known.opened_at is not None:
        yield Span(start=known.opened_at, end=known.ended_at, again=known.times > 1)


def _take(fact: Fact, gathered: _Gathered, naming: Naming) -> None:
    kind, data = fact.kind, fact.data
    if kind in {"phase.opened", "phase.reopened"}:
        gathered.begin(data["phase"], Span(start=fact.at, again=kind == "phase.reopened"))
    elif kind == "phase.ended":
        gathered.end(data["phase"], fact)
    elif kind in _MARKS:
        gathered.mark(PAGES, Mark(at=fact.at, kind=_MARKS[kind], what=_page(fact, naming), seq=fact.seq))
    else:
        planned = naming.planned(data["step"])
        if planned is not None:
            what = f"{naming.title(planned)} → {naming.option(planned.key, data['choice'])}"
            gathered.mark(planned.step.phase, Mark(at=fact.at, kind="decided", what=what, seq=fact.seq))


def _page(fact: Fact, naming: Naming) -> str:
    number = fact.data.get("page", fact.seq)
    page = naming.state.pages.get(number)
    subject = naming.subject(page.subject) if page is not None else ""
    who = naming.who(fact.data["by"]) if "by" in fact.data else ""
    return " ".join(one for one in (f"#{number}", subject, who) if one)


def _waiting(state: Incident, naming: Naming) -> Iterator[tuple[str, Mark]]:
    """Decisions that are awaited, at the instant at which they are due; steps that failed or are overdue."""
    for key, known in state.steps.items():
        planned = naming.planned(key) if known.status in _OPEN else None
        if planned is None:
            continue
        at, kind = known.limit_at or known.ready_at or naming.now, _kind(known, planned, naming)
        if kind is not None:
            yield planned.step.phase, Mark(at=at, kind=kind, what=naming.title(planned))


def _kind(known: StepState, planned: PlannedStep, naming: Naming) -> MarkKind | None:
    if known.status in {"failed", "unknown"}:
        return "failed"
    if known.limit_at is not None and known.limit_at <= naming.now:
        return "late"
    return "waits" if planned.step.kind == "decision" else None


def _lines(clocks: Iterable[Clock], naming: Naming) -> Iterator[ClockLine]:
    """Clocks that run, the next to break first, then those that are over; not those of pages and steps."""
    own = [one for one in clocks if one.kind not in {"page", "step"} and one.at and one.started_at]
    running = [one for one in own if one.status not in OVER]
    over = sorted(
        (one for one in own if one.status in OVER and one.stopped_at is not None),
        key=lambda one: one.stopped_at or naming.now,
        reverse=True,
    )
    for one in [*running, *over][:MAX_CLOCKS]:
        assert one.at is not None and one.started_at is not None  # noqa: S101 - said above
        status = naming.texts.word("clocks.status", one.status)
        left = "" if one.status in OVER else f" {naming.times.left(one.at, naming.now)}"
        yield ClockLine(
            title=one.what,
            start=one.started_at,
            due=one.at,
            state=one.status,
            stopped=one.stopped_at,
            said=left.strip() if one.status in {"running", "breached"} else f"{status}{left}",
        )
