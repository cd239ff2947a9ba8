"""Rehearsals that were kept: their charts, each with the table that says the same.

None is begun here: it takes minutes of a processor, which the node needs for its pages. What to type stands
on the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from console import rehearsed
from console.rehearsing import Rehearsed
from console.views import rehearsal, rehearsal_md, rehearsal_svg
from console.views.times import Times
from console.web.asking import Ask, must_look
from console.web.frame import Page, Part


def _head(ask: Ask) -> Mapping[str, Any]:
    """What rehearsals say is where the institution is weak: as for the register of exercises."""
    must_look(ask, "look-programme")
    return {}


def _list(ask: Ask) -> Mapping[str, Any]:
    must_look(ask, "look-programme")
    times = Times(texts=ask.texts, zone=ask.naming(ask.house.desk.state("programme")).times.zone)
    books = ask.house.institution.playbooks
    return {
        "kept": [
            {
                "name": one.name,
                "at": times.at(datetime.strptime(one.at, rehearsed.STAMP).replace(tzinfo=UTC)),
                "playbook": one.playbook,
                "title": books[one.playbook].title.lang(ask.lang) if one.playbook in books else "",
                "seed": one.seed,
            }
            for one in rehearsed.kept(ask.house.data)
        ]
    }


def _found(ask: Ask) -> Rehearsed:
    must_look(ask, "look-programme")
    return rehearsed.read(ask.house.data, ask.subject)


def _found_head(ask: Ask) -> Mapping[str, Any]:
    return {"playbook": _found(ask).plan.playbook}


def _charts(ask: Ask) -> Mapping[str, Any]:
    """Each section as a table; the chart before it where there is one."""
    one = _found(ask)
    drawn = rehearsal_svg.charts(one, ask.texts, styled=False)
    # Drawn as a tree: every text in it is text.
    charts = {place: Markup(drawn[name]) for place, name in rehearsal_md.PICTURES.items()}  # noqa: S704
    sections = rehearsal.sections(one, ask.texts)
    return {"sections": [(section, charts.get(place, "")) for place, section in enumerate(sections)]}


PAGES = (
    Page(
        name="rehearsals",
        path="/rehearsals",
        parts=(Part(name="list", values=_list, personal=True),),
        head=_head,
        nav="programme",
    ),
    Page(
        name="rehearsal",
        path="/rehearsals/{subject}",
        parts=(Part(name="charts", values=_charts, personal=True),),
        head=_found_head,
        nav="programme",
    ),
)
