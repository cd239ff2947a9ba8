"""What is running: limits of steps, levels of pages, recovery times, in order of what breaks next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from console.views.naming import Naming, to_decide
from console.views.pages import next_of
from console.views.sheet import Line, Section, Style
from models.page import page_next_due
from models.plan import PlannedStep
from models.state import Incident, Page

SOON_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Clock:
    """One limit. `at` is None if the clock has not started; `what` then says what it needs."""

    stream: str
    kind: str
    what: str
    at: datetime | None
    who: str
    stops: str


def clocks(naming: Naming) -> list[Clock]:
    """All clocks of one stream, the one that breaks next first; those not started come last."""
    found = [clock for page in naming.state.pages.values() for clock in _page(page, naming)]
    if isinstance(naming.state, Incident):
        found += [
            *_steps(naming.state, naming),
            *_services(naming.state, naming),
            *_watch(naming.state, naming),
        ]
    return ordered(found)


def ordered(many: list[Clock]) -> list[Clock]:
    """By what breaks next; what has not started comes last."""
    return sorted(many, key=lambda one: (one.at is None, one.at.timestamp() if one.at else 0.0))


def _page(page: Page, naming: Naming) -> Iterator[Clock]:
    at = page_next_due(page)
    if page.state == "stopped" or at is None:
        return
    if page.state == "acknowledged":
        who, key = naming.who(page.acked_by), "words.clock.lapse"
        what = naming.texts(key, subject=naming.subject(page.subject))
        stops = naming.texts("words.clock.start_work")
    else:
        following = next_of(page, naming)
        level = page.reached.get(str(page.level), [])
        who = naming.people(level)
        what = naming.texts(
            "words.clock.page", id=page.id, subject=naming.subject(page.subject), people=following.people
        )
        at, stops = following.at, f"hikeshi ack {naming.state.stream} {page.id}"
    yield Clock(stream=naming.state.stream, kind="page", what=what, at=at, who=who, stops=stops)


def _steps(state: Incident, naming: Naming) -> Iterator[Clock]:
    for known in state.steps.values():
        planned = naming.planned(known.key)
        if known.limit_at is None or known.status not in {"ready", "started"} or planned is None:
            continue
        owner = known.owner or planned.step.authority or planned.step.owner
        yield Clock(
            stream=state.stream,
            kind="step",
            what=naming.title(planned),
            at=known.limit_at,
            who=naming.holders(owner) if owner else naming.texts("words.machine"),
            stops=_command(state.stream, planned, naming),
        )


def _command(stream: str, planned: PlannedStep, naming: Naming) -> str:
    """What stops the clock of a step."""
    if planned.step.kind == "decision":
        return to_decide(stream, planned)
    if planned.step.kind in {"manual", "notice"}:
        return f"hikeshi done {stream} {planned.key}"
    return naming.texts("words.clock.by_itself")


def _services(state: Incident, naming: Naming) -> Iterator[Clock]:
    """RTO from the register; from the outage, or from the decision to recover, which is never inferred."""
    for name, known in state.services.items():
        service = naming.world.directory.service(name)
        if service is None or known.restored_at is not None:
            continue
        start = known.since if service.rto_from == "outage" else state.instants.get("determined")
        what = naming.texts(
            "words.clock.rto", service=naming.service(name), rto=naming.times.span(service.rto)
        )
        if start is None:
            missing = "outage" if service.rto_from == "outage" else "decision"
            what += naming.texts(f"words.clock.needs_{missing}", incident=state.stream, id=name)
        yield Clock(
            stream=state.stream,
            kind="rto",
            what=what,
            at=None if start is None else start + service.rto,
            who=naming.holders(service.owner),
            stops=f"hikeshi service restored {state.stream} {name}",
        )


def _watch(state: Incident, naming: Naming) -> Iterator[Clock]:
    if state.status == "resolved" and state.watch_until is not None and state.watch_until > naming.now:
        yield Clock(
            stream=state.stream,
            kind="watch",
            what=naming.texts("words.clock.watch"),
            at=state.watch_until,
            who=naming.holders("csirt-lead"),
            stops=f"hikeshi close {state.stream}",
        )


def section(many: list[Clock], naming: Naming) -> Section:
    """Two lines for each clock: what breaks when, and who stops it how. A command is never cut."""
    texts = naming.texts
    lines: list[Line] = []
    for one in many:
        left = texts("words.not_started") if one.at is None else naming.times.left(one.at, naming.now)
        kind = texts.word("words.clock.kind", one.kind)
        head = texts(
            "words.clock.head",
            stream=one.stream,
            left=left,
            at=naming.times.at(one.at),
            kind=kind,
            what=one.what,
        )
        lines.append(Line(text=head, style=_style(one, naming.now)))
        lines.append(
            Line(text=texts("words.clock.stops", who=one.who, stops=one.stops), indent=2, style="dim")
        )
    return Section(title=texts("words.title.clocks"), parts=tuple(lines or [Line(text=texts("words.none"))]))


def _style(one: Clock, now: datetime) -> Style:
    if one.at is None:
        return "warn"
    left = (one.at - now).total_seconds()
    return "bad" if left <= 0 else "warn" if left < SOON_SECONDS else "plain"
