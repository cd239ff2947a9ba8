"""What the flows of all phases share: run what is ready, draft what is to be sent, say what is awaited.

A phase flow is short and can be run at any time: everything it does it reads from the record first, so that
one that is started twice, or by hand, does only what the record allows. It never waits for a person.
"""

from __future__ import annotations

import asyncio

from flows.artifacts import publish_steps, role_of
from flows.drafts import draft_notice, draft_review, needs_draft, review_is_due
from flows.engine import Ended, completed, engine_state, task, with_tags
from flows.place import Place, here
from flows.work import RETRY_SECONDS, WORKING, Attempt, Run, is_ready
from models.errors import ActionFailed
from models.plan import PlannedStep
from models.state import Incident
from models.world import World

ROUNDS = 8
"""How often a run looks again for what its own work has made ready."""
AT_ONCE = 4
MAX_NAMED = 5
_PEOPLE = frozenset({"ready", "started"})
_STUCK = frozenset({"failed", "unknown"})


def steps_of(state: Incident, world: World, phase: str) -> list[PlannedStep]:
    """The steps of one phase, in the playbook's order."""
    return [planned for planned in world.steps(state).values() if planned.step.phase == phase]


def has_machine_work(place: Place, state: Incident, world: World, phase: str) -> bool:
    """Whether a machine can do something in this phase now."""
    if state.status not in WORKING:
        return False
    if phase == "lessons" and review_is_due(place, state):
        return True
    return any(
        is_ready(state, planned) or needs_draft(state, planned) for planned in steps_of(state, world, phase)
    )


async def play(phase: str, incident: str, node: str, epoch: int) -> Ended:
    """Do the machine's part of a phase and return what it waits for. Raises NotFound, RecordError."""
    place = here()
    incident = place.incident_of(incident)
    run = Run(place=place, incident=incident, node=node, epoch=epoch, engine=engine_name())
    with with_tags(*tags_of(place, place.desk.incident(incident)), f"phase:{phase}"):
        for _ in range(ROUNDS):
            state = place.desk.incident(incident)
            world = place.desk.world(state)
            if not has_machine_work(place, state, world, phase):
                break
            await _turn(run, state, world, phase)
        state = place.desk.incident(incident)
        world = place.desk.world(state)
        await publish_steps(place, state, world, phase)
    if state.restriction.on:
        return completed("Restricted", "")
    return completed(*awaited(state, world, phase, place.lang))


def engine_name() -> str:
    """What the record says about who ran a step."""
    return "prefect" if engine_state() == "prefect" else "none"


def tags_of(place: Place, state: Incident) -> tuple[str, ...]:
    """Tags for the runs of an incident: ids only, and of a restricted one nothing that says what it is."""
    if state.restriction.on:
        return (place.handle_of(state.stream),)
    found = (state.stream, *(f"playbook:{name}" for name in state.playbooks))
    return (*found, "drill") if state.drill else found


async def _turn(run: Run, state: Incident, world: World, phase: str) -> None:
    """One turn: what is ready at this moment."""
    place, steps = run.place, steps_of(state, world, phase)
    await _run_all([Attempt(run, each, state.steps[each.key]) for each in steps if is_ready(state, each)])
    for planned in steps:
        if needs_draft(place.desk.incident(run.incident), planned):
            await draft_notice(place, run.incident, planned)
    if phase == "lessons" and review_is_due(place, place.desk.incident(run.incident)):
        await draft_review(place, run.incident)


async def _run_all(attempts: list[Attempt]) -> None:
    """Run attempts beside each other; all come to their end before an error of one goes up."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(attempt: Attempt) -> None:
        async with room:
            await run_step(attempt)

    outcomes = await asyncio.gather(*(one(each) for each in attempts), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def run_step(attempt: Attempt) -> None:
    """One attempt as a task of its own. A step that failed is in the record and does not fail the flow."""

    async def step(key: str) -> str:
        return await attempt()

    known = attempt.run.place.desk.incident(attempt.run.incident)
    # Its key names the playbook, and so what the matter is.
    shown = "step" if known.restriction.on else attempt.key
    running = task(
        name=shown,
        timeout_seconds=attempt.limit_seconds,
        retries=attempt.planned.step.retries,
        retry_delay_seconds=RETRY_SECONDS,
    )(step)
    try:
        await running(shown)
    except (ActionFailed, TimeoutError):
        if attempt.ended is None:
            # The engine ended it before it could say anything: its lease decides what follows.
            raise


# -- what is awaited ----------------------------------------------------------------------------------------


def awaited(state: Incident, world: World, phase: str, lang: str) -> tuple[str, str]:
    """The name of a phase flow's final state and its message: steps by key, people by their role."""
    known = state.phases.get(phase)
    if known is not None and known.status == "ended":
        return "PhaseEnded", phase
    return waiting(state, world, steps_of(state, world, phase), lang)


def waiting(state: Incident, world: World, steps: list[PlannedStep], lang: str) -> tuple[str, str]:
    """What these steps wait for, the weightiest first: a decision, a gate, people, nothing."""
    decisions, gates, people = [], [], []
    for planned in steps:
        known = state.steps.get(planned.key)
        status = known.status if known else "waiting"
        if status == "held":
            gates.append(f"{planned.key}: {', '.join(known.held) if known else ''}")
        elif planned.step.kind == "decision" and status in _PEOPLE:
            decisions.append(f"{planned.key}: {role_of(world, planned, lang)}")
        elif status in _STUCK:
            people.append(f"{planned.key}: {status}")
        elif planned.step.kind in {"manual", "notice"} and status in _PEOPLE:
            people.append(f"{planned.key}: {role_of(world, planned, lang)}")
    for name, found in (("AwaitingDecision", decisions), ("GateHeld", gates), ("AwaitingPeople", people)):
        if found:
            return name, _listed(found)
    return "MachineWorkDone", ""


def _listed(found: list[str]) -> str:
    more = len(found) - MAX_NAMED
    return "; ".join(found[:MAX_NAMED]) + (f"; +{more}" if more > 0 else "")
