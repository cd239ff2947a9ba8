"""The pages of the war room, one module a noun. A page that is not in `PAGES` is not served."""

from __future__ import annotations

from console.web.frame import Page
from console.web.rooms import board, criteria, declaring, guideline, incident, incident_steps, playbooks

PAGES: tuple[Page, ...] = (
    *board.PAGES,
    *declaring.PAGES,
    *incident.PAGES,
    *incident_steps.PAGES,
    *criteria.PAGES,
    *playbooks.PAGES,
    *guideline.PAGES,
)
