"""What the end waited for: the path back from the last step, and where its time went."""

from __future__ import annotations

from collections.abc import Mapping

from models.policy import PHASES
from models.rehearsal.crew import Crew
from models.rehearsal.plan import Played, Trace

MAX_PATH = 200
LAST_PHASE = "recovery"


def longest(traces: Mapping[str, Trace], crew: Crew, played: Played) -> None:
    """Add up, along the path that took longest, the waiting for people, the work, and what gates held."""
    steps = crew.world.steps(crew.state)
    known = {key: one for key, one in traces.items() if one.done is not None and key in steps}
    counted = PHASES[: PHASES.index(LAST_PHASE) + 1]
    ends = [one for key, one in known.items() if steps[key].step.phase in counted]
    here = max(ends, key=lambda one: (one.done or 0, one.key), default=None)
    for _ in range(MAX_PATH):
        if here is None or here.done is None:
            return
        _add(here, played)
        # What was done last before this one was ready is what it waited for.
        before = [
            one
            for one in known.values()
            if one.done is not None and one.done <= here.ready and one is not here
        ]
        here = max(before, key=lambda one: (one.done or 0, one.key), default=None)


def _add(one: Trace, played: Played) -> None:
    begun = one.begun if one.begun is not None else one.ready
    parts = {"wait": max(begun - one.ready, 0), "work": max((one.done or begun) - begun, 0)}
    for what, seconds in parts.items():
        if seconds:
            name = f"{what} {one.key}"
            played.waits[name] = played.waits.get(name, 0) + seconds
    if one.role and parts["wait"]:
        played.people[one.role] = played.people.get(one.role, 0) + parts["wait"]
