"""What the answers of a step tell besides: instants, submitted reports, judged obligations.

A person writes a thing down once. What a playbook says an answer means becomes a fact of its own, with the
step as its source; an answer that is not known becomes none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from models.clock import iso
from models.clocks.owed import find_obligation
from models.fact import Draft
from models.plan import PlannedStep
from models.playbook import SUBMITTED, Option
from models.rules.common import LEEWAY, earliest_report
from models.state import Incident
from models.world import World


def told(state: Incident, planned: PlannedStep, outputs: Mapping[str, Any], world: World) -> Iterator[Draft]:
    """The facts that follow from the fields of a manual step or a notice."""
    for field in planned.step.record:
        at = _instant(outputs.get(field.id), world)
        if field.instant is None or at is None:
            continue
        if field.instant == SUBMITTED:
            yield from _submitted(state, planned, at, world) if at >= earliest_report(state) else ()
        elif state.instants.get(field.instant) != at:
            data = {"name": field.instant, "instant": iso(at), "source": f"step:{planned.key}"}
            yield Draft(kind="instant.set", data=data)


def _instant(value: Any, world: World) -> datetime | None:
    """An answer that is an instant and does not lie ahead; a typing error in a step starts no clock."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo is not None and at <= world.now + LEEWAY else None


def _submitted(state: Incident, planned: PlannedStep, at: datetime, world: World) -> Iterator[Draft]:
    for named in planned.step.reports:
        name, _, stage = named.partition("/")
        one = find_obligation(state, world, name)
        if one is None or stage not in [each.id for each in one.stages]:
            continue
        known = state.obligations.get(name)
        sent = known is not None and stage in known.reports and bool(known.reports[stage].submitted)
        data = {
            "obligation": name,
            "edition": one.edition.isoformat(),
            "stage": stage,
            "instant": iso(at),
            "step": planned.key,
        }
        yield Draft(kind="report.updated" if sent else "report.submitted", data=data)


def judged(state: Incident, option: Option, reason: str, world: World) -> Iterator[Draft]:
    """The judgements that a decision makes by its option, with its reason."""
    for name, applicable in option.judges.items():
        one = find_obligation(state, world, name)
        if one is not None:
            data = {"obligation": name, "edition": one.edition.isoformat(), "applicable": applicable}
            yield Draft(kind="obligation.judged", data=data, texts={"reason": reason})
