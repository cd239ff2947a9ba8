"""When a report is due: pure arithmetic on instants, in the recipient's zone, with the calendar it names.

Hours are added in UTC, so that no change of the clocks moves them; days and months are counted on the
calendar of the recipient's zone. A later stage counts from the submission of the one before: one that is
missing starts nothing. Every result says how it came about, so that it can be defended later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from models.calendars import Calendar
from models.clock import utc
from models.errors import BadExpression
from models.expression import weigh
from models.obligation import Limit, Obligation, Profile, Stage, Term

MAX_SKIPPED = 20
ONE_DAY = timedelta(days=1)
DAY_END, SAME_TIME = "day-end", "same-time"
_HOURS: Mapping[str, timedelta] = {"h": timedelta(hours=1), "m": timedelta(minutes=1)}
Calendars = Callable[[str], Calendar]


@dataclass(frozen=True, kw_only=True)
class Basis:
    """How a due time came about. `term` counts from 1."""

    rule: str
    edition: str
    stage: str
    anchor: str = ""
    limit: str = ""
    term: int = 0
    counting: str = ""
    calendar: str = ""
    version: str = ""
    skipped: tuple[str, ...] = ()
    rolled_from: str = ""

    def data(self) -> dict[str, Any]:
        """For a fact: nothing but texts, numbers and lists of texts; what is empty is left out."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in found.items() if v}


@dataclass(frozen=True, kw_only=True)
class Due:
    """When a stage is due, or what its clock waits for. Instants are UTC.

    `none` is a voluntary report; `internal` marks the institution's own target where the rule has no number.
    """

    status: Literal["waiting", "running", "none"]
    basis: Basis
    due_at: datetime | None = None
    started_at: datetime | None = None
    needs: tuple[str, ...] = ()
    internal: bool = False
    warn_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Counted:
    """One term, counted."""

    term: Term
    number: int
    anchor: datetime
    due_at: datetime
    warn_at: tuple[datetime, ...] = ()
    skipped: tuple[str, ...] = ()
    rolled_from: str = ""


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where and by what a term is counted."""

    zone: ZoneInfo
    calendars: Calendars
    profile: Profile


@dataclass(kw_only=True)
class _Trace:
    """Days that were passed over on the way."""

    skipped: list[str] = field(default_factory=list)
    rolled_from: str = ""


def deadline(
    obligation: Obligation,
    stage: Stage,
    anchors: Mapping[str, datetime],
    profile: Profile,
    calendars: Calendars,
) -> Due:
    """The deadline of `stage` as the known `anchors` (aware) have it. Raises BadConfiguration on a bad
    calendar.
    """
    basis = Basis(rule=obligation.id, edition=obligation.edition.isoformat(), stage=stage.id)
    wanted = stage.deadline
    if wanted.none:
        return Due(status="none", basis=basis)
    if wanted.on or wanted.at_once:
        return _own_target(stage, anchors, basis)
    place = _Place(zone=ZoneInfo(obligation.zone), calendars=calendars, profile=profile)
    counted, needs = _count_all(wanted.terms, anchors, place)
    if not counted or (wanted.latest and needs):
        return Due(status="waiting", basis=basis, needs=needs)
    pick = min if wanted.earliest else max
    return _running(pick(counted, key=lambda one: one.due_at), basis, needs, place)


def _own_target(stage: Stage, anchors: Mapping[str, datetime], basis: Basis) -> Due:
    """On an event, or at once: the rule has no number, the institution has set itself one."""
    wanted = stage.deadline
    name = wanted.on or wanted.at_once or ""
    assert wanted.internal is not None  # noqa: S101 - a deadline checks itself
    if name not in anchors:
        return Due(status="waiting", basis=basis, needs=(name,), internal=True)
    limit = f"{int(wanted.internal.total_seconds())}s"
    kind = "on event" if wanted.on else "at once"
    started = utc(anchors[name])
    return Due(
        status="running",
        basis=_with(basis, anchor=name, limit=limit, counting=kind),
        started_at=started,
        due_at=started + wanted.internal,
        internal=True,
    )


def _with(basis: Basis, **changes: Any) -> Basis:
    return Basis(**{name: getattr(basis, name) for name in basis.__dataclass_fields__} | changes)


def _running(one: _Counted, basis: Basis, needs: tuple[str, ...], place: _Place) -> Due:
    term = one.term
    uses_calendar = term.limit.unit == "bd" or term.roll != "none"
    return Due(
        status="running",
        basis=_with(
            basis,
            anchor=term.from_,
            limit=str(term.limit),
            term=one.number,
            counting=_counting(term, place.zone),
            calendar=term.calendar if uses_calendar else "",
            version=place.calendars(term.calendar).version if uses_calendar else "",
            skipped=one.skipped,
            rolled_from=one.rolled_from,
        ),
        due_at=one.due_at,
        started_at=one.anchor,
        needs=needs,
        warn_at=one.warn_at,
    )


def _counting(term: Term, zone: ZoneInfo) -> str:
    if term.limit.unit in _HOURS:
        return "hours in UTC"
    first = f", first day {term.first_day}" if term.limit.unit in {"d", "bd"} else ""
    return f"{_ends(term)} in {zone.key}{first}"


# -- terms --------------------------------------------------------------------------------------------------


def _count_all(
    terms: tuple[Term, ...], anchors: Mapping[str, datetime], place: _Place
) -> tuple[list[_Counted], tuple[str, ...]]:
    """The terms that count, and the anchors that are missing for the others."""
    counted: list[_Counted] = []
    needs: dict[str, None] = {}
    for number, term in enumerate(terms, start=1):
        missing = [name for name in (term.from_, *term.requires) if name not in anchors]
        if missing:
            needs.update(dict.fromkeys(missing))
        elif _switched_on(term, anchors):
            counted.append(_count(term, number, utc(anchors[term.from_]), place))
    return counted, tuple(needs)


def _switched_on(term: Term, anchors: Mapping[str, datetime]) -> bool:
    switch = term.within_of
    if switch is None or switch.instant not in anchors or switch.of not in anchors:
        return True
    return anchors[switch.instant] <= anchors[switch.of] + switch.span


def _count(term: Term, number: int, anchor: datetime, place: _Place) -> _Counted:
    trace = _Trace()
    due = _roll(term, _add(term, term.limit, anchor, place, trace), place, trace)
    due = max(
        due, anchor
    )  # an hour of the first day that has already passed: owed now, and not before it began
    warn_at = (_add(term, limit, anchor, place, _Trace()) for limit in term.warn)
    return _Counted(
        term=term,
        number=number,
        anchor=anchor,
        due_at=due,
        warn_at=tuple(sorted(at for at in warn_at if anchor < at < due)),
        skipped=tuple(trace.skipped[:MAX_SKIPPED]),
        rolled_from=trace.rolled_from,
    )


def _ends(term: Term) -> str:
    return term.ends or (DAY_END if term.limit.unit in {"d", "bd"} else SAME_TIME)


def _add(term: Term, limit: Limit, anchor: datetime, place: _Place, trace: _Trace) -> datetime:
    """The anchor and the limit after it."""
    if limit.unit in _HOURS:
        return anchor + limit.count * _HOURS[limit.unit]
    local = anchor.astimezone(place.zone)
    if limit.unit == "mo":
        day = local.date() + relativedelta(months=limit.count)
    elif limit.unit == "d":
        day = local.date() + timedelta(days=limit.count - (term.first_day == "included"))
    else:
        day = _business_day(term, limit, local.date(), place, trace)
    return _at(day, _ends(term), local.time(), place.zone)


def _business_day(term: Term, limit: Limit, start: date, place: _Place, trace: _Trace) -> date:
    """Day zero is the anchor's, a business day or not, unless the first day is to be counted."""
    calendar = place.calendars(term.calendar)
    counts = term.first_day == "included" and calendar.is_working(start)
    last = calendar.add_working(start, limit.count - counts)
    _note(trace, calendar, start + ONE_DAY, last)
    return last


def _note(trace: _Trace, calendar: Calendar, since: date, until: date) -> None:
    """The closed days from `since` to before `until`."""
    day = since
    while day < until and len(trace.skipped) < MAX_SKIPPED:
        if (why := calendar.why_closed(day)) is not None:
            trace.skipped.append(f"{day.isoformat()} {why}")
        day += ONE_DAY


def _at(day: date, ends: str, same: time, zone: ZoneInfo) -> datetime:
    """The instant at which `day` ends for this deadline."""
    if ends == DAY_END:
        return utc(datetime.combine(day + ONE_DAY, time(), zone))
    moment = same if ends == SAME_TIME else time.fromisoformat(ends)
    return utc(datetime.combine(day, moment, zone))


def _roll(term: Term, due: datetime, place: _Place, trace: _Trace) -> datetime:
    """A deadline on a closed day moves to the end of the next working day, where the rule says so.

    Where hours roll, one that falls on a working day may come before one that was rolled to it (DORA's noon).
    """
    if term.roll == "none" or (term.roll_unless and _exempt(term.roll_unless, place.profile)):
        return due
    calendar = place.calendars(term.calendar)
    # 24:00 belongs to the day that ends then.
    local = (due - timedelta(microseconds=1)).astimezone(place.zone)
    day = calendar.next_working(local.date())
    if day == local.date():
        return due
    _note(trace, calendar, local.date(), day)
    trace.rolled_from = due.astimezone(place.zone).isoformat()
    ends = DAY_END if _ends(term) == SAME_TIME else _ends(term)
    return _at(day, term.roll_at or ends, time(), place.zone)


def _exempt(condition: str, profile: Profile) -> bool:
    """Whether nothing rolls. A condition that cannot be evaluated exempts nobody: `check` has refused it."""
    try:
        return weigh(condition, {"profile": profile.value}) is True
    except BadExpression:
        return False
