"""Duty over a stretch of time: who holds a role from when to when, who is next, and where nobody is.

Pure: everything is asked of one directory. Answers change only where a shift, an override or an absence
begins or ends, so each stretch between two such instants is asked about once; neighbours with the same answer
are one stretch. Whatever `Directory.holders` says at an instant, the stretch around it says too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

from models.clock import utc
from models.directory import MAX_DEPUTIES_DEEP, Directory, Holder
from models.policy import STEP_ROLES, Route

MAX_DAYS = 366
LOOK_AHEAD = timedelta(days=62)
"""How far ahead a hand-over is looked for; a role without one in two months has none to speak of."""
LONGEST_DUTY = timedelta(hours=16)
"""Two shifts in a row beyond this are told. A shift that is longer by itself is standby, meant as it is."""
AROUND = timedelta(days=2)
"""How far outside the window a duty that runs into it is followed."""
MAX_PATHS = 1_000
"""Ways through deputies of deputies that are followed at once."""
GapKind = Literal["nobody", "unreachable", "too-long", "circle"]
Why = Literal["shift", "override", "standing", "absence"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """One stretch of duty of a role or person, in UTC; `until` is not part of it. No holders: nobody."""

    who: str
    since: datetime
    until: datetime
    holders: tuple[Holder, ...]
    why: tuple[Why, ...]

    @property
    def lasts(self) -> timedelta:
        """How long it is."""
        return self.until - self.since


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """What is wrong with the rota: `who` is a role, or for `too-long` and `circle` a person.

    `people` are those it is about: who cannot be reached, or who stands in for whom in a circle; for
    `too-long` the roles.
    """

    kind: GapKind
    who: str
    since: datetime
    until: datetime
    people: tuple[str, ...] = ()


def watched(directory: Directory, routes: Iterable[Route]) -> tuple[str, ...]:
    """Roles with a rota, then the roles and people that routes name, each once."""
    own = [role.id for role in directory.organisation.roles if role.rota]
    named = [
        who
        for route in routes
        for to in (*(level.to for level in route.levels), route.exhausted.to)
        for who in to
        if who not in STEP_ROLES
    ]
    return tuple(dict.fromkeys((*own, *named)))


def reachable(holder: Holder, channels: frozenset[str]) -> tuple[str, ...]:
    """The channels, of those set up, on which a holder has an address, in their order."""
    person = holder.person
    return tuple(one for one in person.ways if one in channels and person.address(one) is not None)


def calendar(directory: Directory, who: str, since: datetime, until: datetime) -> tuple[Stretch, ...]:
    """The stretches of duty from `since` to `until` (aware), without holes; empty if that is no time."""
    first, last = utc(since), utc(until)
    found: list[Stretch] = []
    for begins, ends in pairwise((*directory.changes(first, last), last)) if first < last else ():
        one = _stretch(directory, who, begins, ends)
        if found and (found[-1].holders, found[-1].why) == (one.holders, one.why):
            found[-1] = replace(found[-1], until=ends)
        else:
            found.append(one)
    return tuple(found)


def _stretch(directory: Directory, who: str, begins: datetime, ends: datetime) -> Stretch:
    roster = directory.rostered(who, begins)
    people = [directory.person(name) for name in roster.people]
    away = any(one is not None and one.absent(begins) for one in people)
    why: tuple[Why, ...] = (roster.why, "absence") if away else (roster.why,)
    return Stretch(who=who, since=begins, until=ends, holders=directory.holders(who, begins), why=why)


def now_and_next(directory: Directory, who: str, now: datetime) -> tuple[Stretch, Stretch | None]:
    """The stretch at `now`, cut off at `now`, and the next one with other people in it; None if there is
    none within two months.
    """
    stretches = calendar(directory, who, now, now + LOOK_AHEAD)
    present = _names(stretches[0])
    following = next((one for one in stretches[1:] if _names(one) != present), None)
    return stretches[0], following


def _names(stretch: Stretch) -> list[str]:
    return [holder.person.id for holder in stretch.holders]


# -- what is wrong ------------------------------------------------------------------------------------------


def gaps(
    directory: Directory, roles: Iterable[str], since: datetime, until: datetime, channels: frozenset[str]
) -> tuple[Gap, ...]:
    """Everything wrong from `since` to `until` (aware): what comes first, first.

    Stretches with nobody, or with nobody who can be reached on a channel that is set up; people on duty in
    several shifts in a row for more than 16 h; circles of deputies who are all away at once.
    """
    wanted = tuple(roles)
    stretches = [one for who in wanted for one in calendar(directory, who, since, until)]
    found = [
        *_unheld(stretches, channels),
        *_too_long(directory, wanted, since, until),
        *_circles(directory, since, until),
    ]
    return tuple(sorted(found, key=lambda gap: (gap.since, gap.kind, gap.who)))


def _unheld(stretches: Iterable[Stretch], channels: frozenset[str]) -> Iterator[Gap]:
    """Stretches in which a message would reach nobody."""
    for one in stretches:
        people = tuple(holder.person.id for holder in one.holders)
        if not any(reachable(holder, channels) for holder in one.holders):
            kind: GapKind = "unreachable" if people else "nobody"
            yield Gap(kind=kind, who=one.who, since=one.since, until=one.until, people=people)


def _too_long(directory: Directory, roles: Iterable[str], since: datetime, until: datetime) -> Iterator[Gap]:
    """Runs of duty in rotas whose shifts are meant as work, whoever stands in being on duty too."""
    runs: dict[str, list[Gap]] = {}
    for who in roles:
        longest = directory.longest_shift(who)
        if longest is None or longest > LONGEST_DUTY:
            continue
        for stretch in calendar(directory, who, since - AROUND, until + AROUND):
            for holder in stretch.holders:
                own = Gap(
                    kind="too-long",
                    who=holder.person.id,
                    since=stretch.since,
                    until=stretch.until,
                    people=(who,),
                )
                runs.setdefault(holder.person.id, []).append(own)
    for pieces in runs.values():
        for run in _joined(sorted(pieces, key=lambda one: one.since)):
            if run.until - run.since > LONGEST_DUTY and run.until > since and run.since < until:
                yield run


def _joined(pieces: list[Gap]) -> list[Gap]:
    """Pieces that touch, as one."""
    found: list[Gap] = []
    for one in pieces:
        if found and one.since <= found[-1].until:
            last = found[-1]
            roles = tuple(dict.fromkeys((*last.people, *one.people)))
            found[-1] = replace(last, until=max(last.until, one.until), people=roles)
        else:
            found.append(one)
    return found


def _circles(directory: Directory, since: datetime, until: datetime) -> Iterator[Gap]:
    """Two who stand in for each other are a good rule, until both are away: then nobody is asked at all."""
    found: dict[tuple[str, ...], Gap] = {}
    first, last = utc(since), utc(until)
    for begins, ends in pairwise((*directory.changes(first, last), last)) if first < last else ():
        told: set[str] = set()
        for person in directory.organisation.people:
            ring = _ring(directory, person.id, begins) if person.id not in told else ()
            told.update(ring)
            known = found.get(ring)
            if known is not None and known.until == begins:
                found[ring] = replace(known, until=ends)
            elif ring:
                if known is not None:
                    yield known
                found[ring] = Gap(kind="circle", who=person.id, since=begins, until=ends, people=ring)
    yield from found.values()


def _ring(directory: Directory, person_id: str, now: datetime) -> tuple[str, ...]:
    """The people through whom standing in for somebody absent comes back to them; empty if there is one."""
    if directory.holders(person_id, now):
        return ()
    paths: list[tuple[str, ...]] = [(person_id,)]
    for _ in range(MAX_DEPUTIES_DEEP):
        longer: list[tuple[str, ...]] = []
        for path in paths:
            person = directory.person(path[-1])
            deputies = person.deputies if person is not None else ()
            if person_id in deputies:
                return path
            longer += [(*path, name) for name in deputies if name not in path]
        paths = longer[:MAX_PATHS]
    return ()
