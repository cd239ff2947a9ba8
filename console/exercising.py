"""Reading the exercise programme: coverage over exercises and real incidents, and the plan of a year."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from console.opening import House
from console.reading import Reader
from models.exercised import KINDS, Kind, Standing, Use, of_incident, of_programme, standings, year_of
from models.programme import MANAGEMENT, ORGANISERS, Entry, Finding
from models.record import STREAM
from models.scenario import Scenario
from models.state import Programme
from playbooks.institution import Institution
from playbooks.library import parts

MAX_INCIDENTS = 5_000
VENDORS = frozenset({"vendor", "forensics"})
"""Outside parties that an exercise may take in (FSA-2.2.5-B1); authorities and the press are played."""


def items_of(scenario: Scenario) -> tuple[str, ...]:
    """The guideline's items that a scenario serves, with those of its objectives."""
    objectives = (item for one in scenario.objectives for item in one.guideline)
    return tuple(dict.fromkeys((*scenario.guideline, *objectives)))


# -- coverage -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How everything stands; `cut` is how many incidents were looked at, if there are more."""

    standings: tuple[Standing, ...]
    cut: int = 0


def look_at_coverage(
    house: House, state: Programme, reader: Reader, now: datetime, kind: str | None
) -> Coverage:
    """How what there is to exercise stands, by the incidents that this reader may know of and by no other."""
    wanted = {one: names for one, names in _wanted(house.institution).items() if kind in {None, one}}
    ids = _incidents(house)
    uses = [*of_programme(state), *_uses(house, reader, ids[:MAX_INCIDENTS])]
    found = standings(wanted, uses, house.institution.settings.exercises, now)
    return Coverage(standings=tuple(found), cut=MAX_INCIDENTS if len(ids) > MAX_INCIDENTS else 0)


def _incidents(house: House) -> list[str]:
    """Real incidents, the latest first."""
    latest = (STREAM.c.opened_at.desc(), STREAM.c.id.desc())
    wanted = STREAM.select().with_only_columns(STREAM.c.id).order_by(*latest)
    wanted = wanted.where(STREAM.c.kind == "incident", STREAM.c.drill.is_(False))
    with house.record.read() as tx:
        return [row[0] for row in tx.connection.execute(wanted.limit(MAX_INCIDENTS + 1))]


def _uses(house: House, reader: Reader, ids: Sequence[str]) -> Iterator[Use]:
    # Left out where the reader may not know of it: a date alone would tell that there was something.
    for state in reader.whole(house.desk.readable(ids)):
        yield from of_incident(state, house.desk.world(state).steps(state))


def _wanted(institution: Institution) -> Mapping[Kind, Sequence[str]]:
    """Everything that there is to exercise, by kind."""
    organisation = institution.organisation
    entries = institution.playbooks.entries
    called = parts(entries)
    found: dict[Kind, Sequence[str]] = {
        "playbook": [name for name in entries if name not in called],
        "scenario": list(institution.scenarios),
        "route": [one.id for one in institution.policy.routes],
        "role": [one.id for one in organisation.roles],
        "person": [one.id for one in organisation.people if one.third_party is None],
        "vendor": [one.id for one in organisation.third_parties if one.kind in VENDORS],
        "guideline": [
            one.id
            for one in institution.catalogue.values()
            if one.origin != "seed" and one.scope in ("playbook", "plan", "exercise")
        ],
    }
    return {kind: found[kind] for kind in KINDS}


def stale_scenarios(institution: Institution, now: datetime) -> tuple[Scenario, ...]:
    """Scenarios whose review is overdue (FSA-2.2.5-B5)."""
    today = now.astimezone(ZoneInfo(institution.organisation.zone)).date()
    return tuple(one for one in institution.scenarios.values() if one.reviewed + one.review_every <= today)


# -- a year -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Year:
    """The plan of a year against what was held; days as `2026-04-01`."""

    first: str
    last: str
    entries: tuple[Entry, ...]
    late: tuple[str, ...]
    findings: tuple[Finding, ...]
    large_scale: tuple[str, ...]
    """Exercises with a large or long scenario, or one that reaches others (FSA-2.2.5-Db)."""
    harmful: tuple[str, ...]
    """Exercises whose scenario says what it does to customers and why it may happen (FSA-2.2.5-B3)."""

    @property
    def held(self) -> tuple[Entry, ...]:
        """Those that were held."""
        return tuple(one for one in self.entries if one.status == "held")

    def by_organiser(self) -> dict[str, int]:
        """How many were held by whom (FSA-2.2.5-Dd)."""
        return {who: sum(one.by == who for one in self.held) for who in ORGANISERS}

    def managed(self) -> dict[str, int]:
        """How many of those held each role of management took part in (FSA-2.2.5-B2)."""
        return {role: sum(role in one.managers for one in self.held) for role in MANAGEMENT}

    def parties(self) -> list[str]:
        """Outside parties that took part in any (FSA-2.2.5-B1)."""
        return list(dict.fromkeys(party for one in self.held for party in one.parties))

    def measured(self) -> tuple[int, int, int]:
        """Recovery targets that were met, missed, and unknown (FSA-2.2.5-Da)."""
        found = [one.met for entry in self.held for one in entry.measured]
        return found.count(True), found.count(False), found.count(None)


def look_at_year(institution: Institution, state: Programme, year: int, now: datetime) -> Year:
    """The institution's year that begins in `year`."""
    first, last = (one.isoformat() for one in year_of(year, institution.settings.exercises.year_begins))
    found = [one for one in state.entries.values() if first <= _day(one) <= last]
    numbers = {one.id for one in found}
    scenarios = institution.scenarios
    known = {one.id: scenarios[one.scenario] for one in found if one.scenario in scenarios}
    return Year(
        first=first,
        last=last,
        entries=tuple(sorted(found, key=_day)),
        late=tuple(one.id for one in found if one.late(now)),
        findings=tuple(one for one in state.findings.values() if one.exercise in numbers),
        large_scale=tuple(name for name, one in known.items() if one.large_scale),
        harmful=tuple(known),
    )


def _day(entry: Entry) -> str:
    """The day it was held, or the first of those for which it was planned."""
    return (
        (entry.held_on or entry.when)
        if len(entry.held_on or entry.when) > len("2027-02")
        else f"{entry.when}-01"
    )
