"""Working days: three kinds at home, three abroad, and the institution's own; unknown years are refused."""

from __future__ import annotations

from datetime import date, time

import pytest

from models.calendars import NAMES, OwnCalendar, calendar, package_version
from models.errors import BadConfiguration


@pytest.mark.parametrize(
    ("said", "name", "day", "why"),
    [
        ("a Tuesday", "bank", date(2026, 9, 15), None),
        ("a day between two holidays is one", "bank", date(2026, 9, 22), "National Holiday"),
        ("a Sunday", "bank", date(2026, 11, 22), "weekend"),
        ("Labour Thanksgiving Day", "bank", date(2026, 11, 23), "Labor Thanksgiving Day"),
        ("a bank works on the 30th of December", "bank", date(2026, 12, 30), None),
        ("an authority does not", "government", date(2026, 12, 30), "new year"),
        ("nor on the 29th", "government", date(2026, 12, 29), "new year"),
        ("a bank closes on the 31st", "bank", date(2026, 12, 31), "new year"),
        ("until the 3rd of January", "bank", date(2028, 1, 3), "new year"),
        ("and opens on the 4th", "government", date(2027, 1, 4), None),
        ("Independence Day on a Saturday is kept on the Friday",
         "us-federal", date(2026, 7, 3), "Independence"),
        ("the ECB on Good Friday", "eu-target", date(2026, 4, 3), "Good Friday"),
        ("the ECB on Whit Monday", "eu-target", date(2026, 5, 25), None),
        ("the summer bank holiday", "uk", date(2026, 8, 31), "Late Summer"),
    ],
)  # fmt: skip
def test_days(said: str, name: str, day: date, why: str | None) -> None:
    found = calendar(name).why_closed(day)

    assert (found is None) is (why is None), said
    assert (why or "") in (found or ""), said


def test_the_institutions_own_days_are_those_of_its_base_but_for_these() -> None:
    own = OwnCalendar(
        base="government", closed=(date(2026, 10, 1),), open=(date(2026, 12, 29),), opens=time(8, 30)
    )
    found = calendar("own", own, "Asia/Tokyo")

    assert found.why_closed(date(2026, 10, 1)) == "closed by the institution"
    assert found.is_working(date(2026, 12, 29))
    assert not found.is_working(date(2026, 12, 30))
    assert (found.opens, found.zone.key) == (time(8, 30), "Asia/Tokyo")


def test_days_are_sought_and_counted_over_what_is_closed() -> None:
    bank = calendar("bank")

    assert bank.next_working(date(2026, 9, 19)) == date(2026, 9, 24)
    assert bank.previous_working(date(2026, 9, 23)) == date(2026, 9, 18)
    assert bank.add_working(date(2026, 9, 18), 1) == date(2026, 9, 24)
    assert bank.add_working(date(2026, 9, 24), -1) == date(2026, 9, 18)
    assert bank.add_working(date(2026, 9, 24), 0) == date(2026, 9, 24)


def test_a_year_that_the_package_does_not_know_is_refused_and_not_taken_for_open() -> None:
    with pytest.raises(BadConfiguration, match="knows nothing of 2150"):
        calendar("bank").is_working(date(2150, 1, 7))


def test_a_calendar_that_never_opens_is_refused() -> None:
    closed = tuple(date.fromordinal(date(2026, 1, 1).toordinal() + n) for n in range(200))
    with pytest.raises(BadConfiguration, match="no working day within 60 days"):
        calendar("own", OwnCalendar(closed=closed)).next_working(date(2026, 1, 1))


def test_there_is_no_calendar_of_another_name() -> None:
    with pytest.raises(BadConfiguration, match="bank, government"):
        calendar("moon")
    assert all(calendar(name).version == package_version() for name in NAMES)
    assert package_version().startswith("holidays ")
