"""Which steps may begin: what they wait for, whether they apply, what holds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from models.errors import BadExpression
from models.expression import evaluate
from models.plan import PlannedStep
from models.policy import PHASES
from models.reason import Reason
from models.state import SETTLED, Incident, StepState
from models.world import World

FREE_PHASES = ("triage", "communication")
"""Phases that wait for no other."""


def names_for(state: Incident, planned: PlannedStep) -> Mapping[str, Callable[..., Any]]:
    """What a condition of this step may ask (see models.expression)."""

    def of(ref: str) -> StepState | None:
        return state.steps.get(planned.resolve(ref))

    def output(ref: str, field: str) -> Any:
        known = of(ref)
        return known.outputs.get(field) if known else None

    def variable(name: str) -> Any:
        return state.variables.get(f"{planned.scope}.{name}", planned.arguments.get(name))

    def decided(ref: str) -> str | None:
        known = of(ref)
        return known.choice if known else None

    return {
        "decided": decided,
        "done": lambda ref: (known := of(ref)) is not None and known.status == "done",
        "skipped": lambda ref: (
            (known := of(ref)) is not None and known.status in {"skipped", "not-applicable"}
        ),
        "output": output,
        "var": variable,
        "severity": lambda: state.severity_rank,
        "affected": lambda service: (
            (known := state.services.get(service)) is not None and known.since is not None
        ),
        "phase_ended": lambda name: (phase := state.phases.get(name)) is not None and phase.status == "ended",
        "evidence": lambda source: any(source in item.sources for item in state.evidence.values()),
        "round": lambda: state.steps[planned.key].round if planned.key in state.steps else 1,
    }


def settled(state: Incident, key: str) -> bool:
    """Whether nothing more is to be done about the step."""
    known = state.steps.get(key)
    return known is not None and known.status in SETTLED


def phases_before_ended(state: Incident, phase: str) -> bool:
    """Whether every phase before this one has ended."""
    if phase in FREE_PHASES:
        return True
    earlier = PHASES[: PHASES.index(phase)]
    return all((known := state.phases.get(name)) is not None and known.status == "ended" for name in earlier)


def waits_for(state: Incident, planned: PlannedStep) -> Reason:
    """Whether the step waits, and for what: READY if it does not."""
    caller = planned.caller
    if caller is not None:
        known = state.steps.get(caller)
        if known is None or known.status != "started":
            return Reason.WAITS_FOR_STEP
    if planned.after is None:
        if not phases_before_ended(state, planned.step.phase):
            return Reason.WAITS_FOR_PHASE
    elif not all(settled(state, key) for key in planned.after):
        return Reason.WAITS_FOR_STEP
    if planned.after_any and not any(
        (known := state.steps.get(key)) is not None and known.status == "done" for key in planned.after_any
    ):
        return Reason.WAITS_FOR_STEP
    return Reason.READY


def applies(state: Incident, planned: PlannedStep) -> bool | None:
    """Whether the step's own condition holds now; None if it cannot be evaluated: then the step is held.

    A rule that raised here would keep people from acknowledging.
    """
    if planned.step.when is None:
        return True
    try:
        return evaluate(planned.step.when, names_for(state, planned), unknown_is_false=True)
    except BadExpression:
        return None


def again(state: Incident, planned: PlannedStep) -> bool:
    """Whether a finished step is to be repeated: `until` does not hold and there are rounds left."""
    repeat = planned.step.repeat
    known = state.steps[planned.key]
    if repeat is None or known.status != "done" or known.round >= repeat.at_most:
        return False
    try:
        return not evaluate(repeat.until, names_for(state, planned), unknown_is_false=True)
    except BadExpression:
        return False


def owed(state: Incident, world: World, phase: str) -> bool:
    """Whether a phase still has a step that it must not end without."""
    for planned in world.steps(state).values():
        if planned.step.phase != phase or settled(state, planned.key):
            continue
        if not planned.step.optional or _begun(state, planned.key):
            return True
    return False


def _begun(state: Incident, key: str) -> bool:
    known = state.steps.get(key)
    return known is not None and known.status in {"started", "unknown", "failed"}
