"""The control's desk of a drill: the time of the story, the script, who takes part, what was seen.

What is on it is for those who run and watch the exercise. A player who reads it has nothing left to decide,
so each part asks by itself who looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from console.views.drill import Told, order, reached, when
from console.views.sheet import printable
from console.web.asking import Ask
from console.web.exercising import clock, facts, looked_at, people, told
from console.web.frame import Page, Part
from models.enrolled import away, confirmed, unconfirmed
from models.exercise import FASTEST, Exercise, Line, Observation
from models.scenario import Inject, Scenario
from playbooks.scenarios import whole

SPEEDS = (1, 2, 5, 10, 30, 60)
MAX_TEXT = 500
MAX_SAID = 4_000
SHOWN_OBSERVATIONS = 100
STAFF_ROLES = ("facilitator", "controller", "evaluator", "scribe", "observer")
OFF: Mapping[str, Any] = {"on": False}
"""What a part says to whoever it is not for."""


def _head(ask: Ask) -> dict[str, Any]:
    return {"standing": looked_at(ask)}


def _sheet(ask: Ask) -> Told | None:
    """What is shown to the staff; None for all others."""
    sheet = told(ask)
    return sheet if sheet is not None and sheet.staff else None


# -- the time -----------------------------------------------------------------------------------------------


def _clock(ask: Ask) -> Mapping[str, Any]:
    sheet = _sheet(ask)
    if sheet is None:
        return OFF
    state, naming = sheet.exercise, sheet.naming
    upcoming = _upcoming(sheet)
    first = sheet.inject(upcoming[0].id) if upcoming is not None else None
    given = len(state.injects)
    return {
        "on": True,
        "drill": state.drill,
        "scenario": sheet.scenario.called.lang(ask.lang) if sheet.scenario is not None else state.scenario,
        "status": state.status,
        "said": naming.texts.word("playing.status", state.status),
        "clock": clock(sheet),
        "startex": naming.times.at(state.startex),
        "given": given,
        "left": len(state.lines) - given,
        "next": first.title.lang(ask.lang) if first is not None else "",
        "next_at": upcoming[1] if upcoming is not None else None,
        "next_in": naming.times.left(upcoming[1], sheet.now) if upcoming and _plays(sheet) else "",
        "why": naming.text(state.ended_why, MAX_TEXT),
        "signed": naming.who(state.signed_off_by) if state.signed_off_by is not None else "",
        "unconfirmed": [naming.who(one) for one in _silent(sheet)],
        "speeds": SPEEDS,
        "fastest": FASTEST,
    }


def _silent(sheet: Told) -> list[str]:
    """Who has an address that is not confirmed: nothing is sent there, and nobody acts for them."""
    return [one for one in unconfirmed(sheet.exercise, sheet.marks) if not away(sheet.exercise, one)]


# -- the script ---------------------------------------------------------------------------------------------


def _script(ask: Ask) -> Mapping[str, Any]:
    sheet = _sheet(ask)
    if sheet is None:
        return OFF
    upcoming = _upcoming(sheet)
    found = [one for name in order(sheet) if (one := sheet.inject(name)) is not None]
    scenario = sheet.scenario
    return {
        "on": True,
        "status": sheet.exercise.status,
        "next": upcoming[0].id if upcoming is not None else "",
        "injects": [_inject(one, sheet) for one in found],
        "roles": _roles(scenario, sheet),
        "parties": _parties(scenario, sheet),
        "objectives": _objectives(scenario, ask.lang),
        "max_text": MAX_SAID,
    }


def _inject(one: Inject, sheet: Told) -> dict[str, Any]:
    played, hour, state, style = when(one, sheet)
    naming, lang = sheet.naming, sheet.naming.lang
    texts = naming.texts
    due = sheet.script.due_at(one.id)
    return {
        "id": one.id,
        "title": one.title.lang(lang),
        "to": texts("words.comma").join(naming.who(role) for role in one.to),
        "played": played,
        "hour": hour,
        "state": state,
        "style": style,
        "waiting": one.id not in sheet.exercise.injects,
        "due": due,
        "in": naming.times.left(due, sheet.now) if due is not None and _plays(sheet) else "",
        "changed": one.id in sheet.exercise.added and not _is_new(one.id, sheet),
        "added": _is_new(one.id, sheet),
        "kind": texts.word("scenarios.kind", one.kind),
        "channel": texts.word("scenarios.channel", one.channel),
        "party": sheet.party(one.from_),
        "condition": one.when or "",
        "text": one.text.lang(lang),
        "lines": printable(one.text.lang(lang), MAX_SAID),
        "expected": list(_expected(one, sheet)),
        "note": one.note.lang(lang) if one.note is not None else "",
    }


def _is_new(name: str, sheet: Told) -> bool:
    """Whether control has added it to the script, rather than changed what was there."""
    return name in sheet.exercise.added and (sheet.scenario is None or sheet.scenario.inject(name) is None)


def _upcoming(sheet: Told) -> tuple[Line, datetime] | None:
    """What comes in next; after the end nothing does."""
    return None if sheet.exercise.status in {"ended", "aborted"} else sheet.script.upcoming()


def _plays(sheet: Told) -> bool:
    """Whether it is being played: before that, what is left until an inject is the time of nobody."""
    return sheet.exercise.status == "running"


def _expected(one: Inject, sheet: Told) -> Iterator[str]:
    naming = sheet.naming
    for each in one.expect:
        role = naming.who(each.role) if each.role else "–"
        within = naming.times.span(each.within) if each.within is not None else "–"
        text = each.text.lang(naming.lang)
        yield naming.texts("playing.inject.expected", role=role, text=text, within=within)


def _roles(scenario: Scenario | None, sheet: Told) -> list[tuple[str, str]]:
    """The roles of the story by their titles."""
    if scenario is None:
        return []
    return [(one.role, sheet.naming.who(one.role)) for one in scenario.roles]


def _parties(scenario: Scenario | None, sheet: Told) -> list[tuple[str, str]]:
    """Whom control may speak as: itself, somebody outside, a role that nobody plays."""
    played = {role for one in sheet.exercise.participants.values() for role in one.roles}
    outside = [(one.id, one.name.lang(sheet.naming.lang)) for one in scenario.outside] if scenario else []
    unplayed = [one for one in _roles(scenario, sheet) if one[0] not in played]
    return [("control", sheet.party("control")), *outside, *unplayed]


def _objectives(scenario: Scenario | None, lang: str) -> list[tuple[str, str]]:
    return [(one.id, one.text.lang(lang)) for one in whole(scenario).objectives] if scenario else []


# -- people -------------------------------------------------------------------------------------------------


def _people(ask: Ask) -> Mapping[str, Any]:
    sheet = _sheet(ask)
    if sheet is None:
        return OFF
    state, naming = sheet.exercise, sheet.naming
    comma = naming.texts("words.comma").join
    played = {role for one in state.participants.values() if one.absent is None for role in one.roles}
    return {
        "on": True,
        "status": state.status,
        "players": [_player(name, sheet) for name in state.participants],
        "staff": [
            (naming.who(name), naming.texts.word("playing.staff", role), reached(name, sheet))
            for name, role in state.staff.items()
        ],
        "understudies": comma(title for role, title in _roles(sheet.scenario, sheet) if role not in played),
        "silent": bool(_silent(sheet)),
        "people": people(ask),
        "roles": [(one.id, one.title.lang(ask.lang)) for one in ask.house.institution.organisation.roles],
        "staff_roles": [(one, naming.texts.word("playing.staff", one)) for one in STAFF_ROLES],
    }


def _player(name: str, sheet: Told) -> dict[str, Any]:
    one, naming = sheet.exercise.participants[name], sheet.naming
    return {
        "id": name,
        "name": naming.who(name),
        "roles": naming.texts("words.comma").join(naming.who(role) for role in one.roles),
        "reached": reached(name, sheet),
        "sure": bool(confirmed(sheet.exercise, name, sheet.marks)),
        "absent": naming.text(one.absent, 200) if one.absent is not None else None,
    }


# -- what was seen ------------------------------------------------------------------------------------------


def _seen(ask: Ask) -> Mapping[str, Any]:
    sheet = _sheet(ask)
    if sheet is None:
        return OFF
    state = sheet.exercise
    return {
        "on": True,
        "status": state.status,
        "observations": observations(ask, sheet)[-SHOWN_OBSERVATIONS:][::-1],
        "cut": max(0, len(state.observations) - SHOWN_OBSERVATIONS),
        "objectives": _objectives(sheet.scenario, ask.lang),
        "max_text": MAX_SAID,
    }


def observations(ask: Ask, sheet: Told) -> list[dict[str, Any]]:
    """What was seen, in its order, each with its text and the rating that rests on it."""
    state = sheet.exercise
    texts = {one.seq: str(one.data["text"]) for one in facts(ask) if one.kind == "observation.written"}
    return [_observation(one, texts.get(one.seq), state, sheet) for one in state.observations.values()]


def _observation(one: Observation, text: str | None, state: Exercise, sheet: Told) -> dict[str, Any]:
    naming = sheet.naming
    return {
        "id": one.id,
        "at": naming.times.at(one.at),
        "by": naming.who(one.by),
        "kind": one.kind,
        "text": naming.text(text, MAX_SAID),
        "objective": one.objective or "",
        "rated": [each.rating for each in state.ratings.values() if each.observation == one.id],
    }


def _part(name: str, values: Any) -> Part:
    return Part(name=name, values=values, personal=True)


PAGES = (
    Page(
        name="drill",
        path="/drill",
        parts=(
            _part("clock", _clock),
            _part("script", _script),
            _part("people", _people),
            _part("seen", _seen),
        ),
        head=_head,
        live=("exercise", "programme"),
    ),
)
