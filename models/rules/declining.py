"""Saying no to a page: the others of its level are waited for, and if there are none, the next is paged."""

from __future__ import annotations

from typing import Any

from models.answers import Decline
from models.comcheck import EVENT as COMCHECK
from models.errors import Refused
from models.fact import Draft
from models.page import has_it, hurry
from models.permission import require
from models.reason import Reason
from models.rules.common import Decided, text
from models.rules.pages import asks, find_page
from models.state import Page, StreamState
from models.world import World


def decline(state: StreamState, command: Decline, world: World) -> Decided:
    """I cannot take it; from whoever has it: I cannot after all. Whether the next level is due then is a rule
    of the page itself (models.page.nobody_left), except where one person alone was waited for.
    """
    require(command, "decline", state, world)
    reason = text(command.reason, "reason")
    page = find_page(state, command.page, command.who)
    if page.event == COMCHECK:
        # A test asks whether somebody is reached; nobody stands behind it.
        raise Refused(Reason.NOT_ENTITLED_ON_ROUTE, {"who": command.who, "page": page.id})
    _must_be_asked(page, command.who)
    gives_back = has_it(page, command.who)
    stands_in = not gives_back and page.delegated_to == command.who
    data: dict[str, Any] = {"page": page.id, "by": command.who, "level": _level_of(page, command.who)}
    data |= {"gave_back": True} if gives_back else {}
    data |= {"delegate": True} if stands_in else {}
    drafts = [Draft(kind="page.declined", data=data, texts={"reason": reason})]
    if gives_back or stands_in:
        drafts.append(Draft(kind="page.hurried", data=hurry(page, Reason.DECLINED)))
    return drafts


def _must_be_asked(page: Page, person: str) -> None:
    """Raises Refused unless the page waits for this person's answer, or this person has it."""
    if page.state == "stopped" or (page.state == "acknowledged" and not has_it(page, person)):
        # Having acknowledged once is not having it: somebody else may have taken it over since.
        raise Refused(Reason.ALREADY, {"what": f"{page.state} ({page.acked_by or ''})", "page": page.id})
    if person in page.acks:
        return
    if has_declined(page, person):
        raise Refused(Reason.ALREADY, {"what": f"declined ({person})", "page": page.id})
    if not asks(page, person):
        raise Refused(Reason.NOT_PAGED, {"who": person, "page": page.id})


def has_declined(page: Page, person: str) -> bool:
    """Whether the person said no, and neither a further level nor a delegation has asked them since."""
    before = page.declined.get(person)
    if before is None or page.delegated_to == person:
        return False
    return not asks(page, person) or before.level >= _level_of(page, person)


def _level_of(page: Page, person: str) -> int:
    """The latest level that reached the person; that of the page for a delegate or who took it over."""
    reached = [
        len(page.within) if level == "last" else int(level)
        for level, people in page.reached.items()
        if any(one.person == person for one in people)
    ]
    return page.level if page.delegated_to == person or not reached else max(reached)
