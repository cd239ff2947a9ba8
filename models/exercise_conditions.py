"""What a condition of a scenario may ask (`models.scenario.FUNCTIONS`): over all incidents of the drill."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from models.errors import BadExpression
from models.exercise import Delivered
from models.expression import evaluate
from models.state import Incident, StepState

CAME = frozenset({"planned", "fired"})
"""How an inject has come in; all else is how it did not."""
MISTAKEN = frozenset({"dismissed", "cancelled"})
"""What was no incident after all has not been declared, and nothing done in it counts."""
FUNCTIONS = frozenset(
    {
        "declared", "carries", "delivered", "decided", "done", "skipped", "output", "severity", "affected",
        "phase_ended", "evidence",
    }
)  # fmt: skip
"""The same as `models.scenario.FUNCTIONS` (a test compares): a running node need not read that grammar."""


def names_of(
    cases: Mapping[str, Incident], delivered: Mapping[str, Delivered]
) -> Mapping[str, Callable[..., Any]]:
    """The functions of a condition. A yes of one incident is a yes; values are the first there is."""
    counted = [one for one in cases.values() if one.seq and one.status not in MISTAKEN]

    def steps(ref: str) -> Iterable[StepState]:
        return (case.steps[ref] for case in counted if ref in case.steps)

    def decided(ref: str) -> str | None:
        return next((known.choice for known in steps(ref) if known.choice), None)

    def output(ref: str, field: str) -> Any:
        found = (known.outputs.get(field) for known in steps(ref))
        return next((value for value in found if value is not None), None)

    def phase_ended(name: str) -> bool:
        return any(name in case.phases and case.phases[name].status == "ended" for case in counted)

    return {
        "declared": lambda: bool(counted),
        "carries": lambda playbook: any(playbook in case.playbooks for case in counted),
        "delivered": lambda name: name in delivered and delivered[name].how in CAME,
        "decided": decided,
        "done": lambda ref: any(known.status == "done" for known in steps(ref)),
        "skipped": lambda ref: any(known.status in {"skipped", "not-applicable"} for known in steps(ref)),
        "output": output,
        "severity": lambda: max((case.severity_rank for case in counted), default=0),
        "affected": lambda service: any(_affected(case, service) for case in counted),
        "phase_ended": phase_ended,
        "evidence": lambda source: any(
            source in item.sources for case in counted for item in case.evidence.values()
        ),
    }


def _affected(case: Incident, service: str) -> bool:
    known = case.services.get(service)
    return known is not None and known.since is not None


def holds(source: str, names: Mapping[str, Callable[..., Any]]) -> bool:
    """Whether a condition holds now; one that cannot be evaluated does not.

    A rule that raised here would stop the whole exercise; the scenario's check has tried each condition.
    """
    try:
        return evaluate(source, names, unknown_is_false=True, known=FUNCTIONS)
    except BadExpression:
        return False
