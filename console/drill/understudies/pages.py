"""Pages: acknowledged after a while, or not heard, so that they climb."""

from __future__ import annotations

from collections.abc import Iterator

from console.drill.understudies.seen import Act, Seen, actor
from console.drill.understudies.times import drawn
from models.comcheck import EVENT as COMCHECK
from models.commands import Acknowledge, Confirm
from models.page import answered, needed
from models.state import Page, Recipient

PER_CENT = 100


def answers(seen: Seen) -> Iterator[Act]:
    """Who answers which open page, on the level that is in force."""
    for page in seen.state.open_pages():
        if page.event == COMCHECK:
            continue  # whether somebody can be reached is not for a script to say
        yield from _answers(seen, page)


def _answers(seen: Seen, page: Page) -> Iterator[Act]:
    reached = page.reached.get(str(page.level), [])
    if any(one.person in seen.players for one in reached):
        return  # a player was called too, and has it first
    missing = (needed(page) - answered(page)) or None
    acts = [_answer(seen, page, one) for one in reached if missing is None or one.person in missing]
    found = [one for one in acts if one is not None]
    if missing is not None:
        yield from found
    elif found:
        yield min(found, key=lambda one: one.order)


def _answer(seen: Seen, page: Page, called: Recipient) -> Act | None:
    about = f"page {seen.state.stream} {page.id} {page.level} {page.round}"
    if called.person not in seen.understudies(called.person) or called.role in seen.played:
        return None
    span = seen.times.answer
    if drawn(seen.exercise.seed, called.person, about, "heard") % PER_CENT < span.unheard:
        return None
    at = page.level_at + seen.after(span, called.person, about)
    return seen.act(at, Acknowledge(actor=actor(called.person), page=page.id), about)


def confirmations(seen: Seen) -> Iterator[Act]:
    """What a scribe wrote for somebody whom nobody plays is confirmed by them."""
    state = seen.incident
    for known in state.confirmations.values():
        if known.person in seen.understudies(known.person) and known.person != known.by:
            about = f"confirm {state.stream} {known.seq}"
            since = seen.noticed.of("confirm", str(known.seq), state.at or seen.world.now)
            at = since + seen.after(seen.times.approve, known.person, about)
            yield seen.act(at, Confirm(actor=actor(known.person), fact=known.seq), about)
