"""Pages in words: who was reached, who is next and when, who has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from console.views import answers
from console.views.naming import Naming
from console.views.sheet import Line, Style
from models.page import due_at, escalation_due
from models.reason import Reason
from models.routing import level_recipients, route_of
from models.state import Page


@dataclass(frozen=True, kw_only=True)
class Next:
    """What an open page does next if nobody acknowledges: when, and whom it reaches."""

    at: datetime
    people: str
    last: bool


def next_of(page: Page, naming: Naming) -> Next:
    """The next level of an open page, or its last resort."""
    route = route_of(naming.world, naming.state, page)
    level = page.level + 1
    last = level >= len(page.within)
    to = () if route is None else route.exhausted.to if last else route.levels[level].to
    found = level_recipients(naming.world, naming.state, to, (), page.subject)
    people = naming.texts("words.comma").join(naming.who(one["person"]) for one in found)
    at = due_at(page, min(level, len(page.within)))
    if last and at <= naming.now:
        at = escalation_due(page, naming.now).until or naming.now
    return Next(at=at, people=people or naming.texts("words.nobody"), last=last)


def reached(page: Page, naming: Naming) -> str:
    """Everybody reached so far, by level: the number people count from is one."""
    parts = []
    for level, people in page.reached.items():
        name = naming.texts("words.last_resort") if level == "last" else str(int(level) + 1)
        parts.append(naming.texts("words.level", level=name, people=naming.people(people)))
    return naming.texts("words.then").join(parts)


def lines(page: Page, naming: Naming) -> list[Line]:
    """One page: what it is about, who has it or who is asked, and what follows."""
    texts = naming.texts
    event = texts.word("words.event", page.event)
    head = texts("words.page.head", id=page.id, subject=naming.subject(page.subject), event=event)
    if page.state == "acknowledged":
        return [Line(text=head), *_who_has_it(page, naming)]
    style: Style = "bad" if page.round else "warn"
    asked = texts("words.page.reached", people=reached(page, naming), asked=naming.at(page.asked_at))
    found = [Line(text=head, style=style), Line(text=asked, indent=1)]
    if page.delegated_to and page.delegated_until:
        until = naming.at(page.delegated_until)
        found.append(
            Line(
                text=texts("words.page.delegated", who=answers.delegate(page, naming), until=until), indent=1
            )
        )
    found += answers.refusals(page, naming)
    if page.failed:
        found.append(Line(text=texts("words.page.failed", n=len(page.failed)), style="bad", indent=1))
    if not page.sent:
        found.append(Line(text=texts("words.page.unsent"), style="bad", indent=1))
    following = next_of(page, naming)
    key = "words.page.next_last" if following.last else "words.page.next"
    found.append(Line(text=texts(key, at=naming.at(following.at), people=following.people), indent=1))
    found.append(Line(text=texts("words.page.take", incident=naming.state.stream, id=page.id), indent=1))
    return found


def _who_has_it(page: Page, naming: Naming) -> list[Line]:
    texts = naming.texts
    found = [
        Line(
            text=texts("words.page.has_it", who=naming.who(page.acked_by), at=naming.at(page.acked_at)),
            style="good",
            indent=1,
        )
    ]
    rule = escalation_due(page, naming.now)
    if rule.reason is Reason.NOT_RENEWED and rule.until is not None:
        found.append(Line(text=texts("words.page.lapses", at=naming.at(rule.until)), style="warn", indent=1))
    return found
