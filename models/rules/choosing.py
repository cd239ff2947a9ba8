"""What the fact of a decision holds besides the choice: who was entitled, and what the choice sets."""

from __future__ import annotations

from typing import Any

from models.plan import PlannedStep
from models.state import Incident
from models.world import World

MAX_ENTITLED = 50


def settings(planned: PlannedStep, choice: str) -> dict[str, Any]:
    """What a choice sets, and whether it goes against what the playbook recommends."""
    found: dict[str, Any] = {}
    if choice != planned.step.recommend and planned.step.recommend:
        found["against_recommendation"] = planned.step.recommend
    sets = {f"{planned.scope}.{name}": choice for name in planned.step.sets}
    return found | ({"sets": sets} if sets else {})


def entitled_now(state: Incident, planned: PlannedStep, world: World) -> list[dict[str, str]]:
    """Who could have made the decision at this time, and as whom: folding never reads the directory."""
    found = []
    for role in planned.step.deciders:
        for holder in world.holders(state, role)[:MAX_ENTITLED]:
            one = {"person": holder.person.id, "role": role}
            found.append(one | ({"deputy_for": holder.deputy_for} if holder.deputy_for else {}))
    return found
