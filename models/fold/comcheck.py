"""How communication checks change the programme. The answers are those of ordinary pages.

Bounded: a test asks at most `MAX_ASKS` times, and only the last tests stay in the state.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from models.comcheck import EVENT, KEPT, Ask, Asked, Comcheck, Unreached, parts_of
from models.fact import Fact
from models.fold.pages import FOLDS as PAGES
from models.state import Programme


def _started(state: Programme, fact: Fact) -> None:
    data = fact.data
    state.comchecks_numbered += 1
    state.comchecks[data["id"]] = Comcheck(
        id=data["id"],
        route=data["route"],
        level=data["level"],
        started_at=fact.at,
        started_by=fact.for_ or fact.actor,
        ends_at=datetime.fromisoformat(data["ends_at"]),
        reason=data.get("reason"),
        people={
            one["person"]: Asked(
                person=one["person"],
                role=one["role"],
                deputy_for=one.get("for"),
                without=one.get("without", []),
            )
            for one in data["recipients"]
        },
        open_roles=data.get("open", []),
    )
    over = [name for name, one in state.comchecks.items() if not one.running]
    for name in over[: max(0, len(state.comchecks) - KEPT)]:
        del state.comchecks[name]


def _asked(state: Programme, fact: Fact) -> None:
    PAGES["page.asked"](state, fact)
    if fact.data["event"] == EVENT:
        name, person, channel = parts_of(fact.data["subject"].partition(":")[2])
        state.comchecks[name].asks.append(Ask(person=person, channel=channel, page=fact.seq))


def _ask_of(state: Programme, fact: Fact) -> Ask | None:
    """What the fact's page asks in a test that still runs; news from after its time changes nothing.

    Its end is a fact of the watch's and may come late: what counts is when the answer came.
    """
    running = (one for one in state.comchecks.values() if one.running and fact.at <= one.ends_at)
    return next((ask for one in running for ask in one.asks if ask.page == fact.data.get("page")), None)


def _answered(state: Programme, fact: Fact) -> None:
    PAGES["page.acknowledged"](state, fact)
    ask = _ask_of(state, fact)
    if ask is not None and fact.data["complete"]:
        # Given with a time from before the test, it came with the test.
        ask.answered_at = max(fact.at, state.pages[ask.page].asked_at)
        ask.via = fact.via.partition(":")[0]
        state.unreached.pop(ask.person, None)


def _sent(state: Programme, fact: Fact) -> None:
    PAGES["message.sent"](state, fact)
    ask = _ask_of(state, fact)
    if ask is not None:
        ask.sent_at, ask.failed = ask.sent_at or fact.at, ""


def _given_up(state: Programme, fact: Fact) -> None:
    PAGES["message.given_up"](state, fact)
    ask = _ask_of(state, fact)
    if ask is not None:
        ask.failed = fact.data.get("detail") or "given up"


def _ended(state: Programme, fact: Fact) -> None:
    comcheck = state.comchecks[fact.data["id"]]
    comcheck.ended_at = fact.at
    for person in comcheck.people:
        why = comcheck.why_not(person)
        if why is None:
            state.unreached.pop(person, None)
        else:
            state.unreached[person] = Unreached(comcheck=comcheck.id, since=fact.at, why=why)


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "page.asked": _asked,
    "page.acknowledged": _answered,
    "message.sent": _sent,
    "message.given_up": _given_up,
    "comcheck.started": _started,
    "comcheck.ended": _ended,
}
