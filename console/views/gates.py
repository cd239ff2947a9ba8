"""`hikeshi gates`: every gate ahead, what is missing, and what mends it, in one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from console.views.causes import cause, gate, mends
from console.views.naming import Naming
from console.views.sheet import Line, Section
from models.ahead import Ahead, gates_ahead
from models.gate import CLOSING, GATES, services_of
from models.rules.overriding import authorities
from models.state import Incident

MAX_SOON = 6
SOURCES = {"closing": "FSA-2.5.2.6-B6"}


def sections(state: Incident, naming: Naming) -> list[Section]:
    """One part for each gate that is closed before some step."""
    found = gates_ahead(state, naming.world)
    by_gate: dict[str, list[Ahead]] = {}
    for one in found:
        by_gate.setdefault(one.gate, []).append(one)
    parts = [_section(name, many, naming) for name, many in by_gate.items()]
    overridden = list(overrides(state, naming))
    if overridden:
        parts.append(Section(title=naming.texts("gates.title.overridden"), parts=tuple(overridden)))
    return parts or [Section(title=naming.texts("gates.none"), parts=())]


def _section(name: str, many: Sequence[Ahead], naming: Naming) -> Section:
    texts = naming.texts
    source = GATES[name].guideline if name in GATES else SOURCES.get(name, "")
    lines = list(_sentences(many, naming))
    by = texts("words.comma").join(naming.who(role) for role in authorities(name, naming.world))
    step = naming.state.stream if name == CLOSING else "STEP"
    command = f"hikeshi override {naming.state.stream} {name} {step} --reason …"
    lines.append(Line(text=texts("gates.override", who=by, command=command), style="dim", indent=1))
    return Section(title=f"{gate(naming, name)} [{name}, {source}]", parts=tuple(lines))


def _sentences(many: Sequence[Ahead], naming: Naming) -> Iterator[Line]:
    """One sentence for each thing that is missing, however many steps wait for it."""
    waiting: dict[str, list[Ahead]] = {}
    for one in many:
        for text in one.causes:
            waiting.setdefault(sentence(one, text, naming), []).append(one)
    for said, behind in waiting.items():
        held = any(one.holds for one in behind)
        yield Line(text=said, style="warn" if held else "plain")
        for one in behind:
            if one.planned is not None:
                key = "gates.held" if one.holds else "gates.maybe" if one.maybe else "gates.waiting"
                yield Line(text=naming.texts(key, step=naming.step(one.step)), style="dim", indent=2)


def sentence(one: Ahead, text: str, naming: Naming) -> str:
    """What waits, and what to do: `containment waits: name the authority for stopping internet banking`."""
    what = naming.phase(one.phase) if one.planned is not None else naming.texts("gates.closing")
    return naming.texts("gates.sentence", what=what, mend=mends(naming, text, **_about(one, naming)))


def _about(one: Ahead, naming: Naming) -> dict[str, str]:
    """What the sentence says of the step: what it stops, and who decides that."""
    planned, state = one.planned, naming.state
    if planned is None or not isinstance(state, Incident):
        return {"services": "", "who": ""}
    stopped = services_of(state, planned.step.stops)
    services = naming.services(stopped) or naming.texts("gates.affected")
    deciding = naming.planned(planned.resolve(planned.step.decided_by or "")) or planned
    return {"services": services, "who": naming.deciders(deciding.step)}


def soon(state: Incident, naming: Naming) -> list[Line]:
    """For the screen of the incident: what the next steps will need, those that hold already left aside."""
    said: dict[str, None] = {}
    for one in gates_ahead(state, naming.world):
        if not one.holds and not one.maybe and one.planned is not None:
            said.update((sentence(one, text, naming), None) for text in one.causes)
    lines = [Line(text=text) for text in list(said)[:MAX_SOON]]
    if len(said) > MAX_SOON:
        more = f"hikeshi gates {state.stream}"
        lines.append(Line(text=naming.texts("gates.more", n=len(said) - MAX_SOON, command=more), style="dim"))
    return lines


def overrides(state: Incident, naming: Naming) -> Iterator[Line]:
    """Gates that were passed, with the causes that were covered: in red for as long as they stand."""
    for key in state.overrides:
        name, _, step = key.partition("@")
        what = state.stream if step == state.stream else naming.step(step)
        yield Line(text=naming.texts("words.overridden", gate=gate(naming, name), step=what), style="bad")
        for one in state.override_causes.get(key, []):
            yield Line(text=f"・{cause(naming, one)}", style="bad", indent=1)


def as_json(state: Incident, naming: Naming) -> dict[str, Any]:
    """The same for programs."""
    return {
        "ahead": [
            {
                "gate": one.gate,
                "guideline": GATES[one.gate].guideline if one.gate in GATES else SOURCES.get(one.gate, ""),
                "step": one.step,
                "phase": one.phase,
                "status": one.status,
                "maybe": one.maybe,
                "override_by": list(authorities(one.gate, naming.world)),
                "causes": [
                    {"cause": text, "missing": cause(naming, text), "says": sentence(one, text, naming)}
                    for text in one.causes
                ],
            }
            for one in gates_ahead(state, naming.world)
        ],
        "overridden": [
            {"gate": key.partition("@")[0], "step": key.partition("@")[2], "fact": seq, "causes": causes}
            for key, seq in state.overrides.items()
            for causes in [state.override_causes.get(key, [])]
        ],
    }
