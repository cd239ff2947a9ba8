"""The policy that is frozen into an incident at declaration: routes, severity criteria, limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, model_validator

from models.audience import APPROVALS, Audience
from models.obligation import Obligation, Profile
from models.values import Duration, Frozen, Id, Text

Event = Literal[
    "declared",
    "decision",
    "approval",
    "step-ready",
    "step-overdue",
    "step-unknown",
    "severity-raised",
    "confirm",
    "delivery-failed",
    "triage-overdue",
    "alert-unreadable",
    "timers-stopped",
    "impaired",
    "improvement-overdue",
    "read-overdue",
    "clock-warning",
    "clock-forecast",
    "clock-breached",
    "message-approval",
    "shift-uncovered",
    "reopening",
    "evidence-damaged",
    "source-unreachable",
    "break-glass",
]
ClockKind = Literal["rto", "mtpd", "rpo", "report", "phase", "situation", "watch", "vendor", "retention"]
WARN_AT = (50, 75, 90)
"""Shares of a target, in percent, at which a clock warns if its route says nothing else."""
PhaseName = Literal[
    "triage",
    "preservation",
    "analysis",
    "containment",
    "eradication",
    "recovery",
    "lessons",
    "communication",
]
PHASES: tuple[PhaseName, ...] = (
    "triage",
    "preservation",
    "analysis",
    "containment",
    "eradication",
    "recovery",
    "lessons",
)
"""In the order in which they open; communication runs beside them all."""


STEP_ROLES = ("authority", "owner")
"""Words that a route's `to` may hold besides roles and people: whom the step in question names."""


class RouteLevel(Frozen):
    """One rung: who is paged, how long they have, whether one answer is enough."""

    to: tuple[Id, ...] = Field(
        min_length=1, max_length=20, description="roles, people, or `authority` / `owner` of the step"
    )
    answer: Literal["any", "all"] = "any"
    within: Duration = Field(description="time to acknowledge before the next level is paged")
    repeat: Duration | None = Field(default=None, description="page the same level again this often")
    channels: tuple[str, ...] = Field(default=(), description="default: each person's own channels")


class Exhausted(Frozen):
    """The last resort when nobody answered on any level; repeated until somebody takes it."""

    to: tuple[Id, ...] = Field(min_length=1, max_length=20)
    every: Duration


class Applies(Frozen):
    """When a route is used. What is left out matches everything; the first matching route wins."""

    events: tuple[Event, ...] = ()
    attack: tuple[str, ...] = Field(default=(), description="playbooks")
    severity_at_least: Id | None = None
    phases: tuple[PhaseName, ...] = ()
    clocks: tuple[ClockKind, ...] = Field(default=(), description="kinds of clock, for the clock events")


Share = Annotated[int, Field(ge=1, le=99)]


class Route(Frozen):
    """The ordered people to reach, with a time limit for each (FSA-2.5.2.1-B3)."""

    id: Id
    title: Text
    applies: Applies = Applies()
    levels: tuple[RouteLevel, ...] = Field(min_length=1, max_length=10)
    exhausted: Exhausted
    renew: Duration | None = Field(
        default=None, description="an acknowledgement lapses if work has not started within this time"
    )
    warn_at: tuple[Share, ...] = Field(
        default=WARN_AT,
        min_length=1,
        max_length=9,
        description="for clock-warning: the shares of a clock's time, in percent, that this route takes",
    )


class Severity(Frozen):
    """One severity, with the scales beside it that are reported to others."""

    id: Id
    title: Text
    nisc: int = Field(ge=0, le=4, description="重要インフラ 深刻度評価基準")
    fire: Literal["nil", "negligible", "low", "medium", "high", "extreme"]


class Criterion(Frozen):
    """One row of what a business impact, or an urgency, means; people choose by reading it."""

    id: Id
    title: Text


class Proposal(Frozen):
    """A severity that what is known of the harm suggests; a person sets it, or does not."""

    when: str = Field(max_length=500, description="condition over impact, affected services and playbooks")
    severity: Id
    because: Text


class SeverityPolicy(Frozen):
    """Criteria set beforehand (FSA-2.5.2.1-B3): impact x urgency gives a severity."""

    severities: tuple[Severity, ...] = Field(min_length=2, max_length=8, description="from light to grave")
    impacts: tuple[Criterion, ...] = Field(min_length=2, max_length=8)
    urgencies: tuple[Criterion, ...] = Field(min_length=1, max_length=8)
    matrix: dict[str, dict[str, str]] = Field(description="impact -> urgency -> severity")
    default: Id = Field(description="until somebody has judged it")
    proposals: tuple[Proposal, ...] = Field(default=(), max_length=50)

    def rank(self, severity: str | None) -> int:
        """Position from light (0) to grave; -1 for none."""
        return next((n for n, s in enumerate(self.severities) if s.id == severity), -1)

    @model_validator(mode="after")
    def _matrix_is_whole(self) -> SeverityPolicy:
        known = {s.id for s in self.severities}
        for name, value in (("default", self.default), *(("proposals", p.severity) for p in self.proposals)):
            if value not in known:
                raise ValueError(f"{name}: {value!r} is none of the severities {sorted(known)}")
        for impact in self.impacts:
            for urgency in self.urgencies:
                cell = self.matrix.get(impact.id, {}).get(urgency.id)
                if cell not in known:
                    raise ValueError(
                        f"matrix: {impact.id} x {urgency.id} must be one of {sorted(known)}, got {cell!r}"
                    )
        return self


TRIAGE_WITHIN = timedelta(minutes=30)


class Limits(Frozen):
    """Times and bounds of the installation that rules need; frozen with the policy."""

    triage_within: Duration | dict[Id, Duration] = Field(
        default="30m", validate_default=True, description="one time, or one for each severity and `default`"
    )
    watch_period: Duration = Field(default="72h", validate_default=True)
    improvement_reminder: Duration = Field(default="7d", validate_default=True)
    time_to: dict[PhaseName, Duration | dict[Id, Duration]] = Field(
        default_factory=dict,
        description="from the declaration to the end of a phase; one time, or one for each severity",
    )
    situation_every: dict[Id, Duration] = Field(
        default_factory=dict, description="severity -> how often a situation report is due while it is open"
    )

    def triage_limit(self, severity: str | None) -> timedelta:
        """How long an alert of this proposed severity may lie there before somebody is paged."""
        if isinstance(self.triage_within, timedelta):
            return self.triage_within
        named = self.triage_within.get(severity or "", self.triage_within.get("default"))
        return named or min(self.triage_within.values(), default=TRIAGE_WITHIN)

    def time_to_end(self, phase: PhaseName, severity: str) -> timedelta | None:
        """How long a phase may take from the declaration on, at this severity; None if nothing is set."""
        span = self.time_to.get(phase)
        if isinstance(span, dict):
            return span.get(severity, span.get("default"))
        return span


class Policy(Frozen):
    """What is frozen by digest at declaration (promise P10)."""

    routes: tuple[Route, ...] = Field(min_length=1)
    severity: SeverityPolicy
    limits: Limits = Limits()
    permissions: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="command -> roles, over the shipped table"
    )
    profile: Profile = Profile()
    obligations: tuple[Obligation, ...] = ()
    approvals: dict[Audience, tuple[Id, ...]] = Field(default_factory=lambda: dict(APPROVALS))
    lists: dict[Id, tuple[Id, ...]] = Field(default_factory=dict)
