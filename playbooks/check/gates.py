"""Playbooks whose own order would leave a gate of the guideline closed for ever (models.gate)."""

from __future__ import annotations

from collections.abc import Iterator

from playbooks.check.graph import Order
from playbooks.check.view import PlanView, View
from playbooks.defect import Defect, one_of, quoted

PRIORITY = "containment-or-preservation"


def defects(view: View) -> Iterator[Defect]:
    """Steps that a gate would hold, because nothing before them opens it."""
    for plan in view.plans:
        yield from _stops(plan)
        yield from _sources(plan)


def _stops(plan: PlanView) -> Iterator[Defect]:
    """Containment or preservation first: chosen before anything is stopped (FSA-2.5.2.4-B2)."""
    order = Order(plan)
    steps = plan.plan.steps
    for planned in steps.values():
        if not planned.step.stops or planned.step.decides == PRIORITY:
            continue
        if not any(steps[key].step.decides == PRIORITY for key in order.before(planned.key)):
            yield plan.defect(
                planned,
                ("stops",),
                "stops a service before it is decided whether containment or preservation comes first",
                f"a decision with `decides: {PRIORITY}` before it (FSA-2.5.2.4-B2)",
            )


def _sources(plan: PlanView) -> Iterator[Defect]:
    """Preserved before analysed (FSA-2.5.2.2-B1)."""
    preserved = {source for planned in plan.plan.steps.values() for source in planned.step.preserves}
    for planned in plan.plan.steps.values():
        for place, source in enumerate(planned.step.sources):
            if source not in preserved:
                yield plan.defect(
                    planned,
                    ("sources", place),
                    f"no step preserves {quoted(source)}, so it can never be analysed",
                    one_of(preserved, source),
                )
