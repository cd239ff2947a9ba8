"""An incident's own page: what waits for me, what breaks next and who has it, and the course so far."""

from __future__ import annotations

from console.web.asking import Ask
from console.web.frame import Page, Part, Values
from console.web.rooms import incident_parts as parts
from console.web.rooms import incident_timeline as timeline
from console.web.rooms.matter import HEAD, head, whole


def _head(ask: Ask) -> Values:
    """As of all its pages; somebody of a third party gets this page with their own steps alone."""
    if not ask.is_vendor:
        return {**head(ask), "own": False}
    state = ask.incident(own=True)
    ask.reader.note(state)
    return {"own": True, "id": state.stream, "of_drill": state.drill}


PAGES = (
    Page(
        name="incident",
        path="/incidents/{subject}",
        parts=(
            HEAD,
            Part(name="waits", values=parts.waits, personal=True),
            Part(name="breaks", values=whole(parts.breaks)),
            Part(name="chart", values=whole(parts.chart)),
            Part(name="ladder", values=whole(parts.ladder)),
            Part(name="timeline", values=whole(timeline.timeline)),
            Part(name="situation", values=whole(parts.situation)),
            Part(name="own", values=parts.own, personal=True),
        ),
        head=_head,
        live=("{subject}",),
        nav="board",
    ),
    Page(
        name="incident-fact",
        path="/incidents/{subject}/facts/{item}",
        parts=(HEAD, Part(name="fact", values=whole(timeline.fact))),
        head=timeline.fact_head,
        nav="board",
    ),
)
