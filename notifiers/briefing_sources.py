"""What a message says of a source of evidence that could not be reached."""

from __future__ import annotations

from typing import Any

from models.state import Incident
from notifiers.briefing_names import Matter, text_of


def brief_source(name: str, matter: Matter, lang: str) -> dict[str, Any]:
    """Why the target `name` gave nothing, and how to try again."""
    del lang
    state = matter.state
    known = state.unreachable.get(name) if isinstance(state, Incident) else None
    if known is None:
        return {"extra": {"target": name}}
    return {
        "reason": text_of(matter, known.why),
        "command": f"hikeshi evidence collect {state.stream} {name}",
        "extra": {"target": name},
    }
