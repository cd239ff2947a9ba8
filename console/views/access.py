"""Who may know of an incident, and who may look for a time, for a screen and for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from console.views import steps
from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, Style, Table
from models.access import own_steps
from models.clock import iso
from models.restriction import Inspector
from models.state import Incident


def as_json(one: Inspector, now: datetime) -> dict[str, Any]:
    """One inspector; never the digest of a token."""
    return {
        "id": one.id,
        "until": iso(one.until),
        "over": one.until <= now,
        "incidents": one.incidents,
        "account": one.account,
        "token": one.digest is not None,
        "by": one.by,
    }


def section(known: list[Inspector], naming: Naming) -> Section:
    """All inspectors, whose time is over at the end."""
    texts, now = naming.texts, naming.now
    ordered = sorted(known, key=lambda one: (one.until <= now, one.until))
    headers = tuple(texts(f"access.head.{name}") for name in ("inspector", "until", "incidents", "way", "by"))
    rows: list[tuple[tuple[str, ...], Style]] = []
    for one in ordered:
        style: Style = "dim" if one.until <= now else "plain"
        cells = (
            one.id,
            naming.times.at(one.until),
            ", ".join(one.incidents) or texts("access.all"),
            one.account or texts("access.by_token"),
            naming.who(one.by),
        )
        rows.append((cells, style))
    return Section(title=texts("access.title.inspectors"), parts=(_table(headers, rows),))


def _table(headers: tuple[str, ...], rows: list[tuple[tuple[str, ...], Style]]) -> Table:
    return Table(headers=headers, rows=tuple(Row(cells=cells, style=style) for cells, style in rows))


def own_sections(found: list[tuple[Incident, Naming]], person: str) -> list[Section | Line]:
    """What a third party sees of incidents: the number, and each of their own steps whole."""
    parts: list[Section | Line] = []
    for state, naming in found:
        parts.append(Line(text=state.stream, style="strong"))
        for key in own_steps(state, person, naming.world):
            planned = naming.planned(key)
            if planned is not None:
                parts.append(Section(title=key, parts=tuple(steps.whole(state, planned, naming))))
    return parts


def own_json(state: Incident, naming: Naming, person: str) -> dict[str, Any]:
    """The same for programs."""
    mine = own_steps(state, person, naming.world)
    return {
        "incident": state.stream,
        "steps": {key: {"status": state.steps[key].status, "title": naming.step(key)} for key in mine},
    }


def restriction_lines(state: Incident, naming: Naming) -> list[Line]:
    """That only some may know of this incident, who, and who is in by emergency rights, in red."""
    known, texts = state.restriction, naming.texts
    lines = []
    if known.on:
        readers = ", ".join(naming.who(one) for one in (*known.people, *known.roles, *known.told))
        lines.append(Line(text=texts("access.restricted", readers=readers), style="warn"))
    if known.barred:
        barred = ", ".join(naming.who(one) for one in known.barred)
        lines.append(Line(text=texts("access.barred", who=barred), style="bad"))
    for person, glass in known.glass.items():
        if known.broken(person, naming.now):
            said = texts("access.glass", who=naming.who(person), until=naming.times.at(glass.until))
            lines.append(Line(text=said, style="bad"))
    return lines


def restriction_json(state: Incident, now: datetime) -> dict[str, Any]:
    """The same for programs."""
    known = state.restriction
    return {
        "restricted": known.on,
        "people": known.people,
        "roles": known.roles,
        "told": known.told,
        "barred": known.barred,
        "glass": [
            {"person": person, "until": iso(glass.until)}
            for person, glass in known.glass.items()
            if known.broken(person, now)
        ],
        "reads": {reader: iso(at) for reader, at in known.reads.items()},
    }
