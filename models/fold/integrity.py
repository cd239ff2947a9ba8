"""How facts about keys, anchors and the clock change the house."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec

from models.fact import Fact
from models.state import House
from models.upkeep import TimeNoted


def _key(state: House, fact: Fact) -> None:
    name, public = fact.data["key"], fact.data["public"]
    state.upkeep = msgspec.structs.replace(state.upkeep, key=name, keys={**state.upkeep.keys, name: public})


def _accepted(state: House, fact: Fact) -> None:
    state.impaired.pop("checkpoint-key", None)


def _anchor(state: House, fact: Fact) -> None:
    placed = {**state.upkeep.anchored, fact.data["kind"]: fact.data["checkpoint"]}
    state.upkeep = msgspec.structs.replace(state.upkeep, anchored=placed)


def _compared(state: House, fact: Fact) -> None:
    data = fact.data
    clock = TimeNoted(
        at=fact.recorded_at,
        source=data["source"],
        synchronised=data["synchronised"],
        offset=_span(data.get("offset_us")),
        error=_span(data.get("error_us")),
    )
    state.upkeep = msgspec.structs.replace(state.upkeep, clock=clock)


def _span(micros: str | None) -> timedelta | None:
    return timedelta(microseconds=int(micros)) if micros is not None else None


def _rules(state: House, fact: Fact) -> None:
    state.upkeep = msgspec.structs.replace(state.upkeep, rules=fact.data["rules"])


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "key.made": _key,
    "key.rotated": _key,
    "key.replaced": _key,
    "key.accepted": _accepted,
    "anchor.placed": _anchor,
    "time.compared": _compared,
    "rules.changed": _rules,
}
