"""A rota as a calendar: which stretches of duty touch which day, in the institution's zone.

Pure. A day is the local one, whatever the clock does in it; a stretch stands on each day that it touches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from models.clock import utc
from models.directory import Holder
from models.oncall import Stretch, Why

ONE_DAY = timedelta(days=1)
WEEK = 7
FIRST, LAST = date(2000, 1, 1), date(2100, 1, 1)


@dataclass(frozen=True, kw_only=True)
class Span:
    """One stretch on one day; `starts` and `ends` as `22:00`, the end of the day as `24:00`."""

    starts: str
    ends: str
    holders: tuple[Holder, ...]
    why: tuple[Why, ...]

    @property
    def whole(self) -> bool:
        """Whether it takes the whole day."""
        return (self.starts, self.ends) == ("00:00", "24:00")


@dataclass(frozen=True, kw_only=True)
class Day:
    """One day of one role."""

    day: date
    spans: tuple[Span, ...]


def asked_day(text: str, otherwise: date) -> date:
    """A day as an address gives it, else `otherwise`; so is what lies beyond any rota."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return otherwise
    return day if FIRST <= day <= LAST else otherwise


def week_of(day: date) -> list[date]:
    """The seven days of its week, from Monday on."""
    monday = day - timedelta(days=day.weekday())
    return [monday + n * ONE_DAY for n in range(WEEK)]


def month_of(day: date) -> list[list[date]]:
    """The weeks that its month touches."""
    first = day.replace(day=1)
    weeks = [week_of(first)]
    while (weeks[-1][-1] + ONE_DAY).month == day.month:
        weeks.append(week_of(weeks[-1][-1] + ONE_DAY))
    return weeks


def starts_of(days: Sequence[date], zone: ZoneInfo) -> list[datetime]:
    """When each of the days begins, and when the last ends, in UTC."""
    return [utc(datetime.combine(day, time(), zone)) for day in (*days, days[-1] + ONE_DAY)]


def by_day(stretches: Iterable[Stretch], days: Sequence[date], zone: ZoneInfo) -> list[Day]:
    """What each of the days holds of these stretches, which are in their order."""
    many = list(stretches)
    edges = pairwise(starts_of(days, zone))
    return [
        Day(day=day, spans=tuple(_spans(many, begins, ends, zone)))
        for day, (begins, ends) in zip(days, edges, strict=True)
    ]


def _spans(many: list[Stretch], begins: datetime, ends: datetime, zone: ZoneInfo) -> Iterator[Span]:
    for one in many:
        if one.since < ends and one.until > begins:
            starts = "00:00" if one.since <= begins else f"{one.since.astimezone(zone):%H:%M}"
            until = "24:00" if one.until >= ends else f"{one.until.astimezone(zone):%H:%M}"
            yield Span(starts=starts, ends=until, holders=one.holders, why=one.why)
