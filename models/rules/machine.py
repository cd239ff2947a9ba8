"""What the machine does with steps: claims, outcomes, and what a crash in the middle means (design, 8)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from models.clock import iso
from models.commands import ClaimStep, DraftNotice, FinishStep, Reclaim
from models.errors import Refused
from models.fact import Draft
from models.plan import PlannedStep
from models.reason import Reason
from models.routing import ask
from models.rules.collecting import collected
from models.rules.common import MAX_TEXT, Decided, find_step, must_not_have_ended
from models.rules.steps import consequences, is_token, read_fields
from models.sources import EVENT, unreachable_fact
from models.state import Incident, StepState
from models.world import World


def claim(state: Incident, command: ClaimStep, world: World) -> Decided:
    """Take a machine step: unique per step, attempt and epoch, so flows may overlap."""
    must_not_have_ended(state)
    planned, known = find_step(state, world, command.step)
    if planned.step.kind != "action" or known.status != "ready":
        raise Refused(Reason.STEP_NOT_READY, {"step": planned.key, "status": known.status, "after": ()})
    data = {
        "step": planned.key,
        "attempt": known.attempt + 1,
        "node": command.node,
        "epoch": command.epoch,
        "lease_until": iso(world.now + timedelta(seconds=command.lease)),
    }
    return [Draft(kind="step.started", data=data)]


def finish(state: Incident, command: FinishStep, world: World) -> Decided:
    """What the step came to; refused if the claim is not the present one."""
    planned, known = find_step(state, world, command.step)
    claim_now = (known.node, known.epoch, known.attempt)
    if known.status != "started" or claim_now != (command.node, command.epoch, command.attempt):
        raise Refused(Reason.STALE_CLAIM, {"step": planned.key, "status": known.status})
    evidence = _evidence(state, planned, command)
    if command.outcome != "done":
        data = {"step": planned.key, "attempt": command.attempt, "engine": command.engine}
        failed = Draft(kind=f"step.{command.outcome}", data=data, texts={"error": command.error or "-"})
        return [*evidence, failed, *_asked(state, planned, command, world)]
    plain, texts = _outputs(planned, command, world.now)
    data = {
        "step": planned.key,
        "attempt": command.attempt,
        "outputs": plain,
        "engine": command.engine,
    }
    sets = {
        f"{planned.scope}.{name}": plain[field] for name, field in planned.step.sets.items() if field in plain
    }
    if sets:
        data["sets"] = sets
    done = Draft(
        kind="step.done", data=data, texts={f"outputs.{name}": value for name, value in texts.items()}
    )
    return [*evidence, done, *consequences(state, planned, world)]


def _asked(state: Incident, planned: PlannedStep, command: FinishStep, world: World) -> list[Draft]:
    """Somebody is paged; of a source that gives nothing the record says so by itself, since logs rotate."""
    subject = f"step:{planned.key}"
    if not command.unreachable:
        return ask(world, state, "step-unknown", subject)
    target = planned.step.target or planned.step.id
    fact = unreachable_fact(target, _sources(planned), command.error, planned.key)
    return [fact, *ask(world, state, EVENT, subject, {"target": target})]


def _sources(planned: PlannedStep) -> list[str]:
    return list(planned.step.preserves) or [planned.step.id]


def _outputs(
    planned: PlannedStep, command: FinishStep, now: datetime
) -> tuple[dict[str, Any], dict[str, str]]:
    """Typed fields as the playbook names them; all else a machine says is text from outside."""
    typed = {field.id: field for field in planned.step.record if field.type not in {"text", "list"}}
    texts = {
        name: value[:MAX_TEXT]
        for name, value in command.outputs.items()
        if name not in typed and value.strip()
    }
    plain: dict[str, Any] = {}
    for name in set(planned.step.sets.values()) & set(texts):
        if is_token(texts[name].strip()):
            plain[name] = texts.pop(name).strip()
    fields = tuple(field.model_copy(update={"required": False}) for field in typed.values())
    for name, value in command.outputs.items():
        if name in typed:
            try:
                plain |= read_fields(fields, {name: value}, now)[0]
            except Refused:
                texts[name] = value[:MAX_TEXT]
    return plain, texts


def _evidence(state: Incident, planned: PlannedStep, command: FinishStep) -> list[Draft]:
    return collected(
        state, command.evidence, _sources(planned), step=planned.key, volatility=planned.step.volatility
    )


def reclaim(state: Incident, command: Reclaim, world: World) -> Decided:
    """A node that has started again takes back what it had in hand when it died."""
    drafts: list[Draft] = []
    for known in state.steps.values():
        if known.status == "started" and known.node == command.node and known.epoch < command.epoch:
            drafts += crashed(state, known, world)
    return drafts


def crashed(state: Incident, known: StepState, world: World) -> list[Draft]:
    """What the class of a step says after a crash in its middle (promises P1, P2)."""
    planned = world.step(state, known.key)
    assert planned is not None  # noqa: S101 - dropping or moving a playbook clears its steps
    kind = planned.step.on_crash
    if kind in {"idempotent", "probe"}:
        look = kind == "probe"
        reason = Reason.CRASHED_PROBE if look else Reason.CRASHED_IDEMPOTENT
        data = {"step": known.key, "look_first": look, "reason": reason.value}
        return [Draft(kind="step.reset", data=data)]
    unknown = Draft(
        kind="step.unknown",
        data={"step": known.key, "attempt": known.attempt, "reason": Reason.CRASHED_ASK.value},
    )
    return [unknown, *ask(world, state, "step-unknown", f"step:{known.key}")]


def draft_notice(state: Incident, command: DraftNotice, world: World) -> Decided:
    """The text of a notice, drafted by the machine, sent by a person."""
    planned, known = find_step(state, world, command.step)
    if known.drafted == command.document:
        return []
    data = {"step": planned.key, "document": command.document}
    return [Draft(kind="notice.drafted", data=data)]
