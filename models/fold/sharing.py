"""How facts about sharing packages change an incident."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from models.fact import Fact
from models.sharing import Shared, Sharing
from models.state import Incident


def _prepared(state: Incident, fact: Fact) -> None:
    data = fact.data
    state.sharings[data["id"]] = Sharing(
        id=data["id"],
        part=data["part"],
        tlp=data["tlp"],
        digest=data["digest"],
        at=fact.at,
        by=fact.for_ or fact.actor,
        indicators=data["indicators"],
        allowed=list(data.get("allowed", {}).values()),
    )


def _shared(state: Incident, fact: Fact) -> None:
    data = fact.data
    state.sharings[data["id"]].shared.append(
        Shared(
            to=data["to"],
            at=datetime.fromisoformat(data["instant"]),
            by=fact.for_ or fact.actor,
            via=data["via"],
            message=data.get("message", ""),
        )
    )


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "sharing.prepared": _prepared,
    "sharing.shared": _shared,
}
