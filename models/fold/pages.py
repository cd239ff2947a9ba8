"""How facts about pages and messages change a state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from models.answers import Declined
from models.fact import Fact
from models.state import Incident, Page, Recipient, StreamState

PAGES_KEPT = 100
"""Pages that are over, in records that never end; the facts tell of the others."""
CALLED_OUT = ("declared", "severity-raised")


def _called_out(state: StreamState, fact: Fact) -> None:
    """The severity at which people were last called out; a rise above it calls them again."""
    if isinstance(state, Incident) and fact.data["event"] in CALLED_OUT:
        state.paged_rank = state.severity_rank


def recipients(data: list[dict[str, Any]]) -> list[Recipient]:
    """The recipients as a fact lists them."""
    return [
        Recipient(
            person=one["person"],
            role=one["role"],
            deputy_for=one.get("for"),
            channels=one.get("channels", []),
        )
        for one in data
    ]


def _asked(state: StreamState, fact: Fact) -> None:
    data = fact.data
    _called_out(state, fact)
    state.pages[fact.seq] = Page(
        id=fact.seq,
        event=data["event"],
        subject=data["subject"],
        route=data["route"],
        asked_at=fact.at,
        base=fact.at,
        within=data["within"],
        repeat=data["repeat"],
        all_of=data["all"],
        every=data["every"],
        renew=data.get("renew", 0),
        level_at=fact.at,
        reached={"0": recipients(data["recipients"])},
        detail=data.get("detail", {}),
    )


def _escalated(state: StreamState, fact: Fact) -> None:
    page = state.pages[fact.data["page"]]
    page.level = fact.data["level"]
    page.level_at = fact.at
    page.attempt = 1
    page.delegated_to = page.delegated_until = None
    page.delayed_by = fact.data.get("delayed_by", [])
    page.reached[str(page.level)] = recipients(fact.data["recipients"])
    for skipped in fact.data.get("skipped", []):
        page.reached[str(skipped["level"])] = recipients(skipped["recipients"])


def _hurried(state: StreamState, fact: Fact) -> None:
    """A level that no channel reaches: the following one is due from now, not from its own time."""
    page = state.pages[fact.data["page"]]
    page.base = fact.at
    page.base_level = fact.data["level"]
    page.round = 0
    page.delegated_to = page.delegated_until = None


def _repeated(state: StreamState, fact: Fact) -> None:
    page = state.pages[fact.data["page"]]
    page.attempt = fact.data["attempt"]
    page.reached[str(page.level)] = recipients(fact.data["recipients"])


def _exhausted(state: StreamState, fact: Fact) -> None:
    page = state.pages[fact.data["page"]]
    page.round = fact.data["round"]
    page.calls = fact.data["call"]
    page.delegated_to = page.delegated_until = None
    page.level = len(page.within) - 1
    for skipped in fact.data.get("skipped", []):
        page.reached[str(skipped["level"])] = recipients(skipped["recipients"])
    page.delayed_by = fact.data.get("delayed_by", [])
    page.reached["last"] = recipients(fact.data["recipients"])


def _lapsed(state: StreamState, fact: Fact) -> None:
    page = state.pages[fact.data["page"]]
    page.state = "open"
    page.acks = {}
    page.acked_by = page.acked_at = page.delegated_to = page.delegated_until = None
    page.base = page.level_at = fact.at
    page.base_level = page.level
    page.round = 0
    page.attempt = fact.data["attempt"]
    page.reached[str(page.level)] = recipients(fact.data["recipients"])
    # Repeats count attempts from the level's start; this one is the first since then.
    page.repeat = [0 if n == page.level else every for n, every in enumerate(page.repeat)]


def _acknowledged(state: StreamState, fact: Fact) -> None:
    page = state.pages[fact.data["page"]]
    page.acks[fact.data["by"]] = fact.at
    page.declined.pop(fact.data["by"], None)
    # An acknowledgement that lapses later was still one: what is measured counts from the first.
    page.heard_at = page.heard_at or fact.at
    if fact.data["complete"]:
        page.state = "acknowledged"
        page.acked_by = fact.data["by"]
        page.acked_at = max(fact.at, page.asked_at)
        page.worked_at = None


def _declined(state: StreamState, fact: Fact) -> None:
    page, who = state.pages[fact.data["page"]], fact.data["by"]
    gave_back = fact.data.get("gave_back", False)
    page.declined[who] = Declined(
        level=fact.data["level"], at=fact.at, reason=fact.data["reason"], gave_back=gave_back
    )
    page.acks.pop(who, None)
    if page.delegated_to == who:
        page.delegated_to = page.delegated_until = None
    if gave_back:
        page.state = "open"
        page.acked_by = page.acked_at = page.worked_at = None


def _delegated(state: StreamState, fact: Fact) -> None:
    page = state.pages[fact.data["page"]]
    page.delegated_to, page.delegated_by = fact.data["to"], fact.data["by"]
    page.delegated_as = fact.seq
    page.delegated_levels.append(page.level)
    until = datetime.fromisoformat(fact.data["until"])
    page.delegated_until = page.base = until
    page.base_level = page.level + 1
    page.round = 0


def _stopped(state: StreamState, fact: Fact) -> None:
    page = state.pages[fact.data["page"]]
    page.state = "stopped"
    page.ended_at = fact.at
    if not isinstance(state, Incident):
        over = [number for number, one in state.pages.items() if one.state == "stopped"]
        for number in over[:-PAGES_KEPT]:
            del state.pages[number]


def _worked(state: StreamState, fact: Fact) -> None:
    state.pages[fact.data["page"]].worked_at = fact.at


def _sent(state: StreamState, fact: Fact) -> None:
    page = state.pages.get(fact.data.get("page", 0))
    if page is not None:
        page.sent += 1
        if _is_own_channel(page, fact.data):
            page.failed = [key for key in page.failed if not key.endswith(f":{fact.data['person']}")]


def _is_own_channel(page: Page, data: dict[str, Any]) -> bool:
    """Whether it went out on a channel of that person's; a mere fallback may have been seen by nobody."""
    people = (one for reached in page.reached.values() for one in reached)
    return any(one.person == data.get("person") and data["channel"] in one.channels for one in people)


def _given_up(state: StreamState, fact: Fact) -> None:
    page = state.pages.get(fact.data.get("page", 0))
    if page is not None and not fact.data.get("further") and not fact.data.get("reached"):
        page.failed.append(fact.data["key"])


def no_change(state: Any, fact: Fact) -> None:
    """A fact that only tells; nothing follows from it."""


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "page.asked": _asked,
    "page.escalated": _escalated,
    "page.hurried": _hurried,
    "page.repeated": _repeated,
    "page.exhausted": _exhausted,
    "page.lapsed": _lapsed,
    "page.acknowledged": _acknowledged,
    "page.seen": no_change,
    "page.delegated": _delegated,
    "page.declined": _declined,
    "page.stopped": _stopped,
    "page.worked": _worked,
    "page.unanswerable": _called_out,
    "message.requested": no_change,
    "message.sent": _sent,
    "message.failed": no_change,
    "message.given_up": _given_up,
    "text.disposed": no_change,
}
