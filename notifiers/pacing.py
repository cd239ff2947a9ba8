"""How fast a channel may be spoken to: a pause for each destination, a count a minute, and what a 429 says.

A destination that answers "too many requests" rests alone, so that it costs the others nothing. Only when
several do so at once is it the whole channel that is meant (Slack's limit of a method over the workspace).
Nothing here decides what becomes of a message: what rests is simply not claimed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from models.clock import monotonic
from models.lease import LEASE_SECONDS

MINUTE = 60.0
WIDE = 3
"""So many destinations of a channel resting for a refusal at the same time: the channel itself is meant."""
RESERVE = 3
"""One part in so many of a channel's minute is kept from communication checks, for what is meant."""
MAX_DESTINATIONS = 10_000


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Time constants of delivery, in seconds; tests inject their own."""

    backoff: tuple[float, ...] = (1, 2, 5, 10, 20, 30)
    give_up_page: float = 90
    give_up_notice: float = 3_600
    interval: Mapping[str, float] = field(default_factory=lambda: {"slack": 1.0})
    """Least time between two messages to one destination of a channel."""
    per_minute: Mapping[str, int] = field(default_factory=lambda: {"slack": 300})
    """Most messages in a minute to a channel in all: Slack speaks of "several hundred" for a workspace."""
    bundle_more_than: int = 3
    """Pages waiting for one destination; more of them leave as one message."""
    unbundled: frozenset[str] = frozenset({"file", "sms", "voice"})
    """Channels that are read by programs, a line for each message; and telephones, a code for each page."""
    bundle_at_most: Mapping[str, int] = field(default_factory=lambda: {"teams": 5})
    """Most pages in one message, where a message has less room than the twenty that may wait."""
    idle: float = 0.5
    patience: float = 30
    """Longest that one delivery may take before its outcome counts as unclear."""
    lease: float = LEASE_SECONDS
    """How long a node may be silent before another takes over what it had in hand."""


class Pacing:
    """When a destination (`channel:who`) may get its next message. `now` is a monotonic clock in seconds."""

    def __init__(
        self,
        interval: Mapping[str, float],
        per_minute: Mapping[str, int],
        now: Callable[[], float] = monotonic,
    ) -> None:
        """`interval`: channel -> pause after each message to one destination; `per_minute`: in all."""
        self._interval = interval
        self._per_minute = per_minute
        self._now = now
        self._free_at: dict[str, float] = {}
        self._refused: dict[str, float] = {}
        self._closed: dict[str, float] = {}
        self._left: dict[str, deque[float]] = {}

    def resting(self) -> set[str]:
        """Destinations that get nothing now, and names of channels that are closed for all of theirs."""
        now = self._now()
        resting = {name for name, free in (*self._free_at.items(), *self._refused.items()) if free > now}
        resting |= {name for name, free in self._closed.items() if free > now}
        return resting | {name for name in self._per_minute if self.room(name) == 0}

    def room(self, channel: str) -> int | None:
        """How many messages the channel may still take in this minute; None if nothing limits it."""
        limit = self._per_minute.get(channel)
        if limit is None:
            return None
        left = self._left.setdefault(channel, deque())
        while left and left[0] <= self._now() - MINUTE:
            left.popleft()
        return max(0, limit - len(left))

    def rooms(self) -> dict[str, int]:
        """`room` of each channel that has a limit."""
        found = {name: self.room(name) for name in self._per_minute}
        return {name: room for name, room in found.items() if room is not None}

    def reserve(self) -> dict[str, int]:
        """How many messages of each channel's minute a communication check leaves to all others."""
        return {name: most // RESERVE for name, most in self._per_minute.items()}

    def leaves(self, channel: str, messages: int = 1) -> None:
        """So many are about to leave, or have left besides the one that was counted."""
        if channel in self._per_minute:
            self._left.setdefault(channel, deque()).extend([self._now()] * messages)

    def pause(self, destination: str) -> None:
        """A message has just been given to it, whatever came of that."""
        pause = self._interval.get(_channel(destination))
        if pause:
            self._free_at[destination] = self._now() + pause
            _bounded(self._free_at, self._now())

    def refused(self, destination: str, seconds: float) -> None:
        """It asked to be left alone for so long; together with others that is asked for the whole channel."""
        now = self._now()
        self._refused[destination] = now + seconds
        _bounded(self._refused, now)
        channel = _channel(destination)
        alike = [free for name, free in self._refused.items() if _channel(name) == channel and free > now]
        if len(alike) >= WIDE:
            self._closed[channel] = max(alike)

    def took(self, destination: str) -> None:
        """It took a message: what it refused is over, and what was concluded for its channel."""
        self._refused.pop(destination, None)
        self._closed.pop(_channel(destination), None)


def _channel(destination: str) -> str:
    return destination.partition(":")[0]


def _bounded(until: dict[str, float], now: float) -> None:
    if len(until) > MAX_DESTINATIONS:
        for name in [name for name, free in until.items() if free <= now]:
            del until[name]
