"""The timeline of an incident, the newest first, a bounded piece a page; and one fact with all it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import orjson

from console.courses import chain_hash_of, numbered, stretch
from console.views import facts as fact_views
from console.views.kinds import ALL_PHASES, EVERYTHING, GROUPS, group_of, wanted
from console.views.naming import Naming
from console.web.asking import Ask
from console.web.frame import Values
from console.web.rendering import page_words
from console.web.rooms.matter import Matter, head, matter
from models.errors import NotFound
from models.fact import SYSTEM, Fact
from models.state import Incident

A_PAGE = 100
FRESH = timedelta(seconds=10)
MAX_DIGITS = 9
MAX_TEXT = 20_000
MAX_PEOPLE = 60
NEWEST = 10**MAX_DIGITS
FAILED = frozenset({"step.failed", "step.unknown"})
FILTERS = ("kind", "person", "phase")
"""What an address may say: words of lists. A text that somebody searched for would be data in an address."""


def timeline(ask: Ask, found: Matter) -> Values:
    """A page of facts, and the form that filters them."""
    state, naming = found.state, found.naming
    chosen = {name: ask.query.get(name, "") for name in FILTERS}
    people = _people(state, naming)
    person = chosen["person"] if chosen["person"] in people else ""
    passes = wanted(chosen["kind"], person, chosen["phase"], state, naming.world)
    before = number_of(ask.query.get("before", "")) or NEWEST
    part = stretch(ask.house.desk.record, state.stream, before=before, limit=A_PAGE, wanted=passes)
    kept = {name: value for name, value in chosen.items() if value}
    return {
        "id": state.stream,
        "rows": [_row(fact, found) for fact in part.facts],
        "total": state.seq,
        "filtered": any(chosen.values()),
        "older": urlencode(kept | {"before": part.before}) if part.before > 1 else "",
        "newest": urlencode(kept) if before != NEWEST else None,
        "chosen": chosen,
        "groups": [EVERYTHING, *GROUPS],
        "phases": [(name, naming.phase(name)) for name in ALL_PHASES if name in state.phases],
        "people": [(one, naming.who(one)) for one in people],
    }


def number_of(text: str) -> int:
    """The number of a fact in an address; 0 if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else 0


def _people(state: Incident, naming: Naming) -> list[str]:
    """Who has had to do with it, as far as the state tells; Hikeshi itself last."""
    found = {state.declared_by, *state.assigned.values()}
    for page in state.pages.values():
        found |= {one.person for people in page.reached.values() for one in people}
        if len(found) > MAX_PEOPLE:
            break
    found |= {who for step in state.steps.values() for who in (step.started_by, step.done_by) if who}
    known = sorted((one for one in found if one and one != SYSTEM), key=naming.who)
    return [*known[:MAX_PEOPLE], SYSTEM]


def _row(fact: Fact, found: Matter) -> Mapping[str, Any]:
    naming = found.naming
    return {
        "seq": fact.seq,
        "at": naming.times.at(fact.at, seconds=True),
        "late": naming.times.at(fact.recorded_at)
        if fact.recorded_at - fact.at > timedelta(minutes=1)
        else "",
        "who": naming.who(fact.for_ or fact.actor),
        "scribe": naming.who(fact.actor) if fact.for_ else "",
        "unconfirmed": _unconfirmed(fact, found.state),
        "machine": fact.actor == SYSTEM,
        "group": group_of(fact.kind),
        "failed": fact.kind in FAILED,
        "text": found.without_hidden(fact_views.sentence(fact, naming)),
        "fresh": naming.now - fact.recorded_at < FRESH,
    }


def _unconfirmed(fact: Fact, state: Incident) -> bool:
    return fact.seq in state.confirmations or any(one.seq == fact.seq for one in state.unasked)


# -- one fact -----------------------------------------------------------------------------------------------


def fact_head(ask: Ask) -> Values:
    """As of every page of an incident. Raises NotFound also if there is no such fact."""
    values = head(ask)
    number = number_of(ask.item)
    found = numbered(ask.house.desk.record, matter(ask).state.stream, [number])
    if number not in found:
        raise NotFound(f"there is no fact {ask.item[:20]}")
    ask.kept["fact"] = found[number]
    return {**values, "seq": number}


def fact(ask: Ask, found: Matter) -> Values:
    """All that the record says in one fact: in words, and as it is stored."""
    one: Fact = ask.kept["fact"]
    naming, state = found.naming, found.state
    return {
        "id": state.stream,
        "row": _row(one, found),
        "kind": one.kind,
        "v": one.v,
        "at": naming.times.at(one.at, seconds=True),
        "recorded_at": naming.times.at(one.recorded_at, seconds=True),
        "actor": one.actor,
        "via": one.via,
        "for_": one.for_ or "",
        "person": naming.who(one.actor),
        "texts": list(_texts(one.data, found)),
        "links": list(_links(one, state, naming)),
        "data": [
            (name, found.without_hidden(orjson.dumps(value).decode())) for name, value in one.data.items()
        ],
        "hash": chain_hash_of(ask.house.desk.record, state.stream, one.seq),
        "earlier": one.seq - 1,
        "later": one.seq + 1 if one.seq < state.seq else 0,
    }


def _texts(value: Any, found: Matter, path: str = "") -> Iterator[Mapping[str, Any]]:
    """The texts beside the fact by their place; of one that was disposed of its digest is left."""
    beside = found.naming.beside
    if isinstance(value, str) and value in beside:
        body = beside[value]
        text = found.without_hidden(body or "")[:MAX_TEXT]
        yield {"path": path, "digest": value, "gone": body is None, "lines": text.splitlines()}
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, found, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _texts(inner, found, f"{path}.{place}")


_TABS: Mapping[str, str] = {
    "evidence": "evidence",
    "scope": "scope",
    "sharing": "scope",
    "outgoing": "communication",
    "situation": "communication",
    "inquiry": "communication",
    "report": "reports",
    "obligation": "reports",
    "decision": "decisions",
    "gate": "decisions",
    "step": "steps",
    "improvement": "improvements",
}
"""The page that shows what facts of a kind are about."""
_OTHER_FACTS = ("fact", "proposal", "cause")


def _links(one: Fact, state: Incident, naming: Naming) -> Iterator[tuple[str, str]]:
    """Where what the fact is about is shown: words and address."""
    base = f"/incidents/{state.stream}"
    for name, value in one.data.items():
        planned = naming.planned(value) if name == "step" and isinstance(value, str) else None
        if planned is not None:
            yield naming.title(planned), f"{base}/steps"
        elif name == "page" and isinstance(value, int) and value in state.pages:
            yield f"#{value} {naming.subject(state.pages[value].subject)}", f"{base}/facts/{value}"
        elif name in _OTHER_FACTS and isinstance(value, int) and 0 < value <= state.seq:
            yield f"#{value}", f"{base}/facts/{value}"
    where = _TABS.get(one.kind.partition(".")[0])
    if where:
        yield page_words("incident", naming.lang)["tab"][where], f"{base}/{where}"
