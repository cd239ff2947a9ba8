"""A drill on a screen: where it stands, its script, who takes part, its questionnaire.

What is still to come is shown to the staff alone: a player who reads it has nothing left to decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from console.texts import Texts
from console.views.naming import Naming
from console.views.sheet import Line, Row, Section, Style, Table, harmless
from models.clock import iso
from models.desk import Desk
from models.drillfile import DrillFile
from models.enrolled import confirmed
from models.exercise import EXERCISE, Exercise
from models.exercise_script import Script
from models.marks import SCRIPT, Marks
from models.scenario import Inject, Question, Scenario

COMING = 5
MAX_TEXT = 4_000
_STYLES: Mapping[str, Style] = {"running": "good", "aborted": "bad", "ended": "strong", "prepared": "warn"}


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is shown of an exercise, and to whom: `staff` sees what is still to come.

    `now` is the hour of the story, aware, UTC; `marks` are those of the addresses of today.
    """

    exercise: Exercise
    scenario: Scenario | None
    naming: Naming
    now: datetime
    staff: bool
    marks: Marks

    @property
    def texts(self) -> Texts:
        """The words."""
        return self.naming.texts

    @property
    def script(self) -> Script:
        """The times of the script."""
        return Script(self.scenario, self.exercise)

    def inject(self, name: str) -> Inject | None:
        """An inject as it stands, with its texts."""
        return whole_inject(name, self.exercise, self.scenario, self.naming.beside)

    def party(self, name: str) -> str:
        """Who speaks or is spoken to: a party of the scenario, a role, or control."""
        outside = self.scenario.outside if self.scenario is not None else ()
        found = next((one.name.lang(self.naming.lang) for one in outside if one.id == name), None)
        return found or (self.texts("playing.control") if name == "control" else self.naming.who(name))


def whole_inject(
    name: str, exercise: Exercise, scenario: Scenario | None, beside: Mapping[str, str | None]
) -> Inject | None:
    """The inject as it stands now, what control has changed with its texts; None if there is none."""
    changed = exercise.added.get(name)
    if changed is not None:
        return Inject.model_validate(_resolved(changed, beside))
    return scenario.inject(name) if scenario is not None else None


def _resolved(value: Any, beside: Mapping[str, str | None]) -> Any:
    """Texts for their digests; what was disposed of is a dash."""
    if isinstance(value, dict):
        return {key: _resolved(one, beside) for key, one in value.items()}
    if isinstance(value, list):
        return [_resolved(one, beside) for one in value]
    return (beside[value] or "-") if isinstance(value, str) and value in beside else value


def first_line(desk: Desk, drill: DrillFile | None, texts: Texts) -> Line:
    """That it is a drill, which one, and what hour of the story it is."""
    state = desk.state(EXERCISE)
    naming = Naming(texts=texts, world=desk.world(state), state=state, beside={})
    name = drill.drill if drill is not None else ""
    clock = clock_words(state, naming, desk.clock.now()) if isinstance(state, Exercise) else ""
    return Line(text=texts("playing.line", drill=name, clock=clock), style="warn")


def clock_words(exercise: Exercise, naming: Naming, now: datetime) -> str:
    """The hour of the story with what has been played, as every answer of a drill begins."""
    texts = naming.texts
    played = naming.times.span(Script(None, exercise).played_of(now))
    timing = exercise.timing
    state = texts.word("playing.status", exercise.status)
    if exercise.status == "running" and timing is not None:
        state = texts("playing.goes", speed=timing.speed) if timing.running else texts("playing.stands")
    return texts("playing.clock", at=naming.times.at(now), played=played, state=state)


# -- where it stands --------------------------------------------------------------------------------------


def status(told: Told) -> list[Section | Line]:
    """Where the exercise stands."""
    state, texts = told.exercise, told.texts
    title = told.scenario.called.lang(told.naming.lang) if told.scenario is not None else ""
    if told.staff:
        title = f"{state.scenario} {state.version}"
    parts: list[Line | Table] = [
        Line(text=texts.word("playing.status", state.status), style=_STYLES[state.status]),
        Line(text=clock_words(state, told.naming, told.now)),
        Line(text=texts("playing.taking_part", n=len(state.participants), absent=_absent(state))),
    ]
    if state.ended_why:
        parts.append(Line(text=texts("playing.why", why=told.naming.text(state.ended_why, 500))))
    if state.signed_off_by is not None:
        at = told.naming.times.at(state.signed_off_at)
        parts.append(Line(text=texts("playing.signed", who=told.naming.who(state.signed_off_by), at=at)))
    sections: list[Section | Line] = [
        Section(
            title=texts("playing.title", drill=state.drill, title=harmless(title, 200)), parts=tuple(parts)
        )
    ]
    if told.staff:
        sections.append(_coming(told))
    return sections


def _absent(state: Exercise) -> int:
    return sum(one.absent is not None for one in state.participants.values())


def _coming(told: Told) -> Section:
    given, texts = told.exercise.injects, told.texts
    waiting = [told.inject(line.id) for line in told.script.waiting()]
    rows = tuple(_row(one, told) for one in waiting[:COMING] if one is not None)
    title = texts("playing.coming", left=len(waiting), given=len(given))
    if not rows:
        return Section(title=title, parts=(Line(text=texts("playing.nothing_to_come"), style="dim"),))
    return Section(title=title, parts=(Table(headers=_headers(told), rows=rows, whole=(0, 1, 2)),))


def status_json(told: Told) -> dict[str, Any]:
    """Where the exercise stands, for programs; seconds of play."""
    state = told.exercise
    found = {
        "drill": state.drill,
        "status": state.status,
        "story_at": iso(told.now),
        "played_seconds": int(told.script.played_of(told.now).total_seconds()),
        "speed": state.timing.speed if state.timing is not None else None,
        "running": state.timing.running if state.timing is not None else False,
        "participants": len(state.participants),
        "absent": _absent(state),
        "ended_why": told.naming.text(state.ended_why) if state.ended_why else "",
        "signed_off_by": state.signed_off_by,
    }
    if told.staff:
        waiting = [told.inject(line.id) for line in told.script.waiting()]
        found |= {"scenario": state.scenario, "version": state.version}
        found |= {"coming": [inject_json(one, told) for one in waiting[:COMING] if one is not None]}
    return found


# -- the script -------------------------------------------------------------------------------------------


def injects(told: Told) -> Section:
    """The whole script: what has come in, then what is to come, each in its order."""
    many = [one for name in order(told) if (one := told.inject(name)) is not None]
    rows = tuple(_row(one, told) for one in many)
    title = told.texts("playing.script", n=len(rows), given=len(told.exercise.injects))
    return Section(title=title, parts=(Table(headers=_headers(told), rows=rows, whole=(0, 1, 2)),))


def injects_json(told: Told) -> list[dict[str, Any]]:
    """The whole script for programs."""
    return [inject_json(one, told) for name in order(told) if (one := told.inject(name)) is not None]


def order(told: Told) -> list[str]:
    """The script: what has come in, then what is to come, each in its order."""
    return [*told.exercise.injects, *(line.id for line in told.script.waiting())]


def _headers(told: Told) -> tuple[str, ...]:
    return tuple(
        told.texts(f"playing.column.{name}") for name in ("id", "played", "hour", "state", "to", "title")
    )


def _row(one: Inject, told: Told) -> Row:
    played, hour, state, style = when(one, told)
    to = told.texts("words.comma").join(told.naming.who(role) for role in one.to)
    title = harmless(one.title.lang(told.naming.lang), 200)
    return Row(cells=(one.id, played, hour, state, to, title), style=style)


def when(one: Inject, told: Told) -> tuple[str, str, str, Style]:
    """Time of play, hour of the story and state, in words."""
    times, texts = told.naming.times, told.texts
    given = told.exercise.injects.get(one.id)
    if given is not None:
        played = times.span(timedelta(milliseconds=given.played_ms))
        style: Style = "good" if given.how in {"planned", "fired"} else "dim"
        return played, times.at(given.at), texts.word("playing.how", given.how), style
    planned, due = told.script.planned(one.id), told.script.due_at(one.id)
    state = texts("playing.if_it_holds") if one.when is not None else texts("playing.to_come")
    if planned is None:
        return "–", "–", state, "plain"
    return times.span(planned), times.at(due), state, "plain"


def inject(one: Inject, told: Told) -> Section:
    """One inject whole."""
    texts, lang = told.texts, told.naming.lang
    played, hour, state, style = when(one, told)
    kind = texts.word("scenarios.kind", one.kind)
    channel = texts.word("scenarios.channel", one.channel)
    parts = [
        Line(text=texts("playing.inject.when", played=played, at=hour, state=state), style=style),
        Line(text=texts("playing.inject.by", kind=kind, channel=channel, party=told.party(one.from_))),
        Line(text=texts("playing.inject.to", to=texts("words.comma").join(map(told.naming.who, one.to)))),
        *([Line(text=texts("playing.inject.condition", when=one.when))] if one.when else []),
        *_paragraphs(one.text.lang(lang)),
        *(_expected(one, told)),
        *(
            [Line(text=texts("playing.inject.note", note=harmless(one.note.lang(lang), 1_000)))]
            if one.note
            else []
        ),
    ]
    return Section(title=f"{harmless(one.title.lang(lang), 200)} [{one.id}]", parts=tuple(parts))


def _paragraphs(text: str) -> Iterator[Line]:
    for line in text[:MAX_TEXT].splitlines():
        yield Line(text=harmless(line, MAX_TEXT), indent=1, style="strong")


def _expected(one: Inject, told: Told) -> Iterator[Line]:
    for each in one.expect:
        role = told.naming.who(each.role) if each.role else "–"
        within = told.naming.times.span(each.within) if each.within is not None else "–"
        text = harmless(each.text.lang(told.naming.lang), 500)
        yield Line(text=told.texts("playing.inject.expected", role=role, text=text, within=within))


def inject_json(one: Inject, told: Told) -> dict[str, Any]:
    """One inject for programs, as a scenario writes it, with what has become of it."""
    given, due = told.exercise.injects.get(one.id), told.script.due_at(one.id)
    planned = told.script.planned(one.id)
    return {
        "id": one.id,
        "how": given.how if given is not None else None,
        "by": given.by if given is not None else None,
        "at": iso(given.at) if given is not None else None,
        "due_at": iso(due) if due is not None else None,
        "planned_seconds": int(planned.total_seconds()) if planned is not None else None,
        "changed": one.id in told.exercise.added,
        "inject": one.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


# -- people -----------------------------------------------------------------------------------------------


def participants(told: Told) -> list[Section | Line]:
    """Who plays, and who runs and watches it."""
    texts, state = told.texts, told.exercise
    names = ("person", "roles", "organisation", "reached", "there")
    headers = tuple(texts(f"playing.column.{name}") for name in names)
    rows = tuple(_participant(name, told) for name in state.participants)
    title = texts("playing.participants", n=len(rows))
    nobody = (Line(text=texts("playing.nobody"), style="warn"),)
    staff = tuple(
        Row(cells=(told.naming.who(name), texts.word("playing.staff", role), reached(name, told)))
        for name, role in state.staff.items()
    )
    own = tuple(texts(f"playing.column.{name}") for name in ("person", "staff", "reached"))
    return [
        Section(title=title, parts=(Table(headers=headers, rows=rows),) if rows else nobody),
        Section(title=texts("playing.run_by"), parts=(Table(headers=own, rows=staff),)),
    ]


def _participant(name: str, told: Told) -> Row:
    one = told.exercise.participants[name]
    roles = told.texts("words.comma").join(told.naming.who(role) for role in one.roles)
    there = told.texts("playing.there")
    if one.absent is not None:
        there = told.texts("playing.not_there", why=told.naming.text(one.absent, 200))
    sure = bool(confirmed(told.exercise, name, told.marks))
    style: Style = "dim" if one.absent is not None else "plain" if sure else "bad"
    cells = (told.naming.who(name), roles, one.organisation or "–", reached(name, told), there)
    return Row(cells=cells, style=style)


def reached(name: str, told: Told) -> str:
    """The person's channels, each with whether its address is confirmed; never the address itself."""
    sure = confirmed(told.exercise, name, told.marks)
    ways = [one for one in told.marks.get(name, {}) if one != SCRIPT]
    if not ways:
        return told.texts("playing.nowhere")
    said = (
        told.texts("playing.confirmed" if one in sure else "playing.unconfirmed", channel=one) for one in ways
    )
    return told.texts("words.comma").join(said)


def participants_json(told: Told) -> dict[str, Any]:
    """Who takes part, for programs; addresses are in no answer."""
    state = told.exercise
    return {
        "participants": [
            {
                "person": name,
                "roles": one.roles,
                "organisation": one.organisation,
                "absent": told.naming.text(one.absent) if one.absent is not None else None,
                **_ways_json(name, told),
            }
            for name, one in state.participants.items()
        ],
        "staff": [
            {"person": name, "role": role, **_ways_json(name, told)} for name, role in state.staff.items()
        ],
    }


def _ways_json(name: str, told: Told) -> dict[str, Any]:
    sure = confirmed(told.exercise, name, told.marks)
    ways = [one for one in told.marks.get(name, {}) if one != SCRIPT]
    return {"confirmed": list(sure), "unconfirmed": [one for one in ways if one not in sure]}


# -- the questionnaire ------------------------------------------------------------------------------------


def questions(asked: tuple[Question, ...], said: Mapping[str, str], naming: Naming) -> Section:
    """The questions, with what this person has answered."""
    texts = naming.texts
    headers = tuple(texts(f"playing.column.{name}") for name in ("id", "question", "kind", "answer"))
    rows = tuple(
        Row(
            cells=(
                one.id,
                harmless(one.text.lang(texts.lang), 500),
                texts.word("scenarios.answer", one.kind),
                naming.text(said[one.id], 300) if said.get(one.id) else "–",
            )
        )
        for one in asked
    )
    return Section(title=texts("playing.questions"), parts=(Table(headers=headers, rows=rows, whole=(0,)),))


def questions_json(
    asked: tuple[Question, ...], said: Mapping[str, str], naming: Naming
) -> list[dict[str, Any]]:
    """The questions for programs."""
    return [
        {
            "id": one.id,
            "kind": one.kind,
            "text": {"ja": one.text.ja, "en": one.text.en},
            "answer": naming.text(said[one.id]) if said.get(one.id) else None,
        }
        for one in asked
    ]
