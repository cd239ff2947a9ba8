"""Duty over time: every instant has the same answer as `holders`, over every change of the clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.directory import Directory
from models.oncall import Gap, calendar, gaps, now_and_next, reachable, watched
from models.organisation import Organisation
from models.policy import Route
from tests.models.small import ROUTES

ZONES = ("Asia/Tokyo", "Europe/Rome", "America/New_York", "Australia/Lord_Howe")
TICK = timedelta(microseconds=1)
BOTH = frozenset({"console", "email"})
A, B, C = "aoki", "baba", "chiba"


def organisation(
    *shifts: dict[str, Any], zone: str = "Asia/Tokyo", people: Any = None, **rota: Any
) -> Organisation:
    """Three people, a rota of these shifts for the role `duty`, and a CISO without one."""
    own = people or {}
    return Organisation.model_validate(
        {
            "name": "Bank",
            "people": [
                {"id": name, "name": name, "roles": ["ciso"] if name == A else [], **own.get(name, {})}
                for name in (A, B, C)
            ],
            "roles": [{"id": "duty", "title": "Duty", "rota": "r"}, {"id": "ciso", "title": "CISO"}],
            "rotas": [{"id": "r", "zone": zone, "shifts": list(shifts), **rota}],
        }
    )


def shift(**fields: Any) -> dict[str, Any]:
    return {"rule": "FREQ=DAILY", "starts": "08:00", "lasts": "8h", "people": [A]} | fields


def away(since: str, until: str) -> dict[str, Any]:
    return {"absences": [{"since": since, "until": until}]}


def shown(directory: Directory, since: datetime, until: datetime, zone: str) -> list[str]:
    """`28 02:30 aoki<baba shift`, a line a stretch."""
    found = []
    for one in calendar(directory, "duty", since, until):
        names = [f"{h.person.id}<{h.deputy_for}" if h.deputy_for else h.person.id for h in one.holders]
        at = one.since.astimezone(ZoneInfo(zone)).strftime("%d %H:%M")
        found.append(f"{at} {' '.join(names) or '-'} {'+'.join(one.why)}")
    return found


# -- the calendar and the instant are one ------------------------------------------------------------------

hours = st.integers(0, 23).map(lambda hour: f"{hour:02}:00")
minutes = st.sampled_from(["00:30", "02:00", "02:30", "08:00", "22:15"])
shifts = st.builds(
    shift,
    rule=st.sampled_from(
        [
            "FREQ=DAILY",
            "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
            "FREQ=WEEKLY;BYDAY=SA,SU",
            "FREQ=MONTHLY;BYMONTHDAY=29",
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
            "FREQ=DAILY;INTERVAL=2",
        ]
    ),
    starts=hours | minutes,
    lasts=st.integers(1, 40).map(lambda n: f"{n}h"),
    people=st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=3, unique=True),
    rotate=st.sampled_from(["none", "daily", "weekly"]),
)
instants = st.datetimes(datetime(2027, 1, 1), datetime(2029, 1, 20)).map(  # noqa: DTZ001 - made aware here
    lambda at: at.replace(tzinfo=UTC)
)


@st.composite
def spans(draw: st.DrawFn, most_hours: int = 24 * 9) -> tuple[datetime, datetime]:
    since = draw(instants)
    return since, since + timedelta(minutes=draw(st.integers(1, most_hours * 60)))


@st.composite
def directories(draw: st.DrawFn) -> Directory:
    overrides = [
        {"since": since, "until": until, "people": [draw(st.sampled_from([A, B, C]))]}
        for since, until in draw(st.lists(spans(48), max_size=2))
    ]
    people = {
        name: {
            "deputies": draw(st.lists(st.sampled_from(sorted({A, B, C} - {name})), max_size=2, unique=True)),
            "absences": [
                {"since": since, "until": until} for since, until in draw(st.lists(spans(), max_size=2))
            ],
        }
        for name in (A, B, C)
    }
    own = draw(st.lists(shifts, min_size=1, max_size=3))
    zone = draw(st.sampled_from(ZONES))
    return Directory(organisation(*own, zone=zone, people=people, overrides=overrides))


@settings(max_examples=60, deadline=None)
@given(directories(), spans(), st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30))
def test_every_instant_has_the_answer_of_holders_and_no_hole_or_overlap_is_made(
    directory: Directory, span: tuple[datetime, datetime], places: list[float]
) -> None:
    since, until = span
    found = calendar(directory, "duty", since, until)
    assert (found[0].since, found[-1].until) == (since, until)
    for one, following in pairwise(found):
        assert one.until == following.since
        assert (one.holders, one.why) != (following.holders, following.why)
    inside = [min(since + (until - since) * place, until - TICK) for place in places]
    edges = [at for one in found for at in (one.since, one.until - TICK)]
    for at in [*inside, *edges]:
        own = next(one for one in found if one.since <= at < one.until)
        assert own.holders == directory.holders("duty", at)
        assert own.lasts > timedelta(0)


@settings(max_examples=25, deadline=None)
@given(directories(), spans())
def test_gaps_name_exactly_the_time_that_holders_leave_empty(
    directory: Directory, span: tuple[datetime, datetime]
) -> None:
    since, until = span
    found = gaps(directory, ["duty"], since, until, BOTH)
    empty = [gap for gap in found if gap.kind == "nobody"]
    holes = [one for one in calendar(directory, "duty", since, until) if not one.holders]
    assert [(gap.since, gap.until) for gap in empty] == [(one.since, one.until) for one in holes]
    for gap in found:
        if gap.kind == "circle":
            assert all(not directory.holders(name, gap.since) for name in gap.people)


# -- clocks that change, leap days, the end of the year ----------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "zone", "since", "expected"),
    [
        (
            "Rome: the lost hour moves the end of the night, not the start of the day",
            "Europe/Rome",
            datetime(2027, 3, 27, 19, tzinfo=UTC),
            ["27 20:00 baba shift", "28 05:00 - shift", "28 08:00 aoki shift", "28 16:00 - shift"],
        ),
        (
            "Rome: the hour that comes twice ends the night an hour earlier by the wall",
            "Europe/Rome",
            datetime(2027, 10, 30, 18, tzinfo=UTC),
            ["30 20:00 baba shift", "31 03:00 - shift", "31 08:00 aoki shift", "31 16:00 - shift"],
        ),
        (
            "New York in spring",
            "America/New_York",
            datetime(2027, 3, 14, 1, tzinfo=UTC),
            ["13 20:00 baba shift", "14 05:00 - shift", "14 08:00 aoki shift", "14 16:00 - shift"],
        ),
        (
            "New York in autumn",
            "America/New_York",
            datetime(2027, 11, 7, 0, tzinfo=UTC),
            ["06 20:00 baba shift", "07 03:00 - shift", "07 08:00 aoki shift", "07 16:00 - shift"],
        ),
        (
            "Lord Howe loses half an hour",
            "Australia/Lord_Howe",
            datetime(2027, 10, 2, 9, 30, tzinfo=UTC),
            ["02 20:00 baba shift", "03 04:30 - shift", "03 08:00 aoki shift", "03 16:00 - shift"],
        ),
        (
            "and has half an hour twice",
            "Australia/Lord_Howe",
            datetime(2027, 4, 3, 9, 0, tzinfo=UTC),
            ["03 20:00 baba shift", "04 03:30 - shift", "04 08:00 aoki shift", "04 16:00 - shift"],
        ),
        (
            "Tokyo changes nothing",
            "Asia/Tokyo",
            datetime(2027, 3, 28, 11, tzinfo=UTC),
            ["28 20:00 baba shift", "29 04:00 - shift", "29 08:00 aoki shift", "29 16:00 - shift"],
        ),
        (
            "the year ends within a shift",
            "Asia/Tokyo",
            datetime(2027, 12, 31, 11, tzinfo=UTC),
            ["31 20:00 baba shift", "01 04:00 - shift", "01 08:00 aoki shift", "01 16:00 - shift"],
        ),
        (
            "and so does the day before the leap day",
            "Asia/Tokyo",
            datetime(2028, 2, 28, 11, tzinfo=UTC),
            ["28 20:00 baba shift", "29 04:00 - shift", "29 08:00 aoki shift", "29 16:00 - shift"],
        ),
    ],
)
def test_a_night_and_a_day(sentence: str, zone: str, since: datetime, expected: list[str]) -> None:
    directory = Directory(organisation(shift(), shift(starts="20:00", people=[B]), zone=zone))
    assert shown(directory, since, since + timedelta(hours=22), zone) == expected, sentence


def test_a_duty_of_the_leap_day_falls_every_four_years() -> None:
    directory = Directory(
        organisation(shift(rule="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", since="2024-01-01", lasts="24h"))
    )
    days = [
        one.since.astimezone(ZoneInfo("Asia/Tokyo")).date()
        for one in calendar(
            directory, "duty", datetime(2027, 12, 1, tzinfo=UTC), datetime(2028, 11, 1, tzinfo=UTC)
        )
        if one.holders
    ]
    assert days == [date(2028, 2, 29)]


# -- who is next, why, and how reached ---------------------------------------------------------------------

NINE = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
"""Monday nine o'clock in Tokyo."""


def test_why_somebody_is_on_duty() -> None:
    override = {"since": "2026-11-23T10:00:00+09:00", "until": "2026-11-23T11:00:00+09:00", "people": [C]}
    people = {A: {"deputies": [B], **away("2026-11-23T12:00:00+09:00", "2026-11-23T13:00:00+09:00")}}
    directory = Directory(organisation(shift(), overrides=[override], people=people))
    assert shown(directory, NINE, NINE + timedelta(hours=8), "Asia/Tokyo") == [
        "23 09:00 aoki shift",
        "23 10:00 chiba override",
        "23 11:00 aoki shift",
        "23 12:00 baba<aoki shift+absence",
        "23 13:00 aoki shift",
        "23 16:00 - shift",
    ]
    standing = calendar(directory, "ciso", NINE, NINE + timedelta(hours=1))
    assert [one.why for one in standing] == [("standing",)]
    assert [one.why for one in calendar(directory, B, NINE, NINE + timedelta(hours=1))] == [("standing",)]
    assert calendar(directory, "duty", NINE, NINE) == ()


def test_the_next_hand_over_is_the_next_change_of_people() -> None:
    own = (shift(), shift(starts="16:00", people=[A, B]), shift(starts="00:00", people=[A, B]))
    directory = Directory(organisation(*own))
    present, following = now_and_next(directory, "duty", NINE)
    assert [one.person.id for one in present.holders] == [A]
    assert following is not None
    assert (following.since, [one.person.id for one in following.holders]) == (
        NINE + timedelta(hours=7),
        [A, B],
    )
    assert now_and_next(directory, "ciso", NINE)[1] is None
    assert now_and_next(directory, "nobody-such", NINE)[0].holders == ()


def test_reached_means_a_channel_that_is_set_up_and_an_address_on_it() -> None:
    people = {A: {"channels": ["slack", "email", "console"], "email": "a@bank.example"}}
    directory = Directory(organisation(shift(), people=people))
    holder = directory.holders("duty", NINE)[0]
    assert reachable(holder, BOTH) == ("email", "console")
    assert reachable(holder, frozenset({"slack"})) == ()


def test_a_channel_of_an_order_by_severity_reaches_somebody_too() -> None:
    orders = [{"channels": [{"channel": "voice"}, {"channel": "console", "after": "2m"}]}]
    people = {A: {"channels": ["console"], "reach": orders, "phone": "+81 90 1234 5678"}}
    directory = Directory(organisation(shift(), people=people))
    holder = directory.holders("duty", NINE)[0]
    assert reachable(holder, frozenset({"console", "voice"})) == ("console", "voice"), "each once"
    assert reachable(holder, frozenset({"voice"})) == ("voice",)


def test_roles_with_a_rota_come_first_then_whom_routes_name() -> None:
    routes = [Route.model_validate(one) for one in ROUTES]
    directory = Directory(organisation(shift()))
    assert watched(directory, routes) == ("duty", "csirt-duty", "csirt-lead", "ciso", "cio")


# -- what is wrong -----------------------------------------------------------------------------------------


def found(own: Organisation, days: int = 2, channels: frozenset[str] = BOTH) -> list[Gap]:
    return list(gaps(Directory(own), ["duty"], NINE, NINE + timedelta(days=days), channels))


DAY = (shift(starts="08:00"), shift(starts="16:00", people=[B]), shift(starts="00:00", people=[C]))


def test_a_rota_without_fault_has_none() -> None:
    assert found(organisation(*DAY), days=60) == []


def test_two_shifts_in_a_row_are_told_once_they_exceed_sixteen_hours() -> None:
    two = found(organisation(*DAY[:2], shift(starts="00:00", people=[B])))
    assert two == [], "sixteen hours, and not a minute more"
    three = found(organisation(*DAY[:2], shift(starts="00:00", lasts="10h", people=[B])))
    assert {(gap.kind, gap.who, gap.people) for gap in three} == {("too-long", B, ("duty",))}
    assert {gap.until - gap.since for gap in three} == {timedelta(hours=18)}
    assert three[0].since == NINE - timedelta(hours=17), "it began before the time that was asked for"


def test_standing_in_makes_a_double_shift_too() -> None:
    people = {C: {"deputies": [B], **away("2026-11-24T00:00:00+09:00", "2026-11-24T12:00:00+09:00")}}
    own = organisation(*DAY[:1], shift(starts="16:00", lasts="9h", people=[B]), DAY[2], people=people)
    assert [(gap.kind, gap.who) for gap in found(own, days=1)] == []
    own = organisation(shift(lasts="9h"), *DAY[1:], people={C: {**people[C], "deputies": [A]}, **{}})
    assert [(gap.kind, gap.who, gap.until - gap.since) for gap in found(own)] == [
        ("too-long", A, timedelta(hours=17))
    ]


def test_standby_is_meant_as_long_as_it_is() -> None:
    assert found(organisation(shift(lasts="24h")), days=30) == []


def test_nobody_and_nobody_who_can_be_reached() -> None:
    lines = found(organisation(shift(), shift(starts="16:00", lasts="16h", people=[B])), days=1)
    assert lines == []
    lines = found(organisation(shift()), days=1)
    assert [(gap.kind, gap.since, gap.until) for gap in lines] == [
        ("nobody", NINE + timedelta(hours=7), NINE + timedelta(hours=23))
    ]
    lines = found(organisation(*DAY, people={B: {"channels": ["slack"], "slack": "U0BABA"}}), days=1)
    assert [(gap.kind, gap.people) for gap in lines] == [("unreachable", (B,))]


def test_a_circle_of_deputies_is_told_when_all_of_it_is_away() -> None:
    noon = away("2026-11-23T12:00:00+09:00", "2026-11-25T12:00:00+09:00")
    ring = {A: {"deputies": [B]}, B: {"deputies": [C]}, C: {"deputies": [A]}}
    assert found(organisation(*DAY, people=ring), days=4) == []
    two = {name: {**one, **(noon if name != C else {})} for name, one in ring.items()}
    assert [gap.kind for gap in found(organisation(*DAY, people=two), days=4)] == ["too-long"]
    people = {name: {**one, **noon} for name, one in ring.items()}
    circles = [gap for gap in found(organisation(*DAY, people=people), days=4) if gap.kind == "circle"]
    assert [(gap.people, gap.until - gap.since) for gap in circles] == [((A, B, C), timedelta(days=2))]


def test_the_same_circle_twice_is_told_twice_and_an_open_chain_never() -> None:
    both = [
        {"since": f"2026-11-2{day}T12:00:00+09:00", "until": f"2026-11-2{day}T18:00:00+09:00"}
        for day in (3, 5)
    ]
    people = {A: {"deputies": [B], "absences": both}, B: {"deputies": [A], "absences": both}}
    circles = [gap for gap in found(organisation(*DAY, people=people), days=4) if gap.kind == "circle"]
    assert [(gap.people, gap.until - gap.since) for gap in circles] == [((A, B), timedelta(hours=6))] * 2
    people = {A: {"deputies": ["gone", B], "absences": both}, B: {"deputies": ["gone"], "absences": both}}
    assert {gap.kind for gap in found(organisation(*DAY, people=people), days=4)} == {"nobody"}
    assert gaps(Directory(organisation(*DAY, people=people)), ["duty"], NINE, NINE, BOTH) == ()
