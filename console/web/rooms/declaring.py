"""Declaring an incident: one text is enough, the rest is asked later."""

from __future__ import annotations

from typing import Any

from console.web.asking import Ask
from console.web.frame import Page, Part
from playbooks.library import parts

MAX_TEXT = 500


def _form(ask: Ask) -> dict[str, Any]:
    premises = ask.house.desk.premises
    library = ask.house.institution.playbooks
    within = parts(library.entries)
    playbooks = sorted(library.values(), key=lambda one: (one.priority, one.playbook))
    severities = premises.policy.severity.severities
    return {
        "playbooks": [
            (one.playbook, one.title.lang(ask.lang)) for one in playbooks if one.playbook not in within
        ],
        "severities": [(one.id, one.title.lang(ask.lang)) for one in severities],
        "max_text": MAX_TEXT,
    }


PAGES = (
    Page(
        name="declare",
        path="/declare",
        parts=(Part(name="form", values=_form, personal=True),),
    ),
)
