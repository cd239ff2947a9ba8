"""Reports owed to authorities: which apply is proposed by rule and judged by a person (FSA-2.5.2.3-B3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from models.clocks.planned import Planned
from models.deadline import deadline
from models.expression import weigh
from models.impact import known_impact
from models.obligation import Obligation, Stage, in_force
from models.state import Incident, ObligationState
from models.world import World


def obligations(state: Incident, world: World) -> tuple[Obligation, ...]:
    """Those in force on the day of the declaration, in the institution's zone: rules change by date."""
    if state.declared_at is None or not world.policy.obligations:
        return ()
    day = state.declared_at.astimezone(ZoneInfo(world.organisation.zone)).date()
    return in_force(world.policy.obligations, day)


def find_obligation(state: Incident, world: World, name: str) -> Obligation | None:
    """The obligation of this id that is in force for the incident."""
    return next((one for one in obligations(state, world) if one.id == name), None)


def names(state: Incident, world: World) -> Mapping[str, Callable[..., Any]]:
    """What a condition of an obligation or of a severity may ask."""
    severity = world.policy.severity
    return {
        "profile": world.policy.profile.value,
        "impact": lambda kind: known_impact(state.impacts, kind),
        "playbook": lambda name: name in state.playbooks,
        "severity_at_least": lambda name: state.severity_rank >= severity.rank(name),
        "affected": lambda name: _affected(state, name),
        "important": lambda: any(
            (known := world.directory.service(name)) is not None and known.important
            for name in state.services
            if _affected(state, name)
        ),
        "known": lambda name: name in state.instants,
    }


def _affected(state: Incident, name: str) -> bool:
    service = state.services.get(name)
    return service is not None and (service.since is not None or service.down_since is not None)


def applies(state: Incident, world: World, one: Obligation) -> bool | None:
    """What the rule says; None while it hangs on something unknown."""
    return weigh(one.applies_if, names(state, world))


def is_owed(known: ObligationState | None) -> bool:
    """Whether its clocks run: judged applicable, or proposed and not judged yet, for time does not wait."""
    if known is None:
        return False
    return known.judged == "applicable" or (known.judged is None and known.proposed)


def anchors(state: Incident, known: ObligationState) -> dict[str, datetime]:
    """The instants that a deadline may start from; of a submitted stage, the latest submission or update."""
    found = dict(state.instants)
    for stage, report in known.reports.items():
        if report.submitted:
            found[f"submitted:{stage}"] = max(one.at for one in report.submitted)
    return found


def report_clocks(state: Incident, world: World) -> Iterator[Planned]:
    """A clock for each stage that is owed; voluntary ones have none."""
    for one in obligations(state, world):
        known = state.obligations.get(one.id)
        if known is None or not is_owed(known):
            continue
        for stage in one.stages:
            if (clock := stage_clock(state, world, one, stage, known)) is not None:
                yield clock


def stage_applies(state: Incident, world: World, stage: Stage) -> bool:
    """Whether this stage is owed: where that is unknown, only if the rule says to take it so."""
    if stage.applies_if is None:
        return True
    found = weigh(stage.applies_if, names(state, world))
    return stage.if_unknown if found is None else found


def stage_clock(
    state: Incident, world: World, one: Obligation, stage: Stage, known: ObligationState
) -> Planned | None:
    """The clock of one stage; None if the stage is not owed here, or nothing bounds it."""
    report = known.reports.get(stage.id)
    first = report.submitted[0].at if report is not None and report.submitted else None
    if first is None and not stage_applies(state, world, stage):
        return None
    due = deadline(one, stage, anchors(state, known), world.policy.profile, world.calendar)
    if due.status == "none":
        return None
    return Planned(
        id=f"report:{one.id}/{stage.id}",
        kind="report",
        owner=one.owner,
        started_at=due.started_at,
        due_at=due.due_at,
        stopped_at=first if due.due_at is not None else None,
        needs=due.needs if due.due_at is None else (),
        internal=due.internal,
        warn_at=due.warn_at,
        basis=due.basis.data(),
    )
