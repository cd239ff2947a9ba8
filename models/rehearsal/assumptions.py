"""What a rehearsal supposes: distributions as data, each with its source. Floats are never kept in a fact."""

from __future__ import annotations

from datetime import time, timedelta
from hashlib import blake2b
from math import exp, log
from statistics import NormalDist
from typing import Literal

from pydantic import Field, model_validator

from models.values import Duration, Frozen

Band = Literal["working", "off", "night"]
MAX_VALUES = 2_000
LONGEST = 30 * 86_400
PERCENT = 100
_NORMAL = NormalDist()
_P90 = _NORMAL.inv_cdf(0.9)
_FINE = 1 << 53


class Chance(Frozen):
    """So many of a hundred."""

    percent: int = Field(ge=0, le=100)
    source: str = Field(
        min_length=1, max_length=300, description="where the figure comes from, or `assumption`"
    )


class Count(Frozen):
    """A number of things."""

    count: int = Field(ge=0, le=20)
    source: str = Field(min_length=1, max_length=300)


class Spread(Frozen):
    """A time: log-normal through `p50` and `p90`, or one of the measured `values`. `never` in per cent."""

    p50: Duration | None = None
    p90: Duration | None = None
    values: tuple[Duration, ...] = Field(default=(), max_length=MAX_VALUES)
    never: int = Field(default=0, ge=0, le=100)
    n: int | None = Field(default=None, ge=1, description="how many times it was measured")
    source: str = Field(min_length=1, max_length=300)

    @model_validator(mode="after")
    def _is_one_kind(self) -> Spread:
        if self.values:
            if self.p50 is not None or self.p90 is not None:
                raise ValueError("values: give either `values`, or `p50` and `p90`")
        elif self.p50 is None or self.p90 is None:
            raise ValueError("p50: expected `p50` and `p90`, or `values`")
        elif self.p90 < self.p50:
            raise ValueError("p90: expected at least `p50`")
        return self

    def at(self, share: float) -> timedelta:
        """The time below which `share` (0 to 1, neither included) of all lie, in whole seconds."""
        if self.values:
            ordered = sorted(self.values)
            return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
        assert self.p50 is not None and self.p90 is not None  # noqa: S101 - the model has checked
        return timedelta(seconds=_lognormal(self.p50.total_seconds(), self.p90.total_seconds(), share))


class Share(Frozen):
    """A share of something, in per cent, log-normal through `p50` and `p90`."""

    p50: int = Field(ge=1, le=1_000)
    p90: int = Field(ge=1, le=2_000)
    n: int | None = Field(default=None, ge=1)
    source: str = Field(min_length=1, max_length=300)

    @model_validator(mode="after")
    def _in_order(self) -> Share:
        if self.p90 < self.p50:
            raise ValueError("p90: expected at least `p50`")
        return self

    def of(self, whole: timedelta, share: float) -> timedelta:
        """So much of `whole`, in whole seconds."""
        seconds = whole.total_seconds() / PERCENT
        return timedelta(seconds=_lognormal(self.p50 * seconds, self.p90 * seconds, share))


def _lognormal(p50: float, p90: float, share: float) -> int:
    sigma = log(p90 / p50) / _P90
    return min(round(p50 * exp(sigma * _NORMAL.inv_cdf(share))), LONGEST)


class Answer(Frozen):
    """How long until somebody answers, by who they are and when they are asked."""

    duty: Spread
    engaged: Spread
    working: Spread
    off: Spread
    night: Spread


class Hours(Frozen):
    """Where the bands of a day begin, local time. Weekends and holidays have no working hours."""

    work: time
    off: time
    night: time
    wake: time

    def band(self, at: time, *, working_day: bool) -> Band:
        """The band of a local time."""
        if at >= self.night or at < self.wake:
            return "night"
        return "working" if working_day and self.work <= at < self.off else "off"


class Away(Frozen):
    """Who is out of reach although no absence says so."""

    working: Chance
    off: Chance
    night: Chance


class Channels(Frozen):
    """What goes wrong with messages, and how long they take."""

    message: Chance
    outage: Chance
    takes: Spread


class Work(Frozen):
    """How long people take."""

    of_limit: Share
    without_limit: Spread
    decide: Spread
    settle: Spread
    judge: Spread


class Machine(Frozen):
    """Steps that a machine does."""

    takes: Spread
    fails: Chance


class Growth(Frozen):
    """What is found later."""

    more: Chance
    after: Spread


class Services(Frozen):
    """What is affected."""

    most: Count


class Assumptions(Frozen):
    """All of it; `assumptions.yaml` of the package, with the institution's `rehearsal.yaml` laid over it."""

    answer: Answer
    hours: Hours
    away: Away
    channels: Channels
    work: Work
    machine: Machine
    growth: Growth
    services: Services


class Draws:
    """The luck of one run: a number for each matter, whatever else happens (common random numbers)."""

    def __init__(self, seed: int, run: int) -> None:
        self._key = f"{seed}\x1f{run}".encode()

    def share(self, *about: object) -> float:
        """A number between 0 and 1, neither included, that belongs to this matter of this run alone."""
        said = "\x1f".join([str(one) for one in about]).encode()
        found = int.from_bytes(blake2b(said, key=self._key, digest_size=8).digest(), "big") >> 11
        return (found + 0.5) / _FINE

    def happens(self, percent: int, *about: object) -> bool:
        """Whether something that happens so many times of a hundred happens here."""
        return self.share(*about) * PERCENT < percent

    def takes(self, spread: Spread, *about: object) -> timedelta | None:
        """How long it takes; None if it never comes about."""
        if spread.never and self.happens(spread.never, "never", *about):
            return None
        return spread.at(self.share(*about))

    def below(self, count: int, *about: object) -> int:
        """One of the numbers from 0 up to, but not, `count`."""
        return int(self.share(*about) * count)
