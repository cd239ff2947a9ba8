"""The parts of an incident's overview, but for the timeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from markupsafe import Markup

from console.courses import numbered, of_kinds, sendings
from console.views import course as courses
from console.views import facts as fact_views
from console.views import harm
from console.views import ladder as ladders
from console.views.access import own_sections
from console.views.clocks import Clock, running_pages
from console.views.naming import Naming
from console.views.swimlane import lay_out
from console.views.swimlane_svg import SHAPES, svg
from console.views.waiting import Waiting, waiting
from console.web.asking import Ask
from console.web.doing import anchor
from console.web.frame import Values
from console.web.rendering import page_words, words
from console.web.rooms.matter import Matter, clock_values, needs, past
from models.clock import iso
from models.clocks.services import downtime
from models.fold.matter import at_target
from models.rules.incident import INSTANTS
from models.state import Incident, ServiceState

MAX_WAITING, OPEN_WAITING = 24, 3
"""What is shown at most, and how much of it without unfolding: what breaks next must stay in sight."""
MAX_NEXT, MAX_NEXT_OF_PAGES, MIN_OTHERS = 8, 2, 4
LEAST_COMING = 3
"""What still can be met is among them, however much is broken."""
MAX_SENDINGS = 400
MAX_TABLE = 60
MAX_REASON = 500
WHERE: Mapping[str, str] = {
    "decision": "decisions",
    "approval": "decisions",
    "step": "steps",
    "stuck": "steps",
    "judge": "reports",
    "submit": "reports",
    "severity": "steps",
    "hand-over": "steps",
    "opinion": "steps",
    "message": "communication",
}
"""Where what waits is done: the incident's page of that name."""


# -- what waits for me --------------------------------------------------------------------------------------


def waits(ask: Ask) -> Values:
    """What waits for the visitor, with the forms that answer at once."""
    state = ask.incident(own=ask.is_vendor)
    naming = ask.naming(state)
    person = ask.visitor.person
    found = once(waiting(person, naming)) if person else []
    shown = found[:MAX_WAITING]
    said = _to_confirm(ask, shown, naming)
    return {
        "id": state.stream,
        "who": person,
        "ended": state.status not in {"open", "resolved"},
        "items": [_item(one, said, naming, ask.lang) for one in shown],
        "more": len(found) - len(shown),
        "open": OPEN_WAITING,
        "max_reason": MAX_REASON,
        "vendor": ask.is_vendor,
    }


def once(many: list[Waiting]) -> list[Waiting]:
    """Each matter once: the card of the page about a step leads to the step, which needs none of its own."""
    paged = {one.about for one in many if one.kind in {"page", "work"}}
    return [one for one in many if one.kind not in {"decision", "step"} or one.subject not in paged]


def _item(one: Waiting, said: Mapping[str, str], naming: Naming, lang: str) -> Mapping[str, Any]:
    where, place = _where(one)
    return {
        "kind": one.kind,
        "subject": one.subject,
        "what": one.what,
        "asked": words(lang)["asked"].get(one.event, "") if one.kind in {"page", "work"} else "",
        "by": one.by,
        "text": said.get(one.subject, "") if one.kind == "confirm" else one.text,
        "left": naming.times.left(one.at, naming.now) if one.at else "",
        "iso": iso(one.at) if one.at else "",
        "grave": one.late or (one.at is not None and one.at <= naming.now),
        "where": where,
        "goes": "decision" if where == "decisions" else "step",
        "anchor": place,
        "can_decline": one.can_decline,
    }


def _where(one: Waiting) -> tuple[str, str]:
    """The page of the incident where it is done, and the place there."""
    if one.kind in {"page", "work"}:
        if one.about and one.event == "decision":
            return "decisions", anchor("decision", one.about)
        return ("steps", anchor("step", one.about)) if one.about else ("", "")
    where = WHERE.get(one.kind, "")
    if one.kind == "severity":
        return where, "severity"
    what = {"decisions": "decision", "steps": "step", "communication": "message", "reports": "report"}.get(
        where, ""
    )
    return where, anchor(what, one.subject) if what else ""


def _to_confirm(ask: Ask, shown: list[Waiting], naming: Naming) -> Mapping[str, str]:
    """What was recorded for them, in words."""
    wanted = [int(one.subject) for one in shown if one.kind == "confirm"]
    if not wanted:
        return {}
    found = numbered(ask.house.desk.record, naming.state.stream, wanted)
    return {str(seq): fact_views.sentence(fact, naming) for seq, fact in found.items()}


# -- what breaks next ---------------------------------------------------------------------------------------


def breaks(ask: Ask, found: Matter) -> Values:
    """The next clocks. Of many pages only the first few: they must not hide what is owed to others."""
    pages = [one.id for one in found.moving if one.kind == "page"]
    hidden = frozenset(pages[MAX_NEXT_OF_PAGES:])
    seen = [one for one in found.moving if one.id not in hidden]
    coming = [one for one in seen if not past(one, found.naming)]
    broken = [one for one in seen if past(one, found.naming)]
    shown = foremost(broken, coming, MAX_NEXT)
    beyond = len(running_pages(found.state)) - len(pages)
    waiting_for = [one for one in found.clocks if one.at is None and one.needs][:MAX_NEXT]
    return {
        "clocks": [clock_values(one, found.naming) for one in shown],
        "more": len(found.moving) + beyond - len(shown),
        "unstarted": [{"what": one.what, "needs": needs(one, found.naming)} for one in waiting_for],
    }


def foremost(broken: list[Clock], coming: list[Clock], most: int) -> list[Clock]:
    """The next ones, so many; what is owed to an authority is among them however much comes before it."""
    many = [*broken, *coming]
    reports = [one for one in many if one.kind == "report"][:most]
    room = max(MIN_OTHERS, most - len(reports))
    later = [one for one in coming if one.kind != "report"]
    late = [one for one in broken if one.kind != "report"][: room - min(len(later), LEAST_COMING)]
    kept = {one.id for one in (*reports, *[*late, *later][:room])}
    return [one for one in many if one.id in kept]


# -- the course as a chart ----------------------------------------------------------------------------------


def chart(ask: Ask, found: Matter) -> Values:
    """The swim lanes, and the same as a table."""
    naming, words_ = found.naming, page_words("incident", ask.lang)["chart"]
    facts = of_kinds(ask.house.desk.record, found.state.stream, courses.KINDS, courses.MAX_FACTS)
    made = courses.course(naming, facts, found.clocks, {courses.PAGES: words_["pages"]})
    drawn = svg(
        lay_out(made, naming.times.zone), words_["said"], words_["title"], _desc(found, words_["desc"])
    )
    return {
        "svg": Markup(drawn),  # noqa: S704 - made as a tree: whatever was put into it is text
        "shapes": SHAPES,
        "lanes": [
            {
                "title": lane.title,
                "spans": [
                    {
                        "from": naming.times.at(span.start),
                        "to": naming.times.at(span.end) if span.end else "",
                        "again": span.again,
                    }
                    for span in lane.spans
                ],
            }
            for lane in made.lanes
            if lane.spans
        ],
        "marks": [
            {"at": naming.times.at(mark.at), "kind": mark.kind, "what": mark.what, "seq": mark.seq}
            for mark in sorted(
                (mark for lane in made.lanes for mark in lane.marks), key=lambda one: one.at, reverse=True
            )[:MAX_TABLE]
        ],
    }


def _desc(found: Matter, text: str) -> str:
    naming = found.naming
    following = found.following
    said = f"{following.what} {naming.times.due(following.at)}" if following else naming.texts("words.none")
    return text.format(since=naming.times.at(found.state.declared_at), next=said)


# -- who was reached ----------------------------------------------------------------------------------------


def ladder(ask: Ask, found: Matter) -> Values:
    """The open pages and the latest that somebody has, each with its rungs."""
    naming = found.naming
    pages, more = ladders.shown(found.state)
    record = ask.house.desk.record
    sent = sendings(record, found.state.stream, [page.id for page in pages], MAX_SENDINGS) if pages else []
    times = naming.times
    return {
        "ladders": [ladders.ladder(page, sent, naming) for page in pages],
        "more": more,
        "at": times.at,
        "left": lambda instant: times.left(instant, naming.now),
        "iso": iso,
        "event": lambda name: naming.texts.word("words.event", name),
        "now": naming.now,
    }


# -- what is hurt, and who is there -------------------------------------------------------------------------


def situation(ask: Ask, found: Matter) -> Values:
    """Services, instants, people, what belongs together, and the playbooks that run."""
    state, naming = found.state, found.naming
    return {
        "services": [_service(name, one, found) for name, one in state.services.items()],
        "impact": [line.text for line in harm.impact(state, naming) if line.style != "dim"],
        "instants": list(_instants(state, naming)),
        "people": [(naming.who(role), naming.holders(role)) for role in state.assigned],
        "declared": (naming.who(state.declared_by), naming.times.at(state.declared_at)),
        "links": [
            (other, naming.texts.word("words.relation", relation))
            for other, relation in state.links.items()
            if other not in found.hidden
        ],
        "merged_into": state.merged_into if state.merged_into not in found.hidden else "",
        "playbooks": [(one.name, naming.playbook(one.name), one.version) for one in state.playbooks.values()],
        "impaired": [(what, naming.text(detail, 300)) for what, detail in state.impaired.items()],
    }


def _service(name: str, known: ServiceState, found: Matter) -> Mapping[str, Any]:
    naming, targets = found.naming, known.targets
    clocks = {one.id: one for one in found.clocks}
    rto = clocks.get(f"rto:{name}")
    point = known.loss
    return {
        "id": name,
        "name": naming.service(name),
        "level": naming.level(name, known.level) if known.level else "",
        "goal": naming.level(name, targets.rlo) if targets else "",
        "reached": at_target(known),
        "down": naming.times.span(downtime(known, naming.now)) if known.down_since else "",
        "rto": clock_values(rto, naming) if rto is not None else None,
        "rto_span": naming.times.span(timedelta(seconds=targets.rto)) if targets else "",
        "loss": harm.loss(point, known, naming) if point else "",
        "loss_grave": point is not None and point.status != "within",
        "forecast": naming.times.at(known.forecast.at) if known.forecast and not at_target(known) else "",
        "order": targets.order if targets else 99,
    }


def _instants(state: Incident, naming: Naming) -> Iterator[tuple[str, str]]:
    """Every instant that a rule asks for; one that is missing says so."""
    for name in ("declared", *INSTANTS):
        at = state.instants.get(name)
        yield naming.texts.word("words.instant", name), naming.times.at(at) if at is not None else ""


# -- a third party ------------------------------------------------------------------------------------------


def own(ask: Ask) -> Values | None:
    """Of an incident a third party sees its number and its own steps, and nothing else."""
    person = ask.visitor.person
    if not ask.is_vendor or person is None:
        return None
    state = ask.incident(own=True)
    parts = own_sections([(state, ask.naming(state))], person)
    return {"id": state.stream, "parts": parts}
