"""What follows from the facts at once: phases open and end, steps become ready, gates hold, pages stop.

`advance` runs inside the transaction of every command until it has nothing more to say. All that it writes is
signed `hikeshi`: it is the rules' doing, not a person's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from models.clock import iso
from models.clocks.rules import SUBJECT as SUBJECT_CLOCK
from models.clocks.rules import clock_facts, clock_waits, matter_facts
from models.comcheck import SUBJECT as SUBJECT_COMCHECK
from models.comcheck import parts_of
from models.communication import SUBJECT as MESSAGE
from models.exercise import Exercise
from models.fact import SYSTEM, Draft
from models.gate import closed_gates
from models.moving import ALWAYS, Moved, moved_by
from models.page import hurry, nobody_left
from models.plan import PlannedStep, choices_asked, variables_asked
from models.policy import PHASES, Event
from models.programme import SUBJECT as SUBJECT_FINDING
from models.readers import SUBJECT
from models.readiness import again, applies, owed, phases_before_ended, settled, waits_for
from models.reason import Reason
from models.routing import APPROVAL, ask, choose_route, level_recipients
from models.rules.approving import approvals, awaits
from models.rules.comcheck import comchecks_complete
from models.rules.evidence import SUBJECT as EVIDENCE
from models.rules.evidence import evidence_waits
from models.rules.exercise_due import exercise_follows
from models.rules.overriding import spent
from models.rules.scope import stopped_parties
from models.rules.voting import quorums
from models.sources import SUBJECT as SOURCE
from models.sources import missing_sources
from models.state import (
    ENDED,
    House,
    Incident,
    Intake,
    Page,
    Programme,
    StepState,
    StreamState,
)
from models.world import World

MAX_PASSES = 100
"""A playbook of 400 steps settles in far fewer; more would be a circle in the rules."""


def advance(state: StreamState, world: World, fresh: Collection[str] | None = None) -> list[Draft]:
    """The next facts that follow by rule; empty when everything follows that does.

    `fresh` are the kinds of what has been written since nothing more followed; None: it is not known, or time
    has passed and may have changed an answer.
    """
    moved = moved_by(fresh, state) if fresh is not None and isinstance(state, Incident) else None
    if (moved is None or moved.pages) and (drafts := list(_pages(state, world))):
        return drafts
    if isinstance(state, Incident):
        return _of_incident(state, world, moved) if state.status not in ENDED else []
    if isinstance(state, Programme):
        return list(comchecks_complete(state))
    return list(exercise_follows(state, world)) if isinstance(state, Exercise) else []


def _of_incident(state: Incident, world: World, moved: Moved | None) -> list[Draft]:
    """What the first rule says that has something to say, of those that may."""
    for name, rule in _RULES.items():
        if moved is None or name in moved.rules or name in ALWAYS:
            found = list(rule(state, world))
        elif name == "steps" and moved.some:
            found = _steps(state, world, world.layout(state).those(moved, moved.concerns))
        else:
            continue
        if found:
            return found
    return []


# -- pages --------------------------------------------------------------------------------------------------


def _pages(state: StreamState, world: World) -> Iterator[Draft]:
    for page in state.pages.values():
        if page.state == "stopped":
            continue
        if (why := _over(state, page, world)) is not None:
            yield Draft(kind="page.stopped", data={"page": page.id, "reason": why.value})
        elif page.state == "open" and (left := nobody_left(page)) is not None:
            yield Draft(kind="page.hurried", data=hurry(page, left))
        elif page.renew and page.worked_at is None and _worked(state, page):
            yield Draft(kind="page.worked", data={"page": page.id})


def _over(state: StreamState, page: Page, world: World) -> Reason | None:
    """Why a page need not be answered any more; None if it must."""
    kind, _, name = page.subject.partition(":")
    if isinstance(state, Incident):
        if kind == EVIDENCE:
            # Damage is somebody's matter however the incident ended: it is kept for the time after.
            return None if evidence_waits(state, name) else Reason.SETTLED
        if state.status in ENDED or _closed_over(state, page, kind):
            return Reason.STOPPED
        waits = clock_waits(state, page, name) if kind == SUBJECT_CLOCK else _waits(state, kind, name, world)
        waits = waits and awaits(state, page, name)
    elif isinstance(state, Intake):
        waits = name in state.alerts
    elif isinstance(state, House):
        waits = name in (state.quarantined if kind == "quarantine" else state.impaired)
    elif isinstance(state, Programme):
        waits = _programme_waits(state, kind, name)
    else:
        waits = True
    return None if waits else Reason.SETTLED


def _closed_over(state: Incident, page: Page, kind: str) -> bool:
    """Whether closing has put an end to the page. What is sent after it still has to be approved."""
    if state.status != "closed" or state.closed_at is None:
        return False
    return kind in {"incident", "step", "shift", APPROVAL} or (
        kind == MESSAGE and page.asked_at <= state.closed_at
    )


def _programme_waits(state: Programme, kind: str, name: str) -> bool:
    if kind == SUBJECT_COMCHECK:
        known = state.comchecks.get(parts_of(name)[0])
        return known is not None and known.running
    if kind == SUBJECT_FINDING:
        return name in state.findings and state.findings[name].status == "open"
    if kind == SUBJECT:
        return name in state.readings and state.readings[name].overdue
    return name in state.improvements and state.improvements[name].status == "open"


def _waits(state: Incident, kind: str, name: str, world: World) -> bool:
    if (waiting := _by_name(state, kind)) is not None:
        return name in waiting
    if kind in {"step", APPROVAL}:
        known = state.steps.get(name)
        asking = {"ready", "started", "failed", "unknown", "held"}
        return known is not None and known.status in asking and world.step(state, name) is not None
    if kind == "shift":
        return name in state.shifts and state.shifts[name].status == "missed"
    if kind == "confirm":
        return int(name) in state.confirmations
    if kind == MESSAGE:
        message, _, role = name.partition("/")
        return role in state.outgoing[message].waiting()
    return True


def _by_name(state: Incident, kind: str) -> Container[str] | None:
    """What waits under its own name; None for another kind of matter."""
    if kind == "reopening":
        return state.reopenings
    return {one.target for one in missing_sources(state)} if kind == SOURCE else None


def _worked(state: StreamState, page: Page) -> bool:
    """Work has started when a person did a step, decided or judged the severity after acknowledging."""
    since = page.acked_at
    if since is None or not isinstance(state, Incident):
        return False
    if state.severity_at is not None and state.severity_at > since:
        return True
    kind, _, name = page.subject.partition(":")
    if kind == MESSAGE:
        return False  # nothing but the approval, or the no, is the work that this page waits for
    steps = [state.steps[name]] if kind == "step" and name in state.steps else state.steps.values()
    for step in steps:
        if step.node is None and _since(step.started_by, step.started_at, since):
            return True
        if _since(step.done_by, step.done_at, since):
            return True
    return False


def _since(who: str | None, at: datetime | None, since: datetime) -> bool:
    return who not in {None, SYSTEM} and at is not None and at >= since


def _called_out(state: Incident, world: World) -> list[Draft]:
    """People are called out when an incident is declared, and again when its severity rises."""
    if state.status != "open" or state.severity_rank <= state.paged_rank:
        return []
    event: Event = "declared" if state.paged_rank < -1 else "severity-raised"
    return ask(world, state, event, "incident")


# -- what a scribe wrote ------------------------------------------------------------------------------------


def _confirmations(state: Incident, world: World) -> Iterator[Draft]:
    for one in state.unasked:
        yield Draft(
            kind="confirm.asked",
            data={"fact": one.seq, "person": one.person, "by": one.by, "what": one.what},
        )
        yield from ask(world, state, "confirm", f"confirm:{one.seq}", {"person": one.person})


# -- steps --------------------------------------------------------------------------------------------------


_AT_REST = frozenset({"done", "skipped", "failed", "unknown"})
"""From here a step goes on by a command alone, unless it is to be repeated. Most steps have come so far."""


def _all_steps(state: Incident, world: World) -> list[Draft]:
    return _steps(state, world, world.steps(state).values())


def _steps(state: Incident, world: World, steps: Iterable[PlannedStep]) -> list[Draft]:
    """What each step does next; all look at the same state, so a phase is opened by the first of them."""
    drafts: list[Draft] = []
    opened: set[str] = set()
    for planned in steps:
        known = state.steps.get(planned.key)
        if known is not None and known.status in _AT_REST and planned.step.repeat is None:
            continue
        for draft in _step(state, planned, world):
            if draft.kind in {"phase.opened", "phase.reopened"}:
                if draft.data["phase"] in opened:
                    continue
                opened.add(draft.data["phase"])
            drafts.append(draft)
    # A round that is to be repeated comes first: what waits for its end must not see it as done.
    return [draft for draft in drafts if draft.kind == "step.repeated"] or drafts


def _step(state: Incident, planned: PlannedStep, world: World) -> list[Draft]:
    known = state.steps.get(planned.key)
    status = known.status if known else "waiting"
    if known is None or status in {"waiting", "held"}:
        return _begin(state, planned, world)
    if status == "ready":
        return _still_ready(state, planned, world)
    if status == "not-applicable":
        return _comes_back(state, planned, known)
    if status == "started" and planned.step.kind == "call":
        children = world.children(planned.key)
        if all(settled(state, key) for key in children):
            return [Draft(kind="step.done", data={"step": planned.key})]
    if status == "done" and planned.step.repeat is not None and again(state, planned):
        steps = [planned.key, *(key for key in world.children(planned.key) if key in state.steps)]
        return [Draft(kind="step.repeated", data={"step": planned.key, "steps": steps})]
    return []


def _still_ready(state: Incident, planned: PlannedStep, world: World) -> list[Draft]:
    """A step that was ready and should not be any more: a decision withdrawn, a gate closed again."""
    if _caller_is_out(state, planned):
        return [_not_applicable(planned)]
    undone = any(_undecided(state, key, world) for key in planned.after or ())
    if planned.step.kind == "action":
        # A machine does not stop to think: what it waited for has to hold until it begins.
        undone = undone or (planned.after is not None and waits_for(state, planned) is not Reason.READY)
        undone = undone or applies(state, planned) is not True
    elif choices_asked(planned) or variables_asked(planned):
        # The decision that called for this was taken back, or another has taken its place.
        undone = undone or applies(state, planned) is False
    if undone or closed_gates(state, planned, world):
        return [Draft(kind="step.reset", data={"step": planned.key})]
    return []


def _undecided(state: Incident, key: str, world: World) -> bool:
    """Whether a decision that this waited for has been withdrawn."""
    planned = world.step(state, key)
    return planned is not None and planned.step.kind == "decision" and not settled(state, key)


def _comes_back(state: Incident, planned: PlannedStep, known: StepState) -> list[Draft]:
    """A condition that did not hold may hold later, for example when the severity rises."""
    if known.reason != Reason.CONDITION_FALSE.value or planned.step.when is None:
        return []
    if _caller_is_out(state, planned) or applies(state, planned) is not True:
        return []
    return [Draft(kind="step.reset", data={"step": planned.key})]


def _begin(state: Incident, planned: PlannedStep, world: World) -> list[Draft]:
    if _caller_is_out(state, planned):
        return [_not_applicable(planned)]
    if waits_for(state, planned) is not Reason.READY:
        return []
    holds = applies(state, planned)
    if holds is False:
        return [_not_applicable(planned)]
    held = closed_gates(state, planned, world)
    if holds is None:
        held["condition"] = [f"cannot-evaluate:{planned.key}"]
    if held:
        return _hold(state, planned, held)
    return [*_open_for(state, planned), *_make_ready(state, planned, world)]


def _caller_is_out(state: Incident, planned: PlannedStep) -> bool:
    if planned.caller is None:
        return False
    caller = state.steps.get(planned.caller)
    return caller is not None and caller.status in {"skipped", "not-applicable"}


def _not_applicable(planned: PlannedStep) -> Draft:
    return Draft(
        kind="step.not_applicable", data={"step": planned.key, "reason": Reason.CONDITION_FALSE.value}
    )


def _hold(state: Incident, planned: PlannedStep, held: dict[str, list[str]]) -> list[Draft]:
    why = sorted(cause for causes in held.values() for cause in causes)
    if state.gates_held.get(planned.key) == why:
        return []
    return [Draft(kind="gate.held", data={"step": planned.key, "gates": sorted(held), "why": why})]


def _open_for(state: Incident, planned: PlannedStep) -> list[Draft]:
    """A step that is ready opens its phase, early or again."""
    phase = state.phases.get(planned.step.phase)
    if phase is not None and phase.status == "open":
        return []
    kind = "phase.opened" if phase is None or not phase.times else "phase.reopened"
    return [Draft(kind=kind, data={"phase": planned.step.phase, "step": planned.key})]


def _make_ready(state: Incident, planned: PlannedStep, world: World) -> list[Draft]:
    step = planned.step
    known = state.steps.get(planned.key)
    drafts = []
    if known is not None and known.status == "held":
        drafts.append(Draft(kind="gate.passed", data={"step": planned.key, "gates": known.held}))
    limit = iso(world.now + step.within) if step.within else None
    if known is not None and known.limit_at is not None:
        limit = iso(known.limit_at)  # set when it was ready before; a limit does not move
    data: dict[str, Any] = {"step": planned.key, "phase": step.phase, "kind": step.kind}
    if limit:
        data["limit_at"] = limit
    if step.kind in {"action", "notice"}:
        data["machine"] = True
    if known is not None and known.look_first:
        data["look_first"] = True
    drafts.append(Draft(kind="step.ready", data=data))
    if step.kind == "call":
        drafts.append(Draft(kind="step.started", data={"step": planned.key, "attempt": 1}))
    elif step.kind != "action":
        drafts += _tell(state, planned, world)
    return drafts


def _tell(state: Incident, planned: PlannedStep, world: World) -> list[Draft]:
    """A decision is paged; another step is paged if a route says so, and told to its owner otherwise."""
    subject = f"step:{planned.key}"
    if planned.step.kind == "decision":
        return ask(world, state, "decision", subject)
    if choose_route(world, "step-ready", state, planned.step.phase) is not None:
        return ask(world, state, "step-ready", subject)
    people = level_recipients(world, state, ("owner",), (), subject)
    if not people and planned.step.owner:
        people = level_recipients(world, state, (planned.step.owner,), (), subject)
    return [
        Draft(
            kind="message.requested",
            data={"template": "notice.step_ready", "subject": subject, "recipients": people},
        )
    ]


# -- phases -------------------------------------------------------------------------------------------------


def _phases(state: Incident, world: World) -> Iterator[Draft]:
    if "communication" not in state.phases and _has_steps(state, world, "communication"):
        yield Draft(kind="phase.opened", data={"phase": "communication"})
        return
    for name in (*PHASES, "communication"):
        draft = _phase(state, world, name)
        if draft is not None:
            yield draft
            return


def _has_steps(state: Incident, world: World, phase: str) -> bool:
    return any(planned.step.phase == phase for planned in world.steps(state).values())


def _phase(state: Incident, world: World, name: str) -> Draft | None:
    known = state.phases.get(name)
    if not phases_before_ended(state, name):
        return None
    if known is None or known.status == "waiting":
        if name == "communication":
            return None
        return Draft(kind="phase.opened", data={"phase": name})
    if known.status == "open" and not owed(state, world, name):
        return Draft(kind="phase.ended", data={"phase": name})
    return None


_RULES: Mapping[str, Callable[[Incident, World], Iterable[Draft]]] = {
    "called-out": _called_out,
    "confirmations": _confirmations,
    "approvals": approvals,
    "quorums": quorums,
    "spent": spent,
    "steps": _all_steps,
    "phases": _phases,
    "matter": matter_facts,
    "parties": stopped_parties,
    "clocks": clock_facts,
}
"""In the order in which they are asked; `models.moving` knows them by name."""
