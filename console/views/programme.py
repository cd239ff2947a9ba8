"""Improvements and alerts in tables."""

from __future__ import annotations

from collections.abc import Sequence

from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, Table
from models.clock import iso
from models.state import Alert, Improvement


def improvements(many: Sequence[Improvement], naming: Naming) -> Section:
    """Improvements with owner, date and how they stand."""
    rows = tuple(
        Row(
            cells=(
                one.id,
                naming.texts.word("words.status", one.status),
                naming.text(one.title, 200),
                naming.who(one.owner),
                naming.at(one.due),
                one.incident,
            ),
            style="bad" if one.overdue and one.status == "open" else "plain",
        )
        for one in many
    )
    return _section("improvements", ("id", "status", "title", "who", "due", "incident"), rows, naming)


def improvement_json(one: Improvement, naming: Naming) -> dict[str, object]:
    """One improvement for programs."""
    return {
        "id": one.id,
        "incident": one.incident,
        "title": naming.text(one.title),
        "owner": one.owner,
        "due": iso(one.due),
        "status": one.status,
        "overdue": one.overdue,
    }


def alerts(many: Sequence[Alert], naming: Naming) -> Section:
    """Alerts on the table."""
    rows = tuple(
        Row(
            cells=(
                one.id,
                one.source,
                naming.text(one.level, 40),
                naming.text(one.title, 200),
                str(one.count),
                naming.times.at(one.at),
                one.proposed or "",
                "" if one.overdue_at is None else naming.times.left(one.overdue_at, naming.now),
            ),
            style="plain" if one.readable else "bad",
        )
        for one in many
    )
    headers = ("id", "source", "severity", "title", "count", "at", "key", "limit")
    return _section("alerts", headers, rows, naming)


def alert_json(one: Alert, naming: Naming) -> dict[str, object]:
    """One alert for programs."""
    return {
        "id": one.id,
        "source": one.source,
        "title": naming.text(one.title),
        "level": naming.text(one.level),
        "count": one.count,
        "at": iso(one.at),
        "proposed": one.proposed,
        "readable": one.readable,
    }


def _section(title: str, headers: tuple[str, ...], rows: tuple[Row, ...], naming: Naming) -> Section:
    texts = naming.texts
    if not rows:
        return Section(title=texts(f"words.title.{title}"), parts=(Line(text=texts("words.none")),))
    names = tuple(texts.word("words.column", name) for name in headers)
    return Section(title=texts(f"words.title.{title}"), parts=(Table(headers=names, rows=rows, whole=(0,)),))
