"""Drafts: each is rendered in both languages, once with everything known and once with nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes

from models.errors import BadInput
from models.plan import PlannedStep
from playbooks.check.view import PlanView, View
from playbooks.defect import Defect, one_of, quoted
from playbooks.drafts import NAMES, render_draft

_ENVIRONMENT = Environment(autoescape=True)
_INCIDENT = {
    "id": "INC-2026-0001",
    "title": "試験 / test",
    "severity": "high",
    "declared_at": "2026-11-23T03:00:00+09:00",
}


def defects(view: View) -> Iterator[Defect]:
    """Drafts that do not render, or that name steps and variables which do not exist."""
    for plan in view.plans:
        for planned in plan.plan.steps.values():
            if planned.step.draft is None:
                continue
            for lang in ("ja", "en"):
                yield from _draft(plan, planned, lang)


@dataclass(frozen=True)
class _Rendered:
    """What came of trying a draft: why it does not render, else what it calls with a name in quotes."""

    wrong: str = ""
    calls: tuple[tuple[str, str], ...] = ()


@lru_cache(maxsize=4096)
def _rendered(source: str) -> _Rendered:
    """A draft tried out. Cached, since one playbook stands in the plans of all that call it."""
    try:
        for known in (True, False):
            render_draft(source, _names(known))
        calls = list(_ENVIRONMENT.parse(source).find_all(nodes.Call))
    except (BadInput, TemplateSyntaxError) as wrong:
        return _Rendered(wrong=str(wrong))
    return _Rendered(calls=tuple(named for call in calls if (named := _named(call))))


def _named(call: nodes.Call) -> tuple[str, str] | None:
    """The function and its first argument, where that is a text."""
    function = call.node.name if isinstance(call.node, nodes.Name) else ""
    first = call.args[0] if call.args else None
    if isinstance(first, nodes.Const) and isinstance(first.value, str):
        return function, first.value
    return None


def _draft(plan: PlanView, planned: PlannedStep, lang: str) -> Iterator[Defect]:
    assert planned.step.draft is not None  # noqa: S101 - the caller has looked
    rendered = _rendered(planned.step.draft.lang(lang))
    if rendered.wrong:
        yield plan.defect(
            planned,
            ("draft", lang),
            rendered.wrong,
            f"a text with the names {', '.join(NAMES)}; `| gap` where unknown",
        )
    for function, name in rendered.calls:
        yield from _call(plan, planned, lang, function, name)


def _names(known: bool) -> Mapping[str, Any]:
    """What a draft may name: with sample values, or as poor as an incident is in its first minute."""
    found = "value" if known else None
    return {
        "incident": _INCIDENT if known else {**dict.fromkeys(_INCIDENT), "id": _INCIDENT["id"]},
        "organisation": {"name": "みほん銀行"},
        "services": ["core-banking"] if known else [],
        "now": "2026-11-23 03:00",
        "var": lambda name: found,
        "output": lambda step, field: found,
    }


def _call(plan: PlanView, planned: PlannedStep, lang: str, function: str, name: str) -> Iterator[Defect]:
    steps, scope = plan.plan.steps, f"{planned.scope}/"
    if function == "output":
        known = [key.removeprefix(scope) for key in steps if key.startswith(scope)]
    else:
        known = list(plan.home(planned).playbook.variables)
    if name not in known:
        yield plan.defect(
            planned, ("draft", lang), f"{function}({quoted(name)}) names nothing", one_of(known, name)
        )
