"""Drafts: each is rendered in both languages, once with everything known and once with nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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


def _draft(plan: PlanView, planned: PlannedStep, lang: str) -> Iterator[Defect]:
    assert planned.step.draft is not None  # noqa: S101 - the caller has looked
    source = planned.step.draft.lang(lang)
    try:
        for known in (True, False):
            render_draft(source, _names(known))
        named = list(_ENVIRONMENT.parse(source).find_all(nodes.Call))
    except (BadInput, TemplateSyntaxError) as wrong:
        yield plan.defect(
            planned,
            ("draft", lang),
            str(wrong),
            f"a text with the names {', '.join(NAMES)}; `| gap` where unknown",
        )
        return
    for call in named:
        yield from _call(plan, planned, lang, call)


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


def _call(plan: PlanView, planned: PlannedStep, lang: str, call: nodes.Call) -> Iterator[Defect]:
    function = call.node.name if isinstance(call.node, nodes.Name) else ""
    first = call.args[0] if call.args else None
    name = first.value if isinstance(first, nodes.Const) and isinstance(first.value, str) else None
    if name is None:
        return
    steps, scope = plan.plan.steps, f"{planned.scope}/"
    if function == "output":
        known = [key.removeprefix(scope) for key in steps if key.startswith(scope)]
    else:
        known = list(plan.home(planned).playbook.variables)
    if name not in known:
        yield plan.defect(
            planned, ("draft", lang), f"{function}({quoted(name)}) names nothing", one_of(known, name)
        )
