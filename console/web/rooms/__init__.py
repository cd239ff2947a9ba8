"""The pages of the war room, one module a noun. A page that is not in `PAGES` is not served."""

from __future__ import annotations

from console.web.frame import Page
from console.web.rooms import (
    board,
    criteria,
    debriefing,
    declaring,
    drilling,
    duty,
    ended,
    figures,
    guideline,
    incident,
    me,
    playbooks,
    playing,
    programme,
    rehearsals,
    routes,
    services,
    system,
    working,
)

PAGES: tuple[Page, ...] = (
    *board.PAGES,
    *declaring.PAGES,
    *ended.PAGES,
    *incident.PAGES,
    *working.PAGES,
    *criteria.PAGES,
    *playbooks.PAGES,
    *guideline.PAGES,
    *drilling.PAGES,
    *playing.PAGES,
    *debriefing.PAGES,
    *duty.PAGES,
    *routes.PAGES,
    *figures.PAGES,
    *system.PAGES,
    *programme.PAGES,
    *me.PAGES,
    *rehearsals.PAGES,
    *services.PAGES,
)
