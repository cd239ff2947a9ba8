"""Which messages a fact asks for: rows of the outbox, with the key that every copy carries.

The key is incident/cause-seq/level/attempt/address, the address being channel and person: where a person is
reached is looked up when the message leaves, so no personal data lies in the outbox.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson

from models.comcheck import EVENT as COMCHECK
from models.comcheck import TEMPLATE as COMCHECK_TEMPLATE
from models.fact import Fact
from models.restriction import GLASS_EVENT
from models.state import Incident, StreamState
from models.world import World

PAGE_TEMPLATES = {
    "declared": "page.declared",
    "decision": "page.decision",
    "approval": "page.approval",
    "step-ready": "page.step",
    "step-overdue": "page.step_overdue",
    "step-unknown": "page.step_unknown",
    "severity-raised": "page.severity",
    "confirm": "page.confirm",
    "delivery-failed": "page.delivery_failed",
    "triage-overdue": "page.triage",
    "alert-unreadable": "page.alert_unreadable",
    "timers-stopped": "page.timers_stopped",
    "impaired": "page.impaired",
    "improvement-overdue": "page.improvement",
    "read-overdue": "page.read_overdue",
    "clock-warning": "page.clock_warning",
    "clock-forecast": "page.clock_forecast",
    "clock-breached": "page.clock_breached",
    COMCHECK: COMCHECK_TEMPLATE,
    "message-approval": "page.message_approval",
    "shift-uncovered": "page.shift_uncovered",
    "reopening": "page.reopening",
    "evidence-damaged": "page.evidence_damaged",
    "source-unreachable": "page.source_unreachable",
    GLASS_EVENT: "page.break_glass",
}
_PAGED = {"page.asked", "page.escalated", "page.repeated", "page.lapsed", "page.delegated"}
ASKING = frozenset(_PAGED | {"page.exhausted", "message.requested", "page.acknowledged", "page.declined"})
"""The kinds of fact that can ask for messages; most do not."""


def messages(fact: Fact, state: StreamState, world: World) -> list[dict[str, Any]]:
    """The outbox rows that this fact asks for; `state` has it folded in.

    Of a restricted incident nothing goes to a channel that others read, and nothing to anybody barred.
    """
    rows = _rows(fact, state, world)
    if not isinstance(state, Incident) or not state.restriction.on:
        return rows
    return [row for row in rows if row["person"] and row["person"] not in state.restriction.barred]


def _rows(fact: Fact, state: StreamState, world: World) -> list[dict[str, Any]]:
    if fact.kind in _PAGED or fact.kind == "page.exhausted":
        return _for_page(fact, state, world)
    if fact.kind == "message.requested":
        return _for_notice(fact)
    if fact.kind == "page.acknowledged" and fact.data["complete"]:
        return _for_the_others(fact, state, "notice.acknowledged")
    if fact.kind == "page.declined":
        return _for_who_relied_on_it(fact, state)
    return []


@dataclass(frozen=True, kw_only=True)
class _Sheet:
    """What all messages of one cause have in common."""

    fact: Fact
    page: int
    level: str
    attempt: int
    kind: str
    template: str
    subject: str

    def key(self, address: str) -> str:
        return f"{self.fact.stream}/{self.page}/{self.level}/{self.attempt}/{address}"

    def row(self, channel: str, address: str) -> dict[str, Any]:
        return {
            "key": self.key(address),
            "stream": self.fact.stream,
            "page": self.page,
            "cause": self.fact.seq,
            "level": self.level,
            "attempt": self.attempt,
            "kind": self.kind,
            "template": self.template,
            "subject": self.subject,
            "person": None,
            "role": "",
            "deputy_for": None,
            "channel": channel,
            "address": None,
            "further": "[]",
            "state": "queued",
            "tries": 0,
        }

    def to(self, people: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """A row for each person on their first channel, and for a page on those that are tried later as well.

        The others are tried if one fails. `not_before` is absolute: a restart moves nothing.
        """
        rows = []
        for one in people:
            channels = one.get("channels", [])
            for place, channel in enumerate(channels):
                after = one.get("after", {}).get(channel) if self.kind == "page" else None
                if place and after is None:
                    continue
                row = self.row(channel, f"{channel}:{one['person']}")
                row |= {"person": one["person"], "role": one.get("role", ""), "deputy_for": one.get("for")}
                row["further"] = orjson.dumps(channels[place + 1 :]).decode()
                rows.append(row | {"not_before": self._not_before(one, after or 0)})
        return rows

    def _not_before(self, one: dict[str, Any], after: int) -> datetime:
        held = one.get("held_until") if self.kind == "notice" else None
        return datetime.fromisoformat(held) if held else self.fact.recorded_at + timedelta(seconds=after)


def _for_page(fact: Fact, state: StreamState, world: World) -> list[dict[str, Any]]:
    page = state.pages[fact.seq if fact.kind == "page.asked" else fact.data["page"]]
    template = "page.exhausted" if fact.kind == "page.exhausted" else PAGE_TEMPLATES[page.event]
    level, attempt = _place(fact)
    sheet = _Sheet(
        fact=fact,
        page=page.id,
        level=level,
        attempt=attempt,
        kind="page",
        template=template,
        subject=page.subject,
    )
    rows = sheet.to(fact.data["recipients"])
    for skipped in fact.data.get("skipped", []):
        told = [one for one in skipped["recipients"] if one.get("told", True)]
        rows += replace(sheet, level=str(skipped["level"]), attempt=1).to(told)
    return rows + _for_duty_channel(sheet, world)


def _place(fact: Fact) -> tuple[str, int]:
    """Level and attempt for the key: from the fact alone, since the state may have gone on."""
    data = fact.data
    places: dict[str, tuple[str, int]] = {
        "page.asked": ("0", 1),
        "page.escalated": (str(data.get("level")), 1),
        "page.repeated": (str(data.get("level")), data.get("attempt", 1)),
        "page.lapsed": (f"{data.get('level')}-again", data.get("attempt", 1)),
        "page.exhausted": ("last", data.get("call", 1)),
        "page.delegated": ("delegate", fact.seq),
    }
    return places[fact.kind]


def _for_duty_channel(sheet: _Sheet, world: World) -> list[dict[str, Any]]:
    """The standing duty channel sees the first call-out, every further level, and exhaustion."""
    address = world.organisation.duty_channel
    if address is None or "slack" not in world.channels or sheet.fact.kind == "page.repeated":
        return []
    if sheet.template == COMCHECK_TEMPLATE:
        # A test has a page for each person and channel: the channel would see them all.
        return []
    return [replace(sheet, kind="notice").row("slack", f"slack:{address}") | {"address": address}]


def _for_notice(fact: Fact) -> list[dict[str, Any]]:
    return _notice(fact, fact.data["template"], fact.data["subject"]).to(fact.data["recipients"])


def _notice(fact: Fact, template: str, subject: str) -> _Sheet:
    return _Sheet(
        fact=fact, page=fact.seq, level="0", attempt=1, kind="notice", template=template, subject=subject
    )


def _for_who_relied_on_it(fact: Fact, state: StreamState) -> list[dict[str, Any]]:
    """Whoever was told that somebody has it, or named a delegate, learns that it is not so any more."""
    if fact.data.get("gave_back"):
        return _for_the_others(fact, state, "notice.declined")
    if not fact.data.get("delegate"):
        return []
    giver = state.pages[fact.data["page"]].delegated_by
    rows = _for_the_others(fact, state, "notice.declined")
    return [row for row in rows if row["person"] == giver]


def _for_the_others(fact: Fact, state: StreamState, template: str) -> list[dict[str, Any]]:
    """Whoever was paged learns that somebody has it: two people working it unknown to each other is worse."""
    page = state.pages[fact.data["page"]]
    found: dict[str, dict[str, Any]] = {}
    for people in page.reached.values() if page.sent else ():
        for one in people:
            if one.person != fact.data["by"]:
                found[one.person] = {
                    "person": one.person,
                    "role": one.role,
                    "for": one.deputy_for,
                    "channels": one.channels,
                }
    return _notice(fact, template, f"page:{page.id}").to(list(found.values()))
