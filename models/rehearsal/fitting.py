"""Times as they were: how long people took to answer and to do, out of the facts of incidents."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    calls = _Calls(samples, band)
    ready: dict[str, datetime] = {}
    for fact in facts:
        data = fact.data
        if fact.kind.startswith("page."):
            calls.hear(fact)
        if fact.kind == "step.ready":
            ready[data["step"]] = fact.at
        elif fact.kind == "page.acknowledged" and (step := calls.steps.get(data["page"])) in ready:
            # Waiting for somebody is not work: it begins when the page that asks for it was taken.
            ready[step] = max(ready[step], fact.at)
        elif fact.kind in {"step.done", "decision.made"} and data["step"] in ready:
            _done(samples, fact, ready.pop(data["step"]), limits)


class _Calls:
    """Who was called when, for which page, and what became of it.

    Somebody is known not to have answered when the next level was called. Of those who were called together
    with whoever took the page, or whose page was stopped, it is not known whether they would have.
    """

    def __init__(self, samples: Samples, band: Callable[[str, datetime], str]) -> None:
        self.samples, self.band = samples, band
        self.steps: dict[int, str] = {}
        """Which step a page asks for."""
        self._since: dict[tuple[int, str], datetime] = {}
        self._level: dict[int, list[str]] = {}
        self._counted: set[tuple[int, str]] = set()

    def hear(self, fact: Fact) -> None:
        """One fact about a page."""
        if fact.kind == "page.asked":
            kind, _, step = fact.data.get("subject", "").partition(":")
            if kind == "step":
                self.steps[fact.seq] = step
            self._call(fact.seq, fact)
        elif fact.kind in {"page.escalated", "page.exhausted"}:
            page = fact.data["page"]
            for person in self._level.get(page, ()):
                self._count(page, person)
            self._call(page, fact)
        elif fact.kind == "page.acknowledged":
            self._answered(fact)

    def _call(self, page: int, fact: Fact) -> None:
        people = [one["person"] for one in fact.data["recipients"]]
        self._level[page] = people
        for person in people:
            self._since.setdefault((page, person), fact.at)

    def _answered(self, fact: Fact) -> None:
        page, by = fact.data["page"], fact.data["by"]
        since = self._since.pop((page, by), None)
        if since is not None:
            self._count(page, by, since)
            self.samples.add(f"answer.{self.band(by, since)}", (fact.at - since).total_seconds())

    def _count(self, page: int, person: str, since: datetime | None = None) -> None:
        """One call of which it is known what became of it; each person once for each page."""
        since = since or self._since.get((page, person))
        if since is None or (page, person) in self._counted:
            return
        self._counted.add((page, person))
        path = f"answer.{self.band(person, since)}"
        self.samples.called[path] = self.samples.called.get(path, 0) + 1


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
