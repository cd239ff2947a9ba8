"""Severity criteria and the catalogue of obligations: what was agreed beforehand, to be read at any hour."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from console.views.terms import written
from console.web.asking import Ask, must_look
from console.web.frame import Page, Part
from console.web.rooms.common import today
from models.obligation import Obligation, Stage, in_force
from playbooks.obligations import editions, merged

LOOK = "look-house"


# -- severity -----------------------------------------------------------------------------------------------


def _severity_head(ask: Ask) -> dict[str, Any]:
    must_look(ask, LOOK, third_parties=True)
    return {}


def _criteria(ask: Ask) -> dict[str, Any]:
    policy, lang = ask.house.desk.premises.policy.severity, ask.lang
    names = {one.id: one.title.lang(lang) for one in policy.severities}
    return {
        "severities": [(one, names[one.id]) for one in reversed(policy.severities)],
        "urgencies": [one.title.lang(lang) for one in policy.urgencies],
        "rows": [
            (
                impact.title.lang(lang),
                [_cell(policy.matrix[impact.id][one.id], names) for one in policy.urgencies],
            )
            for impact in reversed(policy.impacts)
        ],
        "default": names[policy.default],
        "proposals": [(one.because.lang(lang), names[one.severity], one.when) for one in policy.proposals],
    }


def _cell(severity: str, names: dict[str, str]) -> tuple[int, str]:
    """How grave it is from 0 to 4, for the shade beside the word."""
    rank = list(names).index(severity)
    return round(4 * rank / max(1, len(names) - 1)), names[severity]


# -- obligations --------------------------------------------------------------------------------------------


def _obligations_head(ask: Ask) -> dict[str, Any]:
    must_look(ask, LOOK)
    return {}


def _owed(ask: Ask) -> dict[str, Any]:
    premises = ask.house.desk.premises
    day = today(ask)
    origins = merged(ask.house.institution.owed).origins
    every = editions(premises.policy.obligations)
    current = {one.id: one for one in in_force(premises.policy.obligations, day)}
    return {
        "today": day.isoformat(),
        "now": [_obligation(current[name], ask, origins) for name in every if name in current],
        "later": list(_others(every.values(), current, day, ask)),
        "unchecked": sum(one.confidence == "G" for one in current.values()),
    }


def _obligation(one: Obligation, ask: Ask, origins: dict[tuple[str, str], str]) -> dict[str, Any]:
    lang = ask.lang
    return {
        "id": one.id,
        "title": one.title.lang(lang),
        "recipient": one.recipient.lang(lang),
        "party": one.party if one.party and ask.house.desk.directory.third_party(one.party) else "",
        "owner": _role(one.owner, ask),
        "law": one.law.lang(lang),
        "source": one.source,
        "confidence": one.confidence,
        "edition": one.edition.isoformat(),
        "until": one.effective_to.isoformat() if one.effective_to else "",
        "origin": origins.get((one.id, one.edition.isoformat()), "own"),
        "applies_if": one.applies_if,
        "stages": [_stage(stage, one, ask) for stage in one.stages],
    }


def _role(name: str, ask: Ask) -> str:
    role = ask.house.desk.directory.role(name)
    return role.title.lang(ask.lang) if role is not None else name


def _stage(stage: Stage, owed: Obligation, ask: Ask) -> dict[str, Any]:
    return {
        "id": stage.id,
        "title": stage.title.lang(ask.lang),
        "deadline": written(stage.deadline, owed, ask.texts),
        "applies_if": stage.applies_if or "",
        "form": stage.form or owed.form or "",
    }


def _others(
    every: Iterable[list[Obligation]], current: dict[str, Obligation], day: date, ask: Ask
) -> Iterable[dict[str, Any]]:
    """Editions that were in force once, or are going to be."""
    for one in (edition for many in every for edition in many):
        if current.get(one.id) is not one:
            yield {
                "id": one.id,
                "title": one.title.lang(ask.lang),
                "edition": one.edition.isoformat(),
                "since": one.effective_from.isoformat(),
                "until": one.effective_to.isoformat() if one.effective_to else "",
                "coming": one.effective_from > day,
            }


PAGES = (
    Page(
        name="severity",
        path="/severity",
        parts=(Part(name="criteria", values=_criteria),),
        head=_severity_head,
        nav="playbooks",
    ),
    Page(
        name="obligations",
        path="/obligations",
        parts=(Part(name="catalogue", values=_owed),),
        head=_obligations_head,
        nav="playbooks",
    ),
)
