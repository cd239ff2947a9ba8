"""Kinds of fact in groups, as people look for them: what a timeline is filtered by."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from models.fact import Fact
from models.policy import PHASES
from models.state import Incident
from models.world import World

GROUPS: Mapping[str, tuple[str, ...]] = {
    "incident": ("incident.", "alert.", "severity.", "instant.", "playbook.", "improvement.", "review."),
    "notes": ("note.", "confirm"),
    "decisions": ("decision.", "vote.", "approval.", "opinion.", "gate.", "override.", "reopening."),
    "steps": ("step.", "phase.", "notice.", "collection."),
    "pages": ("page.",),
    "deliveries": ("message.", "room."),
    "clocks": ("clock.", "obligation.", "report.", "vendor."),
    "services": ("service.", "recovery_point.", "impact."),
    "evidence": ("evidence.", "source.", "text."),
    "scope": ("scope.", "party.", "sharing."),
    "communication": ("outgoing.", "situation.", "inquiry."),
    "people": ("role.", "shift", "reader.", "glass."),
    "hikeshi": ("machine.",),
}
"""Group: how its kinds begin."""
EVERYTHING = "all"
"""The word for all groups. Without any word, the deliveries are left out: most of a record, and noise."""
NOISE = "deliveries"
ALL_PHASES = (*PHASES, "communication")


def group_of(kind: str) -> str:
    """The group of a kind of fact; empty if it is in none."""
    return next((name for name, heads in GROUPS.items() if kind.startswith(heads)), "")


def phase_of(fact: Fact, state: Incident, world: World) -> str:
    """The phase that a fact is about: its own, or that of its step; empty if it is of none."""
    if "phase" in fact.data:
        return str(fact.data["phase"])
    planned = world.step(state, str(fact.data["step"])) if "step" in fact.data else None
    return planned.step.phase if planned is not None else ""


def wanted(
    group: str, person: str, phase: str, state: Incident, world: World
) -> Callable[[Fact], bool] | None:
    """Whether a fact passes these filters; None if all do. A word that nobody knows is as none."""
    heads = GROUPS.get(group)
    phase = phase if phase in ALL_PHASES else ""
    if group == EVERYTHING and not person and not phase:
        return None
    noise = GROUPS[NOISE] if heads is None and group != EVERYTHING else ()

    def passes(fact: Fact) -> bool:
        if fact.kind.startswith(noise) or (heads is not None and not fact.kind.startswith(heads)):
            return False
        if person and person not in {fact.actor, fact.for_, fact.data.get("by"), fact.data.get("person")}:
            return False
        return not phase or phase_of(fact, state, world) == phase

    return passes
