"""The route of a page as a ladder: who was reached on which rung, how the message fared, who is next when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from console.views import answers
from console.views.naming import Naming
from console.views.pages import next_of
from models.clock import from_micros
from models.page import due_at, has_it
from models.routing import level_recipients, route_of
from models.state import Page, Recipient, StreamState

LAST = "last"
AGAIN = "-again"
MAX_OPEN, MAX_OVER = 5, 3
Answer = Literal["acknowledged", "declined", "silent", ""]


@dataclass(frozen=True, kw_only=True)
class Sending:
    """One message of a page, as the outbox has it; `state` queued, sending, sent, given_up or withdrawn."""

    page: int
    level: str
    attempt: int
    person: str
    channel: str
    state: str
    tries: int
    created_at: int
    sent_at: int | None


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message to somebody over one channel; `state` as the outbox says it."""

    channel: str
    state: str
    at: datetime
    tries: int


@dataclass(frozen=True, kw_only=True)
class Reached:
    """Somebody on a rung."""

    name: str
    role: str
    answer: Answer
    answered_at: datetime | None = None
    why: str = ""
    messages: tuple[Message, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rung:
    """A level of the route. `at` is when it was or will be reached; `number` counts from one, 0 the last."""

    number: int
    at: datetime
    reached: bool
    next: bool
    people: tuple[Reached, ...]


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """A page and its rungs, in their order."""

    id: int
    subject: str
    event: str
    state: str
    asked_at: datetime
    acked_by: str
    acked_at: datetime | None
    delegated: str
    delegated_until: datetime | None
    next_at: datetime | None
    next_people: str
    rungs: tuple[Rung, ...]
    exhausted: bool
    unsent: bool


def shown(state: StreamState) -> tuple[list[Page], int]:
    """The pages worth a ladder: the open ones, the newest last acknowledged; and how many more are open."""
    waiting = state.open_pages()
    over = [page for page in state.pages.values() if page.state == "acknowledged"]
    over.sort(key=lambda page: page.acked_at or page.asked_at, reverse=True)
    # What has climbed furthest first: there nobody has answered for longest.
    waiting.sort(key=lambda page: (-page.round, -page.level, page.id))
    return [*waiting[:MAX_OPEN], *over[:MAX_OVER]], max(0, len(waiting) - MAX_OPEN)


def ladder(page: Page, sendings: Sequence[Sending], naming: Naming) -> Ladder:
    """One page. `sendings` are the messages of all pages that are shown."""
    own = [one for one in sendings if one.page == page.id]
    following = next_of(page, naming) if page.state == "open" else None
    return Ladder(
        id=page.id,
        subject=naming.subject(page.subject),
        event=page.event,
        state=page.state,
        asked_at=page.asked_at,
        acked_by=naming.who(page.acked_by) if page.acked_by else "",
        acked_at=page.acked_at,
        delegated=answers.delegate(page, naming) if page.delegated_to and page.delegated_until else "",
        delegated_until=page.delegated_until if page.delegated_to else None,
        next_at=following.at if following else None,
        next_people=following.people if following else "",
        rungs=tuple(_rungs(page, own, naming)),
        exhausted=page.round > 0,
        unsent=page.state == "open" and not page.sent,
    )


def _rungs(page: Page, own: Sequence[Sending], naming: Naming) -> Iterator[Rung]:
    last = len(page.within)
    for name, people in page.reached.items():
        level = last if name == LAST else int(name)
        mine = [one for one in own if one.level.removesuffix(AGAIN) == name]
        begun = min((one.created_at for one in mine), default=None)
        yield Rung(
            number=0 if name == LAST else level + 1,
            at=from_micros(begun) if begun is not None else _reached_at(page, name, level),
            reached=True,
            next=False,
            people=tuple(_person(page, one, mine, naming) for one in people),
        )
    if page.state == "open" and not page.round:
        yield from _to_come(page, naming)


def _reached_at(page: Page, name: str, level: int) -> datetime:
    """Where the outbox no longer says when: as the route has it."""
    if level == 0:
        return page.asked_at
    return page.level_at if name == str(page.level) else due_at(page, level)


def _to_come(page: Page, naming: Naming) -> Iterator[Rung]:
    route = route_of(naming.world, naming.state, page)
    last = len(page.within)
    for level in range(page.level + 1, last + 1):
        to = route.exhausted.to if level >= min(last, len(route.levels)) else route.levels[level].to
        people = level_recipients(naming.world, naming.state, to, (), page.subject)
        yield Rung(
            number=0 if level == last else level + 1,
            at=due_at(page, level),
            reached=False,
            next=level == page.level + 1,
            people=tuple(
                Reached(name=naming.who(one["person"]), role=naming.who(one["role"]), answer="")
                for one in people
            ),
        )


def _person(page: Page, one: Recipient, sendings: Iterable[Sending], naming: Naming) -> Reached:
    answer, at, why = _answer(page, one.person, naming)
    return Reached(
        name=naming.recipient(one),
        role=naming.who(one.role) if one.role != one.person else "",
        answer=answer,
        answered_at=at,
        why=why,
        messages=tuple(_latest(sendings, one.person)),
    )


def _answer(page: Page, person: str, naming: Naming) -> tuple[Answer, datetime | None, str]:
    if person in page.acks or has_it(page, person):
        return "acknowledged", page.acks.get(person) or page.acked_at, ""
    no = page.declined.get(person)
    if no is not None:
        return "declined", no.at, naming.text(no.reason, 300)
    return ("silent" if page.state == "open" else ""), None, ""


def _latest(sendings: Iterable[Sending], person: str) -> Iterator[Message]:
    """Of each channel what became of the last attempt, and how many there were."""
    found: dict[str, list[Sending]] = {}
    for one in sendings:
        if one.person == person:
            found.setdefault(one.channel, []).append(one)
    for channel, many in found.items():
        newest = max(many, key=lambda one: one.attempt)
        at = from_micros(newest.sent_at or newest.created_at)
        yield Message(
            channel=channel, state=newest.state, at=at, tries=sum(max(one.tries, 1) for one in many)
        )
