"""Conditions and decisions that refer to other steps: do those exist, and do they come before?"""

from __future__ import annotations

from collections.abc import Iterator

from models.errors import BadExpression
from models.expression import FUNCTIONS, STEP_FUNCTIONS, calls_in
from models.plan import PlannedStep, choices_asked
from models.playbook import FACTORS
from models.policy import PHASES
from playbooks.check.conditions import PROBE_TAKES, STEP_TAKES, Asked, asked, not_asked
from playbooks.check.graph import Order
from playbooks.check.view import PlanView, View
from playbooks.defect import Defect, one_of, quoted
from playbooks.document import KeyPath

RECORDED_BY_ALL = frozenset({"note"})


def defects(view: View) -> Iterator[Defect]:
    """`when`, `until`, `done_if` and `decided_by` that cannot work."""
    for plan in view.plans:
        order = Order(plan)
        for planned in plan.plan.steps.values():
            for path, source in _conditions(planned):
                yield from _Condition(view, plan, order, planned, path).defects(source)
            yield from _decided_by(plan, order, planned)
            yield from _done_if(plan, planned)


def _conditions(planned: PlannedStep) -> Iterator[tuple[KeyPath, str]]:
    if planned.step.when is not None:
        yield ("when",), planned.step.when
    if planned.step.repeat is not None:
        yield ("repeat", "until"), planned.step.repeat.until


class _Condition:
    """One condition in its place."""

    def __init__(self, view: View, plan: PlanView, order: Order, planned: PlannedStep, path: KeyPath) -> None:
        self.view, self.plan, self.planned, self.path = view, plan, planned, path
        self.known = plan.plan.steps
        before = order.before(planned.key)
        own = {planned.key, *plan.plan.children.get(planned.key, ())}
        self.before = before | own if path == ("repeat", "until") else before

    def defects(self, source: str) -> Iterator[Defect]:
        """What is wrong with the condition."""
        try:
            calls_in(source)
        except BadExpression as wrong:
            yield self._defect(str(wrong), 'a condition like decided("step") == "option"')
            return
        if slips := list(not_asked(source, STEP_TAKES)):
            yield from (self._defect(*one) for one in slips)
            return
        for call in asked(source):
            if call.function in STEP_FUNCTIONS:
                yield from self._step(call)
            else:
                yield from self._other(call)

    def _step(self, call: Asked) -> Iterator[Defect]:
        ref = call.arguments[0] if call.arguments else None
        if ref is None:
            yield self._defect(f"{call.function}() names no step", f'{call.function}("step")')
            return
        key = self.planned.resolve(ref)
        other = self.known.get(key)
        if other is None:
            inside = f"{self.planned.scope}/"
            names = [name.removeprefix(inside) for name in self.known if name.startswith(inside)]
            yield self._defect(f"no step {quoted(ref)} in this playbook", one_of(names, ref))
        elif key not in self.before:
            yield self._defect(
                f"asks about {quoted(ref)}, which is not before this step", "it named in `after`"
            )
        elif call.function == "decided":
            yield from self._choice(other, call)
        elif call.function == "output":
            yield from self._field(other, call)

    def _choice(self, other: PlannedStep, call: Asked) -> Iterator[Defect]:
        options = [option.id for option in other.step.options]
        if other.step.kind != "decision":
            yield self._defect(f"{quoted(other.step.id)} is no decision", "done(…) or the id of a decision")
        for name in call.equals:
            if options and name not in options:
                yield self._defect(
                    f"{quoted(other.step.id)} has no option {quoted(name)}, so this never holds",
                    one_of(options, name),
                )

    def _field(self, other: PlannedStep, call: Asked) -> Iterator[Defect]:
        fields = {field.id for field in other.step.record}
        field = call.arguments[1] if len(call.arguments) > 1 else None
        if field is None:
            yield self._defect("output() names no field", 'output("step", "field")')
        elif other.step.kind in ("manual", "decision", "notice") and field not in fields | RECORDED_BY_ALL:
            yield self._defect(
                f"{quoted(other.step.id)} does not record {quoted(field)}", one_of(fields, field)
            )

    def _other(self, call: Asked) -> Iterator[Defect]:
        known = self._names(call.function)
        name = call.arguments[0] if call.arguments else None
        if known is not None and name is not None and name not in known:
            yield self._defect(f"{call.function}({quoted(name)}) names nothing", one_of(known, name))

    def _names(self, function: str) -> set[str] | None:
        """What the first argument of a function may be; None if it takes none or that cannot be told."""
        if function == "var":
            return set(self.plan.home(self.planned).playbook.variables)
        if function == "affected":
            return set(self.view.services) if self.view.organisation is not None else None
        if function == "phase_ended":
            return {*PHASES, "communication"}
        if function == "evidence":
            return {source for other in self.known.values() for source in other.step.preserves}
        assert function in FUNCTIONS  # noqa: S101 - calls_in lets nothing else through
        return None

    def _defect(self, wrong: str, expected: str) -> Defect:
        return self.plan.defect(self.planned, self.path, wrong, expected)


def _decided_by(plan: PlanView, order: Order, planned: PlannedStep) -> Iterator[Defect]:
    ref = planned.step.decided_by
    if ref is None:
        return
    decision = plan.plan.steps.get(planned.resolve(ref))
    if decision is None or decision.step.kind != "decision":
        names = [
            one.step.id
            for one in plan.plan.steps.values()
            if one.step.kind == "decision" and one.scope == planned.scope
        ]
        yield plan.defect(
            planned, ("decided_by",), f"{quoted(ref)} is no decision of this playbook", one_of(names, ref)
        )
    elif decision.key not in order.before(planned.key):
        yield plan.defect(
            planned, ("decided_by",), f"{quoted(ref)} is not before this step", "it named in `after`"
        )
    else:
        yield from _allowed(plan, planned, decision)


def _allowed(plan: PlanView, planned: PlannedStep, decision: PlannedStep) -> Iterator[Defect]:
    """A decision allows a shutdown by what it chooses, having weighed what that costs (FSA-2.5.2.4-B1)."""
    if not planned.step.stops:
        return
    ref = decision.step.id
    if not set(FACTORS) <= set(decision.step.weighed):
        yield plan.defect(
            planned,
            ("decided_by",),
            f"{quoted(ref)} does not weigh what a shutdown costs, so its gate would never open",
            "`stops` on that decision",
        )
    elif decision.key not in choices_asked(planned):
        yield plan.defect(
            planned,
            ("stops",),
            f"stops a service whatever {quoted(ref)} decides",
            f'a condition such as when: decided("{ref}") == "{decision.step.options[0].id}"',
        )


def _done_if(plan: PlanView, planned: PlannedStep) -> Iterator[Defect]:
    if planned.step.probe is None:
        return
    path: KeyPath = ("probe", "done_if")
    try:
        functions = {name for name, _ in calls_in(planned.step.probe.done_if)}
    except BadExpression as wrong:
        yield plan.defect(planned, path, str(wrong), 'a condition like output("state") == "active"')
        return
    if functions != {"output"}:
        yield plan.defect(planned, path, "asks something else than what the probe found", 'output("field")')
        return
    for wrong_call, expected in not_asked(planned.step.probe.done_if, PROBE_TAKES):
        yield plan.defect(planned, path, wrong_call, expected)
