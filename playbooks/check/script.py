"""The script of a scenario: are its times within the exercise, and can each of its conditions ever hold?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import product
from typing import Any

from models.errors import BadExpression
from models.expression import UNKNOWN, calls_in, weigh
from models.plan import Plan, PlannedStep
from models.policy import PHASES
from models.scenario import FUNCTIONS, Scenario
from models.values import write_duration
from playbooks.check.conditions import STEP_TAKES, Asked, asked, not_asked
from playbooks.check.refers import RECORDED_BY_ALL
from playbooks.check.view import View
from playbooks.defect import Defect, one_of, quoted
from playbooks.document import Document, KeyPath

TAKES: Mapping[str, tuple[int, ...]] = {
    **{name: counts for name, counts in STEP_TAKES.items() if name in FUNCTIONS},
    "declared": (0,), "carries": (1,), "delivered": (1,),
}  # fmt: skip
"""How many arguments each function of a scenario's condition takes."""
STEPS = ("decided", "done", "skipped", "output")
MAX_TRIALS = 4096
"""So many combinations of what a condition asks are tried before it is believed."""
MAX_RANK = 9


class Script:
    """One scenario with the plans of the playbooks that it exercises."""

    def __init__(self, view: View, document: Document, scenario: Scenario) -> None:
        self.view, self.document, self.scenario = view, document, scenario
        self.plans: Mapping[str, Plan | None] = {name: view.plan_of(name) for name in scenario.playbooks}
        self.cards = {card.role for card in scenario.roles}
        self.objectives = {objective.id for objective in scenario.objectives}
        self.injects = {inject.id for inject in scenario.injects}

    @cached_property
    def steps(self) -> Mapping[str, PlannedStep]:
        """All steps of the named playbooks by playbook/step."""
        return {
            key: step for plan in self.plans.values() if plan is not None for key, step in plan.steps.items()
        }

    def step(
        self, path: KeyPath, ref: str, *, option: tuple[KeyPath, str | None] | None = None
    ) -> Iterator[Defect]:
        """A step that is in none of the named playbooks, or a decision without this option."""
        found = self.steps.get(ref)
        if found is None:
            name = ref.split("/", 1)[0]
            if name not in self.plans:
                wrong = f"{quoted(ref)} is no step of the playbooks that this scenario names"
                yield self.document.defect(path, wrong, one_of(self.steps, ref))
            elif self.plans[name] is not None:  # else the playbook's own defects are told already
                yield self.document.defect(path, f"no step {quoted(ref)}", one_of(self.steps, ref))
        elif option is not None and option[1] is not None:
            yield from self.option(option[0], found, option[1])

    def option(self, path: KeyPath, found: PlannedStep, name: str) -> Iterator[Defect]:
        """A choice that the step does not offer."""
        options = [one.id for one in found.step.options]
        if not options:
            yield self.document.defect(
                path, f"{quoted(found.step.id)} is no decision", "the id of a decision"
            )
        elif name not in options:
            yield self.document.defect(
                path,
                f"{quoted(found.step.id)} has no option {quoted(name)}, so this never holds",
                one_of(options, name),
            )


def times(script: Script) -> Iterator[Defect]:
    """Injects and leaps after the end, and chains of injects that begin nowhere."""
    document, scenario = script.document, script.scenario
    end = write_duration(scenario.duration)
    for number, inject in enumerate(scenario.injects):
        path: KeyPath = ("injects", number)
        planned = scenario.planned_at(inject)
        if inject.after is not None and inject.after not in script.injects:
            wrong = f"{quoted(inject.after)} is no inject"
            yield document.defect((*path, "after"), wrong, one_of(script.injects, inject.after))
        elif _in_a_circle(script, inject.id):
            yield document.defect((*path, "after"), "comes after itself", "an inject that comes before it")
        elif planned is not None and planned > scenario.duration:
            key = "at" if inject.at is not None else "later"
            yield document.defect(
                (*path, key),
                f"is delivered {write_duration(planned)} after STARTEX, when the exercise is over",
                f"{end} at most, or a longer `duration`",
            )
    for number, leap in enumerate(scenario.leaps):
        if leap.at >= scenario.duration:
            wrong = f"the story leaps {write_duration(leap.at)} after STARTEX, when the exercise is over"
            yield document.defect(("leaps", number, "at"), wrong, f"less than {end}")


def _in_a_circle(script: Script, start: str) -> bool:
    seen: set[str] = set()
    name: str | None = start
    while name is not None and name not in seen:
        seen.add(name)
        inject = script.scenario.inject(name)
        name = inject.after if inject is not None else None
    return name == start


def conditions(script: Script) -> Iterator[Defect]:
    """Every `when` that cannot be asked, or that can never hold."""
    scenario = script.scenario
    found: list[tuple[KeyPath, str | None, str | None]] = [
        *((("injects", n), one.when, one.id) for n, one in enumerate(scenario.injects)),
        *((("outcomes", n), one.when, None) for n, one in enumerate(scenario.outcomes)),
        *((("endings", n), one.when, None) for n, one in enumerate(scenario.endings)),
    ]
    for path, source, own in found:
        if source is not None:
            yield from _Condition(script, (*path, "when"), own).defects(source)


class _Condition:
    """One condition in its place; `own` is the inject that it belongs to."""

    def __init__(self, script: Script, path: KeyPath, own: str | None) -> None:
        self.script, self.path, self.own = script, path, own

    def defects(self, source: str) -> Iterator[Defect]:
        """What is wrong with it."""
        try:
            calls_in(source, frozenset(FUNCTIONS))
        except BadExpression as wrong:
            yield self._defect(str(wrong), 'a condition like done("playbook/step")')
            return
        if slips := list(not_asked(source, TAKES)):
            yield from (self._defect(*one) for one in slips)
            return
        found = [defect for call in asked(source) for defect in self._call(call)]
        yield from found
        if not found and not self._ever(source):
            yield self._defect(f"{source!r} can never hold", "a condition that what players do can make true")

    def _call(self, call: Asked) -> Iterator[Defect]:
        name = call.arguments[0] if call.arguments else None
        if call.function in STEPS:
            yield from self._step(call, name)
        elif call.function == "delivered" and name is not None and name == self.own:
            yield self._defect("an inject cannot wait for itself", "another inject")
        elif (known := self._known(call.function)) is not None and name is not None and name not in known:
            yield self._defect(f"{call.function}({quoted(name)}) names nothing", one_of(known, name))

    def _step(self, call: Asked, ref: str | None) -> Iterator[Defect]:
        if ref is None:
            yield self._defect(f"{call.function}() names no step", f'{call.function}("playbook/step")')
            return
        yield from self.script.step(self.path, ref)
        found = self.script.steps.get(ref)
        if found is not None and call.function == "decided":
            if not found.step.options:
                yield self._defect(f"{quoted(ref)} is no decision", "done(…) or the id of a decision")
                return
            for name in call.equals:
                yield from self.script.option(self.path, found, name)
        elif found is not None and call.function == "output":
            yield from self._field(found, call.arguments[1])

    def _field(self, found: PlannedStep, field: str | None) -> Iterator[Defect]:
        fields = {one.id for one in found.step.record}
        if found.step.kind in ("manual", "decision", "notice") and field not in fields | RECORDED_BY_ALL:
            yield self._defect(
                f"{quoted(found.step.id)} does not record {quoted(field)}", one_of(fields, field or "")
            )

    def _known(self, function: str) -> set[str] | None:
        """What the argument of a function may be; None if it takes none or that cannot be told."""
        view = self.script.view
        known: Mapping[str, Callable[[], set[str] | None]] = {
            "delivered": lambda: self.script.injects,
            "carries": lambda: set(view.playbooks),
            "affected": lambda: set(view.services) if view.organisation is not None else None,
            "phase_ended": lambda: {*PHASES, "communication"},
            "evidence": lambda: {one for step in self.script.steps.values() for one in step.step.preserves},
        }
        return known[function]() if function in known else None

    def _ever(self, source: str) -> bool:
        """Whether some course of the exercise makes the condition hold."""
        calls = {(call.function, call.arguments): self._answers(call) for call in asked(source)}
        for tried, answers in enumerate(product(*calls.values())):
            given = dict(zip(calls, answers, strict=True))
            if tried == MAX_TRIALS or weigh(source, _answering(given)) is not False:
                return True
        return False

    def _answers(self, call: Asked) -> tuple[Any, ...]:
        """What a call can give."""
        if call.function == "decided":
            found = self.script.steps.get(call.arguments[0] or "")
            return (None, *(one.id for one in found.step.options)) if found is not None else (UNKNOWN,)
        if call.function == "severity":
            return tuple(range(MAX_RANK + 1))
        return (UNKNOWN,) if call.function == "output" else (True, False)

    def _defect(self, wrong: str, expected: str) -> Defect:
        return self.script.document.defect(self.path, wrong, expected)


def _answering(given: Mapping[tuple[str, tuple[str | None, ...]], Any]) -> dict[str, Callable[..., Any]]:
    """The functions of a condition, each giving what is supposed for its arguments."""

    def answer(name: str) -> Callable[..., Any]:
        return lambda *arguments: given.get((name, tuple(map(str, arguments))), UNKNOWN)

    return {name: answer(name) for name in FUNCTIONS}
