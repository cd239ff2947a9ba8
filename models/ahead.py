"""The gates ahead: what would hold each step that has not begun, told before it bites. For showing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from models.gate import CLOSING, closed_gates, uncovered_closing_causes
from models.plan import PlannedStep
from models.policy import PHASES
from models.readiness import applies
from models.state import OVER, Incident
from models.world import World


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """A closed gate before a step. `maybe`: its condition does not hold now, so it may never be called for.

    `planned` is None for closing, whose step is the incident itself.
    """

    gate: str
    step: str
    phase: str
    status: str
    causes: tuple[str, ...]
    planned: PlannedStep | None = None
    maybe: bool = False

    @property
    def holds(self) -> bool:
        """Whether somebody is waiting behind it already."""
        return self.status == "held"


def gates_ahead(state: Incident, world: World) -> list[Ahead]:
    """Every closed gate before a step that has not begun: those that hold one first, closing last."""
    if state.status in OVER:
        return []
    found = [*_steps(state, world)] if state.status == "open" else []
    order = (*PHASES, "communication")
    found.sort(key=lambda one: (not one.holds, one.maybe, order.index(one.phase)))
    causes = uncovered_closing_causes(state, world)
    if causes:
        status = "held" if state.status == "resolved" else "waiting"
        closing = Ahead(gate=CLOSING, step=state.stream, phase="lessons", status=status, causes=tuple(causes))
        found.append(closing)
    return found


def _steps(state: Incident, world: World) -> Iterator[Ahead]:
    for planned in world.steps(state).values():
        known = state.steps.get(planned.key)
        status = known.status if known is not None else "waiting"
        if status not in {"waiting", "held"}:
            continue
        for gate, causes in closed_gates(state, planned, world).items():
            yield Ahead(
                gate=gate,
                step=planned.key,
                phase=planned.step.phase,
                status=status,
                causes=tuple(causes),
                planned=planned,
                maybe=status == "waiting" and applies(state, planned) is not True,
            )
