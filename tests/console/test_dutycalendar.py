"""A rota as a calendar: days of the institution's zone, stretches on each day that they touch."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from console.views.dutycalendar import asked_day, by_day, month_of, starts_of, week_of
from models.clock import utc
from models.directory import Directory
from models.oncall import Stretch, calendar
from playbooks.institution import Institution

TOKYO, BERLIN = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 11, 23)


def stretch(since: datetime, until: datetime) -> Stretch:
    return Stretch(who="duty", since=utc(since), until=utc(until), holders=(), why=("shift",))


@pytest.mark.parametrize(
    ("text", "found"),
    [("2026-12-01", date(2026, 12, 1)), ("", MONDAY), ("tomorrow", MONDAY), ("9999-12-31", MONDAY)],
)
def test_a_day_that_cannot_be_read_is_today(text: str, found: date) -> None:
    assert asked_day(text, MONDAY) == found


def test_a_week_begins_on_monday_and_a_month_has_whole_weeks() -> None:
    assert week_of(date(2026, 11, 29))[0] == MONDAY
    weeks = month_of(date(2026, 12, 15))
    assert (weeks[0][0], weeks[-1][-1]) == (date(2026, 11, 30), date(2027, 1, 3))
    assert len(month_of(date(2027, 2, 1))) == 4, "February 2027 begins on a Monday and has 28 days"


def test_a_stretch_over_midnight_stands_on_both_days() -> None:
    one = stretch(datetime(2026, 11, 23, 17, tzinfo=TOKYO), datetime(2026, 11, 24, 9, tzinfo=TOKYO))
    days = by_day([one], week_of(MONDAY), TOKYO)
    said = [[(span.starts, span.ends) for span in day.spans] for day in days]
    assert said == [[("17:00", "24:00")], [("00:00", "09:00")], [], [], [], [], []]


def test_a_whole_day_says_so_also_when_the_clock_is_set() -> None:
    days = [date(2026, 10, 25)]
    first, last = starts_of(days, BERLIN)
    assert (last - first).total_seconds() == 25 * 3600
    (day,) = by_day([stretch(first, last)], days, BERLIN)
    assert day.spans[0].whole


def test_every_hour_of_the_example_week_has_somebody(bank: Institution) -> None:
    edges = starts_of(week_of(MONDAY), TOKYO)
    found = calendar(Directory(bank.organisation), "csirt-duty", edges[0], edges[-1])
    for day in by_day(found, week_of(MONDAY), TOKYO):
        assert [span.starts for span in day.spans] == ["00:00", "09:00", "17:00"]
        assert all(span.holders for span in day.spans)
