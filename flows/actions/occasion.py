"""The incident as a collector knows it."""

from __future__ import annotations

from flows.actions.values import Occasion
from models.state import Incident

SLACK = "slack"


def occasion_of(state: Incident) -> Occasion:
    """The incident as a collector knows it. It began when it occurred, as far as anybody has said that."""
    room = state.rooms.get(SLACK)
    began = [state.instants[name] for name in ("occurred", "detected") if name in state.instants]
    return Occasion(
        incident=state.stream,
        room=room.address if room is not None else "",
        began=began[0] if began else state.declared_at,
    )
