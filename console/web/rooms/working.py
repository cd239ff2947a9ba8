"""The pages on which an incident is worked on, beside its own."""

from __future__ import annotations

from console.web.frame import Page
from console.web.rooms import (
    incident_communication,
    incident_decisions,
    incident_evidence,
    incident_improvements,
    incident_reports,
    incident_scope,
    incident_steps,
)

PAGES: tuple[Page, ...] = (
    *incident_steps.PAGES,
    *incident_decisions.PAGES,
    *incident_evidence.PAGES,
    *incident_scope.PAGES,
    *incident_reports.PAGES,
    *incident_communication.PAGES,
    *incident_improvements.PAGES,
)
