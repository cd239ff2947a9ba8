"""The after-action report of a drill as a page: ratings, what was due and done, findings.

To the staff at any time; to others of the house once it is over and gives nothing away any more; to third
parties only if they are of the staff, as `hikeshi drill report`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from console.drill.aftermath import Aftermath, aftermath
from console.views import aar, handbook_html
from console.web.asking import Ask
from console.web.exercising import exercise, looked_at, people, standing, told
from console.web.frame import Page, Part
from console.web.rooms.drilling import observations

OVER = frozenset({"ended", "aborted"})
RATINGS = ("P", "S", "M", "U")
CAPABILITIES = ("planning", "organisation", "equipment", "training", "communication")
OFF: Mapping[str, Any] = {"on": False}


def _head(ask: Ask) -> dict[str, Any]:
    return {"standing": looked_at(ask), "shown": _may_see(ask)}


def _may_see(ask: Ask) -> bool:
    state, how = exercise(ask), standing(ask)
    if state is None or how == "refused":
        return False
    return how == "staff" or (state.status in OVER and not ask.is_vendor)


def _report(ask: Ask) -> Mapping[str, Any]:
    if not _may_see(ask):
        return OFF
    made = aftermath(ask.house, ask.visitor.actor)
    book = aar.report(made, ask.house.desk.directory, ask.texts)
    # Built as a tree: every text in it is text.
    chapters = Markup(handbook_html.chapters(book))  # noqa: S704
    return {
        "on": True,
        "title": book.title,
        "lead": book.lead,
        "contents": [(one.id, one.title) for one in book.chapters],
        "book": chapters,
    }


def _acts(ask: Ask) -> Mapping[str, Any]:
    sheet = told(ask)
    if sheet is None or not _may_see(ask):
        return OFF
    state = sheet.exercise
    made = aftermath(ask.house, ask.visitor.actor) if sheet.staff else None
    tell = aar.Telling(texts=ask.texts, directory=ask.house.desk.directory, made=made) if made else None
    return {
        "on": True,
        "staff": sheet.staff,
        "status": state.status,
        "signed": sheet.naming.who(state.signed_off_by) if state.signed_off_by is not None else "",
        "objectives": _objectives(made, ask.lang) if made is not None else [],
        "observations": observations(ask, sheet) if sheet.staff else [],
        "ratings": [(one, ask.texts(f"scenarios.rating.{one}")) for one in RATINGS],
        "proposals": [(one.source, tell.proposal(one)) for one in made.proposals] if made and tell else [],
        "capabilities": [(one, ask.texts(f"scenarios.capability.{one}")) for one in CAPABILITIES],
        "people": people(ask),
        "drill": state.drill,
    }


def _objectives(made: Aftermath, lang: str) -> list[dict[str, Any]]:
    """Each with the rating that is proposed from the record, and the one that counts."""
    texts = {one.id: one.text.lang(lang) for one in made.scenario.objectives}
    return [
        {"id": one.id, "text": texts.get(one.id, ""), "proposed": one.proposed, "rating": one.rating}
        for one in made.score.objectives
    ]


PAGES = (
    Page(
        name="drill-report",
        path="/drill/report",
        parts=(
            Part(name="acts", values=_acts, personal=True),
            Part(name="report", values=_report, personal=True),
        ),
        head=_head,
        nav="drill",
    ),
)
