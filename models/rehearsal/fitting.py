"""Times as they were: how long people took to answer and to do, out of the facts of incidents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import exp, log
from statistics import fmean, pstdev
from typing import Any

from models.fact import Fact

LEAST = 10
"""Fewer say nothing about one of ten."""
_P90 = 1.2815515655446004
PERCENT = 100


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """`parts`: path of the assumption -> its fields; `missing`: of what there was too little."""

    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As it is written."""
        return {"fitted": self.parts, "missing": self.missing, "least": LEAST}


@dataclass(kw_only=True)
class Samples:
    """Seconds by assumption."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    called: dict[str, int] = field(default_factory=dict)

    def add(self, path: str, seconds: float) -> None:
        """Another time; what took no time at all was entered together and says nothing."""
        if seconds > 0:
            self.seconds.setdefault(path, []).append(seconds)


def take(
    samples: Samples,
    facts: Iterable[Fact],
    band: Callable[[str, datetime], str],
    limits: Callable[[str], float | None],
) -> None:
    """Add one incident. `band` says where an answer of a person belongs; `limits` a step's, in seconds."""
    asked: dict[int, datetime] = {}
    ready: dict[str, datetime] = {}
    answered: set[tuple[int, str]] = set()
    for fact in facts:
        data = fact.data
        if fact.kind == "page.asked":
            asked[fact.seq] = fact.at
            _called(samples, fact.at, data["recipients"], band)
        elif fact.kind == "page.escalated":
            asked[data["page"]] = fact.at
            _called(samples, fact.at, data["recipients"], band)
        elif fact.kind == "page.acknowledged" and (data["page"], data["by"]) not in answered:
            answered.add((data["page"], data["by"]))
            since = asked.get(data["page"])
            if since is not None:
                samples.add(f"answer.{band(data['by'], since)}", (fact.at - since).total_seconds())
        elif fact.kind == "step.ready":
            ready[data["step"]] = fact.at
        elif fact.kind in {"step.done", "decision.made"} and data["step"] in ready:
            _done(samples, fact, ready.pop(data["step"]), limits)


def _called(
    samples: Samples, at: datetime, people: Sequence[dict[str, Any]], band: Callable[[str, datetime], str]
) -> None:
    for one in people:
        path = f"answer.{band(one['person'], at)}"
        samples.called[path] = samples.called.get(path, 0) + 1


def _done(samples: Samples, fact: Fact, since: datetime, limits: Callable[[str], float | None]) -> None:
    took = (fact.at - since).total_seconds()
    limit = limits(fact.data["step"])
    if fact.kind == "decision.made":
        samples.add("work.decide", took)
    elif limit:
        samples.add("work.of_limit", took / limit * PERCENT)
    else:
        samples.add("work.without_limit", took)


def fit(samples: Samples, incidents: int) -> Fitted:
    """Each assumption of which there is enough: a log-normal through what was measured."""
    parts, missing = {}, {}
    for path, values in sorted(samples.seconds.items()):
        if len(values) < LEAST:
            missing[path] = len(values)
            continue
        parts[path] = _fitted(path, sorted(values), samples, incidents)
    return Fitted(parts=parts, missing=missing)


def _fitted(path: str, values: list[float], samples: Samples, incidents: int) -> dict[str, Any]:
    logs = [log(one) for one in values]
    middle, spread = fmean(logs), pstdev(logs)
    p50, p90 = exp(middle), exp(middle + _P90 * spread)
    source = f"own record, {incidents} incidents"
    unit = "" if path == "work.of_limit" else "s"
    found: dict[str, Any] = {"p50": _value(p50, unit), "p90": _value(p90, unit)}
    called = samples.called.get(path)
    if called:
        found["never"] = max(PERCENT - PERCENT * len(values) // called, 0)
    return found | {"n": len(values), "source": source}


def _value(value: float, unit: str) -> str | int:
    whole = max(round(value), 1)
    return f"{whole}{unit}" if unit else whole
