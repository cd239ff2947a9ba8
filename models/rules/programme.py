"""The register of exercises: planned, held here or elsewhere, cancelled, and known to management."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from models.clock import iso
from models.errors import Refused
from models.fact import Draft
from models.programme import (
    MAX_ENTRIES,
    MAX_FINDINGS,
    MAX_ITEMS,
    MAX_MEASURES,
    MAX_NAMED,
    MAX_PARTICIPANTS,
    ORGANISERS,
    TYPES,
    CancelExercise,
    Entry,
    PlanExercise,
    RecordExercise,
    SignOffExercise,
    Took,
    period,
)
from models.reason import Reason
from models.rules import findings
from models.rules.common import LEEWAY, MAX_TITLE, Decided, text, word
from models.rules.findings import permit
from models.state import Programme
from models.world import World

MAX_WORD = 120
DAY = len("2027-02-17")


def plan(state: Programme, command: PlanExercise, world: World) -> Decided:
    """An exercise is to be held. Findings that it tests again are named, so that nobody forgets them."""
    permit(command, "programme", state, world)
    wrong = [*_kinds(command.type, command.by), *_too_many(state, command)]
    begins, ends, problem = _period(command.when, world)
    wrong += problem
    if ends is not None and ends <= world.now:
        wrong.append(f"when: {command.when} is over; record what was held: hikeshi exercise record")
    wrong += _unknown_playbooks(command.playbooks, world)
    wrong += [f"retests: there is no finding {one}" for one in command.retests if one not in state.findings]
    _nothing(wrong)
    data = {
        "id": number(state),
        "when": command.when,
        "begins_at": iso(begins) if begins else "",
        "ends_at": iso(ends) if ends else "",
        "type": command.type,
        "by": command.by,
        "scenario": _word(command.scenario, "scenario"),
        "playbooks": list(command.playbooks),
        "retests": list(command.retests),
    }
    texts = {"title": text(command.title, "title", MAX_TITLE)} | _optional("organiser", command.organiser)
    return [Draft(kind="programme.planned", data=_filled(data), texts=texts)]


def record(state: Programme, command: RecordExercise, world: World) -> Decided:
    """An exercise was held. What its signed result brings is opened, tested again and signed for with it."""
    permit(command, "programme", state, world)
    planned = None if command.plan is None else _planned(state, command.plan)
    _not_twice(state, command)
    kind, by = _as_planned(command, planned)
    wrong = [*_kinds(kind, by), *_too_many(state, command)]
    if command.imported is None:
        # What a signed result names was so when it was played, whatever the files say today.
        wrong += _unknown_playbooks(command.playbooks, world) + _unknown_routes(command.routes, world)
        wrong += _unknown_people(command.participants, world)
    begun, _, problem = _period(command.on, world, "on", months=False)
    if begun is not None and begun > world.now + LEEWAY:
        problem = [f"on: {command.on} lies ahead; plan it: hikeshi exercise plan"]
    _nothing([*wrong, *problem])
    identity = planned.id if planned is not None else number(state)
    held = Draft(
        kind="programme.held",
        data=_filled(_held(identity, command, planned, (kind, by), begun)),
        texts=_held_texts(command, planned),
    )
    return [
        held,
        *_signed(state, identity, command, world),
        *findings.from_result(state, identity, command, world),
    ]


def _held(
    identity: str,
    command: RecordExercise,
    planned: Entry | None,
    kinds: tuple[str, str],
    begun: datetime | None,
) -> dict[str, Any]:
    imported = msgspec.to_builtins(command.imported) if command.imported is not None else {}
    return {
        "id": identity,
        "on": command.on,
        "held_at": iso(begun) if begun else "",
        "type": kinds[0],
        "by": kinds[1],
        "planned": planned is not None,
        "scenario": _word(command.scenario, "scenario") or (planned.scenario if planned else ""),
        "version": _word(command.version, "version"),
        "playbooks": list(command.playbooks) or (planned.playbooks if planned else []),
        "routes": list(command.routes),
        "guideline": [_word(one, "guideline") for one in command.guideline],
        "participants": [_filled(msgspec.to_builtins(one)) for one in command.participants],
        "measured": [_filled(msgspec.to_builtins(one)) for one in command.measured],
        "outcomes": [_filled(msgspec.to_builtins(one)) for one in command.outcomes],
        "imported": imported,
    }


def _held_texts(command: RecordExercise, planned: Entry | None) -> dict[str, str]:
    texts = _optional("organiser", command.organiser) | _optional("note", command.note)
    if planned is None or command.title.strip():
        texts["title"] = text(command.title, "title", MAX_TITLE)
    return texts


def _as_planned(command: RecordExercise, planned: Entry | None) -> tuple[str, str]:
    """Type and organiser; of a planned exercise, and where nothing was said, as planned."""
    if planned is not None:
        return command.type or planned.type, command.by or planned.by
    return command.type, command.by or "internal"


def _not_twice(state: Programme, command: RecordExercise) -> None:
    """A result is imported once: neither the same bytes nor another result of its drill are a second one."""
    if command.imported is None:
        return
    for one in state.entries.values():
        if one.status != "held":
            continue
        if one.imported is not None and one.imported.digest == command.imported.digest:
            raise Refused(Reason.ALREADY, {"what": f"{one.imported.drill} ({one.id})"})
        if one.imported is not None and one.imported.drill == command.imported.drill:
            raise Refused(Reason.DUPLICATE, {"what": f"{one.imported.drill} ({one.id})"})


def _signed(state: Programme, identity: str, command: RecordExercise, world: World) -> list[Draft]:
    """Who signed the drill's own report and is of management here; nobody on a result's own word."""
    if command.imported is None or command.imported.trust == "named":
        return []
    at = {"at": iso(command.signed_off_at)} if command.signed_off_at is not None else {}
    known = [one for one in command.signed_off if _is_management(state, command, one, world)]
    return [Draft(kind="programme.signed_off", data={"id": identity, "person": one} | at) for one in known]


def _is_management(state: Programme, command: RecordExercise, person: str, world: World) -> bool:
    """Whether they might say here that they know the results."""
    themselves = replace(command, actor=replace(command.actor, person=person), for_=None)
    try:
        permit(themselves, "programme-sign-off", state, world)
    except Refused:
        return False
    return True


def cancel(state: Programme, command: CancelExercise, world: World) -> Decided:
    """What was planned is not held; what was recorded by mistake was not. Why stays in the register."""
    permit(command, "programme", state, world)
    found = state.entries.get(command.id)
    if found is None or found.status == "cancelled":
        known = [one.id for one in state.entries.values() if one.status != "cancelled"]
        raise Refused(Reason.NO_SUCH_ITEM, {"item": command.id, "known": known[-MAX_NAMED:]})
    rests = [one.id for one in state.findings.values() if command.id in findings.exercises_of(one)]
    if rests:
        _nothing([f"id: {', '.join(rests)} came of {command.id}, or was tested by it; it stays"])
    reason = {"reason": text(command.reason, "reason")}
    return [Draft(kind="programme.cancelled", data={"id": found.id}, texts=reason)]


def sign_off(state: Programme, command: SignOffExercise, world: World) -> Decided:
    """Management knows the results: in person, because nobody else can know that for them."""
    permit(command, "programme-sign-off", state, world)
    if command.for_ is not None:
        raise Refused(Reason.IN_PERSON, {"who": command.for_, "step": command.id})
    found = held(state, command.id)
    if command.who in found.signed_off:
        raise Refused(Reason.ALREADY, {"what": found.id})
    return [Draft(kind="programme.signed_off", data={"id": found.id, "person": command.who})]


# -- what they share ----------------------------------------------------------------------------------------


def number(state: Programme) -> str:
    """The number of the next exercise."""
    return f"EX-{state.entries_numbered + 1:04d}"


def held(state: Programme, name: str) -> Entry:
    """The exercise of this number, which was held. Raises Refused."""
    found = state.entries.get(name)
    if found is None or found.status != "held":
        known = [one.id for one in state.entries.values() if one.status == "held"]
        raise Refused(Reason.NO_SUCH_ITEM, {"item": name, "known": known[-MAX_NAMED:]})
    return found


def _planned(state: Programme, name: str) -> Entry:
    found = state.entries.get(name)
    if found is None or found.status != "planned":
        known = [one.id for one in state.entries.values() if one.status == "planned"]
        raise Refused(Reason.NO_SUCH_ITEM, {"item": name, "known": known[-MAX_NAMED:]})
    return found


def _period(
    when: str, world: World, field: str = "when", *, months: bool = True
) -> tuple[datetime | None, datetime | None, list[str]]:
    """Begin, end and what is wrong with a month or day."""
    expected = "a day such as 2027-02-17"
    if months:
        expected = f"a month such as 2027-02, or {expected}"
    try:
        begins, ends = period(when if months else when.ljust(DAY), world.organisation.zone)
    except (ValueError, OverflowError):
        return None, None, [f"{field}: expected {expected}, got {when[:40]!r}"]
    return begins, ends, []


def _kinds(kind: str, by: str) -> list[str]:
    wrong = [] if kind in TYPES else [f"type: expected one of {', '.join(TYPES)}, got {kind[:40]!r}"]
    return wrong + (
        [] if by in ORGANISERS else [f"by: expected one of {', '.join(ORGANISERS)}, got {by[:40]!r}"]
    )


_BOUNDS = {
    "playbooks": MAX_NAMED,
    "routes": MAX_NAMED,
    "guideline": MAX_ITEMS,
    "retests": MAX_NAMED,
    "participants": MAX_PARTICIPANTS,
    "findings": MAX_FINDINGS,
    "retested": MAX_FINDINGS,
    "measured": MAX_MEASURES,
    "outcomes": MAX_MEASURES,
}


def _too_many(state: Programme, command: PlanExercise | RecordExercise) -> list[str]:
    wrong = [
        f"{name}: at most {most}, got {len(getattr(command, name))}"
        for name, most in _BOUNDS.items()
        if len(getattr(command, name, ())) > most
    ]
    if len(state.entries) >= MAX_ENTRIES:
        wrong.append(f"the register holds {MAX_ENTRIES} exercises, and takes no more")
    return wrong


def _unknown_playbooks(names: Iterable[str], world: World) -> list[str]:
    return [f"playbooks: there is no playbook {one!r}" for one in names if one not in world.library]


def _unknown_routes(names: Iterable[str], world: World) -> list[str]:
    known = {one.id for one in world.policy.routes}
    return [f"routes: there is no route {one!r}" for one in names if one not in known]


def _unknown_people(many: Iterable[Took], world: World) -> list[str]:
    """Roles, people and outside parties that the directory does not know."""
    known = world.directory
    wrong = []
    for one in many:
        if known.role(one.role) is None and one.party is None:
            wrong.append(f"participants: there is no role {one.role!r}")
        if one.person is not None and known.person(one.person) is None:
            wrong.append(f"participants: {one.person!r} is not in the directory")
        if one.party is not None and known.third_party(one.party) is None:
            wrong.append(f"participants: there is no outside party {one.party!r}")
    return wrong


def _nothing(wrong: list[str]) -> None:
    """Raises Refused with everything that is wrong, not only the first of it."""
    if wrong:
        raise Refused(Reason.FIELD_WRONG, {"fields": wrong})


def _word(value: str, field: str) -> str:
    return word(value, field, MAX_WORD) if value else ""


def _optional(name: str, value: str) -> dict[str, str]:
    return {name: text(value, name)} if value.strip() else {}


def _filled(data: dict[str, Any]) -> dict[str, Any]:
    """Without what was left empty: a fact says what is known. A `false` is known."""
    return {name: value for name, value in data.items() if value not in ("", None, [], {})}
