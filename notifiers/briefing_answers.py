"""What people answered besides yes, for the messages: refusals, proposals, opinions, steps on their way."""

from __future__ import annotations

from typing import Any

from models.answers import SentBack
from models.state import Incident, Page, StepState
from notifiers.briefing_names import Matter, at, person_name, text_of
from notifiers.factorwords import factor_value
from notifiers.phrases import PHRASES

MAX_REFUSALS = 5
MAX_OPINIONS = 3


def brief_refusals(page: Page, matter: Matter, lang: str) -> dict[str, Any]:
    """For `extra`: who cannot take the page and why, the latest first, and who stands in for whom."""
    zone = matter.world.organisation.zone
    latest = sorted(page.declined.items(), key=lambda one: one[1].at, reverse=True)
    found: dict[str, Any] = {
        "declined": [
            f"{person_name(matter.world, who, lang)}: {text_of(matter, no.reason)}"
            for who, no in latest[:MAX_REFUSALS]
        ]
    }
    if page.delegated_to is not None and page.delegated_until is not None:
        found["delegated"] = PHRASES[lang]["delegated"].format(
            by=person_name(matter.world, page.delegated_by, lang),
            to=person_name(matter.world, page.delegated_to, lang),
            until=at(page.delegated_until, zone, lang),
        )
    return found


def brief_tried(page: Page, matter: Matter, lang: str) -> list[str]:
    """Everybody who was paged, each once; who said no is marked as such."""
    found: dict[str, None] = {}
    for people in page.reached.values():
        found.update((one.person, None) for one in people)
    found.update((person, None) for person in page.declined)
    said_no = PHRASES[lang]["said-no"]
    names = {person: person_name(matter.world, person, lang) for person in found}
    return [said_no.format(name=names[one]) if one in page.declined else names[one] for one in found]


def brief_step_answers(known: StepState, matter: Matter, lang: str) -> dict[str, Any]:
    """For `extra` of a step: opinions, who handed it over, and who has begun it."""
    world = matter.world
    given = [one for one in known.opinions if one.text is not None]
    found: dict[str, Any] = {
        "opinions": [
            f"{person_name(world, one.person, lang)}: {text_of(matter, one.text)}"
            for one in given[-MAX_OPINIONS:]
        ],
        "begun_by": person_name(world, known.started_by, lang),
    }
    if known.handed is not None:
        found |= {
            "handed_by": person_name(world, known.handed.by, lang),
            "handed_to": person_name(world, known.handed.to, lang),
            "hand_over_reason": text_of(matter, known.handed.reason),
            "refusal": text_of(matter, known.handed.refusal),
        }
        if known.handed.waits:
            where = f"{matter.state.stream} {known.key.rsplit('/', 1)[-1]}"
            found |= {
                "take": f"hikeshi step take {where}",
                "refuse": f"hikeshi step refuse {where} --reason …",
            }
    return found


def sent_back(no: SentBack, matter: Matter, lang: str) -> str:
    """Why a decision is asked for again."""
    who, why = person_name(matter.world, no.by, lang), text_of(matter, no.reason)
    return PHRASES[lang]["sent-back"].format(choice=no.choice, who=who, why=why)


def brief_proposal(key: str, matter: Matter, lang: str) -> dict[str, Any]:
    """What the second person has to know, besides what the step says: the choice, whose it is, and why."""
    state, world = matter.state, matter.world
    known = state.steps.get(key) if isinstance(state, Incident) else None
    planned = world.step(state, key) if isinstance(state, Incident) else None
    if known is None or planned is None or known.proposed is None:
        return {}
    proposed = known.proposed
    titles = {one.id: one.title.lang(lang) for one in planned.step.options}
    factors = proposed.data.get("factors", {})
    return {
        "command": f"hikeshi approve {state.stream} {key.rsplit('/', 1)[-1]}",
        "extra": {
            "proposed": f"{titles.get(proposed.choice, proposed.choice)} ({proposed.choice})",
            "proposed_by": person_name(world, proposed.by, lang),
            "proposal_reason": text_of(matter, proposed.reason),
            "factors": [f"{name}: {_factor(name, value, matter, lang)}" for name, value in factors.items()],
        },
    }


def _factor(name: str, value: Any, matter: Matter, lang: str) -> str:
    return factor_value(name, value, matter.world, lang, lambda digest: text_of(matter, digest))


def brief_opinion(name: str, matter: Matter, lang: str) -> dict[str, Any]:
    """A second opinion, asked for or given; the subject is the step's key, `#` and its number."""
    key, _, number = name.partition("#")
    known = matter.state.steps.get(key) if isinstance(matter.state, Incident) else None
    found = [one for one in known.opinions if str(one.number) == number] if known is not None else []
    if not found:
        return {}
    one, step = found[0], key.rsplit("/", 1)[-1]
    return {
        "command": f"hikeshi opinion give {matter.state.stream} {step} --text …",
        "extra": {
            "by": person_name(matter.world, one.asked_by, lang),
            "owner": person_name(matter.world, one.person, lang),
            "question": text_of(matter, one.question),
            "opinion": text_of(matter, one.text),
        },
    }
