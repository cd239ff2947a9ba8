"""The gates of the guideline: conditions before a step, each with its named causes for being closed.

A skipped step never satisfies a gate. Only an override by the gate's authority, with a reason, passes a
closed one, and it stays visible.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from models.evidence import Evidence
from models.plan import PlannedStep, choices_asked
from models.playbook import FACTORS, Step
from models.policy import PHASES
from models.scope import open_causes
from models.state import Incident, ServiceState
from models.world import World

PRIORITY = "containment-or-preservation"
"""What a decision says that it decides, where containing may destroy evidence (FSA-2.5.2.4-B2)."""
AFFECTED = "affected-services"
"""In a playbook: whatever services are recorded as affected when the step is reached."""


@dataclass(frozen=True, kw_only=True)
class GateRule:
    """One gate: where it comes from, who may override it, what closes it."""

    id: str
    guideline: str
    override_by: tuple[str, ...]
    closed: Callable[[Incident, PlannedStep, World], Iterator[str]]
    concerns: Callable[[Step], bool]
    """Whether a step can be held by it at all; most steps have no gate, and this never changes."""


def _gates_of(planned: PlannedStep) -> tuple[GateRule, ...]:
    found: tuple[GateRule, ...] | None = planned.kept.get("gates")
    if found is None:
        found = tuple(gate for gate in GATES.values() if gate.concerns(planned.step))
        planned.kept["gates"] = found
    return found


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
    for gate in _gates_of(planned):
        # An override covers the causes that its authority saw; one that arises later holds the step again.
        passed = covered(state, gate.id, planned.key)
        causes = [one for one in gate.closed(state, planned, world) if one not in passed]
        if causes:
            held[gate.id] = causes
    return held


def covered(state: Incident, gate: str, step: str) -> Collection[str]:
    """The causes that an override of this gate at this step (or incident) lets pass."""
    key = f"{gate}@{step}"
    # Of the scope it covers items and no causes: one that shows itself again would go by the same name.
    return () if key in state.override_scope else state.override_causes.get(key, ())


def preserved(state: Incident, before: datetime) -> Iterator[Evidence]:
    """Evidence that was whole by then, and that an analysis can be held against: it has a digest."""
    for item in state.evidence.values():
        if item.secures and item.at <= before:
            yield item


def preserved_late(state: Incident, planned: PlannedStep, begun: datetime) -> list[str]:
    """Sources of an analysis that were preserved only after it had begun (FSA-2.5.2.2-B1)."""
    if planned.step.phase != "analysis":
        return []
    in_time = {source for item in preserved(state, begun) for source in item.sources}
    by_now = {source for item in state.evidence.values() for source in item.sources}
    passed = covered(state, "preserved-before-analysed", planned.key)
    return [
        f"preserved-later:{source}"
        for source in planned.step.sources
        if source in by_now - in_time and f"not-preserved:{source}" not in passed
    ]


def _not_preserved(state: Incident, planned: PlannedStep, world: World) -> Iterator[str]:
    if planned.step.phase != "analysis":
        return
    for source in planned.step.sources:
        if not any(item.secures and item.at <= world.now for item in world.evidence_of(state, source)):
            yield f"not-preserved:{source}"


def _no_authority(state: Incident, planned: PlannedStep, world: World) -> Iterator[str]:
    step = planned.step
    if not step.stops:
        return
    if step.kind == "decision":
        yield from (f"nobody-holds:{role}" for role in _vacant(state, step, world))
        return
    key = planned.resolve(step.decided_by or "")
    decision = state.steps.get(key)
    if decision is None or decision.choice is None:
        yield f"not-decided:{key}"
    elif not set(FACTORS) <= set(decision.factors):
        # The playbook lets a decision allow this that did not weigh what a shutdown costs.
        yield f"not-weighed:{key}"
    elif key not in choices_asked(planned):
        # Whatever was decided, this would stop the service; only a playbook from before `check` refused that.
        yield f"not-allowed:{key}"


def _vacant(state: Incident, step: Step, world: World) -> list[str]:
    """Deciding roles that nobody holds now, if for want of them nothing can be decided."""
    vacant = [role for role in step.deciders if not world.holders(state, role)]
    need = step.quorum.need if step.quorum is not None else 1
    return vacant if len(step.deciders) - len(vacant) < need else []


def _no_priority(state: Incident, planned: PlannedStep, world: World) -> Iterator[str]:
    if planned.step.stops and not any(_chosen(state, key) for key in priorities(state, planned, world)):
        yield f"not-chosen:{PRIORITY}"


def priorities(state: Incident, planned: PlannedStep, world: World) -> list[str]:
    """The decisions between containment and preservation that count for this step.

    Those of its own playbook: what was chosen for one matter was not chosen for another that runs beside it.
    Where its playbook has none that applies, any of the incident's.
    """
    found = [key for key, one in world.steps(state).items() if one.step.decides == PRIORITY]
    book = planned.key.partition("/")[0]
    own = [key for key in found if key.partition("/")[0] == book and not _out(state, key)]
    return own or found


def _chosen(state: Incident, key: str) -> bool:
    return (known := state.steps.get(key)) is not None and known.choice is not None


def _out(state: Incident, key: str) -> bool:
    return (known := state.steps.get(key)) is not None and known.status == "not-applicable"


def _scope_open(state: Incident, planned: PlannedStep, world: World) -> Iterator[str]:
    if not planned.step.resumes:
        return
    key = f"scope-fixed@{planned.key}"
    known, judged = state.override_scope.get(key, 0), state.overrides.get(key, 0)
    # Items that an override covers are told by their place in the list: their number falls as they are fixed.
    # One that was fixed by then and shows itself again is as new as one that is added.
    yield from open_causes(
        item
        for place, item in enumerate(state.scope.values())
        if place >= known or item.reopened_seq > judged
    )


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
        if known is None or not _works(known):
            yield f"not-working:{service}"


def _works(service: ServiceState) -> bool:
    """Found to work, after it was last restored (FSA-2.5.2.6-B4)."""
    if service.works_at is None:
        return False
    return service.restored_at is None or service.works_at >= service.restored_at


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


def uncovered_closing_causes(state: Incident, world: World) -> list[str]:
    """What stands against closing and is not covered by an override."""
    passed = covered(state, CLOSING, state.stream)
    return [one for one in closing_causes(state, world) if one not in passed]


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
            concerns=lambda step: step.phase == "analysis" and bool(step.sources),
        ),
        GateRule(
            id="shutdown-authority",
            guideline="FSA-2.5.2.4-B1",
            override_by=_TOP,
            closed=_no_authority,
            concerns=lambda step: bool(step.stops),
        ),
        GateRule(
            id="containment-or-preservation",
            guideline="FSA-2.5.2.4-B2",
            override_by=_TOP,
            closed=_no_priority,
            concerns=lambda step: bool(step.stops),
        ),
        GateRule(
            id="scope-fixed",
            guideline="FSA-2.5.2.5-B1",
            override_by=_TOP,
            closed=_scope_open,
            concerns=lambda step: bool(step.resumes),
        ),
        GateRule(
            id="backup-checked",
            guideline="FSA-2.5.2.6-B3",
            override_by=_TOP,
            closed=_backup_unchecked,
            concerns=lambda step: bool(step.restores),
        ),
        GateRule(
            id="works-normally",
            guideline="FSA-2.5.2.6-B4",
            override_by=_TOP,
            closed=_works_unchecked,
            concerns=lambda step: bool(step.reconnects),
        ),
        GateRule(
            id="cause-addressed",
            guideline="FSA-2.5.2.6-B1",
            override_by=_TOP,
            closed=_cause_open,
            concerns=lambda step: bool(step.resumes),
        ),
    )
}
CLOSING = "closing"
CLOSING_BY = _TOP
