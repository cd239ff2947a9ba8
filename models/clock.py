"""Time, and the only place that reads the system's clock.

Everything else is given `now`, so that a drill, a replay and a test run the same rules on another time.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from models.errors import NaiveInstant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Tells the present instant, aware and in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ExerciseClock:
    """A clock that somebody moves: drills, the demo and the tests. It never goes back by itself."""

    def __init__(self, at: datetime) -> None:
        self._at = utc(at)

    def now(self) -> datetime:
        return self._at

    def advance(self, by: timedelta) -> datetime:
        """Move the clock by `by`, which may be negative (a step of the wall clock), and return the time."""
        self._at += by
        return self._at

    def set(self, at: datetime) -> None:
        """Put the clock to `at` (aware)."""
        self._at = utc(at)


def utc(at: datetime) -> datetime:
    """`at` in UTC. Raises NaiveInstant if it has no zone: a guess would move a deadline."""
    if at.tzinfo is None:
        raise NaiveInstant(f"{at.isoformat()} has no zone; write it as {at.isoformat()}+09:00 or …Z")
    try:
        return at.astimezone(UTC)
    except OverflowError as beyond:
        raise NaiveInstant(f"{at.isoformat()} is beyond what a calendar holds") from beyond


def iso(at: datetime) -> str:
    """`at` (aware) as the record writes it: UTC, microseconds, a Z."""
    return utc(at).isoformat(timespec="microseconds").replace("+00:00", "Z")


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC, exactly."""
    delta = at - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def from_micros(value: int) -> datetime:
    """The instant that `micros` gave."""
    return _EPOCH + timedelta(microseconds=value)


def parse_instant(text: str) -> datetime:
    """An ISO 8601 instant with an offset, in UTC. Raises NaiveInstant without one, else ValueError."""
    return utc(datetime.fromisoformat(text))


def monotonic() -> float:
    """Seconds that never go back, for measuring how long work took; never for a deadline."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Wait, in a thread that has nothing else to do."""
    time.sleep(seconds)
