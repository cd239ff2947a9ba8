"""The guideline's items: by what each is met, and when that was last exercised or used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from console.exercising import look_at_coverage
from console.views.coverage import LEVELS, Cover, Coverage, Covered, counts, coverage
from console.web.asking import Ask, must_look
from console.web.frame import Page, Part
from console.web.rooms.common import programme, sees_programme, zone
from models.exercised import SERVED_BY, Standing
from models.gate import GATES
from playbooks.library import parts

LOOK = "look-house"
SHOWN = ("all", "gaps", "never")


def _head(ask: Ask) -> dict[str, Any]:
    must_look(ask, LOOK)
    return {}


def _items(ask: Ask) -> dict[str, Any]:
    """All items, or those that nothing covers, or those that were never exercised."""
    found, known = covered(ask), sees_programme(ask)
    standings = exercised(ask) if known else {}
    shown = ask.query.get("show", "all")
    shown = shown if shown in SHOWN and (known or shown != "never") else "all"
    wanted = [one for one in found.items if _wanted(one, standings, shown)]
    return {
        "levels": [
            (
                level,
                [_item(one, standings.get(one.item.id), ask) for one in wanted if one.item.level == level],
            )
            for level in LEVELS
        ],
        "shown": shown,
        "filters": [one for one in SHOWN if known or one != "never"],
        "counts": counts(found),
        "unknown": found.unknown,
        "known": known,
        "total": len(wanted),
    }


def covered(ask: Ask) -> Coverage:
    """Which item is covered by which step of today's playbooks."""
    institution = ask.house.institution
    plans = {name: one.plan for name, one in ask.house.desk.library.items()}
    called = parts(institution.playbooks.entries)
    return coverage(plans, institution.catalogue, institution.origins, called)


def exercised(ask: Ask) -> Mapping[str, Standing]:
    """How each item stands that there is to exercise, by the incidents that the visitor may know of."""
    found = look_at_coverage(ask.house, programme(ask), ask.reader, ask.now, "guideline")
    return {one.name: one for one in found.standings}


def _wanted(one: Covered, standings: Mapping[str, Standing], shown: str) -> bool:
    if shown == "gaps":
        return one.why in {"gap", "gap-in-some"}
    if shown == "never":
        standing = standings.get(one.item.id)
        return standing is not None and standing.last is None
    return True


def _item(one: Covered, standing: Standing | None, ask: Ask) -> dict[str, Any]:
    item, last = one.item, standing.last if standing is not None else None
    return {
        "id": item.id,
        "summary": item.summary.lang(ask.lang),
        "origin": item.origin,
        "confidence": item.confidence,
        "source": item.source,
        "edition": item.edition.isoformat(),
        "why": one.why,
        "missing": [(name, _title(name, ask)) for name in one.missing],
        "by": list(_by(one.by, ask)),
        "gates": [
            ask.texts.word("words.gate", gate.id) for gate in GATES.values() if gate.guideline == item.id
        ],
        "served": SERVED_BY.get(item.id, ()),
        "exercises": standing is not None,
        "last": last.at.astimezone(zone(ask)).date().isoformat() if last is not None else "",
        "how": last.how if last is not None else "",
        "where": last.by if last is not None else "",
        "overdue": standing is not None and standing.overdue,
    }


def _by(many: tuple[Cover, ...], ask: Ask) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Playbook, its title, and its steps with theirs; no step: the playbook as a whole."""
    steps: dict[str, list[tuple[str, str]]] = {}
    for one in many:
        known = {
            step.id: step.title.lang(ask.lang) for step in ask.house.institution.playbooks[one.playbook].steps
        }
        steps.setdefault(one.playbook, [])
        if one.step:
            steps[one.playbook].append((one.step, known[one.step]))
    for name, found in steps.items():
        yield name, _title(name, ask), found


def _title(name: str, ask: Ask) -> str:
    return ask.house.institution.playbooks[name].title.lang(ask.lang)


PAGES = (
    Page(
        name="guideline",
        path="/guideline",
        parts=(Part(name="items", values=_items, personal=True),),
        head=_head,
    ),
)
