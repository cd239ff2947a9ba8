"""Phases end and are taken up again: a decision with a reason, which a rule may propose and never makes."""

from __future__ import annotations

from models.commands import Reopen
from models.errors import Refused
from models.fact import Draft
from models.gate import PRIORITY
from models.permission import require
from models.policy import PHASES
from models.reason import Reason
from models.reopening import EVENT, DeclineReopening
from models.routing import ask
from models.rules.common import Decided, must_not_have_ended, text
from models.state import ENDED, Incident
from models.world import World


def propose_reopening(state: Incident, phase: str, cause: str, world: World) -> list[Draft]:
    """Ask the commander whether an ended phase is to be reopened; nothing if it has not ended.

    `cause` is `kind:what`, like a gate's (`scope-grew:SC-004`). A further cause joins the proposal that waits
    and pages nobody twice. Call it from the rule that finds the cause, and add what it returns to its facts.
    """
    known = state.phases.get(phase)
    if known is None or known.status != "ended" or state.status in ENDED:
        return []
    waiting = state.reopenings.get(phase)
    if waiting is not None and cause in waiting.causes:
        return []
    proposed = Draft(kind="reopening.proposed", data={"phase": phase, "cause": cause})
    if waiting is not None:
        return [proposed]
    return [proposed, *ask(world, state, EVENT, f"{EVENT}:{phase}", {"cause": cause})]


def decline(state: Incident, command: DeclineReopening, world: World) -> Decided:
    """The phase stays ended; who says so is entitled to reopen it."""
    require(command, "reopen", state, world)
    must_not_have_ended(state)
    if command.phase not in state.reopenings:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.phase, "known": sorted(state.reopenings)})
    reason = {"reason": text(command.reason, "reason")}
    return [Draft(kind="reopening.declined", data={"phase": command.phase}, texts=reason)]


def reopen(state: Incident, command: Reopen, world: World) -> Decided:
    """Take the incident up again, or one of its phases; a decision with a reason."""
    require(command, "reopen", state, world)
    reason = text(command.reason, "reason")
    if command.phase is None:
        if state.status not in {"resolved", "closed"}:
            raise Refused(Reason.ALREADY, {"what": state.status})
        return [Draft(kind="incident.reopened", texts={"reason": reason})]
    must_not_have_ended(state)
    if command.phase not in PHASES:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.phase, "known": list(PHASES)})
    known = state.phases.get(command.phase)
    if known is None or known.status != "ended":
        raise Refused(Reason.ALREADY, {"what": command.phase})
    drafts = []
    if state.status != "open" and command.phase != PHASES[-1]:
        # What is contained or restored anew has to be watched anew: the response is not over.
        drafts.append(Draft(kind="incident.reopened", texts={"reason": reason}))
    drafts.append(Draft(kind="phase.reopened", data={"phase": command.phase}, texts={"reason": reason}))
    again = _again(state, command.phase, world)
    return [*drafts, Draft(kind="step.repeated", data={"step": command.phase, "steps": again})]


def _again(state: Incident, phase: str, world: World) -> list[str]:
    """The steps of the phase; for containment also the choice between it and preservation (FSA-2.5.2.4-B2).

    What was chosen for the first hosts was not chosen for those found since.
    """
    return [
        planned.key
        for planned in world.steps(state).values()
        if planned.key in state.steps
        and (planned.step.phase == phase or (phase == "containment" and planned.step.decides == PRIORITY))
    ]
