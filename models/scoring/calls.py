"""Calls of the exercise: who was asked, who answered and how fast, how far they climbed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from models.drillresult import PagesOfRole, PagesSummary, RouteUsed
from models.fact import Fact
from models.metrics import rank
from models.scoring.played import Played


@dataclass(kw_only=True)
class _Call:
    """One page, as it went. `asked` says when whom for which role."""

    route: str
    asked: dict[tuple[str, str], datetime] = field(default_factory=dict)
    answered: dict[str, tuple[datetime, bool]] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)
    began: datetime
    last: int
    level: int = 0
    exhausted: bool = False

    def ask(self, people: Iterable[dict[str, Any]], at: datetime) -> None:
        for one in people:
            self.asked.setdefault((one["role"], one["person"]), at)

    def first(self, *, scripted: bool) -> datetime | None:
        """When the first participant, or the script, answered."""
        return min((at for at, by_script in self.answered.values() if by_script == scripted), default=None)


def summary(played: Played) -> tuple[PagesSummary, tuple[RouteUsed, ...]]:
    """All calls of incidents and intake, and the routes that they took."""
    streams = [case.facts for case in played.cases] + [played.others]
    calls = [call for facts in streams for call in _calls(played, facts)]
    heard = [call.first(scripted=False) for call in calls]
    waited = [at - call.began for call, at in zip(calls, heard, strict=True) if at is not None]
    return (
        PagesSummary(
            asked=len(calls),
            answered=len(waited),
            scripted=sum(
                at is None and call.first(scripted=True) is not None
                for call, at in zip(calls, heard, strict=True)
            ),
            climbed=sum(call.level > 0 for call in calls),
            exhausted=sum(call.exhausted for call in calls),
            median_seconds=_median(waited),
            by_role=_by_role(calls),
        ),
        _routes(calls),
    )


def _calls(played: Played, facts: Sequence[Fact]) -> Iterable[_Call]:
    calls: dict[int, _Call] = {}
    for fact in facts:
        if fact.kind == "page.asked":
            call = calls[fact.seq] = _Call(
                route=fact.data["route"], began=fact.at, last=len(fact.data["within"]) - 1
            )
            call.ask(fact.data["recipients"], fact.at)
        elif fact.data.get("page") in calls:
            _went(played, calls[fact.data["page"]], fact)
    return calls.values()


def _went(played: Played, call: _Call, fact: Fact) -> None:
    data = fact.data
    if fact.kind in {"page.escalated", "page.exhausted", "page.repeated"}:
        call.ask(data.get("recipients", ()), fact.at)
        for skipped in data.get("skipped", ()):
            call.ask(skipped["recipients"], fact.at)
    if fact.kind == "page.escalated":
        call.level = max(call.level, data["level"])
    elif fact.kind == "page.exhausted":
        # The last resort comes after all levels, also if nobody could page while some were due.
        call.exhausted, call.level = True, call.last
    elif fact.kind == "page.acknowledged":
        by = data["by"]
        at = max(fact.at, call.began)
        call.answered.setdefault(by, (at, played.scripted(by, fact.via)))
    elif fact.kind in {"message.sent", "message.given_up"}:
        (call.sent if fact.kind == "message.sent" else call.given_up).add(data.get("person", ""))


def _by_role(calls: Sequence[_Call]) -> tuple[PagesOfRole, ...]:
    roles = sorted({role for call in calls for role, _ in call.asked})
    return tuple(_of_role(calls, role) for role in roles)


def _of_role(calls: Sequence[_Call], role: str) -> PagesOfRole:
    asked, scripted, undelivered, waited = 0, 0, 0, list[timedelta]()
    for call in calls:
        since = {person: at for (name, person), at in call.asked.items() if name == role}
        asked += bool(since)
        given = [(one, *call.answered[one]) for one in since if one in call.answered]
        mine = [max(at - since[one], timedelta(0)) for one, at, by_script in given if not by_script]
        if mine:
            waited.append(min(mine))
        scripted += not mine and bool(given)
        # Nobody can answer what never came: that says something of the addresses, and nothing of the people.
        undelivered += bool(since) and not given and since.keys() <= call.given_up - call.sent
    return PagesOfRole(
        role=role,
        asked=asked,
        answered=len(waited),
        scripted=scripted,
        undelivered=undelivered,
        median_seconds=_median(waited),
    )


def _routes(calls: Sequence[_Call]) -> tuple[RouteUsed, ...]:
    names = sorted({call.route for call in calls})
    return tuple(_route(name, [call for call in calls if call.route == name]) for name in names)


def _route(name: str, calls: Sequence[_Call]) -> RouteUsed:
    return RouteUsed(
        id=name,
        pages=len(calls),
        highest_level=1 + max(call.level for call in calls),
        exhausted=sum(call.exhausted for call in calls),
        answered=sum(call.first(scripted=False) is not None for call in calls),
    )


def _median(spans: list[timedelta]) -> int | None:
    middle = rank(sorted(spans), 50)
    return middle // timedelta(seconds=1) if middle is not None else None
