"""The pages on which an incident is worked on, beside its own."""

from __future__ import annotations

from console.web.frame import Page
from console.web.rooms import incident_decisions, incident_steps

PAGES: tuple[Page, ...] = (
    *incident_steps.PAGES,
    *incident_decisions.PAGES,
)
