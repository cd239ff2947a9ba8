"""Writing the improvement plan of an exercise: by its staff, from STARTEX until it is signed off."""

from __future__ import annotations

from typing import Any

from models.clock import iso
from models.drillfinding import (
    CAPABILITIES,
    MAX_FINDINGS,
    AddFinding,
    DrillFinding,
    DropFinding,
    EditFinding,
)
from models.errors import Refused
from models.exercise import Exercise
from models.fact import Draft
from models.reason import Reason
from models.rules.common import MAX_TITLE, Decided, text, word
from models.rules.exercise_common import WATCHING, must_be, must_may, wrong
from models.world import World

_TEXTS = ("title", "title_en", "cause", "recommendation")
_WORDS = ("capability", "objective", "owner", "playbook", "revision")
MAX_WORD = 64


def add_finding(state: Exercise, command: AddFinding, world: World) -> Decided:
    """A new line of the plan, made of a proposal or written anew."""
    _must_be_writable(state, command, world)
    if len(state.findings) >= MAX_FINDINGS:
        raise wrong("title", f"at most {MAX_FINDINGS} findings in one exercise", len(state.findings) + 1)
    data: dict[str, Any] = {"id": f"F-{len(state.findings) + 1}"} | _data(command, world)
    texts = _texts(command)
    if command.source:
        data["source"] = word(command.source, "source", 200)
        if any(one.source == data["source"] for one in _standing(state)):
            raise Refused(Reason.ALREADY, {"what": command.source})
    return [Draft(kind="drill_finding.added", data=data, texts=texts)]


def edit_finding(state: Exercise, command: EditFinding, world: World) -> Decided:
    """What is said now takes the place of what was said before; the rest stays."""
    _must_be_writable(state, command, world)
    found = _find(state, command.finding)
    data, texts = _data(command, world), _texts(command)
    if not data and not texts:
        raise Refused(Reason.FIELDS_MISSING, {"fields": [*_TEXTS, *_WORDS, "due"]})
    return [Draft(kind="drill_finding.changed", data={"id": found.id} | data, texts=texts)]


def drop_finding(state: Exercise, command: DropFinding, world: World) -> Decided:
    """It stays in the record and goes into no result."""
    _must_be_writable(state, command, world)
    found = _find(state, command.finding)
    texts = {"reason": text(command.reason, "reason")}
    return [Draft(kind="drill_finding.dropped", data={"id": found.id}, texts=texts)]


def _must_be_writable(state: Exercise, command: AddFinding | EditFinding | DropFinding, world: World) -> None:
    must_may(state, command, world, WATCHING)
    must_be(state, "running", "ended", "aborted")
    if state.signed_off_by is not None:
        # What management has taken note of is not changed behind their back; production goes on with it.
        raise wrong("finding", "no change once the report has been signed off", state.signed_off_by)


def _standing(state: Exercise) -> list[DrillFinding]:
    return [one for one in state.findings.values() if not one.dropped]


def _find(state: Exercise, name: str) -> DrillFinding:
    found = next((one for one in _standing(state) if one.id.lower() == name.strip().lower()), None)
    if found is None:
        raise Refused(Reason.NO_SUCH_ITEM, {"item": name, "known": [one.id for one in _standing(state)]})
    return found


def _data(command: AddFinding | EditFinding, world: World) -> dict[str, Any]:
    """Words and day that were given, each looked at."""
    given = {name: getattr(command, name) for name in _WORDS}
    data: dict[str, Any] = {name: word(said, name, MAX_WORD) for name, said in given.items() if said}
    if data.get("capability", CAPABILITIES[0]) not in CAPABILITIES:
        raise wrong("capability", " | ".join(CAPABILITIES), data["capability"])
    known = [one.id for one in world.scenario.objectives] if world.scenario is not None else []
    if known and data.get("objective", known[0]) not in known:
        raise wrong("objective", " | ".join(known), data["objective"])
    if "owner" in data and world.directory.person(data["owner"]) is None:
        raise Refused(Reason.UNKNOWN_PERSON, {"who": data["owner"]})
    if command.due is not None:
        data["due"] = iso(command.due)
    return data


def _texts(command: AddFinding | EditFinding) -> dict[str, str]:
    given = {name: getattr(command, name) for name in _TEXTS}
    limits = {"title": MAX_TITLE, "title_en": MAX_TITLE}
    found = {
        name: text(said, name, limits.get(name, 4_000))
        for name, said in given.items()
        if said is not None and said.strip()
    }
    if isinstance(command, AddFinding) and "title" not in found:
        raise Refused(Reason.EMPTY, {"field": "title"})
    return found
