"""How long an understudy takes: a table of distributions, and a seed that says which figure it is."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from hashlib import sha256
from math import isqrt
from pathlib import Path

from pydantic import Field, model_validator
from ruamel.yaml import YAML

from models.values import Duration, Frozen

FILE = Path(__file__).parent / "times.yaml"
_FINE = 1 << 32


class Span(Frozen):
    """A triangle over a time: `low` to `high`, most often `usual`. `unheard`: so many of 100 never come."""

    low: Duration
    usual: Duration
    high: Duration
    unheard: int = Field(default=0, ge=0, le=90)

    @model_validator(mode="after")
    def _in_order(self) -> Span:
        if not self.low <= self.usual <= self.high:
            raise ValueError("expected low <= usual <= high")
        return self

    def at(self, share: int) -> timedelta:
        """The time below which `share` of 2**32 lie, in whole seconds; the same on any machine."""
        low, usual, high = (int(one.total_seconds()) for one in (self.low, self.usual, self.high))
        width, rise = high - low, usual - low
        if width == 0:
            return self.low
        if share * width < rise * _FINE:
            return timedelta(seconds=low + isqrt(share * width * rise // _FINE))
        return timedelta(seconds=high - isqrt((_FINE - share) * width * (high - usual) // _FINE))


class Times(Frozen):
    """`times.yaml`: how long each kind of thing takes, with where the figures come from."""

    source: str
    notice: Span
    answer: Span
    begin: Span
    work: Span
    decide: Span
    approve: Span
    gate: Span
    judge: Span
    told: Span
    end: Span
    patience: int = Field(ge=0, le=100)
    hands_off: Duration


@lru_cache(maxsize=1)
def shipped_times() -> Times:
    """The table that comes with the package."""
    return Times.model_validate(YAML(typ="safe").load(FILE.read_text(encoding="utf-8")))


def drawn(seed: int, *about: object) -> int:
    """A number below 2**32 that depends on the seed and on what it is about, and on nothing else."""
    said = "\x1f".join([str(seed), *(str(one) for one in about)])
    return int.from_bytes(sha256(said.encode()).digest()[:4])
