"""Whether a message still says something by the time it leaves: the page is open, the step to be done."""

from __future__ import annotations

from models.comcheck import LAST
from models.comcheck import TEMPLATE as COMCHECK_TEMPLATE
from models.state import ENDED, Incident, Page, StreamState
from notifiers.briefing import Envelope


def still_asked(state: StreamState, envelope: Envelope) -> bool:
    """Whether the message still says something: the page is open, the step still to be done."""
    if envelope.kind == "page":
        page = state.pages.get(envelope.page)
        if page is None:
            # Of an old page nobody can tell any more; a test is over once its page has been forgotten.
            return envelope.template != COMCHECK_TEMPLATE
        return page.state == "open" and not _has_answered(page, envelope)
    if envelope.template != "notice.step_ready" or not isinstance(state, Incident):
        return True
    known = state.steps.get(envelope.subject.removeprefix("step:"))
    return state.status not in ENDED and known is not None and known.status in {"ready", "started"}


def _has_answered(page: Page, envelope: Envelope) -> bool:
    """Whether the person has said "I have it" to this very call, which goes on until others have too.

    A later level asks anew, and the last resort always does: there is nobody after it.
    """
    at = page.acks.get(envelope.person or "")
    if at is None or envelope.level == LAST:
        return False
    return at >= page.level_at or envelope.level != str(page.level)


def level_of(name: str) -> int:
    """The number of a level, also where a page has lapsed and asks it again (`1-again`); 0 for the others."""
    number = name.removesuffix("-again")
    return int(number) if number.isdigit() else 0
