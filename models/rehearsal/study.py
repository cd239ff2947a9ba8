"""What many runs say together: chances with intervals, times, who does not answer, what was waited for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from models.rehearsal.plan import Played

Z95 = 1.959964
HOURS = 24
TOP = 8
TIMES = ("acked", "decided", "contained", "restored")


@dataclass(frozen=True, kw_only=True)
class Chance:
    """How often a clock was met, of the runs in which it came to an end, with the 95 % interval (Wilson).

    A clock that still runs when the time is over may yet be met or missed, and those that run longest are not
    like the others: the interval counts them as missed at its lower end and as met at its upper one.
    """

    clock: str
    runs: int
    met: int
    share: float
    low: float
    high: float
    open: int


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds after the declaration; None where fewer runs than that got there at all."""

    what: str
    reached: int
    runs: int
    p10: int | None
    p50: int | None
    p90: int | None


@dataclass(frozen=True, kw_only=True)
class Level:
    """A level of a route: how often it was called and not answered, by the local hour."""

    route: str
    level: int
    asked: tuple[int, ...]
    silent: tuple[int, ...]

    @property
    def share(self) -> float:
        """How often nobody answered, of all hours."""
        return sum(self.silent) / max(sum(self.asked), 1)


@dataclass(frozen=True, kw_only=True)
class Waited:
    """What the end waited for: seconds for each run, on average over all runs."""

    what: str
    name: str
    seconds: int


@dataclass(frozen=True, kw_only=True)
class Study:
    """All of it."""

    runs: int
    facts: int
    clocks: tuple[Chance, ...]
    times: tuple[Times, ...]
    levels: tuple[Level, ...]
    waits: tuple[Waited, ...]
    roles: tuple[Waited, ...]
    refused: dict[str, int]
    score: float
    """The share of clocks met, averaged over the runs: what changes are ranked by."""

    def as_json(self) -> dict[str, Any]:
        """As it is written; the same for the same seed."""
        return asdict(self)

    def time(self, what: str) -> Times:
        """One of the times."""
        return next(one for one in self.times if one.what == what)


def study(played: Sequence[Played]) -> Study:
    """The runs together, whatever order they were played in."""
    ordered = sorted(played, key=lambda one: one.run)
    return Study(
        runs=len(ordered),
        facts=sum(one.facts for one in ordered) // max(len(ordered), 1),
        clocks=tuple(_clocks(ordered)),
        times=tuple(_times(name, ordered) for name in TIMES),
        levels=tuple(_levels(ordered)),
        waits=tuple(_waits(ordered)),
        roles=tuple(_roles(ordered)),
        refused=_added(one.refused for one in ordered),
        score=round(_mean([score(one) for one in ordered]), 6),
    )


def score(played: Played) -> float:
    """The share of this run's clocks that were met, of those that came to an end."""
    ended = [one for one in played.clocks.values() if one != "open"]
    return sum(one == "met" for one in ended) / len(ended) if ended else 1.0


def wilson(met: int, runs: int) -> tuple[float, float]:
    """The interval in which the true share lies with 95 % confidence."""
    if not runs:
        return 0.0, 1.0
    share, z2 = met / runs, Z95 * Z95
    middle = share + z2 / (2 * runs)
    half = Z95 * sqrt(share * (1 - share) / runs + z2 / (4 * runs * runs))
    below = 1 + z2 / runs
    return round(max((middle - half) / below, 0.0), 4), round(min((middle + half) / below, 1.0), 4)


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """The interval in which the mean lies with 95 % confidence (normal); all there is, of fewer than two."""
    if len(values) < 2:  # noqa: PLR2004 - one value says nothing about how far others lie
        return -1.0, 1.0
    middle = _mean(values)
    spread = sum((one - middle) ** 2 for one in values) / (len(values) - 1)
    half = Z95 * sqrt(spread / len(values))
    return round(middle - half, 6), round(middle + half, 6)


def percentile(values: Sequence[int | None], share: float) -> int | None:
    """The value that `share` of all are at most; those that never came (None) come last."""
    ordered = sorted(one for one in values if one is not None)
    place = max(-(-round(share * len(values) * 1_000) // 1_000) - 1, 0)
    return ordered[place] if place < len(ordered) else None


def _clocks(ordered: Sequence[Played]) -> Iterable[Chance]:
    names = sorted({name for one in ordered for name in one.clocks})
    for name in names:
        ends = [one.clocks[name] for one in ordered if name in one.clocks]
        met, over = ends.count("met"), len(ends) - ends.count("open")
        running = len(ends) - over
        low, high = wilson(met, len(ends))[0], wilson(met + running, len(ends))[1]
        share = round(met / over, 4) if over else 0.0
        yield Chance(clock=name, runs=over, met=met, share=share, low=low, high=high, open=running)


def _times(name: str, ordered: Sequence[Played]) -> Times:
    values: list[int | None] = [getattr(one, name) for one in ordered]
    return Times(
        what=name,
        reached=sum(one is not None for one in values),
        runs=len(values),
        p10=percentile(values, 0.1),
        p50=percentile(values, 0.5),
        p90=percentile(values, 0.9),
    )


def _levels(ordered: Sequence[Played]) -> list[Level]:
    asked: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0] * HOURS)
    silent: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0] * HOURS)
    for one in (asked_ for played in ordered for asked_ in played.asked):
        key = (one.route, one.level)
        asked[key][one.hour] += 1
        silent[key][one.hour] += not one.answered
    return [
        Level(route=key[0], level=key[1], asked=tuple(asked[key]), silent=tuple(silent[key]))
        for key in sorted(asked)
    ]


def _waits(ordered: Sequence[Played]) -> list[Waited]:
    total = _added(one.waits for one in ordered)
    found = [
        Waited(what=what, name=name, seconds=seconds // max(len(ordered), 1))
        for (what, _, name), seconds in ((key.partition(" "), value) for key, value in total.items())
    ]
    return sorted(found, key=lambda one: (-one.seconds, one.what, one.name))[: 2 * TOP]


def _roles(ordered: Sequence[Played]) -> list[Waited]:
    total = _added(one.people for one in ordered)
    found = [
        Waited(what="role", name=name, seconds=seconds // max(len(ordered), 1))
        for name, seconds in total.items()
    ]
    return sorted(found, key=lambda one: (-one.seconds, one.name))[:TOP]


def _added(many: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = defaultdict(int)
    for one in many:
        for name, value in one.items():
            total[name] += value
    return dict(sorted(total.items()))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a change did to the same runs: the share of clocks met, and seconds to containment (median)."""

    name: str
    kind: str
    about: dict[str, str]
    score: float
    gain: float
    low: float
    high: float
    """The 95 % interval of the gain, run by run: without 0 in it, it is more than luck."""
    contained: int | None
    sooner: int | None
    better: int
    worse: int
    """Runs in which containment came sooner, and later, than in the very same run without the change."""


def effect(
    name: str, kind: str, about: dict[str, str], before: Sequence[Played], after: Sequence[Played]
) -> Effect:
    """The change compared run by run: both had the same luck."""
    key: Callable[[Played], int] = lambda one: one.run  # noqa: E731 - a key
    pairs = list(zip(sorted(before, key=key), sorted(after, key=key), strict=True))
    was, now = study(before), study(after)
    sooner = [_sooner(one, other) for one, other in pairs]
    gains = [score(other) - score(one) for one, other in pairs]
    low, high = mean_interval(gains)
    mine, theirs = now.time("contained").p50, was.time("contained").p50
    return Effect(
        name=name,
        kind=kind,
        about=about,
        score=now.score,
        gain=round(now.score - was.score, 6),
        low=low,
        high=high,
        contained=mine,
        sooner=theirs - mine if mine is not None and theirs is not None else None,
        better=sum(one > 0 for one in sooner),
        worse=sum(one < 0 for one in sooner),
    )


def _sooner(before: Played, after: Played) -> int:
    never = 10**9
    was = before.contained if before.contained is not None else never
    now = after.contained if after.contained is not None else never
    return was - now
