"""Incidents that are resolved, closed, merged or dismissed: a list that goes on, and leads to each."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from console.views.times import Times
from console.web.asking import LOOK, Ask, must_look
from console.web.frame import Page, Part
from console.web.rooms.common import times
from models.record import STREAM
from models.state import Incident

ON_A_PAGE = 30
MAX_DIGITS = 4


def _head(ask: Ask) -> dict[str, Any]:
    """Raises Refused to whoever may look at none. A restricted one that is listed is read."""
    must_look(ask, LOOK)
    for one in _shown(ask)[0]:
        ask.reader.note(one)
    return {}


def _shown(ask: Ask) -> tuple[list[Incident], int, int, int]:
    """Those of the page that is asked for, its number, how many pages there are, and how many in all."""
    if "ended" not in ask.kept:
        ended = (STREAM.c.kind == "incident", STREAM.c.status != "open")
        wanted = select(STREAM.c.id).where(*ended).order_by(STREAM.c.opened_at.desc(), STREAM.c.id.desc())
        with ask.house.record.read() as tx:
            names = [row[0] for row in tx.connection.execute(wanted)]
        hidden = ask.reader.hidden()
        known = [name for name in names if name not in hidden]
        pages = max(1, -(-len(known) // ON_A_PAGE))
        given = ask.query.get("page", "1")
        page = int(given) if given.isascii() and given.isdecimal() and len(given) <= MAX_DIGITS else 1
        page = min(max(page, 1), pages)
        states = ask.house.desk.readable(known[(page - 1) * ON_A_PAGE : page * ON_A_PAGE])
        ask.kept["ended"] = (ask.reader.whole(states), page, pages, len(known))
    found: tuple[list[Incident], int, int, int] = ask.kept["ended"]
    return found


def _list(ask: Ask) -> dict[str, Any]:
    (shown, page, pages, total), said, hidden = _shown(ask), times(ask), ask.reader.hidden()
    return {
        "rows": [_row(one, said, ask, hidden) for one in shown],
        "page": page,
        "pages": pages,
        "total": total,
    }


def _row(state: Incident, said: Times, ask: Ask, hidden: frozenset[str]) -> dict[str, Any]:
    naming = ask.naming(state)
    at = state.closed_at or state.resolved_at
    return {
        "id": state.stream,
        "drill": state.drill,
        "restricted": state.restriction.on,
        "title": naming.text(state.title, 160),
        "severity": naming.severity(state.severity),
        "status": naming.texts.word("words.status", state.status),
        "into": state.merged_into if state.merged_into not in hidden else "",
        "declared": said.at(state.declared_at),
        "ended": said.at(at) if at is not None else "",
    }


PAGES = (
    Page(name="ended", path="/incidents", parts=(Part(name="list", values=_list),), head=_head, nav="board"),
)
