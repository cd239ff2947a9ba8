"""The steps of an incident as a checklist: what is ready for whom, what is held and why, what is done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from console.views import stepcards
from console.web.asking import Ask
from console.web.doing import Forms, anchor
from console.web.frame import Page, Part, Values
from console.web.rendering import page_words
from console.web.rooms import incidentforms, stepforms
from console.web.rooms.matter import HEAD, head, matter, whole
from models.access import own_steps
from models.plan import PlannedStep
from models.state import SETTLED, Incident, StepState

SHOWS = ("open", "mine", "all")
OPENED = 40
"""Steps that can be worked on and are shown with everything; the others beyond lead to their own page."""


def _head(ask: Ask) -> Values:
    """A third party has no head and no tabs: it sees its own steps, and no more."""
    if not ask.is_vendor:
        return head(ask)
    state = ask.incident(own=True)
    ask.reader.note(state)
    return {"id": state.stream, "i": page_words("incident", ask.lang), "tabs": (), "tab": "steps"}


def forms_of(ask: Ask) -> Forms:
    """The forms of this page, with what they need to know of the incident."""
    if "forms" not in ask.kept:
        if ask.is_vendor:
            state = ask.incident(own=True)
            naming = ask.naming(state)
        else:
            found = matter(ask)
            state, naming = found.state, found.naming
        address = f"/incidents/{state.stream}/{ask.page.partition('-')[2]}"
        kept = {name: value for name, value in _chosen(ask).items() if value}
        here = f"{address}?{urlencode(kept)}" if kept else address
        ask.kept["forms"] = Forms(ask=ask, state=state, naming=naming, here=here, spot="step")
    forms: Forms = ask.kept["forms"]
    return forms


def _chosen(ask: Ask) -> dict[str, str]:
    """What of the steps is asked for; anything else in the address is not listened to."""
    show, phase = ask.query.get("show", ""), ask.query.get("phase", "")
    step = ask.query.get("step", "")
    return {
        "show": show if show in SHOWS else "",
        "phase": phase if phase in stepcards.ORDER else "",
        "step": step if step.isascii() and step.replace("/", "").replace("-", "").isalnum() else "",
    }


def _list(ask: Ask) -> dict[str, Any]:
    forms, chosen = forms_of(ask), _chosen(ask)
    state, naming = forms.state, forms.naming
    steps = _visible(ask, naming.world.steps(state), state, forms)
    one = steps.get(chosen["step"])
    phases = []
    if one is None:
        for phase in stepcards.ORDER:
            found = [each for each in steps.values() if each.step.phase == phase]
            if found and chosen["phase"] in {"", phase}:
                phases.append(_phase(phase, found, forms, chosen["show"] or "open"))
    return {
        "id": state.stream,
        "i": page_words("incident", ask.lang),
        "phases": [one for one in phases if one["cards"] or one["waiting"] or one["settled"]],
        "one": _card(one, forms, alone=True) if one is not None else None,
        "show": chosen["show"] or "open",
        "phase": chosen["phase"],
        "shows": [] if ask.is_vendor else SHOWS,
        "names": [(name, naming.phase(name)) for name in stepcards.ORDER if name in state.phases],
        "address": f"/incidents/{state.stream}/steps",
        "counts": _counts(steps.values(), state),
    }


def _visible(
    ask: Ask, steps: dict[str, PlannedStep], state: Incident, forms: Forms
) -> dict[str, PlannedStep]:
    found = {key: one for key, one in steps.items() if one.step.kind != "call"}
    if not ask.is_vendor:
        return found
    own = own_steps(state, ask.visitor.person or "", forms.naming.world)
    return {key: found[key] for key in own if key in found}


def _counts(steps: Iterable[PlannedStep], state: Incident) -> dict[str, int]:
    """How many are settled, of how many; how many can be worked on, how many are held."""
    known = [_known(one, state).status for one in steps]
    return {
        "all": len(known),
        "settled": sum(one in SETTLED for one in known),
        "held": known.count("held"),
        "working": sum(one in {"ready", "started", "failed", "unknown"} for one in known),
    }


def _known(planned: PlannedStep, state: Incident) -> StepState:
    return state.steps.get(planned.key) or StepState(key=planned.key)


def _phase(phase: str, steps: list[PlannedStep], forms: Forms, show: str) -> dict[str, Any]:
    state, naming = forms.state, forms.naming
    cards, waiting, settled = [], [], []
    for one in steps:
        known = _known(one, state)
        if show == "mine" and not _mine(one, known, forms):
            continue
        if known.status in SETTLED:
            settled.append(stepcards.brief(one, known, state, naming) | {"anchor": anchor("step", one.key)})
        elif known.status in stepcards.WORKING:
            cards.append(_card(one, forms))
        else:
            waiting.append(stepcards.brief(one, known, state, naming) | {"anchor": anchor("step", one.key)})
    known_phase = state.phases.get(phase)
    return {
        "id": phase,
        "title": naming.phase(phase),
        "status": naming.texts.word("words.phase_status", known_phase.status if known_phase else "waiting"),
        "cards": cards,
        "waiting": waiting,
        "settled": settled,
        "unfolded": show == "all",
    }


def _mine(one: PlannedStep, known: StepState, forms: Forms) -> bool:
    """Whether it is asked of this person, by name or by a role; leading makes nothing one's own."""
    state, world, person = forms.state, forms.naming.world, forms.person
    if person in {known.owner, known.started_by, known.done_by}:
        return True
    roles = one.step.deciders or ((known.owner or one.step.owner or ""),)
    return any(each.person.id == person for role in roles if role for each in world.holders(state, role))


def _card(planned: PlannedStep, forms: Forms, *, alone: bool = False) -> dict[str, Any]:
    state, naming = forms.state, forms.naming
    known = _known(planned, state)
    found = stepcards.whole(planned, known, state, naming)
    doings = [*stepforms.at_once(planned, known, forms), *stepforms.mending(planned, known, forms)]
    extra = [*stepforms.more(planned, known, forms)] if alone else []
    catalogue = forms.ask.house.institution.catalogue
    items = [(one, catalogue.get(one)) for one in found["guideline"]]
    return found | {
        "anchor": anchor("step", planned.key),
        "doings": doings,
        "sets_severity": stepforms.sets_severity(planned, forms),
        "more": extra,
        "mine": _mine(planned, known, forms),
        "decided": anchor("decision", planned.key) if planned.step.kind == "decision" else "",
        "items": [
            {
                "id": one,
                "origin": forms.naming.texts(f"reading.coverage.origins.{item.origin}") if item else "",
                "summary": item.summary.lang(naming.lang) if item else "",
            }
            for one, item in items
        ],
    }


def _acts(ask: Ask) -> dict[str, Any]:
    forms = forms_of(ask)
    return {"groups": [] if ask.is_vendor else incidentforms.groups(forms)}


PAGES = (
    Page(
        name="incident-steps",
        path="/incidents/{subject}/steps",
        parts=(
            HEAD,
            Part(name="list", values=_list, personal=True),
            Part(name="acts", values=whole(lambda ask, found: _acts(ask)), personal=True),
        ),
        head=_head,
        live=("{subject}",),
        nav="board",
    ),
)
