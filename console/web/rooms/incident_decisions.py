"""The decisions of an incident: what is asked, of whom, what was weighed and chosen; and the gates ahead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from console.courses import of_kinds
from console.views import decisions as accounts_view
from console.views import stepcards
from console.views.causes import gate as gate_title
from console.views.decisions import Account, accounts
from console.views.sheet import Line, Section
from console.web.asking import Ask
from console.web.doing import Forms, anchor
from console.web.frame import Page, Part
from console.web.rendering import page_words
from console.web.rooms import decisionforms
from console.web.rooms.matter import HEAD, Matter, head, whole
from models.ahead import Ahead, gates_ahead
from models.gate import CLOSING, GATES
from models.plan import PlannedStep
from models.rules.overriding import authorities
from models.state import SETTLED, StepState

KINDS = (
    "step.ready", "decision.proposed", "decision.approved", "decision.rejected", "decision.voted",
    "decision.made", "decision.withdrawn", "decision.superseded", "opinion.asked", "opinion.given",
    "approval.asked", "gate.overridden", "evidence.added", "confirmed",
)  # fmt: skip
"""Facts by which a decision is told afterwards."""
MAX_FACTS = 2_000
MAX_EVIDENCE = 30
MAX_GATES = 40


def _list(ask: Ask, found: Matter) -> dict[str, Any]:
    state, naming = found.state, found.naming
    forms = forms_of(ask, found)
    opened, settled, later = [], [], []
    for planned in naming.world.steps(state).values():
        if planned.step.kind != "decision":
            continue
        known = state.steps.get(planned.key) or StepState(key=planned.key)
        if known.status in SETTLED:
            settled.append((planned, known))
        elif known.status == "waiting":
            later.append(stepcards.brief(planned, known, state, naming))
        else:
            opened.append(_open(planned, known, forms))
    told = _told(ask, found) if settled else {}
    return {
        "i": page_words("incident", ask.lang),
        "id": state.stream,
        "open": opened,
        "settled": [_settled(one, known, told, forms) for one, known in settled],
        "later": later,
        "evidence": [
            {"id": one.id, "source": one.source, "digest": one.digest or ""}
            for one in list(state.evidence.values())[-MAX_EVIDENCE:]
        ],
    }


def forms_of(ask: Ask, found: Matter) -> Forms:
    """The forms of this page; places of steps on it are called decisions."""
    here = f"/incidents/{found.state.stream}/decisions"
    return Forms(ask=ask, state=found.state, naming=found.naming, here=here, spot="decision")


def _told(ask: Ask, found: Matter) -> dict[str, list[Account]]:
    """Every decision as its facts tell it, by its step."""
    facts = of_kinds(ask.house.desk.record, found.state.stream, KINDS, MAX_FACTS)
    told: dict[str, list[Account]] = {}
    for one in accounts(facts):
        told.setdefault(one.step, []).append(one)
    return told


def _open(planned: PlannedStep, known: StepState, forms: Forms) -> dict[str, Any]:
    state, naming, step = forms.state, forms.naming, planned.step
    card = stepcards.whole(planned, known, state, naming)
    return card | {
        "anchor": anchor("decision", planned.key),
        "deciders": naming.deciders(step),
        "approver": naming.holders(step.approver) if step.approver else "",
        "entitled": decisionforms.entitled(planned, forms),
        "options": list(_options(planned, forms)),
        "otherwise": step.otherwise.lang(naming.lang) if step.otherwise else "",
        "proposed": _proposed(known, forms),
        "proposed_by": known.proposed.by if known.proposed is not None else "",
        "doings": list(decisionforms.choosing(planned, known, forms)),
    }


def _options(planned: PlannedStep, forms: Forms) -> Iterator[dict[str, Any]]:
    lang = forms.naming.lang
    for one in planned.step.options:
        yield {
            "title": one.title.lang(lang),
            "price": one.price.lang(lang) if one.price else "",
            "recommended": one.id == planned.step.recommend,
        }


def _proposed(known: StepState, forms: Forms) -> list[dict[str, Any]]:
    """What was weighed for the choice that waits for its second person."""
    if known.proposed is None:
        return []
    data = known.proposed.data.get("factors", {})
    return list(stepcards.factors(StepState(key=known.key, factors=data), forms.naming))


def _settled(
    planned: PlannedStep, known: StepState, told: dict[str, list[Account]], forms: Forms
) -> dict[str, Any]:
    naming = forms.naming
    history: list[Section] = accounts_view.sections(told[planned.key], naming) if planned.key in told else []
    return {
        "anchor": anchor("decision", planned.key),
        "title": naming.title(planned),
        "status_word": naming.texts.word("words.status", known.status),
        "status": known.status,
        "choice": _title(planned, known.choice, forms),
        "done": naming.texts("words.step.done", who=naming.who(known.done_by), at=naming.at(known.done_at))
        if known.done_at and known.choice
        else "",
        "reason": naming.text(known.reason, 1_000),
        "factors": list(stepcards.factors(known, naming)),
        "unconfirmed": known.unconfirmed,
        "history": [line for one in history for line in one.parts if isinstance(line, Line)],
        "doings": list(decisionforms.choosing(planned, known, forms)),
    }


def _title(planned: PlannedStep, choice: str | None, forms: Forms) -> str:
    lang = forms.naming.lang
    found = next((one.title.lang(lang) for one in planned.step.options if one.id == choice), choice)
    return found or ""


# -- gates --------------------------------------------------------------------------------------------------


def _gates(ask: Ask, found: Matter) -> dict[str, Any]:
    state, naming = found.state, found.naming
    forms = Forms(ask=ask, state=state, naming=naming, here=f"/incidents/{state.stream}/decisions")
    ahead = [one for one in gates_ahead(state, naming.world) if not one.maybe]
    return {
        "id": state.stream,
        "held": [_gate(one, forms) for one in ahead if one.holds][:MAX_GATES],
        "soon": [_gate(one, forms) for one in ahead if not one.holds][:MAX_GATES],
        "passed": [_passed(key, forms) for key in state.overrides],
        "reopenings": [_reopening(name, forms) for name in state.reopenings],
    }


def _gate(one: Ahead, forms: Forms) -> dict[str, Any]:
    naming = forms.naming
    by = authorities(one.gate, naming.world)
    return {
        "title": gate_title(naming, one.gate),
        "guideline": GATES[one.gate].guideline if one.gate in GATES else "",
        "step": naming.title(one.planned) if one.planned is not None else naming.texts("gates.closing"),
        "causes": [stepcards.naming_of(text, naming) for text in one.causes],
        "override_by": naming.texts("words.comma").join(naming.holders(role) for role in by),
        "doings": list(decisionforms.passing(one.gate, one.step, forms))
        if one.holds or _closing(one, forms)
        else [],
    }


def _closing(one: Ahead, forms: Forms) -> bool:
    return one.gate == CLOSING and forms.state.status == "resolved"


def _passed(key: str, forms: Forms) -> dict[str, Any]:
    naming, state = forms.naming, forms.state
    name, _, step = key.partition("@")
    return {
        "title": gate_title(naming, name),
        "step": state.stream if step == state.stream else naming.step(step),
        "causes": [stepcards.naming_of(one, naming) for one in state.override_causes.get(key, [])],
        "doings": list(decisionforms.taking_back(key, forms)),
    }


def _reopening(name: str, forms: Forms) -> dict[str, Any]:
    naming = forms.naming
    doings = []
    if forms.may("reopen"):
        hidden = {"phase": name}
        doings = [
            forms.form("phase-reopen", "reopen", forms.reason(), of=name, hidden=hidden),
            forms.form("phase-decline", "reopen", forms.reason(), of=name, hidden=hidden | {"decline": "on"}),
        ]
    causes = [stepcards.naming_of(one, naming) for one in forms.state.reopenings[name].causes]
    return {"phase": naming.phase(name), "causes": causes, "doings": doings}


PAGES = (
    Page(
        name="incident-decisions",
        path="/incidents/{subject}/decisions",
        parts=(
            HEAD,
            Part(name="list", values=whole(_list), personal=True),
            Part(name="gates", values=whole(_gates), personal=True),
        ),
        head=head,
        live=("{subject}",),
        nav="board",
    ),
)
