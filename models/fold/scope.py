"""How facts about the scope, and about third parties that hear of it, change an incident."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from models.fact import Fact
from models.scope import PartyNotice, ScopeItem
from models.state import Incident


def _instant(data: Mapping[str, Any], name: str) -> datetime | None:
    return datetime.fromisoformat(data[name]) if name in data else None


def _add(state: Incident, number: str, data: Mapping[str, Any], fact: Fact) -> None:
    state.scope[number] = ScopeItem(
        id=number,
        kind=data["kind"],
        name=data["name"],
        at=fact.at,
        by=fact.for_ or fact.actor,
        type=data.get("type", ""),
        first_seen=_instant(data, "first_seen"),
        last_seen=_instant(data, "last_seen"),
        confidence=data.get("confidence", ""),
        source=data.get("source", ""),
        note=data.get("note", ""),
        evidence=data.get("evidence", ""),
        party=data.get("party", ""),
        service=data.get("service", ""),
    )


def _added(state: Incident, fact: Fact) -> None:
    _add(state, fact.data["id"], fact.data, fact)


def _imported(state: Incident, fact: Fact) -> None:
    for number, data in fact.data["items"].items():
        _add(state, number, data, fact)


def _meet(state: Incident, number: str, data: Mapping[str, Any], fact: Fact) -> None:
    """Seen again. What was fixed, or thought a false alarm, is open once more if it shows itself later."""
    item = state.scope[number]
    item.times += 1
    item.first_seen = _instant(data, "first_seen") or item.first_seen
    item.last_seen = _instant(data, "last_seen") or item.last_seen
    for name in ("confidence", "source", "note", "evidence", "party"):
        setattr(item, name, data.get(name, getattr(item, name)))
    if data.get("reopens"):
        item.fix = item.retracted = item.settled_at = None
        item.fix_step = item.fix_evidence = ""
        item.reopened_seq = fact.seq


def _seen(state: Incident, fact: Fact) -> None:
    _meet(state, fact.data["id"], fact.data, fact)


def _met(state: Incident, fact: Fact) -> None:
    for number, data in fact.data["items"].items():
        _meet(state, number, data, fact)


def _items(state: Incident, fact: Fact) -> Iterator[ScopeItem]:
    """The items that a fact is about: of one, or of many."""
    for number in fact.data.get("ids") or [fact.data["id"]]:
        yield state.scope[number]


def _fixed(state: Incident, fact: Fact) -> None:
    for item in _items(state, fact):
        item.fix = fact.data.get("fix", "")
        item.fix_step, item.fix_evidence = fact.data.get("step", ""), fact.data.get("evidence", "")
        item.settled_at = fact.at


def _accepted(state: Incident, fact: Fact) -> None:
    for item in _items(state, fact):
        item.accepted = fact.data["reason"]


def _retracted(state: Incident, fact: Fact) -> None:
    for item in _items(state, fact):
        item.retracted, item.settled_at = fact.data["reason"], fact.at


def _owed(state: Incident, fact: Fact) -> None:
    """Owed for the first time, or again for what was not known when the party was told."""
    party = fact.data["party"]
    earlier = state.party_notices.get(party)
    because = list(dict.fromkeys([*(earlier.because if earlier else ()), *fact.data["because"]]))
    since = earlier.since if earlier is not None and earlier.settled_at is None else fact.at
    state.party_notices[party] = PartyNotice(party=party, since=since, because=because)


def _settled(state: Incident, fact: Fact) -> None:
    notice = state.party_notices[fact.data["party"]]
    notice.settled_at, notice.how = fact.at, fact.data["how"]
    notice.reason, notice.by = fact.data.get("reason", ""), fact.for_ or fact.actor


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "scope.added": _added,
    "scope.imported": _imported,
    "scope.seen": _seen,
    "scope.met": _met,
    "scope.fixed": _fixed,
    "scope.fixed_many": _fixed,
    "scope.accepted": _accepted,
    "scope.accepted_many": _accepted,
    "scope.retracted": _retracted,
    "scope.retracted_many": _retracted,
    "party.owed": _owed,
    "party.settled": _settled,
}
