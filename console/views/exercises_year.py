"""The plan of a year against what was held, and what FSA-2.2.5 asks of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from console.exercising import Year
from console.views.exercises import entries, entry_json, finding_json, say
from console.views.naming import Naming
from console.views.sheet import Line, Section, Style
from models.state import Programme


def sections(year: Year, naming: Naming) -> list[Section]:
    """The exercises of the year, and how it stands as a whole."""
    listed = entries(year.entries, naming)
    title = say(naming, "title.year", first=year.first, last=year.last)
    lines = tuple(Line(text=text, style=style) for text, style in _lines(year, naming))
    return [
        Section(title=title, parts=listed.parts),
        Section(title=say(naming, "title.whole"), parts=lines),
    ]


def _lines(year: Year, naming: Naming) -> Iterator[tuple[str, Style]]:
    comma = naming.texts("words.comma").join
    planned = [one for one in year.entries if one.when]
    counts = {
        "planned": len(planned),
        "held": len(year.held),
        "unplanned": sum(not one.when for one in year.held),
        "late": len(year.late),
        "cancelled": sum(one.status == "cancelled" for one in year.entries),
    }
    yield say(naming, "year.counts", **counts), "bad" if year.late else "plain"
    organisers = comma(f"{say(naming, f'by.{who}')} {n}" for who, n in year.by_organiser().items())
    mixed = sum(n > 0 for n in year.by_organiser().values()) > 1
    yield say(naming, "year.organisers", mix=organisers), "plain" if mixed else "warn"
    managed = year.managed()
    shown = comma(f"{naming.who(role)} {n}" for role, n in managed.items())
    known = sum(bool(one.signed_off) for one in year.held)
    whole = {"roles": shown, "known": known, "held": len(year.held)}
    yield say(naming, "year.management", **whole), "plain" if any(managed.values()) else "warn"
    parties = comma(naming.who(one) for one in year.parties())
    yield say(naming, "year.vendors", names=parties or say(naming, "nobody")), "plain" if parties else "warn"
    for name, found in (("harmful", year.harmful), ("large", year.large_scale)):
        yield say(naming, f"year.{name}", ids=comma(found) or "–"), "plain" if found else "warn"
    met, missed, unknown = year.measured()
    measured = {"met": met, "missed": missed, "unknown": unknown}
    yield say(naming, "year.measured", **measured), "plain" if met + missed else "warn"
    states = [one.status for one in year.findings]
    of = {"open": 0, "fixed": 0, "closed": 0, "accepted": 0} | Counter(states)
    revised = sum(bool(one.playbook) for one in year.findings)
    yield say(naming, "year.findings", revised=revised, **of), "plain"


def as_json(year: Year, state: Programme, naming: Naming) -> dict[str, Any]:
    """The year for programs."""
    met, missed, unknown = year.measured()
    return {
        "first": year.first,
        "last": year.last,
        "exercises": [entry_json(one, naming) for one in year.entries],
        "late": list(year.late),
        "by_organiser": year.by_organiser(),
        "management": year.managed(),
        "vendors": year.parties(),
        "large_scale": list(year.large_scale),
        "customer_impact": list(year.harmful),
        "measured": {"met": met, "missed": missed, "unknown": unknown},
        "findings": [finding_json(one, state, naming) for one in year.findings],
    }
