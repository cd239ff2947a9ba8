"""The shift plan of an incident: as a table, as lines that can be written and read back, and its defects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise

from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, Style, Table, harmless
from models.clock import iso
from models.errors import NaiveInstant
from models.shiftplan import MAX_SHIFTS, Proposal, ShiftDefect
from models.shifts import PlannedShift, ShiftState
from models.state import Incident

WORDS_IN_A_LINE = 4
_STYLES: dict[str, Style] = {"begun": "strong", "taken": "good", "missed": "bad", "passed": "dim"}


def written(shifts: Iterable[PlannedShift], naming: Naming) -> str:
    """A plan as lines: role, person, since, until; in the institution's zone, for people to edit."""
    zone = naming.times.zone
    lines = (
        f"{one.role} {one.person} {one.since.astimezone(zone).isoformat()} "
        f"{one.until.astimezone(zone).isoformat()}"
        for one in shifts
    )
    return "".join(f"{line}\n" for line in (naming.texts("shifts.file_head"), *lines))


def read(text: str, naming: Naming) -> tuple[list[PlannedShift], list[str]]:
    """The shifts of a plan's lines, and what is wrong with lines that are none; `#` begins a remark."""
    found: list[PlannedShift] = []
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        shift = _shift(words)
        if len(found) > MAX_SHIFTS:
            break
        if shift is None:
            wrong.append(naming.texts("shifts.line_wrong", n=number, line=harmless(line, 120)))
        else:
            found.append(shift)
    return found, wrong


def _shift(words: list[str]) -> PlannedShift | None:
    if len(words) != WORDS_IN_A_LINE:
        return None
    role, person, since, until = words
    try:
        return PlannedShift(
            role=role,
            person=person,
            since=datetime.fromisoformat(since),
            until=datetime.fromisoformat(until),
        )
    except (ValueError, NaiveInstant):
        return None


def proposal(found: Proposal, naming: Naming) -> Section:
    """What is proposed, its holes in red."""
    all_of = sorted((*found.shifts, *found.holes), key=lambda one: (one.since, one.role))
    rows = tuple(_row(one, naming, "plain" if one.person else "bad") for one in all_of)
    return Section(
        title=naming.texts("shifts.title.proposal"), parts=(_table(rows, naming), *_hours(found, naming))
    )


def _hours(found: Proposal, naming: Naming) -> Iterator[Line]:
    """How many shifts each has: whether it is fair is to be seen at a glance."""
    counts: dict[str, int] = {}
    for one in found.shifts:
        counts[one.person] = counts.get(one.person, 0) + 1
    names = [naming.texts("shifts.count", who=naming.who(name), n=n) for name, n in counts.items()]
    if names:
        yield Line(text=naming.texts("words.comma").join(names), style="dim")
    if found.holes:
        yield Line(text=naming.texts("shifts.holes", n=len(found.holes)), style="bad")


def plan(state: Incident, naming: Naming) -> Section:
    """The plan as it stands, with times at which a role has nobody planned."""
    shifts = sorted(state.shifts.values(), key=lambda one: (one.since, one.role))
    rows = tuple(_row(one, naming, _STYLES.get(one.status, "plain"), _status(one, naming)) for one in shifts)
    title = naming.texts("shifts.title.plan", incident=state.stream)
    if not rows:
        return Section(title=title, parts=(Line(text=naming.texts("shifts.none"), style="dim"),))
    return Section(title=title, parts=(_table(rows, naming), *_unplanned(shifts, naming)))


def _status(one: ShiftState, naming: Naming) -> str:
    if one.status == "taken" and one.taken_by not in {None, one.person}:
        return naming.texts("shifts.status.deputy", who=naming.who(one.taken_by))
    return naming.texts(f"shifts.status.{one.status}")


def _unplanned(shifts: list[ShiftState], naming: Naming) -> Iterator[Line]:
    """Holes between shifts, and the end of the plan: the role then stays with whoever has it."""
    for role in dict.fromkeys(one.role for one in shifts):
        own = [one for one in shifts if one.role == role]
        for before, after in pairwise(own):
            if after.since > before.until:
                since, until = naming.times.at(before.until), naming.times.at(after.since)
                yield Line(
                    text=naming.texts("shifts.hole", role=naming.who(role), since=since, until=until),
                    style="warn",
                )
        ends = naming.times.at(own[-1].until)
        yield Line(text=naming.texts("shifts.ends", role=naming.who(role), at=ends), style="dim")


def _row(one: PlannedShift | ShiftState, naming: Naming, style: Style, status: str = "") -> Row:
    who = naming.who(one.person) if one.person else naming.texts("rota.nobody")
    cells = (naming.times.at(one.since), naming.times.at(one.until), naming.who(one.role), who, status)
    return Row(cells=cells, style=style)


def _table(rows: tuple[Row, ...], naming: Naming) -> Table:
    names = ("since", "until", "who", "people", "status")
    return Table(
        headers=tuple(naming.texts(f"rota.column.{name}") for name in names), rows=rows, whole=(0, 1)
    )


def as_json(one: PlannedShift) -> dict[str, object]:
    """A shift that is proposed, for programs."""
    return {"role": one.role, "person": one.person, "since": iso(one.since), "until": iso(one.until)}


# -- defects ------------------------------------------------------------------------------------------------


def defect(one: ShiftDefect, naming: Naming) -> str:
    """What is wrong with which shift, in words."""
    detail = {name: naming.who(value) if name != "limit" else value for name, value in one.detail.items()}
    return naming.texts(f"shifts.defect.{one.kind}", n=one.number, **detail)


def defect_text(naming: Naming, text: str) -> str:
    """The same from the detail of a refusal: `3:rest:person=aoki`."""
    number, kind, said = text.split(":", 2)
    detail = dict(pair.split("=", 1) for pair in said.split(",") if "=" in pair)
    return defect(ShiftDefect(number=int(number), kind=kind, detail=detail), naming)  # type: ignore[arg-type]
