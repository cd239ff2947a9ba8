"""What is still to be preserved, in the order of volatility (RFC 3227), and what is lost by waiting."""

from __future__ import annotations

from collections.abc import Iterator

from console.views.naming import Naming
from console.views.sheet import Line
from models.plan import PlannedStep
from models.state import OVER, SETTLED, Incident

LEAST_VOLATILE = 8


def waiting(state: Incident, naming: Naming, *, headed: bool = False) -> Iterator[Line]:
    """The steps that preserve something and are not settled: what is lost the soonest comes first.

    `headed` is where a heading says already that all of it is to be preserved.
    """
    if state.status in OVER:
        return
    open_steps = [
        one
        for one in naming.world.steps(state).values()
        if one.step.preserves and ((known := state.steps.get(one.key)) is None or known.status not in SETTLED)
    ]
    for planned in sorted(open_steps, key=lambda one: one.step.volatility or LEAST_VOLATILE):
        left = "".join(f"  {_left(source, state, naming)}" for source in planned.step.preserves)
        sources = naming.texts("words.comma").join(planned.step.preserves)
        step = naming.step(planned.key)
        if kept := _kept(planned, state):
            # What is there is there; only the step was never said to be done.
            items = naming.texts("words.comma").join(kept)
            yield Line(text=naming.texts("evidence.step_open", step=step, items=items))
            continue
        key = "evidence.waiting_headed" if headed else "evidence.waiting"
        yield Line(
            text=naming.texts(key, step=step, sources=sources).rstrip() + left.rstrip(),
            style="warn",
        )
        yield from (Line(text=line, indent=1) for line in said(planned, naming))


def _kept(planned: PlannedStep, state: Incident) -> list[str]:
    """The evidence by which everything that the step preserves is there already; none unless all of it is."""
    items = [one for one in state.evidence.values() if one.disposal is None and not one.partial]
    found = [[one.id for one in items if source in one.sources] for source in planned.step.preserves]
    return list(dict.fromkeys(one for ids in found for one in ids)) if all(found) else []


def said(planned: PlannedStep, naming: Naming) -> Iterator[str]:
    """The class of a step, and what is lost while nobody does it."""
    step = planned.step
    if step.volatility is not None:
        yield naming.texts("evidence.class", n=step.volatility)
    if step.lost_by_waiting is not None:
        yield naming.texts("evidence.lost", text=step.lost_by_waiting.lang(naming.lang))


def _left(source: str, state: Incident, naming: Naming) -> str:
    """How long the source still has it, if a clock says so."""
    clock = state.clocks.get(f"retention:{source}")
    if clock is None or clock.status != "running":
        return ""
    return naming.texts("evidence.left", left=naming.times.left(clock.due_at, naming.now))
