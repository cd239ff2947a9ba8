"""Steps by hand: who does which, when, and what they write down."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from console.drill.understudies.seen import Act, Seen, actor
from models.clock import iso
from models.commands import Done, RetryStep, SettleStep
from models.plan import PlannedStep
from models.playbook import SUBMITTED, RecordField
from models.state import StepState

HELPERS = {"csirt-duty": ("scribe",)}
"""Who shares the work of a role; analysts who are not on duty are scribes of the incident."""
MAX_ATTEMPTS = 3
PER_CENT = 100
AFTERWARDS = frozenset({SUBMITTED, "restored", "contained", "cause-addressed", "cause-identified"})
"""Instants that a step itself brings about: they are when it is done."""


def done(seen: Seen) -> Iterator[Act]:
    """What is done next by hand. One person does one thing at a time, what was asked for first."""
    diary = _diary(seen)
    to_do = sorted(_to_do(seen), key=lambda one: (not one[3], one[2], one[0].key))
    for planned, known, begin, _ in to_do:
        able = seen.understudies(known.owner or planned.step.owner or "", *_helpers(planned, known))
        takes = _takes(seen, planned, known)
        if not able or takes is None:
            continue
        person = min(able, key=lambda one: max(diary.get(one, begin), begin))
        begun = max(diary.get(person, begin), begin)
        at = begun + takes
        if takes < seen.times.hands_off:
            diary[person] = at
        values = _values(seen, planned, at)
        command = Done(actor=actor(person), step=planned.key, values=values)
        yield seen.act(at, command, f"step {planned.key} {known.round}")


def _to_do(seen: Seen) -> Iterator[tuple[PlannedStep, StepState, datetime, bool]]:
    """Steps that wait for a person, when somebody begins them, and whether an inject has asked for them."""
    state = seen.incident
    for planned in seen.world.steps(state).values():
        known = state.steps.get(planned.key)
        by_hand = planned.step.kind in {"manual", "notice"}
        if known is not None and known.status == "ready" and by_hand and known.ready_at is not None:
            begin, asked = prompted(seen, known, known.ready_at)
            about = f"begin {planned.key} {known.round}"
            if begin is not None:
                yield planned, known, begin + seen.after(seen.times.begin, "", about), asked


def prompted(seen: Seen, known: StepState, ready: datetime) -> tuple[datetime | None, bool]:
    """From when on somebody sees to the step, and whether an inject has asked for it; None: not yet.

    What an inject will ask for waits for it; what has a limit does not wait for it until the limit.
    """
    asking = seen.expecting(known.key)
    if not asking:
        return ready, False
    came = [at for one in asking if (at := seen.delivered(one.id)) is not None]
    patient = None
    if known.limit_at is not None:
        patient = ready + (known.limit_at - ready) * seen.times.patience // PER_CENT
    if not came or (patient is not None and patient < min(came)):
        return patient, False
    return max(ready, min(came)), True


def _helpers(planned: PlannedStep, known: StepState) -> tuple[str, ...]:
    role = planned.step.owner or ""
    return HELPERS.get(role, ()) if known.owner in {None, role} else ()


def _takes(seen: Seen, planned: PlannedStep, known: StepState) -> timedelta | None:
    """How long it takes; None while the scenario lets it come to nothing."""
    outcome = seen.outcome(planned.key)
    if outcome is not None and outcome.result != "done":
        return None
    if outcome is not None and outcome.takes is not None:
        return outcome.takes
    return seen.after(seen.times.work, "", f"work {planned.key} {known.round}")


def _diary(seen: Seen) -> dict[str, datetime]:
    """Until when each person has been busy, as the record says."""
    busy: dict[str, datetime] = {}
    for known in seen.incident.steps.values():
        if known.done_by is not None and known.done_at is not None and known.choice is None:
            busy[known.done_by] = max(busy.get(known.done_by, known.done_at), known.done_at)
    return busy


# -- what is written down -----------------------------------------------------------------------------------


def _values(seen: Seen, planned: PlannedStep, at: datetime) -> dict[str, str]:
    outcome = seen.outcome(planned.key)
    given = outcome.fields if outcome is not None else {}
    values: dict[str, str] = {}
    for field in planned.step.record:
        if field.id in given:
            values[field.id] = _plain(given[field.id])
        elif field.type == "instant":
            values[field.id] = iso(_instant(seen, field, at))
        elif field.required:
            values[field.id] = seen.words("fields", field.type)
    return values


def _plain(value: str | int | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _instant(seen: Seen, field: RecordField, at: datetime) -> datetime:
    """What was before STARTEX as the scenario has it; what is done by the step is done now."""
    started = {one.instant: seen.before(one.before) for one in seen.scenario.start.instants}
    if field.instant in started:
        return min(started[field.instant], at)
    if field.instant in AFTERWARDS:
        return at
    return min(at, seen.incident.declared_at or at)


# -- machine steps that did not work ------------------------------------------------------------------------


def retried(seen: Seen) -> Iterator[Act]:
    """A machine step that failed is run again, a few times, and then left out."""
    state = seen.incident
    for key, known in state.steps.items():
        if known.status not in {"failed", "unknown"}:
            continue
        vain = known.attempt >= MAX_ATTEMPTS
        able = seen.understudies(*(("csirt-lead", "ciso") if vain else ("csirt-duty", "csirt-lead")))
        if not able:
            continue
        person, about = able[0], f"retry {key} {known.attempt}"
        since = seen.noticed.of("failed", key, state.at or seen.world.now)
        command: RetryStep | SettleStep = RetryStep(
            actor=actor(person), step=key, how="again", reason=seen.words("again")
        )
        if vain:
            command = SettleStep(actor=actor(person), step=key, how="skipped", reason=seen.words("vain"))
        yield seen.act(since + seen.after(seen.times.gate, person, about), command, about)
