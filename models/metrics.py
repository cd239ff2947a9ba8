"""How long things took, against their targets: detect, acknowledge, contain, restore, report (FSA-2.1.1-B8).

From the record of all incidents. An instant that nobody set makes no value: it is counted as unknown, for
nothing is inferred from another instant (design, 12).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from models.clocks.services import settled_at
from models.state import Incident

Measure = Literal["detect", "declare", "acknowledge", "contain", "restore", "report"]
MEASURES: tuple[Measure, ...] = ("detect", "declare", "acknowledge", "contain", "restore", "report")
NINETY = 90


@dataclass(frozen=True, kw_only=True)
class Span:
    """One measured time of one incident. `length` is None where an instant is not known.

    `met` says whether its target was met; None where there was none.
    """

    incident: str
    playbook: str
    month: str
    measure: Measure
    length: timedelta | None
    met: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The spans of one group and measure: how many, how many unknown, median and 90 %, targets met of how
    many.
    """

    group: str
    measure: Measure
    count: int
    unknown: int
    median: timedelta | None
    ninety: timedelta | None
    met: int
    of: int


def spans(state: Incident, zone: str) -> Iterator[Span]:
    """Everything that one incident tells; `zone` is the institution's."""
    at = state.instants.get
    yield _span(state, zone, "detect", at("occurred"), at("detected"))
    yield _span(state, zone, "declare", at("detected"), state.declared_at)
    asked, heard = _first_page(state)
    yield _span(state, zone, "acknowledge", asked, heard)
    yield _span(state, zone, "contain", state.declared_at, at("contained"), _met(state, "phase:containment"))
    for name, service in state.services.items():
        if service.down_since is not None and service.was_below:
            began = service.spells[0][0] if service.spells else service.down_since
            yield _span(state, zone, "restore", began, settled_at(service), _met(state, f"rto:{name}"))
    for name, owed in state.obligations.items():
        for stage, report in owed.reports.items():
            if report.submitted:
                met = _met(state, f"report:{name}/{stage}")
                yield _span(state, zone, "report", at("recognised"), report.submitted[0].at, met)


def _span(
    state: Incident,
    zone: str,
    measure: Measure,
    since: datetime | None,
    until: datetime | None,
    met: bool | None = None,
) -> Span:
    known = since is not None and until is not None and until >= since
    month = state.declared_at.astimezone(ZoneInfo(zone)).strftime("%Y-%m") if state.declared_at else ""
    return Span(
        incident=state.stream,
        playbook=next(iter(state.playbooks), ""),
        month=month,
        measure=measure,
        length=until - since if known and since is not None and until is not None else None,
        met=met,
    )


def _first_page(state: Incident) -> tuple[datetime | None, datetime | None]:
    """When people were first called out, and when somebody had it."""
    first = next((page for page in state.pages.values() if page.event == "declared"), None)
    if first is None:
        return None, None
    return first.asked_at, first.heard_at


def _met(state: Incident, name: str) -> bool | None:
    """Whether a clock was met; None while it runs, or if there is none."""
    clock = state.clocks.get(name)
    if clock is None or clock.status in {"running", "ended"}:
        return False if clock is not None and clock.breached else None
    return clock.status == "met"


def summarise(many: Iterable[Span], by: Literal["type", "month"]) -> list[Summary]:
    """One row for each group and measure, in the order of groups and of the response."""
    groups: dict[tuple[str, Measure], list[Span]] = {}
    for span in many:
        group = span.playbook if by == "type" else span.month
        groups.setdefault((group, span.measure), []).append(span)
    ordered = sorted(groups.items(), key=lambda item: (item[0][0], MEASURES.index(item[0][1])))
    return [_summary(group, measure, found) for (group, measure), found in ordered]


def _summary(group: str, measure: Measure, found: list[Span]) -> Summary:
    lengths = sorted(one.length for one in found if one.length is not None)
    judged = [one.met for one in found if one.met is not None]
    return Summary(
        group=group,
        measure=measure,
        count=len(lengths),
        unknown=len(found) - len(lengths),
        median=rank(lengths, 50),
        ninety=rank(lengths, NINETY),
        met=sum(judged),
        of=len(judged),
    )


def rank(lengths: list[timedelta], per_cent: int) -> timedelta | None:
    """The nearest rank of sorted lengths: the smallest that at least `per_cent` of them do not exceed."""
    if not lengths:
        return None
    return lengths[max(0, -(-len(lengths) * per_cent // 100) - 1)]
