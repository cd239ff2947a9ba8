"""What was last exercised, or used in a real incident, and when; and what is overdue (FSA-2.2.5-B1, B4).

A drill counts here as an exercise and never as a use; a real incident the other way round. Whoever looks
gives the incidents that they may know of: nothing here asks for any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, get_args

from models.comcheck import Comcheck
from models.fact import SYSTEM
from models.installation import ExerciseSettings
from models.plan import PlannedStep
from models.programme import Entry, Finding
from models.state import Incident, Programme

Kind = Literal["playbook", "scenario", "route", "role", "person", "vendor", "guideline"]
KINDS: tuple[Kind, ...] = get_args(Kind)
How = Literal["exercise", "incident", "comcheck"]
SERVED_BY: Mapping[str, tuple[str, ...]] = {
    "FSA-2.2.4-Db": ("exercise record", "finding open"),
    "FSA-2.2.5-B1": ("exercise plan", "exercise record", "exercise coverage", "drill import"),
    "FSA-2.2.5-B2": ("exercise sign-off", "exercise year"),
    "FSA-2.2.5-B3": ("scenario show", "exercise year"),
    "FSA-2.2.5-B4": ("finding fix", "exercise findings"),
    "FSA-2.2.5-B5": ("scenario list", "exercise overdue"),
    "FSA-2.2.5-Da": ("drill import", "exercise show"),
    "FSA-2.2.5-Db": ("scenario show", "exercise year"),
    "FSA-2.2.5-Dc": ("finding retest", "finding accept"),
    "FSA-2.2.5-Dd": ("exercise record", "exercise year"),
    "FSA-2.6-Dd": ("exercise coverage",),
}
"""Items of the guideline that ask for exercises, and the commands that serve them, which exist (a test)."""
NO_USE = frozenset({"dismissed", "cancelled"})
"""An incident that was none, or was declared by mistake, has used nothing."""


@dataclass(frozen=True, kw_only=True)
class Use:
    """Something was exercised, or used, at a time, by an exercise, an incident or a communication check."""

    kind: Kind
    name: str
    at: datetime
    how: How
    by: str


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How something stands: last exercised or used, and due again; never exercised is overdue at once."""

    kind: Kind
    name: str
    last: Use | None
    due_at: datetime | None
    overdue: bool


def standings(
    wanted: Mapping[Kind, Sequence[str]], uses: Iterable[Use], settings: ExerciseSettings, now: datetime
) -> list[Standing]:
    """Everything that there is to exercise, with the last of its uses."""
    last: dict[tuple[Kind, str], Use] = {}
    for use in uses:
        known = last.get((use.kind, use.name))
        if known is None or known.at < use.at:
            last[use.kind, use.name] = use
    return [
        _standing(kind, name, last.get((kind, name)), settings, now)
        for kind in wanted
        for name in wanted[kind]
    ]


def _standing(kind: Kind, name: str, last: Use | None, settings: ExerciseSettings, now: datetime) -> Standing:
    due = last.at + settings.interval(kind, name) if last is not None else None
    return Standing(kind=kind, name=name, last=last, due_at=due, overdue=due is None or due <= now)


# -- where uses come from -----------------------------------------------------------------------------------


def of_programme(state: Programme) -> Iterator[Use]:
    """What the exercises that were held, and the communication checks, have exercised."""
    for entry in state.entries.values():
        yield from _of_entry(entry)
    for comcheck in state.comchecks.values():
        yield from _of_comcheck(comcheck)


def _of_entry(entry: Entry) -> Iterator[Use]:
    if entry.status != "held" or entry.held_at is None:
        return
    there = [one for one in entry.participants if not one.absent]
    named: dict[Kind, Iterable[str]] = {
        "playbook": entry.playbooks,
        "scenario": [entry.scenario] if entry.scenario else [],
        "route": entry.routes,
        "role": (one.role for one in there),
        "person": (one.person for one in there if one.person),
        "vendor": entry.parties,
        "guideline": entry.guideline,
    }
    yield from _uses(named, entry.held_at, "exercise", entry.id)


def _of_comcheck(one: Comcheck) -> Iterator[Use]:
    """A test exercises the route that it paged, and those who answered it."""
    there = [person for person in one.people if one.reached(person)]
    named: dict[Kind, Iterable[str]] = {"route": [one.route] if there else [], "person": there}
    yield from _uses(named, one.started_at, "comcheck", one.id)


def of_incident(state: Incident, steps: Mapping[str, PlannedStep]) -> Iterator[Use]:
    """What a real incident has used: playbooks, routes that paged, whoever answered and acted, vendors asked.

    `steps` are its planned steps by key.
    """
    if state.drill or state.status in NO_USE or state.declared_at is None:
        return
    done = {key: one for key, one in state.steps.items() if one.status == "done"}
    acted = {one.done_by for one in done.values() if one.done_by} | set(state.assigned.values())
    acted |= {person for page in state.pages.values() for person in page.acks}
    planned = [steps[key].step for key in done if key in steps]
    named: dict[Kind, Iterable[str]] = {
        "playbook": state.playbooks,
        "route": {page.route for page in state.pages.values() if page.sent},
        "role": _roles(state) | {role for step in planned for role in step.deciders or (step.owner,) if role},
        "person": acted - {SYSTEM},
        "vendor": {ask.party for ask in state.vendors.values()},
        "guideline": {item for step in planned for item in step.guideline},
    }
    yield from _uses(named, state.declared_at, "incident", state.stream)


def _roles(state: Incident) -> set[str]:
    """Roles in which somebody answered a page, or that were given to somebody."""
    answered = {
        one.role
        for page in state.pages.values()
        for people in page.reached.values()
        for one in people
        if one.person in page.acks
    }
    return answered | set(state.assigned)


def _uses(named: Mapping[Kind, Iterable[str]], at: datetime, how: How, by: str) -> Iterator[Use]:
    for kind, names in named.items():
        for name in names:
            yield Use(kind=kind, name=name, at=at, how=how, by=by)


# -- what waits in the programme ----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What of the programme is late: plans, findings, findings whose re-test nobody has planned."""

    plans: tuple[Entry, ...]
    findings: tuple[Finding, ...]
    without_retest: tuple[Finding, ...]

    def __bool__(self) -> bool:
        return bool(self.plans or self.findings or self.without_retest)


def waiting(state: Programme, now: datetime) -> Waiting:
    """What is late at `now`, and what was mended and is going to be shown by no exercise."""
    planned = retests(state)
    return Waiting(
        plans=tuple(one for one in state.entries.values() if one.late(now)),
        findings=tuple(one for one in state.findings.values() if one.status == "open" and one.due <= now),
        without_retest=tuple(
            one for one in state.findings.values() if one.status == "fixed" and one.id not in planned
        ),
    )


def retests(state: Programme) -> dict[str, str]:
    """Finding -> the planned exercise that tests it again; of several the first."""
    found: dict[str, str] = {}
    planned = (one for one in state.entries.values() if one.status == "planned")
    for entry in sorted(planned, key=lambda one: one.when):
        for finding in entry.retests:
            found.setdefault(finding, entry.id)
    return found


def year_of(year: int, begins: int) -> tuple[date, date]:
    """First and last day of the institution's year that begins in this month of `year`."""
    return date(year, begins, 1), date(year + 1, begins, 1) - timedelta(days=1)
