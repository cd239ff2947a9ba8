"""Acknowledging, delegating, and what time makes of an open page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from models.clock import iso
from models.comcheck import EVENT as COMCHECK
from models.comcheck import LAST
from models.commands import Acknowledge, Actor, Delegate, Impair, MarkDelivery
from models.errors import Refused
from models.fact import Draft, Fact
from models.page import Escalation, answered, escalation_due, hurry, needed, refused_on
from models.permission import require
from models.policy import Route
from models.reach import loud, reachable
from models.reason import Reason
from models.routing import answering_level, entitled_level, everybody, level_recipients, paged, route_of
from models.rules.comcheck import confirming
from models.rules.common import Decided, Then, must_reach
from models.state import Page, Programme, StreamState
from models.world import World

MAX_DELEGATION = timedelta(hours=24)
DELIVERY = "delivery"
"""The name under which the house says that no channel reaches the last resort of some page."""
_WATCH = Actor.machine("watch")


def acknowledge(state: StreamState, command: Acknowledge, world: World) -> Decided:
    """I have it. Somebody entitled on any level takes it over; anybody else is recorded as having seen it."""
    require(command, "ack", state, world)
    page = find_page(state, command.page, command.who)
    if page.state != "open":
        detail = {"what": f"{page.state} ({page.acked_by or ''})", "page": page.id}
        # Nobody has answered it, and nobody's answer counts: whoever holds an old message is told so.
        over = page.state == "stopped" and page.acked_by is None
        raise Refused(Reason.ALREADY, detail | ({"case": "page-over"} if over else {}))
    level = answering_level(world, state, page, command.who)
    if level is None:
        seen = {"page": page.id, "by": command.who, "reason": Reason.NOT_ENTITLED_ON_ROUTE.value}
        return [Draft(kind="page.seen", data=seen)]
    data = {
        "page": page.id,
        "by": command.who,
        "level": level,
        "takeover": level != page.level,
        "complete": _complete(page, level, command.who),
    }
    taken: list[Draft | Then] = [Draft(kind="page.acknowledged", data=data, at=command.at)]
    if page.round and state.stream != "house":
        # Whoever the last resort did not reach is not needed any more.
        mended = Impair(actor=_WATCH, what=DELIVERY, detail=f"{state.stream}/{page.id}", mended=True)
        taken.append(Then(stream="house", command=mended))
    if page.event == COMCHECK and isinstance(state, Programme):
        taken += confirming(state, page, command, world)
    return taken


def acknowledged_by_acting(state: StreamState, subject: str, person: str) -> list[Draft]:
    """That somebody was heard who did what the page asks for, without saying that they have it."""
    return [
        Draft(
            kind="page.acknowledged",
            data={
                "page": page.id,
                "by": person,
                "level": page.level,
                "takeover": False,
                "complete": _complete(page, page.level, person),
            },
        )
        for page in state.open_pages()
        if page.subject == subject and person not in page.acks and asks(page, person)
    ]


def find_page(state: StreamState, number: int | None, person: str) -> Page:
    """The page of this number, or the one open page that asks this person. Raises Refused."""
    if number is not None:
        if number not in state.pages:
            raise Refused(Reason.NO_SUCH_PAGE, {"page": number, "known": sorted(state.pages)})
        return state.pages[number]
    asked = [page for page in state.open_pages() if asks(page, person)]
    if asked:
        return asked[-1]
    if len(state.open_pages()) == 1:
        return state.open_pages()[0]
    taken = [page for page in state.pages.values() if page.state == "acknowledged"]
    if taken and not state.open_pages():
        return taken[-1]
    raise Refused(Reason.NO_SUCH_PAGE, {"page": "", "known": [page.id for page in state.open_pages()]})


def asks(page: Page, person: str) -> bool:
    """Whether the page has reached this person; taking over another's page needs its number."""
    if page.delegated_to == person:
        return True
    return any(one.person == person for people in page.reached.values() for one in people)


def _complete(page: Page, level: int, person: str) -> bool:
    """Whether this answer stops the page. Where all of a level must answer, only the last of them does."""
    return level != page.level or needed(page) <= answered(page, person)


def delegate(state: StreamState, command: Delegate, world: World) -> Decided:
    """Somebody else has it until a time; then the route goes on."""
    require(command, "delegate", state, world)
    page = find_page(state, command.page, command.who)
    if page.state != "open":
        raise Refused(Reason.ALREADY, {"what": page.state, "page": page.id})
    level = entitled_level(world, state, route_of(world, state, page), command.who, page.subject)
    if page.event == COMCHECK or level is None or level < page.level or page.level in page.delegated_levels:
        # Once a level: nobody may hold the route up again and again.
        raise Refused(Reason.NOT_ENTITLED_ON_ROUTE, {"who": command.who, "page": page.id})
    people = paged(world, state, (command.to,), (), page.subject)
    if world.directory.person(command.to) is None or not people:
        raise Refused(Reason.UNKNOWN_PERSON, {"who": command.to})
    must_reach(people, command.to, "to")
    if not world.now < command.until <= world.now + MAX_DELEGATION:
        raise Refused(
            Reason.FIELD_WRONG,
            {"fields": [f"until: expected a time within 24h, got {command.until.isoformat()}"]},
        )
    # Whoever is reached has it: the deputy of somebody absent, who could not answer in their name.
    to = people[0]["person"]
    data = {
        "page": page.id,
        "by": command.who,
        "to": to,
        "until": iso(command.until),
        "recipients": people,
    }
    data |= {"absent": command.to} if to != command.to else {}
    return [Draft(kind="page.delegated", data=data)]


def page_due(state: StreamState, page: Page, world: World) -> list[Draft]:
    """What time alone makes of a page: the next level, a repeat, the last resort, or a lapse."""
    found = escalation_due(page, world.now)
    if found.level is None:
        return []
    route = route_of(world, state, page)
    data: dict[str, Any] = {"page": page.id, "level": found.level, "reason": found.reason.value}
    if found.reason is Reason.ROUTE_EXHAUSTED:
        to = route.exhausted.to
        # The last resort wakes whoever it names: there is nobody after them.
        people = loud(level_recipients(world, state, to, (), page.subject))
        # Whoever said no is spared while others are left; nobody left would be the end of the page.
        left = _without(people, page, len(page.within))
        people = left if reachable(left) else people
        if not reachable(people):
            # Better somebody on leave than nobody at all.
            people = loud(everybody(world, state, to, page.subject))
            data["away"] = True
        data |= {"round": found.round, "call": page.calls + 1, "recipients": people}
        data |= _skipped(state, page, route, found, people, world)
        return [Draft(kind="page.exhausted", data=data | _delay(page, found, world))]
    data["recipients"] = _of_level(state, page, route, found.level, world)
    if found.reason in {Reason.REPEAT_DUE, Reason.ACK_LAPSED}:
        data["recipients"] = _without(data["recipients"], page, found.level)
        kind = "page.repeated" if found.reason is Reason.REPEAT_DUE else "page.lapsed"
        return [Draft(kind=kind, data=data | {"attempt": found.attempt})]
    data |= _skipped(state, page, route, found, data["recipients"], world)
    return [Draft(kind="page.escalated", data=data | _delay(page, found, world))]


def unheard(facts: Sequence[Fact]) -> list[Then]:
    """What the house is told when a last resort reaches nobody: no message will be there to fail."""
    silent = [
        fact
        for fact in facts
        if fact.kind == "page.exhausted" and fact.stream != "house" and not reachable(fact.data["recipients"])
    ]
    keys = [f"{fact.stream}/{fact.data['page']}" for fact in silent]
    return [Then(stream="house", command=Impair(actor=_WATCH, what=DELIVERY, detail=key)) for key in keys]


def _without(people: list[dict[str, Any]], page: Page, level: int) -> list[dict[str, Any]]:
    """Those of a level who have not said no to it."""
    refused = refused_on(page, level)
    return [one for one in people if one["person"] not in refused]


def _skipped(
    state: StreamState,
    page: Page,
    route: Route,
    found: Escalation,
    asked: list[dict[str, Any]],
    world: World,
) -> dict[str, Any]:
    """The people of the levels that nobody could page in time: each is told once, and not if asked anyway."""
    told = {one["person"] for one in asked}
    levels = []
    for level in found.skipped:
        people = [
            one | ({"told": False} if one["person"] in told else {})
            for one in _of_level(state, page, route, level, world)
        ]
        told |= {one["person"] for one in people}
        levels.append({"level": level, "recipients": people})
    return {"skipped": levels} if levels else {}


def _of_level(state: StreamState, page: Page, route: Route, level: int, world: World) -> list[dict[str, Any]]:
    rung = route.levels[level]
    return paged(world, state, rung.to, rung.channels, page.subject)


def _delay(page: Page, found: Escalation, world: World) -> dict[str, Any]:
    """The outage that made this late, if one did: shown as "delayed by outage 02:10-02:55"."""
    since = page.level_at
    for start, end in reversed(world.outages):
        if end > since and end <= world.now and (found.skipped or end - start > timedelta(seconds=30)):
            return {"delayed_by": [iso(start), iso(end)]}
    return {}


def mark_delivery(state: StreamState, command: MarkDelivery, world: World) -> Decided:
    """What became of a message. A page that reaches nobody on its level goes on at once (promise P3)."""
    data: dict[str, Any] = {"key": command.key, "channel": command.channel, "tries": command.tries}
    known = {
        "page": command.page,
        "person": command.person,
        "further": list(command.further),
        "reached": command.reached,
        "detail": command.detail[:200],
    }
    data |= {name: value for name, value in known.items() if value}
    drafts: list[Draft | Then] = [Draft(kind=f"message.{command.outcome}", data=data)]
    page = state.pages.get(command.page)
    mends = command.outcome == "sent" and command.person and state.stream != "house"
    if mends and page is not None and page.round and _is_last(command.key):
        # Only what went to a person: a copy for a channel's readers says nothing about who is reached.
        return [*drafts, Then(stream="house", command=_impaired(command, mended=True))]
    if command.outcome != "given_up" or not command.page or state.stream == "house":
        return drafts
    reached = command.further or command.reached
    if page is None or page.state != "open" or page.event == COMCHECK or reached:
        return drafts
    if page.round:
        # The last resort itself cannot be reached: whoever looks after Hikeshi has to know.
        alarm = [Then(stream="house", command=_impaired(command, mended=False))]
        return [*drafts, *(alarm if _is_last(command.key) else [])]
    if _nobody_of(page, command):
        drafts.append(Draft(kind="page.hurried", data=hurry(page, Reason.DELIVERY_FAILED)))
    return drafts


def _is_last(key: str) -> bool:
    """Whether a copy was for the last resort itself: only that one shows that somebody there is reached."""
    return key.split("/")[2:3] == [LAST]


def _nobody_of(page: Page, command: MarkDelivery) -> bool:
    """Whether the page now waits for nobody: for a delegate not reached, or a level of which nobody was."""
    place = command.key.split("/")[2:4]
    if place[:1] == ["delegate"]:
        # What comes late from a delegation that is over moves nothing.
        return page.delegated_to is not None and place[1:] == [str(page.delegated_as)]
    asked = page.level == command.level and page.base_level <= page.level
    return asked and _all_failed(page, command.key)


def _impaired(command: MarkDelivery, *, mended: bool) -> Impair:
    return Impair(actor=command.actor, what=DELIVERY, detail=command.key, mended=mended)


def _all_failed(page: Page, key: str) -> bool:
    """Whether each person of the level whom a page could reach has been given up on."""
    failed = [*page.failed, key]
    people = [one for one in page.reached.get(str(page.level), []) if one.channels]
    prefix = key.rsplit("/", 2)[0]
    return all(
        any(one.startswith(prefix) and one.endswith(f":{person.person}") for one in failed)
        for person in people
    )
