"""Who holds which role at which instant: people, deputies, rotas, third parties, as they are now.

Pure: everything comes from one `Organisation` and the instant that is asked for. Between two instants at
which a shift, an override or an absence begins or ends nothing can change, so answers are kept per such
stretch. A shift starts by the clock on the wall of its rota's zone and lasts its time in UTC: over the end of
summer time a shift of 24 h leaves an hour free, which `hikeshi check` reports, rather than growing unseen.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Literal
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from models.clock import utc
from models.errors import BadConfiguration
from models.organisation import Organisation, Override, Person, Role, Rota, Service, Shift, ThirdParty

MAX_DEPUTIES_DEEP = 5
MAX_ANSWERS = 20_000
MAX_DAYS = 500
ONE_DAY = timedelta(days=1)
_PART = r"(INTERVAL=[1-9]\d{0,3}|(COUNT|UNTIL|WKST|BYDAY|BYMONTH|BYMONTHDAY|BYSETPOS|BYWEEKNO)=[A-Z0-9,+-]+)"
_RULE = re.compile(rf"^FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY)(;{_PART})*$")
"""Days only: BYHOUR and the like would start a shift many times a day, INTERVAL=0 would never end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """A person who can be reached for a role, or for a person; `deputy_for` is whom they stand in for."""

    person: Person
    role: str
    deputy_for: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Duty:
    """One stretch of duty, in UTC; `until` is not part of it."""

    since: datetime
    until: datetime
    people: tuple[str, ...]


def _unshared(organisation: Organisation) -> dict[str, Person]:
    """Telephone numbers that one person alone has: of a shared one nobody could tell who answered."""
    having: dict[str, list[Person]] = {}
    for person in organisation.people:
        if person.number is not None:
            having.setdefault(person.number, []).append(person)
    return {number: people[0] for number, people in having.items() if len(people) == 1}


@dataclass(frozen=True, kw_only=True, slots=True)
class Roster:
    """Who is meant to answer at an instant, absent or not, and whether by shift, override or for good."""

    people: tuple[str, ...]
    why: Literal["shift", "override", "standing"]


def shift_rule(shift: Shift) -> rrule:
    """The days of a shift, counted from its `since`. Raises BadConfiguration on a rule that gives no days."""
    text = shift.rule.strip().removeprefix("RRULE:")
    if not _RULE.match(text):
        raise BadConfiguration(f"rule {shift.rule!r} does not give days; write it as FREQ=WEEKLY;BYDAY=MO,TU")
    try:
        rule = rrulestr(text, dtstart=datetime.combine(shift.since, time()))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as wrong:
        raise BadConfiguration(
            f"rule {shift.rule!r}: {wrong}; write it as FREQ=WEEKLY;BYDAY=MO,TU"
        ) from wrong
    if not isinstance(rule, rrule) or next(iter(rule), None) is None:
        raise BadConfiguration(
            f"rule {shift.rule!r} never falls on a day; write it as FREQ=WEEKLY;BYDAY=MO,TU"
        )
    return rule


class Directory:
    """Answers "who is it now?" for one organisation. Unknown ids give None or nobody, never an error:
    a policy frozen weeks ago may name a role that is gone, and the page then has to climb on.
    """

    def __init__(self, organisation: Organisation) -> None:
        self.organisation = organisation
        self._people = {person.id: person for person in organisation.people}
        self._accounts = {person.account: person for person in organisation.people if person.account}
        self._slack = {person.slack: person for person in organisation.people if person.slack}
        self._numbers = _unshared(organisation)
        self._roles = {role.id: role for role in organisation.roles}
        self._rotas = {rota.id: _Rota(rota) for rota in organisation.rotas}
        self._services = {service.id: service for service in organisation.services}
        self._third_parties = {party.id: party for party in organisation.third_parties}
        self._fixed = sorted(_fixed_changes(organisation))
        self._days: dict[date, list[datetime]] = {}
        self._answers: dict[tuple[str, datetime, frozenset[str]], tuple[Holder, ...]] = {}
        self._held: dict[tuple[str, datetime, frozenset[str]], frozenset[str]] = {}

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change whenever anything in the organisation does."""
        return hashlib.sha256(self.organisation.model_dump_json().encode()).hexdigest()[:12]

    def person(self, person_id: str) -> Person | None:
        """The person of this id."""
        return self._people.get(person_id)

    def by_account(self, account: str) -> Person | None:
        """The person behind an operating-system account."""
        return self._accounts.get(account)

    def by_slack(self, slack_id: str) -> Person | None:
        """The person behind a Slack user id."""
        return self._slack.get(slack_id)

    def by_number(self, number: str) -> Person | None:
        """The person behind a telephone number in E.164; None too if several share it."""
        return self._numbers.get(number)

    def role(self, role_id: str) -> Role | None:
        """The role of this id."""
        return self._roles.get(role_id)

    def service(self, service_id: str) -> Service | None:
        """The service of this id."""
        return self._services.get(service_id)

    def third_party(self, party_id: str) -> ThirdParty | None:
        """The outside party of this id."""
        return self._third_parties.get(party_id)

    def holders(self, who: str, now: datetime, barred: frozenset[str] = frozenset()) -> tuple[Holder, ...]:
        """Everybody who can be reached at `now` (aware) for a role or a person, deputies for the absent.

        `barred` count as absent: a matter about somebody goes to whoever stands in for them.
        """
        slot = self._slot(utc(now))
        answer = self._answers.get((who, slot, barred))
        if answer is None:
            answer = self._answers[(who, slot, barred)] = self._find_holders(who, slot, barred)
            if len(self._answers) > MAX_ANSWERS:
                self._answers.clear()
        return answer

    def rostered(self, who: str, now: datetime) -> Roster:
        """Whom rota, override, or the role itself puts on duty at `now` (aware), before absences."""
        slot = self._slot(utc(now))
        role = self._roles.get(who)
        if role is None:
            return Roster(people=(who,) if who in self._people else (), why="standing")
        rota = self._rotas.get(role.rota) if role.rota else None
        why: Literal["shift", "override", "standing"] = "standing"
        if rota is not None:
            why = "override" if rota.override(slot) is not None else "shift"
        return Roster(people=tuple(self._on_duty(role, slot)), why=why)

    def longest_shift(self, who: str) -> timedelta | None:
        """The longest shift of a role's rota; None if it has none."""
        role = self._roles.get(who)
        rota = self._rotas.get(role.rota) if role is not None and role.rota else None
        return rota.longest if rota is not None else None

    def roles_of(self, person_id: str, now: datetime, barred: frozenset[str] = frozenset()) -> frozenset[str]:
        """The roles whose rights a person has at `now`: their own, those on duty for, those stood in for.

        Somebody absent keeps their roles: pages go to the deputy, but a CISO on leave may still decide.
        `barred` count as absent, as in `holders`.
        """
        slot = self._slot(utc(now))
        held = self._held.get((person_id, slot, barred))
        if held is None:
            held = self._held[(person_id, slot, barred)] = frozenset(
                role for role in self._roles if self._has(person_id, role, slot, barred)
            )
            if len(self._held) > MAX_ANSWERS:
                self._held.clear()
        return held

    def changes(self, since: datetime, until: datetime) -> tuple[datetime, ...]:
        """`since` and the instants after it, before `until`, at which an answer may become another one."""
        first, last = utc(since), utc(until)
        found = {first}
        day = first.date()
        while day <= last.date():
            found.update(at for at in self._changes_of(day) if first < at < last)
            day += ONE_DAY
        return tuple(sorted(found))

    def unchanged_since(self, now: datetime) -> datetime:
        """Since when all answers have been what they are at `now` (aware); midnight UTC at the latest."""
        return self._slot(utc(now))

    def _slot(self, now: datetime) -> datetime:
        """The last instant up to `now` at which an answer may have changed; midnight UTC at the latest."""
        changes = self._changes_of(now.date())
        return changes[bisect_right(changes, now) - 1]

    def _changes_of(self, day: date) -> list[datetime]:
        changes = self._days.get(day)
        if changes is None:
            if len(self._days) >= MAX_DAYS:
                self._days.clear()
            changes = self._days[day] = self._find_changes(day)
        return changes

    def _find_changes(self, day: date) -> list[datetime]:
        start = datetime.combine(day, time(), UTC)
        end = start + ONE_DAY
        duties = (duty for rota in self._rotas.values() for duty in rota.duties(start, end))
        shifts = {at for duty in duties for at in (duty.since, duty.until)}
        return sorted({start, *(at for at in (*self._fixed, *shifts) if start <= at < end)})

    def _on_duty(self, role: Role, now: datetime) -> list[str]:
        rota = self._rotas.get(role.rota) if role.rota else None
        if rota is not None:
            return rota.on_duty(now)
        return [person.id for person in self.organisation.people if role.id in person.roles]

    def _has(self, person_id: str, role_id: str, now: datetime, barred: frozenset[str]) -> bool:
        if person_id in self._on_duty(self._roles[role_id], now):
            return True
        return any(holder.person.id == person_id for holder in self.holders(role_id, now, barred))

    def _find_holders(self, who: str, now: datetime, barred: frozenset[str]) -> tuple[Holder, ...]:
        wanted = self._on_duty(self._roles[who], now) if who in self._roles else [who]
        found: dict[str, Holder] = {}
        for person_id in wanted:
            reached = self._present(person_id, now, barred)
            if reached is None:
                continue
            stands_in = person_id if reached.id != person_id else None
            if stands_in is None or reached.id not in found:
                found[reached.id] = Holder(person=reached, role=who, deputy_for=stands_in)
        return tuple(found.values())

    def _present(self, person_id: str, now: datetime, barred: frozenset[str]) -> Person | None:
        """The person, or the nearest deputy who is there: all first deputies before deputies of deputies."""
        seen: set[str] = set()
        ring = [person_id]
        for _ in range(MAX_DEPUTIES_DEEP + 1):
            people = [self._people[name] for name in ring if name in self._people and name not in seen]
            for person in people:
                if person.id not in barred and not person.absent(now):
                    return person
            seen.update(ring)
            ring = [name for person in people for name in person.deputies]
        return None


class _Rota:
    """The duties of one rota, worked out month by month and kept."""

    def __init__(self, rota: Rota) -> None:
        self._rota = rota
        self._zone = ZoneInfo(rota.zone)
        self._rules = [shift_rule(shift) for shift in rota.shifts]
        self.longest = max(shift.lasts for shift in rota.shifts)
        self._months: dict[tuple[int, int], list[Duty]] = {}

    def on_duty(self, now: datetime) -> list[str]:
        """Ids of those on duty; an override takes the whole rota for its time."""
        override = self.override(now)
        if override is not None:
            return list(override.people)
        duties = self.duties(now, now + timedelta(microseconds=1))
        return list(dict.fromkeys(name for duty in duties for name in duty.people))

    def override(self, now: datetime) -> Override | None:
        """The override in force; of several the last one written."""
        return next((one for one in reversed(self._rota.overrides) if one.since <= now < one.until), None)

    def duties(self, since: datetime, until: datetime) -> Iterator[Duty]:
        """The stretches of duty that touch the time from `since` to `until`, overrides left aside."""
        # A day more on each side: a local day may begin up to 14 h before or 12 h after the same one in UTC.
        month = (since - self.longest - ONE_DAY).date().replace(day=1)
        last = (until + ONE_DAY).date()
        while month <= last:
            for duty in self._of_month(month):
                if duty.since < until and duty.until > since:
                    yield duty
            month = (month + timedelta(days=31)).replace(day=1)

    def _of_month(self, first: date) -> list[Duty]:
        key = (first.year, first.month)
        if key not in self._months:
            if len(self._months) >= MAX_DAYS:
                self._months.clear()
            self._months[key] = [duty for n in range(len(self._rules)) for duty in self._shift(n, first)]
        return self._months[key]

    def _shift(self, number: int, first: date) -> Iterator[Duty]:
        shift = self._rota.shifts[number]
        last = (first + timedelta(days=31)).replace(day=1) - ONE_DAY
        days = self._rules[number].between(
            datetime.combine(first, time()), datetime.combine(last, time.max), inc=True
        )
        for day in days:
            local = datetime.combine(day.date(), shift.starts.replace(tzinfo=None), self._zone)
            since = local.astimezone(UTC)
            yield Duty(since=since, until=since + shift.lasts, people=_turn(shift, day.date()))


def _turn(shift: Shift, day: date) -> tuple[str, ...]:
    """Who takes the shift that starts on `day`."""
    if shift.rotate == "none":
        return shift.people
    days = (day - shift.since).days
    turn = days if shift.rotate == "daily" else days // 7
    return (shift.people[turn % len(shift.people)],)


def _fixed_changes(organisation: Organisation) -> Iterator[datetime]:
    """When absences and overrides begin and end, in UTC."""
    for person in organisation.people:
        for away in person.absences:
            yield from (utc(away.since), utc(away.until))
    for rota in organisation.rotas:
        for override in rota.overrides:
            yield from (utc(override.since), utc(override.until))
