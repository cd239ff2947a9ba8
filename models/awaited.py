"""What an incident waits for, and from whom: one rule for the board of all incidents and the page of one.

Pages, confirmations, opinions and messages name their people themselves and are not told here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from models.clocks.others import commander
from models.clocks.owed import obligations
from models.obligation import Obligation
from models.permission import TABLE
from models.plan import PlannedStep
from models.playbook import Step
from models.state import ClockState, Incident, ObligationState, StepState
from models.voting import empty_seats
from models.world import World

Kind = Literal["decision", "approval", "stuck", "hand-over", "step", "severity", "judge", "submit"]
STUCK = frozenset({"failed", "unknown"})
_ACTIVE = frozenset({"ready", "started", *STUCK})
_BY_HAND = frozenset({"manual", "notice"})


@dataclass(frozen=True, kw_only=True)
class Awaited:
    """One thing. `subject` is a step's key, an obligation or a severity; `of` are roles or people, any of
    whom may do it, except those in `but`; `stage` is of a report.
    """

    kind: Kind
    subject: str
    of: frozenset[str]
    but: frozenset[str] = frozenset()
    at: datetime | None = None
    stage: str = ""

    def waits_for(self, person: str, roles: frozenset[str]) -> bool:
        """Whether it waits for this person, who has these roles in the incident."""
        return person not in self.but and (person in self.of or bool(roles & self.of))

    def people(self, state: Incident, world: World) -> frozenset[str]:
        """Everybody for whom it waits now."""
        found = (one.person.id for name in self.of if name for one in world.holders(state, name))
        return frozenset(found) - self.but


def awaited(state: Incident, world: World) -> Iterator[Awaited]:
    """All of it; nothing of an incident that is over."""
    if state.status not in {"open", "resolved"}:
        return
    for key, known in state.steps.items():
        planned = world.step(state, key) if known.status in _ACTIVE else None
        if planned is not None and (found := of_step(state, known, planned)) is not None:
            yield found
    yield from _severity(state, world)
    yield from _reports(state, world)


# -- steps --------------------------------------------------------------------------------------------------


def of_step(state: Incident, known: StepState, planned: PlannedStep) -> Awaited | None:
    """What a step waits for; None if for nobody: a machine does it, or it is not its turn."""
    kind, of, but = _step(state, known, planned.step)
    if not of:
        return None
    return Awaited(kind=kind, subject=planned.key, of=frozenset(of), but=frozenset(but), at=known.limit_at)


def _step(state: Incident, known: StepState, step: Step) -> tuple[Kind, tuple[str, ...], tuple[str, ...]]:
    owner = known.owner or step.owner or ""
    if known.status in STUCK:
        return "stuck", tuple(one for one in (commander(state), owner) if one), ()
    if known.proposed is not None:
        return "approval", (step.approver,) if step.approver else (), (known.proposed.by,)
    if step.kind == "decision":
        seats = step.deciders if step.quorum is None else empty_seats(known.votes, step.quorum.of)
        return "decision", tuple(seats), ()
    if known.handed is not None and known.handed.waits:
        return "hand-over", (known.handed.to,), ()
    if step.kind not in _BY_HAND:
        return "step", (), ()
    begun = known.started_by if known.status == "started" else None
    return "step", tuple(one for one in (begun or owner,) if one), ()


# -- severity and reports -----------------------------------------------------------------------------------


def proposed_severity(state: Incident) -> str:
    """The severity that the rules propose and that is graver than the one that stands; empty if none is."""
    return state.proposed_severity if state.proposed_rank > state.severity_rank else ""


def may(world: World, right: str) -> frozenset[str]:
    """The roles that a row of the table of permissions names."""
    return frozenset(world.policy.permissions.get(right, TABLE[right]))


def _severity(state: Incident, world: World) -> Iterator[Awaited]:
    if proposed := proposed_severity(state):
        yield Awaited(kind="severity", subject=proposed, of=may(world, "severity"))


def _reports(state: Incident, world: World) -> Iterator[Awaited]:
    """A report that the rule proposes waits to be judged, one that is owed for its next submission."""
    if not state.obligations:
        return
    for one in obligations(state, world):
        known = state.obligations.get(one.id)
        if known is None:
            continue
        due = min(running(state, one), key=lambda clock: clock.due_at, default=None)
        if known.judged is None and known.proposed:
            yield _report("judge", one, world, due)
        elif known.judged == "applicable" and (due is not None or not _submitted(known)):
            yield _report("submit", one, world, due)


def _submitted(known: ObligationState) -> bool:
    return any(report.submitted for report in known.reports.values())


def running(state: Incident, one: Obligation) -> list[ClockState]:
    """The clocks of its reports that nobody has stopped."""
    prefix = f"report:{one.id}/"
    return [
        each for name, each in state.clocks.items() if name.startswith(prefix) and each.status == "running"
    ]


def _report(
    kind: Literal["judge", "submit"], one: Obligation, world: World, due: ClockState | None
) -> Awaited:
    of = may(world, f"report-{kind}") | {one.owner}
    if due is None:
        return Awaited(kind=kind, subject=one.id, of=of)
    return Awaited(kind=kind, subject=one.id, of=of, at=due.due_at, stage=due.id.rpartition("/")[2])
