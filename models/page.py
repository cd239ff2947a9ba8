"""Pages and their escalation: who is asked next, and why (FSA-2.5.2.1-B3).

The timing that a page follows was written into the fact that asked for it, so a rule needs no route to tell
what is due, and a changed route moves nothing that has begun. Instants count from `base`, never from now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from models.comcheck import EVENT as COMCHECK
from models.reason import Reason
from models.state import Page


@dataclass(frozen=True, kw_only=True)
class Escalation:
    """What a page's clock says: page `level`, repeat, exhaust, lapse, or wait `until`."""

    reason: Reason
    level: int | None = None
    skipped: tuple[int, ...] = ()
    attempt: int = 1
    round: int = 0
    until: datetime | None = None


def due_at(page: Page, level: int) -> datetime:
    """When `level` is to be paged; the number of levels stands for exhaustion."""
    return page.base + timedelta(seconds=sum(page.within[page.base_level : level]))


def escalation_due(page: Page, now: datetime) -> Escalation:
    """The latest level due, with those skipped over while nobody could page."""
    if page.state == "stopped":
        return Escalation(reason=Reason.STOPPED)
    if page.state == "acknowledged":
        return _lapse_due(page, now)
    if (waits := _held(page, now)) is not None:
        return waits
    last = len(page.within)
    if due_at(page, last) <= now:
        return _exhaustion_due(page, now)
    due = [n for n in range(page.level + 1, last) if due_at(page, n) <= now]
    if due:
        return Escalation(reason=Reason.ACK_OVERDUE, level=due[-1], skipped=tuple(due[:-1]))
    return _repeat_due(page, now)


def _held(page: Page, now: datetime) -> Escalation | None:
    """What keeps a page from climbing: that somebody else has it for a time, or that it is only a test."""
    if page.event == COMCHECK:
        # It ends when its communication check does (`models.rules.comcheck`).
        return Escalation(reason=Reason.NOT_DUE, until=due_at(page, len(page.within)))
    if page.delegated_until is not None and page.delegated_until > now:
        return Escalation(reason=Reason.DELEGATED, until=page.delegated_until)
    return None


def _lapse_due(page: Page, now: datetime) -> Escalation:
    """An acknowledgement holds only if work starts (the route's `renew`)."""
    if not page.renew or page.acked_at is None or page.worked_at is not None:
        return Escalation(reason=Reason.ACKNOWLEDGED)
    lapses = page.acked_at + timedelta(seconds=page.renew)
    if lapses <= now:
        return Escalation(reason=Reason.ACK_LAPSED, level=page.level, attempt=page.attempt + 1)
    return Escalation(reason=Reason.NOT_RENEWED, until=lapses)


def _exhaustion_due(page: Page, now: datetime) -> Escalation:
    """The last resort: at once when the last level's time is over, then at even intervals, for ever."""
    first = due_at(page, len(page.within))
    rounds = int((now - first).total_seconds() // page.every) + 1
    if rounds > page.round:
        skipped = tuple(range(page.level + 1, len(page.within)))
        return Escalation(
            reason=Reason.ROUTE_EXHAUSTED, level=len(page.within), skipped=skipped, round=rounds
        )
    return Escalation(reason=Reason.NOT_DUE, until=first + timedelta(seconds=page.every * rounds))


def _repeat_due(page: Page, now: datetime) -> Escalation:
    following = due_at(page, page.level + 1)
    every = page.repeat[page.level]
    if not every:
        return Escalation(reason=Reason.NOT_DUE, until=following)
    passed = max(0, int((now - page.level_at).total_seconds() // every))
    if passed + 1 > page.attempt:
        return Escalation(reason=Reason.REPEAT_DUE, level=page.level, attempt=passed + 1)
    again = page.level_at + timedelta(seconds=every * page.attempt)
    return Escalation(reason=Reason.NOT_DUE, until=min(following, again))


def hurry(page: Page, reason: Reason) -> dict[str, Any]:
    """What `page.hurried` holds: the level that follows is due at once."""
    return {"page": page.id, "level": page.level + 1, "reason": reason.value}


def refused_on(page: Page, level: int) -> frozenset[str]:
    """Those who said no on this level; they are not asked on it again."""
    return frozenset(person for person, no in page.declined.items() if no.level == level)


def needed(page: Page) -> frozenset[str]:
    """Whose answers the level in force wants, if all of it must answer; empty if one answer is enough.

    Those whom it reached on some channel, and those who said no: nobody waits for somebody asleep.
    """
    if page.level >= len(page.all_of) or not page.all_of[page.level]:
        return frozenset()
    people = page.reached.get(str(page.level), [])
    return frozenset(one.person for one in people if one.channels) | refused_on(page, page.level)


def answered(page: Page, *besides: str) -> frozenset[str]:
    """Who has acknowledged, with `besides`; a delegate's answer is that of whoever named them as well."""
    acks = {*page.acks, *besides}
    if page.delegated_by is not None and page.delegated_to in acks:
        acks.add(page.delegated_by)
    return frozenset(acks)


def has_it(page: Page, person: str) -> bool:
    """Whether a page that was acknowledged is with this person: alone, or with all of its level."""
    if page.state != "acknowledged":
        return False
    all_of = needed(page)
    return page.acked_by == person or (person in all_of & page.acks.keys() and all_of <= answered(page))


def nobody_left(page: Page) -> Reason | None:
    """Why waiting for the present level would help nobody; None if somebody may still answer, or it is over.

    Where all of a level must answer, one no is enough once the others have said what they had to.
    """
    if page.round or page.base_level > page.level:
        return None
    people = [one.person for one in page.reached.get(str(page.level), []) if one.channels]
    if not people:
        return Reason.DECLINED if refused_on(page, page.level) else Reason.DELIVERY_FAILED
    refused = refused_on(page, page.level)
    if not refused or any(_may_still_answer(page, person, refused) for person in people):
        return None
    return Reason.DECLINED


def _may_still_answer(page: Page, person: str, refused: frozenset[str]) -> bool:
    return not (person in refused or person in page.acks or _given_up_on(page, person))


def _given_up_on(page: Page, person: str) -> bool:
    """Whether no message of this level got through to them; a key is stream/page/level/attempt/address."""
    levels = {str(page.level), f"{page.level}-again"}
    return any(key.endswith(f":{person}") and key.split("/")[2] in levels for key in page.failed)


def page_next_due(page: Page) -> datetime | None:
    """When `escalation_due` will next say something else than wait; None if never."""
    if page.state == "stopped":
        return None
    if page.state == "acknowledged":
        waits = page.renew and page.acked_at is not None and page.worked_at is None
        return page.acked_at + timedelta(seconds=page.renew) if waits and page.acked_at else None
    if page.delegated_until is not None:
        return page.base
    last = len(page.within)
    if page.round:
        return due_at(page, last) + timedelta(seconds=page.every * page.round)
    following = due_at(page, min(page.level + 1, last))
    every = page.repeat[page.level]
    return min(following, page.level_at + timedelta(seconds=every * page.attempt)) if every else following
