"""Shift plans: proposed fairly, and checked with all defects at once.

Pure: whoever may take a role, and who is away, is asked of the directory given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from models.directory import Directory
from models.organisation import Person
from models.readers import members
from models.shifts import REST, PlannedShift, ShiftState

FREE_ROLES = ("commander", "scribe")
"""Roles of the incident that anybody may be named for; all others stay with those who hold them anyway."""
MAX_SHIFTS = 200
MAX_ROLES, MAX_PEOPLE, MAX_DAYS = 10, 50, 31
LONGEST_SHIFT = timedelta(hours=24)
OVERLAP = timedelta(minutes=30)
MOST_OVERLAP = timedelta(hours=2)
AHEAD = timedelta(days=62)
DefectKind = Literal[
    "role", "person", "not-entitled", "order", "too-long", "over", "too-far", "absent", "rest", "two-at-once",
    "too-many",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ShiftDefect:
    """What is wrong with shift `number`, counted from 1; 0 is the plan as a whole."""

    number: int
    kind: DefectKind
    detail: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """`3:rest:person=aoki` for the detail of a refusal."""
        said = ",".join(f"{name}={value}" for name, value in self.detail.items())
        return f"{self.number}:{self.kind}:{said}"


def shift_defects(
    shifts: Sequence[PlannedShift],
    others: Iterable[ShiftState],
    directory: Directory,
    now: datetime,
    rest: timedelta,
) -> list[ShiftDefect]:
    """All defects of a plan at `now` (aware), in the order of its shifts.

    `others` are shifts of roles that the plan leaves as they are: nobody works two shifts at once.
    """
    found: list[ShiftDefect] = []
    if len(shifts) > MAX_SHIFTS:
        return [ShiftDefect(number=0, kind="too-many", detail={"limit": str(MAX_SHIFTS)})]
    for number, shift in enumerate(shifts, start=1):
        found += [
            ShiftDefect(number=number, kind=kind, detail={"role": shift.role, "person": shift.person})
            for kind in _wrong(shift, directory, now)
        ]
    found += _without_rest(shifts, others, rest)
    found += _two_at_once(shifts)
    return sorted(found, key=lambda one: one.number)


def _wrong(shift: PlannedShift, directory: Directory, now: datetime) -> Iterator[DefectKind]:
    person = directory.person(shift.person)
    if directory.role(shift.role) is None:
        yield "role"
    if person is None:
        yield "person"
    elif directory.role(shift.role) is not None and not may_take(directory, shift.role, shift.person):
        yield "not-entitled"
    if shift.until <= shift.since:
        yield "order"
        return
    if shift.until - shift.since > LONGEST_SHIFT:
        yield "too-long"
    if shift.until <= now:
        yield "over"
    if shift.until > now + AHEAD:
        yield "too-far"
    if person is not None and away(person, shift.since, shift.until):
        yield "absent"


def may_take(directory: Directory, role: str, person: str) -> bool:
    """Whether a person may be planned for a role: a plan names people, it gives nobody an authority."""
    return role in FREE_ROLES or person in members(directory.organisation, role)


def away(person: Person, since: datetime, until: datetime) -> bool:
    """Whether a person is absent at any instant from `since` to `until`."""
    return any(one.since < until and one.until > since for one in person.absences)


def _without_rest(
    shifts: Sequence[PlannedShift], others: Iterable[ShiftState], rest: timedelta
) -> Iterator[ShiftDefect]:
    own = [
        (one.person, one.since, one.until, number)
        for number, one in enumerate(shifts, start=1)
        if one.since < one.until
    ]
    all_of = sorted([*own, *((one.person, one.since, one.until, 0) for one in others)])
    for before, after in pairwise(all_of):
        if before[0] == after[0] and after[1] - before[2] < rest and before[3] + after[3]:
            number = after[3] or before[3]
            yield ShiftDefect(number=number, kind="rest", detail={"person": after[0]})


def _two_at_once(shifts: Sequence[PlannedShift]) -> Iterator[ShiftDefect]:
    sound = [(number, one) for number, one in enumerate(shifts, start=1) if one.since < one.until]
    numbered = sorted(sound, key=lambda one: (one[1].role, one[1].since, one[1].until))
    for (_, before), (number, after) in pairwise(numbered):
        if before.role != after.role:
            continue
        if after.since < before.until - MOST_OVERLAP or after.until <= before.until:
            yield ShiftDefect(number=number, kind="two-at-once", detail={"role": after.role})


def takes_at(shift: PlannedShift, shifts: Iterable[PlannedShift]) -> datetime:
    """When the role goes over: at the end of the shift that runs into this one, else at its beginning."""
    ends = [one.until for one in shifts if one.role == shift.role and one.since < shift.since < one.until]
    return max(ends, default=shift.since)


# -- a proposal ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a plan is wanted for: `roles` around the clock from `since`, `hours` a shift, these `people`."""

    roles: tuple[str, ...]
    people: tuple[str, ...]
    since: datetime
    days: int
    hours: int
    rest: timedelta = REST
    overlap: timedelta = OVERLAP


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Shifts in order, and the stretches of roles for which nobody of the people is free."""

    shifts: tuple[PlannedShift, ...]
    holes: tuple[PlannedShift, ...]
    """`person` is empty."""


def propose(wanted: Wanted, directory: Directory) -> Proposal:
    """A fair plan: of those free and rested, whoever has worked least so far takes the next shift.

    Absences and rest are kept strictly, so that there may be holes; the role for which the fewest could step
    in chooses first. Shifts last their hours in UTC, whatever the clocks on the wall do.
    """
    worked: dict[str, tuple[int, datetime | None]] = dict.fromkeys(wanted.people, (0, None))
    able = {role: [one for one in wanted.people if may_take(directory, role, one)] for role in wanted.roles}
    shifts: list[PlannedShift] = []
    holes: list[PlannedShift] = []
    for since, until in _slots(wanted):
        taken: set[str] = set()
        for role in sorted(wanted.roles, key=lambda name: len(able[name])):
            free = [
                name
                for name in able[role]
                if name not in taken and _free(name, since, until, worked, wanted, directory)
            ]
            chosen = min(free, key=lambda name: worked[name][0], default="")
            shift = PlannedShift(role=role, person=chosen, since=since, until=until)
            (shifts if chosen else holes).append(shift)
            if chosen:
                taken.add(chosen)
                worked[chosen] = (worked[chosen][0] + 1, until)
    return Proposal(shifts=tuple(shifts), holes=tuple(holes))


def _slots(wanted: Wanted) -> Iterator[tuple[datetime, datetime]]:
    end = wanted.since + timedelta(days=wanted.days)
    since = wanted.since
    while since < end:
        following = min(since + timedelta(hours=wanted.hours), end)
        yield since, following + (wanted.overlap if following < end else timedelta(0))
        since = following


def _free(
    name: str,
    since: datetime,
    until: datetime,
    worked: Mapping[str, tuple[int, datetime | None]],
    wanted: Wanted,
    directory: Directory,
) -> bool:
    person, (_, ended) = directory.person(name), worked[name]
    rested = ended is None or since - ended >= wanted.rest
    return person is not None and rested and not away(person, since, until)
