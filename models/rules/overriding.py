"""Passing a closed gate, by its authority, for one step and for the causes known; and taking that back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.commands import OverrideGate
from models.errors import Refused
from models.fact import Draft
from models.gate import (
    CLOSING,
    CLOSING_BY,
    GATES,
    closed_gates,
    closing_causes,
    uncovered_closing_causes,
)
from models.overriding import WithdrawOverride
from models.permission import require
from models.readiness import settled
from models.reason import Reason
from models.rules.common import Decided, find_step, must_not_have_ended, text
from models.state import Incident
from models.world import World


def override(state: Incident, command: OverrideGate, world: World) -> Decided:
    """Pass a closed gate: only its authority, only with a reason, for one step.

    It covers the causes that are recorded with it. A cause that arises later holds the step again: nobody has
    judged that one.
    """
    require(command, "override", state, world)
    must_not_have_ended(state)
    reason = text(command.reason, "reason")
    if command.gate == CLOSING:
        _in_person(command)
        step, causes = state.stream, uncovered_closing_causes(state, world)
    else:
        step, causes = _held(state, command, world)
    if not causes:
        raise Refused(Reason.NOT_HELD, {"gate": command.gate, "step": step})
    data: dict[str, Any] = {"gate": command.gate, "step": step, "causes": causes}
    if command.gate == "scope-fixed":
        data["scope"] = len(state.scope)
    data |= authority_of(state, command.gate, command.who, world)
    return [Draft(kind="gate.overridden", data=data, texts={"reason": reason})]


def withdraw(state: Incident, command: WithdrawOverride, world: World) -> Decided:
    """The gate holds again; what was begun behind it is not undone and stays on record."""
    require(command, "override", state, world)
    must_not_have_ended(state)
    reason = text(command.reason, "reason")
    step = state.stream
    if command.gate != CLOSING:
        step = find_step(state, world, command.step)[0].key
    if f"{command.gate}@{step}" not in state.overrides:
        known = sorted(state.overrides)
        raise Refused(Reason.NO_SUCH_ITEM, {"item": f"{command.gate}@{step}", "known": known})
    data = {"gate": command.gate, "step": step} | authority_of(state, command.gate, command.who, world)
    return [Draft(kind="override.withdrawn", data=data, texts={"reason": reason})]


def spent(state: Incident, world: World) -> Iterator[Draft]:
    """Causes that an override covers and that are so no longer: nobody has judged one that arises anew."""
    for key, causes in state.override_causes.items():
        gate, _, step = key.partition("@")
        now = _true_now(state, gate, step, world)
        over = [] if now is None else [one for one in causes if one not in now]
        if over:
            yield Draft(kind="override.spent", data={"gate": gate, "step": step, "causes": over})


def _true_now(state: Incident, gate: str, step: str, world: World) -> list[str] | None:
    """The causes for this gate as they are; None where the override stands as it was given.

    What was done behind an override was done behind it; of the scope it covers items, not causes. Evidence
    that comes after all takes nothing away from whoever allowed an analysis without any.
    """
    if gate == CLOSING:
        return closing_causes(state, world) if state.status != "closed" else None
    planned = world.step(state, step)
    stands = gate == "preserved-before-analysed" or f"{gate}@{step}" in state.override_scope
    if stands or planned is None or settled(state, step):
        return None
    return list(GATES[gate].closed(state, planned, world))


def _held(state: Incident, command: OverrideGate, world: World) -> tuple[str, list[str]]:
    if command.gate not in GATES:
        raise Refused(Reason.NO_SUCH_GATE, {"gate": command.gate, "known": [*GATES, CLOSING]})
    planned, _ = find_step(state, world, command.step)
    return planned.key, closed_gates(state, planned, world).get(command.gate, [])


def _in_person(command: OverrideGate) -> None:
    if command.for_ is not None:
        # That something is unconfirmed holds this gate; its override cannot be unconfirmed itself.
        raise Refused(
            Reason.AUTHORITY_MISSING, {"who": command.actor.person, "needs": [command.for_], "what": CLOSING}
        )


def authorities(gate: str, world: World) -> tuple[str, ...]:
    """The roles that may pass this gate here: the policy's, else those shipped."""
    shipped = GATES[gate].override_by if gate in GATES else CLOSING_BY
    return world.policy.permissions.get(f"override:{gate}", shipped)


def authority_of(state: Incident, gate: str, person: str, world: World) -> dict[str, Any]:
    """As what the person passes the gate, also as somebody's deputy. Raises Refused if they may not."""
    allowed = authorities(gate, world)
    held = sorted(world.roles_of(state, person) & set(allowed))
    if not held:
        raise Refused(Reason.AUTHORITY_MISSING, {"who": person, "needs": list(allowed), "what": gate})
    for holder in world.holders(state, held[0]):
        if holder.person.id == person and holder.deputy_for:
            return {"role": held[0], "deputy_for": holder.deputy_for}
    return {"role": held[0]}
