"""Who is on duty: now with deputies, next, and as a calendar; and what is wrong with the rota."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from console.views import oncall as view
from console.views.dutycalendar import Day, Span, asked_day, by_day, month_of, starts_of, week_of
from console.views.naming import Naming
from console.web.asking import Ask, must_look
from console.web.frame import Page, Part
from console.web.rooms.common import HOUSE, times, title_of, today, zone
from models.directory import Holder
from models.oncall import calendar, gaps, now_and_next, reachable, watched

LOOK = "look-house"
GAP_DAYS = 60
MAX_GAPS = 50


def head(ask: Ask) -> dict[str, Any]:
    """Third parties may know whom to call."""
    must_look(ask, LOOK, third_parties=True)
    return {}


def naming(ask: Ask) -> Naming:
    """What it takes to say something about the house."""
    return ask.naming(ask.house.desk.state(HOUSE))


def holder(one: Holder, ask: Ask) -> dict[str, Any]:
    """Somebody who answers: name, whom they stand in for, and by what they are reached; no address."""
    return {
        "name": one.person.name.lang(ask.lang),
        "for": title_of(one.deputy_for, ask) if one.deputy_for else "",
        "channels": reachable(one, ask.house.desk.premises.channels),
    }


# -- now ----------------------------------------------------------------------------------------------------


def _now(ask: Ask) -> dict[str, Any]:
    directory = ask.house.desk.directory
    roles = watched(directory, ask.house.desk.premises.policy.routes)
    rows = [_row(who, ask) for who in roles]
    return {
        "rows": rows,
        "nobody": [row["title"] for row in rows if not any(one["channels"] for one in row["people"])],
        "at": times(ask).at(ask.now),
        "bridge": ask.house.desk.premises.organisation.bridge or "",
    }


def _row(who: str, ask: Ask) -> dict[str, Any]:
    directory = ask.house.desk.directory
    present, following = now_and_next(directory, who, ask.now)
    role = directory.role(who)
    away = [
        title_of(name, ask)
        for name in directory.rostered(who, ask.now).people
        if (person := directory.person(name)) is not None and person.absent(ask.now)
    ]
    return {
        "title": title_of(who, ask),
        "people": [holder(one, ask) for one in present.holders],
        "away": away,
        "until": times(ask).at(following.since) if following is not None else "",
        "in": times(ask).relative(following.since, ask.now) if following is not None else "",
        "next": [holder(one, ask) for one in following.holders] if following is not None else [],
        "hours": role.hours if role is not None and role.hours else "",
    }


# -- the calendar -------------------------------------------------------------------------------------------


def _calendar(ask: Ask) -> dict[str, Any]:
    """A week of all roles with a rota, or a month of one of them."""
    day = asked_day(ask.query.get("day", ""), today(ask))
    roles = [role.id for role in ask.house.desk.directory.organisation.roles if role.rota]
    chosen = ask.query.get("role", "")
    month = chosen if chosen in roles else ""
    weeks = month_of(day) if month else [week_of(day)]
    days = [one for week in weeks for one in week]
    shown = [] if month else roles
    return {
        "month": month,
        "month_title": title_of(month, ask) if month else "",
        "month_name": f"{day:%Y-%m}",
        "roles": [(name, title_of(name, ask)) for name in roles],
        "days": [_weekday(one, ask) for one in weeks[0]],
        "rows": [(name, title_of(name, ask), _days(name, days, day, ask)) for name in shown],
        "weeks": list(_weeks(month, weeks, day, ask)) if month else [],
        "day": day.isoformat(),
        "before": _earlier(day, bool(month)).isoformat(),
        "after": _later(day, bool(month)).isoformat(),
        "today": today(ask).isoformat(),
    }


def _earlier(day: date, month: bool) -> date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1) if month else day - timedelta(days=7)


def _later(day: date, month: bool) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1) if month else day + timedelta(days=7)


def _weekday(day: date, ask: Ask) -> dict[str, Any]:
    return {"number": day.weekday(), "date": f"{day:%m-%d}", "today": day == today(ask)}


def _days(who: str, days: list[date], middle: date, ask: Ask) -> list[dict[str, Any]]:
    edges = starts_of(days, zone(ask))
    stretches = calendar(ask.house.desk.directory, who, edges[0], edges[-1])
    return [_day(one, middle, ask) for one in by_day(stretches, days, zone(ask))]


def _day(one: Day, middle: date, ask: Ask) -> dict[str, Any]:
    return {
        "date": f"{one.day:%m-%d}",
        "today": one.day == today(ask),
        "other": one.day.month != middle.month,
        "spans": [_span(span, ask) for span in one.spans],
    }


def _span(one: Span, ask: Ask) -> dict[str, Any]:
    people = [holder(each, ask) for each in one.holders]
    return {
        "hours": "" if one.whole else f"{one.starts}–{one.ends}",
        "people": people,
        "bad": not any(each["channels"] for each in people),
        "why": [why for why in one.why if why in {"override", "absence"}],
    }


def _weeks(who: str, weeks: list[list[date]], middle: date, ask: Ask) -> Iterator[list[dict[str, Any]]]:
    found = _days(who, [one for week in weeks for one in week], middle, ask)
    for number in range(len(weeks)):
        yield found[number * 7 : number * 7 + 7]


# -- what is wrong ------------------------------------------------------------------------------------------


def _gaps(ask: Ask) -> dict[str, Any]:
    premises, directory = ask.house.desk.premises, ask.house.desk.directory
    roles = watched(directory, premises.policy.routes)
    until = ask.now + timedelta(days=GAP_DAYS)
    found = gaps(directory, roles, ask.now, until, premises.channels)
    said = naming(ask)
    away = [
        (one.name.lang(ask.lang), times(ask).at(each.since), times(ask).at(each.until), each.since <= ask.now)
        for one in directory.organisation.people
        for each in one.absences
        if each.until > ask.now and each.since < until
    ]
    return {
        "gaps": [(one.kind, view.fault(one, said)) for one in found[:MAX_GAPS]],
        "more": max(0, len(found) - MAX_GAPS),
        "days": GAP_DAYS,
        "away": sorted(away, key=lambda row: row[1]),
    }


PAGES = (
    Page(
        name="oncall",
        path="/oncall",
        parts=(
            Part(name="now", values=_now),
            Part(name="gaps", values=_gaps),
            Part(name="calendar", values=_calendar, personal=True),
        ),
        head=head,
    ),
)
