"""Sources of evidence that could not be reached: a fact, and a page, because logs rotate (FSA-2.5.2.2-B1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from models.fact import Draft, Fact

EVENT = "source-unreachable"
SUBJECT = "source"
MAX_WHY = 1_000


class Unreachable(msgspec.Struct, kw_only=True):
    """A source that gave nothing, or broke off. `why` is the digest of the text."""

    target: str
    source: str
    at: datetime
    by: str
    why: str
    step: str | None = None
    times: int = 1
    before: int = 0
    """How many items of evidence there were already."""


def unreachable_fact(target: str, sources: Sequence[str], why: str, step: str | None = None) -> Draft:
    """That a target did not give what it has; `sources` are the kinds of evidence that it was to give."""
    data: dict[str, Any] = {"target": target, "source": sources[0], "sources": list(sources)}
    if step is not None:
        data["step"] = step
    return Draft(kind="source.unreachable", data=data, texts={"why": why[:MAX_WHY] or "-"})


def missing_sources(state: Any) -> list[Unreachable]:
    """The targets of which nothing whole has been taken since they could not be reached."""
    return [one for one in state.unreachable.values() if not _was_taken(state, one)]


def _was_taken(state: Any, one: Unreachable) -> bool:
    since = list(state.evidence.values())[one.before :]
    return any(one.source in (*item.sources, item.source) and not item.partial for item in since)


def _unreachable(state: Any, fact: Fact) -> None:
    data = fact.data
    before = state.unreachable.get(data["target"])
    state.unreachable[data["target"]] = Unreachable(
        target=data["target"],
        source=data["source"],
        at=fact.at,
        by=fact.for_ or fact.actor,
        why=data["why"],
        step=data.get("step"),
        times=before.times + 1 if before is not None else 1,
        before=len(state.evidence),
    )


def _no_change(state: Any, fact: Fact) -> None:
    """That a collection began and ended is for the log; what it took is evidence."""


FOLDS: dict[str, Callable[[Any, Fact], None]] = {
    "source.unreachable": _unreachable,
    "collection.begun": _no_change,
    "collection.ended": _no_change,
}
