"""The pictures that Prefect shows beside a run: the steps of a phase with who has them and until when.

Prefect's pages have no rights per person, so a row holds what the playbook says and what the machine knows:
no title of the incident, no text that somebody wrote, no name of a person. Of an incident that only some may
know of nothing is shown.
"""

from __future__ import annotations

from typing import Any

from flows.drafts import plain
from flows.engine import publish_table
from flows.place import Place
from models.clocks.planned import Planned
from models.clocks.rules import plan
from models.plan import PlannedStep
from models.policy import PHASES
from models.state import Incident, PhaseState, StepState
from models.world import ADDED, World

MAX_ROWS = 200
_HEADS = {
    "ja": ("手順", "内容", "状態", "担当", "期限", "超過"),
    "en": ("step", "what", "status", "owner", "limit", "overdue"),
}
_PHASE_HEADS = {
    "ja": ("フェーズ", "状態", "開始", "終了"),
    "en": ("phase", "status", "opened", "ended"),
}
_CLOCK_HEADS = {
    "ja": ("時計", "状態", "担当", "期限", "見込み"),
    "en": ("clock", "status", "owner", "due", "forecast"),
}
_AS_OF = {"ja": "{at} 時点の時計", "en": "clocks as of {at}"}
_LIMITS = {"ja": "手順と期限", "en": "steps and limits"}


def step_rows(place: Place, state: Incident, world: World, phase: str) -> list[dict[str, Any]]:
    """One row a step of the phase, in the playbook's order."""
    heads = _HEADS[place.lang]
    rows = []
    for planned in world.steps(state).values():
        if planned.step.phase == phase:
            known = state.steps.get(planned.key) or StepState(key=planned.key)
            rows.append(dict(zip(heads, _cells(place, world, planned, known), strict=True)))
    return rows[:MAX_ROWS]


def _cells(place: Place, world: World, planned: PlannedStep, known: StepState) -> tuple[str, ...]:
    # A step added by hand has a title that somebody wrote during the incident.
    title = "" if planned.key.startswith(f"{ADDED}/") else plain(planned.step.title.lang(place.lang))
    return (
        planned.key,
        title,
        known.status,
        role_of(world, planned, place.lang),
        place.local(known.limit_at) if known.limit_at else "",
        "!" if known.overdue else "",
    )


def role_of(world: World, planned: PlannedStep, lang: str) -> str:
    """The title of the role that the playbook names for the step; never a person's name."""
    if planned.step.kind == "action":
        return "hikeshi"
    named = planned.step.acts or ""
    role = world.directory.role(named)
    return role.title.lang(lang) if role else ("" if world.directory.person(named) else named)


async def publish_phases(place: Place, state: Incident) -> bool:
    """Show all phases beside the incident's own run. Whether it was published."""
    if state.restriction.on:
        return False
    heads = _PHASE_HEADS[place.lang]
    rows = []
    for name in (*PHASES, "communication"):
        known = state.phases.get(name) or PhaseState()
        times = [place.local(one) if one else "" for one in (known.opened_at, known.ended_at)]
        rows.append(dict(zip(heads, (name, known.status, *times), strict=True)))
    return await publish_table(f"{state.stream.lower()}-phases", rows, state.stream)


async def publish_steps(place: Place, state: Incident, world: World, phase: str) -> bool:
    """Show the steps of a phase beside its run. Whether it was published."""
    rows = step_rows(place, state, world, phase)
    if not rows or state.restriction.on:
        return False
    return await publish_table(f"{state.stream.lower()}-{phase}", rows, f"{phase}: {_LIMITS[place.lang]}")


def clock_rows(place: Place, state: Incident, world: World) -> list[dict[str, Any]]:
    """One row a clock that runs, is over or waits for an instant; what is due first stands first."""
    heads = _CLOCK_HEADS[place.lang]
    known = plan(state, world)
    planned = sorted(known, key=lambda one: (one.due_at is None, one.due_at or world.now, one.id))
    return [
        dict(zip(heads, _clock_cells(place, state, world, one), strict=True)) for one in planned[:MAX_ROWS]
    ]


def _clock_cells(place: Place, state: Incident, world: World, planned: Planned) -> tuple[str, ...]:
    known = state.clocks.get(planned.id)
    role = world.directory.role(planned.owner)
    if known is None or planned.due_at is None:
        status = f"waiting: {', '.join(planned.needs)}" if planned.needs else "waiting"
    elif known.status != "running":
        status = known.status
    else:
        status = "breached" if known.breached else "forecast to break" if known.breaks else known.status
    return (
        planned.id,
        status,
        role.title.lang(place.lang) if role else "",
        place.local(planned.due_at) if planned.due_at else "",
        place.local(known.forecast) if known and known.forecast else "",
    )


async def publish_clocks(place: Place, state: Incident, world: World) -> bool:
    """Show the clocks as they stood at this run. Whether it was published."""
    rows = clock_rows(place, state, world)
    if not rows or state.restriction.on:
        return False
    as_of = _AS_OF[place.lang].format(at=place.local(world.now))
    return await publish_table(f"{state.stream.lower()}-clocks", rows, as_of)
