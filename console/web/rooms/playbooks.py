"""Playbooks for reading: all of them, one phase by phase, one as a graph, and who has read which version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from console.views import differences as changes
from console.views import graph_svg
from console.views import readers as readers_view
from console.views.leaflet import Leaflet, leaflet
from console.views.sheet import Line, Section
from console.web.asking import Ask, must_look
from console.web.frame import Page, Part
from console.web.rooms.common import programme, sees_programme, times, title_of, today
from models.errors import NotFound
from models.frozen import FrozenPlaybook, thaw_plan
from models.plan import Plan
from models.playbook import Playbook
from models.state import Reading
from playbooks.catalogue import GuidelineItem
from playbooks.library import parts

LOOK = "look-house"
MAX_CHANGES = 150
"""Lines of differences that are shown; whoever reads the rest reads the playbook."""


def frozen(ask: Ask) -> FrozenPlaybook:
    """Today's version of the playbook that is asked for. Raises NotFound if there is none."""
    found = ask.house.desk.library.get(ask.subject)
    if found is None:
        raise NotFound(f"there is no playbook {ask.subject}")
    return found


def stale(playbook: Playbook, ask: Ask) -> bool:
    """Whether its review is overdue."""
    return playbook.reviewed + playbook.review_every <= today(ask)


# -- all of them --------------------------------------------------------------------------------------------


def _list_head(ask: Ask) -> dict[str, Any]:
    must_look(ask, LOOK)
    return {}


def _list(ask: Ask) -> dict[str, Any]:
    institution = ask.house.institution
    called = parts(institution.playbooks.entries)
    known = sees_programme(ask)
    state = programme(ask) if known else None
    rows = [_row(name, ask) for name in institution.playbooks.entries]
    if state is not None:
        naming = ask.naming(state)
        for row in rows:
            found = readers_view.look(ask.house.desk.library[row["id"]], state, naming)
            people = {one.person for one in found.readers}
            row["read"], row["asked"] = len(people) - len(found.missing), len(people)
            row["mine"] = (
                None if ask.visitor.person not in people else ask.visitor.person not in found.missing
            )
    rows.sort(key=lambda row: (row["priority"], row["id"]))
    return {
        "whole": [row for row in rows if row["id"] not in called],
        "called": [row for row in rows if row["id"] in called],
        "broken": [str(defect) for defect in institution.playbooks.left_out],
        "known": known,
    }


def _row(name: str, ask: Ask) -> dict[str, Any]:
    made = ask.house.desk.library[name]
    playbook = made.plan.playbook
    steps = [planned.step for planned in made.plan.steps.values()]
    return {
        "id": name,
        "title": playbook.title.lang(ask.lang),
        "summary": playbook.summary.lang(ask.lang) if playbook.summary else "",
        "priority": playbook.priority,
        "steps": len(steps),
        "decisions": sum(step.kind == "decision" for step in steps),
        "version": made.version,
        "reviewed": playbook.reviewed.isoformat(),
        "stale": stale(playbook, ask),
        "origin": ask.house.institution.origins[name],
    }


# -- one ----------------------------------------------------------------------------------------------------


def _head(ask: Ask) -> dict[str, Any]:
    must_look(ask, LOOK)
    found = frozen(ask)
    return {"heading": found.plan.playbook.title.lang(ask.lang), "version": found.version}


def _leaflet(ask: Ask) -> tuple[FrozenPlaybook, Leaflet]:
    found = frozen(ask)
    origin = ask.house.institution.origins[found.name]
    return found, leaflet(found.plan, origin, ask.house.desk.directory, ask.texts)


def _about(ask: Ask) -> dict[str, Any]:
    found, made = _leaflet(ask)
    called_by = [
        (name, other.title.lang(ask.lang))
        for name, other in ask.house.institution.playbooks.items()
        if any(step.call == found.name for step in other.steps)
    ]
    return {
        "leaflet": made,
        "stale": stale(found.plan.playbook, ask),
        "covers": found.plan.playbook.covers,
        "called_by": called_by,
    }


def _steps(ask: Ask) -> dict[str, Any]:
    found, made = _leaflet(ask)
    return {
        "leaflet": made,
        "numbers": {card.key: number for number, card in enumerate(made.cards, start=1)},
        "calls": _calls(found.plan),
        "catalogue": ask.house.institution.catalogue,
        "say": ask.texts,
    }


def _calls(plan: Plan) -> Mapping[str, str]:
    """Key without the playbook's own name -> the playbook that the step calls."""
    return {
        key.split("/", 1)[1]: planned.step.call for key, planned in plan.steps.items() if planned.step.call
    }


def _cover(ask: Ask) -> dict[str, Any]:
    """Which items of the guideline by which step."""
    found, catalogue = frozen(ask), ask.house.institution.catalogue
    by: dict[str, list[tuple[str, str]]] = {name: [] for name in found.plan.playbook.covers}
    for key, planned in found.plan.steps.items():
        for name in planned.step.guideline:
            by.setdefault(name, []).append((key.split("/", 1)[1], planned.step.title.lang(ask.lang)))
    rows = [_item(name, catalogue.get(name), steps, ask) for name, steps in sorted(by.items())]
    return {"rows": rows, "whole": frozenset(found.plan.playbook.covers)}


def _item(name: str, item: GuidelineItem | None, steps: list[tuple[str, str]], ask: Ask) -> dict[str, Any]:
    return {
        "id": name,
        "summary": item.summary.lang(ask.lang) if item is not None else "",
        "origin": item.origin if item is not None else "",
        "confidence": item.confidence if item is not None else "",
        "steps": steps,
    }


# -- who has read it ----------------------------------------------------------------------------------------


def _mine(ask: Ask) -> dict[str, Any]:
    """What stands between the visitor and today's version."""
    found, person = frozen(ask), ask.visitor.person
    reading = programme(ask).readings.get(found.name) if sees_programme(ask) else None
    receipt = reading.readers.get(person) if reading is not None and person else None
    same = receipt is not None and receipt.digest == found.document.digest
    shown: list[Section | Line] = []
    if receipt is not None and not same:
        shown = list(_changes(found, receipt.digest, ask))
    return {
        "person": person,
        "id": found.name,
        "version": found.version,
        "read": receipt is not None and receipt.version == found.version,
        "at": times(ask).at(receipt.at) if receipt is not None else "",
        "read_version": receipt.version if receipt is not None else "",
        "changed": receipt is not None and not same,
        "changes": shown,
        "due": times(ask).at(reading.due) if _asked(reading, ask) and reading and reading.due else "",
    }


def _asked(reading: Reading | None, ask: Ask) -> bool:
    """Whether the visitor has one of the roles that have been asked to read it."""
    person = ask.house.desk.directory.person(ask.visitor.person or "")
    return reading is not None and person is not None and bool(set(reading.roles) & set(person.roles))


def _changes(found: FrozenPlaybook, digest: str, ask: Ask) -> Iterator[Section | Line]:
    """What has changed since the words that the visitor has read, as the record keeps them."""
    with ask.house.record.read() as tx:
        body = tx.document(digest)
    if body is None:
        return
    left = MAX_CHANGES
    for one in changes.sections(changes.differences(thaw_plan(body), found.plan, ask.lang), ask.texts):
        if isinstance(one, Line):
            yield one
            continue
        if left > 0:
            yield Section(title=one.title, parts=one.parts[:left])
        left -= len(one.parts)
    if left < 0:
        yield Line(text=f"… +{-left}", style="dim")


def _readers(ask: Ask) -> dict[str, Any]:
    if not sees_programme(ask):
        return {"rows": [], "found": None}
    state = programme(ask)
    found = readers_view.look(frozen(ask), state, ask.naming(state))
    rows: dict[str, list[tuple[str, bool, str]]] = {}
    for one in found.readers:
        said = one.receipt.version if one.receipt is not None else ""
        rows.setdefault(one.role, []).append((title_of(one.person, ask), one.read, said))
    people = {one.person for one in found.readers}
    return {
        "rows": [(title_of(role, ask), people) for role, people in rows.items()],
        "empty": [title_of(role, ask) for role in found.empty_roles],
        "count": len(people) - len(found.missing),
        "asked": len(people),
        "found": found,
        "due": times(ask).at(found.reading.due) if found.reading and found.reading.due else "",
        "late": found.reading is not None and found.reading.overdue,
    }


# -- as a graph ---------------------------------------------------------------------------------------------


def _graph(ask: Ask) -> dict[str, Any]:
    found, made = _leaflet(ask)
    drawn = graph_svg.within(made, found.plan, ask.texts, f"/playbooks/{found.name}")
    return {"svg": Markup(drawn)}  # noqa: S704 - written from a tree: whatever was put into it is text


PAGES = (
    Page(
        name="playbooks",
        path="/playbooks",
        parts=(Part(name="list", values=_list, personal=True),),
        head=_list_head,
    ),
    Page(
        name="playbook",
        path="/playbooks/{subject}",
        parts=(
            Part(name="about", values=_about),
            Part(name="mine", values=_mine, personal=True),
            Part(name="steps", values=_steps),
            Part(name="cover", values=_cover),
            Part(name="readers", values=_readers),
        ),
        head=_head,
        nav="playbooks",
    ),
    Page(
        name="playbook-graph",
        path="/playbooks/{subject}/graph",
        parts=(Part(name="graph", values=_graph),),
        head=_head,
        nav="playbooks",
    ),
)
