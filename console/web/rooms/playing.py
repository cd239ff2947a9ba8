"""What somebody sees who plays: the hour of the story, what has come to them, and the incidents.

Nothing that is still to come, nothing that came to others, nothing that is thought of the players. What came
to somebody is what was sent to them: the same words as in the message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sqlalchemy import select

from console.views.drill import Told
from console.web.asking import Ask
from console.web.exercising import clock, facts, looked_at, told
from console.web.frame import Page, Part
from models.enrolled import enrolled
from models.exercise_sight import may_see
from models.fact import Fact
from models.record import STREAM
from models.state import Incident
from notifiers.briefing_exercise import brief_exercise, brief_inject, brief_leap, brief_outcome, brief_said
from notifiers.briefing_names import Matter
from playbooks.scenarios import whole

SHOWN = 60
"""The latest of what came; the messages have the rest."""
SHOWN_INCIDENTS = 20
MAX_TEXT = 4_000
OFF: Mapping[str, Any] = {"on": False}
_BRIEFS: Mapping[str, Callable[[str, Matter, str], dict[str, Any]]] = {
    "notice.inject": brief_inject,
    "notice.said": brief_said,
    "notice.leap": brief_leap,
    "notice.outcome": brief_outcome,
}


def _head(ask: Ask) -> dict[str, Any]:
    return {"standing": looked_at(ask)}


def _matter(ask: Ask, sheet: Told) -> Matter:
    naming = sheet.naming
    return Matter(state=sheet.exercise, texts=naming.beside, world=naming.world)


# -- where it stands ----------------------------------------------------------------------------------------


def _clock(ask: Ask) -> Mapping[str, Any]:
    sheet = told(ask)
    if sheet is None:
        return OFF
    state = sheet.exercise
    return {
        "on": True,
        "drill": state.drill,
        "title": sheet.scenario.called.lang(ask.lang) if sheet.scenario is not None else "",
        "status": state.status,
        "said": sheet.naming.texts.word("playing.status", state.status),
        "clock": clock(sheet) | {"left": ""},
        "why": sheet.naming.text(state.ended_why, 500),
    }


def _mine(ask: Ask) -> Mapping[str, Any]:
    """Who they are in it, and what they knew at its beginning; of others nothing."""
    sheet = told(ask)
    if sheet is None:
        return OFF
    state, person = sheet.exercise, ask.visitor.person or ""
    known = state.participants.get(person)
    briefing: dict[str, Any] = {}
    if sheet.scenario is not None and state.status != "prepared" and enrolled(state, person):
        briefing = brief_exercise("started", _matter(ask, sheet), ask.lang, person)["extra"]
    return {
        "on": True,
        "plays": known is not None,
        "absent": known is not None and known.absent is not None,
        "roles": [sheet.naming.who(role) for role in known.roles] if known is not None else [],
        "briefing": briefing.get("lines", []),
        "known": briefing.get("others", []),
        "tasks": briefing.get("tried", []),
        "knows": briefing.get("declined", []),
        "status": state.status,
    }


# -- what came ----------------------------------------------------------------------------------------------


def _came(ask: Ask) -> Mapping[str, Any]:
    sheet = told(ask)
    if sheet is None:
        return OFF
    found = list(_to_me(ask, sheet))
    return {"on": True, "came": found[-SHOWN:][::-1], "cut": max(0, len(found) - SHOWN)}


def _to_me(ask: Ask, sheet: Told) -> Iterator[dict[str, Any]]:
    """What was sent to them, in its order, as the messages say it."""
    matter, person, times = _matter(ask, sheet), ask.visitor.person, sheet.naming.times
    for fact in facts(ask):
        brief = _BRIEFS.get(_template(fact))
        if brief is None or not _sent_to(fact, person) or not may_see(sheet.exercise, fact, person):
            continue
        name = str(fact.data["subject"]).partition(":")[2]
        said = brief(name, matter, ask.lang)
        if said:
            extra = said.get("extra", {})
            yield {
                "seq": fact.seq,
                "at": times.at(fact.at),
                "asked": said.get("asked", ""),
                "by": extra.get("by", ""),
                "way": said.get("severity", ""),
                "lines": [line for part in extra.get("lines", []) for line in part.splitlines()],
            }


def _template(fact: Fact) -> str:
    return str(fact.data.get("template", "")) if fact.kind == "message.requested" else ""


def _sent_to(fact: Fact, person: str | None) -> bool:
    return any(one.get("person") == person for one in fact.data.get("recipients", []))


# -- the incidents ------------------------------------------------------------------------------------------


def _incidents(ask: Ask) -> Mapping[str, Any]:
    sheet = told(ask)
    if sheet is None:
        return OFF
    wanted = select(STREAM.c.id).where(STREAM.c.kind == "incident").order_by(STREAM.c.id.desc())
    with ask.house.record.read() as tx:
        names = [row[0] for row in tx.connection.execute(wanted.limit(SHOWN_INCIDENTS))]
    seen = ask.reader.whole(ask.house.desk.readable(names))
    return {"on": True, "incidents": [_incident(ask, one) for one in seen]}


def _incident(ask: Ask, state: Incident) -> dict[str, Any]:
    naming = ask.naming(state)
    return {
        "id": state.stream,
        "title": naming.text(state.title, 200),
        "status": naming.texts.word("words.status", state.status),
        "severity": naming.severity(state.severity) if state.severity else "",
    }


# -- afterwards ---------------------------------------------------------------------------------------------


def _after(ask: Ask) -> Mapping[str, Any]:
    """Once it is over: what was said, and the questionnaire of whoever played."""
    sheet = told(ask)
    if sheet is None or sheet.scenario is None:
        return OFF
    state, person, lang = sheet.exercise, ask.visitor.person or "", ask.lang
    scenario = whole(sheet.scenario)
    said = state.answers.get(person, {})
    return {
        "on": True,
        "status": state.status,
        "plays": person in state.participants,
        "hot_wash": [one.lang(lang) for one in scenario.hot_wash],
        "questions": [
            {
                "id": one.id,
                "text": one.text.lang(lang),
                "kind": one.kind,
                "said": sheet.naming.text(said[one.id], MAX_TEXT) if said.get(one.id) else "",
            }
            for one in scenario.questions
        ],
        "max_text": MAX_TEXT,
    }


def _part(name: str, values: Any) -> Part:
    return Part(name=name, values=values, personal=True)


PAGES = (
    Page(
        name="play",
        path="/drill/play",
        parts=(
            _part("clock", _clock),
            _part("came", _came),
            _part("incidents", _incidents),
            _part("mine", _mine),
            _part("after", _after),
        ),
        head=_head,
        live=("exercise", "*"),
        nav="drill",
    ),
)
