"""The register of exercises and their findings on a screen and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, Style, Table
from models.clock import iso
from models.exercised import retests
from models.programme import Entry, Finding, Measured, Took
from models.state import Programme

_ENTRY = ("id", "status", "day", "type", "by", "title", "playbooks")
_FINDING = ("id", "status", "title", "owner", "due", "exercise", "retest", "revision")
_STYLES: dict[str, Style] = {"planned": "plain", "held": "good", "cancelled": "dim"}


def say(naming: Naming, key: str, /, **values: object) -> str:
    """A text of the programme."""
    return naming.texts(f"programme.{key}", **values)


def table(naming: Naming, title: str, columns: Iterable[str], rows: Iterable[Row]) -> Section:
    """A titled table; if there is nothing in it, it says so."""
    made = tuple(rows)
    if not made:
        return Section(title=title, parts=(Line(text=say(naming, "none")),))
    headers = tuple(say(naming, f"column.{name}") for name in columns)
    return Section(title=title, parts=(Table(headers=headers, rows=made, whole=(0,)),))


# -- exercises ----------------------------------------------------------------------------------------------


def entries(many: Iterable[Entry], naming: Naming) -> Section:
    """The register."""
    return table(naming, say(naming, "title.entries"), _ENTRY, (_entry_row(one, naming) for one in many))


def status(one: Entry, naming: Naming) -> str:
    """How an exercise stands; late is said besides."""
    return say(naming, "status.late" if one.late(naming.now) else f"status.{one.status}")


def _entry_row(one: Entry, naming: Naming) -> Row:
    cells = (
        one.id,
        status(one, naming),
        one.held_on or one.when,
        say(naming, f"type.{one.type}"),
        say(naming, f"by.{one.by}"),
        naming.text(one.title, 120),
        naming.texts("words.comma").join(one.playbooks),
    )
    return Row(cells=cells, style="bad" if one.late(naming.now) else _STYLES[one.status])


def entry(one: Entry, state: Programme, naming: Naming) -> list[Section]:
    """One exercise, whole."""
    lines = tuple(Line(text=text, style=style) for text, style in _lines(one, naming))
    parts = [Section(title=f"{one.id} {naming.text(one.title, 200)}", parts=lines)]
    if one.participants:
        rows = (_took_row(took, naming) for took in one.participants)
        parts.append(table(naming, say(naming, "title.participants"), ("role", "who", "there"), rows))
    if one.measured:
        rows = (_measured_row(found, naming) for found in one.measured)
        columns = ("measure", "service", "target", "actual", "result")
        parts.append(table(naming, say(naming, "title.measured"), columns, rows))
    if one.outcomes:
        rows = (
            Row(cells=(found.objective, found.rating, naming.who(found.evaluator))) for found in one.outcomes
        )
        parts.append(table(naming, say(naming, "title.outcomes"), ("objective", "rating", "evaluator"), rows))
    of = [found for found in state.findings.values() if found.exercise == one.id]
    return [*parts, findings(of, state, naming)] if one.status == "held" else parts


def _lines(one: Entry, naming: Naming) -> Iterator[tuple[str, Style]]:
    comma = naming.texts("words.comma").join
    kind = {"type": say(naming, f"type.{one.type}"), "by": say(naming, f"by.{one.by}")}
    day = one.held_on or one.when
    style: Style = "bad" if one.late(naming.now) else "plain"
    yield say(naming, "line.status", status=status(one, naming), day=day, **kind), style
    if one.organiser:
        yield say(naming, "line.organiser", who=naming.text(one.organiser, 200)), "plain"
    if one.scenario:
        yield say(naming, "line.scenario", scenario=one.scenario, version=one.version), "plain"
    for name in ("playbooks", "routes", "guideline", "retests"):
        if values := getattr(one, name):
            yield say(naming, f"line.{name}", names=comma(values)), "plain"
    if one.imported is not None:
        how = say(naming, f"trust.{one.imported.trust}")
        drill = one.imported.drill
        yield say(naming, "line.imported", drill=drill, digest=one.imported.digest), "plain"
        yield say(naming, "line.key", key=one.imported.key, how=how), "plain"
    for person, at in one.signed_off.items():
        yield say(naming, "line.signed_off", who=naming.who(person), at=naming.times.at(at)), "good"
    if one.status == "held" and not one.signed_off:
        yield say(naming, "line.not_signed_off", id=one.id), "warn"
    for name in ("note", "reason"):
        if getattr(one, name):
            yield say(naming, f"line.{name}", text=naming.text(getattr(one, name), 1_000)), "plain"


def _took_row(one: Took, naming: Naming) -> Row:
    who = naming.texts("words.comma").join(naming.who(name) for name in (one.person, one.party) if name)
    there = say(naming, "there.no" if one.absent else "there.yes")
    role = naming.who(one.role) if naming.world.directory.role(one.role) else say(naming, "there.role")
    return Row(cells=(role, who or "–", there), style="warn" if one.absent else "plain")


def _measured_row(one: Measured, naming: Naming) -> Row:
    result = {True: "met", False: "missed", None: "unknown"}[one.met]
    style: Style = {"met": "good", "missed": "bad", "unknown": "warn"}[result]  # type: ignore[assignment]
    cells = (
        one.kind.upper(),
        naming.service(one.service),
        _amount(one, one.target, naming),
        _amount(one, one.actual, naming),
        say(naming, f"measured.{result}"),
    )
    return Row(cells=cells, style=style)


def _amount(one: Measured, value: str, naming: Naming) -> str:
    """A span in words, or a level as the service calls it; unknown is said in capitals."""
    if not value:
        return say(naming, "measured.unknown")
    if one.kind == "rlo":
        return naming.level(one.service, value)
    return naming.times.span(timedelta(seconds=int(value)))


def entry_json(one: Entry, naming: Naming) -> dict[str, Any]:
    """One exercise for programs; spans in seconds."""
    imported = one.imported
    return {
        "id": one.id,
        "status": one.status,
        "late": one.late(naming.now),
        "title": naming.text(one.title),
        "type": one.type,
        "by": one.by,
        "organiser": naming.text(one.organiser),
        "when": one.when or None,
        "held_on": one.held_on or None,
        "scenario": one.scenario or None,
        "version": one.version or None,
        "playbooks": one.playbooks,
        "routes": one.routes,
        "guideline": one.guideline,
        "retests": one.retests,
        "participants": [
            {"role": took.role, "person": took.person, "party": took.party, "absent": took.absent}
            for took in one.participants
        ],
        "management": one.managers,
        "measured": [_measured_json(found) for found in one.measured],
        "outcomes": [
            {"objective": found.objective, "rating": found.rating, "evaluator": found.evaluator}
            for found in one.outcomes
        ],
        "imported": None
        if imported is None
        else {name: getattr(imported, name) for name in ("digest", "drill", "key", "trust")},
        "signed_off": {person: iso(at) for person, at in one.signed_off.items()},
        "reason": naming.text(one.reason) or None,
    }


def _measured_json(one: Measured) -> dict[str, Any]:
    def value(text: str) -> str | int | None:
        return (text if one.kind == "rlo" else int(text)) if text else None

    return {
        "kind": one.kind,
        "service": one.service,
        "target": value(one.target),
        "actual": value(one.actual),
        "met": one.met,
    }


# -- findings -----------------------------------------------------------------------------------------------


def findings(many: Iterable[Finding], state: Programme, naming: Naming) -> Section:
    """Findings: whose, until when, which planned exercise tests them again, which revision they led to."""
    planned = retests(state)
    rows = (_finding_row(one, planned.get(one.id, ""), naming) for one in many)
    return table(naming, say(naming, "title.findings"), _FINDING, rows)


def is_late(one: Finding, naming: Naming) -> bool:
    """Whether its date has passed and the work is not done."""
    return one.status == "open" and one.due <= naming.now


def _finding_row(one: Finding, planned: str, naming: Naming) -> Row:
    tested = naming.texts("words.comma").join(f"{found.exercise}: {found.rating}" for found in one.retests)
    cells = (
        one.id,
        say(naming, f"finding.{one.status}"),
        naming.text(one.title, 160),
        naming.who(one.owner),
        naming.at(one.due) if one.status == "open" else naming.times.at(one.due),
        one.exercise,
        planned or tested or (say(naming, "finding.no_retest") if one.status == "fixed" else "–"),
        f"{one.playbook} {one.version}".strip() or "–",
    )
    late = is_late(one, naming)
    return Row(
        cells=cells, style="bad" if late else "warn" if one.status == "fixed" and not planned else "plain"
    )


def finding(one: Finding, state: Programme, naming: Naming) -> Section:
    """One finding, whole."""
    planned = retests(state).get(one.id)
    due = naming.at(one.due)
    lines = [
        (say(naming, f"finding.{one.status}"), "bad" if is_late(one, naming) else "strong"),
        (say(naming, "line.found", exercise=one.exercise, owner=naming.who(one.owner), due=due), "plain"),
    ]
    lines += [
        (say(naming, f"line.{name}", text=naming.text(getattr(one, name), 1_000)), "plain")
        for name in ("objective", "cause", "note", "reason")
        if getattr(one, name)
    ]
    if one.playbook:
        lines.append((say(naming, "line.revision", playbook=one.playbook, version=one.version), "plain"))
    for test in one.retests:
        lines.append(
            (
                say(
                    naming,
                    "line.retest",
                    exercise=test.exercise,
                    rating=test.rating,
                    evaluator=naming.who(test.evaluator),
                ),
                "plain",
            )
        )
    if one.review_at is not None:
        at = naming.times.at(one.review_at)
        lines.append((say(naming, "line.accepted", who=naming.who(one.accepted_by), at=at), "plain"))
    if planned is not None:
        lines.append((say(naming, "line.planned_retest", exercise=planned), "plain"))
    elif one.status in {"open", "fixed"}:
        lines.append((say(naming, "line.no_retest", id=one.id), "warn"))
    title = f"{one.id} {naming.text(one.title, 200)}"
    return Section(title=title, parts=tuple(Line(text=text, style=style) for text, style in lines))  # type: ignore[arg-type]


def finding_json(one: Finding, state: Programme, naming: Naming) -> dict[str, Any]:
    """One finding for programs."""
    return {
        "id": one.id,
        "status": one.status,
        "exercise": one.exercise,
        "title": naming.text(one.title),
        "owner": one.owner,
        "due": iso(one.due),
        "overdue": is_late(one, naming),
        "objective": one.objective or None,
        "cause": naming.text(one.cause) or None,
        "planned_retest": retests(state).get(one.id),
        "playbook": one.playbook or None,
        "version": one.version or None,
        "retests": [
            {
                "exercise": test.exercise,
                "rating": test.rating,
                "evaluator": test.evaluator,
                "at": iso(test.at),
            }
            for test in one.retests
        ],
        "accepted_by": one.accepted_by or None,
        "review_at": iso(one.review_at) if one.review_at else None,
    }
