"""The gates of the guideline: conditions before a step, each with its named causes for being closed.

A skipped step never satisfies a gate. Only an override by the gate's authority, with a reason, passes a
closed one, and it stays visible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from models.plan import PlannedStep
from models.policy import PHASES
from models.scope import open_causes
from models.state import Incident
from models.world import World

AFFECTED = "affected-services"
"""In a playbook: whatever services are recorded as affected when the step is reached."""


@dataclass(frozen=True, kw_only=True)
class GateRule:
    """One gate: where it comes from, who may override it, what closes it."""

    id: str
    guideline: str
    override_by: tuple[str, ...]
    closed: Callable[[Incident, PlannedStep, World], Iterator[str]]


def services_of(state: Incident, named: tuple[str, ...]) -> tuple[str, ...]:
    """The services that a step means; `affected-services` stands for those recorded as affected."""
    found: dict[str, None] = {}
    for name in named:
        if name == AFFECTED:
            found.update((one, None) for one, service in state.services.items() if service.since)
        else:
            found[name] = None
    return tuple(found)


def closed_gates(state: Incident, planned: PlannedStep, world: World) -> dict[str, list[str]]:
    """The gates that hold this step now, each with its causes (`cause:what`)."""
    held = {}
    for gate in GATES.values():
        causes = list(gate.closed(state, planned, world))
        if causes and f"{gate.id}@{planned.key}" not in state.overrides:
            held[gate.id] = causes
    return held


def _not_preserved(state: Incident, planned: PlannedStep, world: World) -> Iterator[str]:
    if planned.step.phase != "analysis":
        return
    secured = {source for item in state.evidence.values() if item.secures for source in item.sources}
    for source in planned.step.sources:
        if source not in secured:
            yield f"not-preserved:{source}"


def _no_authority(state: Incident, planned: PlannedStep, world: World) -> Iterator[str]:
    step = planned.step
    if not step.stops:
        return
    if step.kind == "decision":
        if not world.holders(state, step.authority or ""):
            yield f"nobody-holds:{step.authority}"
        return
    decision = state.steps.get(planned.resolve(step.decided_by or ""))
    if decision is None or decision.choice is None:
        yield f"not-decided:{planned.resolve(step.decided_by or '')}"


def _no_priority(state: Incident, planned: PlannedStep, world: World) -> Iterator[str]:
    if not planned.step.stops:
        return
    for known in state.steps.values():
        if known.choice is not None:
            decided = world.step(state, known.key)
            if decided is not None and decided.step.decides == "containment-or-preservation":
                return
    yield "not-chosen:containment-or-preservation"


def _scope_open(state: Incident, planned: PlannedStep, world: World) -> Iterator[str]:
    if not planned.step.resumes:
        return
    yield from open_causes(state.scope.values())


def _backup_unchecked(state: Incident, planned: PlannedStep, world: World) -> Iterator[str]:
    if not planned.step.restores:
        return
    services = services_of(state, planned.step.restores)
    if not services:
        yield "no-service:recorded-as-affected"
    compromised = state.instants.get("compromised")
    if compromised is None:
        yield "no-instant:compromised"
    for service in services:
        points = [point for point in state.recovery_points.values() if point.service == service]
        clean = [point for point in points if point.tamper == "clean" and point.malware == "clean"]
        if not clean:
            yield f"no-checked-backup:{service}"
        elif compromised is not None and not any(point.at < compromised for point in clean):
            yield f"backup-after-compromise:{service}"


def _works_unchecked(state: Incident, planned: PlannedStep, world: World) -> Iterator[str]:
    if not planned.step.reconnects:
        return
    services = services_of(state, planned.step.reconnects)
    if not services:
        yield "no-service:recorded-as-affected"
    for service in services:
        known = state.services.get(service)
        if known is None or known.works_at is None:
            yield f"not-working:{service}"


def _cause_open(state: Incident, planned: PlannedStep, world: World) -> Iterator[str]:
    if not planned.step.resumes:
        return
    if "cause-addressed" not in state.instants:
        yield "no-instant:cause-addressed"
    services = services_of(state, planned.step.resumes)
    if not services:
        yield "no-service:recorded-as-affected"
    for service in services:
        known = state.services.get(service)
        for side in ("csirt", "owner"):
            if known is None or side not in known.confirmed:
                yield f"not-confirmed-by-{side}:{service}"


def open_phases(state: Incident, names: tuple[str, ...]) -> list[str]:
    """Those of `names` that have not ended."""
    return [name for name in names if (known := state.phases.get(name)) is None or known.status != "ended"]


def closing_causes(state: Incident, world: World) -> list[str]:
    """What still stands against closing (FSA-2.5.2.6-B6)."""
    causes = []
    if state.resolved_at is None:
        causes.append("not-resolved:incident")
    if state.watch_until is not None and state.watch_until > world.now:
        causes.append("watch-period:running")
    causes += [f"no-review:{name}" for name in ("cause", "entry_route") if name not in state.review]
    causes += [f"phase-open:{name}" for name in open_phases(state, PHASES)]
    if not state.improvements:
        causes.append("no-improvement:none")
    causes += [f"proposal-open:{key}" for key, known in state.steps.items() if known.proposed is not None]
    causes += [f"unconfirmed:{one.person}" for one in state.confirmations.values()]
    return causes


_TOP = ("ciso", "cio", "president")
GATES: dict[str, GateRule] = {
    gate.id: gate
    for gate in (
        GateRule(
            id="preserved-before-analysed",
            guideline="FSA-2.5.2.2-B1",
            override_by=("csirt-lead", *_TOP),
            closed=_not_preserved,
        ),
        GateRule(id="shutdown-authority", guideline="FSA-2.5.2.4-B1", override_by=_TOP, closed=_no_authority),
        GateRule(
            id="containment-or-preservation",
            guideline="FSA-2.5.2.4-B2",
            override_by=_TOP,
            closed=_no_priority,
        ),
        GateRule(id="scope-fixed", guideline="FSA-2.5.2.5-B1", override_by=_TOP, closed=_scope_open),
        GateRule(id="backup-checked", guideline="FSA-2.5.2.6-B3", override_by=_TOP, closed=_backup_unchecked),
        GateRule(id="works-normally", guideline="FSA-2.5.2.6-B4", override_by=_TOP, closed=_works_unchecked),
        GateRule(id="cause-addressed", guideline="FSA-2.5.2.6-B1", override_by=_TOP, closed=_cause_open),
    )
}
CLOSING = "closing"
