"""How facts about who may know of an incident, and who may look at all, change the state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from models.fact import Fact
from models.fold import pages
from models.restriction import INSPECTORS_KEPT, Glass, Inspector, Restriction
from models.state import House, Incident


def _restricted(state: Incident, fact: Fact) -> None:
    """Whoever had been paged before knows of it already."""
    known, data = state.restriction, fact.data
    known.since, known.by = fact.at, fact.for_ or fact.actor
    # Copies: a fact that is kept in memory stays as it was when readers come and go.
    known.people, known.roles, known.barred = (list(data[name]) for name in ("people", "roles", "barred"))
    paged = (
        one.person for page in state.pages.values() for people in page.reached.values() for one in people
    )
    known.told = [one for one in dict.fromkeys(paged) if one not in known.barred]


def _unrestricted(state: Incident, fact: Fact) -> None:
    state.restriction = Restriction(reads=state.restriction.reads, glass=state.restriction.glass)


def _reader_added(state: Incident, fact: Fact) -> None:
    known = state.restriction
    names = known.people if fact.data["as"] == "person" else known.roles
    names.append(fact.data["reader"])


def _reader_removed(state: Incident, fact: Fact) -> None:
    """Off every list; with `barred` for good, without it also off the list of those barred."""
    known, reader = state.restriction, fact.data["reader"]
    known.people, known.roles, known.told, known.barred = (
        [one for one in names if one != reader]
        for names in (known.people, known.roles, known.told, known.barred)
    )
    if fact.data.get("barred"):
        known.barred.append(reader)


def _glass_broken(state: Incident, fact: Fact) -> None:
    until = datetime.fromisoformat(fact.data["until"])
    state.restriction.glass[fact.data["person"]] = Glass(since=fact.at, until=until)


def _glass_ended(state: Incident, fact: Fact) -> None:
    state.restriction.glass[fact.data["person"]].ended = True


def _read(state: Incident, fact: Fact) -> None:
    state.restriction.reads[fact.data["reader"]] = fact.at


def _and_told(rule: Callable[[Any, Fact], None]) -> Callable[[Incident, Fact], None]:
    """Whomever the record pages or tells may read what they are called for."""

    def apply(state: Incident, fact: Fact) -> None:
        rule(state, fact)
        known = state.restriction
        if known.on:
            levels = [fact.data, *fact.data.get("skipped", [])]
            people = [one["person"] for level in levels for one in level["recipients"]]
            known.told += [one for one in dict.fromkeys(people) if one not in known.told]

    return apply


_TELLING = (
    "page.asked", "page.escalated", "page.repeated", "page.exhausted", "page.lapsed", "page.delegated",
    "message.requested",
)  # fmt: skip
FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    **{kind: _and_told(pages.FOLDS[kind]) for kind in _TELLING},
    "incident.restricted": _restricted,
    "incident.unrestricted": _unrestricted,
    "incident.read": _read,
    "reader.added": _reader_added,
    "reader.removed": _reader_removed,
    "glass.broken": _glass_broken,
    "glass.ended": _glass_ended,
}


def _granted(state: House, fact: Fact) -> None:
    data = fact.data
    while len(state.inspectors) >= INSPECTORS_KEPT:
        del state.inspectors[min(state.inspectors.values(), key=lambda one: one.until).id]
    state.inspectors[data["id"]] = Inspector(
        id=data["id"],
        until=datetime.fromisoformat(data["until"]),
        by=data["by"],
        incidents=data["incidents"],
        account=data.get("account"),
        digest=data.get("digest"),
    )


def _revoked(state: House, fact: Fact) -> None:
    state.inspectors[fact.data["id"]].until = fact.at


HOUSE: dict[str, Callable[[Any, Fact], None]] = {
    "inspector.granted": _granted,
    "inspector.revoked": _revoked,
}
