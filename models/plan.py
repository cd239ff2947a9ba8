"""A playbook with the playbooks it calls laid out flat: every step under its whole key.

`ransomware/isolate-segment` is a step of the playbook itself, `ransomware/evidence/memory` one of a playbook
that the step `evidence` calls.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from models.errors import BadInput
from models.playbook import Playbook, Step, Value

_VARIABLE = re.compile(r"""\bvar\(\s*["']([a-z0-9-]+)["']\s*\)""")
_DECIDED = re.compile(r"""decided\(\s*["']([a-z0-9/-]+)["']\s*\)""")
MAX_DEPTH = 3
MAX_PLAN = 400


@dataclass(frozen=True, kw_only=True)
class PlannedStep:
    """A step in its place. `after` is None if it waits for the phases before its own."""

    key: str
    step: Step
    after: tuple[str, ...] | None
    after_any: tuple[str, ...]
    scope: str
    caller: str | None
    arguments: Mapping[str, Value] = field(default_factory=dict)
    kept: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    """What a rule has worked out of this step, which never changes, so that it need not again."""

    def resolve(self, ref: str) -> str:
        """The whole key of a step named in this step's own playbook."""
        return f"{self.scope}/{ref}"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All steps that one playbook brings into an incident, in the order they are written."""

    playbook: Playbook
    steps: Mapping[str, PlannedStep]

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """Keys of the steps that each calling step brings in, at any depth."""
        under: dict[str, list[str]] = {}
        for planned in self.steps.values():
            caller = planned.caller
            while caller is not None:
                under.setdefault(caller, []).append(planned.key)
                caller = self.steps[caller].caller
        return {key: tuple(keys) for key, keys in under.items()}

    @cached_property
    def preserving(self) -> Mapping[str, tuple[str, ...]]:
        """For each source of evidence, the steps that preserve it."""
        found: dict[str, list[str]] = {}
        for planned in self.steps.values():
            for source in planned.step.preserves:
                found.setdefault(source, []).append(planned.key)
        return {source: tuple(keys) for source, keys in found.items()}


def lay_out(playbook: Playbook, find: Callable[[str], Playbook]) -> Plan:
    """The plan of `playbook`; `find` gives a called playbook by name.

    Raises BadInput if a call goes in a circle, too deep, or brings in too many steps.
    """
    steps: dict[str, PlannedStep] = {}
    for planned in _walk(playbook, playbook.playbook, (playbook.playbook,), None, find):
        steps[planned.key] = planned
        if len(steps) > MAX_PLAN:
            raise BadInput(f"{playbook.playbook}: more than {MAX_PLAN} steps with what it calls; split it")
    return Plan(playbook=playbook, steps=steps)


def _walk(
    playbook: Playbook,
    scope: str,
    trail: tuple[str, ...],
    caller: PlannedStep | None,
    find: Callable[[str], Playbook],
) -> Iterator[PlannedStep]:
    for step in playbook.steps:
        own = None if step.after is None else tuple(f"{scope}/{ref}" for ref in step.after)
        planned = PlannedStep(
            key=f"{scope}/{step.id}",
            step=step,
            after=_inherited(own, caller),
            after_any=tuple(f"{scope}/{ref}" for ref in step.after_any),
            scope=scope,
            caller=caller.key if caller else None,
            arguments=_defaults(playbook) | (dict(caller.step.pass_) if caller else {}),
        )
        yield planned
        if step.call:
            if step.call in trail:
                raise BadInput(f"{planned.key}: calls go in a circle: {' > '.join((*trail, step.call))}")
            if len(trail) >= MAX_DEPTH:
                raise BadInput(f"{planned.key}: calls nest deeper than {MAX_DEPTH}; call it from further up")
            yield from _walk(find(step.call), planned.key, (*trail, step.call), planned, find)


def _defaults(playbook: Playbook) -> dict[str, Value]:
    return {
        name: variable.default
        for name, variable in playbook.variables.items()
        if isinstance(variable.default, (str, int, bool))
    }


def _inherited(own: tuple[str, ...] | None, caller: PlannedStep | None) -> tuple[str, ...] | None:
    """A step of a called playbook never starts before the step that calls it could."""
    if caller is None or caller.after is None:
        return own
    return tuple(dict.fromkeys((*caller.after, *(own or ()))))


def choices_asked(planned: PlannedStep) -> set[str]:
    """The decisions whose choice the step's condition reads, so that it comes and goes with them."""
    return {planned.resolve(ref) for ref in _DECIDED.findall(planned.step.when or "")}


def variables_asked(planned: PlannedStep) -> set[str]:
    """The variables that the step's condition reads: a decision may have set them."""
    return {variable_of(planned, name) for name in _VARIABLE.findall(planned.step.when or "")}


def variable_of(planned: PlannedStep, name: str) -> str:
    """A variable of the step's playbook, told apart from keys of steps."""
    return f"var:{planned.scope}.{name}"
