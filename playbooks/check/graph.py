"""The order of steps: what exists, what goes in a circle, what can never be reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from models.plan import PlannedStep
from models.policy import PHASES
from models.readiness import FREE_PHASES
from playbooks.check.view import PlanView, View
from playbooks.defect import Defect, one_of, quoted


class Order:
    """Which step of a plan can begin after which, as the rules at run time see it (models.readiness)."""

    def __init__(self, view: PlanView) -> None:
        self.view = view
        self.steps = view.plan.steps

    def missing(self) -> Iterator[Defect]:
        """References to steps that do not exist."""
        for planned in self.steps.values():
            for key in ("after", "after_any"):
                for place, ref in enumerate(getattr(planned.step, key) or ()):
                    if planned.resolve(ref) not in self.steps:
                        inside = f"{planned.scope}/"
                        own = {name.removeprefix(inside) for name in self.steps if name.startswith(inside)}
                        yield self.view.defect(
                            planned, (key, place), f"no step {quoted(ref)} in this playbook", one_of(own, ref)
                        )

    def stuck(self) -> Iterator[Defect]:
        """Steps that wait for themselves, each circle once, with those that are never reached behind it."""
        unreached = [key for key in self.steps if key not in self._ready]
        circles = {frozenset(circle): circle for key in unreached if (circle := self._circle(key))}
        in_one = {key for circle in circles for key in circle}
        behind = [key for key in unreached if key not in in_one]
        for members, circle in circles.items():
            first = next(key for key in self.steps if key in members)
            turn = circle[circle.index(first) :] + circle[: circle.index(first)]
            never = f"; never reached behind it: {', '.join(behind)}" if behind else ""
            yield self.view.defect(
                self.steps[first],
                ("after",),
                f"waits for itself: {' > '.join((*turn, first))}{never}",
                "a first step (without `after`, a step waits for all phases before its own)",
            )

    def before(self, key: str) -> frozenset[str]:
        """The steps that have had their turn when `key` becomes ready, optional ones of ended phases too."""
        found: set[str] = set()
        todo = [key]
        while todo:
            for earlier in self._waits(todo.pop(), optional=True):
                if earlier not in found:
                    found.add(earlier)
                    todo.append(earlier)
        return frozenset(found - {key})

    def _waits(self, key: str, *, optional: bool = False) -> list[str]:
        """What must be done before the step is ready, and all that lies in it."""
        planned = self.steps[key]
        direct = [
            *self._needs(planned, optional=optional),
            *(ref for ref in planned.after_any if ref in self.steps),
        ]
        inside = [child for ref in direct for child in self.view.plan.children.get(ref, ())]
        above = self._waits(planned.caller, optional=optional) if planned.caller else []
        return [*direct, *inside, *above]

    def _needs(self, planned: PlannedStep, *, optional: bool = False) -> list[str]:
        """What the step waits for; with `optional`, also what a phase before it does not wait for."""
        if planned.after is not None:
            return [ref for ref in planned.after if ref in self.steps]
        if planned.step.phase in FREE_PHASES:
            return []
        return self._before_phase[planned.step.phase, optional]

    @cached_property
    def _before_phase(self) -> Mapping[tuple[str, bool], list[str]]:
        """The steps of all phases before each, without the optional ones and with them."""
        return {
            (phase, optional): [
                key
                for key, other in self.steps.items()
                if other.step.phase in PHASES[:place] and (optional or not other.step.optional)
            ]
            for place, phase in enumerate(PHASES)
            for optional in (False, True)
        }

    @cached_property
    def _ready(self) -> frozenset[str]:
        ready: set[str] = set()
        grown = True
        while grown:  # ends: each turn but the last adds a step
            more = {
                key for key, planned in self.steps.items() if key not in ready and self._free(planned, ready)
            }
            ready |= more
            grown = bool(more)
        return frozenset(ready)

    def _free(self, planned: PlannedStep, ready: set[str]) -> bool:
        if planned.caller is not None and planned.caller not in ready:
            return False
        if not all(self._done(key, ready) for key in self._needs(planned)):
            return False
        choices = [key for key in planned.after_any if key in self.steps]
        return not choices or any(self._done(key, ready) for key in choices)

    def _done(self, key: str, ready: set[str]) -> bool:
        return key in ready and all(child in ready for child in self.view.plan.children.get(key, ()))

    def _circle(self, start: str) -> tuple[str, ...]:
        """The circle that one comes to by following what each step that cannot begin waits for."""
        trail = [start]
        while waiting := [key for key in self._waits(trail[-1]) if key not in self._ready]:
            if waiting[0] in trail:  # at the latest when all steps are on the trail
                return tuple(trail[trail.index(waiting[0]) :])
            trail.append(waiting[0])
        return ()


def defects(view: View) -> Iterator[Defect]:
    """Missing steps, circles and steps that are never reached, in every plan."""
    yield from view.unlaid()
    for plan in view.plans:
        order = Order(plan)
        yield from order.missing()
        yield from order.stuck()
