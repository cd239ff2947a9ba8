"""The register of exercises in production: the year, what is late, findings and improvements.

What is written here is written by the commands of the same names; what exercises found is where the
institution is weak, so nobody of a third party sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from console.exercising import Year, look_at_coverage, look_at_year, stale_scenarios
from console.views import exercises as view
from console.views import exercises_coverage, exercises_year
from console.views.naming import Naming
from console.views.sheet import Section
from console.web.asking import Ask
from console.web.exercising import people, programme
from console.web.frame import Page, Part
from models.errors import NotFound
from models.exercised import KINDS, retests, waiting
from models.programme import OPEN, ORGANISERS, RATINGS, TYPES, Entry, Finding
from models.state import Programme
from playbooks.library import parts as called

MONTHS = 12
FIRST_YEAR, LAST_YEAR = 2000, 2100
SHOWN = 300
"""Lines of a table; the command line shows the rest."""
MAX_TEXT = 500


def _year_of(ask: Ask) -> int:
    """The year that is asked for, or the institution's year of today."""
    wanted = ask.query.get("year", "")
    if wanted.isascii() and wanted.isdigit() and FIRST_YEAR <= int(wanted) <= LAST_YEAR:
        return int(wanted)
    begins = ask.house.institution.settings.exercises.year_begins
    today = _today(ask)
    return today.year if today.month >= begins else today.year - 1


def _today(ask: Ask) -> date:
    return ask.now.astimezone(ZoneInfo(ask.house.institution.organisation.zone)).date()


# -- the year -----------------------------------------------------------------------------------------------


def _year(ask: Ask) -> Mapping[str, Any]:
    state = programme(ask)
    naming, year = ask.naming(state), _year_of(ask)
    found = look_at_year(ask.house.institution, state, year, ask.now)
    whole = exercises_year.sections(found, naming)[1]
    return {
        "year": year,
        "first": found.first,
        "last": found.last,
        "months": list(_months(ask, found, naming)),
        "whole": whole,
        "none": not found.entries,
    }


def _months(ask: Ask, found: Year, naming: Naming) -> Iterator[dict[str, Any]]:
    """Twelve months in their order, each with what was held and is planned in it."""
    first, today = date.fromisoformat(found.first), _today(ask)
    for number in range(MONTHS):
        year, month = divmod(first.year * MONTHS + first.month - 1 + number, MONTHS)
        name = f"{year:04d}-{month + 1:02d}"
        now = f"{today:%Y-%m}"
        yield {
            "name": name,
            "is": "now" if name == now else "past" if name < now else "",
            "entries": [_entry(one, naming) for one in found.entries if _day(one).startswith(name)],
        }


def _day(one: Entry) -> str:
    return one.held_on or one.when


def _entry(one: Entry, naming: Naming) -> dict[str, Any]:
    return {
        "id": one.id,
        "day": _day(one),
        "title": naming.text(one.title, 120),
        "type": view.say(naming, f"type.{one.type}"),
        "status": one.status,
        "said": view.status(one, naming),
        "late": one.late(naming.now),
    }


# -- what is late, and the findings -------------------------------------------------------------------------


def _late(ask: Ask) -> Mapping[str, Any]:
    """What waits for somebody; what was never exercised has a page of its own."""
    state = programme(ask)
    naming = ask.naming(state)
    found = exercises_coverage.Overdue(
        standings=(),
        waiting=waiting(state, ask.now),
        stale=stale_scenarios(ask.house.institution, ask.now),
    )
    return {"sections": exercises_coverage.overdue(found, state, naming)}


def _findings(ask: Ask) -> Mapping[str, Any]:
    state = programme(ask)
    naming, planned = ask.naming(state), retests(state)
    everything = ask.query.get("all") == "yes"
    found = [one for one in state.findings.values() if everything or one.status in OPEN]
    return {
        "findings": [_finding(one, planned, naming) for one in found[-SHOWN:]],
        "everything": everything,
        "more": max(0, len(found) - SHOWN),
    }


def _finding(one: Finding, planned: Mapping[str, str], naming: Naming) -> dict[str, Any]:
    return {
        "id": one.id,
        "said": view.say(naming, f"finding.{one.status}"),
        "title": naming.text(one.title, 160),
        "owner": naming.who(one.owner),
        "due": naming.times.due(one.due),
        "late": view.is_late(one, naming),
        "exercise": one.exercise,
        "retest": planned.get(one.id, ""),
        "revision": f"{one.playbook} {one.version}".strip(),
    }


def _improvements(ask: Ask) -> Mapping[str, Any]:
    """Of all incidents that they may know of, with owner and date."""
    state = programme(ask)
    naming = ask.naming(state)
    found = [one for one in state.improvements.values() if one.status == "open"]
    found.sort(key=lambda one: one.due)
    return {
        "improvements": [
            {
                "id": one.id,
                "title": naming.text(one.title, 200),
                "owner": naming.who(one.owner),
                "due": naming.times.due(one.due),
                "late": one.due <= naming.now,
                "incident": one.incident,
            }
            for one in found[:SHOWN]
        ],
        "more": max(0, len(found) - SHOWN),
        "max_text": MAX_TEXT,
    }


def _forms(ask: Ask) -> Mapping[str, Any]:
    """Plan what is to be held, and enter what was held."""
    state = programme(ask)
    naming, institution = ask.naming(state), ask.house.institution
    within = called(institution.playbooks.entries)
    return {
        "types": [(one, view.say(naming, f"type.{one}")) for one in TYPES],
        "organisers": [(one, view.say(naming, f"by.{one}")) for one in ORGANISERS],
        "scenarios": sorted(institution.scenarios),
        "playbooks": [
            (name, institution.playbooks[name].title.lang(ask.lang))
            for name in institution.playbooks.entries
            if name not in within
        ],
        "plans": [_entry(one, naming) for one in state.entries.values() if one.status == "planned"],
        "open": [_finding(one, {}, naming) for one in state.findings.values() if one.status in OPEN],
        "roles": [(one.id, one.title.lang(ask.lang)) for one in institution.organisation.roles],
        "max_text": MAX_TEXT,
    }


# -- one of them --------------------------------------------------------------------------------------------


def _found_entry(ask: Ask, state: Programme) -> Entry:
    found = state.entries.get(ask.subject)
    if found is None:
        raise NotFound(f"there is no exercise {ask.subject}")
    return found


def _entry_head(ask: Ask) -> Mapping[str, Any]:
    return {"id": _found_entry(ask, programme(ask)).id}


def _entry_whole(ask: Ask) -> Mapping[str, Any]:
    state = programme(ask)
    one, naming = _found_entry(ask, state), ask.naming(state)
    return {
        "sections": view.entry(one, state, naming),
        "id": one.id,
        "status": one.status,
        "people": people(ask),
        "max_text": MAX_TEXT,
    }


def _found_finding(ask: Ask, state: Programme) -> Finding:
    found = state.findings.get(ask.subject)
    if found is None:
        raise NotFound(f"there is no finding {ask.subject}")
    return found


def _finding_head(ask: Ask) -> Mapping[str, Any]:
    return {"id": _found_finding(ask, programme(ask)).id}


def _finding_whole(ask: Ask) -> Mapping[str, Any]:
    state = programme(ask)
    one, naming = _found_finding(ask, state), ask.naming(state)
    held = [each for each in state.entries.values() if each.status == "held" and each.id != one.exercise]
    return {
        "section": view.finding(one, state, naming),
        "id": one.id,
        "status": one.status,
        "exercise": one.exercise,
        "held": [_entry(each, naming) for each in held],
        "ratings": [(each, ask.texts(f"scenarios.rating.{each}")) for each in RATINGS],
        "people": people(ask),
        "max_text": MAX_TEXT,
    }


# -- what was last exercised when ---------------------------------------------------------------------------


def _coverage(ask: Ask) -> Mapping[str, Any]:
    state = programme(ask)
    naming = ask.naming(state)
    wanted = ask.query.get("kind", "")
    kind = wanted if wanted in KINDS else KINDS[0]
    found = look_at_coverage(ask.house, state, ask.reader, ask.now, kind)
    sections: list[Section] = exercises_coverage.sections(found.standings, naming)
    return {
        "sections": sections,
        "kind": kind,
        "kinds": [(one, view.say(naming, f"kind.{one}")) for one in KINDS],
        "overdue": sum(one.overdue for one in found.standings),
        "of": len(found.standings),
        "cut": found.cut,
    }


def _coverage_head(ask: Ask) -> Mapping[str, Any]:
    programme(ask)
    return {}


def _part(name: str, values: Any) -> Part:
    return Part(name=name, values=values, personal=True)


PAGES = (
    Page(
        name="programme",
        path="/programme",
        parts=(
            _part("late", _late),
            _part("year", _year),
            _part("findings", _findings),
            _part("improvements", _improvements),
            _part("forms", _forms),
        ),
        head=_coverage_head,
        live=("programme",),
    ),
    Page(
        name="exercise",
        path="/programme/exercises/{subject}",
        parts=(_part("whole", _entry_whole),),
        head=_entry_head,
        live=("programme",),
        nav="programme",
    ),
    Page(
        name="finding",
        path="/programme/findings/{subject}",
        parts=(_part("whole", _finding_whole),),
        head=_finding_head,
        live=("programme",),
        nav="programme",
    ),
    Page(
        name="exercised",
        path="/programme/exercised",
        parts=(_part("coverage", _coverage),),
        head=_coverage_head,
        nav="programme",
    ),
)
