"""What an incident waits for from one person, the most pressing first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from console.views.failing import failure
from console.views.naming import Naming
from models import awaited as awaiting
from models.access import is_vendor, own_steps
from models.clocks.owed import find_obligation
from models.page import has_it, page_next_due
from models.plan import PlannedStep
from models.rules.declining import has_declined
from models.rules.pages import asks
from models.state import Incident, Page, StepState

Kind = Literal["page", "work", "confirm", "opinion", "message"] | awaiting.Kind
ORDER: tuple[Kind, ...] = (
    "page",
    "stuck",
    "decision",
    "approval",
    "judge",
    "severity",
    "submit",
    "work",
    "hand-over",
    "step",
    "message",
    "confirm",
    "opinion",
)
"""What stops an escalation first, then what others cannot go on without, then what is only theirs."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """One thing. `subject` is a page's number, a step's key, a fact's number or a message's id."""

    kind: Kind
    subject: str
    what: str
    event: str = ""
    at: datetime | None = None
    by: str = ""
    text: str = ""
    late: bool = False
    can_decline: bool = False
    about: str = ""
    """The step that a page is about."""


def waiting(person: str, naming: Naming) -> list[Waiting]:
    """All that waits for them. A third party is told of its own steps and of what was written for it."""
    state = naming.state
    assert isinstance(state, Incident)  # noqa: S101 - said of incidents only
    roles = naming.world.roles_of(state, person)
    found = [*_pages(state, person, naming), *_awaited(state, person, roles, naming)]
    found += [*_confirmations(state, person, naming), *_messages(state, roles)]
    if is_vendor(person, naming.world):
        mine = set(own_steps(state, person, naming.world))
        found = [one for one in found if one.kind in {"page", "confirm"} or one.subject in mine]
    return sorted(found, key=_place)


def _place(one: Waiting) -> tuple[int, float, str]:
    return ORDER.index(one.kind), one.at.timestamp() if one.at else float("inf"), one.subject


# -- pages --------------------------------------------------------------------------------------------------


def _pages(state: Incident, person: str, naming: Naming) -> Iterator[Waiting]:
    for page in state.pages.values():
        if page.state == "open" and _waits(page, person):
            yield _page("page", page, naming)
        elif has_it(page, person) and page.renew and page.worked_at is None:
            yield _page("work", page, naming)


def _waits(page: Page, person: str) -> bool:
    """Whether an answer of theirs is wanted: it reached them, and they have said neither yes nor no."""
    return asks(page, person) and person not in page.acks and not has_declined(page, person)


def _page(kind: Kind, page: Page, naming: Naming) -> Waiting:
    due = page_next_due(page)
    return Waiting(
        kind=kind,
        subject=str(page.id),
        what=about(page, naming),
        event=page.event,
        at=due,
        late=bool(page.round) or (due is not None and due <= naming.now),
        can_decline=kind == "page",
        about=_step_of(page),
    )


def _step_of(page: Page) -> str:
    return page.subject.partition(":")[2] if page.subject.startswith("step:") else ""


def about(page: Page, naming: Naming) -> str:
    """What a page is about, without the keys of steps: those say nothing to whoever is called."""
    planned = naming.planned(_step_of(page)) if _step_of(page) else None
    return naming.title(planned) if planned is not None else naming.subject(page.subject)


# -- steps --------------------------------------------------------------------------------------------------


def _awaited(state: Incident, person: str, roles: frozenset[str], naming: Naming) -> Iterator[Waiting]:
    for known in state.steps.values():
        planned = naming.planned(known.key) if known.opinions else None
        if planned is not None:
            yield from _opinions(known, planned, person, naming)
    for one in awaiting.awaited(state, naming.world):
        if one.waits_for(person, roles):
            yield told(one, state, naming)


def told(one: awaiting.Awaited, state: Incident, naming: Naming) -> Waiting:
    """One thing in words: what it is, since whom or why, until when."""
    planned = naming.planned(one.subject) if one.subject in state.steps else None
    if planned is not None:
        return _step(one, state.steps[one.subject], planned, naming)
    what = naming.severity(one.subject) if one.kind == "severity" else _report(one, state, naming)
    late = one.at is not None and one.at <= naming.now
    return Waiting(kind=one.kind, subject=one.subject, what=what, at=one.at, late=late)


def _report(one: awaiting.Awaited, state: Incident, naming: Naming) -> str:
    found = find_obligation(state, naming.world, one.subject)
    if found is None:
        return one.subject
    return f"{found.title.lang(naming.lang)} ({found.recipient.lang(naming.lang)})"


def _step(one: awaiting.Awaited, known: StepState, planned: PlannedStep, naming: Naming) -> Waiting:
    handed, proposed = known.handed, known.proposed
    by, text = "", ""
    if one.kind == "hand-over" and handed is not None:
        by, text = handed.by, naming.text(handed.reason, 300)
    elif one.kind == "approval" and proposed is not None:
        by = proposed.by
        text = naming.texts(
            "answers.asks",
            choice=option(planned, proposed.choice, naming),
            reason=naming.text(proposed.reason, 300),
        )
    elif one.kind == "stuck":
        text = failure(known, planned, naming)
    return Waiting(
        kind=one.kind,
        subject=planned.key,
        what=naming.title(planned),
        event=known.status,
        at=one.at,
        by=naming.who(by) if by else "",
        text=text,
        late=known.overdue or one.kind == "stuck",
    )


def option(planned: PlannedStep, choice: str, naming: Naming) -> str:
    """The title of what is chosen."""
    found = next((one for one in planned.step.options if one.id == choice), None)
    return found.title.lang(naming.lang) if found is not None and found.title else choice


def _opinions(known: StepState, planned: PlannedStep, person: str, naming: Naming) -> Iterator[Waiting]:
    for one in known.opinions:
        if one.person == person and one.given_at is None:
            question = naming.text(one.question, 300)
            by = naming.who(one.asked_by)
            what = naming.title(planned)
            yield Waiting(kind="opinion", subject=planned.key, what=what, by=by, text=question)


# -- what was written ---------------------------------------------------------------------------------------


def _confirmations(state: Incident, person: str, naming: Naming) -> Iterator[Waiting]:
    for one in (*state.confirmations.values(), *state.unasked):
        if one.person == person:
            yield Waiting(kind="confirm", subject=str(one.seq), what=f"#{one.seq}", by=naming.who(one.by))


def _messages(state: Incident, roles: frozenset[str]) -> Iterator[Waiting]:
    for message in state.outgoing.values():
        if roles & set(message.waiting()):
            yield Waiting(kind="message", subject=message.id, what=message.id, text=message.audience)
