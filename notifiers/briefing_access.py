"""What a message about emergency rights says: who took them, until when."""

from __future__ import annotations

from typing import Any

from models.state import Incident
from notifiers.briefing_names import Matter, at, person_name


def brief_glass(name: str, matter: Matter, lang: str) -> dict[str, Any]:
    """What `page.break_glass` shows. Why stands in the record, for those who may read it."""
    state = matter.state
    glass = state.restriction.glass.get(name) if isinstance(state, Incident) else None
    if glass is None:
        return {}
    zone = matter.world.organisation.zone
    return {
        "command": f"hikeshi log {state.stream}",
        "extra": {"who": person_name(matter.world, name, lang), "until": at(glass.until, zone, lang)},
    }
