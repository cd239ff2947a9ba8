"""How facts change an exercise. Bounded: a script has at most so many lines, and what was said is dropped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from models.clock import iso
from models.exercise import (
    SAID_KEPT,
    Delivered,
    Exercise,
    Line,
    Observation,
    Participant,
    Rated,
    Said,
    Timing,
)
from models.fact import Fact


def _prepared(state: Exercise, fact: Fact) -> None:
    data = fact.data
    state.drill, state.scenario = data["drill"], data["scenario"]
    state.version, state.digest = data["version"], data["digest"]
    state.seed = data["seed"]
    state.startex = datetime.fromisoformat(data["startex"])
    state.lines = {one["id"]: msgspec.convert(one, Line) for one in data["lines"]}
    state.leaps = [(at, by) for at, by in data["leaps"]]
    state.duration_ms = data["duration_ms"]
    state.endings = list(data["endings"])
    state.staff[fact.for_ or fact.actor] = "facilitator"


def _staffed(state: Exercise, fact: Fact) -> None:
    person, role = fact.data["person"], fact.data.get("role")
    if role is None:
        state.staff.pop(person, None)
    else:
        state.staff[person] = role


def _enrolled(state: Exercise, fact: Fact) -> None:
    data = fact.data
    known = state.participants.get(data["person"])
    state.participants[data["person"]] = Participant(
        person=data["person"],
        roles=list(data["roles"]),
        organisation=data.get("organisation", ""),
        enrolled_at=fact.at,
        confirmed=known.confirmed if known is not None else [],
        absent=known.absent if known is not None else None,
    )


def _confirmed(state: Exercise, fact: Fact) -> None:
    person, channel = fact.data["person"], fact.data["channel"]
    known = state.participants.get(person)
    channels = known.confirmed if known is not None else state.staff_confirmed.setdefault(person, [])
    if channel not in channels:
        channels.append(channel)
    if (mark := fact.data.get("mark")) is not None:
        state.marks.setdefault(person, {})[channel] = mark


def _absent(state: Exercise, fact: Fact) -> None:
    state.participants[fact.data["person"]].absent = fact.data["why"]


def _returned(state: Exercise, fact: Fact) -> None:
    state.participants[fact.data["person"]].absent = None


def _timing(state: Exercise, fact: Fact) -> None:
    data = fact.data
    state.timing = Timing(
        played_ms=data["played_ms"],
        wall=datetime.fromisoformat(data["wall"]),
        speed=data["speed"],
        running=data["running"],
    )


def _started(state: Exercise, fact: Fact) -> None:
    state.status = "running"
    _timing(state, fact)


def _settled(state: Exercise, fact: Fact) -> None:
    """An inject came in, or did not."""
    data = fact.data
    state.injects[data["inject"]] = Delivered(
        id=data["inject"],
        how=data["how"],
        at=fact.at,
        played_ms=data["played_ms"],
        by=fact.for_ or fact.actor,
    )


def _put(state: Exercise, fact: Fact) -> None:
    line = msgspec.convert(fact.data["line"], Line)
    state.added[line.id] = fact.data["inject"]
    state.lines[line.id] = line


def _said(state: Exercise, fact: Fact) -> None:
    data = fact.data
    state.said[fact.seq] = Said(party=data["party"], to=list(data["to"]), text=data["text"], at=fact.at)
    if len(state.said) > SAID_KEPT:
        del state.said[next(iter(state.said))]


def _told(state: Exercise, fact: Fact) -> None:
    state.told[fact.data["told"]] = iso(fact.at)


def _observed(state: Exercise, fact: Fact) -> None:
    data = fact.data
    state.observations[data["id"]] = Observation(
        id=data["id"],
        seq=fact.seq,
        at=fact.at,
        by=fact.for_ or fact.actor,
        objective=data.get("objective"),
        kind=data["kind"],
    )


def _rated(state: Exercise, fact: Fact) -> None:
    data = fact.data
    state.ratings[data["objective"]] = Rated(
        objective=data["objective"],
        rating=data["rating"],
        proposed=data.get("proposed"),
        by=fact.for_ or fact.actor,
        observation=data["observation"],
        at=fact.at,
    )


def _hot_wash(state: Exercise, fact: Fact) -> None:
    state.hot_wash.append(fact.seq)


def _answered(state: Exercise, fact: Fact) -> None:
    state.answers[fact.for_ or fact.actor] = dict(fact.data["answers"])


def _ended(state: Exercise, fact: Fact) -> None:
    state.status = "aborted" if fact.kind == "exercise.aborted" else "ended"
    state.ended_at, state.ended_why = fact.at, fact.data.get("reason", "")
    if state.timing is not None:
        _timing(state, fact)


def _signed_off(state: Exercise, fact: Fact) -> None:
    state.signed_off_by, state.signed_off_at = fact.for_ or fact.actor, fact.at
    if "wall" in fact.data:
        state.signed_off_wall = datetime.fromisoformat(fact.data["wall"])


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "exercise.prepared": _prepared,
    "exercise.staffed": _staffed,
    "participant.enrolled": _enrolled,
    "participant.confirmed": _confirmed,
    "participant.absent": _absent,
    "participant.returned": _returned,
    "exercise.started": _started,
    "timing.set": _timing,
    "inject.delivered": _settled,
    "inject.skipped": _settled,
    "inject.put": _put,
    "exercise.said": _said,
    "leap.told": _told,
    "outcome.told": _told,
    "ending.reached": _told,
    "observation.written": _observed,
    "objective.rated": _rated,
    "hotwash.said": _hot_wash,
    "questions.answered": _answered,
    "exercise.ended": _ended,
    "exercise.aborted": _ended,
    "exercise.signed_off": _signed_off,
}
