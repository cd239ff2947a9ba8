"""Tokens and sessions, for a screen and for programs; never what opens them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from console.views.naming import Naming
from console.views.sheet import Row, Section, Style, Table
from models.clock import iso
from models.entering import KEY_SIZE, Token

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def token_json(one: Token, now: datetime) -> dict[str, Any]:
    """One token; never its digest."""
    return {
        "name": one.id,
        "person": one.person,
        "roles": one.roles,
        "looks": one.looks,
        "until": iso(one.until),
        "over": one.until <= now,
        "by": one.by,
    }


def tokens(known: list[Token], naming: Naming) -> Section:
    """All of them, those whose time is over at the end."""
    texts, now = naming.texts, naming.now
    names = ("name", "person", "roles", "until", "by")
    rows = []
    for one in sorted(known, key=lambda one: (one.until <= now, one.until)):
        style: Style = "dim" if one.until <= now else "plain"
        roles = ", ".join(one.roles) or texts("entering.no_roles")
        may = f"{roles} ({texts('entering.looks')})" if one.looks else roles
        cells = (one.id, naming.who(one.person), may, naming.times.at(one.until), naming.who(one.by))
        rows.append(Row(cells=cells, style=style))
    headers = tuple(texts(f"entering.head.{name}") for name in names)
    return Section(title=texts("entering.title.tokens"), parts=(Table(headers=headers, rows=tuple(rows)),))


def session_json(row: Any) -> dict[str, Any]:
    """One session; `key` names it and opens nothing."""
    return {
        "key": row.digest[:KEY_SIZE],
        "person": row.person,
        "inspector": row.inspector or None,
        "way": row.way,
        "since": iso(instant(row.made_at)),
        "seen": iso(instant(row.seen_at)),
        "until": iso(instant(row.ends_at)),
    }


def sessions(rows: list[Any], naming: Naming) -> Section:
    """Those that are open."""
    texts, at = naming.texts, naming.times.at
    names = ("key", "person", "way", "since", "seen", "until")
    found = [
        Row(
            cells=(
                one.digest[:KEY_SIZE],
                naming.who(one.person) if one.person else one.inspector,
                one.way,
                at(instant(one.made_at)),
                at(instant(one.seen_at)),
                at(instant(one.ends_at)),
            )
        )
        for one in rows
    ]
    headers = tuple(texts(f"entering.head.{name}") for name in names)
    return Section(title=texts("entering.title.sessions"), parts=(Table(headers=headers, rows=tuple(found)),))


def instant(stamp: int) -> datetime:
    """The instant of a number of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=stamp)
