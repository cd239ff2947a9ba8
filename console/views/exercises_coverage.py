"""What was last exercised or used when, and what is overdue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from console.views.exercises import entries, entry_json, finding_json, findings, say, table
from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, harmless
from models.clock import iso
from models.exercised import KINDS, Standing, Waiting
from models.scenario import Scenario
from models.state import Programme

_COLUMNS = ("name", "last", "how", "again")


def sections(many: Sequence[Standing], naming: Naming) -> list[Section]:
    """A table a kind."""
    found = [(kind, [one for one in many if one.kind == kind]) for kind in KINDS]
    return [
        table(naming, say(naming, f"kind.{kind}"), _COLUMNS, (_row(one, naming) for one in of))
        for kind, of in found
        if of
    ]


def _row(one: Standing, naming: Naming) -> Row:
    if one.last is None:
        return Row(cells=(_name(one, naming), say(naming, "never"), "–", say(naming, "due")), style="bad")
    how = say(naming, f"how.{one.last.how}", id=one.last.by)
    day = naming.times.at(one.last.at)[: len("2026-11-23")]
    again = naming.times.at(one.due_at)[: len("2026-11-23")]
    again = say(naming, "since", day=again) if one.overdue else again
    return Row(cells=(_name(one, naming), day, how, again), style="bad" if one.overdue else "plain")


def _name(one: Standing, naming: Naming) -> str:
    """The id, with the name of whoever has one; of a person the name alone tells nothing to a program."""
    if one.kind in {"role", "person", "vendor"}:
        return f"{naming.who(one.name)} ({one.name})"
    if one.kind == "route":
        found = next((route for route in naming.world.policy.routes if route.id == one.name), None)
        return f"{found.title.lang(naming.lang)} ({one.name})" if found is not None else one.name
    return harmless(one.name, 80)


def standing_json(one: Standing) -> dict[str, Any]:
    """How one stands, for programs."""
    return {
        "kind": one.kind,
        "name": one.name,
        "last": iso(one.last.at) if one.last else None,
        "how": one.last.how if one.last else None,
        "by": one.last.by if one.last else None,
        "due": iso(one.due_at) if one.due_at else None,
        "overdue": one.overdue,
    }


# -- what is overdue ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Overdue:
    """Everything of the programme that is late."""

    standings: tuple[Standing, ...]
    waiting: Waiting
    stale: tuple[Scenario, ...]


def overdue(found: Overdue, state: Programme, naming: Naming) -> list[Section | Line]:
    """What is late, gravest first; if nothing is, it says so."""
    parts: list[Section | Line] = list(_waiting(found.waiting, state, naming))
    if found.stale:
        names = naming.texts("words.comma").join(one.scenario for one in found.stale)
        parts.append(Line(text=say(naming, "overdue.stale", names=names), style="warn"))
    parts += sections(found.standings, naming)
    return parts or [Line(text=say(naming, "overdue.nothing"), style="good")]


def _waiting(found: Waiting, state: Programme, naming: Naming) -> Iterator[Section]:
    if found.plans:
        yield Section(title=say(naming, "overdue.plans"), parts=entries(found.plans, naming).parts)
    if found.findings:
        yield Section(
            title=say(naming, "overdue.findings"), parts=findings(found.findings, state, naming).parts
        )
    if found.without_retest:
        parts = findings(found.without_retest, state, naming).parts
        yield Section(title=say(naming, "overdue.without_retest"), parts=parts)


def overdue_json(found: Overdue, state: Programme, naming: Naming) -> dict[str, Any]:
    """What is late, for programs."""
    waiting = found.waiting
    return {
        "plans": [entry_json(one, naming) for one in waiting.plans],
        "findings": [finding_json(one, state, naming) for one in waiting.findings],
        "without_retest": [finding_json(one, state, naming) for one in waiting.without_retest],
        "scenarios_to_review": [one.scenario for one in found.stale],
        "not_exercised": [standing_json(one) for one in found.standings],
    }


def summary(found: Waiting, naming: Naming) -> Line | None:
    """One line for `hikeshi health`; None if nothing waits."""
    if not found:
        return None
    counts = {name: len(getattr(found, name)) for name in ("plans", "findings", "without_retest")}
    return Line(text=say(naming, "overdue.summary", **counts), style="warn")
