"""An incident's own page: what waits for me, what breaks next and who has it, and the course so far."""

from __future__ import annotations

from console.web.frame import Page
from console.web.rooms.matter import HEAD, head

PAGES = (
    Page(
        name="incident",
        path="/incidents/{subject}",
        parts=(HEAD,),
        head=head,
        live=("{subject}",),
        nav="board",
    ),
)
