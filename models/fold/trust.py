"""How facts about channels out of band and about answers by telephone change the house."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.distrust import Distrusted, Proposal
from models.fact import Fact
from models.state import House

REPLIES_KEPT = 500
"""Ids of answers that are remembered: more than can come within the time in which one may be handed over."""


def _proposed(state: House, fact: Fact) -> None:
    data = fact.data
    state.proposal = Proposal(
        seq=fact.seq,
        way=data["way"],
        channels=list(data["channels"]),
        by=data["by"],
        recorded_by=fact.actor,
        at=fact.recorded_at,
        reason=data.get("reason", ""),
        unreachable=list(data.get("people", [])),
    )


def _withdrawn(state: House, fact: Fact) -> None:
    reason = state.proposal.reason if state.proposal is not None else ""
    for channel in fact.data["channels"]:
        state.distrusted[channel] = Distrusted(
            channel=channel,
            at=fact.recorded_at,
            proposed_by=fact.data["person"],
            confirmed_by=fact.data["by"],
            reason=reason,
        )
    state.proposal = None


def _restored(state: House, fact: Fact) -> None:
    for channel in fact.data["channels"]:
        state.distrusted.pop(channel, None)
    state.proposal = None


def _replied(state: House, fact: Fact) -> None:
    state.replies = [*state.replies, fact.data["id"]][-REPLIES_KEPT:]


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "trust.proposed": _proposed,
    "trust.withdrawn": _withdrawn,
    "trust.restored": _restored,
    "reply.taken": _replied,
}
