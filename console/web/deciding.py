"""Deciding from the signed page: what it asks for as forms, and what they do.

The forms run the commands themselves; whether somebody is entitled, and whether a gate lets it through, the
rules say as always.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from console.opening import House
from console.operations.catalogue import operations
from console.operations.running import Answer, run
from console.texts import texts
from console.visitor import Visitor
from console.web.links import Link
from console.web.pages import Sheet, sheet, step_of
from models.playbook import Step
from models.state import Incident, StepState

DONE = frozenset({0, 3})
MAX_REASON = 2_000
MAX_VALUE = 500


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One form: the command's name, and what it takes. `fixed` does not come from the browser."""

    command: str
    fixed: Mapping[str, Any]
    options: tuple[tuple[str, str, str], ...] = ()
    factors: tuple[tuple[str, str], ...] = ()
    gate: str = ""
    recommend: str = ""
    reason_needed: bool = True
    typed: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What tells it from the other forms of the page."""
        return f"{self.command}:{self.gate}" if self.gate else self.command


def asked_of(found: Sheet) -> list[Asked]:
    """The forms that this person has on this page; none if the step is not theirs to decide."""
    about = step_of(found)
    if about is None or not isinstance(found.state, Incident):
        return []
    step, known = about
    fixed = {"incident": found.link.stream, "step": known.key}
    if known.status == "held":
        return [
            Asked(command="override", fixed=fixed | {"gate": gate}, gate=gate)
            for gate in known.held
            if _may_override(found, gate)
        ]
    if known.status not in {"ready", "started"} or step.kind != "decision":
        return []
    if known.proposed is not None:
        mine = step.approver is not None and _has(found, step.approver)
        again = fixed | {"proposal": str(known.proposed.seq)}
        both = [
            Asked(command="approve", fixed=again, reason_needed=False),
            Asked(command="reject", fixed=fixed),
        ]
        return both if mine else []
    return [_decision(found, step, known, fixed)] if any(_has(found, one) for one in step.deciders) else []


def _decision(found: Sheet, step: Step, known: StepState, fixed: Mapping[str, Any]) -> Asked:
    lang, say = found.lang, texts(found.lang)
    options = tuple(
        (one.id, one.title.lang(lang), one.price.lang(lang) if one.price else "") for one in step.options
    )
    factors = tuple((name, say.word("words.factor", name)) for name in step.weighed)
    return Asked(
        command="decide", fixed=fixed, options=options, factors=factors, recommend=step.recommend or ""
    )


def _has(found: Sheet, role: str) -> bool:
    assert isinstance(found.state, Incident)  # noqa: S101 - asked for incidents only
    person = found.person.id
    held = role in found.world.roles_of(found.state, person)
    return held or found.world.holder(found.state, role, person) is not None


def _may_override(found: Sheet, gate: str) -> bool:
    from models.rules.overriding import authorities  # noqa: PLC0415 - the rules import much

    return any(_has(found, role) for role in authorities(gate, found.world))


def act(house: House, link: Link, fields: Mapping[str, list[str]], visitor: Visitor) -> Answer:
    """Run what a form of the page asks for, as `visitor`."""
    wanted = fields.get("do", [""])[0]
    one = next((one for one in asked_of(sheet(house, link)) if one.name == wanted), None)
    if one is None:
        return Answer(code=1, message=texts(visitor.lang)("entering.not_asked"))
    return run(house, visitor, operations()[one.command], _values(one, fields))


def _values(one: Asked, fields: Mapping[str, list[str]]) -> dict[str, Any]:
    values: dict[str, Any] = dict(one.fixed)
    reason = fields.get("reason", [""])[0].strip()[:MAX_REASON]
    if reason:
        values["reason"] = reason
    if one.options:
        values["option"] = fields.get("option", [""])[0][:MAX_VALUE]
    if one.factors:
        given = ((name, fields.get(f"factor.{name}", [""])[0].strip()[:MAX_VALUE]) for name, _ in one.factors)
        values["factor"] = [f"{name}={value}" for name, value in given if value]
    return values


def said(answer: Answer) -> list[str]:
    """Why it was not done, and what to do."""
    document = answer.document if isinstance(answer.document, dict) else {}
    lines = [str(document.get("message") or ""), str(document.get("do") or ""), answer.message]
    return [one for one in lines if one]
