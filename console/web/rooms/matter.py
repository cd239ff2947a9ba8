"""What all pages of one incident share: who may see them, their tabs, and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from console.reading import redacted
from console.views import clocks as clock_views
from console.views.incident import open_decisions, severity_with_scales
from console.views.naming import Naming
from console.web.asking import Ask
from console.web.doing import anchor
from console.web.frame import Gives, Part, Values
from console.web.pages import GRAVE_FROM_NISC
from console.web.rendering import ours, page_words
from models.awaited import STUCK, proposed_severity
from models.clock import iso
from models.clocks.others import commander
from models.policy import PHASES
from models.state import Incident

TABS = ("", "steps", "decisions", "evidence", "scope", "reports", "communication", "improvements")
"""The pages of an incident, by what follows its number in the address; the first is the overview."""
MAX_STUCK = 3
MOST_PAGES = 4
"""Pages among the clocks: there may be hundreds, and what each does next is dear to find out."""


@dataclass(frozen=True, kw_only=True)
class Matter:
    """An incident as one page speaks of it."""

    state: Incident
    naming: Naming
    clocks: list[clock_views.Clock]
    hidden: frozenset[str]
    """Incidents of which the visitor may not know; this one's record may name them."""

    def without_hidden(self, text: str) -> str:
        """A text with those left out."""
        return redacted(text, self.hidden)

    @property
    def moving(self) -> list[clock_views.Clock]:
        """What is past its limit and what can still break, by the rule of the board."""
        return clock_views.moving(self.clocks)

    @property
    def following(self) -> clock_views.Clock | None:
        """What breaks next: none of those that are broken."""
        return next((one for one in self.moving if not past(one, self.naming)), None)


def matter(ask: Ask) -> Matter:
    """The incident of this page, worked out once. Raises NotFound if there is none, or none for who asks."""
    if "matter" not in ask.kept:
        state = ask.incident()
        naming = ask.naming(state)
        clocks = clock_views.clocks(naming, MOST_PAGES)
        hidden = ask.reader.hidden()
        ask.kept["matter"] = Matter(state=state, naming=naming, clocks=clocks, hidden=hidden)
    found: Matter = ask.kept["matter"]
    return found


def whole(values: Callable[[Ask, Matter], Values | None]) -> Gives:
    """A part that only those have who may read the whole incident; for a third party it is empty."""

    def given(ask: Ask) -> Values | None:
        return None if ask.is_vendor else values(ask, matter(ask))

    return given


def head(ask: Ask) -> Values:
    """What stands around the parts. Raises NotFound; that a restricted incident is read is recorded."""
    found = matter(ask)
    ask.reader.note(found.state)
    return {
        "id": found.state.stream,
        "of_drill": found.state.drill,
        "i": page_words("incident", ask.lang),
        "tabs": TABS,
        "tab": ask.page.partition("-")[2],
    }


# -- the head that all tabs show ----------------------------------------------------------------------------


def _head(ask: Ask, found: Matter) -> Values:
    state, naming = found.state, found.naming
    known = next((one for one in naming.world.policy.severity.severities if one.id == state.severity), None)
    broken = [one for one in found.moving if past(one, naming)]
    following = found.following
    return {
        "i": page_words("incident", ask.lang),
        "id": state.stream,
        "of_drill": state.drill,
        "title": naming.text(state.title, 300),
        "severity": severity_with_scales(state, naming),
        "proposed": naming.severity(proposed) if (proposed := proposed_severity(state)) else "",
        "stuck": list(_stuck(state, naming)),
        "grave": known is not None and known.nisc >= GRAVE_FROM_NISC,
        "status": naming.texts.word("words.status", state.status),
        "phases": [naming.phase(name) for name in open_phases(state)],
        "commander": _commander(state, naming),
        "broken": clock_values(broken[0], naming) if broken else None,
        "past": len(broken),
        "next": clock_values(following, naming) if following else None,
        "decisions": len(open_decisions(state, naming)),
        "unacked": len(state.open_pages()),
        "bridge": ours(naming.world.organisation.bridge or ""),
        "restricted": state.restriction.on,
    }


def _stuck(state: Incident, naming: Naming) -> Iterator[Mapping[str, str]]:
    """The machine's steps that failed, or whose outcome nobody knows."""
    found = [naming.planned(key) for key, one in state.steps.items() if one.status in STUCK]
    for planned in [one for one in found if one is not None][:MAX_STUCK]:
        status = naming.texts.word("words.status", state.steps[planned.key].status)
        yield {"title": naming.title(planned), "anchor": anchor("step", planned.key), "status": status}


def _commander(state: Incident, naming: Naming) -> str:
    """Who leads now; while nobody is named, the CSIRT's lead with that title."""
    role = commander(state)
    people = [naming.who(one.person.id) for one in naming.world.holders(state, role)]
    named = role in state.assigned and bool(people)
    return naming.texts("words.comma").join(people) if named else naming.holders(role)


def open_phases(state: Incident) -> list[str]:
    """The phases that are under way, in the guideline's order."""
    return [
        name
        for name in (*PHASES, "communication")
        if name in state.phases and state.phases[name].status == "open"
    ]


def past(one: clock_views.Clock, naming: Naming) -> bool:
    """Whether it can no longer be met: what breaks next is another."""
    return one.status == "breached" or (one.at is not None and one.at <= naming.now)


def clock_values(one: clock_views.Clock, naming: Naming) -> Mapping[str, Any]:
    """A clock for a template: what breaks when, who has it, how it stands in a word."""
    grave = one.status == "forecast-to-break" or past(one, naming)
    return {
        "what": one.what,
        "of_page": one.kind == "page",
        "kind": naming.texts.word("words.clock.kind", one.kind),
        "at": naming.times.due(one.at),
        "iso": iso(one.at) if one.at else "",
        "left": naming.times.left(one.at, naming.now) if one.at else naming.texts("words.not_started"),
        "who": one.who,
        "state": naming.texts.word(
            "clocks.status", "breached" if grave and one.status == "running" else one.status
        ),
        "grave": grave,
        "warned": one.status == "warned",
        "share": one.share,
        "forecast": naming.times.at(one.forecast) if one.forecast else "",
        "detail": one.detail,
    }


def needs(one: clock_views.Clock, naming: Naming) -> str:
    """What a clock that has not started waits for."""
    if one.needs in {("contract",), ("inform",)}:
        return naming.texts.word("clocks.need", one.needs[0])
    named = (clock_views.needed(need, naming, one.id) for need in one.needs)
    return naming.texts("words.comma").join(named)


HEAD = Part(name="head", values=whole(_head), template="incident/head.html")
"""The shared part above the tabs."""
