"""`respond`: the flow of an incident. Looks what a machine can do now, phase by phase, and ends.

It is started when a phase opens or ends or a machine's step becomes ready, and may be started at any time:
what it does is claimed in the record first, so two that overlap do not do a thing twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from flows.analysis import analysis
from flows.artifacts import publish_clocks, publish_phases
from flows.communication import communication
from flows.containment import containment
from flows.engine import Ended, Runnable, completed, flow, with_tags
from flows.eradication import eradication
from flows.lessons import lessons
from flows.phase import ROUNDS, has_machine_work, tags_of, waiting
from flows.place import Place, here
from flows.preservation import preservation
from flows.pulse import beating
from flows.recovery import recovery
from flows.triage import triage
from flows.wanted import mark_served, served
from models.lease import Life
from models.state import Incident
from models.world import World

PhaseFlow = Runnable[[str, str, int], Ended]
PHASE_FLOWS: Mapping[str, PhaseFlow] = MappingProxyType(
    {
        "triage": triage,
        "preservation": preservation,
        "analysis": analysis,
        "containment": containment,
        "eradication": eradication,
        "recovery": recovery,
        "lessons": lessons,
        "communication": communication,
    }
)


_MACHINE = ("action", "notice")


@flow(name="respond", run_name="{incident}")
async def respond(incident: str, node: str, epoch: int) -> Ended:
    """Do what a machine can do for the incident now, and return with what is awaited.

    `node` and `epoch` say on whose behalf steps are claimed. Raises NotFound if there is no such incident,
    RecordError if the record cannot be read or written.
    """
    place = here()
    async with beating(place, place.incident_of(incident), Life(node=node, epoch=epoch)):
        return await _respond(place, incident, node, epoch)


async def _respond(place: Place, handle: str, node: str, epoch: int) -> Ended:
    incident = place.incident_of(handle)
    with place.house.record.read() as tx:
        looked = dict.fromkeys(PHASE_FLOWS, served(tx, incident))
    with with_tags(*tags_of(place, place.desk.incident(incident))):
        for _ in range(ROUNDS):
            state = place.desk.incident(incident)
            names = due_phases(place, state, place.desk.world(state), looked)
            if not names:
                break
            seen = state.seq
            for name in PHASE_FLOWS:
                if name in names:
                    await PHASE_FLOWS[name](handle, node, epoch)
                    looked[name] = place.desk.incident(incident).seq
                else:
                    looked[name] = seen
    state = place.desk.incident(incident)
    world = place.desk.world(state)
    # Only what this run has looked at: work that came up since still wants a run of its own.
    if not due_phases(place, state, world, looked):
        with place.house.record.begin() as tx:
            mark_served(tx, incident, state.wanted)
    await publish_phases(place, state)
    await publish_clocks(place, state, world)
    return completed(*_ended(state, world, place.lang))


def due_phases(place: Place, state: Incident, world: World, looked: Mapping[str, int]) -> frozenset[str]:
    """The phases that have machine work, and those that ended since fact `looked[phase]` without any.

    A phase in which people do everything is shown once, when it has ended; the table beside the incident's
    own run shows all phases at every run.
    """
    with place.house.record.read() as tx:
        facts = tx.facts(state.stream, min(looked.values()))
    machines = {
        planned.step.phase for planned in world.steps(state).values() if planned.step.kind in _MACHINE
    }
    turned = {
        fact.data["phase"]
        for fact in facts
        if fact.kind == "phase.ended" and fact.seq > looked.get(fact.data["phase"], fact.seq)
    }
    turned -= machines
    working = {name for name in PHASE_FLOWS if has_machine_work(place, state, world, name)}
    return frozenset(turned | working)


def _ended(state: Incident, world: World, lang: str) -> tuple[str, str]:
    if state.status not in {"open", "resolved"}:
        return "IncidentClosed", state.status
    if state.restriction.on:
        return "Restricted", ""
    return waiting(state, world, list(world.steps(state).values()), lang)
