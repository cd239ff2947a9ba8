"""What somebody who plays may read of an exercise's record while it runs: nothing that is still to come."""

from __future__ import annotations

from models.exercise import Exercise
from models.exercise_conditions import CAME
from models.fact import Fact

_OF_STAFF = frozenset(
    {
        "exercise.prepared", "inject.skipped", "ending.reached", "observation.written", "objective.rated",
    }
)  # fmt: skip
"""The script, what was left out of it, and what is thought of the players."""


def may_see(exercise: Exercise, fact: Fact, person: str | None) -> bool:
    """Whether a fact of the exercise may be shown to this person; after the end everything may."""
    if exercise.status in {"ended", "aborted"} or (person is not None and person in exercise.staff):
        return True
    if fact.kind == "inject.put":
        came = exercise.injects.get(fact.data["line"]["id"])
        return came is not None and came.how in CAME
    return fact.kind not in _OF_STAFF
