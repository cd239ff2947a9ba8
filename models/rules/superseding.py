"""One decision takes the place of another: both stay, linked, and what followed is told and not undone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from models.commands import Decide
from models.errors import Refused
from models.fact import Draft
from models.plan import PlannedStep, choices_asked, variable_of, variables_asked
from models.reason import Reason
from models.state import Incident, StepState
from models.world import World

BEGUN = frozenset({"started", "done", "failed", "unknown"})
MAX_FOLLOWED = 100


def must_be_decided(planned: PlannedStep, known: StepState, command: Decide) -> None:
    """Raises Refused unless there is a decision by one person that this can take the place of."""
    if planned.step.approver is not None or planned.step.quorum is not None:
        raise Refused(Reason.SEVERAL_DECIDE, {"step": planned.key})
    if known.choice is None:
        raise Refused(Reason.STEP_NOT_READY, {"step": planned.key, "status": known.status, "after": ()})
    if known.choice == command.choice:
        raise Refused(Reason.ALREADY, {"what": f"{planned.key}: {known.choice} ({known.done_by})"})


def superseded(state: Incident, planned: PlannedStep, known: StepState, made: Draft, world: World) -> Draft:
    """The fact that links the old decision and the new one, with what had followed from the old."""
    data: dict[str, Any] = {
        "step": planned.key,
        "old": {"fact": known.decided_seq, "choice": known.choice or "", "by": known.done_by or ""},
        "choice": made.data["choice"],
        "authority": made.data["authority"],
    }
    followed = list(_followed(state, planned, known.done_at, world))
    if followed:
        data["followed"] = followed[:MAX_FOLLOWED]
    return Draft(kind="decision.superseded", data=data, texts={"reason": made.texts["reason"]})


def _followed(state: Incident, planned: PlannedStep, since: datetime | None, world: World) -> Iterator[str]:
    """Steps that have begun since the decision and hang on it, at any remove."""
    key = planned.key
    hang = {key, *(variable_of(planned, name) for name in planned.step.sets)}
    steps = world.steps(state)
    for one in steps.values():  # in the order they are written: what a step waits for stands before it
        if hang & (waits_on(one) | variables_asked(one)):
            hang.add(one.key)
    for other in steps:
        known = state.steps.get(other)
        if other == key or other not in hang or known is None or known.status not in BEGUN:
            continue
        begun = known.started_at or known.done_at
        if begun is None or since is None or begun >= since:
            yield other


def waits_on(planned: PlannedStep) -> set[str]:
    """The steps that this one waits for, is allowed by, or asks the choice of."""
    step, named = planned.step, choices_asked(planned)
    if step.decided_by:
        named.add(planned.resolve(step.decided_by))
    return named | set(planned.after or ()) | set(planned.after_any)
