"""Reports owed to authorities: which apply is proposed by rule and judged by a person (FSA-2.5.2.3-B3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from models.clocks.planned import Planned
from models.deadline import Due, deadline
from models.errors import BadExpression
from models.expression import UNKNOWN, weigh
from models.impact import read_back
from models.obligation import Obligation, Profile, Stage, in_force
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


@dataclass(frozen=True, kw_only=True)
class Known:
    """All that a condition may ask of an incident; two that are equal answer alike, so answers are kept."""

    policy: str
    profile: Profile = field(compare=False)
    ranks: tuple[str, ...] = field(compare=False)
    severity_rank: int
    impacts: tuple[tuple[str, str | tuple[str, ...]], ...]
    playbooks: frozenset[str]
    affected: frozenset[str]
    important: bool
    instants: frozenset[str]

    def at_least(self, severity: str) -> bool:
        """Whether the severity is at least this one."""
        return severity in self.ranks and self.severity_rank >= self.ranks.index(severity)

    def impact(self, kind: str) -> Any:
        """What is known of a kind of harm; UNKNOWN if nothing is."""
        return next((read_back(kind, value) for name, value in self.impacts if name == kind), UNKNOWN)


def what_is_known(state: Incident, world: World) -> Known:
    """What is known of the incident now."""
    affected = frozenset(name for name, one in state.services.items() if one.since or one.down_since)
    services = (world.directory.service(name) for name in affected)
    policy = world.policy
    return Known(
        policy=world.policy_digest,
        profile=policy.profile,
        ranks=tuple(one.id for one in policy.severity.severities),
        severity_rank=state.severity_rank,
        impacts=tuple(
            (name, tuple(one.value) if isinstance(one.value, list) else one.value)
            for name, one in state.impacts.items()
        ),
        playbooks=frozenset(state.playbooks),
        affected=affected,
        important=any(service is not None and service.important for service in services),
        instants=frozenset(state.instants),
    )


@lru_cache(maxsize=4_096)
def holds(condition: str, about: Known) -> bool | None:
    """Whether a condition holds; None while it hangs on something unknown, or cannot be evaluated.

    `check` refuses what cannot; a rule that was frozen all the same must not keep people from declaring.
    """
    names: Mapping[str, Callable[..., Any]] = {
        "profile": about.profile.value,
        "impact": about.impact,
        "playbook": about.playbooks.__contains__,
        "severity_at_least": about.at_least,
        "affected": about.affected.__contains__,
        "important": lambda: about.important,
        "known": about.instants.__contains__,
    }
    try:
        return weigh(condition, names)
    except BadExpression:
        return None


def applies(state: Incident, world: World, one: Obligation) -> bool | None:
    """What the rule says; None while it hangs on something unknown."""
    return holds(one.applies_if, what_is_known(state, world))


def is_owed(owed: ObligationState | None) -> bool:
    """Whether its clocks run: judged applicable, or proposed and not judged yet, for time does not wait."""
    if owed is None:
        return False
    return owed.judged == "applicable" or (owed.judged is None and owed.proposed)


def anchors(state: Incident, owed: ObligationState) -> dict[str, datetime]:
    """The instants that a deadline may start from; of a submitted stage, the latest submission or update."""
    found = dict(state.instants)
    for stage, report in owed.reports.items():
        if report.submitted:
            found[f"submitted:{stage}"] = max(one.at for one in report.submitted)
    return found


def report_clocks(state: Incident, world: World) -> Iterator[Planned]:
    """A clock for each stage that is owed; voluntary ones have none."""
    if not state.obligations:
        return
    about = what_is_known(state, world)
    for one in obligations(state, world):
        owed = state.obligations.get(one.id)
        if owed is None or not is_owed(owed):
            continue
        for stage in one.stages:
            if (clock := stage_clock(state, world, one, stage, owed, about)) is not None:
                yield clock


def stage_applies(state: Incident, world: World, stage: Stage, about: Known | None = None) -> bool:
    """Whether this stage is owed: where that is unknown, only if the rule says to take it so."""
    if stage.applies_if is None:
        return True
    found = holds(stage.applies_if, about or what_is_known(state, world))
    return stage.if_unknown if found is None else found


def stage_clock(
    state: Incident,
    world: World,
    one: Obligation,
    stage: Stage,
    owed: ObligationState,
    about: Known | None = None,
) -> Planned | None:
    """The clock of one stage; None if the stage is not owed here, or nothing bounds it.

    `about` is what is known now, where the caller has put it together for many stages.
    """
    report = owed.reports.get(stage.id)
    first = report.submitted[0].at if report is not None and report.submitted else None
    if first is None and not stage_applies(state, world, stage, about):
        return None
    due, basis = _due(world, one, stage, anchors(state, owed))
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
        basis=basis,
    )


_DUES: dict[tuple[Any, ...], tuple[Due, Mapping[str, Any]]] = {}
MAX_DUES = 20_000
"""Deadlines that are kept: the same anchors under the same rule and calendar always give the same one."""


def _due(
    world: World, one: Obligation, stage: Stage, named: Mapping[str, datetime]
) -> tuple[Due, Mapping[str, Any]]:
    """The deadline of a stage, and how it came about as data; both are kept and must not be changed."""
    calendar = world.organisation.calendar
    zone = world.organisation.zone
    key = (world.policy_digest, one.id, one.edition, stage.id, zone, calendar, tuple(named.items()))
    found = _DUES.get(key)
    if found is None:
        if len(_DUES) >= MAX_DUES:
            _DUES.clear()
        due = deadline(one, stage, named, world.policy.profile, world.calendar)
        found = _DUES[key] = (due, due.basis.data())
    return found
