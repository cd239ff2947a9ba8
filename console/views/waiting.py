"""What an incident waits for from one person, the most pressing first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from console.views.naming import Naming
from models.access import is_vendor, own_steps
from models.page import has_it, page_next_due
from models.plan import PlannedStep
from models.rules.declining import has_declined
from models.rules.pages import asks
from models.state import Incident, Page, StepState
from models.voting import empty_seats

Kind = Literal["page", "work", "decision", "approval", "step", "hand-over", "confirm", "opinion", "message"]
ORDER: tuple[Kind, ...] = (
    "page",
    "decision",
    "approval",
    "work",
    "hand-over",
    "step",
    "message",
    "confirm",
    "opinion",
)
"""What stops an escalation first, then what others cannot go on without, then what is only theirs."""
_ACTIVE = frozenset({"ready", "started", "failed", "unknown"})


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
    found = [*_pages(state, person, naming), *_steps(state, person, roles, naming)]
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
    about = page.subject.partition(":")[2] if page.subject.startswith("step:") else ""
    planned = naming.planned(about) if about else None
    return Waiting(
        kind=kind,
        subject=str(page.id),
        what=naming.title(planned) if planned is not None else naming.subject(page.subject),
        event=page.event,
        at=due,
        late=bool(page.round) or (due is not None and due <= naming.now),
        can_decline=kind == "page",
        about=about,
    )


# -- steps --------------------------------------------------------------------------------------------------


def _steps(state: Incident, person: str, roles: frozenset[str], naming: Naming) -> Iterator[Waiting]:
    for key, known in state.steps.items():
        planned = naming.planned(key) if known.status in _ACTIVE or known.opinions else None
        if planned is None:
            continue
        yield from _opinions(known, planned, person, naming)
        if known.status in _ACTIVE and (kind := _kind(known, planned, person, roles)) is not None:
            yield _step(kind, known, planned, naming)


def _kind(known: StepState, planned: PlannedStep, person: str, roles: frozenset[str]) -> Kind | None:
    """What a step wants of them; None if it is with somebody else."""
    if known.proposed is not None:
        return "approval" if planned.step.approver in roles and known.proposed.by != person else None
    if planned.step.kind == "decision":
        return "decision" if _decides(known, planned, roles) else None
    if known.handed is not None and known.handed.waits:
        return "hand-over" if known.handed.to == person else None
    if known.status == "started" and known.started_by != person:
        return None
    owner = known.owner or planned.step.owner or ""
    return "step" if owner == person or owner in roles else None


def _decides(known: StepState, planned: PlannedStep, roles: frozenset[str]) -> bool:
    """Whether their choice is wanted: theirs is the authority, or a seat from which no vote stands."""
    if planned.step.quorum is None:
        return planned.step.authority in roles
    return bool(roles & set(empty_seats(known.votes, planned.step.quorum.of)))


def _step(kind: Kind, known: StepState, planned: PlannedStep, naming: Naming) -> Waiting:
    handed, proposed = known.handed, known.proposed
    by = handed.by if kind == "hand-over" and handed else proposed.by if proposed else ""
    return Waiting(
        kind=kind,
        subject=planned.key,
        what=naming.title(planned),
        event=known.status,
        at=known.limit_at,
        by=naming.who(by) if by else "",
        text=naming.text(handed.reason, 300) if kind == "hand-over" and handed else "",
        late=known.overdue or known.status in {"failed", "unknown"},
    )


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
