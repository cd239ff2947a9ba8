"""Playbooks of an incident: adding, moving to today's version, dropping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.commands import UsePlaybook
from models.errors import Refused
from models.fact import Draft
from models.frozen import FrozenPlaybook
from models.permission import require
from models.playbook import Step
from models.reason import Reason
from models.rules.access import need_to_know, restriction, working
from models.rules.common import Decided, must_be_open, text
from models.state import SETTLED, Incident, StepState
from models.world import World


def playbook_added(frozen: FrozenPlaybook, kind: str = "playbook.added", reason: str = "") -> Draft:
    """The fact that freezes a playbook into the incident."""
    data: dict[str, Any] = {
        "playbook": frozen.name,
        "version": frozen.version,
        "digest": frozen.document.digest,
    }
    variables = {
        name: variable.default
        for name, variable in frozen.plan.playbook.variables.items()
        if isinstance(variable.default, (str, int, bool))
    }
    if variables:
        data["variables"] = variables
    return Draft(kind=kind, data=data, texts={"reason": reason} if reason else {})


def use_playbook(state: Incident, command: UsePlaybook, world: World) -> Decided:
    """Adding, moving and dropping are decisions with a reason (promise P10)."""
    require(command, "playbook", state, world)
    must_be_open(state, "resolved")
    reason = text(command.reason, "reason")
    name = command.playbook
    if command.how == "drop":
        return _drop(state, name, reason)
    if name not in world.library:
        raise Refused(Reason.NO_SUCH_PLAYBOOK, {"playbook": name, "known": sorted(world.library)})
    frozen = world.library[name]
    used = state.playbooks.get(name)
    if command.how == "add":
        if used is not None:
            raise Refused(Reason.PLAYBOOK_IN_USE, {"playbook": name, "version": used.version})
        return [*_confined(state, command, frozen, world), playbook_added(frozen, reason=reason)]
    if used is None:
        raise Refused(Reason.NO_SUCH_PLAYBOOK, {"playbook": name, "known": sorted(state.playbooks)})
    if used.digest == frozen.document.digest:
        raise Refused(Reason.ALREADY, {"what": f"{name} {used.version}"})
    gone = [
        Draft(kind="step.not_applicable", data={"step": key, "reason": f"not in {frozen.version}"})
        for key, known in state.steps.items()
        if key.split("/", 1)[0] == name and key not in frozen.plan.steps and known.status not in SETTLED
    ]
    moved = playbook_added(frozen, "playbook.moved", reason)
    return [*_confined(state, command, frozen, world), moved, *gone, *_void(state, name, frozen, world)]


def _confined(state: Incident, command: UsePlaybook, frozen: FrozenPlaybook, world: World) -> list[Draft]:
    """The restriction that the playbook asks for; first, so that nothing that follows goes where all read."""
    if state.restriction.on or not need_to_know([frozen]):
        return []
    return [restriction(command.who, (), world, frozen.name, working(state, world))]


def _void(state: Incident, name: str, frozen: FrozenPlaybook, world: World) -> Iterator[Draft]:
    """Decisions whose proposal nobody can approve as it was made: option or second person is another now.

    They are asked for again, rather than left with a page that no answer settles.
    """
    for key, planned in frozen.plan.steps.items():
        known, before = state.steps.get(key), world.step(state, key)
        if known is None or before is None or key.split("/", 1)[0] != name:
            continue
        if _proposal_void(known, planned.step, before.step) or _votes_void(known, planned.step, before.step):
            yield Draft(kind="step.reset", data={"step": key})


def _proposal_void(known: StepState, step: Step, before: Step) -> bool:
    if known.proposed is None:
        return False
    options = {option.id for option in step.options}
    return known.proposed.choice not in options or step.approver != before.approver


def _votes_void(known: StepState, step: Step, before: Step) -> bool:
    """Whether votes were given under another rule, or for an option that is no more."""
    if known.status == "done" or not known.votes:
        return False
    options = {option.id for option in step.options}
    return step.quorum != before.quorum or any(one.choice not in options for one in known.votes.values())


def _drop(state: Incident, name: str, reason: str) -> Decided:
    if name not in state.playbooks:
        raise Refused(Reason.NO_SUCH_PLAYBOOK, {"playbook": name, "known": sorted(state.playbooks)})
    if len(state.playbooks) == 1:
        raise Refused(Reason.LAST_PLAYBOOK, {"playbook": name})
    return [Draft(kind="playbook.dropped", data={"playbook": name}, texts={"reason": reason})]
