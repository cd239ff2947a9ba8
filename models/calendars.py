"""Working days: the bank's, the authorities', and those abroad that a deadline may be counted by.

Holidays come from the package `holidays`, whose version a computed deadline names, so that it can be defended
later. Nobody counts by a year that the package does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from models.errors import BadConfiguration
from models.values import Frozen

ONE_DAY = timedelta(days=1)
OPENS = time(9)
MAX_CLOSED = 60
"""A calendar that is closed for longer than this is no calendar."""
SATURDAY = 5
WEEKEND = "weekend"
Base = Literal["bank", "government", "us-federal", "eu-target", "uk"]
NAMES = ("bank", "government", "us-federal", "eu-target", "uk", "own")


class OwnCalendar(Frozen):
    """The institution's own working days: those of `base`, but for these."""

    base: Base = "bank"
    closed: tuple[date, ...] = Field(default=(), max_length=400)
    open: tuple[date, ...] = Field(default=(), max_length=400, description="working days against the base")
    opens: time = Field(default=OPENS, description="when business hours begin, in the institution's zone")


def _new_year(first: int, last: int) -> Callable[[date], str | None]:
    """The days around New Year that are no public holidays: the 31st is both a bank's and an authority's."""

    def closed(day: date) -> str | None:
        december = day.month == 12 and day.day >= first  # noqa: PLR2004 - a month
        january = day.month == 1 and day.day <= last
        return "new year" if december or january else None

    return closed


def _never(day: date) -> str | None:
    return None


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """Where a calendar's holidays come from, and what closes it besides."""

    country: str
    zone: str
    financial: bool = False
    subdivision: str | None = None
    besides: Callable[[date], str | None] = _never


_KINDS: Mapping[str, _Kind] = {
    "bank": _Kind(country="JP", zone="Asia/Tokyo", besides=_new_year(31, 3)),
    "government": _Kind(country="JP", zone="Asia/Tokyo", besides=_new_year(29, 3)),
    "us-federal": _Kind(country="US", zone="America/New_York"),
    "eu-target": _Kind(country="XECB", zone="Europe/Brussels", financial=True),
    "uk": _Kind(country="GB", zone="Europe/London", subdivision="ENG"),
}


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """Working days in one zone. `version` names the package that the holidays come from."""

    name: str
    zone: ZoneInfo
    version: str
    opens: time = OPENS
    closed: frozenset[date] = frozenset()
    open: frozenset[date] = frozenset()
    base: str = ""

    def is_working(self, day: date) -> bool:
        """Whether business is done on this day. Raises BadConfiguration beyond what is known."""
        return self.why_closed(day) is None

    def why_closed(self, day: date) -> str | None:
        """The holiday's name, or `weekend`; None on a working day. Raises BadConfiguration."""
        if day in self.open:
            return None
        if day in self.closed:
            return "closed by the institution"
        return _why_closed(self.base or self.name, day)

    def next_working(self, day: date) -> date:
        """`day` itself, or the first working day after it."""
        return self._seek(day, ONE_DAY)

    def previous_working(self, day: date) -> date:
        """`day` itself, or the last working day before it."""
        return self._seek(day, -ONE_DAY)

    def add_working(self, day: date, count: int) -> date:
        """The working day `count` after `day`, which is not counted; before it if `count` is negative."""
        step = ONE_DAY if count > 0 else -ONE_DAY
        for _ in range(abs(count)):
            day = self._seek(day + step, step)
        return day

    def _seek(self, day: date, step: timedelta) -> date:
        for _ in range(MAX_CLOSED):
            if self.is_working(day):
                return day
            day += step
        raise BadConfiguration(
            f"calendar {self.name}: no working day within {MAX_CLOSED} days of {day}; check its closed days"
        )


@lru_cache(maxsize=4096)
def _why_closed(name: str, day: date) -> str | None:
    kind = _KINDS[name]
    if (besides := kind.besides(day)) is not None:
        return besides
    holiday = _year(name, day.year).get(day)
    if holiday is not None:
        return holiday
    return WEEKEND if day.weekday() >= SATURDAY else None


@lru_cache(maxsize=256)
def _year(name: str, year: int) -> Mapping[date, str]:
    """The holidays of one year. Raises BadConfiguration where the package knows of none: not every day is
    open.
    """
    import holidays  # noqa: PLC0415 - a tenth of a second that most commands do not need

    kind = _KINDS[name]
    if kind.financial:
        found = holidays.financial_holidays(kind.country, years=year, expand=False)
    else:
        found = holidays.country_holidays(
            kind.country, subdiv=kind.subdivision, years=year, expand=False, language="en_US"
        )
    known = {day: str(title) for day, title in found.items() if day.year == year}
    if not known or not found.start_year <= year <= found.end_year:
        raise BadConfiguration(
            f"calendar {name}: the package {package_version()} knows nothing of {year}, and no day of it is "
            "taken for open; upgrade it, or check the year that was entered"
        )
    return known


@lru_cache(maxsize=1)
def package_version() -> str:
    """`holidays 0.109`: what a computed deadline names as its source."""
    from importlib.metadata import version  # noqa: PLC0415

    return f"holidays {version('holidays')}"


@lru_cache(maxsize=64)
def calendar(name: str, own: OwnCalendar | None = None, zone: str = "Asia/Tokyo") -> Calendar:
    """The calendar of this name; `own` describes the institution's, in its `zone`.

    Raises BadConfiguration if there is none of this name.
    """
    if name == "own":
        mine = own or OwnCalendar()
        return Calendar(
            name="own",
            zone=ZoneInfo(zone),
            version=package_version(),
            opens=mine.opens,
            closed=frozenset(mine.closed),
            open=frozenset(mine.open),
            base=mine.base,
        )
    if name not in _KINDS:
        raise BadConfiguration(f"there is no calendar {name!r}; known: {', '.join(NAMES)}")
    return Calendar(name=name, zone=ZoneInfo(_KINDS[name].zone), version=package_version())
