"""Steps that people do, and what people say about steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from models.clock import iso, parse_instant
from models.commands import (
    AddStep,
    AssignStep,
    Done,
    RetryStep,
    SettleStep,
    StartStep,
)
from models.errors import NaiveInstant, Refused
from models.fact import SYSTEM, Draft
from models.gate import closed_gates, preserved, preserved_late, services_of
from models.permission import require
from models.plan import PlannedStep
from models.playbook import RecordField
from models.policy import PHASES
from models.reason import Reason
from models.rules.common import (
    MAX_TEXT,
    MAX_TITLE,
    Decided,
    find_step,
    must_be_open,
    must_not_have_ended,
    text,
    within_reach,
)
from models.rules.handing import tell
from models.rules.services import is_down, targets_of
from models.rules.told import told
from models.state import SETTLED, Incident, StepState
from models.values import parse_duration
from models.world import ADDED, World

UNKNOWN = frozenset({"unknown", "不明"})
_YES = {"yes", "true", "はい", "y", "1"}
_NO = {"no", "false", "いいえ", "n", "0"}
MAX_TOKEN = 200
OVERSEERS = frozenset({"commander", "csirt-lead", "scribe", "ciso"})
"""Roles that may do, or record, any manual step."""


def may_do(state: Incident, planned: PlannedStep, person: str, world: World) -> bool:
    """Whether a manual step is this person's: its owner, the person it was given to, or who leads."""
    known = state.steps.get(planned.key)
    for who in (known.owner if known else None, planned.step.owner):
        if who and world.holder(state, who, person) is not None:
            return True
    roles = world.roles_of(state, person)
    return bool(roles & OVERSEERS) or planned.step.owner in roles


def _must_be_theirs(state: Incident, planned: PlannedStep, person: str, world: World) -> None:
    if person != SYSTEM and not may_do(state, planned, person, world):
        raise Refused(
            Reason.ROLE_MISSING,
            {"who": person, "needs": [planned.step.owner or "", *sorted(OVERSEERS)], "command": "done"},
        )


def start(state: Incident, command: StartStep, world: World) -> Decided:
    """A person takes a manual step up, or explicitly over from somebody who has begun it."""
    require(command, "start", state, world)
    must_not_have_ended(state)
    planned, known = find_step(state, world, command.step)
    if planned.step.kind not in {"manual", "notice"}:
        raise Refused(Reason.STEP_NOT_MANUAL, {"step": planned.key, "kind": planned.step.kind})
    taken_from = known.started_by if known.status == "started" else None
    if taken_from is not None and (not command.take or taken_from == command.who):
        raise Refused(Reason.STEP_ALREADY_STARTED, {"step": planned.key, "who": taken_from})
    _must_be_ready(state, planned, known)
    _must_be_theirs(state, planned, command.who, world)
    data: dict[str, Any] = {"step": planned.key, "attempt": known.attempt + 1}
    if taken_from is None:
        return [Draft(kind="step.started", data=data)]
    taken = Draft(kind="step.started", data=data | {"taken_from": taken_from})
    return [taken, tell(state, planned, taken_from, "notice.taken_over", world)]


def _must_be_ready(state: Incident, planned: PlannedStep, known: StepState) -> None:
    if known.status in SETTLED:
        raise Refused(Reason.ALREADY, {"what": f"{planned.key}: {known.status}"})
    if known.status == "held":
        raise Refused(
            Reason.GATE_HELD,
            {"step": planned.key, "gates": known.held, "causes": state.gates_held.get(planned.key, [])},
        )
    if known.status not in {"ready", "started"}:
        raise Refused(
            Reason.STEP_NOT_READY, {"step": planned.key, "status": known.status, "after": planned.after or ()}
        )


def done(state: Incident, command: Done, world: World) -> Decided:
    """A manual step or notice is done; what has to be recorded is there and can be read."""
    require(command, "done", state, world)
    must_not_have_ended(state)
    planned, known = find_step(state, world, command.step)
    if planned.step.kind == "decision":
        raise Refused(Reason.STEP_NEEDS_DECISION, {"step": planned.key})
    if planned.step.kind not in {"manual", "notice"}:
        raise Refused(Reason.STEP_NOT_MANUAL, {"step": planned.key, "kind": planned.step.kind})
    _must_be_ready(state, planned, known)
    _must_be_theirs(state, planned, command.who, world)
    begun = _begun(known, command.at, world)
    closed = closed_gates(state, planned, world)
    if late := preserved_late(state, planned, begun):
        closed.setdefault("preserved-before-analysed", []).extend(late)
    if closed:
        causes = sorted(cause for one in closed.values() for cause in one)
        raise Refused(Reason.GATE_HELD, {"step": planned.key, "gates": sorted(closed), "causes": causes})
    plain, texts = _recorded(planned, command.values, world.now)
    data: dict[str, Any] = {"step": planned.key, "outputs": plain}
    data |= _sets(planned, plain)
    data |= _evidence_used(state, planned, begun)
    texts = {f"outputs.{name}": value for name, value in texts.items()}
    if command.note.strip():
        texts["note"] = text(command.note, "note")
    drafts = [Draft(kind="step.done", data=data, texts=texts, at=command.at)]
    return [*drafts, *consequences(state, planned, world), *told(state, planned, plain, world)]


def _recorded(
    planned: PlannedStep, values: Mapping[str, str], now: datetime
) -> tuple[dict[str, Any], dict[str, str]]:
    """What the step asks for; a refusal names the step, by which the fields have their titles."""
    try:
        return read_fields(planned.step.record, values, now, _tokens(planned))
    except Refused as no:
        raise Refused(no.reason, {**no.detail, "step": planned.key}) from None


def _tokens(planned: PlannedStep) -> frozenset[str]:
    """Text fields that a variable takes up: a machine has to read them, so they are short and kept plain."""
    return frozenset(planned.step.sets.values())


def read_fields(
    fields: tuple[RecordField, ...],
    values: Mapping[str, str],
    now: datetime,
    tokens: frozenset[str] = frozenset(),
) -> tuple[dict[str, Any], dict[str, str]]:
    """What was recorded, typed: plain values apart from free text. Raises Refused on all defects at once.

    `now` (aware) bounds the times that may be meant.
    """
    known = {field.id: field for field in fields}
    wrong = [
        f"{name}: not asked for; asked: {', '.join(known) or 'nothing'}"
        for name in values
        if name not in known
    ]
    missing = [field.id for field in fields if field.required and not values.get(field.id, "").strip()]
    plain: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for name, value in values.items():
        field = known.get(name)
        if field is None or not value.strip():
            continue
        if name in tokens and field.type == "text":
            _token(name, value.strip(), plain, wrong)
        elif field.type in {"text", "list"}:
            texts[name] = text(value, name, MAX_TEXT)
        else:
            _read(field, value.strip(), now, plain, wrong)
    if missing:
        detail: dict[str, Any] = {"fields": missing}
        if wrong:
            # Told in one go: nobody who is in a hurry is refused twice for one entry.
            detail |= {"case": "and-wrong", "wrong": wrong}
        raise Refused(Reason.FIELDS_MISSING, detail)
    if wrong:
        raise Refused(Reason.FIELD_WRONG, {"fields": wrong})
    return plain, texts


def is_token(value: str) -> bool:
    """Whether a text is short and plain enough to be kept in a fact, where a machine reads it."""
    return len(value) <= MAX_TOKEN and value.isprintable()


def _token(name: str, value: str, plain: dict[str, Any], wrong: list[str]) -> None:
    if not is_token(value):
        wrong.append(f"{name}: expected one line of at most {MAX_TOKEN} characters")
    else:
        plain[name] = value


def _read(field: RecordField, value: str, now: datetime, plain: dict[str, Any], wrong: list[str]) -> None:
    if value.lower() in UNKNOWN:
        # Unknown is an answer, and shown as such: what was done must not wait for a time nobody knows.
        plain[field.id] = "unknown"
        return
    try:
        plain[field.id] = _typed(field.type, value, now)
    except NaiveInstant as naive:
        wrong.append(f"{field.id}: {naive}")
    except ValueError:
        wrong.append(f"{field.id}: expected {_EXPECTED[field.type]}, got {value[:60]!r}")


_EXPECTED = {
    "instant": "a time of this century such as 2026-11-23T03:00:00+09:00, or unknown",
    "number": "a whole number, or unknown",
    "yes-no": "yes, no or unknown",
    "duration": "a time such as 30m or 4h, or unknown",
}


def _typed(kind: str, value: str, now: datetime) -> str | int | bool:
    if kind == "instant":
        instant = parse_instant(value)
        if not within_reach(instant, now):
            raise ValueError(value)  # deadlines count from it, and no calendar knows that year
        return iso(instant)
    if kind == "number":
        if not re.fullmatch(r"-?\d{1,15}", value.replace(",", "")):
            raise ValueError(value)
        return int(value.replace(",", ""))
    if kind == "yes-no":
        if value.lower() not in _YES | _NO:
            raise ValueError(value)
        return value.lower() in _YES
    parse_duration(value)
    return value


def _sets(planned: PlannedStep, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Variables that the step's fields give a value to."""
    found = {
        f"{planned.scope}.{variable}": outputs[field]
        for variable, field in planned.step.sets.items()
        if field in outputs
    }
    return {"sets": found} if found else {}


def _begun(known: StepState, at: datetime | None, world: World) -> datetime:
    """When the work began, as far as is known: at the latest when it was done."""
    started = known.started_at if known.status == "started" else None
    return min(one for one in (started, at, world.now) if one is not None)


def _evidence_used(state: Incident, planned: PlannedStep, begun: datetime) -> dict[str, Any]:
    """An analysis names the digests of what it analysed, preserved before it began (FSA-2.5.2.2-B1)."""
    used = [
        {"id": item.id, "digest": item.digest or ""}
        for item in preserved(state, begun)
        if set(item.sources) & set(planned.step.sources)
    ]
    return {"analysed": used} if used else {}


def consequences(state: Incident, planned: PlannedStep, world: World) -> list[Draft]:
    """What a finished step says about services: stopped, restored, resumed."""
    step = planned.step
    stamp = iso(world.now)
    drafts = [_stopped(state, one, world) for one in services_of(state, step.stops)]
    drafts += [
        Draft(kind="service.restored", data={"service": one, "instant": stamp})
        for one in services_of(state, step.restores)
    ]
    drafts += [
        Draft(kind="service.resumed", data={"service": one}) for one in services_of(state, step.resumes)
    ]
    return drafts


def _stopped(state: Incident, name: str, world: World) -> Draft:
    """A service that we stop is down from then on: its clocks run like after any other outage."""
    data: dict[str, Any] = {"service": name}
    service, known = world.directory.service(name), state.services.get(name)
    if service is not None and not is_down(known):
        data |= {"fell": True, "level": service.levels[0].id}
        if known is None or known.targets is None:
            data["targets"] = targets_of(service)
    return Draft(kind="service.stopped", data=data)


def add_step(state: Incident, command: AddStep, world: World) -> Decided:
    """A step that no playbook foresaw."""
    require(command, "step-add", state, world)
    must_be_open(state, "resolved")
    key = f"{ADDED}/{command.step}"
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", command.step):
        raise Refused(Reason.FIELD_WRONG, {"fields": [f"step: {command.step!r} is no id such as call-isp"]})
    if key in state.steps:
        raise Refused(Reason.DUPLICATE, {"what": key})
    if command.phase not in (*PHASES, "communication"):
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.phase, "known": [*PHASES, "communication"]})
    if not world.holders(state, command.owner):
        raise Refused(Reason.NO_SUCH_ROLE, {"role": command.owner, "known": sorted(_roles(world))})
    definition: dict[str, Any] = {
        "id": command.step,
        "phase": command.phase,
        "kind": "manual",
        "title": "-",
        "owner": command.owner,
    }
    if command.within:
        definition["within"] = f"{command.within}s"
    return [
        Draft(
            kind="step.added",
            data={"step": key, "definition": definition},
            texts={
                "reason": text(command.reason, "reason"),
                "definition.title": text(command.title, "title", MAX_TITLE),
            },
        )
    ]


def _roles(world: World) -> list[str]:
    return [role.id for role in world.organisation.roles]


def settle(state: Incident, command: SettleStep, world: World) -> Decided:
    """Skip a step, or say that it does not apply; neither satisfies a gate."""
    require(command, "step-skip" if command.how == "skipped" else "step-na", state, world)
    must_not_have_ended(state)
    planned, known = find_step(state, world, command.step)
    if known.status in SETTLED:
        raise Refused(Reason.ALREADY, {"what": f"{planned.key}: {known.status}"})
    kind = "step.skipped" if command.how == "skipped" else "step.not_applicable"
    return [Draft(kind=kind, data={"step": planned.key}, texts={"reason": text(command.reason, "reason")})]


def assign(state: Incident, command: AssignStep, world: World) -> Decided:
    """Give a step to a person."""
    require(command, "step-assign", state, world)
    must_not_have_ended(state)
    planned, _ = find_step(state, world, command.step)
    if world.directory.person(command.person) is None:
        raise Refused(Reason.UNKNOWN_PERSON, {"who": command.person})
    texts = {"reason": text(command.reason, "reason")} if command.reason.strip() else {}
    return [Draft(kind="step.assigned", data={"step": planned.key, "person": command.person}, texts=texts)]


def retry(state: Incident, command: RetryStep, world: World) -> Decided:
    """A person decides about a machine step that failed, or whose outcome is unknown (promise P2)."""
    require(command, "step-retry", state, world)
    must_not_have_ended(state)
    planned, known = find_step(state, world, command.step)
    if known.status not in {"failed", "unknown"}:
        raise Refused(Reason.STEP_NOT_READY, {"step": planned.key, "status": known.status, "after": ()})
    reason = {"reason": text(command.reason, "reason")}
    if command.how == "done":
        settled = Draft(kind="step.done", data={"step": planned.key, "outputs": {}}, texts=reason)
        return [settled, *consequences(state, planned, world)]
    # Through its condition and its gates again: what held when it first ran may not hold now.
    return [Draft(kind="step.reset", data={"step": planned.key}, texts=reason)]
