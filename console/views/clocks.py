"""What is running: recovery times, reports owed, limits of steps, levels of pages, in order of what breaks
next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nsmallest

from console.views.naming import Naming, to_decide
from console.views.pages import next_of
from console.views.sheet import Line, Section, Style
from models.clocks.planned import Planned
from models.clocks.rules import plan
from models.fold.matter import at_target
from models.page import page_next_due
from models.plan import PlannedStep
from models.state import ClockState, Incident, Page, StreamState
from notifiers.clockwords import clock_title, find_stage, what_stops

SOON_SECONDS = 600
OVER = ("met", "missed", "ended")


@dataclass(frozen=True, kw_only=True)
class Clock:
    """One clock. `at` is None if it has not started; `needs` then names the instants that it waits for.

    `status` is running, warned, forecast-to-break, breached, met, missed, ended or waiting; `share` the
    part of its time that is over, in percent.
    """

    stream: str
    id: str
    kind: str
    what: str
    at: datetime | None
    who: str
    stops: str
    status: str = "running"
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    share: int | None = None
    forecast: datetime | None = None
    path: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    internal: bool = False
    detail: str = ""


def clocks(naming: Naming, most_pages: int | None = None) -> list[Clock]:
    """All clocks of one stream, the one that breaks next first; those not started come last, then what is
    over. With `most_pages` of the pages only so many, those that go on next.
    """
    pages = list(naming.state.pages.values()) if most_pages is None else _first(naming, most_pages)
    found = [clock for page in pages for clock in _page(page, naming)]
    if isinstance(naming.state, Incident):
        found += [*_steps(naming.state, naming), *_planned(naming.state, naming)]
    return ordered(found)


def running_pages(state: StreamState) -> list[tuple[datetime, Page]]:
    """The pages that go on by themselves, each with when."""
    due = ((page_next_due(page), page) for page in state.pages.values() if page.state != "stopped")
    return [(at, page) for at, page in due if at is not None]


def _first(naming: Naming, most: int) -> list[Page]:
    found = nsmallest(most, running_pages(naming.state), key=lambda one: (one[0], one[1].id))
    return [page for _, page in found]


def ordered(many: list[Clock]) -> list[Clock]:
    """By what breaks next; what has not started comes after it, and what is over last."""
    return sorted(many, key=_place)


def moving(many: Iterable[Clock]) -> list[Clock]:
    """What breaks next, everywhere the same: past limits first, then what comes, the longest over first."""
    return [one for one in many if one.at is not None and one.status not in OVER]


def _place(one: Clock) -> tuple[bool, bool, float]:
    return one.status in OVER, one.at is None, one.at.timestamp() if one.at else 0.0


def _share(started: datetime | None, due: datetime | None, now: datetime) -> int | None:
    if started is None or due is None or due <= started:
        return None
    return max(0, int((now - started) * 100 / (due - started)))


# -- pages and steps ----------------------------------------------------------------------------------------


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
    yield Clock(
        stream=naming.state.stream, id=f"page:{page.id}", kind="page", what=what, at=at, who=who, stops=stops
    )


def _steps(state: Incident, naming: Naming) -> Iterator[Clock]:
    for known in state.steps.values():
        planned = naming.planned(known.key)
        if known.limit_at is None or known.status not in {"ready", "started"} or planned is None:
            continue
        owner = known.owner or planned.step.acts
        yield Clock(
            stream=state.stream,
            id=f"step:{known.key}",
            kind="step",
            what=naming.title(planned),
            at=known.limit_at,
            who=naming.holders(owner) if owner else naming.texts("words.machine"),
            stops=_command(state.stream, planned, naming),
            status="breached" if known.limit_at <= naming.now else "running",
            started_at=known.ready_at,
            share=_share(known.ready_at, known.limit_at, naming.now),
        )


def _command(stream: str, planned: PlannedStep, naming: Naming) -> str:
    """What stops the clock of a step."""
    if planned.step.kind == "decision":
        return to_decide(stream, planned)
    if planned.step.kind in {"manual", "notice"}:
        return f"hikeshi done {stream} {planned.key}"
    return naming.texts("words.clock.by_itself")


# -- clocks of the rules ------------------------------------------------------------------------------------


def _planned(state: Incident, naming: Naming) -> Iterator[Clock]:
    """Those that the rules have now, and those of the record that are over and no longer follow from it."""
    planned = plan(state, naming.world)
    for one in planned:
        yield _clock(one, state.clocks.get(one.id), state, naming)
    gone = state.clocks.keys() - {one.id for one in planned}
    for name in sorted(gone):
        known = state.clocks[name]
        ended = Planned(id=name, kind=known.kind, owner=known.owner, due_at=known.due_at)
        yield _clock(ended, known, state, naming)


def _clock(one: Planned, known: ClockState | None, state: Incident, naming: Naming) -> Clock:
    outlook = one.outlook
    stopped = known.stopped_at if known is not None and known.status in OVER else None
    return Clock(
        stream=state.stream,
        id=one.id,
        kind=one.kind,
        what=clock_title(one.id, state, naming.world, naming.lang),
        at=one.due_at,
        who=naming.holders(one.owner),
        stops=_stops(one, state, naming),
        status=_status(one, known, naming.now),
        started_at=one.started_at,
        stopped_at=stopped,
        share=_share(one.started_at, one.due_at, stopped or naming.now),
        forecast=outlook.at if outlook is not None else None,
        path=outlook.path if outlook is not None and len(outlook.path) > 1 else (),
        needs=one.needs,
        internal=one.internal,
        detail=_detail(one, state, naming),
    )


def _status(one: Planned, known: ClockState | None, now: datetime) -> str:
    if one.due_at is None:
        return "waiting"
    if known is not None and known.status in OVER:
        return known.status
    if one.due_at <= now and not one.ends:
        return "breached"
    if one.outlook is not None and one.outlook.at is not None and one.outlook.at > one.due_at:
        return "forecast-to-break"
    return "warned" if known is not None and known.fired else "running"


def _stops(one: Planned, state: Incident, naming: Naming) -> str:
    """The command that stops it, or that gives it the instant that it waits for."""
    if one.needs == ("inform",):
        party = one.basis["party"]
        return f"hikeshi message draft {state.stream} --audience third-party --to {party} …"
    if one.due_at is None and one.needs and one.needs[0] != "contract":
        if one.needs[0].startswith("submitted:"):
            owed, _, _ = one.id.partition(":")[2].partition("/")
            return f"hikeshi report submit {state.stream} {owed} {one.needs[0].partition(':')[2]} --receipt …"
        return f"hikeshi instant {state.stream} {one.needs[0]} TIME --source …"
    return what_stops(one.id, state)


def _detail(one: Planned, state: Incident, naming: Naming) -> str:
    """The level now and the one to reach; for reports, that the limit is the institution's own."""
    kind, _, name = one.id.partition(":")
    service = state.services.get(name)
    if kind == "rto" and service is not None and service.targets is not None:
        return naming.texts(
            "clocks.level",
            now=naming.level(name, service.level),
            goal=naming.level(name, service.targets.rlo),
        )
    return naming.texts("clocks.internal") if one.kind == "report" and one.internal else ""


# -- showing ------------------------------------------------------------------------------------------------


def section(many: list[Clock], naming: Naming) -> Section:
    """Two lines for each clock: what breaks when, and who stops it how. A command is never cut."""
    lines = [line for one in many for line in _lines(one, naming)]
    texts = naming.texts
    return Section(title=texts("words.title.clocks"), parts=tuple(lines or [Line(text=texts("words.none"))]))


def _lines(one: Clock, naming: Naming) -> Iterator[Line]:
    texts = naming.texts
    yield Line(
        text=texts(
            "words.clock.head",
            stream=one.stream,
            left=_left(one, naming),
            at=naming.times.due(one.at),
            kind=texts.word("words.clock.kind", one.kind),
            what=one.what,
        ),
        style=_style(one, naming.now),
    )
    more = [part for part in (_state(one, naming), one.detail, _forecast(one, naming)) if part]
    if more:
        yield Line(text=texts("words.semicolon").join(more), indent=2, style=_style(one, naming.now))
    if one.status not in OVER:
        said = texts("words.clock.stops", who=one.who, stops=one.stops)
        yield Line(text=said, indent=2, style="dim")


def _left(one: Clock, naming: Naming) -> str:
    """How long it still has, by how much it is over, or that it has not started."""
    if one.at is None:
        return naming.texts("words.not_started")
    if one.status in OVER:
        return naming.texts.word("clocks.status", one.status)
    return naming.times.left(one.at, naming.now)


def _state(one: Clock, naming: Naming) -> str:
    texts = naming.texts
    if one.status == "waiting":
        if one.needs in {("contract",), ("inform",)}:
            return texts.word("clocks.need", one.needs[0])
        needs = texts("words.comma").join(needed(need, naming, one.id) for need in one.needs)
        return texts("clocks.needs", needs=needs)
    if one.status in {"met", "missed"}:
        return texts("clocks.reached", at=naming.times.at(one.stopped_at))
    word = texts.word("clocks.status", one.status)
    return texts("clocks.state", status=word, share=one.share) if one.share is not None else ""


def needed(name: str, naming: Naming, clock: str) -> str:
    """What a clock that has not started waits for: an instant, or a stage of the same report."""
    if name.startswith("submitted:"):
        stage, state = name.partition(":")[2], naming.state
        report = clock.partition(":")[2].partition("/")[0]
        found = find_stage(state, naming.world, f"{report}/{stage}") if isinstance(state, Incident) else None
        title = found[1].title.lang(naming.lang) if found is not None else stage
        return naming.texts("clocks.submission", stage=title)
    return naming.texts.word("words.instant", name)


def _forecast(one: Clock, naming: Naming) -> str:
    if one.forecast is None or one.status in OVER:
        return ""
    said = naming.texts("clocks.forecast", at=naming.times.at(one.forecast))
    if one.path:
        said += naming.texts("clocks.path", path=" > ".join(naming.service(name) for name in one.path))
    return said


def _style(one: Clock, now: datetime) -> Style:
    if one.status in OVER:
        return {"met": "good", "missed": "bad"}.get(one.status, "dim")  # type: ignore[return-value]
    if one.at is None:
        return "warn"
    if one.status in {"breached", "forecast-to-break"} or one.at <= now:
        return "bad"
    return "warn" if one.status == "warned" or one.at - now < timedelta(seconds=SOON_SECONDS) else "plain"


def order_of_recovery(naming: Naming) -> Section | None:
    """The services that are down in the order in which they come back, each with what it waits for."""
    state = naming.state
    if not isinstance(state, Incident):
        return None
    down = {
        name: one
        for name, one in state.services.items()
        if one.targets is not None and one.down_since and not at_target(one)
    }
    if not down:
        return None
    lines = []
    for name, one in sorted(down.items(), key=lambda item: item[1].targets.order if item[1].targets else 0):
        needs = [naming.service(need) for need in (one.targets.needs if one.targets else ()) if need in down]
        said = naming.texts(
            "clocks.order", order=one.targets.order if one.targets else "", name=naming.service(name)
        )
        if needs:
            said += naming.texts("clocks.after", needs=naming.texts("words.comma").join(needs))
        lines.append(Line(text=said))
    return Section(title=naming.texts("clocks.title.order"), parts=tuple(lines))
