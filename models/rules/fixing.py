"""What may stand for a fix of something in the scope: a step that is done, evidence that is whole."""

from __future__ import annotations

from models.errors import Refused
from models.reason import Reason
from models.rules.common import find_step
from models.state import Incident
from models.world import World


def done_step(state: Incident, step: str, world: World) -> str:
    """The step that fixed it: only what is done has fixed anything (FSA-2.5.2.5-B1)."""
    planned, known = find_step(state, world, step)
    if known.status != "done":
        what = f"step: {planned.key} is {known.status}; expected one that is done"
        raise Refused(Reason.FIELD_WRONG, {"fields": [what]})
    return planned.key


def whole_item(state: Incident, number: str) -> str:
    """The evidence that shows it: a part, or what is damaged or gone, shows nothing."""
    item = state.evidence.get(number)
    if item is None:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": number, "known": sorted(state.evidence)[:20]})
    if not item.secures:
        what = f"evidence: {number} is a part, has no digest, or is damaged or gone; expected a whole item"
        raise Refused(Reason.FIELD_WRONG, {"fields": [what]})
    return number
