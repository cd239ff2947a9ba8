"""What was recorded, told to whoever asked for it."""

from __future__ import annotations

from collections.abc import Iterator

from console.views import facts
from console.views.naming import Naming
from models.fact import SYSTEM
from models.premises import Outcome

FOLLOWING = frozenset({"phase.opened", "phase.ended", "gate.held", "page.unanswerable", "incident.declared"})
MAX_FOLLOWING = 5


def told(outcome: Outcome, naming: Naming) -> tuple[str, ...]:
    """The facts of this act, and what the rules did at once."""
    return tuple(_lines(outcome, naming))


def _lines(outcome: Outcome, naming: Naming) -> Iterator[str]:
    t = naming.texts
    if outcome.opened:
        yield t("words.opened", incident=outcome.opened)
    own = [fact for fact in outcome.facts if fact.actor != SYSTEM and fact.stream == outcome.stream]
    for fact in own:
        yield "✅ " + facts.sentence(fact, naming)
    if not own:
        yield t("words.nothing_new")
    follow = [
        fact
        for fact in outcome.facts
        if fact.actor == SYSTEM and fact.kind in FOLLOWING and fact.stream == outcome.stream
    ]
    for fact in follow[:MAX_FOLLOWING]:
        yield "→ " + facts.sentence(fact, naming)
    if any(fact.kind == "page.asked" for fact in outcome.facts):
        yield t("words.paged")
