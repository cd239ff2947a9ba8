"""A step as somebody works with it on a page: where it stands, what it asks, what holds it and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from console.views import answers, preserving
from console.views.causes import cause, gate, without_command
from console.views.failing import failure, target
from console.views.machine import from_machine, output_title
from console.views.naming import Naming
from console.views.sheet import Line
from console.views.steps import owner_of
from models.awaited import STUCK
from models.gate import GATES, services_of
from models.plan import PlannedStep
from models.policy import PHASES
from models.readiness import settled, waits_for
from models.reason import Reason
from models.rules.overriding import authorities
from models.state import SETTLED, Incident, StepState
from notifiers.factorwords import is_unknown

MENDED = {
    "not-preserved": "evidence",
    "preserved-later": "evidence",
    "not-decided": "decisions",
    "not-chosen": "decisions",
    "proposal-open": "decisions",
    "no-fix": "scope",
    "no-fix-many": "scope",
    "scope-grew": "scope",
    "no-service": "scope",
    "no-checked-backup": "scope",
    "backup-after-compromise": "scope",
    "not-working": "scope",
    "not-confirmed-by-csirt": "scope",
    "not-confirmed-by-owner": "scope",
    "no-improvement": "improvements",
}
"""By the kind of a cause: the page of the incident on which it is mended; else the page of the steps."""
MAX_WAITS = 3
ORDER = (*PHASES, "communication")
WORKING = frozenset({"ready", "started", "failed", "unknown", "held"})
"""What somebody can, or should be able to, do something about now."""


def limit(at: datetime | None, naming: Naming) -> dict[str, Any] | None:
    """A limit for a template: until when, what is left in words, whether it is over."""
    if at is None:
        return None
    return {
        "iso": at.isoformat(),
        "at": naming.times.at(at),
        "left": naming.times.left(at, naming.now),
        "grave": at <= naming.now,
    }


def brief(planned: PlannedStep, known: StepState, state: Incident, naming: Naming) -> dict[str, Any]:
    """What the list says of every step."""
    owner = owner_of(known, planned)
    return {
        "key": planned.key,
        "title": naming.title(planned),
        "kind": planned.step.kind,
        "kind_word": naming.texts.word("words.kind", planned.step.kind),
        "phase": planned.step.phase,
        "status": known.status,
        "target": target(planned),
        "status_word": answers.status(known, naming),
        "owner": naming.holders(owner) if owner else naming.texts("words.machine"),
        "started_by": naming.who(known.started_by) if known.status == "started" and not known.node else "",
        "node": known.node or "" if known.status == "started" else "",
        "limit": limit(known.limit_at, naming) if known.status not in SETTLED else None,
        "late": known.overdue or known.status in {"failed", "unknown"},
        "waits": list(waits(planned, known, state, naming)),
        "gates": list(gates(planned, state, naming)),
        "done": _done(known, naming),
        "unconfirmed": known.unconfirmed,
    }


def whole(planned: PlannedStep, known: StepState, state: Incident, naming: Naming) -> dict[str, Any]:
    """The same with the playbook's text and all that was answered about it."""
    step, lang = planned.step, naming.lang
    texts = {"where": step.where, "text": step.text, "stop_when": step.stop_when}
    return brief(planned, known, state, naming) | {
        "texts": [(name, one.lang(lang)) for name, one in texts.items() if one is not None],
        "do_not": [one.lang(lang) for one in step.do_not],
        "lost": list(preserving.said(planned, naming)),
        "stops": [naming.service(one) for one in services_of(state, step.stops) or step.stops],
        "guideline": list(step.guideline),
        "error": failure(known, planned, naming) if known.status in STUCK else "",
        "stuck": known.status in STUCK,
        "reason": naming.text(known.reason, 1_000) if known.status in SETTLED else "",
        "answers": [one for one in answers.of_step(known, planned, naming) if not _types(one)],
        "outputs": [*outputs(known, planned, naming), *factors(known, naming)],
    }


def _types(line: Line) -> bool:
    """Whether a line says what to type."""
    return line.style == "dim" and "hikeshi " in line.text


def waits(planned: PlannedStep, known: StepState, state: Incident, naming: Naming) -> Iterator[str]:
    """What has to come first, in words."""
    if known.status != "waiting":
        return
    reason = waits_for(state, planned)
    if reason is Reason.WAITS_FOR_PHASE:
        earlier = PHASES[: PHASES.index(planned.step.phase)]
        for name in earlier:
            phase = state.phases.get(name)
            if phase is None or phase.status != "ended":
                yield naming.texts("stepcards.phase", phase=naming.phase(name))
    elif reason is Reason.WAITS_FOR_STEP:
        open_steps = [key for key in planned.after or () if not settled(state, key)]
        yield from (_title(key, naming) for key in open_steps[:MAX_WAITS])
        if len(open_steps) > MAX_WAITS:
            yield naming.texts("stepcards.more", n=len(open_steps) - MAX_WAITS)
        if planned.after_any and not open_steps:
            several = naming.texts("words.comma").join(_title(key, naming) for key in planned.after_any)
            yield naming.texts("stepcards.any", steps=several)
        if planned.caller is not None and not open_steps:
            yield naming.texts("stepcards.caller", step=_title(planned.caller, naming))
    elif planned.step.when is not None:
        yield naming.texts("stepcards.when")


def _title(key: str, naming: Naming) -> str:
    planned = naming.planned(key)
    return key if planned is None else naming.title(planned)


def gates(planned: PlannedStep, state: Incident, naming: Naming) -> Iterator[dict[str, Any]]:
    """The gates that hold it now: what is missing, where it is mended, and who may pass the gate."""
    known = state.steps.get(planned.key)
    if known is None or known.status != "held":
        return
    causes = [naming_of(one, naming) for one in state.gates_held.get(planned.key, [])]
    for name in known.held:
        by = naming.texts("words.comma").join(naming.holders(one) for one in authorities(name, naming.world))
        yield {
            "id": name,
            "title": gate(naming, name),
            "guideline": GATES[name].guideline if name in GATES else "",
            "causes": causes,
            "override_by": by,
        }


def naming_of(text: str, naming: Naming) -> dict[str, str]:
    """A cause in words, and the page on which it is mended."""
    page = MENDED.get(text.partition(":")[0], "steps")
    return {"says": without_command(cause(naming, text)), "page": page}


def _done(known: StepState, naming: Naming) -> str:
    if known.done_at is None or known.status != "done":
        return ""
    return naming.texts("words.step.done", who=naming.who(known.done_by), at=naming.at(known.done_at))


def outputs(known: StepState, planned: PlannedStep, naming: Naming) -> Iterator[dict[str, Any]]:
    """What was recorded when it was done; unknown is said as unknown."""
    fields = {one.id: one for one in planned.step.record}
    for name, value in known.outputs.items():
        field = fields.get(name)
        shown = from_machine(naming.text(value), naming.texts) if isinstance(value, str) else str(value)
        if field is not None and field.type == "instant" and value != "unknown":
            shown = naming.times.at(datetime.fromisoformat(str(value)))
        elif isinstance(value, bool):
            shown = naming.texts("stepcards.yes" if value else "stepcards.no")
        unknown = value == "unknown"
        yield {
            "title": field.title.lang(naming.lang) if field is not None else output_title(name, naming.texts),
            "value": naming.texts("stepcards.unknown") if unknown else shown,
            "unknown": unknown,
        }


def factors(known: StepState, naming: Naming) -> Iterator[dict[str, Any]]:
    """What was weighed; what nobody knew is in red ever after (FSA-2.5.2.4-B1)."""
    for name, value in known.factors.items():
        yield {
            "title": naming.texts.word("words.factor", name),
            "value": naming.factor(name, value),
            "unknown": is_unknown(value, naming.text),
        }
