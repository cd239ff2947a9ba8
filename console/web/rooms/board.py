"""The board: what is open, what breaks next, and what waits for whoever looks. It only shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from console.views.times import Times
from console.web.asking import LOOK, Ask
from console.web.frame import Page, Part
from console.web.rooms.common import times
from console.web.rooms.system import troubles
from console.web.summaries import Limit, Summary, Wait, summaries, waiting
from models.clock import iso
from models.desk import INTAKE
from models.record import TEXT
from models.state import Alert, Intake

ON_A_PAGE = 60
MAX_ALERTS = 10
MAX_MINE = 20
MAX_IMPAIRED = 3
FAR = float("inf")


# -- what waits for me --------------------------------------------------------------------------------------


def _mine(ask: Ask) -> dict[str, Any]:
    (found, more), said = waiting(ask, MAX_MINE), times(ask)
    # A third party knows of an incident by its number, and of nothing else of it.
    known = [replace(one, title="") for one in found] if ask.is_vendor else found
    return {"waits": [_wait(one, said, ask.now) for one in known], "more": more}


def _wait(one: Wait, said: Times, now: datetime) -> dict[str, Any]:
    limited = one.kind != "ack" and one.at is not None
    return {
        "kind": one.kind,
        "incident": one.incident,
        "title": one.title,
        "what": one.what,
        "number": one.number,
        "asked": one.asked,
        "text": one.text,
        "by": one.by,
        "since": said.at(one.at) if one.kind == "ack" else "",
        "limit": _ticking(one.at, said, now) if limited and one.at else None,
    }


def _ticking(at: datetime, said: Times, now: datetime) -> dict[str, Any]:
    return {"iso": iso(at), "left": said.left(at, now), "grave": at <= now, "at": said.due(at)}


# -- what is open -------------------------------------------------------------------------------------------


def _head(ask: Ask) -> Mapping[str, Any]:
    """That somebody sees a restricted incident on the board is recorded, as if they had read it."""
    if ask.is_vendor or not ask.may(LOOK):
        return {}
    inspects, found = ask.visitor.viewer.inspector is not None, summaries(ask)
    if inspects or any(one.restricted for one in found):
        for one in _shown(found, ask)[0]:
            if inspects or one.restricted:
                ask.reader.note(ask.house.desk.incident(one.id))
    return {}


def _shown(found: list[Summary], ask: Ask) -> tuple[list[Summary], int, int]:
    """Those of the page that is asked for, its number, and how many pages there are."""
    now = ask.now
    ordered = sorted(found, key=lambda one: _place(one, now))
    pages = max(1, -(-len(ordered) // ON_A_PAGE))
    given = ask.query.get("page", "1")
    page = min(int(given), pages) if given.isdecimal() and 0 < len(given) < 5 and int(given) else 1  # noqa: PLR2004
    return ordered[(page - 1) * ON_A_PAGE : page * ON_A_PAGE], page, pages


def _open(ask: Ask) -> dict[str, Any]:
    if ask.is_vendor or not ask.may(LOOK):
        return {"vendor": True}
    now, said = ask.now, times(ask)
    found = summaries(ask)
    shown, page, pages = _shown(found, ask)
    return {
        "vendor": False,
        "rows": [_row(one, said, now) for one in shown],
        "page": page,
        "pages": pages,
        "total": len(found),
        "broken": sum(one.broken(now) > 0 for one in found),
        "undecided": sum(one.undecided for one in found),
        "unacked": sum(one.unacked for one in found),
    }


def _place(one: Summary, now: datetime) -> tuple[bool, float, int, str]:
    """By what breaks next, past limits first; what is only watched comes last, unless it is past one."""
    limit = one.next()
    return (
        one.watched and not one.broken(now),
        limit.at.timestamp() if limit is not None else FAR,
        -one.rank,
        one.id,
    )


def _row(one: Summary, said: Times, now: datetime) -> dict[str, Any]:
    limit = one.next()
    return {
        "id": one.id,
        "title": one.title,
        "severity": one.severity,
        "grave": one.grave,
        "status": one.status,
        "watched": one.watched,
        "drill": one.drill,
        "restricted": one.restricted,
        "phases": one.phases,
        "commander": one.commander,
        "next": _next(limit, said, now) if limit is not None else None,
        "broken": one.broken(now),
        "decisions": one.decisions,
        "more": one.undecided - len(one.decisions),
        "unacked": one.unacked,
    }


def _next(limit: Limit, said: Times, now: datetime) -> dict[str, Any]:
    return _ticking(limit.at, said, now) | {"what": limit.what, "who": limit.who, "looming": limit.looming}


# -- alerts -------------------------------------------------------------------------------------------------


def _alerts(ask: Ask) -> dict[str, Any]:
    if ask.is_vendor or not ask.may("look-intake"):
        return {"alerts": [], "more": 0, "vendor": True}
    intake = ask.reader.without_hidden(ask.house.desk.state(INTAKE))
    found = list(intake.alerts.values()) if isinstance(intake, Intake) else []
    shown = found[-MAX_ALERTS:][::-1]
    titles = _titles(ask, [one.title for one in shown])
    return {
        "vendor": False,
        "alerts": [_alert(one, titles, times(ask)) for one in shown],
        "more": len(found) - len(shown),
    }


def _alert(one: Alert, titles: dict[str, str], said: Times) -> dict[str, Any]:
    return {
        "id": one.id,
        "title": titles.get(one.title, ""),
        "source": one.source,
        "count": one.count,
        "at": said.at(one.at),
    }


def _titles(ask: Ask, digests: list[str]) -> dict[str, str]:
    """These texts only: the intake may hold thousands."""
    wanted = select(TEXT.c.digest, TEXT.c.body).where(TEXT.c.stream == INTAKE, TEXT.c.digest.in_(digests))
    with ask.house.record.read() as tx:
        return {row[0]: row[1] or "" for row in tx.connection.execute(wanted)}


# -- health -------------------------------------------------------------------------------------------------


def _health(ask: Ask) -> dict[str, Any]:
    if ask.is_vendor or not ask.may("look-house"):
        return {"ok": False, "why": [], "vendor": True}
    ok, why = troubles(ask, MAX_IMPAIRED)
    return {"ok": ok, "why": why, "vendor": False}


PAGES = (
    Page(
        name="board",
        path="/",
        parts=(
            Part(name="mine", values=_mine, personal=True),
            Part(name="open", values=_open),
            Part(name="alerts", values=_alerts),
            Part(name="health", values=_health),
        ),
        head=_head,
        live=("*", "intake", "house", "node"),
    ),
)
