"""Recovery targets as they were measured (FSA-2.2.5-Da): from the services' own clocks, never estimated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.clocks.loss import data_loss
from models.clocks.services import settled_at, spent
from models.drillresult import MeasureOutcome, MeasureResult, TargetFrom
from models.fold.matter import at_target
from models.scenario import Measure, Objective
from models.scoring.played import Case, Played, who
from models.state import Incident, ServiceState, Targets

NOT_AFFECTED, NOT_BACK = "not-affected", "not-back"
NOT_STARTED, NO_LEVEL, NO_TARGET = "not-started", "no-level", "no-target"
NO_POINT, NOT_CHECKED, NO_USABLE = "no-point", "not-checked", "no-usable-point"
"""What is missing where a measure is unknown; the interface has a text for each."""
_BROUGHT_BACK = frozenset({"service.level", "service.restored", "service.confirmed"})


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What one service of one incident says."""

    case: Case
    service: ServiceState
    targets: Targets

    @property
    def incident(self) -> Incident:
        return self.case.state


def measures(played: Played, objective: Objective) -> tuple[MeasureResult, ...]:
    """Each of the objective's measures against its target, or against the service's own."""
    return tuple(_measure(played, one) for one in objective.measures)


def _measure(played: Played, measure: Measure) -> MeasureResult:
    found = next(_affected(played, measure.service), None)
    if found is None:
        own = int(measure.target.total_seconds()) if measure.target is not None else None
        return MeasureResult(
            kind=measure.kind,
            service=measure.service,
            target_seconds=own,
            target_level=measure.level,
            target_from="objective" if own is not None or measure.level is not None else "none",
            outcome="unknown",
            why=NOT_AFFECTED,
        )
    how = {"rto": _rto, "rpo": _rpo, "rlo": _rlo}[measure.kind]
    return how(played, measure, found)


def _affected(played: Played, service: str) -> Iterator[_Found]:
    """Where the service was below its level; the first incident that says so counts."""
    for case in played.cases:
        known = case.state.services.get(service)
        if known is not None and known.targets is not None and known.down_since is not None:
            yield _Found(case=case, service=known, targets=known.targets)


def _rto(played: Played, measure: Measure, found: _Found) -> MeasureResult:
    target, source = _target(measure, found.targets.rto)
    began, back = _began(found), settled_at(found.service)
    took = None if began is None or back is None else _seconds(back - began + spent(found.service))
    past = None if began is None else _seconds(played.ends - began + spent(found.service))
    why = "" if took is not None else NOT_STARTED if began is None else NOT_BACK
    # Not back when the exercise ended, and the target had passed by then: missed, without a number.
    missed = took is None and past is not None and past > target
    return MeasureResult(
        kind="rto",
        service=measure.service,
        target_seconds=target,
        target_from=source,
        measured_seconds=took,
        outcome="missed" if missed else _outcome(took, target),
        scripted=_scripted(played, found, measure.service),
        why=why,
    )


def _began(found: _Found) -> datetime | None:
    """From the outage, or from the decision to recover, as the register has it; never one for the other."""
    if found.targets.rto_from == "decision" and not found.service.spells:
        return found.incident.instants.get("determined")
    return found.service.down_since


def _rpo(played: Played, measure: Measure, found: _Found) -> MeasureResult:
    target, source = _target(measure, found.targets.rpo)
    known = data_loss(found.incident, measure.service)
    loss = known.loss if known is not None else None
    return MeasureResult(
        kind="rpo",
        service=measure.service,
        target_seconds=target,
        target_from=source,
        measured_seconds=loss,
        outcome=_outcome(loss, target),
        scripted=_scripted_points(played, found, measure.service),
        why="" if loss is not None else _no_loss(found.incident, measure.service),
    )


def _no_loss(incident: Incident, service: str) -> str:
    points = [one for one in incident.recovery_points.values() if one.service == service]
    if not points:
        return NO_POINT
    unchecked = any("unknown" in (one.tamper, one.malware) for one in points)
    return NOT_CHECKED if unchecked else NO_USABLE


def _rlo(played: Played, measure: Measure, found: _Found) -> MeasureResult:
    levels, reached = found.targets.levels, found.service.level
    target = measure.level or found.targets.rlo
    known = reached in levels and target in levels
    met = known and levels.index(reached) >= levels.index(target)
    why = "" if known else NO_TARGET if target not in levels else NO_LEVEL
    return MeasureResult(
        kind="rlo",
        service=measure.service,
        target_level=target or None,
        target_from="objective" if measure.level is not None else "service",
        measured_level=reached or None,
        outcome="unknown" if not known else "met" if met else "missed",
        scripted=(met or at_target(found.service)) and _scripted(played, found, measure.service),
        why=why,
    )


def _target(measure: Measure, own: int) -> tuple[int, TargetFrom]:
    if measure.target is not None:
        return _seconds(measure.target), "objective"
    return own, "service"


def _outcome(measured: int | None, target: int) -> MeasureOutcome:
    if measured is None:
        return "unknown"
    return "met" if measured <= target else "missed"


def _scripted(played: Played, found: _Found, service: str) -> bool:
    """Whether the script, and no participant, said that the service is back, or nobody plays at all."""
    if not played.played_roles:
        return True
    facts = [one for one in found.case.facts if one.kind in _BROUGHT_BACK and one.data["service"] == service]
    return bool(facts) and all(played.scripted(who(one), one.via) for one in facts)


def _scripted_points(played: Played, found: _Found, service: str) -> bool:
    """Whether the script, and no participant, named and checked the recovery points."""
    facts = [
        one
        for one in found.case.facts
        if one.kind == "recovery_point.set" and one.data.get("service") == service
    ]
    return bool(facts) and all(played.scripted(who(one), one.via) for one in facts)


def _seconds(span: timedelta) -> int:
    return max(span // timedelta(seconds=1), 0)
