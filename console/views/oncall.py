"""Who is on duty, in words: now and next, the coming stretches, and what is wrong with the rota."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from console.ics import Entry
from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, Style, Table
from models.clock import iso
from models.directory import Holder
from models.oncall import Gap, Stretch, now_and_next, reachable

STAMP = "%Y%m%dT%H%M%SZ"


def present(roles: Iterable[str], at: datetime, naming: Naming) -> Section:
    """For each role or person who is on duty at `at` (aware), how they are reached, and who is next."""
    rows = [_present(who, at, naming) for who in roles]
    headers = tuple(naming.texts(f"rota.column.{name}") for name in ("who", "people", "by", "until", "next"))
    title = naming.texts("rota.title.now", at=naming.times.at(at))
    return Section(title=title, parts=(Table(headers=headers, rows=tuple(rows), whole=(3,)),))


def _present(who: str, at: datetime, naming: Naming) -> Row:
    present, following = now_and_next(naming.world.directory, who, at)
    usable = {name for one in present.holders for name in reachable(one, naming.world.channels)}
    channels = [name for name in _channels(present.holders) if name in usable]
    by = naming.texts("words.comma").join(channels) or naming.texts("rota.unreachable")
    until = naming.times.at(following.since) if following is not None else "–"
    after = people(following, naming) if following is not None else naming.texts("rota.no_handover")
    gone = following is not None and not following.holders
    style: Style = "bad" if not usable else "warn" if gone else "plain"
    return Row(cells=(naming.who(who), people(present, naming), by, until, after), style=style)


def _channels(holders: Iterable[Holder]) -> list[str]:
    return list(dict.fromkeys(name for one in holders for name in one.person.ways))


def people(stretch: Stretch, naming: Naming) -> str:
    """Who answers, and whom they stand in for; nobody says so loudly."""
    names = [
        naming.texts("rota.stands_in", name=naming.who(one.person.id), other=naming.who(one.deputy_for))
        if one.deputy_for
        else naming.who(one.person.id)
        for one in stretch.holders
    ]
    return naming.texts("words.comma").join(names) or naming.texts("rota.nobody")


def why(stretch: Stretch, naming: Naming) -> str:
    """Shift, override, absence, or no rota at all."""
    return naming.texts("words.comma").join(naming.texts(f"rota.why.{one}") for one in stretch.why)


def coming(stretches: Iterable[Stretch], naming: Naming) -> list[Section]:
    """The stretches of duty, a table a role; holes stand in red."""
    groups: dict[str, list[Row]] = {}
    for one in stretches:
        cells = (
            naming.times.at(one.since),
            naming.times.at(one.until),
            people(one, naming),
            why(one, naming),
        )
        groups.setdefault(one.who, []).append(Row(cells=cells, style="plain" if one.holders else "bad"))
    headers = tuple(naming.texts(f"rota.column.{name}") for name in ("since", "until", "people", "why"))
    return [
        Section(title=naming.who(who), parts=(Table(headers=headers, rows=tuple(rows), whole=(0, 1)),))
        for who, rows in groups.items()
    ]


def faults(many: Iterable[Gap], naming: Naming, days: int) -> Section:
    """Everything that is wrong in the coming days."""
    lines = [Line(text=fault(one, naming), style="warn" if one.kind == "too-long" else "bad") for one in many]
    none = [Line(text=naming.texts("rota.no_gaps", n=days), style="good")]
    return Section(title=naming.texts("rota.title.gaps", n=days), parts=tuple(lines or none))


def fault(one: Gap, naming: Naming) -> str:
    """One thing that is wrong, as a sentence."""
    span = naming.times.span(one.until - one.since)
    named = naming.texts("words.comma").join(naming.who(name) for name in one.people)
    return naming.texts(
        f"rota.gap.{one.kind}",
        who=naming.who(one.who),
        people=named,
        since=naming.times.at(one.since),
        until=naming.times.at(one.until),
        span=span,
    )


# -- for programs -------------------------------------------------------------------------------------------


def present_json(who: str, at: datetime, naming: Naming) -> dict[str, object]:
    """The same for programs; channels and no addresses."""
    present, following = now_and_next(naming.world.directory, who, at)
    return {
        "role": who,
        "at": iso(at),
        "people": list(_people_json(present.holders, naming)),
        "why": list(present.why),
        "next": None
        if following is None
        else {"at": iso(following.since), "people": list(_people_json(following.holders, naming))},
    }


def _people_json(holders: Iterable[Holder], naming: Naming) -> Iterator[dict[str, object]]:
    for one in holders:
        yield {
            "person": one.person.id,
            "name": naming.who(one.person.id),
            "for": one.deputy_for,
            "channels": list(reachable(one, naming.world.channels)),
        }


def stretch_json(one: Stretch, naming: Naming) -> dict[str, object]:
    """A stretch of duty."""
    return {
        "role": one.who,
        "since": iso(one.since),
        "until": iso(one.until),
        "people": list(_people_json(one.holders, naming)),
        "why": list(one.why),
    }


def gap_json(one: Gap, naming: Naming) -> dict[str, object]:
    """A fault of the rota, with its sentence."""
    return {
        "kind": one.kind,
        "who": one.who,
        "since": iso(one.since),
        "until": iso(one.until),
        "people": list(one.people),
        "text": fault(one, naming),
    }


def entry(one: Stretch, naming: Naming) -> Entry:
    """A stretch of duty in a calendar: names and roles, no address."""
    return Entry(
        uid=f"duty-{one.who}-{one.since.strftime(STAMP)}",
        starts=one.since,
        ends=one.until,
        summary=f"{naming.who(one.who)}: {people(one, naming)}",
        description=why(one, naming),
    )
