"""How a machine's step ended that did not end well: on what target, in whose words, and what it means."""

from __future__ import annotations

from console.views.naming import Naming
from models.plan import PlannedStep
from models.state import StepState

NOT_REACHED = "nothing was done, the target was not reached: "
MAX_ERROR = 1_000


def target(planned: PlannedStep) -> str:
    """The target of `targets.yaml` that the step acts on; empty if it has none."""
    return planned.step.target or ""


def failure(known: StepState, planned: PlannedStep, naming: Naming) -> str:
    """Why it is stuck, with the target's name; what an action itself wrote stays as it is."""
    error, on = naming.text(known.error, MAX_ERROR), target(planned)
    if error.startswith(NOT_REACHED):
        return naming.texts("stepcards.not_reached", target=on, error=error.removeprefix(NOT_REACHED))
    return naming.texts("stepcards.failed_at", target=on, error=error) if error and on else error
