"""Communication checks on a screen: who answered when, by which channel, and who did not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, Style, Table, harmless
from models.clock import iso
from models.comcheck import ENROLLED, EVERYTHING, Ask, Comcheck, Unreached
from models.desk import Desk
from models.state import Programme

STREAM = "programme"
_COLUMNS = ("person", "channel", "sent", "answered", "after", "result")
_LISTED = ("id", "route", "started", "reached", "missing")


def programme(desk: Desk) -> Programme:
    """The state that holds the communication checks."""
    state = desk.state(STREAM)
    assert isinstance(state, Programme)  # noqa: S101 - what the stream of this name folds to
    return state


def unreached(desk: Desk) -> dict[str, Unreached]:
    """People of the directory whom the last test about them did not reach."""
    known = programme(desk).unreached
    return {name: one for name, one in known.items() if desk.directory.person(name) is not None}


def find(state: Programme, number: str | None) -> Comcheck | None:
    """The test of this number (`CC-0003` or `3`), or the latest one."""
    if number is None:
        return next(reversed(state.comchecks.values()), None)
    plain = number.upper().removeprefix("CC-")
    return state.comchecks.get(f"CC-{int(plain):04d}") if plain.isdecimal() and plain.isascii() else None


def sections(one: Comcheck, naming: Naming) -> list[Section | Line]:
    """One test, whole."""
    texts, times = naming.texts, naming.times
    title = texts("readiness.comcheck.title", id=one.id, route=_route(one, naming))
    level = texts("readiness.comcheck.all") if one.level == EVERYTHING else one.level
    begun = {"at": times.at(one.started_at, seconds=True), "who": naming.who(one.started_by), "level": level}
    parts: list[Line | Table] = [Line(text=texts("readiness.comcheck.started", **begun))]
    if one.running:
        text = texts("readiness.comcheck.running", at=naming.at(one.ends_at))
        parts.append(Line(text=text, style="warn"))
    else:
        parts.append(Line(text=texts("readiness.comcheck.ended", at=times.at(one.ended_at, seconds=True))))
    if one.reason:
        parts.append(Line(text=texts("readiness.comcheck.reason", reason=naming.text(one.reason, 300))))
    if one.open_roles:
        roles = texts("words.comma").join(one.open_roles)
        parts.append(Line(text=texts("readiness.comcheck.open-roles", roles=roles), style="dim"))
    reached = sum(one.reached(person) for person in one.people)
    summary = texts("readiness.comcheck.summary", reached=reached, asked=len(one.people))
    parts.append(Line(text=summary, style="good" if reached == len(one.people) else "bad"))
    headers = tuple(texts(f"readiness.column.{name}") for name in _COLUMNS)
    parts.append(Table(headers=headers, rows=tuple(_rows(one, naming)), whole=(0, 1)))
    return [Section(title=title, parts=tuple(parts))]


def _rows(one: Comcheck, naming: Naming) -> Iterator[Row]:
    for person, asked in one.people.items():
        name = naming.who(person)
        if asked.deputy_for:
            name = naming.texts("words.deputy", name=name, other=naming.who(asked.deputy_for))
        asks = one.of(person)
        for ask in asks:
            yield _row(one, ask, name, naming)
        for channel in asked.without:
            text = naming.texts("readiness.result.without")
            yield Row(cells=(name, channel, "–", "–", "–", text), style="warn")
        if not asks:
            yield Row(cells=(name, "–", "–", "–", "–", naming.texts("readiness.result.nowhere")), style="bad")


def _row(one: Comcheck, ask: Ask, name: str, naming: Naming) -> Row:
    times = naming.times
    result, style = _result(one, ask, naming)
    after = times.span(ask.answered_at - one.started_at) if ask.answered_at else "–"
    cells = (name, ask.channel, _clock(ask.sent_at, naming), _clock(ask.answered_at, naming), after, result)
    return Row(cells=cells, style=style)


def _clock(instant: Any, naming: Naming) -> str:
    return "–" if instant is None else naming.times.at(instant, seconds=True)


def _result(one: Comcheck, ask: Ask, naming: Naming) -> tuple[str, Style]:
    texts = naming.texts
    if ask.answered_at is not None:
        return texts("readiness.result.answered", via=ask.via), "good"
    if ask.failed:
        return texts("readiness.result.failed", why=harmless(ask.failed, 200)), "bad"
    if ask.sent_at is None:
        return texts("readiness.result.unsent"), "warn" if one.running else "bad"
    return (
        (texts("readiness.result.waiting"), "plain")
        if one.running
        else (texts("readiness.result.silent"), "bad")
    )


def listing(state: Programme, naming: Naming) -> Section:
    """The last tests, the latest first."""
    texts = naming.texts
    title = texts("readiness.comcheck.list")
    if not state.comchecks:
        return Section(title=title, parts=(Line(text=texts("readiness.comcheck.none")),))
    rows = tuple(_listed(one, naming) for one in reversed(state.comchecks.values()))
    headers = tuple(texts(f"readiness.column.{name}") for name in _LISTED)
    return Section(title=title, parts=(Table(headers=headers, rows=rows, whole=(0,)),))


def _listed(one: Comcheck, naming: Naming) -> Row:
    missing = [] if one.running else [person for person in one.people if not one.reached(person)]
    reached = sum(one.reached(person) for person in one.people)
    cells = (
        one.id,
        _route(one, naming),
        naming.times.at(one.started_at),
        f"{reached}/{len(one.people)}",
        naming.texts("words.comma").join(naming.who(person) for person in missing) or "–",
    )
    return Row(cells=cells, style="bad" if missing else "plain")


def _route(one: Comcheck, naming: Naming) -> str:
    """The route's title with its id; the id alone if it has gone from the files."""
    if one.route == ENROLLED:
        return naming.texts("readiness.comcheck.exercise")
    found = next((route for route in naming.world.policy.routes if route.id == one.route), None)
    return f"{found.title.lang(naming.lang)} ({one.route})" if found is not None else harmless(one.route, 80)


def as_json(one: Comcheck, naming: Naming) -> dict[str, Any]:
    """One test for programs; spans in seconds from its start."""
    return {
        "id": one.id,
        "route": one.route,
        "level": one.level,
        "started_at": iso(one.started_at),
        "started_by": one.started_by,
        "ends_at": iso(one.ends_at),
        "ended_at": iso(one.ended_at) if one.ended_at else None,
        "reason": naming.text(one.reason) if one.reason else "",
        "untested": one.open_roles,
        "people": [
            {
                "person": person,
                "role": asked.role,
                "deputy_for": asked.deputy_for,
                "reached": one.reached(person),
                "why_not": one.why_not(person),
                "without": asked.without,
                "channels": [_ask_json(one, ask) for ask in one.of(person)],
            }
            for person, asked in one.people.items()
        ],
    }


def _ask_json(one: Comcheck, ask: Ask) -> dict[str, Any]:
    after = (ask.answered_at - one.started_at).total_seconds() if ask.answered_at else None
    return {
        "channel": ask.channel,
        "page": ask.page,
        "sent_at": iso(ask.sent_at) if ask.sent_at else None,
        "answered_at": iso(ask.answered_at) if ask.answered_at else None,
        "answered_after_seconds": after,
        "via": ask.via,
        "failed": ask.failed,
    }
